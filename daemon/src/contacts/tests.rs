//! What contacts promise, with real cards and real files.
//!
//! Lives here: tests of contacts as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;

use super::*;
use crate::identity;
use crate::system::store::{Gate, Store, StoreThread};
use crate::values::contact_rules::{self, MannerChange, RingPolicy};
use crate::values::own::Own;
use crate::values::preconnect::Preconnect;
use crate::values::request::{Denied, DeniedKind};

mod names;

struct Somebody {
    own: Arc<Own>,
    dir: tempfile::TempDir,
}

fn somebody(name: &str) -> Somebody {
    let dir = tempfile::tempdir().unwrap();
    let own = identity::open(&dir.path().join("identity"), Some(name), &["ws://127.0.0.1:1".into()]).unwrap();
    Somebody { own: Arc::new(own), dir }
}

impl Somebody {
    fn contacts(&self) -> Now {
        let (store, thread) = Store::spawn().unwrap();
        let dir = self.dir.path().join("contacts");
        let contacts =
            Contacts::open(&dir, Arc::clone(&self.own), Preconnect::Always, store.clone()).unwrap();
        Now { contacts, store, thread: Some(thread) }
    }

    fn card(&self, token: u8) -> String {
        self.own.card([token; 16]).unwrap().to_text()
    }

    /// The same account after a change of its own.
    fn renamed(&self, name: &str) -> String {
        let dir = self.dir.path().join("identity");
        identity::open(&dir, Some(name), &["ws://127.0.0.1:1".into()])
            .unwrap()
            .card([9; 16])
            .unwrap()
            .to_text()
    }

    fn id(&self) -> String {
        format::hex(self.own.peer_id().bytes())
    }
}

/// Contacts whose changes are written and so when the method returns.
struct Now {
    contacts: Contacts,
    store: Store,
    thread: Option<StoreThread>,
}

impl std::ops::Deref for Now {
    type Target = Contacts;
    fn deref(&self) -> &Contacts {
        &self.contacts
    }
}

impl std::ops::DerefMut for Now {
    fn deref_mut(&mut self) -> &mut Contacts {
        &mut self.contacts
    }
}

impl Drop for Now {
    fn drop(&mut self) {
        self.thread.take().unwrap().end();
    }
}

impl Now {
    fn make<T>(&mut self, planned: Result<(T, Change), Denied>) -> Result<T, Denied> {
        let (what, mut change) = planned?;
        let written = change.write(&self.store, &Gate::default());
        self.contacts.commit(change);
        written.map_err(|error| Denied::new(DeniedKind::Failed, format!("the disk: {error}")))?;
        Ok(what)
    }

    fn add(&mut self, text: &str, at: i64) -> Result<Added, Denied> {
        let planned = self.contacts.add(text, at);
        self.make(planned)
    }

    fn change(&mut self, peer: PeerId, change: &ContactChange) -> Result<(), Denied> {
        let planned = self.contacts.change(peer, change).map(|change| ((), change));
        self.make(planned)
    }

    fn remove(&mut self, peer: PeerId) -> Result<(), Denied> {
        let planned = self.contacts.remove(peer).map(|change| ((), change));
        self.make(planned)
    }

    fn export(&mut self, name: &str, at: i64) -> Result<String, Denied> {
        let planned = self.contacts.export(name, at);
        self.make(planned)
    }

    fn revoke(&mut self, id: &str) -> Result<(), Denied> {
        let planned = self.contacts.revoke(id).map(|change| ((), change));
        self.make(planned)
    }

