//! STUN and TURN servers, as relays hand them out and paths use them.
//!
//! Lives here: the value that travels from signaling through the engine to media, and when its credentials are renewed.
//! Must not: know where it came from, or read a clock.

use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::limits;

/// For how long credentials are good that have just come. A relay gives the same pair again for a sixth of its life, and
/// says nothing of its age; its clock is not asked.
const GOOD_FOR: Duration =
    limits::TURN_FOR.saturating_sub(Duration::from_secs(limits::TURN_FOR.as_secs() / 6));

/// After how much of that they are renewed: three quarters.
const RENEWED_AFTER: Duration = Duration::from_secs(GOOD_FOR.as_secs() / 4 * 3);

/// Between two requests that a relay does not answer.
const ASKED_AGAIN: Duration = Duration::from_secs(60);

/// A path that begins this close to the end of its credentials waits for fresh ones.
const SOON: Duration = Duration::from_secs(60);

/// A STUN or TURN server (RFC 7064, RFC 7065).
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: String,
    /// For TURN.
    pub credential: String,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceServer({} urls)", self.urls.len())
    }
}

/// What one relay, or all of ours, gave us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceServers {
    /// Those that a path may use.
    pub list: Vec<IceServer>,
    /// When the first of their credentials end; none without credentials.
    pub end: Option<Moment>,
}

impl IceServers {
    /// As they come from a relay.
    pub fn fresh(now: Moment, list: Vec<IceServer>) -> Self {
        let end = list.iter().any(|server| !server.credential.is_empty()).then(|| now + GOOD_FOR);
        Self { list, end }
    }

    /// Together with those of another relay.
    pub fn and(mut self, more: &Self) -> Self {
        self.list.extend(more.list.iter().cloned());
        self.end = self.end.into_iter().chain(more.end).min();
        self
    }

    /// Whether a path that begins now might outlive its credentials before it stands.
    pub fn end_soon(&self, now: Moment) -> bool {
        self.end.is_some_and(|end| end <= now + SOON)
    }
}

/// When a relay is next asked for fresh credentials.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal(Option<Moment>);

impl Renewal {
    /// These came.
    pub fn came(&mut self, now: Moment, servers: &IceServers) {
        self.0 = servers.end.map(|_| now + RENEWED_AFTER);
    }

    /// The relay was asked.
    pub fn asked(&mut self, now: Moment) {
        self.0 = self.0.map(|_| now + ASKED_AGAIN);
    }

    /// When to ask. None: there is nothing to renew.
    pub fn due(&self) -> Option<Moment> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Moment {
        Moment::from_micros(minutes * 60_000_000)
    }

    fn turn() -> Vec<IceServer> {
        let of = |text: &str| text.to_owned();
        vec![IceServer { urls: vec![of("turn:t")], username: of("u"), credential: of("c") }]
    }

    #[test]
    fn a_link_that_stands_for_a_day_never_has_credentials_that_have_ended() {
        let (mut renewal, mut servers) = (Renewal::default(), IceServers::fresh(at(0), turn()));
        // The relay may give the pair that it made ten minutes before.
        let mut ends_at_the_relay = at(60);
        let mut asked = 0;
        renewal.came(at(0), &servers);
        while let Some(now) = renewal.due().filter(|due| *due < at(24 * 60)) {
            assert!(now + SOON < ends_at_the_relay, "renewed in time");
            assert!(servers.end.is_some_and(|end| end <= ends_at_the_relay), "not too long");
            renewal.asked(now);
            servers = IceServers::fresh(now, turn());
            renewal.came(now, &servers);
            ends_at_the_relay = now + Duration::from_secs(50 * 60);
            asked += 1;
        }
        assert!((24..60).contains(&asked), "{asked} requests in a day");
    }

    #[test]
    fn a_relay_that_does_not_answer_is_asked_again_and_one_without_turn_never() {
        let mut renewal = Renewal::default();
        assert_eq!(renewal.due(), None);
        renewal.came(at(0), &IceServers::fresh(at(0), turn()));
        let first = renewal.due().unwrap();
        renewal.asked(first);
        assert_eq!(renewal.due(), Some(first + ASKED_AGAIN));
        let stun =
            IceServer { urls: vec!["stun:s".to_owned()], username: String::new(), credential: String::new() };
        renewal.came(at(1), &IceServers::fresh(at(1), vec![stun]));
        renewal.asked(at(2));
        assert_eq!(renewal.due(), None);
    }

    #[test]
    fn the_end_of_all_is_the_end_of_the_first() {
        let (early, late) = (IceServers::fresh(at(0), turn()), IceServers::fresh(at(20), turn()));
        let both = late.and(&IceServers::default()).and(&early);
        assert_eq!((both.list.len(), both.end), (2, early.end));
        let end = early.end.unwrap();
        assert!(both.end_soon(Moment::from_micros(end.micros() - 1)) && both.end_soon(end + SOON));
        assert!(!both.end_soon(at(48)) && both.end_soon(at(49)));
        assert!(!IceServers::default().end_soon(at(9_999)));
    }
}
