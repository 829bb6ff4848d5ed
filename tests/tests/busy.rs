//! Does a phone behave with more than one call?
//!
//! Lives here: waiting, hold, swap, busy, dialing in a call, silence, policies, blocking: told as stories.
//! Must not: use real time, sockets or sound.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::{
    CallId, DeclineReason, EndReason, EndedBy, Event, Fact, Others, Outcome, Refusal, RingPolicy, Scope,
    Settings, State,
};
use ahoy_tests::world::World;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Ada and Bob talk; Eve and Dan are there, too. Gives their call.
fn talking() -> (World, CallId) {
    let mut w = World::new(3, &["ada", "bob", "eve", "dan"]);
    let call = w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state("ada"), Some(State::Active));
    (w, call)
}

/// Eve's call waits at Bob beside his call with Ada.
fn waiting() -> (World, CallId, CallId) {
    let (mut w, first) = talking();
    let second = w.dial("eve", "bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    assert_eq!(w.state_of("bob", first), Some(State::Active), "the first call is untouched");
    (w, first, second)
}

fn without_waiting(w: &mut World, who: &str) {
    let who = w.who(who);
    w.configure(who, Settings { call_waiting: false, ..Settings::default() });
}

fn sound(w: &World, who: &str) -> BTreeSet<CallId> {
    w.people[w.who(who)].media.audible()
}

#[test]
fn a_second_call_waits_and_the_caller_hears_it_ring() {
    let (mut w, first, second) = waiting();
    assert_eq!(w.state("eve"), Some(State::Alerting));
    let view = w.view_of("bob", second).unwrap();
    assert!(view.can.answer && view.can.decline);
    w.pass(MINUTE);
    assert_eq!(w.end("eve"), (EndReason::NoAnswer, EndedBy::Policy, Outcome::NoAnswer));
    assert_eq!(w.end("bob").2, Outcome::Missed);
    assert_eq!(w.state_of("bob", first), Some(State::Active));
}

#[test]
fn a_call_that_waits_rings_when_the_other_one_is_over() {
    let (mut w, first, second) = waiting();
    let before = w.view_of("bob", second).unwrap().serial;
    w.command(0, ahoy_call::Command::HangUp { call: first }).unwrap();
    w.pass(SECOND);
    let view = w.view_of("bob", second).unwrap();
    assert_eq!((view.state, view.serial), (State::Incoming, before + 1), "a guard must notice");
}

#[test]
fn without_call_waiting_a_second_call_hears_busy_and_the_first_is_untouched() {
    let (mut w, first) = talking();
    without_waiting(&mut w, "bob");
    w.dial("eve", "bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("eve"), (EndReason::Busy, EndedBy::Remote, Outcome::Busy));
    assert_eq!(w.end("bob"), (EndReason::Busy, EndedBy::Policy, Outcome::Missed));
    assert_eq!(w.state_of("bob", first), Some(State::Active));
    assert_eq!(w.people[1].published.len(), 1, "the second one was never shown");
}

#[test]
fn a_repair_of_the_same_call_is_never_busy() {
    let (mut w, call) = talking();
    without_waiting(&mut w, "bob");
    without_waiting(&mut w, "ada");
    w.event(0, Event::NetworkChanged);
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Reconnecting));
    w.cut(0, 1, false);
    w.pass(3 * SECOND);
    assert_eq!(
        (w.state_of("ada", call), w.state_of("bob", call)),
        (Some(State::Active), Some(State::Active))
    );
    assert!(w.rows("ada").is_empty() && w.rows("bob").is_empty());
}

#[test]
fn a_repeated_ring_of_the_call_one_is_in_is_no_second_call() {
    let (mut w, call) = talking();
    without_waiting(&mut w, "bob");
    let leg = ahoy_tests::world::device(0);
    let (lifetime, policy) = (MINUTE, RingPolicy::Normal);
    w.event(
        1,
        Event::Rung { call, leg, peer: ahoy_tests::world::peer(0), lifetime, preconnect: true, policy },
    );
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Active));
    assert_eq!(w.state_of("ada", call), Some(State::Active));
}

#[test]
fn answering_holds_the_other_call_and_the_other_side_is_told() {
    let (mut w, first, second) = waiting();
    w.answer("bob").unwrap();
    assert_eq!(w.state_of("bob", first), Some(State::Held));
    assert_eq!(sound(&w, "bob"), BTreeSet::from([second]), "one voice, the new one");
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Active));
    let ada = w.view_of("ada", first).unwrap();
    assert_eq!((ada.state, ada.remote_hold, ada.local_hold), (State::Active, true, false));
    assert!(sound(&w, "ada").is_empty(), "who is held hears nothing and says nothing");
    assert!(w.facts("ada").contains(&Fact::HeldThere));
}

