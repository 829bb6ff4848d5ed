//! What the kernel says of this machine's network (rtnetlink(7)).
//!
//! Lives here: the socket, and the interfaces, addresses, default routes and hardware addresses as they are now, read from its
//! dumps.
//! Must not: judge what of it matters; log an address.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use neli::attr::Attribute as _;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, Iff, Ifla, IflaInfo, Nda, Nud, RtAddrFamily, RtScope, RtTable, Rta, Rtm, Rtn};
use neli::consts::socket::{Msg, NlFamily};
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::rtnl::{Ifaddrmsg, Ifinfomsg, Ndmsg, RtgenmsgBuilder, Rtmsg};
use neli::socket::NlSocket;
use neli::socket::synchronous::NlSocketHandle;
use neli::types::Buffer;
use neli::utils::Groups;
use neli::{FromBytesWithInput, Size};
use rustix::io::Errno;

/// Groups of links, and of addresses and routes of both families (`RTNLGRP_…`).
const GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
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
    /// How many of its bits are the network's.
    pub(crate) prefix: u8,
}

/// A way out: a default route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// The interface that it leaves by, if there is one.
    pub(crate) interface: Option<u32>,
    /// Who takes what goes this way, if it is one machine.
    pub(crate) gateway: Option<IpAddr>,
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
        Self {
            interfaces: all(Rtm::Getlink, interface),
            addresses: all(Rtm::Getaddr, address),
            routes: all(Rtm::Getroute, route),
        }
    }

    /// The address on its wire of a machine at this interface, as far as the kernel knows: nothing is sent for it.
    pub(crate) fn hardware(interface: u32, ip: IpAddr) -> Option<Vec<u8>> {
        all(Rtm::Getneigh, hardware)
            .into_iter()
            .find(|(at, of, _)| (*at, *of) == (interface, ip))
            .map(|it| it.2)
    }

    /// The addresses of interfaces that run.
    pub(crate) fn running(&self) -> BTreeSet<IpAddr> {
        let runs = |address: &&Address| self.interface(address.interface).is_some_and(|one| one.running);
        self.addresses.iter().filter(runs).map(|address| address.ip).collect()
    }

    /// Whether a default route leaves by this interface.
    pub(crate) fn leads_out(&self, interface: u32) -> bool {
        self.routes.iter().any(|route| route.interface == Some(interface))
    }

    /// The interface of this number.
    pub(crate) fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|one| one.index == index)
    }
}

/// A socket that hears of every change, and is not waited for.
pub(crate) fn listen() -> io::Result<NlSocket> {
    let socket = NlSocket::connect(NlFamily::Route, None, Groups::new_groups(&GROUPS))?;
    socket.nonblock()?;
    Ok(socket)
}

/// Takes what the kernel has said. Lost messages (`ENOBUFS`) are news too, and the look that follows misses nothing.
pub(crate) fn drain(socket: &NlSocket) {
    let mut buffer = [0; 8192];
    let goes_on =
        |error: io::Error| matches!(Errno::from_io_error(&error), Some(Errno::NOBUFS | Errno::INTR));
    while socket.recv(&mut buffer, Msg::empty()).map_or_else(goes_on, |_| true) {}
}

fn all<P, T>(kind: Rtm, read: fn(&P) -> Option<T>) -> Vec<T>
where
    P: Size + FromBytesWithInput<Input = usize> + Debug,
{
    let mut found = Vec::new();
    if let Err(error) = dump(kind, |message| found.extend(read(message))) {
        tracing::debug!(%error, "the network cannot be looked at");
    }
    found
}

