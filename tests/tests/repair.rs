//! Is a path mended as often, as soon and as long as a conversation needs it?
//!
//! Lives here: one phone and the generations of its path: when each begins, stands and goes.
//! Must not: use real time, sockets or sound.

#[path = "repair/limits.rs"]
mod limits;

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::{
    CallId, Command, EndReason, Epoch, Event, LegId, MediaFault, MediaOrder, MediaReport, Message, State,
};
use ahoy_tests::talk::{HIGH, LOW, MINUTE, SECOND, Talk, answerer};

const MS: Duration = Duration::from_millis(1);

/// `time` is `of` give or take a fifth.
fn is_about(time: Duration, of: Duration) -> bool {
    time >= of * 4 / 5 && time <= of * 6 / 5
}

#[test]
fn a_lost_path_is_mended_at_once_then_after_1_2_4_and_8_seconds_and_six_times_a_minute_at_most() {
    let mut t = Talk::running();
    let lost = t.now;
    t.reported(t.epoch, MediaReport::Lost);
    assert_eq!(t.state(), Some(State::Reconnecting));
    t.pass(MINUTE - SECOND);
    let begun = t.begun();
    assert_eq!(begun[0].0, lost, "the first one at once");
    assert_eq!(begun.len(), 6, "{begun:?}");
    for (pair, seconds) in begun.windows(2).zip([1, 2, 4, 8, 8]) {
        assert!(is_about(pair[1].0 - pair[0].0, seconds * SECOND), "{begun:?}");
        assert!(pair[1].1 > pair[0].1, "a generation is new");
    }
    t.pass(2 * SECOND);
    assert_eq!(t.reason(), Some(EndReason::ConnectionLost));
}

#[test]
fn a_change_of_our_network_makes_us_look_at_a_path_and_leaves_it_while_sound_comes() {
    let mut t = Talk::running();
    let first = t.epoch;
    for _ in 0..100 {
        t.event(Event::NetworkChanged);
        t.pass(10 * MS);
    }
    assert!(t.ordered().iter().all(|one| *one == (first, MediaOrder::Probe)), "{:?}", t.ordered());
    assert_eq!(t.state(), Some(State::Active));
    // What a real break needs is all there.
    t.forget();
    t.reported(first, MediaReport::Lost);
    t.pass(MINUTE - SECOND);
    assert_eq!(t.begun().len(), 6);
}

#[test]
fn while_nothing_is_up_a_network_that_changes_all_the_time_is_followed_twice_a_minute_more() {
    let mut t = Talk::running();
    t.reported(t.epoch, MediaReport::Lost);
    t.forget();
    for _ in 0..30 {
        t.event(Event::NetworkChanged);
        t.pass(10 * MS);
    }
    assert_eq!(t.begun().len(), 2, "each at once");
    t.pass(MINUTE - 2 * SECOND);
    let begun = t.begun();
    assert!((7..=8).contains(&begun.len()), "and the six that mend the break besides: {begun:?}");
}

#[test]
fn after_a_minute_to_the_moment_a_changed_network_is_followed_again() {
    let mut t = Talk::connecting(LOW, HIGH, CallId::from_bytes([7; 16]));
    let (first, begun) = (t.epoch, t.now);
    t.forget();
    t.event(Event::NetworkChanged);
    assert!(t.epoch > first, "a path that is being set up may lack what is new");
    t.event(Event::NetworkChanged);
    t.event(Event::NetworkChanged);
    assert_eq!(t.begun().len(), 2);
    t.reported(t.epoch, MediaReport::Up);
    t.pass(begun + MINUTE - t.now - MS);
    t.reported(t.epoch, MediaReport::Lost);
    t.forget();
    t.event(Event::NetworkChanged);
    assert_eq!(t.begun().len(), 0);
    t.pass(MS);
    t.forget();
    t.event(Event::NetworkChanged);
    assert_eq!(t.begun().len(), 1);
}

