//! Digits, from the keypad to the ear, as events and as tones in the voice.
//!
//! Lives here: what is heard of them on a whole line, with losses, and from a side that means harm.
//! Must not: take real time.

use ahoy_call::Digits;

use super::*;
use crate::media::dtmf::pitches;
use crate::media::rate::Encoding;
use crate::media::said::loudness;

/// The pitch of who speaks all the while.
const VOICE: u32 = 300;

/// What came of a line: each digit with the milliseconds that it sounded, what was played, and what the buffer went through.
struct Heard {
    digits: Vec<(char, usize)>,
    sound: Vec<f32>,
    told: Statistics,
}

/// Somebody speaks for a second, sends these digits, and speaks on for a second. `way`: how each packet comes, if it does; the
/// number of the event's packet is with it.
fn line(text: &str, frames: u8, mut way: impl FnMut(Packet, usize) -> Option<Packet>) -> Heard {
    let digits = Digits::parse(text).unwrap();
    let mut capture = Capture::new(32_000, u32::MAX - 60_000).unwrap();
    capture.set_encoding(Encoding { bitrate: 32_000, frames });
    let mut playback = Playback::new().unwrap();
    let (mut sound, mut events, mut begin) = (Vec::new(), 0, None);
    let until = 2_000 + u64::try_from(digits.lasts().as_millis()).unwrap();
    for ms in (0..until).step_by(10) {
        if ms == 1_000 {
            capture.press(&digits);
        }
        let from = usize::try_from(ms).unwrap() * 48;
        for packet in feed(&mut capture, &tone(from, 480)) {
            let of = packet.event.map(|event| event.begin);
            events = if of == begin { events + 1 } else { 0 };
            begin = of;
            if let Some(came) = way(packet, events) {
                playback.receive(at(ms), 0, &came);
            }
        }
        let mut block = [f32::NAN; 480];
        playback.play(at(ms), &mut block);
        sound.extend(block);
    }
    assert!(sound.iter().all(|sample| sample.is_finite()));
    Heard { digits: told(&sound), sound, told: playback.statistics() }
}

/// As an event's packet is read off the wire.
fn as_event(packet: Packet) -> Packet {
    match packet.event {
        Some(event) => Packet { payload: event.bytes().to_vec(), copies: Vec::new(), ..packet },
        None => packet,
    }
}

/// The digits in a sound, in steps of 5 ms.
fn told(sound: &[f32]) -> Vec<(char, usize)> {
    let mut all: Vec<(char, usize)> = Vec::new();
    let mut before = None;
    for from in (0..sound.len().saturating_sub(960)).step_by(240) {
        let part = &sound[from..from + 960];
        let sounds = |code: &u8| pitches(*code).unwrap().iter().all(|pitch| loudness(part, *pitch) > 0.09);
        let now = (0..16).find(sounds).map(|code| char::from(b"0123456789*#ABCD"[usize::from(code)]));
        match now {
            Some(_) if before == now => all.last_mut().unwrap().1 += 5,
            Some(digit) => all.push((digit, 5)),
            None => {}
        }
        before = now;
    }
    all
}

fn text(heard: &Heard) -> String {
    heard.digits.iter().map(|(digit, _)| *digit).collect()
}

#[test]
fn digits_sound_as_long_as_they_were_sent_as_events_and_in_the_voice() {
    for (name, events) in [("events", true), ("in the voice", false)] {
        let heard = line("0123456789*#ABCD", 1, |packet, _| {
            Some(if events { as_event(packet) } else { Packet { event: None, ..packet } })
        });
        assert_eq!(text(&heard), "0123456789*#ABCD", "{name}");
        assert!(heard.digits.iter().all(|(_, ms)| (70..=110).contains(ms)), "{name}: {:?}", heard.digits);
        let told = heard.told;
        assert_eq!((told.lost, told.concealed, told.rejected), (0, 0, 0), "{name}: {told:?}");
        let voiced = |ms: usize| loudness(&heard.sound[ms * 48..(ms + 100) * 48], VOICE);
        assert!(voiced(800) > 0.2 && voiced(heard.sound.len() / 48 - 200) > 0.2, "{name}: before and after");
        let between = (1_150..1_000 + 16 * 180 - 100).step_by(100).map(voiced).fold(0.0, f32::max);
        assert!(between < 0.02, "{name}: the voice is silent meanwhile: {between}");
    }
}

#[test]
fn a_pause_between_digits_is_the_voice_again() {
    let heard = line("1,2", 1, |packet, _| Some(as_event(packet)));
    assert_eq!(text(&heard), "12");
    assert!(loudness(&heard.sound[48 * 2_000..48 * 2_500], VOICE) > 0.2);
}

