//! The switchboard on real sockets.
//!
//! Lives here: the listener, the loop that looks at everything in turn.
//! Must not: decide anything about frames.

use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio::net::{TcpListener, TcpSocket};

use crate::clock;
use crate::exchange::Exchange;
use crate::time::Moment;

pub use crate::connection::Timing;
pub use crate::settings::Settings;

/// Bytes that the kernel holds for a client that does not read, or that we do not read. It takes twice as much, and its
/// memory is ours: small, so that our own bounds are what counts.
const KERNEL_BUFFER: u32 = 16 * 1024;

/// Newcomers that are taken in a row.
const NEWCOMERS: usize = 64;

/// After the machine refused a connection (no file descriptor), the next is taken no sooner.
const PAUSE: Duration = Duration::from_millis(100);

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
        let Self { listener, settings, seed, .. } = self;
        let timing = settings.timing;
        let (mut exchange, mut inputs) = Exchange::new(seed, settings);
        let mut paused: Option<Moment> = None;
        loop {
            let wake = exchange.deadline().into_iter().chain(paused).min();
            // In no order: none of these may keep the others waiting.
            tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept(), if paused.is_none() => {
                    let mut next = Some(accepted);
                    // A few at a time: a look at everything else costs more than a newcomer.
                    for _ in 0..NEWCOMERS {
                        match next {
                            Some(Ok((tcp, from))) => exchange.arrived(tcp, from.ip()),
                            Some(Err(error)) => {
                                tracing::warn!(%error, "a connection cannot be taken");
                                paused = Some(clock::now() + PAUSE);
                                break;
                            }
                            None => break,
                        }
                        next = listener.accept().now_or_never();
                    }
                }
                Some(input) = inputs.recv() => {
                    exchange.take(input);
                    while let Ok(input) = inputs.try_recv() {
                        exchange.take(input);
                    }
                }
                () = ready(()), if exchange.has_work() => {
                    exchange.work();
                    // The answers leave, and sockets are read.
                    tokio::task::yield_now().await;
                }
                () = exchange.ended() => {}
                () = clock::sleep_until(wake.unwrap_or_default()), if wake.is_some() => {
                    // The answers leave first, then is looked up whom they concern.
                    tokio::task::yield_now().await;
                    let now = clock::now();
                    paused = paused.filter(|until| *until > now);
                    exchange.tick(now);
                }
            }
        }
        drop(listener);
        // Connections may still report their end.
        let ending = exchange.close_all();
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
    socket.set_send_buffer_size(KERNEL_BUFFER)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    socket.bind(address)?;
    socket.listen(1_024)
}
