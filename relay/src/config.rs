//! The relay's configuration, a TOML file.
//!
//! Lives here: the keys and their defaults; an unknown key is refused by name, with line and column.
//! Must not: open a socket.
//!
//! ```toml
//! listen = "0.0.0.0:443"
//! [tls]
//! cert = "/etc/ahoy-relay/fullchain.pem"
//! key = "/etc/ahoy-relay/privkey.pem"
//! [ice]
//! stun = ["stun:turn.example:3478"]
//! turn = ["turn:turn.example:3478?transport=udp", "turn:turn.example:3478?transport=tcp", "turns:turn.example:443?transport=tcp"]
//! turn-secret-file = "/etc/ahoy-relay/turn-secret"
//! [rooms]
//! url = "wss://rooms.example"
//! key-file = "/etc/ahoy-relay/rooms-key"
//! secret-file = "/etc/ahoy-relay/rooms-secret"
//! [limits]
//! connections = 10000
//! connections-of-address = 1024
//! inboxes = 100000
//! mail-bytes = 268435456
//! queue-bytes = 134217728
//! ```

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use serde::Deserialize;

use crate::crowd::Room;
use crate::rooms::RoomServer;
use crate::store::Bounds;
use crate::token::ApiKey;
use crate::turn::Ice;

/// What an operator decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where to listen; `--listen` wins.
    pub listen: Option<SocketAddr>,
    /// Certificate and key; the options win.
    pub tls: Option<Tls>,
    /// STUN and TURN servers.
    pub ice: IceTable,
    /// The server of the rooms.
    pub rooms: Option<RoomTable>,
    /// How much is kept.
    pub limits: Limits,
}

