//! Two sides and the network between them.
//!
//! Lives here: who passes descriptions on; the names of epochs, and who may run beside whom. Packets pass `wire.rs`.
//! Must not: touch a packet.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ahoy_call::{Epoch, MediaOrder, MediaReport, Role, SdpKind};
use ahoyd::system::clock;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use crate::side::{self, Side};
use crate::sound::{ANA, BEN, Voice};
use crate::wire::{Lossy, Wire};

/// Held by all but the test that counts the files of this process.
pub(crate) static COMPANY: RwLock<()> = RwLock::const_new(());

pub(crate) const FIRST: Epoch = Epoch(1);
pub(crate) const SECOND: Epoch = Epoch(2);
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Between {
    pub(crate) ana: Side,
    pub(crate) ben: Side,
    /// Ben gets a description of Ana's with another fingerprint.
    pub(crate) swap_fingerprint: bool,
    /// Nobody stands between: paths use every address of this machine, and nothing is counted.
    pub(crate) direct: bool,
    /// The descriptions and candidates that went from one to the other.
    pub(crate) told: Vec<String>,
    /// Ben answers while it rings: nothing but Ana's offer goes to the other side, until they speak.
    pub(crate) early: bool,
    held: Vec<(Voice, Epoch, MediaReport)>,
    /// Ana's offers name this one as an address of hers.
    pub(crate) door: Option<SocketAddr>,
    /// Paths that begin now let nothing but ICE through.
    pub(crate) only_ice: bool,
    /// Paths that begin now lose one in so many packets of Ana's voice.
    pub(crate) lossy: Option<usize>,
    /// Paths that begin now lose the first packet of each digit of Ana's.
    pub(crate) loses_first_of_digit: bool,
    /// Paths that begin now lose every datagram of a DTLS flight when it comes first, however often the library makes another one.
    pub(crate) loses_first_of_flight: bool,
    /// Ben's descriptions do not name this payload type, as an ahoy's did before it knew that.
    pub(crate) ben_lacks: Option<u8>,
    /// The longest time that the machine kept this process from running, since it was last set to zero: whatever is timed here may
    /// take so much longer.
    pub(crate) starved: Duration,
    wires: HashMap<Epoch, Wire>,
    tasks: JoinSet<()>,
}

impl Between {
    pub(crate) fn new() -> Self {
        let (ana, ben) = (Side::new(ANA), Side::new(BEN));
        Self {
            ana,
            ben,
            swap_fingerprint: false,
            direct: false,
            told: Vec::new(),
            early: false,
            held: Vec::new(),
            door: None,
            only_ice: false,
            lossy: None,
            loses_first_of_digit: false,
            loses_first_of_flight: false,
            ben_lacks: None,
            starved: Duration::ZERO,
            wires: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Both hear each other.
    pub(crate) async fn talking(epoch: Epoch) -> Self {
        let mut w = Self::new();
        w.connect(epoch).await;
        w.open(epoch, false);
        w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
        w
    }

    /// Ana makes the offer.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        let of_bens = Lossy {
            all_but_ice: self.only_ice,
            first_of_flight: self.loses_first_of_flight,
            ..Lossy::default()
        };
        let of_anas = Lossy { one_of: self.lossy, first_of_digit: self.loses_first_of_digit, ..of_bens };
        let wire = Wire::new(of_anas, of_bens, &mut self.tasks);
        self.wires.insert(epoch, wire);
        self.ana.order(epoch, MediaOrder::Prepare(Role::Offerer));
    }

    /// From nothing to both sides up; returns how long it took.
    pub(crate) async fn connect(&mut self, epoch: Epoch) -> Duration {
        let began = clock::now();
        self.begin(epoch);
        self.until("up on both sides", |w| {
            w.ana.has(epoch, &MediaReport::Up) && w.ben.has(epoch, &MediaReport::Up)
        })
        .await;
        clock::now() - began
    }

    pub(crate) fn open(&mut self, epoch: Epoch, muted: bool) {
        self.ana.open(epoch, muted);
        self.ben.open(epoch, muted);
    }

    pub(crate) fn close(&mut self, epoch: Epoch) {
        self.ana.order(epoch, MediaOrder::Close);
        self.ben.order(epoch, MediaOrder::Close);
    }

