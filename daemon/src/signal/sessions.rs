//! All Noise sessions, and what each order and each delivery does to them. Sans I/O: what to do is returned.
//!
//! Lives here: the table of lines, and what each contact may make us open and send. Our own side of a handshake:
//! `sessions/rings.rs`; theirs: `sessions/handshake.rs`; neighbours: `sessions/near.rs`; what needs no session: `sessions/one_shot.rs`.
//! Must not: hold a socket, read a clock, decide whether a phone rings.

mod cards;
mod groups;
mod handshake;
mod near;
mod one_shot;
mod pings;
mod rings;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId, SignalOrder};
use ahoy_proto::envelope::{EnvelopeId, TokenHash};
use ahoy_proto::hello::CALLEE_OFFERS;
use ahoy_proto::session::{FrameKind, Header, SessionId};
use cards::Cards;
use groups::CallCards;
use handshake::Knocker;
use pings::Pings;

use crate::signal::dropped::{Cause, Dropped};
use crate::signal::peer_line::{Out, PeerLine, Repeat, ReplyInbox, Route, Stage};
use crate::signal::peers::Peers;
use crate::signal::replay::{Mark, Replay};
use crate::signal::{Report, SignalingOrder};
use crate::values::budget::{self, Budget};
use crate::values::near::NearPlace;
use crate::values::roster::Roster;

/// When something comes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// Since boot.
    pub(super) now: Moment,
    /// Calendar time, for certificates, and for messages 1 that were kept.
    pub(super) unix_s: i64,
}

/// How an envelope came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came<'a> {
    /// By this relay.
    pub(super) relay: &'a str,
    /// To the inbox that is on our card; otherwise to one that was made for a call of ours.
    pub(super) standing: bool,
    /// With this token, as the relay says.
    pub(super) token: TokenHash,
    /// It waited there for so long, as the relay says.
    pub(super) held: Duration,
}

impl Came<'_> {
    /// Not by a relay: on a local network.
    pub(super) fn is_near(&self) -> bool {
        NearPlace::named(self.relay).is_some()
    }
}

type Key = (CallId, LegId);

/// The table.
pub(super) struct Sessions {
    peers: Peers,
    replay: Replay,
    lines: BTreeMap<Key, PeerLine>,
    by_session: BTreeMap<SessionId, Key>,
    one_shot: Vec<Repeat>,
    farewells: Vec<(EnvelopeId, PeerId)>,
    pings: Pings,
    cards: Cards,
    call_cards: CallCards,
    claimed: bool,
    dropped: Dropped,
    /// What the input comes to that is being handled; empty between two.
    out: Vec<Out>,
    /// The inboxes for replies are others than the links know.
    replies_changed: bool,
    /// Rings that were kept away: their repeats are not asked about again. By contact, the newest last.
    kept_away: BTreeMap<PeerId, VecDeque<Mark>>,
    handshakes: Budget<Knocker>,
    notes: Budget<PeerId>,
    frames: Budget<PeerId>,
    sends: Budget<(String, PeerId)>,
    answers: Budget<String>,
}

impl Sessions {
    /// Empty, with what was answered before.
    pub(super) fn new(replay: Replay) -> Self {
        Self {
            peers: Peers::default(),
            replay,
            lines: BTreeMap::new(),
            by_session: BTreeMap::new(),
            one_shot: Vec::new(),
            farewells: Vec::new(),
            pings: Pings::default(),
            cards: Cards::default(),
            call_cards: CallCards::default(),
            claimed: false,
            dropped: Dropped::default(),
            out: Vec::new(),
            replies_changed: false,
            kept_away: BTreeMap::new(),
            handshakes: Budget::new(budget::HANDSHAKES),
            notes: Budget::new(budget::NOTES),
            frames: Budget::new(budget::FRAMES),
            sends: Budget::new(budget::SENDS),
            answers: Budget::new(budget::ANSWERS),
        }
    }

    /// What was dropped.
    pub(super) fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Who may speak to us.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// What must survive a restart, before anything of `out` is done that was returned with it.
    pub(super) fn marks(&mut self) -> &mut Replay {
        &mut self.replay
    }

    /// Who we are and who may speak to us.
    pub(super) fn set_roster(&mut self, roster: Arc<Roster>) {
        self.peers.replace(roster);
        self.keep_cards();
    }

    /// What our inboxes list: the tokens of our cards, and those of the rings that are answered there.
    pub(super) fn tokens(&self) -> Vec<TokenHash> {
        let rings = self.reply_inboxes().filter(|it| it.key.is_none()).map(|it| it.to.token.hash());
        let mut tokens = self.peers.tokens();
        tokens.extend(rings);
        tokens.extend(self.call_cards.tokens());
        tokens
    }

