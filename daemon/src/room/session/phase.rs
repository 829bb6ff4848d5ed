//! Where a stay is.
//!
//! Lives here: the phases, each with exactly its data and its times.
//! Must not: decide which one follows.

use std::time::Duration;

use ahoy_call::Moment;

/// A stay that lasted so long makes up for the tries before it.
const STANDS: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(7);

/// How we come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// With a new connection.
    Fresh,
    /// With the one that there is.
    Resume,
}

/// See the head of this file. `tries` are those that failed in a row.
#[derive(Debug)]
pub(super) enum Phase {
    /// The connection is asked for its first description.
    Describing { tries: u32, until: Moment },
    /// The socket is opened, and the server's first word is awaited.
    Opening { entry: Entry, tries: u32, until: Moment },
    /// The server has let us in.
    In(Stay),
    /// The next try is waited for.
    Away(Away),
    /// It is over.
    Ended,
}

/// What [`Phase::Away`] holds.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) entry: Entry,
    pub(super) tries: u32,
    pub(super) until: Moment,
    /// The token is refused: nothing is tried before there is another one.
    pub(super) refused: bool,
}

/// What [`Phase::In`] holds.
#[derive(Debug)]
pub(super) struct Stay {
    since: Moment,
    tries: u32,
    every: Duration,
    lost_after: Duration,
    heard: Moment,
    ping: Moment,
}

impl Stay {
    pub(super) fn begin(now: Moment, tries: u32, every: Duration, lost_after: Duration) -> Self {
        Self { since: now, tries, every, lost_after, heard: now, ping: now + every }
    }

    /// With the usual times: a server that knows us says them once.
    pub(super) fn again(now: Moment, tries: u32) -> Self {
        Self::begin(now, tries, Duration::from_secs(5), Duration::from_secs(15))
    }

    /// Any word counts as life.
    pub(super) fn heard(&mut self, now: Moment) {
        self.heard = now;
    }

    pub(super) fn is_lost(&self, now: Moment) -> bool {
        self.heard + self.lost_after <= now
    }

    /// Whether it is time to ask.
    pub(super) fn pings(&mut self, now: Moment) -> bool {
        let due = self.ping <= now;
        if due {
            self.ping = now + self.every;
        }
        due
    }
}

impl Phase {
    pub(super) fn due(&self) -> Option<Moment> {
        match self {
            Self::Describing { until, .. } | Self::Opening { until, .. } => Some(*until),
            Self::In(stay) => Some(stay.ping.min(stay.heard + stay.lost_after)),
            Self::Away(away) => (!away.refused).then_some(away.until),
            Self::Ended => None,
        }
    }

    /// Tries that failed in a row, if it ends now.
    pub(super) fn failed(&self, now: Moment) -> u32 {
        match self {
            Self::Describing { tries, .. } | Self::Opening { tries, .. } => tries + 1,
            Self::In(stay) if now.since(stay.since) >= STANDS => 0,
            Self::In(stay) => stay.tries + 1,
            Self::Away(away) => away.tries,
            Self::Ended => 0,
        }
    }
}

/// How long is waited after so many tries.
pub(super) fn pause(tries: u32) -> Duration {
    LONGEST.min(Duration::from_millis(300) * tries.saturating_mul(tries))
}
