//! Everything a person or the world can do.
//!
//! Lives here: `Op`, random lists of it, and the worlds that they are played in.
//! Must not: know how a phone decides, or what must hold.

mod groups;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use ahoy_call::{
    CallId, Callee, Command, DeclineReason, Event, Input, Others, PhaseKind, Refusal, RingPolicy, Scope,
    Settings, State,
};

use crate::network::Chance;
use crate::world::{World, digits, peer};

/// One thing that happens. Devices and people are taken modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The device dials these people; the flag: others are held.
    Dial(usize, Targets, bool),
    /// Answer what rings.
    Answer(usize, Others),
    /// Decline what rings.
    Decline(usize, Scope),
    /// Silence what rings.
    Silence(usize),
    /// Hold the conversation that has the ear.
    Hold(usize),
    /// Take up a conversation that is held.
    Resume(usize),
    /// Swap.
    Swap(usize),
    /// Hang the newest call up.
    HangUp(usize),
    /// Hang up everything.
    HangUpAll(usize),
    /// Mute or unmute the newest call.
    Mute(usize, bool),
    /// The switch for all calls.
    MuteAll(usize, bool),
    /// Send digits in the call that is talked in.
    Tones(usize),
    /// The device blocks the person.
    Block(usize, usize),
    /// The device calls the person into its conversation.
    Invite(usize, usize),
    /// The device makes one call of its two conversations.
    Merge(usize),
    /// The device enters a group call that runs without it.
    Join(usize),
    /// The device puts somebody out of its group.
    Remove(usize, usize),
    /// The device ends its group for all.
    EndForAll(usize),
    /// The device blocks the person no more.
    Unblock(usize, usize),
    /// Neither a word nor sound passes between two devices any more, or both do again.
    Apart(usize, usize, bool),
    /// The server of rooms is as it should be, refuses, lets nobody in, or dies.
    Server(u64),
    /// A device reaches that server no more, or does again.
    Reach(usize, bool),
    /// Whether a path may be set up before the answer, from now on.
    Preconnect(bool),
    /// Time passes, milliseconds.
    Wait(u64),
    /// The relay link of a device goes or comes.
    Link(usize, bool),
    /// The path of sound between two devices is cut or mended.
    Cut(usize, usize, bool),
    /// A device's network changes.
    Moved(usize),
    /// A device's daemon is killed and started again.
    Crash(usize),
    /// A device's daemon stops in good order.
    Stop(usize),
    /// A device falls asleep or wakes up.
    Sleep(usize, bool),
    /// An input that need not fit, about the newest call or another one. Not in honest lists.
    Inject(usize, Input, bool),
}

/// Whom a call is to, by number: one in a direct call, up to four in a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Targets(u16);

impl Targets {
    /// These people.
    pub fn of(people: &[usize]) -> Self {
        Self(people.iter().fold(0, |all, person| all | 1 << (person % 16)))
    }

    /// Each of them in a world of so many people.
    pub fn among(self, people: usize) -> BTreeSet<usize> {
        self.numbers().map(|number| number % people).collect()
    }

    fn numbers(self) -> impl Iterator<Item = usize> {
        (0..16).filter(move |number| self.0 >> number & 1 == 1)
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<usize> = self.numbers().collect();
        write!(f, "Targets::of(&{all:?})")
    }
}

/// How a list is played.
#[derive(Clone, Debug)]
pub struct List {
    /// The seed of everything.
    pub seed: u64,
    /// What happens.
    pub ops: Vec<Op>,
    /// Everybody says only what the rules say.
    pub honest: bool,
    /// It is about groups.
    pub groups: bool,
}

impl List {
    /// The list of this seed. Every second one has inputs that do not fit.
    pub fn of(seed: u64, operations: usize) -> Self {
        let mut chance = Chance::new(seed);
        let honest = seed.is_multiple_of(2);
        let mut ops = Vec::new();
        // What does not fit ends calls soon: it takes more of them to get everywhere.
        let operations = if honest { operations } else { operations * 3 };
        while ops.len() < operations {
            let target = target(&mut chance);
            if !honest {
                ops.extend([Op::Link(1, true), Op::Cut(0, 1, false), Op::HangUpAll(0), Op::HangUpAll(1)]);
                ops.push(Op::Wait(11_000));
            }
            if !honest || chance.below(3) == 0 {
                ops.extend(way_to(target, &mut chance));
            }
            let burst = if honest { 8 + chance.below(24) } else { 3 + chance.below(10) };
            ops.extend(
                (0..burst).map(|_| if honest { Op::random(&mut chance) } else { Op::misfit(&mut chance) }),
            );
        }
        Self { seed, ops, honest, groups: false }
    }

