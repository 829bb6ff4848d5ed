//! What a session of media may be asked.
//!
//! Lives here: the orders and how many may wait.
//! Must not: act on one.

use ahoy_call::{Epoch, LegId, MediaOrder};

use crate::media::device::Clip;
use crate::media::peer::Setup;
use crate::media::voice::Wishes;
use crate::request::{Lease, Reply};

/// Orders that wait for one call. Beyond them the call's media has failed.
pub const QUEUE: usize = 128;

/// An order to one session.
#[derive(Debug)]
pub enum Ask {
    /// About one path.
    Path {
        /// The leg.
        leg: LegId,
        /// The generation.
        epoch: Epoch,
        /// What.
        order: MediaOrder,
        /// What a new path is built with.
        setup: Setup,
    },
    /// Send a sealed frame over the leg's data channel.
    Frame {
        /// The leg.
        leg: LegId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// This sounds beside the voices; nothing if none.
    Tone(Option<Clip>),
    /// Write levels into this pipe until it is closed.
    Levels(Lease),
    /// Answer with numbers.
    Stats(Reply),
    /// Another treatment of the voice.
    Voice(Wishes),
    /// Play the others that loud, 0 to 2; 1 is as loud as they come.
    Volume(f32),
    /// Close everything.
    Stop,
}
