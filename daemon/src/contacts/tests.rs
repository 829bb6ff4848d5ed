//! What contacts promise, with real cards and real files.
//!
//! Lives here: tests of contacts as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use std::os::unix::fs::PermissionsExt as _;
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

mod asking;
mod cards;
mod files;
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
        let renamed = identity::open(&dir, Some(name), &["ws://127.0.0.1:1".into()]).unwrap();
        renamed.card([9; 16]).unwrap().to_text()
    }

    /// Where the card of somebody lies.
    fn file_of(&self, other: &Self) -> std::path::PathBuf {
        self.dir.path().join("contacts").join(other.id() + ".json")
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

    /// Somebody asks with this card of ours. Whether that is new.
    fn ask(&mut self, given: &Card, card: &str, at: i64) -> bool {
        let (new, change) = match self.contacts.ask(token_of(given), &Card::parse(card).unwrap(), at) {
            Asked::New(_, _, change) => (true, change),
            Asked::Again(_, change) => (false, change),
            Asked::Nothing => return false,
        };
        self.make(Ok(((), change))).unwrap();
        new
    }

    fn accept(&mut self, who: &str) -> Result<PeerId, Denied> {
        let planned = self.contacts.accept(who, 9);
        self.make(planned)
    }

    fn dismiss(&mut self, who: &str) -> Result<PeerId, Denied> {
        let planned = self.contacts.dismiss(who);
        self.make(planned)
    }

    /// A card of ours for somebody, as it is handed to them.
    fn given(&mut self, name: &str) -> Card {
        Card::parse(&self.export(name, 5).unwrap()).unwrap()
    }

    /// A card for this contact, its token kept.
    fn card_for(&mut self, peer: PeerId) -> Option<Card> {
        let (card, change) = self.contacts.card_for(peer, 5).unwrap()?;
        self.make(Ok((card, change))).ok()
    }

    /// Names of those who ask.
    fn asking(&self) -> Vec<String> {
        self.contacts.requests().into_iter().map(|(row, _)| row.name).collect()
    }

    /// What was written soon is written.
    fn settle(&self) {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        self.store.run(Box::new(move || tell.send(()).unwrap())).unwrap();
        told.recv().unwrap();
    }
}

fn blocked(blocked: bool) -> ContactChange {
    ContactChange { blocked: Some(blocked), ..ContactChange::default() }
}

fn renamed(name: &str) -> ContactChange {
    ContactChange { name: Some(name.to_owned()), ..ContactChange::default() }
}

/// What the relay knows a card's token by.
fn token_of(card: &Card) -> [u8; 16] {
    ahoy_proto::envelope::Token::from_bytes(card.token).hash().bytes()
}

/// Ana has Ben's card.
fn acquainted() -> (Somebody, Somebody, Now, PeerId) {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    let mut contacts = ana.contacts();
    let peer = contacts.add(&ben.card(1), 1).unwrap().peer();
    (ana, ben, contacts, peer)
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
    let path = ana.file_of(&ben);
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
    let (ana, _ben, mut contacts, peer) = acquainted();
    contacts.change(peer, &blocked(true)).unwrap();
    assert!(contacts.roster().contact(peer).unwrap().blocked);
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.roster().contact(peer).unwrap().blocked);
    contacts.change(peer, &blocked(false)).unwrap();
    assert!(!contacts.roster().contact(peer).unwrap().blocked);
    let bad = renamed("two\nlines");
    assert_eq!(kind(contacts.change(peer, &bad)), DeniedKind::InvalidOption);
    assert_eq!(kind(contacts.change(ana.own.peer_id(), &bad)), DeniedKind::NoSuchContact);
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
fn how_a_contact_rings_outlives_a_restart_and_a_new_card() {
    let (ana, ben, mut contacts, peer) = acquainted();
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
fn two_tell_each_other_only_while_both_say_so_and_what_they_said_outlives_a_restart_and_a_change() {
    let (ana, _ben, mut contacts, peer) = acquainted();
    let allow = |contacts: &mut Now, ping, ring_policy| {
        let manner =
            MannerChange { ping: Some(ping), ring_policy: Some(ring_policy), ..MannerChange::default() };
        contacts.change(peer, &ContactChange { manner, ..ContactChange::default() }).unwrap();
    };
    assert!(contacts.set_ping_there(peer, true) && !contacts.set_ping_there(peer, true), "new once");
    contacts.settle();
    assert!(!contacts.both_tell(peer) && !contacts.roster().contact(peer).unwrap().ping, "we do not say so");
    allow(&mut contacts, true, RingPolicy::Normal);
    assert!(contacts.both_tell(peer) && contacts.roster().contact(peer).unwrap().ping);
    drop(contacts);
    let mut contacts = ana.contacts();
    assert!(contacts.both_tell(peer) && contacts.get(peer).unwrap().ping_there);
    allow(&mut contacts, true, RingPolicy::Never);
    assert!(
        !contacts.both_tell(peer) && !contacts.roster().contact(peer).unwrap().ping,
        "to them we look offline"
    );
    allow(&mut contacts, true, RingPolicy::Normal);
    assert!(contacts.set_ping_there(peer, false) && !contacts.both_tell(peer));
    assert!(!contacts.set_ping_there(PeerId::from_bytes([9; 16]), true), "of nobody we know");
}

#[test]
fn who_learns_our_address_is_decided_by_the_contact_s_own_setting_and_trust_is_a_compared_number() {
    let (ana, ben, mut contacts, peer) = acquainted();
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

fn now_s() -> i64 {
    crate::system::clock::unix_us() / 1_000_000
}

#[test]
fn a_device_whose_certificate_has_ended_is_not_called_and_that_is_known() {
    let (_ana, ben, contacts, peer) = acquainted();
    let end = ben.own.certificate.expires_s();
    assert_eq!(contacts.legs(peer, end - 1, false), [ben.own.leg_id()]);
    assert!(!contacts.has_ended(peer, end - 1));
    assert_eq!(contacts.legs(peer, end, false), []);
    assert!(contacts.has_ended(peer, end));
}
