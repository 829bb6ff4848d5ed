//! What clients ask: what each request comes to, before anything is done.
//!
//! Lives here: the ways in which a request is met; one file a subject, `calls.rs`, `contacts.rs`, `devices.rs`, `daemon.rs`
//! (the history answers by itself); what waits for the disk: `disk_line.rs`; what a person reads when the rules refuse:
//! `refused.rs`.
//! Must not: know the engine or D-Bus; do anything; wait.

mod calls;
mod contact_cards;
mod contacts;
mod daemon;
mod devices;
mod disk_line;
mod groups;
mod refused;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Command, Moment, PeerId, Phone};

pub(super) use self::contact_cards::{CardDone, card_for, newer_card, stranger};
pub(super) use self::contacts::{ContactDone, expire};
pub(super) use self::daemon::{Fresh, NotTaken, chosen, learn, reload, remember};
pub(super) use self::disk_line::{DiskLine, Stored, Waiting};
pub(super) use self::groups::learned as group_learned;
pub(super) use self::refused::{about, denied};
use crate::config::ChosenKey;
use crate::contacts::{Change, Contacts};
use crate::discovery::Memory;
use crate::engine::devices::Devices;
use crate::engine::groups::NamedGroups;
use crate::engine::in_force::InForce;
use crate::engine::networks::Networks;
use crate::engine::pings::Pings;
use crate::engine::relays::Relays;
use crate::engine::ring_policy::RingPolicy;
use crate::engine::shown::Focus;
use crate::media;
use crate::system::paths::Paths;
use crate::system::store::{Gate, Store};
use crate::values::account::AccountRequest;
use crate::values::board::Board;
use crate::values::devices::Adjust;
use crate::values::dnd::Dnd;
use crate::values::link::Offer;
use crate::values::near::Judged;
use crate::values::own::Own;
use crate::values::pairing::PairingRequest;
use crate::values::request::{Answer, Denied, DeniedKind, HistoryRequest, Lease, Request};

/// What requests look at, and the little that asking alone changes.
pub(super) struct Components<'a> {
    pub now: Moment,
    pub unix_us: i64,
    pub phone: &'a Phone,
    pub focus: Focus,
    pub contacts: &'a Contacts,
    pub own: &'a Arc<Own>,
    pub in_force: &'a mut InForce,
    pub devices: &'a Devices,
    pub ring_policy: &'a mut RingPolicy,
    pub pings: &'a mut Pings,
    pub networks: &'a Networks,
    pub groups: &'a NamedGroups,
    pub relays: &'a Relays,
    pub board: &'a Board,
    pub agents: &'a mut BTreeSet<String>,
    pub paths: &'a Paths,
    pub store: &'a Store,
    /// The last link that was opened, for the screen.
    pub offer: &'a mut Option<Arc<Offer>>,
    /// A test call runs.
    pub test_call: bool,
}

