//! A TURN server that is reached by TCP or TLS (RFC 8656 §2.1).
//!
//! Lives here: the task of one: when it connects, what it carries between the server and the library, what happens when it cannot.
//! Must not: know TURN beyond the bounds of its messages; queue a voice.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixDatagram as Pair;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixDatagram};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::backlog::Backlog;
use super::carrier::Carrier;
use super::framing::{Framing, LONGEST, framed};
use super::refusal::refusal;
use super::socket::{self, expedite};
use crate::media::peer::known::{self, Known};
use crate::system::clock;
use crate::system::race::{interleaved, race};
use crate::system::trust::{Trust, TrustError};

/// From the first request to a server that can be written to. One that never answers is given up.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// Bytes that the kernel holds back unsent: what lies there cannot be dropped any more. About a tenth of a second.
const UNSENT: u32 = 1_024;

/// A TURN server that the library cannot reach itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct StreamServer {
    /// A name or an address.
    pub(in super::super) host: String,
    /// Its port.
    pub(in super::super) port: u16,
    /// By TCP or TLS.
    pub(in super::super) carrier: Carrier,
    /// How long others are given before it is connected to.
    pub(in super::super) after: Duration,
}

/// What the streams of one path share.
#[derive(Clone)]
pub(in super::super) struct Around {
    /// Local addresses that may be used; any if empty.
    pub(in super::super) local: Vec<IpAddr>,
    pub(in super::super) trust: Trust,
    pub(in super::super) names: Option<watch::Receiver<Known>>,
    /// The cheapest way that was found to a server that serves, or to the other side: what costs more and is not connected by then
    /// is not needed.
    pub(in super::super) found: watch::Receiver<Option<Carrier>>,
    /// Hears of the end of a stream that was used, by its number.
    pub(in super::super) ended: Arc<dyn Fn(usize) + Send + Sync>,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
enum NoStream {
    #[error("its name has no address yet")]
    Name,
    #[error("it does not answer in time")]
    Late,
    #[error("another way was found before")]
    NotNeeded,
    #[error("it cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// The names in a certificate's fault stay out of the log: they say whose network this is.
    #[error("its certificate is refused, or TLS with it does not stand")]
    Tls,
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the server closed it")]
    Closed,
    #[error(transparent)]
    Nonsense(#[from] super::framing::Nonsense),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What bytes travel on.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Carries what the library writes into `library`, until it is aborted. `number` is told when it ends.
pub(super) async fn run(number: usize, server: StreamServer, library: Pair, around: Around) {
    let library = match UnixDatagram::from_std(library) {
        Ok(library) => library,
        Err(error) => return tracing::warn!(%error, "a TURN server by TCP cannot be used"),
    };
    let mut datagram = [0; LONGEST];
    let mut backlog = Backlog::default();
    // Nothing is connected before the library asks for it.
    let mut written = library.recv(&mut datagram).await;
    let tell_ended = Arc::clone(&around.ended);
    let opening = open(&server, around);
    tokio::pin!(opening);
    let opened = loop {
        match written {
            Ok(count) => put(&mut backlog, &datagram[..count]),
            Err(error) => return tracing::debug!(%error, "a path has closed"),
        }
        tokio::select! {
            opened = &mut opening => break opened,
            next = library.recv(&mut datagram) => written = next,
        }
    };
    match opened {
        Ok(stream) => {
            let ended = carry(stream, &library, &mut backlog).await;
            tracing::debug!(error = %ended, "a stream to a TURN server ended");
            tell_ended(number);
        }
        Err(error) => tracing::debug!(%error, "a TURN server by TCP or TLS is not used"),
    }
    while let Some(unanswered) = backlog.next(clock::now()) {
        refuse(&library, &unanswered);
    }
    // Those that a stream took with it come again.
    while let Ok(count) = library.recv(&mut datagram).await {
        refuse(&library, &datagram[..count]);
    }
}

fn refuse(library: &UnixDatagram, datagram: &[u8]) {
    // Who does not read it repeats its request.
    let _unread = refusal(datagram).map(|answer| socket::put(library, &answer));
}

fn put(backlog: &mut Backlog, datagram: &[u8]) {
    match framed(datagram) {
        Some(message) => backlog.put(clock::now(), message),
        None => tracing::debug!("what is not for a TURN server does not go to one"),
    }
}

async fn open(server: &StreamServer, around: Around) -> Result<Box<dyn Bytes>, NoStream> {
    let mut found = around.found.clone();
    let connected = async {
        clock::sleep(server.after).await;
        clock::timeout(CONNECTED_WITHIN, connect(server, &around)).await.unwrap_or(Err(NoStream::Late))
    };
    tokio::select! {
        // If the path is gone, too.
        _ = found.wait_for(|found| found.is_some_and(|found| found < server.carrier)) => Err(NoStream::NotNeeded),
        connected = connected => connected,
    }
}

async fn connect(server: &StreamServer, around: &Around) -> Result<Box<dyn Bytes>, NoStream> {
    let host = match server.host.contains(':') {
        true => format!("[{}]:{}", server.host, server.port),
        false => format!("{}:{}", server.host, server.port),
    };
    let until = clock::now() + CONNECTED_WITHIN;
    let known = known::of(around.names.as_ref(), &host, until).await.ok_or(NoStream::Name)?;
    let (_, tcp) = race(interleaved(known, None), |address| dial(address, &around.local)).await?;
    match server.carrier {
        Carrier::Tls => Ok(Box::new(seal(server, &around.trust, tcp).await?)),
        Carrier::Tcp | Carrier::Udp => Ok(Box::new(tcp)),
    }
}

/// Begins TLS with who must show that it is the server of this name or address.
async fn seal(
    server: &StreamServer,
    trust: &Trust,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, NoStream> {
    let config = trust.config().await?;
    let name = ServerName::try_from(server.host.clone()).map_err(|_| NoStream::Tls)?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        trust.failed(&error);
        NoStream::Tls
    })
}

async fn dial(address: SocketAddr, local: &[IpAddr]) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if !local.is_empty() {
        let own = local.iter().find(|own| own.is_ipv4() == address.is_ipv4());
        let own = own.ok_or(io::ErrorKind::AddrNotAvailable)?;
        socket.bind(SocketAddr::new(*own, 0))?;
    }
    expedite(&socket, address.is_ipv4());
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the kernel may hold a voice back");
    }
    Ok(stream)
}

