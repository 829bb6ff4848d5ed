//! Clients that wait for a look around.
//!
//! Lives here: that one runs at a time, whoever asks meanwhile, and how often one may begin.
//! Must not: look at anything; know the engine.

use ahoy_call::Moment;

use crate::values::budget::{self, Budget};
use crate::values::request::Reply;

/// So many wait for the same.
const MOST: usize = 16;

/// Who waits.
#[derive(Debug)]
pub(super) struct Diagnoses {
    begun: Budget<()>,
    waiting: Vec<Reply>,
}

/// What becomes of a client's wish.
#[derive(Debug)]
pub(super) enum Wish {
    /// A look is to begin.
    Begins,
    /// One is under way; it is answered with the rest.
    Waits,
    /// There were too many.
    TooMany(Reply),
}

impl Default for Diagnoses {
    fn default() -> Self {
        Self { begun: Budget::new(budget::DIAGNOSES), waiting: Vec::new() }
    }
}

impl Diagnoses {
    /// One more client asks.
    pub(super) fn ask(&mut self, now: Moment, reply: Reply) -> Wish {
        let runs = !self.waiting.is_empty();
        if self.waiting.len() >= MOST || !runs && !self.begun.take(now, ()) {
            return Wish::TooMany(reply);
        }
        self.waiting.push(reply);
        if runs { Wish::Waits } else { Wish::Begins }
    }

    /// The look is over: all who waited for it.
    pub(super) fn over(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn one_look_at_a_time_serves_all_who_ask_meanwhile_and_none_begins_without_end() {
        let mut diagnoses = Diagnoses::default();
        let mut ask = |now| diagnoses.ask(Moment::from_micros(now), oneshot::channel().0);
        assert!(matches!(ask(0), Wish::Begins));
        let waits = (1..MOST).filter(|_| matches!(ask(0), Wish::Waits)).count();
        assert_eq!(waits, MOST - 1);
        assert!(matches!(ask(0), Wish::TooMany(_)), "and no more than fit");
        assert_eq!(diagnoses.over().len(), MOST);
        let begun = (0..20)
            .filter(|_| {
                let begins =
                    matches!(diagnoses.ask(Moment::from_micros(1), oneshot::channel().0), Wish::Begins);
                diagnoses.over();
                begins
            })
            .count();
        assert_eq!(begun, 3, "four at once");
        let later = diagnoses.ask(Moment::from_micros(11_000_000), oneshot::channel().0);
        assert!(matches!(later, Wish::Begins), "and six in a minute");
    }
}
