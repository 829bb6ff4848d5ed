//! Do descriptions and candidates reach the path that they are for?
//!
//! Lives here: one phone, what it says and hears of its path's generations, and what it orders of its media.
//! Must not: use real time, sockets or sound.

use ahoy_call::{
    CallId, Command, Epoch, Event, MediaFault, MediaOrder, MediaReport, Message, Opaque, Others, RingPolicy,
    Role, SdpKind, State, Tracks,
};
use ahoy_tests::talk::{HIGH, LOW, MINUTE, PEER, Talk, answerer, description, some};

#[test]
fn a_generation_of_theirs_is_answered_if_it_is_new_and_theirs_to_begin() {
    for (own, leg) in [(LOW, HIGH), (HIGH, LOW)] {
        let mut t = Talk::between(own, leg, CallId::from_bytes([7; 16]));
        let (ours, theirs) = (t.our_next(), t.their_next(t.epoch));
        t.offered(ours, "not theirs to begin");
        t.offered(Epoch(t.epoch.0), "the one that stands");
        assert_eq!(t.ordered(), [], "{own:?}");
        t.offered(theirs, "new");
        t.offered(theirs, "new, again");
        assert_eq!(t.ordered(), [(theirs, answerer("new"))]);
        let later = t.their_next(theirs);
        t.offered(later, "newer");
        t.offered(theirs, "late");
        assert_eq!(t.ordered()[1..], [(later, answerer("newer")), (theirs, MediaOrder::Close)]);
        t.reported(later, MediaReport::Up);
        assert_eq!(t.state(), Some(State::Active));
        assert_eq!(t.begun(), []);
    }
}

#[test]
fn an_answer_counts_for_an_offer_of_ours_and_only_for_the_newest() {
    let mut t = Talk::running();
    let first = t.epoch;
    t.reported(t.epoch, MediaReport::Lost);
    let second = t.epoch;
    t.forget();
    let answer = |text| description(SdpKind::Answer, text);
    t.said(Message::Description { epoch: first, description: answer("late") });
    assert_eq!(t.ordered(), []);
    t.said(Message::Description { epoch: second, description: answer("yes") });
    assert_eq!(t.ordered(), [(second, MediaOrder::Remote(answer("yes")))]);
    let theirs = t.their_next(t.epoch);
    t.offered(theirs, "theirs");
    t.forget();
    t.said(Message::Description { epoch: theirs, description: answer("to their own") });
    assert_eq!(t.ordered(), []);
}

#[test]
fn descriptions_and_candidates_of_ours_are_sent_for_the_newest_generation_alone() {
    let mut t = Talk::running();
    let old = t.epoch;
    t.reported(t.epoch, MediaReport::Lost);
    let new = t.epoch;
    t.forget();
    let offer = description(SdpKind::Offer, "ours");
    t.reported(old, MediaReport::Described(offer.clone()));
    t.reported(old, MediaReport::Candidates { list: some(3), complete: true });
    assert_eq!(t.sent(), []);
    t.reported(new, MediaReport::Described(offer.clone()));
    assert_eq!(t.sent(), [Message::Description { epoch: new, description: offer }]);
}

/// How many candidates a message has, and whether it says that no more will follow.
type Part = (usize, bool);

#[test]
fn many_candidates_go_in_messages_of_32_and_only_the_last_one_says_that_it_is() {
    let cases: [(u8, bool, &[Part]); 7] = [
        (0, false, &[]),
        (0, true, &[(0, true)]),
        (1, false, &[(1, false)]),
        (32, true, &[(32, true)]),
        (33, true, &[(32, false), (1, true)]),
        (64, true, &[(32, false), (32, true)]),
        (70, false, &[(32, false), (32, false), (6, false)]),
    ];
    for (many, complete, told) in cases {
        let mut t = Talk::running();
        t.forget();
        t.reported(t.epoch, MediaReport::Candidates { list: some(many), complete });
        let mut all = Vec::new();
        let mut parts = Vec::new();
        for message in t.sent() {
            let Message::Candidates { list, complete, .. } = message else { panic!("{message:?}") };
            all.extend(list.clone());
            parts.push((list.len(), complete));
        }
        assert_eq!(parts, told, "{many}, complete: {complete}");
        assert_eq!(all, some(many), "none is left out, none comes twice");
    }
}

