//! A real LiveKit server on loopback, on ports of its own.
//!
//! Lives here: its beginning, its end, and its beginning again. `tests/lab/livekit.sh` builds it.
//! Must not: reach beyond loopback.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ahoyd::system::clock;
use tempfile::TempDir;
use tokio::net::TcpStream;

pub(crate) const KEY: &str = "testkey";
pub(crate) const SECRET: &str = "a secret of the tests that is long enough";

pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

/// What nodes of a server know of each other by.
pub(crate) struct Redis {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        // One program under two names: Debian's package of the other one begins it on every machine that has systemd.
        let mut command = Command::new("redis-check-rdb");
        command.arg0("redis-server");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &port.to_string(),
        ]);
        let process = command.current_dir(folder.path()).stdout(log).spawn().unwrap();
        listens(port).await;
        Self { port, process, _folder: folder }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

async fn listens(port: u16) {
    let give_up = clock::now() + Duration::from_secs(20);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        assert!(clock::now() < give_up, "nobody listens on port {port}");
        clock::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::begin("").await
    }

    /// One of the nodes that share a Redis.
    pub(crate) async fn node(redis: &Redis) -> Self {
        Self::begin(&format!("redis: {{address: '127.0.0.1:{}'}}\n", redis.port)).await
    }

    async fn begin(more: &str) -> Self {
        let local = (Ipv4Addr::LOCALHOST, 0);
        let port = TcpListener::bind(local).unwrap().local_addr().unwrap().port();
        let udp = UdpSocket::bind(local).unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "port: {port}\nbind_addresses: [127.0.0.1]\nkeys: {{{KEY}: {SECRET}}}\n\
             rtc:\n  tcp_port: 0\n  udp_port: {udp}\n  use_external_ip: false\n  node_ip: 127.0.0.1\n  enable_loopback_candidate: true\n  \
             interfaces: {{includes: [lo]}}\n  stun_servers: ['127.0.0.1:9']\n  allow_tcp_fallback: false\nturn: {{enabled: false}}\n{more}"
        );
        std::fs::write(folder.path().join("livekit.yaml"), settings).unwrap();
        let mut server = Self { folder, port, process: None };
        server.again().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Begins it, on the same ports.
    pub(crate) async fn again(&mut self) {
        let built =
            Command::new(root().join("tests/lab/livekit.sh")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "there is no LiveKit server");
        let program = String::from_utf8(built.stdout).unwrap();
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(program.trim());
        command.arg("--config").arg(self.folder.path().join("livekit.yaml"));
        self.process = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let give_up = clock::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            assert!(clock::now() < give_up, "the server does not listen: {}", self.log());
            clock::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it wrote. Kept out of sight where all is well.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
