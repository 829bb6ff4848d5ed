//! What a member says of itself that no honest one would.
//!
//! Lives here: statements of any shape, as whoever may sign for a device could make them; commands about a group that need not fit.
//! Must not: sign for another: whose seal does not hold never gets to the rules.

use std::time::Duration;

use ahoy_call::group::{Age, Ending, Entry, Gone, Head, Invited, News, Presence, Removed, Start, Statement};
use ahoy_call::{
    CallId, Callee, Command, DeclineReason, EndReason, Event, Input, LegId, MemberId, Message, Opaque,
    PeerId, Scope,
};

use super::{World, device};

impl World {
    fn any(&mut self, below: u64) -> u64 {
        self.chance.below(below)
    }

    /// A person of this world, with their devices.
    fn anybody(&mut self) -> Callee {
        let owners = self.owners() as u64;
        let owner = usize::try_from(self.any(owners)).unwrap_or(0);
        Callee { peer: super::peer(owner), devices: self.devices_of(owner) }
    }

    /// News of a device about itself, under a number that it may have used.
    pub(super) fn lies(&mut self, call: CallId, leg: LegId, peer: PeerId) -> News {
        let known = self.starts.get(&call).copied();
        let start = known.filter(|_| self.any(8) > 0).unwrap_or(Start { call, leg, peer, group: None });
        let entries: Vec<Entry> = (0..1 + self.any(2)).map(|_| self.lie(leg, peer)).collect();
        let mut heads: Vec<Head> = entries.iter().map(head).collect();
        if self.any(3) == 0 {
            let devices = self.people.len() as u64;
            let other = device(usize::try_from(self.any(devices)).unwrap_or(0));
            let number = u32::try_from(self.any(9)).unwrap_or(0);
            heads.push(Head { author: other, number, print: self.any(3), contradicted: self.any(4) == 0 });
        }
        let told = if self.any(2) == 0 { vec![leg] } else { Vec::new() };
        News { start, age: Age(self.any(100_000)), heads, entries, told }
    }

    fn lie(&mut self, author: LegId, peer: PeerId) -> Entry {
        let at = Age(self.any(60_000));
        let presence = match self.any(5) {
            0 => Presence::Left { joined: None, at },
            1 => Presence::Left { joined: Some(Age(self.any(60_000))), at },
            2 => Presence::Declined { reason: DeclineReason::Declined, scope: Scope::Everywhere, at },
            _ => Presence::Joined { at },
        };
        let mut people = Vec::new();
        for _ in 0..self.any(4) {
            people.push(self.anybody().peer);
        }
        let some = |share: u64, world: &mut Self| world.any(share) == 0;
        let invited = people.iter().map(|peer| Invited { peer: *peer, devices: 1, at }).collect();
        let removed = if some(3, self) { people.clone() } else { Vec::new() };
        let removed = removed.into_iter().map(|peer| Removed { peer, at }).collect();
        let devices = self.people.len() as u64;
        let gone = if some(3, self) {
            let leg = device(usize::try_from(self.any(devices)).unwrap_or(0));
            vec![Gone { leg, number: u32::try_from(self.any(9)).unwrap_or(0), at }]
        } else {
            Vec::new()
        };
        let ended = some(6, self).then_some(Ending { reason: EndReason::EndedByHost, at });
        let number = 1 + u32::try_from(self.any(12)).unwrap_or(0);
        let print = self.chance.bits().max(1);
        let rooms = print & 1 == 1;
        let statement = Statement { number, presence, invited, removed, gone, ended, rooms };
        Entry { author, peer, statement, seal: Opaque(vec![1]), print }
    }

    /// A member says this of itself to one other, past its own phone.
    pub fn slip(&mut self, call: CallId, from: &str, to: &str, statement: Statement) {
        let (from, to) = (self.who(from), self.who(to));
        let print = 1 + u64::from(statement.number);
        let (author, peer) = (device(from), super::peer(self.people[from].owner));
        let entry = Entry { author, peer, statement, seal: Opaque(vec![1]), print };
        self.slip_news(call, from, to, vec![entry]);
    }

    /// A member says to another that it knows nothing of the call.
    pub fn slip_nothing(&mut self, call: CallId, from: &str, to: &str) {
        let (from, to) = (self.who(from), self.who(to));
        self.slip_news(call, from, to, Vec::new());
    }

    fn slip_news(&mut self, call: CallId, from: usize, to: usize, entries: Vec<Entry>) {
        let heads = entries.iter().map(head).collect();
        let news = News { start: self.starts[&call], age: Age(0), heads, entries, told: Vec::new() };
        let (leg, message) = (device(from), Message::Log(Box::new(news)));
        self.event(to, Event::Received { call, leg, message });
    }

    /// A command about groups, for this call or for another.
    #[expect(clippy::wildcard_enum_match_arm, reason = "it is given inputs about groups alone")]
    pub(super) fn command_of_a_group(
        &mut self,
        who: usize,
        input: Input,
        (call, peer): (CallId, PeerId),
    ) -> Command {
        let lifetime = Duration::from_secs(30);
        let views = self.people[who].phone.views();
        let other = views.first().map_or(call, |view| view.id);
        match input {
            Input::StartGroup => {
                let targets = (0..1 + self.any(3)).map(|_| self.anybody()).collect();
                let (call, group, note) = (self.fresh_call(), None, None);
                Command::StartGroup { call, group, targets, lifetime, note, hold_others: self.any(4) > 0 }
            }
            Input::Invite => Command::Invite { call, whom: self.anybody(), lifetime },
            Input::Merge => Command::Merge { call, other },
            Input::Remove => {
                Command::Remove { call, member: MemberId(u16::try_from(1 + self.any(4)).unwrap_or(1)) }
            }
            Input::Unblock => Command::Unblock { peer },
            // What is left is a join.
            _ => Command::Join { call },
        }
    }
}

fn head(entry: &Entry) -> Head {
    let (author, number, print) = (entry.author, entry.statement.number, entry.print);
    Head { author, number, print, contradicted: false }
}
