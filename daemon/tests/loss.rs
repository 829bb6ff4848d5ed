//! A voice under loss, in virtual time: microphone samples, encoder, a seeded line, playout, decoder, samples at the ear.
//!
//! Lives here: how much of it is concealed and how late it plays, with copies, with asking, with both and with neither.
//! Must not: take real time, open a socket, or choose how a voice is mended.
//!
//! `AHOY_SPEECH` names a file of samples (16 bit, mono, 48 kHz) to say instead of the made-up voice, and `AHOY_HEARD` a folder
//! for what is heard of it in each case: for listening, and for meters of quality.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

#[path = "loss/line.rs"]
mod line;
/// The target of `make fuzz`.
#[path = "../../fuzz/src/voice.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's crate shows it")]
mod target;
#[path = "loss/voice.rs"]
mod voice;

use line::{Heard, Line, Mend, carry};

const PLAIN: Mend = Mend { copies: &[], asking: false, bitrate: 32_000, wait_ms: 0 };
const COPIES: Mend = Mend { copies: &[1, 2], bitrate: 24_000, ..PLAIN };
const SPACED: Mend = Mend { copies: &[2, 4, 6], ..COPIES };
const ASKING: Mend = Mend { asking: true, ..PLAIN };
const BOTH: Mend = Mend { asking: true, ..COPIES };

/// What a case must keep to: at most so many per cent concealed, and so many ms of playout delay in the mean.
struct Bound(f32, f32);

#[test]
fn copies_and_asking_mend_what_is_lost_and_cost_only_the_delay_that_they_need() {
    let lossy = |per_cent| Line { loss: per_cent / 100.0, ..Line::CLEAN };
    let far = |per_cent, round_trip_us| Line { round_trip_us, ..lossy(per_cent) };
    // A burst is 80 ms long.
    let bursts = Line { burst: 4.0, ..lossy(10.0) };
    let jitter = |us| Line { jitter_us: us, ..Line::CLEAN };
    let cases = [
        ("clean", Line::CLEAN, PLAIN, Bound(0.0, 13.0)),
        ("clean, asking", Line::CLEAN, ASKING, Bound(0.0, 30.0)),
        ("loss5", lossy(5.0), PLAIN, Bound(7.0, 14.0)),
        ("loss10", lossy(10.0), PLAIN, Bound(12.0, 14.0)),
        ("loss5, copies 1 2", lossy(5.0), COPIES, Bound(0.2, 65.0)),
        ("loss10, copies 1 2", lossy(10.0), COPIES, Bound(0.5, 65.0)),
        ("loss20, copies 1 2", lossy(20.0), COPIES, Bound(2.0, 65.0)),
        ("loss5, asking", lossy(5.0), ASKING, Bound(0.5, 32.0)),
        ("loss10, asking", lossy(10.0), ASKING, Bound(1.0, 32.0)),
        ("loss10, asking at 20 ms", far(10.0, 20_000), ASKING, Bound(1.0, 65.0)),
        ("loss10, asking at 60 ms", far(10.0, 60_000), ASKING, Bound(1.0, 145.0)),
        ("loss10, both at 60 ms", far(10.0, 60_000), BOTH, Bound(0.4, 145.0)),
        ("loss20, both at 20 ms", far(20.0, 20_000), BOTH, Bound(0.8, 70.0)),
        ("burst10", bursts, PLAIN, Bound(13.0, 25.0)),
        ("burst10, copies 2 4 6", bursts, SPACED, Bound(4.5, 150.0)),
        ("burst10, asking", bursts, ASKING, Bound(9.0, 60.0)),
        ("burst10, asking for 180 ms", bursts, Mend { wait_ms: 180, ..ASKING }, Bound(2.5, 190.0)),
        ("burst10, both", bursts, Mend { asking: true, ..SPACED }, Bound(2.5, 150.0)),
        ("jitter40", jitter(40_000), PLAIN, Bound(1.0, 65.0)),
        ("jitter40, asking", jitter(40_000), ASKING, Bound(1.0, 80.0)),
        ("jitter80", jitter(80_000), PLAIN, Bound(1.5, 100.0)),
        ("loss10-jitter80, both", Line { loss: 0.1, ..jitter(80_000) }, BOTH, Bound(2.0, 150.0)),
    ];
    let mut wrong = Vec::new();
    let said = voice::said();
    println!(
        "{:<26} {:>9} {:>8} {:>8} {:>6} {:>7} {:>7}",
        "", "concealed", "delay", "kbit/s", "asked", "copied", "mended"
    );
    for (name, line, mend, Bound(concealed, delay)) in cases {
        let heard = carry(&said, line, mend);
        voice::keep(name, &heard.sound);
        let Heard { concealed_per_cent, delay_ms, kbit, told, .. } = &heard;
        println!(
            "{name:<26} {concealed_per_cent:>8.2}% {delay_ms:>5.1} ms {kbit:>8.1} {:>6} {:>7} {:>7}",
            told.asked, told.copied, told.repaired
        );
        if *concealed_per_cent > concealed || *delay_ms > delay {
            wrong.push(format!("{name}: {concealed_per_cent:.2} % concealed, {delay_ms:.1} ms"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_same_line_gives_the_same_sound() {
    let said = voice::said();
    let line = Line { loss: 0.1, jitter_us: 20_000, ..Line::CLEAN };
    let short = &said[..said.len().min(48_000 * 10)];
    assert!(carry(short, line, BOTH).sound == carry(short, line, BOTH).sound);
}

#[test]
fn the_corpus_of_the_fuzz_target_voice_is_replayed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/voice");
    let inputs =
        std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let read = inputs.map(|bytes| target::packets(&bytes));
    let (copied, plain): (Vec<bool>, Vec<bool>) = read.partition(|copied| *copied);
    assert!(!copied.is_empty() && !plain.is_empty(), "both ends are reached");
}
