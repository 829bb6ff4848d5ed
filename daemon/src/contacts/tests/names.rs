//! Names of contacts: found, compared, given.
//!
//! Lives here: how a name is found by what a keyboard has, names that look alike, names that are refused.
//! Must not: know how a card travels.

use super::*;

#[test]
fn a_name_that_looks_like_one_that_is_there_is_told() {
    let me = somebody("Me");
    let mut contacts = me.contacts();
    let (ana, ben, twin, other) = (somebody("Ana"), somebody("Ben"), somebody("Аnа"), somebody("Anna"));
    for known in [&ana, &ben] {
        contacts.add(&known.card(1), 1).unwrap();
        assert_eq!(contacts.twins(known.own.peer_id()), [""; 0]);
    }
    contacts.add(&twin.card(1), 2).unwrap();
    assert_eq!(contacts.twins(twin.own.peer_id()), [ana.id()], "its A and a are Cyrillic");
    contacts.add(&other.card(1), 3).unwrap();
    assert_eq!(contacts.twins(other.own.peer_id()), [""; 0]);
}

#[test]
fn names_are_found_without_accents_and_in_either_normal_form() {
    let me = somebody("Me");
    let mut contacts = me.contacts();
    let names = ["Jörg Müller", "José Álvaro", "Zoe\u{308} NFD", "Łukasz", "Ünal IŞIL", "王小明"];
    for name in names {
        contacts.add(&somebody(name).card(1), 1).unwrap();
    }
    let found = |text: &str| contacts.find(text).into_iter().map(|row| row.name).collect::<Vec<_>>();
    for (typed, name) in [
        ("jorg", "Jörg Müller"),
        ("JÖRG", "Jörg Müller"),
        ("Jo\u{308}rg", "Jörg Müller"),
        ("alvaro", "José Álvaro"),
        ("Zoë", "Zoe\u{308} NFD"),
        ("lukasz", "Łukasz"),
        ("ışıl", "Ünal IŞIL"),
        ("小", "王小明"),
    ] {
        assert_eq!(found(typed), [name], "{typed}");
        let resolved = contacts.resolve(typed).map(|peer| contacts.get(peer).unwrap().name);
        if name.to_lowercase().starts_with(&typed.to_lowercase()) || typed == "Zoë" || typed == "jorg" {
            assert_eq!(resolved.as_deref(), Ok(name), "{typed}");
        }
    }
    assert_eq!(found("Joerg"), [""; 0]);
}

#[test]
fn a_name_of_our_own_is_refused_with_its_letter_and_joiners_are_taken() {
    let (me, ben) = (somebody("Me"), somebody("Ben"));
    let mut contacts = me.contacts();
    contacts.add(&ben.card(1), 1).unwrap();
    let mut rename = |name: &str| {
        let change = ContactChange { name: Some(name.to_owned()), ..ContactChange::default() };
        contacts.change(ben.own.peer_id(), &change).map_err(|denied| denied.sentence)
    };
    assert_eq!(rename("علی\u{200c}رضا"), Ok(()));
    assert_eq!(rename("👨\u{200d}👩\u{200d}👧"), Ok(()));
    assert!(rename("abc\u{202e}def").unwrap_err().contains("U+202E"));
    assert!(rename("a\nb").unwrap_err().contains("U+000A"));
}
