//! Who is seen on the networks where we are.
//!
//! Lives here: which contact each that is announced is, and where.
//! Must not: connect; know a tag's making.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use ahoy_call::PeerId;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey};

use super::circle::Circle;
use super::dns::{Dns, Says};

/// A contact that is seen: where, by which interface, and the key for it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) peer: PeerId,
    pub(super) interface: u32,
    pub(super) at: SocketAddr,
    pub(super) key: NeighbourKey,
    pub(super) hour: Hour,
}

/// A number under which somebody waits to pair: by which interface, and where.
pub(super) type Number = (u32, u32, SocketAddr);

/// Whom they announce, contacts and numbers, those first that are to be tried first; what was heard at each interface.
pub(super) fn look<'a>(
    heard: impl Iterator<Item = (u32, &'a Dns)>,
    circle: &Circle,
) -> (Vec<Seen>, Vec<Number>) {
    let (mut seen, mut numbers): (Vec<Seen>, Vec<Number>) = (Vec::new(), Vec::new());
    for (interface, dns) in heard {
        // Of an offer that was heard by both families the way that was heard first: one to a machine is enough. Another name is another
        // machine, whatever it says: tags and ports can be overheard and said again.
        let mut ways: BTreeMap<&str, (PeerId, NeighbourKey, u16)> = BTreeMap::new();
        for (instance, one) in dns.seen() {
            match &one.says {
                Says::Number(number) => numbers.push((*number, interface, one.at)),
                Says::Tags(tags) => {
                    let Some((key, hour, peer)) = circle.recognize(tags) else { continue };
                    let way = (peer, key, one.at.port());
                    if ways.get(instance) != Some(&way) {
                        ways.insert(instance, way);
                        seen.push(Seen { peer, interface, at: one.at, key, hour });
                    }
                }
            }
        }
    }
    // What was overheard in an hour before is behind who is there now.
    seen.sort_by_key(|at| Reverse(at.hour));
    (seen, numbers)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ahoy_call::Moment;
    use ahoy_proto::envelope::Token;

    use super::super::circle::Keys;
    use super::super::dns::Offer;
    use super::*;

    const FOUR: &str = "192.0.2.9";
    const SIX: &str = "fe80::5";

    fn circle(hour: u64) -> Circle {
        let mut circle = Circle::default();
        let key = NeighbourKey::of(&Token::from_bytes([9; 16]));
        circle.set(Keys { ours: vec![key], theirs: vec![(key, PeerId::from_bytes([1; 16]))] });
        circle.turn(Hour(hour), || Some([[0xaa; 8]; ahoy_proto::limits::NEIGHBOUR_TAGS]));
        circle
    }

    /// Who is seen, where such offers of one port were heard, with the tags of that hour.
    fn seen_of(offers: &[(&str, &str, u64)]) -> Vec<IpAddr> {
        let now = Moment::from_micros(1);
        let mut dns = Dns::new(now);
        for (instance, from, hour) in offers {
            let circle = circle(*hour);
            let mut there = Dns::new(now);
            let offer = Offer {
                instance: (*instance).to_owned(),
                host: "host".to_owned(),
                port: 4_000,
                addresses: Vec::new(),
                says: Says::Tags(circle.announced()),
            };
            there.offer(now, vec![offer]);
            let from = SocketAddr::new(from.parse().unwrap(), 5353);
            for packet in there.tick(now).0 {
                dns.hear(now, from, &packet, 0, |_| None::<u8>);
            }
        }
        look([(2, &dns)].into_iter(), &circle(100)).0.iter().map(|seen| seen.at.ip()).collect()
    }

    /// The same of this hour.
    fn seen(offers: &[(&str, &str)]) -> Vec<IpAddr> {
        let now: Vec<_> = offers.iter().map(|(instance, from)| (*instance, *from, 100)).collect();
        seen_of(&now)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_way_to_each_machine_is_enough_and_it_is_the_one_that_was_heard_first() {
        for (honest, later) in [(FOUR, SIX), (SIX, FOUR)] {
            // Also where the later is a liar who took the name: of one that is there by one family alone the other is free.
            assert_eq!(seen(&[("honest", honest), ("honest", later)]), [ip(honest)]);
        }
    }

    #[test]
    fn who_was_heard_first_is_tried_first_and_who_says_tags_of_an_hour_ago_last() {
        for liar in ["aaaa", "zzzz"] {
            assert_eq!(seen(&[("honest", FOUR), (liar, SIX)]), [ip(FOUR), ip(SIX)]);
            assert_eq!(seen_of(&[(liar, SIX, 99), ("honest", FOUR, 100)]), [ip(FOUR), ip(SIX)]);
        }
    }

    #[test]
    fn who_says_again_what_another_says_hides_nobody_whatever_their_names_are() {
        for liar in ["aaaa", "zzzz"] {
            for (honest, lies) in [(FOUR, SIX), (SIX, FOUR)] {
                assert_eq!(seen(&[("honest", honest), (liar, lies)]).len(), 2, "{liar} {lies}");
            }
        }
    }
}