/// How a request is met.
pub(super) enum Act {
    /// With this answer, now.
    Answer(Answer),
    /// The rules are asked; this is the answer if they agree.
    Command(Command, Answer),
    /// It is so once it is on the disk.
    Keep(Wish),
    /// The history does it, and answers.
    History(HistoryRequest),
    /// Media do it; this sentence is the answer if they do not.
    OfCall(CallId, media::CallOrder, &'static str),
    /// The same of a device.
    OfDevice(media::DeviceOrder, &'static str),
    /// Media answer with numbers about this call.
    Stats(CallId),
    /// A device is changed in the sound server.
    Adjust(Adjust),
    /// A call to oneself, told of by this socket, of so much sound at most.
    TestCall(Lease, Duration),
    /// It is over.
    EndTestCall,
    /// The others are silenced in all calls, or heard again.
    Deafen(bool),
    /// Signaling asks this contact for a sign of life; the answer is the job.
    Ping(CallId, PeerId),
    /// It is looked whether all that calls need is there.
    Diagnose,
    /// The network at this interface is the person's own, or not.
    Trust(String, bool),
    /// A code is wanted, typed, or given up.
    Pair(PairingRequest),
    /// Something is to become of the account as a whole.
    Account(AccountRequest),
    /// Something was picked in passing. `lasting`: the answer waits until it would outlive the daemon.
    Chosen { lasting: bool },
}

/// What is so only once it is on the disk. Looked at when its turn comes.
pub(super) type Wish = Box<dyn FnOnce(&mut Components<'_>) -> Result<Plan, Denied> + Send>;

/// What a wish comes to before the disk is asked.
pub(super) enum Plan {
    /// The disk is not needed.
    Now(Answer),
    /// This is done on the store's thread; what must not happen after it was given up, past the gate.
    Write(Job),
}

/// A part of a plan that touches the disk.
pub(super) type Job = Box<dyn FnOnce(&Gate) -> Done + Send>;

/// What came of a wish on the store's thread.
#[derive(Debug)]
pub(super) enum Done {
    /// A change of contacts or cards, as far as it was written.
    Contacts(Change, io::Result<()>, ContactDone),
    /// Do-not-disturb.
    Dnd(io::Result<()>, Dnd),
    /// What was picked in passing.
    Chosen(io::Result<()>),
    /// The configuration, and which setting of it was written just now.
    Config(Result<Fresh, NotTaken>, Option<ChosenKey>),
    /// Named groups.
    Groups(io::Result<()>, NamedGroups, Answer),
    /// What was said of local networks.
    Networks(io::Result<()>, Vec<Judged>),
    /// What is remembered of relays; whether others may have to be chosen.
    Relays { result: io::Result<()>, memory: Memory, others: bool },
    /// Our own name.
    Own(Result<Box<Own>, Denied>),
    /// A card of ours for a contact.
    Card(Box<CardDone>),
    /// Something was looked up.
    Answer(Answer),
    /// What the next run begins with.
    Account(io::Result<()>, Answer),
}

impl Components<'_> {
    /// What a request comes to.
    pub(super) fn on_request(&mut self, request: Request) -> Result<Act, Denied> {
        match request {
            Request::Call(request) => calls::on_request(request, self),
            Request::Contact(request) => contacts::on_request(request, self),
            Request::History(request) => Ok(Act::History(request)),
            Request::Device(request) => devices::on_request(request, self),
            Request::Daemon(request) => daemon::on_request(request, self),
            Request::Pairing(request) => Ok(Act::Pair(request)),
            Request::Account(request) => Ok(Act::Account(request)),
        }
    }
}

fn keep(
    wish: impl FnOnce(&mut Components<'_>) -> Result<Plan, Denied> + Send + 'static,
) -> Result<Act, Denied> {
    Ok(Act::Keep(Box::new(wish)))
}

/// Anything that went wrong, in a sentence.
pub(super) fn failed(sentence: impl std::fmt::Display) -> Denied {
    Denied::new(DeniedKind::Failed, sentence.to_string())
}

/// The disk did not take it within a person's patience.
pub(super) fn stuck() -> Denied {
    failed("nothing was changed, the disk does not answer: try again later")
}

/// A write that failed.
pub(super) fn not_kept(error: &io::Error) -> Denied {
    if error.kind() == io::ErrorKind::TimedOut {
        return stuck();
    }
    failed(format_args!("nothing was changed, the disk does not take it: {error}"))
}

/// A contact's id on the bus.
pub(super) fn hex(peer: PeerId) -> String {
    data_encoding::HEXLOWER.encode(&peer.bytes())
}

/// A random id, of a call or of a job.
fn fresh_id() -> Result<CallId, Denied> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(failed)?;
    // A random UUID (RFC 9562, version 4) is its text form.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(CallId::from_bytes(bytes))
}

fn no_contact(what: &str) -> Denied {
    let sentence = format!("No contact fits \"{what}\": `ahoyctl contact list` shows them all.");
    Denied::new(DeniedKind::NoSuchContact, sentence)
}
