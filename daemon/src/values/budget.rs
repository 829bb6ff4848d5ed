//! What one contact may cost us: every number, and the counter that holds to it.
//!
//! Lives here: the numbers of one contact and those over all contacts, each with its reason. The rules have theirs for
//! themselves (`call/` knows nothing of the daemon); the table names them too.
//! Must not: know what is counted, or drop anything itself.
//!
//! | what of one contact | at once | a minute | where it is spent |
//! |---|---|---|---|
//! | handshakes opened | 64 | 30 | `signal/sessions/handshake.rs`, before its card is read |
//! | its pings answered | 6 | 12 | `signal/sessions/pings.rs` |
//! | its pings that wait for an answer | 1, of all 8 | | the same |
//! | notes of missed calls | 64 | 1 | the same |
//! | cards | 8 | 1 | `signal/sessions/cards.rs` |
//! | rings heard | 5 | 5 | `engine/ring_policy/mod.rs` |
//! | rings that wait for the rules | 4 | | `signal/sessions/handshake.rs` |
//! | message 2 of one session | 1 in 400 ms | 16 in all | the same |
//! | sealed frames that come by a relay | 256 | 600 | `signal/sessions.rs` |
//! | sealed frames that come by a data channel | 256 | 600 | `media/peer/readers.rs`, before the call's queue; `engine/ring_policy/mod.rs`, before signaling's |
//! | packets of its voice, of one path | 150 | 12,000 | `media/flood.rs`, before the call's queue |
//! | envelopes that we send for its sake | 240 | 240 | `signal/sessions.rs`, for each relay |
//! | marks against replay, on disk | 256 | | `signal/replay.rs` |
//! | calls | 2 | | `OF_A_CONTACT` in `call/src/phone.rs` |
//! | rings whose caller has not proved to live now | 2 | | `KNOCKS_OF_A_CONTACT` in `call/src/phone.rs` |
//! | its holding and resuming | 1 in a second | 100 a call in the log | `call/src/call/leg.rs`, `call/src/call/flags.rs` |
//! | its offers of a path | | 8 | `THEIRS_A_MINUTE` in `call/src/call/leg.rs` |
//!
//! Of who is no contact: a request with each card that we gave out, 3 at once and 6 an hour (`signal/sessions/cards.rs`); 32
//! people at once, 2 by one card (`contacts/asking.rs`).
//!
//! Of our own user's programs: 6 looks around in a minute, 4 at once; each allocates at every TURN server.
//!
//! Over all contacts, at each relay: 800 envelopes a minute that are no rings, notes or goodbyes of our own; what is left
//! of a relay's 1,000 is theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::limits;

const MINUTE: Duration = Duration::from_secs(60);

/// So many at once, and so many a minute in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once, after a rest.
    pub burst: u32,
    /// A minute; at least 1.
    pub minute: u32,
}

/// Handshakes of one contact that are opened. Each costs two exchanges of keys, then a card: a file and signatures.
/// At once: a whole mailbox of notes. A person rings a few times a minute.
pub const HANDSHAKES: Rate = Rate { burst: 64, minute: 30 };

/// Notes of missed calls of one contact: a whole mailbox after a time away, then one a minute. Each is a row on the disk.
pub const NOTES: Rate = Rate { burst: 64, minute: 1 };

/// Cards of one contact that are looked at. Each may be a file on the disk; a person moves to another relay seldom.
pub const CARDS: Rate = Rate { burst: 8, minute: 1 };

/// Requests that come with one card of ours, at once. Each is a file on the disk.
pub const REQUESTS_AT_ONCE: u32 = 3;

/// The same, in an hour. Who asks honestly asks once.
pub const REQUESTS_AN_HOUR: u32 = 6;

/// The same of one who asks: whoever has a copy of a card does not use up what its true owner has.
pub const REQUESTS_OF_ONE: u32 = 2;

/// Pings of one contact that are answered, of those that may. Each is an exchange of keys and an envelope.
pub const PINGS: Rate = Rate { burst: 6, minute: 12 };

/// Pings of ours to one contact. Less than what they answer, so that one who pings is not taken for a flood.
pub const PINGS_OF_OURS: Rate = Rate { burst: 4, minute: 8 };

/// Pings of all contacts that wait for the engine's word.
pub const PINGS_UNANSWERED: usize = 8;

/// Sealed frames of one contact, and of one of its devices in a call: a call's set-up takes some thirty, a repair ten.
pub const FRAMES: Rate = Rate { burst: 256, minute: 600 };

