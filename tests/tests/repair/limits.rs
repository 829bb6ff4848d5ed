//! What bounds the mending of a path?
//!
//! Lives here: numbers that are used up, offers without end, moments of two ends that must differ.
//! Must not: use real time, sockets or sound.

use super::*;

#[test]
fn when_the_numbers_of_generations_are_used_up_nothing_is_mended_and_the_window_ends_the_call() {
    let mut t = Talk::running();
    // The other side begins its last one.
    let last = Epoch(u16::MAX);
    t.offered(last, "the last one");
    t.reported(last, MediaReport::Up);
    t.pass(5 * SECOND);
    t.forget();
    let broke = t.now;
    t.reported(last, MediaReport::Lost);
    t.event(Event::NetworkChanged);
    assert_eq!(t.begun(), []);
    assert_eq!(t.phone.deadline().unwrap().at, broke + MINUTE, "no try is due");
    t.pass(MINUTE);
    assert_eq!((t.reason(), t.begun()), (Some(EndReason::ConnectionLost), Vec::new()));
}

#[test]
fn the_two_ends_of_a_call_do_not_try_at_the_same_moments() {
    let calls = (0..=255).map(|byte| CallId::from_bytes([byte; 16]));
    let waits: Vec<(Duration, Duration)> =
        calls.map(|call| (wait(LOW, HIGH, call), wait(HIGH, LOW, call))).collect();
    assert!(waits.iter().all(|(a, b)| is_about(*a, SECOND) && is_about(*b, SECOND)));
    let together = waits.iter().filter(|(a, b)| a == b).count();
    assert!(together < 30, "{together} of 256 calls");
    let different: BTreeSet<Duration> = waits.iter().map(|(a, _)| *a).collect();
    assert!(different.len() > 35, "from four fifths to six fifths: {}", different.len());
    assert_eq!(different.first().zip(different.last()), Some((&(800 * MS), &(1_200 * MS))));
    for call in [0, 255].map(|byte| CallId::from_bytes([byte; 16])) {
        let devices = (0..=255).map(|byte| LegId::from_bytes([byte; 16])).filter(|own| *own != HIGH);
        let waits: BTreeSet<Duration> = devices.map(|own| wait(own, HIGH, call)).collect();
        assert!(waits.len() > 35, "whatever the call is, its devices differ: {}", waits.len());
    }
}

#[test]
fn of_a_flood_of_their_offers_eight_a_minute_are_answered_and_the_newest_of_the_others_when_its_time_comes() {
    let mut t = Talk::running();
    let begun = t.now;
    for _ in 0..2_000 {
        let next = t.their_next(t.offered);
        t.offered(next, &next.0.to_string());
        t.pass(MS);
    }
    let newest = t.offered;
    let prepared =
        |t: &Talk| t.orders.iter().filter(|(.., order)| matches!(order, MediaOrder::Prepare(_))).count();
    assert_eq!(prepared(&t), 8);
    t.pass(begun + MINUTE - t.now - MS);
    assert_eq!(prepared(&t), 8);
    t.pass(MS);
    assert_eq!((prepared(&t), t.epoch), (9, newest), "what they say is a state: the newest counts");
    t.reported(newest, MediaReport::Up);
    t.pass(MINUTE);
    assert_eq!(t.phone.open_paths().len(), 1);
    // One that is late does not bring an old one back, and the end of the call ends what waits.
    for _ in 0..20 {
        let next = t.their_next(t.offered);
        t.offered(next, "again");
    }
    t.command(Command::HangUp { call: t.call, everyone: false }).unwrap();
    t.forget();
    t.pass(5 * MINUTE);
    assert_eq!(t.ordered(), []);
}
