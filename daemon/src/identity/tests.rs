//! What the file of our keys withstands.
//!
//! Lives here: tests of the identity as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use ahoy_proto::card::Card;

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::values::own::NoCard;

fn relays(urls: &[&str]) -> Vec<String> {
    urls.iter().map(|&url| url.to_owned()).collect()
}

#[test]
fn the_first_start_makes_an_account_and_the_second_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let urls = relays(&["ws://127.0.0.1:1"]);
    let first = open(dir.path(), Some("Ana"), &urls).unwrap();
    let second = open(dir.path(), Some("Ana"), &urls).unwrap();
    assert_eq!(first.peer_id(), second.peer_id());
    assert_eq!(first.leg_id(), second.leg_id());
    assert_eq!(first.noise.to_bytes(), second.noise.to_bytes());
    assert_eq!(first.inboxes[0].inbox(), second.inboxes[0].inbox());
    assert_eq!((first.revision, second.revision), (1, 1));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = open(elsewhere.path(), None, &[]).unwrap();
    assert_ne!(other.peer_id(), first.peer_id(), "keys are made by chance");
}

#[test]
fn the_keys_are_readable_by_their_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity/own.json");
    open(path.parent().unwrap(), None, &[]).unwrap();
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    open(path.parent().unwrap(), None, &[]).unwrap();
    assert_eq!(mode(), 0o600, "a file that was opened to others is closed again");
}

#[test]
fn a_new_name_or_relay_raises_the_revision_and_an_old_relay_keeps_its_inbox() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (relays(&["wss://one"]), relays(&["wss://two"]));
    let first = open(dir.path(), Some("Ana"), &one).unwrap();
    assert_eq!(open(dir.path(), Some("Anna"), &one).unwrap().revision, 2);
    let moved = open(dir.path(), Some("Anna"), &two).unwrap();
    assert_eq!(moved.revision, 3);
    assert_ne!(moved.inboxes[0].inbox(), first.inboxes[0].inbox(), "an inbox is for one relay");
    let back = open(dir.path(), Some("Anna"), &one).unwrap();
    assert_eq!((back.revision, back.inboxes[0].inbox()), (4, first.inboxes[0].inbox()));
}

#[test]
fn relays_that_change_every_day_do_not_fill_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for day in 0..FORMER_RELAYS + 20 {
        open(dir.path(), Some("Ana"), &[format!("wss://relay{day}.example")]).unwrap();
    }
    let kept = read(&dir.path().join("own.json")).unwrap().unwrap();
    assert_eq!(kept.inboxes.len(), 1 + FORMER_RELAYS);
}

#[test]
fn a_name_set_over_the_bus_stays_unless_the_configuration_holds_one() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), None, &[]).unwrap();
    assert!(matches!(set_display_name(dir.path(), &own, " ", false), Err(IdentityError::BadName(_))));
    assert!(matches!(set_display_name(dir.path(), &own, "B", true), Err(IdentityError::NameIsConfigured)));
    let renamed = set_display_name(dir.path(), &own, "Bee", false).unwrap();
    assert_eq!((renamed.display_name.as_str(), renamed.revision), ("Bee", own.revision + 1));
    let again = open(dir.path(), None, &[]).unwrap();
    assert_eq!((again.display_name.as_str(), again.revision), ("Bee", renamed.revision));
    assert_eq!(open(dir.path(), Some("Ana"), &[]).unwrap().display_name, "Ana");
}

