//! A world of phones under a virtual clock.
//!
//! Lives here: people, their phones and ports as models; verbs that a test reads like prose.
//! Must not: know a rule of calling: the phones decide, the invariants judge (`op.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{
    CallId, CallView, Command, DeclineReason, Effect, Effects, Epoch, Event, Fact, LegId, MediaOrder,
    MediaReport, Message, Moment, Others, PeerId, Phone, Record, Refusal, RingPolicy, Scope, Settings,
    SignalOrder,
};

use crate::media::MediaModel;
use crate::network::{Chance, Network};

/// Waits between repeats of what was not acknowledged; the last one goes on.
const REPEATS: [u64; 4] = [500, 1_000, 2_000, 4_000];
/// Nothing is repeated longer than this.
const REPEAT_FOR: Duration = Duration::from_secs(30);
/// How long a cut path takes to be noticed.
const NOTICE: Duration = Duration::from_millis(1_800);

/// One person with one device.
#[derive(Clone, Debug)]
pub struct Person {
    /// For messages of tests.
    pub name: &'static str,
    /// The rules under test.
    pub phone: Phone,
    /// The media port.
    pub media: MediaModel,
    /// Every record, oldest first.
    pub records: Vec<Record>,
    /// What the bus shows.
    pub published: BTreeMap<CallId, CallView>,
    /// What already came in a session, to be taken once.
    taken: std::collections::BTreeSet<u64>,
    /// Sessions that stand, with the person at the other end.
    sessions: BTreeMap<(CallId, LegId), usize>,
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Happening {
    /// Try to carry this; again later if it did not arrive.
    Attempt { from: usize, to: usize, parcel: Parcel, tries: usize, until: Moment },
    /// A copy arrives.
    Arrive { from: usize, to: usize, parcel: Parcel },
    /// The media port reports.
    Report { to: usize, key: (CallId, LegId, Epoch), report: MediaReport },
    /// A cut is noticed, if it still is one.
    Notice { to: usize, key: (CallId, LegId, Epoch) },
}

#[derive(Clone, Debug)]
struct Parcel {
    number: u64,
    call: CallId,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Ring { lifetime: Duration },
    Say(Message),
    Bye,
}

/// People, a network, a clock.
#[derive(Clone, Debug)]
pub struct World {
    /// Virtual time.
    pub now: Moment,
    /// The source of all chance.
    pub chance: Chance,
    /// What lies between the people.
    pub network: Network,
    /// The people, by number.
    pub people: Vec<Person>,
    /// How often each (phase, input) came up.
    pub hits: BTreeMap<(String, &'static str), u64>,
    queue: BTreeMap<(Moment, u64), Happening>,
    counter: u64,
    /// Whether contacts allow the path before the ring.
    pub preconnect: bool,
}

/// The device of a person.
pub fn device(person: usize) -> LegId {
    // Mixed, so that the lower device is not always the lower person.
    let byte = u8::try_from(person).unwrap_or(0);
    LegId::from_bytes([byte.wrapping_mul(167) ^ 0x5a; 16])
}

/// A person as a contact.
pub fn peer(person: usize) -> PeerId {
    PeerId::from_bytes([u8::try_from(person).unwrap_or(0); 16])
}

impl World {
    /// A world with these people, all contacts of each other.
    pub fn new(seed: u64, names: &[&'static str]) -> Self {
        let person = |(number, name): (usize, &&'static str)| Person {
            name,
            phone: Phone::new(device(number), Settings::default()),
            media: MediaModel::default(),
            records: Vec::new(),
            published: BTreeMap::new(),
            taken: std::collections::BTreeSet::new(),
            sessions: BTreeMap::new(),
        };
        Self {
            now: Moment::from_micros(1_000_000),
            chance: Chance::new(seed),
            network: Network::default(),
            people: names.iter().enumerate().map(person).collect(),
            hits: BTreeMap::new(),
            queue: BTreeMap::new(),
            counter: 0,
            preconnect: true,
        }
    }

    /// The number of a person.
    ///
    /// # Panics
    /// If there is no such person.
    pub fn who(&self, name: &str) -> usize {
        self.people.iter().position(|person| person.name == name).expect("a person of this world")
    }

    /// `a` dials `b`.
    pub fn dial(&mut self, a: &str, b: &str) -> Result<CallId, Refusal> {
        self.dial_for(a, b, Duration::from_secs(60))
    }

    /// `a` dials `b` and lets it ring so long.
    pub fn dial_for(&mut self, a: &str, b: &str, lifetime: Duration) -> Result<CallId, Refusal> {
        let (a, b) = (self.who(a), self.who(b));
        let call = self.fresh_call();
        let command = Command::Dial {
            call,
            peer: peer(b),
            devices: vec![device(b)],
            lifetime,
            note: None,
            hold_others: true,
        };
        self.command(a, command).map(|()| call)
    }

    /// The person takes the call that rings.
    pub fn answer(&mut self, who: &str) -> Result<(), Refusal> {
        let who = self.who(who);
        let call = self.last_call(who);
        self.command(who, Command::Answer { call, others: Others::Hold })
    }

    /// The person declines the call that rings.
    pub fn decline(&mut self, who: &str) -> Result<(), Refusal> {
        let who = self.who(who);
        let call = self.last_call(who);
        let (reason, scope) = (DeclineReason::Declined, Scope::ThisDevice);
        self.command(who, Command::Decline { call, reason, scope, text: None })
    }

    /// The person hangs up.
    pub fn hang_up(&mut self, who: &str) -> Result<(), Refusal> {
        let who = self.who(who);
        let call = self.last_call(who);
        self.command(who, Command::HangUp { call })
    }

    /// The person mutes or unmutes.
    pub fn mute(&mut self, who: &str, muted: bool) -> Result<(), Refusal> {
        let who = self.who(who);
        let call = self.last_call(who);
        self.command(who, Command::SetMuted { call, muted })
    }

    /// The newest call that this person may know of, an unknown one if there is none.
    pub fn last_call(&self, who: usize) -> CallId {
        let views = self.people[who].phone.views();
        views.last().map_or(CallId::from_bytes([0; 16]), |view| view.id)
    }

    /// The newest view of this person.
    pub fn view(&self, who: &str) -> Option<CallView> {
        self.people[self.who(who)].phone.views().pop()
    }

    /// The facts of all records of a person, oldest first.
    pub fn facts(&self, who: &str) -> Vec<Fact> {
        self.people[self.who(who)].records.iter().map(|record| record.fact).collect()
    }

    /// The final records of a person, one for each ended call.
    pub fn rows(&self, who: &str) -> Vec<&Record> {
        let person = &self.people[self.who(who)];
        person.records.iter().filter(|record| record.fact == Fact::Ended).collect()
    }

    /// Cuts or mends the path of sound between two people.
    pub fn cut(&mut self, a: usize, b: usize, cut: bool) {
        let pair = (a.min(b), a.max(b));
        if cut {
            self.network.cut.insert(pair);
            for (to, from) in [(a, b), (b, a)] {
                let keys = self.people[to].media.paths.keys().filter(|key| key.1 == device(from));
                for key in keys.copied().collect::<Vec<_>>() {
                    self.later(NOTICE, Happening::Notice { to, key });
                }
            }
        } else {
            self.network.cut.remove(&pair);
        }
    }

    /// The daemon of a person is killed and started again: it forgets every call and says so.
    pub fn crash(&mut self, who: usize) {
        let own = device(who);
        for key in self.people[who].media.paths.keys().copied().collect::<Vec<_>>() {
            self.far_end_goes(who, key);
        }
        let sessions = core::mem::take(&mut self.people[who].sessions);
        let person = &mut self.people[who];
        let mut open: Vec<CallId> = Vec::new();
        for record in &person.records {
            match record.fact {
                Fact::Ended => open.retain(|call| *call != record.view.id),
                Fact::Dialed
                | Fact::Offered
                | Fact::RingingThere
                | Fact::RingingHere
                | Fact::Answered
                | Fact::Connected
                | Fact::PathLost
                | Fact::PathRestored
                | Fact::Held
                | Fact::Resumed
                | Fact::HeldThere
                | Fact::ResumedThere
                | Fact::GlareMerged
                | Fact::Noted => {
                    if !open.contains(&record.view.id) {
                        open.push(record.view.id);
                    }
                }
            }
        }
        person.phone = Phone::new(own, Settings::default());
        person.media = MediaModel::default();
        person.published.clear();
        // The next start closes open rows; here they leave the books.
        person.records.retain(|record| !open.contains(&record.view.id));
        self.queue.retain(|_, happening| match happening {
            Happening::Report { to, .. } | Happening::Notice { to, .. } => *to != who,
            Happening::Attempt { from, .. } => *from != who,
            Happening::Arrive { .. } => true,
        });
        for call in open {
            for ((_, _), to) in sessions.iter().filter(|((of, _), _)| *of == call) {
                let to = *to;
                self.post(who, to, call, What::Bye, REPEAT_FOR);
            }
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.run_until(until);
    }

    /// Lets time pass until nothing happens any more for a minute, at most ten minutes.
    pub fn until_quiet(&mut self) {
        for _ in 0..10 {
            self.pass(Duration::from_secs(60));
        }
    }

    /// One command, after a tick that is due. A refusal must have changed nothing.
    pub fn command(&mut self, who: usize, command: Command) -> Result<(), Refusal> {
        self.tick_if_due(who);
        let input = match &command {
            Command::Dial { .. } => "Dial",
            Command::Answer { .. } => "Answer",
            Command::Decline { .. } => "Decline",
            Command::Silence { .. } => "Silence",
            Command::Hold { .. } => "Hold",
            Command::Resume { .. } => "Resume",
            Command::Swap => "Swap",
            Command::Block { .. } => "Block",
            Command::HangUp { .. } => "HangUp",
            Command::HangUpAll => "HangUpAll",
            Command::SetMuted { .. } => "SetMuted",
            Command::SetAllMuted { .. } => "SetAllMuted",
        };
        self.hit(who, input);
        let before = format!("{:?}", self.people[who].phone);
        match self.people[who].phone.command(self.now, command) {
            Ok(effects) => {
                self.perform(who, effects);
                Ok(())
            }
            Err(refusal) => {
                let after = format!("{:?}", self.people[who].phone);
                assert_eq!(strip_last(&before), strip_last(&after), "a refusal changes nothing");
                Err(refusal)
            }
        }
    }

    /// One event, after a tick that is due.
    pub fn event(&mut self, who: usize, event: Event) {
        self.tick_if_due(who);
        let input = match &event {
            Event::Tick => "Tick",
            Event::Rung { .. } => "Rung",
            Event::MissedNote { .. } => "MissedNote",
            Event::Received { message, .. } => spoken(message),
            Event::Carried { .. } => "Carried",
            Event::Undeliverable { .. } => "Undeliverable",
            Event::Bye { .. } => "Bye",
            Event::Media { report, .. } => match report {
                MediaReport::Described(_) => "Described",
                MediaReport::Candidates { .. } => "Gathered",
                MediaReport::Up => "Up",
                MediaReport::Lost => "Lost",
                MediaReport::Stuck => "Stuck",
                MediaReport::Failed(_) => "Failed",
            },
            Event::NetworkChanged => "NetworkChanged",
            Event::Stopping => "Stopping",
        };
        self.hit(who, input);
        let effects = self.people[who].phone.event(self.now, event);
        self.perform(who, effects);
        let due = self.people[who].phone.deadline();
        assert!(due.is_none_or(|due| due.at > self.now), "the next deadline lies in the future");
    }

    fn tick_if_due(&mut self, who: usize) {
        if self.people[who].phone.deadline().is_some_and(|due| due.at <= self.now) {
            self.hit(who, "Tick");
            let effects = self.people[who].phone.event(self.now, Event::Tick);
            self.perform(who, effects);
            let due = self.people[who].phone.deadline();
            assert!(due.is_none_or(|due| due.at > self.now), "a tick uses its deadline up");
        }
    }

    fn hit(&mut self, who: usize, input: &'static str) {
        let state = self.people[who].phone.views().last().map(|view| format!("{:?}", view.state));
        *self.hits.entry((state.unwrap_or_else(|| "Idle".to_owned()), input)).or_default() += 1;
    }

    fn run_until(&mut self, until: Moment) {
        loop {
            let tick = (0..self.people.len())
                .filter_map(|who| self.people[who].phone.deadline().map(|due| (due.at, who)))
                .min();
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let at = [tick.map(|(at, _)| at), next].into_iter().flatten().min();
            let Some(at) = at.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if let Some((due, who)) = tick
                && due <= at
            {
                self.tick_if_due(who);
            } else if let Some(((_, _), happening)) = self.queue.pop_first() {
                self.happen(happening);
            }
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Attempt { from, to, parcel, tries, until } => {
                self.attempt(from, to, parcel, tries, until);
            }
            Happening::Arrive { from, to, parcel } => self.arrive(from, to, parcel),
            Happening::Report { to, key, report } => self.report(to, key, report),
            Happening::Notice { to, key } => {
                let from = (0..self.people.len()).find(|who| device(*who) == key.1).unwrap_or(to);
                let up = self.people[to].media.paths.get_mut(&key).filter(|path| path.up);
                if let Some(path) = up
                    && !self.network.sound_travels(to, from)
                {
                    path.up = false;
                    self.media_event(to, key, MediaReport::Lost);
                }
            }
        }
    }

    fn report(&mut self, to: usize, key: (CallId, LegId, Epoch), report: MediaReport) {
        if !self.people[to].media.paths.contains_key(&key) {
            return;
        }
        if report == MediaReport::Up {
            let Some(from) = (0..self.people.len()).find(|who| device(*who) == key.1) else { return };
            let theirs = (key.0, device(to), key.2);
            let both = self.people[from].media.paths.get(&theirs).is_some_and(|path| path.met);
            if !self.network.sound_travels(to, from) || !both {
                // Checks go on until the path opens or is taken down.
                self.later(Duration::from_millis(50), Happening::Report { to, key, report });
                return;
            }
            for (who, key) in [(to, key), (from, theirs)] {
                let path = self.people[who].media.paths.get_mut(&key).filter(|path| !path.up);
                if let Some(path) = path {
                    path.up = true;
                    self.media_event(who, key, MediaReport::Up);
                }
            }
            return;
        }
        self.media_event(to, key, report);
    }

    fn media_event(&mut self, to: usize, key: (CallId, LegId, Epoch), report: MediaReport) {
        let (call, leg, epoch) = key;
        self.event(to, Event::Media { call, leg, epoch, report });
    }

    fn attempt(&mut self, from: usize, to: usize, parcel: Parcel, tries: usize, until: Moment) {
        if self.people[to].taken.contains(&parcel.number) || self.now > until {
            return;
        }
        if !self.people[from].sessions.contains_key(&(parcel.call, device(to)))
            && !matches!(parcel.what, What::Bye)
        {
            return;
        }
        if matches!(parcel.what, What::Ring { .. }) && !self.network.offline.contains(&from) {
            self.event(from, Event::Carried { call: parcel.call, leg: device(to) });
        }
        for after in self.network.carry(&mut self.chance, from, to) {
            self.later(after, Happening::Arrive { from, to, parcel: parcel.clone() });
        }
        let wait = Duration::from_millis(REPEATS[tries.min(REPEATS.len() - 1)]);
        self.later(wait, Happening::Attempt { from, to, parcel, tries: tries + 1, until });
    }

    fn arrive(&mut self, from: usize, to: usize, parcel: Parcel) {
        let (call, leg) = (parcel.call, device(from));
        // A ring is given twice when it comes twice: the rules must not mind.
        let first = self.people[to].taken.insert(parcel.number);
        match parcel.what {
            What::Ring { lifetime } => {
                self.people[to].sessions.insert((call, leg), from);
                let preconnect = self.preconnect;
                self.event(
                    to,
                    Event::Rung {
                        call,
                        leg,
                        peer: peer(from),
                        lifetime,
                        preconnect,
                        policy: RingPolicy::Normal,
                    },
                );
            }
            What::Say(message) => {
                if first && self.people[to].sessions.contains_key(&(call, leg)) {
                    self.event(to, Event::Received { call, leg, message });
                }
            }
            What::Bye => {
                if first {
                    self.event(to, Event::Bye { call, leg });
                }
            }
        }
    }

    fn perform(&mut self, who: usize, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Signal { call, leg, order } => {
                    let Some(to) = (0..self.people.len()).find(|to| device(*to) == leg) else { continue };
                    match order {
                        SignalOrder::Ring { lifetime, .. } => {
                            self.people[who].sessions.insert((call, leg), to);
                            self.post(who, to, call, What::Ring { lifetime }, lifetime);
                        }
                        SignalOrder::Send(message) => {
                            self.post(who, to, call, What::Say(message), REPEAT_FOR);
                        }
                        SignalOrder::Missed { .. } => {}
                        SignalOrder::Forget => {
                            self.people[who].sessions.remove(&(call, leg));
                        }
                    }
                }
                Effect::Media { call, leg, epoch, order } => {
                    let key = (call, leg, epoch);
                    let closing = order == MediaOrder::Close;
                    for (after, report) in self.people[who].media.order(key, order) {
                        self.later(after, Happening::Report { to: who, key, report });
                    }
                    if closing {
                        self.far_end_goes(who, key);
                    }
                }
                Effect::Record(record) => {
                    self.people[who].records.push(*record);
                }
                Effect::Publish(view) => {
                    self.people[who].published.insert(view.id, *view);
                }
                Effect::Retire(call) => {
                    self.people[who].published.remove(&call);
                }
            }
        }
    }

