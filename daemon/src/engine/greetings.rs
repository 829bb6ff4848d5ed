//! Cards of ours that contacts lack: whom we have added or accepted, and everybody when our card is a newer one.
//!
//! Lives here: who is to get one, how many at a time, and when it is tried again.
//! Must not: make or send a card; read a clock; know the engine.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ahoy_call::{Moment, PeerId};

use crate::values::budget::Budget;

/// The pause between two. A relay carries our own rings beside them.
const PACE: Duration = Duration::from_secs(1);
/// On their way at once.
const MOST: usize = 8;
/// What was neither taken nor given up by then is lost.
const GIVEN_UP: Duration = Duration::from_secs(180);
/// The pause after a first failure; each further one makes it four times as long.
const AGAIN: Duration = Duration::from_secs(120);
/// The longest pause.
const AGAIN_AT_MOST: Duration = Duration::from_secs(6 * 3_600);
/// The pause after a relay is connected again. It may have been started anew and accepts mail for inboxes of which it does not
/// know yet: who was connected to it is back within five seconds.
const SETTLES: Duration = Duration::from_secs(8);
/// How often a call has our card go along to somebody who may not have it, in an hour.
const WITH_CALLS: u32 = 1;

/// All of them.
#[derive(Debug)]
pub(super) struct Greetings {
    /// The first first.
    waiting: VecDeque<PeerId>,
    /// Until when each may take, and how often it has failed.
    under_way: BTreeMap<PeerId, (Moment, u32)>,
    /// When each that failed is tried again, and how often it has failed.
    failed: BTreeMap<PeerId, (Moment, u32)>,
    next: Moment,
    /// A relay is connected; or was, once.
    online: bool,
    was_online: bool,
    with_calls: Budget<PeerId>,
}

impl Default for Greetings {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: BTreeMap::new(),
            failed: BTreeMap::new(),
            next: Moment::default(),
            online: false,
            was_online: false,
            with_calls: Budget::hourly(WITH_CALLS, WITH_CALLS),
        }
    }
}

impl Greetings {
    /// These lack our card. Nobody waits twice; who is just being sent an earlier one comes again.
    pub(super) fn want(&mut self, peers: &[PeerId]) {
        for peer in peers {
            self.failed.remove(peer);
            if !self.waiting.contains(peer) {
                self.waiting.push_back(*peer);
            }
        }
    }

    /// Everybody who lacks it now: nobody else waits any more.
    pub(super) fn want_all(&mut self, peers: Vec<PeerId>) {
        self.failed.clear();
        self.waiting = peers.into();
    }

    /// We call somebody who may lack it.
    pub(super) fn called(&mut self, now: Moment, peer: PeerId) {
        if !self.under_way.contains_key(&peer) && self.with_calls.take(now, peer) {
            self.want(&[peer]);
        }
    }

    /// Whether a relay is connected: without one nothing is tried.
    pub(super) fn set_online(&mut self, now: Moment, online: bool) {
        if self.was_online && online && !self.online {
            self.next = self.next.max(now + SETTLES);
        }
        self.was_online |= online;
        self.online = online;
    }

    /// It was taken, or not.
    pub(super) fn over(&mut self, now: Moment, peer: PeerId, taken: bool) {
        if let Some((_, tries)) = self.under_way.remove(&peer).filter(|_| !taken) {
            self.fail(now, peer, tries);
        }
    }

    /// When [`Self::due`] has something to say.
    pub(super) fn deadline(&self) -> Option<Moment> {
        if !self.online {
            return None;
        }
        let late = self.under_way.values().map(|(until, _)| *until).min();
        let waiting = (self.under_way.len() < MOST).then(|| {
            let again = self.failed.values().map(|(at, _)| *at).min();
            let next = (!self.waiting.is_empty()).then_some(self.next);
            next.into_iter().chain(again.map(|at| at.max(self.next))).min()
        });
        late.into_iter().chain(waiting.flatten()).min()
    }

    /// Who is to be sent our card now; it is under way from then on.
    pub(super) fn due(&mut self, now: Moment) -> Option<PeerId> {
        let late: Vec<PeerId> =
            self.under_way.iter().filter(|(_, (until, _))| *until <= now).map(|(peer, _)| *peer).collect();
        late.into_iter().for_each(|peer| self.over(now, peer, false));
        if !self.online || self.next > now || self.under_way.len() >= MOST {
            return None;
        }
        let again = |failed: &BTreeMap<PeerId, (Moment, u32)>| {
            let ripe = failed.iter().filter(|(_, (at, _))| *at <= now);
            ripe.min_by_key(|(_, (at, _))| *at).map(|(peer, _)| *peer)
        };
        let peer = self.waiting.pop_front().or_else(|| again(&self.failed))?;
        let tries = self.failed.remove(&peer).map_or(0, |(_, tries)| tries);
        self.under_way.insert(peer, (now + GIVEN_UP, tries));
        self.next = now + PACE;
        Some(peer)
    }

