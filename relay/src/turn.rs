//! STUN and TURN servers, with credentials by TURN's REST scheme (draft-uberti-behave-turn-rest): the relay and the TURN
//! server share a secret, and nothing else.
//!
//! Lives here: `Ice`, what a client is told; `Minted`, so that one address has one pair of credentials at a time, whoever
//! asks, and a TURN server's quota for a user counts.
//! Must not: read a clock or make randomness; time is an argument.

use std::collections::{BTreeMap, VecDeque};

use ahoy_proto::frame::IceServer;
use ahoy_proto::limits;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use crate::address::Near;
use crate::budgets;

const HOUR_S: u64 = 3_600;

/// Which servers there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ice {
    /// `stun:…`
    pub stun: Vec<String>,
    /// `turn:…`, `turns:…`
    pub turn: Vec<String>,
    /// The secret that the TURN server knows too (coturn: `static-auth-secret`). Without it no TURN is offered.
    pub turn_secret: Option<String>,
}

/// The secret is not shown.
impl std::fmt::Debug for Ice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ice({} stun, {} turn)", self.stun.len(), self.turn.len())
    }
}

impl Ice {
    /// The list for a client at this address, good for an hour from `unix_s`. The user name tells the TURN server which
    /// clients share an address, and not which address.
    pub fn servers(&self, unix_s: u64, near: Near) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            let (username, credential) = (String::new(), String::new());
            servers.push(IceServer { urls: self.stun.clone(), username, credential });
        }
        if let Some(secret) = &self.turn_secret
            && !self.turn.is_empty()
        {
            let expiry = unix_s.saturating_add(limits::TURN_FOR.as_secs());
            let hour = (unix_s / HOUR_S).to_be_bytes();
            let user: [u8; 20] = hmac(secret, &[b"ahoy turn user", &near.bytes()[..], &hour].concat());
            let user: String = user[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            let username = format!("{expiry}:{user}");
            let credential = BASE64_STANDARD.encode(hmac(secret, username.as_bytes()));
            servers.push(IceServer { urls: self.turn.clone(), username, credential });
        }
        servers
    }
}

/// When the credentials that an address has now were made.
#[derive(Debug, Default)]
pub(crate) struct Minted {
    at: BTreeMap<Near, u64>,
    /// Oldest first.
    order: VecDeque<(u64, Near)>,
}

impl Minted {
    /// The time, in seconds since the Unix epoch, that the credentials of this address are made for.
    pub(crate) fn for_address(&mut self, near: Near, unix_s: u64) -> u64 {
        let same = |at: u64| at <= unix_s && unix_s - at < budgets::SAME_CREDENTIALS.as_secs();
        if let Some(at) = self.at.get(&near).copied().filter(|at| same(*at)) {
            return at;
        }
        while let Some((at, old)) = self.order.front().copied()
            && (!same(at) || self.order.len() >= budgets::ADDRESSES)
        {
            self.order.pop_front();
            if self.at.get(&old) == Some(&at) {
                self.at.remove(&old);
            }
        }
        self.at.insert(near, unix_s);
        self.order.push_back((unix_s, near));
        unix_s
    }
}

fn hmac(secret: &str, of: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(of);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::address::Address;

    fn near(text: &str) -> Near {
        Address::from(text.parse::<IpAddr>().unwrap()).near
    }

    fn north() -> Ice {
        Ice { stun: vec![], turn: vec!["turn:t".into()], turn_secret: Some("north".into()) }
    }

    #[test]
    fn credentials_are_what_a_turn_server_computes() {
        let servers = north().servers(1_700_000_000, near("192.0.2.1"));
        let name = &servers[0].username;
        assert_eq!(name, "1700003600:441f4a98d6d09160");
        // base64(HMAC-SHA1(secret, username))
        assert_eq!(servers[0].credential, "YHxw8im9zr7C1G76UINweGzIgPQ=");
    }

    #[test]
    fn a_user_name_is_of_an_address_and_an_hour() {
        let user = |at: u64, of: &str| {
            let servers = north().servers(at, near(of));
            servers[0].username.split_once(':').unwrap().1.to_owned()
        };
        let here = user(7_200, "192.0.2.1");
        assert_eq!(here, user(7_200 + 3_599, "192.0.2.1"));
        assert_ne!(here, user(7_200 + 3_600, "192.0.2.1"), "another hour");
        assert_ne!(here, user(7_200, "192.0.2.2"), "another address");
        assert_eq!(user(7_200, "2001:db8::1"), user(7_200, "2001:db8::2"), "one network");
    }

    #[test]
    fn turn_is_offered_only_with_a_secret_and_a_server() {
        let stun = vec!["stun:s".to_owned()];
        let with = |turn: &[&str], secret: Option<&str>| {
            let turn = turn.iter().map(|t| (*t).to_owned()).collect();
            let ice = Ice { stun: stun.clone(), turn, turn_secret: secret.map(str::to_owned) };
            ice.servers(0, near("192.0.2.1")).len()
        };
        assert_eq!(with(&["turn:t"], Some("s")), 2);
        assert_eq!(with(&["turn:t"], None), 1);
        assert_eq!(with(&[], Some("s")), 1);
        assert!(Ice::default().servers(0, near("192.0.2.1")).is_empty());
    }

    #[test]
    fn the_manual_says_what_a_turn_server_is_to_be_denied() {
        let page = include_str!("../../papers/sections/ahoy-relay.roff").replace('\\', "");
        for network in ["10.0.0.0", "127.0.0.0", "169.254.0.0", "172.16.0.0", "192.168.0.0", "fc00::"] {
            assert!(page.contains(&format!("denied-peer-ip={network}-")), "{network}");
        }
        for line in ["total-quota=", "user-quota=", "no-multicast-peers", "X-Forwarded-For"] {
            assert!(page.contains(line), "{line}");
        }
    }

    #[test]
    fn an_address_has_one_pair_in_ten_minutes_and_what_is_over_is_forgotten() {
        let mut minted = Minted::default();
        assert_eq!(minted.for_address(near("192.0.2.1"), 1_000), 1_000);
        assert_eq!(minted.for_address(near("192.0.2.1"), 1_599), 1_000);
        assert_eq!(minted.for_address(near("192.0.2.2"), 1_599), 1_599);
        assert_eq!(minted.for_address(near("192.0.2.1"), 1_600), 1_600);
        assert_eq!(minted.for_address(near("192.0.2.1"), 900), 900, "a clock that was put back");
        minted.for_address(near("192.0.2.3"), 10_000);
        assert_eq!((minted.at.len(), minted.order.len()), (1, 1));
    }
}
