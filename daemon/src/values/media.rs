//! What a person decides about sound.
//!
//! Lives here: devices, voice processing, ring, bit rate, network interfaces; with the values that hold until somebody decides.
//! Must not: know a device, a file of sound, or the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a person decides about sound and paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSettings {
    /// Opus bit rate, 6000 to 128000 bit/s.
    pub bitrate: u32,
    /// Sound server node to capture from; the server's default if none.
    pub input: Option<String>,
    /// Sound server node to play to; the server's default if none.
    pub output: Option<String>,
    /// Sound server nodes to ring on; the server's default if empty.
    pub ring: Vec<String>,
    /// Network interfaces that paths may use; every one but loopback if empty (loopback too if there is nothing else).
    pub interfaces: Vec<String>,
    /// Only our TURN servers may learn our network address.
    pub relay_only: bool,
    /// One more certificate authority (PEM) besides the system's, for TURN servers by TLS.
    pub ca_file: Option<PathBuf>,
    /// What is done to the voice of the microphone.
    pub voice: Wishes,
    /// How it rings.
    pub ringing: Ringing,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            bitrate: 32_000,
            input: None,
            output: None,
            ring: Vec::new(),
            interfaces: Vec::new(),
            relay_only: false,
            ca_file: None,
            voice: Wishes::default(),
            ringing: Ringing::default(),
        }
    }
}

/// What a person decides about ringing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ringing {
    /// A file, or a name of the sound theme; the theme's ring for incoming calls if none.
    pub tone: Option<String>,
    /// The sound theme; the usual one if none.
    pub theme: Option<String>,
    /// How loud.
    pub volume: Volume,
    /// It rings without a sound.
    pub muted: bool,
    /// Who calls hears how it goes: their phone ringing, busy, the end.
    pub tones: bool,
}

impl Default for Ringing {
    fn default() -> Self {
        Self { tone: None, theme: None, volume: Volume::FULL, muted: false, tones: true }
    }
}

/// How loud, in thousandths of full: 0 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume(u16);

impl Volume {
    /// As loud as the sound is.
    pub const FULL: Self = Self(1_000);

    /// From 0 (nothing) to 1 (full); none outside.
    pub fn of(share: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1000, by the line above"
        )]
        let thousandths = (share * 1_000.0).round() as u16;
        Some(Self(thousandths))
    }

    /// 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// What a sample is multiplied by.
    pub fn factor(self) -> f32 {
        f32::from(self.0) / 1_000.0
    }
}

/// What a person decides about one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Always.
    On,
    /// Never.
    Off,
    /// Where it does good.
    #[default]
    Auto,
}

/// What a person decides about all parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// See `Parts::echo`; `Auto`: while the microphone hears the speaker. A headset is not even tried.
    pub echo: Switch,
    /// See `Parts::noise`; `Auto`: while there is noise in the pauses.
    pub noise: Switch,
    /// See `Parts::gain`; `Auto` is on.
    pub gain: Switch,
}
