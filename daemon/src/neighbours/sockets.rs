//! The sockets at one interface: two for multicast DNS, one for each address where neighbours connect.
//!
//! Lives here: opening them so that nothing leaves or enters by another interface, beside any other program that speaks mDNS.
//! Must not: read or write.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rustix::io::Errno;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::place::Place;

/// The port of multicast DNS.
const PORT: u16 = 5353;
/// Its groups.
const GROUP_4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Connections that wait to be taken.
const BACKLOG: u32 = 16;

/// Where to send so that all hear it.
pub(super) fn group(four: bool, interface: u32) -> SocketAddr {
    match four {
        true => (GROUP_4, PORT).into(),
        false => SocketAddrV6::new(GROUP_6, PORT, 0, interface).into(),
    }
}

/// The socket of multicast DNS of one family.
pub(super) fn multicast(place: &Place, four: bool) -> io::Result<UdpSocket> {
    let domain = if four { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    // The system's own responder has the same port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind_device(Some(place.name.as_bytes()))?;
    if four {
        let own = place.addresses.iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(*ip),
            IpAddr::V6(_) => None,
        });
        let own = own.ok_or(Errno::ADDRNOTAVAIL)?;
        socket.set_multicast_ttl_v4(255)?;
        socket.set_multicast_if_v4(&own)?;
        socket.join_multicast_v4_n(&GROUP_4, &InterfaceIndexOrAddress::Index(place.interface))?;
    } else {
        if !place.addresses.iter().any(IpAddr::is_ipv6) {
            return Err(Errno::ADDRNOTAVAIL.into());
        }
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(255)?;
        socket.set_multicast_if_v6(place.interface)?;
        socket.join_multicast_v6(&GROUP_6, place.interface)?;
    }
    // What was sent to this machine alone, perhaps from afar, is not heard.
    socket.bind(&group(four, place.interface).into())?;
    UdpSocket::from_std(socket.into())
}

/// Listens at all our addresses of the network, at one port that the kernel chooses.
pub(super) fn listen(place: &Place) -> io::Result<(u16, Vec<TcpListener>)> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut port = 0;
    for ip in &place.addresses {
        let at = with_scope(*ip, port, place.interface);
        let bound = socket(&place.name, *ip).and_then(|socket| {
            socket.bind(at)?;
            socket.listen(BACKLOG)
        });
        match bound {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) => tracing::debug!(%error, "neighbours cannot connect to one of our addresses"),
        }
    }
    if listeners.is_empty() { Err(Errno::ADDRNOTAVAIL.into()) } else { Ok((port, listeners)) }
}

/// Connects to a neighbour by that interface alone.
pub(super) async fn connect(interface: &str, at: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket(interface, at.ip())?.connect(at).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One empty datagram to the gateway, so that the kernel learns its hardware address.
pub(super) fn ask_who_is(place: &Place) {
    let at = with_scope(place.gateway, 9, place.interface);
    let any: IpAddr = if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sent = std::net::UdpSocket::bind((any, 0)).and_then(|socket| socket.send_to(&[], at));
    if let Err(error) = sent {
        tracing::debug!(%error, "the gateway cannot be asked for");
    }
}

fn socket(interface: &str, ip: IpAddr) -> io::Result<TcpSocket> {
    let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind_device(Some(interface.as_bytes()))?;
    Ok(socket)
}

fn with_scope(ip: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(ip) => (ip, port).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, interface).into(),
    }
}
