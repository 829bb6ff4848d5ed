//! Does a person hear one voice at a time?
//!
//! Lives here: hold, resume, swap, answering and dialing beside a conversation: told as stories.
//! Must not: use real time, sockets or sound.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::{CallId, Command, EndReason, EndedBy, Event, Fact, Message, Others, Outcome, Refusal, State};
use ahoy_tests::talk::Talk;
use ahoy_tests::world::scenes::{talking, waiting};
use ahoy_tests::world::{MINUTE, SECOND, World};

fn sound(w: &World, who: &str) -> BTreeSet<CallId> {
    w.people[w.who(who)].media.audible()
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
    assert_eq!((ada.state, ada.remote_hold(), ada.local_hold), (State::Active, true, false));
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
fn an_answer_touches_the_call_that_has_the_ear_and_no_other() {
    for others in [Others::Hold, Others::Release] {
        let mut w = World::new(3, &["ada", "bob", "eve", "dan", "fay"]);
        let calls = ["ada", "eve", "dan", "fay"].map(|caller| {
            let call = w.ring(caller, "bob");
            if caller == "ada" || caller == "eve" {
                w.pick_up("bob");
            }
            call
        });
        w.command(1, Command::Answer { call: calls[2], others }).unwrap();
        w.pass(SECOND);
        let ear = if others == Others::Hold { State::Held } else { State::Disconnected };
        let states = calls.map(|call| w.state_of("bob", call).unwrap());
        assert_eq!(states, [State::Held, ear, State::Active, State::Waiting], "{others:?}");
        assert!(!w.view_of("bob", calls[3]).unwrap().local_hold);
    }
}

#[test]
fn swap_exchanges_the_voices_and_back() {
    let (mut w, first, second) = waiting();
    w.pick_up("bob");
    for (ear, held) in [(first, second), (second, first)] {
        w.swap("bob").unwrap();
        assert_eq!(
            (w.state_of("bob", ear), w.state_of("bob", held)),
            (Some(State::Active), Some(State::Held))
        );
        w.pass(SECOND);
        assert_eq!(sound(&w, "bob"), BTreeSet::from([ear]));
        assert_eq!(w.view("ada").unwrap().remote_hold(), held == first);
        assert_eq!(w.view("eve").unwrap().remote_hold(), held == second);
    }
}

#[test]
fn swap_takes_up_the_call_that_was_held_last_and_needs_one() {
    let (mut w, first, second) = waiting();
    assert_eq!(w.swap("bob"), Err(Refusal::NoSuchCall), "nothing is held");
    w.pick_up("bob");
    w.talk("dan", "bob");
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
    assert_eq!((ada.state, ada.remote_hold()), (State::Active, true), "half held must not look held");
    assert_eq!((bob.state, bob.remote_hold()), (State::Held, false));
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
    w.pick_up("bob");
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
    assert!(w.view_of("bob", first).unwrap().remote_hold());
    w.pick_up("eve");
    assert_eq!(w.state_of("ada", second), Some(State::Active));
    assert_eq!(sound(&w, "ada"), BTreeSet::from([second]));
}

#[test]
fn while_a_call_is_being_dialed_no_other_one_takes_the_ear() {
    let (mut w, first) = talking();
    w.ring("ada", "eve");
    assert!(!w.view_of("ada", first).unwrap().can.hold, "what would be refused is not offered");
    assert_eq!(w.resume("ada", first), Err(Refusal::Busy));
    assert_eq!(w.swap("ada"), Err(Refusal::Busy));
    w.hang_up("ada").unwrap();
    assert!(w.view_of("ada", first).unwrap().can.hold);
    w.resume("ada", first).unwrap();
    assert_eq!(w.state_of("ada", first), Some(State::Active));
}

#[test]
fn flags_that_come_late_or_under_a_number_that_was_heard_change_nothing() {
    let (mut w, call) = talking();
    let leg = ahoy_tests::world::device(1);
    let mut said = |serial, held| {
        let message = Message::State { serial, muted: held, held, camera: false, listening: held };
        w.event(0, Event::Received { call, leg, message });
        // Their holding is acted on once a second.
        w.pass(SECOND);
        let view = w.view("ada").unwrap();
        assert_eq!((view.remote_muted(), view.remote_hears_only()), (view.remote_hold(), view.remote_hold()));
        view.remote_hold()
    };
    assert!(!said(0, true), "numbers begin with one");
    assert!(said(5, true));
    assert!(said(5, false) && said(4, false), "the newest word stands");
    assert!(!said(6, false));
}

#[test]
fn a_flood_of_their_holding_is_acted_on_once_a_second_and_written_down_a_hundred_times_and_the_last_word_stands()
 {
    let mut t = Talk::running();
    let said =
        |serial: u32, held| Message::State { serial, muted: false, held, camera: false, listening: false };
    let held = |t: &Talk| t.phone.views().last().unwrap().remote_hold();
    for serial in 1..=1_000 {
        t.said(said(serial, serial % 2 == 1));
        t.pass(Duration::from_millis(3));
    }
    let facts = |t: &Talk| {
        t.facts.iter().filter(|(_, fact)| matches!(fact, Fact::HeldThere | Fact::ResumedThere)).count()
    };
    assert!((1..=4).contains(&facts(&t)), "in three seconds: {}", facts(&t));
    t.said(said(1_001, true));
    t.pass(SECOND);
    assert!(held(&t), "the last word stands");
    for serial in 1_002..1_400 {
        t.said(said(serial, serial % 2 == 1));
        t.pass(SECOND);
        assert_eq!(held(&t), serial % 2 == 1, "as slowly as a person does it each counts");
    }
    assert_eq!(facts(&t), 100);
    assert_eq!(t.phone.deadline(), None);
}
