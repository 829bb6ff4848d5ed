//! A place with an authority, relays behind TLS, and a web server that has lists and answers.
//!
//! Lives here: these processes, what was signed and published, what the web server was asked, desks that know the authority.
//! Must not: judge what a daemon makes of it.

#![expect(clippy::disallowed_methods, reason = "a thread ends with the process that it reads")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net, Running, binary, root};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a machine that has much to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) type Outcome = anyhow::Result<()>;

pub(crate) struct Site {
    pub(crate) net: Net,
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The public half of the key that signs.
    pub(crate) key: String,
    web: Option<Running>,
    asked: Receiver<String>,
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (net, folder) = (Net::new()?, tempfile::tempdir()?);
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ca.pem"), issuer.pem())?;
        fs::write(path("cert.pem"), certificate.pem())?;
        fs::write(path("key.pem"), key.serialize_pem())?;
        Command::new("chmod").arg("600").arg(path("key.pem")).status()?;
        fs::create_dir(path("web"))?;
        let mut web = net.command(Path::new("python3"));
        web.arg(root().join("tests/lab/web.py")).args([path("web"), path("cert.pem"), path("key.pem")]);
        let (web, url, asked) = listening(web)?;
        let mut site = Self { net, url, key: String::new(), web: Some(web), asked, folder };
        site.key = site.sign(&["--new-key", &site.path("signs")])?.trim().to_owned();
        Ok(site)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn sign(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let done = Command::new(binary("ahoy-relay")).arg("sign-list").args(arguments).output()?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?)
    }

    /// A relay, and its address.
    pub(crate) fn relay(&self) -> anyhow::Result<(Running, String)> {
        let mut command = self.net.command(&binary("ahoy-relay"));
        command.args(["--listen", "127.0.0.1:0", "--tls-cert", &self.path("cert.pem")]);
        command.args(["--tls-key", &self.path("key.pem")]);
        let (relay, url, _) = listening(command)?;
        Ok((relay, url))
    }

    /// Puts a list with these relays at that place, and returns its address.
    pub(crate) fn publish(&self, place: &str, serial: u32, relays: &[&str]) -> anyhow::Result<String> {
        let (key, serial, file) = (self.path("signs"), serial.to_string(), self.web_file(place));
        let file = file.display().to_string();
        let mut arguments = vec!["--key", &key, "--serial", &serial, "-o", &file];
        relays.iter().for_each(|relay| arguments.extend(["--relay", relay]));
        self.sign(&arguments)?;
        Ok(format!("{}/{place}", self.url))
    }

    /// Puts bytes at a place.
    pub(crate) fn put(&self, place: &str, bytes: &[u8]) -> Outcome {
        Ok(fs::write(self.web_file(place), bytes)?)
    }

    fn web_file(&self, place: &str) -> PathBuf {
        self.folder.path().join("web").join(place)
    }

    /// The web server is gone.
    pub(crate) fn end_web(&mut self) {
        self.web = None;
    }

    /// What the web server was asked until now.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }

    /// `[relay]` of somebody who knows the authority, with these lines.
    pub(crate) fn configuration(&self, name: &str, lines: &str) -> String {
        let ca = self.path("ca.pem");
        format!(
            "[account]\nname = \"{name}\"\n[relay]\nca-file = \"{ca}\"\n{lines}\n[lan]\nenabled = false\n\
             [log]\nlevel = \"debug\"\n[ring]\nmuted = true\ntones = false\n"
        )
    }

    /// The lines of a list at that address.
    pub(crate) fn of_list(&self, url: &str) -> String {
        format!("list = \"{url}\"\nlist-keys = [\"{}\"]", self.key)
    }

    /// A desk whose daemon runs with these lines, and is ready.
    pub(crate) async fn desk(&self, name: &str, lines: &str) -> anyhow::Result<Desk> {
        let mut desk = Desk::prepare(name, "")?;
        desk.configure(&self.configuration(name, lines))?;
        desk.begin("bus")?;
        self.begin(&mut desk).await?;
        Ok(desk)
    }

    pub(crate) async fn begin(&self, desk: &mut Desk) -> Outcome {
        desk.start_daemon(&self.net)?;
        let ready = async || Ok(manager(desk).await?.ready().await.unwrap_or(false));
        desk.until_so(SOON, ready).await
    }
}

/// Starts a program that says where it listens; what it says after that.
fn listening(mut command: Command) -> anyhow::Result<(Running, String, Receiver<String>)> {
    let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let printed = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut printed = BufReader::new(printed);
    let mut line = String::new();
    printed.read_line(&mut line)?;
    let url = line.trim().strip_prefix("listening ").ok_or_else(|| anyhow::anyhow!("it says {line:?}"))?;
    let (url, (tell, said)) = (url.to_owned(), sync_channel(256));
    std::thread::spawn(move || printed.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    Ok((running, url, said))
}

pub(crate) async fn manager(desk: &Desk) -> anyhow::Result<ahoy_dbus::proxy::ManagerProxy<'static>> {
    Ok(ahoy_dbus::proxy::ManagerProxy::new(&desk.bus().await?).await?)
}

/// The relays of a desk, those alone that serve, and where each comes from.
pub(crate) fn serving(desk: &Desk) -> anyhow::Result<Vec<(String, String)>> {
    let shown: Value = serde_json::from_str(&desk.ctl_says(&["account", "show", "--json"])?)?;
    let rows = shown["account"]["serving"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let serves = rows.iter().filter(|row| row["serves"] == true);
    Ok(serves.map(|row| (text(row, "url"), text(row, "from"))).collect())
}

/// Waits until exactly these relays serve, and come from there.
pub(crate) async fn until_serving(desk: &Desk, relays: &[&str], from: &str) -> Outcome {
    let wanted: Vec<_> = relays.iter().map(|url| ((*url).to_owned(), from.to_owned())).collect();
    let so = desk.until_so(SOON, async || Ok(serving(desk)? == wanted)).await;
    so.map_err(|error| anyhow::anyhow!("{wanted:?} are not there, but {:?}: {error}", serving(desk)))
}
