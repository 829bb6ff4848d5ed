//! The cleaner between a made-up room's speaker and microphone.
//!
//! Lives here: echoes, noises and voices that are computed, and what must come out.
//! Must not: open a device.

use super::*;

const OFF: Wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
const ALL: Wishes = Wishes { echo: Switch::On, noise: Switch::On, gain: Switch::On };
const AUTO: Wishes = Wishes { echo: Switch::Auto, noise: Switch::Auto, gain: Switch::Auto };

fn with(wishes: Wishes) -> Cleaner {
    let mut cleaner = Cleaner::default();
    cleaner.set(wishes, false);
    cleaner
}

/// Reproducible noise of that amplitude.
fn noise(count: usize, amplitude: f32) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 32_768.0 - 1.0
    };
    (0..count).map(|_| amplitude * next()).collect()
}

/// Noise that is strongest in its depths and comes and goes like syllables.
fn far_voice(seconds: usize) -> Vec<f32> {
    let loud = |i: usize| (i as f32 / 48_000.0 * 9.0).sin().max(0.0);
    let mut deep = 0.0;
    let mut deepen = |s: f32| {
        deep += 0.1 * (s - deep);
        3.0 * deep
    };
    noise(seconds * 48_000, 0.4).iter().enumerate().map(|(i, s)| deepen(*s) * loud(i)).collect()
}

/// Harmonics of a pitch that moves, in syllables.
fn near_voice(seconds: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..seconds * 48_000)
        .map(|i| {
            let t = i as f32 / 48_000.0;
            phase += (130.0 + 25.0 * (t * 2.3).sin()) / 48_000.0;
            let syllable = (t * 13.0).sin().max(0.0);
            let harmonics =
                (1..12_u8).map(|h| (phase * f32::from(h) * std::f32::consts::TAU).sin() / f32::from(h));
            0.08 * syllable * harmonics.sum::<f32>()
        })
        .collect()
}

fn sum(one: &[f32], other: &[f32]) -> Vec<f32> {
    one.iter().zip(other).map(|(a, b)| a + b).collect()
}

fn cleaned(cleaner: &mut Cleaner, played: &[f32], said: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for (played, said) in played.chunks(256).zip(said.chunks(256)) {
        cleaner.played(played);
        cleaner.said(said, |block| out.extend_from_slice(block));
    }
    out
}

fn dbfs(sound: &[f32]) -> f32 {
    10.0 * (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).max(1e-12).log10()
}

/// The speaker's sound in the microphone, 40 ms later and three reflections long.
fn echo(played: &[f32]) -> Vec<f32> {
    let at = |i: usize, delay: usize| if i < delay { 0.0 } else { played[i - delay] };
    (0..played.len()).map(|i| 0.2 * at(i, 1_920) + 0.1 * at(i, 2_417) - 0.05 * at(i, 3_301)).collect()
}

#[test]
fn an_echo_is_gone_after_five_seconds_and_stays_with_the_part_off() {
    let played = far_voice(8);
    let microphone = echo(&played);
    let tail = 6 * 48_000;
    let off = cleaned(&mut with(OFF), &played, &microphone);
    assert_eq!(off, microphone[..off.len()], "nothing is touched");
    for wishes in [Wishes { echo: Switch::On, ..OFF }, Wishes { echo: Switch::Auto, ..OFF }, ALL, AUTO] {
        let mut cleaner = with(wishes);
        let out = cleaned(&mut cleaner, &played, &microphone);
        let loss = dbfs(&microphone[tail..]) - dbfs(&out[tail..]);
        assert!(loss > 35.0, "{wishes:?}: {loss} dB");
        assert!(cleaner.parts().echo && cleaner.echo_return_loss().is_some());
    }
}

#[test]
fn where_the_microphone_hears_nothing_of_the_speaker_a_voice_is_left_alone() {
    let (played, said) = (far_voice(8), near_voice(8));
    for (microphone, what) in [(said.clone(), "both talk"), (vec![0.0; said.len()], "one talks")] {
        let mut cleaner = with(Wishes { echo: Switch::Auto, ..OFF });
        let out = cleaned(&mut cleaner, &played, &microphone);
        assert_eq!(out, microphone[..out.len()], "{what}: from the first sample on");
        // A headset's plug is pulled.
        let louder = cleaned(&mut cleaner, &played, &echo(&played));
        assert!(cleaner.parts().echo, "{what}: an echo that comes is found");
        let tail = 6 * 48_000;
        assert!(dbfs(&louder[tail..]) < dbfs(&echo(&played)[tail..]) - 35.0, "{what}");
    }
}

#[test]
fn an_echo_is_found_within_half_a_second_on_a_busy_machine_too() {
    let played = far_voice(2);
    let microphone = echo(&played);
    // Samples that come at a time: a device's block, and what a machine hands over that stood still for a while.
    for lump in [256, 960, 4_800] {
        let mut cleaner = with(Wishes { echo: Switch::Auto, ..OFF });
        let mut found = None;
        for (at, (played, said)) in played.chunks(lump).zip(microphone.chunks(lump)).enumerate() {
            cleaner.played(played);
            cleaner.said(said, |_| {});
            found = found.or(cleaner.parts().echo.then_some((at + 1) * lump));
        }
        assert!(found.is_some_and(|samples| samples <= 24_000), "in lumps of {lump}: {found:?}");
    }
}

