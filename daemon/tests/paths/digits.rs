//! Digits between two sessions: as events to who takes them, else as tones in the voice.
//!
//! Lives here: what goes over the wire, and what is heard, with losses too.
//! Must not: know who may send them; the rules do.

use std::time::Duration;

use ahoy_call::{Digits, MediaOrder};

use crate::between::{Between, COMPANY, FIRST, SECOND};
use crate::sound::{ANA, BEN};
use crate::wire::EVENT;

/// Nothing is lost, and what goes is kept.
const KEEPS: Option<usize> = Some(usize::MAX);

/// Ana sends these to Ben, who listens from now on.
fn send(w: &mut Between, text: &str) {
    w.ben.ear.start_over();
    w.ana.order(FIRST, MediaOrder::SendDigits(Digits::parse(text).unwrap()));
}

#[tokio::test]
async fn a_digit_is_an_event_on_the_wire_and_a_tone_at_the_other_side() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.lossy = KEEPS;
    w.connect(FIRST).await;
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    w.ana.order(FIRST, MediaOrder::SetMuted(true));
    w.until("silence at Ben's", |w| w.ben.ear.is_silent()).await;
    send(&mut w, "42#");
    w.until("three digits at Ben's, though Ana is muted", |w| w.ben.ear.digits() == "42#").await;
    assert_eq!(w.ana.ear.digits(), "", "not at Ana's");
    w.ana.order(FIRST, MediaOrder::SetMuted(false));
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    assert_eq!(w.ben.ear.digits(), "42#");
    let packets = w.digits(FIRST);
    let begins: Vec<u32> = packets.iter().filter(|(.., marker)| *marker).map(|(_, time, _)| *time).collect();
    assert_eq!((packets.len(), begins.len()), (3 * 7, 3), "five, and the last three times: {packets:?}");
    for (digit, begin) in packets.chunks(7).zip(&begins) {
        assert!(digit.iter().all(|(_, time, _)| time == begin), "each says when it began");
        assert!(digit.is_sorted_by(|a, b| a.0.wrapping_add(1) == b.0), "one number each: {digit:?}");
    }
    assert!(begins.is_sorted_by(|a, b| a.wrapping_add(9 * 960) == *b), "180 ms apart: {begins:?}");
    w.end().await;
}

#[tokio::test]
async fn to_a_side_that_takes_no_events_a_digit_is_a_tone_in_the_voice() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    (w.lossy, w.ben_lacks) = (KEEPS, Some(EVENT));
    w.connect(FIRST).await;
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    send(&mut w, "159D");
    w.until("four digits at Ben's", |w| w.ben.ear.digits() == "159D").await;
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    assert_eq!(w.digits(FIRST), [], "no event goes where none is taken");
    w.end().await;
}

#[tokio::test]
async fn digits_outlive_losses_and_no_number_stands_for_two_packets() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    (w.lossy, w.loses_first_of_digit) = (Some(7), true);
    w.connect(FIRST).await;
    w.open(FIRST, false);
    w.until("Ana's voice", |w| w.voices(ANA) > 100).await;
    send(&mut w, "0123456789*#");
    w.until("all digits at Ben's", |w| w.ben.ear.digits() == "0123456789*#").await;
    assert_eq!(w.repeats(FIRST).1, 0);
    w.end().await;
}

#[tokio::test]
async fn a_call_that_is_held_or_loses_its_path_sends_what_waits_no_more() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    send(&mut w, &"50".repeat(30));
    w.until("the first digits", |w| w.ben.ear.digits().len() > 3).await;
    w.ana.order(FIRST, MediaOrder::SetHeld(true));
    w.until("silence", |w| w.ben.ear.is_silent()).await;
    w.ana.order(FIRST, MediaOrder::SetHeld(false));
    w.ben.ear.start_over();
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    send(&mut w, &"72".repeat(30));
    w.until("the first digits", |w| w.ben.ear.digits().len() > 3).await;
    w.ana.order(FIRST, MediaOrder::Pause);
    w.cut(FIRST);
    w.until("silence", |w| w.ben.ear.is_silent()).await;
    w.connect(SECOND).await;
    w.open(SECOND, false);
    w.ben.ear.start_over();
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    w.pass(Duration::from_millis(300)).await;
    assert_eq!(w.ben.ear.digits(), "");
    w.end().await;
}
