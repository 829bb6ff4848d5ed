//! By which address the library knows a TURN server that it cannot reach itself.
//!
//! Lives here: those addresses, and what each says of its server.
//! Must not: be sent to: they are nobody's on any network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::carrier::Carrier;

/// Kept for hosts that must have an address and have none (RFC 7600), and for what is to be dropped (RFC 6666).
const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const V6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);
/// Of the port of one that is reached by TLS.
const SEALED: u16 = 0x8000;

/// Of the server with this number, which is reached so; of the same family as `like`.
pub(in super::super) fn stand_in(number: usize, carrier: Carrier, like: IpAddr) -> SocketAddr {
    let ip = if like.is_ipv4() { IpAddr::V4(V4) } else { IpAddr::V6(V6) };
    let number = u16::try_from(number + 1).map_or(SEALED - 1, |number| number.min(SEALED - 1));
    SocketAddr::new(ip, if carrier == Carrier::Tls { SEALED | number } else { number })
}

/// Whether an address is one of those.
pub(in super::super) fn is_stand_in(ip: IpAddr) -> bool {
    ip == V4 || ip == V6
}

/// The number of the server of this URL, and how it is reached; none if the library reaches it itself.
pub(in super::super) fn server_of(url: &str) -> Option<(usize, Carrier)> {
    let address = url.strip_prefix("turn:")?.split('?').next()?;
    let at: SocketAddr = address.parse().ok().filter(|at: &SocketAddr| is_stand_in(at.ip()))?;
    let carrier = if at.port() & SEALED == 0 { Carrier::Tcp } else { Carrier::Tls };
    Some((usize::from(at.port() & !SEALED).checked_sub(1)?, carrier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_known_by_its_address_and_tells_its_server() {
        for like in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            for (number, carrier) in [(0, Carrier::Tcp), (3, Carrier::Tls), (7, Carrier::Tcp)] {
                let at = stand_in(number, carrier, like);
                assert!(is_stand_in(at.ip()) && !is_stand_in(like));
                assert_eq!(server_of(&format!("turn:{at}?transport=udp")), Some((number, carrier)));
            }
        }
        for url in [
            "turn:turn.example:3478?transport=udp",
            "turn:192.0.2.8:1",
            "stun:192.0.0.8:1",
            "turn:192.0.0.8:0",
            "",
        ] {
            assert_eq!(server_of(url), None, "{url}");
        }
    }
}
