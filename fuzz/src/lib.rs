//! Fuzz targets of everything that reads hostile bytes, before and behind the seal.
//!
//! Lives here: the list of parts. `make fuzz` explores; the tests of `ahoy-proto` and of the whole replay.
//! Must not: be part of the workspace, which needs no fuzzer.

pub mod decoders;
pub mod dns;
pub mod outward;
pub mod room;
pub mod voice;

use std::sync::OnceLock;

/// Whatever a decoder read. With `PLANT` set it panics, as a fault behind the decoder would: to see that it is found.
pub fn behind(read: bool) {
    static PLANT: OnceLock<bool> = OnceLock::new();
    assert!(!(read && *PLANT.get_or_init(|| std::env::var_os("PLANT").is_some())), "planted");
}