    /// What was written soon is written.
    fn settle(&self) {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        self.store.run(Box::new(move || tell.send(()).unwrap())).unwrap();
        told.recv().unwrap();
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Denied>) -> DeniedKind {
    result.unwrap_err().kind
}

#[test]
fn a_contact_lives_on_after_a_restart() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    assert_eq!(contacts.add(&ben.card(1), 77), Ok(Added::New(ben.own.peer_id())));
    contacts.set_mutual(ben.own.peer_id());
    contacts.called(ben.own.peer_id(), 88);
    drop(contacts);
    let mut contacts = ana.contacts();
    let row = contacts.get(ben.own.peer_id()).unwrap();
    assert_eq!((row.id, row.address, row.name.as_str()), (ben.id(), ben.own.address(), "Ben"));
    assert_eq!((row.blocked, row.mutual, row.added_at, row.last_call_at), (false, true, 77, 88));
    let roster = contacts.roster();
    assert_eq!(roster.card(ben.own.peer_id()), Some(Card::parse(&ben.card(1)).unwrap()));
    assert_eq!(roster.card(ana.own.peer_id()), None, "of contacts only");
    assert!(Arc::ptr_eq(&roster, &contacts.roster()), "the same roster until something changes");
    let path = ana.dir.path().join("contacts").join(ben.id() + ".json");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn our_own_card_and_what_is_none_are_refused_and_change_nothing() {
    let ana = somebody("Ana");
    let mut contacts = ana.contacts();
    let own = contacts.add(&ana.card(1), 1).unwrap_err();
    assert!(own.sentence.contains("your own card"), "{}", own.sentence);
    for bad in ["", "ahoy:1", "ahoy:1AAAA", "ahoy:2x", "http://x"] {
        assert_eq!(kind(contacts.add(bad, 1)), DeniedKind::Failed);
    }
    assert!(contacts.is_empty());
}

#[test]
fn a_newer_card_updates_and_an_older_one_does_not() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let old = ben.card(1);
    let mut contacts = ana.contacts();
    contacts.add(&old, 1).unwrap();
    assert_eq!(contacts.add(&ben.renamed("Benjamin"), 2).unwrap(), Added::Updated(ben.own.peer_id()));
    assert_eq!(contacts.add(&old, 3).unwrap(), Added::Known(ben.own.peer_id()));
    let row = contacts.get(ben.own.peer_id()).unwrap();
    assert_eq!((row.name.as_str(), row.added_at), ("Benjamin", 1), "a name from the card follows the card");
    let change =
        ContactChange { name: Some("my Ben".into()), blocked: Some(true), ..ContactChange::default() };
    contacts.change(ben.own.peer_id(), &change).unwrap();
    contacts.add(&ben.renamed("B."), 4).unwrap();
    let row = contacts.get(ben.own.peer_id()).unwrap();
    assert_eq!((row.name.as_str(), row.blocked), ("my Ben", true), "a person's own name and block stay");
}

#[test]
fn a_blocked_contact_is_blocked_in_the_roster_and_after_a_restart() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    contacts
        .change(ben.own.peer_id(), &ContactChange { blocked: Some(true), ..ContactChange::default() })
        .unwrap();
    assert!(contacts.roster().contact(ben.own.peer_id()).unwrap().blocked);
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.roster().contact(ben.own.peer_id()).unwrap().blocked);
    contacts
        .change(ben.own.peer_id(), &ContactChange { blocked: Some(false), ..ContactChange::default() })
        .unwrap();
    assert!(!contacts.roster().contact(ben.own.peer_id()).unwrap().blocked);
    let bad = ContactChange { name: Some("two\nlines".into()), ..ContactChange::default() };
    assert_eq!(kind(contacts.change(ben.own.peer_id(), &bad)), DeniedKind::InvalidOption);
    assert_eq!(kind(contacts.change(ana.own.peer_id(), &bad)), DeniedKind::NoSuchContact);
}

