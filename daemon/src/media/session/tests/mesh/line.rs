//! The lines of a mesh: how the one voice is coded for all, and what each of them costs.
//!
//! Lives here: the worst line decides, copies are each line's own; what is told of each.
//! Must not: drop a packet: what a line does to a voice is judged elsewhere.

use super::*;
use crate::values::line::Quality;

/// What these packets hold: how many frames, and how many copies.
fn seen(packets: &[Packet]) -> Vec<(usize, usize)> {
    let of = |packet: &Packet| (crate::media::codec::frames(&packet.payload).unwrap(), packet.copies.len());
    packets.iter().map(of).collect()
}

/// A table of three of whom the first one's packets are kept, by whom they go to; the others do not tell how it comes.
fn kept(takes: [Takes; 2]) -> (Table, Receiver<(usize, Packet)>) {
    let mut table = Table::new([tone(300), tone(500), tone(700)]);
    for (other, takes) in (1..).zip(takes) {
        table.prepare(0, other, takes);
        table.prepare(other, 0, Takes { feedback: false, ..TAKES });
        table.order(0, other, &OPEN);
        table.order(other, 0, &OPEN);
    }
    let (keep, kept) = sync_channel(4_096);
    table.instead = Box::new(move |from, to, packet| {
        if from == 0 {
            keep.send((to, packet.clone())).unwrap();
        }
        vec![packet]
    });
    (table, kept)
}

fn to(other: usize, kept: &[(usize, Packet)]) -> Vec<Packet> {
    kept.iter().filter(|(to, _)| *to == other).map(|(_, packet)| packet.clone()).collect()
}

fn tell(table: &mut Table, of: usize, word: Feedback) {
    let now = table.now();
    table.people[0].session.adapt(now, leg(of), |line| line.heard(now, &word));
}

const FINE: Feedback = Feedback { bytes: 4_000, packets: 50, ..FEEDBACK };
const FEEDBACK: Feedback = Feedback {
    wanted: Protection { copies: 0, spacing: 0 },
    lost: 0.0,
    recent: 0.0,
    queue: Duration::ZERO,
    sooner: Duration::ZERO,
    bytes: 0,
    packets: 0,
    concealed: 0.0,
    repaired: 0.0,
    stamp: 0,
    echo: None,
};

#[test]
fn copies_go_to_whom_they_help_and_to_nobody_else_of_the_same_frames() {
    let (mut table, kept) = kept([TAKES, TAKES]);
    table.run(500);
    kept.try_iter().for_each(drop);
    tell(&mut table, 1, FINE);
    tell(&mut table, 2, Feedback { wanted: Protection::clamped(2, 1), lost: 0.1, ..FINE });
    table.run(500);
    let all: Vec<_> = kept.try_iter().collect();
    let (clean, lossy) = (to(1, &all), to(2, &all));
    assert!(seen(&clean).iter().all(|(_, copies)| *copies == 0));
    assert!(seen(&lossy).iter().all(|(_, copies)| *copies == 2));
    let payloads =
        |packets: &[Packet]| packets.iter().map(|packet| packet.payload.clone()).collect::<Vec<_>>();
    assert_eq!(payloads(&clean), payloads(&lossy), "one encoder made both");
}

#[test]
fn the_worst_line_decides_how_the_voice_is_coded_and_when_it_is_gone_the_others_have_theirs_back() {
    let (mut table, kept) = kept([TAKES, TAKES]);
    for _ in 0..25 {
        tell(&mut table, 1, FINE);
        tell(
            &mut table,
            2,
            Feedback { queue: Duration::from_millis(300), bytes: 1_500, packets: 20, ..FEEDBACK },
        );
        table.run(200);
    }
    kept.try_iter().for_each(drop);
    table.run(1_000);
    let all: Vec<_> = kept.try_iter().collect();
    let (fine, thin) = (to(1, &all), to(2, &all));
    assert_eq!(seen(&fine), seen(&thin));
    assert!(seen(&thin).iter().all(|(frames, _)| *frames >= 2), "{:?}", seen(&thin));
    table.part(0, 2);
    table.run(200);
    kept.try_iter().for_each(drop);
    table.run(1_000);
    let all: Vec<_> = kept.try_iter().collect();
    assert!(seen(&to(1, &all)).iter().all(|(frames, _)| *frames == 1), "as before");
    assert!(to(1, &all).iter().map(|packet| packet.payload.len()).sum::<usize>() > 2_500, "at its own rate");
}

#[test]
fn nobody_gets_longer_packets_than_they_take() {
    let (mut table, kept) = kept([Takes { frames: 1, ..TAKES }, TAKES]);
    for _ in 0..25 {
        tell(&mut table, 1, FINE);
        tell(
            &mut table,
            2,
            Feedback { queue: Duration::from_millis(300), bytes: 1_500, packets: 20, ..FEEDBACK },
        );
        table.run(200);
    }
    kept.try_iter().for_each(drop);
    table.run(1_000);
    let all: Vec<_> = kept.try_iter().collect();
    assert!(seen(&to(1, &all)).iter().all(|(frames, _)| *frames == 1));
    assert!(
        to(2, &all).iter().map(|packet| packet.payload.len()).sum::<usize>() < 2_500,
        "a low rate all the same"
    );
}

#[test]
fn each_line_is_judged_by_itself_and_the_call_is_as_good_as_the_worst_that_carries() {
    let mut table = Table::all([tone(300), tone(500), tone(700)]);
    let mut n = 0_u32;
    // Of the third one's packets every eighth is lost on the way to the first.
    table.instead = Box::new(move |from, to, packet| {
        n += u32::from((from, to) == (2, 0));
        if (from, to) == (2, 0) && n.is_multiple_of(8) { Vec::new() } else { vec![packet] }
    });
    table.run(8_000);
    let quality = |table: &Table, of: usize| table.told(0, of).last().and_then(|line| line.quality);
    assert_eq!(quality(&table, 1), Some(Quality::Excellent));
    assert_eq!(quality(&table, 2), Some(Quality::Poor));
    assert_eq!(table.line(0).quality, Some(Quality::Poor));
    let stats = table.stats(0);
    let [fine, lossy] = &stats.members[..] else { panic!("{:?}", stats.members) };
    assert_eq!((fine.leg, lossy.leg), (leg(1), leg(2)));
    assert_eq!((fine.numbers.packets_lost, fine.numbers.packets_concealed), (0, 0));
    assert!(lossy.numbers.packets_lost + lossy.numbers.copies_in > 30, "{:?}", lossy.numbers);
    assert_eq!(stats.packets_in, fine.numbers.packets_in + lossy.numbers.packets_in);
    assert!(fine.level.is_some_and(|level| (level + 17.0).abs() < 1.5), "{:?}: a sine of 0.2", fine.level);
    table.part(0, 2);
    table.run(2_000);
    assert_eq!(table.line(0).quality, Some(Quality::Excellent), "who has left is no part of it");
    assert_eq!(table.told(0, 2).last(), Some(&MemberLine::default()));
}
