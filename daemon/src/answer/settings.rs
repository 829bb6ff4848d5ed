//! What a person changes about the daemon itself: its settings, its own name.
//!
//! Lives here: writing it down, and going by it from now on.
//! Must not: know D-Bus; know how a setting is written.

use std::sync::Arc;

use super::{Outcome, failed};
use crate::config::{self, Config, EditError, Setting};
use crate::engine::{Engine, settings};
use crate::identity::{self, Own};
use crate::request::{Answer, Denied, DeniedKind};
use crate::{history, log};

impl Engine {
    /// Writes one setting into the configuration, and goes by it from now on. A refused one changes nothing.
    pub(crate) fn set_setting(&mut self, key: &str, value: Option<&Setting>) -> Outcome {
        config::write(&self.paths.config, key, value).map_err(|error| {
            let kind = match error {
                EditError::Unknown(_) | EditError::Refused(_) => DeniedKind::InvalidOption,
                EditError::File(_) | EditError::NotWritten { .. } => DeniedKind::Failed,
            };
            Denied::new(kind, error.to_string())
        })?;
        self.reload()
    }

    pub(super) fn set_ringer(&mut self, muted: Option<bool>, volume: Option<f64>) -> Outcome {
        let volume = volume.map(|volume| ("ring.volume", Setting::Real(volume)));
        let muted = muted.map(|muted| ("ring.muted", Setting::Flag(muted)));
        for (key, value) in volume.into_iter().chain(muted) {
            self.set_setting(key, Some(&value))?;
        }
        Ok(Answer::Done)
    }

    /// Reads the configuration again; a wrong one changes nothing but `Problems`.
    pub(super) fn reload(&mut self) -> Outcome {
        let config = match Config::load(&self.paths.config) {
            Ok(config) => config,
            Err(error) => {
                let sentence = error.to_string();
                self.problems.set_config(sentence.clone());
                return Err(Denied::new(DeniedKind::Failed, sentence));
            }
        };
        let own = identity::open(&self.paths.identity(), config.name.as_deref(), &config.relay.urls);
        let own = own.map_err(failed)?;
        self.problems.set_config(String::new());
        // Another level that was asked for over the bus stays while the configuration says what it said.
        if config.log != self.config.log {
            log::level(config.log);
        }
        self.phone.configure(settings(&config));
        self.config = config;
        self.become_own(own);
        self.send_media_settings();
        if self.ports.history.try_send(history::Order::Keep(self.config.history)).is_err() {
            tracing::warn!("the history queue is full: rows are kept as long as before");
        }
        Ok(Answer::Done)
    }

    pub(super) fn rename(&mut self, name: &str) -> Outcome {
        let configured = self.config.name.is_some();
        let own = identity::set_display_name(&self.paths.identity(), &self.own, name, configured);
        self.become_own(own.map_err(failed)?);
        Ok(Answer::Done)
    }

    fn become_own(&mut self, own: Own) {
        self.own = Arc::new(own);
        self.contacts.set_own(Arc::clone(&self.own), self.config.call.preconnect);
        self.send_roster();
    }
}
