//! Sounds that are no call's voice (a ring, a tone), on any set of output devices.
//!
//! Lives here: the thread that plays one sound at a time, its end when the sound ends or is stopped.
//! Must not: choose a sound, decode one, or know why it plays.
//!
//! The shape: `Speakers::new` once, which costs nothing; `play` replaces what plays now; `stop` ends it. None waits. The
//! thread begins with the first `play` and sleeps without a timer while nothing plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::Moment;
use tokio::sync::watch;

use super::choice::{Choice, Watchdog, Way, WayOrder as Ways};
use super::presence;
use super::rings::Meters;
use super::streams::{Purpose, Stream, channels, is_bluetooth, open_output};
use crate::system::clock;
use crate::values::devices::Found;

/// How often a sound that plays is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Orders that wait for the thread.
const ORDERS: usize = 16;
/// Where nothing plays a ring: until it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// What the devices still hold when the last sample was taken.
const TAIL_LOOKS: u32 = 3;

/// A sound: mono, 48 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Its samples, −1 to 1.
    pub samples: Arc<[f32]>,
    /// From the beginning again when it is over, until it is stopped.
    pub repeat: bool,
}

/// Plays one sound at a time. Dropping it ends the sound.
#[derive(Debug)]
pub struct Speakers {
    found: watch::Receiver<Arc<Found>>,
    orders: Option<SyncSender<SpeakerOrder>>,
    /// Bits of an `f32`.
    volume: Arc<AtomicU32>,
}

#[derive(Debug)]
enum SpeakerOrder {
    Play { clip: Clip, on: Vec<String> },
    Stop,
}

impl Speakers {
    /// Silent so far. `found`: a roster's.
    pub fn new(found: watch::Receiver<Arc<Found>>) -> Self {
        Self { found, orders: None, volume: Arc::default() }
    }

    /// Plays on these devices (ids as in [`super::Wish`]), of which those that are not there are left out; on the system's
    /// default if the list is empty or none is there; devices that come and go while it plays are followed. `volume`: 0 to 1. What
    /// played before stops.
    pub fn play(&mut self, clip: Clip, on: &[String], volume: f32) {
        self.set_volume(volume);
        if clip.samples.is_empty() {
            return self.stop();
        }
        if self.orders.is_none() {
            let (orders, taken) = sync_channel(ORDERS);
            let (volume, found) = (Arc::clone(&self.volume), self.found.clone());
            let player = SpeakerPlayer { orders: taken, volume, found };
            match std::thread::Builder::new().name("tones".into()).spawn(move || player.run()) {
                Ok(_runs) => self.orders = Some(orders),
                Err(error) => return tracing::error!(%error, "the thread of tones does not begin"),
            }
        }
        self.order(SpeakerOrder::Play { clip, on: on.to_vec() });
    }

    /// Louder or softer, at once. 0 to 1; what lies outside is cut off.
    pub fn set_volume(&self, volume: f32) {
        self.volume.store(volume.clamp(0.0, 1.0).to_bits(), Ordering::Relaxed);
    }

    /// Silence.
    pub fn stop(&mut self) {
        self.order(SpeakerOrder::Stop);
    }

    fn order(&self, order: SpeakerOrder) {
        if self.orders.as_ref().is_some_and(|orders| orders.try_send(order).is_err()) {
            tracing::error!("the thread of tones takes no orders");
        }
    }
}

/// The thread.
struct SpeakerPlayer {
    orders: Receiver<SpeakerOrder>,
    volume: Arc<AtomicU32>,
    found: watch::Receiver<Arc<Found>>,
}

/// A sound that plays, or would if a loudspeaker were there.
struct Playing {
    clip: Clip,
    on: Vec<String>,
    /// Where it plays, by the roster.
    places: Vec<String>,
    voices: Vec<Voice>,
    /// The way that is tried first: the next one where a loudspeaker took nothing.
    choice: Choice,
    /// Where nothing plays: tried again then.
    retry: Moment,
    /// Set by the callback of the first stream that came to the end.
    over: Arc<AtomicBool>,
    looks_since: u32,
}

/// The sound at one loudspeaker.
struct Voice {
    stream: Stream,
    meters: Arc<Meters>,
    watchdog: Watchdog,
}

impl Voice {
    fn content(&mut self, now: Moment) -> bool {
        self.watchdog.content(now, self.meters.played.load(Ordering::Relaxed))
    }
}

