//! A real coturn with a certificate of its own authority, in a network of its own.
//!
//! Lives here: its configuration, waiting until it listens, what it logged of allocations.
//! Must not: judge what the daemon makes of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ahoy_tests::lab::{Net, Running};
use anyhow::ensure;
use tempfile::TempDir;

/// What it shares with a relay.
pub(crate) const SECRET: &str = "between the two";

/// A TURN server that listens by UDP, TCP and TLS.
pub(crate) struct TurnServer {
    folder: TempDir,
    _running: Running,
}

impl TurnServer {
    /// Returns when it listens; none where coturn is not installed.
    pub(crate) fn start(net: &Net) -> anyhow::Result<Option<Self>> {
        if Command::new("turnserver")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("ahoy-turn-").tempdir()?;
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("cert.pem"), certificate.cert.pem())?;
        std::fs::write(file("key.pem"), certificate.signing_key.serialize_pem())?;
        let config = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port=3478\ntls-listening-port=5349\nno-cli\nno-dtls\n\
             use-auth-secret\nstatic-auth-secret={SECRET}\nrealm=ahoy\nverbose\nsimple-log\nlog-file={log}\n\
             cert={cert}\npkey={key}\npidfile={pid}\nuserdb={db}\n",
            log = file("log").display(),
            cert = file("cert.pem").display(),
            key = file("key.pem").display(),
            pid = file("pid").display(),
            db = file("db").display(),
        );
        std::fs::write(file("turn.conf"), config)?;
        let mut command = net.command(Path::new("turnserver"));
        command.arg("-c").arg(file("turn.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(&mut command)?;
        // Each try is a program that starts and ends: a pause by itself.
        let asked = |port: u16| {
            let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
            let mut bash = net.command(Path::new("bash"));
            bash.args(["-c", &connect]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let listens = |port: u16| (0..2_000).any(|_| asked(port));
        ensure!(listens(3478) && listens(5349), "coturn does not listen");
        Ok(Some(Self { folder, _running: running }))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority of its certificate: itself.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// It has given out so many allocations, and got all of them back by a refresh for no time.
    pub(crate) fn until_released(&self, allocations: usize) -> anyhow::Result<()> {
        let log = std::fs::read_to_string(self.folder.path().join("log"))?;
        let count =
            |words: &[&str]| log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
        let (given, back) = (count(&[": new, "]), count(&["refreshed", "lifetime=0"]));
        ensure!(given == allocations && back == allocations, "{given} given, {back} back:\n{log}");
        Ok(())
    }
}
