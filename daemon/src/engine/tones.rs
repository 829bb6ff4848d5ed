//! What must sound now besides voices: a ring, a tone, nothing.
//!
//! Lives here: one function of what the rules show.
//! Must not: know how a tone sounds, where, or how loud.

use std::time::Duration;

use ahoy_call::{CallView, Direction, EndReason, EndedBy, Moment, State};

use crate::values::tone::Tone;

/// How long after its cause a tone that ends by itself may still begin.
const FRESH: Duration = Duration::from_secs(2);

/// What must sound now. At most one: the one that matters most.
pub fn now(views: &[CallView], now: Moment) -> Option<Tone> {
    let fresh = |at: Option<Moment>| at.is_some_and(|at| now.since(at) <= FRESH);
    let answered = views.iter().find(|view| view.auto_answered && talks(view.state) && fresh(view.answered));
    if let Some(view) = answered {
        return Some(Tone::AutoAnswered(view.id));
    }
    let talking = views.iter().any(|view| talks(view.state));
    let calling = views.iter().find(|view| matches!(view.state, State::Dialing | State::Alerting));
    let ringing =
        views.iter().find(|view| matches!(view.state, State::Incoming | State::Waiting) && !view.silenced);
    if let Some(view) = ringing {
        // Who dials has the phone at the ear already.
        let softly = view.state == State::Waiting || talking || calling.is_some();
        return Some(if softly { Tone::Waiting(view.id) } else { Tone::Ring(view.id) });
    }
    if talking {
        return None;
    }
    if let Some(view) = calling {
        return (view.state == State::Alerting).then_some(Tone::Ringback(view.id));
    }
    let last = views.iter().filter(|view| view.state == State::Disconnected).max_by_key(|view| view.ended)?;
    if fresh(last.ended) { ending(last) } else { None }
}

/// The word of a call that is over, for who had the phone at the ear and did not end it.
fn ending(view: &CallView) -> Option<Tone> {
    let listened = view.answered.is_some() || view.direction == Direction::Outgoing;
    if !listened || view.ended_by == Some(EndedBy::Local) {
        return None;
    }
    match view.reason? {
        EndReason::Busy => Some(Tone::Busy(view.id)),
        EndReason::Completed | EndReason::EndedByHost | EndReason::LastLeft | EndReason::Removed => {
            Some(Tone::Ended(view.id))
        }
        EndReason::Canceled
        | EndReason::AnsweredElsewhere
        | EndReason::DeclinedElsewhere
        | EndReason::Superseded
        | EndReason::Shutdown
        | EndReason::Interrupted => None,
        EndReason::Declined
        | EndReason::AllDeclined
        | EndReason::RoomFull
        | EndReason::NoAnswer
        | EndReason::Missed
        | EndReason::Unreachable
        | EndReason::Unavailable
        | EndReason::IceFailed
        | EndReason::NoTurn
        | EndReason::NegotiationFailed
        | EndReason::MediaFailed
        | EndReason::ConnectionLost
        | EndReason::SignalingFailed
        | EndReason::SecurityFailed
        | EndReason::Internal => Some(Tone::Failed(view.id)),
    }
}

fn talks(state: State) -> bool {
    match state {
        State::Connecting | State::Active | State::Held | State::Reconnecting => true,
        State::Dialing | State::Alerting | State::Incoming | State::Waiting | State::Disconnected => false,
    }
}

#[cfg(test)]
mod tests {
    use ahoy_call::CallId;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn id(n: u8) -> CallId {
        CallId::from_bytes([n; 16])
    }

    fn view(n: u8, state: State) -> CallView {
        CallView { created: at(0), ..CallView::sample(n, state) }
    }

    fn over(reason: EndReason, by: EndedBy) -> CallView {
        CallView {
            direction: Direction::Outgoing,
            reason: Some(reason),
            ended_by: Some(by),
            ended: Some(at(0)),
            ..view(1, State::Disconnected)
        }
    }

    fn sounding(views: &[CallView]) -> Option<Tone> {
        now(views, at(500))
    }

    #[test]
    fn it_rings_until_it_is_silenced_answered_or_over() {
        assert_eq!(sounding(&[view(1, State::Incoming)]), Some(Tone::Ring(id(1))));
        let silenced = CallView { silenced: true, ..view(1, State::Incoming) };
        assert_eq!(sounding(std::slice::from_ref(&silenced)), None);
        let another = sounding(&[silenced, view(2, State::Incoming)]);
        assert_eq!(another, Some(Tone::Ring(id(2))));
        for state in [State::Connecting, State::Active, State::Disconnected] {
            assert_eq!(sounding(&[view(1, state)]), None, "{state:?}");
        }
    }

    #[test]
    fn a_second_call_rings_softly_into_what_goes_on() {
        for state in [State::Active, State::Held, State::Connecting, State::Reconnecting, State::Alerting] {
            for second in [State::Waiting, State::Incoming] {
                let views = [view(1, state), view(2, second)];
                assert_eq!(sounding(&views), Some(Tone::Waiting(id(2))), "{state:?}, {second:?}");
            }
        }
        let silenced = CallView { silenced: true, ..view(2, State::Waiting) };
        assert_eq!(sounding(&[view(1, State::Active), silenced]), None);
    }

    #[test]
    fn the_caller_hears_their_phone_ring_and_how_it_ended() {
        assert_eq!(sounding(&[view(1, State::Dialing)]), None, "not known to ring there");
        assert_eq!(sounding(&[view(1, State::Alerting)]), Some(Tone::Ringback(id(1))));
        assert_eq!(sounding(&[over(EndReason::Busy, EndedBy::Policy)]), Some(Tone::Busy(id(1))));
        for reason in [EndReason::Declined, EndReason::NoAnswer, EndReason::Unavailable, EndReason::IceFailed]
        {
            assert_eq!(sounding(&[over(reason, EndedBy::Remote)]), Some(Tone::Failed(id(1))), "{reason:?}");
        }
        assert_eq!(sounding(&[over(EndReason::Canceled, EndedBy::Local)]), None, "no sound");
        assert_eq!(now(&[over(EndReason::Busy, EndedBy::Policy)], at(9_000)), None, "long over");
    }

    #[test]
    fn who_is_hung_up_on_hears_it_and_who_never_answered_does_not() {
        let ended = |answered| CallView {
            direction: Direction::Incoming,
            answered,
            ..over(EndReason::Completed, EndedBy::Remote)
        };
        assert_eq!(sounding(&[ended(Some(at(0)))]), Some(Tone::Ended(id(1))));
        assert_eq!(sounding(&[ended(None)]), None);
        let mine = CallView { ended_by: Some(EndedBy::Local), ..ended(Some(at(0))) };
        assert_eq!(sounding(&[mine]), None);
        assert_eq!(sounding(&[ended(Some(at(0))), view(2, State::Active)]), None, "another call goes on");
    }

    #[test]
    fn a_call_that_answers_itself_is_heard_to_do_so_once() {
        let auto = |state| CallView { auto_answered: true, answered: Some(at(0)), ..view(1, state) };
        assert_eq!(sounding(&[auto(State::Connecting)]), Some(Tone::AutoAnswered(id(1))));
        assert_eq!(sounding(&[auto(State::Active)]), Some(Tone::AutoAnswered(id(1))));
        assert_eq!(now(&[auto(State::Active)], at(5_000)), None);
        let silenced = CallView { silenced: true, ..auto(State::Active) };
        assert_eq!(sounding(&[silenced]), Some(Tone::AutoAnswered(id(1))), "nothing switches it off");
    }
}