    /// Nothing passes any more on the path of this epoch.
    pub(crate) fn cut(&mut self, epoch: Epoch) {
        self.wires[&epoch].cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn swallow_checks(&mut self, epoch: Epoch) {
        self.wires[&epoch].unchecked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn mend(&mut self, epoch: Epoch) {
        self.wires[&epoch].cut.store(false, Ordering::Relaxed);
    }

    /// RTP packets that this person sent.
    pub(crate) fn voices(&self, who: Voice) -> usize {
        self.wires.keys().map(|&epoch| self.voices_in(who, epoch)).sum()
    }

    /// What of Ana's voice went more than once over a lossy path, and how often it was not the same to the last bit.
    pub(crate) fn repeats(&self, epoch: Epoch) -> (usize, usize) {
        self.wires[&epoch].ana.repeats()
    }

    /// The packets of Ana's digits that went over a lossy path, in order: sequence number, timestamp, marker.
    pub(crate) fn digits(&self, epoch: Epoch) -> Vec<(u16, u32, bool)> {
        self.wires[&epoch].ana.digits()
    }

    /// How many datagrams of Ana's DTLS flights were lost, and of Ben's.
    pub(crate) fn unseen(&self, epoch: Epoch) -> [usize; 2] {
        let wire = &self.wires[&epoch];
        [&wire.ana, &wire.ben].map(|end| end.unseen.load(Ordering::Relaxed))
    }

    pub(crate) fn voices_in(&self, who: Voice, epoch: Epoch) -> usize {
        let wire = &self.wires[&epoch];
        let end = if who == ANA { &wire.ana } else { &wire.ben };
        end.voices.load(Ordering::Relaxed)
    }

    /// Lets the world go on until it is so.
    pub(crate) async fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let give_up = clock::now() + PATIENCE;
        while !so(self) {
            assert!(clock::now() < give_up, "{what} in time");
            self.step().await;
        }
    }

    /// Lets the world go on for so long, to see that something does not happen.
    pub(crate) async fn pass(&mut self, duration: Duration) {
        let until = clock::now() + duration;
        while clock::now() < until {
            self.step().await;
        }
    }

    pub(crate) async fn end(&mut self) {
        self.ana.end().await;
        self.ben.end().await;
        self.tasks.shutdown().await;
    }

    /// One report, or 5 ms.
    async fn step(&mut self) {
        let from = clock::now();
        self.wait().await;
        self.starved = self.starved.max((clock::now() - from).saturating_sub(Duration::from_millis(5)));
    }

    async fn wait(&mut self) {
        tokio::select! {
            Some(report) = self.ana.reports.recv() => {
                if let Some((epoch, news)) = self.ana.take(report) {
                    self.carry(ANA, epoch, news);
                }
            }
            Some(report) = self.ben.reports.recv() => {
                if let Some((epoch, news)) = self.ben.take(report) {
                    self.carry(BEN, epoch, news);
                }
            }
            () = clock::sleep(Duration::from_millis(5)) => {}
        }
    }

    /// What was held back goes.
    pub(crate) fn speak(&mut self) {
        self.early = false;
        for (from, epoch, news) in std::mem::take(&mut self.held) {
            self.carry(from, epoch, news);
        }
    }

    fn carry(&mut self, from: Voice, epoch: Epoch, news: MediaReport) {
        let offer = matches!(&news, MediaReport::Described(text) if text.kind == SdpKind::Offer);
        if self.early && !offer {
            return self.held.push((from, epoch, news));
        }
        let wire = &self.wires[&epoch];
        let (end, to) = match from == ANA {
            true => (&wire.ana, &mut self.ben),
            false => (&wire.ben, &mut self.ana),
        };
        match news {
            MediaReport::Described(mut text) => {
                if let Some(lacks) = self.ben_lacks.filter(|_| from == BEN) {
                    let body = without(&String::from_utf8(text.body.0).unwrap(), lacks);
                    text = side::description(text.kind, &body);
                }
                if let Some(door) = self.door.filter(|_| offer) {
                    let (ip, port) = (door.ip(), door.port());
                    text.body
                        .0
                        .extend(format!("a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\n").bytes());
                }
                self.told.push(String::from_utf8(text.body.0.clone()).unwrap());
                if self.swap_fingerprint && text.kind == SdpKind::Offer {
                    text = side::description(text.kind, &swapped(&String::from_utf8(text.body.0).unwrap()));
                }
                to.order(
                    epoch,
                    match text.kind {
                        SdpKind::Offer if self.early => MediaOrder::Prepare(Role::Early(text)),
                        SdpKind::Offer => MediaOrder::Prepare(Role::Answerer(text)),
                        SdpKind::Answer => MediaOrder::Remote(text),
                    },
                );
            }
            MediaReport::Candidates { list, complete } => {
                self.told.extend(list.iter().map(|one| String::from_utf8(one.0.clone()).unwrap()));
                let list = match self.direct {
                    true => list,
                    false => list.iter().filter_map(|one| end.redirect(one)).collect(),
                };
                to.order(epoch, MediaOrder::Candidates { list, complete });
            }
            MediaReport::Up
            | MediaReport::Lost
            | MediaReport::Stuck
            | MediaReport::Failed(_)
            | MediaReport::Voice(_) => {}
        }
    }
}

/// The same description as an ahoy wrote it that did not know that payload type.
fn without(text: &str, payload_type: u8) -> String {
    let attribute = format!(":{payload_type} ");
    let line = |line: &str| match line.starts_with("m=audio") {
        true => format!("{}\r\n", line.replace(&format!(" {payload_type}"), "")),
        false => format!("{line}\r\n"),
    };
    assert!(text.contains(&format!("a=rtpmap:{payload_type} ")), "it names it");
    text.lines().filter(|line| !line.contains(&attribute)).map(line).collect()
}

/// The same description with the first byte of its fingerprint changed.
fn swapped(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_prefix("a=fingerprint:sha-256 ") {
            Some(value) => {
                let first = if value.starts_with("00") { "01" } else { "00" };
                format!("a=fingerprint:sha-256 {first}{}\r\n", &value[2..])
            }
            None => format!("{line}\r\n"),
        })
        .collect()
}
