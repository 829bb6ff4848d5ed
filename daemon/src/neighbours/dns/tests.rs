//! Who is found, who is believed, and how much a shouting neighbour can make us keep or say.
//!
//! Lives here: networks in virtual time.
//! Must not: open a socket.

use std::net::{IpAddr, Ipv4Addr};

use ahoy_proto::neighbour::tag::Tag;

use super::*;

fn at(ms: u64) -> Moment {
    Moment::from_micros(1_000_000 + 1_000 * ms)
}

fn from(last: u8) -> SocketAddr {
    (IpAddr::from(Ipv4Addr::new(192, 0, 2, last)), 5353).into()
}

fn offer(name: &str, says: Says) -> Offer {
    Offer {
        instance: name.to_owned(),
        host: format!("h{name}"),
        port: 4_000,
        addresses: vec![Ipv4Addr::new(192, 0, 2, 1).into(), "fe80::1".parse().unwrap()],
        says,
    }
}

fn tags(count: u8) -> Says {
    Says::Tags((0..count).map(|n| Tag([n; 8])).collect())
}

/// All packets until `end`, with their times.
fn played(dns: &mut Dns, end: Moment) -> Vec<(Moment, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(due) = dns.deadline().filter(|due| *due <= end) {
        all.extend(dns.tick(due).0.into_iter().map(|packet| (due, packet)));
    }
    all
}

fn seen(dns: &Dns) -> Vec<(SocketAddr, Says)> {
    dns.seen().map(|seen| (seen.at, seen.says.clone())).collect()
}

#[test]
fn two_who_come_see_each_other_at_once_and_what_is_told_fits_one_packet() {
    let (mut here, mut there) = (Dns::new(at(0)), Dns::new(at(0)));
    here.offer(at(0), vec![offer("a", tags(64)), offer("p", Says::Number(4_711))]);
    let (packets, _) = here.tick(at(0));
    assert!(packets.iter().all(|packet| packet.len() < 1_200), "below every network's limit");
    assert_eq!(packets.iter().filter(|packet| there.hear(at(1), from(1), packet, 0)).count(), 2);
    let port = |mut at: SocketAddr| {
        at.set_port(4_000);
        at
    };
    assert_eq!(seen(&there), [(port(from(1)), tags(64)), (port(from(1)), Says::Number(4_711))]);
}

#[test]
fn who_comes_later_is_answered_and_nobody_is_told_twice_within_a_second() {
    let (mut old, mut new) = (Dns::new(at(0)), Dns::new(at(60_000)));
    old.offer(at(0), vec![offer("a", tags(8))]);
    assert_eq!(played(&mut old, at(59_000)).len(), 3 + 3, "three questions, three times told");
    let question = new.tick(at(60_000)).0.remove(0);
    for again in 0..100 {
        old.hear(at(60_000 + again), from(2), &question, 0);
    }
    let answers = played(&mut old, at(60_900));
    assert_eq!(answers.len(), 1, "a hundred questions in a row");
    assert!(new.hear(at(60_001), from(1), &answers[0].1, 0));
    let knows = new.tick(at(61_000)).0.remove(0);
    old.hear(at(62_000), from(2), &knows, 0);
    assert!(played(&mut old, at(70_000)).is_empty(), "who knows gets no answer");
}

#[test]
fn the_answer_to_many_at_once_waits_for_a_moment_of_chance() {
    let mut dns = Dns::new(at(0));
    dns.offer(at(0), vec![offer("a", tags(8))]);
    played(&mut dns, at(10_000));
    let question = message::question(std::iter::empty()).unwrap();
    dns.hear(at(20_000), from(2), &question, 255);
    assert_eq!(dns.deadline(), Some(at(20_100)));
}

#[test]
fn who_leaves_says_so_and_only_for_itself() {
    let (mut here, mut there) = (Dns::new(at(0)), Dns::new(at(0)));
    here.offer(at(0), vec![offer("a", tags(8))]);
    let told = here.tick(at(0)).0.remove(1);
    there.hear(at(1), from(1), &told, 0);
    let goodbye = here.offer(at(2), Vec::new()).remove(0);
    assert!(!there.hear(at(3), from(9), &goodbye, 0), "somebody else says so");
    assert!(there.hear(at(3), from(1), &goodbye, 0));
    assert!(seen(&there).is_empty());
    assert_eq!(here.offers.len(), 0);
}

#[test]
fn a_name_stays_with_the_address_that_said_it_first() {
    let mut dns = Dns::new(at(0));
    let honest = message::announcement(&offer("a", tags(8)), false).unwrap();
    let lie = message::announcement(&offer("a", tags(1)), false).unwrap();
    assert!(dns.hear(at(0), from(1), &honest, 0));
    assert!(!dns.hear(at(1), from(9), &lie, 0));
    assert_eq!(seen(&dns)[0].1, tags(8));
    assert!(dns.forget(seen(&dns)[0].0) && seen(&dns).is_empty());
}

#[test]
fn a_neighbour_that_shouts_is_kept_a_few_times_and_pushes_nobody_out() {
    let mut dns = Dns::new(at(0));
    let honest = message::announcement(&offer("honest", tags(8)), false).unwrap();
    dns.hear(at(0), from(1), &honest, 0);
    for n in 0..5_000 {
        let lie = message::announcement(&offer(&format!("x{n}"), tags(64)), false).unwrap();
        dns.hear(at(1 + n), from(9), &lie, 0);
    }
    assert_eq!(seen(&dns).len(), 1 + MOST_OF_ADDRESS);
    for n in 0..5_000_u64 {
        let lie = message::announcement(&offer(&format!("y{n}"), tags(64)), false).unwrap();
        let of = u8::try_from(10 + n % 200).unwrap();
        dns.hear(at(6_000 + n), from(of), &lie, 0);
    }
    assert!(seen(&dns).len() <= MOST);
}

#[test]
fn what_is_not_heard_again_is_forgotten_in_the_end() {
    let mut dns = Dns::new(at(0));
    let told = message::announcement(&offer("a", tags(8)), false).unwrap();
    dns.hear(at(0), from(1), &told, 0);
    played(&mut dns, at(4_499_999));
    assert_eq!(seen(&dns).len(), 1);
    assert!(dns.tick(at(4_500_000)).1 && seen(&dns).is_empty());
}

#[test]
fn packets_of_anybody_else_and_of_nobody_mean_nothing() {
    let mut dns = Dns::new(at(0));
    dns.offer(at(0), vec![offer("a", tags(8))]);
    let good = message::announcement(&offer("b", tags(8)), false).unwrap();
    for cut in 0..good.len() {
        assert!(!dns.hear(at(1), from(2), &good[..cut], 0), "{cut}");
    }
    let mut many = good.clone();
    many[6] = 255;
    assert!(!dns.hear(at(1), from(2), &many, 0), "65,000 records are announced");
    assert!(!dns.hear(at(1), from(2), &[0; LONGEST + 1], 0));
    let own = message::announcement(&offer("a", tags(8)), false).unwrap();
    assert!(!dns.hear(at(1), from(1), &own, 0), "our own voice");
    let mut at_random = 1_u32;
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..4 {
            at_random = at_random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = at_random as usize % bytes.len();
            bytes[place] = at_random.to_be_bytes()[1];
        }
        dns.hear(at(2), from(3), &bytes, 0);
    }
    assert!(seen(&dns).len() <= MOST_OF_ADDRESS);
}
