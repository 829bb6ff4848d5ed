//! One leg's session: its stage, and which path each frame takes.
//!
//! Lives here: sealing what the rules send, opening what comes. Which relay each frame takes: `line/route.rs`.
//! Must not: know who the other is beyond its route, or what a call is.

mod repeat;
mod route;

use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId};
use ahoy_proto::codec;
use ahoy_proto::envelope::Envelope;
use ahoy_proto::reliable::{Reliable, Undeliverable};
use ahoy_proto::session::{Called, Calling, Session};

use crate::budget;
use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::replay::Mark;

pub(super) use repeat::Repeat;
pub(super) use route::{ReplyInbox, Route, fresh_token};

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
        repeat: Repeat,
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
    },
    /// The session stands.
    Open(Session),
}

/// One leg's session.
pub(super) struct Line {
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
    /// Message 2 was sent so often, the last time then.
    answered: u32,
    answered_at: Moment,
    /// The last packet came by a relay while the channel is said to be open: it may be dead.
    by_relay: bool,
    /// Nothing more can be carried; that was reported.
    dead: bool,
}

impl Line {
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
        let everywhere = match message {
            Message::Accept | Message::Decline { .. } | Message::Cancel { .. } | Message::End { .. } => true,
            Message::Ready
            | Message::Offer { .. }
            | Message::Description { .. }
            | Message::Candidates { .. }
            | Message::Ringing
            | Message::State { .. } => false,
        };
        let taken = codec::encode(message)
            .map_err(|_| Undeliverable)
            .and_then(|body| self.reliable.send(body, everywhere));
        match taken {
            Ok(()) => self.flush(now, out),
            Err(Undeliverable) => self.fail(out),
        }
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
        let body = self.reliable.receive(&packet).map_err(|_| Cause::Malformed)?;
        let message = body.map(codec::decode);
        self.flush(now, out);
        match message {
            None => Ok(()),
            Some(Err(_)) => Err(Cause::Malformed),
            Some(Ok(None)) => Err(Cause::Unsupported),
            Some(Ok(Some(message))) => {
                if !self.mutual {
                    self.mutual = true;
                    out.push(Out::Report(Report::Mutual(self.peer)));
                }
                let (call, leg) = self.key;
                out.push(Out::Report(Report::Event(Event::Received { call, leg, message })));
                Ok(())
            }
        }
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
        let Ok(packets) = self.reliable.due(now) else { return self.fail(out) };
        for packet in packets {
            let Stage::Open(session) = &mut self.stage else { return };
            let Ok(frame) = session.seal(&packet.bytes) else { return self.fail(out) };
            // What was not acknowledged in time takes every path: the channel may be dead without knowing it.
            let widely = packet.everywhere || packet.repeated || self.by_relay;
            if !self.channel || widely {
                let all = packet.everywhere || packet.repeated;
                self.route.post(self.peer, &frame, FRAME_LIVES, all, out);
            }
            if self.channel {
                let (call, leg) = self.key;
                out.push(Out::Report(Report::Frame { call, leg, bytes: frame }));
            }
        }
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
        self.reliable.hurry();
        self.flush(now, out);
    }

    /// When [`Self::flush`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Calling { repeat, .. } => repeat.deadline(),
            Stage::Called { until, .. } => Some(*until),
            Stage::Open(_) if self.dead => None,
            Stage::Open(_) => self.reliable.deadline(),
        }
    }

    /// Nothing waits to be sent or acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.dead || self.reliable.is_idle()
    }

    fn fail(&mut self, out: &mut Vec<Out>) {
        if !std::mem::replace(&mut self.dead, true) {
            let (call, leg) = self.key;
            out.push(Out::Report(Report::Event(Event::Undeliverable { call, leg })));
        }
    }
}
