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
#[cfg(any(test, feature = "sample"))]
pub(super) mod tried;

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
/// Offers of others that are kept. Who shouts more than that is one of many, not the only one: the oldest that mean nothing to us give way.
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
    /// How many were heard before it. What it says now may be newer.
    since: u64,
}

/// One network.
#[derive(Debug, Default)]
pub(super) struct Dns {
    offers: Vec<Told>,
    /// By its name, and whether it was heard by the newer family.
    seen: BTreeMap<(String, bool), Seen>,
    /// How many were ever new.
    heard: u64,
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
        Self { asks, ..Self::default() }
    }

    /// Begins on the network of the one before, with other addresses of ours: who was seen there is still there.
    pub(super) fn again(now: Moment, before: &mut Self) -> Self {
        Self { seen: std::mem::take(&mut before.seen), heard: before.heard, ..Self::new(now) }
    }

    /// These offers from now on. Names that are not among them any more are taken back: the packets that say so.
    pub(super) fn offer(&mut self, now: Moment, offers: Vec<Offer>) -> Vec<Vec<u8>> {
        // What is told anew under its name takes the place of what it said before.
        let stays = |name: &String| offers.iter().any(|offer| offer.instance == *name);
        let gone = self.offers.iter().filter(|told| !stays(&told.offer.instance));
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

    /// A packet came from there. True: what is seen has changed. `whose`: who it is that is looked for and says this, if anybody; they
    /// keep their place, whoever else shouts.
    pub(super) fn hear<W: Ord>(
        &mut self,
        now: Moment,
        from: SocketAddr,
        bytes: &[u8],
        chance: u8,
        whose: impl Fn(&Says) -> Option<W>,
    ) -> bool {
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
                    changed |= self.found(now, from, one, &whose);
                }
                changed
            }
        }
    }

    fn found<W: Ord>(
        &mut self,
        now: Moment,
        from: SocketAddr,
        one: Found,
        whose: impl Fn(&Says) -> Option<W>,
    ) -> bool {
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
        let seen = Seen { at, says, until: now + BELIEVED, since: self.heard };
        if let Some(old) = self.seen.get_mut(&key) {
            // Nobody takes the place of another.
            if old.at.ip() != from.ip() {
                return false;
            }
            let changed = (old.at, &old.says) != (seen.at, &seen.says);
            *old = Seen { since: old.since, ..seen };
            return changed;
        }
        let of_them = self.seen.values().filter(|seen| seen.at.ip() == from.ip()).count();
        let has_room = if of_them >= MOST_OF_ADDRESS {
            self.make_room(&seen.says, |seen| seen.at.ip() == from.ip(), whose)
        } else {
            self.seen.len() < MOST || self.make_room(&seen.says, |_| true, whose)
        };
        if has_room {
            self.heard += 1;
            self.seen.insert(key, seen);
        }
        has_room
    }

    /// Forgets one of these for somebody new: the oldest that means nothing to us. If there is none, somebody who is looked for takes the
    /// place that came last of who has the most, for tags can be overheard and said again by anybody. False: nobody gives way.
    fn make_room<W: Ord>(
        &mut self,
        new: &Says,
        among: impl Fn(&Seen) -> bool,
        whose: impl Fn(&Says) -> Option<W>,
    ) -> bool {
        let mut all: Vec<_> = self.seen.iter().filter(|(_, seen)| among(seen)).collect();
        all.sort_by_key(|(_, seen)| seen.since);
        let mut held: BTreeMap<W, (usize, &(String, bool))> = BTreeMap::new();
        let mut goes = None;
        for (key, seen) in all {
            let Some(who) = whose(&seen.says) else {
                goes = Some(key);
                break;
            };
            let place = held.entry(who).or_insert((0, key));
            *place = (place.0 + 1, key);
        }
        if goes.is_none()
            && let Some(who) = whose(new)
        {
            let own = held.get(&who).map_or(0, |(count, _)| *count);
            let most = held.values().max_by_key(|(count, _)| *count);
            goes = most.filter(|(count, _)| own + 1 < *count).map(|(_, last)| *last);
        }
        let goes = goes.cloned();
        goes.is_some_and(|key| self.seen.remove(&key).is_some())
    }

    /// Nobody answers there. True: somebody was seen there.
    pub(super) fn forget(&mut self, at: SocketAddr) -> bool {
        let before = self.seen.len();
        self.seen.retain(|_, seen| seen.at != at);
        before != self.seen.len()
    }

    /// Everything that others offer, with the name of each offer, in the order in which it was heard: who says again what was overheard
    /// comes behind who said it.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&str, &Seen)> {
        let mut all: Vec<_> = self.seen.iter().collect();
        all.sort_by_key(|(_, seen)| seen.since);
        all.into_iter().map(|((instance, _), seen)| (instance.as_str(), seen))
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
