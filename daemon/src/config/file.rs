//! The values of `config.toml`, as they are read and written.
//!
//! Lives here: what each value must be, and the sentence about one that is not.
//! Must not: be seen outside of the configuration.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ahoy_proto::limits;
use ahoy_proto::relay_list::ListKey;
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::words::{NAME, Words};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;
use tracing::Level;
use url::{Host, Url};

use crate::system::log;
use crate::values::keys::KeysIn;
use crate::values::media::{Ringing, Switch, Volume, Wishes};
use crate::values::preconnect::Preconnect;
use crate::values::rows::Retention;

// Without `bound` each table would have to have a default of its own; what counts is that of the value.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Retention", default, deny_unknown_fields, bound = "")]
pub(super) struct HistoryTable {
    #[serde(rename = "keep-days", deserialize_with = "keep_days")]
    days: Option<u32>,
    #[serde(rename = "keep-rows", deserialize_with = "keep_rows")]
    rows: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Wishes", default, deny_unknown_fields, bound = "")]
pub(super) struct VoiceTable {
    #[serde(deserialize_with = "switch")]
    echo: Switch,
    #[serde(deserialize_with = "switch")]
    noise: Switch,
    #[serde(deserialize_with = "switch")]
    gain: Switch,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Ringing", default, deny_unknown_fields, bound = "")]
pub(super) struct RingTable {
    #[serde(deserialize_with = "tone")]
    tone: Option<String>,
    #[serde(deserialize_with = "theme")]
    theme: Option<String>,
    #[serde(deserialize_with = "volume", serialize_with = "share")]
    volume: Volume,
    #[serde(deserialize_with = "flag")]
    muted: bool,
    #[serde(deserialize_with = "flag")]
    tones: bool,
}

/// How the sentence about a value begins that cannot stand; its key goes before it.
pub(super) const MUST_BE: &str = "must be ";

/// A function for each kind of value: its name and type, what the value must be, and what takes it if it is that.
macro_rules! values {
    ($($name:ident -> $type:ty: $must:expr, $take:expr;)*) => {$(
        pub(super) fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
            let take: fn(&Value) -> Option<$type> = $take;
            take(&Value::deserialize(from)?).ok_or_else(|| D::Error::custom(format_args!("{MUST_BE}{}", $must)))
        }
    )*};
}

values! {
    flag -> bool: "true or false", Value::as_bool;
    keys -> KeysIn: "\"file\" or \"secret-service\"", word;
    relay_urls -> Vec<String>: "a list of at most 4 different relays, each \"wss://host\", or \"ws://127.0.0.1:port\" on this machine",
        |v| texts(v).filter(|urls| are_relays(urls));
    ca_file -> Option<PathBuf>: "an absolute path",
        |v| text(v).map(PathBuf::from).filter(|path| path.is_absolute()).map(Some);
    https -> Option<String>: "an address that begins with \"https://\", without user or fragment", |v| text(v).filter(|url| is_https(url)).map(Some);
    list_keys -> Vec<String>: "a list of at most 4 keys as `ahoy-relay sign-list --new-key` prints them",
        |v| texts(v).filter(|keys| keys.len() <= limits::RELAY_LIST_KEYS && keys.iter().all(|key| ListKey::parse(key).is_some()));
    domain -> Option<String>: "the name of a domain, such as \"example.org\"", |v| text(v).filter(|name| is_domain(name)).map(Some);
    lifetime -> Duration: "a number of seconds from 10 to 180, or \"short\" (30), \"normal\" (60) or \"long\" (90)", ringing;
    window -> Duration: "a number of seconds from 5 to 60", |v| whole(v, 5..=60).map(Duration::from_secs);
    preconnect -> Preconnect: "\"always\", \"trusted\" or \"never\"", word;
    device -> Option<String>: "the name of a device", |v| text(v).map(Some);
    devices -> Vec<String>: "a list of at most 8 names of devices", |v| texts(v).filter(|names| names.len() <= 8);
    interfaces -> Vec<String>: "\"auto\" or a list of interface names such as [\"eth0\"]",
        |v| if v.as_str() == Some("auto") { Some(Vec::new()) } else { texts(v).filter(|names| !names.is_empty()) };
    bitrate -> u32: "a number of bits a second from 12000 to 64000", |v| whole(v, 12_000..=64_000);
    keep_days -> Option<u32>: "a number from 1 to 36500", |v| whole(v, 1..=36_500).map(Some);
    keep_rows -> Option<u32>: "a number from 1 to 10000000", |v| whole(v, 1..=10_000_000).map(Some);
    switch -> Switch: "\"on\", \"off\" or \"auto\"", word;
    tone -> Option<String>: "a file or a name of the sound theme", |v| text(v).map(Some);
    theme -> Option<String>: "the name of a sound theme", |v| text(v).map(Some);
    volume -> Volume: "a number from 0 to 1", |v| word(v).and_then(Volume::of);
    level -> Level: "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |v| log::named(v.as_str()?);
}

pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let wrong = |why: &str| D::Error::custom(format_args!("{MUST_BE}1 to 64 characters on one line{why}"));
    let value = Value::deserialize(from)?;
    let name = value.as_str().ok_or_else(|| wrong(""))?;
    let name = Words::own(name, NAME).map_err(|unfit| wrong(&format!("; {unfit}")))?;
    Ok(Some(name.into()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn whole<T: TryFrom<i64>>(value: &Value, range: RangeInclusive<i64>) -> Option<T> {
    value.as_integer().filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok())
}

fn word<T: DeserializeOwned>(value: &Value) -> Option<T> {
    value.clone().try_into().ok()
}

/// Seconds, or a profile by its name.
fn ringing(value: &Value) -> Option<Duration> {
    let seconds = match value.as_str() {
        Some("short") => 30,
        Some("normal") => 60,
        Some("long") => 90,
        Some(_) => return None,
        None => whole(value, 10..=180)?,
    };
    Some(Duration::from_secs(seconds))
}

fn are_relays(urls: &[String]) -> bool {
    let read: Option<Vec<RelayUrl>> = urls.iter().map(|url| RelayUrl::parse(url).ok()).collect();
    let different = |urls: Vec<RelayUrl>| urls.iter().enumerate().all(|(n, url)| !urls[..n].contains(url));
    read.is_some_and(different) && urls.len() <= limits::DEVICE_INBOXES
}

/// The longest address of a list or of a resolver.
const HTTPS_BYTES: usize = 512;

fn is_https(text: &str) -> bool {
    let plain =
        text.len() <= HTTPS_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let url = Url::parse(text).ok().filter(|_| plain && text.starts_with("https://"));
    url.is_some_and(|url| {
        url.has_host() && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
    })
}

/// Of letters, digits and dashes, two parts at least; with `_ahoy` before it, it fits into a question.
fn is_domain(name: &str) -> bool {
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let domain = matches!(Host::parse(name), Ok(Host::Domain(_)));
    domain && name.len() <= 240 && name.contains('.') && name.split('.').all(part)
}

pub(super) fn seconds<S: Serializer>(value: &Duration, into: S) -> Result<S::Ok, S::Error> {
    value.as_secs().serialize(into)
}

pub(super) fn names_or_auto<S: Serializer>(names: &[String], into: S) -> Result<S::Ok, S::Error> {
    if names.is_empty() { "auto".serialize(into) } else { names.serialize(into) }
}

pub(super) fn level_word<S: Serializer>(level: &Level, into: S) -> Result<S::Ok, S::Error> {
    level.as_str().to_ascii_lowercase().serialize(into)
}

fn share<S: Serializer>(volume: &Volume, into: S) -> Result<S::Ok, S::Error> {
    volume.share().serialize(into)
}