#[test]
fn release_and_answer_ends_the_call_that_has_the_ear() {
    let (mut w, first, second) = waiting();
    w.answer_and("bob", Others::Release).unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Active));
    assert_eq!(w.state_of("bob", first), Some(State::Disconnected));
    assert_eq!(w.end("ada"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered));
}

#[test]
fn swap_exchanges_the_voices_and_back() {
    let (mut w, first, second) = waiting();
    w.answer("bob").unwrap();
    w.pass(SECOND);
    for (ear, held) in [(first, second), (second, first)] {
        w.swap("bob").unwrap();
        assert_eq!(
            (w.state_of("bob", ear), w.state_of("bob", held)),
            (Some(State::Active), Some(State::Held))
        );
        w.pass(SECOND);
        assert_eq!(sound(&w, "bob"), BTreeSet::from([ear]));
        assert_eq!(w.view("ada").unwrap().remote_hold, held == first);
        assert_eq!(w.view("eve").unwrap().remote_hold, held == second);
    }
}

#[test]
fn swap_takes_up_the_call_that_was_held_last_and_needs_one() {
    let (mut w, first, second) = waiting();
    assert_eq!(w.swap("bob"), Err(Refusal::NoSuchCall), "nothing is held");
    w.answer("bob").unwrap();
    w.pass(SECOND);
    w.dial("dan", "bob").unwrap();
    w.pass(SECOND);
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert_eq!((w.state_of("bob", first), w.state_of("bob", second)), (Some(State::Held), Some(State::Held)));
    w.swap("bob").unwrap();
    assert_eq!(w.state_of("bob", second), Some(State::Active), "the one that was held last");
    w.hang_up("bob").unwrap();
    w.swap("bob").unwrap();
    assert_eq!(w.state_of("bob", second), Some(State::Held));
}

#[test]
fn hold_and_resume_are_flags_of_each_side_and_the_last_to_resume_opens_the_sound() {
    let (mut w, call) = talking();
    w.hold("ada", call).unwrap();
    w.hold("ada", call).expect("repeated: success");
    w.pass(SECOND);
    w.hold("bob", call).unwrap();
    w.pass(SECOND);
    assert_eq!((w.state("ada"), w.state("bob")), (Some(State::Held), Some(State::Held)));
    w.resume("ada", call).unwrap();
    w.pass(SECOND);
    let (ada, bob) = (w.view("ada").unwrap(), w.view("bob").unwrap());
    assert_eq!((ada.state, ada.remote_hold), (State::Active, true), "half held must not look held");
    assert_eq!((bob.state, bob.remote_hold), (State::Held, false));
    assert!(sound(&w, "ada").is_empty() && sound(&w, "bob").is_empty());
    w.resume("bob", call).unwrap();
    w.pass(SECOND);
    assert_eq!((sound(&w, "ada").len(), sound(&w, "bob").len()), (1, 1));
    let told = [Fact::Held, Fact::HeldThere, Fact::Resumed, Fact::ResumedThere];
    assert!(w.facts("ada").ends_with(&told), "{:?}", w.facts("ada"));
}

#[test]
fn what_is_not_a_conversation_cannot_be_held() {
    let mut w = World::new(3, &["ada", "bob"]);
    let call = w.dial("ada", "bob").unwrap();
    assert_eq!(w.hold("ada", call), Err(Refusal::InvalidState));
    w.pass(SECOND);
    assert_eq!(w.hold("ada", call), Err(Refusal::InvalidState));
    assert_eq!(w.hold("bob", call), Err(Refusal::InvalidState));
    assert!(!w.view("bob").unwrap().can.hold);
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert!(w.view("bob").unwrap().can.hold);
    w.hang_up("bob").unwrap();
    assert_eq!(w.hold("bob", call), Err(Refusal::InvalidState));
    assert_eq!(w.hold("bob", CallId::from_bytes([9; 16])), Err(Refusal::NoSuchCall));
}

#[test]
fn a_held_call_that_breaks_is_reconnecting_and_comes_back_held() {
    let (mut w, call) = talking();
    w.hold("bob", call).unwrap();
    w.pass(SECOND);
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.local_hold), (State::Reconnecting, true), "reconnecting outranks held");
    w.cut(0, 1, false);
    w.pass(3 * SECOND);
    assert_eq!((w.state("bob"), w.state("ada")), (Some(State::Held), Some(State::Active)));
    assert!(sound(&w, "bob").is_empty() && sound(&w, "ada").is_empty());
}

