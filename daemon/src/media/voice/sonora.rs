//! The WebRTC project's audio processing, ported to Rust: the only user of that library.
//!
//! Lives here: its settings, and its blocks.
//! Must not: decide which part works when.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    NoiseSuppressionLevel, Pipeline, TransparentModeType,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::{BLOCK, Parts, Processor};
use crate::media::codec::RATE;

/// The loudest that a quiet voice is made, dB.
const MOST_GAIN: f32 = 30.0;
/// Gain at the beginning, dB: what is left of an echo then must not be amplified.
const FIRST_GAIN: f32 = 0.0;

pub(super) struct Sonora(AudioProcessing);

impl Sonora {
    pub(super) fn new(parts: Parts) -> Self {
        let mono = StreamConfig::new(RATE, 1);
        let config = config(parts);
        Self(AudioProcessing::builder().config(config).capture_config(mono).render_config(mono).build())
    }
}

impl Processor for Sonora {
    fn set(&mut self, parts: Parts) {
        self.0.apply_config(config(parts));
    }

    fn played(&mut self, block: &[f32; BLOCK]) {
        let mut unused = [0.0; BLOCK];
        // It refuses other sizes only.
        let _analysed = self.0.process_render_f32(&[block], &mut [&mut unused]);
    }

    fn clean(&mut self, block: &mut [f32; BLOCK]) {
        let said = *block;
        if self.0.process_capture_f32(&[&said], &mut [block]).is_err() {
            *block = said;
        }
    }

    fn echo_return_loss(&self) -> Option<f64> {
        let told = self.0.statistics();
        told.echo_return_loss.map(|loss| loss + told.echo_return_loss_enhancement.unwrap_or(0.0))
    }
}

fn config(parts: Parts) -> Config {
    let gain =
        AdaptiveDigital { initial_gain_db: FIRST_GAIN, max_gain_db: MOST_GAIN, ..AdaptiveDigital::default() };
    let noise = NoiseSuppression { level: NoiseSuppressionLevel::High, ..NoiseSuppression::default() };
    let echo = EchoCanceller { transparent_mode: TransparentModeType::Hmm, ..EchoCanceller::default() };
    Config {
        // Its default cuts at 16 kHz.
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        high_pass_filter: (parts.echo || parts.noise).then(HighPassFilter::default),
        echo_canceller: parts.echo.then_some(echo),
        noise_suppression: parts.noise.then_some(noise),
        gain_controller2: parts
            .gain
            .then(|| GainController2 { adaptive_digital: Some(gain), ..GainController2::default() }),
        ..Config::default()
    }
}
