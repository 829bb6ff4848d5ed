//! A world of phones under a virtual clock.
//!
//! Lives here: people, their devices and ports as models; what each input of a phone passes through.
//! Must not: know a rule of calling: the phones decide, the invariants judge (`op.rs`, `check.rs`).

mod carry;
mod check;
mod faults;
mod lies;
mod ports;
mod room_checks;
mod room_keys;
mod room_news;
mod rooms;
pub mod scenes;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::group::Start;
use ahoy_call::{
    CallId, CallView, Command, Digits, Event, Input, LegId, Moment, PeerId, PhaseKind, Phone, Record,
    Refusal, RingPolicy, Settings,
};

use crate::media::MediaModel;
use crate::network::{Chance, Network};
use carry::Happening;
pub use rooms::Rooms;

/// What stories are told in.
pub const SECOND: Duration = Duration::from_secs(1);
/// How long a phone rings.
pub const MINUTE: Duration = Duration::from_secs(60);

/// One device of a person.
#[derive(Clone, Debug)]
pub struct Device {
    /// For messages of tests: the person's name, from the second device on with a number.
    pub name: String,
    /// The person.
    pub owner: usize,
    /// The rules under test.
    pub phone: Phone,
    /// What the person decided.
    pub settings: Settings,
    /// What this device does when somebody rings.
    pub policy: RingPolicy,
    /// The media port.
    pub media: MediaModel,
    /// Every record, oldest first.
    pub records: Vec<Record>,
    /// What the bus shows.
    pub published: BTreeMap<CallId, CallView>,
    /// By which id media know each of those that became another's call.
    wires: BTreeMap<CallId, CallId>,
    /// It sleeps: nothing reaches it, and its clock is not looked at.
    pub asleep: bool,
    /// What already came in a session, to be taken once.
    taken: BTreeSet<u64>,
    /// Calls in whose session something came: survives a crash, as signaling's own memory does.
    proved: BTreeSet<CallId>,
    /// Calls whose note was taken, likewise.
    noted: BTreeSet<CallId>,
    /// Rings that were not answered by a session yet; `false`: it is no ring, but a member's message 1.
    calling: BTreeMap<(CallId, LegId), bool>,
    /// Those of them that are repeated no more.
    taken_back: BTreeSet<(CallId, LegId)>,
    /// Sessions that stand, with the device at the other end.
    sessions: BTreeMap<(CallId, LegId), usize>,
}

/// People, a network, a clock.
#[derive(Clone, Debug)]
pub struct World {
    /// Virtual time.
    pub now: Moment,
    /// The source of all chance.
    pub chance: Chance,
    /// What lies between the devices.
    pub network: Network,
    /// All devices, by number.
    pub people: Vec<Device>,
    /// How often each (phase, input) came up.
    pub hits: BTreeMap<(PhaseKind, Input), u64>,
    /// Whether contacts allow the path before the ring.
    pub preconnect: bool,
    /// Pairs of people who let each other see whether they can be reached.
    pub telling: BTreeSet<(usize, usize)>,
    /// What each group call was begun as: a part of everything that is said of it.
    starts: BTreeMap<CallId, Start>,
    /// The server of rooms.
    pub rooms: Rooms,
    /// How many messages each device sent to each other one, repeats apart.
    pub said: BTreeMap<(usize, usize), u32>,
    /// How often somebody was blocked: what is seen of a member is then not the same for all.
    pub blocks: u32,
    queue: BTreeMap<(Moment, u64), Happening>,
    /// What waits for a device that sleeps.
    kept: Vec<(usize, Happening)>,
    counter: u64,
}

/// A device as the others see it.
pub fn device(number: usize) -> LegId {
    // Mixed, so that the lower device is not always the lower person.
    let byte = u8::try_from(number).unwrap_or(0);
    LegId::from_bytes([byte.wrapping_mul(167) ^ 0x5a; 16])
}

/// A person as a contact.
pub fn peer(person: usize) -> PeerId {
    PeerId::from_bytes([u8::try_from(person).unwrap_or(0); 16])
}

impl World {
    /// A world of these people, one device each, all contacts of each other.
    pub fn new(seed: u64, names: &[&str]) -> Self {
        Self::with_devices(seed, &names.iter().map(|name| (*name, 1)).collect::<Vec<_>>())
    }

    /// A world of these people with so many devices each: `bob`, `bob2`, …
    pub fn with_devices(seed: u64, people: &[(&str, usize)]) -> Self {
        let mut all = Vec::new();
        for (owner, (name, devices)) in people.iter().enumerate() {
            for of in 1..=*devices {
                let name = if of == 1 { (*name).to_owned() } else { format!("{name}{of}") };
                all.push(Device {
                    name,
                    owner,
                    phone: Phone::new(device(all.len()), peer(owner), Settings::default()),
                    settings: Settings::default(),
                    policy: RingPolicy::Normal,
                    media: MediaModel::default(),
                    records: Vec::new(),
                    published: BTreeMap::new(),
                    wires: BTreeMap::new(),
                    asleep: false,
                    taken: BTreeSet::new(),
                    proved: BTreeSet::new(),
                    noted: BTreeSet::new(),
                    calling: BTreeMap::new(),
                    taken_back: BTreeSet::new(),
                    sessions: BTreeMap::new(),
                });
            }
        }
        Self {
            now: Moment::from_micros(1_000_000),
            chance: Chance::new(seed),
            network: Network::default(),
            people: all,
            hits: BTreeMap::new(),
            preconnect: true,
            telling: BTreeSet::new(),
            starts: BTreeMap::new(),
            rooms: Rooms::default(),
            said: BTreeMap::new(),
            blocks: 0,
            queue: BTreeMap::new(),
            kept: Vec::new(),
            counter: 0,
        }
    }

