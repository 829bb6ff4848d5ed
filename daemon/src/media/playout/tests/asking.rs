//! What is asked for again: all that can be mended by it, and not what would have come.
//!
//! Lives here: the traps of asking, each on a line of its own.
//! Must not: take real time.

use super::call::{Call, Way, chance, chosen};

const LOST: Option<u64> = None;
const CLEAN: fn(u64) -> Option<u64> = |_| Some(0);
const ALWAYS: fn(u64) -> bool = |_| true;

/// A tenth is lost.
fn tenth(n: u64) -> Option<u64> {
    (!chosen(n, 4, 10)).then_some(0)
}

#[test]
fn what_is_lost_is_asked_for_and_played_and_the_loss_is_told_all_the_same() {
    for round_trip_us in [600, 20_000, 60_000] {
        let mut call = Call::new();
        let line = Way::asking(round_trip_us);
        call.carry(line, 0..3_000, tenth, ALWAYS);
        let (told, heard) = (call.buffer.statistics(), call.heard());
        assert!(told.repaired > 270 && told.lost < 30, "{round_trip_us}: {told:?}");
        assert!(told.jitter.as_millis() <= 2, "an answer says nothing about the way: {told:?}");
        assert!((0.07..0.13).contains(&heard.lost), "{round_trip_us}: {heard:?}");
        assert!((1.0..1.3).contains(&heard.run), "{heard:?}");
        assert!(call.asked.len() < 400, "about once each: {}", call.asked.len());
    }
}

#[test]
fn answers_that_get_lost_are_asked_for_again() {
    let mut call = Call::new();
    let mut tries = 0;
    let third = |_| {
        tries += 1;
        tries % 3 == 0
    };
    let line = Way { need_us: 60_000, ..Way::asking(5_000) };
    call.carry(line, 0..2_000, tenth, third);
    let told = call.buffer.statistics();
    assert!(told.repaired > 170 && told.lost < 30, "{told:?}");
    let most = call.asked.iter().map(|(_, n)| call.asked.iter().filter(|(_, m)| m == n).count()).max();
    assert!(most.unwrap() <= 12, "{most:?}");
}

#[test]
fn a_sender_that_is_later_from_now_on_is_not_asked_for_what_it_has_not_said() {
    for round_trip_us in [600, 5_000, 20_000, 60_000, 140_000] {
        for step_us in [12_000, 20_000, 30_000, 60_000] {
            let mut call = Call::new();
            let line = Way::asking(round_trip_us);
            call.carry(line, 0..1_000, CLEAN, ALWAYS);
            assert_eq!(call.asked.len(), 0, "nothing is missing");
            call.carry(line, 1_000..1_100, |_| Some(step_us), ALWAYS);
            let heard = call.heard();
            call.carry(line, 1_100..2_500, |_| Some(step_us), ALWAYS);
            let told = call.buffer.statistics();
            assert!(call.asked.len() <= 20, "{round_trip_us} {step_us}: {}", call.asked.len());
            assert!(told.concealed + told.lost < 12, "{round_trip_us} {step_us}: {told:?}");
            assert_eq!(heard.lost, 0.0, "{round_trip_us} {step_us}: what was not lost after all");
        }
    }
}

#[test]
fn jitter_without_loss_is_not_taken_for_loss_whether_packets_overtake_each_other_or_not() {
    for round_trip_us in [600, 20_000, 60_000] {
        for (jitter_us, overtake) in [(40_000, false), (40_000, true), (80_000, true)] {
            let line = Way::asking(round_trip_us);
            let mut call = Call::new();
            // Without overtaking a late one holds back all that follow.
            let late = |n: u64| {
                let own = |n: u64| chance(n, 9, jitter_us);
                let back = if overtake { 0 } else { 5.min(n) };
                (0..=back).map(|k| own(n - k).saturating_sub(k * 20_000)).max()
            };
            call.carry(line, 0..3_000, late, ALWAYS);
            let (told, heard) = (call.buffer.statistics(), call.heard());
            let name = format!("{round_trip_us} {jitter_us} {overtake}");
            assert!(heard.lost < 0.01, "{name}: {heard:?}");
            assert!(call.asked.len() < 200, "{name}: {} of 3000", call.asked.len());
            assert!(told.lost < 60, "{name}: {told:?}");
        }
    }
}

#[test]
fn a_burst_is_mended_and_told_for_what_it_was() {
    let mut call = Call::new();
    let burst = |n: u64| if n % 40 < 4 { LOST } else { Some(0) };
    call.carry(Way { need_us: 60_000, ..Way::asking(600) }, 0..3_000, burst, ALWAYS);
    let (told, heard) = (call.buffer.statistics(), call.heard());
    assert!(told.repaired > 270 && told.lost < 30, "{told:?}");
    assert!((0.08..0.12).contains(&heard.lost) && heard.run > 3.5, "{heard:?}");
}

#[test]
fn nothing_is_asked_for_that_cannot_come_in_time_or_over_a_line_that_is_too_long_or_unless_wanted() {
    let quick = Way::asking(20_000);
    for (name, line) in [
        ("played before the answer", Way { need_us: 0, ..quick }),
        ("too far", Way { need_us: 200_000, ..Way::asking(151_000) }),
        ("not wanted", Way { asking: false, ..quick }),
    ] {
        let mut call = Call::new();
        call.carry(line, 0..1_000, tenth, ALWAYS);
        assert_eq!(call.asked, [], "{name}");
        assert!(call.heard().lost > 0.05, "and it is told all the same");
    }
}

#[test]
fn at_most_fifty_packets_a_second_are_asked_for_whatever_is_missing() {
    let mut call = Call::new();
    let line = Way { need_us: 160_000, ..Way::asking(600) };
    call.carry(line, 0..2_000, |n| (n % 6 == 0).then_some(0), |_| false);
    assert!(call.asked.len() > 500, "it really asked: {}", call.asked.len());
    for (at, _) in &call.asked {
        let within = call.asked.iter().filter(|(other, _)| (*at..*at + 1_000_000).contains(other)).count();
        assert!(within <= 60, "{within} in a second");
    }
}

#[test]
fn a_sender_that_stands_still_is_asked_for_little() {
    let mut call = Call::new();
    let line = Way { need_us: 100_000, ..Way::asking(600) };
    call.carry(line, 0..500, CLEAN, ALWAYS);
    call.carry(line, 500..600, |_| LOST, |_| false);
    assert!(call.asked.len() <= 4, "{:?}", call.asked);
}

#[test]
fn of_packets_of_three_frames_the_missing_one_is_known() {
    let mut call = Call::new();
    let line = Way { frames: 3, need_us: 140_000, ..Way::asking(20_000) };
    call.carry(line, 0..1_000, |n| (n < 100 || n % 10 != 0).then_some(0), ALWAYS);
    let told = call.buffer.statistics();
    assert!(told.repaired > 85 * 3 && told.lost < 15, "{told:?}");
    assert!(call.asked.iter().all(|(_, n)| n % 10 == 0), "{:?}", call.asked);
    assert!((0.08..0.12).contains(&call.heard().lost));
}
