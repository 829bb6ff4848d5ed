//! People who ask to be contacts, and cards of ours that go to contacts.
//!
//! Lives here: tests of requests and of what a person's answer makes of them.
//! Must not: know how a card travels.

use super::*;

#[test]
fn who_asks_is_kept_over_a_restart_and_accepting_makes_a_contact_who_has_our_card() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let given = contacts.given("Ben at work");
    assert!(contacts.ask(&given, &ben.card(1), 7));
    drop(contacts);
    let mut contacts = ana.contacts();
    let [(row, token)] = &contacts.requests()[..] else { panic!("it is kept") };
    assert_eq!((row.id.as_str(), row.name.as_str(), row.asked_at), (ben.id().as_str(), "Ben", 7));
    assert_eq!((row.address.as_str(), row.safety_number.len()), (ben.own.address().as_str(), 71));
    assert_eq!(Contacts::given_to(&ana.dir.path().join("contacts"), *token), "Ben at work");
    assert!(contacts.is_empty(), "nobody is a contact by asking");
    assert_eq!(contacts.unused_cards().len(), 1, "and the card belongs to nobody yet");

    assert_eq!(contacts.accept("ben"), Ok(ben.own.peer_id()));
    for _restart in 0..2 {
        let row = contacts.get(ben.own.peer_id()).unwrap();
        assert!(row.mutual && row.added_at == 9, "{row:?}");
        assert!(contacts.requests().is_empty() && contacts.unused_cards().is_empty());
        let bound = contacts.roster().token(token_of(&given)).unwrap().bound;
        assert_eq!(bound, Some(ben.own.peer_id()), "the card is theirs");
        assert_eq!(contacts.lacking(), [ben.own.peer_id()], "and they are sent ours");
        drop(contacts);
        contacts = ana.contacts();
    }
    assert_eq!(kind(contacts.accept("ben")), DeniedKind::NoSuchRecord, "it is answered");
}

#[test]
fn to_dismiss_takes_the_card_back_and_who_never_asked_can_be_neither_accepted_nor_dismissed() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let given = contacts.given("");
    assert!(contacts.ask(&given, &ben.card(1), 7));
    assert_eq!(contacts.dismiss(&ben.id()), Ok(ben.own.peer_id()));
    assert!(contacts.asking().is_empty() && contacts.is_empty());
    assert_eq!(contacts.roster().token(token_of(&given)), None, "what they send is not even carried");
    assert!(!contacts.ask(&given, &ben.card(1), 8), "what was on its way is heard no more");
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.asking().is_empty());
    for who in ["ben", "", &ben.id(), &ana.id()] {
        assert_eq!(kind(contacts.accept(who)), DeniedKind::NoSuchRecord, "{who}");
        assert_eq!(kind(contacts.dismiss(who)), DeniedKind::NoSuchRecord, "{who}");
    }
}

#[test]
fn one_person_asks_once_with_the_newest_card_and_an_older_one_is_not_heard() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let [given, other] = ["", ""].map(|name| contacts.given(name));
    let old = ben.card(1);
    assert!(contacts.ask(&given, &old, 1) && !contacts.ask(&given, &old, 2));
    assert_eq!(contacts.requests()[0].0.asked_at, 1, "the same once more is no news");
    assert!(
        !contacts.ask(&other, &ben.renamed("Benjamin"), 3),
        "another card of theirs is not another person"
    );
    assert_eq!(contacts.asking(), ["Benjamin"]);
    contacts.ask(&given, &old, 4);
    assert_eq!(contacts.asking(), ["Benjamin"], "never an older one");
    contacts.accept("Benj").unwrap();
    let known = contacts.card(ben.own.peer_id()).unwrap();
    assert_eq!(known.name, "Benjamin");
}

