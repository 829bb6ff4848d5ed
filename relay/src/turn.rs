//! STUN and TURN servers, with credentials by TURN's REST scheme (draft-uberti-behave-turn-rest): the relay and the TURN
//! server share a secret, and nothing else.
//!
//! Lives here: `Ice`, what a client is told.
//! Must not: read a clock or make randomness; both are arguments.

use ahoy_proto::frame::IceServer;
use ahoy_proto::limits;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

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
    /// The list for one client, good for an hour from `unix_s`. `random` keeps two clients' user names apart.
    pub fn servers(&self, unix_s: u64, random: [u8; 8]) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            let (username, credential) = (String::new(), String::new());
            servers.push(IceServer { urls: self.stun.clone(), username, credential });
        }
        if let Some(secret) = &self.turn_secret
            && !self.turn.is_empty()
        {
            let expiry = unix_s.saturating_add(limits::TURN_FOR.as_secs());
            let username = format!("{expiry}:{:016x}", u64::from_be_bytes(random));
            let credential = credential(secret, &username);
            servers.push(IceServer { urls: self.turn.clone(), username, credential });
        }
        servers
    }
}

fn credential(secret: &str, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_what_a_turn_server_computes() {
        let ice = Ice { stun: vec![], turn: vec!["turn:t".into()], turn_secret: Some("north".into()) };
        let servers = ice.servers(1_700_000_000, [0, 0, 0, 0, 0, 0, 0xab, 0xcd]);
        assert_eq!(servers[0].username, "1700003600:000000000000abcd");
        assert_eq!(
            servers[0].credential, "tSX+oES/HJQDM4kdilkmNMoSMgU=",
            "base64(HMAC-SHA1(secret, username))"
        );
    }

    #[test]
    fn turn_is_offered_only_with_a_secret_and_a_server() {
        let stun = vec!["stun:s".to_owned()];
        let with = |turn: &[&str], secret: Option<&str>| {
            let turn = turn.iter().map(|t| (*t).to_owned()).collect();
            Ice { stun: stun.clone(), turn, turn_secret: secret.map(str::to_owned) }.servers(0, [0; 8]).len()
        };
        assert_eq!(with(&["turn:t"], Some("s")), 2);
        assert_eq!(with(&["turn:t"], None), 1);
        assert_eq!(with(&[], Some("s")), 1);
        assert!(Ice::default().servers(0, [0; 8]).is_empty());
    }
}
