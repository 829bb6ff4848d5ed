//! One direction of sound: where its stream should run, which way it was opened, when it is tried again.
//!
//! Lives here: `Side`, and the place of a stream.
//! Must not: know orders or the other direction; touch samples.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ahoy_call::Moment;

use super::super::choice::{Choice, Watchdog, Way};
use super::super::presence;
use super::super::streams::{OpenError, Stream};
use crate::clock;
use crate::devices::{Device, Flow, Found, Server};

/// Between attempts to open; whatever changes among the devices is tried at once.
const RETRY: Duration = Duration::from_millis(500);
/// Between attempts without a server: only a bare device could work.
const RETRY_BARE: Duration = Duration::from_secs(4);

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
}

impl Side {
    pub(super) fn flows(&self, frames: u64) -> bool {
        self.running.is_some() && frames > self.began_at
    }

    /// Something about the devices is new; `server`: who tells of them is another one.
    pub(super) fn reconsider(&mut self, server: bool) {
        (self.retry, self.refused) = (None, None);
        let makeshift = matches!(self.choice.way(), Way::AlsaPulse | Way::AlsaDefault);
        if self.running.is_none() || server && makeshift {
            (self.running, self.choice) = (None, Choice::default());
        }
    }

    /// Drop a stream that is over or gives too little.
    pub(super) fn check(&mut self, now: Moment, frames: u64, what: &str) {
        if self.flows(frames) {
            self.failed = None;
        }
        let Some((stream, watchdog)) = &mut self.running else { return };
        if stream.broken.load(Ordering::Relaxed) {
            tracing::warn!("{what} ended, opening it again");
            *self = Self { failed: self.failed.take(), ..Self::default() };
        } else if !watchdog.content(now, frames) {
            tracing::warn!(way = ?self.choice.way(), size = self.choice.frames(), "{what} gives too few frames, opening it otherwise");
            self.running = None;
            if frames == self.began_at {
                self.failed = Some(OpenError::NoDevice);
            }
            self.choice.next_size();
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

    /// Try one way after the other, once.
    pub(super) fn open(
        &mut self,
        now: Moment,
        began_at: u64,
        server: bool,
        place: Place,
        what: &str,
        mut attempt: impl FnMut(Choice, Option<&str>) -> Result<Stream, OpenError>,
    ) {
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
                    Ok(stream) => {
                        tracing::info!(way = ?self.choice.way(), size = self.choice.frames(), "{what} runs");
                        (self.began_at, self.retry) = (began_at, None);
                        self.refused = place.wished.clone().filter(|_| !stream.as_wished);
                        self.at = Place { wished: place.wished.filter(|_| stream.as_wished), ..place };
                        self.running = Some((stream, Watchdog::new(clock::now(), began_at)));
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
}
