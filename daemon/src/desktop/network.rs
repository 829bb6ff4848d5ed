//! Changes of this machine's network, told once each.
//!
//! Lives here: the kernel's own news (netlink), and what of it matters: addresses that others could reach, and the ways
//! out. The rest, renewed lifetimes above all, is no change.
//! Must not: know a call or a path.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::Report;
use crate::clock;

/// Links, and addresses and routes of both families (rtnetlink(7)).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// A change is many messages: what comes together is one.
const TOGETHER: Duration = Duration::from_millis(150);
/// A machine that changes all the time is looked at so often, at the most.
const PAUSE: Duration = Duration::from_millis(500);

/// One thing that a path depends on: the kind of message, its fixed part without what changes by itself, attributes.
type Fact = Vec<u8>;

/// Reports changes until nobody listens.
pub(super) async fn follow(reports: mpsc::Sender<Report>) {
    let socket = match listen().and_then(watched) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%error, "changes of the network are not seen"),
    };
    let mut known = look();
    loop {
        let news = tokio::select! {
            news = socket.readable() => news,
            () = reports.closed() => return,
        };
        match news {
            Ok(mut ready) => ready.clear_ready(),
            Err(error) => return tracing::warn!(%error, "changes of the network are not seen any more"),
        }
        clock::sleep(TOGETHER).await;
        drain(socket.get_ref());
        let now = look();
        if now != known {
            known = now;
            if reports.send(Report::NetworkChanged).await.is_err() {
                return;
            }
        }
        clock::sleep(PAUSE).await;
    }
}

fn open(groups: u32) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // No protocol is protocol 0, NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

fn listen() -> std::io::Result<OwnedFd> {
    Ok(open(GROUPS)?)
}

fn watched(socket: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an owned descriptor that moves in stays open until it is removed"
    )]
    AsyncFd::with_interest(socket, tokio::io::Interest::READABLE)
}

/// Takes what the kernel has said. Lost messages (`ENOBUFS`) are news too, and the look that follows misses nothing.
fn drain(socket: &OwnedFd) {
    let mut buffer = [0; 8192];
    loop {
        match recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Addresses and ways out as they are now; what cannot be read is left out.
fn look() -> BTreeSet<Fact> {
    let mut facts = BTreeSet::new();
    for kind in [GET_ADDRESSES, GET_ROUTES] {
        if let Err(error) = dump(kind, &mut facts) {
            tracing::debug!(%error, "the network cannot be looked at");
        }
    }
    facts
}

/// Asks for all addresses or all routes. The kernel answers into the socket's queue at once.
fn dump(kind: u16, facts: &mut BTreeSet<Fact>) -> rustix::io::Result<()> {
    let socket = open(0)?;
    let mut request = Vec::with_capacity(32);
    // nlmsghdr: length, type, flags (request, dump), sequence, port; then the family, any, padded.
    let flags: u16 = 0x1 | 0x300;
    request.extend(28_u32.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([0; 12]);
    sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0; 65_536];
    loop {
        let length = match recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, length)) => length.min(buffer.len()),
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        if take(&buffer[..length], facts) {
            return Ok(());
        }
    }
}

/// `RTM_GETADDR`, `RTM_GETROUTE`, their answers, and the end of a dump.
const GET_ADDRESSES: u16 = 22;
const GET_ROUTES: u16 = 26;
const ADDRESS: u16 = 20;
const ROUTE_IS: u16 = 24;
const DONE: u16 = 3;
/// Link-local and host scopes: nothing beyond this link is reached by them.
const SCOPE_LINK: u8 = 253;

