//! A path that is up and brings no voice.
//!
//! Lives here: how long nothing may come before a path counts as lost, and the look at it when our network has changed.
//! Must not: mend anything: what is lost is reported, and the rules begin another path.

use std::time::Duration;

use ahoy_call::{MediaReport, Moment};

use super::Session;
use crate::media::transport::PathOrder;
use crate::media::wanted::Key;

/// A voice comes 50 times a second, muted and held too. A path on which it stopped for so long while the library still calls
/// it up carries nothing: its keys or numbers do not fit.
const SILENT: Duration = Duration::from_secs(3);
/// The same before this device has said anything by any path: our answer may still be under way to it.
const SILENT_AT_FIRST: Duration = Duration::from_secs(8);
/// So long after a change of our network something must have come.
const PROBED: Duration = Duration::from_secs(1);
/// Nothing has come for so long: nothing comes.
const QUIET: Duration = Duration::from_millis(300);

/// When the voice of the other side came by one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    last: Option<Moment>,
    /// Since when it should come.
    since: Option<Moment>,
    /// When it is looked whether anything came since our network changed.
    probe: Option<Moment>,
    /// It was given up, though the library calls it up.
    given_up: bool,
}

impl Heard {
    /// A voice came. `true`: by a path that was given up, which is up again.
    pub(super) fn came(&mut self, now: Moment) -> bool {
        self.last = Some(now);
        std::mem::take(&mut self.given_up)
    }

    fn quiet(&self, now: Moment) -> bool {
        self.last.or(self.since).is_none_or(|last| now.since(last) > QUIET)
    }

    /// Our network has changed. `true`: nothing comes any more as it is.
    fn probe(&mut self, now: Moment) -> bool {
        self.probe = Some(now + PROBED);
        self.quiet(now)
    }

    /// Whether the path is to be given up. `due`: the voice should come by it now. `ever`: it came before, by this path or
    /// another one.
    fn is_over(&mut self, now: Moment, due: bool, ever: bool) -> bool {
        if !due {
            (self.since, self.probe) = (None, None);
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let last = self.last.map_or(since, |last| last.max(since));
        if self.probe.is_some_and(|at| at <= now) {
            self.probe = None;
            return self.quiet(now);
        }
        now.since(last) > if ever { SILENT } else { SILENT_AT_FIRST }
    }
}

impl Session {
    pub(super) async fn probe(&mut self, now: Moment, key: Key) {
        // In a room nobody else may be: whether its way is gone only the path can tell.
        let leg = self.legs.get_mut(&key.0).filter(|leg| !leg.is_room);
        let path = leg.and_then(|leg| leg.paths.get_mut(&key.1));
        let lost = path.is_some_and(|path| path.up && path.opened && path.heard.probe(now));
        match lost {
            true => self.silent(key).await,
            false => self.ask(key, PathOrder::Look).await,
        }
    }

    /// Gives up what is up and brings nothing. The voice is due on the newest path that sound may flow on, and from the first
    /// sound on it: the other side needs a moment to move over.
    pub(super) async fn watch_for_silence(&mut self, now: Moment) {
        let mut over = Vec::new();
        for (id, leg) in &mut self.legs {
            let mut newest = true;
            for (epoch, path) in leg.paths.iter_mut().rev() {
                // In a room nobody else may be.
                let due = newest && path.opened && path.up && !leg.is_room;
                newest &= !(path.opened && path.up);
                if path.heard.is_over(now, due, leg.heard) {
                    over.push((*id, *epoch));
                }
            }
        }
        for key in over {
            self.silent(key).await;
        }
    }

    pub(super) async fn silent(&mut self, key: Key) {
        tracing::info!(leg = ?key.0, epoch = key.1.0, "a path brings no voice any more");
        if let Some(path) = self.legs.get_mut(&key.0).and_then(|leg| leg.paths.get_mut(&key.1)) {
            path.heard.given_up = true;
        }
        self.down(key, MediaReport::Lost).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    /// A voice every 20 ms until then, then none: when the path is given up.
    fn given_up(heard: &mut Heard, until: u64, ever: bool) -> Option<u64> {
        (0..20_000).step_by(20).find(|ms| {
            if *ms < until {
                heard.came(at(*ms));
            }
            heard.is_over(at(*ms), true, ever)
        })
    }

    #[test]
    fn a_path_is_given_up_three_seconds_after_the_last_voice_and_later_before_the_first() {
        assert_eq!(given_up(&mut Heard::default(), 10_000, true), Some(9_980 + 3_020));
        assert_eq!(given_up(&mut Heard::default(), 0, true), Some(3_020), "another path brought it before");
        assert_eq!(given_up(&mut Heard::default(), 0, false), Some(8_020));
        assert_eq!(given_up(&mut Heard::default(), 20_000, true), None);
    }

    #[test]
    fn after_a_change_of_the_network_a_path_that_still_brings_voice_stays_and_another_goes_at_once_or_in_a_second()
     {
        let mut heard = Heard::default();
        assert_eq!(given_up(&mut heard, 20_000, true), None);
        assert!(!heard.probe(at(20_000)), "it brings voice");
        for ms in (20_000..22_000).step_by(20) {
            heard.came(at(ms));
            assert!(!heard.is_over(at(ms), true, true), "and goes on to");
        }
        assert!(!heard.probe(at(22_000)));
        let over = (22_000..).step_by(20).find(|ms| heard.is_over(at(*ms), true, true));
        assert_eq!(over, Some(23_000), "it stopped with the change");
        assert!(heard.probe(at(30_000)), "it had stopped before");
    }

    #[test]
    fn nothing_is_due_on_a_path_that_is_not_the_one_to_talk_on() {
        let mut heard = Heard::default();
        assert!(!heard.is_over(at(0), true, true));
        assert!(!heard.is_over(at(60_000), false, true));
        assert!(!heard.is_over(at(60_020), true, true), "its time begins anew");
    }
}
