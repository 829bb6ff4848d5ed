//! The engine: one task that owns the phone and feeds it.
//!
//! Lives here: the loop, and the list of components, each of which owns its fields and knows no other: `shown/` (the board and
//! the line before it), `devices.rs`, `ring_policy/`, `requests/`, `in_force.rs`, `problems.rs`, `outages.rs`, `upkeep.rs`,
//! `credentials.rs`, `diagnoses.rs`, `lines.rs`, `networks.rs`, `pings.rs`, `greetings.rs`; `step.rs` says what an input comes to.
//! `relays.rs` says where our inboxes are to be.
//! The engine's hands: `perform.rs` (steps and requests), `due.rs` (what the time brings), `reports.rs`, `kept.rs` (what is on the disk), `rings.rs`, `refresh.rs`
//! (what is shown of no call), `test_call.rs`, `pairing.rs`, `accounts.rs`, `cards.rs`, `near.rs`, `found.rs`, `rooms.rs`.
//! Must not: wait for a port; know how anything is carried, stored, heard or shown.

mod accounts;
mod cards;
mod credentials;
mod devices;
mod diagnoses;
mod due;
mod found;
mod greetings;
mod group_news;
mod groups;
mod in_force;
mod kept;
mod lines;
mod near;
mod networks;
mod numbers;
mod outages;
#[cfg(any(test, feature = "sample"))]
pub mod outward;
mod pairing;
mod perform;
mod pings;
mod problems;
mod refresh;
mod relays;
mod reports;
mod requests;
mod ring_policy;
mod rings;
mod rooms;
mod self_named;
pub mod shown;
mod step;
mod test_call;
pub mod tones;
mod upkeep;
mod voices;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{Event, Moment, Phone};
use tokio::sync::{mpsc, watch};

use self::accounts::Accounts;
use self::credentials::Waits;
use self::devices::Devices;
use self::diagnoses::Diagnoses;
use self::greetings::Greetings;
use self::groups::NamedGroups;
use self::in_force::InForce;
use self::lines::Lines;
use self::networks::Networks;
use self::numbers::Numbers;
use self::outages::Outages;
use self::pairing::Pairings;
use self::pings::Pings;
use self::problems::{Problems, Source};
pub use self::refresh::{account_row, shown_id};
use self::relays::Relays;
pub use self::relays::{at_the_start, urls};
use self::requests::{DiskLine, Stored};
use self::ring_policy::RingPolicy;
use self::self_named::SelfNamed;
use self::shown::{Focus, Shown};
use self::upkeep::Upkeep;
use self::voices::Voices;
use crate::config::{Chosen, Config};
use crate::contacts::Contacts;
use crate::discovery::Memory;
use crate::room::port::Rooms;
use crate::system::paths::Paths;
use crate::system::store::Store;
use crate::system::{clock, ready};
use crate::values::diagnosis::Finding;
use crate::values::link::Offer;
use crate::values::own::{KeysNews, Own};
use crate::values::relays::ChosenRelay;
use crate::values::request::Asked;
use crate::values::room::RoomEvent;
use crate::values::tone::Tone;
use crate::{account, bus, desktop, diagnosis, discovery, history, media, neighbours, signal};

/// What stays in rooms may be behind with; they wait.
const STAYS: usize = 64;

/// Where orders go. Every queue is bounded; a full one is a failed port.
#[derive(Debug)]
pub struct Ports {
    /// To the relays and sessions.
    pub signal: mpsc::Sender<signal::SignalingOrder>,
    /// What signaling goes by.
    pub standing: watch::Sender<signal::Standing>,
    /// To neighbours on local networks.
    pub neighbours: mpsc::Sender<neighbours::Order>,
    /// What they are found by.
    pub places: watch::Sender<neighbours::Standing>,
    /// Who is asked for relays.
    pub discovery: watch::Sender<discovery::Standing>,
    /// To paths and sound.
    pub media: media::Media,
    /// To the database.
    pub history: mpsc::Sender<history::HistoryOrder>,
    /// How long it keeps rows.
    pub keep: watch::Sender<history::Retention>,
    /// Whoever looks around.
    pub diagnosis: diagnosis::Diagnosis,
    /// Whoever seals the account, and opens such a file.
    pub account: account::Accounts,
}

