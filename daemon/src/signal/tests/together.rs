//! What is said of a group goes together.
//!
//! Lives here: how many envelopes that is, and that none of it is lost.
//! Must not: open a socket or read a clock.

use ahoy_call::{Opaque, RoomWord};

use super::*;

fn key(serial: u32) -> Message {
    Message::Room(RoomWord::Key { serial, key: Opaque(vec![7; 40]) })
}

fn hears(serial: u32) -> Message {
    Message::Room(RoomWord::Hears { serial, heard: true })
}

#[test]
fn what_is_said_of_a_group_within_a_moment_is_one_envelope() {
    let (mut ana, mut ben) = in_session();
    for (ms, message) in [(40, hears(1)), (60, key(2)), (65, hears(3))] {
        assert!(posts(&ben.send(ms, ana.leg(), message)).is_empty());
    }
    assert_eq!(ben.table.deadline(), Some(at(70).now));
    let said = posts(&ben.table.tick(at(70).now));
    assert_eq!(said.len(), 1);
    assert_eq!(events(&ana.take(80, &said[0])), [hears(1), key(2), hears(3)].map(|it| heard(&ben, it)));
    // What rings does not wait for it.
    assert!(posts(&ben.send(90, ana.leg(), key(4))).is_empty());
    assert_eq!(posts(&ben.send(91, ana.leg(), Message::Ringing)).len(), 1);
}

#[test]
fn what_waits_is_said_before_its_session_is_forgotten() {
    let (mut ana, mut ben) = in_session();
    assert!(posts(&ben.send(40, ana.leg(), key(1))).is_empty() && !ben.table.is_idle());
    let forget = SignalingOrder::Call { call: CALL, leg: ana.leg(), order: SignalOrder::Forget };
    let said = posts(&ben.table.order(at(41), forget));
    assert_eq!(events(&ana.take(50, &said[0])), [heard(&ben, key(1))]);
    assert!(said.len() == 1 && ben.table.is_idle());
}
