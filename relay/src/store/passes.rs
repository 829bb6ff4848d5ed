//! Passes into rooms that were used.
//!
//! Lives here: which, until none of them is good any more; a bound in all.
//! Must not: read a pass.

use std::collections::{BTreeMap, BTreeSet};

use super::Redeemed;
use crate::budgets;
use crate::time::Moment;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Passes {
    used: BTreeMap<[u8; 16], Moment>,
    due: BTreeSet<(Moment, [u8; 16])>,
}

impl Passes {
    /// One is used.
    pub(super) fn redeem(&mut self, number: [u8; 16], until: Moment) -> Redeemed {
        if self.used.contains_key(&number) {
            return Redeemed::Again;
        }
        // To forget one would make it good again: who comes then is not let in, and the others are.
        if self.used.len() >= budgets::PASSES {
            return Redeemed::NoRoom;
        }
        self.used.insert(number, until);
        self.due.insert((until, number));
        Redeemed::First
    }

    /// Forgets those that are good no more.
    pub(super) fn expire(&mut self, now: Moment) {
        while let Some((until, number)) = self.due.first().copied()
            && until <= now
        {
            self.due.remove(&(until, number));
            self.used.remove(&number);
        }
    }

    /// When that next has something to do.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due.first().map(|(until, _)| *until)
    }
}
