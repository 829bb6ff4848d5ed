//! What is offered when networks come and go while somebody waits.
//!
//! Lives here: the task on this machine's own loop, in which nobody else is.
//! Must not: need a network.

use std::net::{IpAddr, Ipv4Addr};

use rustix::net::RecvFlags;
use tokio::net::UdpSocket;

use super::super::dns::{Dns, Offer};
use super::super::sockets;
use super::*;
use crate::values::near::NetworkId;

const NUMBER: u32 = 4_711;

/// The loop as a network, behind one of its addresses.
fn place(last: u8) -> Place {
    Place {
        interface: 1,
        name: "lo".to_owned(),
        prefix: "127.0.0.0/8".to_owned(),
        gateway: IpAddr::from(Ipv4Addr::new(127, 0, 0, last)),
        id: Some(NetworkId([7; 16])),
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
    }
}

/// Another network, at the same interface.
fn elsewhere() -> Place {
    Place { id: Some(NetworkId([8; 16])), ..place(1) }
}

/// Trusts the loop as both networks, and is there; what the engine hears.
fn waits() -> (Task, mpsc::Receiver<Report>) {
    let judged = [place(1), elsewhere()].map(|it| Judged::new(&it.row(), true).unwrap()).to_vec();
    let standing = Standing { enabled: true, judged, ..Standing::default() };
    let (reports, heard) = mpsc::channel(QUEUE);
    let mut task = Task {
        standing: watch::channel(standing).1,
        reports,
        news: mpsc::channel(QUEUE).0,
        inputs: mpsc::channel(QUEUE).0,
        from_pairing: mpsc::channel(QUEUE).0,
        chosen: mpsc::channel(1).0,
        places: Vec::new(),
        presences: BTreeMap::new(),
        circle: Circle::default(),
        seen: Vec::new(),
        connections: Connections::new(mpsc::channel(QUEUE).0),
        pairing: Pairing::default(),
        gateways: Gateways::default(),
        shown: None,
        told: BTreeSet::new(),
        choosing: Some(false),
    };
    task.be_in(vec![place(1)]);
    task.on_order(Order::Offer(NUMBER));
    (task, heard)
}

fn offered(task: &Task) -> Vec<Option<u32>> {
    task.presences.values().map(Presence::number).collect()
}

#[tokio::test]
async fn a_number_is_offered_again_where_the_network_has_become_another() {
    let (mut task, mut heard) = waits();
    assert_eq!(offered(&task), [Some(NUMBER)]);
    task.be_in(vec![place(2)]);
    assert_eq!(offered(&task), [Some(NUMBER)], "another gateway, and the same number");
    assert!(heard.try_recv().is_err(), "nothing is over");
}

#[tokio::test]
async fn who_waits_hears_once_that_no_network_is_left_and_is_offered_at_the_next() {
    let (mut task, mut heard) = waits();
    task.be_in(Vec::new());
    task.be_in(Vec::new());
    assert!(matches!(heard.try_recv(), Ok(Report::Plate(PlateNews::Over(PlateOver::Left)))));
    assert!(heard.try_recv().is_err(), "once");
    task.be_in(vec![place(1)]);
    assert_eq!(offered(&task), [Some(NUMBER)], "a relay may hold it as well");
    task.on_order(Order::Plate(PlateAsk::Leave));
    task.be_in(Vec::new());
    assert!(heard.try_recv().is_err(), "nobody waits");
}

#[tokio::test]
async fn who_was_seen_stays_seen_where_our_addresses_change_and_not_on_another_network() {
    let (mut task, _heard) = waits();
    let said = Offer {
        instance: "other".to_owned(),
        host: "host".to_owned(),
        port: 4_000,
        addresses: Vec::new(),
        says: Says::Number(1_234),
    };
    let mut other = Dns::new(clock::now());
    other.offer(clock::now(), vec![said]);
    for packet in other.tick(clock::now()).0 {
        task.on_input(1, Input::Packet((Ipv4Addr::new(127, 0, 0, 9), 5353).into(), packet));
    }
    let seen = |task: &Task| task.presences.values().map(|it| it.dns.seen().count()).collect::<Vec<_>>();
    assert_eq!(seen(&task), [1]);
    task.be_in(vec![place(2)]);
    assert_eq!(seen(&task), [1]);
    task.be_in(vec![elsewhere()]);
    assert_eq!(seen(&task), [0]);
}

/// How many offers of a number there are after each packet about one that has come.
fn told(hears: &UdpSocket, dns: &mut Dns, number: u32) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut bytes = [0; 4_096];
    while let Ok((length, _)) = rustix::net::recv(hears, &mut bytes[..], RecvFlags::empty()) {
        let from = (Ipv4Addr::LOCALHOST, 5353).into();
        // Other tests speak there, too.
        let ours = |says: &Says| (*says == Says::Number(number)).then_some(());
        dns.hear(clock::now(), from, &bytes[..length], 0, ours);
        let count = dns.seen().filter(|(_, seen)| ours(&seen.says).is_some()).count();
        if counts.last() != Some(&count) {
            counts.push(count);
        }
    }
    counts
}

#[tokio::test]
async fn we_are_heard_at_once_and_nobody_is_without_us_while_addresses_or_names_change() {
    let hears = sockets::multicast(&place(1), true).unwrap();
    let mut dns = Dns::new(clock::now());
    let (mut task, _heard) = waits();
    task.on_order(Order::Offer(5_812));
    let mut heard = || told(&hears, &mut dns, 5_812);
    assert_eq!(heard().last(), Some(&1), "also where another number had the name before");
    for change in [|task: &mut Task| task.be_in(vec![place(2)]), Task::turn] {
        change(&mut task);
        let counts = heard();
        assert!(counts.ends_with(&[2, 1]) && !counts.contains(&0), "{counts:?}");
    }
}
