//! What counts as a conversation, and for how long?
//!
//! Lives here: two people whose path takes its time, and what is filed of their calls.
//! Must not: use real time, sockets or sound.

use ahoy_call::{EndReason, EndedBy, Outcome, State};
use ahoy_tests::world::{SECOND, World};

#[test]
fn what_is_talked_counts_from_the_first_sound_and_answered_without_one_and_hung_up_is_canceled() {
    let mut w = World::new(7, &["ada", "bob"]);
    w.preconnect = false;
    w.cut(0, 1, true);
    w.ring("ada", "bob");
    w.answer("bob").unwrap();
    w.pass(5 * SECOND);
    let view = w.view("ada").unwrap();
    assert_eq!((view.state, view.connected), (State::Connecting, None));
    assert!(view.answered.is_some());
    w.cut(0, 1, false);
    w.pass(5 * SECOND);
    let view = w.view("ada").unwrap();
    assert_eq!(view.state, State::Active);
    assert!(view.connected.unwrap().since(view.answered.unwrap()) >= 4 * SECOND);
    let connected = view.connected;
    w.cut(0, 1, true);
    w.pass(5 * SECOND);
    w.cut(0, 1, false);
    w.pass(5 * SECOND);
    assert_eq!(w.view("ada").unwrap().connected, connected, "a path that came back is not the first");
    w.put_down("ada");
    for who in ["ada", "bob"] {
        assert_eq!((w.end(who).0, w.end(who).2), (EndReason::Completed, Outcome::Answered), "{who}");
    }

    for hangs_up in ["ada", "bob"] {
        let mut w = World::new(7, &["ada", "bob"]);
        w.preconnect = false;
        w.cut(0, 1, true);
        w.ring("ada", "bob");
        w.answer("bob").unwrap();
        w.pass(3 * SECOND);
        w.hang_up(hangs_up).unwrap();
        w.pass(SECOND);
        for who in ["ada", "bob"] {
            let (reason, by, outcome) = w.end(who);
            assert_eq!((reason, outcome), (EndReason::Canceled, Outcome::Canceled), "{who}");
            assert_eq!(by == EndedBy::Local, who == hangs_up, "{who}");
        }
    }
}