/// Reads one datagram of a dump; true at its end.
fn take(mut datagram: &[u8], facts: &mut BTreeSet<Fact>) -> bool {
    while let Some((header, _)) = datagram.split_at_checked(16) {
        let length =
            usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]])).unwrap_or(0);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(body) = datagram.get(16..length) else { return true };
        match kind {
            DONE => return true,
            ADDRESS => facts.extend(address(body)),
            ROUTE_IS => facts.extend(route(body)),
            _ => {}
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// An address that others can reach: family, interface, the address. Not its flags and lifetimes, which every router
/// advertisement renews.
fn address(body: &[u8]) -> Option<Fact> {
    // ifaddrmsg: family, prefix length, flags, scope, interface.
    let (fixed, attributes) = body.split_at_checked(8)?;
    if fixed[3] >= SCOPE_LINK {
        return None;
    }
    let mut fact = vec![b'a', fixed[0]];
    fact.extend(&fixed[4..8]);
    // IFA_ADDRESS, IFA_LOCAL.
    fact.extend(attributes_of(attributes, &[1, 2]));
    Some(fact)
}

/// A way out: a default route of the main table, with its gateway, interface and priority.
fn route(body: &[u8]) -> Option<Fact> {
    // rtmsg: family, destination length, source length, tos, table, protocol, scope, type, flags.
    let (fixed, attributes) = body.split_at_checked(12)?;
    let (default, main) = (fixed[1] == 0, fixed[4] == 254);
    if !default || !main {
        return None;
    }
    let mut fact = vec![b'r', fixed[0]];
    // RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH.
    fact.extend(attributes_of(attributes, &[4, 5, 6, 9]));
    Some(fact)
}

/// These attributes, with their kinds, in the kernel's order.
fn attributes_of(mut attributes: &[u8], wanted: &[u16]) -> Fact {
    let mut found = Vec::new();
    while let Some((header, _)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let Some(value) = attributes.get(4..length) else { break };
        if wanted.contains(&kind) {
            found.extend(kind.to_ne_bytes());
            found.extend(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn address_message(scope: u8, lifetime: u8) -> Vec<u8> {
        let mut body = vec![2, 24, lifetime, scope, 7, 0, 0, 0];
        body.extend(attribute(1, &[192, 0, 2, 1]));
        body.extend(attribute(6, &[lifetime; 16]));
        message(ADDRESS, &body)
    }

    fn facts(datagram: &[u8]) -> BTreeSet<Fact> {
        let mut facts = BTreeSet::new();
        take(datagram, &mut facts);
        facts
    }

    #[test]
    fn a_renewed_lifetime_is_no_change_and_another_interface_is() {
        assert_eq!(facts(&address_message(0, 1)), facts(&address_message(0, 2)));
        assert_eq!(facts(&address_message(0, 1)).len(), 1);
        let mut moved = address_message(0, 1);
        moved[20] = 8;
        assert_ne!(facts(&moved), facts(&address_message(0, 1)));
    }

    #[test]
    fn addresses_that_reach_nobody_and_routes_to_neighbours_are_left_out() {
        assert!(facts(&address_message(253, 1)).is_empty() && facts(&address_message(254, 1)).is_empty());
        let route = |length: u8, table: u8| {
            let mut body = vec![2, length, 0, 0, table, 3, 0, 1, 0, 0, 0, 0];
            body.extend(attribute(5, &[192, 0, 2, 254]));
            message(ROUTE_IS, &body)
        };
        assert_eq!(facts(&route(0, 254)).len(), 1);
        assert!(facts(&route(24, 254)).is_empty() && facts(&route(0, 255)).is_empty());
    }

    #[test]
    fn a_datagram_that_lies_about_its_lengths_is_read_no_further() {
        let mut long = address_message(0, 1);
        long[0] = 0xff;
        assert!(take(&long, &mut BTreeSet::new()));
        let mut none = address_message(0, 1);
        none[..4].fill(0);
        assert!(take(&none, &mut BTreeSet::new()), "a length of nought does not go round for ever");
        let mut attribute = address_message(0, 1);
        attribute[24] = 1;
        assert_eq!(facts(&attribute).len(), 1);
        for cut in 0..long.len() {
            take(&address_message(0, 1)[..cut], &mut BTreeSet::new());
        }
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let mut facts = BTreeSet::new();
        dump(GET_ADDRESSES, &mut facts).unwrap();
        dump(GET_ROUTES, &mut facts).unwrap();
    }
}
