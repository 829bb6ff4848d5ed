//! The device thread: what should run, what runs, and bringing the two together again and again.
//!
//! Lives here: orders, retries, the state that is told.
//! Must not: touch samples.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use ahoy_call::Moment;
use rtrb::{Consumer, RingBuffer};
use tokio::sync::watch;

use super::choice::{Choice, Watchdog, Way};
use super::rings::{Feed, Meters, Tap};
use super::streams::{Hosts, OpenError, Stream, channels};
use super::{DeviceState, End, Wish, presence};
use crate::clock;
use crate::devices::{Flow, Found, Server};

/// How often streams are looked at while any should run.
const LOOK: Duration = Duration::from_millis(100);
/// Between attempts to open; whatever changes among the devices is tried at once.
const RETRY: Duration = Duration::from_millis(500);
/// Between attempts without a server: only a bare device could work.
const RETRY_BARE: Duration = Duration::from_secs(4);
/// A quarter of a second of captured sound may wait for the media task.
const CAPTURE_RING: usize = 12_000;
/// A quarter of a second of played sound may wait for the media task.
const PLAYED_RING: usize = 12_000;
/// More than any block and margin.
const PLAYBACK_RING: usize = 24_000;

/// An order of the handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Run playback.
    Warm,
    /// Run playback and this opening of the microphone, or close the microphone.
    Capture(Option<u64>),
    /// Run nothing.
    Close,
}

/// What the thread reads of the world.
pub(super) struct World {
    /// What a person wants.
    pub(super) wish: watch::Receiver<Wish>,
    /// What is there.
    pub(super) found: watch::Receiver<Arc<Found>>,
}

/// Where a stream should run, as far as we can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// The wished device; none if none is wished, or if it is not there.
    wished: Option<String>,
    /// The system's choice, which serves else.
    usual: Option<String>,
    /// There is no device at all.
    nowhere: bool,
}

/// One direction.
#[derive(Default)]
struct Side {
    choice: Choice,
    running: Option<(Stream, Watchdog)>,
    /// The counter when the stream was opened.
    began_at: u64,
    retry: Option<Moment>,
    /// It was tried, and does not work; why.
    failed: Option<OpenError>,
    /// Where the stream was opened.
    at: Place,
    /// This device is said to be there and did not open: not tried again before something changes.
    refused: Option<String>,
}

/// A microphone's stream that was made while it rings and does not run: the server reads nothing for it, so neither do we.
/// To let it run takes one block of sound; to make it takes several trips to the server.
struct Ready {
    stream: Stream,
    samples: Consumer<f32>,
    at: Place,
}

/// See the head of this file.
pub(super) struct Worker {
    world: World,
    orders: Receiver<Command>,
    ends: SyncSender<End>,
    state: watch::Sender<DeviceState>,
    meters: Arc<Meters>,
    hosts: Hosts,
    playback: bool,
    capture: Option<u64>,
    output: Side,
    input: Side,
    ready: Option<Ready>,
    /// It was tried to make one since something changed.
    readied: bool,
    server: bool,
    server_was: Server,
}