/// A LiveKit server, in which calls of many meet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RoomTable {
    /// Where phones reach it, and this relay too: `wss://HOST[:PORT]`.
    pub url: String,
    /// A file with the name of the secret.
    pub key_file: PathBuf,
    /// A file with the secret.
    pub secret_file: PathBuf,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    /// The certificate with its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// STUN and TURN servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct IceTable {
    /// `stun:host:port`
    pub stun: Vec<String>,
    /// `turn:host:port?transport=udp`, `turn:host:port?transport=tcp`, `turns:host:port?transport=tcp` (TLS)
    pub turn: Vec<String>,
    /// A file with the secret that the TURN server knows too.
    pub turn_secret_file: Option<PathBuf>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_of_address: usize,
    /// Inboxes with a token list.
    pub inboxes: usize,
    /// Bytes of all waiting mail.
    pub mail_bytes: usize,
    /// Bytes in the queues of all connections.
    pub queue_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (bounds, room) = (Bounds::default(), Room::default());
        Self {
            connections: room.connections,
            connections_of_address: room.of_address,
            inboxes: bounds.inboxes,
            mail_bytes: bounds.mail_bytes,
            queue_bytes: 128 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// For the connections.
    pub fn room(self) -> Room {
        Room { connections: self.connections, of_address: self.connections_of_address }
    }

    /// For the memory of lists and mail.
    pub fn bounds(self) -> Bounds {
        Bounds { inboxes: self.inboxes, mail_bytes: self.mail_bytes, ..Bounds::default() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not TOML, an unknown key, or a wrong value.
    #[error("{}: {at}: {message}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        at: Place,
        /// What is wrong, and what would be right.
        message: String,
    },
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &text(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let wrong = |start: usize, message: &str| {
            let before = &text[..text.floor_char_boundary(start.min(text.len()))];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            ConfigError::Wrong {
                path: path.to_owned(),
                at: Place { line, column },
                message: message.trim().replace('\n', "; "),
            }
        };
        let config: Self = toml::from_str(text)
            .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        let foreign = |url: &String, kinds: [&str; 2]| !kinds.iter().any(|kind| url.starts_with(kind));
        let too_many = |urls: &[String]| urls.len() > limits::ICE_SERVERS;
        if let Some(url) = config.ice.stun.iter().find(|url| foreign(url, ["stun:", "stuns:"])) {
            return Err(wrong(text.find(url).unwrap_or(0), "a `stun` server is written `stun:HOST:PORT`"));
        }
        if let Some(url) = config.ice.turn.iter().find(|url| foreign(url, ["turn:", "turns:"])) {
            return Err(wrong(text.find(url).unwrap_or(0), "a `turn` server is written `turn:HOST:PORT`"));
        }
        // TLS is over TCP here: no phone speaks it over UDP.
        let known = |url: &str| match url.split_once('?') {
            Some((_, "transport=udp")) => url.starts_with("turn:"),
            Some((_, "transport=tcp")) | None => true,
            Some(_) => false,
        };
        if let Some(url) = config.ice.turn.iter().find(|url| !known(url)) {
            let sentence = "a `turn` server is reached by `turn:HOST:PORT?transport=udp`, `turn:HOST:PORT?transport=tcp` or `turns:HOST:PORT?transport=tcp`";
            return Err(wrong(text.find(url).unwrap_or(0), sentence));
        }
        if too_many(&config.ice.stun) || too_many(&config.ice.turn) {
            return Err(wrong(text.find("[ice]").unwrap_or(0), "at most 16 servers of each kind"));
        }
        if let Some(RoomTable { url, .. }) = &config.rooms
            && RelayUrl::parse(url).is_err()
        {
            let sentence = "the server of the rooms is `wss://HOST[:PORT]`, or `ws://` on this machine";
            return Err(wrong(text.find(url).unwrap_or(0), sentence));
        }
        Ok(config)
    }

    /// The ICE servers, with the secret read from its file.
    pub fn ice(&self) -> Result<Ice, ConfigError> {
        let secret = self.ice.turn_secret_file.as_deref().map(text).transpose()?;
        let turn_secret = secret.map(|s| s.trim().to_owned()).filter(|s| !s.is_empty());
        Ok(Ice { stun: self.ice.stun.clone(), turn: self.ice.turn.clone(), turn_secret })
    }

    /// The server of the rooms, with key and secret read from their files.
    pub fn rooms(&self) -> Result<Option<RoomServer>, ConfigError> {
        let Some(table) = &self.rooms else { return Ok(None) };
        let word = |path: &Path| match text(path)?.trim() {
            "" => {
                let source = io::Error::new(io::ErrorKind::InvalidData, "it is empty");
                Err(ConfigError::Unreadable { path: path.to_owned(), source })
            }
            word => Ok(word.to_owned()),
        };
        let key = ApiKey { key: word(&table.key_file)?, secret: word(&table.secret_file)? };
        Ok(Some(RoomServer { urls: vec![table.url.clone()], key }))
    }
}

fn text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(Path::new("relay.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_example_of_the_head_comment_is_right() {
        let head: String = include_str!("config.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .flat_map(|line| [line.trim_start_matches("//! "), "\n"])
            .collect();
        let config = Config::parse(Path::new("x"), &head).unwrap();
        assert_eq!((config.limits, config.ice.turn.len()), (Limits::default(), 3));
        assert_eq!(config.tls.unwrap().key, Path::new("/etc/ahoy-relay/privkey.pem"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_with_its_place() {
        let text = error("listen = \"127.0.0.1:1\"\n[limits]\n  conections = 5\n");
        assert!(text.starts_with("relay.toml: line 3, column 3: unknown field `conections`"), "{text}");
        assert!(text.contains("`connections`"), "it says what would be right: {text}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_place() {
        assert!(error("\nlisten = \"here\"").starts_with("relay.toml: line 2, column 10: "));
        let wrong = error("[ice]\nturn = [\"stun:x\"]");
        assert!(wrong.starts_with("relay.toml: line 2, column 10: a `turn` server"), "{wrong}");
        for url in ["turn:x?transport=sctp", "turns:x?transport=udp", "turn:x?tcp", "turn:x?transport=udp&y"]
        {
            let wrong = error(&format!("[ice]\nturn = [\"turn:a\", \"turns:b\", \"{url}\"]"));
            assert!(
                wrong.starts_with("relay.toml: line 2, column 31: a `turn` server is reached"),
                "{wrong}"
            );
        }
        let wrong = error("[rooms]\nurl = \"ws://rooms.example\"\nkey-file = \"k\"\nsecret-file = \"s\"");
        assert!(wrong.starts_with("relay.toml: line 2, column 8: the server of the rooms"), "{wrong}");
        assert!(error("[tls]\ncert = \"c\"").contains("missing field `key`"));
        assert!(error("[limits").starts_with("relay.toml: line 1, column 8: "));
    }
}