    /// A path that one side takes down is noticed by the other as silence.
    fn far_end_goes(&mut self, who: usize, (call, leg, epoch): (CallId, LegId, Epoch)) {
        let Some(other) = (0..self.people.len()).find(|other| device(*other) == leg) else { return };
        let key = (call, device(who), epoch);
        if let Some(path) = self.people[other].media.paths.get_mut(&key)
            && path.up
        {
            path.up = false;
            self.later(NOTICE, Happening::Report { to: other, key, report: MediaReport::Lost });
        }
    }

    fn post(&mut self, from: usize, to: usize, call: CallId, what: What, keep: Duration) {
        self.counter += 1;
        let parcel = Parcel { number: self.counter, call, what };
        let until = self.now + keep;
        self.later(Duration::ZERO, Happening::Attempt { from, to, parcel, tries: 0, until });
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.counter += 1;
        self.queue.insert((self.now + after, self.counter), happening);
    }

    /// A fresh call id, drawn from the world's chance.
    pub fn fresh_call(&mut self) -> CallId {
        let (a, b) = (self.chance.bits().to_be_bytes(), self.chance.bits().to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&a);
        bytes[8..].copy_from_slice(&b);
        CallId::from_bytes(bytes)
    }
}

/// The phone's own clock is no state.
fn strip_last(debug: &str) -> String {
    debug.rsplit_once("last: ").map_or(debug, |(state, _)| state).to_owned()
}

fn spoken(message: &Message) -> &'static str {
    match message {
        Message::Ready => "Ready",
        Message::Offer { .. } => "Offer",
        Message::Description { .. } => "Description",
        Message::Candidates { .. } => "Candidates",
        Message::Ringing => "Ringing",
        Message::Accept => "Accept",
        Message::Decline { .. } => "Decline",
        Message::Cancel { .. } => "Cancel",
        Message::End { .. } => "End",
        Message::State { .. } => "State",
    }
}
