//! Does a daemon notice that its calendar was put right?
//!
//! Lives here: real daemons under libfaketime, which shows another calendar to one program. The start with a right one:
//! `machines.rs`.
//! Must not: set the clock of the machine.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Place, dial, introduce};
use anyhow::Context as _;

const SOON: Duration = Duration::from_secs(20);
/// Five years.
const AHEAD: &str = "+1825d";

type Outcome = anyhow::Result<()>;

/// Where the library lies, on Debian and what derives from it.
fn library() -> Option<PathBuf> {
    let triple = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    Some(PathBuf::from(triple)).filter(|path| path.exists())
}

fn skipped() -> Outcome {
    println!("SKIPPED: libfaketime is not installed (tests/lab/install.sh test)");
    Ok(())
}

/// A desk whose daemon reads its calendar from that file.
async fn desk(name: &str, place: &Place, library: &Path, calendar: &Path) -> anyhow::Result<Desk> {
    let mut desk = place.desk(name)?;
    for (variable, value) in [
        ("LD_PRELOAD", library.to_string_lossy().as_ref()),
        ("FAKETIME_TIMESTAMP_FILE", calendar.to_string_lossy().as_ref()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        desk.daemon_variable(variable, Some(value));
    }
    place.run(&mut desk, &["bus"]).await?;
    Ok(desk)
}

#[tokio::test]
async fn a_calendar_that_is_put_right_while_the_daemon_runs_is_noticed() -> Outcome {
    let Some(library) = library() else { return skipped() };
    let place = Place::new()?;
    let folder = tempfile::tempdir()?;
    let calendar = folder.path().join("calendar");
    std::fs::write(&calendar, AHEAD)?;
    let ana = desk("Ana", &place, &library, &calendar).await?;
    let ben = place.start_without_sound("Ben").await?;
    introduce(&ana, &ben)?;
    std::fs::write(&calendar, "+0")?;
    for _ in 0..300 {
        ask(&ana)?;
        if ana.logged().contains("the certificate of this device is renewed") {
            break;
        }
    }
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_calendar_that_is_put_right_while_the_wrong_one_is_being_certified_is_noticed() -> Outcome {
    let Some(library) = library() else { return skipped() };
    let place = Place::new()?;
    let folder = tempfile::tempdir()?;
    let calendar = folder.path().join("calendar");
    std::fs::write(&calendar, "+0")?;
    let ana = desk("Ana", &place, &library, &calendar).await?;
    let ben = place.start_without_sound("Ben").await?;
    introduce(&ana, &ben)?;

    let mut disk = Slow::file(&ana.state_folder().join("identity/own.new"))?;
    std::fs::write(&calendar, AHEAD)?;
    ask(&ana)?;
    disk.until_asked()?;
    std::fs::write(&calendar, "+0")?;
    ask(&ana)?;
    disk.go_on()?;
    let renewed = || ana.logged().matches("the certificate of this device is renewed").count();
    for _ in 0..300 {
        ask(&ana)?;
        if renewed() == 2 {
            break;
        }
    }
    anyhow::ensure!(renewed() == 2, "nobody looked at the calendar again\n{}", ana.tail());
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    Ok(())
}

/// An input of the engine's, at which it looks at the calendar. (What is merely read, it does not hear of.)
fn ask(desk: &Desk) -> std::io::Result<()> {
    desk.ctl(&["call", "nobody"], "").map(drop)
}

/// A file whose next writer waits: somebody has a lease on it (fcntl(2), `F_SETLEASE`). A disk that is slow, but answers.
struct Slow {
    holder: std::process::Child,
    says: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Slow {
    fn file(path: &Path) -> anyhow::Result<Self> {
        const HOLD: &str = "import fcntl, os, signal, sys
signal.signal(signal.SIGIO, lambda *_: print('asked', flush=True))
file = os.open(sys.argv[1], os.O_RDONLY | os.O_CREAT, 0o600)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()";
        let mut holder = Command::new("python3")
            .args(["-c", HOLD])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let says = std::io::BufReader::new(holder.stdout.take().context("no output")?).lines();
        let mut slow = Self { holder, says };
        slow.until("held")?;
        Ok(slow)
    }

    /// Somebody wants to write to it, and waits.
    fn until_asked(&mut self) -> anyhow::Result<()> {
        self.until("asked")
    }

    fn go_on(mut self) -> anyhow::Result<()> {
        drop(self.holder.stdin.take());
        anyhow::ensure!(self.holder.wait()?.success());
        Ok(())
    }

    fn until(&mut self, word: &str) -> anyhow::Result<()> {
        let said = self.says.next().context("the file's holder has ended")??;
        anyhow::ensure!(said == word, "{said}");
        Ok(())
    }
}
