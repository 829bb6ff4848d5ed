//! A TURN server as people run it: coturn, on this machine.
//!
//! Lives here: its command line, what a relay would tell of it, and its end.
//! Must not: know who uses it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ahoy_relay::address::Address;
use ahoy_relay::turn::Ice;
use ahoyd::system::clock;
use ahoyd::system::trust::Trust;
use ahoyd::values::ice::IceServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

const SECRET: &str = "the secret of the test";
const HOUR: i64 = 3_600;

/// It runs until it is dropped.
pub(crate) struct Turn {
    process: Child,
    folder: TempDir,
    plain: u16,
    sealed: u16,
}

/// A port that nobody has, by neither protocol.
fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Turn {
    /// With these options beside the usual ones.
    pub(crate) async fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        certify(&folder);
        let (plain, sealed) = (free_port(), free_port());
        let process = Command::new("turnserver")
            .args([
                "-n",
                "--no-cli",
                "--simple-log",
                "--verbose",
                "--fingerprint",
                "--realm=test",
                "--allow-loopback-peers",
            ])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--relay-threads=1"])
            .args([format!("--listening-port={plain}"), format!("--tls-listening-port={sealed}")])
            .args(["--use-auth-secret".to_owned(), format!("--static-auth-secret={SECRET}")])
            .args([format!("--cert={}", at("cert")), format!("--pkey={}", at("key"))])
            .args([
                format!("--userdb={}", at("db")),
                format!("--pidfile={}", at("pid")),
                format!("--log-file={}", at("log")),
            ])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn is installed (tests/lab/install.sh net)");
        let turn = Self { process, folder, plain, sealed };
        let give_up = clock::now() + Duration::from_secs(20);
        let mut knocks = 0;
        // Both listen, and it has written down who knocked.
        while knocks < 2 || turn.streams() < 2 {
            assert!(clock::now() < give_up, "coturn listens in time");
            if let Some(port) = [plain, sealed].get(knocks) {
                knocks += usize::from(TcpStream::connect(("127.0.0.1", *port)).is_ok());
            }
            clock::sleep(Duration::from_millis(20)).await;
        }
        turn
    }

    /// How many connections by TCP or TLS it has had.
    pub(crate) fn streams(&self) -> usize {
        self.log().matches("tcp or tls connected").count()
    }

    /// Where it is reached by UDP.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.plain))
    }

    fn urls(&self, by: &str) -> Vec<String> {
        vec![match by {
            "tls" => format!("turns:127.0.0.1:{}?transport=tcp", self.sealed),
            by => format!("turn:127.0.0.1:{}?transport={by}", self.plain),
        }]
    }

    /// As a relay tells of it, with credentials that end in so many seconds.
    pub(crate) fn servers(&self, by: &str, for_s: i64) -> Vec<IceServer> {
        self.with_secret(by, for_s, SECRET)
    }

    /// The same of a relay that does not know its secret.
    pub(crate) fn servers_of_a_stranger(&self, by: &str) -> Vec<IceServer> {
        self.with_secret(by, HOUR, "another secret")
    }

    fn with_secret(&self, by: &str, for_s: i64, secret: &str) -> Vec<IceServer> {
        let ice = Ice { stun: Vec::new(), turn: self.urls(by), turn_secret: Some(secret.to_owned()) };
        let near = Address::from(IpAddr::V4(Ipv4Addr::LOCALHOST)).near;
        let minted = u64::try_from(clock::unix_us() / 1_000_000 - HOUR + for_s).unwrap();
        let servers = ice.servers(minted, near).into_iter();
        servers
            .map(|it| IceServer { urls: it.urls, username: it.username, credential: it.credential })
            .collect()
    }

    /// Who certified it.
    pub(crate) fn trust(&self) -> Trust {
        Trust::new(Some(self.file("authority")))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// It is gone, without a word.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn certify(folder: &TempDir) {
    let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&key).unwrap().pem();
    let named = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = named.signed_by(&own, &Issuer::new(authority, key)).unwrap();
    for (name, text) in [("authority", pem), ("cert", certificate.pem()), ("key", own.serialize_pem())] {
        fs::write(folder.path().join(name), text).unwrap();
    }
}
