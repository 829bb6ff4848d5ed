//! Which call matters now.
//!
//! Lives here: the call that Focus shows and the one that waits beside it, of what the rules show.
//! Must not: know who looks.

use ahoy_call::{CallId, CallView, State};

/// The call that matters, the one that waits beside it, and how often either or its state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    /// Which call.
    pub call: Option<CallId>,
    /// A second call that rings.
    pub waiting: Option<CallId>,
    /// Rises by one when either call or its state changes.
    pub serial: u64,
    states: [Option<State>; 2],
}

impl Focus {
    /// The call with the ear, else the oldest that rings, else the one in dialing, else the oldest that is held.
    /// `views` are oldest first.
    pub fn next(self, views: &[CallView]) -> Self {
        let ranked = views.iter().filter_map(|view| Some((rank(view)?, view)));
        let chosen = ranked.min_by_key(|(rank, _)| *rank).map(|(_, view)| view);
        let call = chosen.map(|view| view.id);
        let rings = |view: &&CallView| matches!(view.state, State::Incoming | State::Waiting);
        let second = views.iter().filter(rings).find(|view| Some(view.id) != call);
        let waiting = second.map(|view| view.id);
        let states = [chosen, second].map(|view| view.map(|view| view.state));
        if (call, waiting, states) == (self.call, self.waiting, self.states) {
            return self;
        }
        Self { call, waiting, serial: self.serial + 1, states }
    }
}

/// Lower comes first; a call that is over never does.
fn rank(view: &CallView) -> Option<u8> {
    match view.state {
        State::Active | State::Reconnecting | State::Connecting if !view.local_hold => Some(0),
        State::Incoming => Some(1),
        State::Dialing | State::Alerting => Some(2),
        State::Active | State::Reconnecting | State::Connecting | State::Held => Some(3),
        State::Waiting => Some(4),
        State::Disconnected => None,
    }
}

#[cfg(test)]
mod tests {
    use ahoy_call::Moment;

    use super::*;

    fn view(id: u8, state: State) -> CallView {
        CallView {
            created: Moment::from_micros(id.into()),
            local_hold: state == State::Held,
            ..CallView::sample(id, state)
        }
    }

    /// The focused and the waiting call of these, by their first byte.
    fn chosen(views: &[CallView]) -> (Option<u8>, Option<u8>) {
        let focus = Focus::default().next(views);
        let byte = |id: Option<CallId>| id.map(|id| id.bytes()[0]);
        (byte(focus.call), byte(focus.waiting))
    }

    #[test]
    fn the_ear_comes_first_then_the_ring_then_the_dial_then_what_is_held() {
        use State::{Active, Alerting, Disconnected, Held, Incoming, Waiting};
        assert_eq!(chosen(&[]), (None, None));
        assert_eq!(chosen(&[view(1, Disconnected)]), (None, None));
        assert_eq!(chosen(&[view(1, Held), view(2, Active)]), (Some(2), None));
        assert_eq!(chosen(&[view(1, Active), view(2, Waiting)]), (Some(1), Some(2)));
        assert_eq!(chosen(&[view(1, Held), view(2, Waiting)]), (Some(1), Some(2)));
        assert_eq!(chosen(&[view(1, Held), view(2, Alerting)]), (Some(2), None));
        assert_eq!(chosen(&[view(1, Incoming), view(2, Incoming)]), (Some(1), Some(2)));
        assert_eq!(chosen(&[view(1, Alerting), view(2, Waiting)]), (Some(1), Some(2)));
        let mended_in_hold = CallView { local_hold: true, ..view(1, State::Reconnecting) };
        assert_eq!(chosen(&[mended_in_hold, view(2, Active)]), (Some(2), None));
    }

    #[test]
    fn the_serial_rises_with_either_call_and_either_state_and_with_nothing_else() {
        let one = Focus::default().next(&[view(1, State::Active)]);
        let two = one.next(&[view(1, State::Active), view(2, State::Waiting)]);
        assert_eq!((one.serial, two.serial), (1, 2));
        let louder = CallView { silenced: true, muted: true, ..view(2, State::Waiting) };
        assert_eq!(two.next(&[view(1, State::Active), louder]).serial, 2);
        assert_eq!(two.next(&[view(1, State::Held), view(2, State::Active)]).serial, 3);
    }
}
