//! What becomes of a history that cannot be kept.
//!
//! Lives here: damaged, newer, foreign and held files, a disk that takes nothing.
//! Must not: mock a disk.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_damaged_database_is_kept_aside_and_a_new_one_begun() {
    let (dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    history.drop_dead();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..100].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    let (mut history, found) = start(&path);
    let Some(Report::Problem(sentence)) = found.last() else { panic!("{found:?}") };
    let kept = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.to_string_lossy().contains(".damaged-")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(sentence.contains(kept[0].to_str().unwrap()), "{sentence}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), bytes, "as it was");
    assert_eq!(history.write(2, missed(2)).2, 1, "the new one works");
    assert_eq!(history.list(HistoryFilter::default()).len(), 1);
    history.drop_dead();
    assert_eq!(start(&path).1.len(), 1, "the next start has nothing to complain of");
}

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
fn a_newer_database_is_left_alone_and_the_daemon_runs_without_history() {
    let (_dir, path, mut history) = fresh();
    history.write(1, missed(1));
    history.drop_dead();
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let (mut history, found) = start(&path);
    let Some(Report::Problem(sentence)) = found.last() else { panic!("{found:?}") };
    assert!(sentence.contains("newer"), "{sentence}");
    assert_eq!(history.write(1, missed(2)), (vec![], 0, 0), "a write is answered all the same");
    assert_eq!(history.ask(HistoryRequest::Get(1)).unwrap_err().kind, DeniedKind::Failed);
    history.drop_dead();
    assert_eq!(std::fs::read(&path).unwrap(), before);
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
fn a_database_that_another_program_holds_answers_every_write_and_catches_up() {
    let (_dir, path, mut history) = fresh();
    history.write(1, missed(1));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(history.write(2, missed(2)).0, [], "it is answered");
    let sentence = history.problem();
    assert!(sentence.contains("cannot be written") && sentence.contains("wait"), "{sentence}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(history.write(3, missed(3)).2, 3);
    assert_eq!(history.problem(), "");
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
