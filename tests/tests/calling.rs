//! Does calling behave? Real phones under a virtual clock, a seeded network between them.
//!
//! Lives here: the rules of a call between two people, told as stories.
//! Must not: use real time, sockets or sound.

#[path = "calling/limits.rs"]
mod limits;

use std::time::Duration;

use ahoy_call::{
    EndReason, EndedBy, Event, Fact, MediaReport, MemberState, Outcome, Refusal, Settings, State,
};
use ahoy_tests::world::{SECOND, World};

fn ada_and_bob() -> World {
    World::new(7, &["ada", "bob"])
}

fn states(w: &World) -> (Option<State>, Option<State>) {
    (w.state("ada"), w.state("bob"))
}

/// Bob's phone rings.
fn ringing() -> World {
    let mut w = ada_and_bob();
    w.ring("ada", "bob");
    assert_eq!(states(&w), (Some(State::Alerting), Some(State::Incoming)));
    w
}

/// Both talk.
fn talking() -> World {
    let mut w = ringing();
    w.pick_up("bob");
    assert_eq!(states(&w), (Some(State::Active), Some(State::Active)));
    w
}

#[test]
fn the_other_in_a_call_has_a_state_and_times_of_their_own() {
    let other = |w: &World, who: &str| w.view(who).unwrap().members.remove(0);
    let both = |w: &World| (other(w, "ada").state, other(w, "bob").state);
    let mut w = ada_and_bob();
    w.dial("ada", "bob").unwrap();
    assert_eq!(other(&w, "ada").state, MemberState::Invited);
    w.pass(SECOND);
    assert_eq!(both(&w), (MemberState::Ringing, MemberState::Connecting));
    assert_eq!((other(&w, "ada").starter, other(&w, "bob").starter), (false, true));
    let called = w.view("bob").unwrap().created;
    assert_eq!((other(&w, "ada").joined, other(&w, "bob").joined), (None, Some(called)));
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert_eq!(both(&w), (MemberState::Joined, MemberState::Joined));
    assert_eq!(other(&w, "ada").joined, w.view("ada").unwrap().answered);
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    assert_eq!(both(&w), (MemberState::Connecting, MemberState::Connecting), "no sound flows");
    w.hang_up("ada").unwrap();
    let over = other(&w, "ada");
    assert_eq!((over.state, over.left), (MemberState::Left, Some(w.now)));

    let mut w = ringing();
    w.decline("bob").unwrap();
    w.pass(SECOND);
    assert_eq!(both(&w), (MemberState::Declined, MemberState::Left));
}

#[test]
fn a_call_rings_is_answered_and_ends_completed_with_one_row_a_side() {
    let mut w = ringing();
    w.answer("bob").unwrap();
    assert_eq!(w.state("bob"), Some(State::Active), "the path was up before it rang");
    w.pass(SECOND);
    w.put_down("ada");
    assert_eq!(w.end("ada"), (EndReason::Completed, EndedBy::Local, Outcome::Answered));
    assert_eq!(w.end("bob"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered));
    assert_eq!((w.rows("ada").len(), w.rows("bob").len()), (1, 1));
    let told = [Fact::Offered, Fact::RingingHere, Fact::Answered, Fact::Connected, Fact::Ended];
    assert_eq!(w.facts("bob"), told);
}

#[test]
fn less_than_300_ms_after_the_answer_both_hear_each_other_on_a_line_of_50_ms() {
    let mut w = ada_and_bob();
    w.network.delay = Duration::from_millis(25);
    w.ring("ada", "bob");
    w.answer("bob").unwrap();
    w.pass(Duration::from_millis(299));
    for who in ["ada", "bob"] {
        assert!(w.facts(who).contains(&Fact::Connected), "{who} hears nothing");
    }
}

#[test]
fn the_phone_rings_when_the_path_is_up_or_600_ms_after_message_3() {
    let mut w = ada_and_bob();
    w.dial("ada", "bob").unwrap();
    w.pass(Duration::from_millis(350));
    assert_eq!(w.state("bob"), Some(State::Incoming), "the path was up first");

    let mut w = ada_and_bob();
    w.cut(0, 1, true);
    w.dial("ada", "bob").unwrap();
    w.pass(Duration::from_millis(600));
    assert_eq!(w.state("bob"), None, "no path, and 600 ms have not passed since message 3");
    w.pass(Duration::from_millis(100));
    assert_eq!(w.state("bob"), Some(State::Incoming));
}

