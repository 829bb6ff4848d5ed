//! What a call takes of memory while both sides talk.
//!
//! Lives here: the count of allocations for each packet, there and back, without a device or a socket. What cleans the voice is
//! off: that library takes memory for each of its blocks. What a path adds is counted in `peer/sending.rs` and `red.rs`.
//! Must not: take as much time as the sound lasts.

mod gone;
mod mesh;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ahoy_call::{Epoch, Role};
use allocation_counter::measure;
use futures_util::FutureExt as _;

use super::path::SessionPath;
use super::*;
use crate::media::feedback::Feedback;
use crate::media::redundancy::Protection;
use crate::media::said::voice;
use crate::media::transport::{Packet, QueueFull, Takes, Track};
use crate::values::media::Switch;

const KEY: Key = (LegId::from_bytes([9; 16]), Epoch(1));
const PLAIN: Wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
/// Samples of one turn: 10 ms.
const TURN: usize = 480;

/// Gives and takes 10 ms a turn.
struct Steady {
    said: Vec<f32>,
    at: usize,
    given: bool,
    taken: bool,
}

impl Sound for Steady {
    fn read(&mut self, _now: Moment, block: &mut [f32]) -> usize {
        self.given = !self.given;
        if !self.given {
            return 0;
        }
        block[..TURN].copy_from_slice(&self.said[self.at..self.at + TURN]);
        self.at = (self.at + TURN) % self.said.len();
        TURN
    }

    fn wanted(&mut self, _now: Moment) -> usize {
        self.taken = !self.taken;
        if self.taken { TURN } else { 0 }
    }
}

/// What a packet needs to travel.
struct Straight(SyncSender<Packet>);

impl Transport for Straight {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        let PathOrder::Packet(Track::Voice, packet) = order else { return Ok(()) };
        self.0.try_send(packet).map_err(|_| QueueFull)
    }
}

/// A session whose own voice comes back to it.
fn session(takes: Takes) -> (Session, Receiver<Packet>) {
    let (way, packets) = sync_channel(8);
    let (told_in, _) = mpsc::channel(1);
    let (reports, _) = mpsc::channel(1);
    let sound = Steady { said: voice(0, 48_000), at: 0, given: false, taken: false };
    let mut wanted = Wanted::default();
    wanted.take(KEY, &MediaOrder::Prepare(Role::Offerer));
    let (given, wanted) = watch::channel(wanted);
    drop(given);
    let pump = Pump::new(Box::new(sound), PLAIN, Capture::new(32_000, 0).unwrap());
    let mut session = Session::new(CallId::from_bytes([1; 16]), 32_000, pump, wanted, told_in, reports);
    let path = SessionPath { up: true, opened: true, takes, ..SessionPath::new(1, Box::new(Straight(way))) };
    let mut leg = Leg::new(32_000, false);
    leg.talk(true, true);
    leg.paths.insert(KEY.1, path);
    session.legs.insert(KEY.0, leg);
    session.pump.open(clock::now());
    session.adapt(clock::now(), KEY.0, |line| line.takes(takes));
    (session, packets)
}

/// So many turns, with whatever else is done with each packet; packets and copies in them.
fn talk(
    session: &mut Session,
    packets: &Receiver<Packet>,
    turns: usize,
    beside: impl Fn(&Packet),
) -> (u64, u64) {
    let (mut count, mut copies) = (0, 0);
    for _ in 0..turns {
        let now = clock::now();
        session.turn_comes(now).now_or_never().unwrap();
        session.tell_line(now).now_or_never().unwrap();
        while let Ok(packet) = packets.try_recv() {
            (count, copies) = (count + 1, copies + packet.copies.len() as u64);
            session.voice_came(now, KEY, KEY.0, &packet);
            beside(&packet);
        }
    }
    (count, copies)
}

/// Allocations, packets and copies of two seconds.
fn steady(wanted: Protection, beside: impl Fn(&Packet)) -> (u64, u64, u64) {
    let takes = Takes { copies: true, asks: true, feedback: true, events: true, frames: 1 };
    let (mut session, packets) = session(takes);
    let ask = |session: &mut Session| {
        let word = Feedback { wanted, bytes: 9_000, packets: 50, lost: 0.1, ..Feedback::default() };
        session.adapt(clock::now(), KEY.0, |line| line.heard(clock::now(), &word));
    };
    ask(&mut session);
    talk(&mut session, &packets, 600, &beside);
    ask(&mut session);
    let mut told = (0, 0);
    let taken = measure(|| told = talk(&mut session, &packets, 200, &beside));
    (taken.count_total, told.0, told.1)
}

/// So many for each packet, and now and then one because a packet is longer than all before it in its place of the buffer.
fn assert_about(taken: u64, packets: u64, each: u64) {
    let least = packets * each;
    assert!((least..=least + packets / 5).contains(&taken), "{taken} for {packets} packets, not {each} each");
}

#[test]
fn a_packet_takes_memory_for_itself_and_for_later_copies_and_nothing_else_does() {
    let (taken, packets, copies) = steady(Protection::default(), |_| {});
    assert_eq!((packets, copies), (100, 0));
    assert_about(taken, packets, 2);
}

#[test]
fn copies_take_memory_for_each_and_for_their_list() {
    let (taken, packets, copies) = steady(Protection::clamped(2, 1), |_| {});
    assert_eq!((packets, copies), (100, 200));
    assert_about(taken, packets, 5);
}

#[test]
fn one_more_allocation_a_packet_is_seen() {
    let (taken, packets, _) = steady(Protection::default(), |packet| {
        std::hint::black_box(packet.payload.to_vec());
    });
    assert_about(taken, packets, 3);
}
