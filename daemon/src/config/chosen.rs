//! What a person picks in passing: the ring's loudness, devices. Kept beside `config.toml`, which holds what they wrote.
//!
//! Lives here: the file of these choices, and how long one outdoes the configuration: until somebody writes another value there.
//! Must not: write a file, or know when it is written.

use serde::{Deserialize, Serialize};

use super::Config;
use crate::values::media::Volume;

/// The choices that are in force. Each remembers what the configuration said when it was made: a configuration that says
/// something else was written later, and counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chosen {
    #[serde(skip_serializing_if = "Option::is_none")]
    ring_volume: Option<Choice<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ring_muted: Option<Choice<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Choice<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Choice<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ring: Option<Choice<Vec<String>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Choice<T> {
    is: T,
    /// What the configuration said.
    not: T,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenKey {
    /// `ring.volume`.
    RingVolume,
    /// `ring.muted`.
    RingMuted,
    /// `media.input`.
    Input,
    /// `media.output`.
    Output,
    /// `media.ring`.
    Ring,
}

impl Chosen {
    /// From its file; what cannot be read is no choice.
    pub fn read(kept: &[u8]) -> Self {
        serde_json::from_slice(kept).unwrap_or_default()
    }

    /// By the name of the setting.
    pub fn key(name: &str) -> Option<ChosenKey> {
        match name {
            "ring.volume" => Some(ChosenKey::RingVolume),
            "ring.muted" => Some(ChosenKey::RingMuted),
            "media.input" => Some(ChosenKey::Input),
            "media.output" => Some(ChosenKey::Output),
            "media.ring" => Some(ChosenKey::Ring),
            _ => None,
        }
    }

    /// The configuration decides this again.
    pub fn forget(&mut self, key: ChosenKey) {
        match key {
            ChosenKey::RingVolume => self.ring_volume = None,
            ChosenKey::RingMuted => self.ring_muted = None,
            ChosenKey::Input => self.input = None,
            ChosenKey::Output => self.output = None,
            ChosenKey::Ring => self.ring = None,
        }
    }

    /// How it rings from now on.
    pub fn set_ringer(&mut self, written: &Config, muted: Option<bool>, volume: Option<Volume>) {
        if let Some(is) = muted {
            self.ring_muted = Some(Choice { is, not: written.ring.muted });
        }
        if let Some(is) = volume {
            self.ring_volume = Some(Choice { is: is.share(), not: written.ring.volume.share() });
        }
    }

    /// Which microphone from now on; none is the system's default.
    pub fn set_input(&mut self, written: &Config, is: Option<String>) {
        self.input = Some(Choice { is, not: written.media.input.clone() });
    }

    /// Which loudspeaker.
    pub fn set_output(&mut self, written: &Config, is: Option<String>) {
        self.output = Some(Choice { is, not: written.media.output.clone() });
    }

    /// Where it rings.
    pub fn set_ring(&mut self, written: &Config, is: Vec<String>) {
        self.ring = Some(Choice { is, not: written.media.ring.clone() });
    }

    /// What is in force: what was written, but for these choices. Choices that the configuration has overtaken go.
    pub fn over(&mut self, written: &Config) -> Config {
        let mut config = written.clone();
        let share = written.ring.volume.share();
        if let Some(volume) = holds(&mut self.ring_volume, &share).and_then(Volume::of) {
            config.ring.volume = volume;
        }
        if let Some(muted) = holds(&mut self.ring_muted, &written.ring.muted) {
            config.ring.muted = muted;
        }
        if let Some(input) = holds(&mut self.input, &written.media.input) {
            config.media.input = input;
        }
        if let Some(output) = holds(&mut self.output, &written.media.output) {
            config.media.output = output;
        }
        if let Some(ring) = holds(&mut self.ring, &written.media.ring) {
            config.media.ring = ring;
        }
        config
    }
}

/// The choice, while the configuration says what it said.
fn holds<T: Clone + PartialEq>(choice: &mut Option<Choice<T>>, written: &T) -> Option<T> {
    choice.take_if(|choice| choice.not != *written);
    choice.as_ref().map(|choice| choice.is.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_outdoes_the_configuration_until_that_says_something_else() {
        let mut written = Config::default();
        let mut chosen = Chosen::default();
        chosen.set_ringer(&written, Some(true), Volume::of(0.3));
        chosen.set_input(&written, Some("headset".into()));
        chosen.set_ring(&written, vec!["a".into(), "b".into()]);
        let kept = serde_json::to_vec(&chosen).unwrap();
        let mut chosen = Chosen::read(&kept);
        let force = chosen.over(&written);
        assert_eq!((force.ring.muted, force.ring.volume.share()), (true, 0.3));
        assert_eq!((force.media.input.as_deref(), force.media.output.as_deref()), (Some("headset"), None));
        assert_eq!(force.media.ring, ["a", "b"]);
        written.ring.volume = Volume::of(0.8).unwrap();
        let force = chosen.over(&written);
        assert_eq!((force.ring.muted, force.ring.volume.share()), (true, 0.8), "somebody wrote that since");
        written.ring.volume = Volume::FULL;
        assert_eq!(chosen.over(&written).ring.volume, Volume::FULL, "an overtaken choice does not come back");
        chosen.forget(ChosenKey::Input);
        assert_eq!(chosen.over(&written).media.input, None);
        for nonsense in [&b""[..], b"[]", b"{\"input\":7}"] {
            assert_eq!(Chosen::read(nonsense), Chosen::default());
        }
    }

    #[test]
    fn every_key_is_a_setting() {
        let listed = Config::default().listed();
        let keys: Vec<_> = listed.iter().filter(|(name, _)| Chosen::key(name).is_some()).collect();
        assert_eq!(keys.len(), 5);
    }
}
