//! Everything a person or the world can do, and what must hold after each of it.
//!
//! Lives here: `Op`, random lists of it, the invariants.
//! Must not: know how a phone decides.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::{Command, DeclineReason, Event, Fact, Others, Scope, State};

use crate::network::Chance;
use crate::world::{World, device, peer};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The first person dials the second.
    Dial(usize, usize),
    /// Answer the newest call.
    Answer(usize),
    /// Decline the newest call.
    Decline(usize),
    /// Hang the newest call up.
    HangUp(usize),
    /// Hang up everything.
    HangUpAll(usize),
    /// Mute or unmute the newest call.
    Mute(usize, bool),
    /// The switch for all calls.
    MuteAll(usize, bool),
    /// Time passes, milliseconds.
    Wait(u64),
    /// The relay link of a person goes or comes.
    Link(usize, bool),
    /// The path of sound between two people is cut or mended.
    Cut(usize, usize, bool),
    /// A person's network changes.
    Moved(usize),
    /// A person's daemon is killed and started again.
    Crash(usize),
}

impl Op {
    /// A random one among `people` people. Times are drawn so that some fall into every phase.
    pub fn random(chance: &mut Chance, people: u64) -> Self {
        let mut who = || usize::try_from(chance.below(people)).unwrap_or(0);
        let (a, b) = (who(), who());
        let yes = chance.below(2) == 0;
        match chance.below(100) {
            0..=19 => Self::Dial(a, if a == b { (a + 1) % 2 } else { b }),
            20..=39 => Self::Answer(a),
            40..=44 => Self::Decline(a),
            45..=52 => Self::HangUp(a),
            53 => Self::HangUpAll(a),
            54..=58 => Self::Mute(a, yes),
            59..=60 => Self::MuteAll(a, yes),
            61..=66 => Self::Link(a, chance.below(3) > 0),
            67..=72 => Self::Cut(a, if a == b { (a + 1) % 2 } else { b }, yes),
            73..=74 => Self::Moved(a),
            75 => Self::Crash(a),
            _ => Self::Wait(match chance.below(5) {
                0 => chance.below(60),
                1 | 2 => 300 + chance.below(1_500),
                3 => 2_000 + chance.below(8_000),
                _ => 10_000 + chance.below(70_000),
            }),
        }
    }

    /// Does it. `Err` tells that a command was refused.
    pub fn run(self, world: &mut World) -> Result<(), ahoy_call::Refusal> {
        match self {
            Self::Dial(a, b) => {
                let call = world.fresh_call();
                let (peer, devices) = (peer(b), vec![device(b)]);
                let lifetime = Duration::from_secs(30);
                return world.command(
                    a,
                    Command::Dial { call, peer, devices, lifetime, note: None, hold_others: true },
                );
            }
            Self::Answer(who) => {
                let call = world.last_call(who);
                return world.command(who, Command::Answer { call, others: Others::Hold });
            }
            Self::Decline(who) => {
                let call = world.last_call(who);
                let (reason, scope) = (DeclineReason::Declined, Scope::Everywhere);
                return world.command(who, Command::Decline { call, reason, scope, text: None });
            }
            Self::HangUp(who) => {
                let call = world.last_call(who);
                return world.command(who, Command::HangUp { call });
            }
            Self::HangUpAll(who) => return world.command(who, Command::HangUpAll),
            Self::Mute(who, muted) => {
                let call = world.last_call(who);
                return world.command(who, Command::SetMuted { call, muted });
            }
            Self::MuteAll(who, muted) => return world.command(who, Command::SetAllMuted { muted }),
            Self::Wait(ms) => world.pass(Duration::from_millis(ms)),
            Self::Link(who, true) => {
                world.network.offline.remove(&who);
            }
            Self::Link(who, false) => {
                world.network.offline.insert(who);
            }
            Self::Cut(a, b, cut) => world.cut(a, b, cut),
            Self::Moved(who) => world.event(who, Event::NetworkChanged),
            Self::Crash(who) => world.crash(who),
        }
        Ok(())
    }
}

impl World {
    /// What must hold after every step.
    ///
    /// # Panics
    /// If something does not.
    pub fn check(&self) {
        for person in &self.people {
            let views = person.phone.views();
            let voices = views.iter().filter(|view| speaks(view.state)).count();
            assert!(voices <= 1, "{} has {voices} voices", person.name);
            let living = views.iter().filter(|view| view.state != State::Disconnected).count();
            assert!(living <= 1, "{}: one call at a time, not {living}", person.name);
            for view in &views {
                assert_eq!(
                    person.published.get(&view.id),
                    Some(view),
                    "{}: the bus shows the truth",
                    person.name
                );
            }
            assert_eq!(person.published.len(), views.len(), "{}: nothing else is shown", person.name);
            if person.media.microphone_open() {
                assert!(voices == 1, "{}: the microphone is open without a call", person.name);
            }
            let mut ended = BTreeSet::new();
            for record in person.records.iter().filter(|record| record.fact == Fact::Ended) {
                assert!(ended.insert(record.view.id), "{}: a call ends once", person.name);
                assert!(record.view.outcome.is_some() && record.view.reason.is_some());
            }
        }
    }

    /// What must hold once nobody is cut off and time has passed.
    ///
    /// # Panics
    /// If something does not.
    pub fn check_quiet(&self) {
        for (number, person) in self.people.iter().enumerate() {
            for view in person.phone.views() {
                if view.state == State::Disconnected {
                    continue;
                }
                assert_eq!(view.state, State::Active, "{}: only a conversation lasts", person.name);
                let other = self.people.iter().enumerate().find(|(of, _)| peer(*of) == view.peer);
                let there = other
                    .and_then(|(_, other)| other.phone.views().into_iter().find(|there| there.id == view.id));
                assert_eq!(
                    there.map(|there| there.state),
                    Some(State::Active),
                    "both ends of {number} agree"
                );
                assert!(person.media.microphone_open(), "{}: a conversation has a microphone", person.name);
            }
            let begun: BTreeSet<_> = person.records.iter().map(|record| record.view.id).collect();
            let ended = person.records.iter().filter(|record| record.fact == Fact::Ended).count();
            let active = person.phone.views().iter().filter(|v| v.state == State::Active).count();
            assert_eq!(begun.len(), ended + active, "{}: every call has one row that ends", person.name);
        }
    }
}

fn speaks(state: State) -> bool {
    match state {
        State::Connecting | State::Active | State::Reconnecting => true,
        State::Dialing
        | State::Alerting
        | State::Incoming
        | State::Waiting
        | State::Held
        | State::Disconnected => false,
    }
}
