//! What the emulator reads of an IP packet.
//!
//! Lives here: where it goes, and what of its datagram is logged.
//! Must not: look into what is encrypted.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Where it goes.
    pub destination: Ipv4Addr,
    /// Of a datagram, how many bytes it carries and the first four of them: of RTP its payload type and number.
    pub udp: Option<(usize, [u8; 4])>,
}

impl Packet {
    /// None of what is no whole IPv4 packet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        const UDP: u8 = 17;
        let header = usize::from(bytes.first()? & 15) * 4;
        if bytes[0] >> 4 != 4 || header < 20 {
            return None;
        }
        let destination: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
        let udp = (bytes[9] == UDP).then(|| {
            let payload = bytes.get(header + 8..).unwrap_or_default();
            let mut first = [0; 4];
            first.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
            (payload.len(), first)
        });
        Some(Self { destination: destination.into(), udp })
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
        bytes[9] = 17;
        bytes[16..20].copy_from_slice(&[10, 77, 0, 2]);
        bytes.extend([0; 8]);
        bytes.extend([0x80, 0x6f, 1, 2, 3]);
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!((packet.destination, packet.udp), ([10, 77, 0, 2].into(), Some((5, [0x80, 0x6f, 1, 2]))));
        assert_eq!(packet.to_string(), "5 806f0102");
        bytes[9] = 6;
        assert_eq!(Packet::read(&bytes).unwrap().to_string(), "- -");
        for length in 0..20 {
            assert_eq!(Packet::read(&bytes[..length]), None);
        }
        bytes[0] = 0x60;
        assert_eq!(Packet::read(&bytes), None);
    }
}
