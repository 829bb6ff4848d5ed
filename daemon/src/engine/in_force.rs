//! What a person decided, as it is in force.
//!
//! Lives here: what `config.toml` says, what was picked in passing and outdoes it, and when that is written.
//! Must not: write a file; know the engine.

use std::time::Duration;

use ahoy_call::Moment;

use crate::config::{Chosen, ChosenKey, Config};

/// What is picked in passing (a slider sends fifty of them) is written at most once in so long.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The configuration and the choices.
#[derive(Debug)]
pub(super) struct InForce {
    config: Config,
    /// As the file says.
    written: Config,
    chosen: Chosen,
    /// When what was picked is written, if it is not yet.
    due: Option<Moment>,
}

impl InForce {
    /// With what the files say at the start.
    pub(super) fn new(written: Config, mut chosen: Chosen) -> Self {
        Self { config: chosen.over(&written), written, chosen, due: None }
    }

    /// What is in force.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What the rules need of it.
    pub(super) fn rules(&self) -> ahoy_call::Settings {
        let call = &self.config.call;
        ahoy_call::Settings {
            ring_at_most: call.ring_at_most,
            reconnect_window: call.reconnect_window,
            call_waiting: call.call_waiting,
        }
    }

    /// Something is picked in passing: it is in force now, and to be written soon. The second argument of `pick` is what the
    /// file says.
    pub(super) fn choose(&mut self, now: Moment, pick: impl FnOnce(&mut Chosen, &Config)) {
        pick(&mut self.chosen, &self.written);
        self.config = self.chosen.over(&self.written);
        self.due.get_or_insert(now + AT_MOST_EVERY);
    }

    /// The file was read anew. `set`: what was written into it just now, whatever was picked before. What was picked is to be
    /// written at once if the file has overtaken it.
    pub(super) fn read(&mut self, now: Moment, written: Config, set: Option<ChosenKey>) {
        let before = self.chosen.clone();
        if let Some(key) = set {
            self.chosen.forget(key);
        }
        self.config = self.chosen.over(&written);
        self.written = written;
        if self.chosen != before {
            self.due = Some(now);
        }
    }

    /// When what was picked is to be written.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// What was picked, as its file holds it; from now on it is being written.
    pub(super) fn take_to_write(&mut self) -> serde_json::Result<Vec<u8>> {
        self.due = None;
        serde_json::to_vec(&self.chosen)
    }
}
