//! What may be asked of a group in each of its states, and what is refused by which name.
//!
//! Lives here: hold, answer, decline, start, leave and block, before, in and after a group.
//! Must not: tell a story of a network.

use std::time::Duration;

use ahoy_call::{EndReason, MemberState, Refusal, State};
use ahoy_tests::world::{MINUTE, SECOND, World};

use super::{SOON, all_hear, five, three_talk};

fn one_call_each(w: &World) {
    for who in ["ada", "bob", "eve"] {
        assert_eq!(w.people[w.who(who)].phone.standing().len(), 1, "{who} has one call");
    }
}

#[test]
fn a_group_that_rings_cannot_be_held_and_is_not_begun_twice() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    for who in ["ada", "bob"] {
        assert_eq!(w.hold(who, call), Err(Refusal::InvalidState), "{who}");
        assert_eq!(w.resume(who, call), Err(Refusal::InvalidState), "{who}");
    }
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    one_call_each(&w);
}

#[test]
fn what_was_answered_is_not_declined_and_what_was_declined_can_still_be_answered() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(SOON);
    assert_eq!(w.decline("bob"), Err(Refusal::AlreadyHandled));
    assert_eq!(w.answer("bob"), Ok(()), "once is enough");
    assert_eq!(w.decline("ada"), Err(Refusal::InvalidState), "she began it");
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    one_call_each(&w);
    w.decline("eve").unwrap();
    w.pass(SECOND);
    assert_eq!(w.decline("eve"), Err(Refusal::AlreadyHandled));
    all_hear(&w, call, &["ada", "bob"]);
    w.answer("eve").unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn a_group_is_ended_by_hand_in_every_state() {
    type Scene = (&'static str, State, fn(&mut World, ahoy_call::CallId));
    let scenes: [Scene; 6] = [
        ("ada", State::Alerting, |_, _| {}),
        ("bob", State::Incoming, |_, _| {}),
        ("bob", State::Active, |w, _| {
            w.answer("bob").unwrap();
            w.pass(SOON);
        }),
        ("bob", State::Held, |w, call| {
            w.answer("bob").unwrap();
            w.pass(SOON);
            w.hold("bob", call).unwrap();
        }),
        ("ada", State::Held, |w, call| {
            w.answer("bob").unwrap();
            w.pass(SOON);
            w.hold("ada", call).unwrap();
        }),
        ("bob", State::Reconnecting, |w, _| {
            w.answer("bob").unwrap();
            w.pass(SOON);
            w.cut(0, 1, true);
            w.pass(4 * SECOND);
        }),
    ];
    for (who, state, arrange) in scenes {
        let mut w = five();
        let call = w.start("ada", &["bob", "eve"]).unwrap();
        w.pass(2 * SECOND);
        arrange(&mut w, call);
        assert_eq!(w.state_of(who, call), Some(state), "{who}");
        w.leave(who, call).unwrap();
        assert_eq!(w.state_of(who, call), Some(State::Disconnected), "{who} in {state:?}");
        w.cut(0, 1, false);
        w.pass(5 * MINUTE);
        assert_eq!(w.rows(who).len(), 1, "{who} in {state:?}");
        w.check();
    }
}

#[test]
fn a_group_that_is_over_refuses_every_verb_and_ignores_every_word() {
    let (mut w, call) = three_talk();
    // What Eve says now arrives when it is over for everybody.
    w.network.delay = 2 * SECOND;
    w.mute("eve", true).unwrap();
    w.hold("eve", call).unwrap();
    w.end_for_all("ada", call).unwrap();
    w.pass(SECOND);
    let ended = w.end("ada");
    w.pass(4 * SECOND);
    assert_eq!((w.end("ada"), w.end("eve").0), (ended, EndReason::EndedByHost));
    for who in ["ada", "bob", "eve"] {
        let over = Err(Refusal::InvalidState);
        assert_eq!(w.leave(who, call), Ok(()), "{who} is out");
        assert_eq!(w.join(who, call), over, "{who}");
        assert_eq!(w.hold(who, call), over, "{who}");
        assert_eq!(w.invite(who, call, "dan"), over, "{who}");
        assert_eq!(w.remove(who, call, "bob"), over, "{who}");
    }
    w.until_quiet();
    w.check_quiet(true);
    assert_eq!(w.leave("ada", call), Err(Refusal::NoSuchCall), "nobody remembers it");
}

#[test]
fn a_group_has_people_in_it_only_while_it_runs_and_its_row_tells_how_long() {
    let joined = |w: &World, who: &str, call| {
        w.view_of(who, call).unwrap().members.iter().filter(|one| one.state == MemberState::Joined).count()
    };
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    assert_eq!(["ada", "bob", "eve"].map(|who| joined(&w, who, call)), [0, 0, 0], "it rings");
    for who in ["bob", "eve"] {
        w.answer(who).unwrap();
    }
    w.pass(SOON);
    assert_eq!(["ada", "bob", "eve"].map(|who| joined(&w, who, call)), [2, 2, 2], "it runs");
    w.pass(MINUTE);
    w.end_for_all("ada", call).unwrap();
    w.pass(SECOND);
    assert_eq!(["ada", "bob", "eve"].map(|who| joined(&w, who, call)), [0, 0, 0], "it is over");
    for who in ["ada", "bob", "eve"] {
        let view = w.view_of(who, call).unwrap();
        let long = view.ended.unwrap().since(view.connected.unwrap());
        assert!(long > MINUTE && long < 2 * MINUTE, "{who}: {long:?}");
        assert_eq!(view.reason, Some(EndReason::EndedByHost), "{who}");
    }
}

#[test]
fn a_member_who_is_blocked_while_the_group_is_mended_is_heard_no_more_and_hears_nothing() {
    let (mut w, call) = three_talk();
    w.cut(1, 2, true);
    w.pass(4 * SECOND);
    assert_eq!(w.stands("bob", call, "eve"), Some(MemberState::Connecting));
    w.block("bob", "eve").unwrap();
    w.cut(1, 2, false);
    w.pass(2 * MINUTE);
    assert!(w.member("bob", call, "eve").unwrap().blocked);
    assert_ne!(w.stands("eve", call, "bob"), Some(MemberState::Joined));
    assert!(!w.hears(1, 2) && !w.hears(2, 1));
    all_hear(&w, call, &["ada", "bob"]);
    all_hear(&w, call, &["ada", "eve"]);
}

#[test]
fn the_next_host_may_act_at_once_though_a_slow_line_put_their_clock_behind() {
    for end in [false, true] {
        let mut w = five();
        // What tells them how old the call is takes so long.
        w.network.delay = Duration::from_millis(700);
        let call = w.start("ada", &["bob", "eve", "dan"]).unwrap();
        w.pass(4 * SECOND);
        for who in ["bob", "eve", "dan"] {
            w.answer(who).unwrap();
            w.pass(4 * SECOND);
        }
        w.pass(2 * SOON);
        w.network.delay = Duration::from_millis(10);
        w.leave("ada", call).unwrap();
        w.pass(Duration::from_millis(100));
        assert!(w.view_of("bob", call).unwrap().host);
        if end {
            w.end_for_all("bob", call).unwrap();
        } else {
            w.remove("bob", call, "eve").unwrap();
        }
        w.pass(SECOND);
        assert_eq!(w.end("eve").0, if end { EndReason::EndedByHost } else { EndReason::Removed });
        w.check();
    }
}
