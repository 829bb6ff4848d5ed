//! The UDP socket of a path, behind which TURN servers by TCP and TLS look to the library like any other.
//!
//! Lives here: which datagram goes over which of them, and which goes nowhere.
//! Must not: know what a datagram says.

use std::collections::HashSet;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram as Pair;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::watch;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::framing::LONGEST;
use super::nonce::{self, Requests};
use super::refusal::refusal;
use super::stand_in::is_stand_in;
use crate::media::peer::flights::Flights;

/// What waits between the library and a stream, in bytes.
const ROOM: usize = 32 * LONGEST;
/// Expedited forwarding (RFC 3246, RFC 8837 §5), as it stands in the traffic class.
const EXPEDITED: u32 = 46 << 2;

/// Marks what goes over this socket as voice, where the system lets.
pub(super) fn expedite<S: std::os::fd::AsFd>(socket: &S, is_v4: bool) {
    let socket = SockRef::from(socket);
    let marked = if is_v4 { socket.set_tos_v4(EXPEDITED) } else { socket.set_tclass_v6(EXPEDITED) };
    if let Err(error) = marked {
        tracing::debug!(%error, "packets are not marked as voice");
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(in super::super) struct PathSocket {
    ways: Arc<Ways>,
    flights: Flights,
    /// Who is asked first for what came: all in turn.
    turn: AtomicUsize,
}

/// Where the datagrams of a socket go, and come from.
#[derive(Debug)]
pub(in super::super) struct Ways {
    udp: UdpSocket,
    /// TURN servers by TCP and TLS, with the address that stands in for each.
    streams: Vec<(SocketAddr, UnixDatagram)>,
    /// Answers to requests for those that this socket does not serve: into it and out of it.
    refused: Option<(UnixDatagram, UnixDatagram)>,
    /// If there are any: nothing goes to another address, and nothing comes from one.
    only: Option<watch::Receiver<HashSet<SocketAddr>>>,
    /// To TURN servers, that are not answered yet. Nobody waits for it to change.
    requests: watch::Sender<Requests>,
}

/// Where one of them goes.
enum Way<'a> {
    Udp,
    Stream(&'a UnixDatagram),
    /// To a TURN server that this socket does not serve.
    Refused,
    /// Where our address is not to be seen.
    Nowhere,
}

impl PathSocket {
    /// `streams`: those that it serves. Must be called within a runtime.
    pub(in super::super) fn new(
        socket: std::net::UdpSocket,
        streams: Vec<(SocketAddr, Pair)>,
        only: Option<watch::Receiver<HashSet<SocketAddr>>>,
        requests: Requests,
        flights: Flights,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        expedite(&socket, socket.local_addr()?.is_ipv4());
        let streams = streams.into_iter().map(|(at, pair)| Ok((at, UnixDatagram::from_std(pair)?)));
        let streams: Vec<_> = streams.collect::<io::Result<_>>()?;
        let refused = if streams.is_empty() { Some(UnixDatagram::pair()?) } else { None };
        let (udp, requests) = (UdpSocket::from_std(socket)?, watch::Sender::new(requests));
        let ways = Arc::new(Ways { udp, streams, refused, only, requests });
        Ok(Self { ways, flights, turn: AtomicUsize::new(0) })
    }
}

impl Ways {
    /// One more datagram, which is lost if there is no room for it.
    pub(in super::super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let sent = match self.way(to) {
            Way::Udp => SockRef::from(&self.udp).send_to(bytes, &to.into()).is_ok(),
            Way::Stream(stream) => put(stream, bytes),
            Way::Refused | Way::Nowhere => false,
        };
        if !sent {
            tracing::debug!("a datagram found no room a second time");
        }
    }

    fn note<T>(&self, news: impl FnOnce(&mut Requests) -> T) -> Option<T> {
        let mut done = None;
        self.requests.send_if_modified(|requests| {
            done = Some(news(requests));
            false
        });
        done
    }

    /// Whether what came is not for the library, which is told of the answer after it.
    fn keeps_back(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        if !nonce::concerns(bytes) {
            return false;
        }
        let came = self.note(|requests| requests.came(from, bytes)).unwrap_or_default();
        if let Some(again) = came.again {
            tracing::debug!("a request to a TURN server goes again under its new nonce");
            self.send(from, &again);
        }
        came.kept_back
    }

    fn way(&self, to: SocketAddr) -> Way<'_> {
        match self.streams.iter().find(|(at, _)| *at == to) {
            Some((_, stream)) => Way::Stream(stream),
            None if is_stand_in(to.ip()) => Way::Refused,
            None if self.may_know(to) => Way::Udp,
            None => Way::Nowhere,
        }
    }

    fn may_know(&self, address: SocketAddr) -> bool {
        self.only.as_ref().is_none_or(|only| only.borrow().contains(&address))
    }

    /// One datagram of one source, if there is any.
    fn receive(
        &self,
        source: usize,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buf = ReadBuf::new(buf);
        if let Some((at, stream)) = self.streams.get(source) {
            return stream.poll_recv(cx, &mut buf).map_ok(|()| (buf.filled().len(), *at));
        }
        if let (Some((_, out)), true) = (&self.refused, source == self.streams.len() + 1) {
            // By its transaction the library knows whose it is.
            let from = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            return out.poll_recv(cx, &mut buf).map_ok(|()| (buf.filled().len(), from));
        }
        loop {
            buf.clear();
            match self.udp.poll_recv_from(cx, &mut buf) {
                Poll::Ready(Ok(from)) if self.may_know(from) => {
                    return Poll::Ready(Ok((buf.filled().len(), from)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncUdpSocket for PathSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.ways.udp.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let (to, bytes) = (transmit.destination, transmit.contents);
        let sent = match self.ways.way(to) {
            Way::Udp => ready!(self.ways.udp.poll_send_to(cx, bytes, to)),
            Way::Stream(stream) => {
                if !put(stream, bytes) {
                    tracing::debug!("a datagram found no room before a TURN server");
                }
                Ok(bytes.len())
            }
            Way::Refused => {
                let refused = self.ways.refused.as_ref();
                let answer = refused.and_then(|(into, _)| Some((into, refusal(bytes)?)));
                if answer.is_some_and(|(into, answer)| !put(into, &answer)) {
                    tracing::debug!("a request to a TURN server was not refused in time");
                }
                return Poll::Ready(Ok(bytes.len()));
            }
            Way::Nowhere => {
                tracing::debug!("a datagram that would have shown our address was dropped");
                return Poll::Ready(Ok(bytes.len()));
            }
        };
        self.flights.went(|| Arc::downgrade(&self.ways), to, bytes);
        if nonce::concerns(bytes) {
            self.ways.note(|requests| requests.went(to, bytes));
        }
        Poll::Ready(sent)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else { return Poll::Ready(Ok(0)) };
        let sources = self.ways.streams.len() + 1 + usize::from(self.ways.refused.is_some());
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for n in 0..sources {
            let source = first.wrapping_add(n) % sources;
            while let Poll::Ready(came) = self.ways.receive(source, cx, buf) {
                let (len, addr) = came?;
                if self.ways.keeps_back(addr, &buf[..len]) {
                    continue;
                }
                self.flights.came(&buf[..len]);
                *meta = RecvMeta::default();
                (meta.addr, meta.len, meta.stride) = (addr, len, len.max(1));
                return Poll::Ready(Ok(1));
            }
        }
        Poll::Pending
    }
}

/// Whether there was room for a datagram. Asks the kernel itself: the runtime refuses until it has heard of a socket that is new.
pub(super) fn put(into: &UnixDatagram, bytes: &[u8]) -> bool {
    SockRef::from(into).send(bytes).is_ok()
}

/// The two ends between the library and the task of a stream: datagrams stay whole, and no other program can reach them.
pub(super) fn pair() -> io::Result<(Pair, Pair)> {
    let (library, stream) = Pair::pair()?;
    library.set_nonblocking(true)?;
    stream.set_nonblocking(true)?;
    for end in [&library, &stream] {
        SockRef::from(end).set_send_buffer_size(ROOM)?;
    }
    Ok((library, stream))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::{IpAddr, Ipv6Addr};

    use tokio::task::JoinSet;

    use super::super::carrier::Carrier;
    use super::super::nonce::tests as stale;
    use super::super::stand_in::stand_in;
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn flights() -> Flights {
        Flights::begin(&mut JoinSet::new())
    }

    fn requests() -> Requests {
        Requests::new(&[])
    }

    fn socket(streams: Vec<(SocketAddr, Pair)>, only: Option<HashSet<SocketAddr>>) -> PathSocket {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        PathSocket::new(udp, streams, only.map(|only| watch::channel(only).1), requests(), flights()).unwrap()
    }

    async fn received(socket: &PathSocket) -> (Vec<u8>, SocketAddr) {
        let mut bytes = [0; LONGEST];
        let mut meta = [RecvMeta::default()];
        poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut bytes)], &mut meta)).await.unwrap();
        (bytes[..meta[0].len].to_vec(), meta[0].addr)
    }

    fn request() -> Vec<u8> {
        [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat()
    }

    #[tokio::test]
    async fn a_stand_in_leads_to_its_stream_and_what_comes_of_that_comes_from_it() {
        let (library, stream) = pair().unwrap();
        let at = stand_in(1, Carrier::Tcp, V4);
        let socket = socket(vec![(at, library)], None);
        let stream = UnixDatagram::from_std(stream).unwrap();
        socket.send_to(b"to the server", at).await.unwrap();
        let mut bytes = [0; 99];
        let count = stream.recv(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..count], b"to the server");
        stream.send(b"from it").await.unwrap();
        assert_eq!(received(&socket).await, (b"from it".to_vec(), at));
    }

    #[tokio::test]
    async fn a_socket_without_streams_sends_nothing_to_a_stand_in_and_its_request_is_refused() {
        let socket = socket(Vec::new(), None);
        for at in
            [stand_in(0, Carrier::Tcp, V4), stand_in(3, Carrier::Tls, IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
        {
            socket.send_to(&request(), at).await.unwrap();
            assert_eq!(received(&socket).await.0, refusal(&request()).unwrap());
        }
    }

    #[tokio::test]
    async fn where_only_some_may_know_us_nothing_goes_to_or_comes_from_others() {
        let [server, other] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        other.set_nonblocking(true).unwrap();
        let [at, elsewhere] = [&server, &other].map(|one| one.local_addr().unwrap());
        let socket = socket(Vec::new(), Some(HashSet::from([at])));
        let own = socket.local_addr().unwrap();
        assert_eq!(socket.send_to(b"secret", elsewhere).await.unwrap(), 6, "the library goes on");
        socket.send_to(b"hello", at).await.unwrap();
        let mut bytes = [0; 99];
        assert_eq!(server.recv(&mut bytes).unwrap(), 5);
        assert!(other.recv(&mut bytes).is_err(), "nothing went elsewhere");
        other.send_to(b"who are you", own).unwrap();
        server.send_to(b"answer", own).unwrap();
        assert_eq!(received(&socket).await, (b"answer".to_vec(), at), "and nothing came from there");
    }

    #[tokio::test]
    async fn a_request_under_an_old_nonce_goes_again_and_the_library_hears_the_last_answer_alone() {
        const BIND: u8 = 9;
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (at, udp) = (server.local_addr().unwrap(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let known = Requests::new(&stale::credentials(&[("ana", "secret")]));
        let socket = PathSocket::new(udp, Vec::new(), None, known, flights()).unwrap();
        let own = socket.local_addr().unwrap();
        let request = stale::request(BIND, 5, "ana", "secret");
        socket.send_to(&request, at).await.unwrap();
        let mut bytes = [0; LONGEST];
        assert_eq!(server.recv(&mut bytes).unwrap(), request.len());
        let granted = [&[1, BIND, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat();
        server.send_to(&stale::refusal(BIND, 5, 38, stale::REALM, b"second"), own).unwrap();
        server.send_to(&granted, own).unwrap();
        assert_eq!(received(&socket).await, (granted, at));
        let length = server.recv(&mut bytes).unwrap();
        assert!(bytes[..length].windows(6).any(|part| part == b"second"), "it went again");
    }

    #[tokio::test]
    async fn packets_are_marked_as_voice() {
        let v6 = std::net::UdpSocket::bind("[::1]:0")
            .map(|udp| PathSocket::new(udp, Vec::new(), None, requests(), flights()));
        assert_eq!(SockRef::from(&socket(Vec::new(), None).ways.udp).tos_v4().unwrap(), EXPEDITED);
        // A machine without IPv6 has nothing to mark.
        if let Ok(v6) = v6 {
            assert_eq!(SockRef::from(&v6.unwrap().ways.udp).tclass_v6().unwrap(), EXPEDITED);
        }
    }
}
