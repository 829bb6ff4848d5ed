//! The runtime under the WebRTC library, with a driver that never sleeps long while a path is set up.
//!
//! Lives here: the wrapper that caps the library's sleeps, answers its questions for names and stands behind its sockets.
//! Must not: change anything else of what the library asks for.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ahoy_call::Moment;
use tokio::sync::watch;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

use super::flights::Flights;
use super::known::{self, Known};
use super::turn::{PathSocket, Requests};
use crate::system::clock;
use crate::values::ice::IceServer;

/// The library sends what it has just produced only when its loop wakes the next time: up to 200 ms late in a set-up, and 20 ms for
/// each packet by TURN.
const LONGEST: Duration = Duration::from_millis(5);
/// A set-up takes a dozen such steps, one after the other, and most are done within this time.
const IN_A_SET_UP: Duration = Duration::from_millis(1);
const A_SET_UP: Duration = Duration::from_secs(1);

/// How long the library's driver may sleep.
#[derive(Clone, Debug, Default)]
pub(super) struct Naps(Arc<Bounds>);

#[derive(Debug, Default)]
struct Bounds {
    bounded: AtomicBool,
    /// Until then as in a set-up; in microseconds, 0 before one began.
    set_up_until: AtomicU64,
}

impl Naps {
    /// A path is set up, or searched again.
    pub(super) fn searching(&self) {
        let until = (clock::now() + A_SET_UP).micros();
        let _begun_before =
            self.0.set_up_until.compare_exchange(0, until, Ordering::Relaxed, Ordering::Relaxed);
        self.carrying(true);
    }

    /// A path is up. `relayed`: each packet would wait for the driver.
    pub(super) fn carrying(&self, relayed: bool) {
        self.0.bounded.store(relayed, Ordering::Relaxed);
    }

    fn longest(&self) -> Option<Duration> {
        let sets_up = || clock::now().micros() < self.0.set_up_until.load(Ordering::Relaxed);
        let bounded = self.0.bounded.load(Ordering::Relaxed);
        bounded.then(|| if sets_up() { IN_A_SET_UP } else { LONGEST })
    }
}

/// The library's own runtime, except that names are answered from what is known, that it sleeps no longer than it may, and that TURN servers by TCP and TLS are behind its sockets. The library asks for names one after the
/// other, on the very loop that also carries ICE.
#[derive(Debug)]
pub(super) struct Capped {
    pub(super) inner: TokioRuntime,
    pub(super) naps: Naps,
    /// What is known of names.
    pub(super) names: Option<watch::Receiver<Known>>,
    /// Until when one that is being looked up is waited for.
    pub(super) until: Moment,
    /// The address whose socket serves `streams`.
    pub(super) home: IpAddr,
    /// What stands in for a TURN server by TCP or TLS, and the way to it.
    pub(super) streams: Vec<(SocketAddr, UnixDatagram)>,
    /// If told: nobody else may learn our addresses. Those of TURN servers, as far as the library asked for them.
    pub(super) only: Option<watch::Sender<HashSet<SocketAddr>>>,
    /// With whose credentials requests to TURN servers are signed.
    pub(super) servers: Vec<IceServer>,
    /// Hears what passes through the sockets.
    pub(super) flights: Flights,
}

impl Runtime for Capped {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        self.inner.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let serves = socket.local_addr()?.ip() == self.home;
        let each = self.streams.iter().filter(|_| serves);
        let streams = each.map(|(at, way)| Ok((*at, way.try_clone()?))).collect::<io::Result<_>>()?;
        let only = self.only.as_ref().map(watch::Sender::subscribe);
        let requests = Requests::new(&self.servers);
        Ok(Arc::new(PathSocket::new(socket, streams, only, requests, self.flights.clone())?))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.inner.connect_tcp(address)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move {
            let found = known::of(self.names.as_ref(), host, self.until).await;
            let found = found.ok_or(io::ErrorKind::TimedOut)?;
            if let Some(only) = &self.only {
                only.send_modify(|only| only.extend(&found));
            }
            Ok(found)
        })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.sleep(self.naps.longest().map_or(duration, |longest| longest.min(duration)))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.inner.yield_now()
    }

    fn name(&self) -> &'static str {
        "ahoy"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn all_names_of_a_path_wait_for_one_moment_together_and_what_is_known_serves_at_once() {
        const MOMENT: Duration = Duration::from_millis(250);
        let address = SocketAddr::from(([192, 0, 2, 1], 3478));
        let known = HashMap::from([("a.example:3478".to_owned(), vec![address])]);
        let (_keeps, names) = watch::channel(known);
        let began = clock::now();
        let (naps, streams, servers) = Default::default();
        let (names, until, home) = (Some(names), began + MOMENT, address.ip());
        let flights = Flights::begin(&mut JoinSet::new());
        let (inner, only) = (TokioRuntime, None);
        let runtime = Capped { inner, naps, names, until, home, streams, only, servers, flights };
        // As the library asks: one after the other.
        for dead in 0..8 {
            let found = runtime.resolve_host(&format!("dead{dead}.example:3478")).await;
            assert_eq!(found.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert!(clock::now().since(began) < 4 * MOMENT, "each waited for a moment of its own");
        assert_eq!(runtime.resolve_host("a.example:3478").await.unwrap(), [address], "after it too");
    }
}