#[test]
fn a_path_that_is_up_again_counts_its_tries_anew() {
    let mut t = Talk::running();
    t.reported(t.epoch, MediaReport::Lost);
    t.pass(5 * SECOND);
    t.reported(t.epoch, MediaReport::Up);
    assert_eq!(t.state(), Some(State::Active));
    t.forget();
    t.pass(2 * MINUTE);
    assert_eq!((t.begun(), t.phone.deadline()), (Vec::new(), None), "nothing is mended that is whole");
    t.reported(t.epoch, MediaReport::Lost);
    t.pass(2 * SECOND);
    let begun = t.begun();
    assert!(begun.len() == 2 && is_about(begun[1].0 - begun[0].0, SECOND), "{begun:?}");
}

#[test]
fn a_try_that_never_came_up_goes_once_the_next_one_is_begun_and_what_carries_sound_stays() {
    let mut t = Talk::running();
    let first = t.epoch;
    t.they_begin();
    let second = t.epoch;
    t.they_begin();
    let third = t.epoch;
    let told = [(second, answerer("theirs")), (third, answerer("theirs")), (second, MediaOrder::Close)];
    assert_eq!(t.ordered(), told, "the sound devices stay open all the time");
    t.reported(third, MediaReport::Up);
    t.pass(5 * SECOND);
    assert_eq!(t.closed().last().unwrap().1, first);
}

#[test]
fn the_old_path_lives_two_seconds_beside_the_new_one() {
    let mut t = Talk::running();
    let old = t.epoch;
    t.they_begin();
    t.pass(300 * MS);
    t.reported(t.epoch, MediaReport::Up);
    let up = t.now;
    assert!(t.closed().is_empty() && t.state() == Some(State::Active));
    t.pass(MS);
    t.reported(t.epoch, MediaReport::Up);
    t.reported(old, MediaReport::Up);
    t.pass(MINUTE);
    assert_eq!(t.closed(), [(up + 2 * SECOND, old)], "to the moment, whatever is said twice");
    assert_eq!(t.phone.deadline(), None);
}

#[test]
fn of_three_paths_the_oldest_goes_when_the_third_is_up() {
    let mut t = Talk::running();
    let (first, begun) = (t.epoch, t.now);
    t.they_begin();
    let second = t.epoch;
    t.reported(second, MediaReport::Up);
    t.pass(SECOND);
    t.they_begin();
    let third = t.epoch;
    assert!(t.closed().is_empty());
    t.reported(third, MediaReport::Up);
    t.pass(MINUTE);
    assert_eq!(t.closed(), [(begun + SECOND, first), (begun + 3 * SECOND, second)]);
}

#[test]
fn the_end_of_a_call_takes_every_path_down_once_the_newest_last() {
    let mut t = Talk::running();
    let first = t.epoch;
    t.they_begin();
    let second = t.epoch;
    t.reported(second, MediaReport::Up);
    t.they_begin();
    let third = t.epoch;
    t.command(Command::HangUp { call: t.call, everyone: false }).unwrap();
    let closed: Vec<Epoch> = t.closed().into_iter().map(|(_, epoch)| epoch).collect();
    assert_eq!(closed, [first, second, third]);

    let mut t = Talk::running();
    t.command(Command::HangUp { call: t.call, everyone: false }).unwrap();
    assert_eq!(t.closed(), [(t.now, t.epoch)]);
}

#[test]
fn a_path_that_breaks_while_the_next_one_is_set_up_may_still_come_back_for_two_seconds() {
    let mut t = Talk::running();
    let old = t.epoch;
    t.they_begin();
    let new = t.epoch;
    t.pass(100 * MS);
    t.reported(old, MediaReport::Lost);
    let broke = t.now;
    assert_eq!(t.state(), Some(State::Reconnecting));
    assert!(t.ordered().contains(&(new, MediaOrder::Pause)), "no path, no microphone");
    assert_eq!(t.begun().len(), 0, "the next one is on its way already");
    t.pass(700 * MS);
    t.reported(new, MediaReport::Up);
    let up = t.now;
    assert_eq!(t.state(), Some(State::Active));
    t.pass(MINUTE);
    assert_eq!(t.closed(), [(up + 2 * SECOND, old)], "it broke at {broke:?}");
}

