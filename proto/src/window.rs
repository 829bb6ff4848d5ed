//! Which nonces were seen: the last 64, whatever order they come in (RFC 4303 §3.4.3).
//!
//! Lives here: the window of one direction of one session.
//! Must not: be told a nonce before the frame that carries it was opened.
//!
//! Ours, because `snow` leaves it to its users which nonces of a stateless session are taken.

/// How far behind the highest nonce a frame may come.
pub const WIDTH: u64 = 64;

/// The nonces of one direction that were used.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// One more than the highest nonce taken; 0 for none.
    next: u64,
    /// Bit `i` stands for nonce `next - 1 - i`.
    seen: u64,
}

impl Window {
    /// Whether a frame with this nonce may still be taken.
    pub fn is_fresh(&self, nonce: u64) -> bool {
        let Some(behind) = self.next.checked_sub(1).and_then(|highest| highest.checked_sub(nonce)) else {
            return nonce < u64::MAX;
        };
        behind < WIDTH && self.seen >> behind & 1 == 0
    }

    /// Marks a nonce as used. Says whether it was fresh; only then may the frame be used.
    pub fn take(&mut self, nonce: u64) -> bool {
        if !self.is_fresh(nonce) {
            return false;
        }
        if nonce >= self.next {
            let step = nonce + 1 - self.next;
            self.seen = if step < WIDTH { self.seen << step } else { 0 };
            self.next = nonce + 1;
        }
        self.seen |= 1 << (self.next - 1 - nonce);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_nonce_is_fresh_once() {
        let mut window = Window::default();
        assert!(window.take(0));
        assert!(!window.take(0));
        assert!(window.take(1));
    }

    #[test]
    fn a_late_nonce_is_fresh_within_64_and_not_beyond() {
        let mut window = Window::default();
        assert!(window.take(100));
        assert!(window.take(37));
        assert!(!window.take(36), "64 behind");
        assert!(!window.take(37));
        assert!(window.take(1_000_000));
        assert!(!window.take(100));
    }

    #[test]
    fn the_last_nonce_is_reserved() {
        let mut window = Window::default();
        assert!(!window.take(u64::MAX));
        assert!(window.take(u64::MAX - 1));
        assert!(!window.take(u64::MAX));
    }

    proptest! {
        #[test]
        fn no_nonce_is_taken_twice_and_a_new_highest_always_is(
            nonces in proptest::collection::vec(0_u64..300, 0..400)
        ) {
            let mut window = Window::default();
            let mut taken = std::collections::BTreeSet::new();
            for nonce in nonces {
                let highest = taken.last().copied();
                let fresh = window.take(nonce);
                let expected = !taken.contains(&nonce) && highest.is_none_or(|h| nonce + WIDTH > h);
                prop_assert_eq!(fresh, expected, "nonce {} after {:?}", nonce, highest);
                if fresh {
                    taken.insert(nonce);
                }
            }
        }
    }
}
