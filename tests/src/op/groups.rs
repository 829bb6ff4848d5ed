//! Lists of operations about groups.
//!
//! Lives here: the lists, the worlds that they are played in, the commands that only a group has.
//! Must not: change what lists about direct calls hold: their seeds are known.

use ahoy_call::{CallId, CallKind, CallView, Callee, Command, Input, MemberId, State};

use super::{List, Op, Targets, index};
use crate::network::Chance;
use crate::world::{World, peer};

impl List {
    /// The list of this seed about groups. Every fourth one has inputs that do not fit.
    pub fn of_groups(seed: u64, operations: usize) -> Self {
        let mut chance = Chance::new(seed ^ 0x6772_6f75_7073);
        let honest = !seed.is_multiple_of(4);
        let mut ops = Vec::new();
        while ops.len() < operations {
            if chance.below(3) == 0 {
                let most = if with_rooms(seed) { 7 } else { 4 };
                ops.extend(gathering(&mut chance, most));
            }
            if with_rooms(seed) && chance.below(3) == 0 {
                let (who, cut) = (index(&mut chance, 8), chance.below(2) == 0);
                let state = chance.below(8);
                ops.push(match state {
                    0..4 => Op::Server(state),
                    4 => Op::Preconnect(cut),
                    _ => Op::Reach(who, cut),
                });
            }
            for _ in 0..4 + chance.below(12) {
                let misfit = !honest && chance.below(3) == 0;
                ops.push(if misfit { misfit_of(&mut chance) } else { Op::random_of_a_group(&mut chance) });
            }
        }
        Self { seed, ops, honest, groups: true }
    }

    /// Two to six people with one or two devices.
    pub(super) fn world_of_groups(&self) -> World {
        let mut chance = Chance::new(self.seed ^ 0x776f_726c);
        let names = ["ada", "bob", "eve", "dan", "fay", "gus", "hal", "ida"];
        let rooms = with_rooms(self.seed);
        let people = if rooms { 4 + index(&mut chance, 5) } else { 2 + index(&mut chance, 5) };
        let devices = |chance: &mut Chance| if chance.below(4) == 0 { 2 } else { 1 };
        let all: Vec<_> = names[..people].iter().map(|name| (*name, devices(&mut chance))).collect();
        let mut world = World::with_devices(self.seed, &all);
        world.network.loss = [0.0, 0.05, 0.2][index(&mut chance, 3)];
        world.network.doubling = 0.1;
        world.network.jitter = core::time::Duration::from_millis(1 + chance.below(300));
        world.preconnect = chance.below(4) > 0;
        for who in 0..world.people.len() {
            if rooms && chance.below(2) == 0 {
                let name = world.people[who].name.clone();
                world.give_rooms(&[&name]);
            }
        }
        world
    }
}

/// Whether rooms can be had in the world of this seed: every third one.
fn with_rooms(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// Somebody starts a group and most answer.
fn gathering(chance: &mut Chance, most: usize) -> Vec<Op> {
    let starter = index(chance, 8);
    let whom: Vec<usize> = (0..1 + index(chance, most)).map(|_| index(chance, 8)).collect();
    let mut ops = vec![Op::Dial(starter, Targets::of(&whom), true), Op::Wait(500 + chance.below(2_500))];
    for _ in 0..most - 2 + index(chance, 5) {
        ops.extend([Op::Answer(index(chance, 8), ahoy_call::Others::Hold), Op::Wait(chance.below(900))]);
    }
    ops.push(Op::Wait(chance.below(4_000)));
    ops
}

/// A random input, whether it fits or not. A note of a ring that is under way would come from signaling alone, which knows both.
fn misfit_of(chance: &mut Chance) -> Op {
    let input = Input::ALL[index(chance, Input::ALL.len())];
    if input == Input::MissedNote {
        return Op::Wait(100);
    }
    Op::Inject(index(chance, 8), input, chance.below(5) > 0)
}

impl Op {
    /// A random one where there are groups.
    pub fn random_of_a_group(chance: &mut Chance) -> Self {
        let (a, b) = (index(chance, 12), index(chance, 12));
        match chance.below(100) {
            0..=8 => {
                let whom: Vec<usize> = (0..1 + index(chance, 3)).map(|_| index(chance, 6)).collect();
                Self::Dial(a, Targets::of(&whom), true)
            }
            9..=22 => Self::Answer(a, ahoy_call::Others::Hold),
            23..=29 => Self::Invite(a, b),
            30..=31 => Self::Merge(a),
            32..=40 => Self::Join(a),
            41..=43 => Self::Remove(a, b),
            44..=45 => Self::EndForAll(a),
            46..=51 => Self::HangUp(a),
            52..=53 => Self::Unblock(a, b),
            54..=58 => Self::Apart(a, b, chance.below(2) == 0),
            _ => Self::random(chance),
        }
    }

    /// The command of a verb that is about a group, for the call that a person would mean.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left is no verb of a group")]
    pub(super) fn command_of_a_group(self, world: &World, who: usize) -> Option<Command> {
        let views = world.people[who].phone.views();
        let talks =
            |view: &&CallView| matches!(view.state, State::Active | State::Held | State::Reconnecting);
        let call = |view: Option<&CallView>| view.map_or(CallId::from_bytes([0; 16]), |view| view.id);
        let group = |view: &&CallView| talks(view) && view.kind == CallKind::Group;
        let owners = world.owners();
        Some(match self {
            Self::Invite(_, whom) => {
                let (whom, lifetime) = (whom % owners, core::time::Duration::from_secs(30));
                let whom = Callee { peer: peer(whom), devices: world.devices_of(whom) };
                Command::Invite { call: call(views.iter().find(talks)), whom, lifetime }
            }
            Self::Merge(_) => {
                let mut all = views.iter().filter(talks);
                Command::Merge { call: call(all.next()), other: call(all.next()) }
            }
            Self::Join(_) => Command::Join { call: call(views.iter().rev().find(|view| view.can.join)) },
            Self::Remove(_, whom) => {
                let meant = views.iter().find(group);
                let of = |view: &CallView| view.members[whom % view.members.len()].id;
                Command::Remove { call: call(meant), member: meant.map_or(MemberId(0), of) }
            }
            Self::EndForAll(_) => Command::HangUp { call: call(views.iter().find(group)), everyone: true },
            Self::Unblock(_, whom) => Command::Unblock { peer: peer(whom % owners) },
            _ => return None,
        })
    }
}
