//! Several who meet in a room, and the way there and back while they talk.
//!
//! Lives here: what is heard at a switch, who is shown as heard by a room.
//! Must not: know a server, a key or a pass.

use super::*;

const PITCHES: [u32; 5] = [300, 500, 700, 1_100, 1_300];

/// What all of them hear of each other from then on: the softest of it.
fn softest_of_all(table: &Table, people: usize, from: u64) -> f32 {
    let pairs = (0..people).flat_map(|one| (0..people).map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one != other)
        .map(|(one, other)| table.softest(one, from, PITCHES[other]))
        .fold(f32::MAX, f32::min)
}

fn voice(table: &Table, one: usize, of: usize) -> crate::media::playout::Statistics {
    table.people[one].session.voices.get(leg(of)).unwrap().playback.statistics()
}

#[test]
fn five_in_a_room_hear_each_other_and_each_is_shown() {
    let mut table = Table::new(PITCHES.map(tone));
    (0..5).for_each(|one| table.enter(one));
    table.run(2_500);
    assert!(softest_of_all(&table, 5, 500) > 0.1, "{}", softest_of_all(&table, 5, 500));
    for one in 0..5 {
        for other in (0..5).filter(|other| *other != one) {
            assert!(
                table.told(one, other).last().is_some_and(|line| line.quality.is_some()),
                "{one} of {other}"
            );
        }
        assert!(table.told(one, one).is_empty(), "a room is nobody");
        let members: Vec<LegId> = table.stats(one).members.iter().map(|member| member.leg).collect();
        assert_eq!(members, (0..5).filter(|other| *other != one).map(leg).collect::<Vec<_>>());
    }
    // One goes: it is silent for the others, and the way to them stays.
    table.close(4, 4);
    table.run(12_000);
    for one in 0..4 {
        assert!(table.loudest(one, 3_500, PITCHES[4]) < 0.01);
        assert!(table.events(one, one).is_empty(), "{:?}", table.events(one, one));
        assert_eq!(table.told(one, 4).last(), Some(&MemberLine::default()), "as if nothing had been told");
        let by_room: Vec<_> =
            (0..5).filter(|other| *other != one).map(|other| table.by_room(one, other)).collect();
        assert_eq!(by_room, [vec![true], vec![true], vec![true], vec![true, false]]);
        assert_eq!(table.stats(one).members.len(), 3);
    }
    assert!(softest_of_all(&table, 4, 500) > 0.1);
}

#[test]
fn from_a_mesh_to_a_room_and_back_nobody_falls_silent_and_nothing_is_heard_twice() {
    let mut table = Table::new(PITCHES.into_iter().take(3).map(tone));
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        table.connect(one, other);
    }
    table.run(1_500);
    (0..3).for_each(|one| table.enter(one));
    table.run(2_000);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        table.part(one, other);
    }
    table.run(2_000);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        table.connect(one, other);
    }
    table.run(2_000);
    (0..3).for_each(|one| table.close(one, one));
    table.run(2_000);
    let softest = softest_of_all(&table, 3, 500);
    assert!(softest > 0.15, "{softest}");
    assert_eq!(table.by_room(0, 1), [true], "what comes by a path of their own counts for none");
    for (one, other) in [(0, 1), (1, 2), (2, 0)] {
        let seen = voice(&table, one, other);
        assert!(seen.duplicated > 150, "planted: it came by both: {seen:?}");
        assert_eq!((seen.lost, seen.concealed, seen.skipped, seen.rejected), (0, 0, 0, 0), "{seen:?}");
        assert!(table.loudest(one, 500, PITCHES[other]) < 0.25, "it is as loud as ever");
    }
}

#[test]
fn to_a_room_that_is_farther_away_the_switch_costs_no_more_than_the_way_is_longer() {
    let mut table = Table::new(PITCHES.into_iter().take(2).map(tone));
    table.room_away = 60;
    table.connect(0, 1);
    table.run(1_500);
    (0..2).for_each(|one| table.enter(one));
    table.run(2_000);
    table.part(0, 1);
    table.run(3_000);
    for (one, other) in [(0, 1), (1, 0)] {
        let silent = table.course(one, 500, PITCHES[other]).into_iter().filter(|loud| *loud < 0.1).count();
        assert!(silent <= 10, "{silent} pieces of 10 ms, {:?}", voice(&table, one, other));
        assert!(table.softest(one, 4_500, PITCHES[other]) > 0.15);
    }
}

#[test]
fn who_is_softer_stays_so_by_the_room() {
    let mut table = Table::new(PITCHES.into_iter().take(2).map(tone));
    table.connect(0, 1);
    table.people[0].session.set_volume(leg(1), 0.5);
    table.run(1_500);
    (0..2).for_each(|one| table.enter(one));
    table.run(1_000);
    table.part(0, 1);
    table.run(1_500);
    assert!(table.loudest(0, 500, PITCHES[1]) < 0.15 && table.softest(0, 500, PITCHES[1]) > 0.05);
    table.people[0].session.set_volume(leg(1), 0.0);
    table.run(500);
    assert!(table.loudest(0, 4_200, PITCHES[1]) < 0.01);
}

#[test]
fn a_room_brings_no_more_voices_than_a_call_has() {
    let mut table = Table::new([silence(), tone(300)]);
    (0..2).for_each(|one| table.enter(one));
    table.run(100);
    let now = table.now();
    for member in 10..100 {
        let packet = Packet {
            sequence: 1,
            timestamp: 960,
            first: false,
            payload: crate::media::dtmf::SILENCE.to_vec(),
            copies: Vec::new(),
            event: None,
        };
        table.people[0].session.voice_came(now, key(0), LegId::from_bytes([member; 16]), &packet);
    }
    assert_eq!(table.people[0].session.voices.ids().count(), 16);
    table.run(11_000);
    assert_eq!(
        table.people[0].session.voices.ids().copied().collect::<Vec<_>>(),
        [leg(1)],
        "they are forgotten"
    );
}
