//! One person's desk: a private desktop, and the daemon on it.
//!
//! Lives here: its parts coming and going, ahoyctl. Its sound: `desk/devices.rs`; what its bus shows: `desk/shown.rs`.
//! Must not: wait by sleeping: every wait is for a process or for sound, and bounded.

mod devices;
mod shown;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

pub use shown::{flag, number, text};
use tempfile::TempDir;
use zbus::Connection;

use super::{Awake, Net, Running, binary, root};

/// One person's desk. All of it ends on drop.
#[derive(Debug)]
pub struct Desk {
    /// The display name.
    pub name: String,
    folder: TempDir,
    program: PathBuf,
    daemon: Option<Running>,
    /// For the daemon alone, over the desk's own.
    environment: Vec<(String, Option<String>)>,
    /// The sound server: `pipewire` or `pulse`.
    sound: String,
    /// Its daemon's relay.
    relay: String,
}

impl Desk {
    /// A desk on which nothing runs yet; the daemon will use that relay.
    pub fn prepare(name: &str, relay: &str) -> io::Result<Self> {
        Self::prepare_with(name, relay, "pipewire")
    }

    /// The same with that sound server: `pipewire` or `pulse`.
    pub fn prepare_with(name: &str, relay: &str, sound: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ahoy-").tempdir()?;
        let desk = Self {
            name: name.to_owned(),
            folder,
            program: binary("ahoyd"),
            daemon: None,
            environment: Vec::new(),
            sound: sound.to_owned(),
            relay: relay.to_owned(),
        };
        desk.lab("prepare", &["--owner", &std::process::id().to_string(), "--sound", sound])?;
        fs::create_dir_all(desk.config().parent().unwrap_or(Path::new("/")))?;
        desk.configure_with("[ring]\nmuted = true\ntones = false\n")?;
        Ok(desk)
    }

    /// Writes the daemon's configuration.
    pub fn configure(&self, text: &str) -> io::Result<()> {
        fs::write(self.config(), text)
    }

    /// Writes the daemon's configuration: this name and relay, a log that tells much, and these lines.
    pub fn configure_with(&self, more: &str) -> io::Result<()> {
        let Self { name, relay, .. } = self;
        self.configure(&format!(
            "[account]\nname = \"{name}\"\n[relay]\nurls = [\"{relay}\"]\n[log]\nlevel = \"debug\"\n{more}"
        ))
    }

    /// From now on the daemon is that program.
    pub fn set_program(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// The daemon's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where its daemon keeps what must survive a restart.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state/ahoy")
    }

    /// Its `XDG_RUNTIME_DIR`.
    pub fn runtime_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Starts the `bus` or the `sound`; returns when it is there. From the first sound server on the cores are kept awake.
    pub fn begin(&self, part: &str) -> io::Result<()> {
        if part == "sound" {
            Awake::shared();
        }
        self.lab("start", &[part])
    }

    /// The process of a part, as `pipewire` or `pulseaudio`.
    pub fn part(&self, name: &str) -> anyhow::Result<rustix::process::Pid> {
        let number = fs::read_to_string(self.folder().join("pids").join(name))?;
        let process = rustix::process::Pid::from_raw(number.trim().parse()?);
        process.ok_or_else(|| anyhow::anyhow!("{name} has no number"))
    }

    /// Stops the `bus` or the `sound`.
    pub fn end(&self, part: &str) -> io::Result<()> {
        self.lab("stop", &[part])
    }

    /// The command that runs a daemon here.
    pub fn daemon_command(&self, net: &Net) -> Command {
        self.command(net, &self.program)
    }

    /// The command that runs any program here.
    pub fn command(&self, net: &Net, program: &Path) -> Command {
        let mut command = net.command(program);
        self.dress(&mut command);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// From now on the daemon is a copy of the program: it shares no memory with the daemon of another desk.
    pub fn use_a_copy(&mut self) -> io::Result<()> {
        self.program = self.folder.path().join("ahoyd");
        fs::copy(binary("ahoyd"), &self.program).map(drop)
    }

    /// Where all of the desk lies: `run/bus` is the bus, `state/ahoy` the daemon's state.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the daemon; returns at once.
    pub fn start_daemon(&mut self, net: &Net) -> io::Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        self.daemon = Some(Running::start(self.daemon_command(net).stdout(log.try_clone()?).stderr(log))?);
        Ok(())
    }

