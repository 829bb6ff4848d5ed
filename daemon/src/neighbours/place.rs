//! Which networks this machine is in, and which each is.
//!
//! Lives here: an interface with a way out through one machine is in a network; the network is that machine's hardware address and
//! the prefix.
//! Must not: send anything to find out; decide who is trusted.

use std::net::IpAddr;

use blake2::{Blake2s256, Digest as _};

use crate::system::netlink::{Address, Network};
use crate::values::near::{NetworkId, NetworkRow};

/// A network at one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) interface: u32,
    pub(super) name: String,
    /// Of the network.
    pub(super) prefix: String,
    pub(super) gateway: IpAddr,
    /// None while the gateway's hardware address is not known, or none of ours there can be used yet.
    pub(super) id: Option<NetworkId>,
    /// Ours there: of the older family those of this prefix, of the newer one the one of the link.
    pub(super) addresses: Vec<IpAddr>,
}

impl Place {
    /// Whether this is the same network, whatever our addresses there are.
    pub(super) fn is_same_network(&self, other: &Self) -> bool {
        self.id.is_some() && self.id == other.id
    }

    /// As it is shown while nothing was said of it.
    pub(super) fn row(&self) -> NetworkRow {
        let (interface, prefix) = (self.name.clone(), self.prefix.clone());
        NetworkRow { interface, prefix, id: self.id, trusted: false, judged: false }
    }
}

/// All of them, by interface. `hardware`: what the kernel knows of a machine at an interface.
pub(super) fn places(network: &Network, hardware: impl Fn(u32, IpAddr) -> Option<Vec<u8>>) -> Vec<Place> {
    let running = network.interfaces.iter().filter(|one| one.running);
    let place = |index: u32, name: &str| {
        let ways = network.routes.iter().filter(|route| route.interface == Some(index));
        let gateways = || ways.clone().filter_map(|route| route.gateway);
        // A prefix of the newer family changes as the provider likes; where there is the older one, that tells homes apart.
        let gateway = gateways().find(IpAddr::is_ipv4).or_else(|| gateways().next())?;
        let here = || network.addresses.iter().filter(|address| address.interface == index);
        let of_it = here().find(|address| address.global && address.ip.is_ipv4() == gateway.is_ipv4())?;
        let prefix = prefix(of_it);
        let ours = here().filter(|address| match address.ip {
            IpAddr::V4(_) => address.global,
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        });
        let addresses: Vec<IpAddr> = ours.map(|address| address.ip).collect();
        // The kernel makes sure of a link's own address for a second or two.
        let wire = hardware(index, gateway).filter(|_| !addresses.is_empty());
        let id = wire.map(|wire| id(&wire, &prefix));
        Some(Place { interface: index, name: name.to_owned(), prefix, gateway, id, addresses })
    };
    running.filter_map(|one| place(one.index, &one.name)).collect()
}

/// As in `192.168.1.0/24`.
fn prefix(address: &Address) -> String {
    let bits = u32::from(address.prefix);
    let net = match address.ip {
        IpAddr::V4(ip) => IpAddr::from(
            (ip.to_bits() & u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0)).to_be_bytes(),
        ),
        IpAddr::V6(ip) => IpAddr::from(
            (ip.to_bits() & u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0)).to_be_bytes(),
        ),
    };
    format!("{net}/{bits}")
}

