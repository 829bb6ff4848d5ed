//! All Noise sessions, and what each order and each delivery does to them. Sans I/O: what to do is returned.
//!
//! Lives here: the table of lines and our own side of a handshake. Theirs: `sessions/knocks.rs`; what needs no session: `sessions/errands.rs`.
//! Must not: hold a socket, read a clock, decide whether a phone rings.

mod errands;
mod knocks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId, SignalOrder};
use ahoy_proto::envelope::{EnvelopeId, TokenHash};
use ahoy_proto::hello::{Hello, HelloKind, VERSION};
use ahoy_proto::session::{Calling, Ephemeral, FrameKind, Header, SessionId};

use crate::roster::Roster;
use crate::signal::dropped::{Cause, Dropped};
use crate::signal::line::{Line, Out, Repeat, Stage, chance};
use crate::signal::peers::{Peers, Route};
use crate::signal::replay::Replay;
use crate::signal::{Order, Report};

/// When something comes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// Since boot.
    pub(super) now: Moment,
    /// Calendar time, for certificates alone.
    pub(super) unix_s: i64,
}

type Key = (CallId, LegId);

/// The table.
pub(super) struct Sessions {
    peers: Peers,
    replay: Replay,
    lines: BTreeMap<Key, Line>,
    by_session: BTreeMap<SessionId, Key>,
    errands: Vec<Repeat>,
    claimed: bool,
    dropped: Dropped,
}

impl Sessions {
    /// Empty, with what was answered before.
    pub(super) fn new(replay: Replay) -> Self {
        Self {
            peers: Peers::default(),
            replay,
            lines: BTreeMap::new(),
            by_session: BTreeMap::new(),
            errands: Vec::new(),
            claimed: false,
            dropped: Dropped::default(),
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

    /// Writes what must survive a restart. Before anything of `out` is done.
    pub(super) fn save(&mut self) {
        self.replay.save();
    }

    /// Who we are and who may speak to us.
    pub(super) fn set_roster(&mut self, roster: Arc<Roster>) {
        self.peers.replace(roster);
    }

    /// An order of the engine.
    pub(super) fn order(&mut self, time: Time, order: Order) -> Vec<Out> {
        let mut out = Vec::new();
        match order {
            Order::Call { call, leg, order } => match order {
                SignalOrder::Ring { peer, lifetime } => {
                    if self.ring(time.now, (call, leg), peer, lifetime, &mut out).is_none() {
                        out.push(Out::Report(Report::Event(Event::Undeliverable { call, leg })));
                    }
                }
                SignalOrder::Send(message) => self.send(time.now, (call, leg), &message, &mut out),
                SignalOrder::Missed { peer } => self.note_missed(time.now, (call, leg), peer, &mut out),
                SignalOrder::Forget => self.forget((call, leg)),
            },
            Order::Frame { call, leg, bytes } => self.frame((call, leg), time.now, &bytes, &mut out),
            Order::Channel { call, leg, open } => {
                if let Some(line) = self.lines.get_mut(&(call, leg)) {
                    line.set_channel(time.now, open, &mut out);
                }
            }
            Order::Roster(roster) => self.set_roster(roster),
            Order::Bye { call, peer } => self.bye(time.now, call, peer, &mut out),
            Order::NetworkChanged | Order::Stop => {}
        }
        out
    }

    /// An envelope came to an inbox of ours. `held`: how long it waited at the relay, as the relay says.
    pub(super) fn delivered(
        &mut self,
        time: Time,
        token: TokenHash,
        held: Duration,
        body: &[u8],
    ) -> Vec<Out> {
        let mut out = Vec::new();
        let done = match Header::read(body) {
            Err(error) => Err(error.into()),
            Ok(header) => match header.kind {
                FrameKind::Hello => self.hello(time, token, held, header.session, body, &mut out),
                FrameKind::Reply => self.reply(time.now, header.session, body, &mut out),
                FrameKind::Sealed => self.sealed(time.now, header.session, body, &mut out),
            },
        };
        if let Err(cause) = done {
            self.dropped.count(cause);
        }
        out
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
        self.errands.retain_mut(|errand| {
            if errand.id == envelope {
                errand.route.inboxes.retain(|at| at.relay != relay);
            }
            !errand.route.inboxes.is_empty()
        });
        self.carried()
    }

    /// Whether an inbox of ours is claimed now.
    pub(super) fn set_claimed(&mut self, claimed: bool) -> Vec<Out> {
        self.claimed = claimed;
        self.carried()
    }

    /// The time of [`Self::deadline`] has come.
    pub(super) fn tick(&mut self, now: Moment) -> Vec<Out> {
        let mut out = Vec::new();
        let mut stale = Vec::new();
        for (key, line) in &mut self.lines {
            if line.deadline().is_some_and(|due| due <= now) {
                if matches!(line.stage, Stage::Called { .. }) {
                    stale.push(*key);
                }
                line.flush(now, &mut out);
            }
        }
        for key in stale {
            self.forget(key);
        }
        for errand in &mut self.errands {
            errand.due(now, &mut out);
        }
        self.errands.retain(|errand| errand.deadline().is_some());
        out
    }

    /// When [`Self::tick`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let lines = self.lines.values().filter_map(Line::deadline);
        lines.chain(self.errands.iter().filter_map(Repeat::deadline)).min()
    }

    /// Nothing waits to be sent or acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.errands.is_empty() && self.lines.values().all(Line::is_idle)
    }

