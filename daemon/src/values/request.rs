//! What a client may ask of the engine, and what it gets back.
//!
//! Lives here: requests, guards, answers and denials, as values.
//! Must not: know D-Bus, but for the names of its errors: `bus/` spells the rest.

use std::path::PathBuf;
use std::time::Duration;

use ahoy_call::{CallId, DeclineReason, Digits, MemberId, Others, Scope};
/// The kinds of denial: the one list of error names that the bus has.
pub use ahoy_dbus::ErrorName as DeniedKind;
use ahoy_proto::pair::link::Link;
use tokio::sync::oneshot;
use tracing::Level;

use crate::values::account::AccountRequest;
use crate::values::devices::{Adjust, Flow};
use crate::values::diagnosis::Finding;
use crate::values::dnd::Dnd;
pub use crate::values::lease::Lease;
use crate::values::link::LinkRow;
use crate::values::pairing::PairingRequest;
use crate::values::rows::{
    ContactChange, ContactFilter, ContactRow, ExportFormat, GroupRow, HistoryEvent, HistoryFilter,
    HistoryRow, RequestRow, Stats,
};
use crate::values::setting::Setting;

/// A request with the place for its answer. The bus fills in the answer's effect before it lets the reply go.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub what: Request,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Where an answer goes.
pub type Reply = oneshot::Sender<Result<Answer, Denied>>;

/// An answer, and where it goes.
pub type Answered = (Reply, Result<Answer, Denied>);

/// A wish of a client, by what it is about.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Calls.
    Call(CallRequest),
    /// Contacts, and our cards.
    Contact(ContactRequest),
    /// Past calls.
    History(HistoryRequest),
    /// Sound devices.
    Device(DeviceRequest),
    /// The daemon itself.
    Daemon(DaemonRequest),
    /// Becoming somebody's contact by a code.
    Pairing(PairingRequest),
    /// The account as a whole.
    Account(AccountRequest),
}

/// What is asked about calls.
#[derive(Debug, PartialEq)]
pub enum CallRequest {
    /// Call somebody.
    Dial {
        /// A contact's name, id or address.
        target: String,
        /// How long to ring; the configured time if none.
        lifetime: Option<Duration>,
        /// Shown there while it rings.
        note: Option<String>,
        /// Hold the call that is there; otherwise the dial is refused while there is one.
        hold_others: bool,
    },
    /// Call several at once.
    StartGroup {
        /// Contacts by name, id or address.
        targets: Vec<String>,
        /// How long to ring; a minute and a half if none.
        lifetime: Option<Duration>,
        /// Shown there while it rings.
        note: Option<String>,
        /// Hold the call that is there; otherwise it is refused while there is one.
        hold_others: bool,
    },
    /// Enter a group call of the history if it runs, else call its people anew.
    GroupAgain {
        /// Which it was.
        call: CallId,
        /// Who else was in it or called, by id.
        others: Vec<String>,
        /// As of `StartGroup`.
        lifetime: Option<Duration>,
        /// Shown there while it rings.
        note: Option<String>,
        /// Hold the call that is there; otherwise it is refused while there is one.
        hold_others: bool,
    },
    /// Call one more into a conversation.
    Invite {
        /// Which call.
        call: CallId,
        /// A contact's name, id or address.
        target: String,
        /// How long to ring; a minute and a half if none.
        lifetime: Option<Duration>,
    },
    /// Bring everybody of the second call into the first.
    Merge(CallId, CallId),
    /// Put somebody out of a group.
    RemoveMember(CallId, MemberId),
    /// A verb on one call.
    Verb {
        /// Which call.
        call: Which,
        /// What.
        verb: Verb,
        /// What the person saw.
        guard: Guard,
    },
    /// End all calls.
    HangUpAll,
    /// Hold the call that has the ear, and take up the one that is held.
    Swap,
    /// Answer the call that rings or waits; what becomes of the one that has the ear.
    AnswerNext(Others),
    /// The switch for all calls.
    SetAllMuted(bool),
    /// Silence the others in all calls.
    SetDeafened(bool),
    /// Write levels of a call into this pipe.
    OpenLevels(CallId, Lease),
    /// Numbers about a call.
    Stats(CallId),
    /// A call to oneself: told of by this socket, of so much sound at most.
    Test(Lease, Duration),
}

