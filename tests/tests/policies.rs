//! Does a phone do as its person decided?
//!
//! Lives here: silence, what rings silently or answers itself, words with a dial and a decline, blocking: told as stories.
//! Must not: use real time, sockets or sound.

use ahoy_call::{Command, DeclineReason, EndReason, EndedBy, Outcome, Refusal, RingPolicy, Scope, State};
use ahoy_tests::world::scenes::talking;
use ahoy_tests::world::{MINUTE, SECOND, World};

#[test]
fn silence_stops_our_ringing_and_not_theirs() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.ring("ada", "bob");
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
    w.ring("ada", "bob");
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.silenced), (State::Incoming, true));
    assert_eq!(w.state("ada"), Some(State::Alerting));
}

#[test]
fn an_intercom_contact_is_answered_by_itself_and_says_so() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.people[1].policy = RingPolicy::AutoAnswer;
    w.ring("ada", "bob");
    let view = w.view("bob").unwrap();
    assert_eq!((view.state, view.auto_answered), (State::Active, true));
    assert_eq!(w.state("ada"), Some(State::Active));
    assert!(!w.view("ada").unwrap().auto_answered);
}

#[test]
fn an_intercom_contact_waits_like_anybody_while_there_is_a_call() {
    let (mut w, first) = talking();
    w.people[1].policy = RingPolicy::AutoAnswer;
    let second = w.ring("eve", "bob");
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    w.command(1, Command::HangUp { call: first, everyone: false }).unwrap();
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
    w.ring("ada", "bob");
    w.decline_with("bob", DeclineReason::Busy, Scope::ThisDevice, None).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Busy, EndedBy::Remote, Outcome::Busy));
    assert_eq!(w.end("bob"), (EndReason::Busy, EndedBy::Local, Outcome::Missed));
}

#[test]
fn a_block_while_it_rings_looks_like_any_decline() {
    let mut w = World::new(3, &["ada", "bob"]);
    w.ring("ada", "bob");
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
    w.ring("ada", "eve");
    w.block("ada", "eve").unwrap();
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.state_of("ada", first), Some(State::Held), "the call with Bob is another matter");
    w.network.offline.clear();
    w.pass(5 * MINUTE);
    assert!(w.rows("eve").is_empty(), "whom we block we tell nothing");
    w.block("ada", "dan").expect("without a call, too");
}

#[test]
fn the_switch_for_all_calls_counts_for_later_ones_too_and_each_call_keeps_its_own() {
    let (mut w, first) = talking();
    assert!(!w.people[0].phone.muted());
    w.command(0, Command::SetAllMuted { muted: true }).unwrap();
    assert!(w.people[0].phone.muted() && w.view_of("ada", first).unwrap().muted);
    let second = w.dial("ada", "eve").unwrap();
    assert!(w.view_of("ada", second).unwrap().muted, "one that is dialed");
    w.command(0, Command::SetMuted { call: second, muted: true }).unwrap();
    w.pass(SECOND);
    w.pick_up("eve");
    assert!(
        w.view_of("bob", first).unwrap().remote_muted() && w.view_of("eve", second).unwrap().remote_muted()
    );
    let third = w.ring("dan", "ada");
    assert!(w.view_of("ada", third).unwrap().muted, "one that comes in");
    w.command(0, Command::SetAllMuted { muted: false }).unwrap();
    w.pass(SECOND);
    assert!(!w.people[0].phone.muted());
    let muted = [first, second, third].map(|call| w.view_of("ada", call).unwrap().muted);
    assert_eq!(muted, [false, true, false], "its own switch is another one");
    assert!(
        !w.view_of("bob", first).unwrap().remote_muted() && w.view_of("eve", second).unwrap().remote_muted()
    );
}