#[test]
fn without_preconnect_nothing_of_a_path_leaves_before_the_answer() {
    let mut w = ada_and_bob();
    w.preconnect = false;
    w.ring("ada", "bob");
    assert_eq!(w.state("bob"), Some(State::Incoming));
    w.pass(5 * SECOND);
    assert!(!w.people[1].media.paths.is_empty(), "his candidates are gathered while it rings");
    assert!(w.people[0].media.paths.values().all(|path| !path.met), "nothing of bob's addresses may leave");
    w.answer("bob").unwrap();
    assert_eq!(w.state("bob"), Some(State::Connecting));
    w.pass(SECOND);
    assert_eq!(states(&w), (Some(State::Active), Some(State::Active)));
}

#[test]
fn nobody_reads_the_microphone_before_the_answer() {
    let mut w = ringing();
    w.pass(5 * SECOND);
    assert!(w.people.iter().all(|person| !person.media.microphone_open()));
    w.pick_up("bob");
    assert!(w.people.iter().all(|person| person.media.microphone_open()));
}

#[test]
fn an_unanswered_ring_is_no_answer_there_and_missed_here() {
    let mut w = ringing();
    w.pass(60 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::NoAnswer, EndedBy::Policy, Outcome::NoAnswer));
    assert_eq!((w.end("bob").0, w.end("bob").2), (EndReason::Missed, Outcome::Missed));
}

#[test]
fn a_phone_that_never_rang_is_unavailable_and_shows_nothing_there() {
    let mut w = ada_and_bob();
    w.network.offline.insert(1);
    w.dial("ada", "bob").unwrap();
    w.pass(59 * SECOND);
    assert_eq!(w.state("ada"), Some(State::Dialing));
    w.pass(2 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::Unavailable, EndedBy::Policy, Outcome::Unavailable));
    assert!(w.facts("bob").is_empty());
}

#[test]
fn without_any_relay_a_dial_ends_unreachable_after_ten_seconds() {
    let mut w = ada_and_bob();
    w.network.offline.insert(0);
    w.dial("ada", "bob").unwrap();
    w.pass(Duration::from_millis(9_900));
    assert_eq!(w.state("ada"), Some(State::Dialing));
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Unreachable, EndedBy::Network, Outcome::Unavailable));
}

