//! Two ends of a session, and what a bad network does between them.
//!
//! Lives here: the tests of `reliable.rs`.
//! Must not: seal or send anything.

use proptest::prelude::*;

use super::*;

const CLOSING: Manner = Manner { everywhere: true, epoch: None };

fn of(epoch: u16) -> Manner {
    Manner { everywhere: false, epoch: Some(epoch) }
}

fn at(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

fn pass(from: &mut Reliable, to: &mut Reliable, now: Moment) -> Vec<Vec<u8>> {
    let packets = from.due(now).unwrap();
    packets.iter().filter_map(|it| to.receive(&it.bytes).unwrap().map(<[u8]>::to_vec)).collect()
}

/// What came, with nothing else to say.
fn acknowledge(from: &mut Reliable, to: &mut Reliable, now: Moment) {
    assert_eq!(from.due(now), Ok(Vec::new()));
    assert!(pass(from, to, now + ACKNOWLEDGE_WITHIN).is_empty());
}

#[test]
fn the_last_word_acknowledges_what_came_and_only_that() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    assert_eq!(b.last_word(), None);
    a.send(b"bye".to_vec(), CLOSING).unwrap();
    assert_eq!(pass(&mut a, &mut b, at(0)), [b"bye"]);
    a.receive(&b.last_word().unwrap()).unwrap();
    assert!(a.is_idle());
}

#[test]
fn a_body_comes_once_and_its_acknowledgement_ends_the_repeats() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    a.send(b"one".to_vec(), Manner::default()).unwrap();
    assert_eq!(a.deadline(), Some(Moment::default()), "at once");
    assert_eq!(pass(&mut a, &mut b, at(0)), [b"one"]);
    assert_eq!(a.deadline(), Some(at(500)));
    assert_eq!(b.due(at(10)), Ok(Vec::new()), "more may follow");
    assert!(!b.is_idle());
    assert_eq!(b.deadline(), Some(at(160)));
    assert!(pass(&mut b, &mut a, at(160)).is_empty());
    assert!(a.is_idle() && b.is_idle());
    assert_eq!((a.deadline(), b.deadline()), (None, None));
}

#[test]
fn repeats_come_after_half_a_second_then_slower_until_it_gives_up() {
    let mut a = Reliable::default();
    a.send(b"one".to_vec(), Manner::default()).unwrap();
    let mut sent = Vec::new();
    let end = loop {
        let now = a.deadline().unwrap();
        match a.due(now) {
            Ok(packets) => sent.extend(packets.iter().map(|_| now.micros() / 1000)),
            Err(Undeliverable) => break now,
        }
    };
    assert_eq!(sent, [[0, 500, 1500, 3500].to_vec(), (7500..75_000).step_by(4000).collect()].concat());
    assert_eq!(end, at(75_000), "longer than the longest window of a call (60 s)");
}

#[test]
fn what_comes_again_and_again_is_not_acknowledged_each_time() {
    let (mut here, mut there) = (Reliable::default(), Reliable::default());
    here.send(b"one".to_vec(), Manner::default()).unwrap();
    let packet = here.due(at(0)).unwrap().remove(0).bytes;
    assert!(there.receive(&packet).unwrap().is_some());
    assert_eq!((there.due(at(0)).unwrap().len(), there.due(at(150)).unwrap().len()), (0, 1));
    let mut times = Vec::new();
    for ms in 151..=1_000 {
        assert_eq!(there.receive(&packet), Ok(None));
        times.extend(there.due(at(ms)).unwrap().iter().map(|_| ms));
    }
    assert_eq!(times, [550, 950]);
}

#[test]
fn a_hole_delays_nobody_and_is_filled_once() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    for body in [b"1", b"2", b"3"] {
        a.send(body.to_vec(), Manner::default()).unwrap();
    }
    let packets = a.due(at(0)).unwrap();
    assert_eq!(b.receive(&packets[2].bytes), Ok(Some(&b"3"[..])));
    assert_eq!(b.receive(&packets[2].bytes), Ok(None), "a double");
    assert_eq!(b.receive(&packets[0].bytes), Ok(Some(&b"1"[..])));
    assert!(pass(&mut b, &mut a, at(1)).is_empty());
    assert_eq!(pass(&mut a, &mut b, at(500)), [b"2"], "only the missing one is repeated");
}

#[test]
fn sixty_four_may_be_on_their_way_and_more_wait_for_their_turn() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    for n in 0..70 {
        a.send(vec![n], Manner::default()).unwrap();
    }
    let packets = a.due(at(0)).unwrap();
    assert_eq!(packets.len(), 64);
    assert_eq!(b.receive(&packets[63].bytes), Ok(Some(&[63][..])), "the last may come first");
    acknowledge(&mut b, &mut a, at(1));
    assert!(a.due(at(101)).unwrap().is_empty(), "the oldest still waits");
    b.receive(&packets[0].bytes).unwrap();
    acknowledge(&mut b, &mut a, at(102));
    assert_eq!(pass(&mut a, &mut b, at(202)), [[64]], "one more");
}

#[test]
fn without_an_end_that_takes_them_bodies_are_refused_but_closing_words_are_taken() {
    let mut a = Reliable::default();
    let mut taken = 0;
    while a.send(vec![1], Manner::default()).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, QUEUE);
    a.send(b"bye".to_vec(), CLOSING).unwrap();
    assert_eq!(a.due(at(0)).unwrap()[0].bytes[HEADER..], *b"bye", "and go first");
    let mut taken = 0;
    while a.send(b"bye".to_vec(), CLOSING).is_ok() {
        taken += 1;
    }
    assert!(taken < 2 * QUEUE, "they are no way around the bound");
}

