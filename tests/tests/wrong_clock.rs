//! Does a daemon notice that its calendar was put right?
//!
//! Lives here: real daemons under libfaketime, which shows another calendar to one program. The start with a right one:
//! `machines.rs`.
//! Must not: set the clock of the machine.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net, Relay, dial, introduce};

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
fn desk(name: &str, relay: &Relay, library: &Path, calendar: &Path) -> anyhow::Result<Desk> {
    let mut desk = Desk::prepare(name, &relay.url)?;
    desk.begin("bus")?;
    for (variable, value) in [
        ("LD_PRELOAD", library.to_string_lossy().as_ref()),
        ("FAKETIME_TIMESTAMP_FILE", calendar.to_string_lossy().as_ref()),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        desk.daemon_variable(variable, Some(value));
    }
    Ok(desk)
}

#[tokio::test]
async fn a_calendar_that_is_put_right_while_the_daemon_runs_is_noticed() -> Outcome {
    let Some(library) = library() else { return skipped() };
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let folder = tempfile::tempdir()?;
    let calendar = folder.path().join("calendar");
    std::fs::write(&calendar, AHEAD)?;
    let mut ana = desk("Ana", &relay, &library, &calendar)?;
    ana.start_daemon(&net)?;
    ana.until_online(SOON).await?;
    let ben = right(&relay, &net).await?;
    introduce(&ana, &ben)?;
    std::fs::write(&calendar, "+0")?;
    // Each question is an input, at which the daemon looks.
    for _ in 0..300 {
        ana.ctl_says(&["status"])?;
        if ana.logged().contains("the certificate of this device is renewed") {
            break;
        }
    }
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    Ok(())
}

/// Ben, whose calendar was always right.
async fn right(relay: &Relay, net: &Net) -> anyhow::Result<Desk> {
    let mut ben = Desk::prepare("Ben", &relay.url)?;
    ben.begin("bus")?;
    ben.start_daemon(net)?;
    ben.until_online(SOON).await?;
    Ok(ben)
}
