//! The switchboard on real sockets.
//!
//! Lives here: the listener, the task that owns the switchboard, a bounded queue for each client.
//! Must not: decide anything about frames.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ahoy_proto::frame::CloseCode;
use ahoy_proto::limits;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::backend::Memory;
use crate::clock;
use crate::config::Limits;
use crate::connection::{Connection, Input};
use crate::switchboard::{ClientId, Delivery, Switchboard, What};
use crate::time::Moment;
use crate::turn::Ice;

pub use crate::connection::Timing;

/// Bytes that the kernel holds for a client that does not read. Small, so that our own bound is what counts.
const SEND_BUFFER: u32 = 64 * 1024;

/// Frames of all clients that wait for the switchboard; past it clients are read more slowly.
const INPUTS: usize = 1_024;

/// After the machine refused a connection (no file descriptor), the next is taken no sooner.
const PAUSE: Duration = Duration::from_millis(100);

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where. Port 0: any free one.
    pub listen: SocketAddr,
    /// Certificate and key. Without it only loopback is listened on.
    pub tls: Option<Arc<ServerConfig>>,
    /// STUN and TURN servers.
    pub ice: Ice,
    /// How much is kept.
    pub limits: Limits,
    /// How long things may take.
    pub timing: Timing,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Plain text would leave the machine.
    #[error(
        "{0} is not loopback: without a certificate (--tls-cert, --tls-key) only loopback is listened on"
    )]
    PlainAbroad(SocketAddr),
    /// The address is taken or not ours.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

/// Why a certificate is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{0}: {1}")]
    File(String, #[source] pem::Error),
    /// Certificate and key do not fit.
    #[error("the certificate cannot be used: {0}")]
    Library(#[from] rustls::Error),
}

/// Reads a certificate with its chain, and its key, from PEM files.
pub fn tls(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let bad = |path: &Path| {
        let path = path.display().to_string();
        move |error| TlsError::File(path, error)
    };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(bad(cert))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(bad(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key)?))
}

/// A relay that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
    seed: [u8; 32],
}

impl Server {
    /// Listens; clients wait until `run`.
    pub fn bind(settings: Settings) -> Result<Self, BindError> {
        let address = settings.listen;
        if settings.tls.is_none() && !address.ip().is_loopback() {
            return Err(BindError::PlainAbroad(address));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(BindError::Random)?;
        let listener = listen(address).map_err(|error| BindError::Listen(address, error))?;
        let address = listener.local_addr().map_err(|error| BindError::Listen(address, error))?;
        Ok(Self { listener, address, settings, seed })
    }

    /// Where it listens, as clients write it.
    pub fn url(&self) -> String {
        let scheme = if self.settings.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop`, then closes every connection (1001).
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (sender, mut inputs) = mpsc::channel(INPUTS);
        let timing = self.settings.timing;
        let memory = Memory::new(self.settings.limits.bounds());
        let mut board = Switchboard::with_backend(self.seed, self.settings.ice, memory);
        board.claim_within(timing.claim_within);
        let tls = self.settings.tls.map(TlsAcceptor::from);
        let mut exchange = Exchange { board, clients: BTreeMap::new() };
        let mut connections = JoinSet::new();
        let mut last = 0;
        let mut paused: Option<Moment> = None;
        loop {
            let due = exchange.board.deadline();
            let wake = due.into_iter().chain(paused).min();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(input) = inputs.recv() => exchange.take(input),
                accepted = self.listener.accept(), if paused.is_none() => match accepted {
                    Ok((tcp, from)) if exchange.clients.len() < self.settings.limits.connections => {
                        last += 1;
                        let client = ClientId(last);
                        let (connection, line) = line(client, tls.clone(), timing, sender.clone(), from);
                        exchange.clients.insert(client, line);
                        connections.spawn(connection.run(tcp));
                    }
                    Ok((tcp, _)) => refuse(tcp),
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be taken");
                        paused = Some(clock::now() + PAUSE);
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                }
                () = clock::sleep_until(wake.unwrap_or_default()), if wake.is_some() => {
                    // The answers leave first, then is looked up whom they concern.
                    tokio::task::yield_now().await;
                    let now = clock::now();
                    paused = paused.filter(|until| *until > now);
                    exchange.tick(now);
                }
            }
        }
        drop(self.listener);
        exchange.close_all();
        // Connections may still report their end.
        let ending = async { while connections.join_next().await.is_some() {} };
        let drain = async { while inputs.recv().await.is_some() {} };
        tokio::select! {
            _late = clock::timeout(timing.goodbye * 2, ending) => {}
            () = drain => {}
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // What is accepted inherits it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(1_024)
}

fn refuse(tcp: TcpStream) {
    tracing::warn!("too many connections: one is refused");
    drop(tcp);
}

/// The switchboard, and the way to each client.
struct Exchange {
    board: Switchboard,
    clients: BTreeMap<ClientId, Line>,
}

/// The way to one client.
struct Line {
    from: SocketAddr,
    queue: mpsc::Sender<String>,
    queued: Arc<AtomicUsize>,
    close: oneshot::Sender<CloseCode>,
}

fn line(
    client: ClientId,
    tls: Option<TlsAcceptor>,
    timing: Timing,
    board: mpsc::Sender<Input>,
    from: SocketAddr,
) -> (Connection, Line) {
    let (sender, queue) = mpsc::channel(limits::QUEUE_MESSAGES);
    let (closer, close) = oneshot::channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let connection = Connection { client, tls, timing, board, queue, queued: Arc::clone(&queued), close };
    (connection, Line { from, queue: sender, queued, close: closer })
}

impl Exchange {
    fn take(&mut self, input: Input) {
        let now = clock::now();
        match input {
            Input::Opened(client) => {
                if let Some(line) = self.clients.get(&client) {
                    self.board.calendar(now, clock::unix_s());
                    self.board.connect(now, client, line.from.ip());
                }
            }
            Input::Frame(client, frame) => {
                let deliveries = self.board.handle(now, client, frame);
                self.deliver(now, deliveries);
            }
            Input::Nonsense(client) => {
                let deliveries = self.board.nonsense(now, client);
                self.deliver(now, deliveries);
            }
            Input::Gone(client) => {
                self.board.disconnect(now, client);
                self.clients.remove(&client);
            }
        }
    }

    fn tick(&mut self, now: Moment) {
        let deliveries = self.board.tick(now);
        self.deliver(now, deliveries);
    }

    fn deliver(&mut self, now: Moment, deliveries: Vec<Delivery>) {
        for Delivery { to, what } in deliveries {
            match what {
                What::Close(code) => self.close(to, code),
                What::Say(frame) => {
                    let Some(line) = self.clients.get(&to) else { continue };
                    let text = frame.to_text();
                    let bytes = text.len();
                    let before = line.queued.fetch_add(bytes, Ordering::Relaxed);
                    if before + bytes > limits::QUEUE_BYTES || line.queue.try_send(text).is_err() {
                        tracing::debug!("a client does not read");
                        self.board.disconnect(now, to);
                        self.close(to, CloseCode::Slow);
                    }
                }
            }
        }
    }

    fn close(&mut self, client: ClientId, code: CloseCode) {
        if let Some(line) = self.clients.remove(&client) {
            // Its task may have ended by itself.
            let _gone = line.close.send(code);
        }
    }

    fn close_all(&mut self) {
        for (_, line) in std::mem::take(&mut self.clients) {
            let _gone = line.close.send(CloseCode::GoingAway);
        }
    }
}
