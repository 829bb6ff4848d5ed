//! Something that happened, for hooks, loggers and notices.
//!
//! Lives here: the value that leaves the engine's step with what it shows, for the bus and for the desktop alike.
//! Must not: be state: whoever starts late misses nothing that the board does not show.

use ahoy_call::{CallId, Direction, EndReason, Outcome, PeerId};

/// An event of `Manager.Event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// `call.incoming`, `relay.down`, …
    pub kind: &'static str,
    /// Rises by one with each event.
    pub serial: u64,
    /// What it is about.
    pub data: EventData,
}

/// What an event is about; what does not apply is left out on the bus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventData {
    /// The call.
    pub call: Option<CallId>,
    /// The contact.
    pub contact: Option<PeerId>,
    /// Its name.
    pub name: Option<String>,
    /// Who began the call.
    pub direction: Option<Direction>,
    /// Why the call ended.
    pub reason: Option<EndReason>,
    /// How history files it.
    pub outcome: Option<Outcome>,
    /// How long sound could flow, in milliseconds; 0 if it never did. Of a call that is over.
    pub duration_ms: Option<u64>,
    /// Its history row.
    pub history: Option<u64>,
    /// When, in microseconds since the Unix epoch: a note of a missed call tells of the past. Not on the bus.
    pub at_unix_us: i64,
}
