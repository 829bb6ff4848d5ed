//! One direction of sound: where its stream should run, which way it was opened, when it is tried again.
//!
//! Lives here: `Side`, and the place of a stream.
//! Must not: know orders or the other direction; touch samples.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ahoy_call::Moment;

use super::super::choice::{Choice, Watchdog, Way, WayOrder};
use super::super::presence;
use super::super::rings::Meters;
use super::super::streams::{OpenError, Stream, is_bluetooth};
use crate::system::clock;
use crate::values::devices::{Device, Flow, Found, Server};

/// Between attempts to open; whatever changes among the devices is tried at once.
const RETRY: Duration = Duration::from_millis(500);
/// Between attempts without a server: only a bare device could work.
const RETRY_BARE: Duration = Duration::from_secs(4);

/// After a stream was opened otherwise nothing else is changed for so long: what is new has its time to begin.
const SETTLES: Duration = Duration::from_secs(5);
/// A stream that gives nothing is opened the same way once more; the second time the next way is tried.
const SAME_WAY: u32 = 1;
/// How soon a better way is tried again; each time in vain doubles it.
const BETTER: Duration = Duration::from_secs(10);
const BETTER_MOST: Duration = Duration::from_secs(160);

/// Where a stream should run, as far as we can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The wished device; none if none is wished, or if it is not there.
    pub(super) wished: Option<String>,
    /// The system's choice, which serves else.
    pub(super) usual: Option<String>,
    /// There is no device at all.
    pub(super) nowhere: bool,
}

impl Place {
    /// A headset without a wire, as far as its name says.
    pub(super) fn bluetooth(&self) -> bool {
        self.wished.as_deref().or(self.usual.as_deref()).is_some_and(is_bluetooth)
    }

    /// Of a stream that was opened here now; `frames` is the counter's present value.
    pub(super) fn watchdog(&self, now: Moment, frames: u64) -> Watchdog {
        Watchdog::new(now, frames, self.bluetooth())
    }
}

/// Where a stream of this direction belongs now.
pub(super) fn place(found: &Found, flow: Flow, wished: Option<&str>) -> Place {
    let id = |device: &Device| device.id.clone();
    let listed = matches!(found.server, Server::PulseAudio) || !found.devices.is_empty();
    if !listed {
        // Nobody can tell us what is there: the sound library finds out.
        return Place { wished: wished.map(str::to_owned), ..Place::default() };
    }
    Place {
        wished: wished.and_then(|wished| found.device(flow, wished)).map(id),
        usual: found.usual(flow).map(id),
        nowhere: !found.devices.iter().any(|device| device.flow == flow),
    }
}

/// One direction.
#[derive(Default)]
pub(super) struct Side {
    pub(super) choice: Choice,
    pub(super) running: Option<(Stream, Watchdog)>,
    /// The counter when the stream was opened.
    pub(super) began_at: u64,
    pub(super) retry: Option<Moment>,
    /// It was tried, and does not work; why.
    pub(super) failed: Option<OpenError>,
    /// Where the stream was opened.
    pub(super) at: Place,
    /// This device is said to be there and did not open: not tried again before something changes.
    pub(super) refused: Option<String>,
    /// Times in a row that this way gave nothing, or did not answer.
    pub(super) failures: u32,
    /// When it was last opened otherwise because of that.
    pub(super) changed: Option<Moment>,
    /// It runs another way than the best: when that one is tried again, and after how long then.
    pub(super) better: Option<(Moment, Duration)>,
}

impl Side {
    pub(super) fn flows(&self, frames: u64) -> bool {
        self.running.is_some() && frames > self.began_at
    }

    /// Something about the devices is new; `server`: who tells of them is another one.
    pub(super) fn reconsider(&mut self, server: bool, order: WayOrder) {
        (self.retry, self.refused, self.failures) = (None, None, 0);
        let makeshift = matches!(self.choice.way(), Way::AlsaPulse | Way::AlsaDefault);
        if self.running.is_none() || server && makeshift {
            (self.running, self.choice) = (None, Choice::best(order));
        }
    }

