//! What a machine needs to be another one: its own names, users and relay.
//!
//! Lives here: files of `/etc` that one program sees otherwise than the rest, relays behind TLS.
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

/// Who vouches for the relays of a test.
pub(crate) struct Authority {
    files: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let files = tempfile::tempdir()?;
        fs::write(files.path().join("ca"), issuer.pem())?;
        Ok(Self { files, issuer })
    }

    /// The file by which a daemon believes its relays.
    pub(crate) fn file(&self) -> String {
        self.files.path().join("ca").display().to_string()
    }

    /// A relay behind TLS on that address, which calls itself by that name and is configured so; with its URL.
    pub(crate) fn relay(
        &self,
        net: &Net,
        listen: &str,
        name: &str,
        config: &str,
    ) -> anyhow::Result<(Running, String)> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let path = |what: &str| self.files.path().join(format!("{name}.{what}"));
        fs::write(path("cert"), certificate.pem())?;
        fs::write(path("key"), key.serialize_pem())?;
        fs::write(path("toml"), config)?;
        let mut command = net.command(&binary("ahoy-relay"));
        command
            .args(["--listen", &format!("{listen}:0"), "--tls-cert"])
            .arg(path("cert"))
            .arg("--tls-key")
            .arg(path("key"))
            .arg("--config")
            .arg(path("toml"));
        let mut relay = Running::start(command.stdout(Stdio::piped()))?;
        let mut line = String::new();
        let printed = relay.child().stdout.take().ok_or_else(|| anyhow::anyhow!("the relay's output"))?;
        BufReader::new(printed).read_line(&mut line)?;
        let port = line.trim().rsplit(':').next().unwrap_or_default().to_owned();
        anyhow::ensure!(port.parse::<u16>().is_ok(), "the relay says {line:?}");
        Ok((relay, format!("wss://{name}:{port}")))
    }
}
