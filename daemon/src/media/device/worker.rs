//! The device thread: what should run, what runs, and bringing the two together again and again.
//!
//! Lives here: orders, and the microphone that is made ready; one direction is `worker/side.rs`, what is said of both `worker/told.rs`.
//! Must not: touch samples.

mod side;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use ahoy_call::Moment;
use rtrb::{Consumer, RingBuffer};
use side::{Place, Side, place};
use tokio::sync::watch;
pub(super) use told::NO_SERVER;

use super::block::{Block, Look};
use super::choice::{Way, WayOrder};
use super::rings::{Feed, Meters, Seat, Tap};
use super::states::Entry;
use super::streams::{OpenError, Purpose, Stream, channels, make_input, open_output};
use super::{DeviceState, End, Wish, presence};
use crate::system::{clock, priority};
use crate::values::devices::{Flow, Found, Server};

/// How often streams are looked at while any should run.
const LOOK: Duration = Duration::from_millis(100);
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
    shown: Option<Entry>,
    meters: Arc<Meters>,
    playback: bool,
    capture: Option<u64>,
    output: Side,
    input: Side,
    ready: Option<Ready>,
    /// It was tried to make one since something changed.
    readied: bool,
    server: bool,
    server_was: Server,
    /// What the servers are asked for, learned in this call and those before.
    block: Block,
    /// Underruns before this call.
    underruns: u64,
    /// Threads that ran away, as far as it was said.
    ran_away: u32,
}

impl Worker {
    pub(super) fn new(
        world: World,
        orders: Receiver<Command>,
        ends: SyncSender<End>,
        (state, shown): (watch::Sender<DeviceState>, Option<Entry>),
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            world,
            orders,
            ends,
            state,
            shown,
            meters,
            playback: false,
            capture: None,
            output: Side::default(),
            input: Side::default(),
            ready: None,
            readied: false,
            server: true,
            server_was: Server::Unknown,
            block: Block::default(),
            underruns: 0,
            ran_away: 0,
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
        if !self.playback {
            self.underruns = self.meters.counts().underruns;
        }
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
        let order = WayOrder::of(&found);
        if news {
            let came = found.server != self.server_was;
            for side in [&mut self.output, &mut self.input] {
                side.reconsider(came, order);
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
        self.output.improve(now, Flow::Output, &self.meters, "playback");
        self.input.improve(now, Flow::Input, &self.meters, "capture");
        self.output.follow(&play_at, "playback");
        self.input.follow(&capture_at, "capture");
        let due = |side: &Side| side.running.is_none() && side.retry.is_none_or(|at| at <= now);
        if self.playback && !play_at.nowhere && due(&self.output) {
            self.open_output(now, order, play_at);
        }
        if self.capture.is_some() && !capture_at.nowhere && due(&self.input) {
            self.open_input(now, order, capture_at);
        } else if self.capture.is_none() && !capture_at.nowhere && self.output.flows(counts.played) {
            self.make_ready(capture_at);
        }
        self.hold_the_block(now);
        priority::look(&mut self.ran_away);
        self.tell(&found, &wish);
    }

    /// Asks for another block where the present one does not hold, and for a smaller one in time.
    fn hold_the_block(&mut self, now: Moment) {
        if self.output.running.is_none() {
            return;
        }
        let listens = self.input.running.is_some();
        let look = Look {
            // Counters only rise: another sum is another stream.
            stream: self.output.began_at + self.input.began_at * 2 + u64::from(listens),
            captured: self.meters.captured().filter(|_| listens),
            underruns: self.meters.counts().underruns,
        };
        let Some(step) = self.block.look(now, look) else { return };
        for side in [&mut self.output, &mut self.input] {
            side.choice = side.choice.with_step(step);
            if let Some((stream, _)) = &side.running {
                tracing::info!(frames = side.choice.frames(), "another block is asked for");
                stream.ask_for_block(side.choice.frames());
            }
        }
    }

    fn open_output(&mut self, now: Moment, order: WayOrder, place: Place) {
        let Self { meters, ends, output, server, block, .. } = self;
        output.choice = output.choice.with_step(block.step());
        let began_at = meters.played.load(Ordering::Relaxed);
        output.open(now, began_at, (*server, order), place, "playback", |choice, wished| {
            let (samples, ring) = RingBuffer::new(PLAYBACK_RING);
            let (tell, played) = RingBuffer::new(PLAYED_RING);
            let (meters_too, seat) = (Arc::clone(meters), Seat::default());
            let mut feed = Feed { ring, played: tell, meters: meters_too, channels: channels(choice), seat };
            let give = move |block: &mut [f32]| feed.play(block);
            let stream = open_output(choice, wished, Purpose::Voice, meters, give)?;
            // A full queue means that nobody plays; the next attempt finds room.
            ends.try_send(End::Playback { samples, played }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }

    /// While it rings: the microphone's stream, so that an answer is not kept waiting. Only where a stream that does not run
    /// holds nothing back from others; whatever goes wrong will be met, and told, when the microphone is opened. Not for a
    /// headset without a wire, which would turn to the sound of a telephone for it.
    fn make_ready(&mut self, at: Place) {
        if self.ready.as_ref().is_some_and(|ready| ready.stream.broken.load(Ordering::Relaxed)) {
            self.ready = None;
        }
        if self.readied
            || at.bluetooth()
            || !matches!(self.output.choice.way(), Way::PipeWire | Way::PulseAudio)
        {
            return;
        }
        self.readied = true;
        // Where playback runs, there is a server of that kind.
        let choice = self.output.choice.with_step(self.block.step());
        let (ring, samples) = RingBuffer::new(CAPTURE_RING);
        let (meters, seat) = (Arc::clone(&self.meters), Seat::default());
        let mut tap = Tap { ring, meters, channels: channels(choice), seat };
        let take = move |block: &[f32]| tap.captured(block);
        match make_input(choice, at.wished.as_deref(), &self.meters, take) {
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
        let running = Some((stream, at.watchdog(clock::now(), began_at)));
        let choice = self.output.choice;
        self.input = Side { choice, running, began_at, at, ..Side::default() };
    }

    fn open_input(&mut self, now: Moment, order: WayOrder, place: Place) {
        let Self { meters, ends, input, server, capture, block, .. } = self;
        let Some(opened) = *capture else { return };
        input.choice = input.choice.with_step(block.step());
        let began_at = meters.captured.load(Ordering::Relaxed);
        input.open(now, began_at, (*server, order), place, "capture", |choice, wished| {
            let (ring, samples) = RingBuffer::new(CAPTURE_RING);
            let (meters_too, seat) = (Arc::clone(meters), Seat::default());
            let mut tap = Tap { ring, meters: meters_too, channels: channels(choice), seat };
            let take = move |block: &[f32]| tap.captured(block);
            let stream = make_input(choice, wished, meters, take)?;
            stream.begin()?;
            ends.try_send(End::Capture { opened, samples }).map_err(|_| OpenError::NoDevice)?;
            Ok(stream)
        });
    }
}
