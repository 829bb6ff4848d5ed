//! How long a trip to the relay and back takes, asked on a connection that stands.
//!
//! Lives here: the pings that somebody waits for, and what time it is at the relay.
//! Must not: judge a figure, or end a connection: its silence is watched elsewhere.

use ahoy_call::Moment;
use tokio_tungstenite::tungstenite::Bytes;

use crate::system::clock;
use crate::values::diagnosis::{LinkEar, LinkNews};

/// So many wait at once; who asks one at a time needs one.
const MOST: usize = 4;

/// Somebody wants to know how long a trip to the relay takes.
#[derive(Debug)]
pub(super) struct Look {
    /// Which relay it is there.
    pub(super) relay: u32,
    /// Who wants to know.
    pub(super) ear: LinkEar,
}

/// Who waits, by the words that the relay has to repeat.
#[derive(Debug, Default)]
pub(super) struct Looks {
    asked: u64,
    waiting: Vec<(u64, Moment, Look)>,
}

impl Looks {
    /// The ping to be sent for it. Where too many wait the oldest hears nothing.
    pub(super) fn ping(&mut self, now: Moment, look: Look) -> Bytes {
        if self.waiting.len() >= MOST {
            self.waiting.remove(0);
        }
        self.asked += 1;
        self.waiting.push((self.asked, now, look));
        Bytes::copy_from_slice(&self.asked.to_be_bytes())
    }

    /// A pong: whoever waits for it hears of it. `told_time`: what its clock said at some moment, in seconds since the Unix epoch.
    pub(super) fn pong(&mut self, now: Moment, repeated: &[u8], told_time: Option<(i64, Moment)>) {
        let Ok(number) = repeated.try_into().map(u64::from_be_bytes) else { return };
        let Some(at) = self.waiting.iter().position(|(asked, _, _)| *asked == number) else { return };
        let (_, asked_at, Look { relay, ear }) = self.waiting.remove(at);
        let ahead_s = told_time.map(|(there_s, then)| {
            let since = i64::try_from(now.since(then).as_secs()).unwrap_or(i64::MAX);
            clock::unix_us().div_euclid(1_000_000).saturating_sub(there_s.saturating_add(since))
        });
        // Who asked may not wait any more.
        let _gone = ear.try_send(LinkNews::Answered { relay, took: now.since(asked_at), ahead_s });
    }

    /// The connection is another: nobody will repeat what was said on the last one.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn each_look_hears_of_its_own_pong_once_and_too_many_are_forgotten() {
        let (ear, mut heard) = mpsc::channel(16);
        let mut looks = Looks::default();
        let pings: Vec<Bytes> =
            (0..6).map(|n| looks.ping(at(10 * u64::from(n)), Look { relay: n, ear: ear.clone() })).collect();
        looks.pong(at(100), &pings[0], None);
        looks.pong(at(100), b"", None);
        assert!(heard.try_recv().is_err(), "it made room, and an empty pong is to nobody");
        looks.pong(at(100), &pings[4], None);
        looks.pong(at(200), &pings[4], None);
        let took = Duration::from_millis(60);
        assert_eq!(heard.try_recv(), Ok(LinkNews::Answered { relay: 4, took, ahead_s: None }));
        assert!(heard.try_recv().is_err(), "once");
        looks.clear();
        looks.pong(at(200), &pings[5], None);
        drop((ear, looks));
        assert_eq!(
            heard.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected),
            "nobody is left who could say more"
        );
    }

    #[test]
    fn the_relays_clock_is_compared_with_ours_as_it_would_stand_by_now() {
        let (ear, mut heard) = mpsc::channel(1);
        let mut looks = Looks::default();
        let now = clock::now();
        let ping = looks.ping(now, Look { relay: 1, ear });
        let there_s = clock::unix_us() / 1_000_000 - 7_200;
        looks.pong(now + Duration::from_secs(600), &ping, Some((there_s, now)));
        let Ok(LinkNews::Answered { ahead_s: Some(ahead_s), .. }) = heard.try_recv() else {
            panic!("it was answered");
        };
        assert!(
            (6_599..=6_602).contains(&ahead_s),
            "two hours less the ten minutes that went by there: {ahead_s}"
        );
    }
}
