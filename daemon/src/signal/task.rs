//! The signaling task: it owns the links and the sessions, and connects both with the engine.
//!
//! Lives here: the loop. Questions about rooms on their way: `task/rooms.rs`.
//! Must not: decide anything that `sessions.rs` can decide without it.

mod rooms;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use ahoy_call::{Moment, Opaque};
use ahoy_proto::envelope::{Envelope, EnvelopeId, Inbox};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::signal::link::{FromLink, LinkId};
use crate::signal::links::{Links, News};
use crate::signal::peer_line::Out;
use crate::signal::replay::{Replay, Wrote};
use crate::signal::room_asks::RoomAsks;
use crate::signal::sessions::{Came, Sessions, Time};
use crate::signal::tls::Trust;
use crate::signal::{self, Report, SignalingOrder, Standing, mirror};
use crate::system::clock;
use crate::system::store::Store;
use crate::values::near::{NearEnd, NearNews, NearPlace, NearPost};

/// So long it is waited for the disk before what must be kept first happens all the same: a ring must not be lost with it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the last words of a stopping daemon may wait for their acknowledgement.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Reports of links that wait.
const QUEUE: usize = 256;

/// What the task is given.
#[derive(Debug)]
pub struct Setup {
    /// The directory of everything that must survive a restart.
    pub state: PathBuf,
    /// What writes there.
    pub store: Store,
    /// What holds, from the beginning and later.
    pub standing: watch::Receiver<Standing>,
    /// Neighbours on local networks.
    pub near: NearEnd,
}

/// Begins the task. It reports its links at once, and does nothing before there is a roster. It ends with
/// `Order::Stop`, or when either queue is closed.
pub fn spawn(
    setup: Setup,
    orders: mpsc::Receiver<SignalingOrder>,
    reports: mpsc::Sender<Report>,
) -> JoinHandle<()> {
    let (to_us, from_links) = mpsc::channel(QUEUE);
    // One write at a time.
    let (wrote_in, wrote) = mpsc::channel(1);
    let task = Task {
        sessions: Sessions::new(Replay::open(&setup.state)),
        links: Links::new(Trust::new(None), to_us),
        room_asks: RoomAsks::default(),
        standing: setup.standing,
        posts: setup.near.posts,
        ca_file: None,
        shown: None,
        reports,
        stop_at: None,
        store: setup.store,
        wrote_in,
        held: VecDeque::new(),
        writing_since: None,
        mirror: None,
    };
    #[expect(clippy::disallowed_methods, reason = "the signaling task, ended by its orders")]
    tokio::spawn(task.run(orders, from_links, wrote, setup.near.news))
}

struct Task {
    sessions: Sessions,
    links: Links,
    room_asks: RoomAsks,
    standing: watch::Receiver<Standing>,
    /// Envelopes for neighbours.
    posts: mpsc::Sender<NearPost>,
    /// The file that the links go by.
    ca_file: Option<PathBuf>,
    /// What was last reported of the links.
    shown: Option<signal::LinkState>,
    reports: mpsc::Sender<Report>,
    stop_at: Option<Moment>,
    store: Store,
    wrote_in: mpsc::Sender<Wrote>,
    /// What may not happen before marks are on the disk, oldest first.
    held: VecDeque<Held>,
    /// When the write of marks that is under way began.
    writing_since: Option<Moment>,
    /// What a test call tells itself, while there is one.
    mirror: Option<mpsc::Sender<Opaque>>,
}

/// What one input brought.
#[derive(Default)]
struct Held {
    /// So many marks are to be on the disk first.
    marks: u64,
    out: Vec<Out>,
    /// An envelope that the relay may then forget.
    ack: Option<(LinkId, EnvelopeId)>,
}

impl Held {
    /// Whether both send something to the same inbox.
    fn shares_inbox(&self, other: &Self) -> bool {
        let inboxes = |held: &Self| -> BTreeSet<Inbox> {
            let posts = held.out.iter().filter_map(|it| match it {
                Out::Post { envelope, .. } => Some(envelope.inbox),
                Out::Report(_) => None,
            });
            posts.collect()
        };
        !inboxes(self).is_disjoint(&inboxes(other))
    }
}

/// The engine is gone.
struct Gone;

