//! What the buffer gives.
//!
//! Lives here: the kinds of a frame, and what is needed to make sound of each.
//! Must not: choose between them.

use crate::media::stretch::Stretch;

/// What to play for the next 20 ms.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Decode this, then change the frame's length.
    Decode {
        /// Opus.
        payload: &'a [u8],
        /// The number of the packet's first frame; a packet comes once for each of its frames.
        head: i64,
        /// How many frames it says that it holds, and which of them plays.
        frames: usize,
        /// See `frames`.
        part: usize,
        /// The wish; tell `changed` what came of it.
        stretch: Stretch,
    },
    /// The frame is missing, and those after it up to a packet that is here: decode the copy in it, or tell `guessed` that there
    /// is none.
    Fec {
        /// Opus, to be decoded itself when its time comes.
        following: &'a [u8],
        /// The number of its first frame.
        head: i64,
        /// How many frames are missing before it, this one with them.
        missing: usize,
    },
    /// The frame is missing.
    Conceal,
    /// Nothing to play. Not 20 ms: ask again as soon as wanted.
    Silence,
}
