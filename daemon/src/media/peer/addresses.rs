//! Which of our own network addresses a path may use.
//!
//! Lives here: the choice among the machine's addresses.
//! Must not: bind a socket, or log an address.

use std::net::{IpAddr, SocketAddr};

use rtc::shared::ifaces;

use crate::system::netlink::Network;

/// More addresses than this only make set-up slower.
const MOST: usize = 8;

/// How likely it is that others are reached from an address; the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// A default route leaves by its interface.
    LeadsOut,
    /// Its interface runs.
    Runs,
    /// It is on a bridge, behind which containers or virtual machines are, and seldom anybody else.
    Bridge,
}

/// An address of this machine.
#[derive(Clone, Debug)]
struct Local {
    interface: String,
    ip: IpAddr,
    worth: Worth,
}

/// Every interface that the person allowed, as socket addresses with port 0. Empty if none of them has an address. `few`: the best
/// one of each family, for who only speaks to servers.
pub(super) fn local(allowed: &[String], few: bool) -> Vec<SocketAddr> {
    let mut chosen = choose(&all(&Network::look()), allowed);
    if few {
        let best = [chosen.iter().position(IpAddr::is_ipv4), chosen.iter().position(IpAddr::is_ipv6)];
        let mut place = 0..;
        chosen.retain(|_| best.contains(&place.next()));
    }
    chosen.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
}

/// Whether no interface that runs has this address, and another one that is allowed leads out.
pub(super) fn only_others_run(ip: IpAddr, allowed: &[String]) -> bool {
    without(&all(&Network::look()), ip, allowed)
}

fn without(all: &[Local], ip: IpAddr, allowed: &[String]) -> bool {
    let usable = choose(all, allowed);
    let leads_out = |one: &Local| one.worth == Worth::LeadsOut && usable.contains(&one.ip);
    all.iter().all(|one| one.ip != ip) && all.iter().any(leads_out)
}

/// The addresses of interfaces that run: from a bridge without ports or a cable that is not plugged in nobody is reached.
fn all(network: &Network) -> Vec<Local> {
    let known = network.addresses.iter().filter_map(|address| {
        let interface = network.interface(address.interface).filter(|one| one.running)?;
        let worth = match (network.leads_out(interface.index), interface.bridge) {
            (true, _) => Worth::LeadsOut,
            (false, false) => Worth::Runs,
            (false, true) => Worth::Bridge,
        };
        Some(Local { interface: interface.name.clone(), ip: address.ip, worth })
    });
    let known: Vec<Local> = known.collect();
    if !known.is_empty() {
        return known;
    }
    // The kernel does not tell, as in some sandboxes.
    let all = ifaces::ifaces().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces");
        Vec::new()
    });
    let local =
        |one: ifaces::Interface| Some(Local { interface: one.name, ip: one.addr?.ip(), worth: Worth::Runs });
    all.into_iter().filter_map(local).collect()
}

/// All but loopback, and loopback where there is nothing else; or those that are named, loopback only if it is. The best come
/// first, and both families in turn: where there is no room for all, neither is cut off.
fn choose(all: &[Local], allowed: &[String]) -> Vec<IpAddr> {
    let any = allowed.iter().all(|name| name == "auto");
    let usable = |one: &&Local| {
        let ip = one.ip;
        (any || allowed.contains(&one.interface))
            && !ip.is_unspecified()
            && !ip.is_multicast()
            && !link_local(ip)
    };
    let (loopback, mut chosen): (Vec<&Local>, Vec<&Local>) =
        all.iter().filter(usable).partition(|one| one.ip.is_loopback());
    if !any || chosen.is_empty() {
        chosen.extend(loopback);
    }
    chosen.sort_by_key(|one| (one.worth, one.ip));
    chosen.dedup_by_key(|one| one.ip);
    // The first of each family, then the second of each, as far as they are worth the same.
    let mut places = [0; 2];
    let mut in_turn: Vec<(Worth, usize, IpAddr)> = Vec::new();
    for worth in [Worth::LeadsOut, Worth::Runs, Worth::Bridge] {
        places.fill(0);
        for one in chosen.iter().filter(|one| one.worth == worth) {
            let place = &mut places[usize::from(one.ip.is_ipv6())];
            *place += 1;
            in_turn.push((worth, *place, one.ip));
        }
    }
    in_turn.sort();
    in_turn.into_iter().map(|(.., ip)| ip).take(MOST).collect()
}