impl Task {
    async fn run(
        mut self,
        mut orders: mpsc::Receiver<SignalingOrder>,
        mut from_links: mpsc::Receiver<(LinkId, FromLink)>,
        mut wrote: mpsc::Receiver<Wrote>,
        mut near: mpsc::Receiver<NearNews>,
    ) {
        self.standing.mark_changed();
        while self.show_links().await.is_ok() {
            let now = clock::now();
            let idle = self.held.is_empty() && self.sessions.is_idle();
            if self.stop_at.is_some_and(|at| at <= now || idle) {
                break;
            }
            let given_up = self.writing_since.filter(|_| !self.held.is_empty()).map(|at| at + PATIENCE);
            let due = self.sessions.deadline().into_iter().chain(self.stop_at).chain(given_up);
            let due = due.chain(self.room_asks.deadline()).min();
            let before = self.sessions.marks().made();
            let (out, ack) = tokio::select! {
                biased;
                Ok(()) = self.standing.changed() => { self.stand(); Default::default() }
                Some(wrote) = wrote.recv() => {
                    self.sessions.marks().wrote(wrote);
                    self.writing_since = None;
                    Default::default()
                }
                order = orders.recv(), if self.stop_at.is_none() => {
                    (self.on_order(order.unwrap_or(SignalingOrder::Stop)), None)
                }
                Some(news) = near.recv() => (self.hear_near(news), None),
                Some((link, report)) = from_links.recv() => self.hear(link, report),
                () = clock::sleep_until(due.unwrap_or_default()), if due.is_some() => {
                    let mut out = self.sessions.tick(clock::now());
                    out.extend(self.no_answers());
                    (out, None)
                }
            };
            if self.hold(before, out, ack).await.is_err() {
                break;
            }
        }
        tracing::debug!(inputs = self.sessions.dropped().total(), "dropped in all");
        self.links.finish().await;
    }

    fn on_order(&mut self, order: SignalingOrder) -> Vec<Out> {
        // What was said before the order holds for it.
        if self.standing.has_changed().unwrap_or(false) {
            self.stand();
        }
        if matches!(order, SignalingOrder::Stop) {
            self.stop_at = Some(clock::now() + LAST_WORDS);
        }
        if matches!(order, SignalingOrder::NetworkChanged) {
            self.links.network_changed();
        }
        if matches!(order, SignalingOrder::Hurry) {
            self.links.hurry();
        }
        if matches!(order, SignalingOrder::Refresh) {
            self.links.refresh();
        }
        if let SignalingOrder::Look(ear) = &order {
            let own = self.sessions.peers().own();
            self.links.look(own.map(|own| &own.inboxes[..]).unwrap_or_default(), ear);
        }
        if let SignalingOrder::Plate(relay, ask) = &order {
            self.links.ask(relay, ask.clone());
        }
        self.mirror(&order);
        if let SignalingOrder::Room { job, relay, ask } = order {
            let refused = !self.sessions.peers().may_knock(&relay) || !self.room_asks.put(&relay, job, ask);
            let mut out = self.ask_rooms(&relay);
            out.extend(refused.then_some(Out::Report(Report::Room { job, news: None })));
            return out;
        }
        self.sessions.order(time(), order)
    }

    /// A test call hears from itself.
    fn mirror(&mut self, order: &SignalingOrder) {
        if let SignalingOrder::Mirror(bytes) = order {
            let late = self.mirror.as_ref().is_none_or(|mirror| mirror.try_send(bytes.clone()).is_err());
            if late {
                tracing::debug!("a word of a test call that is over or overrun is lost");
            }
        }
        if matches!(order, SignalingOrder::EndMirror | SignalingOrder::Stop) {
            self.mirror = None;
        }
        let own = self.sessions.peers().own().filter(|_| matches!(order, SignalingOrder::BeginMirror));
        if let Some(own) = own.cloned() {
            let (words, frames) = mpsc::channel(QUEUE);
            self.mirror = Some(words);
            let (trust, reports) = (Trust::new(self.ca_file.clone()), self.reports.clone());
            #[expect(clippy::disallowed_methods, reason = "it ends when its words do")]
            tokio::spawn(mirror::run(own, trust, frames, reports));
        }
    }

    /// Goes by what holds now.
    fn stand(&mut self) {
        let Standing { roster, ca_file, groups } = self.standing.borrow_and_update().clone();
        if ca_file != self.ca_file {
            self.links.set_trust(Trust::new(ca_file.clone()));
            self.ca_file = ca_file;
        }
        self.sessions.set_groups(groups);
        if let Some(roster) = roster {
            self.sessions.set_roster(roster);
            self.claim();
        }
    }

    fn claim(&mut self) {
        let own = self.sessions.peers().own();
        let inboxes = own.map(|own| &own.inboxes[..]).unwrap_or_default();
        self.links.claim(inboxes, &self.sessions.tokens());
    }

    fn hear(&mut self, link: LinkId, report: FromLink) -> (Vec<Out>, Option<(LinkId, EnvelopeId)>) {
        let out = match self.links.hear(link, report) {
            News::Nothing => self.sessions.set_claimed(self.links.state().online),
            News::Anew => {
                let mut out = self.sessions.set_claimed(self.links.state().online);
                out.extend(self.plates_anew(link));
                out.extend(self.room_relay_anew(link));
                out
            }
            News::Plate(news) => {
                let relay = self.links.plate_relay(link).map(|(relay, _)| relay.to_owned());
                relay.map(|relay| Out::Report(Report::Plate(relay, news))).into_iter().collect()
            }
            News::Room(news) => self.on_room_news(link, news),
            News::Accepted(id) => {
                let (relay, _) = self.links.place(link).unwrap_or_default();
                self.sessions.accepted(relay, id)
            }
            News::TooMuch => {
                let (relay, _) = self.links.place(link).unwrap_or_default();
                self.sessions.slow_down(clock::now(), relay);
                Vec::new()
            }
            News::Deliver(deliver) => {
                let (relay, standing) = self.links.place(link).unwrap_or_default();
                let held = Duration::from_millis(deliver.held_ms);
                let came = Came { relay, standing, token: deliver.token, held };
                let out = self.sessions.delivered(time(), came, deliver.body.bytes());
                return (out, Some((link, deliver.id)));
            }
        };
        (out, None)
    }