    /// Drop a stream that is over or gives nothing.
    pub(super) fn check(&mut self, now: Moment, frames: u64, what: &str) {
        if self.flows(frames) {
            (self.failed, self.failures) = (None, 0);
        }
        let Some((stream, watchdog)) = &mut self.running else { return };
        if stream.broken.load(Ordering::Relaxed) {
            tracing::warn!("{what} ended, opening it again");
            *self = Self { failed: self.failed.take(), ..Self::default() };
            return;
        }
        let settles = self.changed.is_some_and(|changed| now.since(changed) < SETTLES);
        if watchdog.content(now, frames) || settles {
            return;
        }
        tracing::warn!(way = ?self.choice.way(), "{what} gives nothing, opening it again");
        self.running = None;
        if frames == self.began_at {
            self.failed = Some(OpenError::NoDevice);
        }
        self.changed = Some(now);
        self.fail();
    }

    /// This way did not serve. The second time in a row the next one is tried; false if there is none.
    fn fail(&mut self) -> bool {
        self.failures += 1;
        if self.failures <= SAME_WAY {
            return true;
        }
        self.failures = 0;
        self.choice.next_way()
    }

    /// It runs another way than the best one, which may serve again: at the next quiet moment it is tried.
    pub(super) fn improve(&mut self, now: Moment, flow: Flow, meters: &Meters, what: &str) {
        let Some((due, after)) = self.better else { return };
        if self.running.is_none() || due > now || !meters.quiet(flow, now) {
            return;
        }
        self.better = Some((now + after, (after * 2).min(BETTER_MOST)));
        let mut best = self.choice;
        while best.next_way() {}
        let there = match best.way() {
            Way::PipeWire => presence::pipewire_listens(),
            Way::PulseAudio => presence::pulse_listens(),
            Way::AlsaPulse | Way::AlsaDefault => false,
        };
        if there {
            tracing::info!(way = ?best.way(), "{what}: the better way is tried again");
            (self.running, self.choice, self.retry) = (None, best, None);
        }
    }

    /// Drop a stream that belongs elsewhere by now.
    pub(super) fn follow(&mut self, place: &Place, what: &str) {
        if place.nowhere {
            (self.running, self.failed) = (None, Some(OpenError::NoDevice));
            self.at = place.clone();
            return;
        }
        if self.running.is_none() || self.refused.is_some() && self.refused == place.wished {
            return;
        }
        // PipeWire moves what runs on its default by itself.
        let by_itself = self.choice.way() == Way::PipeWire;
        let moved = place.wished != self.at.wished
            || place.wished.is_none() && !by_itself && place.usual.is_some() && place.usual != self.at.usual;
        if moved {
            tracing::info!("{what} goes to another device");
            self.running = None;
            self.retry = None;
        }
    }

    /// Try one way after the other, once. One that does not answer has held us up: after it whoever waits is served first.
    pub(super) fn open(
        &mut self,
        now: Moment,
        began_at: u64,
        (server, order): (bool, WayOrder),
        place: Place,
        what: &str,
        mut attempt: impl FnMut(Choice, Option<&str>) -> Result<Stream, OpenError>,
    ) {
        self.choice = self.choice.in_order(order);
        let mut first = None;
        loop {
            let worth_it = match self.choice.way() {
                // Its library also reaches servers that we cannot see.
                Way::AlsaPulse => server || presence::elsewhere(),
                // The library of ALSA complains at length on standard error where it finds no card.
                Way::AlsaDefault => presence::card_exists(),
                Way::PipeWire | Way::PulseAudio => server,
            };
            if worth_it {
                match attempt(self.choice, place.wished.as_deref()) {
                    Ok(stream) => return self.runs(stream, began_at, place, what),
                    Err(OpenError::Silent) => {
                        tracing::warn!(way = ?self.choice.way(), "the sound server does not answer");
                        (self.failed, self.at) = (Some(OpenError::Silent), place);
                        let again = self.fail();
                        self.retry = Some(clock::now() + if again { RETRY } else { RETRY_BARE });
                        return;
                    }
                    Err(error) => {
                        tracing::debug!(way = ?self.choice.way(), %error, "{what} does not open");
                        first = first.or(Some(error));
                    }
                }
            }
            if !self.choice.next_way() {
                self.failed = Some(first.unwrap_or(OpenError::NoDevice));
                self.at = place;
                self.retry = Some(now + if server { RETRY } else { RETRY_BARE });
                return;
            }
        }
    }

