//! From a packet of the voice, or a word about ours, to what is played.
//!
//! Lives here: the target that knows the media of the daemon.
//! Must not: depend on the fuzzer.

use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::media::dtmf::Event;
use ahoyd::media::feedback::Feedback;
use ahoyd::media::pipeline::Playback;
use ahoyd::media::red;
use ahoyd::media::transport::Packet;

/// Packets of a voice, each with its length, its numbers and how long after the one before it came; true if one held copies.
pub fn packets(data: &[u8]) -> bool {
    if let Some(word) = Feedback::from_bytes(data) {
        assert!(word.wanted.copies <= 3 && (0.0..=1.0).contains(&word.lost));
    }
    let mut playback = Playback::new().expect("a decoder begins");
    playback.asking(true);
    let (mut now, mut rest, mut copied, mut block) =
        (Moment::from_micros(1_000_000), data, false, [0.0; 960]);
    while let Some((&[length, sequence, time, later, kind], after)) = rest.split_first_chunk::<5>() {
        let (bytes, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        let (copies, payload) = match red::unpack(111, bytes) {
            Some(unpacked) if kind % 2 == 1 => unpacked,
            _ => (Vec::new(), bytes.to_vec()),
        };
        assert!(copies.len() < 8);
        copied |= !copies.is_empty();
        now = now + Duration::from_millis(later.into());
        let (sequence, timestamp) = (sequence.into(), u32::from(time) * 960);
        let event = if kind % 4 == 2 { Event::from_bytes(timestamp, &payload) } else { None };
        let packet = Packet { sequence, timestamp, first: kind > 250, payload, copies, event };
        playback.receive(now, 0, &packet);
        assert!(playback.ask(now, Duration::from_millis(20)).len() <= 64);
        playback.play(now, &mut block);
        let heard = playback.heard(now);
        assert!((0.0..=1.0).contains(&heard.lost) && (0.0..=1.0).contains(&heard.recent));
    }
    assert!(block.iter().all(|sample| sample.is_finite()));
    copied
}