impl Worker {
    pub(super) fn new(
        world: World,
        orders: Receiver<Command>,
        ends: SyncSender<End>,
        state: watch::Sender<DeviceState>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            world,
            orders,
            ends,
            state,
            meters,
            hosts: Hosts::default(),
            playback: false,
            capture: None,
            output: Side::default(),
            input: Side::default(),
            ready: None,
            readied: false,
            server: true,
            server_was: Server::Unknown,
        }
    }

    /// Until the handle is dropped. Without anything to run it waits for an order, and wakes for nothing else.
    pub(super) fn run(mut self) {
        loop {
            let order = match self.playback {
                true => self.orders.recv_timeout(LOOK),
                false => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look(clock::now());
        }
    }

    fn take(&mut self, order: Command) {
        match order {
            Command::Warm => self.playback = true,
            Command::Capture(opened) => {
                if opened != self.capture {
                    // Playback keeps what it learned of this machine; the microphone begins with the best.
                    self.input = Side::default();
                }
                self.playback |= opened.is_some();
                self.capture = opened;
                self.begin_ready();
            }
            Command::Close => {
                (self.playback, self.capture) = (false, None);
                (self.ready, self.readied) = (None, false);
                (self.output, self.input) = (Side::default(), Side::default());
            }
        }
    }

    /// Bring what runs nearer to what should.
    fn look(&mut self, now: Moment) {
        let news =
            self.world.found.has_changed().unwrap_or(false) | self.world.wish.has_changed().unwrap_or(false);
        let found = Arc::clone(&self.world.found.borrow_and_update());
        let wish = self.world.wish.borrow_and_update().clone();
        if news {
            let came = found.server != self.server_was;
            for side in [&mut self.output, &mut self.input] {
                side.reconsider(came);
            }
            self.server_was = found.server;
            (self.ready, self.readied) = (None, false);
        }
        self.server = match found.server {
            Server::PulseAudio => true,
            // Who has no line to a server looks for himself.
            Server::PipeWire | Server::Unknown => {
                self.output.running.is_some() || self.input.running.is_some() || presence::server_listens()
            }
            Server::None | Server::Card => presence::elsewhere(),
        };
        let counts = self.meters.counts();
        self.output.check(now, counts.played, "playback");
        self.input.check(now, counts.captured, "capture");
        let (play_at, capture_at) = (
            place(&found, Flow::Output, wish.output.as_deref()),
            place(&found, Flow::Input, wish.input.as_deref()),
        );
        self.output.follow(&play_at, "playback");
        self.input.follow(&capture_at, "capture");
        let due = |side: &Side| side.running.is_none() && side.retry.is_none_or(|at| at <= now);
        if self.playback && !play_at.nowhere && due(&self.output) {
            self.open_output(now, play_at);
        }
        if self.capture.is_some() && !capture_at.nowhere && due(&self.input) {
            self.open_input(now, capture_at);
        } else if self.capture.is_none() && !capture_at.nowhere && self.output.flows(counts.played) {
            self.make_ready(capture_at);
        }
        self.tell(&found, &wish);
    }

    fn open_output(&mut self, now: Moment, place: Place) {
        let Self { hosts, meters, ends, output, server, .. } = self;
        let began_at = meters.played.load(Ordering::Relaxed);
        output.open(now, began_at, *server, place, "playback", |choice, wished| {
            let (samples, ring) = RingBuffer::new(PLAYBACK_RING);
            let (tell, played) = RingBuffer::new(PLAYED_RING);
            let mut feed =
                Feed { ring, played: tell, meters: Arc::clone(meters), channels: channels(choice) };
            let give = move |block: &mut [f32]| feed.play(block);
            let stream = hosts.open_output(choice, wished, meters, give)?;
            // A full queue means that nobody plays; the next attempt finds room.
            ends.try_send(End::Playback { samples, played }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }

    /// While it rings: the microphone's stream, so that an answer is not kept waiting. Only where a stream that does not run
    /// holds nothing back from others; whatever goes wrong will be met, and told, when the microphone is opened.
    fn make_ready(&mut self, at: Place) {
        if self.ready.as_ref().is_some_and(|ready| ready.stream.broken.load(Ordering::Relaxed)) {
            self.ready = None;
        }
        if self.readied || !matches!(self.output.choice.way(), Way::PipeWire | Way::PulseAudio) {
            return;
        }
        self.readied = true;
        // Where playback runs, there is a server of that kind.
        let choice = Choice::of(self.output.choice.way());
        let (ring, samples) = RingBuffer::new(CAPTURE_RING);
        let mut tap = Tap { ring, meters: Arc::clone(&self.meters), channels: channels(choice) };
        let take = move |block: &[f32]| tap.captured(block);
        match self.hosts.make_input(choice, at.wished.as_deref(), &self.meters, take) {
            Ok(stream) => {
                let at = Place { wished: at.wished.filter(|_| stream.as_wished), ..at };
                self.ready = Some(Ready { stream, samples, at });
            }
            Err(error) => tracing::debug!(%error, "no microphone is made ready"),
        }
    }

    /// The call was answered.
    fn begin_ready(&mut self) {
        let Some(opened) = self.capture else {
            self.readied = false;
            return;
        };
        let Some(Ready { stream, samples, at }) = self.ready.take() else { return };
        let broken = stream.broken.load(Ordering::Relaxed);
        if broken || stream.begin().is_err() || self.ends.try_send(End::Capture { opened, samples }).is_err()
        {
            return;
        }
        tracing::info!("capture runs, it was ready");
        let began_at = self.meters.captured.load(Ordering::Relaxed);
        let running = Some((stream, Watchdog::new(clock::now(), began_at)));
        let choice = Choice::of(self.output.choice.way());
        self.input = Side { choice, running, began_at, at, ..Side::default() };
    }

    fn open_input(&mut self, now: Moment, place: Place) {
        let Self { hosts, meters, ends, input, server, capture, .. } = self;
        let Some(opened) = *capture else { return };
        let began_at = meters.captured.load(Ordering::Relaxed);
        input.open(now, began_at, *server, place, "capture", |choice, wished| {
            let (ring, samples) = RingBuffer::new(CAPTURE_RING);
            let mut tap = Tap { ring, meters: Arc::clone(meters), channels: channels(choice) };
            let take = move |block: &[f32]| tap.captured(block);
            let stream = hosts.make_input(choice, wished, meters, take)?;
            stream.begin()?;
            ends.try_send(End::Capture { opened, samples }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }

    fn tell(&self, found: &Found, wish: &Wish) {
        let mut problems = Vec::new();
        let mut say = |is: bool, sentence: String| {
            if is {
                problems.push(sentence);
            }
        };
        let no_server = !self.server && self.output.running.is_none() && self.input.running.is_none();
        if self.playback {
            say(no_server, NO_SERVER.to_owned());
        }
        let silent = self.capture.is_some() && !no_server;
        say(
            silent && self.input.failed.is_some(),
            why(&self.input, "microphone", "the other side hears silence"),
        );
        let deaf = self.playback && !no_server;
        say(deaf && self.output.failed.is_some(), why(&self.output, "loudspeaker", "calls cannot be heard"));
        let other = |side: &Side, wish: &Option<String>| {
            side.running.is_some() && *wish != side.at.wished && wish.is_some()
        };
        let instead =
            |what: &str| format!("The chosen {what} is not there: the sound server's default is used.");
        say(other(&self.input, &wish.input), instead("microphone"));
        say(other(&self.output, &wish.output), instead("loudspeaker"));
        let counts = self.meters.counts();
        let serves = |flow, side: &Side| {
            let at = side.at.wished.as_deref();
            side.running.as_ref().and_then(|_| found.serving(flow, at)).cloned()
        };
        let state = DeviceState {
            playing: self.output.flows(counts.played),
            capturing: self.input.flows(counts.captured),
            input: serves(Flow::Input, &self.input),
            output: serves(Flow::Output, &self.output),
            problems,
        };
        self.state.send_if_modified(|told| {
            let news = *told != state;
            if news {
                *told = state;
            }
            news
        });
    }
}

/// What is said while there is none.
pub(super) const NO_SERVER: &str = "No sound server is running: calls have no sound.";

/// Where a stream of this direction belongs now.
fn place(found: &Found, flow: Flow, wished: Option<&str>) -> Place {
    let id = |device: &crate::devices::Device| device.id.clone();
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

/// Told apart, for what a person can do about each is another thing.
fn why(side: &Side, what: &str, so: &str) -> String {
    match &side.failed {
        Some(OpenError::Busy) => format!("Another program keeps the {what} for itself: {so}."),
        Some(OpenError::Forbidden) => format!("The system does not let us use the {what}: {so}."),
        Some(OpenError::NoDevice) if side.at.nowhere => format!("No {what} is there: {so}."),
        Some(OpenError::NoDevice | OpenError::Library(_)) | None => format!("No {what} works: {so}."),
    }
}

impl Side {
    fn flows(&self, frames: u64) -> bool {
        self.running.is_some() && frames > self.began_at
    }

    /// Something about the devices is new; `server`: who tells of them is another one.
    fn reconsider(&mut self, server: bool) {
        (self.retry, self.refused) = (None, None);
        let makeshift = matches!(self.choice.way(), Way::AlsaPulse | Way::AlsaDefault);
        if self.running.is_none() || server && makeshift {
            (self.running, self.choice) = (None, Choice::default());
        }
    }

    /// Drop a stream that is over or gives too little.
    fn check(&mut self, now: Moment, frames: u64, what: &str) {
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
    fn follow(&mut self, place: &Place, what: &str) {
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
    fn open(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_device_from_opening_is_told_apart() {
        let kinds = [
            (cpal::ErrorKind::DeviceBusy, "Another program"),
            (cpal::ErrorKind::PermissionDenied, "does not let us"),
            (cpal::ErrorKind::DeviceNotAvailable, "No microphone is there"),
            (cpal::ErrorKind::BackendError, "No microphone works"),
        ];
        for (kind, words) in kinds {
            let failed = Some(OpenError::from(cpal::Error::new(kind)));
            let side = Side { failed, at: Place { nowhere: true, ..Place::default() }, ..Side::default() };
            let sentence = why(&side, "microphone", "the other side hears silence");
            assert!(sentence.contains(words), "{sentence}");
        }
    }
}