fn id(wire: &[u8], prefix: &str) -> NetworkId {
    let digest = Blake2s256::new().chain_update(b"ahoy network").chain_update(prefix).chain_update(b" ");
    let digest = digest.chain_update(wire).finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    NetworkId(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::netlink::{Interface, Route};

    fn machine(ips: &[(u32, &str, u8)], ways: &[(u32, &str)]) -> Network {
        let interface =
            |index| Interface { index, name: format!("eth{index}"), running: index < 9, bridge: false };
        let address = |(interface, ip, prefix): &(u32, &str, u8)| {
            let ip: IpAddr = ip.parse().unwrap();
            let global = !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            Address { interface: *interface, ip, global, prefix: *prefix }
        };
        let route = |(interface, gateway): &(u32, &str)| Route {
            interface: Some(*interface),
            gateway: gateway.parse().ok(),
            said: Vec::new(),
        };
        Network {
            interfaces: [1, 2, 9].map(interface).to_vec(),
            addresses: ips.iter().map(address).collect(),
            routes: ways.iter().map(route).collect(),
        }
    }

    const HOME: [(u32, &str, u8); 3] = [(1, "192.168.1.7", 24), (1, "fe80::7", 64), (1, "2001:db8::7", 64)];
    const OUT: [(u32, &str); 2] = [(1, "fe80::1"), (1, "192.168.1.1")];

    fn knows(mac: u8) -> impl Fn(u32, IpAddr) -> Option<Vec<u8>> {
        move |_, _| Some(vec![mac; 6])
    }

    fn one(network: &Network, mac: u8) -> Place {
        places(network, knows(mac)).remove(0)
    }

    #[test]
    fn a_network_is_its_gateway_s_hardware_and_its_prefix() {
        let home = one(&machine(&HOME, &OUT), 1);
        assert_eq!((home.prefix.as_str(), home.name.as_str()), ("192.168.1.0/24", "eth1"));
        let ours: Vec<IpAddr> = ["192.168.1.7", "fe80::7"].map(|ip| ip.parse().unwrap()).to_vec();
        assert_eq!(home.addresses, ours);
        let moved = [(1, "192.168.1.99", 24), (1, "2001:db8:1::7", 64)];
        assert_eq!(
            one(&machine(&moved, &OUT), 1).id,
            home.id,
            "other addresses of ours, another prefix by the provider"
        );
        assert_ne!(one(&machine(&HOME, &OUT), 2).id, home.id, "another router with the same numbers");
        let other = [(1, "192.168.2.7", 24)];
        assert_ne!(one(&machine(&other, &[(1, "192.168.2.1")]), 1).id, home.id);
    }

    #[test]
    fn a_network_in_which_we_have_no_address_yet_is_not_known() {
        let all = [(1, "2001:db8::7", 64), (1, "fe80::7", 64)];
        let id = |ips: &[(u32, &str, u8)]| one(&machine(ips, &[(1, "fe80::1")]), 1).id;
        assert!(id(&all[..1]).is_none() && id(&all).is_some());
    }

    #[test]
    fn where_nothing_leads_out_by_a_machine_there_is_no_network() {
        assert!(places(&machine(&HOME, &[]), knows(1)).is_empty());
        assert!(places(&machine(&HOME, &[(1, "")]), knows(1)).is_empty(), "a tunnel");
        assert!(
            places(&machine(&[(9, "10.0.0.2", 8)], &[(9, "10.0.0.1")]), knows(1)).is_empty(),
            "no carrier"
        );
    }

    #[test]
    fn each_interface_is_judged_by_itself_and_a_gateway_that_is_not_known_is_no_network_yet() {
        let ips = [HOME[0], (2, "10.1.2.3", 8)];
        let both = places(&machine(&ips, &[OUT[1], (2, "10.0.0.1")]), |interface, _| {
            (interface == 1).then(|| vec![1; 6])
        });
        let told: Vec<_> = both.iter().map(|it| (it.prefix.as_str(), it.id.is_some())).collect();
        assert_eq!(told, [("192.168.1.0/24", true), ("10.0.0.0/8", false)]);
    }

    #[test]
    fn where_there_is_the_newer_family_alone_its_prefix_counts() {
        let home = one(&machine(&HOME[1..], &OUT[..1]), 1);
        assert_eq!(home.prefix, "2001:db8::/64");
        let whole = machine(&[(1, "192.168.1.7", 0)], &OUT);
        assert_eq!(one(&whole, 1).prefix, "0.0.0.0/0");
    }
}
