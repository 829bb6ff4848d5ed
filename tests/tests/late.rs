//! What does a word meet that comes too late?
//!
//! Lives here: ended calls and what they still answer; a ring that is taken back after its answer.
//! Must not: use real time, sockets or sound.

use ahoy_call::{
    CallId, CancelReason, Command, DeclineReason, EndReason, Event, Message, Others, Refusal, Scope, State,
};
use ahoy_tests::world::{SECOND, World, device};

type Answered = Result<(), Refusal>;

/// What `bob` or `ada` gets for answering, declining and hanging up this call now.
fn late(w: &mut World, who: &str, call: CallId) -> [Answered; 3] {
    let (who, reason, scope, text) = (w.who(who), DeclineReason::Declined, Scope::ThisDevice, None);
    [
        w.command(who, Command::Answer { call, others: Others::Hold }),
        w.command(who, Command::Decline { call, reason, scope, text }),
        w.command(who, Command::HangUp { call, everyone: false }),
    ]
}

/// Ada's call rings at Bob.
fn ringing(w: &mut World) -> CallId {
    w.pass(SECOND);
    w.ring("ada", "bob")
}

const HANDLED: Answered = Err(Refusal::AlreadyHandled);
const STATE: Answered = Err(Refusal::InvalidState);

#[test]
fn a_verb_that_was_done_is_success_and_its_contrary_is_refused() {
    let mut w = World::new(7, &["ada", "bob"]);
    // The others of Bob's clients do not know yet that one of them was faster.
    let declined = ringing(&mut w);
    w.decline("bob").unwrap();
    assert_eq!(late(&mut w, "bob", declined), [HANDLED, Ok(()), Ok(())], "declined");
    let answered = ringing(&mut w);
    w.pick_up("bob");
    w.put_down("ada");
    assert_eq!(late(&mut w, "bob", answered), [Ok(()), HANDLED, Ok(())], "answered, and ended there");
    let over = ringing(&mut w);
    w.answer("bob").unwrap();
    w.hang_up("bob").unwrap();
    assert_eq!(late(&mut w, "bob", over), [HANDLED, Ok(()), Ok(())], "answered, and hung up");
    w.pass(SECOND);
    let missed = ringing(&mut w);
    w.put_down("ada");
    assert_eq!(late(&mut w, "bob", missed), [HANDLED, Ok(()), Ok(())], "taken back");
    // What was done to one says nothing about another.
    assert_eq!(late(&mut w, "bob", answered), [Ok(()), HANDLED, Ok(())]);
}

#[test]
fn nobody_answers_a_call_that_they_made() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = ringing(&mut w);
    assert_eq!(late(&mut w, "ada", call)[..2], [STATE, STATE]);
    w.pass(SECOND);
    assert_eq!(w.end("ada").0, EndReason::Canceled, "hanging up it is another matter");
    assert_eq!(late(&mut w, "ada", call), [STATE, STATE, Ok(())]);
}

#[test]
fn a_call_that_was_blocked_away_was_hung_up() {
    let mut w = World::new(7, &["ada", "bob", "eve"]);
    let other = w.talk("eve", "bob");
    w.put_down("eve");
    let call = ringing(&mut w);
    w.pick_up("bob");
    w.block("bob", "ada").unwrap();
    assert_eq!(late(&mut w, "bob", call), [HANDLED, Ok(()), Ok(())]);
    assert_eq!(late(&mut w, "bob", other), [Ok(()), HANDLED, Ok(())]);
}

#[test]
fn a_ring_is_taken_back_by_its_caller_alone_and_not_after_they_have_spoken_in_the_call() {
    let canceled = Message::Cancel { reason: CancelReason::Canceled };
    let flags = Message::State { serial: 1, muted: false, held: false, camera: false, listening: false };
    for heard in [false, true] {
        let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
        let call = ringing(&mut w);
        w.pick_up("bob");
        for leg in [device(1), device(2)] {
            w.event(0, Event::Received { call, leg, message: canceled.clone() });
            assert_eq!(w.state("ada"), Some(State::Active), "who is called cannot take it back");
        }
        if heard {
            w.event(1, Event::Received { call, leg: device(0), message: flags.clone() });
        }
        w.event(1, Event::Received { call, leg: device(0), message: canceled.clone() });
        let stands = w.state("bob") == Some(State::Active);
        assert_eq!(stands, heard, "a caller that has spoken in the call knows that it was answered");
    }
}
