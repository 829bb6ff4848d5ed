//! The thread of one stream of PulseAudio: a loudspeaker's blocks as they are asked for, a microphone's as they come.
//!
//! Lives here: what the server says while the stream runs, and the pace of reading. One wake-up a block.
//! Must not: allocate or lock once the stream runs; wait for a server that does not read.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ahoy_call::Moment;
use pulseaudio::protocol::{
    CommandTag, DESCRIPTOR_SIZE, Descriptor, DescriptorFlags, TagStructReader, encode_descriptor,
    read_descriptor,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::super::bridge::{Bridge, SAMPLE};
use crate::media::codec::RATE;
use crate::system::clock;

/// More than the server sends in one message (64 KiB), and as much again.
const RECEIVED: usize = 128 * 1024;
/// More than it ever asks for at once: what is left is given with the next turn.
const GIVEN: usize = 64 * 1024;
/// A server that does not read for so long is over.
const STUCK: Duration = Duration::from_secs(5);
/// A microphone's pieces that are smaller are taken several at a time, 10 ms of them.
const BATCH: usize = 480;
/// So much later than they are expected, so that they are all there.
const LATE: Duration = Duration::from_micros(300);

pub(super) struct Service {
    socket: UnixStream,
    /// What others send by us, and what wakes us for it.
    orders: Receiver<Vec<u8>>,
    wake: Arc<OwnedFd>,
    bridge: Bridge,
    channel: u32,
    version: u16,
    /// Bytes that the loudspeaker wants.
    requested: usize,
    received: Box<[u8]>,
    filled: usize,
    given: Box<[u8]>,
    pace: Pace,
}

/// The server ended the stream, or says what we do not understand.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Service {
    /// `requested`: bytes that are wanted at once.
    pub(super) fn new(
        socket: UnixStream,
        (orders, wake): (Receiver<Vec<u8>>, Arc<OwnedFd>),
        bridge: Bridge,
        (channel, version): (u32, u16),
        requested: usize,
    ) -> Self {
        Self {
            socket,
            orders,
            wake,
            bridge,
            channel,
            version,
            requested,
            received: vec![0; RECEIVED].into(),
            filled: 0,
            given: vec![0; DESCRIPTOR_SIZE + GIVEN].into(),
            pace: Pace::default(),
        }
    }

    /// Until the stream is dropped, or the server ends it.
    pub(super) fn run(&mut self) {
        let ready =
            self.socket.set_read_timeout(None).and_then(|()| self.socket.set_write_timeout(Some(STUCK)));
        if ready.is_ok() {
            while self.turn().is_ok() {}
        }
        let _over = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn turn(&mut self) -> Result<(), Over> {
        self.give()?;
        let rest = self.pace.rest(clock::now());
        let ordered =
            if rest.is_zero() { self.wait(None)? } else { self.wait(Some(rest))? || self.wait(None)? };
        if ordered {
            let _count = rustix::io::read(&*self.wake, &mut [0; 8]);
            while let Ok(order) = self.orders.try_recv() {
                self.socket.write_all(&order)?;
            }
            return Ok(());
        }
        match recv(&self.socket, &mut self.received[self.filled..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return Err(Over),
            Ok((_, count)) => self.filled += count,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(()),
            Err(_) => return Err(Over),
        }
        self.take()
    }

    /// Until the server says something; with a time, so long and without listening to it. Whether there are orders.
    fn wait(&self, rest: Option<Duration>) -> Result<bool, Over> {
        let until = rest.and_then(|rest| Timespec::try_from(rest).ok());
        let (wake, socket) =
            (PollFd::new(&*self.wake, PollFlags::IN), PollFd::new(&self.socket, PollFlags::IN));
        let mut both = [wake, socket];
        let watched = if rest.is_some() { &mut both[..1] } else { &mut both[..] };
        match poll(watched, until.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Err(Over),
        }
        Ok(both[0].revents().contains(PollFlags::IN))
    }

    /// Every whole message of what has come.
    fn take(&mut self) -> Result<(), Over> {
        let (mut at, mut pieces, mut staged) = (0, 0, 0);
        while let Some(head) =
            self.received.get(at..at + DESCRIPTOR_SIZE).filter(|_| at + DESCRIPTOR_SIZE <= self.filled)
        {
            let descriptor = read_descriptor(&mut &*head).map_err(|_| Over)?;
            let length = usize::try_from(descriptor.length).unwrap_or(usize::MAX);
            if length > RECEIVED - DESCRIPTOR_SIZE {
                return Err(Over);
            }
            let (start, end) = (at + DESCRIPTOR_SIZE, at + DESCRIPTOR_SIZE + length);
            if end > self.filled {
                break;
            }
            if descriptor.channel == u32::MAX {
                self.hear(start, end)?;
            } else if descriptor.channel == self.channel {
                // What comes together is taken together: it is one block to whoever waits for it.
                self.received.copy_within(start..end, staged);
                (pieces, staged) = (pieces + 1, staged + length);
            }
            at = end;
        }
        if pieces > 0 {
            self.bridge.drain(&self.received[..staged]);
            self.pace.came(clock::now(), pieces, staged / SAMPLE);
        }
        self.received.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    /// A command of the server.
    fn hear(&mut self, start: usize, end: usize) -> Result<(), Over> {
        let mut body = &self.received[start..end];
        let mut reader = TagStructReader::new(&mut body, self.version);
        // What this library has no name for concerns us as little as the rest.
        let Ok(tag) = reader.read_enum::<CommandTag>() else { return Ok(()) };
        let _sequence = reader.read_u32().map_err(|_| Over)?;
        if tag == CommandTag::Request {
            let channel = reader.read_u32().map_err(|_| Over)?;
            let wanted = reader.read_u32().map_err(|_| Over)?;
            if channel == self.channel {
                self.requested = self.requested.saturating_add(usize::try_from(wanted).unwrap_or(0));
            }
        }
        match [CommandTag::PlaybackStreamKilled, CommandTag::RecordStreamKilled].contains(&tag) {
            true => Err(Over),
            false => Ok(()),
        }
    }

    /// What the loudspeaker wants.
    fn give(&mut self) -> Result<(), Over> {
        while self.requested >= SAMPLE {
            let length = self.requested.min(GIVEN) / SAMPLE * SAMPLE;
            self.requested -= length;
            let (head, rest) = self.given.split_at_mut(DESCRIPTOR_SIZE);
            self.bridge.fill(&mut rest[..length]);
            let descriptor = Descriptor {
                length: length.try_into().map_err(|_| Over)?,
                channel: self.channel,
                offset: 0,
                flags: DescriptorFlags::empty(),
            };
            encode_descriptor(head.try_into().map_err(|_| Over)?, &descriptor);
            self.socket.write_all(&self.given[..DESCRIPTOR_SIZE + length])?;
        }
        Ok(())
    }
}

/// When a microphone's pieces are taken. A server may give a few milliseconds at a time because of another program; each would be a
/// wake-up. Where it gives them together by itself, or never in time, they are taken as they come.
#[derive(Debug, Default)]
struct Pace {
    /// Pieces that make a batch; those of it that have come.
    batch: usize,
    came: usize,
    /// When the next batch is there.
    next: Moment,
    /// They come one by one.
    singly: bool,
    /// The last ones were not listened for before their time.
    rested: bool,
    /// How often they were not all there then; from so many on they are taken as they come, for a while.
    late: u32,
}

/// See there.
const TOO_LATE: u32 = 8;
/// Batches that are taken as they come before it is tried again, some 20 s.
const AGAIN: u32 = 2_000;

impl Pace {
    /// So long the socket need not be listened to.
    fn rest(&mut self, now: Moment) -> Duration {
        let worth_it = self.singly && self.came == 0 && self.late < TOO_LATE;
        let rest = if worth_it { self.next.since(now) } else { Duration::ZERO };
        self.rested = !rest.is_zero();
        rest
    }

    fn came(&mut self, now: Moment, pieces: usize, samples: usize) {
        let piece = (samples / pieces).max(1);
        let batch = ((BATCH + piece / 2) / piece).max(1);
        if batch != self.batch {
            *self = Self { batch, ..Self::default() };
        }
        let period = Duration::from_micros((batch * piece) as u64 * 1_000_000 / u64::from(RATE));
        let whole = pieces == batch && self.came == 0;
        self.singly |= pieces < batch;
        self.late = match (self.rested, whole) {
            (true, true) => self.late.saturating_sub(1),
            (true, false) => self.late + 1,
            (false, _) if self.late >= TOO_LATE => (self.late + 1) % (TOO_LATE + AGAIN),
            (false, _) => self.late,
        };
        self.came = (self.came + pieces) % batch;
        // The last of a batch that was listened for came just now. One too many begins the next batch.
        self.next = if self.rested && whole { self.next + period } else { now + period + LATE };
        self.rested = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Moment {
        Moment::from_micros(micros)
    }

    #[test]
    fn small_pieces_are_taken_ten_milliseconds_at_a_time_just_after_the_last_of_them() {
        let mut pace = Pace::default();
        assert_eq!(pace.rest(at(5_000)), Duration::ZERO);
        pace.came(at(5_000), 1, 240);
        assert_eq!(pace.rest(at(5_000)), Duration::ZERO, "the second of the first batch is listened for");
        pace.came(at(10_000), 1, 240);
        assert_eq!(pace.rest(at(10_000)), Duration::from_micros(10_300));
        pace.came(at(20_400), 2, 480);
        assert_eq!(
            pace.rest(at(20_400)),
            Duration::from_micros(9_900),
            "a late look does not move the next one"
        );
        pace.came(at(30_300), 1, 240);
        assert_eq!(pace.rest(at(30_300)), Duration::ZERO, "one that is late is listened for");
        pace.came(at(30_900), 1, 240);
        assert_eq!(pace.rest(at(30_900)), Duration::from_micros(10_300), "and sets the pace anew");
        pace.came(at(41_200), 3, 720);
        assert_eq!(pace.rest(at(41_200)), Duration::ZERO, "one too many begins the next batch");
    }

    #[test]
    fn pieces_that_are_large_or_come_together_are_waited_for_as_they_come() {
        for (pieces, samples) in [(1, 480), (1, 960), (1, 8_192), (2, 480), (4, 480)] {
            let mut pace = Pace::default();
            for n in 1..4 {
                pace.came(at(n * 10_000), pieces, samples);
                assert_eq!(pace.rest(at(n * 10_000)), Duration::ZERO, "{pieces} of {samples}");
            }
        }
    }

    #[test]
    fn pieces_of_a_few_samples_are_taken_ten_milliseconds_at_a_time_too() {
        let mut pace = Pace::default();
        pace.came(at(0), 1, 24);
        pace.came(at(9_500), 19, 456);
        assert_eq!(pace.rest(at(9_500)), Duration::from_micros(10_300));
    }

    #[test]
    fn where_they_are_never_all_there_in_time_they_are_taken_as_they_come() {
        let (mut pace, mut now, mut rests, mut after) = (Pace::default(), 0, 0, 0);
        for batch in 0..3_000 {
            now += 10_000;
            rests += u32::from(!pace.rest(at(now - 9_000)).is_zero());
            after += u32::from(batch > 1_000 && !pace.rest(at(now - 9_000)).is_zero());
            pace.came(at(now), 1, 240);
            pace.rest(at(now));
            pace.came(at(now + 100), 1, 240);
        }
        assert!((8..40).contains(&rests), "{rests}");
        assert!(after > 0, "it is tried again");
    }
}