/// What is asked about contacts and cards.
#[derive(Debug, PartialEq)]
pub enum ContactRequest {
    /// Rows of contacts.
    List(ContactFilter),
    /// One contact by id.
    Get(String),
    /// Contacts by a part of name, id or address.
    Find(String),
    /// Add a contact by its card's text, `ahoy:1…`.
    Add(String),
    /// The same of somebody with whom we have just paired: they have our card.
    AddPaired(String),
    /// Change the contact of this id.
    Change(String, Box<ContactChange>),
    /// Remove a contact and revoke its token.
    Remove(String),
    /// Ask the contact of this id for a sign of life; answered with the job at once.
    Ping(String),
    /// Who asks to be a contact.
    Requests,
    /// Make a contact of who asks, by id or name.
    Accept(String),
    /// Send who asks away.
    Dismiss(String),
    /// Named groups.
    Groups,
    /// A new one, of these contacts; answered with its id.
    MakeGroup {
        /// Its name.
        name: String,
        /// By id, name or address.
        members: Vec<String>,
    },
    /// Another name or other people for the one of this id or name. What is not named stays.
    ChangeGroup {
        /// Which.
        group: String,
        /// A new name.
        name: Option<String>,
        /// Who comes.
        add: Vec<String>,
        /// Who goes.
        drop: Vec<String>,
    },
    /// Forget the one of this id or name; the others keep it.
    ForgetGroup(String),
    /// A fresh card of ours for somebody; the name is a reminder for whom.
    ExportCard(String),
    /// The cards that were given out and that nobody has used yet.
    ListCards,
    /// Take one of them back, by its id or a unique beginning of it.
    RevokeCard(String),
}

/// What is asked of the history.
#[derive(Debug, PartialEq)]
pub enum HistoryRequest {
    /// Rows, newest first.
    List(HistoryFilter),
    /// One row.
    Get(u64),
    /// The events of one row, in order.
    Events(u64),
    /// Missed rows that a person has seen; none: all.
    See(Vec<u64>),
    /// Rows that go for good, with their events.
    Delete(Vec<u64>),
    /// The rows that fit into a file.
    Export {
        /// How.
        format: ExportFormat,
        /// Which; `limit` and `before` do not count.
        filter: HistoryFilter,
        /// Where to; closed when all is written.
        into: Lease,
    },
    /// The whole database, into a new file at this path. The daemon's own wish.
    Copy(PathBuf),
}

/// What is asked of sound devices.
#[derive(Debug, PartialEq)]
pub enum DeviceRequest {
    /// Choose devices by their ids; none is the system's default.
    Choose {
        /// For what.
        role: DeviceRole,
        /// Which; several only for the ring.
        ids: Vec<String>,
    },
    /// Change a device in the sound server.
    Adjust(Adjust),
    /// Let the person hear a device, by its direction and id.
    Test(Flow, String),
    /// Write the level of a device into this pipe.
    OpenLevels(Flow, String, Lease),
}

/// What is asked of the daemon itself.
#[derive(Debug, PartialEq)]
pub enum DaemonRequest {
    /// Do-not-disturb.
    SetDnd(Dnd),
    /// How it rings, from now on; what is not named stays.
    SetRinger {
        /// Without a sound.
        muted: Option<bool>,
        /// 0 to 1.
        volume: Option<f64>,
    },
    /// A client, by its unique name on the bus, shows the ring itself; answered with whether that is new.
    RegisterAgent(String),
    /// It does so no longer.
    UnregisterAgent(String),
    /// Read the configuration again.
    Reload,
    /// Log that much until the configuration says otherwise than before.
    SetLogLevel(Level),
    /// Every setting with the value in force.
    ListSettings,
    /// Write the setting `table.key` into the configuration and apply it. `None`: back to the default.
    SetSetting(String, Option<Setting>),
    /// Our name as others see it.
    SetDisplayName(String),
    /// A link was opened: what it holds. `true`: a person is asked about it on the screen.
    OpenLink(Box<Link>, bool),
    /// Look whether all that calls need is there.
    Diagnose,
    /// The local network at this interface (where there is one alone: none) is the person's own, or not.
    TrustNetwork(String, bool),
}

