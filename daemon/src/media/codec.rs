//! Opus, 48 kHz mono, one packet every 20 ms.
//!
//! Lives here: the settings that we give the encoder, and the three ways to get a frame out of the decoder.
//! Must not: know packets' order or time, or where samples come from.

use opus::{Application, Bitrate, Channels, Signal};

/// Samples a second, on every side of the media port.
pub const RATE: u32 = 48_000;
/// Samples of one frame: 20 ms.
pub const FRAME: usize = 960;
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
        let bitrate = i32::try_from(bitrate.clamp(6_000, 128_000)).expect("clamped");
        inner.set_bitrate(Bitrate::Bits(bitrate))?;
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

    /// Encode one frame; the packet is the start of `packet`, of the returned length.
    pub fn encode(
        &mut self,
        frame: &[f32; FRAME],
        packet: &mut [u8; PACKET_MAX],
    ) -> Result<usize, CodecError> {
        Ok(self.inner.encode_float(frame, packet)?)
    }
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

    /// A packet that came. Anything but exactly one frame of 20 ms is concealed instead, so `frame` is always filled.
    pub fn decode(&mut self, payload: &[u8], frame: &mut [f32; FRAME]) {
        if !one_frame(payload) || !matches!(self.inner.decode_float(payload, frame, false), Ok(FRAME)) {
            self.conceal(frame);
        }
    }

    /// A packet that did not come, from the copy of its frame in the packet after it; `decode` that one next.
    /// Where `following` holds no copy, this is `conceal`.
    pub fn decode_fec(&mut self, following: &[u8], frame: &mut [f32; FRAME]) {
        if !one_frame(following) || !matches!(self.inner.decode_float(following, frame, true), Ok(FRAME)) {
            self.conceal(frame);
        }
    }

    /// A packet that did not come: go on as the voice was, fading out over some frames.
    pub fn conceal(&mut self, frame: &mut [f32; FRAME]) {
        if !matches!(self.inner.decode_float(&[], frame, false), Ok(FRAME)) {
            frame.fill(0.0);
        }
    }
}

/// Whether a payload decodes to exactly one of our frames.
pub fn one_frame(payload: &[u8]) -> bool {
    !payload.is_empty()
        && payload.len() <= PACKET_MAX
        && matches!(opus::packet::get_nb_samples(payload, RATE), Ok(FRAME))
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
                    (true, true) => lossy.decode_fec(&packets[n + 1], &mut got),
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
    fn the_encoder_takes_any_rate_and_any_loss() {
        for bitrate in [0, 6_000, 32_000, u32::MAX] {
            let mut encoder = Encoder::new(bitrate).unwrap();
            encoder.set_loss(255).unwrap();
            assert!(encoder.encode(&voice(0), &mut [0; PACKET_MAX]).unwrap() > 0);
        }
    }
}
