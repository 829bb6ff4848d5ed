//! Rows of contacts and of history, as clients ask for them and get them.
//!
//! Lives here: the values that travel between the stores, the engine and the bus.
//! Must not: know SQL, files or D-Bus.

use std::time::Duration;

use ahoy_call::{LegId, Moment};
use serde::{Deserialize, Serialize};

use crate::values::contact_rules::{ContactRules, MannerChange};
use crate::values::line::{Ciphers, Line, Pair};

/// Numbers about a call, from its beginning. What is not known is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Our microphone as it is sent, dBFS; known a moment after the first question.
    pub level_in: Option<f64>,
    /// Our speaker, dBFS.
    pub level_out: Option<f64>,
    /// By how much less their voice is sent back than it was played, dB.
    pub echo_return_loss: Option<f64>,
    /// Packets of voice that came.
    pub packets_in: u64,
    /// Packets of voice that we sent.
    pub packets_out: u64,
    /// Packets that were not there when they should have played.
    pub packets_lost: u64,
    /// Frames that were played as they came.
    pub packets_played: u64,
    /// Frames that were made up.
    pub packets_concealed: u64,
    /// The share of our packets that the other side lately missed, by its report.
    pub loss_out: Option<f64>,
    /// Of our codec, bit/s, as our voice is coded now.
    pub bitrate_out: Option<u32>,
    /// What of their voice came in the last second, bit/s.
    pub bitrate_in: Option<u32>,
    /// Earlier frames that went with later packets of ours.
    pub copies_out: u64,
    /// The same of theirs, as far as they were missing here.
    pub copies_in: u64,
    /// Packets of ours that the other side asked for again, each time.
    pub asked_out: u64,
    /// Packets of theirs that we asked for.
    pub asked_in: u64,
    /// Frames of theirs that were played from a copy or a repeat.
    pub packets_repaired: u64,
    /// The share of our frames that a copy or a repeat saved there, by its word.
    pub repaired_out: Option<f64>,
    /// The share of our frames that were made up there, by its word.
    pub concealed_out: Option<f64>,
    /// To the other side and back, by the same report.
    pub round_trip: Option<Duration>,
    /// How long a packet waits before it is played.
    pub playout_delay: Duration,
    /// How much later than the fastest nearly all packets come.
    pub jitter: Duration,
    /// The line as it is shown.
    pub line: Line,
    /// The ends of the path that carries the voice.
    pub pair: Option<Pair>,
    /// What it is encrypted with.
    pub ciphers: Option<Ciphers>,
    /// How what we hear would be judged: 1 to 5, an estimate by the E-model.
    pub mos: Option<f64>,
    /// When the first sound of theirs came that could be played.
    pub first_heard: Option<Moment>,
    /// The same of each of the others.
    pub members: Vec<MemberStats>,
}

/// Numbers about one of the others in a call.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberStats {
    /// Their device.
    pub leg: LegId,
    /// How loud their voice comes, dBFS; known while it is played.
    pub level: Option<f64>,
    /// What of the call's numbers is about them alone.
    pub numbers: Stats,
}

/// Which contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// A part of the name, id or address.
    pub text: Option<String>,
    /// Only blocked or only not.
    pub blocked: Option<bool>,
    /// Only favourites or only others.
    pub favorite: Option<bool>,
    /// At most so many, 1 to 1000; 100 if none.
    pub limit: Option<u32>,
    /// Go on after this id.
    pub after: Option<String>,
}

/// What to change of a contact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactChange {
    /// A new name, 1 to 64 characters.
    pub name: Option<String>,
    /// Block or unblock.
    pub blocked: Option<bool>,
    /// How it may ring, and the rest that a person decides.
    pub manner: MannerChange,
}

/// One contact. Times are microseconds since the Unix epoch, 0: never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactRow {
    /// 32 hex digits.
    pub id: String,
    /// z-base-32 of the account key.
    pub address: String,
    /// As the person calls them.
    pub name: String,
    /// Other contacts whose names could be taken for this one, by id; filled where one contact is asked for.
    pub twins: Vec<String>,
    /// Never answered, never rung.
    pub blocked: bool,
    /// A handshake was once completed: they have our card.
    pub mutual: bool,
    /// They answer our pings, as they said last.
    pub ping_there: bool,
    /// They said that their account has ended.
    pub ended: bool,
    /// Our last ping since the daemon began; filled where one contact is asked for.
    pub ping: Option<Ping>,
    /// What a person decided about them.
    pub manner: ContactRules,
    /// Sixty digits that both see alike, to be compared over another channel.
    pub safety_number: String,
    /// When it was added.
    pub added_at: i64,
    /// The last call with them.
    pub last_call_at: i64,
}

