//! Does the engine's thread ever wait for a disk or a name server?
//!
//! Lives here: a busy day of three people whose daemons are traced, and that what must not be is found where it is.
//! Must not: name a system call: `tests/lab/engine-thread.sh` does.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::path::Path;
use std::process::{Command, Output};

use ahoy_tests::lab::{binary, root};

fn judge(trace: &Path) -> Output {
    Command::new(root().join("tests/lab/engine-thread.sh")).arg(trace).output().unwrap()
}

#[test]
fn a_busy_day_has_no_file_written_and_no_name_looked_up_on_the_engines_thread() {
    let programs = binary("ahoyd");
    let day =
        Command::new(root().join("tests/lab/busy-day.sh")).arg(programs.parent().unwrap()).output().unwrap();
    let told = String::from_utf8_lossy(&day.stdout);
    assert!(day.status.success(), "{told}\n{}", String::from_utf8_lossy(&day.stderr));
    assert!(told.contains("nothing that waits for a disk or a name"), "{told}");
}

#[test]
fn each_call_that_waits_for_a_disk_is_found_in_a_trace_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let judged = |line: &str| {
        let before = "openat(AT_FDCWD, \"/x/own.json.new\", O_WRONLY|O_CREAT, 0600) = 9";
        let serves = "write(2, \"INFO ahoyd::engine: serving on the session bus\\n\", 51) = 51";
        std::fs::write(&trace, format!("{before}\n{serves}\n{line}\n")).unwrap();
        judge(&trace)
    };
    for planted in [
        "openat(AT_FDCWD, \"/x/dnd.json.new\", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600) = 12",
        "openat(AT_FDCWD, \"/x/replay.log\", O_WRONLY|O_APPEND|O_CLOEXEC) = 12",
        "openat(AT_FDCWD, \"/x/history.db\", O_RDONLY|O_CLOEXEC) = 12",
        "openat(AT_FDCWD, \"/etc/resolv.conf\", O_RDONLY|O_CLOEXEC) = 12",
        "fsync(12) = 0",
        "fdatasync(12) = 0",
        "rename(\"/x/a.new\", \"/x/a\") = 0",
        "unlink(\"/x/a\") = 0",
        "pwrite64(12, \"\", 4096, 0) = 4096",
        "connect(12, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"127.0.0.53\")}, 16) = 0",
    ] {
        let found = judged(planted);
        assert!(!found.status.success(), "{planted}");
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), planted);
    }
    for fine in [
        "openat(AT_FDCWD, \"/x/contacts/01.json\", O_RDONLY|O_CLOEXEC) = 12",
        "openat(AT_FDCWD, \"/dev/null\", O_RDWR|O_CLOEXEC) = 12",
        "write(2, \"a line of the log\\n\", 18) = 18",
        "connect(12, {sa_family=AF_INET, sin_port=htons(45000), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0",
    ] {
        assert!(judged(fine).status.success(), "{fine}");
    }
    std::fs::write(&trace, "").unwrap();
    assert!(!judge(&trace).status.success(), "an empty trace tells nothing");
}