    /// Inboxes where our rings are answered.
    pub(super) fn reply_inboxes(&self) -> impl Iterator<Item = &ReplyInbox> {
        self.lines.values().filter_map(|line| line.route.reply()).chain(self.pings.reply_inboxes())
    }

    /// Whether they changed since the last time.
    pub(super) fn replies_changed(&mut self) -> bool {
        std::mem::take(&mut self.replies_changed)
    }

    /// An order of the engine.
    pub(super) fn order(&mut self, time: Time, order: SignalingOrder) -> Vec<Out> {
        match order {
            SignalingOrder::Call { call, leg, order } => match order {
                SignalOrder::Ring { peer, lifetime } => {
                    if self.ring(time, (call, leg), peer, lifetime).is_none() {
                        self.report(Event::Undeliverable { call, leg });
                    }
                }
                SignalOrder::Meet { peer, lifetime, seal } => {
                    if self.meet(time, (call, leg), peer, &seal, lifetime).is_none() {
                        self.report(Event::Undeliverable { call, leg });
                    }
                }
                SignalOrder::Send(message) => self.send(time.now, (call, leg), &message),
                SignalOrder::Missed { peer } => self.note_missed(time, (call, leg), peer),
                SignalOrder::Forget => self.forget((call, leg), time.now),
            },
            SignalingOrder::Frame { call, leg, bytes } => self.frame((call, leg), time.now, &bytes),
            SignalingOrder::Channel { call, leg, open } => {
                if let Some(line) = self.lines.get_mut(&(call, leg)) {
                    line.set_channel(time.now, open, &mut self.out);
                }
            }
            SignalingOrder::Ping { job, peer } => self.ping(time, job, peer),
            SignalingOrder::Pong { call, leg } => self.pong((call, leg)),
            SignalingOrder::GiveCard { peer, card, news } => self.give_card(time, peer, &card, news),
            SignalingOrder::Bye { call, peer, unanswered } => self.bye(time, call, peer, unanswered),
            SignalingOrder::Farewell(peer) => self.farewell(time, peer),
            SignalingOrder::NetworkChanged
            | SignalingOrder::Hurry
            | SignalingOrder::Refresh
            | SignalingOrder::Look(_)
            | SignalingOrder::BeginMirror
            | SignalingOrder::Mirror(_)
            | SignalingOrder::EndMirror
            | SignalingOrder::Plate(..)
            | SignalingOrder::Room { .. }
            | SignalingOrder::Stop => {}
        }
        self.within_budget(time.now)
    }

    /// An envelope came to an inbox of ours.
    pub(super) fn delivered(&mut self, time: Time, came: Came<'_>, body: &[u8]) -> Vec<Out> {
        let done = match Header::read(body) {
            Err(error) => Err(error.into()),
            Ok(header) => match header.kind {
                FrameKind::Hello => self.hello(time, came, header.session, body),
                FrameKind::Reply => self.reply(time.now, header.session, body),
                FrameKind::Sealed => self.sealed(time.now, header.session, body),
            },
        };
        if let Err(cause) = done {
            self.dropped.count(cause);
        }
        self.within_budget(time.now)
    }

    /// A relay took an envelope.
    pub(super) fn accepted(&mut self, relay: &str, envelope: EnvelopeId) -> Vec<Out> {
        for line in self.lines.values_mut() {
            if let Stage::Calling { repeat, taken, .. } = &mut line.stage
                && repeat.id == envelope
            {
                *taken = true;
            }
        }
        self.one_shot.retain_mut(|errand| errand.id != envelope || !errand.route.taken(relay));
        self.farewell_taken(envelope);
        self.card_taken(relay, envelope);
        self.carried()
    }

    /// A relay refuses what is too much: what goes that way goes slowly, closing words before the rest.
    pub(super) fn slow_down(&mut self, now: Moment, relay: &str) {
        let on_it = |line: &&mut PeerLine| line.route.relays().any(|it| it == relay);
        self.lines.values_mut().filter(on_it).for_each(|line| line.slow_down(now));
    }

    /// Whether an inbox of ours is claimed now.
    pub(super) fn set_claimed(&mut self, claimed: bool) -> Vec<Out> {
        self.claimed = claimed;
        self.carried()
    }

    /// The time of [`Self::deadline`] has come.
    pub(super) fn tick(&mut self, now: Moment) -> Vec<Out> {
        let mut stale = Vec::new();
        for (key, line) in &mut self.lines {
            if line.deadline().is_some_and(|due| due <= now) {
                if matches!(line.stage, Stage::Called { .. }) {
                    stale.push(*key);
                }
                line.flush(now, &mut self.out);
            }
        }
        for key in stale {
            self.forget(key, now);
        }
        for errand in &mut self.one_shot {
            errand.due(now, &mut self.out);
        }
        self.one_shot.retain(|errand| errand.deadline().is_some());
        self.tick_pings(now);
        self.tick_cards(now);
        self.settle_groups(now);
        self.within_budget(now)
    }

