//! The pace of packets, with a microphone that gives what it is told to.
//!
//! Lives here: what the other side gets when samples come, stop and come again.
//! Must not: open a device, or wait.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;
use crate::values::media::Switch;

struct Fake {
    given: Receiver<Vec<f32>>,
    waiting: VecDeque<f32>,
    on: SyncSender<bool>,
}

impl Sound for Fake {
    fn capture(&mut self, on: bool) {
        self.on.send(on).unwrap();
    }
    fn read(&mut self, _now: Moment, block: &mut [f32]) -> usize {
        self.waiting.extend(self.given.try_iter().flatten());
        let count = block.len().min(self.waiting.len());
        for (place, sample) in block.iter_mut().zip(self.waiting.drain(..count)) {
            *place = sample;
        }
        count
    }
}

const OFF: Wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };

fn at(ms: u64) -> Moment {
    Moment::from_micros(10_000_000 + ms * 1000)
}

fn pump() -> (Pump, SyncSender<Vec<f32>>, Receiver<bool>) {
    let (give, given) = sync_channel(64);
    let (on, heard) = sync_channel(64);
    let sound = Fake { given, waiting: VecDeque::new(), on };
    let capture = Capture::new(32_000, 0).unwrap();
    (Pump::new(Box::new(sound), OFF, capture), give, heard)
}

fn sent(pump: &mut Pump, now: Moment) -> Vec<u16> {
    let mut all = Vec::new();
    pump.capture(now, |packet| all.push(packet.sequence));
    all
}

#[test]
fn samples_set_the_pace_while_they_come() {
    let (mut pump, give, _on) = pump();
    pump.open(at(0));
    give.send(vec![0.1; 480]).unwrap();
    assert!(sent(&mut pump, at(10)).is_empty(), "half a frame is no packet");
    give.send(vec![0.1; 480]).unwrap();
    assert_eq!(sent(&mut pump, at(20)), [0]);
    assert!(sent(&mut pump, at(60)).is_empty(), "a late microphone is waited for");
    give.send(vec![0.1; 960]).unwrap();
    assert_eq!(sent(&mut pump, at(90)), [1]);
}

#[test]
fn without_a_microphone_silence_flows_by_the_clock() {
    let (mut pump, _give, _on) = pump();
    pump.open(at(0));
    let mut all = Vec::new();
    for ms in (0..=1000).step_by(5) {
        all.extend(sent(&mut pump, at(ms)));
    }
    assert!((45..=50).contains(&all.len()), "{} packets in a second", all.len());
    assert_eq!(all.last(), Some(&49), "the time that was waited counts as lost packets");
    assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1), "and no other is");
}

#[test]
fn a_microphone_is_missed_after_a_while_and_found_with_its_first_samples() {
    let (mut pump, give, _on) = pump();
    assert_eq!(pump.voiceless(at(9_000)), None, "it is not read");
    pump.open(at(0));
    for ms in (5..=1_500).step_by(5) {
        sent(&mut pump, at(ms));
        assert_eq!(pump.voiceless(at(ms)), Some(false));
    }
    assert_eq!(pump.voiceless(at(1_505)), Some(true));
    give.send(vec![0.1; 48]).unwrap();
    sent(&mut pump, at(1_510));
    assert_eq!(pump.voiceless(at(1_510)), Some(false));
}

#[test]
fn who_speaks_into_a_muted_microphone_is_known_and_nothing_of_it_is_sent() {
    let (mut pump, give, _on) = pump();
    pump.open(at(0));
    pump.mute(true);
    let mut longest = 0;
    for ms in (10..3_000).step_by(10) {
        let loud = if ms < 1_000 { 0.000_1 } else { 0.1 };
        give.send((0..480).map(|n| if n % 100 < 50 { loud } else { -loud }).collect()).unwrap();
        pump.capture(at(ms), |packet| longest = longest.max(packet.payload.len()));
        pump.levels().tell(at(ms));
        assert!(ms >= 1_000 || !pump.levels().speaking_muted(), "{ms}");
    }
    assert!(pump.levels().speaking_muted());
    assert!(longest < 40, "encoded silence is short: {longest} bytes");
    pump.mute(false);
    assert!(!pump.levels().speaking_muted());
}

