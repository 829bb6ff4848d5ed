//! Two connections, each a foreign side to the other, and what is under way between them.
//!
//! Lives here: a side that speaks and counts, and the loop that passes on what one says to the other.
//! Must not: judge what happens.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::{Epoch, LegId, MediaFault, Role, SdpKind};
use ahoyd::media::peer::{Manners, Peer, Setup};
use ahoyd::media::transport::{Packet, PathEvent, PathOrder, Renewal, Track, Transport};
use ahoyd::media::wanted::Key;
use ahoyd::system::clock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// One connection, and what came of it.
pub(crate) struct Side {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) events: mpsc::Receiver<(Key, PathEvent)>,
    pub(crate) up: bool,
    pub(crate) failed: Option<MediaFault>,
    /// Packets that came since this was last set to zero.
    pub(crate) heard: usize,
    /// What is spoken, and what came last.
    pub(crate) voice: Vec<u8>,
    pub(crate) came: Vec<u8>,
    /// The other side has told how our voice comes, and how far it is away.
    pub(crate) reported: bool,
    pub(crate) sequence: u16,
    /// Descriptions that it made: offers and answers.
    pub(crate) made: (usize, usize),
}

impl Side {
    pub(crate) fn begin(role: Role, manners: Manners, tasks: &mut JoinSet<()>) -> Self {
        Self::with(role, Setup { foreign: Some(manners), ..Setup::default() }, tasks)
    }

    pub(crate) fn with(role: Role, setup: Setup, tasks: &mut JoinSet<()>) -> Self {
        let setup = Setup { interfaces: vec!["lo".to_owned()], ..setup };
        let (events_in, events) = mpsc::channel(256);
        let (transport, task) = Peer::plan(role, setup)((LegId::from_bytes([9; 16]), Epoch(1)), events_in);
        tasks.spawn(task);
        let (up, failed, heard, came, reported, sequence, made) = Default::default();
        Self { transport, events, up, failed, heard, voice: vec![1], came, reported, sequence, made }
    }

    pub(crate) fn order(&self, order: PathOrder) {
        self.transport.order(order).unwrap();
    }

    pub(crate) fn speak(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        let (sequence, timestamp) = (self.sequence, 960 * u32::from(self.sequence));
        let payload = self.voice.clone();
        let packet = Packet { sequence, timestamp, first: false, payload, copies: Vec::new(), event: None };
        self.order(PathOrder::Packet(Track::Voice, packet));
    }

    /// Takes in what it tells; what is for the other side is handed out.
    pub(crate) fn take(&mut self) -> Vec<PathOrder> {
        let mut out = Vec::new();
        while let Ok((_, event)) = self.events.try_recv() {
            match event {
                PathEvent::Described(description) => {
                    match description.kind {
                        SdpKind::Offer => self.made.0 += 1,
                        SdpKind::Answer => self.made.1 += 1,
                    }
                    out.push(PathOrder::Remote(description));
                }
                PathEvent::Candidates { list, .. } => out.push(PathOrder::Candidates(list)),
                PathEvent::Up => self.up = true,
                PathEvent::Lost | PathEvent::Stuck => self.up = false,
                PathEvent::Failed(fault) => self.failed = Some(fault),
                PathEvent::Packet { packet, .. } => {
                    self.heard += 1;
                    self.came = packet.payload;
                }
                PathEvent::Reception(reception) => self.reported |= reception.round_trip.is_some(),
                PathEvent::Gone
                | PathEvent::Pair(_)
                | PathEvent::Ciphers(_)
                | PathEvent::Takes(_)
                | PathEvent::Feedback(_)
                | PathEvent::Asked(_)
                | PathEvent::Frame(_)
                | PathEvent::Channel(_) => {}
            }
        }
        out
    }
}

/// Two sides and what is under way between them.
pub(crate) struct Pair {
    pub(crate) polite: Side,
    pub(crate) impolite: Side,
    /// Towards each; kept there while `holds` is set.
    pub(crate) towards: [VecDeque<PathOrder>; 2],
    pub(crate) holds: bool,
    pub(crate) tasks: JoinSet<()>,
}

