//! How loud it is, for who looks.
//!
//! Lives here: the meter of a call, and the pipes that its levels are written into. While the microphone is muted the meter itself
//! looks, for whether somebody speaks.
//! Must not: cost anything while nobody looks, wait for a reader, or keep a pipe that nobody reads.

use std::time::Duration;

use ahoy_call::Moment;
use rustix::io::Errno;

use super::speech::Speech;
use crate::values::request::Lease;

/// Between two readings: 25 a second.
const EVERY: Duration = Duration::from_millis(40);
/// Who asks for a number is answered from the time after; so long the meter runs on.
const AFTER_A_QUESTION: Duration = Duration::from_secs(3);
/// Nobody needs more meters of one call than this.
const MOST: usize = 8;
/// What silence reads, dBFS.
const FLOOR: f32 = -120.0;

/// Microphone and speaker of one call.
#[derive(Debug, Default)]
pub(super) struct Levels {
    readers: Vec<Lease>,
    asked_until: Option<Moment>,
    input: Power,
    output: Power,
    since: Option<Moment>,
    /// The last whole reading, dBFS.
    last: Option<(f32, f32)>,
    /// While the microphone is muted.
    muted: Option<Speech>,
}

/// The mean square of some samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Power {
    sum: f32,
    count: usize,
}

impl Power {
    /// These belong to it, too.
    pub(super) fn add(&mut self, samples: &[f32]) {
        self.sum += samples.iter().map(|sample| sample * sample).sum::<f32>();
        self.count += samples.len();
    }

    /// Of how many samples it is.
    pub(super) fn samples(self) -> usize {
        self.count
    }

    /// Of full loudness, in dB.
    pub(super) fn dbfs(self) -> f32 {
        if self.sum <= 0.0 { FLOOR } else { (10.0 * (self.sum / self.count as f32).log10()).max(FLOOR) }
    }
}

impl Levels {
    /// Somebody looks, until the other end of the pipe is closed.
    pub(super) fn add(&mut self, reader: Lease) {
        self.readers.retain(|reader| !closed(reader));
        if self.readers.len() < MOST && rustix::io::ioctl_fionbio(&reader.0, true).is_ok() {
            self.readers.push(reader);
        }
    }

    /// Somebody asks for the numbers: they are known a moment later, and for some seconds.
    pub(super) fn ask(&mut self, now: Moment) -> Option<(f32, f32)> {
        self.asked_until = Some(now + AFTER_A_QUESTION);
        self.last
    }

    /// The microphone is muted from now on, or is not any more.
    pub(super) fn mute(&mut self, muted: bool) {
        self.muted = muted.then(Speech::muted);
    }

    /// Somebody speaks into the muted microphone.
    pub(super) fn speaking_muted(&self) -> bool {
        self.muted.as_ref().is_some_and(Speech::speaks)
    }

    /// Whether anybody looks: only then is anything measured.
    pub(super) fn on(&self) -> bool {
        !self.readers.is_empty() || self.asked_until.is_some() || self.muted.is_some()
    }

    /// The microphone gave this.
    pub(super) fn input(&mut self, samples: &[f32]) {
        if self.on() {
            self.input.add(samples);
        }
    }

    /// The speaker got this.
    pub(super) fn output(&mut self, samples: &[f32]) {
        if self.on() {
            self.output.add(samples);
        }
    }

    /// Writes a reading, when it is time for one.
    pub(super) fn tell(&mut self, now: Moment) {
        if !self.on() {
            return;
        }
        let since = *self.since.get_or_insert(now);
        let over = now.since(since);
        if over < EVERY {
            return;
        }
        let (input, output) = (self.input.dbfs(), self.output.dbfs());
        if let Some(muted) = &mut self.muted {
            muted.reads(input, over.min(EVERY * 2));
        }
        let mut pair = [0; 8];
        pair[..4].copy_from_slice(&input.to_ne_bytes());
        pair[4..].copy_from_slice(&output.to_ne_bytes());
        // A reader that is slow misses one; eight bytes are written whole or not at all.
        self.readers.retain(|reader| match rustix::io::write(&reader.0, &pair) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        });
        (self.input, self.output, self.since) = (Power::default(), Power::default(), Some(now));
        self.last = Some((input, output));
        self.asked_until = self.asked_until.filter(|until| *until > now);
        if !self.on() {
            (self.since, self.last) = (None, None);
        }
    }
}

