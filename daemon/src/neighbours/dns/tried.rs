//! What a packet of a stranger leads to, for tests and the fuzzer.
//!
//! Lives here: one packet, heard where something is offered, and what must hold of whatever it says.
//! Must not: be used by the daemon itself.

use std::net::{IpAddr, Ipv6Addr};

use ahoy_call::Moment;

use super::message::{self, Heard, LONGEST, Offer, Says};
use super::{Dns, MOST_OF_ADDRESS};

/// Hears it. True if it was understood.
pub(in crate::neighbours) fn packet(bytes: &[u8]) -> bool {
    let (now, from) = (Moment::from_micros(1), IpAddr::from(Ipv6Addr::LOCALHOST));
    let own = offer("own", 4_000, &Says::Number(4_711));
    let mut dns = Dns::new(now);
    assert!(dns.offer(now, vec![own]).is_empty() && dns.tick(now).0.len() == 2);
    let heard = message::read(bytes);
    let changed = dns.hear(now, (from, 5353).into(), bytes, 255, |_| None::<()>);
    assert!(dns.seen.len() <= MOST_OF_ADDRESS && dns.offers.len() == 1 && dns.offers[0].due.len() <= 3);
    dns.ask(now);
    for told in dns.tick(now).0 {
        assert!(told.len() <= LONGEST && message::read(&told).is_some(), "what we say is understood");
    }
    match &heard {
        None => assert!(!changed, "what is not understood changes nothing"),
        Some(Heard::Question { names, known }) => assert!(names.len() + known.len() <= 64 && !changed),
        Some(Heard::Offers(found)) => {
            assert!(found.len() <= 64);
            for one in found {
                let Some(says) = one.says.as_ref().filter(|says| **says != Says::Tags(Vec::new())) else {
                    continue;
                };
                let told = message::announcement(&offer(&one.instance, one.port, says), false);
                assert_eq!(
                    told.and_then(|told| message::read(&told)),
                    Some(Heard::Offers(vec![one.clone()]))
                );
            }
        }
    }
    heard.is_some()
}

fn offer(instance: &str, port: u16, says: &Says) -> Offer {
    let addresses = vec![IpAddr::from(Ipv6Addr::LOCALHOST)];
    Offer { instance: instance.to_owned(), host: "host".to_owned(), port, addresses, says: says.clone() }
}
