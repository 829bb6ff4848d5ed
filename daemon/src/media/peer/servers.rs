//! Which STUN and TURN servers a path uses, and how each is reached.
//!
//! Lives here: those that can be used, and their names as the library spells them.
//! Must not: look a name up.

use std::net::IpAddr;
use std::time::Duration;

use rtc::ice::url::{ProtoType, SchemeType, Url};
use webrtc::peer_connection::RTCIceServer;

use super::turn::{Carrier, StreamServer, stand_in};
use crate::values::ice::IceServer;

/// More STUN and TURN servers than this only make set-up slower.
const MOST_SERVERS: usize = 8;
/// How long what costs less is given before a TURN server is asked by TCP, and again before one is asked by TLS: two round trips over
/// a long line, which is what an allocation takes.
const HEAD_START: Duration = Duration::from_millis(400);

/// What a path uses.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// As the library takes them. A TURN server by TCP or TLS has the address that stands in for it.
    pub(super) for_library: Vec<RTCIceServer>,
    /// Those, by number.
    pub(super) streams: Vec<StreamServer>,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Stun,
    Turn(Carrier),
}

struct Usable<'a> {
    server: &'a IceServer,
    text: &'a str,
    url: Url,
    used: Use,
}

impl Usable<'_> {
    /// `host:port`, as the library asks for it.
    fn host(&self) -> String {
        match self.url.host.contains(':') {
            true => format!("[{}]:{}", self.url.host, self.url.port),
            false => format!("{}:{}", self.url.host, self.url.port),
        }
    }

    fn named(&self, url: String) -> RTCIceServer {
        let IceServer { username, credential, .. } = self.server.clone();
        RTCIceServer { urls: vec![url], username, credential }
    }
}

/// One address that the library cannot read, or a TURN server without a name, would fail the whole path.
fn usable(servers: &[IceServer]) -> Vec<Usable<'_>> {
    let each = servers.iter().flat_map(|server| server.urls.iter().map(move |text| (server, text)));
    let usable = each.filter_map(|(server, text)| {
        let url = Url::parse_url(text).ok()?;
        let used = match (url.scheme, url.proto) {
            (SchemeType::Stun, ProtoType::Udp) => Use::Stun,
            (SchemeType::Turn, ProtoType::Udp) => Use::Turn(Carrier::Udp),
            (SchemeType::Turn, ProtoType::Tcp) => Use::Turn(Carrier::Tcp),
            (SchemeType::Turns, ProtoType::Tcp) => Use::Turn(Carrier::Tls),
            _ => return None,
        };
        let usable = Usable { server, text, url, used };
        usable.named(text.clone()).urls().is_ok().then_some(usable)
    });
    let usable: Vec<_> = usable.take(MOST_SERVERS).collect();
    let given: usize = servers.iter().map(|server| server.urls.len()).sum();
    if usable.len() < given {
        tracing::debug!(left_out = given - usable.len(), "some STUN or TURN servers are not used");
    }
    usable
}

/// What each of these says, with its credentials.
pub(super) fn urls(servers: &[IceServer]) -> Vec<Url> {
    let each = usable(servers).into_iter();
    each.filter_map(|one| one.named(one.text.to_owned()).urls().ok()).flatten().collect()
}

/// Every `host:port` that a path will ask for, as it is spelled there.
pub(super) fn hosts(servers: &[IceServer]) -> Vec<String> {
    usable(servers).iter().map(Usable::host).collect()
}

impl Servers {
    /// For a path whose best local address is `home`. `relay_only`: nothing but TURN.
    pub(super) fn choose(servers: &[IceServer], home: IpAddr, relay_only: bool) -> Self {
        let usable = usable(servers);
        let mut chosen = Self::default();
        let has = |carrier| usable.iter().any(|one| one.used == Use::Turn(carrier));
        let ahead = |carriers: &[Carrier]| {
            let ahead = carriers.iter().filter(|carrier| has(**carrier)).count();
            HEAD_START * u32::try_from(ahead).unwrap_or(0)
        };
        for one in &usable {
            let (carrier, after) = match one.used {
                Use::Stun if relay_only => continue,
                Use::Stun | Use::Turn(Carrier::Udp) => {
                    chosen.for_library.push(one.named(one.text.to_owned()));
                    continue;
                }
                Use::Turn(carrier @ Carrier::Tcp) => (carrier, ahead(&[Carrier::Udp])),
                Use::Turn(carrier @ Carrier::Tls) => (carrier, ahead(&[Carrier::Udp, Carrier::Tcp])),
            };
            let known_as = stand_in(chosen.streams.len(), carrier, home);
            chosen.for_library.push(one.named(format!("turn:{known_as}?transport=udp")));
            let (host, port) = (one.url.host.clone(), one.url.port);
            chosen.streams.push(StreamServer { host, port, carrier, after });
        }
        chosen
    }