/// Somebody who asks to be a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRow {
    /// 32 hex digits, as of a contact.
    pub id: String,
    /// z-base-32 of the account key.
    pub address: String,
    /// As they call themselves.
    pub name: String,
    /// Contacts, and others who ask, whose names could be taken for this one, by id.
    pub twins: Vec<String>,
    /// Sixty digits that both see alike.
    pub safety_number: String,
    /// For whom the card was given out that they have used, as the person said then.
    pub given_to: String,
    /// When they asked; microseconds since the Unix epoch.
    pub asked_at: i64,
}

/// A named group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRow {
    /// 32 hex digits; all who are in it share it.
    pub id: String,
    /// As it is called here.
    pub name: String,
    /// The others in it, by id; those who are no contacts cannot be rung by us.
    pub members: Vec<String>,
    /// Their names, in the same order; of who is no contact the id.
    pub names: Vec<String>,
    /// Who told of it, by id; empty where our own person made or changed it.
    pub by: String,
}

/// A ping of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Which one it was.
    pub job: [u8; 16],
    /// How it stands.
    pub state: PingState,
    /// How long the trip there and back took, if it was answered.
    pub took: Option<Duration>,
    /// When it was sent; microseconds since the Unix epoch.
    pub at: i64,
}

ahoy_call::words! {
    /// How a ping stands.
    pub enum PingState {
        /// It is on its way.
        Asking = "asking",
        /// They can be reached.
        Answered = "answered",
        /// Nothing came: they are away, or do not let us see.
        Silent = "silent",
    }
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Created at or after, microseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Created before.
    pub until: Option<i64>,
    /// Contact id, 32 hex digits.
    pub contact: Option<String>,
    /// `incoming` or `outgoing`.
    pub direction: Option<String>,
    /// An outcome's spelling.
    pub outcome: Option<String>,
    /// A part of the name, the address, the note or the message; large and small letters are alike.
    pub text: Option<String>,
    /// At most so many, 1 to 1000; 50 if none.
    pub limit: Option<u32>,
    /// Rows older than this id.
    pub before: Option<u64>,
}

/// One call in history. Times are microseconds since the Unix epoch, 0: never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// The row.
    pub id: u64,
    /// The call, 32 hex digits.
    pub call: String,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// `direct` or `group`.
    pub kind: String,
    /// The contact's id, 32 hex digits.
    pub contact: String,
    /// Its name then.
    pub name: String,
    /// Its address.
    pub address: String,
    /// How it is filed; empty while it runs.
    pub outcome: String,
    /// Why it ended; empty while it runs.
    pub reason: String,
    /// On whose side; empty while it runs.
    pub ended_by: String,
    /// The dial's note.
    pub note: String,
    /// The text of the decline.
    pub message: String,
    /// When it was made.
    pub created_at: i64,
    /// When it first rang.
    pub ringing_at: i64,
    /// When it was answered.
    pub answered_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// Answer to end, milliseconds.
    pub duration_ms: u64,
    /// Somebody has seen it.
    pub seen: bool,
    /// Which way its packets went last; empty while it runs, and where it is not known.
    pub path: String,
    /// The median of its quality over time; the same.
    pub quality: String,
    /// How often the voice moved to another path, or came back by one that was lost.
    pub repairs: u64,
    /// Of a group: the others in it.
    pub peers: Vec<HistoryPeer>,
}

/// One of the others in a group, in history. Times as in [`HistoryRow`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPeer {
    /// Their id, 32 hex digits.
    pub contact: String,
    /// Their name then.
    pub name: String,
    /// How far they came, as `State` of a Peer.
    pub state: String,
    /// Since when they took part.
    pub joined_at: i64,
    /// Until when.
    pub left_at: i64,
}

/// One event of a call's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When, microseconds since the Unix epoch, as the calendar stood then.
    pub at: i64,
    /// How long after the first event, milliseconds. The calendar has no say in it.
    pub after_ms: u64,
    /// What: `dialed`, `offered`, `ringing-there`, …
    pub event: String,
    /// Who made it so: `local`, `remote`, `network`, `policy` or `restart`.
    pub source: String,
    /// The call's state after it.
    pub state: String,
    /// What else it tells, by name.
    pub data: Vec<(String, Told)>,
}

/// A value that an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A word or a text.
    Text(String),
    /// A number without a sign.
    Number(u64),
    /// A time, microseconds since the Unix epoch.
    Time(i64),
}

ahoy_call::words! {
    /// How an export is written.
    pub enum ExportFormat {
        /// One JSON object.
        Json = "json",
        /// Comma-separated values, RFC 4180.
        Csv = "csv",
        /// A calendar, RFC 5545.
        Ics = "ics",
    }
}

/// How long rows are kept; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Rows that ended longer ago go. 1 to 36,500.
    pub days: Option<u32>,
    /// The oldest rows beyond that many go. 1 to 10,000,000.
    pub rows: Option<u32>,
}
