//! What one contact's flood costs: little, and the others and our own calls nothing.
//!
//! Lives here: floods in virtual time, with somebody honest beside them.
//! Must not: open a socket or read a clock.

use ahoy_call::{CallId, EndReason};

use super::*;
use crate::values::budget;

/// A minute, in steps of half a second: four handshakes a second, and as much besides.
const STEPS: u64 = 120;
const STEP_MS: u64 = 500;

fn call(n: u64) -> CallId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    CallId::from_bytes(id)
}

impl Phone {
    fn ring_as(&mut self, ms: u64, call: CallId, to: &Phone) -> Envelope {
        let order = SignalOrder::Ring { peer: to.peer(), lifetime: Duration::from_secs(60) };
        posts(&self.table.order(at(ms), SignalingOrder::Call { call, leg: to.leg(), order })).remove(0)
    }

    fn say(&mut self, ms: u64, call: CallId, to: &Phone, message: Message) -> Vec<Out> {
        self.table
            .order(at(ms), SignalingOrder::Call { call, leg: to.leg(), order: SignalOrder::Send(message) })
    }

    fn forget(&mut self, ms: u64, call: CallId, to: &Phone) {
        self.table.order(at(ms), SignalingOrder::Call { call, leg: to.leg(), order: SignalOrder::Forget });
    }
}

/// Ben, and three who hold each other's cards with him.
fn four() -> (Phone, Phone, Phone, Phone) {
    let (mut ben, mut eve, mut ana, mut cleo) = (Phone::new(2), Phone::new(3), Phone::new(1), Phone::new(4));
    for (n, other) in [(31, &mut eve), (32, &mut ana), (33, &mut cleo)] {
        let (theirs, ours) = (other.card(n), ben.card(n + 10));
        other.add(ours);
        ben.add(theirs);
        let of = ben.tokens.len() - 1;
        ben.tokens[of].bound = Some(other.peer());
    }
    ben.tell();
    (ben, eve, ana, cleo)
}

#[test]
fn copies_of_message_1_are_answered_sixteen_times_and_no_faster_than_every_400_ms() {
    let (mut ana, mut ben) = friends();
    let message_1 = shake_hands(&mut ana, &mut ben);
    let mut times = vec![20];
    for n in 1..=20_000 {
        if !posts(&ben.take(n, &message_1)).is_empty() {
            times.push(n);
        }
    }
    assert_eq!(times.len(), 16, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 400), "{times:?}");
}

