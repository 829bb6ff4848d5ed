//! What the kernel says of this machine's network (rtnetlink(7)).
//!
//! Lives here: the socket, and the interfaces, addresses and default routes as they are now, read from its dumps.
//! Must not: judge what of it matters; log an address.

use std::net::IpAddr;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

/// Groups of links, and of addresses and routes of both families.
pub(crate) const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// `RTM_GETLINK`, `RTM_GETADDR`, `RTM_GETROUTE`, their answers, and the end of a dump.
const GET_LINKS: u16 = 18;
const GET_ADDRESSES: u16 = 22;
const GET_ROUTES: u16 = 26;
const LINK: u16 = 16;
const ADDRESS: u16 = 20;
const ROUTE_IS: u16 = 24;
const DONE: u16 = 3;
/// Link-local and host scopes: nothing beyond this link is reached by them.
const SCOPE_LINK: u8 = 253;
/// `IFF_RUNNING`: it is up and has a carrier.
const RUNNING: u32 = 0x40;
/// `IFA_F_DADFAILED`, `IFA_F_TENTATIVE`: nothing can be sent from it.
const UNUSABLE: u32 = 0x08 | 0x40;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// It is up and has a carrier.
    pub(crate) running: bool,
    pub(crate) bridge: bool,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) interface: u32,
    pub(crate) ip: IpAddr,
    /// Others may be reached from it, by its scope.
    pub(crate) global: bool,
}

/// A way out: a default route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// The interface that it leaves by, if there is one.
    pub(crate) interface: Option<u32>,
    /// Family, gateway, interface, priority, as the kernel writes them.
    pub(crate) said: Vec<u8>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) routes: Vec<Route>,
}

impl Network {
    /// As it is now; what cannot be read is left out.
    pub(crate) fn look() -> Self {
        let mut network = Self::default();
        for kind in [GET_LINKS, GET_ADDRESSES, GET_ROUTES] {
            if let Err(error) = network.dump(kind) {
                tracing::debug!(%error, "the network cannot be looked at");
            }
        }
        network
    }

    /// Whether a default route leaves by this interface.
    pub(crate) fn leads_out(&self, interface: u32) -> bool {
        self.routes.iter().any(|route| route.interface == Some(interface))
    }

    /// The interface of this number.
    pub(crate) fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|one| one.index == index)
    }

    /// The kernel answers into the socket's queue at once.
    fn dump(&mut self, kind: u16) -> rustix::io::Result<()> {
        let socket = open(0)?;
        let mut request = Vec::with_capacity(32);
        // nlmsghdr: length, type, flags (request, dump), sequence, port; then the family, any, padded.
        let flags: u16 = 0x1 | 0x300;
        let length: u32 = if kind == GET_LINKS { 32 } else { 28 };
        request.extend(length.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(flags.to_ne_bytes());
        request.resize(usize::try_from(length).unwrap_or(32), 0);
        sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut buffer = vec![0; 65_536];
        loop {
            let length = match recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, length)) => length.min(buffer.len()),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            if self.take(&buffer[..length]) {
                return Ok(());
            }
        }
    }

    /// Reads one datagram of a dump; true at its end.
    fn take(&mut self, mut datagram: &[u8]) -> bool {
        while let Some((header, _)) = datagram.split_at_checked(16) {
            let length = usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]]))
                .unwrap_or(0);
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let Some(body) = datagram.get(16..length) else { return true };
            match kind {
                DONE => return true,
                LINK => self.interfaces.extend(link(body)),
                ADDRESS => self.addresses.extend(address(body)),
                ROUTE_IS => self.routes.extend(route(body)),
                _ => {}
            }
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        false
    }
}