/// Where inputs come from. Commands are read first, so that a person is never queued behind the network.
#[derive(Debug)]
pub struct Inbox {
    /// Of clients.
    pub commands: mpsc::Receiver<Asked>,
    /// Of the bus port.
    pub bus: mpsc::Receiver<bus::Report>,
    /// Of the signaling port.
    pub signal: mpsc::Receiver<signal::Report>,
    /// Of neighbours.
    pub neighbours: mpsc::Receiver<neighbours::Report>,
    /// Of whoever looks for relays.
    pub discovery: mpsc::Receiver<discovery::Report>,
    /// Of the media port.
    pub media: mpsc::Receiver<media::Report>,
    /// Of the history port.
    pub history: mpsc::Receiver<history::Report>,
    /// Of the desktop port.
    pub desktop: mpsc::Receiver<desktop::Report>,
    /// Of whoever looks around.
    pub diagnosis: mpsc::Receiver<Vec<Finding>>,
    /// Of whoever seals the account.
    pub account: mpsc::Receiver<account::Report>,
    /// Of whoever waits for our keys.
    pub keys: watch::Receiver<KeysNews>,
}

/// The daemon's own files while it runs.
#[derive(Debug)]
pub struct Files {
    /// Where they lie.
    pub paths: Paths,
    /// What changes them.
    pub store: Store,
    /// What a person picked in passing.
    pub chosen: Chosen,
    /// What is remembered of relays, and which are in force.
    pub relays: (Memory, Vec<ChosenRelay>),
}

/// Why the engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Another daemon holds the name on the bus.
    NameTaken,
    /// The account is another, or none: all begins anew.
    Anew,
}

/// The owner of all call state.
#[derive(Debug)]
pub struct Engine {
    phone: Phone,
    shown: Shown,
    ports: Ports,
    contacts: Contacts,
    own: Arc<Own>,
    in_force: InForce,
    paths: Paths,
    store: Store,
    disk_line: DiskLine,
    problems: Problems,
    focus: Focus,
    devices: Devices,
    ring_policy: RingPolicy,
    links: signal::LinkState,
    networks: Networks,
    groups: NamedGroups,
    relays: Relays,
    waits: Waits,
    numbers: Numbers,
    diagnoses: Diagnoses,
    lines: Lines,
    voices: Voices,
    self_named: SelfNamed,
    rooms: Rooms,
    /// Where stays in rooms say what happens, and what they said.
    stays_in: mpsc::Sender<(u64, RoomEvent)>,
    stays: mpsc::Receiver<(u64, RoomEvent)>,
    pings: Pings,
    pairing: Pairings,
    accounts: Accounts,
    greetings: Greetings,
    upkeep: Upkeep,
    outages: Outages,
    /// The service manager knows that we are there.
    announced: bool,
    /// What sounds now.
    tone: Option<Tone>,
    /// The others are silenced in all calls.
    deafened: bool,
    /// The last link that was opened, for the screen.
    offer: Option<Arc<Offer>>,
    /// A test call runs.
    test_call: bool,
    /// Clients that show the ring themselves, by their unique names on the bus.
    agents: BTreeSet<String>,
    /// What the store's thread says.
    stored: mpsc::Receiver<Stored>,
}

impl Engine {
    /// An engine with no calls.
    pub fn new(
        written: Config,
        files: Files,
        own: Arc<Own>,
        contacts: Contacts,
        shown: Shown,
        ports: Ports,
    ) -> Self {
        let Files { paths, store, chosen, relays: (memory, relays) } = files;
        let in_force = InForce::new(written, chosen);
        let (disk_line, stored) = DiskLine::new(store.clone());
        let (stays_in, stays) = mpsc::channel(STAYS);
        let mut problems = Problems::default();
        problems.set(Source::Contacts, contacts.problems().borrow().clone());
        Self {
            phone: Phone::new(own.leg_id(), own.certificate.peer_id(), in_force.rules()),
            ring_policy: RingPolicy::open(&paths.dnd()),
            upkeep: Upkeep::new(clock::now()),
            networks: Networks::open(&paths.networks()),
            groups: NamedGroups::open(&paths.groups()),
            relays: Relays::new(memory, relays),
            shown,
            ports,
            contacts,
            own,
            in_force,
            paths,
            store,
            disk_line,
            problems,
            focus: Focus::default(),
            devices: Devices::default(),
            links: signal::LinkState::default(),
            waits: Waits::default(),
            numbers: Numbers::default(),
            diagnoses: Diagnoses::default(),
            lines: Lines::default(),
            voices: Voices::default(),
            self_named: SelfNamed::default(),
            rooms: Rooms::default(),
            stays_in,
            stays,
            pings: Pings::default(),
            pairing: Pairings::default(),
            accounts: Accounts::default(),
            greetings: Greetings::default(),
            outages: Outages::default(),
            announced: false,
            tone: None,
            deafened: false,
            offer: None,
            test_call: false,
            agents: BTreeSet::new(),
            stored,
        }
    }