#[test]
fn a_path_that_broke_goes_after_two_seconds_while_its_successor_is_tried_again() {
    let mut t = Talk::running();
    let old = t.epoch;
    t.they_begin();
    t.pass(100 * MS);
    t.reported(old, MediaReport::Lost);
    let broke = t.now;
    t.pass(3 * SECOND);
    assert!(t.closed().contains(&(broke + 2 * SECOND, old)));
    let begun = t.begun();
    assert!(!begun.is_empty() && is_about(begun[0].0 - broke, SECOND), "{begun:?}");
}

#[test]
fn a_new_path_that_fails_first_leaves_the_old_one_in_its_place() {
    let mut t = Talk::running();
    t.they_begin();
    let second = t.epoch;
    t.reported(second, MediaReport::Lost);
    assert_eq!(t.state(), Some(State::Active), "the old one carries the sound");
    assert!(t.epoch > second, "and a third one is tried");
    assert!(!t.ordered().iter().any(|(_, order)| *order == MediaOrder::Pause));
    t.reported(second, MediaReport::Lost);
    t.reported(Epoch(40_001), MediaReport::Lost);
    assert_eq!((t.state(), t.begun().len()), (Some(State::Active), 1), "old and foreign news change nothing");
}

#[test]
fn when_they_mend_it_our_own_try_waits_its_turn() {
    let mut t = Talk::running();
    t.offered(t.their_next(t.epoch), "nothing was broken");
    assert_eq!(t.phone.deadline(), None, "then nothing is to be tried");
    t.reported(t.epoch, MediaReport::Up);
    t.pass(5 * SECOND);

    t.reported(t.epoch, MediaReport::Lost);
    t.pass(700 * MS);
    t.forget();
    let at = t.now;
    t.offered(t.their_next(t.epoch), "they mend it");
    t.pass(5 * SECOND);
    let begun = t.begun();
    assert!(is_about(begun[0].0 - at, 2 * SECOND), "{begun:?} after {at:?}");
}

#[test]
fn an_encrypted_transport_is_built_anew_twice_each_time_it_is_needed() {
    let mut t = Talk::connecting(LOW, HIGH, CallId::from_bytes([7; 16]));
    let first = t.epoch;
    t.reported(first, MediaReport::Stuck);
    t.reported(first, MediaReport::Stuck);
    t.reported(t.epoch, MediaReport::Stuck);
    t.pass(10 * SECOND);
    assert_eq!(t.state(), Some(State::Connecting), "news of the old one do not count, and there is time");
    t.reported(t.epoch, MediaReport::Up);
    t.reported(t.epoch, MediaReport::Stuck);
    assert_eq!((t.state(), t.reason()), (Some(State::Active), None), "what is up is not stuck");
    t.pass(2 * MINUTE);
    t.reported(t.epoch, MediaReport::Lost);
    for rebuilt in 0..2 {
        t.reported(t.epoch, MediaReport::Stuck);
        assert_eq!(t.state(), Some(State::Reconnecting), "{rebuilt}");
    }
    t.reported(t.epoch, MediaReport::Stuck);
    assert_eq!(t.reason(), Some(EndReason::MediaFailed));
}

/// How long this device waits before its second try.
fn wait(own: LegId, leg: LegId, call: CallId) -> Duration {
    let mut t = Talk::between(own, leg, call);
    t.reported(t.epoch, MediaReport::Lost);
    t.pass(SECOND * 6 / 5);
    let begun = t.begun();
    begun[1].0 - begun[0].0
}

