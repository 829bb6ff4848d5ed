//! A private message bus for one test.
//!
//! Lives here: a `dbus-daemon` with its own configuration, socket and folder, which ends with its owner.
//! Must not: know what is served on it, or touch the session's own bus.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A bus that knows no activatable services. Killed and removed on drop.
#[derive(Debug)]
pub struct PrivateBus {
    folder: TempDir,
    daemon: Option<Child>,
}

impl PrivateBus {
    /// A bus that runs.
    pub fn start() -> io::Result<Self> {
        let mut bus = Self::absent()?;
        bus.come()?;
        Ok(bus)
    }

    /// A place where a bus may come later.
    pub fn absent() -> io::Result<Self> {
        let bus = Self { folder: tempfile::Builder::new().prefix("ahoy-bus-").tempdir()?, daemon: None };
        fs::write(bus.config(), configuration(&bus.socket().display().to_string()))?;
        Ok(bus)
    }

    /// Starts the bus; returns when it takes connections.
    pub fn come(&mut self) -> io::Result<()> {
        self.go();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", self.config().display()))
            .args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = daemon.stdout.take();
        self.daemon = Some(daemon);
        let mut address = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut address)?;
        }
        if address.is_empty() {
            return Err(io::Error::other("the private bus ended before it took connections"));
        }
        Ok(())
    }

    /// Kills the bus, as if the session had ended. Its connections break.
    pub fn go(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let killed = daemon.kill().and_then(|()| daemon.wait());
            killed.expect("a child of ours can be killed and waited for");
            // A dead daemon leaves its socket behind, on which a new one could not listen.
            let removed = fs::remove_file(self.socket());
            if let Err(error) = removed {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
            }
        }
    }

    /// Stops the bus from reading and writing until `thaw`; its connections stay.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen bus go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(daemon) = &self.daemon else { return Err(io::Error::other("the bus is not there")) };
        Ok(kill_process(Pid::from_child(daemon), signal)?)
    }

    /// Its address, as in `DBUS_SESSION_BUS_ADDRESS`. The same each time it comes.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("bus.conf")
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.go();
    }
}

fn configuration(socket: &str) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#
    )
}