    /// Other settings for one device, from now on.
    pub fn configure(&mut self, who: usize, settings: Settings) {
        self.people[who].settings = settings.clone();
        self.people[who].phone.configure(settings);
    }

    /// The devices of a person.
    pub fn devices_of(&self, owner: usize) -> Vec<LegId> {
        let of = self.people.iter().enumerate().filter(|(_, it)| it.owner == owner);
        of.map(|(number, _)| device(number)).collect()
    }

    /// The number of a device.
    pub(crate) fn number(&self, leg: LegId) -> Option<usize> {
        (0..self.people.len()).find(|number| device(*number) == leg)
    }

    /// A fresh call id, drawn from the world's chance.
    pub fn fresh_call(&mut self) -> CallId {
        let (a, b) = (self.chance.bits().to_be_bytes(), self.chance.bits().to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&a);
        bytes[8..].copy_from_slice(&b);
        CallId::from_bytes(bytes)
    }

    /// One command, after a tick that is due. A refusal must have changed nothing.
    pub fn command(&mut self, who: usize, command: Command) -> Result<(), Refusal> {
        self.tick_if_due(who);
        self.hit(who, Input::from(&command), about(&command));
        self.blocks += u32::from(matches!(command, Command::Block { .. }));
        let before = self.people[who].phone.clone();
        match self.people[who].phone.command(self.now, command) {
            Ok(effects) => {
                self.perform(who, effects);
                self.must_look_ahead(who);
                Ok(())
            }
            Err(refusal) => {
                assert!(before == self.people[who].phone, "a refusal ({refusal:?}) changes nothing");
                Err(refusal)
            }
        }
    }

    /// One event, after a tick that is due.
    pub fn event(&mut self, who: usize, event: Event) {
        self.tick_if_due(who);
        let call = match &event {
            Event::Rung { call, .. }
            | Event::Met { call, .. }
            | Event::MissedNote { call, .. }
            | Event::Received { call, .. }
            | Event::Carried { call, .. }
            | Event::Undeliverable { call, .. }
            | Event::Bye { call, .. }
            | Event::Media { call, .. }
            | Event::Room { call, .. }
            | Event::MediaGone { call } => Some(*call),
            Event::Tick | Event::Rooms(_) | Event::NetworkChanged | Event::Stopping => None,
        };
        self.hit(who, Input::from(&event), call);
        let effects = self.people[who].phone.event(self.now, event);
        self.perform(who, effects);
        self.must_look_ahead(who);
    }

    fn tick_if_due(&mut self, who: usize) {
        if self.people[who].phone.deadline().is_some_and(|due| due.at <= self.now) {
            self.hit(who, Input::Tick, None);
            let effects = self.people[who].phone.event(self.now, Event::Tick);
            self.perform(who, effects);
            self.must_look_ahead(who);
        }
    }

    fn must_look_ahead(&self, who: usize) {
        let due = self.people[who].phone.deadline();
        assert!(due.is_none_or(|due| due.at > self.now), "the next deadline lies in the future");
    }

    /// Counts the cell: of the call that the input is about, else of each call that there is.
    fn hit(&mut self, who: usize, input: Input, call: Option<CallId>) {
        let phone = &self.people[who].phone;
        let phases = match call {
            Some(call) => vec![phone.phase(call)],
            None => {
                let mut all: Vec<PhaseKind> = phone.standing().into_iter().map(|(_, phase)| phase).collect();
                let over = phone.views().iter().any(|view| view.state == ahoy_call::State::Disconnected);
                // What is due is about a call, even if it is one that nobody may see any more.
                all.extend((over || (all.is_empty() && input == Input::Tick)).then_some(PhaseKind::Ended));
                all.extend(all.is_empty().then_some(PhaseKind::Nothing));
                all
            }
        };
        for phase in phases {
            *self.hits.entry((phase, input)).or_default() += 1;
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.run_until(until);
    }

    /// Lets time pass until nothing can be under way any more: ten minutes.
    pub fn until_quiet(&mut self) {
        self.pass(Duration::from_secs(600));
    }
}

/// Some digits and a pause.
///
/// # Panics
/// Never: they are digits.
pub fn digits() -> Digits {
    Digits::parse("12,#").expect("digits")
}

fn about(command: &Command) -> Option<CallId> {
    match command {
        Command::Answer { call, .. }
        | Command::Decline { call, .. }
        | Command::Silence { call }
        | Command::Hold { call }
        | Command::Resume { call }
        | Command::Invite { call, .. }
        | Command::Merge { call, .. }
        | Command::Join { call }
        | Command::Remove { call, .. }
        | Command::HangUp { call, .. }
        | Command::SetMuted { call, .. }
        | Command::SendTones { call, .. } => Some(*call),
        Command::Dial { .. }
        | Command::StartGroup { .. }
        | Command::Swap
        | Command::Block { .. }
        | Command::Unblock { .. }
        | Command::HangUpAll
        | Command::SetAllMuted { .. } => None,
    }
}