    /// Whether any of them passes packets on.
    pub(super) fn relay(&self) -> bool {
        self.for_library.iter().flat_map(|server| &server.urls).any(|url| url.starts_with("turn"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn of(urls: &[&str]) -> Vec<IceServer> {
        let urls = urls.iter().map(|&url| url.to_owned()).collect();
        vec![IceServer { urls, username: "u".to_owned(), credential: "c".to_owned() }]
    }

    fn urls(chosen: &Servers) -> Vec<&str> {
        chosen.for_library.iter().flat_map(|server| &server.urls).map(String::as_str).collect()
    }

    #[test]
    fn what_the_library_cannot_reach_has_a_stand_in_of_our_family_and_the_same_credentials() {
        let all = of(&[
            "stun:s.example",
            "turn:t.example:3478?transport=udp",
            "turn:t.example?transport=tcp",
            "turns:t.example:443?transport=tcp",
            "turns:[2001:db8::1]",
        ]);
        let chosen = Servers::choose(&all, V4, false);
        let known_as = |n: u16| format!("turn:192.0.0.8:{n}?transport=udp");
        let sealed = 0x8000;
        assert_eq!(urls(&chosen)[..2], ["stun:s.example", "turn:t.example:3478?transport=udp"]);
        assert_eq!(urls(&chosen)[2..], [known_as(1), known_as(sealed + 2), known_as(sealed + 3)]);
        assert!(chosen.for_library.iter().all(|server| server.urls().is_ok() && server.username == "u"));
        let at = |n: usize| (&*chosen.streams[n].host, chosen.streams[n].port, chosen.streams[n].carrier);
        assert_eq!(
            [at(0), at(1), at(2)],
            [
                ("t.example", 3478, Carrier::Tcp),
                ("t.example", 443, Carrier::Tls),
                ("2001:db8::1", 5349, Carrier::Tls)
            ]
        );
        assert_eq!(
            urls(&Servers::choose(&all[..], IpAddr::V6(Ipv6Addr::LOCALHOST), false))[2],
            "turn:[100::8]:1?transport=udp"
        );
        let names =
            ["s.example:3478", "t.example:3478", "t.example:3478", "t.example:443", "[2001:db8::1]:5349"];
        assert_eq!(hosts(&all), names);
    }

    #[test]
    fn what_costs_less_has_a_head_start_if_there_is_any() {
        let after = |urls: &[&str]| -> Vec<u128> {
            Servers::choose(&of(urls), V4, false).streams.iter().map(|one| one.after.as_millis()).collect()
        };
        let (udp, tcp, tls) = ("turn:t", "turn:t?transport=tcp", "turns:t");
        assert_eq!(after(&[udp, tcp, tls]), [400, 800]);
        assert_eq!(after(&[tls, tcp]), [400, 0], "in whatever order they come");
        assert_eq!(after(&[tls]), [0]);
        assert_eq!(after(&["stun:s", udp, tls]), [400]);
    }

    #[test]
    fn by_turn_alone_no_stun_server_hears_of_us() {
        let all = of(&["stun:s.example", "turn:t.example", "turns:t.example"]);
        let chosen = Servers::choose(&all, V4, true);
        assert_eq!(urls(&chosen), ["turn:t.example", "turn:192.0.0.8:32769?transport=udp"]);
        assert!(chosen.relay());
        assert!(!Servers::choose(&of(&["stun:s.example"]), V4, false).relay());
    }

    #[test]
    fn what_nobody_can_read_and_what_is_too_much_is_left_out() {
        for none in [
            "",
            "turn:",
            "http://x",
            "stuns:s",
            "turns:t?transport=udp",
            "turn:t?transport=sctp",
            "turn:t?x=y",
        ] {
            assert!(urls(&Servers::choose(&of(&[none]), V4, false)).is_empty(), "{none:?}");
        }
        let nameless = vec![IceServer {
            urls: vec!["turn:t".to_owned()],
            username: String::new(),
            credential: String::new(),
        }];
        assert!(urls(&Servers::choose(&nameless, V4, false)).is_empty());
        assert_eq!(urls(&Servers::choose(&of(&["turns:t"; 40]), V4, false)).len(), MOST_SERVERS);
    }
}
