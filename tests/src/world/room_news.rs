//! What happens at the port of rooms of a device.
//!
//! Lives here: the words between the queue of the world and the model of rooms.
//! Must not: do anything.

use ahoy_call::{Epoch, Opaque, RoomReport};

/// What happens at the port of rooms of a device.
#[derive(Clone, Debug)]
pub(super) enum RoomNews {
    Asked { opens: bool, passes: u8 },
    Enters { epoch: Epoch, pass: Opaque },
    Seals { name: u64, number: u64 },
    Report { name: Option<u64>, report: RoomReport },
    Lost { name: u64 },
    Gone { name: u64 },
}