    /// Relays through which somebody is being reached.
    pub(super) fn relays(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.values().map(|line| &line.route);
        let routes = lines.chain(self.errands.iter().map(|errand| &errand.route));
        routes.flat_map(|route| &route.inboxes).map(|at| &at.relay[..])
    }

    fn ring(
        &mut self,
        now: Moment,
        key: Key,
        peer: PeerId,
        lifetime: Duration,
        out: &mut Vec<Out>,
    ) -> Option<()> {
        if self.lines.contains_key(&key) {
            return Some(());
        }
        let (calling, route) = self.begin(key, peer, lifetime, HelloKind::Ring)?;
        let repeat = Repeat::new(route.clone(), calling.message_1().to_vec(), now, lifetime)?;
        self.by_session.insert(calling.id(), key);
        let stage = Stage::Calling { calling, repeat, taken: false, carried: false };
        let mut line = Line::new(key, peer, route, stage, now);
        line.flush(now, out);
        self.lines.insert(key, line);
        Some(())
    }

    fn begin(
        &self,
        (call, leg): Key,
        peer: PeerId,
        lifetime: Duration,
        kind: HelloKind,
    ) -> Option<(Calling, Route)> {
        let own = self.peers.own()?;
        let (device, route) = self.peers.devices(peer).into_iter().find(|(it, _)| it.leg_id() == leg)?;
        let hello = Hello {
            certificate: own.certificate.clone(),
            revision: own.revision,
            call,
            lifetime,
            versions: vec![VERSION],
            features: Vec::new(),
            kind,
        };
        let (id, ephemeral) = (SessionId(chance()?), Ephemeral(chance()?));
        Some((Calling::begin(id, &ephemeral, &own.noise, &device, &hello).ok()?, route))
    }

    fn send(&mut self, now: Moment, key: Key, message: &Message, out: &mut Vec<Out>) {
        let revision = self.peers.own().map_or(0, |own| own.revision);
        let Some(line) = self.lines.get_mut(&key) else { return };
        match &mut line.stage {
            Stage::Open(_) => line.send(now, message, out),
            // The ring is taken back before anybody answered it: there is no session that could say so.
            Stage::Calling { repeat, .. } => repeat.stop(),
            Stage::Called { called, .. } => {
                if !matches!(message, Message::Ready) {
                    return;
                }
                let Some(called) = called.take() else { return };
                match called.reply(revision, &[]) {
                    Ok((session, message_2)) => {
                        line.post(&message_2, out);
                        line.stage = Stage::Open(session);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot answer a handshake");
                        self.forget(key);
                    }
                }
            }
        }
    }

    /// A frame of a session that is open. Message 3 is the first.
    fn sealed(
        &mut self,
        now: Moment,
        session: SessionId,
        frame: &[u8],
        out: &mut Vec<Out>,
    ) -> Result<(), Cause> {
        let Some(line) = self.line(session) else { return Err(Cause::UnknownSession) };
        let (proved, (call, _)) = (line.mutual, line.key);
        let done = line.receive(now, frame, true, out);
        if !proved && line.mutual {
            self.let_in(call);
        }
        done
    }

    fn forget(&mut self, key: Key) {
        if let Some(line) = self.lines.remove(&key)
            && matches!(line.stage, Stage::Open(_))
            && !line.mutual
        {
            // It knocked in vain, which left a row.
            self.let_in(key.0);
        }
        self.by_session.retain(|_, it| *it != key);
    }

    fn frame(&mut self, key: Key, now: Moment, frame: &[u8], out: &mut Vec<Out>) {
        let done = match self.lines.get_mut(&key) {
            Some(line) => line.receive(now, frame, false, out),
            None => Err(Cause::UnknownSession),
        };
        if let Err(cause) = done {
            self.dropped.count(cause);
        }
    }

    /// Message 2.
    fn reply(
        &mut self,
        now: Moment,
        session: SessionId,
        frame: &[u8],
        out: &mut Vec<Out>,
    ) -> Result<(), Cause> {
        let line = self.line(session).ok_or(Cause::UnknownSession)?;
        let Stage::Calling { calling, .. } = &mut line.stage else { return Err(Cause::Replayed) };
        let (open, _) = calling.finish(frame)?;
        line.stage = Stage::Open(open);
        line.mutual = true;
        line.flush(now, out);
        let (call, leg) = line.key;
        out.push(Out::Report(Report::Mutual(line.peer)));
        out.push(Out::Report(Report::Event(Event::Received { call, leg, message: Message::Ready })));
        Ok(())
    }

    /// Reports every ring that a relay took, once an inbox of ours is claimed: only then can an answer come.
    fn carried(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        if !self.claimed {
            return out;
        }
        for line in self.lines.values_mut() {
            let (call, leg) = line.key;
            if let Stage::Calling { taken: true, carried, .. } = &mut line.stage
                && !std::mem::replace(carried, true)
            {
                out.push(Out::Report(Report::Event(Event::Carried { call, leg })));
            }
        }
        out
    }

    fn line(&mut self, session: SessionId) -> Option<&mut Line> {
        self.lines.get_mut(self.by_session.get(&session)?)
    }
}
