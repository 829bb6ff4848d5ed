//! Packets of several frames, copies, and packets that lie about either.
//!
//! Lives here: what is heard of them, sample by sample.
//! Must not: take real time.

use opus::{Application, Bitrate, Channels, Signal};

use super::*;
use crate::media::codec::PACKET_MAX;
use crate::media::codec::{FRAMES_MAX, RATE};
use crate::media::transport::Copy;

/// A voice in packets of so many frames each, as others than us make them too.
struct Speaker {
    encoder: opus::Encoder,
    sequence: u16,
    said: usize,
}

impl Speaker {
    fn new(bitrate: i32, loss: i32) -> Self {
        let mut encoder = opus::Encoder::new(RATE, Channels::Mono, Application::Voip).unwrap();
        encoder.set_bitrate(Bitrate::Bits(bitrate)).unwrap();
        encoder.set_signal(Signal::Voice).unwrap();
        encoder.set_inband_fec(loss > 0).unwrap();
        encoder.set_packet_loss_perc(loss).unwrap();
        Self { encoder, sequence: 65_500, said: 0 }
    }

    fn say(&mut self, frames: usize) -> Packet {
        let sound = voice(self.said * FRAME, frames * FRAME);
        let payload = self.encoder.encode_vec_float(&sound, PACKET_MAX).unwrap();
        let timestamp = u32::try_from(self.said * FRAME).unwrap();
        let packet = Packet {
            sequence: self.sequence,
            timestamp,
            first: false,
            payload,
            copies: Vec::new(),
            event: None,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.said += frames;
        packet
    }
}

/// Plays as packets come, each when its last frame was said, in blocks of so many samples; a lost one does not come.
fn heard(
    playback: &mut Playback,
    packets: impl IntoIterator<Item = (Packet, bool)>,
    block: usize,
) -> Vec<f32> {
    let (mut all, mut samples) = (Vec::new(), 0);
    let mut block = vec![f32::NAN; block];
    for (packet, comes) in packets {
        samples += codec::frames(&packet.payload).unwrap_or(1) * FRAME;
        let now = at(samples as u64 / 48);
        if comes {
            playback.receive(now, 0, &packet);
        }
        while all.len() + block.len() <= samples {
            block.fill(f32::NAN);
            playback.play(at((all.len() + block.len()) as u64 / 48), &mut block);
            all.extend_from_slice(&block);
        }
    }
    assert!(all.iter().all(|s| s.is_finite()), "every sample is filled");
    all
}

fn loudness(sound: &[f32]) -> f32 {
    (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt()
}

#[test]
fn packets_of_every_length_are_one_voice_also_when_the_length_changes() {
    let said = loudness(&voice(FRAME * 30, FRAME * 300));
    for bitrate in [12_000, 32_000] {
        for lengths in
            [[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4], [5, 5, 5], [6, 6, 6], [1, 3, 6], [6, 1, 2]]
        {
            let mut speaker = Speaker::new(bitrate, 0);
            let mut packets = Vec::new();
            for length in lengths {
                let until = speaker.said + 120;
                while speaker.said < until {
                    packets.push((speaker.say(length), true));
                }
            }
            let mut playback = Playback::new().unwrap();
            let sound = heard(&mut playback, packets, 240);
            let told = playback.statistics();
            let name = format!("{bitrate} {lengths:?}: {told:?}");
            assert_eq!((told.lost, told.rejected, told.skipped, told.repaired), (0, 0, 0, 0), "{name}");
            assert!(told.concealed <= 6 && told.played > 340, "{name}");
            let packed = 20 * lengths.iter().max().unwrap();
            assert!(told.delay.as_millis() <= packed as u128 + 20, "{name}");
            let level = loudness(&sound[FRAME * 30..]) / said;
            assert!((0.7..1.3).contains(&level), "{name}: {level}");
        }
    }
}

#[test]
fn a_lost_packet_of_three_frames_is_rebuilt_whole_from_the_copy_in_the_next_or_said_to_be_concealed() {
    for (loss, mended) in [(20, true), (0, false)] {
        let mut speaker = Speaker::new(24_000, loss);
        // Above it a packet holds three frames of the codec, and a copy of one.
        speaker.encoder.set_max_bandwidth(opus::Bandwidth::Wideband).unwrap();
        let packets: Vec<_> = (0..80).map(|n| (speaker.say(3), n % 8 != 7 || n < 20)).collect();
        let mut playback = Playback::new().unwrap();
        // The next one is there when the lost one should play.
        playback.need(Duration::from_millis(90));
        heard(&mut playback, packets, 240);
        let told = playback.statistics();
        let (expected, other) =
            if mended { (told.recovered, told.concealed) } else { (told.concealed, told.recovered) };
        assert!(expected >= 15 && other <= 6, "{loss}: {told:?}");
    }
}

#[test]
fn what_is_mended_by_copies_cannot_be_told_from_what_was_not_lost() {
    let once = |lose: bool, reach: usize| {
        let mut speaker = Speaker::new(24_000, 0);
        let mut sent: Vec<Packet> = Vec::new();
        for n in 0..400_usize {
            let mut packet = speaker.say(1);
            packet.copies = (1..=reach.min(n))
                .rev()
                .map(|d| Copy { distance: u8::try_from(d).unwrap(), payload: sent[n - d].payload.clone() })
                .collect();
            sent.push(packet);
        }
        let lost = |n: usize| lose && n > 100 && n % 7 < reach;
        let mut playback = Playback::new().unwrap();
        playback.need(Duration::from_millis(20 * reach as u64 + 10));
        let packets = sent.into_iter().enumerate().map(|(n, packet)| (packet, !lost(n)));
        let sound = heard(&mut playback, packets, 240);
        (sound, playback.statistics())
    };
    for reach in [1, 2] {
        let (whole, _) = once(false, reach);
        let (mended, told) = once(true, reach);
        assert!(told.repaired > 40 && told.lost == 0 && told.concealed == 0, "{told:?}");
        assert!(whole == mended, "to the last sample, {reach}");
    }
}

#[test]
fn packets_that_lie_about_their_length_change_no_time_and_leave_no_gap() {
    let mut speaker = Speaker::new(32_000, 0);
    // Says six frames and has bytes for none; says more than a packet can hold; says three and is torn; no Opus at all.
    let lies: [&[u8]; 6] =
        [&[0x18 | 3, 0x86], &[0x1b, 0x3f, 0, 1, 2], &[0x1b, 3, 9], &[0xff; 1275], &[3], &[0xb8; 3]];
    let mut packets = Vec::new();
    for n in 0..600_usize {
        let mut packet = speaker.say(1);
        if n % 5 == 4 {
            packet.payload = lies[n / 5 % lies.len()].to_vec();
            packet.copies = vec![Copy { distance: 3, payload: packet.payload.clone() }; 300];
        }
        packets.push((packet, true));
    }
    let mut playback = Playback::new().unwrap();
    let sound = heard(&mut playback, packets, 240);
    let told = playback.statistics();
    assert!(told.played > 470 && told.delay.as_millis() < 120, "{told:?}");
    assert!(peak(&sound) < 1.5 && loudness(&sound[48_000..]) > 0.05, "the voice goes on");

    // The same, and their timestamps are those of what they claim.
    let mut playback = Playback::new().unwrap();
    let mut sound = Vec::new();
    for n in 0..500_u16 {
        let packet = Packet {
            sequence: n,
            timestamp: u32::from(n) * 960 * 6,
            first: false,
            payload: [0x1b, 0x86, n.to_be_bytes()[1]].repeat(1 + usize::from(n % 9)),
            copies: Vec::new(),
            event: None,
        };
        assert!(codec::frames(&packet.payload).is_none_or(|frames| frames <= FRAMES_MAX));
        playback.receive(at(u64::from(n) * 120), 0, &packet);
        let mut block = [f32::NAN; 5_760];
        playback.play(at(u64::from(n) * 120 + 60), &mut block);
        sound.extend(block);
    }
    assert!(sound.iter().all(|s| s.is_finite()));
}

#[test]
fn blocks_of_any_size_are_filled_and_make_the_delay_no_longer_than_they_are() {
    for block in [1, 7, 64, 441, 960, 1_024, 2_048, 4_096, 8_192] {
        let mut speaker = Speaker::new(32_000, 0);
        let packets: Vec<_> = (0..500).map(|_| (speaker.say(1), true)).collect();
        let mut playback = Playback::new().unwrap();
        let sound = heard(&mut playback, packets, block);
        let told = playback.statistics();
        let block_ms = block / 48;
        assert!(told.delay.as_millis() <= block_ms as u128 + 40, "{block}: {told:?}");
        // In a block of 170 ms the first frames are asked for long before the last.
        assert!(told.skipped + told.lost <= 12 && told.concealed < 60, "{block}: {told:?}");
        assert!(loudness(&sound[sound.len() / 2..]) > 0.05, "{block}");
    }
}

/// Ten seconds of a voice with a pause in each, over a clean line, in blocks of this many samples that are asked for so long after
/// a packet came.
fn with_pauses(block: usize, phase_us: u64) -> Statistics {
    let mut encoder = opus::Encoder::new(RATE, Channels::Mono, Application::Voip).unwrap();
    let mut playback = Playback::new().unwrap();
    let (mut block, mut played) = (vec![0.0; block], 0_u64);
    for n in 0..500_u16 {
        let mut sound = voice(usize::from(n) * FRAME, FRAME);
        if n % 50 < 15 {
            sound.fill(0.0);
        }
        let payload = encoder.encode_vec_float(&sound, PACKET_MAX).unwrap();
        let timestamp = u32::from(n) * 960;
        let packet =
            Packet { sequence: n, timestamp, first: false, payload, copies: Vec::new(), event: None };
        let now = 1_000_000 + u64::from(n) * 20_000;
        playback.receive(Moment::from_micros(now), 0, &packet);
        while played * 1_000 / 48 + phase_us < 20_000 * (u64::from(n) + 1) {
            let asked = 1_000_000 + played * 1_000 / 48 + phase_us;
            playback.play(Moment::from_micros(asked), &mut block);
            played += block.len() as u64;
        }
    }
    playback.statistics()
}

#[test]
fn pauses_are_not_cut_so_far_that_a_whole_block_is_asked_for_too_soon() {
    for block in [256, 480, 960, 1_024, 1_920] {
        for phase_us in (500..20_000).step_by(1_500) {
            let told = with_pauses(block, phase_us);
            // Where blocks and frames drift past each other the first cycle may begin too soon.
            assert!(told.concealed <= 1 && told.lost == 0, "{block}, {phase_us}: {told:?}");
            assert!(told.stretched <= 4, "{block}, {phase_us}: {told:?}");
            let most = 26.max(block as u128 / 48 + 12);
            assert!(told.delay.as_millis() <= most, "{block}, {phase_us}: {told:?}");
        }
    }
}