/// A socket that hears of these groups.
pub(crate) fn open(groups: u32) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // No protocol is protocol 0, NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Takes what the kernel has said. Lost messages (`ENOBUFS`) are news too, and the look that follows misses nothing.
pub(crate) fn drain(socket: &OwnedFd) {
    let mut buffer = [0; 8192];
    loop {
        match recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn link(body: &[u8]) -> Option<Interface> {
    // ifinfomsg: family, padding, type, index, flags, change.
    let (fixed, attributes) = body.split_at_checked(16)?;
    let name = attribute(attributes, 3)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    // IFLA_LINKINFO holds IFLA_INFO_KIND.
    let kind = attribute(attributes, 18).and_then(|info| attribute(info, 1)).unwrap_or_default();
    Some(Interface {
        index: number(&fixed[4..8])?,
        name: String::from_utf8_lossy(name).into_owned(),
        running: number(&fixed[8..12])? & RUNNING != 0,
        bridge: kind.starts_with(b"bridge"),
    })
}

fn address(body: &[u8]) -> Option<Address> {
    // ifaddrmsg: family, prefix length, flags, scope, interface.
    let (fixed, attributes) = body.split_at_checked(8)?;
    // IFA_FLAGS is wider than the old field.
    let flags = attribute(attributes, 8).and_then(number).unwrap_or(u32::from(fixed[2]));
    if flags & UNUSABLE != 0 {
        return None;
    }
    // IFA_LOCAL is ours where IFA_ADDRESS is the other end's.
    let bytes = attribute(attributes, 2).or_else(|| attribute(attributes, 1))?;
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let ip = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()?;
    Some(Address { interface: number(&fixed[4..8])?, ip, global: fixed[3] < SCOPE_LINK })
}

fn route(body: &[u8]) -> Option<Route> {
    // rtmsg: family, destination length, source length, tos, table, protocol, scope, type, flags.
    let (fixed, attributes) = body.split_at_checked(12)?;
    let (default, main, unicast) = (fixed[1] == 0, fixed[4] == 254, fixed[7] == 1);
    if !default || !main || !unicast {
        return None;
    }
    let mut said = vec![fixed[0]];
    // RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH.
    for kind in [4, 5, 6, 9] {
        if let Some(value) = attribute(attributes, kind) {
            said.extend(kind.to_ne_bytes());
            said.extend(value);
        }
    }
    // Of several ways at once (rtnexthop: length, flags, hops, interface) the first one.
    let first = || attribute(attributes, 9).and_then(|all| all.get(4..8)).and_then(number);
    Some(Route { interface: attribute(attributes, 4).and_then(number).or_else(first), said })
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.first_chunk()?))
}

/// The value of this attribute, if it is there.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some((header, _)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        // The two upper bits are flags.
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
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
        let mut body = vec![2, 24, 0x80, scope, 7, 0, 0, 0];
        body.extend(attribute(1, &[192, 0, 2, 1]));
        body.extend(attribute(6, &[lifetime; 16]));
        message(ADDRESS, &body)
    }

    fn read(datagram: &[u8]) -> Network {
        let mut network = Network::default();
        network.take(datagram);
        network
    }

    #[test]
    fn a_renewed_lifetime_changes_nothing_and_another_interface_does() {
        assert_eq!(read(&address_message(0, 1)), read(&address_message(0, 2)));
        assert_eq!(read(&address_message(0, 1)).addresses.len(), 1);
        let mut moved = address_message(0, 1);
        moved[20] = 8;
        assert_ne!(read(&moved), read(&address_message(0, 1)));
        assert!(!read(&address_message(253, 1)).addresses[0].global);
    }

    #[test]
    fn an_address_that_is_not_proved_to_be_ours_is_none_yet() {
        let mut body = vec![10, 64, 0x40, 0, 7, 0, 0, 0];
        body.extend(attribute(1, &[0xfd; 16]));
        assert!(read(&message(ADDRESS, &body)).addresses.is_empty());
    }

    #[test]
    fn ways_out_are_default_routes_of_the_main_table() {
        let route = |length: u8, table: u8, kind: u8| {
            let mut body = vec![2, length, 0, 0, table, 3, 0, kind, 0, 0, 0, 0];
            body.extend(attribute(5, &[192, 0, 2, 254]));
            body.extend(attribute(4, &3_u32.to_ne_bytes()));
            read(&message(ROUTE_IS, &body))
        };
        assert!(route(0, 254, 1).leads_out(3) && !route(0, 254, 1).leads_out(4));
        assert!(!route(24, 254, 1).leads_out(3) && !route(0, 255, 1).leads_out(3));
        assert!(!route(0, 254, 7).leads_out(3), "a way that is blocked leads nowhere");
    }

    #[test]
    fn an_interface_says_whether_it_runs_and_is_a_bridge() {
        let link = |flags: u32, kind: &[u8]| {
            let mut body = vec![0; 4];
            body.extend(5_u32.to_ne_bytes());
            body.extend(flags.to_ne_bytes());
            body.extend([0; 4]);
            body.extend(attribute(3, b"br-1234\0"));
            body.extend(attribute(18, &attribute(1, kind)));
            read(&message(LINK, &body)).interfaces.remove(0)
        };
        let expected = Interface { index: 5, name: "br-1234".to_owned(), running: true, bridge: true };
        assert_eq!(link(0x1 | 0x40, b"bridge\0"), expected);
        assert!(!link(0x1, b"bridge\0").running && !link(0x41, b"veth\0").bridge);
    }

    #[test]
    fn a_datagram_that_lies_about_its_lengths_is_read_no_further() {
        let mut long = address_message(0, 1);
        long[0] = 0xff;
        assert!(Network::default().take(&long));
        let mut none = address_message(0, 1);
        none[..4].fill(0);
        assert!(Network::default().take(&none), "a length of nought does not go round for ever");
        let mut attribute = address_message(0, 1);
        attribute[24] = 1;
        assert!(read(&attribute).addresses.is_empty());
        for cut in 0..long.len() {
            read(&address_message(0, 1)[..cut]);
        }
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let network = Network::look();
        let lo = network.interfaces.iter().find(|one| one.name == "lo").expect("every machine has it");
        assert!(!lo.bridge && !network.leads_out(lo.index));
    }
}
