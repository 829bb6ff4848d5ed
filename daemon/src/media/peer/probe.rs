//! One STUN or TURN server, tried by itself: is it of any use from here?
//!
//! Lives here: a question for our address, or a real allocation and its release, by the transport that the server's URL names.
//! Must not: carry a call's media; keep an allocation; tell an address to anybody.

use std::net::SocketAddr;
use std::time::Duration;

use rtc::sansio::Protocol as _;
use rtc::shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc::stun::attributes::ATTR_ERROR_CODE;
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Getter as _, METHOD_REFRESH, Message,
};
use rtc::turn::client::{Client, ClientConfig, Event};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::servers;
use crate::system::trust::Trust;
use crate::system::{clock, names};
use crate::values::diagnosis::{Useless, Wire};
use crate::values::ice::IceServer;

/// A server's name may have several addresses; so many are tried, one after the other.
const ADDRESSES: usize = 3;
/// How long one of them may take; a lost datagram comes again after 200, 400, 800 ms.
const EACH: Duration = Duration::from_secs(2);
/// How long the release of an allocation may take; it ends by itself in some minutes.
const RELEASE: Duration = Duration::from_secs(1);
/// No answer of a server's is longer.
const LONGEST: usize = 2_048;
/// The head of a STUN message (RFC 8489 §5).
const HEAD: usize = 20;

/// Asks the server behind the first URL of `server`. Returns how long it took until it was of use.
pub async fn probe(server: IceServer, wire: Wire, trust: Trust) -> Result<Duration, Useless> {
    let url = servers::urls(&[server]).into_iter().next().ok_or(Useless::Spelling)?;
    let found = names::look_up(&url.host, url.port).await.map_err(|_| Useless::NoName)?;
    let mut last = Useless::NoName;
    for address in found.into_iter().take(ADDRESSES) {
        let began = clock::now();
        let tried = async {
            let pipe = Pipe::open(wire, &url.host, address, &trust).await?;
            let mut server = Server::new(pipe, address, &url.username, &url.password)?;
            server.ask(wire).await.map(|()| server)
        };
        match clock::timeout(EACH, tried).await {
            Ok(Ok(mut server)) => {
                let took = clock::now().since(began);
                let released = clock::timeout(RELEASE, server.release()).await;
                tracing::debug!(
                    ?wire,
                    ?took,
                    released = matches!(released, Ok(Ok(()))),
                    "a server is of use"
                );
                return Ok(took);
            }
            Ok(Err(useless)) => last = useless,
            Err(_over) => last = Useless::Silent,
        }
    }
    Err(last)
}

trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytes for S {}

/// What carries messages to the server.
enum Pipe {
    Datagrams(UdpSocket),
    Stream {
        bytes: Box<dyn Bytes>,
        local: SocketAddr,
        /// What came and is no whole message yet.
        received: Vec<u8>,
    },
}

impl Pipe {
    async fn open(wire: Wire, host: &str, to: SocketAddr, trust: &Trust) -> Result<Self, Useless> {
        let away = |_| Useless::Unreachable;
        match wire {
            Wire::Stun | Wire::Udp => {
                let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
                let socket = UdpSocket::bind(any).await.map_err(away)?;
                socket.connect(to).await.map_err(away)?;
                Ok(Self::Datagrams(socket))
            }
            Wire::Tcp | Wire::Tls => {
                let tcp = TcpStream::connect(to).await.map_err(away)?;
                let local = tcp.local_addr().map_err(away)?;
                let bytes: Box<dyn Bytes> = if wire == Wire::Tcp {
                    Box::new(tcp)
                } else {
                    let config = trust.config().await.map_err(|_| Useless::Certificate)?;
                    let name = ServerName::try_from(host.to_owned()).map_err(|_| Useless::Spelling)?;
                    let sealed = TlsConnector::from(config).connect(name, tcp).await;
                    Box::new(sealed.map_err(|error| match Trust::refuses(&error) {
                        true => Useless::Certificate,
                        false => Useless::Nonsense,
                    })?)
                };
                Ok(Self::Stream { bytes, local, received: Vec::new() })
            }
        }
    }

