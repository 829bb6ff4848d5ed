//! Who offers the first path, and what of it leaves before the caller has proved that it lives?
//!
//! Lives here: one phone that is called or calls, and what it says and orders of its first path.
//! Must not: use real time, sockets or sound.

use std::time::Duration;

use ahoy_call::{
    CallId, CancelReason, Command, Epoch, Event, LegId, MediaFault, MediaOrder, MediaReport, Message, PeerId,
    RingPolicy, Role, SdpKind, SignalOrder, State,
};
use ahoy_tests::talk::{HIGH, LOW, MINUTE, PEER, Talk, description, some};

/// They may call; nothing was said yet.
fn rung(t: &mut Talk, preconnect: bool, callee_offers: bool) {
    let (call, leg, policy) = (t.call, t.leg, RingPolicy::Normal);
    t.event(Event::Rung { call, leg, peer: PEER, lifetime: MINUTE, preconnect, callee_offers, policy });
}

/// So does somebody else.
fn another_rings(t: &mut Talk, number: u8) {
    let (call, leg, peer) =
        (CallId::from_bytes([number; 16]), LegId::from_bytes([number; 16]), PeerId::from_bytes([number; 16]));
    let (preconnect, callee_offers, policy) = (true, true, RingPolicy::Normal);
    t.event(Event::Rung { call, leg, peer, lifetime: MINUTE, preconnect, callee_offers, policy });
}

/// A caller that takes our offer has sent message 1, and our offer is ready with its first candidates.
fn knocking() -> (Talk, Epoch) {
    let mut t = Talk::idle(LOW, HIGH, CallId::from_bytes([7; 16]));
    rung(&mut t, true, true);
    let epoch = t.epoch;
    t.reported(epoch, MediaReport::Described(description(SdpKind::Offer, "ours")));
    t.reported(epoch, MediaReport::Candidates { list: some(3), complete: true });
    (t, epoch)
}

fn message_3() -> Message {
    Message::Offer { remaining: MINUTE, text: None }
}

fn ours(epoch: Epoch) -> Message {
    Message::Description { epoch, description: description(SdpKind::Offer, "ours") }
}

fn candidates(epoch: Epoch) -> Message {
    Message::Candidates { epoch, list: some(3), complete: true }
}

#[test]
fn our_offer_goes_behind_message_2_and_no_candidate_of_either_is_used_before_message_3() {
    let (mut t, epoch) = knocking();
    assert_eq!(t.sent(), [Message::Ready { offers: true }, ours(epoch)], "where we are stays unsaid");
    let answer = description(SdpKind::Answer, "theirs");
    t.said(Message::Description { epoch, description: answer.clone() });
    t.candidates(epoch, some(2), true);
    let remote = (epoch, MediaOrder::Remote(answer));
    assert_eq!(t.ordered()[1..], [remote], "a check would tell where we are");
    t.forget();
    t.said(message_3());
    assert_eq!(t.sent(), [candidates(epoch)]);
    assert_eq!(t.ordered(), [(epoch, MediaOrder::Candidates { list: some(2), complete: true })]);
    assert_eq!(t.state(), None, "it rings when the path is up");
    t.reported(epoch, MediaReport::Up);
    assert_eq!(t.state(), Some(State::Incoming));
}

#[test]
fn who_may_not_learn_where_we_are_or_makes_the_offer_itself_gets_none() {
    for (preconnect, callee_offers) in [(false, true), (true, false)] {
        let mut t = Talk::idle(LOW, HIGH, CallId::from_bytes([7; 16]));
        rung(&mut t, preconnect, callee_offers);
        assert_eq!(t.sent(), [Message::Ready { offers: false }]);
        assert_eq!(t.ordered(), []);
    }
}

#[test]
fn a_caller_that_never_proves_that_it_lives_leaves_no_path() {
    let (mut t, epoch) = knocking();
    t.pass(MINUTE);
    assert_eq!(t.ordered().last(), Some(&(epoch, MediaOrder::Close)));
    assert_eq!(t.media_ended, [t.call]);
    assert_eq!((t.phone.open_paths(), t.state()), (vec![], None));
    assert!(!t.sent().contains(&candidates(epoch)));
}

#[test]
fn knocks_and_rings_together_get_two_paths_and_one_that_goes_makes_room() {
    let (mut t, _) = knocking();
    t.forget();
    for number in [41, 42] {
        another_rings(&mut t, number);
    }
    let offers = |offers| Message::Ready { offers };
    assert_eq!(t.sent(), [offers(true), offers(false)]);
    t.said(message_3());
    assert_eq!(t.phone.open_paths().len(), 2, "the one that will ring had its path");
    t.said(Message::Cancel { reason: CancelReason::Canceled });
    t.forget();
    another_rings(&mut t, 43);
    assert_eq!(t.sent(), [offers(true)]);
}

#[test]
fn a_path_that_fails_before_message_3_is_begun_anew_and_the_phone_rings_all_the_same() {
    for gone in [false, true] {
        let (mut t, first) = knocking();
        t.forget();
        match gone {
            true => t.event(Event::MediaGone { call: t.call }),
            false => t.reported(first, MediaReport::Failed(MediaFault::Media)),
        }
        t.pass(Duration::from_millis(1_500));
        let second = t.epoch;
        assert!(second > first && t.begun().len() == 1, "{:?}", t.ordered());
        t.reported(second, MediaReport::Candidates { list: some(3), complete: true });
        t.forget();
        t.said(message_3());
        assert_eq!(t.sent(), [candidates(second)], "of the first one nothing is left");
        t.pass(Duration::from_secs(1));
        assert_eq!(t.state(), Some(State::Incoming));
    }
}

#[test]
fn another_network_before_message_3_begins_another_path() {
    let (mut t, first) = knocking();
    t.event(Event::NetworkChanged);
    let second = t.epoch;
    assert!(second > first);
    assert_eq!(t.closed().len(), 1);
    t.reported(second, MediaReport::Described(description(SdpKind::Offer, "ours")));
    t.forget();
    t.said(message_3());
    assert_eq!(t.sent(), [], "its own candidates have not come");
    t.reported(second, MediaReport::Candidates { list: some(3), complete: true });
    assert_eq!(t.sent(), [candidates(second)]);
}

#[test]
fn a_caller_leaves_the_offer_to_who_announces_one_and_makes_it_where_none_is() {
    for offers in [true, false] {
        let mut t = Talk::idle(LOW, HIGH, CallId::from_bytes([7; 16]));
        let (call, peer, devices, lifetime) = (t.call, PEER, vec![t.leg], MINUTE);
        let dial =
            Command::Dial { call, peer, devices, lifetime, note: None, hold_others: true, both_tell: false };
        t.command(dial).unwrap();
        t.said(Message::Ready { offers });
        let first = t.signals.iter().position(|(_, order)| *order == SignalOrder::Send(message_3()));
        assert!(first.is_some(), "message 3 goes at once: {:?}", t.signals);
        let begun: Vec<Epoch> = t.begun().into_iter().map(|(_, epoch)| epoch).collect();
        if offers {
            assert_eq!(begun, []);
            let theirs = Epoch::first(HIGH, LOW);
            t.offered(theirs, "theirs");
            let answers = Role::Answerer(description(SdpKind::Offer, "theirs"));
            assert_eq!(t.ordered(), [(theirs, MediaOrder::Prepare(answers))]);
        } else {
            assert_eq!(begun, [Epoch::first(LOW, HIGH)]);
        }
    }
}
