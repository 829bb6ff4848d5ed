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

/// Nobody is looked for.
fn nobody(_: &Says) -> Option<u8> {
    None
}

/// Whoever has so few tags is a contact, and another for each number of them.
fn contact(says: &Says) -> Option<usize> {
    match says {
        Says::Tags(tags) => Some(tags.len()).filter(|count| *count <= 8),
        Says::Number(_) => None,
    }
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
    dns.seen().map(|(_, seen)| (seen.at, seen.says.clone())).collect()
}

#[test]
fn two_who_come_see_each_other_at_once_and_what_is_told_fits_one_packet() {
    let (mut here, mut there) = (Dns::new(at(0)), Dns::new(at(0)));
    here.offer(at(0), vec![offer("a", tags(64)), offer("p", Says::Number(4_711))]);
    let (packets, _) = here.tick(at(0));
    assert!(packets.iter().all(|packet| packet.len() < 1_200), "below every network's limit");
    assert_eq!(packets.iter().filter(|packet| there.hear(at(1), from(1), packet, 0, nobody)).count(), 2);
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
        old.hear(at(60_000 + again), from(2), &question, 0, nobody);
    }
    let answers = played(&mut old, at(60_900));
    assert_eq!(answers.len(), 1, "a hundred questions in a row");
    assert!(new.hear(at(60_001), from(1), &answers[0].1, 0, nobody));
    let knows = new.tick(at(61_000)).0.remove(0);
    old.hear(at(62_000), from(2), &knows, 0, nobody);
    assert!(played(&mut old, at(70_000)).is_empty(), "who knows gets no answer");
}

#[test]
fn the_answer_to_many_at_once_waits_for_a_moment_of_chance() {
    let mut dns = Dns::new(at(0));
    dns.offer(at(0), vec![offer("a", tags(8))]);
    played(&mut dns, at(10_000));
    let question = message::question(std::iter::empty()).unwrap();
    dns.hear(at(20_000), from(2), &question, 255, nobody);
    assert_eq!(dns.deadline(), Some(at(20_100)));
}

#[test]
fn who_leaves_says_so_and_only_for_itself() {
    let (mut here, mut there) = (Dns::new(at(0)), Dns::new(at(0)));
    here.offer(at(0), vec![offer("a", tags(8))]);
    let told = here.tick(at(0)).0.remove(1);
    there.hear(at(1), from(1), &told, 0, nobody);
    let goodbye = here.offer(at(2), Vec::new()).remove(0);
    assert!(!there.hear(at(3), from(9), &goodbye, 0, nobody), "somebody else says so");
    assert!(there.hear(at(3), from(1), &goodbye, 0, nobody));
    assert!(seen(&there).is_empty());
    assert_eq!(here.offers.len(), 0);
}

#[test]
fn a_name_stays_with_the_address_that_said_it_first() {
    let mut dns = Dns::new(at(0));
    let honest = message::announcement(&offer("a", tags(8)), false).unwrap();
    let lie = message::announcement(&offer("a", tags(1)), false).unwrap();
    assert!(dns.hear(at(0), from(1), &honest, 0, nobody));
    assert!(!dns.hear(at(1), from(9), &lie, 0, nobody));
    assert_eq!(seen(&dns)[0].1, tags(8));
    assert!(dns.forget(seen(&dns)[0].0) && seen(&dns).is_empty());
}