#[test]
fn a_decline_is_heard_and_filed_on_both_sides() {
    let mut w = ringing();
    w.decline("bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Declined, EndedBy::Remote, Outcome::Declined));
    assert_eq!(w.end("bob"), (EndReason::Declined, EndedBy::Local, Outcome::Declined));
}

#[test]
fn hanging_up_while_it_rings_there_is_canceled_here_and_missed_there() {
    let mut w = ringing();
    w.put_down("ada");
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
}

#[test]
fn a_cancel_that_crosses_the_answer_wins() {
    let mut w = ringing();
    w.answer("bob").unwrap();
    w.put_down("ada");
    assert_eq!(w.end("ada").0, EndReason::Canceled);
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
    assert!(w.people.iter().all(|person| person.media.paths.is_empty()));
}

#[test]
fn a_path_cut_for_three_seconds_is_mended_in_the_same_call() {
    let mut w = talking();
    let id = w.view("ada").unwrap().id;
    w.cut(0, 1, true);
    w.pass(2 * SECOND);
    assert_eq!(states(&w), (Some(State::Reconnecting), Some(State::Reconnecting)));
    assert!(w.people.iter().all(|person| !person.media.microphone_open()), "no path, no microphone");
    w.pass(SECOND);
    w.cut(0, 1, false);
    w.pass(SECOND);
    assert_eq!(states(&w), (Some(State::Active), Some(State::Active)));
    assert_eq!(w.view("ada").unwrap().id, id);
    w.pass(5 * SECOND);
    for person in &w.people {
        assert_eq!(person.media.paths.len(), 1, "{}: the old paths are gone", person.name);
    }
}

#[test]
fn a_path_cut_for_35_seconds_ends_connection_lost_on_both_sides() {
    let mut w = talking();
    w.cut(0, 1, true);
    w.pass(35 * SECOND);
    for who in ["ada", "bob"] {
        assert_eq!(w.end(who).0, EndReason::ConnectionLost, "{who}");
        assert_eq!(w.end(who).2, Outcome::Answered, "{who}: it was a conversation");
    }
}

#[test]
fn a_network_change_leaves_a_path_that_carries_sound_and_mends_one_that_does_not_within_a_second() {
    let mut w = talking();
    let before = w.facts("ada").len();
    let paths = |w: &World| w.people[0].media.paths.keys().copied().collect::<Vec<_>>();
    let first = paths(&w);
    for _ in 0..20 {
        w.event(0, Event::NetworkChanged);
        w.pass(Duration::from_millis(100));
    }
    w.pass(5 * SECOND);
    assert_eq!((paths(&w), w.facts("ada").len()), (first, before), "nothing has happened to it");
    w.cut(0, 1, true);
    w.event(0, Event::NetworkChanged);
    w.pass(Duration::from_millis(1_100));
    assert_eq!(w.state("ada"), Some(State::Reconnecting), "sooner than by silence alone");
    w.cut(0, 1, false);
    w.pass(5 * SECOND);
    assert_eq!((w.state("ada"), paths(&w).len()), (Some(State::Active), 1));
}

#[test]
fn both_sides_mending_at_once_settle_on_one_path() {
    let mut w = talking();
    w.cut(0, 1, true);
    w.event(0, Event::NetworkChanged);
    w.event(1, Event::NetworkChanged);
    w.pass(Duration::from_millis(1_100));
    w.cut(0, 1, false);
    w.pass(5 * SECOND);
    let epochs: Vec<Vec<_>> =
        w.people.iter().map(|person| person.media.paths.keys().map(|key| key.2).collect()).collect();
    assert_eq!(epochs[0], epochs[1]);
    assert_eq!(epochs[0].len(), 1);
}

#[test]
fn the_relay_gone_in_a_call_is_noticed_by_nobody() {
    let mut w = talking();
    w.network.offline.extend([0, 1]);
    let before = (w.facts("ada").len(), w.facts("bob").len());
    w.pass(120 * SECOND);
    assert_eq!((w.facts("ada").len(), w.facts("bob").len()), before);
    assert_eq!(states(&w), (Some(State::Active), Some(State::Active)));
}

#[test]
fn the_set_up_after_an_answer_fails_after_15_seconds() {
    let mut w = ada_and_bob();
    w.cut(0, 1, true);
    w.ring("ada", "bob");
    w.answer("bob").unwrap();
    w.pass(14 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Connecting));
    w.pass(2 * SECOND);
    assert_eq!(w.end("bob"), (EndReason::IceFailed, EndedBy::Network, Outcome::Failed));
}

#[test]
fn verbs_on_an_ended_call_meet_its_tombstone_for_ten_seconds() {
    let mut w = talking();
    w.hang_up("bob").unwrap();
    w.hang_up("bob").expect("repeated: success");
    w.pass(Duration::from_millis(9_999));
    assert_eq!(w.answer("bob"), Err(Refusal::AlreadyHandled), "the contrary");
    w.pass(Duration::from_millis(1));
    assert_eq!(w.hang_up("bob"), Err(Refusal::NoSuchCall));
    assert!(w.people[1].published.is_empty());
}

#[test]
fn verbs_that_do_not_fit_are_refused_by_name() {
    let mut w = ada_and_bob();
    assert_eq!(w.hang_up("ada"), Err(Refusal::NoSuchCall));
    assert_eq!(w.dial_for("bob", "ada", SECOND), Err(Refusal::OutOfRange));
    w.ring("ada", "bob");
    assert_eq!(w.answer("ada"), Err(Refusal::InvalidState));
    assert_eq!(w.decline("ada"), Err(Refusal::InvalidState));
    w.answer("bob").unwrap();
    w.answer("bob").expect("repeated: success");
    assert_eq!(w.decline("bob"), Err(Refusal::AlreadyHandled));
}

