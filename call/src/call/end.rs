//! How a call ends.
//!
//! Lives here: what a reason means for history, and what the other side is told.
//! Must not: decide when a call ends.

use alloc::string::String;

use crate::call::{Call, Out, Stage};
use crate::effect::{Effect, Fact, SignalOrder};
use crate::id::MemberId;
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::view::{CallView, Can, Direction, EndReason, EndedBy, Outcome, State};

/// A decided end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: EndReason,
    pub(crate) by: EndedBy,
    pub(crate) tell: Tell,
    /// Devices that never rang get a note of a call in vain.
    pub(super) note: bool,
    /// A group ends for everybody.
    pub(super) for_all: bool,
}

/// What the other side hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Nothing: it told us, or it must not learn.
    Nothing,
    /// The matching word of the phase: `cancel` or `end`.
    Word,
    /// A decline.
    Decline { reason: DeclineReason, scope: Scope, text: Option<String> },
}

impl End {
    pub(crate) fn quiet(reason: EndReason, by: EndedBy) -> Self {
        Self { reason, by, tell: Tell::Nothing, note: true, for_all: false }
    }

    pub(crate) fn told(reason: EndReason, by: EndedBy) -> Self {
        Self { reason, by, tell: Tell::Word, note: true, for_all: false }
    }

    /// Their side ended it, or the network between us did and they were the first to see it.
    pub(crate) fn heard(reason: EndReason) -> Self {
        let network = matches!(reason, EndReason::IceFailed | EndReason::ConnectionLost);
        Self::quiet(reason, if network { EndedBy::Network } else { EndedBy::Remote })
    }

    pub(crate) fn without_note(self) -> Self {
        Self { note: false, ..self }
    }

    pub(crate) fn for_all(self) -> Self {
        let reason = if self.reason == EndReason::Completed { EndReason::EndedByHost } else { self.reason };
        Self { for_all: true, reason, ..self }
    }
}

impl Call {
    /// What hanging up means now.
    pub(crate) fn hung_up(&self) -> End {
        if self.rings_here() {
            Self::decline(DeclineReason::Declined, Scope::ThisDevice, None)
        } else if self.is_answered() {
            End::told(self.hung_up_for(), EndedBy::Local)
        } else {
            End::told(EndReason::Canceled, EndedBy::Local)
        }
    }

    /// What an answered call ends for when somebody hangs up: without a word heard there was no conversation.
    pub(super) fn hung_up_for(&self) -> EndReason {
        let alone = self.left_for().filter(|_| self.connected.is_some());
        alone.unwrap_or(if self.connected.is_some() { EndReason::Completed } else { EndReason::Canceled })
    }

    /// Ends the call: tells the others, takes the paths down, writes the last record. Returns the final view.
    pub(crate) fn finish(mut self, out: &mut Out, end: End) -> CallView {
        if self.is_unproved_or_parked() {
            // History has not heard of it.
            self.record(out, Fact::Offered);
        }
        self.leave_notes(out, &end);
        let (answered, caller, group) = (self.answered.is_some(), self.is_caller(), self.group.is_some());
        for leg in self.legs_mut() {
            let word = match &end.tell {
                Tell::Nothing => None,
                // Its log has said so.
                Tell::Word | Tell::Decline { .. } if group => None,
                Tell::Decline { reason, scope, text } => {
                    Some(Message::Decline { reason: *reason, scope: *scope, text: text.clone() })
                }
                Tell::Word if leg.stage == Stage::Chosen => {
                    Some(Message::End { reason: end_word(end.reason) })
                }
                Tell::Word if answered => None,
                Tell::Word if caller => Some(cancel_word(end.reason)),
                Tell::Word => Some(Message::End { reason: outward(end.reason) }),
            };
            if let Some(word) = word {
                leg.send(out, word);
            }
            leg.close(out);
        }
        self.leave_room(out, end.for_all);
        out.order(Effect::EndMedia(self.wire));
        self.serial += 1;
        let members = self.last_members(out.now);
        let view = CallView {
            members,
            state: State::Disconnected,
            reason: Some(end.reason),
            ended_by: Some(end.by),
            ender: self.ender(&end),
            outcome: Some(outcome(
                self.direction,
                self.answered.is_some(),
                self.connected.is_some(),
                end.reason,
            )),
            deadline: None,
            ended: Some(out.now),
            can: Can::default(),
            ..self.view()
        };
        match view.ender {
            Some(who) => out.record_about(Fact::Ended, who, view.clone()),
            None => out.record(Fact::Ended, view.clone()),
        }
        view
    }

    /// Which of the others in a group brought this end about.
    fn ender(&self, end: &End) -> Option<MemberId> {
        let group = self.group.as_ref().filter(|_| end.by == EndedBy::Remote)?;
        let put_out = || group.put_out_by().filter(|_| end.reason == EndReason::Removed);
        let ended = group.ended_by().filter(|_| end.reason == EndReason::EndedByHost);
        let peer = ended.or_else(put_out)?;
        self.members.iter().find(|(_, member)| member.peer == peer).map(|(id, _)| *id)
    }

