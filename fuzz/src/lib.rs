//! Fuzz targets of everything that reads hostile bytes, before and behind the seal.
//!
//! Lives here: the list of parts. `cargo fuzz run card` explores; `cargo test -p ahoy-proto --test corpus` replays.
//! Must not: be part of the workspace, which needs no fuzzer.

pub mod decoders;
