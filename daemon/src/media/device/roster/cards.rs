//! What ALSA has to offer where no sound server runs.
//!
//! Lives here: the one pair of devices that is worth offering there.
//! Must not: ask ALSA's library, which complains at length and lists plug-ins as devices.

use crate::values::devices::{Device, Flow, Kind};

/// ALSA's own default, both ways: without a server a card has one user at a time, and its choice stands in ALSA's configuration.
pub(super) fn all() -> Vec<Device> {
    [(Flow::Input, "ALSA microphone"), (Flow::Output, "ALSA loudspeaker")]
        .map(|(flow, name)| Device {
            id: "default".to_owned(),
            name: name.to_owned(),
            flow,
            kind: Kind::Other,
            default: true,
            volume: 1.0,
            muted: false,
        })
        .to_vec()
}
