//! Notices of calls that could not be set up, or broke.
//!
//! Lives here: the reason in words, one notice a contact, and what "Call again" asks for.
//! Must not: know how a notice is kept on the screen; tell of what a person decided: a decline, a busy line, no answer.

use std::collections::BTreeMap;

use ahoy_call::{Direction, EndReason, Outcome, PeerId};

use super::note::{Key, Note, Sign, name};
use super::notice::dial;
use crate::values::happening::Happening;
use crate::values::request::Request;

/// The button's key.
const CALL_AGAIN: &str = "call-again";
/// So many contacts have a notice.
const CONTACTS: usize = 8;

/// Calls that came to nothing and that nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Broken(BTreeMap<PeerId, (String, &'static str)>);

impl Broken {
    /// Something happened.
    pub(super) fn heard(&mut self, happening: &Happening) {
        let data = &happening.data;
        let Some(peer) = data.contact else { return };
        match happening.kind {
            "call.ended" => {
                // Those that were missed have a notice of their own.
                let Some(why) =
                    data.reason.and_then(sentence).filter(|_| data.outcome != Some(Outcome::Missed))
                else {
                    return;
                };
                if self.0.len() < CONTACTS || self.0.contains_key(&peer) {
                    let who = name(data.name.as_deref().unwrap_or_default());
                    let talked = data.duration_ms.is_some_and(|duration| duration > 0);
                    let what = match (talked, data.direction) {
                        (true, _) => format!("The call with {who} broke off"),
                        (false, Some(Direction::Incoming)) => {
                            format!("The call of {who} could not be set up")
                        }
                        (false, _) => format!("The call to {who} could not be set up"),
                    };
                    self.0.insert(peer, (what, why));
                }
            }
            "call.answered" | "call.incoming" => self.seen(peer),
            _ => {}
        }
    }

    /// A person has seen the notice of a contact, or speaks to it.
    pub(super) fn seen(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    /// The notices that should be on the screen.
    pub(super) fn notes(&self) -> Vec<Note> {
        let note = |(peer, (what, why)): (&PeerId, &(String, &'static str))| Note {
            key: Key::Broken(*peer),
            summary: what.clone(),
            body: (*why).to_owned(),
            without_buttons: "To call again: ahoyctl call.",
            buttons: vec![(CALL_AGAIN, "Call again".to_owned())],
            urgent: false,
            category: "call",
            icon: Sign::Missed,
            picture: String::new(),
            outlives_us: true,
        };
        self.0.iter().map(note).collect()
    }
}

/// What a pressed button asks for.
pub(super) fn pressed(peer: PeerId, button: &str) -> Option<Request> {
    (button == CALL_AGAIN).then(|| dial(peer))
}

/// Why, for a person; `None` for ends that somebody wanted or that say enough by themselves.
fn sentence(reason: EndReason) -> Option<&'static str> {
    Some(match reason {
        EndReason::Unreachable => "No relay of yours can be reached. Are you online?",
        EndReason::IceFailed => "No way between your network and theirs was found.",
        EndReason::NoTurn => "This call may go by a TURN server only, and none of your relays' serves you.",
        EndReason::RoomFull => "There was no place in the call for one more.",
        EndReason::NegotiationFailed => "The two programs did not agree: one of them may be too old.",
        EndReason::MediaFailed => "The sound could not be set up.",
        EndReason::ConnectionLost => "The connection was lost and did not come back.",
        EndReason::SignalingFailed => "The relay carried nothing more.",
        EndReason::SecurityFailed => "The other side could not prove who they are.",
        EndReason::Internal => "A fault of this program: ahoyctl logs tells more.",
        EndReason::Completed
        | EndReason::Canceled
        | EndReason::Declined
        | EndReason::AllDeclined
        | EndReason::Superseded
        | EndReason::LastLeft
        | EndReason::Removed
        | EndReason::EndedByHost
        | EndReason::Busy
        | EndReason::NoAnswer
        | EndReason::Missed
        | EndReason::AnsweredElsewhere
        | EndReason::DeclinedElsewhere
        | EndReason::Unavailable
        | EndReason::Shutdown
        | EndReason::Interrupted => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::happening::EventData;
    use crate::values::request::CallRequest;

    const ANA: PeerId = PeerId::from_bytes([1; 16]);

    fn ended(reason: EndReason, duration_ms: u64) -> Happening {
        let data = EventData {
            contact: Some(ANA),
            name: Some("Ana".to_owned()),
            reason: Some(reason),
            direction: Some(Direction::Outgoing),
            duration_ms: Some(duration_ms),
            ..EventData::default()
        };
        Happening { kind: "call.ended", serial: 1, data }
    }

    #[test]
    fn a_call_that_broke_or_was_never_set_up_leaves_its_reason_and_can_be_made_again() {
        let mut broken = Broken::default();
        broken.heard(&ended(EndReason::IceFailed, 0));
        let notes = broken.notes();
        assert_eq!(notes[0].summary, "The call to Ana could not be set up");
        assert_eq!(notes[0].body, "No way between your network and theirs was found.");
        broken.heard(&ended(EndReason::ConnectionLost, 61_000));
        assert_eq!(broken.notes()[0].summary, "The call with Ana broke off");
        assert_eq!(broken.notes().len(), 1);
        let Some(Request::Call(CallRequest::Dial { target, .. })) =
            pressed(ANA, broken.notes()[0].buttons[0].0)
        else {
            panic!()
        };
        assert_eq!(target, "01".repeat(16));
        assert_eq!(pressed(ANA, "default"), None);
        broken.seen(ANA);
        assert_eq!(broken.notes(), []);
    }

    #[test]
    fn an_end_that_somebody_wanted_leaves_nothing() {
        let mut broken = Broken::default();
        for reason in [
            EndReason::Completed,
            EndReason::Declined,
            EndReason::Busy,
            EndReason::NoAnswer,
            EndReason::Unavailable,
        ] {
            broken.heard(&ended(reason, 0));
        }
        let mut missed = ended(EndReason::SignalingFailed, 0);
        missed.data.outcome = Some(Outcome::Missed);
        broken.heard(&missed);
        assert_eq!(broken.notes(), []);
        broken.heard(&ended(EndReason::MediaFailed, 0));
        broken.heard(&Happening { kind: "call.answered", ..ended(EndReason::Completed, 0) });
        assert_eq!(broken.notes(), [], "they speak to each other again");
    }
}