#[test]
fn where_samples_get_lost_the_echo_stays_away() {
    let played = far_voice(9);
    let whole = echo(&played);
    // In the middle of a syllable.
    let at = 307_200;
    // What a sound server loses or doubles when it misses its time.
    for (name, microphone) in [
        ("lost", [&whole[..at], &whole[at + 1_024..]].concat()),
        ("doubled", [&whole[..at], &whole[at - 1_024..]].concat()),
    ] {
        for wishes in [Wishes { echo: Switch::On, ..OFF }, Wishes { echo: Switch::Auto, ..OFF }] {
            let out = cleaned(&mut with(wishes), &played, &microphone);
            let later = at + 48_000..at + 72_000;
            let loss = dbfs(&microphone[later.clone()]) - dbfs(&out[later]);
            assert!(loss > 20.0, "{name}, {wishes:?}: a second later {loss} dB");
        }
    }
}

#[test]
fn an_echo_is_found_under_ones_own_voice() {
    let (played, said) = (far_voice(8), near_voice(8));
    let mut cleaner = with(Wishes { echo: Switch::Auto, ..OFF });
    cleaned(&mut cleaner, &played, &sum(&echo(&played), &said));
    assert!(cleaner.parts().echo);
}

#[test]
fn two_steady_tones_are_no_echo_of_each_other() {
    let tone = |hertz: f32| -> Vec<f32> {
        (0..240_000).map(|i| 0.25 * (i as f32 / 48_000.0 * hertz * std::f32::consts::TAU).sin()).collect()
    };
    let mut cleaner = with(Wishes { echo: Switch::Auto, ..OFF });
    cleaned(&mut cleaner, &tone(950.0), &tone(600.0));
    assert!(!cleaner.parts().echo);
}

#[test]
fn noise_is_suppressed_where_there_is_noise() {
    let mut cleaner = with(Wishes { noise: Switch::Auto, ..OFF });
    cleaned(&mut cleaner, &[0.0; 240_000], &near_voice(5));
    assert!(!cleaner.parts().noise, "pauses are silent");
    cleaned(&mut cleaner, &[0.0; 240_000], &sum(&near_voice(5), &noise(240_000, 0.01)));
    assert!(cleaner.parts().noise, "pauses hiss");
}

#[test]
fn steady_noise_is_made_quieter_and_a_quiet_voice_louder() {
    let silence = vec![0.0; 12 * 48_000];
    let hiss = noise(12 * 48_000, 0.01);
    let tail = 10 * 48_000;
    let out = cleaned(&mut with(Wishes { noise: Switch::On, ..OFF }), &silence, &hiss);
    assert!(dbfs(&out[tail..]) < dbfs(&hiss[tail..]) - 10.0, "{}", dbfs(&out[tail..]));
    let quiet: Vec<f32> = near_voice(12).iter().map(|s| s * 0.05).collect();
    let out = cleaned(&mut with(Wishes { gain: Switch::On, ..OFF }), &silence, &quiet);
    assert!(
        dbfs(&out[tail..]) > dbfs(&quiet[tail..]) + 6.0,
        "{} to {}",
        dbfs(&quiet[tail..]),
        dbfs(&out[tail..])
    );
}

#[test]
fn blocks_of_any_size_give_the_same_sound_and_hush_lets_nothing_old_out() {
    let said = noise(48_000, 0.2);
    let mut whole = Vec::new();
    with(ALL).said(&said, |block| whole.extend_from_slice(block));
    for size in [1, 24, 441, 512, 960] {
        let mut cleaner = with(ALL);
        let mut out = Vec::new();
        for piece in said.chunks(size) {
            cleaner.said(piece, |block| out.extend_from_slice(block));
        }
        assert!(out == whole, "pieces of {size}");
    }
    for wishes in [OFF, ALL] {
        let mut cleaner = with(wishes);
        cleaner.said(&said, |_| {});
        cleaner.said(&said[..100], |_| {});
        cleaner.forget();
        let mut after = Vec::new();
        cleaner.said(&[0.0; 4_800], |block| after.extend_from_slice(block));
        assert!(dbfs(&after) < -70.0, "{wishes:?}: {} dBFS", dbfs(&after));
    }
}

#[test]
fn a_headset_has_no_echo_unless_somebody_says_otherwise() {
    let played = far_voice(1);
    let works = |echo, headset| {
        let mut cleaner = Cleaner::default();
        cleaner.set(Wishes { echo, ..OFF }, headset);
        cleaned(&mut cleaner, &played, &self::echo(&played));
        cleaner.parts().echo
    };
    assert!(works(Switch::Auto, false) && !works(Switch::Auto, true));
    assert!(works(Switch::On, false) && works(Switch::On, true));
    assert!(!works(Switch::Off, false) && !works(Switch::Off, true));
}

#[test]
fn parts_come_and_go_in_the_middle_of_the_sound() {
    let said = noise(4_800, 0.2);
    let mut cleaner = Cleaner::default();
    let mut count = 0;
    for wishes in [ALL, Wishes { gain: Switch::On, ..OFF }, OFF, AUTO] {
        cleaner.set(wishes, false);
        cleaner.said(&said, |_| count += BLOCK);
    }
    assert_eq!(count, 4 * 4_800);
}
