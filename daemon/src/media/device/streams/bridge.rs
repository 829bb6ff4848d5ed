//! Between the bytes of a sound server and samples.
//!
//! Lives here: what a stream does with its sound, in both forms. It runs inside callbacks: only copies.
//! Must not: allocate after it was made; know a server.

/// Fills a block for the loudspeaker.
pub(super) type Fill = Box<dyn FnMut(&mut [f32]) + Send>;
/// Takes a block of the microphone.
pub(super) type Drain = Box<dyn FnMut(&[f32]) + Send>;

/// What a stream does, one block at a time.
pub(super) enum Work {
    /// It plays.
    Give(Fill),
    /// It listens.
    Take(Drain),
}

/// Bytes of one sample: a float, least byte first.
pub(super) const SAMPLE: usize = 4;
/// More than any server asks for at once; a larger block goes in pieces.
const LONGEST: usize = 16_384;

/// Work on blocks of bytes.
pub(super) struct Bridge {
    work: Work,
    samples: Box<[f32]>,
}

impl Bridge {
    pub(super) fn new(work: Work) -> Self {
        Self { work, samples: vec![0.0; LONGEST].into() }
    }

    /// It is a loudspeaker's.
    pub(super) fn gives(&self) -> bool {
        matches!(self.work, Work::Give(_))
    }

    /// The loudspeaker wants these bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        let Work::Give(give) = &mut self.work else { return };
        for piece in bytes.chunks_mut(LONGEST * SAMPLE) {
            let samples = &mut self.samples[..piece.len() / SAMPLE];
            give(samples);
            for (bytes, sample) in piece.chunks_exact_mut(SAMPLE).zip(samples) {
                bytes.copy_from_slice(&sample.to_le_bytes());
            }
        }
    }

    /// The microphone gave these.
    pub(super) fn drain(&mut self, bytes: &[u8]) {
        let Work::Take(take) = &mut self.work else { return };
        for piece in bytes.chunks(LONGEST * SAMPLE) {
            let samples = &mut self.samples[..piece.len() / SAMPLE];
            let (values, _broken) = piece.as_chunks::<SAMPLE>();
            for (sample, value) in samples.iter_mut().zip(values) {
                *sample = f32::from_le_bytes(*value);
            }
            take(samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use allocation_counter::{AllocationInfo, measure};

    use super::*;

    #[test]
    fn samples_are_the_same_on_both_sides_and_take_no_memory() {
        let mut next = 0.0;
        let give = move |block: &mut [f32]| {
            for sample in block {
                next += 0.25;
                *sample = next;
            }
        };
        let (tell, told) = sync_channel(40_000);
        let take = move |block: &[f32]| block.iter().for_each(|sample| tell.try_send(*sample).unwrap());
        let mut out = Bridge::new(Work::Give(Box::new(give)));
        let mut inward = Bridge::new(Work::Take(Box::new(take)));
        let mut bytes = vec![9; 20_000 * SAMPLE];
        assert_eq!(measure(|| out.fill(&mut bytes)), AllocationInfo::default());
        inward.drain(&bytes);
        let heard: Vec<f32> = told.try_iter().collect();
        assert_eq!(
            (heard.len(), heard[0], heard[19_999]),
            (20_000, 0.25, 5_000.0),
            "in pieces, none is lost"
        );
    }
}
