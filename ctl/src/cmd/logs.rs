//! `ahoyctl logs`.
//!
//! Lives here: the journal of the unit, and where else the log may be.
//! Must not: read a file of the journal itself, or judge what stands in it.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::fault::{Exit, Fault};

/// What ahoyd has logged, from the journal
#[derive(Debug, clap::Args)]
#[command(
    after_help = "How much it logs: ahoyctl config set log.level debug\nExample: ahoyctl logs --follow"
)]
pub(crate) struct Args {
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// At most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lines: u32,
    /// Only from then on, as journalctl takes it: -1h, today, 14:05
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Option<String>,
}

/// Runs it. The journal's own program takes the place of this one.
pub(crate) fn run(args: &Args, json: bool) -> Result<Exit, Fault> {
    let mut any = Command::new("journalctl");
    any.args(["--quiet", "--user-unit=ahoyd.service", "--lines=1", "--output=cat"]);
    let found = any.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let found = found.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            nowhere("There is no journalctl on this machine")
        } else {
            Fault::new(Exit::Error, format!("Cannot start journalctl: {error}."))
        }
    })?;
    if found.stdout.is_empty() && !args.follow {
        return Err(nowhere("The journal has nothing of ahoyd"));
    }
    let mut journal = Command::new("journalctl");
    journal.args(["--quiet", "--no-pager", "--user-unit=ahoyd.service"]);
    journal.arg(format!("--lines={}", args.lines));
    journal.arg(if json { "--output=json" } else { "--output=short-iso" });
    if args.follow {
        journal.arg("--follow");
    }
    if let Some(since) = &args.since {
        journal.arg(format!("--since={since}"));
    }
    Err(Fault::new(Exit::Error, format!("Cannot start journalctl: {}.", journal.exec())))
}

fn nowhere(why: &str) -> Fault {
    Fault::new(
        Exit::NoSuch,
        format!(
            "{why}. An ahoyd that was not started by systemd logs to its standard error: look where it was started."
        ),
    )
}