/// The kernel answers into the socket's queue at once, and always says where the answer ends.
fn dump<P>(kind: Rtm, mut take: impl FnMut(&P)) -> Result<(), Box<dyn Error>>
where
    P: Size + FromBytesWithInput<Input = usize> + Debug,
{
    let every = RtgenmsgBuilder::default().rtgen_family(RtAddrFamily::Unspecified).build()?;
    let request = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(NlmF::REQUEST | NlmF::DUMP)
        .nl_payload(NlPayload::Payload(every))
        .build()?;
    let socket = NlSocketHandle::connect(NlFamily::Route, None, Groups::empty())?;
    socket.send(&request)?;
    loop {
        for message in socket.recv::<Rtm, P>()?.0 {
            let message = message?;
            let NlPayload::Payload(message) = message.nl_payload() else { return Ok(()) };
            take(message);
        }
    }
}

fn interface(link: &Ifinfomsg) -> Option<Interface> {
    let attributes = link.rtattrs().get_attr_handle();
    let about = attributes.get_nested_attributes::<IflaInfo>(Ifla::Linkinfo);
    let kind = about.ok().and_then(|about| Some(text(about.get_attribute(IflaInfo::Kind)?.payload())));
    Some(Interface {
        index: u32::try_from(*link.ifi_index()).ok()?,
        name: text(attributes.get_attribute(Ifla::Ifname)?.payload()),
        running: link.ifi_flags().contains(Iff::RUNNING),
        bridge: kind.is_some_and(|kind| kind == "bridge"),
    })
}

fn text(value: &Buffer) -> String {
    String::from_utf8_lossy(value.as_ref()).trim_end_matches('\0').to_owned()
}

