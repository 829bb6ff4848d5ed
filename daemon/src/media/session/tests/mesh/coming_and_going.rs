//! Who comes, goes, holds or is cut off, and what the others notice of it: nothing.
//!
//! Lives here: the sound of those who stay, and what who comes or holds may hear.
//! Must not: say why anybody goes.

use super::*;

const PITCHES: [u32; 4] = [300, 500, 700, 1_100];

/// What three people hear of each other without a gap from then on.
fn assert_three_hear_each_other(table: &Table, from: u64) {
    for one in 0..3 {
        for other in (0..3).filter(|other| *other != one) {
            let least = table.softest(one, from, PITCHES[other]);
            assert!(least > 0.15, "{one} hears {other} all the time: {least}");
        }
    }
}

#[test]
fn one_leaves_and_nobody_else_has_a_gap() {
    let mut table = Table::all(PITCHES.map(tone));
    table.run(1_500);
    (0..3).for_each(|one| table.part(one, 3));
    table.run(1_500);
    assert_three_hear_each_other(&table, 300);
    for one in 0..3 {
        assert!(table.softest(one, 300, PITCHES[3]) < 0.01, "planted: it was heard, and then it was not");
        assert!(table.loudest(one, 300, PITCHES[3]) > 0.15);
        assert!(table.loudest(one, 1_600, PITCHES[3]) < 0.01, "{one} hears who has left");
    }
    assert!(table.since(3, 1_600).iter().all(|sample| *sample == 0.0), "who left hears nobody");
}

#[test]
fn one_comes_later_hears_everybody_from_then_on_and_nobody_else_has_a_gap() {
    let mut table = Table::new(PITCHES.map(tone));
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        table.connect(one, other);
    }
    table.run(1_500);
    (0..3).for_each(|one| table.connect(one, 3));
    table.run(1_500);
    assert_three_hear_each_other(&table, 300);
    for (one, pitch) in PITCHES.into_iter().enumerate().take(3) {
        assert!(table.softest(one, 1_700, PITCHES[3]) > 0.15, "{one} hears who has come");
        assert!(table.softest(3, 1_700, pitch) > 0.15, "and is heard");
    }
}

/// Everything that these packets let anybody hear, copies of earlier frames by the codec among it.
fn loudest_of(packets: &[Packet], pitch: u32) -> f32 {
    let all = packets.iter().flat_map(|packet| {
        let copies = packet.copies.iter().map(|copy| copy.payload.clone());
        copies.chain([packet.payload.clone()]).collect::<Vec<_>>()
    });
    let mut loudest = 0.0_f32;
    for payload in all {
        for fec in [false, true] {
            let mut decoder = crate::media::codec::Decoder::new().unwrap();
            let mut frame = [0.0; 960];
            match fec {
                true => drop(decoder.decode_fec(&payload, &mut frame)),
                false => decoder.decode(&payload, &mut frame),
            }
            loudest = loudest.max(loudness(&frame, pitch));
        }
    }
    loudest
}

/// A tone that stops after one second of the table's time, and another one from then on.
fn secret() -> Says {
    let (before, after) = (tone(300), tone(900));
    Box::new(move |n| if n < 995 * 48 { before(n) } else { after(n) })
}

#[test]
fn nothing_that_was_said_before_one_came_or_while_one_was_held_is_in_any_packet_to_them() {
    for held in [false, true] {
        let mut table = Table::new([secret(), tone(500), tone(700)]);
        // To who says nothing of how it comes the codec says again what it said before, as on a bad line.
        let mute = Takes { feedback: false, ..TAKES };
        let (keep, kept) = sync_channel(4_096);
        table.instead = Box::new(move |from, to, packet| {
            if (from, to) == (0, 2) {
                keep.send(packet.clone()).unwrap();
            }
            vec![packet]
        });
        let connect = |table: &mut Table, other: usize| {
            table.prepare(0, other, TAKES);
            table.prepare(other, 0, mute);
            table.order(0, other, &OPEN);
            table.order(other, 0, &OPEN);
        };
        connect(&mut table, 1);
        table.people[0].session.legs.get_mut(&leg(1)).unwrap().adaptation.takes(mute);
        if held {
            connect(&mut table, 2);
        }
        table.run(500);
        if held {
            table.order(0, 2, &MediaOrder::SetHeld(true));
        }
        table.run(500);
        assert_eq!(kept.try_iter().count(), if held { 49 } else { 0 });
        match held {
            true => table.order(0, 2, &MediaOrder::SetHeld(false)),
            false => connect(&mut table, 2),
        }
        let wanted = Protection::clamped(3, 1);
        let word = Feedback { wanted, bytes: 9_000, packets: 50, ..Feedback::default() };
        let now = table.now();
        table.people[0].session.adapt(now, leg(2), |line| line.heard(now, &word));
        table.run(500);
        let packets: Vec<Packet> = kept.try_iter().collect();
        assert!((24..=26).contains(&packets.len()), "{}", packets.len());
        assert!(packets.iter().any(|packet| packet.copies.len() == 3), "copies were asked for");
        let says_again =
            |packet: &Packet| crate::media::codec::Decoder::new().unwrap().holds_copy(&packet.payload, 1);
        assert!(packets.iter().any(says_again), "and the codec says the frame before again");
        let (secret, open) = (loudest_of(&packets, 300), loudest_of(&packets, 900));
        assert!(open > 0.15, "planted: what is said now is in them: {open}");
        assert!(secret < 0.02, "held {held}: {secret}");
    }
}

#[test]
fn who_holds_gets_silence_and_is_not_played_while_the_others_talk_on() {
    let mut table = Table::all(PITCHES.map(tone).into_iter().take(3));
    table.run(500);
    table.order(0, 2, &MediaOrder::SetHeld(true));
    table.order(2, 0, &MediaOrder::SetHeld(true));
    table.run(1_000);
    for (one, other) in [(0, 2), (2, 0)] {
        assert!(table.loudest(one, 600, PITCHES[other]) < 0.01, "{one} hears {other}");
    }
    for (one, other) in [(0, 1), (1, 0), (2, 1), (1, 2)] {
        assert!(table.softest(one, 300, PITCHES[other]) > 0.15, "{one} hears {other} on");
    }
    table.order(0, 2, &MediaOrder::SetHeld(false));
    table.order(2, 0, &MediaOrder::SetHeld(false));
    table.run(1_000);
    for (one, other) in [(0, 2), (2, 0)] {
        assert!(table.softest(one, 1_700, PITCHES[other]) > 0.15, "{one} hears {other} again");
    }
    assert!(table.softest(0, 300, PITCHES[1]) > 0.15, "and the third all the time");
}

#[test]
fn to_whom_the_path_is_lost_nothing_is_said_and_the_others_hear_on() {
    let mut table = Table::all(PITCHES.map(tone).into_iter().take(3));
    table.run(500);
    table.order(0, 2, &MediaOrder::Pause);
    table.people[0].ways[&2].try_iter().for_each(drop);
    table.run(500);
    assert!(table.softest(1, 300, PITCHES[0]) > 0.15);
    assert!(table.loudest(2, 700, PITCHES[0]) < 0.01, "nothing came");
    assert!(table.softest(0, 300, PITCHES[2]) > 0.15, "what comes is still played");
    table.order(0, 2, &OPEN);
    table.run(500);
    assert!(table.softest(2, 1_200, PITCHES[0]) > 0.15);
}
