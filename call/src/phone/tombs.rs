//! Ended calls, while they are remembered.
//!
//! Lives here: tombstones, and what a late verb meets.
//! Must not: bring a call back.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Phone;
use crate::call::{Call, End, Out};
use crate::command::Refusal;
use crate::effect::Effect;
use crate::id::{CallId, LegId};
use crate::time::Moment;
use crate::view::{CallKind, CallView, Direction, EndReason};

/// How long an ended call stays to be seen, with its reason.
const LINGER: Duration = Duration::from_secs(10);
/// How long its sessions stay, so that the word that ended it is repeated until it was heard.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// Ended calls that stay at most; the oldest goes first.
const TOMBSTONES: usize = 32;
/// Group calls that run without us and are shown at most.
const OUTSIDE: usize = 16;

/// A verb that an ended call remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastVerb {
    Answer,
    Decline,
    HangUp,
}

/// What is left of a call: its last view, and what it takes to answer a late verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    view: CallView,
    /// The id by which its sessions knew it.
    wire: CallId,
    /// Outsiders know of it.
    public: bool,
    /// Sessions that are dropped with it.
    pub(super) sessions: Vec<(CallId, LegId)>,
    /// The device that the conversation was with.
    pub(super) chosen: Option<LegId>,
    verb: Option<LastVerb>,
    ended: Moment,
}

impl Tombstone {
    /// The last view, if outsiders knew of the call.
    pub(super) fn view(&self) -> Option<&CallView> {
        self.public.then_some(&self.view)
    }

    /// When something of it goes.
    pub(super) fn until(&self) -> Moment {
        self.ended + if self.public { LINGER } else { LAST_WORDS }
    }

    pub(super) fn was_group(&self, wire: CallId) -> bool {
        self.wire == wire && self.view.kind == CallKind::Group
    }

    pub(super) fn is_of(&self, call: CallId) -> bool {
        self.view.id == call || self.wire == call || self.sessions.iter().any(|(of, _)| *of == call)
    }

    /// Whether it left this session when it became another's call.
    pub(super) fn left_behind(&self, session: (CallId, LegId)) -> bool {
        session.0 != self.wire && self.sessions.contains(&session)
    }

    /// `Answer` on an ended call.
    pub(super) fn late_answer(&self) -> Result<(), Refusal> {
        match (self.view.direction, self.view.reason, self.verb) {
            (Direction::Outgoing, _, _) => Err(Refusal::InvalidState),
            (Direction::Incoming, Some(EndReason::AnsweredElsewhere), _) => Err(Refusal::AnsweredElsewhere),
            (Direction::Incoming, _, Some(LastVerb::Answer)) => Ok(()),
            (Direction::Incoming, _, Some(LastVerb::Decline | LastVerb::HangUp) | None) => {
                Err(Refusal::AlreadyHandled)
            }
        }
    }

    /// `Decline` on an ended call.
    pub(super) fn late_decline(&self) -> Result<(), Refusal> {
        match (self.view.direction, self.view.reason, self.verb) {
            (Direction::Outgoing, _, _) => Err(Refusal::InvalidState),
            (Direction::Incoming, Some(EndReason::AnsweredElsewhere), _) => Err(Refusal::AnsweredElsewhere),
            (Direction::Incoming, _, Some(LastVerb::Answer)) => Err(Refusal::AlreadyHandled),
            (Direction::Incoming, _, Some(LastVerb::Decline | LastVerb::HangUp) | None) => Ok(()),
        }
    }
}

impl Phone {
    /// Ends a call and keeps what is left of it.
    pub(super) fn bury(&mut self, out: &mut Out, id: CallId, end: End) {
        let Some(call) = self.calls.remove(&id) else { return };
        let (wire, public, sessions, chosen) =
            (call.wire(), call.is_public(), call.sessions(), call.chosen());
        let verb = call.is_answered().then_some(LastVerb::Answer);
        let mut view = call.finish(out, end);
        view.deadline = Some(out.now + LINGER);
        if public {
            out.order(Effect::Publish(Box::new(view.clone())));
        }
        if self.tombstones.len() == TOMBSTONES {
            self.retire_oldest(out);
        }
        self.tombstones.push_back(Tombstone { view, wire, public, sessions, chosen, verb, ended: out.now });
    }

    /// A group call that ran without us is over. Its row was closed when we left it.
    pub(super) fn bury_outside(&mut self, out: &mut Out, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        let (wire, sessions) = (call.wire(), call.sessions());
        let mut view = call.view();
        view.members = call.last_members(out.now);
        view.can.join = false;
        view.serial += 1;
        view.deadline = Some(out.now + LINGER);
        out.order(Effect::Publish(Box::new(view.clone())));
        if self.tombstones.len() == TOMBSTONES {
            self.retire_oldest(out);
        }
        let (public, chosen, verb, ended) = (true, None, None, out.now);
        self.tombstones.push_back(Tombstone { view, wire, public, sessions, chosen, verb, ended });
    }

    /// So many group calls that run without us are kept; the oldest gives way.
    pub(super) fn forget_oldest_outside(&mut self, out: &mut Out) {
        let outside = |call: &&Call| call.outside().is_some();
        while self.calls.values().filter(outside).count() > OUTSIDE {
            let oldest = self.calls.values().filter(outside).min_by_key(|call| (call.created(), call.id()));
            let Some(oldest) = oldest.map(Call::id) else { return };
            self.bury_outside(out, oldest);
        }
    }

    /// Remembers a call of which nothing is left but that it was.
    pub(super) fn remember_note(&mut self, now: Moment, view: CallView) {
        // A full row of tombstones is not worth losing one: history knows the call, too.
        if self.tombstones.len() < TOMBSTONES {
            let sessions = Vec::new();
            let wire = view.id;
            let tomb =
                Tombstone { view, wire, public: false, sessions, chosen: None, verb: None, ended: now };
            self.tombstones.push_back(tomb);
        }
    }

    pub(super) fn remember(&mut self, call: CallId, verb: LastVerb) {
        if let Some(tomb) = self.tombstones.iter_mut().find(|tomb| tomb.view.id == call) {
            tomb.verb = Some(verb);
        }
    }

    /// What is due of them: first they are seen no more, then their sessions go.
    pub(super) fn tick_tombstones(&mut self, out: &mut Out) {
        let now = out.now;
        for tomb in self.tombstones.iter_mut().filter(|tomb| tomb.public && tomb.until() <= now) {
            tomb.public = false;
            out.order(Effect::Retire(tomb.view.id));
        }
        while self.tombstones.front().is_some_and(|tomb| tomb.until() <= out.now) {
            self.retire_oldest(out);
        }
    }

    fn retire_oldest(&mut self, out: &mut Out) {
        let Some(tomb) = self.tombstones.pop_front() else { return };
        Call::forget(out, &tomb.sessions);
        if tomb.public {
            out.order(Effect::Retire(tomb.view.id));
        }
    }
}
