//! The device thread: what should run, what runs, and bringing the two together again and again.
//!
//! Lives here: orders, retries, the state that is told.
//! Must not: touch samples.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use ahoy_call::Moment;
use rtrb::RingBuffer;
use tokio::sync::watch;

use super::choice::{Choice, Watchdog, Way};
use super::rings::{Feed, Meters, Tap};
use super::streams::{Hosts, OpenError, Stream, channels};
use super::{DeviceState, End, Wish, presence};
use crate::clock;

/// How often streams are looked at while any should run.
const LOOK: Duration = Duration::from_millis(100);
/// How often we look for a sound server while none is needed, to tell that it is missing.
const LOOK_IDLE: Duration = Duration::from_secs(3);
/// Between attempts to open.
const RETRY: Duration = Duration::from_millis(500);
/// How often we look for a missing server while one is needed; when it comes, everything is tried at once.
const LOOK_SERVER: Duration = Duration::from_millis(500);
/// Between attempts without a server: only a bare device could work.
const RETRY_BARE: Duration = Duration::from_secs(4);
/// A quarter of a second of captured sound may wait for the media task.
const CAPTURE_RING: usize = 12_000;
/// More than any block and margin.
const PLAYBACK_RING: usize = 24_000;

/// An order of the handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Use these devices for streams opened from now on.
    Wish(Wish),
    /// Run playback.
    Warm,
    /// Run playback and this opening of the microphone, or close the microphone.
    Capture(Option<u64>),
    /// Run nothing.
    Close,
}

/// One direction.
#[derive(Default)]
struct Side {
    choice: Choice,
    running: Option<(Stream, Watchdog)>,
    /// The counter when the stream was opened.
    began_at: u64,
    retry: Option<Moment>,
    /// It was tried, and does not work.
    failed: bool,
    as_wished: bool,
}

/// See the head of this file.
pub(super) struct Worker {
    wish: Wish,
    orders: Receiver<Command>,
    ends: SyncSender<End>,
    state: watch::Sender<DeviceState>,
    meters: Arc<Meters>,
    hosts: Hosts,
    playback: bool,
    capture: Option<u64>,
    output: Side,
    input: Side,
    server: bool,
    looked_at: Option<Moment>,
}

