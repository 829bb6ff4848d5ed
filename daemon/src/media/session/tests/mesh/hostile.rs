//! Members of a mesh who flood, say nothing, or whose clock is wrong: what is heard of the others is as if they were not.
//!
//! Lives here: the sound of the honest ones, sample by sample. What a path lets through at all: `flood.rs`.
//! Must not: judge what is heard of who is not honest.

use super::*;
use crate::media::transport::Copy;

const PITCHES: [u32; 3] = [300, 500, 700];

/// A table of three honest people and a fourth, whom the first plays without a sound.
fn with_a_fourth() -> Table {
    let mut table = Table::all(PITCHES.map(tone).into_iter().chain([tone(1_100)]));
    table.people[0].session.set_volume(leg(3), 0.0);
    table
}

#[test]
fn who_floods_with_whatever_they_like_changes_no_sample_of_the_others() {
    let honest = {
        let mut table = with_a_fourth();
        table.run(3_000);
        table.since(0, 0).to_vec()
    };
    let mut table = with_a_fourth();
    let mut chance = 7_u64;
    table.instead = Box::new(move |from, to, packet| {
        if (from, to) != (3, 0) {
            return vec![packet];
        }
        let mut next = || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            chance.to_be_bytes()
        };
        // As much as a path lets through in the long run, and all of it wild.
        (0..8)
            .map(|_| {
                let [a, b, c, d, e, f, g, h] = next();
                let payload = (0..usize::from(g)).map(|n| next()[n % 8]).collect();
                let copies = (0..h % 9).map(|n| Copy { distance: n, payload: next().to_vec() }).collect();
                let timestamp = u32::from_be_bytes([a, b, c, d]);
                Packet {
                    sequence: u16::from_be_bytes([e, f]),
                    timestamp,
                    first: a > 127,
                    payload,
                    copies,
                    event: None,
                }
            })
            .chain([packet.clone(), packet.clone(), packet])
            .collect()
    });
    table.run(3_000);
    assert!(table.since(0, 0) == honest, "as it was without the flood");
    let voice = table.people[0].session.voices.get(leg(3)).unwrap();
    assert!(voice.playback.statistics().rejected > 1_000, "planted: it came");
}

#[test]
fn who_says_nothing_is_told_as_lost_and_changes_no_sample_of_the_others() {
    let honest = {
        let mut table = Table::all(PITCHES.map(tone));
        table.run(10_000);
        table.since(0, 0).to_vec()
    };
    let mut table = with_a_fourth();
    table.instead = Box::new(|from, _, packet| if from == 3 { Vec::new() } else { vec![packet] });
    table.run(10_000);
    assert!(table.since(0, 0) == honest);
    assert_eq!(table.events(0, 3), [MediaReport::Lost], "once, and of nobody else");
    assert!(table.events(0, 1).is_empty() && table.events(0, 2).is_empty());
    assert!(table.told(0, 3).iter().all(|line| !line.speaking));
}

#[test]
fn clocks_that_run_fast_and_slow_cost_the_others_nothing_and_their_own_voice_no_gap() {
    // The first listens, by a clock that is right.
    let clocks = [0, 500, -500, 0];
    let people = [silence(), tone(300), tone(500), tone(700)];
    let mut table = Table::with_clocks(people.into_iter().zip(clocks));
    (1..4).for_each(|other| table.connect(0, other));
    // A minute: 30 ms, more than a packet.
    table.run(60_000);
    let of = |one: usize| table.people[0].session.voices.get(leg(one)).unwrap().playback.statistics();
    for one in 1..4 {
        let seen = of(one);
        assert!(seen.delay < Duration::from_millis(60), "{one}: {seen:?}");
        assert_eq!((seen.lost, seen.concealed, seen.skipped, seen.late), (0, 0, 0, 0), "{one}: {seen:?}");
    }
    assert!(of(1).stretched > 0 && of(2).stretched > 0, "planted: {:?} {:?}", of(1), of(2));
    let right = of(3);
    assert!(right.stretched <= 2, "one whose clock is right is left alone: {right:?}");
    assert!(table.softest(0, 1_000, 700) > 0.15);
}
