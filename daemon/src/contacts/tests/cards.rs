//! Cards that are given out: what binds one, and what ends it.
//!
//! Lives here: tests of their tokens.
//! Must not: know what else contacts hold.

use super::*;

#[test]
fn each_exported_card_has_a_token_of_its_own_that_binds_once_and_goes_with_its_contact() {
    let (ana, ben, eve) = (somebody("Ana"), somebody("Ben"), somebody("Eve"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    let [one, two] = ["for Ben", ""].map(|name| Card::parse(&contacts.export(name, 5).unwrap()).unwrap());
    assert_ne!(one.token, two.token);
    let hash = token_of(&one);
    assert!(contacts.bind(hash, ben.own.peer_id()));
    assert!(contacts.bind(hash, ben.own.peer_id()), "again is no harm");
    assert!(!contacts.bind(hash, eve.own.peer_id()), "it is Ben's alone");
    assert!(!contacts.bind([0; 16], ben.own.peer_id()), "never issued");
    drop(contacts);
    let mut contacts = ana.contacts();
    let bound = |contacts: &mut Now| contacts.roster().tokens().iter().filter(|t| t.bound.is_some()).count();
    assert_eq!((contacts.roster().tokens().len(), bound(&mut contacts)), (2, 1), "both survive a restart");
    contacts.remove(ben.own.peer_id()).unwrap();
    assert_eq!((contacts.roster().tokens().len(), bound(&mut contacts)), (1, 0), "Ben's is revoked");
    assert_eq!(kind(contacts.remove(ben.own.peer_id())), DeniedKind::NoSuchContact);
    drop(contacts);
    let mut contacts = ana.contacts();
    assert_eq!((contacts.len(), contacts.roster().tokens().len()), (0, 1));
}

#[test]
fn a_card_that_nobody_used_can_be_taken_back_and_ends_by_itself_after_thirty_days() {
    const DAY: i64 = 86_400 * 1_000_000;
    let (ana, _ben, mut contacts, peer) = acquainted();
    let hashes = [("Ben", 1), ("lost", 2), ("old", 3)].map(|(name, day)| {
        let card = Card::parse(&contacts.export(name, day * DAY).unwrap()).unwrap();
        token_of(&card)
    });
    assert!(contacts.bind(hashes[0], peer));
    let dir = ana.dir.path().join("contacts");
    let listed = |contacts: &Now| {
        let unused = contacts.unused_cards().into_iter();
        unused.map(|(hash, at)| (hash, at, Contacts::given_to(&dir, hash))).collect::<Vec<_>>()
    };
    let (lost, old) = ((hashes[1], 2 * DAY, "lost".to_owned()), (hashes[2], 3 * DAY, "old".to_owned()));
    assert_eq!(listed(&contacts), [lost.clone(), old.clone()], "one that is in use goes with its contact");
    contacts.settle();
    drop(contacts);
    let mut contacts = ana.contacts();
    assert_eq!(listed(&contacts), [lost, old.clone()], "known after a restart");
    for wrong in ["", "zz", &format::hex(hashes[0])] {
        assert_eq!(kind(contacts.revoke(wrong)), DeniedKind::NoSuchRecord, "{wrong}");
    }
    contacts.revoke(&format::hex(hashes[1])[..9]).unwrap();
    assert_eq!(listed(&contacts), [old]);
    assert_eq!(contacts.roster().token(hashes[1]), None, "the relay is told to take nothing with it");
    let later = contacts.expire(33 * DAY + 1);
    contacts.make(Ok(((), later))).unwrap();
    assert!(listed(&contacts).is_empty());
    assert_eq!(contacts.roster().tokens().len(), 1, "Ben's stays");
}

#[test]
fn a_blocked_contact_s_token_is_honoured_no_longer_and_again_after_the_block() {
    let (_ana, _ben, mut contacts, peer) = acquainted();
    let card = Card::parse(&contacts.export("Ben", 1).unwrap()).unwrap();
    let hash = token_of(&card);
    assert!(contacts.bind(hash, peer));
    let mut honoured = |block| {
        contacts.change(peer, &blocked(block)).unwrap();
        contacts.roster().token(hash).is_some()
    };
    assert!(!honoured(true), "what it sends is not even carried");
    assert!(honoured(false));
}

#[test]
fn a_card_that_was_given_out_anew_takes_the_place_of_one_that_was_revoked() {
    let (_ana, ben, mut contacts, peer) = acquainted();
    assert_eq!(contacts.add(&ben.card(1), 2), Ok(Added::Known(peer)));
    assert_eq!(contacts.add(&ben.card(2), 3), Ok(Added::Updated(peer)), "the same revision, another token");
    assert_eq!(contacts.roster().card(peer).unwrap().token, [2; 16]);
}