    fn local(&self) -> Result<SocketAddr, Useless> {
        match self {
            Self::Datagrams(socket) => socket.local_addr().map_err(|_| Useless::Unreachable),
            Self::Stream { local, .. } => Ok(*local),
        }
    }

    fn transport(&self) -> TransportProtocol {
        match self {
            Self::Datagrams(_) => TransportProtocol::UDP,
            Self::Stream { .. } => TransportProtocol::TCP,
        }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), Useless> {
        let sent = match self {
            Self::Datagrams(socket) => socket.send(message).await.map(drop),
            Self::Stream { bytes, .. } => bytes.write_all(message).await,
        };
        sent.map_err(|_| Useless::Unreachable)
    }

    /// The next whole message. Dropping it loses nothing.
    async fn receive(&mut self) -> Result<Vec<u8>, Useless> {
        match self {
            Self::Datagrams(socket) => {
                let mut message = vec![0; LONGEST];
                // Refused: the machine is there, and nobody listens.
                let length = socket.recv(&mut message).await.map_err(|_| Useless::Unreachable)?;
                message.truncate(length);
                Ok(message)
            }
            Self::Stream { bytes, received, .. } => loop {
                if let Some(end) = end(received)? {
                    let rest = received.split_off(end);
                    return Ok(std::mem::replace(received, rest));
                }
                if bytes.read_buf(received).await.map_err(|_| Useless::Unreachable)? == 0 {
                    return Err(Useless::Nonsense);
                }
            },
        }
    }
}

/// Where the first STUN message in a stream ends, if it is whole (RFC 8656 §3.1: its length is its frame).
fn end(received: &[u8]) -> Result<Option<usize>, Useless> {
    let Some(&[first, _, high, low]) = received.first_chunk() else { return Ok(None) };
    let end = HEAD + usize::from(u16::from_be_bytes([high, low]));
    if first >= 0x40 || end > LONGEST {
        return Err(Useless::Nonsense);
    }
    Ok((received.len() >= end).then_some(end))
}

/// The server, as the library talks to it.
struct Server {
    client: Client,
    pipe: Pipe,
    context: TransportContext,
    /// The last code with which it refused.
    refused: Option<u16>,
    /// What is there to give back.
    relayed: Option<SocketAddr>,
    released: bool,
}

impl Server {
    fn new(pipe: Pipe, remote: SocketAddr, username: &str, password: &str) -> Result<Self, Useless> {
        let (local_addr, transport_protocol) = (pipe.local()?, pipe.transport());
        let config = ClientConfig {
            stun_serv_addr: remote.to_string(),
            turn_serv_addr: remote.to_string(),
            local_addr,
            transport_protocol,
            username: username.to_owned(),
            password: password.to_owned(),
            ..ClientConfig::default()
        };
        let provider = rtc::crypto::default_provider().map_err(|_| Useless::Nonsense)?;
        let client = Client::new(config, provider).map_err(|_| Useless::Spelling)?;
        let context = TransportContext { local_addr, peer_addr: remote, transport_protocol, ecn: None };
        Ok(Self { client, pipe, context, refused: None, relayed: None, released: false })
    }

    /// Until it has told our address, or allocated one.
    async fn ask(&mut self, wire: Wire) -> Result<(), Useless> {
        let now = clock::instant();
        let asked = match wire {
            Wire::Stun => self.client.send_binding_request(now),
            Wire::Udp | Wire::Tcp | Wire::Tls => self.client.allocate(now),
        };
        asked.map_err(|_| Useless::Nonsense)?;
        loop {
            while let Some(event) = self.client.poll_event() {
                let refused = self.refused.map_or(Useless::Nonsense, Useless::Refused);
                #[expect(clippy::wildcard_enum_match_arm, reason = "the library's set is open")]
                match event {
                    Event::BindingResponse(..) => return Ok(()),
                    Event::AllocateResponse(_, relayed) => {
                        self.relayed = Some(relayed);
                        return Ok(());
                    }
                    Event::BindingError(..) | Event::AllocateError(..) => return Err(refused),
                    Event::TransactionTimeout(_) => return Err(Useless::Silent),
                    _ => {}
                }
            }
            self.step().await?;
        }
    }