    /// Two to five people with one or two devices, a network that loses, doubles and reorders.
    pub fn world(&self) -> World {
        if self.groups {
            return self.world_of_groups();
        }
        let mut chance = Chance::new(self.seed ^ 0x6e6f);
        let names = ["ada", "bob", "eve", "dan", "fay"];
        let people = if self.honest { 2 + index(&mut chance, 4) } else { 3 };
        let devices = |chance: &mut Chance| if self.honest && chance.below(3) == 0 { 2 } else { 1 };
        let all: Vec<_> = names[..people].iter().map(|name| (*name, devices(&mut chance))).collect();
        let mut world = World::with_devices(self.seed, &all);
        world.network.loss = if self.honest { [0.0, 0.05, 0.2][index(&mut chance, 3)] } else { 0.0 };
        world.network.doubling = 0.1;
        world.network.jitter = Duration::from_millis(1 + chance.below(if self.honest { 300 } else { 4 }));
        world.preconnect = chance.below(4) > 0;
        // Every third pair, without taking a chance from the rest.
        let pairs = (0..people).flat_map(|one| (0..one).map(move |other| (one, other)));
        let seed = usize::try_from(self.seed % 3).unwrap_or(0);
        for (one, other) in pairs.filter(|(one, other)| (one + other + seed) % 3 == 0) {
            world.telling.extend([(one, other), (other, one)]);
        }
        for who in 0..world.people.len() {
            world.people[who].policy = match chance.below(12) {
                0 => RingPolicy::Silent,
                1 => RingPolicy::AutoAnswer,
                _ => RingPolicy::Normal,
            };
            let call_waiting = !self.honest || chance.below(5) > 0;
            world.configure(who, Settings { call_waiting, ..Settings::default() });
        }
        world
    }

    /// Plays it; every invariant is checked after each step, and once more when everybody is back and all is quiet.
    ///
    /// # Panics
    /// If an invariant breaks.
    pub fn play(&self) -> World {
        let mut world = self.world();
        for op in &self.ops {
            // A refusal is checked inside; it is no failure here.
            let _ = op.run(&mut world);
            world.check();
        }
        world.network.offline.clear();
        world.network.loss = 0.0;
        for (a, b) in world.network.cut.clone() {
            world.cut(a, b, false);
        }
        world.network.apart.clear();
        world.set_server(0);
        for who in 0..world.people.len() {
            world.sleep(who, false);
            world.cut_from_rooms(who, false);
        }
        world.until_quiet();
        world.check();
        world.check_quiet(self.honest);
        world
    }

    /// Leaves out what is not needed to break an invariant.
    pub fn shortened(&self) -> Self {
        let breaks = |list: &Self| std::panic::catch_unwind(|| drop(list.play())).is_err();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut short = self.clone();
        let mut at = 0;
        while at < short.ops.len() {
            let mut fewer = short.clone();
            fewer.ops.remove(at);
            if breaks(&fewer) {
                short = fewer;
            } else {
                at += 1;
            }
        }
        std::panic::set_hook(hook);
        short
    }
}

/// A start of a group with these people.
fn start(world: &mut World, whom: &BTreeSet<usize>, hold_others: bool) -> Command {
    let targets =
        whom.iter().map(|one| Callee { peer: peer(*one), devices: world.devices_of(*one) }).collect();
    let (call, group, lifetime, note) = (world.fresh_call(), None, Duration::from_secs(30), None);
    Command::StartGroup { call, group, targets, lifetime, note, hold_others }
}

/// What can be given to a direct call, and where one can stand: what there was before there were groups.
pub fn direct() -> (Vec<Input>, Vec<PhaseKind>) {
    let of_groups = [
        Input::StartGroup,
        Input::Invite,
        Input::Merge,
        Input::Join,
        Input::Remove,
        Input::Unblock,
        Input::Met,
        Input::Invited,
        Input::Log,
        Input::RoomWord,
        Input::Passes,
        Input::NoRoom,
        Input::RoomKey,
        Input::HeardByRoom,
        Input::RoomOver,
        Input::Rooms,
    ];
    let inputs = Input::ALL.iter().copied().filter(|input| !of_groups.contains(input)).collect();
    let phases = PhaseKind::ALL.iter().copied().filter(|phase| *phase != PhaseKind::Outside).collect();
    (inputs, phases)
}

/// A phase to go to: oftener one that is hard to reach or soon over.
fn target(chance: &mut Chance) -> PhaseKind {
    let again = [
        [PhaseKind::Parked; 3],
        [PhaseKind::Parked; 3],
        [PhaseKind::Parked; 3],
        [PhaseKind::Arriving; 3],
        [PhaseKind::Dialing, PhaseKind::Alerting, PhaseKind::Knocking],
        [PhaseKind::Waiting, PhaseKind::Held, PhaseKind::Reconnecting],
        [PhaseKind::Waiting, PhaseKind::Held, PhaseKind::Reconnecting],
        [PhaseKind::Ringing, PhaseKind::Dialing, PhaseKind::Alerting],
    ]
    .concat();
    let (_, phases) = direct();
    let all = phases.len();
    let drawn = index(chance, all + again.len());
    if drawn < all { phases[drawn] } else { again[drawn - all] }
}

