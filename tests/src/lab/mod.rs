//! Real people on one machine: desktops, daemons, a relay, in a network of their own.
//!
//! Lives here: the programs under test as processes, and the processes around them; all end with their owner.
//! Must not: judge a call, or reach into a daemon otherwise than a user can.

mod awake;
mod capture;
mod desk;
mod house;
mod net;
mod people;
mod screen;
mod sound;
mod watch;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

pub use awake::{Awake, Mark};
pub use capture::{Capture, Packet};
pub use desk::{Desk, flag, number, text};
pub use house::{Family, Floor, House, Recording};
pub use net::Net;
pub use people::{
    ANA, BEN, Place, Talkers, dial, dial_in_vain, introduce, put_through, two, two_on, two_without_sound,
};
pub use screen::Screen;
pub use sound::{Ears, Mouth};
pub use watch::{Watch, changed_calls};

/// A child process that is killed when it is dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.0.kill().is_ok() {
            self.0.wait().expect("a child of ours can be waited for");
        }
    }
}

/// A relay in memory.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens.
    pub url: String,
    running: Running,
}

impl Relay {
    /// A relay in that network; port 0 for any.
    pub fn start(net: &Net, port: u16) -> io::Result<Self> {
        Self::begin(net, port, Stdio::null())
    }

    /// The same, which adds what it logs to a file.
    pub fn start_logging(net: &Net, port: u16, log: &Path) -> io::Result<Self> {
        Self::begin(net, port, fs::OpenOptions::new().create(true).append(true).open(log)?.into())
    }

    /// A relay in that network with this configuration.
    pub fn start_with(net: &Net, config: &Path) -> io::Result<Self> {
        let mut command = net.command(&binary("ahoy-relay"));
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(config).stderr(Stdio::null());
        Self::listening(command)
    }

    /// The same, to which this is the only authority that may sign the certificates of servers.
    pub fn start_trusting(net: &Net, config: &Path, authority: &Path) -> io::Result<Self> {
        let mut command = net.command(&binary("ahoy-relay"));
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(config).stderr(Stdio::null());
        command.env("SSL_CERT_FILE", authority);
        Self::listening(command)
    }

    fn begin(net: &Net, port: u16, log: Stdio) -> io::Result<Self> {
        let mut command = net.command(&binary("ahoy-relay"));
        command.args(["--listen", &format!("127.0.0.1:{port}")]).stderr(log);
        Self::listening(command)
    }

    fn listening(mut command: Command) -> io::Result<Self> {
        command.stdout(Stdio::piped());
        let mut running = Running::start(&mut command)?;
        let mut line = String::new();
        let printed = running.child().stdout.take().ok_or_else(|| io::Error::other("the relay's output"))?;
        BufReader::new(printed).read_line(&mut line)?;
        let url =
            line.trim().strip_prefix("listening ").ok_or_else(|| io::Error::other("no address"))?.to_owned();
        Ok(Self { url, running })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.id()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("a relay's address ends with its port")
    }

    /// Kills it.
    pub fn kill(self) {
        drop(self.running);
    }
}

/// A program of the workspace, built from the sources as they are now.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    // Those of another tree, an older one for instance, show what has become of it, and which tests they fail.
    if let Some(folder) = std::env::var_os("AHOY_LAB_PROGRAMS") {
        return PathBuf::from(folder).join(name);
    }
    let test = std::env::current_exe().expect("a program knows its own file");
    let beside = test.parent().expect("a program lies in a folder");
    // Tests lie in `deps` below the profile's folder, the benchmark in the folder itself.
    let folder = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside }.to_owned();
    // As `make bench` built them: another set of packages would ask for other features, and build everything anew.
    let what: &[&str] = match folder.ends_with("release") {
        true => &["--bins", "--release", "-pahoyd", "-pahoyctl", "-pahoy-relay", "-pahoy-bench"],
        false => &["--bins", "--workspace"],
    };
    BUILT.call_once(|| build(&folder, what));
    folder.join(name)
}

/// The daemon with points at which a test may end it, built beside the others.
pub fn daemon_with_failpoints() -> PathBuf {
    static BUILT: Once = Once::new();
    const NAME: &str = "ahoyd-with-failpoints";
    let folder = binary(NAME).parent().expect("a program lies in a folder").to_owned();
    let profile = if folder.ends_with("release") { "release" } else { "dev" };
    let what = ["--package", "ahoyd", "--features", "failpoints", "--bin", NAME, "--profile", profile];
    BUILT.call_once(|| build(&folder, &what));
    folder.join(NAME)
}

fn build(folder: &Path, what: &[&str]) {
    let target = folder.parent().expect("the profile's folder lies in the target folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(target).args(what).current_dir(root());
    assert!(cargo.status().is_ok_and(|status| status.success()), "cargo does not build {what:?}");
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