/// Envelopes that we send by one relay for one contact's sake. A relay carries 300 a minute to one inbox and counts those
/// that it refuses.
pub const SENDS: Rate = Rate { burst: 240, minute: 240 };

/// Envelopes that we send by one relay for the sake of all contacts together. The rest of
/// [`limits::CLAIMED_PER_MINUTE`] is for our own rings.
pub const ANSWERS: Rate = Rate { burst: 800, minute: 800 };

/// Looks at everything that calls need. Each pings the relays, and asks every STUN and TURN server.
pub const DIAGNOSES: Rate = Rate { burst: 4, minute: 6 };

/// Rings of one contact that are heard in a minute; further ones are as if we were not there.
pub const RINGS_A_MINUTE: usize = 5;

/// Dials of ours in a minute.
pub const DIALS_A_MINUTE: usize = 20;

/// Rings of one contact that wait for the rules' answer.
pub const UNANSWERED: usize = 4;

/// The same over all contacts.
pub const UNANSWERED_OF_ALL: usize = 32;

/// The pause after which a repeated message 1 gets message 2 again. Shorter than the first repeat of an honest caller.
pub const MESSAGE_2_PAUSE: Duration = Duration::from_millis(400);

/// Message 2s of one session. An honest caller whose answers are all lost repeats its ring eleven times in a minute.
pub const MESSAGE_2S: u32 = 16;

/// Relays of one contact to which we speak: a card may name 32, and would have us knock at all of them.
pub const RELAYS: usize = 8;

const _: () =
    assert!(ANSWERS.minute + 200 <= limits::CLAIMED_PER_MINUTE, "our own rings have a part of their own");
const _: () = assert!(SENDS.minute < limits::TO_ONE_INBOX_PER_MINUTE, "no relay has to refuse us");
const _: () = assert!(HANDSHAKES.burst >= 64 && limits::MAILBOX_ENTRIES == 64, "a full mailbox is read");

/// Counts by key. What was refused costs nothing.
#[derive(Clone, Debug)]
pub struct Budget<K> {
    burst: u32,
    /// How long one takes to be there again.
    one: Duration,
    /// When each would have been at rest again, had it kept to its rate.
    rests: BTreeMap<K, Moment>,
}

/// Keys that are remembered before those at rest are forgotten.
const REMEMBERED: usize = 1024;

impl<K: Ord> Budget<K> {
    /// Nothing was spent.
    pub fn new(rate: Rate) -> Self {
        Self { burst: rate.burst, one: MINUTE / rate.minute.max(1), rests: BTreeMap::new() }
    }

    /// So many at once, and so many an hour in the long run.
    pub fn hourly(burst: u32, hour: u32) -> Self {
        Self { burst, one: 60 * MINUTE / hour.max(1), rests: BTreeMap::new() }
    }

    /// Spends one; false if there is none left.
    pub fn take(&mut self, now: Moment, key: K) -> bool {
        if self.rests.len() >= REMEMBERED && !self.rests.contains_key(&key) {
            self.rests.retain(|_, rest| *rest > now);
        }
        let rest = self.rests.get(&key).copied().unwrap_or(now).max(now);
        if rest.since(now) > self.one * self.burst.saturating_sub(1) {
            return false;
        }
        self.rests.insert(key, rest + self.one);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000 * ms)
    }

    #[test]
    fn a_budget_is_a_burst_and_then_its_rate_for_each_key() {
        let mut budget = Budget::new(Rate { burst: 5, minute: 60 });
        let taken = |budget: &mut Budget<u8>, now, key| (0..100).filter(|_| budget.take(now, key)).count();
        assert_eq!(taken(&mut budget, at(0), 1), 5);
        assert_eq!(taken(&mut budget, at(999), 1), 0, "what was refused did not cost");
        assert_eq!(taken(&mut budget, at(1_000), 1), 1);
        assert_eq!(taken(&mut budget, at(1_000), 2), 5, "the other has its own");
        assert_eq!(taken(&mut budget, at(60_000), 1), 5, "and a rest gives no more than the burst");
    }

    #[test]
    fn who_is_at_rest_is_forgotten() {
        let mut budget = Budget::new(Rate { burst: 1, minute: 60 });
        for key in 0..5_000 {
            assert!(budget.take(at(key), key));
        }
        assert!(budget.rests.len() <= REMEMBERED, "{}", budget.rests.len());
        assert!(!budget.take(at(5_000), 4_999));
    }
}