macro_rules! requests {
    ($($kind:ident($of:ident)),*) => {
        $(impl From<$of> for Request {
            fn from(it: $of) -> Self {
                Self::$kind(it)
            }
        })*
    };
}
requests!(
    Call(CallRequest),
    Contact(ContactRequest),
    History(HistoryRequest),
    Device(DeviceRequest),
    Daemon(DaemonRequest),
    Pairing(PairingRequest),
    Account(AccountRequest)
);

ahoy_call::words! {
    /// What a sound device is chosen for.
    pub enum DeviceRole {
        /// The microphone of calls.
        Input = "input",
        /// The loudspeaker of calls.
        Output = "output",
        /// Where it rings.
        Ring = "ring",
    }
}

/// Which call a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Id(CallId),
    /// The one Focus shows.
    Focus,
    /// The one that waits beside it, if there is one, else the same.
    FocusRinging,
}

/// What to do to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Answer.
    Answer(Others),
    /// Stop our own ringing.
    Silence,
    /// Put it aside.
    Hold,
    /// Take it up again.
    Resume,
    /// The contrary of what it is; answered with `Answer::Flag(held)`.
    ToggleHold,
    /// Decline.
    Decline {
        /// The word the caller hears.
        reason: DeclineReason,
        /// For which of our devices.
        scope: Scope,
        /// A short text.
        text: Option<String>,
    },
    /// Hang up: our own part of a group.
    HangUp,
    /// End a group for all.
    EndForAll,
    /// Enter a group call that runs without us.
    Join,
    /// Mute or unmute.
    SetMuted(bool),
    /// The contrary of what it is; answered with `Answer::Flag(muted)`.
    ToggleMute,
    /// Send digits.
    SendTones(Digits),
}

/// What the person saw when they asked; if it is no longer so, the verb is `Stale` and nothing happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// The call.
    pub call: Option<CallId>,
    /// Its `Serial` (of Focus when the verb is for Focus).
    pub serial: Option<u64>,
}

/// What a request brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done.
    Done,
    /// The call that was made.
    Call(CallId),
    /// A new value.
    Flag(bool),
    /// Numbers about a call.
    Stats(Box<Stats>),
    /// A card, an id.
    Text(String),
    /// Settings by `table.key`, each with the value in force.
    Settings(Vec<(String, Setting)>),
    /// Contacts, and from where to go on (empty: no more).
    Contacts(Vec<ContactRow>, String),
    /// One contact.
    Contact(Box<ContactRow>),
    /// History rows, and the cursor to go on from (0: no more).
    History(Vec<HistoryRow>, u64),
    /// One history row.
    Row(Box<HistoryRow>),
    /// The events of one history row, in order.
    Events(Vec<HistoryEvent>),
    /// Cards that nobody has used yet: id, for whom, given out at (microseconds since the Unix epoch).
    Cards(Vec<(String, String, i64)>),
    /// Who asks to be a contact.
    Requests(Vec<RequestRow>),
    /// Named groups.
    Groups(Vec<GroupRow>),
    /// What a link holds.
    Link(Box<LinkRow>),
    /// How many.
    Count(u32),
    /// How many were told, of so many.
    Told(u32, u32),
    /// What a look around found.
    Findings(Vec<Finding>),
}

/// Why a request was denied: one D-Bus error name each, and one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The kind.
    pub kind: DeniedKind,
    /// For the person.
    pub sentence: String,
}

impl Denied {
    /// A denial with its sentence.
    pub fn new(kind: DeniedKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }
}
