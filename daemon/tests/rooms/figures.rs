//! How soon somebody is in a room: figures, not tests. `tests/lab/room_figures.py` runs them on lines with a delay and with loss.
//!
//! Lives here: joins one after the other, timed from the first step to the first packet and the first frame that was opened.
//! Must not: judge a figure.
//!
//! `AHOY_ROOM_URL` is the server's address, `AHOY_ROOM_INTERFACE` by which interface it is reached, `AHOY_ROOM_TRIES` how often.

use std::time::Duration;

use ahoyd::system::clock;

use crate::member::{Member, both, keys};
use crate::token;

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
