//! How many handshakes are under way at an address.
//!
//! Lives here: `Handshakes`: who may begin, who waits, and who gives way to a neighbour by taking too long.
//! Must not: count connections, or know TLS.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::address::Near;
use crate::budgets;
use crate::client_id::ClientId;
use crate::time::Moment;

/// How often it is looked who takes too long, while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    of: BTreeMap<ClientId, Near>,
    doors: BTreeMap<Near, Door>,
    /// Where somebody waits.
    crowded: BTreeSet<Near>,
    look_at: Option<Moment>,
}

#[derive(Debug, Default)]
struct Door {
    under_way: BTreeSet<(Moment, ClientId)>,
    waiting: VecDeque<ClientId>,
}

impl Door {
    /// The more wait, the less time each has: nobody should wait until a client gives up.
    fn late(&self, now: Moment) -> impl Iterator<Item = ClientId> {
        let crowd = u32::try_from(self.waiting.len() / budgets::HANDSHAKES_OF_ADDRESS).unwrap_or(u32::MAX);
        let patience = budgets::HANDSHAKE_PATIENCE / crowd.clamp(1, 4);
        let late = self.under_way.iter().take_while(move |(since, _)| now.since(*since) >= patience);
        late.take(self.waiting.len()).map(|(_, client)| *client)
    }
}

impl Handshakes {
    /// One would begin; false: it has to wait.
    pub(crate) fn ask(&mut self, now: Moment, client: ClientId, near: Near) -> bool {
        self.of.insert(client, near);
        let door = self.doors.entry(near).or_default();
        if door.under_way.len() < budgets::HANDSHAKES_OF_ADDRESS {
            door.under_way.insert((now, client));
            return true;
        }
        door.waiting.push_back(client);
        self.crowded.insert(near);
        self.look_at.get_or_insert(now + LOOK_EVERY);
        false
    }

    /// One is over, whatever its end; who begins now.
    pub(crate) fn over(&mut self, now: Moment, client: ClientId) -> Option<ClientId> {
        let near = self.of.remove(&client)?;
        let door = self.doors.get_mut(&near)?;
        let before = door.under_way.len();
        door.under_way.retain(|(_, other)| *other != client);
        let mut next = None;
        if door.under_way.len() == before {
            door.waiting.retain(|other| *other != client);
        } else {
            next = door.waiting.pop_front();
            door.under_way.extend(next.map(|next| (now, next)));
        }
        if door.waiting.is_empty() {
            self.crowded.remove(&near);
        }
        if door.under_way.is_empty() {
            self.doors.remove(&near);
        }
        next
    }

    /// How many are known, under way or waiting.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.of.len()
    }

    /// When `late` next has something to say.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.look_at
    }

    /// Who has to go, because it takes long while a neighbour waits. Each is `over` next.
    pub(crate) fn late(&mut self, now: Moment) -> Vec<ClientId> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.look_at = if self.crowded.is_empty() { None } else { Some(now + LOOK_EVERY) };
        let doors = self.crowded.iter().filter_map(|near| self.doors.get(near));
        doors.flat_map(|door| door.late(now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::address::Address;

    fn at(n: u8) -> Near {
        Address::from(IpAddr::from([192, 0, 2, n])).near
    }

    fn milli(n: u64) -> Moment {
        Moment::default() + Duration::from_millis(n)
    }

    #[test]
    fn at_one_address_so_many_begin_and_the_others_follow_as_they_end() {
        let mut all = Handshakes::default();
        let begun = (0..200).filter(|n| all.ask(milli(0), ClientId(*n), at(1))).count();
        assert_eq!(begun, budgets::HANDSHAKES_OF_ADDRESS);
        assert!(all.ask(milli(0), ClientId(1_000), at(2)), "elsewhere nobody waits");
        let mut done = 0;
        let mut open: VecDeque<ClientId> = (0..32).map(ClientId).collect();
        while let Some(client) = open.pop_front() {
            done += 1;
            open.extend(all.over(milli(1), client));
        }
        assert_eq!(done, 200, "all are served");
        assert_eq!((all.doors.len(), all.of.len(), all.crowded.len()), (1, 1, 0));
    }

    #[test]
    fn who_takes_long_gives_way_only_when_a_neighbour_waits() {
        let mut all = Handshakes::default();
        for n in 0..32 {
            all.ask(milli(n), ClientId(n), at(1));
        }
        assert_eq!((all.late(milli(9_000)), all.deadline()), (vec![], None));
        assert!(!all.ask(milli(9_000), ClientId(100), at(1)));
        let Some(look) = all.deadline() else { panic!("somebody waits") };
        assert_eq!(all.late(look), [ClientId(0)], "the one that is at it longest, for the one that waits");
        assert_eq!(all.over(look, ClientId(0)), Some(ClientId(100)));
        assert_eq!(all.late(look + LOOK_EVERY), []);
        for n in 200..500 {
            all.ask(milli(10_000), ClientId(n), at(1));
        }
        let begun = milli(10_000) + LOOK_EVERY;
        assert_eq!(all.late(begun).len(), 32, "with three hundred at the door the time is shorter");
        for n in 1..500 {
            all.over(begun, ClientId(n));
        }
        assert_eq!(all.late(begun + LOOK_EVERY), []);
        assert_eq!(all.deadline(), None);
    }

    #[test]
    fn who_goes_while_it_waits_is_forgotten() {
        let mut all = Handshakes::default();
        for n in 0..34 {
            all.ask(milli(0), ClientId(n), at(1));
        }
        assert_eq!(all.over(milli(1), ClientId(32)), None);
        assert_eq!(all.over(milli(1), ClientId(0)), Some(ClientId(33)));
        assert_eq!(all.over(milli(1), ClientId(0)), None, "once");
    }
}