#[test]
fn what_a_stalled_microphone_hands_in_late_is_not_sent_twice() {
    let (mut pump, give, _on) = pump();
    pump.open(at(0));
    give.send(vec![0.1; 960]).unwrap();
    assert_eq!(sent(&mut pump, at(20)), [0]);
    assert_eq!(sent(&mut pump, at(120)), [5], "five frames of silence, the last one sent");
    give.send(vec![0.1; 6 * 960]).unwrap();
    assert_eq!(sent(&mut pump, at(125)), [6], "six frames came, five were replaced");
}

#[test]
fn a_held_call_reads_nothing_and_silence_flows_without_a_gap() {
    let (mut pump, give, on) = pump();
    pump.open(at(0));
    give.send(vec![0.1; 960]).unwrap();
    assert_eq!(sent(&mut pump, at(20)), [0]);
    pump.hold(at(20), true);
    pump.hold(at(20), true);
    give.send(vec![0.1; 4_800]).unwrap();
    let mut all = Vec::new();
    for ms in (20..=220).step_by(5) {
        all.extend(sent(&mut pump, at(ms)));
    }
    assert_eq!(all, (1..=10).collect::<Vec<u16>>(), "a packet every 20 ms");
    pump.hold(at(220), false);
    assert_eq!(on.try_iter().collect::<Vec<_>>(), [true, false, true]);
    pump.pause(at(230));
    pump.hold(at(240), true);
    pump.open(at(250));
    assert!(on.try_iter().all(|on| !on), "what is opened while it is held stays closed");
    pump.hold(at(260), false);
    assert_eq!(on.try_iter().last(), Some(true));
}

#[test]
fn nothing_is_read_or_sent_before_open_and_after_pause() {
    let (mut pump, give, on) = pump();
    give.send(vec![0.1; 960]).unwrap();
    assert!(sent(&mut pump, at(500)).is_empty());
    assert!(on.try_recv().is_err(), "the microphone was not touched");
    pump.open(at(500));
    assert_eq!(sent(&mut pump, at(505)), [0]);
    pump.pause(at(510));
    assert_eq!(on.try_iter().collect::<Vec<_>>(), [true, false]);
    give.send(vec![0.1; 960]).unwrap();
    assert!(sent(&mut pump, at(900)).is_empty());
}

/// Packets of half a second that say something again (RFC 6716 §4.2.4: the bit after the one for voice activity), of something
/// that rises and falls as speech does: a steady hum is taken for noise.
fn repeating(pump: &mut Pump, give: &SyncSender<Vec<f32>>, from: u64) -> usize {
    let mut count = 0;
    for n in 0..25 {
        let speech = (0..960).map(|i| {
            let t = (n * 960 + i) as f32 / 48_000.0;
            (t * 25.0).sin().max(0.0)
                * 0.3
                * (1..9_u8).map(|h| (t * 880.0 * f32::from(h)).sin() / f32::from(h)).sum::<f32>()
        });
        give.send(speech.collect()).unwrap();
        pump.capture(at(from + 20 * n), |packet| count += usize::from(packet.payload[1] & 0x40 != 0));
    }
    count
}

#[test]
fn as_much_is_said_again_as_the_expected_loss_asks_for() {
    let (mut pump, give, _on) = pump();
    pump.open(at(0));
    assert!(repeating(&mut pump, &give, 0) > 10, "nobody knows yet");
    pump.expect_loss(0);
    // The copies of what came before may still go out.
    repeating(&mut pump, &give, 500);
    assert_eq!(repeating(&mut pump, &give, 1_000), 0, "a clean path");
    pump.expect_loss(20);
    assert!(repeating(&mut pump, &give, 1_500) > 10);
}
