//! Where packets wait, each in the slots of its frames' numbers.
//!
//! Lives here: a ring of payloads; memory is taken once and used again. The payload lies in the slot of a packet's first frame.
//! Must not: decide what plays.

/// Frames that fit, 1.28 s.
pub(in crate::media) const SPAN: i64 = 64;

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// By itself.
    Own,
    /// As a copy with another, or because it was asked for again.
    Mended,
}

#[derive(Debug)]
struct Slot {
    number: Option<i64>,
    /// Which frame of its packet this is, and how many that has.
    part: usize,
    frames: usize,
    source: Source,
    payload: Vec<u8>,
}

/// What `put` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// So many frames of it were missing.
    New(u32),
    /// Its frames are here, and did not come by themselves until now.
    Since,
    Again,
}

/// One frame that waits: the packet that it is in, and which of its frames it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held<'a> {
    pub(super) head: i64,
    pub(super) part: usize,
    pub(super) frames: usize,
    pub(super) source: Source,
    pub(super) payload: &'a [u8],
}

/// A packet stays until its slots are used again, so that one which comes twice is known.
#[derive(Debug)]
pub(super) struct Slots {
    ring: Vec<Slot>,
}

impl Slots {
    pub(super) fn new() -> Self {
        let slot = |_| Slot { number: None, part: 0, frames: 1, source: Source::Own, payload: Vec::new() };
        Self { ring: (0..SPAN).map(slot).collect() }
    }

    pub(super) fn clear(&mut self) {
        for slot in &mut self.ring {
            slot.number = None;
        }
    }

    /// The packet whose first frame is `head` holds so many. Those below `next` were played or given up.
    pub(super) fn put(
        &mut self,
        head: i64,
        frames: usize,
        next: i64,
        source: Source,
        payload: &[u8],
    ) -> Arrival {
        let numbers = head..head + i64::try_from(frames).expect("at most six");
        let missing = numbers.clone().filter(|number| *number >= next && !self.holds(*number));
        let missing = u32::try_from(missing.count()).expect("at most six");
        if missing == 0 {
            let known = &mut self.ring[index(head)];
            let since = known.number == Some(head) && source == Source::Own && known.source != Source::Own;
            if since {
                known.source = source;
            }
            return if since { Arrival::Since } else { Arrival::Again };
        }
        for (part, number) in numbers.enumerate() {
            if part > 0 && (number < next || self.holds(number)) {
                continue;
            }
            let slot = &mut self.ring[index(number)];
            (slot.number, slot.part, slot.frames, slot.source) = (Some(number), part, frames, source);
            if part == 0 {
                slot.payload.clear();
                slot.payload.extend_from_slice(payload);
            }
        }
        Arrival::New(missing)
    }

    /// The frame of this number, if it waits.
    pub(super) fn get(&self, number: i64) -> Option<Held<'_>> {
        let slot = self.ring.get(index(number)).filter(|slot| slot.number == Some(number))?;
        let (part, frames) = (slot.part, slot.frames);
        let head = number - i64::try_from(part).ok()?;
        // What lies there may belong to another packet by now.
        let first = &self.ring[index(head)];
        let whole = first.number == Some(head) && first.part == 0 && first.frames == frames;
        whole.then_some(Held { head, part, frames, source: first.source, payload: &first.payload })
    }

    pub(super) fn holds(&self, number: i64) -> bool {
        self.get(number).is_some()
    }

    /// The highest number that waits, not below `from`.
    pub(super) fn newest(&self, from: i64) -> Option<i64> {
        self.waiting(from).max()
    }

    /// The lowest number that waits, not below `from`; `from` itself if none does.
    pub(super) fn oldest(&self, from: i64) -> i64 {
        self.waiting(from).min().unwrap_or(from)
    }

    fn waiting(&self, from: i64) -> impl Iterator<Item = i64> {
        let numbers = self.ring.iter().filter_map(|slot| slot.number).filter(move |number| *number >= from);
        numbers.filter(|number| self.holds(*number))
    }
}

fn index(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SPAN)).expect("a remainder of 64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_several_frames_fills_what_is_missing_and_is_whole_wherever_it_is_entered() {
        let mut slots = Slots::new();
        assert_eq!(slots.put(101, 1, 100, Source::Mended, &[1]), Arrival::New(1), "a copy of its middle");
        assert_eq!(slots.put(100, 3, 100, Source::Own, &[9]), Arrival::New(2));
        assert_eq!(slots.put(100, 3, 100, Source::Own, &[9]), Arrival::Again);
        let held = |number| slots.get(number).map(|held| (held.head, held.part, held.payload[0]));
        assert_eq!(
            [99, 100, 101, 102, 103].map(held),
            [None, Some((100, 0, 9)), Some((101, 0, 1)), Some((100, 2, 9)), None]
        );
        assert_eq!((slots.oldest(100), slots.newest(100)), (100, Some(102)));
    }

    #[test]
    fn frames_of_a_packet_whose_place_was_taken_are_missing_and_no_others() {
        let mut slots = Slots::new();
        slots.put(100, 6, 100, Source::Own, &[6]);
        slots.put(100 + SPAN, 1, 105, Source::Own, &[1]);
        assert!((100..106).all(|number| !slots.holds(number)));
        assert_eq!(slots.newest(105), Some(100 + SPAN));
        assert_eq!(slots.put(104, 2, 105, Source::Mended, &[2]), Arrival::New(1), "the rest of a late one");
        assert_eq!(slots.get(105).map(|held| held.part), Some(1));
        assert_eq!(slots.put(104, 2, 105, Source::Own, &[2]), Arrival::Since);
        assert_eq!(slots.get(105).map(|held| held.source), Some(Source::Own));
    }
}