#[test]
fn a_neighbour_that_shouts_is_kept_a_few_times_and_pushes_nobody_out() {
    let mut dns = Dns::new(at(0));
    let honest = message::announcement(&offer("honest", tags(8)), false).unwrap();
    dns.hear(at(0), from(1), &honest, 0, contact);
    for n in 0..5_000 {
        let lie = message::announcement(&offer(&format!("x{n}"), tags(64)), false).unwrap();
        dns.hear(at(1 + n), from(9), &lie, 0, contact);
    }
    assert_eq!(seen(&dns).len(), 1 + MOST_OF_ADDRESS);
    for n in 0..5_000_u64 {
        let lie = message::announcement(&offer(&format!("y{n}"), tags(64)), false).unwrap();
        let of = u8::try_from(1 + n % 200).unwrap();
        dns.hear(at(6_000 + n), from(of), &lie, 0, contact);
    }
    assert_eq!(seen(&dns).len(), MOST);
    assert!(
        seen(&dns).iter().any(|(at, says)| at.ip() == from(1).ip() && *says == tags(8)),
        "a contact stays"
    );
    let late = message::announcement(&offer("late", tags(7)), false).unwrap();
    assert!(dns.hear(at(20_000), from(250), &late, 0, contact), "and who comes later finds a place");
    assert_eq!(seen(&dns).iter().filter(|(_, says)| contact(says).is_some()).count(), 2);
}

#[test]
fn who_says_the_tags_of_a_contact_again_takes_the_place_of_no_other() {
    let mut dns = Dns::new(at(0));
    let mut says = |n: u64, of: u8, name: &str, count: u8| {
        let told = message::announcement(&offer(name, tags(count)), false).unwrap();
        dns.hear(at(n), from(of), &told, 0, contact)
    };
    assert!(says(0, 1, "ana", 8) && says(1, 2, "ben", 7));
    for n in 0..5_000 {
        says(10 + n, u8::try_from(10 + n % 200).unwrap(), &format!("x{n}"), 8);
    }
    says(5_900, 1, "ana", 8);
    assert!(says(6_000, 3, "cleo", 6), "who has no place yet is given one of many");
    assert!(!says(6_001, 4, "z", 64), "who means nothing has none");
    let there: Vec<_> = seen(&dns).iter().map(|(at, _)| at.ip()).collect();
    assert!(there.len() == MOST && (1..=3).all(|of| there.contains(&from(of).ip())));
}

#[test]
fn what_is_not_heard_again_is_forgotten_in_the_end() {
    let mut dns = Dns::new(at(0));
    let told = message::announcement(&offer("a", tags(8)), false).unwrap();
    dns.hear(at(0), from(1), &told, 0, nobody);
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
        assert!(!dns.hear(at(1), from(2), &good[..cut], 0, nobody), "{cut}");
    }
    let mut many = good.clone();
    many[6] = 255;
    assert!(!dns.hear(at(1), from(2), &many, 0, nobody), "65,000 records are announced");
    assert!(!dns.hear(at(1), from(2), &[0; LONGEST + 1], 0, nobody));
    let own = message::announcement(&offer("a", tags(8)), false).unwrap();
    assert!(!dns.hear(at(1), from(1), &own, 0, nobody), "our own voice");
    let mut at_random = 1_u32;
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..4 {
            at_random = at_random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = at_random as usize % bytes.len();
            bytes[place] = at_random.to_be_bytes()[1];
        }
        dns.hear(at(2), from(3), &bytes, 0, nobody);
    }
    assert!(seen(&dns).len() <= MOST_OF_ADDRESS);
}

#[test]
fn who_was_heard_first_stays_before_all_others_whatever_its_name_is() {
    let mut dns = Dns::new(at(0));
    let mut says = |n: u64, of: u8, name: &str| {
        let told = message::announcement(&offer(name, tags(8)), false).unwrap();
        dns.hear(at(n), from(of), &told, 0, nobody)
    };
    assert!(says(0, 1, "m") && says(1, 2, "a") && says(2, 3, "z") && !says(3, 1, "m"));
    let mut again = Dns::again(at(4), &mut dns);
    let told = message::announcement(&offer("b", tags(8)), false).unwrap();
    assert!(again.hear(at(5), from(4), &told, 0, nobody));
    let order: Vec<_> = again.seen().map(|(instance, _)| instance).collect();
    assert_eq!(order, ["m", "a", "z", "b"]);
}

#[test]
fn the_corpus_of_the_fuzz_target_neighbour_dns_is_replayed_and_reaches_both_ends() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/neighbour_dns");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let read: Vec<bool> = files.map(|bytes| tried::packet(&bytes)).collect();
    assert!(read.contains(&true) && read.contains(&false), "{read:?}");
}