    /// Kills the daemon as `kill -9` does.
    pub fn kill_daemon(&mut self) {
        self.daemon = None;
    }

    /// The daemon's process.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Running::id)
    }

    /// Asks the daemon to stop, and waits until it has.
    pub fn stop_daemon(&mut self) -> io::Result<()> {
        if let Some(mut running) = self.daemon.take() {
            let pid = rustix::process::Pid::from_child(running.child());
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
            running.child().wait()?;
        }
        Ok(())
    }

    /// The daemon's process, and how it ended if it did.
    pub fn daemon(&mut self) -> io::Result<(u32, Option<ExitStatus>)> {
        let running = self.daemon.as_mut().ok_or_else(|| io::Error::other("no daemon was started"))?;
        Ok((running.child().id(), running.child().try_wait()?))
    }

    /// All that the daemon has logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The last lines of it.
    pub fn tail(&self) -> String {
        let log = self.logged();
        let mut lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// What it logged last of sound devices, and what troubles it.
    pub fn tail_of_sound(&self) -> String {
        let log = self.logged();
        let of_sound = |line: &&str| line.contains("media::device") || line.contains("WARN");
        let lines: Vec<&str> = log.lines().filter(of_sound).collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Runs ahoyctl with that on its standard input.
    pub fn ctl(&self, words: &[&str], given: &str) -> io::Result<Output> {
        let mut command = Command::new(binary("ahoyctl"));
        self.dress(&mut command);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // Who has nothing to read may have ended already.
            match input.write_all(given.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        child.wait_with_output()
    }

    /// What ahoyctl prints; an error unless it ends with 0.
    pub fn ctl_says(&self, words: &[&str]) -> anyhow::Result<String> {
        self.ctl_reads(words, "")
    }

    /// The same, with something to read.
    pub fn ctl_reads(&self, words: &[&str], given: &str) -> anyhow::Result<String> {
        let output = self.ctl(words, given)?;
        let (status, said) = (output.status, String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(status.success(), "ahoyctl {words:?} ended with {status}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A program on this desk that needs no network.
    pub fn local(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.dress(&mut command);
        command
    }

    /// Sets a variable for the daemon alone, or takes one from it; before it is started.
    pub fn daemon_variable(&mut self, name: &str, value: Option<&str>) {
        self.environment.push((name.to_owned(), value.map(str::to_owned)));
    }

    /// The bus of this desk.
    pub async fn bus(&self) -> anyhow::Result<Connection> {
        let address = format!("unix:path={}", self.folder.path().join("run/bus").display());
        Ok(zbus::connection::Builder::address(address.as_str()).build().await?)
    }

    fn lab(&self, verb: &str, more: &[&str]) -> io::Result<()> {
        let script = root().join("tests/lab/soundlab.sh");
        let mut command = Command::new(script);
        let done = command.arg(verb).arg(self.folder.path()).args(more).stdin(Stdio::null()).output()?;
        let complaint = || io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned());
        if done.status.success() { Ok(()) } else { Err(complaint()) }
    }

    /// Gives a program the environment of this desk.
    fn dress(&self, command: &mut Command) {
        let lines =
            fs::read_to_string(self.folder.path().join("env")).expect("a prepared desk has its environment");
        command.envs(lines.lines().filter_map(|line| line.split_once('=')));
        for other in ["DISPLAY", "WAYLAND_DISPLAY", "PULSE_SINK", "PULSE_SOURCE", "PIPEWIRE_REMOTE"] {
            command.env_remove(other);
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config/ahoy/config.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log/ahoyd")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.daemon = None;
        if let Err(error) = self.lab("down", &[]) {
            eprintln!("{}: {error}", self.name);
        }
    }
}
