//! Feeds `outward::message`: from a decoded message to the bus, a row, files, a terminal, a pop-up.
//!
//! Lives here: the entry that the fuzzer calls.
//! Must not: hold a rule of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ahoy_fuzz::behind(ahoy_fuzz::outward::message(data));
});
