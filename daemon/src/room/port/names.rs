//! Who is who in the room of one call, and which keys count.
//!
//! Lives here: what members told of themselves, our own keys, when each begins and ends to count.
//! Must not: believe that one name is two members', or say a key in a log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{LegId, Moment};
use ahoy_proto::room_words::{KEY_INDEXES, RoomKey};
use zeroize::Zeroizing;

use crate::room::frames::{self, FrameKey, Keys};
use crate::values::room::Identity;

/// A key that another one follows opens what is under way for so long.
const OLD_KEY: Duration = Duration::from_secs(2);
/// A key of ours seals so long after it was told, so that everybody has it by then.
const TOLD_BEFORE: Duration = Duration::from_millis(400);
/// Devices that are remembered: more than there are in a call.
const MOST: usize = 32;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Names {
    own: Option<OwnKey>,
    /// Told already, and from then on in use.
    next: Option<(OwnKey, Moment)>,
    of: BTreeMap<LegId, Named>,
}

#[derive(Clone)]
struct OwnKey {
    index: u8,
    key: Zeroizing<[u8; 16]>,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnKey({})", self.index)
    }
}

/// One of the others.
#[derive(Debug)]
struct Named {
    identity: Identity,
    /// By index, and until when those count that another one followed.
    keys: BTreeMap<u8, (FrameKey, Option<Moment>)>,
}

impl Names {
    /// Another key of ours, which counts at once where there is none yet or `at_once`. False: there is no randomness.
    pub(super) fn renew(&mut self, now: Moment, at_once: bool) -> bool {
        let newest = self.next.take().map(|(key, _)| key);
        if newest.is_some() {
            self.own = newest;
        }
        let index = self.own.as_ref().map_or(0, |own| (own.index + 1) % KEY_INDEXES);
        let mut key = Zeroizing::new([0; 16]);
        if getrandom::fill(&mut key[..]).is_err() {
            return false;
        }
        let fresh = OwnKey { index, key };
        match at_once || self.own.is_none() {
            true => self.own = Some(fresh),
            false => self.next = Some((fresh, now + TOLD_BEFORE)),
        }
        true
    }

    /// Our key becomes what comes after it, under the next index, at once: whoever has it finds that. One that has sealed nothing yet
    /// needs no step.
    pub(super) fn step(&mut self) {
        if let Some(own) = self.own.as_mut().filter(|_| self.next.is_none()) {
            *own = OwnKey { index: (own.index + 1) % KEY_INDEXES, key: frames::after(&own.key) };
        }
    }

    /// What the others are to know of us under this name.
    pub(super) fn own(&self, identity: &Identity) -> Option<RoomKey> {
        let newest = self.next.as_ref().map(|(key, _)| key).or(self.own.as_ref())?;
        let identity = identity.as_str().to_owned();
        Some(RoomKey { identity, index: newest.index, key: newest.key.clone() })
    }

    /// What a device told of itself; `own` is our name. False: nothing is another by that.
    pub(super) fn learn(&mut self, now: Moment, leg: LegId, told: &RoomKey, own: Option<&Identity>) -> bool {
        let Some(identity) = Identity::new(&told.identity) else { return false };
        let taken = self.of.iter().any(|(other, named)| *other != leg && named.identity == identity);
        if taken || own == Some(&identity) {
            tracing::debug!("a member claims a name that is another's");
            return false;
        }
        if self.of.len() >= MOST && !self.of.contains_key(&leg) {
            return false;
        }
        let key = FrameKey::new(*told.key);
        let fresh = || Named { identity: identity.clone(), keys: BTreeMap::new() };
        let named = self.of.entry(leg).or_insert_with(fresh);
        if named.identity != identity {
            // It came to the room anew.
            *named = fresh();
        }
        if named.keys.get(&told.index).is_some_and(|(has, until)| *has == key && until.is_none()) {
            return false;
        }
        for (_, until) in named.keys.values_mut() {
            until.get_or_insert(now + OLD_KEY);
        }
        named.keys.insert(told.index, (key, None));
        true
    }

    /// Nobody else is in the call any more. Returns the names of those who were.
    pub(super) fn keep(&mut self, members: &BTreeSet<LegId>, before: &BTreeSet<LegId>) -> Vec<Identity> {
        // A key may come a moment before the word that its owner takes part.
        let went = |leg: &LegId| before.contains(leg) && !members.contains(leg);
        let gone = self.of.iter().filter(|(leg, _)| went(leg)).map(|(_, named)| named.identity.clone());
        let gone = gone.collect();
        self.of.retain(|leg, _| !went(leg));
        gone
    }

    /// What begins or ends to count by now does.
    pub(super) fn tick(&mut self, now: Moment) {
        if let Some((key, _)) = self.next.take_if(|(_, at)| *at <= now) {
            self.own = Some(key);
        }
        for named in self.of.values_mut() {
            named.keys.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        }
    }

