//! Changes of this machine's network, told once each.
//!
//! Lives here: what of the kernel's news (`netlink.rs`) matters: the ways out, the addresses at them, and an address that is
//! gone. The rest is no change: bridges and containers that come, renewed lifetimes, one more private address of a network.
//! Must not: know a call or a path.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use neli::socket::NlSocket;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::Report;
use crate::system::clock;
use crate::system::netlink::{self, Network, Route};

/// A change is many messages: what comes together is one. Whose address has gone waits no longer than it takes for all of them to go.
const GONE_TOGETHER: Duration = Duration::from_millis(20);
const TOGETHER: Duration = Duration::from_millis(150);
/// A machine that changes all the time is looked at so often, at the most.
const PAUSE: Duration = Duration::from_millis(500);

/// Reports changes until nobody listens.
pub(super) async fn follow(reports: mpsc::Sender<Report>) {
    let socket = match netlink::listen().and_then(watched) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%error, "changes of the network are not seen"),
    };
    let mut known = Matters::of(&Network::look());
    loop {
        let news = tokio::select! {
            news = socket.readable() => news,
            () = reports.closed() => return,
        };
        match news {
            Ok(mut ready) => ready.clear_ready(),
            Err(error) => return tracing::warn!(%error, "changes of the network are not seen any more"),
        }
        clock::sleep(GONE_TOGETHER).await;
        let first = look(&socket);
        if first.has_lost(&known) {
            known = first;
            if reports.send(Report::NetworkChanged).await.is_err() {
                return;
            }
        }
        clock::sleep(TOGETHER - GONE_TOGETHER).await;
        let now = look(&socket);
        let changed = now.is_change_from(&known);
        known = now;
        if changed && reports.send(Report::NetworkChanged).await.is_err() {
            return;
        }
        clock::sleep(PAUSE).await;
    }
}

/// What matters as it is now, whatever the news were.
fn look(socket: &AsyncFd<NlSocket>) -> Matters {
    netlink::drain(socket.get_ref());
    Matters::of(&Network::look())
}

fn watched(socket: NlSocket) -> std::io::Result<AsyncFd<NlSocket>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an owned descriptor that moves in stays open until it is removed"
    )]
    AsyncFd::with_interest(socket, tokio::io::Interest::READABLE)
}

/// What a path may depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Matters {
    routes: BTreeSet<Route>,
    /// Networks at an interface that leads out: the address of the older family, the prefix of the newer one, whose addresses
    /// come and go by themselves.
    networks: BTreeSet<(u32, IpAddr)>,
    /// Every address that a path may be on. Of one that comes no path knows; one that goes takes its paths along.
    addresses: BTreeSet<(u32, IpAddr)>,
}

impl Matters {
    fn of(network: &Network) -> Self {
        let bridge = |index| network.interface(index).is_some_and(|one| one.bridge);
        // Where nothing leads out, everything that is no bridge may lead to somebody.
        let nowhere = network.routes.is_empty();
        let leads = |index| network.leads_out(index) || (nowhere && !bridge(index));
        let global = || network.addresses.iter().filter(|address| address.global);
        let out = global().filter(|address| leads(address.interface));
        let usable = global().filter(|address| leads(address.interface) || !bridge(address.interface));
        Self {
            routes: network.routes.iter().cloned().collect(),
            networks: out.map(|address| (address.interface, prefix(address.ip))).collect(),
            addresses: usable.map(|address| (address.interface, address.ip)).collect(),
        }
    }

    fn is_change_from(&self, before: &Self) -> bool {
        self.routes != before.routes || self.networks != before.networks || self.has_lost(before)
    }

    /// Whether an address is gone.
    fn has_lost(&self, before: &Self) -> bool {
        !before.addresses.is_subset(&self.addresses)
    }
}

fn prefix(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(six) => IpAddr::from((six.to_bits() >> 64 << 64).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::netlink::{Address, Interface};

    fn machine(addresses: &[(u32, &str)]) -> Network {
        let interface =
            |index, name: &str, bridge| Interface { index, name: name.to_owned(), running: true, bridge };
        let address = |(interface, ip): &(u32, &str)| Address {
            interface: *interface,
            ip: ip.parse().unwrap(),
            global: true,
            prefix: 24,
        };
        Network {
            interfaces: vec![
                interface(2, "eth0", false),
                interface(3, "docker0", true),
                interface(4, "tun0", false),
            ],
            addresses: addresses.iter().map(address).collect(),
            routes: vec![Route { interface: Some(2), gateway: None, said: vec![1] }],
        }
    }

    fn changes(before: &[(u32, &str)], after: &[(u32, &str)]) -> bool {
        Matters::of(&machine(after)).is_change_from(&Matters::of(&machine(before)))
    }

    #[test]
    fn bridges_and_private_addresses_come_and_bridges_go_and_nothing_has_changed() {
        let home = [(2, "192.0.2.7"), (2, "2001:db8::1")];
        assert!(!changes(&home, &home));
        assert!(!changes(&home, &[home[0], home[1], (3, "172.17.0.1")]));
        assert!(!changes(&[home[0], home[1], (3, "172.17.0.1")], &home));
        assert!(!changes(&home, &[home[0], home[1], (2, "2001:db8::abcd")]), "one more of the same network");
        assert!(!changes(&home, &[home[0], home[1], (4, "10.8.0.2")]), "no path is on it yet");
    }

    #[test]
    fn in_a_network_without_a_way_out_every_address_but_a_bridges_counts() {
        let alone =
            |addresses: &[(u32, &str)]| Matters::of(&Network { routes: Vec::new(), ..machine(addresses) });
        let (before, home) = (alone(&[]), alone(&[(2, "192.0.2.7")]));
        assert!(home.is_change_from(&before));
        assert!(!alone(&[(2, "192.0.2.7"), (3, "172.17.0.1")]).is_change_from(&home));
    }

    #[test]
    fn another_way_out_another_network_and_an_address_that_is_gone_are_changes() {
        let home = [(2, "192.0.2.7"), (2, "2001:db8::1")];
        assert!(changes(&home, &[(2, "192.0.2.8"), home[1]]));
        assert!(changes(&home, &[home[0], home[1], (2, "2001:db8:1::1")]));
        assert!(changes(&home, &home[..1]));
        assert!(changes(&[home[0], (4, "10.8.0.2")], &home[..1]), "a path may have been on it");
        let mut moved = machine(&home);
        moved.routes[0].said = vec![2];
        assert!(Matters::of(&moved).is_change_from(&Matters::of(&machine(&home))));
    }
}
