//! `ahoyctl hook …`.
//!
//! Lives here: which programs the person has for which event, and running them for a try.
//! Must not: read anything of the daemon's own: the folder is the person's, and the daemon says where it is.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ahoy_dbus::hooks;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};

/// So long, in seconds, may one run; ahoyd has the same limit.
const LIMIT: u64 = 10;

/// Your own programs that run when something happens
#[derive(Debug, clap::Args)]
#[command(after_help = "They lie in hooks.d/EVENT/ beside config.toml, executable, writable by you alone.\n\
They get AHOY_EVENT, AHOY_NAME and others, and the event as JSON on standard input.\n\
Example: ahoyctl hook run call.missed --name Ben")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List them, with what keeps one from being run
    #[command(after_help = "In a pipe: event, program, remark, apart by tabs.\nExample: ahoyctl hook list")]
    List,
    /// Run those of an event here and now, as ahoyd would, and show what they print
    #[command(after_help = "Ends with 1 if one of them fails, with 3 if one took too long: then it is\n\
killed with all that it started. ahoyd gives a program 10 seconds.\n\
Example: ahoyctl hook run call.ended --name Ben --reason completed")]
    Run {
        /// Which event, such as call.missed
        event: String,
        /// Of whom
        #[arg(long)]
        name: Option<String>,
        /// The contact's id
        #[arg(long, value_name = "ID")]
        contact: Option<String>,
        /// Why the call ended
        #[arg(long, value_name = "WORD")]
        reason: Option<String>,
        /// Kill a program after so many seconds
        #[arg(long, value_name = "S", default_value_t = LIMIT, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
}

/// One program of an event.
struct Hook {
    event: String,
    program: PathBuf,
    /// Why ahoyd does not run it; empty if it does.
    remark: String,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let config = ask(desk.bus.manager().await?.config_file()).await?;
    let folder = Path::new(&config).with_file_name("hooks.d");
    match args.what {
        What::List => list(desk, &folder),
        What::Run { event, name, contact, reason, timeout, .. } => {
            let limit = Duration::from_secs(timeout);
            let words = [("name", name), ("contact", contact), ("reason", reason)];
            let words = words.into_iter().filter_map(|(word, value)| Some((word, value?))).collect();
            try_out(&folder, &event, words, limit).await
        }
    }
}

fn list(desk: &Desk, folder: &Path) -> Result<Exit, Fault> {
    let mut hooks: Vec<Hook> = names(folder).into_iter().flat_map(|event| of(folder, &event)).collect();
    hooks.sort_by(|a, b| a.program.cmp(&b.program));
    if hooks.is_empty() {
        desk.out.hint(&format!("None yet. They would lie in {}/EVENT/", folder.display()));
    }
    let row = |hook: &Hook| vec![hook.event.clone(), hook.program.display().to_string(), hook.remark.clone()];
    let item = |hook: &Hook| json!({"event": hook.event, "program": hook.program, "remark": hook.remark});
    desk.out.rows(&["EVENT", "PROGRAM", ""], &hooks, row, ("hooks", item), json!({"folder": folder}))?;
    Ok(Exit::Ok)
}

async fn try_out(
    folder: &Path,
    event: &str,
    words: Vec<(&str, String)>,
    limit: Duration,
) -> Result<Exit, Fault> {
    let all = if event.contains('/') { Vec::new() } else { of(folder, event) };
    let hooks: Vec<Hook> = all.into_iter().filter(|hook| hook.remark.is_empty()).collect();
    if hooks.is_empty() {
        let sentence = format!("No program would run for '{event}'. See: ahoyctl hook list");
        return Err(Fault::new(Exit::NoSuch, sentence));
    }
    let mut object = Map::from_iter([("v".to_owned(), json!(1)), ("type".to_owned(), json!(event))]);
    object.insert("serial".to_owned(), json!(0));
    object.extend(words.iter().map(|(word, value)| ((*word).to_owned(), json!(value))));
    let told = Value::Object(object).to_string() + "\n";
    let mut exit = Exit::Ok;
    for hook in hooks {
        let mut command = Command::new(&hook.program);
        command.env("AHOY_EVENT", event).env("AHOY_SERIAL", "0").stdin(Stdio::piped()).process_group(0);
        command.envs(words.iter().map(|(word, value)| (format!("AHOY_{}", word.to_uppercase()), value)));
        let (why, code) = match run_one(command, &told, limit).await {
            Ok(Ended::Itself(status)) if status.success() => continue,
            Ok(Ended::Itself(status)) => (status.to_string(), Exit::Error),
            Ok(Ended::TooLate) => {
                let limit = limit.as_secs();
                (
                    format!("it took longer than {limit} s and was killed, with all that it started"),
                    Exit::Timeout,
                )
            }
            Ok(Ended::Interrupted) => {
                return Err(Fault::new(Exit::Error, "Interrupted: the hook was killed."));
            }
            Err(error) => (error.to_string(), Exit::Error),
        };
        crate::complain::complain(&format!("ahoyctl: {}: {why}", hook.program.display()));
        if exit == Exit::Ok {
            exit = code;
        }
    }
    Ok(exit)
}

/// How a hook came to its end.
enum Ended {
    Itself(ExitStatus),
    TooLate,
    Interrupted,
}

/// Runs a program in a process group of its own, which is killed when the time is over or the person has had enough.
async fn run_one(mut command: Command, told: &str, limit: Duration) -> std::io::Result<Ended> {
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let input = child.stdin.take();
    let ended = async {
        let tell = async {
            if let Some(mut input) = input {
                // A program need not read what it is told.
                drop(input.write_all(told.as_bytes()).await);
            }
        };
        tokio::join!(tell, child.wait()).1
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(limit, ended) => match ended {
            Ok(status) => return status.map(Ended::Itself),
            Err(_) => Ended::TooLate,
        },
        _ = tokio::signal::ctrl_c() => Ended::Interrupted,
    };
    // It may have gone in this very moment.
    let _killed = group.map(|group| kill_process_group(group, Signal::KILL));
    child.wait().await?;
    Ok(ended)
}

/// The programs of an event, with what keeps ahoyd from running them.
fn of(folder: &Path, event: &str) -> Vec<Hook> {
    let found = hooks::of(folder, event, geteuid().as_raw()).into_iter();
    let hook = |hook: hooks::Hook| Hook {
        event: event.to_owned(),
        program: hook.program,
        remark: hook.remark.unwrap_or_default(),
    };
    found.map(hook).collect()
}

/// The events that have something.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
    names.sort();
    names
}
