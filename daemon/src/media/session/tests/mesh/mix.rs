//! What everybody hears of everybody.
//!
//! Lives here: who is in the mix and how loud, and how often a voice is encoded.
//! Must not: let anybody come or go.

use super::*;
use crate::media::codec::encoded;

const PITCHES: [u32; 4] = [300, 500, 700, 1_100];

#[test]
fn everybody_hears_the_three_others_without_a_gap_and_never_themselves() {
    let mut table = Table::all(PITCHES.map(tone));
    table.run(3_000);
    for one in 0..4 {
        for (other, pitch) in PITCHES.into_iter().enumerate() {
            if other == one {
                let own = loudness(table.since(one, 300), pitch);
                assert!(own < 0.002, "{one} hears themselves: {own}");
            } else {
                let (least, most) = (table.softest(one, 300, pitch), table.loudest(one, 300, pitch));
                assert!(least > 0.15 && most < 0.25, "{one} hears {other} as loud as 0.2: {least} to {most}");
            }
        }
    }
}

#[test]
fn a_voice_is_encoded_once_however_many_hear_it() {
    let frames = |people: &[u32]| {
        let mut table = Table::all(people.iter().copied().map(tone));
        let before = encoded();
        table.run(1_000);
        let sent = table.people.iter().map(|person| person.session.sent).sum::<u64>();
        assert_eq!(encoded() - before, sent);
        sent / people.len() as u64
    };
    let (two, four) = (frames(&PITCHES[..2]), frames(&PITCHES));
    assert_eq!(two, four);
    assert!((49..=50).contains(&four), "{four} in a second");
}

#[test]
fn one_of_them_is_turned_down_or_up_and_the_others_stay_as_loud_as_they_are() {
    let mut table = Table::all(PITCHES.map(tone));
    table.people[0].session.set_volume(leg(1), 0.5);
    table.run(1_000);
    let about = |heard: f32, loudness: f32| (heard - loudness).abs() < 0.15 * loudness;
    assert!(about(table.softest(0, 500, PITCHES[1]), 0.1), "set before they were heard");
    table.people[0].session.set_volume(leg(2), 2.0);
    table.people[0].session.set_volume(leg(1), 0.0);
    table.run(1_000);
    let silenced = loudness(table.since(0, 1_050), PITCHES[1]);
    assert!(silenced < 0.002, "{silenced}");
    assert!(about(table.softest(0, 1_050, PITCHES[2]), 0.4));
    assert!(about(table.softest(0, 500, PITCHES[3]), 0.2));
    assert!(about(table.softest(3, 500, PITCHES[1]), 0.2), "it is one listener's wish");
    table.people[0].session.set_volume(leg(2), f32::NAN);
    table.run(500);
    assert!(about(table.softest(0, 2_050, PITCHES[2]), 0.2), "no number is no wish");
}

#[test]
fn who_is_deafened_hears_nobody_and_hears_all_of_them_at_once_afterwards() {
    let mut table = Table::all(PITCHES.map(tone));
    table.run(500);
    let deafen = |table: &mut Table, deafened| {
        let now = table.now();
        table.people[0].wanted.send_modify(|wanted| wanted.deafened = deafened);
        table.people[0].session.follow(now).now_or_never().unwrap();
    };
    deafen(&mut table, true);
    table.run(500);
    assert!(table.since(0, 510).iter().all(|sample| *sample == 0.0));
    deafen(&mut table, false);
    table.run(500);
    for pitch in &PITCHES[1..] {
        assert!(table.softest(0, 1_010, *pitch) > 0.15, "{pitch}");
    }
}

/// Noise in syllables, of somebody whose number this is.
fn syllables(whose: u32) -> Says {
    let mut state = whose;
    let mut deep = 0.0;
    let sound: Vec<f32> = (0..9 * 48_000_u32)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            deep += 0.1 * (f32::from(u16::try_from(state >> 16).unwrap()) / 32_768.0 - 1.0 - deep);
            0.8 * deep * (n as f32 / 48_000.0 * (7.0 + whose as f32)).sin().max(0.0)
        })
        .collect();
    Box::new(move |n| sound[n])
}

#[test]
fn the_echo_of_all_who_are_heard_is_taken_out_of_what_is_sent() {
    let sent_back = |wishes: Wishes| {
        let mut table = Table::new([silence(), syllables(1), syllables(2)]);
        table.people[0] = person(silence(), 0, wishes, true);
        (1..3).for_each(|other| table.connect(0, other));
        table.run(8_000);
        let loudness = |sound: &[f32]| sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32;
        assert!(loudness(table.since(0, 6_000)) > 1e-3, "planted: both are heard");
        [1, 2].map(|one| 10.0 * loudness(table.since(one, 6_000)).max(1e-12).log10())
    };
    let (off, on) = (sent_back(PLAIN), sent_back(Wishes { echo: Switch::On, ..PLAIN }));
    for (off, on) in off.into_iter().zip(on) {
        assert!(off > -50.0 && on < off - 20.0, "{off} dBFS with the part off, {on} with it");
    }
}

#[test]
fn who_speaks_is_told_of_each_by_itself() {
    // The first syllable begins after half a second and the last ends after two.
    let words: Says = Box::new(|n| {
        let t = n as f32 / 48_000.0;
        let voiced = if (0.5..2.0).contains(&t) { 0.6 + 0.4 * (t * 19.0).sin() } else { 0.0 };
        0.1 * voiced * (1..9_u8).map(|h| (t * 880.0 * f32::from(h)).sin() / f32::from(h)).sum::<f32>()
    });
    let mut table = Table::all([silence(), words, silence()]);
    let mut spoke = Vec::new();
    for _ in 0..80 {
        table.run(50);
        spoke.push(table.told(0, 1).last().is_some_and(|line| line.speaking));
    }
    let (first, last) = (spoke.iter().position(|it| *it), spoke.iter().rposition(|it| *it));
    assert!(first.is_some_and(|first| (10..=15).contains(&first)), "{first:?}: within a quarter of a second");
    assert!(last.is_some_and(|last| (40..=56).contains(&last)), "{last:?}: not long after the last word");
    let flips = table.told(0, 1).windows(2).filter(|pair| pair[0].speaking != pair[1].speaking).count();
    assert!(flips <= 2, "{flips} times in one sentence");
    assert!(table.told(0, 2).iter().all(|line| !line.speaking), "who says nothing");
}
