//! Feeds `voice::packets`: packets with copies, and words about ours, to what is played.
//!
//! Lives here: the entry that the fuzzer calls.
//! Must not: hold a rule of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    ahoy_fuzz::behind(ahoy_fuzz::voice::packets(data));
});