#[test]
fn an_identity_that_was_made_while_the_calendar_was_wrong_is_put_right_with_it() {
    const NOW_S: i64 = 1_800_000_000;
    for wrong in [NOW_S + 5 * 365 * 86_400, NOW_S + 60 * 86_400, 0, NOW_S - 20 * 365 * 86_400] {
        let dir = tempfile::tempdir().unwrap();
        let made = open_at(dir.path(), Some("Ana"), &[], wrong).unwrap();
        assert!(!made.certificate.is_valid_at(NOW_S) && is_stale_at(&made.certificate, NOW_S), "{wrong}");
        let now = open_at(dir.path(), Some("Ana"), &[], NOW_S).unwrap();
        assert!(now.certificate.is_valid_at(NOW_S) && !is_stale_at(&now.certificate, NOW_S), "{wrong}");
        assert_eq!((now.revision, now.peer_id()), (made.revision + 1, made.peer_id()), "the same account");
        let again = open_at(dir.path(), Some("Ana"), &[], NOW_S + 86_400).unwrap();
        assert_eq!(again.revision, now.revision, "once");
    }
}

#[test]
fn a_certificate_is_renewed_after_half_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let made = open_at(dir.path(), None, &[], 1_000_000).unwrap();
    let half = 1_000_000 + CERTIFICATE_LIFE_S / 2;
    assert_eq!(open_at(dir.path(), None, &[], half).unwrap().revision, made.revision);
    assert_eq!(open_at(dir.path(), None, &[], half + 1).unwrap().revision, made.revision + 1);
}

#[test]
fn a_damaged_identity_is_told_in_a_sentence_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.json");
    open(dir.path(), None, &[]).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&good).unwrap();
    let other = {
        let mut other = stored.clone();
        other["account"] = stored["device"].clone();
        other.to_string()
    };
    for bad in ["", "{", &good[..good.len() / 2], &good.replace("noise", "voice"), &other] {
        std::fs::write(&path, bad).unwrap();
        let error = open(dir.path(), None, &[]).unwrap_err();
        assert!(matches!(&error, IdentityError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("bring it back from a copy"), "{error}");
        assert!(!error.to_string().contains(stored["account"].as_str().unwrap()), "no key in an error");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad, "it is left as it is");
    }
    std::fs::write(&path, good.replace("\"version\": 1", "\"version\": 4")).unwrap();
    assert!(matches!(open(dir.path(), None, &[]), Err(IdentityError::Newer { .. })));
}

#[test]
fn a_device_that_does_not_hold_the_account_is_known_by_it_and_signs_nothing_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.json");
    let urls = relays(&["ws://127.0.0.1:1"]);
    let holder = open_at(dir.path(), Some("Ana"), &urls, 1_000_000).unwrap();
    let mut stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored.as_object_mut().unwrap().remove("account");
    std::fs::write(&path, stored.to_string()).unwrap();
    let error = open(dir.path(), Some("Ana"), &urls).unwrap_err();
    assert!(matches!(error, IdentityError::Damaged { .. }), "a lost key is no other's: {error}");
    stored["version"] = 2.into();
    std::fs::write(&path, stored.to_string()).unwrap();
    let late = 1_000_000 + CERTIFICATE_LIFE_S;
    let own = open_at(dir.path(), Some("Ana"), &urls, late).unwrap();
    assert_eq!((own.peer_id(), own.leg_id()), (holder.peer_id(), holder.leg_id()));
    assert!(matches!(own.card([7; 16]), Err(NoCard::NotHeld)));
    assert_eq!((own.certificate, own.revision), (holder.certificate, holder.revision), "nor renewed");
}

#[test]
fn our_card_is_one_that_others_take_and_debug_shows_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), Some("Ana"), &relays(&["ws://127.0.0.1:1", "wss://relay.example"])).unwrap();
    let card = Card::parse(&own.card([7; 16]).unwrap().to_text()).unwrap();
    assert_eq!((card.peer_id(), card.name.as_str(), card.token), (own.peer_id(), "Ana", [7; 16]));
    assert_eq!(card.devices[0].inboxes.len(), 2);
    assert_eq!(card.devices[0].inboxes[1].inbox, own.inboxes[1].inbox());
    assert!(card.devices[0].certificate.is_valid_at(clock::unix_us() / 1_000_000));
    let shown = format!("{own:?} {:?}", own.inboxes);
    assert!(shown.len() < 120 && !shown.contains("Ana") && !shown.contains("relay"), "{shown}");
}
