//! What a machine needs to be another one: its own names, users and relay.
//!
//! Lives here: files of `/etc` that one program sees otherwise than the rest, a relay behind TLS, a portal.
//! Must not: change a file of this machine.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ahoy_tests::lab::{Net, Running, binary};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// Says so where there is no right to have another machine's network and files.
pub(crate) fn not_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("SKIPPED: not root, so no network with interfaces and no /etc of one's own");
    }
    !root
}

/// What one program finds in `/etc`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Etc<'a> {
    /// `/etc/hosts`.
    pub(crate) hosts: Option<&'a str>,
    /// `/etc/resolv.conf`.
    pub(crate) resolver: Option<&'a str>,
    /// Users that are in a directory and not in `/etc/passwd`, as lines of it.
    pub(crate) users: Option<&'a str>,
}

impl Etc<'_> {
    /// A program that is that program in such surroundings. Its files lie in the folder.
    pub(crate) fn around(self, folder: &Path, program: &Path) -> io::Result<PathBuf> {
        let mut mounts = String::new();
        let mut bind = |name: &str, text: &str, place: &str| {
            let file = folder.join(name);
            fs::write(&file, text)?;
            mounts.push_str(&format!("mount --bind {} {place} && ", file.display()));
            io::Result::Ok(())
        };
        // Whatever the machine asks else, here it is files and the name servers alone.
        let by = format!(
            "passwd: files{}\ngroup: files\nhosts: files dns\n",
            if self.users.is_some() { " extrausers" } else { "" }
        );
        bind("nsswitch.conf", &by, "/etc/nsswitch.conf")?;
        if let Some(text) = self.hosts {
            bind("hosts", text, "/etc/hosts")?;
        }
        if let Some(text) = self.resolver {
            bind("resolv.conf", text, "/etc/resolv.conf")?;
        }
        if let Some(text) = self.users {
            fs::create_dir_all(folder.join("extrausers"))?;
            fs::write(folder.join("extrausers/passwd"), text)?;
            mounts.push_str(&format!(
                "mount --bind {} /var/lib/extrausers && ",
                folder.join("extrausers").display()
            ));
        }
        let wrapper = folder.join("elsewhere");
        let script = format!(
            "#!/bin/sh\nexec unshare --mount -- sh -c '{mounts}exec \"$0\" \"$@\"' {} \"$@\"\n",
            program.display()
        );
        fs::write(&wrapper, script)?;
        let done = Command::new("chmod").arg("755").arg(&wrapper).status()?;
        if done.success() { Ok(wrapper) } else { Err(io::Error::other("chmod")) }
    }
}

/// A relay behind TLS on that address, which calls itself `relay.test`: with its URL, and the file of who vouches for it.
pub(crate) fn sealed_relay(net: &Net, listen: &str) -> anyhow::Result<(Running, String, String, TempDir)> {
    let files = tempfile::tempdir()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["relay.test".to_owned()])?.signed_by(&key, &authority)?;
    let path = |name: &str| files.path().join(name);
    fs::write(path("ca"), authority.pem())?;
    fs::write(path("cert"), certificate.pem())?;
    fs::write(path("key"), key.serialize_pem())?;
    let mut command = net.command(&binary("ahoy-relay"));
    command
        .args(["--listen", &format!("{listen}:0"), "--tls-cert"])
        .arg(path("cert"))
        .arg("--tls-key")
        .arg(path("key"));
    let mut relay = Running::start(command.stdout(Stdio::piped()))?;
    let mut line = String::new();
    let printed = relay.child().stdout.take().ok_or_else(|| anyhow::anyhow!("the relay's output"))?;
    BufReader::new(printed).read_line(&mut line)?;
    let port = line.trim().rsplit(':').next().unwrap_or_default().to_owned();
    anyhow::ensure!(port.parse::<u16>().is_ok(), "the relay says {line:?}");
    Ok((relay, format!("wss://relay.test:{port}"), path("ca").display().to_string(), files))
}

const PORTAL: &str = "
import socketserver, sys
class Portal(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip(): pass
        self.wfile.write(b'HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: 26\\r\\n\\r\\n<html>Please log in</html>')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), Portal) as portal:
    print('open', flush=True)
    portal.serve_forever()";

/// Who answers everything that comes to that port with a page to log in.
pub(crate) fn portal(net: &Net, port: u16) -> io::Result<Running> {
    let mut command = net.command(Path::new("python3"));
    command.args(["-c", PORTAL, &port.to_string()]).stdout(Stdio::piped());
    let mut portal = Running::start(&mut command)?;
    let mut line = String::new();
    let printed = portal.child().stdout.take().ok_or_else(|| io::Error::other("the portal's output"))?;
    BufReader::new(printed).read_line(&mut line)?;
    if line.trim() == "open" { Ok(portal) } else { Err(io::Error::other("the portal does not open")) }
}
