//! Opus, 48 kHz mono, in frames of 20 ms; a packet holds one of them or several.
//!
//! Lives here: the settings that we give the encoder, and the three ways to get frames out of the decoder.
//! Must not: know packets' order or time, or where samples come from.

use opus::{Application, Bitrate, Channels, Signal};

/// Samples a second, on every side of the media port.
pub const RATE: u32 = 48_000;
/// Samples of one frame: 20 ms.
pub const FRAME: usize = 960;
/// The most frames that a packet holds: 120 ms (RFC 6716 §3.1).
pub const FRAMES_MAX: usize = 6;
/// The longest packet that the encoder makes and the decoder takes (RFC 6716 §3.4: a frame has at most 1275 bytes, and ours hold one).
pub const PACKET_MAX: usize = 1275;

/// Loss in per cent that the encoder assumes until it is told better; it decides how much of each frame is
/// repeated in the next packet. Costs no bit rate, but quality on a clean path, and time.
const LOSS_AT_FIRST: u8 = 10;
/// 9 of 10 in release: a fifth of a millisecond a frame. Unoptimised wrappers get a cheaper one.
const COMPLEXITY: i32 = if cfg!(debug_assertions) { 5 } else { 9 };

/// The library refused; with our constant settings it never does, hostile packets apart.
#[derive(Debug, thiserror::Error)]
#[error("Opus: {0}")]
pub struct CodecError(#[from] opus::Error);

/// Frames in, packets out.
#[derive(Debug)]
pub struct Encoder {
    inner: opus::Encoder,
}

impl Encoder {
    /// For speech, at this many bit/s (6000 to 128000, clamped), in-band FEC on.
    pub fn new(bitrate: u32) -> Result<Self, CodecError> {
        let mut inner = opus::Encoder::new(RATE, Channels::Mono, Application::Voip)?;
        inner.set_bitrate(bits(bitrate))?;
        inner.set_complexity(COMPLEXITY)?;
        inner.set_inband_fec(true)?;
        // Only the codec's speech modes hold a copy for FEC, and their state mends sooner after a loss.
        inner.set_signal(Signal::Voice)?;
        inner.set_packet_loss_perc(i32::from(LOSS_AT_FIRST))?;
        Ok(Self { inner })
    }

    /// Per cent of our packets that the other side lately missed (0 to 100, clamped): more loss, more repetition.
    pub fn set_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        Ok(self.inner.set_packet_loss_perc(i32::from(percent.min(100)))?)
    }

    /// Forget what was said: the next packet holds nothing of it (the encoder looks 6.5 ms back). Settings stay.
    pub fn reset(&mut self) -> Result<(), CodecError> {
        Ok(self.inner.reset_state()?)
    }

    /// From the next packet on at this many bit/s (6000 to 128000, clamped).
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), CodecError> {
        Ok(self.inner.set_bitrate(bits(bitrate))?)
    }

    /// Encode the samples of one packet: 1 to 6 frames. The packet is the start of `packet`, of the returned length.
    pub fn encode(&mut self, samples: &[f32], packet: &mut [u8; PACKET_MAX]) -> Result<usize, CodecError> {
        #[cfg(test)]
        ENCODED.set(ENCODED.get() + 1);
        Ok(self.inner.encode_float(samples, packet)?)
    }
}

#[cfg(test)]
thread_local! {
    static ENCODED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Packets that were encoded on this thread.
#[cfg(test)]
pub(super) fn encoded() -> u64 {
    ENCODED.get()
}

fn bits(bitrate: u32) -> Bitrate {
    Bitrate::Bits(i32::try_from(bitrate.clamp(6_000, 128_000)).expect("clamped"))
}

/// Packets in, frames out. Feed it frame after frame in playing order, missing ones too: it keeps the voice's state.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self { inner: opus::Decoder::new(RATE, Channels::Mono)? })
    }

    /// A packet that came; `sound` is as long as its frames are by its own word. What is decoded to anything but exactly so much
    /// is concealed instead, so `sound` is always filled.
    pub fn decode(&mut self, payload: &[u8], sound: &mut [f32]) {
        if !matches!(self.inner.decode_float(payload, sound, false), Ok(n) if n == sound.len()) {
            self.conceal(sound);
        }
    }

    /// What was lost right before a packet that came, as long as `sound`, from the copy of it in that packet; `decode` that one
    /// next. Where `following` holds no copy of so many frames, this is `conceal`, and not true.
    pub fn decode_fec(&mut self, following: &[u8], sound: &mut [f32]) -> bool {
        let filled = frames(following).is_some()
            && copied(following) == Some(sound.len())
            && matches!(self.inner.decode_float(following, sound, true), Ok(n) if n == sound.len());
        if !filled {
            self.conceal(sound);
        }
        filled
    }

    /// Whether a packet holds a copy of exactly so many frames before it.
    pub fn holds_copy(&self, following: &[u8], missing: usize) -> bool {
        frames(following).is_some() && copied(following) == Some(missing * FRAME)
    }

    /// A packet that did not come: go on as the voice was, fading out over some frames.
    pub fn conceal(&mut self, sound: &mut [f32]) {
        if !matches!(self.inner.decode_float(&[], sound, false), Ok(n) if n == sound.len()) {
            sound.fill(0.0);
        }
    }
}