impl Pair {
    /// Which of them makes an offer at first: the polite one, the other one or both.
    pub(crate) async fn connect(polite: bool, impolite: bool) -> Self {
        let mut tasks = JoinSet::new();
        let first = if polite { Manners::Polite } else { Manners::Impolite };
        let second = if polite { Manners::Impolite } else { Manners::Polite };
        let mut one = Side::begin(Role::Offerer, first, &mut tasks);
        let (mut offer, mut early) = (None, VecDeque::new());
        let other = if polite && impolite {
            Side::begin(Role::Offerer, second, &mut tasks)
        } else {
            let give_up = clock::now() + PATIENCE;
            while offer.is_none() {
                assert!(clock::now() < give_up, "an offer in time");
                for order in one.take() {
                    if let PathOrder::Remote(description) = order {
                        offer = Some(description);
                    } else {
                        early.push_back(order);
                    }
                }
                clock::sleep(Duration::from_millis(2)).await;
            }
            Side::begin(Role::Answerer(offer.unwrap()), second, &mut tasks)
        };
        let (polite, impolite, towards) = match first {
            Manners::Polite => (one, other, [VecDeque::new(), early]),
            Manners::Impolite => (other, one, [early, VecDeque::new()]),
        };
        let mut pair = Self { polite, impolite, towards, holds: false, tasks };
        pair.until("up on both sides", |pair| pair.polite.up && pair.impolite.up).await;
        pair.both_are_heard("at first").await;
        pair
    }

    /// Lets the world go on until it is so, with both sides speaking.
    pub(crate) async fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let give_up = clock::now() + PATIENCE;
        while !so(self) {
            assert!(clock::now() < give_up, "{what} in time");
            assert_eq!((self.polite.failed, self.impolite.failed), (None, None), "{what}");
            self.step().await;
        }
    }

    pub(crate) async fn step(&mut self) {
        let [to_polite, to_impolite] = &mut self.towards;
        to_impolite.extend(self.polite.take());
        to_polite.extend(self.impolite.take());
        if !self.holds {
            to_polite.drain(..).for_each(|order| self.polite.order(order));
            to_impolite.drain(..).for_each(|order| self.impolite.order(order));
        }
        self.polite.speak();
        self.impolite.speak();
        clock::sleep(Duration::from_millis(5)).await;
    }

    pub(crate) async fn both_are_heard(&mut self, when: &str) {
        (self.polite.heard, self.impolite.heard) = (0, 0);
        self.until(when, |pair| pair.polite.heard > 20 && pair.impolite.heard > 20).await;
    }

    /// Both describe themselves before either has heard of it.
    pub(crate) async fn both_renew(&mut self, polite: Renewal, impolite: Renewal) {
        let before = (self.polite.made.0, self.impolite.made.0);
        self.holds = true;
        self.polite.order(PathOrder::Renew(polite));
        self.impolite.order(PathOrder::Renew(impolite));
        let both = |pair: &mut Self| pair.polite.made.0 > before.0 && pair.impolite.made.0 > before.1;
        self.until("two offers", both).await;
        self.holds = false;
    }

    /// Each side's offer is answered: neither waits for anything.
    pub(crate) async fn both_are_answered(&mut self) {
        let answers = (self.polite.made.1, self.impolite.made.1);
        self.polite.order(PathOrder::Renew(Renewal::Describe));
        self.until("the polite one's answer", |pair| pair.impolite.made.1 > answers.1).await;
        self.impolite.order(PathOrder::Renew(Renewal::Describe));
        self.until("the impolite one's answer", |pair| pair.polite.made.1 > answers.0).await;
    }

    pub(crate) async fn end(self) {
        let Self { polite, impolite, mut tasks, .. } = self;
        drop((polite, impolite));
        while let Some(ended) = clock::timeout(PATIENCE, tasks.join_next()).await.expect("an end in time") {
            ended.unwrap();
        }
    }
}