    /// Neighbours say something, or come and go.
    fn hear_near(&mut self, news: NearNews) -> Vec<Out> {
        match news {
            NearNews::Came(place, envelope) => {
                let Some(standing) = self.sessions.takes(envelope.inbox, envelope.token) else {
                    tracing::debug!("an envelope of a neighbour is not for us");
                    return Vec::new();
                };
                let (relay, token) = (place.name(), envelope.token.hash());
                let came = Came { relay: &relay, standing, token, held: Duration::ZERO };
                self.sessions.delivered(time(), came, envelope.body.bytes())
            }
            NearNews::Accepted(place, id) => self.sessions.accepted(&place.name(), id),
            NearNews::Seen(near) => self.sessions.set_near(time(), near),
        }
    }

    fn post(&mut self, relay: &str, from: Option<[u8; 32]>, envelope: Envelope) {
        let Some(to) = NearPlace::named(relay) else { return self.links.post(relay, from, envelope) };
        if self.posts.try_send(NearPost { to, envelope }).is_err() {
            tracing::debug!("an envelope for a neighbour is lost");
        }
    }

    /// What a relay held for a pairing is gone. A foreign one that has just come held nothing.
    fn plates_anew(&self, link: LinkId) -> Option<Out> {
        let (relay, ours) = self.links.plate_relay(link)?;
        (ours || !self.links.is_up(link)).then(|| Out::Report(Report::Anew(relay.to_owned())))
    }

    /// Does what an input brought, at once or when the marks that it made are on the disk: nothing is answered that a restart
    /// would let be answered again. A disk that hangs holds up nobody for longer than [`PATIENCE`].
    async fn hold(
        &mut self,
        before: u64,
        out: Vec<Out>,
        ack: Option<(LinkId, EnvelopeId)>,
    ) -> Result<(), Gone> {
        let marks = self.sessions.marks();
        let mut now = Held { marks: if marks.made() > before { marks.made() } else { 0 }, out, ack };
        if let Some(write) = marks.begin_write() {
            self.writing_since = Some(clock::now());
            let (not_run, told) = (write.not_run(), self.wrote_in.clone());
            // Who would hear of it may have ended.
            let job = move || drop(told.blocking_send(write.run()));
            if self.store.run(Box::new(job)).is_err() {
                self.sessions.marks().wrote(not_run);
                self.writing_since = None;
            }
        }
        let hangs = self.writing_since.is_some_and(|at| at + PATIENCE <= clock::now());
        if hangs && !self.held.is_empty() {
            tracing::warn!("the disk does not answer: rings are answered before it is kept that they were");
        }
        let over = self.sessions.marks().over();
        while self.held.front().is_some_and(|held| hangs || held.marks <= over) {
            let held = self.held.pop_front().unwrap_or_default();
            self.perform(held).await?;
        }
        // What follows a held answer in its session may not overtake it.
        let before = self.held.iter().filter(|held| held.shares_inbox(&now)).map(|held| held.marks);
        now.marks = before.chain([now.marks]).max().unwrap_or_default();
        if now.marks > over && !hangs {
            self.held.push_back(now);
            return Ok(());
        }
        self.perform(now).await
    }

    async fn perform(&mut self, Held { out, ack, .. }: Held) -> Result<(), Gone> {
        // Before what is answered there is sent.
        if self.sessions.replies_changed() {
            self.claim();
            self.links.claim_for_calls(self.sessions.reply_inboxes());
        }
        if let Some((link, envelope)) = ack {
            self.links.ack(link, envelope);
        }
        for it in out {
            match it {
                Out::Post { relay, from, budget: _, envelope } => self.post(&relay, from, envelope),
                // The engine never waits for us, so waiting for it cannot lock up.
                Out::Report(report) => self.reports.send(report).await.map_err(|_| Gone)?,
            }
        }
        let used: BTreeSet<&str> = self.sessions.relays().chain(self.room_asks.relays()).collect();
        self.links.prune(&used);
        Ok(())
    }

    async fn show_links(&mut self) -> Result<(), Gone> {
        let links = self.links.state();
        if self.shown.as_ref() == Some(&links) {
            return Ok(());
        }
        self.shown = Some(links.clone());
        self.reports.send(Report::Links(links)).await.map_err(|_| Gone)
    }
}

fn time() -> Time {
    Time { now: clock::now(), unix_s: clock::unix_us().div_euclid(1_000_000) }
}