/// Both ways, until it ends.
async fn carry(stream: Box<dyn Bytes>, library: &UnixDatagram, backlog: &mut Backlog) -> Ended {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let (mut read, mut datagram) = ([0; 4_096], [0; LONGEST]);
    let mut framing = Framing::default();
    let (mut out, mut unflushed) = (Vec::new(), false);
    loop {
        if out.is_empty() && !unflushed {
            out = backlog.next(clock::now()).unwrap_or_default();
        }
        let idle = out.is_empty() && !unflushed;
        tokio::select! {
            count = reading.read(&mut read) => {
                let taken = match count {
                    Ok(0) => return Ended::Closed,
                    // What finds no room is lost, as a datagram would be.
                    Ok(count) => framing.take(&read[..count], |message| {
                        socket::put(library, message);
                    }),
                    Err(error) => return error.into(),
                };
                if let Err(nonsense) = taken {
                    return nonsense.into();
                }
            }
            count = library.recv(&mut datagram) => match count {
                Ok(count) => put(backlog, &datagram[..count]),
                Err(error) => return error.into(),
            },
            written = write(&mut writing, &mut out, &mut unflushed), if !idle => if let Err(error) = written {
                return error.into();
            },
        }
    }
}

/// Some of it, or all that TLS holds back. The next message waits for that: what TLS has taken cannot be dropped.
async fn write(
    writing: &mut (impl AsyncWrite + Unpin),
    out: &mut Vec<u8>,
    unflushed: &mut bool,
) -> io::Result<()> {
    if out.is_empty() {
        writing.flush().await?;
        *unflushed = false;
        return Ok(());
    }
    let count = writing.write(out).await?;
    if count == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    out.drain(..count);
    *unflushed = true;
    Ok(())
}

#[cfg(test)]
mod tests;
