//! Every setting with its value, for who shows or changes them one by one.
//!
//! Lives here: the names of all settings, `table.key` as in the file, and the value of each in a `Config`.
//! Must not: judge a value; the file does.

use crate::values::preconnect::Preconnect;
use crate::values::setting::Setting;

use super::{Config, Interfaces};

impl Config {
    /// Every setting with the value in force; what is not set and has no default is empty.
    pub fn listed(&self) -> Vec<(&'static str, Setting)> {
        let text = |value: &Option<String>| Setting::Text(value.clone().unwrap_or_default());
        let seconds = |value: std::time::Duration| whole(value.as_secs());
        let ca_file = self.relay.ca_file.as_ref().map(|path| path.display().to_string());
        vec![
            ("account.name", text(&self.name)),
            ("account.enabled", Setting::Flag(self.enabled)),
            ("relay.urls", Setting::Texts(self.relay.urls.clone())),
            ("relay.ca-file", text(&ca_file)),
            ("call.lifetime", seconds(self.call.lifetime)),
            ("call.reconnect-window", seconds(self.call.reconnect_window)),
            ("call.ring-at-most", seconds(self.call.ring_at_most)),
            ("call.call-waiting", Setting::Flag(self.call.call_waiting)),
            ("call.preconnect", word(preconnect(self.call.preconnect))),
            ("media.input", text(&self.media.input)),
            ("media.output", text(&self.media.output)),
            ("media.ring", Setting::Texts(self.media.ring.clone())),
            ("media.interfaces", interfaces(&self.media.interfaces)),
            ("media.bitrate", whole(self.media.bitrate.into())),
            ("history.keep-days", kept(self.history.days)),
            ("history.keep-rows", kept(self.history.rows)),
            ("voice.echo", word(self.voice.echo.word())),
            ("voice.noise", word(self.voice.noise.word())),
            ("voice.gain", word(self.voice.gain.word())),
            ("ring.tone", text(&self.ring.tone)),
            ("ring.theme", text(&self.ring.theme)),
            ("ring.volume", Setting::Real(self.ring.volume.share())),
            ("ring.muted", Setting::Flag(self.ring.muted)),
            ("ring.tones", Setting::Flag(self.ring.tones)),
            ("log.level", word(&self.log.as_str().to_ascii_lowercase())),
        ]
    }
}

fn word(word: &str) -> Setting {
    Setting::Text(word.to_owned())
}

fn whole(number: u64) -> Setting {
    Setting::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Empty: for ever.
fn kept(limit: Option<u32>) -> Setting {
    limit.map_or_else(|| word(""), |limit| whole(limit.into()))
}

fn preconnect(value: Preconnect) -> &'static str {
    match value {
        Preconnect::Always => "always",
        Preconnect::Trusted => "trusted",
        Preconnect::Never => "never",
    }
}

fn interfaces(value: &Interfaces) -> Setting {
    match value {
        Interfaces::Auto => word("auto"),
        Interfaces::Only(names) => Setting::Texts(names.clone()),
    }
}