/// Means nothing to the other side: an IPv6 one lacks its scope there.
fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<Local> {
        [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "192.0.2.2"),
            ("eth0", "fd00::2"),
            ("eth0", "fe80::1"),
            ("wlan0", "198.51.100.7"),
        ]
        .map(|(name, ip)| local(name, ip, Worth::Runs))
        .to_vec()
    }

    fn local(name: &str, ip: &str, worth: Worth) -> Local {
        Local { interface: name.to_owned(), ip: ip.parse().unwrap(), worth }
    }

    fn chosen(all: &[Local], allowed: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        choose(all, &allowed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_interface_but_loopback_is_used_unless_said_otherwise() {
        let expected = ["192.0.2.2", "fd00::2", "198.51.100.7"];
        assert_eq!(chosen(&machine(), &[]), expected);
        assert_eq!(chosen(&machine(), &["auto"]), expected);
    }

    #[test]
    fn loopback_is_used_where_there_is_nothing_else() {
        assert_eq!(chosen(&machine()[..2], &[]), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn only_named_interfaces_are_used_and_loopback_only_by_name() {
        assert_eq!(chosen(&machine(), &["wlan0"]), ["198.51.100.7"]);
        assert_eq!(chosen(&machine(), &["lo"]), ["127.0.0.1", "::1"]);
        assert!(
            chosen(&machine(), &["tun0"]).is_empty(),
            "an interface that is away is not replaced by another"
        );
    }

    #[test]
    fn the_address_that_leads_out_is_kept_however_many_bridges_there_are_and_so_are_both_families() {
        let mut all: Vec<Local> =
            (17..31).map(|n| local("br", &format!("172.{n}.0.1"), Worth::Bridge)).collect();
        all.extend((0..9).map(|n| local("vpn", &format!("10.{n}.0.1"), Worth::Runs)));
        all.push(local("eth0", "192.168.178.5", Worth::LeadsOut));
        all.extend((1..12).map(|n| local("eth0", &format!("2001:db8::{n}"), Worth::LeadsOut)));
        let chosen = chosen(&all, &[]);
        assert_eq!(chosen.len(), MOST);
        assert_eq!(chosen[..2], ["192.168.178.5", "2001:db8::1"]);
    }

    #[test]
    fn an_address_is_given_up_only_when_it_has_gone_and_another_one_leads_out() {
        let of = |name, ip, worth| local(name, ip, worth);
        let (lan, radio) =
            (of("eth0", "192.0.2.2", Worth::LeadsOut), of("wlan0", "198.51.100.7", Worth::LeadsOut));
        let (lost, any): (IpAddr, [String; 0]) = (radio.ip, []);
        assert!(without(std::slice::from_ref(&lan), lost, &any));
        assert!(!without(&[lan.clone(), radio], lost, &any), "it is there");
        assert!(!without(&[], lost, &any) && !without(&[of("lo", "127.0.0.1", Worth::Runs)], lost, &any));
        assert!(!without(&[of("br0", "172.17.0.1", Worth::Bridge)], lost, &any), "that leads nowhere");
        assert!(!without(&[lan], lost, &["wlan0".to_owned()]), "the person wants no other");
    }

    #[test]
    fn what_has_no_carrier_is_left_out_and_what_leads_out_is_known() {
        use crate::system::netlink::{Address, Interface, Route};
        let interface =
            |index, name: &str, running, bridge| Interface { index, name: name.to_owned(), running, bridge };
        let mut interfaces = vec![interface(1, "lo", true, false), interface(2, "eth0", true, false)];
        interfaces.extend((3..12).map(|n| interface(n, &format!("br{n}"), n == 3, true)));
        let address =
            |interface, ip: &str| Address { interface, ip: ip.parse().unwrap(), global: true, prefix: 24 };
        let mut addresses = vec![address(1, "127.0.0.1")];
        addresses.extend((3..12).map(|n| address(n, &format!("172.{n}.0.1"))));
        addresses.push(address(2, "192.168.1.5"));
        let routes = vec![Route { interface: Some(2), gateway: None, said: Vec::new() }];
        let network = Network { interfaces, addresses, routes };
        assert_eq!(chosen(&all(&network), &[]), ["192.168.1.5", "172.3.0.1"]);
    }
}