#[test]
fn candidates_that_come_before_their_generation_are_given_to_it_and_to_no_other() {
    let mut t = Talk::running();
    let theirs = t.their_next(t.epoch);
    let later = t.their_next(theirs);
    t.candidates(theirs, some(2), false);
    t.candidates(later, some(5), true);
    assert_eq!(t.ordered(), []);
    t.offered(theirs, "first");
    let list = MediaOrder::Candidates { list: some(2), complete: false };
    assert_eq!(t.ordered(), [(theirs, answerer("first")), (theirs, list)]);
    t.forget();
    t.offered(later, "second");
    let list = MediaOrder::Candidates { list: some(5), complete: true };
    let told = [(later, answerer("second")), (theirs, MediaOrder::Close), (later, list)];
    assert_eq!(t.ordered(), told);
    t.forget();
    t.candidates(later, some(1), false);
    let list = MediaOrder::Candidates { list: some(1), complete: false };
    assert_eq!(t.ordered(), [(later, list)], "from then on they go straight on");
    // Nothing came early for the next one, or only that there is nothing.
    let next = t.their_next(later);
    t.forget();
    t.offered(next, "third");
    assert_eq!(t.ordered(), [(next, answerer("third")), (later, MediaOrder::Close)]);
    let last = t.their_next(next);
    t.candidates(last, Vec::new(), true);
    t.forget();
    t.offered(last, "fourth");
    assert_eq!(t.ordered().pop(), Some((last, MediaOrder::Candidates { list: Vec::new(), complete: true })));
}

#[test]
fn of_candidates_that_come_too_early_the_newest_64_are_kept() {
    let mut t = Talk::running();
    let (old, theirs) = (t.epoch, t.their_next(t.epoch));
    t.candidates(theirs, some(60), false);
    t.candidates(theirs, (60..67).map(|number| Opaque(vec![number])).collect(), false);
    t.reported(t.epoch, MediaReport::Lost);
    t.forget();
    t.candidates(old, some(50), false);
    assert_eq!(t.ordered(), [], "what is over is not kept");
    // Our own try was the newer one: theirs begins anew after it.
    let theirs = t.their_next(t.epoch);
    t.candidates(theirs, some(64), false);
    t.offered(theirs, "at last");
    let Some((_, MediaOrder::Candidates { list, .. })) = t.ordered().pop() else {
        panic!("{:?}", t.ordered())
    };
    assert_eq!(list, some(64));

    let mut t = Talk::running();
    let theirs = t.their_next(t.epoch);
    t.candidates(theirs, some(67), false);
    t.offered(theirs, "at last");
    let Some((_, MediaOrder::Candidates { list, .. })) = t.ordered().pop() else {
        panic!("{:?}", t.ordered())
    };
    assert_eq!(list, some(67)[3..]);
}

/// A call of theirs rings here, and nothing of ours may leave before the answer.
fn rings_without_leave() -> Talk {
    let mut t = Talk::idle(LOW, HIGH, CallId::from_bytes([7; 16]));
    let (call, leg, policy) = (t.call, t.leg, RingPolicy::Normal);
    t.event(Event::Rung {
        call,
        leg,
        peer: PEER,
        lifetime: MINUTE,
        preconnect: false,
        callee_offers: false,
        policy,
    });
    t.said(Message::Offer { remaining: MINUTE, text: None });
    assert_eq!(t.state(), Some(State::Incoming));
    t
}

