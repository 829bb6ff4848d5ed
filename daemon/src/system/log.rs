//! The log: lines on standard error, which the service manager keeps.
//!
//! Lives here: what is logged at which level, and changing the level while the daemon runs.
//! Must not: hold a name, an address or a key: those print through `Private`.

use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The media library prints packets of sound in its errors.
const SILENCED: [&str; 2] = ["webrtc=off", "rtc=off"];

/// The levels by their names, the one that says least first.
pub const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// The level of that name.
pub fn named(name: &str) -> Option<Level> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

/// The filter of the one log of this process.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Begins to log. Once a process, by its `main`.
pub fn begin(level: Level) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    // A second beginning has panicked above.
    drop(FILTER.set(handle));
}

/// Logs at another level from now on. Without a log, as in tests, nothing happens.
pub fn level(level: Level) {
    if let Some(Err(error)) = FILTER.get().map(|handle| handle.reload(filter(level))) {
        tracing::warn!(%error, "the log level stays as it was");
    }
}

fn filter(level: Level) -> EnvFilter {
    let mut filter = EnvFilter::new("warn");
    let ours = format!("ahoyd={}", level.to_string().to_lowercase());
    for directive in std::iter::once(ours.as_str()).chain(SILENCED) {
        match directive.parse() {
            Ok(directive) => filter = filter.add_directive(directive),
            Err(error) => eprintln!("ahoyd: the log filter {directive:?} is wrong: {error}"),
        }
    }
    filter
}
