//! One path of a leg, as the session keeps it.
//!
//! Lives here: what is known of it, and what goes over it.
//! Must not: decide whether it is opened, or what is said.

use super::silence::Heard;
use crate::media::transport::{Packet, PathOrder, Takes, Track, Transport};
use crate::values::line::{Ciphers, Pair};

/// One generation of a leg's path.
pub(super) struct SessionPath {
    /// As `Wanted::which` says.
    pub(super) which: u64,
    pub(super) transport: Box<dyn Transport>,
    pub(super) up: bool,
    pub(super) opened: bool,
    pub(super) channel: bool,
    pub(super) heard: Heard,
    pub(super) takes: Takes,
    /// Between which ends it runs, and what encrypts it, once that is known.
    pub(super) pair: Option<Pair>,
    pub(super) ciphers: Option<Ciphers>,
    /// Whether it was told to send again what is asked for.
    pub(super) repeats: bool,
}

impl SessionPath {
    /// One that is being built.
    pub(super) fn new(which: u64, transport: Box<dyn Transport>) -> Self {
        let (up, opened, channel, heard, takes, repeats) = Default::default();
        let (pair, ciphers) = (None, None);
        Self { which, transport, up, opened, channel, heard, takes, pair, ciphers, repeats }
    }

    /// Tells its packets from those of others: no two of a call have the same one for long.
    pub(super) fn number(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "a path of 65,536 paths ago is gone")]
        let number = self.which as u16;
        number
    }

    /// This goes over it.
    pub(super) fn say(&self, packet: Packet) {
        if self.transport.order(PathOrder::Packet(Track::Voice, packet)).is_err() {
            tracing::debug!("a path is choked, a packet of voice was dropped");
        }
    }

    /// About a voice.
    pub(super) fn word(&self, order: PathOrder) {
        if self.transport.order(order).is_err() {
            tracing::debug!("a path is choked, a word about a voice was dropped");
        }
    }
}
