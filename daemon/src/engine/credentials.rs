//! Paths that wait for fresh TURN credentials.
//!
//! Lives here: when a path waits, and how long. Nobody else waits meanwhile.
//! Must not: know how credentials are asked for, or the engine.

use std::time::Duration;

use ahoy_call::Moment;

use crate::values::ice::IceServers;

/// How long a path waits: a trip to the relay and back, and not so long that a person would notice.
const AT_MOST: Duration = Duration::from_millis(300);
/// Who was asked in vain is not waited for again so soon.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Until when the paths that begin are held back.
    until: Option<Moment>,
    asked: Option<Moment>,
}

impl Waits {
    /// When what waits begins at the latest.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.until
    }

    /// Whether a path that begins now must wait, and with it fresh credentials be asked for.
    pub(super) fn begin(&mut self, now: Moment, servers: &IceServers) -> bool {
        let lately = self.asked.is_some_and(|asked| now.since(asked) < ASKED_AGAIN);
        if self.until.is_some() || lately || !servers.end_soon(now) {
            return false;
        }
        (self.until, self.asked) = (Some(now + AT_MOST), Some(now));
        true
    }

    /// Whether the wait is over: the credentials have come, or the time.
    pub(super) fn over(&mut self, now: Moment, servers: &IceServers) -> bool {
        self.until.take_if(|until| *until <= now || !servers.end_soon(now)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::ice::IceServer;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    fn given(ms: u64) -> IceServers {
        let of = |text: &str| text.to_owned();
        let turn = IceServer { urls: vec![of("turn:t")], username: of("u"), credential: of("c") };
        IceServers::fresh(at(ms), vec![turn])
    }

    #[test]
    fn a_path_waits_for_credentials_that_are_about_to_end_and_for_no_others() {
        let mut waits = Waits::default();
        let (old, now) = (given(0), 3_000_000 - 59_000);
        assert!(!waits.begin(at(0), &old) && !waits.begin(at(now - 2_000), &old), "they last");
        assert!(!waits.begin(at(now), &IceServers::default()), "there are none");
        assert!(waits.begin(at(now), &old));
        assert!(!waits.begin(at(now + 10), &old), "one request for all that begin meanwhile");
        assert!(!waits.over(at(now + 299), &old));
        assert!(waits.over(at(now + 50), &given(now + 50)), "fresh ones came");
        assert_eq!(waits.until, None);
    }

    #[test]
    fn a_relay_that_does_not_answer_holds_up_one_path_for_a_moment() {
        let mut waits = Waits::default();
        let old = given(0);
        assert!(waits.begin(at(4_000_000), &old));
        assert!(waits.over(at(4_000_300), &old), "it begins with what there is");
        assert!(!waits.begin(at(4_000_400), &old), "the next one does not wait");
        assert!(waits.begin(at(4_020_000), &old));
    }
}