    /// When [`Self::tick`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let lines = self.lines.values().filter_map(PeerLine::deadline);
        let errands = self.one_shot.iter().filter_map(Repeat::deadline);
        lines.chain(errands).chain(self.pings.deadline()).chain(self.cards.deadline()).min()
    }

    /// Nothing waits to be sent or acknowledged. Cards of ours do not count: what was not taken is sent after a restart.
    pub(super) fn is_idle(&self) -> bool {
        self.one_shot.is_empty() && self.lines.values().all(PeerLine::is_idle)
    }

    /// Relays through which somebody is being reached.
    pub(super) fn relays(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.values().map(|line| &line.route);
        let errands = self.one_shot.iter().map(|errand| &errand.route);
        let routes = lines.chain(errands).chain(self.pings.routes()).chain(self.cards.routes());
        routes.flat_map(Route::relays)
    }

    /// What one contact makes us send is bounded, and so is what all make us send: our own rings always find room at our
    /// relay. What is left out is repeated in its time.
    fn within_budget(&mut self, now: Moment) -> Vec<Out> {
        let mut out = std::mem::take(&mut self.out);
        out.retain(|it| match it {
            Out::Post { relay, budget: Some(peer), .. } => {
                self.sends.take(now, (relay.clone(), *peer)) && self.answers.take(now, relay.clone())
            }
            Out::Post { budget: None, .. } | Out::Report(_) => true,
        });
        out
    }

    /// A frame of a session that is open. Message 3 is the first.
    fn sealed(&mut self, now: Moment, session: SessionId, frame: &[u8]) -> Result<(), Cause> {
        let key = *self.by_session.get(&session).ok_or(Cause::UnknownSession)?;
        let line = self.lines.get_mut(&key).ok_or(Cause::UnknownSession)?;
        if !self.frames.take(now, line.peer) {
            return Err(Cause::TooMany);
        }
        let (proved, peer) = (line.mutual, line.peer);
        let done = line.receive(now, frame, true, &mut self.out);
        if !proved && line.mutual && self.peers.is_contact(peer) {
            self.let_in(peer, key.0);
        }
        done
    }

    fn forget(&mut self, key: Key, now: Moment) {
        if let Some(mut line) = self.lines.remove(&key) {
            line.last_word(now, &mut self.out);
            self.replies_changed |= line.route.reply().is_some();
            if let Stage::Called { handshake, .. } = line.stage {
                self.keep_away(line.peer, handshake);
            }
        }
        self.by_session.retain(|_, it| *it != key);
    }

    fn frame(&mut self, key: Key, now: Moment, frame: &[u8]) {
        let done = match self.lines.get_mut(&key) {
            Some(line) => line.receive(now, frame, false, &mut self.out),
            None => Err(Cause::UnknownSession),
        };
        if let Err(cause) = done {
            self.dropped.count(cause);
        }
    }

    /// Message 2.
    fn reply(&mut self, now: Moment, session: SessionId, frame: &[u8]) -> Result<(), Cause> {
        if let Some(done) = self.pong_came(now, session, frame) {
            return done;
        }
        let key = self.by_session.get(&session).ok_or(Cause::UnknownSession)?;
        let line = self.lines.get_mut(key).ok_or(Cause::UnknownSession)?;
        let Stage::Calling { calling, .. } = &mut line.stage else { return Err(Cause::Replayed) };
        let (open, said) = calling.finish(frame)?;
        line.stage = Stage::Open(open);
        line.mutual = true;
        let (peer, (call, leg)) = (line.peer, line.key);
        line.flush(now, &mut self.out);
        if self.peers.is_contact(peer) {
            self.out.push(Out::Report(Report::Mutual(peer)));
            self.hear_features(peer, &said.features);
        }
        let offers = said.features.iter().any(|feature| feature == CALLEE_OFFERS);
        self.report(Event::Received { call, leg, message: Message::Ready { offers } });
        Ok(())
    }

    /// Reports every ring that a relay took, once the inbox where it is answered is claimed. One that was made for the ring
    /// is: the ring went by the connection that claims it.
    fn carried(&mut self) -> Vec<Out> {
        for line in self.lines.values_mut() {
            let (call, leg) = line.key;
            let made = line.route.reply().is_some_and(|it| it.key.is_some());
            // What goes by a neighbour is answered by the same connection.
            if !self.claimed && !made && !line.route.is_near() {
                continue;
            }
            if let Stage::Calling { taken: true, carried, .. } = &mut line.stage
                && !std::mem::replace(carried, true)
            {
                self.out.push(Out::Report(Report::Event(Event::Carried { call, leg })));
            }
        }
        std::mem::take(&mut self.out)
    }

    fn report(&mut self, event: Event) {
        self.out.push(Out::Report(Report::Event(event)));
    }
}
