//! Paths that wait for fresh TURN credentials.
//!
//! Lives here: when a path waits, how long, and that it is then begun. Nobody else waits meanwhile.
//! Must not: know how credentials are asked for.

use std::time::Duration;

use ahoy_call::{CallId, Epoch, Event, LegId, MediaFault, MediaOrder, MediaReport, Moment};

use super::Engine;
use crate::values::ice::IceServers;
use crate::{media, signal};

/// How long a path waits: a trip to the relay and back, and not so long that a person would notice.
const AT_MOST: Duration = Duration::from_millis(300);
/// Who was asked in vain is not waited for again so soon.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Until when the paths that begin are held back.
    pub(super) until: Option<Moment>,
    asked: Option<Moment>,
}

impl Waits {
    /// Whether a path that begins now must wait, and with it fresh credentials be asked for.
    fn begin(&mut self, now: Moment, servers: &IceServers) -> bool {
        let lately = self.asked.is_some_and(|asked| now.since(asked) < ASKED_AGAIN);
        if self.until.is_some() || lately || !servers.end_soon(now) {
            return false;
        }
        (self.until, self.asked) = (Some(now + AT_MOST), Some(now));
        true
    }

    /// Whether the wait is over: the credentials have come, or the time.
    fn over(&mut self, now: Moment, servers: &IceServers) -> bool {
        self.until.take_if(|until| *until <= now || !servers.end_soon(now)).is_some()
    }
}

impl Engine {
    /// Passes an order about a path on. One that begins waits a moment where its credentials are about to end.
    pub(crate) fn order_path(
        &mut self,
        now: Moment,
        call: CallId,
        (leg, epoch): (LegId, Epoch),
        order: MediaOrder,
    ) -> Result<(), media::Refused> {
        if matches!(order, MediaOrder::Prepare(_)) && self.waits.begin(now, &self.links.ice_servers) {
            tracing::debug!("a path waits for fresh credentials");
            self.tell_signal(signal::SignalingOrder::Refresh);
            self.ports.media.hold_back();
        }
        self.ports.media.call(call, media::CallOrder::Path { leg, epoch, order })
    }

    /// The links have changed.
    pub(super) fn linked(&mut self, links: signal::LinkState) {
        if links.ice_servers.list != self.links.ice_servers.list {
            self.ports.media.use_servers(links.ice_servers.list.clone());
        }
        self.links = links;
        let now = self.now();
        self.credentials_tick(now);
    }

    pub(super) fn credentials_tick(&mut self, now: Moment) {
        if !self.waits.over(now, &self.links.ice_servers) {
            return;
        }
        for (call, leg, epoch) in self.ports.media.let_go() {
            let report = MediaReport::Failed(MediaFault::Media);
            self.feed(Event::Media { call, leg, epoch, report });
        }
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
