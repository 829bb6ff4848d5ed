//! Feeds `room::room`: what a room's server says, to a stay; what it passes on, to who opens frames.
//!
//! Lives here: the entry that the fuzzer calls.
//! Must not: hold a rule of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ahoy_fuzz::behind(ahoy_fuzz::room::room(data));
});
