//! Being found and finding others on one network, by multicast DNS. Sans I/O: packets and times are arguments.
//!
//! Lives here: what is announced, when it is told again, who was heard.
//! Must not: hold a socket, read a clock, know whose tag is whose.
//!
//! Of RFC 6762 and 6763 only what daemons need of each other. Names are random and never in conflict, so that nothing is probed
//! for; an offer is believed as a whole, from where its packet came: what it says of addresses could lead anywhere. Nothing is
//! answered that was not asked of ahoy's own service.

mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::Moment;

use message::{Found, Heard};
pub(super) use message::{LONGEST, Offer, Says};

/// When an offer is told again after the first time: a packet may be lost.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// When is asked for offers after the first time. Whoever comes later tells of itself.
const ASK_AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Nothing is told more often, whoever asks (RFC 6762 §6).
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer waits, so that those of many do not meet: up to this.
const DELAY: Duration = Duration::from_millis(100);
/// How long an offer is believed that was not heard again. Its tags are over before.
const BELIEVED: Duration = Duration::from_secs(4_500);
/// Offers of others that are kept. Who shouts more than that is one of many, not the only one: the oldest give way.
pub(super) const MOST: usize = 64;
/// Of one address: a machine with several users.
const MOST_OF_ADDRESS: usize = 8;

/// An offer of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Where a packet with it came from, with its port.
    pub(super) at: SocketAddr,
    pub(super) says: Says,
    until: Moment,
}

/// One network.
#[derive(Debug, Default)]
pub(super) struct Dns {
    offers: Vec<Told>,
    seen: BTreeMap<(String, bool), Seen>,
    /// When is asked next, the last first.
    asks: Vec<Moment>,
}

#[derive(Debug)]
struct Told {
    offer: Offer,
    /// When it is told next, the last first.
    due: Vec<Moment>,
    told: Option<Moment>,
}

impl Dns {
    /// Begins: it is asked who is there.
    pub(super) fn new(now: Moment) -> Self {
        let asks = ASK_AGAIN.iter().rev().map(|later| now + *later).chain([now]).collect();
        Self { offers: Vec::new(), seen: BTreeMap::new(), asks }
    }

    /// These offers from now on. What is not among them any more is taken back: the packets that say so.
    pub(super) fn offer(&mut self, now: Moment, offers: Vec<Offer>) -> Vec<Vec<u8>> {
        let gone = self.offers.iter().filter(|told| !offers.contains(&told.offer));
        let goodbyes = gone.filter_map(|told| message::announcement(&told.offer, true)).collect();
        self.offers.retain(|told| offers.contains(&told.offer));
        for offer in offers {
            if !self.offers.iter().any(|told| told.offer == offer) {
                let due = AGAIN.iter().rev().map(|later| now + *later).chain([now]).collect();
                self.offers.push(Told { offer, due, told: None });
            }
        }
        goodbyes
    }

    /// It is asked once more who is there.
    pub(super) fn ask(&mut self, now: Moment) {
        if self.asks.last().is_none_or(|next| *next > now + PAUSE) {
            self.asks.push(now);
        }
    }

    /// A packet came from there. True: what is seen has changed.
    pub(super) fn hear(&mut self, now: Moment, from: SocketAddr, bytes: &[u8], chance: u8) -> bool {
        match message::read(bytes) {
            None => false,
            Some(Heard::Question { names, known }) => {
                let delay = DELAY * u32::from(chance) / 255;
                for told in &mut self.offers {
                    told.is_asked(now, delay, &names, &known);
                }
                false
            }
            Some(Heard::Offers(found)) => {
                let mut changed = false;
                for one in found {
                    changed |= self.found(now, from, one);
                }
                changed
            }
        }
    }

    fn found(&mut self, now: Moment, from: SocketAddr, one: Found) -> bool {
        if self.offers.iter().any(|told| told.offer.instance == one.instance) {
            return false;
        }
        let key = (one.instance, from.is_ipv6());
        let Some(says) = one.says else {
            // Only who said it takes it back.
            let theirs = self.seen.get(&key).is_some_and(|seen| seen.at.ip() == from.ip());
            return theirs && self.seen.remove(&key).is_some();
        };
        let mut at = from;
        at.set_port(one.port);
        let seen = Seen { at, says, until: now + BELIEVED };
        if let Some(old) = self.seen.get_mut(&key) {
            // Nobody takes the place of another.
            if old.at.ip() != from.ip() {
                return false;
            }
            let changed = (old.at, &old.says) != (seen.at, &seen.says);
            *old = seen;
            return changed;
        }
        let of_them = self.seen.values().filter(|seen| seen.at.ip() == from.ip()).count();
        if of_them >= MOST_OF_ADDRESS {
            self.forget_oldest(|seen| seen.at.ip() == from.ip());
        } else if self.seen.len() >= MOST {
            self.forget_oldest(|_| true);
        }
        self.seen.insert(key, seen);
        true
    }

    fn forget_oldest(&mut self, among: impl Fn(&Seen) -> bool) {
        let oldest = self.seen.iter().filter(|(_, seen)| among(seen)).min_by_key(|(_, seen)| seen.until);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.seen.remove(&key);
        }
    }

    /// Nobody answers there. True: somebody was seen there.
    pub(super) fn forget(&mut self, at: SocketAddr) -> bool {
        let before = self.seen.len();
        self.seen.retain(|_, seen| seen.at != at);
        before != self.seen.len()
    }

    /// Everything that others offer.
    pub(super) fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.seen.values()
    }

    /// When [`Self::tick`] is next needed.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let offers = self.offers.iter().filter_map(|told| told.due.last().copied());
        let seen = self.seen.values().map(|seen| seen.until);
        offers.chain(self.asks.last().copied()).chain(seen).min()
    }

    /// The packets that are due, and whether what is seen has changed.
    pub(super) fn tick(&mut self, now: Moment) -> (Vec<Vec<u8>>, bool) {
        let mut packets = Vec::new();
        let mut asks = false;
        while self.asks.pop_if(|at| *at <= now).is_some() {
            asks = true;
        }
        let before = self.seen.len();
        self.seen.retain(|_, seen| seen.until > now);
        if asks {
            packets.extend(message::question(self.seen.keys().map(|(instance, _)| instance)));
        }
        for told in &mut self.offers {
            let mut due = false;
            while told.due.pop_if(|at| *at <= now).is_some() {
                due = true;
            }
            if due {
                told.told = Some(now);
                packets.extend(message::announcement(&told.offer, false));
            }
        }
        (packets, before != self.seen.len())
    }
}

impl Told {
    /// Whether a question is answered: not if it is none of ours, or they know.
    fn is_asked(&mut self, now: Moment, delay: Duration, names: &[String], known: &[String]) {
        let own = [message::full(&self.offer.instance), format!("{}.local", self.offer.host)];
        let by_service = names.iter().any(|name| name == message::SERVICE);
        let by_name = names.iter().any(|name| own.contains(name));
        let wanted = by_name || by_service && !known.contains(&self.offer.instance);
        if !wanted {
            return;
        }
        let soonest = self.told.map_or(now, |told| told + PAUSE).max(now + delay);
        if self.due.last().is_none_or(|due| *due > soonest) {
            self.due.push(soonest);
        }
    }
}