impl SpeakerPlayer {
    fn run(mut self) {
        let mut now: Option<Playing> = None;
        loop {
            let order = match &now {
                Some(_) => self.orders.recv_timeout(LOOK),
                None => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(SpeakerOrder::Play { clip, on }) => {
                    drop(now.take());
                    now = self.begin(clip, on, Choice::default());
                }
                Ok(SpeakerOrder::Stop) => now = None,
                Err(RecvTimeoutError::Timeout) => now = now.and_then(|playing| self.look(playing)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, mut playing: Playing) -> Option<Playing> {
        if playing.over.load(Ordering::Relaxed) {
            playing.looks_since += 1;
            return (playing.looks_since <= TAIL_LOOKS).then_some(playing);
        }
        let now = clock::now();
        if playing.voices.is_empty() {
            return if now < playing.retry {
                Some(playing)
            } else {
                self.begin(playing.clip, playing.on, playing.choice)
            };
        }
        let broken = playing.voices.iter().any(|voice| voice.stream.broken.load(Ordering::Relaxed));
        if broken || playing.places != self.places(&playing.on) {
            // Dropped first: a bare card has one user at a time.
            drop(playing.voices);
            return self.begin(playing.clip, playing.on, Choice::default());
        }
        playing.voices.retain_mut(|voice| voice.content(now));
        if playing.voices.is_empty() {
            tracing::warn!(way = ?playing.choice.way(), "the loudspeaker takes nothing of the tone");
            playing.choice.next_way();
            return self.begin(playing.clip, playing.on, playing.choice);
        }
        Some(playing)
    }

    /// Which devices it should be; empty where nobody can tell.
    fn places(&self, on: &[String]) -> Vec<String> {
        self.found.borrow().ringing(on).iter().map(|device| device.id.clone()).collect()
    }

    /// None if no loudspeaker takes it and it would come too late in a while.
    fn begin(&mut self, clip: Clip, on: Vec<String>, choice: Choice) -> Option<Playing> {
        let order = Ways::of(&self.found.borrow());
        let mut choice = choice.in_order(order);
        let over = Arc::new(AtomicBool::new(false));
        let mut voices: Vec<Voice> = Vec::new();
        let places = self.places(&on);
        for id in if places.is_empty() { &on } else { &places } {
            let voice = self.open(&mut choice, Some(id), &clip, &over);
            voices.extend(voice.filter(|voice| voice.stream.as_wished));
        }
        if voices.is_empty() {
            voices.extend(self.open(&mut choice, None, &clip, &over));
        }
        if voices.is_empty() {
            tracing::warn!("no loudspeaker plays the tone");
            // A ring goes on; a tone that ends by itself is over by then.
            if !clip.repeat {
                return None;
            }
            choice = Choice::best(order);
        }
        let retry = clock::now() + RETRY;
        Some(Playing { clip, on, places, voices, choice, retry, over, looks_since: 0 })
    }

    /// Tries one way after the other, from that one on.
    fn open(
        &mut self,
        choice: &mut Choice,
        id: Option<&str>,
        clip: &Clip,
        over: &Arc<AtomicBool>,
    ) -> Option<Voice> {
        loop {
            let meters = Arc::new(Meters::default());
            let mut reader = Reader {
                clip: clip.clone(),
                at: 0,
                channels: channels(*choice),
                volume: Arc::clone(&self.volume),
                over: Arc::clone(over),
                meters: Arc::clone(&meters),
            };
            let play = move |block: &mut [f32]| reader.play(block);
            // The library of ALSA complains at length on standard error where it finds no card.
            if choice.way() != Way::AlsaDefault || presence::card_exists() {
                match open_output(*choice, id, Purpose::Ring, &meters, play) {
                    Ok(stream) => {
                        let watchdog = Watchdog::new(clock::now(), 0, id.is_some_and(is_bluetooth));
                        return Some(Voice { stream, meters, watchdog });
                    }
                    Err(error) => tracing::debug!(way = ?choice.way(), %error, "a tone does not begin"),
                }
            }
            if !choice.next_way() {
                return None;
            }
        }
    }
}

/// Inside the playback callback: only copies, and atomics.
struct Reader {
    clip: Clip,
    at: usize,
    channels: usize,
    volume: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    meters: Arc<Meters>,
}

impl Reader {
    fn play(&mut self, block: &mut [f32]) {
        self.meters.played.fetch_add((block.len() / self.channels) as u64, Ordering::Relaxed);
        let volume = f32::from_bits(self.volume.load(Ordering::Relaxed));
        for frame in block.chunks_exact_mut(self.channels) {
            if self.at >= self.clip.samples.len() && self.clip.repeat {
                self.at = 0;
            }
            let sample = self.clip.samples.get(self.at).copied();
            frame.fill(sample.unwrap_or(0.0) * volume);
            match sample {
                Some(_) => self.at += 1,
                None => self.over.store(true, Ordering::Relaxed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use allocation_counter::{AllocationInfo, measure};

    use super::*;

    fn reader(repeat: bool, channels: usize) -> Reader {
        let volume = Arc::new(AtomicU32::new(0.5_f32.to_bits()));
        let clip = Clip { samples: Arc::from([0.2, 0.4, 0.6]), repeat };
        let (over, meters) = (Arc::new(AtomicBool::new(false)), Arc::default());
        Reader { clip, at: 0, channels, volume, over, meters }
    }

    #[test]
    fn a_sound_plays_once_at_its_volume_and_says_that_it_is_over() {
        let mut reader = reader(false, 2);
        let mut block = [9.0; 4];
        reader.play(&mut block);
        assert_eq!(block, [0.1, 0.1, 0.2, 0.2]);
        assert!(!reader.over.load(Ordering::Relaxed));
        reader.play(&mut block);
        assert_eq!(block, [0.3, 0.3, 0.0, 0.0]);
        assert!(reader.over.load(Ordering::Relaxed));
    }

    #[test]
    fn a_repeated_sound_has_no_gap_and_no_end_and_takes_no_memory() {
        let mut reader = reader(true, 1);
        let mut block = [9.0; 5];
        assert_eq!(measure(|| reader.play(&mut block)), AllocationInfo::default());
        assert_eq!(block, [0.1, 0.2, 0.3, 0.1, 0.2]);
        assert!(!reader.over.load(Ordering::Relaxed));
    }
}
