//! When is a relay given up, who is asked for others, and whose count?
//!
//! Lives here: the component alone, with times as values.
//! Must not: link to a relay, or ask anybody.

use std::sync::Arc;

use super::*;
use crate::identity;
use crate::system::store::{Gate, Store};
use crate::values::preconnect::Preconnect;
use crate::values::rows::ContactChange;

fn relays(names: &[&str], from: RelayFrom) -> Relays {
    let chosen = names.iter().map(|url| ChosenRelay { url: (*url).to_owned(), from }).collect();
    Relays::new(Memory::default(), chosen)
}

fn answered() -> Looked {
    Looked { answered: true, ..Looked::default() }
}

fn at(seconds: u64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

#[test]
fn a_relay_that_is_down_for_three_minutes_beside_one_that_serves_is_away() {
    let mut it = relays(&["a", "b"], RelayFrom::List);
    let up = ["b".to_owned()];
    it.observe(at(0), &up);
    it.observe(at(100), &up);
    assert_eq!(it.deadline(), Some(at(180)));
    assert!(!it.tick(at(179)) && it.away.is_empty());
    assert!(it.tick(at(180)));
    assert_eq!(it.away, BTreeSet::from(["a".to_owned()]));
    assert_eq!(it.deadline(), None, "it is known");
    it.set_chosen(vec![ChosenRelay { url: "b".into(), from: RelayFrom::List }]);
    assert!(it.away.contains("a"), "and not wanted again soon");
    it.network_changed();
    assert!(it.away.is_empty());
}

#[test]
fn the_relay_of_a_link_is_on_trial_until_somebody_was_met_by_it() {
    let mut it = Relays::default();
    assert!(!it.pairing_over(false), "there was no link");
    it.follow_link("wss://b.example".to_owned());
    assert!(it.is_on_trial("wss://b.example") && !it.is_on_trial("wss://a.example"));
    assert!(it.pairing_over(false), "nobody was there: others are chosen");
    assert_eq!((it.link.as_deref(), it.is_on_trial("wss://b.example")), (None, false));
    it.follow_link("wss://b.example".to_owned());
    assert!(!it.pairing_over(true));
    assert_eq!((it.link.as_deref(), it.is_on_trial("wss://b.example")), (Some("wss://b.example"), false));
    assert!(!it.pairing_over(false) && it.link.is_some(), "a later pairing is not about it");
}

#[test]
fn where_none_serves_somebody_else_must_answer_before_one_is_away() {
    let mut it = relays(&["a", "b"], RelayFrom::List);
    it.observe(at(0), &[]);
    assert!(!it.looked(at(170), answered()), "not for so long yet");
    assert!(!it.tick(at(180)));
    assert_eq!((it.missed, it.deadline(), it.away.len()), (1, None, 0), "others are asked once");
    assert!(!it.looked(at(181), Looked::default()), "nobody answers: there is no network");
    assert!(it.looked(at(999), answered()));
    assert_eq!(it.away.len(), 2);
    it.set_chosen(it.chosen.clone());
    assert!(it.away.is_empty(), "there is no other");
    assert_eq!(it.deadline(), Some(at(999 + 180)));
    it.observe(at(1_000), &["a".to_owned(), "b".to_owned()]);
    assert_eq!(it.deadline(), None);
}

#[test]
fn who_wants_nothing_found_has_what_is_configured_alone() {
    let mut memory = Memory::default();
    memory.works("wss://a.example");
    let mut config = Config::default();
    assert_eq!(urls(&at_the_start(&config, &memory, 0)), ["wss://a.example"]);
    config.relay.find = false;
    assert_eq!(at_the_start(&config, &memory, 0), []);
    config.relay.urls = vec!["wss://b.example".to_owned()];
    assert_eq!(urls(&at_the_start(&config, &memory, 0)), ["wss://b.example"]);
}

#[test]
fn what_a_person_configured_is_never_given_up() {
    let mut it = relays(&["a", "b"], RelayFrom::Configuration);
    it.observe(at(0), &["b".to_owned()]);
    assert_eq!(it.deadline(), None);
    assert!(!it.tick(at(1_000)));
}

#[test]
fn nobody_is_asked_where_the_configuration_names_relays_and_halves_are_told() {
    let mut config = Config::default();
    let it = relays(&[], RelayFrom::List);
    assert!(it.standing(&config, true, 0).question.is_empty(), "off by default");
    config.relay.list = Some("https://a.example".to_owned());
    config.relay.domain = Some("a.example".to_owned());
    assert!(it.standing(&config, true, 0).question.is_empty());
    assert_eq!(it.problems(&config, false).len(), 2);
    config.relay.list_keys = vec!["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned()];
    config.relay.resolver = Some("https://b.example".to_owned());
    let question = it.standing(&config, true, 0).question;
    assert!(question.list.is_some() && question.dns.is_some() && it.problems(&config, false).is_empty());
    assert!(it.standing(&config, false, 0).question.is_empty());
    config.relay.find = false;
    assert!(it.standing(&config, true, 0).question.is_empty() && it.problems(&config, false).is_empty());
    config.relay.find = true;
    config.relay.urls = vec!["wss://a.example".to_owned()];
    assert!(it.standing(&config, true, 0).question.is_empty());
}

#[test]
fn a_contacts_relay_counts_if_it_is_behind_tls_and_the_contact_is_not_blocked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (store, _thread) = Store::spawn().unwrap();
    let ours = identity::open(&at("ours"), Some("Ana"), &[]).unwrap();
    let urls = ["wss://a.example", "ws://127.0.0.1:631", "wss://b.example"].map(str::to_owned);
    let theirs = identity::open(&at("theirs"), Some("Ben"), &urls).unwrap();
    let mut contacts =
        Contacts::open(&at("contacts"), Arc::new(ours), Preconnect::Always, store.clone()).unwrap();
    assert!(of_cards(&contacts).is_empty());
    let (added, mut change) = contacts.add(&theirs.card([1; 16]).unwrap().to_text(), 1).unwrap();
    change.write(&store, &Gate::default()).unwrap();
    contacts.commit(change);
    assert_eq!(of_cards(&contacts), ["wss://a.example", "wss://b.example"]);
    // All that are known beside those in force, for a code without a name: what served before comes first, none twice, four at most.
    let mut known = relays(&["wss://c.example"], RelayFrom::Configuration);
    for name in ["b", "c", "d"] {
        known.memory.works(&format!("wss://{name}.example"));
    }
    assert_eq!(known.known(&contacts), ["wss://d.example", "wss://b.example", "wss://a.example"]);
    for name in ["e", "f", "g"] {
        known.memory.works(&format!("wss://{name}.example"));
    }
    assert_eq!(known.known(&contacts).len(), limits::DEVICE_INBOXES);
    // Where something better is known nobody's card is read.
    assert!(relays(&["a"], RelayFrom::Worked).elsewhere(&contacts).cards.is_empty());
    assert!(relays(&[], RelayFrom::List).elsewhere(&contacts).has_cards());
    let blocked = ContactChange { blocked: Some(true), ..ContactChange::default() };
    let mut change = contacts.change(added.peer(), &blocked).unwrap();
    change.write(&store, &Gate::default()).unwrap();
    contacts.commit(change);
    assert!(of_cards(&contacts).is_empty());
}