#[test]
fn dialing_in_a_call_holds_it_and_without_leave_to_hold_is_refused() {
    let (mut w, first) = talking();
    let refused = w.dial_with("ada", "eve", MINUTE, None, false);
    assert_eq!(refused, Err(Refusal::Busy));
    assert_eq!(w.state_of("ada", first), Some(State::Active), "nothing changed");
    let second = w.dial("ada", "eve").unwrap();
    assert_eq!(w.state_of("ada", first), Some(State::Held));
    w.pass(SECOND);
    assert!(w.view_of("bob", first).unwrap().remote_hold);
    w.answer("eve").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("ada", second), Some(State::Active));
    assert_eq!(sound(&w, "ada"), BTreeSet::from([second]));
}

#[test]
fn a_second_dial_while_one_is_being_dialed_is_refused() {
    let mut w = World::new(3, &["ada", "bob", "eve"]);
    w.dial("ada", "bob").unwrap();
    assert_eq!(w.dial("ada", "eve"), Err(Refusal::Busy));
    assert_eq!(w.people[0].phone.cannot_dial(), Some(Refusal::Busy));
    w.pass(SECOND);
    assert_eq!(w.dial("ada", "eve"), Err(Refusal::Busy));
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.people[0].phone.cannot_dial(), None);
    assert_eq!(w.dial("ada", "bob"), Err(Refusal::Busy), "one call with one person");
}

#[test]
fn while_a_call_is_being_dialed_no_other_one_takes_the_ear() {
    let (mut w, first) = talking();
    w.dial("ada", "eve").unwrap();
    w.pass(SECOND);
    assert!(!w.view_of("ada", first).unwrap().can.hold, "what would be refused is not offered");
    assert_eq!(w.resume("ada", first), Err(Refusal::Busy));
    assert_eq!(w.swap("ada"), Err(Refusal::Busy));
    w.hang_up("ada").unwrap();
    assert!(w.view_of("ada", first).unwrap().can.hold);
    w.resume("ada", first).unwrap();
    assert_eq!(w.state_of("ada", first), Some(State::Active));
}

#[test]
fn answering_while_dialing_takes_the_dial_back() {
    let mut w = World::new(3, &["ada", "bob", "eve"]);
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    let call = w.dial("eve", "ada").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("ada", call), Some(State::Waiting));
    w.answer("ada").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("ada", call), Some(State::Active));
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.end("bob").0, EndReason::Missed);
}

#[test]
fn to_dial_who_rings_here_is_to_answer() {
    let mut w = World::new(3, &["ada", "bob"]);
    let call = w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.people[1].phone.ringing_from(ahoy_tests::world::peer(0)), Some(call));
    w.dial("bob", "ada").unwrap();
    w.pass(SECOND);
    assert_eq!(
        (w.state_of("ada", call), w.state_of("bob", call)),
        (Some(State::Active), Some(State::Active))
    );
    assert_eq!(w.people[1].published.len(), 1, "no second call was made");
}

#[test]
fn silence_stops_our_ringing_and_not_theirs() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    assert!(!w.view("bob").unwrap().silenced);
    w.silence("bob").unwrap();
    w.silence("bob").expect("repeated: success");
    w.pass(SECOND);
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.silenced), (State::Incoming, true));
    assert_eq!(w.state("ada"), Some(State::Alerting), "the caller learns nothing of it");
    assert_eq!(w.silence("ada"), Err(Refusal::InvalidState));
    w.answer("bob").expect("it can still be answered");
    assert_eq!(w.silence("bob"), Err(Refusal::InvalidState));
}

#[test]
fn a_silent_contact_is_shown_and_makes_no_sound() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.people[1].policy = RingPolicy::Silent;
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.silenced), (State::Incoming, true));
    assert_eq!(w.state("ada"), Some(State::Alerting));
}

#[test]
fn an_intercom_contact_is_answered_by_itself_and_says_so() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.people[1].policy = RingPolicy::AutoAnswer;
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.auto_answered), (State::Active, true));
    assert_eq!(w.state("ada"), Some(State::Active));
    assert!(!w.view("ada").unwrap().auto_answered);
}

#[test]
fn an_intercom_contact_waits_like_anybody_while_there_is_a_call() {
    let (mut w, first) = talking();
    w.people[1].policy = RingPolicy::AutoAnswer;
    let second = w.dial("eve", "bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    w.command(1, ahoy_call::Command::HangUp { call: first }).unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Incoming), "nobody is put through by surprise later");
}

#[test]
fn a_note_is_shown_while_it_rings_and_a_text_comes_with_the_decline() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.dial_with("ada", "bob", MINUTE, Some("lunch?"), true).unwrap();
    w.pass(SECOND);
    assert_eq!(w.view("bob").unwrap().note.as_deref(), Some("lunch?"));
    w.decline_with("bob", DeclineReason::Declined, Scope::ThisDevice, Some("in ten minutes")).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Declined, EndedBy::Remote, Outcome::Declined));
    assert_eq!(w.view("ada").unwrap().message.as_deref(), Some("in ten minutes"));
}