/// How many of our frames a payload holds, as it says itself: 1 to 6. None for what is no packet of ours: empty, too long, torn,
/// or no whole frames.
pub fn frames(payload: &[u8]) -> Option<usize> {
    if payload.is_empty() || payload.len() > PACKET_MAX {
        return None;
    }
    let samples = opus::packet::get_nb_samples(payload, RATE).ok()?;
    let count = samples / FRAME;
    (samples % FRAME == 0 && (1..=FRAMES_MAX).contains(&count)).then_some(count)
}

/// A packet of so many frames, 1 to 6, that says nothing: empty ones of the mode for music (RFC 6716 §3.1, §3.2.5). No encoder made it,
/// so it holds nothing of what one heard.
pub fn silence(frames: usize) -> Vec<u8> {
    match frames {
        0 | 1 => vec![0xf8, EMPTY[0], EMPTY[1]],
        _ => {
            let frames = frames.min(FRAMES_MAX);
            let count = u8::try_from(frames).unwrap_or(1);
            [0xfb, count].into_iter().chain(EMPTY.into_iter().cycle().take(2 * frames)).collect()
        }
    }
}

/// Whether this is such a packet.
pub fn is_silence(payload: &[u8]) -> bool {
    match payload {
        [0xf8, frame @ ..] => frame == EMPTY,
        [0xfb, count, frames @ ..] => {
            frames.len() == EMPTY.len() * usize::from(*count) && frames.chunks(2).all(|frame| frame == EMPTY)
        }
        _ => false,
    }
}

/// A frame of the mode for music in which nothing is heard.
const EMPTY: [u8; 2] = [0xff, 0xfe];

