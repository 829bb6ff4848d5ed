//! What a person decides: `config.toml`.
//!
//! Lives here: the keys, their defaults and ranges; a `Config` that exists is right.
//! Must not: know where the file lies, act on a value, or write the file.

use std::io;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ahoy_proto::card::{MAX_INBOXES, MAX_RELAY_URL};
use serde::Deserialize;
use toml::{Spanned, Value};
use tracing::Level;

/// The whole configuration, every value within its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[account] name`: our name as others see it; without it the user database says.
    pub name: Option<String>,
    /// `[relay]`.
    pub relay: Relay,
    /// `[call]`.
    pub call: Call,
    /// `[media]`.
    pub media: Media,
    /// `[log] level`.
    pub log: Level,
}

/// Where our inboxes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// `wss://…`, or `ws://…` on this machine; each once.
    pub urls: Vec<String>,
    /// One more certificate authority (PEM) besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// How calls behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How long an unanswered call rings. 10–180 s.
    pub lifetime: Duration,
    /// How long a broken path is mended before the call ends. 5–60 s.
    pub reconnect_window: Duration,
    /// Who may learn our network address before we answer.
    pub preconnect: Preconnect,
}

/// Whose path is set up before our phone rings, so that an answer is heard at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preconnect {
    /// Every contact.
    Always,
    /// Contacts whose safety number was compared.
    Trusted,
    /// Nobody.
    Never,
}

/// How sound is taken, played and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The microphone; the system's default if none.
    pub input: Option<String>,
    /// The speaker; the system's default if none.
    pub output: Option<String>,
    /// Over which network interfaces paths may go.
    pub interfaces: Interfaces,
    /// Bits a second of the voice codec. 12,000–64,000.
    pub bitrate: u32,
}

/// Over which network interfaces paths may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// All that are up; loopback only if there is nothing else.
    Auto,
    /// These, by name.
    Only(Vec<String>),
}

/// Why there is no configuration. Its text names file, line and column, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key or value is wrong.
    #[error("{}:{line}:{column}: {sentence}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong and what would be right.
        sentence: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            relay: Relay::default(),
            call: Call {
                lifetime: Duration::from_secs(60),
                reconnect_window: Duration::from_secs(30),
                preconnect: Preconnect::Always,
            },
            media: Media { input: None, output: None, interfaces: Interfaces::Auto, bitrate: 32_000 },
            log: Level::INFO,
        }
    }
}

impl Config {
    /// Reads the file; a missing one is an empty one, all defaults.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Reads a text; `path` stands in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let wrong = |Wrong { at, sentence }: Wrong| {
            let (line, column) = position(text, at.start);
            ConfigError::Wrong { path: path.to_owned(), line, column, sentence }
        };
        let file: File = toml::from_str(text).map_err(|error| {
            wrong(Wrong { at: error.span().unwrap_or(0..0), sentence: error.message().to_owned() })
        })?;
        file.check().map_err(wrong)
    }
}

/// The file as it is spelled: every key once, every value still unjudged.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    account: AccountTable,
    relay: RelayTable,
    call: CallTable,
    media: MediaTable,
    log: LogTable,
}