#[test]
fn one_contacts_flood_costs_the_others_and_our_own_calls_nothing() {
    let (mut ben, mut eve, mut ana, mut cleo) = four();
    let dir = tempfile::tempdir().unwrap();
    ben.table = Sessions::new(Replay::open(dir.path()));
    ben.tell();
    let disk = || std::fs::metadata(dir.path().join("replay.log")).map_or(0, |it| it.len());

    // Eve has a session with Ben, so that she can make him acknowledge.
    let session = call(1_000_000);
    let first = eve.ring_as(0, session, &ben);
    ben.take(0, &first);
    let message_2 = posts(&ben.say(0, session, &eve, Message::Ready { offers: false })).remove(0);
    eve.take(0, &message_2);

    let (mut for_eve, mut rung_by_eve, mut noted) = (0, 0, 0_usize);
    let (mut heard_ana, mut answered_ana, mut own) = (0, 0, 0);
    for step in 1..=STEPS {
        let ms = step * STEP_MS;
        // A new ring, a note, a copy of an old ring, and a packet that asks for its acknowledgement.
        let ring = eve.ring_as(ms, call(step), &ben);
        let order = SignalOrder::Missed { peer: ben.peer() };
        let out = eve
            .table
            .order(at(ms), SignalingOrder::Call { call: call(step + 500_000), leg: ben.leg(), order });
        let note = posts(&out).remove(0);
        eve.table.accepted(RELAY, note.id);
        let serial = u32::try_from(step).unwrap();
        let state = Message::State { serial, muted: true, held: false, camera: false, listening: false };
        let mut flood = vec![ring, note, first.clone()];
        flood.extend(posts(&eve.say(ms, session, &ben, state)));
        for envelope in &flood {
            let out = ben.take(ms, envelope);
            for event in events(&out) {
                noted += usize::from(matches!(event, Event::MissedNote { .. }));
                // The worst case: each of them is let in.
                if let Event::Rung { call, .. } = event {
                    rung_by_eve += 1;
                    for_eve += posts(&ben.say(ms, call, &eve, Message::Ready { offers: false })).len();
                    ben.forget(ms, call, &eve);
                }
            }
            for answer in posts(&out) {
                for_eve += 1;
                if answer.body.bytes()[17] == 3 {
                    eve.take(ms, &answer);
                }
            }
        }
        eve.forget(ms, call(step), &ben);
        for_eve += posts(&ben.table.tick(at(ms).now)).len();

        // Ana calls once in ten seconds, and Ben calls Cleo in between.
        if step % 20 == 4 {
            let ring = ana.ring_as(ms, call(step + 2_000_000), &ben);
            heard_ana += events(&ben.take(ms, &ring)).len();
            let message_2 =
                posts(&ben.say(ms, call(step + 2_000_000), &ana, Message::Ready { offers: false }));
            answered_ana += message_2.iter().map(|it| events(&ana.take(ms, it)).len()).sum::<usize>();
            let end = Message::End { reason: EndReason::Completed };
            assert_eq!(posts(&ben.say(ms, call(step + 2_000_000), &ana, end)).len(), 1);
            ben.forget(ms, call(step + 2_000_000), &ana);
            let ring = ben.ring_as(ms, call(step + 3_000_000), &cleo);
            own += events(&cleo.take(ms, &ring)).len();
            cleo.forget(ms, call(step + 3_000_000), &ben);
            ben.forget(ms, call(step + 3_000_000), &cleo);
        }
        ben.table.marks().save();
    }
    assert_eq!((heard_ana, answered_ana, own), (6, 6, 6), "Ana was heard, and Cleo rang");
    let handshakes = usize::try_from(budget::HANDSHAKES.burst + budget::HANDSHAKES.minute).unwrap();
    assert!((10..=handshakes).contains(&rung_by_eve), "{rung_by_eve} rings of hers were opened");
    assert!(noted <= 65, "{noted} rows");
    let sends = usize::try_from(budget::SENDS.burst + budget::SENDS.minute).unwrap();
    assert!((10..=sends).contains(&for_eve), "{for_eve} envelopes for her sake");
    let marks = u64::try_from(handshakes).unwrap() * 3 * 32;
    assert!(disk() <= marks + 6 * 3 * 32, "{} bytes on the disk", disk());
}

#[test]
fn a_ring_that_the_door_keeps_away_costs_the_disk_nothing_and_is_asked_about_once() {
    let (mut ana, mut ben) = friends();
    let dir = tempfile::tempdir().unwrap();
    ben.table = Sessions::new(Replay::open(dir.path()));
    ben.tokens[0].bound = Some(ana.peer());
    ben.tell();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    assert_eq!(events(&ben.take(10, &message_1)).len(), 1);
    ben.forget(10, CALL, &ana);
    ben.drops(Cause::Replayed, |ben| ben.take(500, &message_1));
    ben.table.marks().save();
    assert!(!dir.path().join("replay.log").exists());
}

#[test]
fn rings_of_one_contact_that_wait_for_the_rules_leave_room_for_others() {
    let (mut ben, mut eve, mut ana, _) = four();
    for n in 0..budget::UNANSWERED {
        let ring = eve.ring_as(0, call(u64::try_from(n).unwrap()), &ben);
        assert_eq!(events(&ben.take(0, &ring)).len(), 1);
    }
    let ring = eve.ring_as(0, call(100), &ben);
    ben.drops(Cause::TooMany, |ben| ben.take(0, &ring));
    let ring = ana.ring_as(0, call(200), &ben);
    assert_eq!(events(&ben.take(0, &ring)).len(), 1);
}

#[test]
fn a_mailbox_full_of_notes_is_read_at_once_and_a_flood_of_them_is_not() {
    let (mut ana, mut ben) = friends();
    let mut told = 0;
    for n in 0..200 {
        let order = SignalOrder::Missed { peer: ben.peer() };
        let out = ana.table.order(at(n), SignalingOrder::Call { call: call(n), leg: ben.leg(), order });
        let note = posts(&out).remove(0);
        ana.table.accepted(RELAY, note.id);
        told += events(&ben.take(n, &note)).len();
    }
    assert_eq!(told, 64);
}