    /// Runs until `stop` resolves or the bus name belongs to another daemon.
    pub async fn run(mut self, mut inbox: Inbox, stop: impl Future<Output = ()>) -> Ended {
        self.send_roster();
        self.greet_all();
        self.send_media_settings();
        self.ask_for_relays();
        self.look_at_cards();
        self.release(clock::now(), "start", Default::default(), None);
        let calendar = clock::until_set_or_an_hour();
        tokio::pin!(stop, calendar);
        let mut disk = self.store.problem();
        let mut damaged = self.contacts.problems();
        loop {
            if self.upkeep.calendar_was_set() {
                self.look_at_calendar();
            }
            if self.accounts.begins_anew() {
                self.on_event(Event::Stopping);
                self.wind_down(inbox).await;
                return Ended::Anew;
            }
            let (due, dnd_until) = (self.due(), self.ring_policy.dnd().until);
            tokio::select! {
                biased;
                () = &mut stop => {
                    self.on_event(Event::Stopping);
                    ready::stopping();
                    self.wind_down(inbox).await;
                    return Ended::Stopped;
                }
                Some(asked) = inbox.commands.recv() => self.on_request(asked),
                () = clock::sleep_until(due) => self.on_time(),
                () = clock::sleep_until_unix(dnd_until), if dnd_until != 0 => {
                    self.refresh();
                    self.policy_changed();
                }
                () = &mut calendar => {
                    calendar.set(clock::until_set_or_an_hour());
                    self.look_at_calendar();
                    // Whom we called in that hour counts first among neighbours.
                    self.send_near();
                }
                Some(report) = inbox.history.recv() => self.on_history(report),
                Some(stored) = self.stored.recv() => self.on_stored(stored),
                done = self.pairing.done() => self.on_pairing_done(done),
                Some(report) = inbox.bus.recv() => match report {
                    bus::Report::NameTaken => return Ended::NameTaken,
                    bus::Report::Up => self.on_bus(String::new()),
                    bus::Report::Down(why) => self.on_bus(why),
                },
                // What signaling reports is bounded by contact; what one call's data channel brings is not before it is here.
                Some(report) = inbox.signal.recv() => self.on_signal(report),
                Some(report) = inbox.neighbours.recv() => self.on_neighbours(report),
                Some(report) = inbox.discovery.recv() => self.on_found(report),
                Some(report) = inbox.media.recv() => self.on_media(report),
                Some((number, event)) = self.stays.recv() => self.on_stay(number, event),
                Some(findings) = inbox.diagnosis.recv() => self.on_findings(findings),
                Some(report) = inbox.account.recv() => self.on_account(report),
                Some(desktop::Report::NetworkChanged) = inbox.desktop.recv() => self.on_network(),
                Ok(()) = inbox.keys.changed() => {
                    let news = inbox.keys.borrow_and_update().clone();
                    self.on_keys(news);
                }
                Ok(()) = disk.changed() => {
                    let sentence = disk.borrow_and_update().clone();
                    self.on_problem(Source::Disk, [sentence]);
                }
                Ok(()) = damaged.changed() => {
                    let sentences = damaged.borrow_and_update().clone();
                    self.on_problem(Source::Contacts, sentences);
                }
                else => return Ended::Stopped,
            }
        }
    }

    /// Gives the ports at most two seconds to say goodbye and to commit.
    async fn wind_down(mut self, mut inbox: Inbox) {
        self.write_chosen(Moment::from_micros(u64::MAX));
        let written = self.shown.newest();
        self.order_signal(signal::SignalingOrder::Stop);
        let committed = async {
            while self.shown.safe() < written {
                match inbox.history.recv().await {
                    Some(report) => self.on_history(report),
                    None => break,
                }
            }
            while !self.disk_line.is_empty() {
                match self.stored.recv().await {
                    Some(stored) => self.on_stored(stored),
                    None => break,
                }
            }
            // Signaling drops its sender when everything is delivered.
            while inbox.signal.recv().await.is_some() {}
        };
        if clock::timeout(Duration::from_secs(2), committed).await.is_err() {
            tracing::warn!("a port did not finish in time");
        }
        if self.ports.history.try_send(history::HistoryOrder::Stop).is_err() {
            tracing::warn!("history was not told to stop");
        }
        self.shown.publish(bus::Publication::Stop);
    }
}
