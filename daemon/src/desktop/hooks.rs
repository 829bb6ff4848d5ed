//! A person's own programs, run when something happens: `hooks.d/<event>` in the configuration folder.
//!
//! Lives here: what programs are told, their limits of time, number and output; running them as children of ours. As units of
//! their own, outside the sandbox of the service: `hooks/unit.rs`. Which are run: `ahoy_dbus::hooks`.
//! Must not: wait for a hook anywhere else, or run what others can write.

mod unit;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ahoy_dbus::hooks;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::note::{NAME, clean};
use crate::system::{clock, ready};
use crate::values::happening::{EventData, Happening};

/// So many hooks run at once; the others wait their turn.
const AT_ONCE: usize = 4;
/// So many wait; of more the newest are left out.
const WAITING: usize = 64;
/// What of a hook's output is logged: lines, and bytes of each.
const LINES: usize = 64;
const LINE: usize = 400;
/// How long a hook's descendants may still write after it ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Of the service manager's dealings with us; a hook that took part in them would confuse it.
const OURS: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// Where hooks lie, and how long one may run.
#[derive(Clone, Debug)]
pub struct Hooks {
    /// `hooks.d`.
    pub folder: PathBuf,
    /// Then it and all that it started is killed.
    pub limit: Duration,
}

/// One program to run.
#[derive(Debug)]
struct Job {
    program: PathBuf,
    happening: Arc<Happening>,
}

/// Runs hooks until nothing can happen any more.
pub(super) async fn follow(hooks: Hooks, mut happened: broadcast::Receiver<Happening>) {
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut running = JoinSet::new();
    let mut open = true;
    while open || !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(job) = waiting.pop_front()
        {
            running.spawn(run(job, hooks.limit));
        }
        tokio::select! {
            next = happened.recv(), if open => match next {
                Ok(happening) => enqueue(&hooks.folder, happening, &mut waiting).await,
                Err(broadcast::error::RecvError::Lagged(lost)) => tracing::warn!(lost, "events came faster than hooks were begun"),
                Err(broadcast::error::RecvError::Closed) => open = false,
            },
            Some(ended) = running.join_next(), if !running.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a hook's task ended badly");
                }
            }
        }
    }
}

async fn enqueue(folder: &Path, happening: Happening, waiting: &mut VecDeque<Job>) {
    let happening = Arc::new(happening);
    for program in programs(folder, happening.kind).await {
        if waiting.len() >= WAITING {
            return tracing::warn!(event = happening.kind, "hooks take too long: one was left out");
        }
        waiting.push_back(Job { program, happening: Arc::clone(&happening) });
    }
}

/// The programs of an event that are run, in the order of their names; the others are logged with the reason.
async fn programs(folder: &Path, event: &'static str) -> Vec<PathBuf> {
    let folder = folder.to_owned();
    let found = tokio::task::spawn_blocking(move || hooks::of(&folder, event, geteuid().as_raw())).await;
    let mut programs = Vec::new();
    for hook in found.unwrap_or_default() {
        match hook.remark {
            None if programs.len() < hooks::PER_EVENT => programs.push(hook.program),
            None => {
                tracing::warn!(hook = %hook.program.display(), "an event has too many hooks: this one is not run")
            }
            Some(remark) => tracing::warn!(hook = %hook.program.display(), remark, "this hook is not run"),
        }
    }
    programs
}