#[test]
fn a_digit_outlives_the_loss_of_its_first_packets_of_its_last_and_of_many_between() {
    /// Whether a packet of a digit, by its number, gets lost.
    type Lost = fn(usize) -> bool;
    let losses: [(&str, Lost); 6] = [
        ("the first", |n| n == 0),
        ("the first two", |n| n < 2),
        ("every end", |n| n >= 4),
        ("all ends but the last", |n| (4..6).contains(&n)),
        ("every second", |n| n % 2 == 1),
        ("three in the middle", |n| (1..4).contains(&n)),
    ];
    for (name, lost) in losses {
        let heard =
            line("4711", 1, |packet, n| (packet.event.is_none() || !lost(n)).then(|| as_event(packet)));
        assert_eq!(text(&heard), "4711", "{name}: {:?}", heard.digits);
        // What is not known goes on for three frames at most.
        assert!(heard.digits.iter().all(|(_, ms)| (40..=170).contains(ms)), "{name}: {:?}", heard.digits);
        let after = &heard.sound[heard.sound.len() - 48 * 500..];
        assert!(loudness(after, VOICE) > 0.2, "{name}: the voice goes on");
    }
}

#[test]
fn digits_after_packets_of_three_frames_keep_their_place_in_time() {
    let heard = line("159", 3, |packet, _| Some(as_event(packet)));
    assert_eq!(text(&heard), "159");
    assert_eq!((heard.told.rejected, heard.told.lost), (0, 0), "{:?}", heard.told);
}

#[test]
fn a_second_packet_of_the_same_event_and_one_that_comes_again_late_change_nothing() {
    let mut late = None;
    let mut doubled = Vec::new();
    let heard = line("7", 1, |packet, n| {
        if packet.event.is_some() && n == 1 {
            late = Some(as_event(packet));
            return None;
        }
        doubled.push(packet.sequence);
        // The one that was lost comes again in the place of a packet of the voice, long after.
        match late.take_if(|_| doubled.len() > 80) {
            Some(again) => Some(again),
            None => Some(as_event(packet)),
        }
    });
    assert_eq!(text(&heard), "7");
}

#[test]
fn hostile_events_play_no_longer_than_they_come_and_spoil_nothing_that_follows() {
    let mut playback = Playback::new().unwrap();
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut block = [0.0; 480];
    // Twenty packets in each 10 ms, for 5 s: any code, any length, any time, any number.
    for ms in (0..5_000).step_by(10) {
        for _ in 0..20 {
            let bytes = random().to_be_bytes();
            let begin = if bytes[1] & 1 == 0 { random().wrapping_mul(977) } else { ms * 48 };
            let event = Event::from_bytes(begin, &[bytes[3], bytes[2], bytes[1], bytes[0]]).unwrap();
            let sequence = if bytes[2] & 1 == 0 { bytes[3].into() } else { u16::from(bytes[1]) << 8 };
            let packet = Packet {
                sequence,
                timestamp: 0,
                first: false,
                payload: Vec::new(),
                copies: Vec::new(),
                event: Some(event),
            };
            playback.receive(at(ms.into()), 0, &packet);
        }
        playback.play(at(ms.into()), &mut block);
        assert!(block.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
    }
    // Nothing comes any more: what waits is played, and then nothing sounds.
    for ms in (5_000..7_000).step_by(10) {
        playback.play(at(ms), &mut block);
    }
    assert_eq!(peak(&block), 0.0, "no tone hangs");
    // The longest that an event can say of itself, once, without an end.
    let long = Event { code: 5, end: false, duration: u16::MAX, begin: 0 };
    let packet = Packet {
        sequence: 9,
        timestamp: 0,
        first: true,
        payload: Vec::new(),
        copies: Vec::new(),
        event: Some(long),
    };
    let mut playback = Playback::new().unwrap();
    playback.receive(at(6_000), 0, &packet);
    let mut sounds = 0;
    for ms in (6_000..9_000).step_by(10) {
        playback.play(at(ms), &mut block);
        sounds += usize::from(peak(&block) > 0.01) * 10;
    }
    assert!((20..=250).contains(&sounds), "{sounds} ms of a single packet");
}

#[test]
fn an_event_that_is_no_digit_is_silence() {
    let heard = line("5", 1, |packet, _| {
        let event = packet.event.map(|event| Event { code: 16 + event.code, ..event });
        Some(as_event(Packet { event, ..packet }))
    });
    assert_eq!((text(&heard).as_str(), heard.told.lost), ("", 0));
    assert!(loudness(&heard.sound[48 * 1_060..48 * 1_140], VOICE) < 0.02);
}
