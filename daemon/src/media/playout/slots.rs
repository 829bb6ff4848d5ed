//! Where packets wait, each in the slot of its number.
//!
//! Lives here: a ring of payloads; memory is taken once and used again.
//! Must not: decide what plays.

/// Frames that fit, 1.28 s.
pub(super) const SPAN: i64 = 64;

#[derive(Debug, Default)]
struct Slot {
    number: Option<i64>,
    payload: Vec<u8>,
}

/// What `put` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Again,
}

/// A packet stays until its slot is used again, so that one which comes twice is known.
#[derive(Debug)]
pub(super) struct Slots {
    ring: Vec<Slot>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { ring: (0..SPAN).map(|_| Slot::default()).collect() }
    }

    pub(super) fn clear(&mut self) {
        for slot in &mut self.ring {
            slot.number = None;
        }
    }

    pub(super) fn put(&mut self, number: i64, payload: &[u8]) -> Arrival {
        let slot = &mut self.ring[index(number)];
        if slot.number == Some(number) {
            return Arrival::Again;
        }
        slot.number = Some(number);
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        Arrival::New
    }

    pub(super) fn holds(&self, number: i64) -> bool {
        self.ring[index(number)].number == Some(number)
    }

    /// The packet of a number that `holds`.
    pub(super) fn payload(&self, number: i64) -> &[u8] {
        &self.ring[index(number)].payload
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
        self.ring.iter().filter_map(|slot| slot.number).filter(move |number| *number >= from)
    }
}

fn index(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SPAN)).expect("a remainder of 64")
}
