//! What the emulator reads of an IP packet.
//!
//! Lives here: where it goes, to which conversation it belongs, and what of its datagram is logged.
//! Must not: look into what is encrypted.

use std::fmt;
use std::net::IpAddr;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// An IPv4 or IPv6 packet; of the latter without extension headers, which nothing of ours sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Of TCP and UDP: whether it is UDP, from which port, to which port.
    pub flow: Option<Flow>,
    /// Of a datagram, how many bytes it carries and the first four of them: of RTP its payload type and number.
    pub udp: Option<(usize, [u8; 4])>,
}

/// A conversation between two hosts, one way.
pub(super) type Flow = (bool, u16, u16);

impl Packet {
    /// None of what is no whole packet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let four = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?));
        let sixteen = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?));
        let (header, protocol, source, destination) = match bytes.first()? >> 4 {
            4 => (usize::from(bytes[0] & 15) * 4, *bytes.get(9)?, four(12)?, four(16)?),
            6 => (40, *bytes.get(6)?, sixteen(8)?, sixteen(24)?),
            _ => return None,
        };
        if header < 20 {
            return None;
        }
        let beyond = bytes.get(header..).unwrap_or_default();
        let port = |at: usize| Some(u16::from_be_bytes(beyond.get(at..at + 2)?.try_into().ok()?));
        let ports = port(0).zip(port(2)).filter(|_| matches!(protocol, TCP | UDP));
        let flow = ports.map(|(from, to)| (protocol == UDP, from, to));
        let udp = (protocol == UDP).then(|| {
            let payload = beyond.get(8..).unwrap_or_default();
            let mut first = [0; 4];
            first.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
            (payload.len(), first)
        });
        Some(Self { source, destination, flow, udp })
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.udp {
            Some((size, [a, b, c, d])) => write!(f, "{size} {a:02x}{b:02x}{c:02x}{d:02x}"),
            None => write!(f, "- -"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_read_and_what_is_none_is_passed_by() {
        let mut bytes = vec![0x45; 20];
        bytes[9] = UDP;
        bytes[12..20].copy_from_slice(&[10, 77, 0, 1, 10, 77, 0, 2]);
        bytes.extend([0x1f, 0x90, 0x00, 0x35, 0, 0, 0, 0]);
        bytes.extend([0x80, 0x6f, 1, 2, 3]);
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!((packet.source, packet.destination), ([10, 77, 0, 1].into(), [10, 77, 0, 2].into()));
        assert_eq!(packet.udp, Some((5, [0x80, 0x6f, 1, 2])));
        assert_eq!((packet.to_string(), packet.flow), ("5 806f0102".to_owned(), Some((true, 8080, 53))));
        bytes[9] = TCP;
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!((packet.to_string(), packet.flow), ("- -".to_owned(), Some((false, 8080, 53))));
        for length in 0..20 {
            assert_eq!(Packet::read(&bytes[..length]), None);
        }
        assert_eq!(Packet::read(&bytes[..23]).unwrap().flow, None, "half a port");
        bytes[0] = 0x50;
        assert_eq!(Packet::read(&bytes), None);
    }

    #[test]
    fn ipv6_is_read_likewise() {
        let mut bytes = vec![0; 40];
        (bytes[0], bytes[6]) = (0x60, UDP);
        bytes[24..40].copy_from_slice(&"fd77::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
        bytes.extend([0x1f, 0x90, 0x00, 0x35, 0, 0, 0, 0]);
        bytes.extend([0x80, 0x6f, 1, 2, 3]);
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(packet.destination, "fd77::2".parse::<IpAddr>().unwrap());
        assert_eq!((packet.to_string(), packet.flow), ("5 806f0102".to_owned(), Some((true, 8080, 53))));
        assert_eq!(Packet::read(&bytes[..39]), None);
    }
}