async fn run(Job { program, happening }: Job, limit: Duration) {
    let (hook, event) = (program.display().to_string(), happening.kind);
    // It may have waited for its turn, and much can be written meanwhile.
    if let Err(remark) = hooks::judge(&program, geteuid().as_raw()) {
        return tracing::warn!(hook, event, remark, "this hook is not run");
    }
    if ready::is_service() {
        match unit::run(&program, &happening, limit).await {
            Ok(ended) => return ended.log(&hook, event),
            Err(error) => tracing::debug!(%error, "the service manager runs no hook: it is run here"),
        }
    }
    let (mut child, mut output) = match start(&program, &happening) {
        Ok(started) => started,
        Err(error) => return tracing::warn!(hook, event, %error, "a hook cannot be started"),
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut scribe = Scribe::default();
    let talk = async {
        let input = child.stdin.take();
        let mut reading =
            std::pin::pin!(read(&mut output, &mut scribe, |line| tracing::info!(hook, event, line)));
        let mut ended = std::pin::pin!(async { tokio::join!(tell(input, &happening), child.wait()).1 });
        let mut all_read = false;
        let status = loop {
            tokio::select! {
                () = &mut reading, if !all_read => all_read = true,
                status = &mut ended => break status,
            }
        };
        // What it left running may hold its output open for ever.
        if !all_read && clock::timeout(LAST_WORDS, reading).await.is_err() {
            tracing::debug!(hook, event, "a hook left something running");
        }
        status
    };
    match clock::timeout(limit, talk).await {
        Ok(Ok(status)) if status.success() => tracing::debug!(hook, event, "a hook has run"),
        Ok(Ok(status)) => tracing::warn!(hook, event, %status, "a hook failed"),
        Ok(Err(error)) => tracing::warn!(hook, event, %error, "a hook was lost"),
        Err(_over) => {
            tracing::warn!(hook, event, ?limit, "a hook took too long and is killed");
            // Either may find it gone in this very moment.
            let _killed = group.map(|group| kill_process_group(group, Signal::KILL));
            let _reaped = child.wait().await;
        }
    }
}

/// Starts a hook in a process group of its own, both its outputs in one pipe.
fn start(program: &Path, happening: &Happening) -> io::Result<(Child, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .envs(environment(happening))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    for name in OURS {
        command.env_remove(name);
    }
    Ok((command.spawn()?, pipe::Receiver::from_owned_fd(reader.into())?))
}

/// The event as JSON on standard input. Who does not read it is not waited for: it fits into the pipe.
async fn tell(input: Option<ChildStdin>, happening: &Happening) {
    let Some(mut input) = input else { return };
    let text = json(happening);
    if let Err(error) = input.write_all(text.as_bytes()).await {
        tracing::debug!(%error, "a hook did not read what happened");
    }
}

async fn read(output: &mut pipe::Receiver, scribe: &mut Scribe, write: impl Fn(&str)) {
    let mut bytes = [0; 1024];
    loop {
        match output.read(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(count) => scribe.take(&bytes[..count], &write),
        }
    }
    scribe.end(&write);
}

/// Cuts a hook's output into bounded lines, and stops writing after some.
#[derive(Debug, Default)]
struct Scribe {
    line: Vec<u8>,
    written: usize,
}

impl Scribe {
    fn take(&mut self, bytes: &[u8], write: &impl Fn(&str)) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end(write);
            } else if self.line.len() < LINE {
                self.line.push(*byte);
            }
        }
    }

    fn end(&mut self, write: &impl Fn(&str)) {
        if self.line.is_empty() {
            return;
        }
        match self.written {
            written if written < LINES => write(&clean(&String::from_utf8_lossy(&self.line), LINE)),
            LINES => write("(the rest of its output is left out)"),
            _ => {}
        }
        self.written += 1;
        self.line.clear();
    }
}

