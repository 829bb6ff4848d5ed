//! What the calls that are shown mean to a desktop.
//!
//! Lives here: which call rings, which one the person is in, and what follows for players, sleep and keys; pure.
//! Must not: know a bus, a notification or a player.

use std::sync::Arc;

use ahoy_call::State;

use crate::board::{Board, CallRow};

/// Calls that ring here at once: more than anybody can look at. A hostile contact must not paper the screen.
const MOST: usize = 4;

/// Calls as a desktop sees them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// They ring or wait here, oldest first.
    pub(super) ringing: Vec<Arc<CallRow>>,
    /// The person called, or is in it: the one that has the ear, else one that is held, else one in dialing.
    pub(super) engaged: Option<Arc<CallRow>>,
}

impl Scene {
    /// The scene of a board.
    pub(super) fn of(board: &Board) -> Self {
        let mut scene = Self::default();
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

    /// The machine must not fall asleep under the person.
    pub(super) fn wants_awake(&self) -> bool {
        self.engaged.is_some()
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
    use ahoy_call::{CallId, CallView, Can, Direction, Moment, PeerId};

    use super::*;

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
        let view = CallView {
            id: CallId::from_bytes([id; 16]),
            peer: PeerId::from_bytes([id; 16]),
            direction,
            state,
            reason: None,
            ended_by: None,
            outcome: None,
            serial: 1,
            deadline: None,
            created: Moment::from_micros(1),
            ringing: None,
            answered: None,
            ended: None,
            muted: false,
            remote_muted: false,
            hears_only: false,
            remote_hears_only: false,
            local_hold: false,
            remote_hold: false,
            silenced: false,
            auto_answered: false,
            note: None,
            message: None,
            can: Can::default(),
        };
        Arc::new(CallRow {
            view,
            name: name.to_owned(),
            address: "address".to_owned(),
            history_id: 0,
            created_at: 0,
            ringing_at: 0,
            answered_at: 0,
            ended_at: 0,
            answered_boot: 0,
            deadline_boot: 0,
            icon: String::new(),
            ring_tone: String::new(),
        })
    }

    /// The scene of these calls.
    pub(in crate::desktop) fn scene(calls: Vec<Arc<CallRow>>) -> Scene {
        Scene::of(&Board { calls, ..Board::default() })
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
        assert!(!scene(vec![call(1, "Ana", State::Incoming)]).wants_awake());
        for state in [State::Dialing, State::Alerting, State::Connecting, State::Active, State::Held] {
            assert!(scene(vec![call(1, "Ana", state)]).wants_awake(), "{state:?}");
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
