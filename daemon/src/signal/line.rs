//! One leg's session: its stage, and which path each frame takes.
//!
//! Lives here: repeating message 1, sealing and routing what the rules send, opening what comes.
//! Must not: know who the other is beyond its route, or what a call is.

use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId};
use ahoy_proto::codec;
use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Ttl};
use ahoy_proto::reliable::{Reliable, Undeliverable};
use ahoy_proto::session::{Called, Calling, Session};

use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::peers::Route;

/// How long a relay keeps a sealed frame for a device that is away for a moment; after that it is repeated anyway.
const FRAME_LIVES: Duration = Duration::from_secs(30);
/// Pauses before the repeats of message 1; the last one goes on.
const PAUSES_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];

/// What the task has to do.
#[derive(Debug)]
pub(super) enum Out {
    /// Give it to this relay.
    Post {
        /// Its URL.
        relay: String,
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

/// A message 1 on its way: the same envelope again and again, until it is answered or its time is over.
#[derive(Debug)]
pub(super) struct Repeat {
    pub(super) id: EnvelopeId,
    pub(super) route: Route,
    frame: Vec<u8>,
    until: Moment,
    /// How long a relay keeps it; until the repeats end if none.
    kept: Option<Duration>,
    next: Option<Moment>,
    tries: usize,
}

impl Repeat {
    /// Due at once.
    pub(super) fn new(route: Route, frame: Vec<u8>, now: Moment, lives: Duration) -> Option<Self> {
        let id = EnvelopeId::from_bytes(chance()?);
        Some(Self { id, route, frame, until: now + lives, kept: None, next: Some(now), tries: 0 })
    }

    /// A relay keeps it that long, however short the repeats are.
    pub(super) fn kept(self, kept: Duration) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Sends if it is time.
    pub(super) fn due(&mut self, now: Moment, out: &mut Vec<Out>) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        if self.until <= now {
            self.next = None;
            return;
        }
        let lives = self.kept.unwrap_or_else(|| self.until.since(now));
        post(&self.route, self.id, &self.frame, lives, out);
        self.next = Some(now + Duration::from_millis(PAUSES_MS[self.tries.min(PAUSES_MS.len() - 1)]));
        self.tries += 1;
    }

    /// No more of it.
    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    /// When [`Self::due`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.next
    }
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
            by_relay: false,
            dead: false,
        }
    }

    /// Seals and sends a message of the rules.
    pub(super) fn send(&mut self, now: Moment, message: &Message, out: &mut Vec<Out>) {
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
                self.post(&frame, out);
            }
            if self.channel {
                let (call, leg) = self.key;
                out.push(Out::Report(Report::Frame { call, leg, bytes: frame }));
            }
        }
    }

    /// Sends a frame by the relay, outside of what is repeated.
    pub(super) fn post(&self, frame: &[u8], out: &mut Vec<Out>) {
        if let Some(id) = chance() {
            post(&self.route, EnvelopeId::from_bytes(id), frame, FRAME_LIVES, out);
        }
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

fn post(route: &Route, id: EnvelopeId, frame: &[u8], lives: Duration, out: &mut Vec<Out>) {
    for at in &route.inboxes {
        // A frame of ours is never longer than a body may be.
        let Ok(body) = Body::try_from(frame.to_vec()) else { continue };
        let envelope = Envelope { inbox: at.inbox, token: route.token, id, ttl: Ttl::new(lives), body };
        out.push(Out::Post { relay: at.relay.clone(), envelope });
    }
}