/// What happened, as words: name in JSON, and its value. What does not apply is left out.
fn words(happening: &Happening) -> Vec<(&'static str, String)> {
    let EventData { call, contact, name, direction, reason, outcome, duration_ms, history, at_unix_us } =
        &happening.data;
    let path = |hex: String| ahoy_dbus::call_path(&hex);
    let hex = |bytes: [u8; 16]| data_encoding::HEXLOWER.encode(&bytes);
    [
        ("call", call.map(|call| path(hex(call.bytes())))),
        ("contact", contact.map(|peer| hex(peer.bytes()))),
        ("name", name.as_ref().map(|name| clean(name, NAME))),
        ("direction", direction.map(|direction| direction.word().to_owned())),
        ("outcome", outcome.map(|outcome| outcome.word().to_owned())),
        ("duration-ms", duration_ms.map(|duration| duration.to_string())),
        ("reason", reason.map(|reason| reason.word().to_owned())),
        ("history", history.map(|id| id.to_string())),
        ("at", (*at_unix_us != 0).then(|| (at_unix_us / 1_000_000).to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// `AHOY_EVENT`, `AHOY_SERIAL`, and what it is about.
fn environment(happening: &Happening) -> Vec<(String, String)> {
    let fixed = [("event", happening.kind.to_owned()), ("serial", happening.serial.to_string())];
    let all = fixed.into_iter().chain(words(happening));
    all.map(|(name, value)| (format!("AHOY_{}", name.to_uppercase().replace('-', "_")), value)).collect()
}

/// One object on one line.
fn json(happening: &Happening) -> String {
    let mut object = serde_json::Map::new();
    object.insert("v".to_owned(), 1.into());
    object.insert("type".to_owned(), happening.kind.into());
    object.insert("serial".to_owned(), happening.serial.into());
    for (name, value) in words(happening) {
        object.insert(name.to_owned(), value.into());
    }
    // Numbers are numbers here.
    if let Some(id) = happening.data.history {
        object.insert("history".to_owned(), id.into());
    }
    if let Some(duration) = happening.data.duration_ms {
        object.insert("duration-ms".to_owned(), duration.into());
    }
    if happening.data.at_unix_us != 0 {
        object.insert("at".to_owned(), (happening.data.at_unix_us / 1_000_000).into());
    }
    serde_json::Value::Object(object).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use ahoy_call::{CallId, Direction, EndReason, Outcome, PeerId};

    use super::*;

    fn missed() -> Happening {
        let data = EventData {
            call: Some(CallId::from_bytes([1; 16])),
            contact: Some(PeerId::from_bytes([2; 16])),
            name: Some("Ana\n\u{202e}\"B\"".to_owned()),
            direction: Some(Direction::Incoming),
            reason: Some(EndReason::AnsweredElsewhere),
            outcome: Some(Outcome::NoAnswer),
            duration_ms: Some(1_500),
            history: Some(7),
            at_unix_us: 1_800_000_000_123_456,
        };
        Happening { kind: "call.missed", serial: 3, data }
    }

    #[test]
    fn a_hook_is_told_by_environment_and_by_json() {
        let environment = environment(&missed());
        let value =
            |name: &str| environment.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
        assert_eq!(value("AHOY_EVENT"), Some("call.missed"));
        assert_eq!(value("AHOY_NAME"), Some("Ana \"B\""));
        assert_eq!(value("AHOY_AT"), Some("1800000000"));
        assert_eq!(value("AHOY_REASON"), Some("answered-elsewhere"));
        assert_eq!((value("AHOY_DIRECTION"), value("AHOY_OUTCOME")), (Some("incoming"), Some("no-answer")));
        assert_eq!(value("AHOY_DURATION_MS"), Some("1500"));
        let json: serde_json::Value = serde_json::from_str(&json(&missed())).unwrap();
        assert_eq!(json["duration-ms"], 1_500);
        assert_eq!(json["outcome"], "no-answer");
        assert_eq!((json["v"].as_u64(), json["history"].as_u64()), (Some(1), Some(7)));
        assert_eq!(json["call"], format!("/org/ahoyd/Calls1/call_{}", "01".repeat(16)));
        let bare = Happening { kind: "relay.down", serial: 4, data: EventData::default() };
        assert_eq!(super::environment(&bare).len(), 2, "what does not apply is left out");
    }

    #[test]
    fn output_is_cut_into_bounded_lines_and_then_left_out() {
        let lines = std::cell::RefCell::new(Vec::new());
        let write = |line: &str| lines.borrow_mut().push(line.to_owned());
        let mut scribe = Scribe::default();
        scribe.take(b"one\n\ntw", &write);
        scribe.take(b"o\x1b[31m\n", &write);
        scribe.take(&[b'x'; 3 * LINE], &write);
        scribe.take(b"\n", &write);
        assert_eq!(lines.borrow()[..2], ["one".to_owned(), "two[31m".to_owned()]);
        assert_eq!(lines.borrow()[2].len(), LINE);
        scribe.take(&b"more\n".repeat(1000), &write);
        assert_eq!(lines.borrow().len(), LINES + 1, "and one line that says so");
    }

    #[tokio::test]
    async fn only_programs_that_nobody_else_can_write_are_run() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode: u32| {
            let path = folder.path().join("call.missed").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (second, first) = (put("20-b", 0o755), put("10-a", 0o700));
        put("30-others-may-write", 0o757);
        put("40-not-executable", 0o644);
        put("50.bak", 0o755);
        put(".hidden", 0o755);
        put("backup~", 0o755);
        assert_eq!(programs(folder.path(), "call.missed").await, [first, second]);
        assert!(programs(folder.path(), "call.ended").await.is_empty());
    }
}
