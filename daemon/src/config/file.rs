//! The file as it is spelled.
//!
//! Lives here: the tables and keys of `config.toml`, and the judging of each value.
//! Must not: be seen outside of the configuration.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::words::{NAME, Words};
use serde::Deserialize;
use toml::{Spanned, Value};
use tracing::Level;

use super::{Call, Config, Interfaces, Media, Relay, Retention};
use crate::system::log;
use crate::values::media::{Ringing, Switch, Volume, Wishes};
use crate::values::preconnect::Preconnect;

/// The file as it is spelled: every key once, every value still unjudged.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    account: AccountTable,
    relay: RelayTable,
    call: CallTable,
    media: MediaTable,
    history: HistoryTable,
    voice: VoiceTable,
    ring: RingTable,
    log: LogTable,
}

type Field = Option<Spanned<Value>>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AccountTable {
    name: Field,
    enabled: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RelayTable {
    urls: Field,
    ca_file: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CallTable {
    lifetime: Field,
    reconnect_window: Field,
    ring_at_most: Field,
    call_waiting: Field,
    preconnect: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MediaTable {
    input: Field,
    output: Field,
    ring: Field,
    interfaces: Field,
    bitrate: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct HistoryTable {
    keep_days: Field,
    keep_rows: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VoiceTable {
    echo: Field,
    noise: Field,
    gain: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RingTable {
    tone: Field,
    theme: Field,
    volume: Field,
    muted: Field,
    tones: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogTable {
    level: Field,
}

/// A value that cannot stand, and where.
pub(super) struct Wrong {
    pub(super) at: Range<usize>,
    pub(super) sentence: String,
}

impl File {
    /// Every value within its range, or the first that is not.
    pub(super) fn check(self) -> Result<Config, Wrong> {
        let usual = Config::default();
        Ok(Config {
            name: display_name(self.account.name)?,
            enabled: read(self.account.enabled, "`enabled` must be true or false", Value::as_bool)?
                .unwrap_or(usual.enabled),
            relay: Relay {
                urls: read(
                    self.relay.urls,
                    "`urls` must be a list of at most 4 different relays, each \"wss://host\", or \"ws://127.0.0.1:port\" on this machine",
                    relay_urls,
                )?
                .unwrap_or_default(),
                ca_file: read(self.relay.ca_file, "`ca-file` must be an absolute path", |v| {
                    text(v).map(PathBuf::from).filter(|p| p.is_absolute())
                })?,
            },
            call: Call {
                lifetime: read(self.call.lifetime, RINGS, ringing)?
                .unwrap_or(usual.call.lifetime),
                reconnect_window: read(
                    self.call.reconnect_window,
                    "`reconnect-window` must be a number of seconds from 5 to 60",
                    |v| seconds(v, 5..=60),
                )?
                .unwrap_or(usual.call.reconnect_window),
                ring_at_most: read(
                    self.call.ring_at_most,
                    "`ring-at-most` must be a number of seconds from 10 to 180, or \"short\", \"normal\" or \"long\"",
                    ringing,
                )?
                .unwrap_or(usual.call.ring_at_most),
                call_waiting: read(
                    self.call.call_waiting,
                    "`call-waiting` must be true or false",
                    Value::as_bool,
                )?
                .unwrap_or(usual.call.call_waiting),
                preconnect: read(
                    self.call.preconnect,
                    "`preconnect` must be \"always\", \"trusted\" or \"never\"",
                    preconnect,
                )?
                .unwrap_or(usual.call.preconnect),
            },
            media: Media {
                input: read(self.media.input, "`input` must be the name of a device", text)?,
                output: read(self.media.output, "`output` must be the name of a device", text)?,
                ring: read(
                    self.media.ring,
                    "`ring` must be a list of at most 8 names of devices",
                    |v| texts(v).filter(|names| names.len() <= 8),
                )?
                .unwrap_or_default(),
                interfaces: read(
                    self.media.interfaces,
                    "`interfaces` must be \"auto\" or a list of interface names such as [\"eth0\"]",
                    interfaces,
                )?
                .unwrap_or(usual.media.interfaces),
                bitrate: read(
                    self.media.bitrate,
                    "`bitrate` must be a number of bits a second from 12000 to 64000",
                    |v| v.as_integer().filter(|n| (12_000..=64_000).contains(n)).and_then(|n| u32::try_from(n).ok()),
                )?
                .unwrap_or(usual.media.bitrate),
            },
            history: Retention {
                days: read(self.history.keep_days, "`keep-days` must be a number from 1 to 36500", |v| {
                    number(v, 1..=36_500)
                })?,
                rows: read(self.history.keep_rows, "`keep-rows` must be a number from 1 to 10000000", |v| {
                    number(v, 1..=10_000_000)
                })?,
            },
            voice: Wishes {
                echo: read(self.voice.echo, "`echo` must be \"on\", \"off\" or \"auto\"", switch)?
                    .unwrap_or_default(),
                noise: read(self.voice.noise, "`noise` must be \"on\", \"off\" or \"auto\"", switch)?
                    .unwrap_or_default(),
                gain: read(self.voice.gain, "`gain` must be \"on\", \"off\" or \"auto\"", switch)?
                    .unwrap_or_default(),
            },
            ring: Ringing {
                tone: read(self.ring.tone, "`tone` must be a file or a name of the sound theme", text)?,
                theme: read(self.ring.theme, "`theme` must be the name of a sound theme", text)?,
                volume: read(self.ring.volume, "`volume` must be a number from 0 to 1", volume)?
                    .unwrap_or(usual.ring.volume),
                muted: read(self.ring.muted, "`muted` must be true or false", Value::as_bool)?
                    .unwrap_or(usual.ring.muted),
                tones: read(self.ring.tones, "`tones` must be true or false", Value::as_bool)?
                    .unwrap_or(usual.ring.tones),
            },
            log: read(
                self.log.level,
                "`level` must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
                level,
            )?
            .unwrap_or(usual.log),
        })
    }
}

fn read<T>(field: Field, sentence: &str, take: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, Wrong> {
    let Some(value) = field else { return Ok(None) };
    match take(value.get_ref()) {
        Some(taken) => Ok(Some(taken)),
        None => Err(Wrong { at: value.span(), sentence: sentence.to_owned() }),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn display_name(field: Field) -> Result<Option<String>, Wrong> {
    let Some(value) = field else { return Ok(None) };
    let wrong = |why: &str| Wrong {
        at: value.span(),
        sentence: format!("`name` must be 1 to 64 characters on one line{why}"),
    };
    let name = value.get_ref().as_str().ok_or_else(|| wrong(""))?;
    let name = Words::own(name, NAME).map_err(|unfit| wrong(&format!("; {unfit}")))?;
    Ok(Some(name.into()))
}

fn number(value: &Value, range: RangeInclusive<i64>) -> Option<u32> {
    value.as_integer().filter(|n| range.contains(n)).and_then(|n| u32::try_from(n).ok())
}

fn seconds(value: &Value, range: RangeInclusive<i64>) -> Option<Duration> {
    let n = value.as_integer().filter(|n| range.contains(n))?;
    u64::try_from(n).ok().map(Duration::from_secs)
}

/// What is said of a wrong `lifetime`.
const RINGS: &str = "`lifetime` must be a number of seconds from 10 to 180, or \"short\" (30), \"normal\" (60) or \"long\" (90)";

/// Seconds, or a profile by its name.
fn ringing(value: &Value) -> Option<Duration> {
    match value.as_str() {
        Some("short") => Some(Duration::from_secs(30)),
        Some("normal") => Some(Duration::from_secs(60)),
        Some("long") => Some(Duration::from_secs(90)),
        Some(_) => None,
        None => seconds(value, 10..=180),
    }
}

fn preconnect(value: &Value) -> Option<Preconnect> {
    match value.as_str()? {
        "always" => Some(Preconnect::Always),
        "trusted" => Some(Preconnect::Trusted),
        "never" => Some(Preconnect::Never),
        _ => None,
    }
}

fn interfaces(value: &Value) -> Option<Interfaces> {
    if value.as_str() == Some("auto") {
        return Some(Interfaces::Auto);
    }
    texts(value).filter(|names| !names.is_empty()).map(Interfaces::Only)
}

fn volume(value: &Value) -> Option<Volume> {
    let whole = value.as_integer().and_then(|n| u8::try_from(n).ok()).map(f64::from);
    value.as_float().or(whole).and_then(Volume::of)
}

fn switch(value: &Value) -> Option<Switch> {
    value.as_str().and_then(Switch::of)
}

fn level(value: &Value) -> Option<Level> {
    log::named(value.as_str()?)
}

fn relay_urls(value: &Value) -> Option<Vec<String>> {
    let urls = texts(value)?;
    let read: Vec<RelayUrl> = urls.iter().map(|url| RelayUrl::parse(url).ok()).collect::<Option<_>>()?;
    let different = read.iter().enumerate().all(|(n, url)| !read.iter().take(n).any(|other| other == url));
    (different && urls.len() <= limits::DEVICE_INBOXES).then_some(urls)
}
