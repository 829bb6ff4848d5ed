//! How far a path is, and until when it may stay so.
//!
//! Lives here: what the library's states mean for a path, pure; the watchdog of the set-up and that of a doubted path.
//! Must not: read a clock, tell anyone, or close anything.

use std::time::Duration;

use ahoy_call::Moment;

/// The library can lose a DTLS flight for good, both sides then wait forever (its timer is not set again after a
/// repeated message). From ICE up to DTLS up; a flight that is lost each time that
/// we send it takes the library's second.
const DTLS_WITHIN: Duration = Duration::from_millis(2500);

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// `dtls_until` runs from ICE up.
    Building {
        dtls_until: Option<Moment>,
    },
    /// `doubted_until`: the library calls the path lost, and the voice came until just now; when that is looked at again.
    Up {
        doubted_until: Option<Moment>,
    },
    Lost,
    /// Stuck or failed: nothing more is told.
    Dead,
}

impl State {
    pub(super) fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// When it is to be looked at again; never if none.
    pub(super) fn due(self) -> Option<Moment> {
        match self {
            Self::Building { dtls_until: until } | Self::Up { doubted_until: until } => until,
            Self::Lost | Self::Dead => None,
        }
    }

    /// ICE found a way; DTLS follows.
    pub(super) fn found_way(&mut self, now: Moment) {
        if let Self::Building { dtls_until: until @ None } = self {
            *until = Some(now + DTLS_WITHIN);
        }
    }

    /// The library calls the path up. `true`: that is news.
    pub(super) fn up(&mut self) -> bool {
        let news = matches!(self, Self::Building { .. } | Self::Lost);
        if news || self.is_up() {
            *self = Self::Up { doubted_until: None };
        }
        news
    }

    /// The library misses the answers to its checks. A path on which the voice came until just now is only doubted: a full line
    /// has swallowed them. `silent_at`: when the voice will have been missing for too long. `true`: the path is lost, and that is
    /// news.
    pub(super) fn down(&mut self, now: Moment, silent_at: Moment) -> bool {
        if self.is_up() && silent_at > now {
            *self = Self::Up { doubted_until: Some(silent_at) };
            return false;
        }
        self.lost()
    }

    /// The path carries nothing. `true`: that is news.
    pub(super) fn lost(&mut self) -> bool {
        let news = matches!(self, Self::Building { .. } | Self::Up { .. });
        if news {
            *self = Self::Lost;
        }
        news
    }

    /// DTLS failed, after ICE found a way: the path is stuck.
    pub(super) fn is_stuck(self) -> bool {
        matches!(self, Self::Building { dtls_until: Some(_) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    #[test]
    fn keys_are_waited_for_from_the_first_way_on_that_was_found() {
        let mut state = State::Building { dtls_until: None };
        assert_eq!((state.due(), state.is_stuck()), (None, false));
        state.found_way(at(0));
        state.found_way(at(900));
        assert_eq!((state.due(), state.is_stuck()), (Some(at(0) + DTLS_WITHIN), true));
        assert!(state.up());
        assert_eq!((state.due(), state.is_stuck()), (None, false));
    }

    #[test]
    fn a_path_on_which_the_voice_comes_is_doubted_and_not_lost_until_that_stops_too() {
        let mut state = State::Up { doubted_until: None };
        assert!(!state.down(at(0), at(900)));
        assert_eq!((state.is_up(), state.due()), (true, Some(at(900))));
        assert!(!state.down(at(900), at(1_300)), "it came meanwhile");
        assert!(!state.up(), "it never was lost");
        assert_eq!(state.due(), None, "and is doubted no more");
        assert!(state.down(at(1_300), at(1_300)));
        assert_eq!((state, state.due()), (State::Lost, None));
        assert!(!state.down(at(1_400), at(2_000)), "it is known");
        assert!(state.up());
    }

    #[test]
    fn a_dead_path_stays_dead() {
        let mut state = State::Dead;
        state.found_way(at(0));
        assert!(!state.up() && !state.down(at(0), at(9)) && !state.lost());
        assert_eq!(state, State::Dead);
    }
}
