//! What the calls that are shown mean to a desktop.
//!
//! Lives here: which call rings, which one the person is in, and what follows for players, sleep and keys; pure.
//! Must not: know a bus, a notification or a player.

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Moment, State};

use crate::values::board::{Board, CallRow};

/// Calls that ring here at once: more than anybody can look at. A hostile contact must not paper the screen.
const MOST: usize = 4;

/// Calls as a desktop sees them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// They ring or wait here, oldest first.
    pub(super) ringing: Vec<Arc<CallRow>>,
    /// The person called, or is in it: the one that has the ear, else one that is held, else one in dialing.
    pub(super) engaged: Option<Arc<CallRow>>,
    /// They were answered by themselves, and are not over: the person may not know that the microphone is open.
    pub(super) self_answered: Vec<Arc<CallRow>>,
    /// The person is in them, and everybody else has left.
    pub(super) alone: Vec<Arc<CallRow>>,
    /// Every call that the person is in or dials.
    pub(super) calls: Vec<InCall>,
    /// A ring makes a sound on the devices for it.
    pub(super) bell: bool,
}

/// A call that the person is in or dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InCall {
    /// Which.
    pub(super) call: CallId,
    /// Somebody has answered it.
    pub(super) answered: bool,
    /// It is held by us.
    pub(super) held: bool,
}

/// So long somebody hears a ring before a key may answer it.
const HEARD: Duration = Duration::from_secs(1);

impl Scene {
    /// The scene of a board.
    pub(super) fn of(board: &Board) -> Self {
        let bell = !board.manager.ringer_muted && board.manager.ring_volume > 0.0;
        let mut scene = Self { bell, ..Self::default() };
        let mut best = 0;
        for row in &board.calls {
            let weight = match row.view.state {
                State::Incoming | State::Waiting => {
                    if scene.ringing.len() < MOST {
                        scene.ringing.push(Arc::clone(row));
                    }
                    continue;
                }
                State::Active | State::Reconnecting | State::Connecting => 3,
                State::Held => 2,
                State::Dialing | State::Alerting => 1,
                State::Disconnected => continue,
            };
            let answered = weight > 1;
            scene.calls.push(InCall { call: row.view.id, answered, held: row.view.local_hold });
            if answered && row.view.auto_answered && scene.self_answered.len() < MOST {
                scene.self_answered.push(Arc::clone(row));
            }
            if answered && row.view.alone {
                scene.alone.push(Arc::clone(row));
            }
            if weight > best {
                best = weight;
                scene.engaged = Some(Arc::clone(row));
            }
        }
        scene
    }

    /// Nothing else should sound now: a ring is heard, or the person is in a call.
    pub(super) fn wants_quiet(&self) -> bool {
        self.engaged.is_some() || self.ringing.iter().any(|row| !row.view.silenced)
    }

    /// The person could have heard this ring: it sounds, and has done so for a second. Beside a call it sounds in the call.
    pub(super) fn could_be_heard(&self, row: &CallRow, now: Moment) -> bool {
        let sounds = !row.view.silenced && (self.bell || self.engaged.is_some());
        sounds && row.view.ringing.is_some_and(|since| now.since(since) >= HEARD)
    }

    /// There is no call.
    pub(super) fn is_idle(&self) -> bool {
        self.ringing.is_empty() && self.engaged.is_none()
    }

    /// The call that an answer or a decline is about: what waits first, as `Focus.Answer` has it.
    pub(super) fn rings_first(&self) -> Option<&Arc<CallRow>> {
        self.ringing.iter().find(|row| row.view.state == State::Waiting).or_else(|| self.ringing.first())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ahoy_call::{CallView, Direction};

    use super::*;
    use crate::values::board::ManagerRow;

    /// A call of the contact with that number, in that state.
    pub(in crate::desktop) fn call(id: u8, name: &str, state: State) -> Arc<CallRow> {
        let direction = match state {
            State::Dialing | State::Alerting => Direction::Outgoing,
            State::Incoming
            | State::Waiting
            | State::Connecting
            | State::Active
            | State::Held
            | State::Reconnecting
            | State::Disconnected => Direction::Incoming,
        };
        Arc::new(CallRow::sample(CallView { direction, ..CallView::sample(id, state) }, name))
    }

    /// The scene of these calls, with a bell that sounds.
    pub(in crate::desktop) fn scene(calls: Vec<Arc<CallRow>>) -> Scene {
        let manager = ManagerRow { ring_volume: 1.0, ..ManagerRow::default() };
        Scene::of(&Board { calls, manager, ..Board::default() })
    }

    #[test]
    fn a_ring_that_makes_no_sound_disturbs_no_player_and_an_ended_call_nobody() {
        let mut silent = call(1, "Ana", State::Incoming);
        Arc::make_mut(&mut silent).view.silenced = true;
        assert!(!scene(vec![silent]).wants_quiet());
        assert!(scene(vec![call(1, "Ana", State::Incoming)]).wants_quiet());
        assert!(scene(vec![call(1, "Ana", State::Disconnected)]).is_idle());
    }

    #[test]
    fn sleep_is_kept_away_from_a_dial_on_and_not_by_a_ring() {
        assert!(scene(vec![call(1, "Ana", State::Incoming)]).calls.is_empty());
        for state in [State::Dialing, State::Alerting, State::Connecting, State::Active, State::Held] {
            let answered = !matches!(state, State::Dialing | State::Alerting);
            let calls = scene(vec![call(1, "Ana", state)]).calls;
            assert_eq!(calls.len(), 1, "{state:?}");
            assert_eq!(calls[0].answered, answered, "{state:?}");
        }
    }

    #[test]
    fn the_person_is_in_the_call_that_has_the_ear_and_an_answer_is_for_the_one_that_waits() {
        let calls = vec![
            call(1, "Ana", State::Held),
            call(2, "Ben", State::Active),
            call(3, "Cleo", State::Incoming),
            call(4, "Dan", State::Waiting),
        ];
        let scene = scene(calls);
        assert_eq!(scene.engaged.as_ref().unwrap().name, "Ben");
        assert_eq!(scene.rings_first().unwrap().name, "Dan");
    }
}
