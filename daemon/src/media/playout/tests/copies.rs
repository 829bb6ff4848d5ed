//! What is made of earlier frames that travel with a packet.
//!
//! Lives here: copies that help, and copies that lie.
//! Must not: take real time.

use std::time::Duration;

use ahoy_call::Moment;

use super::super::*;
use super::call::{Call, Way, chosen};

#[test]
fn lost_frames_are_played_from_copies_and_the_loss_and_the_jitter_are_told_as_without() {
    for distances in [&[1_u8, 2][..], &[2, 4], &[2, 4, 6]] {
        let mut call = Call::new();
        let line = Way::copying(distances);
        call.carry(line, 0..3_000, |n| (!chosen(n, 4, 10)).then_some(0), |_| true);
        let (told, heard) = (call.buffer.statistics(), call.heard());
        assert!(told.repaired > 270 && told.lost < 20, "{distances:?}: {told:?}");
        assert!(told.copied >= told.repaired, "{told:?}");
        assert!((0.07..0.13).contains(&heard.lost), "{heard:?}");
        assert_eq!(told.jitter, Duration::ZERO, "a copy is no arrival");
        let need = Duration::from_micros(line.need_us);
        assert!(told.delay <= need + Duration::from_millis(13), "{told:?}");
    }
}

#[test]
fn copies_of_what_was_played_or_is_here_or_lies_before_the_beginning_do_nothing() {
    let mut buffer = Playout::new();
    let at = |n: u64| Moment::from_micros(1_000_000 + n * 20_000);
    let said = |n: u16| Numbers { sequence: n, timestamp: u32::from(n) * 960, ..Numbers::default() };
    let number = buffer.push(at(20), said(20), &[1]).unwrap();
    buffer.copy(number, 3, 1, &[2]);
    assert_eq!(buffer.statistics().copied, 0, "before the first packet");
    for n in 21..30_u16 {
        buffer.push(at(n.into()), said(n), &[1]).unwrap();
        let _frame = buffer.pull(at(n.into()));
    }
    let before = buffer.statistics();
    let number = buffer.push(at(32), said(32), &[1]).unwrap();
    for distance in [8, 4, 3] {
        buffer.copy(number, distance, 1, &[2]);
    }
    assert_eq!(buffer.statistics().copied, before.copied, "played, and here");
    buffer.copy(number, 2, 1, &[2]);
    let told = buffer.statistics();
    assert_eq!((told.copied, told.received), (before.copied + 1, before.received + 1));
    // Then the frame itself comes after all.
    buffer.push(at(32), said(30), &[1]);
    let told = buffer.statistics();
    assert_eq!((told.received, told.duplicated), (before.received + 2, before.duplicated), "no copy is it");
}

#[test]
fn copies_that_lie_about_how_far_back_they_are_change_nothing_of_what_is_here() {
    let mut buffer = Playout::new();
    for n in 0..2_000_u16 {
        let now = Moment::from_micros(1_000_000 + u64::from(n) * 20_000);
        let numbers = Numbers { sequence: n, timestamp: u32::from(n) * 960, ..Numbers::default() };
        let number = buffer.push(now, numbers, &[1]).unwrap();
        for (distance, frames) in (0..=u8::MAX).zip([1, 3, 6, 0, 7, usize::MAX].into_iter().cycle()) {
            buffer.copy(number, distance, frames, &[2]);
            buffer.copy(number, distance, frames, &[]);
            buffer.copy(number, distance, frames, &[2; PACKET_MAX + 1]);
        }
        let frame = buffer.pull(now);
        assert!(matches!(frame, Frame::Silence | Frame::Decode { payload: [1], .. }), "{n}: {frame:?}");
    }
    let told = buffer.statistics();
    assert_eq!((told.lost, told.repaired, told.copied), (0, 0, 0), "{told:?}");
    assert!(told.rejected > 2_000 && told.delay <= Duration::from_millis(25), "{told:?}");
}