#[test]
fn however_the_breaks_fall_every_path_that_was_begun_is_closed_and_the_microphone_with_it() {
    let mut t = Talk::running();
    let second = t.their_next(t.epoch);
    t.offered(second, "they roam");
    t.reported(second, MediaReport::Up);
    t.pass(300 * MS);
    // The first one has not gone yet when the next one begins beside the second, which then breaks.
    let third = t.their_next(second);
    t.offered(third, "they roam on");
    t.reported(second, MediaReport::Lost);
    t.pass(MINUTE / 2);
    assert_eq!(t.closed().iter().map(|(_, epoch)| *epoch).filter(|epoch| *epoch == second).count(), 1);
    t.reported(t.epoch, MediaReport::Up);
    t.pass(MINUTE);
    t.command(Command::HangUp { call: t.call, everyone: false }).unwrap();
    let prepared: BTreeSet<Epoch> = t.prepared.iter().copied().collect();
    let closed: Vec<Epoch> = t.closed().into_iter().map(|(_, epoch)| epoch).collect();
    assert_eq!(closed.iter().copied().collect::<BTreeSet<_>>(), prepared, "each is closed");
    assert_eq!(closed.len(), prepared.len(), "and once");
    assert_eq!(t.media_ended, [t.call], "and whatever else there may be ends with the call");
}

#[test]
fn a_path_that_is_up_and_none_of_ours_is_closed() {
    let mut t = Talk::running();
    let foreign = Epoch(40_001);
    t.reported(foreign, MediaReport::Up);
    assert_eq!(t.ordered(), [(foreign, MediaOrder::Close)]);
    t.event(Event::Media {
        call: t.call,
        leg: LegId::from_bytes([77; 16]),
        epoch: Epoch(1),
        report: MediaReport::Up,
    });
    let last = t.ordered().pop();
    assert_eq!(last, Some((Epoch(1), MediaOrder::Close)), "a device that is none of this call's");
    t.command(Command::HangUp { call: t.call, everyone: false }).unwrap();
    t.forget();
    t.reported(t.epoch, MediaReport::Up);
    assert_eq!(t.media_ended, [t.call], "a call that is over");
}

#[test]
fn a_path_that_fails_in_a_call_is_mended_like_one_that_broke() {
    let mut t = Talk::running();
    let first = t.epoch;
    t.reported(first, MediaReport::Failed(MediaFault::Media));
    assert_eq!(t.state(), Some(State::Reconnecting));
    assert!(t.epoch > first, "the next one begins at once");
    assert!(t.ordered().iter().any(|(_, order)| *order == MediaOrder::Pause), "no path, no microphone");
    // Without an address each one fails as soon as it is begun: that must not use up the tries.
    t.forget();
    t.reported(t.epoch, MediaReport::Failed(MediaFault::Media));
    assert_eq!((t.begun(), t.state()), (Vec::new(), Some(State::Reconnecting)));
    t.pass(3 * SECOND);
    assert!((1..=2).contains(&t.begun().len()), "{:?}", t.begun());
    t.reported(t.epoch, MediaReport::Up);
    assert_eq!(t.state(), Some(State::Active));
}

#[test]
fn a_next_path_that_fails_leaves_the_standing_one_alone_and_is_tried_again() {
    let mut t = Talk::running();
    let next = t.their_next(t.epoch);
    t.offered(next, "beside it");
    t.reported(next, MediaReport::Failed(MediaFault::Negotiation));
    assert_eq!(t.state(), Some(State::Active));
    assert_eq!(t.begun(), []);
    t.pass(SECOND * 6 / 5);
    assert_eq!(t.begun().len(), 1, "after a second, give or take a fifth");
}

#[test]
fn a_call_whose_media_are_gone_ends_and_says_so() {
    let mut t = Talk::running();
    t.event(Event::MediaGone { call: CallId::from_bytes([99; 16]) });
    assert_eq!(t.state(), Some(State::Active), "another call's");
    t.event(Event::MediaGone { call: t.call });
    assert_eq!((t.state(), t.reason()), (Some(State::Disconnected), Some(EndReason::MediaFailed)));
    assert!(t.sent().contains(&Message::End { reason: EndReason::MediaFailed }));
}
