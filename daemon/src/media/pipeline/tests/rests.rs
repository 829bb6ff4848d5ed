//! A voice that says nothing for a while, and a sender that leaves that out.
//!
//! Lives here: what is heard then and afterwards, and what it costs.
//! Must not: take real time.

use super::*;
use crate::media::codec;
use crate::media::rests::Rests;
use crate::media::said::voice;

/// A microphone that is muted for these frames, and what is sent of it, with the frame that each packet holds.
fn said(frames: u64, muted: std::ops::Range<u64>, leaves_out: bool) -> Vec<(u64, Packet)> {
    let mut capture = Capture::new(32_000, 0).unwrap();
    let (mut rests, mut sent) = (Rests::default(), Vec::new());
    for n in 0..frames {
        capture.set_muted(muted.contains(&n));
        for packet in feed(&mut capture, &voice(usize::try_from(n).unwrap() * FRAME, FRAME)) {
            let packet = if leaves_out { rests.next(packet) } else { Some(packet) };
            sent.extend(packet.map(|packet| (n, packet)));
        }
    }
    sent
}

/// What is heard of it, by frames, if each packet is so much later than the first, in ms.
fn heard(sent: &[(u64, Packet)], frames: u64, late: impl Fn(u64) -> u64) -> (Vec<f32>, Statistics) {
    let mut playback = Playback::new().unwrap();
    let mut come: Vec<(u64, &Packet)> = sent.iter().map(|(n, it)| (n * 20 + late(*n), it)).collect();
    come.sort_by_key(|(ms, _)| *ms);
    let (mut waiting, mut block, mut loud) = (come.into_iter().peekable(), [0.0; 480], Vec::new());
    for ms in (0..frames * 20).step_by(10) {
        while let Some((ms, packet)) = waiting.next_if(|(at, _)| *at <= ms) {
            playback.receive(at(ms), 0, packet);
        }
        playback.play(at(ms), &mut block);
        loud.push(peak(&block));
    }
    (loud, playback.statistics())
}

#[test]
fn who_says_nothing_is_heard_again_as_soon_and_nothing_counts_as_missing_however_much_is_left_out() {
    const MUTED: std::ops::Range<u64> = 100..400;
    let all = said(500, MUTED, false);
    let some = said(500, MUTED, true);
    assert!(all.len() == 500 && some.len() < 250, "{} of {}", some.len(), all.len());
    let spoken = |loud: &[f32]| {
        let spoken: Vec<usize> = (0..loud.len()).filter(|n| loud[*n] > 0.05).collect();
        let gap = spoken.windows(2).map(|pair| (pair[1] - pair[0], pair[1])).max().unwrap();
        (spoken[0], gap, spoken.len())
    };
    let jitter = |n: u64| n * 7 % 4 * 10;
    for late in [&jitter as &dyn Fn(u64) -> u64, &|_| 0] {
        let ((whole, told), (rested, told_rested)) = (heard(&all, 500, late), heard(&some, 500, late));
        let (begins, (gap, ends), count) = spoken(&whole);
        let (begins_rested, (gap_rested, ends_rested), count_rested) = spoken(&rested);
        assert_eq!(begins, begins_rested);
        assert!((598..=604).contains(&gap), "six seconds are silent: {gap}");
        assert!(
            gap.abs_diff(gap_rested) <= 3 && ends.abs_diff(ends_rested) <= 3,
            "{gap_rested} at {ends_rested}, not {ends}"
        );
        assert!(count.abs_diff(count_rested) <= 4, "no syllable less: {count_rested} of {count}");
        // Of the line's first packets one is waited for in vain.
        assert!(told.concealed <= 1 && told.lost == 0, "{told:?}");
        let missed = (told_rested.lost, told_rested.concealed, told_rested.skipped);
        assert_eq!(missed, (told.lost, told.concealed, 0), "{told_rested:?}");
        assert_eq!(told.target, told_rested.target, "and what was learned of the way stays");
    }
}

#[test]
fn wherever_between_two_packets_of_silence_the_voice_goes_on_nothing_counts_as_missing() {
    let in_order = |n: u64| n * 7 % 4 * 20;
    let overtaken = |n: u64| (3 - n % 4) * 30;
    let lines = [&in_order as &dyn Fn(u64) -> u64, &overtaken];
    for (end, late) in (184..=194).flat_map(|end| lines.map(|late| (end, late))) {
        let (whole, told) = heard(&said(300, 100..end, false), 300, late);
        let (rested, told_rested) = heard(&said(300, 100..end, true), 300, late);
        let heard = |loud: &[f32]| loud.iter().filter(|loud| **loud > 0.05).count();
        assert_eq!(heard(&whole), heard(&rested), "until {end}");
        let missed = |told: &Statistics| (told.lost, told.concealed, told.skipped);
        assert_eq!(missed(&told), missed(&told_rested), "until {end}");
    }
}

#[test]
fn in_a_silence_without_gaps_what_gets_lost_is_counted() {
    let mut all = said(500, 100..400, false);
    all.retain(|(n, _)| n % 10 != 5);
    let (_, told) = heard(&all, 500, |_| 0);
    assert_eq!(told.lost, 50, "{told:?}");
}

#[test]
fn who_is_muted_for_a_while_costs_the_codec_nothing_and_is_as_clear_afterwards() {
    let before = codec::encoded();
    let sent = said(300, 50..250, false);
    let encoded = codec::encoded() - before;
    assert_eq!(encoded, 300 - 200 + 25, "of 300 frames");
    assert!(sent[80..250].iter().all(|(_, packet)| packet.payload == codec::silence(1)));
    let (loud, _) = heard(&sent, 300, |_| 0);
    let (first, last) = (&loud[20..98], &loud[506..600]);
    let least = |loud: &[f32]| loud.iter().copied().fold(f32::MAX, f32::min);
    assert!(least(last) > 0.5 * least(first), "{} and {}", least(first), least(last));
}

#[test]
fn what_gets_lost_where_a_voice_goes_on_costs_that_and_nothing_after_it() {
    const MUTED: std::ops::Range<u64> = 100..400;
    let some = said(500, MUTED, true);
    let (whole, _) = heard(&some, 500, |_| 0);
    let spoken = |loud: &[f32]| loud.iter().filter(|loud| **loud > 0.05).count();
    // Of the voice and of the silence before it.
    for lost in [400..401, 400..404, 380..402] {
        let rest: Vec<_> = some.iter().filter(|(n, _)| !lost.contains(n)).cloned().collect();
        let (torn, told) = heard(&rest, 500, |_| 0);
        let missing = spoken(&whole) - spoken(&torn);
        let (of_voice, most) = (usize::try_from(lost.end - 400).unwrap(), 2);
        assert!(missing <= 2 * of_voice + most, "{lost:?}: {missing} pieces of 10 ms are missing");
        assert_eq!((told.rejected, told.skipped), (0, 0), "{told:?}");
    }
}

#[test]
fn a_line_that_was_bad_when_somebody_fell_silent_is_forgotten_after_ten_seconds_as_ever() {
    let late = |n: u64| if n < 100 { n * 7 % 8 * 10 } else { 0 };
    for leaves_out in [false, true] {
        let sent = said(800, 100..700, leaves_out);
        let (_, told) = heard(&sent, 800, late);
        assert!(told.target <= Duration::from_millis(15), "{:?}", told.target);
    }
}
