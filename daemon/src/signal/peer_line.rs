//! One leg's session: its stage, and which path each frame takes.
//!
//! Lives here: sealing what the rules send, opening what comes. Which relay each frame takes: `line/route.rs`.
//! Must not: know who the other is beyond its route, or what a call is.

mod gathered;
mod repeat;
mod route;
mod together;

use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId};
use ahoy_proto::codec;
use ahoy_proto::envelope::Envelope;
use ahoy_proto::reliable::{Manner, Reliable, Undeliverable};
use ahoy_proto::session::{Called, Calling, Session};

use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::replay::Mark;
use crate::values::budget;

use gathered::Gathered;
pub(super) use repeat::Repeat;
pub(super) use route::{ReplyInbox, Route, fresh_token};
use together::Together;

/// How long a relay keeps a sealed frame for a device that is away for a moment; after that it is repeated anyway.
const FRAME_LIVES: Duration = Duration::from_secs(30);

/// What the task has to do.
#[derive(Debug)]
pub(super) enum Out {
    /// Give it to this relay.
    Post {
        /// Its URL.
        relay: String,
        /// By the connection that claims this inbox there: its public key. By any if none.
        from: Option<[u8; 32]>,
        /// Whose budget it is counted to; ours if none.
        budget: Option<PeerId>,
        /// What.
        envelope: Envelope,
    },
    /// Tell the engine.
    Report(Report),
}

/// 16 or 32 random bytes. `None` only where the kernel has no randomness: then nothing can be sealed.
pub(super) fn chance<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// How far the session is.
pub(super) enum Stage {
    /// Message 1 is on its way.
    Calling {
        /// Waits for message 2.
        calling: Calling,
        /// Repeats message 1.
        repeat: Box<Repeat>,
        /// A relay took it.
        taken: bool,
        /// That was reported.
        carried: bool,
    },
    /// Message 1 was opened; the rules have not answered.
    Called {
        /// Taken when they do.
        called: Option<Called>,
        /// When it is dropped unanswered.
        until: Moment,
        /// What must not count twice, once it is answered.
        handshake: Mark,
        /// It is a ring, which comes once a call.
        rings: bool,
    },
    /// The session stands.
    Open(Session),
}

/// One leg's session.
pub(super) struct PeerLine {
    pub(super) key: (CallId, LegId),
    pub(super) peer: PeerId,
    pub(super) route: Route,
    pub(super) stage: Stage,
    /// When it began.
    pub(super) begun: Moment,
    /// The data channel is open.
    pub(super) channel: bool,
    /// Message 3 was opened, or message 2: they have our card.
    pub(super) mutual: bool,
    reliable: Reliable,
    /// Candidates after the first of a path, which wait for more to go in one message.
    gathered: Gathered,
    /// What is said of a group, which waits for more to go in one body.
    together: Together,
    /// Message 2 was sent so often, the last time then.
    answered: u32,
    answered_at: Moment,
    /// The last packet came by a relay while the channel is said to be open: it may be dead.
    by_relay: bool,
    /// Nothing was heard for too long; that was reported. The other end may come back.
    dead: bool,
}

impl PeerLine {
    pub(super) fn new(key: (CallId, LegId), peer: PeerId, route: Route, stage: Stage, begun: Moment) -> Self {
        Self {
            key,
            peer,
            route,
            stage,
            begun,
            channel: false,
            mutual: false,
            reliable: Reliable::default(),
            gathered: Gathered::default(),
            together: Together::default(),
            answered: 0,
            answered_at: Moment::default(),
            by_relay: false,
            dead: false,
        }
    }

    /// Seals and sends a message of the rules.
    pub(super) fn send(&mut self, now: Moment, message: &Message, out: &mut Vec<Out>) {
        if matches!(message, Message::Accept) {
            self.route.open_all();
        }
        match message {
            Message::Candidates { epoch, list, complete } => {
                if self.gathered.take(now, *epoch, list, *complete) {
                    return;
                }
            }
            // What belongs to the paths before it means nothing any more.
            Message::Description { epoch, .. } => self.reliable.supersede(epoch.0),
            Message::Ready { .. }
            | Message::Offer { .. }
            | Message::Invite { .. }
            | Message::Log(_)
            | Message::Room(_)
            | Message::Ringing
            | Message::Accept
            | Message::Decline { .. }
            | Message::Cancel { .. }
            | Message::End { .. }
            | Message::State { .. } => {}
        }
        let taken = self.together.take(now, message) || self.put(std::slice::from_ref(message)).is_ok();
        if taken { self.flush(now, out) } else { self.fail(out) }
    }

    fn put(&mut self, messages: &[Message]) -> Result<(), Undeliverable> {
        let everywhere = messages.iter().any(|message| manner(message).everywhere);
        let of_first = messages.first().map(manner).unwrap_or_default();
        let bodies = codec::encode_all(messages).map_err(|_| Undeliverable)?;
        bodies.into_iter().try_for_each(|body| self.reliable.send(body, Manner { everywhere, ..of_first }))
    }