#[test]
fn requests_are_bounded_by_card_and_in_all_and_nobody_asks_with_a_card_that_is_anothers() {
    let ana = somebody("Ana");
    let mut contacts = ana.contacts();
    let leaked = contacts.given("");
    let crowd: Vec<Somebody> = (0..40).map(|n| somebody(&format!("Somebody {n}"))).collect();
    let heard = crowd.iter().filter(|one| contacts.ask(&leaked, &one.card(1), 1)).count();
    assert_eq!(heard, 2, "one card that went through many hands");
    let heard = crowd.iter().filter(|one| {
        let given = contacts.given("");
        contacts.ask(&given, &one.card(1), 2)
    });
    assert_eq!(heard.count(), 30, "with those two: as many as a person can look at");
    let all = contacts.asking().len();
    assert_eq!(all, 32);

    let first = contacts.requests()[0].0.id.clone();
    contacts.dismiss(&first).unwrap();
    let theirs = contacts.given("");
    let friend = somebody("Friend");
    contacts.add(&friend.card(1), 1).unwrap();
    assert!(contacts.bind(token_of(&theirs), friend.own.peer_id()));
    assert!(!contacts.ask(&theirs, &crowd[39].card(1), 3), "it is the friend's");
    assert!(!contacts.ask(&theirs, &friend.card(1), 3), "who is a contact");
    let never = Card::parse(&friend.card(7)).unwrap();
    assert!(!contacts.ask(&never, &crowd[39].card(1), 3), "never given out by us");
}

#[test]
fn a_name_that_looks_like_a_friend_s_is_told_and_a_card_taken_back_takes_its_request_along() {
    let (ana, ben, eve) = (somebody("Ana"), somebody("Ben"), somebody("B\u{435}n"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    let given = contacts.given("");
    assert!(contacts.ask(&given, &eve.card(1), 2));
    assert_eq!(contacts.requests()[0].0.twins, [ben.id()]);
    contacts.revoke(&format::hex(token_of(&given))).unwrap();
    assert!(contacts.asking().is_empty());
    let given = contacts.given("");
    assert!(contacts.ask(&given, &eve.card(1), 2));
    let later = contacts.expire(40 * 86_400 * 1_000_000);
    contacts.make(Ok(((), later))).unwrap();
    assert!(contacts.asking().is_empty(), "after thirty days both go");
}

#[test]
fn whose_card_is_added_by_hand_while_they_ask_is_accepted_by_that() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let given = contacts.given("");
    assert!(contacts.ask(&given, &ben.card(1), 2));
    contacts.add(&ben.card(2), 3).unwrap();
    assert!(contacts.asking().is_empty() && contacts.get(ben.own.peer_id()).unwrap().mutual);
    assert_eq!(contacts.roster().token(token_of(&given)).unwrap().bound, Some(ben.own.peer_id()));
}

#[test]
fn a_contact_s_card_of_ours_has_always_the_same_token_which_is_nobody_else_s_and_goes_with_a_block() {
    let (ana, ben, mut contacts, peer) = acquainted();
    let eve = somebody("Eve");
    contacts.add(&eve.card(1), 1).unwrap();
    let first = contacts.card_for(peer).unwrap();
    assert_eq!((first.peer_id(), contacts.card_for(peer)), (ana.own.peer_id(), Some(first.clone())));
    assert_ne!(first.token, contacts.card_for(eve.own.peer_id()).unwrap().token);
    for _restart in 0..2 {
        assert_eq!(contacts.roster().token(token_of(&first)).unwrap().bound, Some(ben.own.peer_id()));
        assert!(contacts.unused_cards().is_empty(), "it was given to nobody by hand");
        drop(contacts);
        contacts = ana.contacts();
    }
    assert_eq!(contacts.card_for(ana.own.peer_id()), None, "no contact");
    contacts.change(peer, &blocked(true)).unwrap();
    assert_eq!(contacts.card_for(peer), None, "who is blocked gets none");
    assert_eq!(contacts.roster().token(token_of(&first)), None);
}

#[test]
fn who_has_our_card_lacks_it_again_when_it_is_a_newer_one_and_that_is_known_after_a_restart() {
    let (ana, ben, mut contacts, peer) = acquainted();
    assert_eq!(contacts.lacking(), [peer]);
    contacts.set_told(peer, ana.own.revision);
    contacts.settle();
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.lacking().is_empty());
    // What a person decides does not undo what was noted.
    contacts.change(peer, &renamed("my Ben")).unwrap();
    contacts.add(&ben.renamed("B."), 2).unwrap();
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.lacking().is_empty());
    let newer = Own { revision: ana.own.revision + 1, ..Own::clone(&ana.own) };
    contacts.set_own(Arc::new(newer), Preconnect::Always);
    assert_eq!(contacts.lacking(), [peer]);
    contacts.change(peer, &blocked(true)).unwrap();
    assert!(contacts.lacking().is_empty(), "who is blocked is told nothing");
}
