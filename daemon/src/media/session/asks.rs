//! What a session of media may be asked.
//!
//! Lives here: the orders and how many may wait. What is a state and no order: `wanted.rs`.
//! Must not: act on one.

use ahoy_call::{Description, Epoch, LegId, Opaque, Role};
use tokio::sync::watch;

use crate::media::device::Clip;
use crate::media::peer::Setup;
use crate::media::wanted::Wanted;
use crate::values::media::Wishes;
use crate::values::request::{Lease, Reply};

/// Orders that wait for one call. Beyond them the call's media has failed.
pub const QUEUE: usize = 128;

/// An order to one session.
#[derive(Debug)]
pub enum Ask {
    /// Build a path, if it is still wanted.
    Prepare {
        /// The leg.
        leg: LegId,
        /// The generation.
        epoch: Epoch,
        /// How it begins.
        role: Role,
        /// What it is built with.
        setup: Setup,
        /// What is wanted of the call from now on.
        wanted: watch::Receiver<Wanted>,
    },
    /// The other side's answer to our offer.
    Remote {
        /// The leg.
        leg: LegId,
        /// The generation.
        epoch: Epoch,
        /// The answer.
        answer: Description,
    },
    /// Candidates of the other side.
    Candidates {
        /// The leg.
        leg: LegId,
        /// The generation.
        epoch: Epoch,
        /// The candidates.
        list: Vec<Opaque>,
    },
    /// Our network has changed: is anything heard on this path?
    Probe {
        /// The leg.
        leg: LegId,
        /// The generation.
        epoch: Epoch,
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