#[test]
fn each_exported_card_has_a_token_of_its_own_that_binds_once_and_goes_with_its_contact() {
    let (ana, ben, eve) = (somebody("Ana"), somebody("Ben"), somebody("Eve"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    let [one, two] = ["for Ben", ""].map(|name| Card::parse(&contacts.export(name, 5).unwrap()).unwrap());
    assert_ne!(one.token, two.token);
    let hash = ahoy_proto::envelope::Token::from_bytes(one.token).hash().bytes();
    assert!(contacts.bind(hash, ben.own.peer_id()));
    assert!(contacts.bind(hash, ben.own.peer_id()), "again is no harm");
    assert!(!contacts.bind(hash, eve.own.peer_id()), "it is Ben's alone");
    assert!(!contacts.bind([0; 16], ben.own.peer_id()), "never issued");
    drop(contacts);
    let mut contacts = ana.contacts();
    let bound = |contacts: &mut Now| contacts.roster().tokens().iter().filter(|t| t.bound.is_some()).count();
    assert_eq!((contacts.roster().tokens().len(), bound(&mut contacts)), (2, 1), "both survive a restart");
    contacts.remove(ben.own.peer_id()).unwrap();
    assert_eq!(
        (contacts.roster().tokens().len(), bound(&mut contacts)),
        (1, 0),
        "Ben's is revoked, the other stays"
    );
    assert_eq!(kind(contacts.remove(ben.own.peer_id())), DeniedKind::NoSuchContact);
    drop(contacts);
    let mut contacts = ana.contacts();
    assert_eq!((contacts.len(), contacts.roster().tokens().len()), (0, 1));
}

#[test]
fn a_contact_is_found_by_name_id_address_or_a_unique_beginning() {
    let ana = somebody("Ana");
    let people = [somebody("Ben"), somebody("Benno"), somebody("Cleo"), somebody("CLEO")];
    let mut contacts = ana.contacts();
    for person in &people {
        contacts.add(&person.card(1), 1).unwrap();
    }
    let [ben, benno, cleo, _] = people.each_ref().map(|person| person.own.peer_id());
    assert_eq!(contacts.resolve("ben"), Ok(ben), "the whole name outdoes a beginning");
    assert_eq!(contacts.resolve("BENN"), Ok(benno));
    assert_eq!(contacts.resolve(&people[2].id()), Ok(cleo));
    assert_eq!(contacts.resolve(&people[2].id()[..12]), Ok(cleo));
    assert_eq!(contacts.resolve(&people[2].own.address().to_uppercase()), Ok(cleo));
    assert_eq!(contacts.resolve(&people[2].own.address()[..12]), Ok(cleo));
    let several = contacts.resolve("cleo").unwrap_err();
    assert_eq!(several.kind, DeniedKind::Ambiguous);
    assert!(people[2..].iter().all(|person| several.sentence.contains(&person.id())), "{}", several.sentence);
    assert_eq!(kind(contacts.resolve("be")), DeniedKind::Ambiguous);
    for nobody in ["", " ", "dora", &ana.id(), &ana.own.address()] {
        assert_eq!(kind(contacts.resolve(nobody)), DeniedKind::NoSuchContact, "{nobody:?}");
    }
    // With a letter that no address has.
    assert_eq!(contacts.find("LEO").len(), 2);
}

#[test]
fn a_list_comes_by_name_in_pages_that_miss_nobody() {
    let ana = somebody("Ana");
    let mut contacts = ana.contacts();
    for name in ["dora", "Ben", "ben", "Cleo"] {
        contacts.add(&somebody(name).card(1), 1).unwrap();
    }
    let mut filter = ContactFilter { limit: Some(3), ..ContactFilter::default() };
    let (first, next) = contacts.list(&filter).unwrap();
    filter.after = Some(next);
    let (second, end) = contacts.list(&filter).unwrap();
    let names: Vec<String> = first.iter().chain(&second).map(|row| row.name.to_lowercase()).collect();
    assert_eq!((names.join(" "), end.as_str()), ("ben ben cleo dora".into(), ""));
    for (limit, after) in [(0, None), (1001, None), (1, Some("x".to_owned()))] {
        let bad = ContactFilter { limit: Some(limit), after, ..ContactFilter::default() };
        assert_eq!(kind(contacts.list(&bad)), DeniedKind::InvalidOption);
    }
    let blocked = ContactFilter { blocked: Some(true), ..ContactFilter::default() };
    assert!(contacts.list(&blocked).unwrap().0.is_empty());
}

#[test]
fn a_damaged_file_is_set_aside_and_the_others_live() {
    let (ana, ben, cleo) = (somebody("Ana"), somebody("Ben"), somebody("Cleo"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    contacts.add(&cleo.card(1), 1).unwrap();
    contacts.export("x", 1).unwrap();
    drop(contacts);
    let dir = ana.dir.path().join("contacts");
    let damage = |path: &Path| {
        let half = std::fs::read(path).unwrap();
        std::fs::write(path, &half[..half.len() / 2]).unwrap();
    };
    damage(&dir.join(ben.id() + ".json"));
    damage(&std::fs::read_dir(dir.join("tokens")).unwrap().next().unwrap().unwrap().path());
    let mut contacts = ana.contacts();
    assert_eq!((contacts.len(), contacts.roster().tokens().len()), (1, 0));
    assert_eq!(contacts.problems().borrow().len(), 2, "{:?}", contacts.problems());
    assert!(contacts.problems().borrow()[0].contains("was set aside as"), "{:?}", contacts.problems());
    drop(contacts);
    assert!(ana.contacts().problems().borrow().is_empty(), "told once");
    let kept = |dir: &Path| {
        let names =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".damaged-")).count()
    };
    assert_eq!((kept(&dir), kept(&dir.join("tokens"))), (1, 1), "nothing is deleted");
    // A card under another's name is damage too: the id of a row is what its card proves.
    std::fs::copy(dir.join(cleo.id() + ".json"), dir.join(ana.id() + ".json")).unwrap();
    assert_eq!((ana.contacts().len(), ana.contacts().problems().borrow().len()), (1, 0));
}

#[test]
fn a_card_that_is_damaged_while_we_run_is_not_believed_but_set_aside_and_mended_by_a_new_one() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let (mut contacts, peer) = (ana.contacts(), ben.own.peer_id());
    contacts.add(&ben.card(1), 1).unwrap();
    let change = ContactChange { name: Some("my Ben".into()), ..ContactChange::default() };
    contacts.change(peer, &change).unwrap();
    assert_eq!(contacts.legs(peer, now_s()), [ben.own.leg_id()]);
    let path = ana.dir.path().join("contacts").join(ben.id() + ".json");
    let text = std::fs::read_to_string(&path).unwrap();
    // One letter of the signature: the file is whole, and its card still names the same account.
    let at = text.find("ahoy:1").unwrap() + 10;
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    std::fs::write(&path, [&text[..at], other, &text[at + 1..]].concat()).unwrap();
    let (roster, mut problems) = (contacts.roster(), contacts.problems());
    assert!(!problems.has_changed().unwrap());
    assert_eq!(roster.card(peer), None);
    contacts.settle();
    assert!(problems.borrow_and_update()[0].contains("was set aside as"), "{:?}", problems.borrow());
    assert!(contacts.legs(peer, now_s()).is_empty() && !path.exists());
    assert!(!problems.has_changed().unwrap(), "told once");
    assert_eq!(contacts.add(&ben.card(1), 2), Ok(Added::Updated(peer)));
    assert_eq!(
        (contacts.get(peer).unwrap().name.as_str(), contacts.legs(peer, now_s()).len()),
        ("my Ben", 1)
    );
    assert!(roster.card(peer).is_some());
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    ana.contacts().add(&ben.card(1), 1).unwrap();
    let path = ana.dir.path().join("contacts").join(ben.id() + ".json");
    let newer = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
    std::fs::write(&path, &newer).unwrap();
    let contacts = ana.contacts();
    assert!(
        contacts.is_empty() && contacts.problems().borrow()[0].contains("newer"),
        "{:?}",
        contacts.problems()
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn what_the_disk_does_not_take_is_denied_and_not_in_memory() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    std::fs::remove_dir_all(ana.dir.path().join("contacts")).unwrap();
    let denied = contacts.add(&ben.card(1), 1).unwrap_err();
    assert!(denied.sentence.contains("disk"), "{}", denied.sentence);
    assert!(contacts.is_empty());
    assert_eq!(kind(contacts.export("x", 1)), DeniedKind::Failed);
    assert!(contacts.roster().tokens().is_empty());
    assert!(contacts.store.problem().borrow().contains("cannot be written"));
}

#[test]
fn how_a_contact_rings_outlives_a_restart_and_a_new_card() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    let manner = MannerChange {
        favorite: Some(true),
        ring_policy: Some(RingPolicy::Always),
        ring_tone: Some("bell".into()),
        volume: Some(1.5),
        ..MannerChange::default()
    };
    contacts.change(peer, &ContactChange { manner, ..ContactChange::default() }).unwrap();
    contacts.add(&ben.renamed("Benno"), 2).unwrap();
    drop(contacts);
    let contacts = ana.contacts();
    let row = contacts.get(peer).unwrap();
    assert_eq!(row.name, "Benno");
    assert!(row.manner.favorite && !row.manner.verified);
    assert_eq!((row.manner.ring_policy, row.manner.ring_tone.as_str()), (RingPolicy::Always, "bell"));
    let favorites = ContactFilter { favorite: Some(true), ..ContactFilter::default() };
    assert_eq!(contacts.list(&favorites).unwrap().0.len(), 1);
    let others = ContactFilter { favorite: Some(false), ..ContactFilter::default() };
    assert_eq!(contacts.list(&others).unwrap().0.len(), 0);
}

#[test]
fn who_learns_our_address_is_decided_by_the_contact_s_own_setting_and_trust_is_a_compared_number() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    let number = contacts.get(peer).unwrap().safety_number;
    assert_eq!(number.len(), 71, "{number}");
    let mut theirs = ben.contacts();
    let us = theirs.add(&ana.card(1), 1).unwrap().peer();
    assert_eq!(theirs.get(us).unwrap().safety_number, number, "both see the same");

    let mut decide = |for_all, own: contact_rules::Preconnect, verified| {
        contacts.set_own(Arc::clone(&ana.own), for_all);
        let manner =
            MannerChange { preconnect: Some(own), verified: Some(verified), ..MannerChange::default() };
        contacts.change(peer, &ContactChange { manner, ..ContactChange::default() }).unwrap();
        contacts.roster().contact(peer).unwrap().preconnect
    };
    use contact_rules::Preconnect as Their;
    assert!(decide(Preconnect::Always, Their::Default, false));
    assert!(!decide(Preconnect::Always, Their::Trusted, false));
    assert!(!decide(Preconnect::Always, Their::Never, true));
    assert!(!decide(Preconnect::Trusted, Their::Default, false));
    assert!(decide(Preconnect::Trusted, Their::Default, true));
    assert!(decide(Preconnect::Never, Their::Always, false));
    assert!(!decide(Preconnect::Never, Their::Default, true));
}

