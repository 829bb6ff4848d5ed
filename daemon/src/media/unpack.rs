//! Packets of several frames, decoded at once and handed out frame by frame.
//!
//! Lives here: what of the last such packet was not played yet.
//! Must not: know packets' order or time.

use super::codec::{Decoder, FRAME};

/// What a packet gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Its own frames, by the number of the first.
    Itself(i64),
    /// The frames lost before it, by the same.
    Before(i64),
}

/// See the head of this file. Memory is taken when the first packet of several frames comes.
#[derive(Debug, Default)]
pub(super) struct Unpack {
    sound: Vec<f32>,
    held: Option<(Of, usize)>,
}

impl Unpack {
    /// Frame `part` of `frames` of the packet that begins with frame `head`.
    pub(super) fn frame(
        &mut self,
        decoder: &mut Decoder,
        payload: &[u8],
        (head, part, frames): (i64, usize, usize),
        frame: &mut [f32; FRAME],
    ) {
        if frames == 1 {
            return decoder.decode(payload, frame);
        }
        let this = Some((Of::Itself(head), frames));
        if self.held != this {
            decoder.decode(payload, self.room(frames));
            self.held = this;
        }
        self.copy(part, frame);
    }

    /// The first of so many frames that are missing before this packet, from the copy in it; false if it holds none.
    pub(super) fn before(
        &mut self,
        decoder: &mut Decoder,
        following: &[u8],
        (head, missing): (i64, usize),
        frame: &mut [f32; FRAME],
    ) -> bool {
        if let Some((Of::Before(of), frames)) = self.held
            && of == head
            && missing < frames
        {
            self.copy(frames - missing, frame);
            return true;
        }
        if missing == 1 {
            return decoder.decode_fec(following, frame);
        }
        if !decoder.holds_copy(following, missing) {
            decoder.conceal(frame);
            return false;
        }
        let filled = decoder.decode_fec(following, self.room(missing));
        self.held = Some((Of::Before(head), missing));
        self.copy(0, frame);
        filled
    }

    /// Nothing of what was decoded is played any more.
    pub(super) fn forget(&mut self) {
        self.held = None;
    }

    fn room(&mut self, frames: usize) -> &mut [f32] {
        self.sound.resize(frames * FRAME, 0.0);
        &mut self.sound
    }

    fn copy(&self, part: usize, frame: &mut [f32; FRAME]) {
        match self.sound.get(part * FRAME..(part + 1) * FRAME) {
            Some(sound) => frame.copy_from_slice(sound),
            None => frame.fill(0.0),
        }
    }
}
