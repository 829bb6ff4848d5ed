//! From wrapping RTP numbers to frame numbers that never wrap.
//!
//! Lives here: which frames a packet holds, by whichever path it came, and when a sender paused or began anew (the idea of
//! RFC 3550, appendix A.1). A sequence number stands for one to six frames, as many as its packet holds; the timestamp leads.
//! Must not: keep packets or time.

use super::FRAME_SAMPLES;
use crate::media::codec::FRAMES_MAX;

/// Within one stream packets are at most a minute apart.
const REACH: i64 = 3_000;
/// The most frames that a packet can hold.
const MOST: i64 = FRAMES_MAX as i64;
/// So many packets in a row that fit each other, and not the stream, are a new stream.
const AGREE: u8 = 3;
/// A new stream's numbers lie this far above the old one's.
const APART: i64 = 10_000;

/// Paths of one leg that are remembered: the standing one, its successor, and what is still under way on old ones.
const PATHS: usize = 4;

/// The RTP numbers of a packet, and the path that it came by. Each path has sequence numbers of its own; timestamps are
/// those of the voice and run on from path to path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The generation of the path.
    pub path: u16,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, in samples (RFC 7587 §4.1).
    pub timestamp: u32,
    /// The marker bit: the first packet after a pause, in which no numbers were used up, or one soon after it.
    pub first: bool,
    /// How many frames of 20 ms it says that it holds, 1 to 6.
    pub frames: usize,
}

impl Numbers {
    /// The same as a signed number, to reckon with.
    pub(super) fn span(&self) -> i64 {
        i64::try_from(self.frames).unwrap_or(MOST)
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self { path: 0, sequence: 0, timestamp: 0, first: false, frames: 1 }
    }
}

/// What a packet is, by its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This frame.
    At(i64),
    /// This frame, and before it the sender paused.
    AfterPause(i64),
    /// No frame of this stream.
    Nowhere,
    /// The first frame of a new stream.
    Anew(i64),
}

/// The newest packet of one path, and the last that did not fit.
#[derive(Debug)]
struct PacketPath {
    path: u16,
    number: i64,
    sequence: u16,
    timestamp: u32,
    span: i64,
    /// What a packet that continues it would be: sequence number and timestamp, and how many did.
    stranger: Option<(u16, u32, u8)>,
}

impl PacketPath {
    fn new(number: i64, of: Numbers) -> Self {
        let Numbers { path, sequence, timestamp, .. } = of;
        Self { path, number, sequence, timestamp, span: of.span(), stranger: None }
    }

    /// Whether a packet so many sequence numbers on (or back) can be so many frames on: those between hold one to six each.
    fn fits(&self, of: Numbers, steps: i64, frames: i64) -> bool {
        let (own, apart) = match steps {
            0 => return frames == 0,
            1.. => (self.span, frames - self.span),
            i64::MIN..0 => (of.span(), -frames - of.span()),
        };
        let between = steps.abs() - 1;
        own >= 1 && (between..=between * MOST).contains(&apart)
    }

    /// How many samples after our newest packet.
    fn samples(&self, timestamp: u32) -> i64 {
        i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed())
    }
}

/// The newest packet of each path of the stream; the path that began last stands last.
#[derive(Debug, Default)]
pub(super) struct PacketOrder {
    paths: Vec<PacketPath>,
}

impl PacketOrder {
    /// Sequence and timestamp must have moved alike, and `plausible` may object to the result.
    pub(super) fn place(&mut self, of: Numbers, plausible: impl Fn(i64) -> bool) -> Place {
        let newest = self.paths.iter().map(|path| path.number).max();
        // Where the voice goes on by another path it has not paused.
        let goes_on_at = self.paths.iter().map(|path| path.number + path.span).max();
        let Some(at) = self.paths.iter().position(|path| path.path == of.path) else {
            return self.begin(of, plausible);
        };
        let path = &mut self.paths[at];
        let steps = i64::from(of.sequence.wrapping_sub(path.sequence).cast_signed());
        let samples = path.samples(of.timestamp);
        let frames = samples / FRAME_SAMPLES;
        let whole = samples % FRAME_SAMPLES == 0;
        let fits = path.fits(of, steps, frames);
        let paused = of.first && steps > 0 && frames > steps * path.span;
        let near = frames.abs() <= REACH || paused && steps <= REACH;
        if whole && (fits || paused) && near && plausible(path.number + frames) {
            let number = path.number + frames;
            path.stranger = None;
            if steps > 0 {
                *path = PacketPath::new(number, of);
            }
            let pause = paused && goes_on_at.is_none_or(|at| number > at);
            return if pause { Place::AfterPause(number) } else { Place::At(number) };
        }
        let agreed = match path.stranger {
            Some((sequence, timestamp, n)) if (of.sequence, of.timestamp) == (sequence, timestamp) => n + 1,
            Some(_) | None => 1,
        };
        if agreed < AGREE {
            let samples = u32::try_from(of.span() * FRAME_SAMPLES).unwrap_or_default();
            path.stranger = Some((of.sequence.wrapping_add(1), of.timestamp.wrapping_add(samples), agreed));
            return Place::Nowhere;
        }
        let number = newest.unwrap_or_default() + APART;
        *path = PacketPath::new(number, of);
        Place::Anew(number)
    }