impl Worker {
    pub(super) fn new(
        wish: Wish,
        orders: Receiver<Command>,
        ends: SyncSender<End>,
        state: watch::Sender<DeviceState>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            wish,
            orders,
            ends,
            state,
            meters,
            hosts: Hosts::default(),
            playback: false,
            capture: None,
            output: Side::default(),
            input: Side::default(),
            server: true,
            looked_at: None,
        }
    }

    /// Until the handle is dropped.
    pub(super) fn run(mut self) {
        loop {
            self.look(clock::now());
            let wait = if self.playback { LOOK } else { LOOK_IDLE };
            match self.orders.recv_timeout(wait) {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, order: Command) {
        match order {
            Command::Wish(wish) => self.wish = wish,
            Command::Warm => self.playback = true,
            Command::Capture(opened) => {
                if opened != self.capture {
                    // Playback keeps what it learned of this machine; the microphone begins with the best.
                    self.input = Side::default();
                }
                self.playback |= opened.is_some();
                self.capture = opened;
            }
            Command::Close => {
                (self.playback, self.capture) = (false, None);
                (self.output, self.input) = (Side::default(), Side::default());
            }
        }
    }

    /// Bring what runs nearer to what should.
    fn look(&mut self, now: Moment) {
        let counts = self.meters.counts();
        self.output.check(now, counts.played, "playback");
        self.input.check(now, counts.captured, "capture");
        self.look_for_server(now);
        let due = |side: &Side| side.running.is_none() && side.retry.is_none_or(|at| at <= now);
        let (open_output, open_input) =
            (self.playback && due(&self.output), self.capture.is_some() && due(&self.input));
        if open_output {
            self.open_output(now);
        }
        if open_input {
            self.open_input(now);
        }
        self.tell();
    }

    /// While a stream runs there is one; else look now and then.
    fn look_for_server(&mut self, now: Moment) {
        let runs = self.playback && self.output.running.is_some();
        if runs || self.looked_at.is_some_and(|at| now.since(at) < LOOK_SERVER) {
            return;
        }
        self.looked_at = Some(now);
        let came = presence::server_listens();
        if came && !self.server {
            (self.output.retry, self.input.retry) = (None, None);
        }
        self.server = came;
    }

    fn open_output(&mut self, now: Moment) {
        let Self { hosts, wish, meters, ends, output, server, .. } = self;
        let began_at = meters.played.load(Ordering::Relaxed);
        output.open(now, began_at, *server, "playback", |choice| {
            let (samples, ring) = RingBuffer::new(PLAYBACK_RING);
            let mut feed = Feed { ring, meters: Arc::clone(meters), channels: channels(choice) };
            let give = move |block: &mut [f32]| feed.play(block);
            let stream = hosts.open_output(choice, wish.output.as_deref(), meters, give)?;
            // A full queue means that nobody plays; the next attempt finds room.
            ends.try_send(End::Playback { samples }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }

    fn open_input(&mut self, now: Moment) {
        let Self { hosts, wish, meters, ends, input, server, capture, .. } = self;
        let Some(opened) = *capture else { return };
        let began_at = meters.captured.load(Ordering::Relaxed);
        input.open(now, began_at, *server, "capture", |choice| {
            let (ring, samples) = RingBuffer::new(CAPTURE_RING);
            let mut tap = Tap { ring, meters: Arc::clone(meters), channels: channels(choice) };
            let take = move |block: &[f32]| tap.captured(block);
            let stream = hosts.open_input(choice, wish.input.as_deref(), meters, take)?;
            ends.try_send(End::Capture { opened, samples }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }

    fn tell(&self) {
        let mut problems = Vec::new();
        let mut say = |is: bool, sentence: &str| {
            if is {
                problems.push(sentence.to_owned());
            }
        };
        let no_server = !self.server && self.output.running.is_none() && self.input.running.is_none();
        say(no_server, "No sound server is running: calls have no sound.");
        say(!no_server && self.input.failed, "No microphone works: the other side hears silence.");
        say(!no_server && self.output.failed, "No loudspeaker works: calls cannot be heard.");
        let other = |side: &Side| side.running.is_some() && !side.as_wished;
        say(other(&self.input), "The chosen microphone is not there: the sound server's default is used.");
        say(other(&self.output), "The chosen loudspeaker is not there: the sound server's default is used.");
        let counts = self.meters.counts();
        let state = DeviceState {
            playing: self.output.flows(counts.played),
            capturing: self.input.flows(counts.captured),
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

impl Side {
    fn flows(&self, frames: u64) -> bool {
        self.running.is_some() && frames > self.began_at
    }

    /// Drop a stream that is over or gives too little.
    fn check(&mut self, now: Moment, frames: u64, what: &str) {
        if self.flows(frames) {
            self.failed = false;
        }
        let Some((stream, watchdog)) = &mut self.running else { return };
        if stream.broken.load(Ordering::Relaxed) {
            tracing::warn!("{what} ended, opening it again");
            *self = Self { failed: self.failed, ..Self::default() };
        } else if !watchdog.content(now, frames) {
            tracing::warn!(way = ?self.choice.way(), size = self.choice.frames(), "{what} gives too few frames, opening it otherwise");
            self.running = None;
            self.failed = frames == self.began_at;
            self.choice.next_size();
        }
    }

    /// Try one way after the other, once.
    fn open(
        &mut self,
        now: Moment,
        began_at: u64,
        server: bool,
        what: &str,
        mut attempt: impl FnMut(Choice) -> Result<Stream, OpenError>,
    ) {
        loop {
            // The library of ALSA complains at length on standard error where it finds no card.
            let worth_it =
                if self.choice.way() == Way::AlsaDefault { presence::card_exists() } else { server };
            if worth_it {
                match attempt(self.choice) {
                    Ok(stream) => {
                        tracing::info!(way = ?self.choice.way(), size = self.choice.frames(), "{what} runs");
                        (self.began_at, self.retry, self.as_wished) = (began_at, None, stream.as_wished);
                        self.running = Some((stream, Watchdog::new(clock::now(), began_at)));
                        return;
                    }
                    Err(error) => tracing::debug!(way = ?self.choice.way(), %error, "{what} does not open"),
                }
            }
            if !self.choice.next_way() {
                self.failed = true;
                self.retry = Some(now + if server { RETRY } else { RETRY_BARE });
                return;
            }
        }
    }
}
