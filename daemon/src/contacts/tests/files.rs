//! Files of contacts that are damaged, too new, or not written.
//!
//! Lives here: what becomes of them, and of what was asked for meanwhile.
//! Must not: mock a disk.

use std::path::Path;

use super::*;

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
    let (ana, ben, mut contacts, peer) = acquainted();
    let change = renamed("my Ben");
    contacts.change(peer, &change).unwrap();
    assert_eq!(contacts.legs(peer, now_s(), false), [ben.own.leg_id()]);
    let path = ana.file_of(&ben);
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
    assert!(contacts.legs(peer, now_s(), false).is_empty() && !path.exists());
    assert!(!problems.has_changed().unwrap(), "told once");
    assert_eq!(contacts.add(&ben.card(1), 2), Ok(Added::Updated(peer)));
    let name = contacts.get(peer).unwrap().name;
    assert_eq!((name.as_str(), contacts.legs(peer, now_s(), false).len()), ("my Ben", 1));
    assert!(roster.card(peer).is_some());
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let (ana, ben) = (somebody("Ana"), somebody("Ben"));
    ana.contacts().add(&ben.card(1), 1).unwrap();
    let path = ana.file_of(&ben);
    let newer = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
    std::fs::write(&path, &newer).unwrap();
    let contacts = ana.contacts();
    let problems = contacts.problems();
    assert!(contacts.is_empty() && problems.borrow()[0].contains("newer"), "{problems:?}");
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
fn a_change_that_was_given_up_is_not_made_when_the_disk_wakes() {
    let (ana, _ben, mut contacts, peer) = acquainted();
    let block = blocked(true);
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
    let (ana, _ben, mut contacts, peer) = acquainted();
    let name = renamed("my Ben");
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
