//! Numbers under which two who pair find each other.
//!
//! Lives here: who holds which number, who joined, how much is said, and how much of it one address may ask.
//! Must not: look into what is said, or say anything itself.
//!
//! A number is good once: whoever joins it first has it, whether the words fit then or not.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use ahoy_proto::limits;
use ahoy_proto::plate::PlateOver;

use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::client_id::ClientId;
use crate::quota::Window;
use crate::time::Moment;

/// All numbers that are held.
#[derive(Debug, Default)]
pub(crate) struct Plates {
    held: BTreeMap<u32, Plate>,
    at: BTreeMap<ClientId, u32>,
    due: BTreeSet<(Moment, u32)>,
    near: Tries<Near>,
    wide: Tries<Wide>,
    /// Whose other has gone without a word.
    left: Vec<ClientId>,
}

/// One number.
#[derive(Debug)]
struct Plate {
    host: ClientId,
    address: Address,
    guest: Option<ClientId>,
    until: Moment,
    /// Of host and guest.
    said: [Said; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    messages: u32,
    bytes: usize,
}

/// What one address asked for in this minute, and how many numbers it holds.
#[derive(Debug)]
struct Tries<K> {
    asked: BTreeMap<K, Window>,
    holds: BTreeMap<K, usize>,
    /// With more than that, what is over is forgotten.
    clean_at: usize,
}

impl<K> Default for Tries<K> {
    fn default() -> Self {
        Self { asked: BTreeMap::new(), holds: BTreeMap::new(), clean_at: 1_024 }
    }
}

impl<K: Ord + Copy> Tries<K> {
    fn ask(&mut self, now: Moment, who: K, times: u32) -> bool {
        if self.asked.len() >= self.clean_at {
            self.asked.retain(|_, window| !window.is_over(now));
            self.clean_at = 2 * self.asked.len() + 1_024;
        }
        let window = self.asked.entry(who).or_insert_with(|| Window::new(now));
        window.count(now, budgets::PLATES_PER_MINUTE * times)
    }

    fn holds(&self, who: K) -> usize {
        self.holds.get(&who).copied().unwrap_or_default()
    }

    fn hold(&mut self, who: K) {
        *self.holds.entry(who).or_default() += 1;
    }

    fn let_go(&mut self, who: K) {
        if let Some(count) = self.holds.get_mut(&who) {
            *count -= 1;
            if *count == 0 {
                self.holds.remove(&who);
            }
        }
    }
}

impl Plates {
    /// A number for this client, which must be at none. `chance`: some fresh draws; one in ten hits a number that is held.
    pub(crate) fn claim(
        &mut self,
        now: Moment,
        client: ClientId,
        address: Address,
        chance: impl Iterator<Item = u32>,
    ) -> Result<(u32, Duration), PlateOver> {
        self.ask(now, address)?;
        let full = self.near.holds(address.near) >= budgets::PLATES_OF_ADDRESS
            || self.wide.holds(address.wide) >= budgets::PLATES_OF_ADDRESS * budgets::NETWORKS_OF_CUSTOMER
            || self.held.len() >= budgets::PLATES;
        if full {
            return Err(PlateOver::Full);
        }
        let (first, last) = (*limits::PLATES.start(), *limits::PLATES.end());
        let (first, last) = if self.held.len() < budgets::SHORT_PLATES {
            (first, 10 * first - 1)
        } else {
            (10 * first, last)
        };
        let mut drawn = chance.map(|drawn| first + drawn % (last - first + 1));
        let number = drawn.find(|number| !self.held.contains_key(number)).ok_or(PlateOver::Full)?;
        let until = now + limits::PLATE_LIVES;
        self.held
            .insert(number, Plate { host: client, address, guest: None, until, said: Default::default() });
        self.at.insert(client, number);
        self.due.insert((until, number));
        self.near.hold(address.near);
        self.wide.hold(address.wide);
        Ok((number, limits::PLATE_LIVES))
    }

    /// Who holds this number, for this client, which must be at none.
    pub(crate) fn join(
        &mut self,
        now: Moment,
        client: ClientId,
        address: Address,
        number: u32,
    ) -> Result<ClientId, PlateOver> {
        self.ask(now, address)?;
        let plate = self.held.get_mut(&number).filter(|plate| plate.guest.is_none() && plate.until > now);
        let plate = plate.ok_or(PlateOver::NoSuch)?;
        self.due.remove(&(plate.until, number));
        plate.until = now + limits::PLATE_TALKS;
        plate.guest = Some(client);
        self.due.insert((plate.until, number));
        self.at.insert(client, number);
        Ok(plate.host)
    }