#[test]
fn a_person_may_say_busy_by_hand() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    w.decline_with("bob", DeclineReason::Busy, Scope::ThisDevice, None).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Busy, EndedBy::Remote, Outcome::Busy));
    assert_eq!(w.end("bob"), (EndReason::Busy, EndedBy::Local, Outcome::Missed));
}

#[test]
fn a_block_while_it_rings_looks_like_any_decline() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    w.block("bob", "ada").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("bob"), (EndReason::Declined, EndedBy::Local, Outcome::Declined));
    assert_eq!(w.end("ada"), (EndReason::Declined, EndedBy::Remote, Outcome::Declined));
    assert_eq!(w.view("ada").unwrap().message, None);
}

#[test]
fn a_block_while_reconnecting_ends_the_call_here_at_once() {
    let (mut w, _) = talking();
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    w.block("bob", "ada").unwrap();
    assert_eq!(w.end("bob"), (EndReason::Completed, EndedBy::Local, Outcome::Answered));
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered));
}

#[test]
fn a_block_takes_a_dial_back_without_a_note_and_leaves_others_alone() {
    let (mut w, first) = talking();
    w.network.offline.insert(2);
    w.dial("ada", "eve").unwrap();
    w.pass(SECOND);
    w.block("ada", "eve").unwrap();
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.state_of("ada", first), Some(State::Held), "the call with Bob is another matter");
    w.network.offline.clear();
    w.pass(5 * MINUTE);
    assert!(w.rows("eve").is_empty(), "whom we block we tell nothing");
    w.block("ada", "dan").expect("without a call, too");
}

#[test]
fn hanging_up_twice_at_once_cleans_up_once() {
    let (mut w, _) = talking();
    w.hang_up("ada").unwrap();
    w.hang_up("bob").unwrap();
    w.pass(MINUTE);
    for (number, who) in ["ada", "bob"].iter().enumerate() {
        assert_eq!(w.end(who), (EndReason::Completed, EndedBy::Local, Outcome::Answered), "{who}");
        assert_eq!(w.facts(who).iter().filter(|fact| **fact == Fact::Ended).count(), 1);
        assert!(w.people[number].media.paths.is_empty() && w.people[number].published.is_empty());
    }
}

#[test]
fn call_end_call_in_quick_succession_are_two_calls() {
    for pause in [0, 10, 30, 50, 90, 200, 700, 2_000] {
        let mut w = World::new(3 + pause, &["ada", "bob"]);
        let first = w.dial("ada", "bob").unwrap();
        w.pass(Duration::from_millis(pause));
        w.hang_up("ada").unwrap();
        let second = w.dial("ada", "bob").unwrap();
        w.pass(2 * SECOND);
        assert_eq!(w.state_of("bob", second), Some(State::Incoming), "after {pause} ms");
        w.answer("bob").unwrap();
        w.pass(SECOND);
        assert_eq!(w.state_of("ada", second), Some(State::Active), "after {pause} ms");
        w.hang_up("bob").unwrap();
        w.pass(MINUTE);
        assert_eq!(w.reasons("ada"), [EndReason::Canceled, EndReason::Completed], "after {pause} ms");
        let of = |call| w.rows("bob").iter().find(|row| row.view.id == call).and_then(|row| row.view.reason);
        let (bob, told) = ((of(first), of(second)), (Some(EndReason::Missed), Some(EndReason::Completed)));
        assert_eq!(bob, told, "after {pause} ms");
    }
}

#[test]
fn only_two_paths_are_set_up_for_phones_that_may_ring() {
    let mut w = World::new(3, &["ada", "bob", "eve", "dan"]);
    for caller in ["bob", "eve", "dan"] {
        w.dial(caller, "ada").unwrap();
    }
    w.pass(2 * SECOND);
    assert_eq!(w.people[0].phone.views().len(), 3, "all three ring or wait");
    let with_path: BTreeSet<_> = w.people[0].media.paths.keys().map(|key| key.0).collect();
    assert_eq!(with_path.len(), 2);
    w.answer("ada").unwrap();
    w.pass(SECOND);
    assert_eq!(w.people[0].phone.views().iter().filter(|view| view.state == State::Active).count(), 1);
}
