//! Do calls go on whatever becomes of the history, and does the person learn of it?
//!
//! Lives here: a full disk, a read-only, a damaged, a newer and a held database under a real daemon.
//! Must not: mock a disk, or leave a mount behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Place, put_through, two_without_sound};
use anyhow::Context as _;

const SOON: Duration = Duration::from_secs(20);

struct Two {
    ana: Desk,
    ben: Desk,
    place: Place,
}

impl Two {
    async fn start() -> anyhow::Result<Self> {
        let (place, ana, ben) = two_without_sound().await?;
        Ok(Self { ana, ben, place })
    }

    fn base(&self) -> PathBuf {
        self.ana.state_folder().join("history.db")
    }

    /// Ana's daemon with what was done to its files; it says so by that word, on the bus and to a person.
    async fn begin_with(&mut self, word: &str) -> anyhow::Result<()> {
        self.place.run(&mut self.ana, &[]).await?;
        self.told(word).await
    }

    async fn told(&self, word: &str) -> anyhow::Result<()> {
        self.ana.until_problem(Some(word), SOON).await?;
        let status = self.ana.ctl_says(&["status"])?;
        anyhow::ensure!(status.contains(word), "{status}");
        Ok(())
    }

    /// A whole call, seen on both sides.
    async fn call(&self, from_ana: bool) -> anyhow::Result<()> {
        let (caller, callee) = if from_ana { (&self.ana, &self.ben) } else { (&self.ben, &self.ana) };
        let manager = proxy::ManagerProxy::new(&caller.bus().await?).await?;
        put_through(caller, callee).await?;
        manager.hangup_all(&Dict::new()).await?;
        callee.until_state("disconnected", SOON).await?;
        Ok(())
    }
}

/// Something in the way, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path, words: &[&str]) -> anyhow::Result<Self> {
        run("mount", &[words, &[at.to_str().context("a path")?]].concat())?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let done = Command::new(program).args(words).output()?;
    anyhow::ensure!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

#[tokio::test]
async fn a_damaged_a_newer_and_a_held_history_are_told_kept_and_stop_no_call() -> anyhow::Result<()> {
    let mut two = Two::start().await?;
    two.call(true).await?;
    two.ana.stop_daemon()?;
    let base = two.base();

    // Written by a later program: not a byte of it changes.
    python(&base, "db.execute('PRAGMA wal_checkpoint(TRUNCATE)'); db.execute('PRAGMA user_version = 99')")?;
    let newer = fs::read(&base)?;
    two.begin_with("newer").await?;
    two.call(false).await?;
    two.ana.stop_daemon()?;
    anyhow::ensure!(fs::read(&base)? == newer, "a newer history was touched");
    // As this program left it.
    python(&base, "db.execute('PRAGMA user_version = 5')")?;

    // Held by another program: told, and written when it lets go.
    let mut holder = hold(&base)?;
    two.begin_with("another program holds it").await?;
    two.call(true).await?;
    holder.kill()?;
    holder.wait()?;
    two.ana.until_so(SOON, async || Ok(two.ana.history().await?.len() == 2)).await?;
    two.ana.stop_daemon()?;

    // Damaged: kept as it is, a new one begun.
    python(&base, "db.execute('PRAGMA wal_checkpoint(TRUNCATE)')")?;
    let mut bytes = fs::read(&base)?;
    bytes[..64].fill(0x55);
    fs::write(&base, &bytes)?;
    two.begin_with("damaged").await?;
    two.call(false).await?;
    let files = fs::read_dir(two.ana.state_folder())?.collect::<Result<Vec<_>, _>>()?;
    let kept = files.iter().find(|file| file.file_name().to_string_lossy().contains(".damaged-"));
    anyhow::ensure!(fs::read(kept.context("nothing was kept")?.path())? == bytes, "it was kept otherwise");
    anyhow::ensure!(two.ana.history().await?.len() == 1, "the new one has the call");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_and_a_read_only_history_are_told_and_stop_no_call() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can mount a small disk");
        return Ok(());
    }
    let mut two = Two::start().await?;
    two.call(true).await?;
    two.ana.stop_daemon()?;
    let base = two.base();

    let before = fs::read(&base)?;
    {
        let _read_only = Mounted::new(&base, &["--bind", "-o", "ro", base.to_str().context("a path")?])?;
        run("mount", &["-o", "remount,ro,bind", base.to_str().context("a path")?])?;
        two.begin_with("read-only").await?;
        two.call(false).await?;
        two.ana.stop_daemon()?;
    }
    anyhow::ensure!(fs::read(&base)? == before, "a read-only history was touched");

    let state = two.ana.state_folder();
    let aside = state.with_file_name("aside");
    run("cp", &["-a", state.to_str().context("a path")?, aside.to_str().context("a path")?])?;
    let small = Mounted::new(&state, &["-t", "tmpfs", "-o", "size=3m", "small"])?;
    run("cp", &["-a", &format!("{}/.", aside.display()), state.to_str().context("a path")?])?;
    two.place.run(&mut two.ana, &[]).await?;
    let filler = state.join("filler");
    let full = fs::write(&filler, vec![0; 4 * 1024 * 1024]);
    anyhow::ensure!(full.is_err(), "the disk is not full");
    two.call(true).await?;
    two.told("the disk is full").await?;
    let rows = two.ana.history().await?.len();
    fs::remove_file(&filler)?;
    two.ana.until_so(SOON, async || Ok(two.ana.history().await?.len() > rows)).await?;
    two.ana.stop_daemon()?;
    drop(small);
    Ok(())
}

/// Changes the file as another program would.
fn python(base: &Path, what: &str) -> anyhow::Result<()> {
    let script =
        format!("import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{what}\ndb.commit()\ndb.close()");
    run("/usr/bin/python3", &["-c", &script, base.to_str().context("a path")?])
}

/// A program that holds the database until it is killed.
fn hold(base: &Path) -> anyhow::Result<Child> {
    let script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\ndb.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\nsys.stdin.read()";
    let mut holder = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(base)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(holder.stdout.take().context("its output")?).read_line(&mut line)?;
    anyhow::ensure!(line.trim() == "held", "{line}");
    Ok(holder)
}