    /// The first packet of a path: the voice goes on where its timestamp says, or begins anew.
    fn begin(&mut self, of: Numbers, plausible: impl Fn(i64) -> bool) -> Place {
        let Some(newest) = self.paths.iter().max_by_key(|path| path.number) else {
            self.paths.push(PacketPath::new(APART, of));
            return Place::At(APART);
        };
        let (samples, anew) = (newest.samples(of.timestamp), newest.number + APART);
        let (number, goes_on_at) = (newest.number + samples / FRAME_SAMPLES, newest.number + newest.span);
        let goes_on =
            samples % FRAME_SAMPLES == 0 && samples.abs() <= REACH * FRAME_SAMPLES && plausible(number);
        if self.paths.len() == PATHS {
            self.paths.remove(0);
        }
        let (number, place) = match goes_on {
            true if of.first && number > goes_on_at => (number, Place::AfterPause(number)),
            true => (number, Place::At(number)),
            false => (anew, Place::Anew(anew)),
        };
        self.paths.push(PacketPath::new(number, of));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sequence: u16, timestamp: u32) -> Numbers {
        Numbers { sequence, timestamp, ..Numbers::default() }
    }

    fn place(order: &mut PacketOrder, sequence: u16, timestamp: u32) -> Place {
        order.place(numbers(sequence, timestamp), |_| true)
    }

    #[test]
    fn numbers_grow_through_both_wraps() {
        let mut order = PacketOrder::default();
        let (mut last, mut late) = (APART - 1, (0, 0));
        for i in 0..100_000_u32 {
            let sequence = 65_530_u16.wrapping_add(u16::try_from(i % 65_536).unwrap());
            let timestamp = (u32::MAX - 2_000).wrapping_add(i.wrapping_mul(960));
            assert_eq!(place(&mut order, sequence, timestamp), Place::At(last + 1));
            last += 1;
            if i == 99_998 {
                late = (sequence, timestamp);
            }
        }
        assert_eq!(place(&mut order, late.0, late.1), Place::At(last - 1));
    }

    #[test]
    fn a_stranger_is_nowhere_until_three_agree() {
        let mut order = PacketOrder::default();
        assert_eq!(place(&mut order, 1, 960), Place::At(APART));
        assert_eq!(place(&mut order, 2, 5), Place::Nowhere, "sequence and timestamp disagree");
        assert_eq!(place(&mut order, 30_000, 0), Place::Nowhere);
        assert_eq!(place(&mut order, 2, 1_920), Place::At(APART + 1), "the stream goes on");
        assert_eq!(place(&mut order, 9_000, 77), Place::Nowhere);
        assert_eq!(place(&mut order, 9_001, 77 + 960), Place::Nowhere);
        assert_eq!(place(&mut order, 9_002, 77 + 1_920), Place::Anew(2 * APART + 1));
        assert_eq!(place(&mut order, 9_003, 77 + 2_880), Place::At(2 * APART + 2));
    }

