//! TURN servers by TCP and TLS, which the WebRTC library does not know: to it each looks like one by UDP.
//!
//! Lives here: the socket that carries the library's datagrams, the streams behind it, and requests whose nonce has ended.
//! Must not: make a request of TURN for itself, or answer one that a server could.

mod backlog;
mod carrier;
mod framing;
mod nonce;
mod refusal;
mod socket;
mod stand_in;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

use tokio::task::JoinSet;

pub(super) use self::carrier::Carrier;
pub(super) use self::nonce::Requests;
pub(super) use self::socket::{PathSocket, Ways};
pub(super) use self::stand_in::{is_stand_in, server_of, stand_in};
pub(super) use self::stream::{Around, StreamServer};

/// Begins a task for each of these, and returns the way to it with the address that stands in for it.
pub(super) fn begin(
    servers: &[StreamServer],
    home: SocketAddr,
    around: &Around,
    tasks: &mut JoinSet<()>,
) -> io::Result<Vec<(SocketAddr, UnixDatagram)>> {
    let each = servers.iter().enumerate().map(|(number, server)| {
        let (library, stream) = socket::pair()?;
        tasks.spawn(stream::run(number, server.clone(), stream, around.clone()));
        Ok((stand_in(number, server.carrier, home.ip()), library))
    });
    each.collect()
}