fn closed(reader: &Lease) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut look = [PollFd::new(&reader.0, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut look, Some(&at_once)).is_ok() && look[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn look(levels: &mut Levels) -> PipeReader {
        let (reader, writer) = pipe().unwrap();
        levels.add(Lease(writer.into()));
        reader
    }

    fn pair(reader: &mut PipeReader) -> (f32, f32) {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes).unwrap();
        let [a, b, c, d, e, f, g, h] = bytes;
        (f32::from_ne_bytes([a, b, c, d]), f32::from_ne_bytes([e, f, g, h]))
    }

    fn talk(levels: &mut Levels, from: u64, until: u64) {
        for ms in (from..until).step_by(5) {
            levels.input(&[0.1; 240]);
            levels.output(&[0.0; 240]);
            levels.tell(at(ms));
        }
    }

    #[test]
    fn who_looks_reads_twenty_five_pairs_a_second_until_the_pipe_is_closed() {
        let mut levels = Levels::default();
        talk(&mut levels, 0, 100);
        assert!(!levels.on() && levels.input.count == 0, "nobody looks, nothing is measured");
        let (mut one, mut two) = (look(&mut levels), look(&mut levels));
        talk(&mut levels, 100, 1_105);
        for reader in [&mut one, &mut two] {
            for _ in 0..25 {
                let (input, output) = pair(reader);
                assert!((input + 20.0).abs() < 0.01 && output == FLOOR, "{input} {output}");
            }
        }
        drop(one);
        talk(&mut levels, 1_200, 1_300);
        assert_eq!(levels.readers.len(), 1);
        pair(&mut two);
        drop(two);
        talk(&mut levels, 1_400, 1_500);
        assert!(!levels.on(), "and measuring ends");
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_there_are_not_too_many() {
        let mut levels = Levels::default();
        let _never = look(&mut levels);
        talk(&mut levels, 0, 600_000);
        assert_eq!(levels.readers.len(), 1, "a full pipe is kept");
        let _more: Vec<_> = (0..20).map(|_| look(&mut levels)).collect();
        assert_eq!(levels.readers.len(), MOST);
        drop(_more);
        let _again = look(&mut levels);
        assert_eq!(levels.readers.len(), 2, "those that left make room");
    }

    #[test]
    fn while_muted_the_meter_runs_and_knows_whether_somebody_speaks() {
        let mut levels = Levels::default();
        let say = |levels: &mut Levels, loudness: f32, from: u64, until: u64| {
            for ms in (from..until).step_by(5) {
                levels.input(&[loudness; 240]);
                levels.tell(at(ms));
            }
        };
        say(&mut levels, 0.1, 0, 5_000);
        assert!(!levels.speaking_muted() && !levels.on(), "nobody is muted");
        levels.mute(true);
        say(&mut levels, 0.0001, 5_000, 6_000);
        assert!(!levels.speaking_muted());
        say(&mut levels, 0.1, 6_000, 8_000);
        assert!(levels.speaking_muted());
        levels.mute(false);
        assert!(!levels.speaking_muted(), "at once");
        say(&mut levels, 0.1, 8_000, 8_200);
        assert!(!levels.on(), "and the meter stops");
    }

    #[test]
    fn a_question_is_answered_from_what_came_after_it() {
        let mut levels = Levels::default();
        assert_eq!(levels.ask(at(0)), None);
        talk(&mut levels, 0, 100);
        let (input, _) = levels.ask(at(100)).unwrap();
        assert!((input + 20.0).abs() < 0.01);
        talk(&mut levels, 100, 4_000);
        assert!(!levels.on() && levels.ask(at(4_000)).is_none(), "three seconds later nothing is measured");
    }
}