/// How many samples before itself a packet says again, if it does (RFC 6716 §4.2.4): as many as one frame of the codec holds.
fn copied(payload: &[u8]) -> Option<usize> {
    /// The lowest configuration of the codec's mode for music, which holds no copies (RFC 6716 §3.1).
    const MUSIC: u8 = 16;
    if payload.first()? >> 3 >= MUSIC {
        return None;
    }
    let samples = opus::packet::get_samples_per_frame(payload, RATE).ok()?;
    let packet = opus::packet::parse(payload).ok()?;
    // First comes a bit for each 20 ms that are said now, then the one for the copy.
    let flags = packet.frames.first()?.first()?;
    let said = (samples / FRAME).max(1);
    (flags >> 7_usize.checked_sub(said)? & 1 == 1).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like a voice: a pitch of 140 Hz with harmonics, its loudness moving.
    fn voice(n: usize) -> [f32; FRAME] {
        std::array::from_fn(|i| {
            let t = (n * FRAME + i) as f32 / 48_000.0;
            let pitch = t * 140.0 * std::f32::consts::TAU;
            (0.6 + 0.4 * (t * 19.0).sin())
                * 0.2
                * (1..9).map(|h| (pitch * h as f32).sin() / h as f32).sum::<f32>()
        })
    }

    fn packets(count: usize) -> Vec<Vec<u8>> {
        expecting(LOSS_AT_FIRST, count)
    }

    fn expecting(loss: u8, count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(32_000).unwrap();
        encoder.set_loss(loss).unwrap();
        let mut packet = [0; PACKET_MAX];
        (0..count)
            .map(|n| {
                let length = encoder.encode(&voice(n), &mut packet).unwrap();
                packet[..length].to_vec()
            })
            .collect()
    }

    fn rms(a: &[f32]) -> f32 {
        (a.iter().map(|s| s * s).sum::<f32>() / a.len() as f32).sqrt()
    }

    #[test]
    fn a_voice_comes_out_as_loud_as_it_went_in_and_near_the_bit_rate() {
        let packets = packets(100);
        let mut decoder = Decoder::new().unwrap();
        let (mut frame, mut loudness) = ([0.0; FRAME], 0.0);
        for packet in &packets {
            decoder.decode(packet, &mut frame);
            loudness = rms(&frame);
        }
        assert!((loudness / rms(&voice(99)) - 1.0).abs() < 0.3, "level kept: {loudness}");
        let bits = packets.iter().map(Vec::len).sum::<usize>() * 8 / 2;
        assert!((20_000..40_000).contains(&bits), "about 32 kbit/s, not {bits}");
    }

    #[test]
    fn a_lost_frame_is_rebuilt_better_from_the_next_packet_than_by_guessing_if_loss_was_expected() {
        let error = |loss: u8, fec: bool| {
            let packets = expecting(loss, 60);
            let (mut clean, mut lossy) = (Decoder::new().unwrap(), Decoder::new().unwrap());
            let (mut want, mut got) = ([0.0; FRAME], [0.0; FRAME]);
            let mut sum = 0.0;
            for (n, packet) in packets.iter().enumerate() {
                clean.decode(packet, &mut want);
                match (n % 7 == 5, fec) {
                    (false, _) => lossy.decode(packet, &mut got),
                    (true, true) => {
                        lossy.decode_fec(&packets[n + 1], &mut got);
                    }
                    (true, false) => lossy.conceal(&mut got),
                }
                if n % 7 == 5 {
                    sum += want.iter().zip(&got).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
                }
            }
            sum
        };
        let (with, without) = (error(10, true), error(10, false));
        assert!(with < without * 0.7, "fec {with}, concealment {without}");
        let (with, without) = (error(0, true), error(0, false));
        assert!(with > without * 0.9, "there is no copy: {with}, concealment {without}");
    }

    #[test]
    fn hostile_payloads_fill_the_frame_and_nothing_else_happens() {
        let mut decoder = Decoder::new().unwrap();
        let mut frame = [1.0; FRAME];
        let sixty_ms = [0x18 | 3 << 3, 0xff, 0xff];
        for payload in [&[][..], &[0xff; 2000], &[0x03], &[0x03, 0xff], &sixty_ms, &[0xfb, 0x3f, 0, 1, 2]] {
            frame.fill(f32::NAN);
            decoder.decode(payload, &mut frame);
            assert!(frame.iter().all(|s| s.is_finite()), "{payload:?}");
            frame.fill(f32::NAN);
            decoder.decode_fec(payload, &mut frame);
            assert!(frame.iter().all(|s| s.is_finite()), "{payload:?}");
        }
    }

    #[test]
    fn a_packet_that_says_nothing_is_as_long_as_it_says_and_silent_amid_a_voice() {
        let spoken = packets(20);
        for count in 1..=FRAMES_MAX {
            let mut decoder = Decoder::new().unwrap();
            let mut frame = [0.0; FRAME];
            spoken.iter().for_each(|packet| decoder.decode(packet, &mut frame));
            assert!(!spoken.iter().any(|packet| is_silence(packet)));
            assert!(rms(&frame) > 0.05);
            let packet = silence(count);
            assert!(
                is_silence(&packet) && !is_silence(&packet[1..]) && !is_silence(&packet[..packet.len() - 1])
            );
            assert_eq!(frames(&packet), Some(count));
            assert_eq!(
                decoder.inner.decode_float(&packet, &mut [0.0; 6 * FRAME], false).unwrap(),
                count * FRAME
            );
            let mut sound = vec![1.0; count * FRAME];
            decoder.decode(&packet, &mut sound);
            assert!(rms(&sound) < 1e-3, "{count} frames: {}", rms(&sound));
        }
        assert_eq!(silence(1), crate::media::dtmf::SILENCE);
    }

    #[test]
    fn the_encoder_takes_any_rate_and_any_loss() {
        for bitrate in [0, 6_000, 32_000, u32::MAX] {
            let mut encoder = Encoder::new(bitrate).unwrap();
            encoder.set_loss(255).unwrap();
            assert!(encoder.encode(&voice(0), &mut [0; PACKET_MAX]).unwrap() > 0);
        }
    }
}
