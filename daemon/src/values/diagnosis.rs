//! What a look at the machine and its surroundings finds, on its way from whoever looks to whoever asked.
//!
//! Lives here: the names of the checks, what one found, what the engine knows beforehand, what other parts of the daemon say.
//! Must not: look at anything; hold an address, or a text of somebody else's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::values::devices::Found;
use crate::values::ice::IceServer;

ahoy_call::words! {
    /// How well it stands with what was looked at.
    pub enum Verdict {
        /// As it should be.
        Ok = "ok",
        /// Calls are possible, and something would be better otherwise.
        Warn = "warn",
        /// Something that calls need is missing.
        Fail = "fail",
    }
}

ahoy_call::words! {
    /// What is looked at, in the order in which it is told.
    #[derive(PartialOrd, Ord)]
    pub enum Check {
        /// The daemon itself: what it has missed since it began.
        Daemon = "daemon",
        /// The session bus.
        Bus = "bus",
        /// One relay of ours.
        Relay = "relay",
        /// A server that tells us our own address.
        Stun = "stun",
        /// A server that carries the media of a call, reached by UDP.
        TurnUdp = "turn-udp",
        /// The same, reached by TCP.
        TurnTcp = "turn-tcp",
        /// The same, reached by TLS.
        TurnTls = "turn-tls",
        /// The sound server.
        SoundServer = "sound-server",
        /// The microphone that calls would use.
        Microphone = "microphone",
        /// The loudspeaker that calls would use.
        Loudspeaker = "loudspeaker",
        /// Who shows that it rings.
        Notifications = "notifications",
        /// Whether the threads of sound may go before others.
        RealTime = "real-time",
        /// The machine's clocks.
        Clock = "clock",
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// How well.
    pub verdict: Verdict,
    /// What was found and, unless all is well, what to do. Names no address.
    pub sentence: String,
    /// The same for programs.
    pub data: BTreeMap<&'static str, Datum>,
}

impl Finding {
    /// With nothing beside the sentence.
    pub fn new(check: Check, verdict: Verdict, sentence: impl Into<String>) -> Self {
        Self { check, verdict, sentence: sentence.into(), data: BTreeMap::new() }
    }

    /// All is well.
    pub fn ok(check: Check, sentence: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, sentence)
    }

    /// Something would be better otherwise.
    pub fn warn(check: Check, sentence: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, sentence)
    }

    /// Something is missing.
    pub fn fail(check: Check, sentence: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, sentence)
    }

    /// The same with this beside it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Datum) -> Self {
        self.data.insert(key, value);
        self
    }
}

/// A value beside a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum {
    /// Yes or no.
    Flag(bool),
    /// A count, a number among others, a code.
    Count(u32),
    /// A time; its key says whether in milliseconds or seconds.
    Real(f64),
}

impl Datum {
    /// In milliseconds.
    pub fn ms(took: Duration) -> Self {
        Self::Real(took.as_secs_f64() * 1_000.0)
    }
}

/// What the engine knows when it is asked.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The person wants to be reached.
    pub enabled: bool,
    /// How many relays are configured.
    pub relays: u32,
    /// One of them at least is connected.
    pub online: bool,
    /// STUN and TURN servers that they have handed out.
    pub ice_servers: Vec<IceServer>,
    /// One more file of certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// The chosen microphone; the system's default if none.
    pub input: Option<String>,
    /// The chosen loudspeaker.
    pub output: Option<String>,
    /// What no check looks at and is known to be missing, in sentences for a person.
    pub problems: Vec<String>,
}

/// Where relay links say how they stand. The channel ends when all have said what they know.
pub type LinkEar = mpsc::Sender<LinkNews>;

/// What is said of the link to one of our relays; relays are counted from 1, as they are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkNews {
    /// There is no connection, and why; for a person.
    Down(u32, String),
    /// It is believed to stand. What the relay answers comes next, if it does.
    Up(u32),
    /// The relay answered.
    Answered {
        /// Which.
        relay: u32,
        /// How long the trip there and back took.
        took: Duration,
        /// By how many seconds our calendar is ahead of its; none where it does not tell.
        ahead_s: Option<i64>,
    },
}

/// What the sound server says when it is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundServer {
    /// It answers, or there is no server and a bare sound card, or nothing.
    Found(Arc<Found>),
    /// One listens and does not answer.
    Silent,
}

/// How a STUN or TURN server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// STUN by UDP: what is our address.
    Stun,
    /// TURN by UDP.
    Udp,
    /// TURN by TCP.
    Tcp,
    /// TURN by TLS.
    Tls,
}

impl Wire {
    /// By which transport a server of this URL is asked (RFC 7064, RFC 7065); none for what we have no use for.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        match scheme {
            "stun" => Some(Self::Stun),
            "turn" if rest.ends_with("?transport=tcp") => Some(Self::Tcp),
            "turn" => Some(Self::Udp),
            "turns" => Some(Self::Tls),
            _ => None,
        }
    }
}

/// Why a STUN or TURN server is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Useless {
    /// Its address is spelled in a way that nobody understands.
    #[error("not understood")]
    Spelling,
    /// Its name has no address.
    #[error("no such name")]
    NoName,
    /// Nothing answers.
    #[error("no answer")]
    Silent,
    /// The connection is refused, or there is no way.
    #[error("unreachable")]
    Unreachable,
    /// Its certificate is not believed.
    #[error("certificate")]
    Certificate,
    /// What answers is no such server.
    #[error("nonsense")]
    Nonsense,
    /// It refuses, with this code (RFC 8656 §19).
    #[error("code {0}")]
    Refused(u16),
}