#[test]
fn what_a_later_epoch_replaced_keeps_its_number_and_is_delivered_to_nobody() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    for n in 0..10 {
        a.send(vec![n], of(1)).unwrap();
    }
    a.due(at(0)).unwrap();
    a.supersede(2);
    a.send(b"new".to_vec(), of(2)).unwrap();
    a.send(b"state".to_vec(), Manner::default()).unwrap();
    assert_eq!(pass(&mut a, &mut b, at(500)), [&b"new"[..], b"state"]);
    acknowledge(&mut b, &mut a, at(501));
    assert!(a.is_idle(), "the empty ones were counted as well");
}

#[test]
fn an_end_that_is_silent_gets_a_few_probes_and_with_its_first_word_everything() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    let mut sent = 0;
    for n in 0..60 {
        a.send(vec![n], Manner::default()).unwrap();
    }
    while let Some(due) = a.deadline().filter(|due| *due < at(30_000)) {
        sent += a.due(due).unwrap().len();
    }
    assert!(sent < 300, "{sent} packets in half a minute of silence");
    b.send(b"back".to_vec(), Manner::default()).unwrap();
    assert_eq!(pass(&mut b, &mut a, at(30_000)), [b"back"]);
    assert_eq!(pass(&mut a, &mut b, at(30_001)).len(), 60);
}

#[test]
fn while_a_relay_has_no_room_closing_words_go_and_the_rest_trickles() {
    let mut a = Reliable::default();
    for n in 0..30 {
        a.send(vec![n], Manner::default()).unwrap();
    }
    a.due(at(0)).unwrap();
    a.slow_down(at(100));
    a.send(b"bye".to_vec(), CLOSING).unwrap();
    assert_eq!(a.due(at(100)).unwrap().len(), 1, "at once");
    let mut sent = Vec::new();
    while let Some(due) = a.deadline().filter(|due| *due < at(5_000)) {
        sent.extend(a.due(due).unwrap());
    }
    assert!(sent.len() <= 14, "{} packets in five seconds", sent.len());
    assert!(sent.iter().filter(|it| it.everywhere).count() >= 3, "the closing word is repeated as ever");
}

#[test]
fn what_was_given_up_goes_again_when_the_other_end_is_back() {
    let (mut a, mut b) = (Reliable::default(), Reliable::default());
    a.send(b"one".to_vec(), Manner::default()).unwrap();
    a.due(at(0)).unwrap();
    assert_eq!(a.due(at(80_000)), Err(Undeliverable));
    a.revive();
    assert_eq!(pass(&mut a, &mut b, at(80_001)), [b"one"]);
}

#[test]
fn what_breaks_the_protocol_is_refused_and_changes_nothing() {
    let mut a = Reliable::default();
    assert_eq!(a.receive(&[0; 15]), Err(PacketError::Malformed));
    assert_eq!(a.receive(&join(0, 0, 0, b"x")), Err(PacketError::Malformed));
    assert_eq!(a.receive(&join(0, 0, 65, b"x")), Err(PacketError::Ahead));
    assert_eq!(a.receive(&join(1, 0, 1, b"x")), Err(PacketError::NeverSent));
    assert_eq!(a.receive(&join(0, 1 << 63, 1, b"x")), Err(PacketError::NeverSent));
    assert_eq!(a.receive(&join(u32::MAX, u64::MAX, 1, b"x")), Err(PacketError::NeverSent));
    assert_eq!(a.deadline(), None);
}

#[test]
fn a_new_path_makes_what_waits_due() {
    let mut a = Reliable::default();
    a.send(vec![1], CLOSING).unwrap();
    assert!(a.due(at(0)).unwrap()[0].everywhere);
    assert!(a.due(at(1)).unwrap().is_empty());
    a.hurry();
    assert_eq!(a.due(at(2)).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn over_a_bad_network_all_comes_exactly_once(
        fates in proptest::collection::vec((0_u8..4, 0_usize..6), 0..200), count in 1_u8..60
    ) {
        let mut ends = [Reliable::default(), Reliable::default()];
        let mut got = [Vec::new(), Vec::new()];
        for n in 0..count {
            ends[0].send(vec![n], Manner::default()).unwrap();
            ends[1].send(vec![n], Manner::default()).unwrap();
        }
        let mut fates = fates.into_iter();
        let mut air: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut now = 0;
        while !(ends[0].is_idle() && ends[1].is_idle()) {
            prop_assert!(now < 44_000);
            for (from, end) in ends.iter_mut().enumerate() {
                for packet in end.due(at(now)).unwrap() {
                    let (fate, place) = fates.next().unwrap_or((1, 0));
                    for _ in 0..fate.min(2) {
                        air.insert(place.min(air.len()), (1 - from, packet.bytes.clone()));
                    }
                }
            }
            for (to, bytes) in air.drain(..) {
                if let Some(body) = ends[to].receive(&bytes).unwrap() {
                    got[to].push(body[0]);
                }
            }
            now += 100;
        }
        for mut bodies in got {
            bodies.sort_unstable();
            prop_assert_eq!(bodies, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_packet_is_read_or_refused(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        let mut a = Reliable::default();
        a.send(vec![1], Manner::default()).unwrap();
        for packet in packets {
            let _ = a.receive(&packet);
            prop_assert!(a.due(at(0)).is_ok());
        }
    }
}