/// What of ours was told of a path.
fn told(t: &Talk) -> Vec<Message> {
    let of_a_path = |it: &Message| matches!(it, Message::Description { .. } | Message::Candidates { .. });
    t.sent().into_iter().filter(of_a_path).collect()
}

#[test]
fn an_offer_that_may_not_be_answered_yet_is_answered_in_silence_and_all_of_it_goes_with_the_answer() {
    let first = Epoch::first(HIGH, LOW);
    let second = first.next(HIGH, LOW).unwrap();
    let early = |text| MediaOrder::Prepare(Role::Early(description(SdpKind::Offer, text)));
    for order in [[(first, "first"), (second, "second")], [(second, "second"), (first, "first")]] {
        let mut t = rings_without_leave();
        for (epoch, text) in order {
            t.offered(epoch, text);
        }
        t.offered(second, "the same generation once more");
        let newest = (second, early("second"));
        let gathering = match order[0].0 == first {
            true => vec![(first, early("first")), newest, (first, MediaOrder::Close)],
            false => vec![newest],
        };
        assert_eq!(t.ordered(), gathering);
        t.candidates(second, some(1), true);
        let answer = description(SdpKind::Answer, "ours");
        t.reported(second, MediaReport::Described(answer.clone()));
        t.reported(second, MediaReport::Candidates { list: some(40), complete: true });
        assert_eq!((t.ordered(), told(&t)), (gathering, Vec::new()), "nothing of ours leaves");
        t.forget();
        t.command(Command::Answer { call: t.call, others: Others::Hold }).unwrap();
        let list = MediaOrder::Candidates { list: some(1), complete: true };
        assert_eq!(t.ordered(), [(second, list), (second, open())], "theirs are tried");
        let ours = |from: usize, to: usize, complete| Message::Candidates {
            epoch: second,
            list: some(40)[from..to].to_vec(),
            complete,
        };
        let description = Message::Description { epoch: second, description: answer };
        assert_eq!(told(&t), [description, ours(0, 32, false), ours(32, 40, true)]);
        let late = MediaReport::Candidates { list: some(1), complete: false };
        t.reported(second, late);
        assert_eq!(told(&t).len(), 4, "from now on at once");
    }
}

#[test]
fn what_was_gathered_while_it_rang_is_gathered_anew_on_another_network_and_made_later_if_it_fails() {
    let epoch = Epoch::first(HIGH, LOW);
    let offer = description(SdpKind::Offer, "theirs");
    let early = (epoch, MediaOrder::Prepare(Role::Early(offer.clone())));
    let mut t = rings_without_leave();
    t.offered(epoch, "theirs");
    t.reported(epoch, MediaReport::Described(description(SdpKind::Answer, "of the old network")));
    t.forget();
    t.event(Event::NetworkChanged);
    assert_eq!(t.ordered(), [(epoch, MediaOrder::Close), early]);
    for fault in [MediaReport::Lost, MediaReport::Stuck, MediaReport::Failed(MediaFault::NoTurn)] {
        let mut t = t.clone();
        t.forget();
        t.reported(epoch, fault);
        assert_eq!((t.ordered(), t.state()), (vec![(epoch, MediaOrder::Close)], Some(State::Incoming)));
        t.forget();
        t.command(Command::Answer { call: t.call, others: Others::Hold }).unwrap();
        assert_eq!(
            t.ordered(),
            [(epoch, MediaOrder::Prepare(Role::Answerer(offer.clone()))), (epoch, open())]
        );
        assert_eq!(told(&t), [], "of the old network nothing is told");
    }
    // A network that flaps does not gather without end.
    t.forget();
    (0..9).for_each(|_| t.event(Event::NetworkChanged));
    assert_eq!(t.ordered().len(), 2);
    t.event(Event::Stopping);
    assert_eq!(t.ordered().last(), Some(&(epoch, MediaOrder::Close)), "nothing stays open");
}

fn open() -> MediaOrder {
    MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false }
}
