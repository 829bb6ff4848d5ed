//! Feeds `dns::neighbour_dns`.
//!
//! Lives here: the entry that the fuzzer calls.
//! Must not: hold a rule of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ahoy_fuzz::behind(ahoy_fuzz::dns::neighbour_dns(data));
});