    #[test]
    fn a_path_has_sequence_numbers_of_its_own_and_the_voice_goes_on_where_its_timestamp_says() {
        let mut order = PacketOrder::default();
        let on = |path, sequence, timestamp| Numbers { path, sequence, timestamp, ..Numbers::default() };
        assert_eq!(order.place(on(1, 65_535, 0), |_| true), Place::At(APART));
        assert_eq!(order.place(on(3, 100, 2 * 960), |_| true), Place::At(APART + 2));
        assert_eq!(
            order.place(on(1, 0, 960), |_| true),
            Place::At(APART + 1),
            "still under way on the old path"
        );
        assert_eq!(order.place(on(3, 101, 3 * 960), |_| true), Place::At(APART + 3));
        assert_eq!(
            order.place(on(2, 5, 77), |_| true),
            Place::Anew(2 * APART + 3),
            "another clock, another stream"
        );
        for path in 4..200 {
            assert!(matches!(order.place(on(path, path, 77), |_| true), Place::At(_) | Place::Anew(_)));
        }
        assert_eq!(order.paths.len(), PATHS);
    }

    #[test]
    fn a_pause_passes_time_and_no_numbers_if_the_packet_says_so() {
        let mut order = PacketOrder::default();
        let after = |first, sequence, frames: u32| Numbers {
            sequence,
            timestamp: frames * 960,
            first,
            ..Numbers::default()
        };
        assert_eq!(order.place(after(true, 0, 0), |_| true), Place::At(APART), "the very first");
        assert_eq!(order.place(after(false, 1, 13), |_| true), Place::Nowhere);
        assert_eq!(order.place(after(true, 1, 13), |_| true), Place::AfterPause(APART + 13));
        assert_eq!(order.place(after(false, 2, 14), |_| true), Place::At(APART + 14));
        assert_eq!(order.place(after(true, 3, 15), |_| true), Place::At(APART + 15), "no time has passed");
    }

    #[test]
    fn who_leaves_something_out_on_one_path_has_not_paused_while_it_comes_by_another() {
        let mut order = PacketOrder::default();
        let on = |path, sequence, frame: u32, first| Numbers {
            path,
            sequence,
            timestamp: frame * 960,
            first,
            ..Numbers::default()
        };
        assert_eq!(order.place(on(1, 0, 0, true), |_| true), Place::At(APART));
        assert_eq!(order.place(on(2, 500, 0, true), |_| true), Place::At(APART));
        for n in 1..=20 {
            assert_eq!(order.place(on(1, n, n.into(), false), |_| true), Place::At(APART + i64::from(n)));
        }
        for (n, frame) in [(1, 20), (2, 21)] {
            assert_eq!(
                order.place(on(2, 500 + n, frame, true), |_| true),
                Place::At(APART + i64::from(frame))
            );
        }
        assert_eq!(order.place(on(3, 9, 20, true), |_| true), Place::At(APART + 20), "a third one begins");
        assert_eq!(order.place(on(2, 503, 40, true), |_| true), Place::AfterPause(APART + 40), "by none");
    }

    #[test]
    fn a_number_stands_for_as_many_frames_as_its_packet_holds_and_that_may_change() {
        let mut order = PacketOrder::default();
        let mut on = |sequence, frame: u32, frames| {
            order.place(Numbers { sequence, timestamp: frame * 960, frames, ..Numbers::default() }, |_| true)
        };
        assert_eq!(on(0, 0, 1), Place::At(APART));
        assert_eq!(on(1, 1, 3), Place::At(APART + 1));
        assert_eq!(on(2, 4, 3), Place::At(APART + 4));
        assert_eq!(on(3, 8, 1), Place::Nowhere, "nothing lies between two neighbours");
        assert_eq!(on(3, 6, 1), Place::Nowhere, "and nothing twice");
        assert_eq!(on(4, 10, 2), Place::At(APART + 10), "one packet of three is missing");
        assert_eq!(on(3, 7, 3), Place::At(APART + 7), "here it is");
        assert_eq!(on(3, 7, 2), Place::Nowhere, "not with a hole behind it");
        assert_eq!(on(7, 12 + 13, 1), Place::Nowhere, "two packets hold at most twelve frames");
        assert_eq!(on(7, 12 + 12, 1), Place::At(APART + 24));
        assert_eq!(on(9, 25, 1), Place::Nowhere, "and at least one each");
        assert_eq!(on(8, 25, 6), Place::At(APART + 25));
        for (n, sequence) in (0..3).zip(900..) {
            let expected = if n < 2 { Place::Nowhere } else { Place::Anew(2 * APART + 25) };
            assert_eq!(on(sequence, 70_000 + 3 * n, 3), expected, "a stranger of three frames a packet");
        }
    }
}
