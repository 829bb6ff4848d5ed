//! Where a relay is.
//!
//! Lives here: the one reading of a relay's address, for cards, for the configuration and for links.
//! Must not: resolve a name, connect, or know which relays are ours.

use std::fmt;

use url::{Host, Url};

use crate::limits;

/// A relay's address: `wss://host[:port][/path]`, or `ws://` with a host on this machine. No user, no query, no fragment:
/// whoever writes it chooses a host and nothing of what is said there.
#[derive(Clone)]
pub struct RelayUrl {
    text: String,
    url: Url,
}

/// Why a text is not a relay's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address at all.
    #[error("a relay's address is `wss://HOST[:PORT]`")]
    Malformed,
    /// Some other scheme.
    #[error("a relay's address begins with `wss://`, or with `ws://` on this machine")]
    Scheme,
    /// `ws://` to another machine.
    #[error("`ws://` is for a relay on this machine only; use `wss://`")]
    PlainAbroad,
}

impl RelayUrl {
    /// Reads an address. What browsers mend quietly is refused: not every reader mends it alike.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let rest =
            text.strip_prefix("wss://").or_else(|| text.strip_prefix("ws://")).ok_or(UrlError::Scheme)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let fits = text.len() <= limits::RELAY_URL_BYTES
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte))
            && !authority.is_empty()
            && !authority.ends_with(':');
        let url =
            Url::parse(text).ok().filter(|url| fits && url.port() != Some(0)).ok_or(UrlError::Malformed)?;
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let read = Self { text: text.to_owned(), url };
        if read.is_sealed() || here { Ok(read) } else { Err(UrlError::PlainAbroad) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, in small letters and without brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, the scheme's usual one if none is written.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// By TLS; otherwise on this machine.
    pub fn is_sealed(&self) -> bool {
        self.url.scheme() == "wss"
    }
}

/// Two spellings of one place are one address.
impl PartialEq for RelayUrl {
    fn eq(&self, other: &Self) -> bool {
        let path = |url: &Self| url.url.path().trim_end_matches('/').to_owned();
        (self.is_sealed(), self.port(), self.host(), path(self))
            == (other.is_sealed(), other.port(), other.host(), path(other))
    }
}

impl Eq for RelayUrl {}

/// An address is not shown in logs.
impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<relay>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_for_this_machine_alone() {
        for here in ["ws://127.0.0.1:1234", "ws://localhost", "ws://[::1]:9/x", "ws://127.8.0.1"] {
            assert!(RelayUrl::parse(here).is_ok(), "{here}");
        }
        for abroad in
            ["ws://192.168.1.2", "ws://relay.example", "ws://localhost.example", "ws://[2001:db8::1]"]
        {
            assert_eq!(RelayUrl::parse(abroad), Err(UrlError::PlainAbroad), "{abroad}");
        }
    }

    #[test]
    fn an_address_is_read_with_its_usual_port() {
        let url = RelayUrl::parse("wss://Relay.example/path").unwrap();
        assert_eq!((url.host(), url.port(), url.is_sealed()), ("relay.example", 443, true));
        assert_eq!(RelayUrl::parse("wss://relay.example:8443").unwrap().port(), 8443);
        let six = RelayUrl::parse("ws://[::1]:9").unwrap();
        assert_eq!((six.host(), six.port()), ("::1", 9));
        assert_eq!(six.as_str(), "ws://[::1]:9");
    }

    #[test]
    fn what_is_not_a_relay_is_refused_by_name() {
        assert_eq!(RelayUrl::parse("https://relay.example"), Err(UrlError::Scheme));
        assert_eq!(RelayUrl::parse("relay.example"), Err(UrlError::Scheme));
        let long = format!("wss://{}", "r".repeat(limits::RELAY_URL_BYTES));
        for malformed in [
            "wss://",
            "ws://127.0.0.1@relay.example",
            "wss://relay.example:99999",
            "wss://relay.example:",
            "wss://relay.example:0",
            "wss://relay.example:+1",
            "wss://relay.example?do=this",
            "ws://127.0.0.1:631/any/path?do=this&x=1",
            "wss://relay.example/path#there",
            "wss://relay.example\\x",
            "wss://a b",
            "wss://ü",
            "wss://[::1",
            "wss://[::1]x",
            "wss://[x]",
            &long,
        ] {
            assert_eq!(RelayUrl::parse(malformed), Err(UrlError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn two_spellings_of_one_place_are_one_address() {
        let parse = |text| RelayUrl::parse(text).unwrap();
        assert_eq!(parse("wss://Relay.Example"), parse("wss://relay.example:443/"));
        assert_ne!(parse("wss://relay.example"), parse("wss://relay.example/other"));
        assert_ne!(parse("ws://localhost:443"), parse("wss://localhost:443"));
        assert_ne!(parse("ws://localhost:1"), parse("ws://localhost:2"));
    }
}