#[test]
fn a_mute_while_it_rings_holds_in_the_call_and_is_told() {
    let mut w = ringing();
    w.mute("bob", true).unwrap();
    w.pick_up("bob");
    assert!(w.view("bob").unwrap().muted);
    assert!(w.view("ada").unwrap().remote_muted());
    w.mute("bob", false).unwrap();
    w.pass(SECOND);
    assert!(!w.view("ada").unwrap().remote_muted());
}

#[test]
fn who_has_no_microphone_is_shown_there_as_hearing_only_until_one_is_found() {
    let mut w = ringing();
    w.pick_up("bob");
    let (call, leg, epoch) = *w.people[1].media.paths.keys().next_back().unwrap();
    for (heard, there) in [(false, true), (true, false)] {
        w.event(1, Event::Media { call, leg, epoch, report: MediaReport::Voice(heard) });
        w.pass(SECOND);
        assert_eq!(w.state("ada"), Some(State::Active), "the call stands");
        let (bob, ada) = (w.view("bob").unwrap(), w.view("ada").unwrap());
        assert_eq!((bob.hears_only, bob.remote_hears_only()), (there, false));
        assert_eq!((ada.hears_only, ada.remote_hears_only()), (false, there));
        assert!(!ada.remote_muted(), "that is another thing than a mute");
    }
}

#[test]
fn on_a_network_that_loses_a_third_doubles_and_reorders_the_story_is_the_same() {
    for seed in 0..200 {
        let mut w = World::new(seed, &["ada", "bob"]);
        w.network.loss = 0.33;
        w.network.doubling = 0.3;
        w.network.jitter = Duration::from_millis(400);
        w.dial("ada", "bob").unwrap();
        w.pass(35 * SECOND);
        w.answer("bob").unwrap_or_else(|refusal| panic!("seed {seed}: {refusal:?}"));
        w.pass(35 * SECOND);
        w.hang_up("bob").unwrap();
        w.pass(31 * SECOND);
        assert_eq!(w.end("ada"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered), "seed {seed}");
        assert_eq!((w.rows("ada").len(), w.rows("bob").len()), (1, 1), "seed {seed}");
    }
}

#[test]
fn a_dtls_that_does_not_come_up_is_rebuilt_twice_and_then_given_up() {
    let mut w = ada_and_bob();
    w.cut(0, 1, true);
    w.ring("ada", "bob");
    w.answer("bob").unwrap();
    for rebuilt in 0..3 {
        assert_eq!(w.state("bob"), Some(State::Connecting), "after {rebuilt} rebuilds");
        let (call, leg, epoch) = *w.people[1].media.paths.keys().next_back().unwrap();
        w.event(1, Event::Media { call, leg, epoch, report: MediaReport::Stuck });
    }
    assert_eq!(w.end("bob").0, EndReason::MediaFailed);
    w.pass(SECOND);
    assert_eq!(w.end("ada").0, EndReason::MediaFailed);
}

#[test]
fn only_the_callee_s_answer_makes_a_call_active() {
    let mut w = ringing();
    let call = w.view("ada").unwrap().id;
    // The caller's own word, as if it came back, and a word for another call.
    let message = ahoy_call::Message::Accept;
    let own = ahoy_tests::world::device(0);
    w.event(0, Event::Received { call, leg: own, message: message.clone() });
    let other = ahoy_call::CallId::from_bytes([1; 16]);
    w.event(0, Event::Received { call: other, leg: ahoy_tests::world::device(1), message });
    assert_eq!(w.state("ada"), Some(State::Alerting));
    w.pick_up("bob");
    assert_eq!(w.state("ada"), Some(State::Active));
}

#[test]
fn a_contact_without_devices_or_with_too_many_is_refused_as_a_whole() {
    let mut w = ada_and_bob();
    for many in [0, 9, 200] {
        let (call, peer) = (w.fresh_call(), ahoy_tests::world::peer(1));
        let devices = (1..=many).map(ahoy_tests::world::device).collect();
        let lifetime = 60 * SECOND;
        let dial = ahoy_call::Command::Dial {
            call,
            peer,
            devices,
            lifetime,
            note: None,
            hold_others: true,
            both_tell: false,
        };
        assert_eq!(w.command(0, dial), Err(Refusal::NoDevice), "{many}");
    }
    assert!(w.facts("ada").is_empty());
}