/// The device dials the person, and others are held.
fn dial(who: usize, whom: usize) -> Op {
    Op::Dial(who, Targets::of(&[whom]), true)
}

/// What leads to this phase on device 0, if the network is kind; to parking only if the ids fall so.
pub fn way_to(phase: PhaseKind, chance: &mut Chance) -> Vec<Op> {
    let (called, answered) = ([dial(1, 0), Op::Wait(1_500)], Op::Answer(0, Others::Hold));
    let talking = [called[0], called[1], answered, Op::Wait(500)];
    match phase {
        PhaseKind::Nothing => vec![Op::Wait(11_000)],
        PhaseKind::Dialing => vec![dial(0, 1), Op::Wait(chance.below(60))],
        PhaseKind::Alerting => vec![dial(0, 1), Op::Wait(1_500)],
        PhaseKind::Knocking => vec![dial(1, 0), Op::Wait(25 + chance.below(40))],
        PhaseKind::Parked => {
            vec![dial(0, 1), dial(1, 0), Op::Wait(60 + chance.below(40))]
        }
        PhaseKind::Arriving => {
            vec![Op::Cut(0, 1, true), dial(1, 0), Op::Wait(150 + chance.below(400))]
        }
        PhaseKind::Ringing => called.to_vec(),
        PhaseKind::Waiting => [&talking[..], &[dial(2, 0), Op::Wait(1_500)]].concat(),
        PhaseKind::Connecting => [&[Op::Cut(0, 1, true)], &called[..], &[answered]].concat(),
        PhaseKind::Talking => [&[Op::Cut(0, 1, false)], &talking[..]].concat(),
        PhaseKind::Held => [&[Op::Cut(0, 1, false)], &talking[..], &[Op::Hold(0)]].concat(),
        PhaseKind::Reconnecting => [&talking[..], &[Op::Cut(0, 1, true), Op::Wait(2_500)]].concat(),
        // Bob's group rings Eve on while Ada is out of it.
        PhaseKind::Outside => {
            vec![Op::Dial(1, Targets::of(&[0, 2]), true), Op::Wait(1_500), Op::Decline(0, Scope::ThisDevice)]
        }
        PhaseKind::Ended => [&talking[..], &[Op::HangUp(0)]].concat(),
    }
}

fn index(chance: &mut Chance, n: usize) -> usize {
    usize::try_from(chance.below(n as u64)).unwrap_or(0)
}

impl Op {
    /// A random one. Times are drawn so that some fall into every phase.
    pub fn random(chance: &mut Chance) -> Self {
        let (a, b, yes) = (index(chance, 10), index(chance, 10), chance.below(2) == 0);
        let others = if yes { Others::Hold } else { Others::Release };
        match chance.below(120) {
            0..=21 => Self::Dial(a, Targets::of(&[b]), chance.below(6) > 0),
            22..=43 => Self::Answer(a, others),
            44..=46 => Self::Decline(a, Scope::ThisDevice),
            47..=48 => Self::Decline(a, Scope::Everywhere),
            49..=50 => Self::Silence(a),
            51..=54 => Self::Hold(a),
            55..=57 => Self::Resume(a),
            58..=60 => Self::Swap(a),
            61..=66 => Self::HangUp(a),
            67 => Self::HangUpAll(a),
            68..=71 => Self::Mute(a, yes),
            72 => Self::MuteAll(a, yes),
            73 => Self::Tones(a),
            74 => Self::Block(a, b),
            75..=80 => Self::Link(a, chance.below(3) > 0),
            81..=86 => Self::Cut(a, b, yes),
            87..=88 => Self::Moved(a),
            89 => Self::Crash(a),
            90 => Self::Stop(a),
            91..=93 => Self::Sleep(a, chance.below(3) == 0),
            _ => Self::Wait(match chance.below(6) {
                0 | 1 => chance.below(60),
                2 | 3 => 300 + chance.below(1_500),
                4 => 2_000 + chance.below(8_000),
                _ => 10_000 + chance.below(70_000),
            }),
        }
    }

    /// A random input for device 0, whether it fits or not; sometimes a little time.
    fn misfit(chance: &mut Chance) -> Self {
        if chance.below(8) == 0 {
            return Self::Wait(chance.below(900));
        }
        let (inputs, _) = direct();
        Self::Inject(0, inputs[index(chance, inputs.len())], chance.below(5) > 0)
    }