fn address(address: &Ifaddrmsg) -> Option<Address> {
    let attributes = address.rtattrs().get_attr_handle();
    // The attribute is wider than the old field.
    let flags =
        attributes.get_attr_payload_as::<u32>(Ifa::Flags).unwrap_or(address.ifa_flags().bits().into());
    if flags & UNUSABLE != 0 {
        return None;
    }
    // `Local` is ours where `Address` is the other end's.
    let bytes =
        attributes.get_attribute(Ifa::Local).or(attributes.get_attribute(Ifa::Address))?.payload().as_ref();
    let ip = ip(bytes)?;
    let beyond = u8::from(*address.ifa_scope()) < u8::from(RtScope::Link);
    Some(Address { interface: *address.ifa_index(), ip, global: beyond, prefix: *address.ifa_prefixlen() })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The address on its wire, by the kernel's table of neighbours, and whether it has been there lately.
fn hardware(entry: &Ndmsg) -> Option<(u32, IpAddr, Vec<u8>)> {
    if entry.ndm_state().intersects(Nud::INCOMPLETE | Nud::FAILED | Nud::NOARP) {
        return None;
    }
    let attributes = entry.rtattrs().get_attr_handle();
    let ip = ip(attributes.get_attribute(Nda::Dst)?.payload().as_ref())?;
    let wire = attributes.get_attribute(Nda::Lladdr)?.payload().as_ref().to_vec();
    Some((u32::try_from(*entry.ndm_index()).ok()?, ip, wire))
}

fn route(route: &Rtmsg) -> Option<Route> {
    let (default, main) = (*route.rtm_dst_len() == 0, *route.rtm_table() == RtTable::Main);
    if !default || !main || *route.rtm_type() != Rtn::Unicast {
        return None;
    }
    let attributes = route.rtattrs().get_attr_handle();
    let mut said = vec![u8::from(*route.rtm_family())];
    for kind in [Rta::Oif, Rta::Gateway, Rta::Priority, Rta::Multipath] {
        if let Some(value) = attributes.get_attribute(kind) {
            said.extend(u16::from(kind).to_ne_bytes());
            said.extend(value.payload().as_ref());
        }
    }
    // Of several ways at once (rtnexthop: length, flags, hops, interface) the first one.
    let several = || attributes.get_attribute(Rta::Multipath)?.payload().as_ref().get(4..8)?.try_into().ok();
    let interface = attributes.get_attr_payload_as(Rta::Oif).ok();
    let gateway = attributes.get_attribute(Rta::Gateway).and_then(|value| ip(value.payload().as_ref()));
    Some(Route { interface: interface.or_else(|| several().map(u32::from_ne_bytes)), gateway, said })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn read<P: FromBytesWithInput<Input = usize>>(body: &[u8]) -> P {
        P::from_bytes_with_input(&mut Cursor::new(body), body.len()).unwrap()
    }

    fn addressed(interface: u8, scope: u8, lifetime: u8) -> Option<Address> {
        let mut body = vec![2, 24, 0x80, scope, interface, 0, 0, 0];
        body.extend(attribute(1, &[192, 0, 2, 1]));
        body.extend(attribute(6, &[lifetime; 16]));
        address(&read(&body))
    }

    #[test]
    fn a_renewed_lifetime_changes_nothing_and_another_interface_does() {
        assert_eq!(addressed(7, 0, 1), addressed(7, 0, 2));
        assert_ne!(addressed(8, 0, 1), addressed(7, 0, 1));
        assert!(addressed(7, 0, 1).unwrap().global && !addressed(7, 253, 1).unwrap().global);
    }

    #[test]
    fn an_address_that_is_not_proved_to_be_ours_is_none_yet() {
        let mut body = vec![10, 64, 0x40, 0, 7, 0, 0, 0];
        body.extend(attribute(1, &[0xfd; 16]));
        assert_eq!(address(&read(&body)), None);
    }

    #[test]
    fn ways_out_are_default_routes_of_the_main_table() {
        let by = |length: u8, table: u8, kind: u8| {
            let mut body = vec![2, length, 0, 0, table, 3, 0, kind, 0, 0, 0, 0];
            body.extend(attribute(5, &[192, 0, 2, 254]));
            body.extend(attribute(4, &3_u32.to_ne_bytes()));
            route(&read(&body)).and_then(|route| route.interface)
        };
        assert_eq!(by(0, 254, 1), Some(3));
        assert_eq!((by(24, 254, 1), by(0, 255, 1)), (None, None));
        assert_eq!(by(0, 254, 7), None, "a way that is blocked leads nowhere");
    }

    #[test]
    fn a_way_out_names_its_gateway() {
        let mut body = vec![2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(5, &[192, 0, 2, 254]));
        assert_eq!(route(&read(&body)).unwrap().gateway, Some([192, 0, 2, 254].into()));
    }

    #[test]
    fn the_hardware_address_of_who_did_not_answer_is_none() {
        let entry = |state: u8| {
            let mut body = vec![2, 0, 0, 0, 3, 0, 0, 0, state, 0, 0, 1];
            body.extend(attribute(1, &[192, 0, 2, 254]));
            body.extend(attribute(2, &[2, 0, 0, 0, 0, 1]));
            hardware(&read(&body))
        };
        assert_eq!(entry(4), Some((3, [192, 0, 2, 254].into(), vec![2, 0, 0, 0, 0, 1])), "not lately");
        assert_eq!((entry(1), entry(32)), (None, None));
    }

    #[test]
    fn of_several_ways_at_once_the_first_one_counts() {
        let mut body = vec![2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(9, &[8, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 6, 0, 0, 0]));
        assert_eq!(route(&read(&body)).unwrap().interface, Some(5));
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
            interface(&read(&body)).unwrap()
        };
        let expected = Interface { index: 5, name: "br-1234".to_owned(), running: true, bridge: true };
        assert_eq!(link(0x1 | 0x40, b"bridge\0"), expected);
        assert!(!link(0x1, b"bridge\0").running && !link(0x41, b"veth\0").bridge);
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let network = Network::look();
        let lo = network.interfaces.iter().find(|one| one.name == "lo").expect("every machine has it");
        assert!(lo.running && !lo.bridge && !network.leads_out(lo.index));
        let own = |address: &Address| address.interface == lo.index && address.ip.is_loopback();
        assert!(network.addresses.iter().any(own));
    }
}
