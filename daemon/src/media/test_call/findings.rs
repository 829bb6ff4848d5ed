//! What a test call found, in words for its client.
//!
//! Lives here: the numbers while they are gathered, and the lines of JSON that a client reads.
//! Must not: judge them; name an address.

use std::time::Duration;

use serde_json::{Value, json};

use crate::values::rows::Stats;

/// Why a test is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its time was.
    Time,
    /// The client closed its end.
    Client,
    /// The daemon wanted it: a call begins, everything is hung up.
    Ordered,
    /// By a reason of the bus.
    Failed(&'static str),
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Findings {
    relays: usize,
    relays_carried: usize,
    /// The fastest way by a relay, there and back to us.
    relay: Option<Duration>,
    set_up: Option<Duration>,
    microphone: bool,
    /// The loudest, dBFS.
    said: Option<f64>,
    played: Option<f64>,
    stats: Stats,
}

impl Findings {
    pub(super) fn new(relays: usize) -> Self {
        Self {
            relays,
            relays_carried: 0,
            relay: None,
            set_up: None,
            microphone: true,
            said: None,
            played: None,
            stats: Stats::default(),
        }
    }

    /// So many relays have carried something; the last word took so long.
    pub(super) fn carried(&mut self, relays: usize, took: Option<Duration>) {
        self.relays_carried = self.relays_carried.max(relays.min(self.relays));
        self.relay = self.relay.into_iter().chain(took).min();
    }

    /// The path was set up within so long.
    pub(super) fn set_up(&mut self, within: Duration) {
        self.set_up = Some(within);
    }

    /// Whether a microphone gives sound.
    pub(super) fn microphone(&mut self, heard: bool) {
        self.microphone = heard;
    }

    /// Numbers of the call. `echo`: what the loudspeaker gets now was said before.
    pub(super) fn take(&mut self, stats: &Stats, echo: bool) {
        let louder = |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
        self.said = louder(self.said, stats.level_in);
        self.played = louder(self.played, stats.level_out.filter(|_| echo));
        self.stats = stats.clone();
    }

    /// The first line.
    pub(super) fn connecting() -> Value {
        json!({"v": 1, "state": "connecting"})
    }

    /// Sound flows.
    pub(super) fn active(after: Duration, lasts: Duration) -> Value {
        json!({"v": 1, "state": "active", "echo_after_ms": whole(after), "lasts_ms": whole(lasts)})
    }

    /// The last line.
    pub(super) fn line(&self, end: End) -> Value {
        let Self { relays, relays_carried, relay, set_up, microphone, said, played, stats } = self;
        let (ended_by, reason) = match end {
            End::Time => ("time", Value::Null),
            End::Client => ("client", Value::Null),
            End::Ordered => ("daemon", Value::Null),
            End::Failed(reason) => ("failure", reason.into()),
        };
        let due = stats.packets_played + stats.packets_concealed;
        let concealed = (due > 0).then(|| share(stats.packets_concealed, due));
        json!({
            "v": 1,
            "state": "ended",
            "ended_by": ended_by,
            "reason": reason,
            "relays": relays,
            "relays_carried": relays_carried,
            "relay_ms": relay.map(ms),
            "setup_ms": set_up.map(ms),
            "microphone": microphone,
            "microphone_dbfs": said.map(tenth),
            "speaker_dbfs": played.map(tenth),
            "rtt_ms": stats.round_trip.map(ms),
            "jitter_ms": (stats.packets_in > 0).then(|| ms(stats.jitter)),
            "playout_delay_ms": (stats.packets_in > 0).then(|| ms(stats.playout_delay)),
            "concealed": concealed,
            "packets_out": stats.packets_out,
            "packets_in": stats.packets_in,
        })
    }
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ms(time: Duration) -> f64 {
    tenth(time.as_secs_f64() * 1e3)
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn share(part: u64, of: u64) -> f64 {
    let counted = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    (counted(part) / counted(of) * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_what_was_found_and_null_of_what_was_not() {
        let mut found = Findings::new(2);
        let nothing = found.line(End::Failed("ice-failed"));
        assert_eq!((&nothing["ended_by"], &nothing["reason"]), (&json!("failure"), &json!("ice-failed")));
        assert_eq!((&nothing["relays"], &nothing["relays_carried"]), (&json!(2), &json!(0)));
        for unknown in
            ["relay_ms", "setup_ms", "microphone_dbfs", "speaker_dbfs", "rtt_ms", "jitter_ms", "concealed"]
        {
            assert_eq!(nothing[unknown], Value::Null, "{unknown}");
        }
        found.carried(1, Some(Duration::from_micros(23_449)));
        found.carried(9, Some(Duration::from_millis(70)));
        let stats = |level_in, level_out| Stats {
            level_in: Some(level_in),
            level_out: Some(level_out),
            packets_in: 99,
            packets_played: 97,
            packets_concealed: 3,
            ..Stats::default()
        };
        found.take(&stats(-12.04, -3.0), false);
        found.take(&stats(-40.0, -20.0), true);
        let line = found.line(End::Time);
        assert_eq!((&line["relay_ms"], &line["relays_carried"]), (&json!(23.4), &json!(2)));
        assert_eq!((&line["microphone_dbfs"], &line["speaker_dbfs"]), (&json!(-12.0), &json!(-20.0)));
        assert_eq!((&line["concealed"], &line["ended_by"]), (&json!(0.03), &json!("time")));
    }
}