    /// Opens a sealed frame. What it held is reported, its acknowledgement sent.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        frame: &[u8],
        by_relay: bool,
        out: &mut Vec<Out>,
    ) -> Result<(), Cause> {
        let Stage::Open(session) = &mut self.stage else { return Err(Cause::UnknownSession) };
        let packet = session.open(frame)?;
        self.by_relay = by_relay;
        self.revive();
        let body = self.reliable.receive(&packet).map_err(|_| Cause::Malformed)?;
        let messages = body.map(codec::decode_all);
        self.flush(now, out);
        let Some(messages) = messages else { return Ok(()) };
        let messages = messages.map_err(|_| Cause::Malformed)?;
        if messages.is_empty() {
            return Err(Cause::Unsupported);
        }
        if !self.mutual {
            self.mutual = true;
            out.push(Out::Report(Report::Mutual(self.peer)));
        }
        let (call, leg) = self.key;
        let received = |message| Out::Report(Report::Event(Event::Received { call, leg, message }));
        out.extend(messages.into_iter().map(received));
        Ok(())
    }

    /// Sends what is due.
    pub(super) fn flush(&mut self, now: Moment, out: &mut Vec<Out>) {
        match &mut self.stage {
            Stage::Calling { repeat, .. } => return repeat.due(now, out),
            Stage::Called { .. } => return,
            Stage::Open(_) => {}
        }
        if self.dead {
            return;
        }
        while let Some(candidates) = self.gathered.due(now) {
            if self.put(&[candidates]).is_err() {
                return self.fail(out);
            }
        }
        let together = self.together.due(now);
        if self.put(&together).is_err() {
            return self.fail(out);
        }
        let Ok(packets) = self.reliable.due(now) else { return self.fail(out) };
        for packet in packets {
            // What was not acknowledged in time takes every path: the channel may be dead without knowing it.
            if !self.post(&packet.bytes, packet.everywhere || packet.repeated, out) {
                return self.fail(out);
            }
        }
    }

    /// Says what waits, and acknowledges what came last: the session ends here.
    pub(super) fn last_word(&mut self, now: Moment, out: &mut Vec<Out>) {
        if self.together.until.is_some() {
            self.together.hurry(now);
            self.flush(now, out);
        }
        if let Some(packet) = self.reliable.last_word() {
            self.post(&packet, false, out);
        }
    }

    /// Seals and sends a packet. False where no session stands, or it can seal no more.
    fn post(&mut self, packet: &[u8], all: bool, out: &mut Vec<Out>) -> bool {
        let Stage::Open(session) = &mut self.stage else { return false };
        let Ok(frame) = session.seal(packet) else { return false };
        if !self.channel || all || self.by_relay {
            self.route.post(self.peer, &frame, FRAME_LIVES, all, out);
        }
        if self.channel {
            let (call, leg) = self.key;
            out.push(Out::Report(Report::Frame { call, leg, bytes: frame }));
        }
        true
    }

    /// Sends message 2, by one relay: the first time by that which brought message 1, then by each in turn. A caller repeats
    /// message 1 while no answer comes, and nobody makes us say it faster or without end.
    pub(super) fn answer(&mut self, now: Moment, message_2: &[u8], out: &mut Vec<Out>) -> Result<(), Cause> {
        let soon = self.answered > 0 && now.since(self.answered_at) < budget::MESSAGE_2_PAUSE;
        if soon || self.answered >= budget::MESSAGE_2S {
            return Err(Cause::TooMany);
        }
        self.route.post_one(self.answered, self.peer, message_2, FRAME_LIVES, out);
        self.answered += 1;
        self.answered_at = now;
        Ok(())
    }

    /// The channel opened or closed.
    pub(super) fn set_channel(&mut self, now: Moment, open: bool, out: &mut Vec<Out>) {
        if self.channel == open {
            return;
        }
        self.channel = open;
        self.by_relay = false;
        if open {
            self.revive();
        }
        self.reliable.hurry();
        self.flush(now, out);
    }

    /// When [`Self::flush`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Calling { repeat, .. } => repeat.deadline(),
            Stage::Called { until, .. } => Some(*until),
            Stage::Open(_) if self.dead => None,
            Stage::Open(_) => {
                let due = [self.reliable.deadline(), self.gathered.until, self.together.until];
                due.into_iter().flatten().min()
            }
        }
    }

    /// Nothing waits to be sent or acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.dead || (self.reliable.is_idle() && self.together.until.is_none())
    }

    /// A relay on its way refuses what is too much.
    pub(super) fn slow_down(&mut self, now: Moment) {
        self.reliable.slow_down(now);
    }

    /// The other end is there: what was given up is tried again.
    fn revive(&mut self) {
        if std::mem::take(&mut self.dead) {
            self.reliable.revive();
        }
    }

    fn fail(&mut self, out: &mut Vec<Out>) {
        if !std::mem::replace(&mut self.dead, true) {
            let (call, leg) = self.key;
            out.push(Out::Report(Report::Event(Event::Undeliverable { call, leg })));
        }
    }
}

/// How a message travels.
fn manner(message: &Message) -> Manner {
    match message {
        Message::Accept
        | Message::Decline { .. }
        | Message::Cancel { .. }
        | Message::End { .. }
        | Message::Log(_) => Manner { everywhere: true, epoch: None },
        Message::Description { epoch, .. } | Message::Candidates { epoch, .. } => {
            Manner { everywhere: false, epoch: Some(epoch.0) }
        }
        Message::Ready { .. }
        | Message::Offer { .. }
        | Message::Invite { .. }
        | Message::Room(_)
        | Message::Ringing
        | Message::State { .. } => Manner::default(),
    }
}