type Field = Option<Spanned<Value>>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AccountTable {
    name: Field,
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
    preconnect: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MediaTable {
    input: Field,
    output: Field,
    interfaces: Field,
    bitrate: Field,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogTable {
    level: Field,
}

struct Wrong {
    at: Range<usize>,
    sentence: String,
}

impl File {
    fn check(self) -> Result<Config, Wrong> {
        let usual = Config::default();
        Ok(Config {
            name: read(self.account.name, "`name` must be 1 to 64 characters on one line", display_name)?,
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
                lifetime: read(self.call.lifetime, "`lifetime` must be a number of seconds from 10 to 180", |v| {
                    seconds(v, 10..=180)
                })?
                .unwrap_or(usual.call.lifetime),
                reconnect_window: read(
                    self.call.reconnect_window,
                    "`reconnect-window` must be a number of seconds from 5 to 60",
                    |v| seconds(v, 5..=60),
                )?
                .unwrap_or(usual.call.reconnect_window),
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
            log: read(
                self.log.level,
                "`level` must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
                level,
            )?
            .unwrap_or(usual.log),
        })
    }
}

/// A name that others see and that fits on one line of theirs: 1 to 64 characters, none of them invisible.
pub(crate) fn is_display_name(name: &str) -> bool {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    name.trim() == name && (1..=64).contains(&name.chars().count()) && !name.chars().any(invisible)
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

fn display_name(value: &Value) -> Option<String> {
    text(value).filter(|name| is_display_name(name))
}

fn seconds(value: &Value, range: RangeInclusive<i64>) -> Option<Duration> {
    let n = value.as_integer().filter(|n| range.contains(n))?;
    u64::try_from(n).ok().map(Duration::from_secs)
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

fn level(value: &Value) -> Option<Level> {
    match value.as_str()? {
        "error" => Some(Level::ERROR),
        "warn" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        "trace" => Some(Level::TRACE),
        _ => None,
    }
}

fn relay_urls(value: &Value) -> Option<Vec<String>> {
    let urls = texts(value)?;
    let different = urls.iter().enumerate().all(|(n, url)| !urls.iter().take(n).any(|other| other == url));
    (different && urls.len() <= MAX_INBOXES && urls.iter().all(|url| is_relay_url(url))).then_some(urls)
}

/// `wss://host[:port][/path]`, or `ws://` with a host that is this machine.
fn is_relay_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split_once('/').map_or(rest, |(authority, _path)| authority);
    if authority.contains('@')
        || url.len() > MAX_RELAY_URL
        || !url.bytes().all(|c| c.is_ascii_graphic() && c != b'?' && c != b'#')
    {
        return false;
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    port_fits && !host.is_empty() && (scheme == "wss" || (scheme == "ws" && here))
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or("");
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_and_a_missing_file_are_all_defaults() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(Config::load(&dir.path().join("none.toml")).unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_taken() {
        let config = parse(
            "[account]\nname = \"Ana\"\n[relay]\nurls = [\"ws://127.0.0.1:1234\", \"wss://relay.example/x\"]\nca-file = \"/ca.pem\"\n\
             [call]\nlifetime = 180\nreconnect-window = 5\npreconnect = \"never\"\n\
             [media]\ninput = \"mic\"\noutput = \"out\"\ninterfaces = [\"lo\"]\nbitrate = 64000\n[log]\nlevel = \"debug\"\n",
        )
        .unwrap();
        assert_eq!(config.name.as_deref(), Some("Ana"));
        assert_eq!(config.relay.urls, ["ws://127.0.0.1:1234", "wss://relay.example/x"]);
        assert_eq!(config.relay.ca_file.as_deref(), Some(Path::new("/ca.pem")));
        assert_eq!(config.call.lifetime, Duration::from_secs(180));
        assert_eq!(config.call.reconnect_window, Duration::from_secs(5));
        assert_eq!(config.call.preconnect, Preconnect::Never);
        assert_eq!(config.media.interfaces, Interfaces::Only(vec!["lo".into()]));
        assert_eq!((config.media.bitrate, config.log), (64_000, Level::DEBUG));
    }

    #[test]
    fn a_wrong_key_or_value_is_named_with_line_and_column_and_what_would_be_right() {
        for (text, place, words) in [
            ("[call]\nlifetme = 60\n", "config.toml:2:1: ", ["`lifetme`", "`lifetime`"]),
            ("[calls]\n", "config.toml:1:2: ", ["`calls`", "`call`"]),
            ("[call]\n\n  lifetime = 9\n", "config.toml:3:14: ", ["`lifetime`", "10 to 180"]),
            ("[call]\nlifetime = 181\n", "config.toml:2:12: ", ["`lifetime`", "10 to 180"]),
            ("[call]\nlifetime = \"long\"\n", "config.toml:2:12: ", ["`lifetime`", "seconds"]),
            ("[call]\nreconnect-window = 61\n", "config.toml:2:20: ", ["`reconnect-window`", "5 to 60"]),
            ("[call]\npreconnect = true\n", "config.toml:2:14: ", ["`preconnect`", "\"trusted\""]),
            ("[media]\nbitrate = 6000\n", "config.toml:2:11: ", ["`bitrate`", "12000"]),
            ("[media]\ninterfaces = \"eth0\"\n", "config.toml:2:14: ", ["`interfaces`", "\"auto\""]),
            ("[log]\nlevel = \"loud\"\n", "config.toml:2:9: ", ["`level`", "\"debug\""]),
            ("[account]\nname = \"\"\n", "config.toml:2:8: ", ["`name`", "64"]),
            ("[relay]\nca-file = \"ca.pem\"\n", "config.toml:2:11: ", ["`ca-file`", "absolute"]),
            ("[call]\nlifetime = = 3\n", "config.toml:2:12: ", ["", ""]),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(place), "{text:?} gave {error:?}, not {place:?}");
            assert!(words.iter().all(|word| error.contains(word)), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn plain_websockets_are_taken_on_this_machine_only() {
        for good in [
            "ws://127.0.0.1:1",
            "ws://localhost/x",
            "ws://[::1]:80",
            "wss://relay.example",
            "wss://10.0.0.1:443/a",
        ] {
            assert!(is_relay_url(good), "{good}");
        }
        for bad in [
            "ws://relay.example",
            "ws://127.0.0.1.example",
            "ws://10.0.0.1",
            "http://127.0.0.1",
            "wss://",
            "wss://a:0",
            "wss://a:x",
            "wss://user@a",
            "wss://a b",
            "relay.example",
        ] {
            assert!(!is_relay_url(bad), "{bad}");
            assert!(
                parse(&format!("[relay]\nurls = [\"{bad}\"]")).unwrap_err().starts_with("config.toml:2:8: ")
            );
        }
        assert!(parse("[relay]\nurls = [\"wss://a\", \"wss://a\"]").is_err(), "the same relay twice");
    }
}
