//! A private session bus for one test.
//!
//! Lives here: a dbus-daemon with its own folder, killed and removed with its owner; a service that it may start.
//! Must not: touch the session's own bus, or serve anything.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The bus.
#[derive(Debug)]
pub(crate) struct PrivateBus {
    folder: TempDir,
    daemon: Child,
}

impl PrivateBus {
    /// A running bus. It could start a "daemon" that leaves a file behind and fails: see `was_started`.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("ahoyctl-").tempdir().unwrap();
        let at = folder.path().display();
        let started = folder.path().join("started");
        fs::create_dir(folder.path().join("services")).unwrap();
        fs::write(
            folder.path().join("services/org.ahoyd.Calls1.service"),
            format!(
                "[D-BUS Service]\nName=org.ahoyd.Calls1\nExec=/bin/sh -c 'touch {}; exit 1'\n",
                started.display()
            ),
        )
        .unwrap();
        fs::write(
            folder.path().join("bus.conf"),
            format!(
                "<busconfig><type>session</type><listen>unix:path={at}/bus</listen><auth>EXTERNAL</auth>\
                 <servicedir>{at}/services</servicedir><policy context=\"default\">\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>"
            ),
        )
        .unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={at}/bus.conf"))
            .args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed");
        // It prints its address once it takes connections.
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.is_empty(), "the private bus did not start");
        Self { folder, daemon }
    }

    /// For DBUS_SESSION_BUS_ADDRESS.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/bus", self.folder.path().display())
    }

    /// Somebody made the bus start the service.
    pub(crate) fn was_started(&self) -> bool {
        self.folder.path().join("started").exists()
    }

    /// A file for the test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}