    fn runs(&mut self, stream: Stream, began_at: u64, place: Place, what: &str) {
        tracing::info!(way = ?self.choice.way(), size = self.choice.frames(), "{what} runs");
        (self.began_at, self.retry) = (began_at, None);
        self.refused = place.wished.clone().filter(|_| !stream.as_wished);
        let now = clock::now();
        self.running = Some((stream, place.watchdog(now, began_at)));
        self.at = Place { wished: place.wished.filter(|_| self.refused.is_none()), ..place };
        self.better = match self.choice.is_best() {
            true => None,
            false => self.better.or(Some((now + BETTER, 2 * BETTER))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A side whose second way has been tried as well, after so many failures.
    fn after(failures: u32) -> Side {
        let mut side = Side::default();
        for _ in 0..failures {
            side.fail();
        }
        side
    }

    #[test]
    fn a_way_is_left_only_after_two_failures_and_the_last_leads_to_the_first() {
        assert_eq!(after(1).choice.way(), Way::PipeWire, "the same once more");
        assert_eq!(after(2).choice.way(), Way::PulseAudio);
        assert_eq!(after(3).choice.way(), Way::PulseAudio);
        assert_eq!(after(4).choice.way(), Way::AlsaPulse);
        assert_eq!(after(8).choice.way(), Way::PipeWire);
    }

    #[test]
    fn a_server_that_does_not_answer_is_asked_once_at_a_time() {
        let (mut side, mut asked) = (Side::default(), Vec::new());
        let now = Moment::from_micros(1_000_000);
        for _ in 0..3 {
            side.open(now, 0, (true, WayOrder::default()), Place::default(), "playback", |choice, _| {
                asked.push(choice.way());
                Err(OpenError::Silent)
            });
            assert!(side.retry.is_some() && matches!(side.failed, Some(OpenError::Silent)));
        }
        assert_eq!(asked, [Way::PipeWire, Way::PipeWire, Way::PulseAudio]);
    }

    fn at(wished: Option<&str>, usual: &str) -> Place {
        Place { wished: wished.map(str::to_owned), usual: Some(usual.to_owned()), nowhere: false }
    }

    #[test]
    fn a_headset_without_a_wire_is_known_by_its_name() {
        assert!(at(None, "bluez_input.00_11.headset-head-unit").bluetooth());
        assert!(!at(Some("alsa_input.usb"), "bluez_input.00_11").bluetooth());
    }

    #[test]
    fn a_stream_on_a_headset_without_a_wire_has_six_seconds_to_begin() {
        // When it is opened anew, looked at every 100 ms.
        let begins = |place: Place| {
            let mut dog = place.watchdog(Moment::from_micros(0), 7);
            (1..=600).map(|n| n * 100).find(|ms| !dog.content(Moment::from_micros(ms * 1_000), 7))
        };
        assert_eq!(begins(at(None, "bluez_input.00_11")), Some(6_000));
        assert_eq!(begins(at(Some("bluez_output.00_11"), "alsa_output.usb")), Some(6_000));
        assert_eq!(begins(at(Some("alsa_input.usb"), "bluez_input.00_11")), Some(2_000));
    }
}
