//! Which of our own network addresses a path may use.
//!
//! Lives here: the choice among the machine's addresses.
//! Must not: bind a socket, or log an address.

use std::net::{IpAddr, SocketAddr};

use rtc::shared::ifaces;

/// More addresses than this only make set-up slower.
const MOST: usize = 8;

/// Every interface that the person allowed, as socket addresses with port 0. Empty if none of them has an address.
pub(super) fn local(allowed: &[String]) -> Vec<SocketAddr> {
    let all = match ifaces::ifaces() {
        Ok(all) => all,
        Err(error) => {
            tracing::warn!(%error, "cannot list the network interfaces");
            Vec::new()
        }
    };
    let all: Vec<_> =
        all.into_iter().filter_map(|one| one.addr.map(|address| (one.name, address.ip()))).collect();
    choose(&all, allowed).into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
}

/// All but loopback, and loopback where there is nothing else; or those that are named, loopback only if it is.
fn choose(all: &[(String, IpAddr)], allowed: &[String]) -> Vec<IpAddr> {
    let any = allowed.iter().all(|name| name == "auto");
    let usable = |(name, ip): &&(String, IpAddr)| {
        (any || allowed.contains(name)) && !ip.is_unspecified() && !ip.is_multicast() && !link_local(*ip)
    };
    let (loopback, mut chosen): (Vec<IpAddr>, Vec<IpAddr>) =
        all.iter().filter(usable).map(|(_, ip)| *ip).partition(IpAddr::is_loopback);
    if !any || chosen.is_empty() {
        chosen.extend(loopback);
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.truncate(MOST);
    chosen
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

    fn machine() -> Vec<(String, IpAddr)> {
        [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "192.0.2.2"),
            ("eth0", "fd00::2"),
            ("eth0", "fe80::1"),
            ("wlan0", "198.51.100.7"),
        ]
        .map(|(name, ip)| (name.to_owned(), ip.parse().unwrap()))
        .to_vec()
    }

    fn chosen(all: &[(String, IpAddr)], allowed: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        choose(all, &allowed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_interface_but_loopback_is_used_unless_said_otherwise() {
        let expected = ["192.0.2.2", "198.51.100.7", "fd00::2"];
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
}
