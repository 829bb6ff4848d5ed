//! What stands between two sides, an epoch each.
//!
//! Lives here: two UDP sockets an epoch that stand for one side at the other, so that each packet can be counted, and the path cut;
//! the candidates that lead here.
//! Must not: know a session, or what a packet says beyond its kind.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ahoy_call::Opaque;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One epoch's path: a socket that stands for Ana at Ben's, and one that stands for Ben at Ana's.
pub(crate) struct Wire {
    /// Nothing passes.
    pub(crate) cut: Arc<AtomicBool>,
    /// No check of the path comes through.
    pub(crate) unchecked: Arc<AtomicBool>,
    pub(crate) ana: End,
    pub(crate) ben: End,
}

/// One person, as they are seen from here.
pub(crate) struct End {
    /// Where this person really is.
    real: watch::Sender<Option<SocketAddr>>,
    /// Where the other side believes them to be.
    seen_at: SocketAddr,
    /// RTP packets that they sent.
    pub(crate) voices: Arc<AtomicUsize>,
    /// The same as they went, where the path is lossy: by source and number.
    went: Arc<watch::Sender<Went>>,
    /// Datagrams of their DTLS flights that were lost.
    pub(crate) unseen: Arc<AtomicUsize>,
}

/// The second byte of a packet of a digit: the payload type that we offer, and the marker.
pub(crate) const EVENT: u8 = 110;
/// That of a packet with copies.
pub(crate) const RED: u8 = 63;
const MARKER: u8 = 0x80;

/// Whole datagrams, of one source and number each.
type Went = HashMap<[u8; 6], Vec<Vec<u8>>>;

/// What a path loses of what one side sends.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lossy {
    /// All but ICE.
    pub(crate) all_but_ice: bool,
    /// One in so many packets of a voice.
    pub(crate) one_of: Option<usize>,
    /// The first packet of each digit.
    pub(crate) first_of_digit: bool,
    /// Every datagram of a DTLS flight when it comes first.
    pub(crate) first_of_flight: bool,
}

impl Wire {
    /// What Ana sends is lost by the first, what Ben sends by the second.
    pub(crate) fn new(of_anas: Lossy, of_bens: Lossy, tasks: &mut JoinSet<()>) -> Self {
        let (at_ben, at_ana) = (socket(), socket());
        let (ana, ben) = (End::new(&at_ben), End::new(&at_ana));
        let wire = Self { cut: Arc::default(), unchecked: Arc::default(), ana, ben };
        // What Ben sends to "Ana" leaves from "Ben" to where Ana is, and the other way round.
        tasks.spawn(wire.forward(of_bens, (&at_ben, &wire.ben), (&at_ana, &wire.ana)));
        tasks.spawn(wire.forward(of_anas, (&at_ana, &wire.ana), (&at_ben, &wire.ben)));
        wire
    }

    /// Passes what comes from that person to the other.
    fn forward(
        &self,
        lossy: Lossy,
        (from, of): (&Arc<UdpSocket>, &End),
        (out, to): (&Arc<UdpSocket>, &End),
    ) -> impl Future<Output = ()> + use<> {
        let (from, out) = (from.clone(), out.clone());
        let (cut, unchecked, to) = (self.cut.clone(), self.unchecked.clone(), to.real.subscribe());
        let (voices, went) = (of.voices.clone(), of.went.clone());
        let (unseen, mut seen) = (of.unseen.clone(), HashSet::new());
        async move {
            let mut packet = [0; 2048];
            while let Ok(length) = from.recv(&mut packet).await {
                let packet = &packet[..length];
                // RFC 7983: 128 to 191 is RTP or RTCP; RFC 5761: RTCP has 192 to 223 in its second byte.
                if (128..192).contains(&packet[0]) && !(192..224).contains(&packet[1]) {
                    let number = voices.fetch_add(1, Ordering::Relaxed);
                    if lossy.one_of.is_some() {
                        let name = [&packet[8..12], &packet[2..4]].concat().try_into().unwrap();
                        went.send_modify(|went| went.entry(name).or_default().push(packet.to_vec()));
                    }
                    let first = packet[1] == EVENT | MARKER;
                    if lossy.one_of.is_some_and(|one_of| number % one_of == one_of - 1)
                        || lossy.first_of_digit && first
                    {
                        continue;
                    }
                }
                // RFC 6347 §4.1: ChangeCipherSpec, and the messages of the handshake.
                if lossy.first_of_flight && [20, 22].contains(&packet[0]) && seen.insert(packet.to_vec()) {
                    unseen.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                // STUN begins with 0 to 3.
                let check = packet[0] <= 3;
                if lossy.all_but_ice && !check || check && unchecked.load(Ordering::Relaxed) {
                    continue;
                }
                let target = *to.borrow();
                if let Some(target) = target.filter(|_| !cut.load(Ordering::Relaxed)) {
                    out.send_to(packet, target).await.ok();
                }
            }
        }
    }
}

impl End {
    fn new(at: &UdpSocket) -> Self {
        Self {
            real: watch::Sender::new(None),
            seen_at: at.local_addr().unwrap(),
            voices: Arc::default(),
            went: Arc::new(watch::Sender::new(Went::new())),
            unseen: Arc::default(),
        }
    }

    /// What of their voice went more than once over a lossy path, and how often it was not the same to the last bit.
    pub(crate) fn repeats(&self) -> (usize, usize) {
        let went = self.went.borrow();
        let again = went.values().filter(|same| same.len() > 1);
        let others = |same: &&Vec<Vec<u8>>| same.iter().any(|one| one != &same[0]);
        (again.clone().count(), again.filter(others).count())
    }

    /// The packets of their digits that went over a lossy path, in order: sequence number, timestamp, marker.
    pub(crate) fn digits(&self) -> Vec<(u16, u32, bool)> {
        let went = self.went.borrow();
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let mut all: Vec<_> = went
            .values()
            .map(|same| &same[0])
            .filter(|packet| packet[1] & 0x7f == EVENT)
            .map(|packet| {
                (u16::from_be_bytes([packet[2], packet[3]]), word(&packet[4..8]), packet[1] & MARKER != 0)
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Their candidate, with the address where they are seen. Only IPv4 is used.
    pub(crate) fn redirect(&self, candidate: &Opaque) -> Option<Opaque> {
        let text = std::str::from_utf8(&candidate.0).unwrap();
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let real: SocketAddr =
            format!("{}:{}", words[4], words[5]).parse().ok().filter(SocketAddr::is_ipv4)?;
        self.real.send_replace(Some(real));
        words[4] = self.seen_at.ip().to_string();
        words[5] = self.seen_at.port().to_string();
        Some(Opaque(words.join(" ").into_bytes()))
    }
}

fn socket() -> Arc<UdpSocket> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    Arc::new(UdpSocket::from_std(socket).unwrap())
}
