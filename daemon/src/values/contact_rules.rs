//! How a contact may ring here, and what else a person decided about it.
//!
//! Lives here: the values, their words, what stands in a contact's file, and how a change is judged.
//! Must not: know a call, a file's place or D-Bus.

use serde::{Deserialize, Serialize};

/// The longest icon or ring tone: a path or a name of a theme, in bytes.
const LONGEST: usize = 1024;
/// How loud a contact may be played at most: twice as loud as it comes.
pub const LOUDEST: f64 = 2.0;

/// What a person decided about a contact. The default is what a new contact gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactRules {
    /// Rings through do-not-disturb of mode `favorites`.
    pub favorite: bool,
    /// The safety number was compared.
    pub verified: bool,
    /// What their ring does here.
    pub ring_policy: RingPolicy,
    /// Whether they may learn our network address before we answer.
    pub preconnect: Preconnect,
    /// Only our TURN servers may learn our network address in a call with them.
    pub relay_only: bool,
    /// Their own ring tone: a file or a name of the sound theme; empty for the usual one.
    pub ring_tone: String,
    /// A picture: a file or a name of the icon theme; empty for none.
    pub icon: String,
    /// How loud they are played, 0 to 2; 1 is as loud as they come.
    pub volume: f64,
    /// They may see whether we can be reached: a ping of theirs is answered.
    pub ping: bool,
}

impl Default for ContactRules {
    fn default() -> Self {
        Self {
            favorite: false,
            verified: false,
            ring_policy: RingPolicy::default(),
            preconnect: Preconnect::default(),
            relay_only: false,
            ring_tone: String::new(),
            icon: String::new(),
            volume: 1.0,
            ping: false,
        }
    }
}

ahoy_call::words! {
    /// What a contact's ring does here.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum RingPolicy {
        /// It rings, unless we are not to be disturbed.
        #[default]
        Normal = "normal",
        /// It rings through do-not-disturb.
        Always = "always",
        /// It shows and makes no sound.
        Silent = "silent",
        /// Nothing at all happens, and to them we look offline.
        Never = "never",
        /// It is answered by itself, with a tone that cannot be switched off.
        AutoAnswer = "auto-answer",
    }
}

ahoy_call::words! {
    /// A contact's own setting for the path before the ring.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Preconnect {
        /// As the configuration says for all.
        #[default]
        Default = "default",
        /// Yes.
        Always = "always",
        /// Once the safety number was compared.
        Trusted = "trusted",
        /// No.
        Never = "never",
    }
}

/// A change of it; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MannerChange {
    /// See [`ContactRules`].
    pub favorite: Option<bool>,
    /// See [`ContactRules`].
    pub verified: Option<bool>,
    /// See [`ContactRules`].
    pub ring_policy: Option<RingPolicy>,
    /// See [`ContactRules`].
    pub preconnect: Option<Preconnect>,
    /// See [`ContactRules`].
    pub relay_only: Option<bool>,
    /// See [`ContactRules`].
    pub ring_tone: Option<String>,
    /// See [`ContactRules`].
    pub icon: Option<String>,
    /// See [`ContactRules`].
    pub volume: Option<f64>,
    /// See [`ContactRules`].
    pub ping: Option<bool>,
}

impl ContactRules {
    /// What it is after a change, or the sentence that says what would be right.
    pub fn changed(&self, change: &MannerChange) -> Result<Self, &'static str> {
        let text = |text: &String| text.len() <= LONGEST && !text.chars().any(char::is_control);
        if !change.ring_tone.as_ref().is_none_or(text) || !change.icon.as_ref().is_none_or(text) {
            return Err("`ring-tone` and `icon` are a file or a name, at most 1024 bytes on one line");
        }
        if change.volume.is_some_and(|volume| !(0.0..=LOUDEST).contains(&volume)) {
            return Err("`volume` is 0 to 2; 1 is as loud as they come");
        }
        let verified = change.verified.unwrap_or(self.verified);
        if change.ring_policy == Some(RingPolicy::AutoAnswer) && !verified {
            return Err(
                "auto-answer opens your microphone: compare the safety number first, then `ahoyctl contact verify`",
            );
        }
        Ok(Self {
            favorite: change.favorite.unwrap_or(self.favorite),
            verified,
            ring_policy: change.ring_policy.unwrap_or(self.ring_policy),
            preconnect: change.preconnect.unwrap_or(self.preconnect),
            relay_only: change.relay_only.unwrap_or(self.relay_only),
            ring_tone: change.ring_tone.clone().unwrap_or_else(|| self.ring_tone.clone()),
            icon: change.icon.clone().unwrap_or_else(|| self.icon.clone()),
            volume: change.volume.unwrap_or(self.volume),
            ping: change.ping.unwrap_or(self.ping),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_and_the_rest_stays() {
        let usual = ContactRules::default();
        for volume in [-0.1, 2.1, f64::NAN, f64::INFINITY] {
            assert!(
                usual.changed(&MannerChange { volume: Some(volume), ..MannerChange::default() }).is_err()
            );
        }
        let tone = Some("a\nb".to_owned());
        assert!(usual.changed(&MannerChange { ring_tone: tone, ..MannerChange::default() }).is_err());
        let loud = usual.changed(&MannerChange { volume: Some(2.0), ..MannerChange::default() }).unwrap();
        assert_eq!(loud, ContactRules { volume: 2.0, ..ContactRules::default() });
    }

    #[test]
    fn the_words_are_those_of_the_file() {
        for word in RingPolicy::WORDS {
            let policy = RingPolicy::named(word).unwrap();
            assert_eq!(policy.word(), word);
            assert_eq!(serde_json::to_value(policy).unwrap(), word);
        }
        for word in Preconnect::WORDS {
            let preconnect = Preconnect::named(word).unwrap();
            assert_eq!(preconnect.word(), word);
            assert_eq!(serde_json::to_value(preconnect).unwrap(), word);
        }
    }

    #[test]
    fn an_older_file_without_any_of_it_reads_as_the_default() {
        assert_eq!(serde_json::from_str::<ContactRules>("{}").unwrap(), ContactRules::default());
    }
}
