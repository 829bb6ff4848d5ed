//! How soon somebody is in a room: figures, not tests. `tests/lab/room_figures.py` runs them on lines with a delay and with loss.
//!
//! Lives here: joins one after the other, timed from the first step to the first packet and the first frame that was opened; interfaces
//! that go while somebody talks.
//! Must not: judge a figure.
//!
//! `AHOY_ROOM_URL` is the server's address, `AHOY_ROOM_INTERFACE` by which interfaces it is reached, `AHOY_ROOM_TRIES` how often.
//! `AHOY_ROOM_OTHER` are the words that begin the other one's command line, at the server's end of the line.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoyd::room::stay::StayOrder;
use ahoyd::system::clock;

use crate::member::{Member, both, keys};
use crate::token;

/// The other's room, while an interface goes.
const ROOM: &str = "00000000000000000000000000000001";
/// When the daemon says that an address has gone, and says it again with the rest of the change (`daemon/src/desktop/network.rs`).
const SEEN: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(130)];
/// Longer than a way is waited for, and than a stay counts as a short one.
const SETTLES: Duration = Duration::from_secs(11);
/// What takes longer hangs.
const HANGS: Duration = Duration::from_secs(20);

fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("tests/lab/room_figures.py says {name}"))
}

fn tries() -> usize {
    told("AHOY_ROOM_TRIES").parse().unwrap()
}

#[expect(clippy::print_stdout, reason = "figures are for who reads them")]
fn print(what: &str, mut all: Vec<Duration>) {
    all.sort();
    let at = |share: usize| all.get(all.len() * share / 100).or(all.last()).map_or(0, Duration::as_millis);
    let [median, most] = [at(50), at(100)];
    println!("FIGURE {what}: {} times, p50 {median} ms, p90 {} ms, max {most} ms", all.len(), at(90));
}

#[tokio::test]
#[ignore = "figures: make test-rooms FIGURES=1"]
async fn from_the_join_to_the_first_frame() {
    let (url, room) = (told("AHOY_ROOM_URL"), format!("{:032x}", clock::now().micros()));
    let mut them = Member::join(&url, &token(&room, "them"), "them", 700, &[], keys((0, "them 0"), &[]));
    them.until("they are up", |them| them.is_up()).await;
    let (mut up, mut first) = (Vec::new(), Vec::new());
    for n in 0..tries() {
        let name = format!("us{n}");
        let known = keys((0, "us 0"), &[("them", 0, "them 0")]);
        let mut us = Member::join(&url, &token(&room, &name), &name, 520, &["them"], known);
        both(&mut us, &mut them, "the first frame", |us, _| us.first().is_some()).await;
        up.extend(us.up_after());
        first.extend(us.first());
        us.leave().await;
    }
    print("join to packets", up);
    print("join to the first frame", first);
    them.leave().await;
}

#[tokio::test]
#[ignore = "figures: make test-rooms FIGURES=1"]
async fn joins_one_after_the_other() {
    let (url, mut up, mut hung) = (told("AHOY_ROOM_URL"), Vec::new(), 0);
    for n in 0..tries() {
        let (room, name) = (format!("{:032x}", clock::now().micros()), format!("us{n}"));
        let mut us = Member::join(&url, &token(&room, &name), &name, 520, &[], keys((0, "us 0"), &[]));
        let end = clock::now() + HANGS;
        us.until("it is up, or never", |us| us.is_up() || us.ended().is_some() || clock::now() >= end).await;
        match us.up_after() {
            Some(after) => up.push(after),
            None => {
                println!("hung: {:?}", us.happened);
                hung += 1;
            }
        }
        if us.ended().is_none() {
            us.leave().await;
        }
    }
    print("joins", up);
    println!("FIGURE hung: {hung}");
}

/// Speaks at the server's end until its standard input ends; then says for how long it did not hear us at the most.
#[tokio::test]
#[ignore = "the other one of `interfaces_go`"]
async fn the_other_one() {
    let url = told("AHOY_ROOM_URL");
    let known = keys((0, "them 0"), &[("us", 0, "us 0")]);
    let mut them = Member::join(&url, &token(ROOM, "them"), "them", 700, &["us"], known);
    them.until("it hears us", |them| them.hears("us", 520)).await;
    them.gap("us");
    let end = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    while !end.is_finished() {
        them.pass(Duration::from_millis(200)).await;
    }
    print("longest that the other hears nothing", vec![them.gap("us")]);
}

/// One after the other goes and comes back, of two: by one of them packets flow, and the socket stands.
#[tokio::test]
#[ignore = "figures: make test-rooms FIGURES=1"]
async fn interfaces_go() {
    let url = told("AHOY_ROOM_URL");
    let interfaces = told("AHOY_ROOM_INTERFACE");
    let enter: Vec<String> = told("AHOY_ROOM_OTHER").split(' ').map(str::to_owned).collect();
    let program = std::env::current_exe().unwrap();
    let mut other = Command::new(&enter[0])
        .args(&enter[1..])
        .arg(program)
        .args(["--ignored", "--nocapture", "--exact", "figures::the_other_one"])
        .env("AHOY_ROOM_INTERFACE", "link0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let known = keys((0, "us 0"), &[("them", 0, "them 0")]);
    let mut us = Member::join(&url, &token(ROOM, "us"), "us", 520, &["them"], known);
    us.until("it hears the other", |us| us.hears("them", 700)).await;
    us.pass(SETTLES).await;
    let mut gaps = Vec::new();
    for _ in 0..tries() {
        for interface in interfaces.split(',') {
            us.gap("them");
            change(&mut us, interface, "down").await;
            gaps.push(us.gap("them"));
            change(&mut us, interface, "up").await;
        }
    }
    print("longest that we hear nothing, each of two interfaces gone", gaps);
    drop(other.stdin.take());
    for line in BufReader::new(other.stdout.take().unwrap()).lines() {
        println!("{}", line.unwrap());
    }
    assert!(other.wait().unwrap().success(), "the other one");
    us.leave().await;
}

/// An interface goes or comes, and the stay hears of it as from the daemon.
async fn change(us: &mut Member, interface: &str, state: &str) {
    assert!(Command::new("ip").args(["link", "set", interface, state]).status().unwrap().success());
    for after in SEEN {
        us.pass(after).await;
        us.order(StayOrder::Moved).await;
    }
    us.pass(SETTLES).await;
}