#[test]
fn a_card_that_nobody_used_can_be_taken_back_and_ends_by_itself_after_thirty_days() {
    const DAY: i64 = 86_400 * 1_000_000;
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    let hashes = [("Ben", 1), ("lost", 2), ("old", 3)].map(|(name, day)| {
        let card = Card::parse(&contacts.export(name, day * DAY).unwrap()).unwrap();
        ahoy_proto::envelope::Token::from_bytes(card.token).hash().bytes()
    });
    assert!(contacts.bind(hashes[0], ben.own.peer_id()));
    let dir = ana.dir.path().join("contacts");
    let listed = |contacts: &Now| {
        contacts
            .unused_cards()
            .into_iter()
            .map(|(hash, at)| (hash, at, Contacts::given_to(&dir, hash)))
            .collect::<Vec<_>>()
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
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    let card = Card::parse(&contacts.export("Ben", 1).unwrap()).unwrap();
    let hash = ahoy_proto::envelope::Token::from_bytes(card.token).hash().bytes();
    assert!(contacts.bind(hash, peer));
    let mut blocked = |blocked| {
        let change = ContactChange { blocked: Some(blocked), ..ContactChange::default() };
        contacts.change(peer, &change).unwrap();
        contacts.roster().token(hash).is_some()
    };
    assert!(!blocked(true), "what it sends is not even carried");
    assert!(blocked(false));
}

#[test]
fn a_card_that_was_given_out_anew_takes_the_place_of_one_that_was_revoked() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    assert_eq!(contacts.add(&ben.card(1), 2), Ok(Added::Known(peer)));
    assert_eq!(contacts.add(&ben.card(2), 3), Ok(Added::Updated(peer)), "the same revision, another token");
    assert_eq!(contacts.roster().card(peer).unwrap().token, [2; 16]);
}

