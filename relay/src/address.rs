//! Whose a connection is, as far as its network address tells.
//!
//! Lives here: what counts as one address: an IPv4 address, an IPv6 /64, and the /48 that it lies in.
//! Must not: count anything.

use std::net::IpAddr;

/// An IPv4 address, or an IPv6 /64: one machine has a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Near(IpAddr);

/// An IPv4 address, or an IPv6 /48: one customer may have a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wide(IpAddr);

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Itself.
    pub near: Near,
    /// The customer's network.
    pub wide: Wide,
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        let first = |v6: std::net::Ipv6Addr, bits: u32| {
            IpAddr::V6((u128::from(v6) >> (128 - bits) << (128 - bits)).into())
        };
        match ip.to_canonical() {
            v4 @ IpAddr::V4(_) => Self { near: Near(v4), wide: Wide(v4) },
            IpAddr::V6(v6) => Self { near: Near(first(v6, 64)), wide: Wide(first(v6, 48)) },
        }
    }
}

impl Near {
    /// For a digest.
    pub fn bytes(self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one_address() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1").near, at("2001:db8:0:1::1").near);
        assert_eq!(at("2001:db8::1").wide, at("2001:db8:0:ffff::1").wide, "one customer");
        assert_ne!(at("2001:db8::1").wide, at("2001:db8:1::1").wide);
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1").wide, at("10.0.0.2").wide);
    }
}
