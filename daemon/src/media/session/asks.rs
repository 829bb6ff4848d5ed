//! What a session of media may be asked.
//!
//! Lives here: the orders and how many may wait. What is a state and no order: `wanted.rs`.
//! Must not: act on one.

use tokio::sync::watch;

use crate::media::CallOrder;
use crate::media::device::Clip;
use crate::media::transport::Plan;
use crate::media::wanted::{Key, Wanted};
use crate::values::media::Wishes;

/// Orders that wait for one call. Beyond them the call's media has failed.
pub const QUEUE: usize = 128;

/// An order to one session.
pub enum Ask {
    /// Build a path, if it is still wanted.
    Prepare {
        /// Its name.
        key: Key,
        /// How.
        plan: Plan,
        /// Several are behind it.
        is_room: bool,
        /// What is wanted of the call from now on.
        wanted: watch::Receiver<Wanted>,
    },
    /// What the engine asks.
    Order(CallOrder),
    /// This sounds beside the voices; nothing if none.
    Tone(Option<Clip>),
    /// Another treatment of the voice.
    Voice(Wishes),
    /// Close everything.
    Stop,
}