    fn fail(&mut self, now: Moment, peer: PeerId, tries: u32) {
        // It waits already, for a newer one.
        if self.waiting.contains(&peer) {
            return;
        }
        let pause = AGAIN.saturating_mul(4_u32.saturating_pow(tries)).min(AGAIN_AT_MOST);
        self.failed.insert(peer, (now + pause, tries.saturating_add(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn somebody(n: u8) -> PeerId {
        PeerId::from_bytes([n; 16])
    }

    /// Whom it names next, and when.
    fn next(greetings: &mut Greetings) -> (u64, PeerId) {
        loop {
            let now = greetings.deadline().unwrap().max(at(1));
            if let Some(peer) = greetings.due(now) {
                return (now.micros() / 1_000_000, peer);
            }
            assert!(greetings.deadline().is_none_or(|next| next > now), "it would spin");
        }
    }

    /// Whom it names, and when, up to that second.
    fn played(greetings: &mut Greetings, until: u64) -> Vec<(u64, PeerId)> {
        let mut named = Vec::new();
        while let Some(due) = greetings.deadline().filter(|due| *due <= at(until)) {
            let now = due.max(at(1));
            match greetings.due(now) {
                Some(peer) => named.push((now.micros() / 1_000_000, peer)),
                None => assert!(greetings.deadline().is_none_or(|next| next > now), "it would spin"),
            }
        }
        named
    }

    #[test]
    fn cards_go_one_a_second_and_eight_at_a_time_and_none_while_no_relay_is_there() {
        let mut greetings = Greetings::default();
        greetings.want_all((1..=20).map(somebody).collect());
        greetings.want(&[somebody(3), somebody(21)]);
        assert_eq!((greetings.deadline(), greetings.due(at(1))), (None, None));
        greetings.set_online(at(0), true);
        let named = played(&mut greetings, 60);
        assert_eq!(named, (1..=8).map(|n| (u64::from(n), somebody(n))).collect::<Vec<_>>());
        greetings.over(at(60), somebody(1), true);
        greetings.over(at(60), somebody(2), true);
        let named: Vec<_> = played(&mut greetings, 70).into_iter().map(|(_, peer)| peer).collect();
        assert_eq!(named, [somebody(9), somebody(10)], "as many as room was made for, nobody twice");
    }

    #[test]
    fn what_no_relay_took_is_tried_again_with_longer_and_longer_pauses_and_what_is_lost_too() {
        let mut greetings = Greetings::default();
        greetings.set_online(at(0), true);
        greetings.want(&[somebody(1)]);
        let mut now = next(&mut greetings).0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            greetings.over(at(now), somebody(1), false);
            let again = next(&mut greetings).0;
            pauses.push(again - now);
            now = again;
        }
        assert_eq!(pauses, [120, 480, 1_920, 7_680, 21_600, 21_600]);
        greetings.over(at(now), somebody(1), true);
        assert_eq!(greetings.deadline(), None, "taken");

        greetings.want(&[somebody(1)]);
        assert_eq!(next(&mut greetings), (now + 1, somebody(1)));
        assert_eq!(next(&mut greetings), (now + 1 + 180 + 120, somebody(1)), "nobody said a word of it");
        greetings.want(&[somebody(1)]);
        assert_eq!(next(&mut greetings), (now + 302, somebody(1)), "a person has waited for it");
    }

    #[test]
    fn a_relay_that_was_away_is_given_time_until_everybody_is_back() {
        let mut greetings = Greetings::default();
        greetings.set_online(at(1), true);
        greetings.want(&[somebody(1)]);
        assert_eq!(next(&mut greetings), (1, somebody(1)), "nobody waits at the start");
        greetings.want(&[somebody(2)]);
        greetings.set_online(at(100), false);
        assert_eq!(greetings.due(at(101)), None);
        greetings.set_online(at(102), true);
        greetings.set_online(at(105), true);
        assert_eq!(next(&mut greetings), (110, somebody(2)));
    }

    #[test]
    fn calls_take_our_card_along_once_an_hour() {
        let mut greetings = Greetings::default();
        greetings.set_online(at(0), true);
        for second in [1, 2, 3_000, 3_700] {
            greetings.called(at(second), somebody(1));
            let named = greetings.due(at(second)).is_some();
            assert_eq!(named, [1, 3_700].contains(&second), "{second}");
            greetings.over(at(second), somebody(1), true);
        }
    }
}
