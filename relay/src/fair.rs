//! In which order work is done: who has had least goes first.
//!
//! Lives here: a queue that is fair by address, and by client within an address. Who comes with little to do waits for
//! what is being done, not for what others have brought.
//! Must not: know what the work is, or what time it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::address::Wide;
use crate::client_id::ClientId;

/// Work of all clients that waits.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    addresses: Turns<Wide>,
    clients: BTreeMap<Wide, Turns<ClientId>>,
    work: BTreeMap<ClientId, VecDeque<(u64, T)>>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { addresses: Turns::default(), clients: BTreeMap::new(), work: BTreeMap::new() }
    }
}

impl<T> FairQueue<T> {
    /// Puts in what a client brings, and what it costs.
    pub(crate) fn push(&mut self, from: Wide, client: ClientId, cost: u64, work: T) {
        self.work.entry(client).or_default().push_back((cost, work));
        self.clients.entry(from).or_default().wait(client);
        self.addresses.wait(from);
    }

    /// All that waits of one client, in its order.
    pub(crate) fn of(&mut self, client: ClientId) -> impl Iterator<Item = &mut T> {
        self.work.get_mut(&client).into_iter().flatten().map(|(_, work)| work)
    }

    /// What is to be done now, and its cost.
    pub(crate) fn pop(&mut self) -> Option<(ClientId, u64, T)> {
        let from = self.addresses.first()?;
        let clients = self.clients.get_mut(&from)?;
        let client = clients.first()?;
        let mine = self.work.get_mut(&client)?;
        let (cost, work) = mine.pop_front()?;
        let more = !mine.is_empty();
        if !more {
            self.work.remove(&client);
        }
        clients.served(client, cost, more);
        let more = clients.first().is_some();
        if !more {
            self.clients.remove(&from);
        }
        self.addresses.served(from, cost, more);
        Some((client, cost, work))
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.work.is_empty()
    }
}

/// Whose turn it is (start-time fair queueing, Goyal, Vin and Cheng 1996). Who comes back after a pause begins where the
/// others are: a pause saves nothing up.
#[derive(Debug)]
struct Turns<K> {
    /// How far those who wait have come.
    at: u64,
    /// From where each goes on.
    next: BTreeMap<K, u64>,
    waiting: BTreeSet<(u64, K)>,
    /// Who has nothing to do, but had more than the others.
    resting: BTreeSet<(u64, K)>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { at: 0, next: BTreeMap::new(), waiting: BTreeSet::new(), resting: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Turns<K> {
    /// There is something to do for this one.
    fn wait(&mut self, who: K) {
        let next = self.next.entry(who).or_insert(self.at);
        self.resting.remove(&(*next, who));
        if !self.waiting.contains(&(*next, who)) {
            *next = self.at.max(*next);
            self.waiting.insert((*next, who));
        }
    }

    fn first(&self) -> Option<K> {
        self.waiting.first().map(|(_, who)| *who)
    }

    fn served(&mut self, who: K, cost: u64, more: bool) {
        let Some(next) = self.next.get_mut(&who) else { return };
        self.waiting.remove(&(*next, who));
        self.at = self.at.max(*next);
        *next += cost.max(1);
        if more {
            self.waiting.insert((*next, who))
        } else {
            self.resting.insert((*next, who))
        };
        if self.waiting.is_empty() {
            *self = Self::default();
        }
        while let Some((next, who)) = self.resting.first().copied()
            && next <= self.at
        {
            self.resting.remove(&(next, who));
            self.next.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use std::net::IpAddr;

    fn at(n: u8) -> Wide {
        Address::from(IpAddr::from([192, 0, 2, n])).wide
    }

    fn order(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop().map(|(_, _, work)| work)).collect()
    }

    #[test]
    fn who_brings_little_is_not_kept_waiting_by_who_brings_much() {
        let mut queue = FairQueue::default();
        for n in 0..1_000 {
            queue.push(at(1), ClientId(n), 25_000, "flood");
        }
        assert_eq!(queue.pop().map(|(_, _, work)| work), Some("flood"));
        queue.push(at(2), ClientId(2_000), 500, "one");
        queue.push(at(2), ClientId(2_000), 500, "two");
        assert_eq!(order(&mut queue)[..2], ["one", "two"]);
        assert!(queue.is_empty() && queue.clients.is_empty());
    }

    #[test]
    fn neighbours_of_a_flood_have_their_turn_within_the_address() {
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            queue.push(at(1), ClientId(1), 25_000, "flood");
        }
        queue.pop();
        queue.push(at(1), ClientId(2), 500, "neighbour");
        assert_eq!(order(&mut queue)[0], "neighbour");
    }

    #[test]
    fn two_addresses_get_as_much_as_each_other_whatever_their_pieces_cost() {
        let mut queue = FairQueue::default();
        for n in 0..400 {
            queue.push(at(1), ClientId(n), 100, "small");
        }
        for n in 400..440 {
            queue.push(at(2), ClientId(n), 1_000, "large");
        }
        let first: Vec<_> = order(&mut queue).into_iter().take(220).collect();
        let large = first.iter().filter(|work| **work == "large").count();
        assert!((18..=22).contains(&large), "{large} large ones beside 200 small ones");
    }

    #[test]
    fn a_pause_saves_nothing_up() {
        let mut queue = FairQueue::default();
        for _ in 0..50 {
            queue.push(at(1), ClientId(1), 100, "busy");
        }
        for _ in 0..40 {
            queue.pop();
        }
        for _ in 0..10 {
            queue.push(at(2), ClientId(2), 100, "back");
        }
        let order = order(&mut queue);
        assert_ne!(order[..10], ["back"; 10], "they take turns: {order:?}");
    }
}