    /// When [`Names::tick`] is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let old = self.of.values().flat_map(|named| named.keys.values()).filter_map(|(_, until)| *until);
        old.chain(self.next.as_ref().map(|(_, at)| *at)).min()
    }

    /// The keys that count, of those members.
    pub(super) fn keys(&self, members: &BTreeSet<LegId>) -> Keys {
        let own = self.own.as_ref().map(|own| (own.index, FrameKey::new(*own.key)));
        let of = |named: &Named| named.keys.iter().map(|(index, (key, _))| (*index, key.clone())).collect();
        let others = self.members(members).map(|(_, named)| (named.identity.clone(), of(named))).collect();
        Keys { own, others }
    }

    /// Whose name each is, of those members.
    pub(super) fn legs(&self, members: &BTreeSet<LegId>) -> BTreeMap<Identity, LegId> {
        self.members(members).map(|(leg, named)| (named.identity.clone(), leg)).collect()
    }

    fn members<'a>(&'a self, members: &'a BTreeSet<LegId>) -> impl Iterator<Item = (LegId, &'a Named)> {
        self.of.iter().filter(|(leg, _)| members.contains(leg)).map(|(leg, named)| (*leg, named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn leg(n: u8) -> LegId {
        LegId::from_bytes([n; 16])
    }

    fn told(name: &str, index: u8, key: u8) -> RoomKey {
        RoomKey { identity: name.to_owned(), index, key: Zeroizing::new([key; 16]) }
    }

    fn indexes(names: &Names, name: &str) -> Vec<u8> {
        let keys = names.keys(&(0..50).map(leg).collect());
        keys.others[&Identity::new(name).unwrap()].keys().copied().collect()
    }

    #[test]
    fn one_name_is_one_members_whoever_else_claims_it() {
        let mut names = Names::default();
        let own = Identity::new("us");
        assert!(names.learn(at(0), leg(1), &told("ana", 0, 1), own.as_ref()));
        assert!(!names.learn(at(0), leg(2), &told("ana", 0, 2), own.as_ref()), "it is ana's");
        assert!(!names.learn(at(0), leg(2), &told("us", 0, 2), own.as_ref()), "it is ours");
        let all: BTreeSet<LegId> = [leg(1), leg(2)].into();
        assert_eq!(names.legs(&all).into_values().collect::<Vec<_>>(), [leg(1)]);
        assert!(names.legs(&[leg(2)].into()).is_empty(), "who is no member has no name");
        assert!(names.learn(at(0), leg(1), &told("ana again", 0, 1), own.as_ref()));
        assert!(names.learn(at(0), leg(2), &told("ana", 0, 2), own.as_ref()), "she gave it up");
        assert_eq!(names.keep(&[leg(1)].into(), &all), [Identity::new("ana").unwrap()]);
        for n in 3..200 {
            names.learn(at(0), leg(n), &told(&format!("one of {n}"), 0, 1), None);
        }
        assert_eq!(names.of.len(), MOST);
    }

    #[test]
    fn an_old_key_of_somebody_opens_for_two_seconds_more() {
        let mut names = Names::default();
        assert!(names.learn(at(0), leg(1), &told("ana", 0, 1), None));
        assert!(!names.learn(at(10), leg(1), &told("ana", 0, 1), None), "told once more");
        assert!(names.learn(at(100), leg(1), &told("ana", 1, 2), None));
        assert!(names.learn(at(200), leg(1), &told("ana", 2, 3), None));
        assert_eq!(indexes(&names, "ana"), [0, 1, 2]);
        assert_eq!(names.deadline(), Some(at(2_100)));
        names.tick(at(2_100));
        assert_eq!(indexes(&names, "ana"), [1, 2]);
        names.tick(at(2_200));
        assert_eq!((indexes(&names, "ana"), names.deadline()), (vec![2], None));
    }

    #[test]
    fn a_step_counts_at_once_and_a_key_that_waits_needs_none() {
        let (mut names, us) = (Names::default(), Identity::new("us").unwrap());
        names.step();
        assert!(names.own(&us).is_none());
        assert!(names.renew(at(0), false));
        let first = names.own(&us).unwrap();
        names.step();
        let second = names.own(&us).unwrap();
        assert_eq!((second.index, &second.key[..]), (1, &frames::after(&first.key)[..]));
        assert_eq!(names.keys(&BTreeSet::new()).own.unwrap().0, 1);
        assert!(names.renew(at(10), false));
        let waits = names.own(&us).unwrap();
        names.step();
        assert_eq!((names.own(&us).unwrap().index, waits.index), (2, 2));
        assert_eq!(names.keys(&BTreeSet::new()).own.unwrap().0, 1, "it is not sealed with yet");
    }

    #[test]
    fn a_key_of_ours_seals_a_moment_after_it_was_told_and_its_index_rises() {
        let (mut names, us) = (Names::default(), Identity::new("us").unwrap());
        let sealing = |names: &Names| names.keys(&BTreeSet::new()).own.map(|(index, _)| index);
        assert!(names.own(&us).is_none());
        assert!(names.renew(at(0), false));
        assert_eq!((sealing(&names), names.own(&us).unwrap().index), (Some(0), 0), "the first at once");
        assert!(names.renew(at(10), false));
        assert_eq!((sealing(&names), names.own(&us).unwrap().index), (Some(0), 1));
        assert_eq!(names.deadline(), Some(at(410)));
        names.tick(at(410));
        assert_eq!((sealing(&names), names.deadline()), (Some(1), None));
        for _ in 0..20 {
            assert!(names.renew(at(500), true));
        }
        assert_eq!(sealing(&names), Some(21 % KEY_INDEXES));
    }
}
