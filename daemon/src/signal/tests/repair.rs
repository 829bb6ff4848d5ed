//! What a session carries while one path after the other is tried and the other side is away.
//!
//! Lives here: the tests of what is superseded, given up, revived and slowed down.
//! Must not: open a socket or read a clock.

use ahoy_call::{CancelReason, Description, EndReason, Epoch, Event, Message, Opaque, SdpKind};

use super::rig::*;
use crate::signal::SignalingOrder;

const ENDED: Message = Message::End { reason: EndReason::Completed };

/// A path's description and its candidates, as many interfaces and servers give them: one after the other.
fn path(phone: &mut Phone, ms: u64, leg: ahoy_call::LegId, epoch: u16) -> Vec<Event> {
    let epoch = Epoch(epoch);
    let description = Description { kind: SdpKind::Offer, body: Opaque(vec![1]) };
    let mut seen = events(&phone.send(ms, leg, Message::Description { epoch, description }));
    for n in 0..24_u8 {
        let list = vec![Opaque(vec![n])];
        let one = Message::Candidates { epoch, list, complete: n == 23 };
        seen.extend(events(&phone.send(ms + u64::from(n) * 10, leg, one)));
    }
    seen
}

/// Feeds every deadline until then; what is sent is lost.
fn pass(phone: &mut Phone, until_ms: u64) -> (usize, Vec<Event>) {
    let (mut sent, mut seen) = (0, Vec::new());
    while let Some(due) = phone.table.deadline().filter(|due| *due <= at(until_ms).now) {
        let out = phone.table.tick(due.max(at(0).now));
        sent += posts(&out).len();
        seen.extend(events(&out));
    }
    (sent, seen)
}

#[test]
fn after_a_minute_of_repairs_that_nobody_heard_the_newest_path_and_the_hang_up_arrive() {
    let (mut ana, mut ben) = in_session();
    let mut seen = Vec::new();
    for n in 0..12_u16 {
        let ms = 100 + u64::from(n) * 5_000;
        seen.extend(path(&mut ana, ms, ben.leg(), 2 * n + 1));
        seen.extend(pass(&mut ana, ms + 4_900).1);
    }
    assert_eq!(seen, [], "nothing is given up while a call may still wait for its path");
    // They are back: of all that was tried only the last path means something.
    let state = Message::State { serial: 1, muted: true, held: false, camera: false, listening: false };
    let word = ben.send(60_100, ana.leg(), state);
    let heard_here = settle(60_100, &mut ana, &mut ben, word);
    let mut epochs = Vec::new();
    for event in heard_here {
        if let Event::Received {
            message: Message::Description { epoch, .. } | Message::Candidates { epoch, .. },
            ..
        } = event
        {
            epochs.push(epoch.0);
        }
    }
    assert!(epochs.len() > 1 && epochs.iter().all(|it| *it == 23), "{epochs:?}");
    let out = ana.send(60_200, ben.leg(), ENDED);
    assert!(settle(60_200, &mut ana, &mut ben, out).contains(&heard(&ana, ENDED)));
    assert_eq!((ana.table.dropped().total(), ben.table.dropped().total()), (0, 0));
}

#[test]
fn a_session_that_was_given_up_lives_again_with_the_first_word_of_the_other() {
    let (mut ana, mut ben) = in_session();
    ana.send(40, ben.leg(), offer());
    let gone = [Event::Undeliverable { call: CALL, leg: ben.leg() }];
    assert_eq!(pass(&mut ana, 200_000).1, gone);
    let word = ben.send(200_000, ana.leg(), Message::Ringing);
    let seen = settle(200_000, &mut ana, &mut ben, word);
    assert!(seen.contains(&heard(&ana, offer())), "what was given up arrives: {seen:?}");
    let cancel = Message::Cancel { reason: CancelReason::Canceled };
    let out = ana.send(200_100, ben.leg(), cancel.clone());
    assert!(settle(200_100, &mut ana, &mut ben, out).contains(&heard(&ana, cancel)));
}

#[test]
fn a_channel_that_opens_revives_a_session_that_was_given_up() {
    let (mut ana, ben) = in_session();
    ana.send(40, ben.leg(), offer());
    pass(&mut ana, 200_000);
    let out =
        ana.table.order(at(200_000), SignalingOrder::Channel { call: CALL, leg: ben.leg(), open: true });
    assert_eq!(frames(&out).len(), 1);
}

#[test]
fn a_relay_that_has_no_room_still_gets_the_hang_up() {
    let (mut ana, ben) = in_session();
    ana.table.slow_down(at(50).now, RELAY);
    path(&mut ana, 100, ben.leg(), 1);
    let (bulk, _) = pass(&mut ana, 3_000);
    assert!(bulk <= 10, "{bulk} envelopes in three seconds");
    let out = ana.send(3_001, ben.leg(), ENDED);
    assert_eq!(posts(&out).len(), 1, "at once, whatever waits");
}
