//! What becomes of a history that cannot be kept.
//!
//! Lives here: damaged, newer, foreign and held files, a disk that takes nothing.
//! Must not: mock a disk.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_page_that_is_damaged_in_the_middle_is_noticed_too() {
    let (_dir, path, mut history) = fresh();
    history.write(1, missed(1));
    history.drop_dead();
    let mut bytes = std::fs::read(&path).unwrap();
    let second_page = 4096;
    bytes[second_page..second_page + 512].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let (history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    history.drop_dead();
}

#[test]
fn a_foreign_database_is_never_written_to() {
    let (dir, path) = scratch();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let (history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    history.drop_dead();
    let kept = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(kept.filter(|kept| kept != &path).any(|kept| std::fs::read(kept).unwrap() == before));
}

#[test]
fn what_the_disk_does_not_take_is_told_kept_and_written_when_it_does() {
    let (dir, _) = scratch();
    let away = dir.path().join("away");
    let path = away.join("history.db");
    let (mut history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    assert_eq!(history.write(1, missed(1)), (vec![], 0, 0), "nothing hangs");
    assert!(history.problem().contains("wait to be written"));
    std::fs::create_dir(&away).unwrap();
    let (rows, missed_now, last) = history.write(2, missed(2));
    assert_eq!((rows.len(), missed_now, last), (2, 2, 2), "the first came with the second");
    assert_eq!(history.problem(), "", "all is well again");
    history.drop_dead();
}

#[test]
fn only_its_user_can_read_the_history() {
    let (dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    history.drop_dead();
}