    /// Gives back what was allocated, until the server has said so.
    async fn release(&mut self) -> Result<(), Useless> {
        let Some(relayed) = self.relayed.take() else { return Ok(()) };
        let closed = self.client.relay(relayed).and_then(|mut relay| relay.close(clock::instant()));
        closed.map_err(|_| Useless::Nonsense)?;
        while !self.released {
            self.step().await?;
        }
        Ok(())
    }

    /// Sends what is due, and hears one message or waits until something is due.
    async fn step(&mut self) -> Result<(), Useless> {
        while let Some(out) = self.client.poll_write() {
            self.pipe.send(&out.message).await?;
        }
        let due = self.client.poll_timeout();
        let left = due.map_or(EACH, |due| due.saturating_duration_since(clock::instant()));
        if let Ok(message) = clock::timeout(left, self.pipe.receive()).await {
            self.hear(&message?);
        }
        self.client.handle_timeout(clock::instant()).map_err(|_| Useless::Nonsense)
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut message = Message::new();
        bytes.clone_into(&mut message.raw);
        if message.decode().is_err() {
            return tracing::debug!("what a server says is no STUN message");
        }
        let (class, method) = (message.typ.class, message.typ.method);
        if class == CLASS_ERROR_RESPONSE && message.contains(ATTR_ERROR_CODE) {
            let mut code = ErrorCodeAttribute::default();
            self.refused = code.get_from(&message).ok().map(|()| code.code.0);
        }
        self.released |= class == CLASS_SUCCESS_RESPONSE && method == METHOD_REFRESH;
        let came = TransportMessage { now: clock::instant(), transport: self.context, message: bytes.into() };
        if let Err(error) = self.client.handle_read(came) {
            tracing::debug!(%error, "a server's message is dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn server(url: String) -> IceServer {
        IceServer { urls: vec![url], username: "u".to_owned(), credential: "c".to_owned() }
    }

    #[tokio::test]
    async fn where_nobody_listens_and_what_talks_nonsense_is_told_apart() {
        let port = {
            let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
            gone.local_addr().unwrap().port()
        };
        let closed = server(format!("turn:127.0.0.1:{port}?transport=tcp"));
        assert_eq!(probe(closed, Wire::Tcp, Trust::default()).await, Err(Useless::Unreachable));
        let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("turn:{}?transport=tcp", web.local_addr().unwrap());
        let answering = async {
            let (mut client, _) = web.accept().await.unwrap();
            client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            client
        };
        let (said, _kept) = tokio::join!(probe(server(url), Wire::Tcp, Trust::default()), answering);
        assert_eq!(said, Err(Useless::Nonsense));
        let unspelled = server("turn:".to_owned());
        assert_eq!(probe(unspelled, Wire::Udp, Trust::default()).await, Err(Useless::Spelling));
    }

    #[test]
    fn a_message_in_a_stream_is_as_long_as_it_says_and_not_without_end() {
        assert_eq!(end(&[0, 1, 0]), Ok(None));
        let whole = [&[0, 1, 0, 4][..], &[0; 20]].concat();
        assert_eq!(end(&whole[..23]), Ok(None));
        assert_eq!(end(&[&whole[..], &[9; 7]].concat()), Ok(Some(24)));
        assert_eq!(end(&[0, 1, 0xff, 0]), Err(Useless::Nonsense));
        assert_eq!(end(b"HTTP"), Err(Useless::Nonsense));
    }
}
