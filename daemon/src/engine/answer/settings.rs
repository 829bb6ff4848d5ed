//! What a person changes about the daemon itself: its settings, its own name.
//!
//! Lives here: writing it down on the store's thread, and going by it from now on; what is picked in passing.
//! Must not: know D-Bus; know how a setting is written.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, failed, stuck};
use crate::config::{self, ChosenKey, Config, EditError};
use crate::engine::{Engine, settings};
use crate::media::ring;
use crate::system::paths::Paths;
use crate::system::store::Gate;
use crate::system::{clock, file, log};
use crate::values::media::Volume;
use crate::values::own::Own;
use crate::values::request::{Answer, Denied, DeniedKind};
use crate::values::setting::Setting;
use crate::{history, identity};

/// What is picked in passing (a slider sends fifty of them) is written at most once in so long.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The configuration and what it makes of us.
#[derive(Debug)]
pub(crate) struct Fresh {
    config: Config,
    own: Own,
}

/// Why the configuration was not taken.
#[derive(Debug)]
pub(crate) struct NotTaken {
    denied: Denied,
    /// The file itself is wrong.
    file: bool,
}

/// On the store's thread: writes one setting and reads the whole anew. A refused one changes nothing.
pub(super) fn set(
    paths: &Paths,
    key: &str,
    value: Option<&Setting>,
    gate: &Gate,
) -> Result<Box<Fresh>, Box<NotTaken>> {
    // Tried before it is kept: a tone that cannot be played is met now, not when somebody calls.
    if let ("ring.tone", Some(Setting::Text(tone))) = (key, value) {
        let theme = Config::load(&paths.config).ok().and_then(|config| config.ring.theme);
        ring::check(tone, theme.as_deref()).map_err(|sentence| {
            Box::new(NotTaken { denied: Denied::new(DeniedKind::InvalidOption, sentence), file: false })
        })?;
    }
    if let ("ring.theme", Some(Setting::Text(name))) = (key, value)
        && !name.is_empty()
        && !ring::has_theme(name)
    {
        let sentence = format!(
            "there is no sound theme \"{name}\" here: they are folders like /usr/share/sounds/freedesktop"
        );
        return Err(Box::new(NotTaken {
            denied: Denied::new(DeniedKind::InvalidOption, sentence),
            file: false,
        }));
    }
    config::write_past(&paths.config, key, value, || gate.pass()).map_err(|error| {
        let kind = match error {
            EditError::Unknown(_) | EditError::Refused(_) => DeniedKind::InvalidOption,
            EditError::File(_) | EditError::NotWritten { .. } => DeniedKind::Failed,
        };
        Box::new(NotTaken { denied: Denied::new(kind, error.to_string()), file: false })
    })?;
    read(paths, gate)
}

/// On the store's thread: reads the configuration, and makes what it asks for of our identity.
pub(super) fn read(paths: &Paths, gate: &Gate) -> Result<Box<Fresh>, Box<NotTaken>> {
    let not_taken = |denied, file| Box::new(NotTaken { denied, file });
    let config = Config::load(&paths.config)
        .map_err(|error| not_taken(Denied::new(DeniedKind::Failed, error.to_string()), true))?;
    gate.pass().map_err(|_given_up| not_taken(stuck(), false))?;
    let own = identity::open(&paths.identity(), config.account.name.as_deref(), &config.relay.urls);
    let own = own.map_err(|error| not_taken(failed(error), false))?;
    Ok(Box::new(Fresh { config, own }))
}

/// On the store's thread: another name of ours.
pub(super) fn rename(
    dir: &Path,
    own: &Own,
    name: &str,
    configured: bool,
    gate: &Gate,
) -> Result<Own, Denied> {
    gate.pass().map_err(|_given_up| stuck())?;
    identity::set_display_name(dir, own, name, configured).map_err(failed)
}

impl Engine {
    /// How it rings from now on: at once, and on the disk within a second.
    pub(super) fn set_ringer(&mut self, muted: Option<bool>, volume: Option<f64>) -> Outcome {
        let volume = match volume.map(Volume::of) {
            Some(None) => {
                return Err(Denied::new(DeniedKind::InvalidOption, "the volume of the ring is 0 to 1"));
            }
            Some(volume) => volume,
            None => None,
        };
        self.chosen.set_ringer(&self.written, muted, volume);
        self.chose();
        Ok(Answer::Done)
    }

    /// Something was picked in passing: it is in force now and written soon.
    pub(crate) fn chose(&mut self) {
        self.config = self.chosen.over(&self.written);
        self.send_media_settings();
        self.chosen_due.get_or_insert(clock::now() + AT_MOST_EVERY);
    }

    /// Has what was picked written, if it is time.
    pub(crate) fn write_chosen(&mut self) {
        self.chosen_due = None;
        let path = self.paths.chosen();
        let Ok(kept) = serde_json::to_vec(&self.chosen) else { return };
        let store = self.store.clone();
        let job = move || store.note(&path, &file::write(&path, &kept));
        if self.store.run(Box::new(job)).is_err() {
            tracing::warn!("what was chosen is not kept over a restart: the disk does not answer");
        }
    }

    /// The configuration was read anew; a wrong one changes nothing but `Problems`. `set`: what was written into it just now.
    pub(super) fn go_by(&mut self, read: Result<Box<Fresh>, NotTaken>, set: Option<ChosenKey>) -> Outcome {
        let fresh = match read {
            Ok(fresh) => fresh,
            Err(NotTaken { denied, file }) => {
                if file {
                    self.problems.set_config(denied.sentence.clone());
                }
                return Err(denied);
            }
        };
        let Fresh { config, own } = *fresh;
        self.problems.set_config(String::new());
        // Another level that was asked for over the bus stays while the configuration says what it said.
        if config.log != self.config.log {
            log::level(config.log.level);
        }
        self.phone.configure(settings(&config));
        let before = self.chosen.clone();
        if let Some(key) = set {
            self.chosen.forget(key);
        }
        self.config = self.chosen.over(&config);
        self.written = config;
        if self.chosen != before {
            self.write_chosen();
        }
        self.become_own(own);
        self.send_media_settings();
        if self.ports.history.try_send(history::HistoryOrder::Keep(self.config.history)).is_err() {
            tracing::warn!("the history queue is full: rows are kept as long as before");
        }
        Ok(Answer::Done)
    }

    pub(super) fn become_own(&mut self, own: Own) {
        self.own = Arc::new(own);
        self.contacts.set_own(Arc::clone(&self.own), self.config.call.preconnect);
        self.send_roster();
        // The calendar may have been put right while this was made by a wrong one.
        self.look_at_calendar();
    }
}
