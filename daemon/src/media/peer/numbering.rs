//! The sequence numbers of one path.
//!
//! Lives here: where they begin, and how they follow those of the voice.
//! Must not: know what a packet holds.

/// A path has keys of its own, and both ends count the wraps of its numbers from the first packet that they see: it must not wrap
/// soon after (RFC 3711 §3.3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering {
    first: u16,
    /// From the number of the voice to that of the path, once something was sent.
    offset: Option<u16>,
}

impl Numbering {
    /// From a random number in the lower half.
    pub(super) fn fresh() -> Self {
        let mut bytes = [0; 2];
        if getrandom::fill(&mut bytes).is_err() {
            tracing::warn!("no randomness for the numbers of a path");
        }
        Self { first: u16::from_ne_bytes(bytes) >> 1, offset: None }
    }

    /// The number on this path of the packet of this number of the voice. A gap there is a gap here.
    pub(super) fn of(&mut self, sequence: u16) -> u16 {
        let first = self.first;
        sequence.wrapping_add(*self.offset.get_or_insert_with(|| first.wrapping_sub(sequence)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_in_the_lower_half_wherever_the_voice_is_and_keeps_its_gaps() {
        let mut firsts = std::collections::BTreeSet::new();
        for voice in (0..=u16::MAX).step_by(257) {
            let mut path = Numbering::fresh();
            let first = path.of(voice);
            assert!(first < 1 << 15, "the first wrap is ten minutes away: {first}");
            assert_eq!(path.of(voice.wrapping_add(1)), first.wrapping_add(1));
            assert_eq!(path.of(voice.wrapping_add(7)), first.wrapping_add(7), "what was lost is missing");
            firsts.insert(first);
        }
        assert!(firsts.len() > 200, "and nobody can guess it: {}", firsts.len());
    }
}