    /// Who is to hear what this client says in so many bytes; nobody while the other is not there.
    pub(crate) fn say(&mut self, client: ClientId, bytes: usize) -> Result<Option<ClientId>, PlateOver> {
        let plate = self.at.get(&client).and_then(|number| self.held.get_mut(number));
        let Some(plate) = plate else { return Ok(None) };
        let Some(guest) = plate.guest else { return Ok(None) };
        let (own, other) = if plate.host == client { (0, guest) } else { (1, plate.host) };
        let said = &mut plate.said[own];
        said.messages += 1;
        said.bytes += bytes;
        if said.messages > limits::PLATE_MESSAGES || said.bytes > limits::PLATE_BYTES {
            return Err(PlateOver::TooMuch);
        }
        Ok(Some(other))
    }

    /// This client is at no number any more; the other, who is to be told.
    pub(crate) fn leave(&mut self, client: ClientId) -> Option<ClientId> {
        let number = *self.at.get(&client)?;
        let plate = self.end(number)?;
        [Some(plate.host), plate.guest].into_iter().flatten().find(|other| *other != client)
    }

    /// The same of who is gone without a word: the other is told with the next tick.
    pub(crate) fn gone(&mut self, client: ClientId) {
        self.left.retain(|told| *told != client);
        let other = self.leave(client);
        self.left.extend(other);
    }

    /// When somebody is to be told something.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let at_once = (!self.left.is_empty()).then(Moment::default);
        at_once.into_iter().chain(self.due.first().map(|(until, _)| *until)).min()
    }

    /// Who is to be told now that it is over.
    pub(crate) fn over(&mut self, now: Moment) -> Vec<(ClientId, PlateOver)> {
        let mut over: Vec<_> =
            mem::take(&mut self.left).into_iter().map(|other| (other, PlateOver::Left)).collect();
        while let Some((until, number)) = self.due.first().copied()
            && until <= now
        {
            let Some(plate) = self.end(number) else { break };
            let both = [Some(plate.host), plate.guest].into_iter().flatten();
            over.extend(both.map(|who| (who, PlateOver::Expired)));
        }
        over
    }

    fn ask(&mut self, now: Moment, address: Address) -> Result<(), PlateOver> {
        let times = u32::try_from(budgets::NETWORKS_OF_CUSTOMER).unwrap_or(1);
        let (near, wide) = (self.near.ask(now, address.near, 1), self.wide.ask(now, address.wide, times));
        if near && wide { Ok(()) } else { Err(PlateOver::Rate) }
    }

    fn end(&mut self, number: u32) -> Option<Plate> {
        let plate = self.held.remove(&number)?;
        self.due.remove(&(plate.until, number));
        self.near.let_go(plate.address.near);
        self.wide.let_go(plate.address.wide);
        for who in [Some(plate.host), plate.guest].into_iter().flatten() {
            self.at.remove(&who);
        }
        Some(plate)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(n: u32) -> Address {
        Address::from(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    #[test]
    fn a_busy_relay_gives_longer_numbers_and_a_full_one_none() {
        let (mut plates, now) = (Plates::default(), Moment::default());
        let mut given = BTreeSet::new();
        let of_address = u32::try_from(budgets::PLATES_OF_ADDRESS).unwrap();
        let all = u32::try_from(budgets::PLATES).unwrap();
        for n in 0..all {
            // Sixteen draws that seem random.
            let chance = (0..16).map(|draw: u32| (n * 16 + draw).wrapping_mul(2_654_435_761) >> 3);
            let (number, _) = plates.claim(now, ClientId(n.into()), at(n / of_address), chance).unwrap();
            assert_eq!(number < 10_000, given.len() < budgets::SHORT_PLATES, "{number}");
            assert!(limits::PLATES.contains(&number) && given.insert(number), "{number}");
        }
        let elsewhere = at(all);
        assert_eq!(plates.claim(now, ClientId(u64::MAX), elsewhere, 0..), Err(PlateOver::Full));
        let later = now + limits::PLATE_LIVES;
        assert_eq!(plates.over(later).len(), budgets::PLATES);
        let again = plates.claim(later, ClientId(u64::MAX), elsewhere, 0..);
        assert!(again.is_ok_and(|(number, _)| number < 10_000), "all are forgotten");
        plates.leave(ClientId(u64::MAX));
        let left = (plates.held.len(), plates.at.len(), plates.due.len(), plates.near.holds.len());
        assert_eq!(left, (0, 0, 0, 0));
    }

    #[test]
    fn addresses_that_ask_nothing_more_are_forgotten() {
        let (mut plates, mut now) = (Plates::default(), Moment::default());
        for n in 0..20_000 {
            now = now + Duration::from_secs(1);
            assert_eq!(plates.join(now, ClientId(1), at(n), 4_711), Err(PlateOver::NoSuch));
        }
        assert!(plates.near.asked.len() < 3_000 && plates.wide.asked.len() < 3_000);
    }
}
