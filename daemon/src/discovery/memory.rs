//! What is remembered of relays over a restart.
//!
//! Lives here: the file: the newest list, what the domain said last, relays that took us in.
//! Must not: write it, or choose.

use ahoy_proto::limits;
use ahoy_proto::relay_list::{ListKey, Taken};
use ahoy_proto::relay_url::RelayUrl;
use serde::{Deserialize, Serialize};

use crate::values::relays::Learned;

/// Relays that worked before, the newest first; as many as a device uses at once.
const WORKED: usize = limits::DEVICE_INBOXES;
/// The longest file that is read: what it holds has bounds, in all a tenth of this.
const MOST: usize = 64 * 1024;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<KeptList>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<KeptAnswer>,
    worked: Vec<String>,
}

/// The newest list that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptList {
    /// The keys in the configuration when it was taken: with others all begins anew.
    roots: Vec<String>,
    serial: u64,
    keys: Vec<String>,
    relays: Vec<String>,
    expires_s: i64,
}

/// What a domain said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptAnswer {
    domain: String,
    relays: Vec<String>,
}

impl Memory {
    /// From its file. What cannot be read is forgotten, and said so.
    pub fn read(kept: &[u8]) -> Self {
        if kept.is_empty() {
            return Self::default();
        }
        let read = if kept.len() > MOST { None } else { serde_json::from_slice(kept).ok() };
        let Some(Self { list, dns, mut worked }) = read else {
            tracing::warn!("what was remembered of relays cannot be read, and is forgotten");
            return Self::default();
        };
        worked.retain(|url| is_relay(url));
        worked.truncate(WORKED);
        Self { list, dns, worked }
    }

    /// As its file holds it.
    pub fn kept(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }

    /// Takes what was learned; whether that changes anything.
    pub fn learn(&mut self, learned: Learned) -> bool {
        match learned {
            Learned::List(roots, list) => {
                // While it was fetched another may have been taken.
                let older = self.taken(&roots).is_some_and(|taken| taken.serial >= list.said.serial);
                if older {
                    return false;
                }
                self.list = Some(KeptList {
                    roots: texts(&roots),
                    serial: list.said.serial,
                    keys: texts(&list.said.keys),
                    relays: list.said.relays.clone(),
                    expires_s: list.said.expires_s,
                });
                true
            }
            Learned::Dns(domain, relays) => {
                let answer = Some(KeptAnswer { domain, relays });
                let newer = self.dns != answer;
                self.dns = answer;
                newer
            }
        }
    }

    /// This relay took us in; whether that is news. Only relays behind TLS are remembered: a plain one is on this machine, for a try.
    pub fn works(&mut self, url: &str) -> bool {
        if self.worked.iter().any(|known| known == url) || !is_relay(url) {
            return false;
        }
        self.worked.insert(0, url.to_owned());
        self.worked.truncate(WORKED);
        true
    }

    /// What was taken of lists that these keys began.
    pub fn taken(&self, roots: &[ListKey]) -> Option<Taken> {
        let list = self.list.as_ref().filter(|list| list.roots == texts(roots))?;
        let keys: Option<Vec<ListKey>> = list.keys.iter().map(|text| ListKey::parse(text)).collect();
        Some(Taken { serial: list.serial, keys: keys? })
    }

    /// The relays of the list that these keys began, until it expires.
    pub fn list(&self, roots: &[ListKey], now_s: i64) -> &[String] {
        let list = self.list.as_ref().filter(|list| list.roots == texts(roots) && list.expires_s > now_s);
        list.map_or(&[], |list| &list.relays)
    }

    /// When the list that is in use expires.
    pub fn expires_s(&self) -> Option<i64> {
        self.list.as_ref().map(|list| list.expires_s)
    }

    /// What this domain said last.
    pub fn dns(&self, domain: &str) -> &[String] {
        let answer = self.dns.as_ref().filter(|answer| answer.domain == domain);
        answer.map_or(&[], |answer| &answer.relays)
    }

    /// Relays that took us in, the newest first.
    pub fn worked(&self) -> &[String] {
        &self.worked
    }
}

fn texts(keys: &[ListKey]) -> Vec<String> {
    keys.iter().map(ListKey::to_string).collect()
}

fn is_relay(url: &str) -> bool {
    RelayUrl::parse(url).is_ok_and(|url| url.is_sealed())
}

#[cfg(test)]
mod tests {
    use ahoy_proto::relay_list::{RelayList, Said};
    use ed25519_dalek::SigningKey;

    use super::*;

    fn list(serial: u64) -> Learned {
        let key = SigningKey::from_bytes(&[1; 32]);
        let said = Said {
            serial,
            issued_s: 0,
            expires_s: 100_000,
            relays: vec![format!("wss://r{serial}.example")],
            keys: vec![ListKey::of(&SigningKey::from_bytes(&[2; 32]))],
        };
        Learned::List(roots(1), Box::new(RelayList::sign(&key, &said).unwrap()))
    }

    fn roots(of: u8) -> Vec<ListKey> {
        vec![ListKey::of(&SigningKey::from_bytes(&[of; 32]))]
    }

    #[test]
    fn what_was_learned_is_there_after_a_restart_until_it_expires_or_other_keys_count() {
        let mut memory = Memory::default();
        assert!(memory.learn(list(3)));
        assert!(!memory.learn(list(3)) && !memory.learn(list(2)), "never back");
        assert!(memory.learn(Learned::Dns("a.example".into(), vec!["wss://d.example".into()])));
        assert!(!memory.learn(Learned::Dns("a.example".into(), vec!["wss://d.example".into()])));
        let memory = Memory::read(&memory.kept().unwrap());
        assert_eq!(memory.list(&roots(1), 99_999), ["wss://r3.example"]);
        assert_eq!(memory.taken(&roots(1)).unwrap(), Taken { serial: 3, keys: roots(2) });
        assert!(memory.list(&roots(1), 100_000).is_empty(), "expired");
        assert!(memory.taken(&roots(1)).is_some(), "an older one is still refused");
        assert!(
            memory.list(&roots(2), 0).is_empty() && memory.taken(&roots(2)).is_none(),
            "another beginning"
        );
        assert_eq!((memory.dns("a.example").len(), memory.dns("b.example").len()), (1, 0));
    }

    #[test]
    fn the_last_four_relays_behind_tls_are_remembered() {
        let mut memory = Memory::default();
        for name in ["a", "b", "c", "d", "e"] {
            assert!(memory.works(&format!("wss://{name}.example")));
        }
        assert!(!memory.works("wss://b.example"), "known: nothing is written");
        assert!(!memory.works("ws://127.0.0.1:9") && !memory.works("nonsense"));
        assert_eq!(memory.worked().len(), WORKED);
        assert_eq!(memory.worked()[0], "wss://e.example");
        for damaged in [&b"{"[..], b"[]", b"{\"worked\":7}", &[b' '; MOST + 1]] {
            assert_eq!(Memory::read(damaged), Memory::default());
        }
        let foreign = br#"{"worked":["ws://r.example","wss://a.example"],"later":1}"#;
        assert_eq!(Memory::read(foreign).worked(), ["wss://a.example"]);
    }
}