    /// Who called in vain leaves a note with each device that is not known to have rung.
    fn leave_notes(&self, out: &mut Out, end: &End) {
        let declined = matches!(end.reason, EndReason::Declined | EndReason::AllDeclined);
        if !self.is_caller() || !end.note || self.answered.is_some() || declined {
            return;
        }
        for member in self.members.values() {
            let silent = member.legs.values().filter(|leg| leg.is_not_known_to_have_rung()).map(|leg| leg.id);
            for leg in silent.chain(member.unrung.iter().copied()) {
                let order = SignalOrder::Missed { peer: member.peer };
                out.order(Effect::Signal { call: self.wire, leg, order });
            }
        }
    }
}

/// The word for who answered: on the wire hanging up is one word, and each side knows whether sound flowed.
fn end_word(reason: EndReason) -> EndReason {
    if reason == EndReason::Canceled { EndReason::Completed } else { outward(reason) }
}

/// As others are told: which ways we allow is our own matter.
fn outward(reason: EndReason) -> EndReason {
    if reason == EndReason::NoTurn { EndReason::IceFailed } else { reason }
}

/// The word for a leg when an outgoing call ends without an answer.
fn cancel_word(reason: EndReason) -> Message {
    let reason = if matches!(reason, EndReason::NoAnswer | EndReason::Unavailable) {
        CancelReason::NoAnswer
    } else if reason == EndReason::Declined {
        CancelReason::DeclinedElsewhere
    } else {
        CancelReason::Canceled
    };
    Message::Cancel { reason }
}

/// How history files an end.
pub(crate) fn outcome(direction: Direction, answered: bool, connected: bool, reason: EndReason) -> Outcome {
    if answered && (connected || reason == EndReason::Completed) {
        return Outcome::Answered;
    }
    if answered && reason == EndReason::Canceled {
        return Outcome::Canceled;
    }
    match (direction, reason) {
        (_, EndReason::AnsweredElsewhere | EndReason::DeclinedElsewhere | EndReason::Superseded) => {
            Outcome::Elsewhere
        }
        (_, EndReason::Declined | EndReason::AllDeclined) => Outcome::Declined,
        (
            _,
            EndReason::IceFailed | EndReason::NoTurn | EndReason::NegotiationFailed | EndReason::MediaFailed,
        ) if answered => Outcome::Failed,
        (Direction::Incoming, _) => Outcome::Missed,
        (Direction::Outgoing, EndReason::Busy) => Outcome::Busy,
        (Direction::Outgoing, EndReason::NoAnswer) => Outcome::NoAnswer,
        (Direction::Outgoing, EndReason::Unavailable | EndReason::Unreachable) => Outcome::Unavailable,
        (Direction::Outgoing, EndReason::Canceled | EndReason::Shutdown) => Outcome::Canceled,
        (Direction::Outgoing, EndReason::Interrupted) => Outcome::Interrupted,
        (Direction::Outgoing, _) => Outcome::Failed,
    }
}

/// What devices may say of themselves when they are out, the weakest first.
const WORDS: [EndReason; 10] = [
    EndReason::Unavailable,
    EndReason::SignalingFailed,
    EndReason::IceFailed,
    EndReason::NoTurn,
    EndReason::NegotiationFailed,
    EndReason::MediaFailed,
    EndReason::SecurityFailed,
    EndReason::NoAnswer,
    EndReason::Busy,
    EndReason::Declined,
];

/// Of two words about legs that are gone the stronger stands.
pub(crate) fn stronger(a: EndReason, b: EndReason) -> EndReason {
    let rank = |reason: EndReason| WORDS.iter().position(|word| *word == reason);
    if rank(b) > rank(a) { b } else { a }
}

/// Whether a peer may give this as the reason why its side broke.
pub(crate) fn is_failure(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::MediaFailed
            | EndReason::NegotiationFailed
            | EndReason::IceFailed
            | EndReason::ConnectionLost
            | EndReason::SecurityFailed
            | EndReason::SignalingFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declined_outranks_busy_outranks_no_answer_outranks_unavailable() {
        let order = [EndReason::Unavailable, EndReason::NoAnswer, EndReason::Busy, EndReason::Declined];
        for pair in order.windows(2) {
            assert_eq!(stronger(pair[0], pair[1]), pair[1]);
            assert_eq!(stronger(pair[1], pair[0]), pair[1]);
        }
    }

    #[test]
    fn of_two_words_of_no_weight_the_first_one_stays() {
        assert_eq!(stronger(EndReason::Shutdown, EndReason::Internal), EndReason::Shutdown);
    }

    #[test]
    fn an_unanswered_incoming_call_is_missed_whatever_broke() {
        for reason in [
            EndReason::Missed,
            EndReason::Busy,
            EndReason::SignalingFailed,
            EndReason::MediaFailed,
            EndReason::NegotiationFailed,
            EndReason::Interrupted,
        ] {
            assert_eq!(outcome(Direction::Incoming, false, false, reason), Outcome::Missed);
        }
    }
}