    /// Does it.
    ///
    /// # Errors
    /// If it is a command, and refused.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left needs a device that is awake")]
    pub fn run(self, world: &mut World) -> Result<(), Refusal> {
        let (devices, people) = (world.people.len(), world.owners());
        let awake = |world: &World, who: usize| !world.people[who % devices].asleep;
        match self {
            Self::Wait(ms) => world.pass(Duration::from_millis(ms)),
            Self::Link(who, true) => {
                world.network.offline.remove(&(who % devices));
            }
            Self::Link(who, false) => {
                world.network.offline.insert(who % devices);
            }
            Self::Cut(a, b, cut) => world.cut(a % devices, b % devices, cut),
            // What is said in a call goes by its path, too.
            Self::Apart(a, b, apart) => {
                world.separate(a % devices, b % devices, apart);
                world.cut(a % devices, b % devices, apart);
            }
            Self::Server(state) => world.set_server(state),
            Self::Preconnect(yes) => world.preconnect = yes,
            Self::Reach(who, cut) => world.cut_from_rooms(who % devices, cut),
            Self::Sleep(who, asleep) => world.sleep(who % devices, asleep),
            Self::Crash(who) => world.crash(who % devices),
            Self::Moved(who) if awake(world, who) => world.event(who % devices, Event::NetworkChanged),
            Self::Stop(who) if awake(world, who) => world.event(who % devices, Event::Stopping),
            Self::Inject(who, input, newest) if awake(world, who) => {
                return world.inject(who % devices, input, newest);
            }
            Self::Block(who, whom)
                if !awake(world, who) || world.people[who % devices].owner == whom % people => {}
            Self::Dial(who, whom, hold_others) => {
                let whom = whom.among(people);
                if !awake(world, who) || whom.contains(&world.people[who % devices].owner) {
                    return Ok(());
                }
                let (1, Some(one)) = (whom.len(), whom.first()) else {
                    let start = start(world, &whom, hold_others);
                    return world.command(who % devices, start);
                };
                let (call, peer, devices_of) = (world.fresh_call(), peer(*one), world.devices_of(*one));
                let (lifetime, note) = (Duration::from_secs(30), None);
                let both_tell = world.tells(who % devices, *one);
                let dial =
                    Command::Dial { call, peer, devices: devices_of, lifetime, note, hold_others, both_tell };
                return world.command(who % devices, dial);
            }
            Self::Block(who, whom) => {
                return world.command(who % devices, Command::Block { peer: peer(whom % people) });
            }
            Self::Invite(who, _)
            | Self::Merge(who)
            | Self::Join(who)
            | Self::Remove(who, _)
            | Self::EndForAll(who)
            | Self::Unblock(who, _)
                if awake(world, who) =>
            {
                let command = self.command_of_a_group(world, who % devices).ok_or(Refusal::InvalidState)?;
                return world.command(who % devices, command);
            }
            Self::Answer(who, _)
            | Self::Decline(who, _)
            | Self::Silence(who)
            | Self::Hold(who)
            | Self::Resume(who)
            | Self::Swap(who)
            | Self::HangUp(who)
            | Self::HangUpAll(who)
            | Self::Mute(who, _)
            | Self::MuteAll(who, _)
            | Self::Tones(who)
                if awake(world, who) =>
            {
                let command = self.command(world, who % devices);
                return world.command(who % devices, command);
            }
            // Who sleeps does nothing.
            _ => {}
        }
        Ok(())
    }

    /// The command of a verb, for the call that a person would mean.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left is no verb on a call")]
    fn command(self, world: &World, who: usize) -> Command {
        let views = world.people[who].phone.views();
        let newest = views.last().map_or(CallId::from_bytes([0; 16]), |view| view.id);
        let meant = |states: &[State]| {
            views.iter().find(|view| states.contains(&view.state)).map_or(newest, |view| view.id)
        };
        let rings = meant(&[State::Waiting, State::Incoming]);
        match self {
            Self::Answer(_, others) => Command::Answer { call: rings, others },
            Self::Decline(_, scope) => {
                let (reason, text) = (DeclineReason::Declined, None);
                Command::Decline { call: rings, reason, scope, text }
            }
            Self::Silence(_) => Command::Silence { call: rings },
            Self::Hold(_) => Command::Hold { call: meant(&[State::Active, State::Connecting]) },
            Self::Resume(_) => Command::Resume { call: meant(&[State::Held]) },
            Self::HangUp(_) => Command::HangUp { call: newest, everyone: false },
            Self::HangUpAll(_) => Command::HangUpAll,
            Self::Mute(_, muted) => Command::SetMuted { call: newest, muted },
            Self::MuteAll(_, muted) => Command::SetAllMuted { muted },
            Self::Tones(_) => Command::SendTones { call: meant(&[State::Active]), digits: digits() },
            _ => Command::Swap,
        }
    }
}