#[test]
fn a_change_that_was_given_up_is_not_made_when_the_disk_wakes() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    let block = ContactChange { blocked: Some(true), ..ContactChange::default() };
    let mut change = contacts.contacts.change(peer, &block).unwrap();
    let gate = Gate::default();
    assert!(gate.shut(), "whoever waited has been told that nothing was changed");
    let result = change.write(&contacts.store, &gate);
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    contacts.commit(change);
    assert!(!contacts.get(peer).unwrap().blocked);
    let mut removal = contacts.contacts.remove(peer).unwrap();
    assert!(removal.write(&contacts.store, &gate).is_err());
    contacts.commit(removal);
    drop(contacts);
    assert!(!ana.contacts().get(peer).unwrap().blocked, "nor at the next start");
}

#[test]
fn what_the_daemon_notes_while_a_change_is_written_is_kept_and_so_is_the_change() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    let name = ContactChange { name: Some("my Ben".into()), ..ContactChange::default() };
    let mut change = contacts.contacts.change(peer, &name).unwrap();
    contacts.set_mutual(peer);
    contacts.called(peer, 88);
    contacts.settle();
    change.write(&contacts.store, &Gate::default()).unwrap();
    contacts.commit(change);
    let seen = |contacts: &Now| {
        let row = contacts.get(peer).unwrap();
        (row.name, row.mutual, row.last_call_at)
    };
    assert_eq!(seen(&contacts), ("my Ben".to_owned(), true, 88));
    drop(contacts);
    assert_eq!(seen(&ana.contacts()), ("my Ben".to_owned(), true, 88), "and on the disk");
}

fn now_s() -> i64 {
    crate::system::clock::unix_us() / 1_000_000
}

#[test]
fn a_device_whose_certificate_has_ended_is_not_called_and_that_is_known() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let (mut contacts, peer) = (ana.contacts(), ben.own.peer_id());
    contacts.add(&ben.card(1), 1).unwrap();
    let end = ben.own.certificate.expires_s();
    assert_eq!(contacts.legs(peer, end - 1), [ben.own.leg_id()]);
    assert!(!contacts.has_ended(peer, end - 1));
    assert_eq!(contacts.legs(peer, end), []);
    assert!(contacts.has_ended(peer, end));
}
