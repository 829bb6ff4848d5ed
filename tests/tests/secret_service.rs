//! Do our keys lie in the Secret Service where that is wanted, and is nothing made anew where it cannot be read?
//!
//! Lives here: a real gnome-keyring on a desk's own bus: there, locked, absent, its question dismissed; the way there and back.
//! Must not: need sound or a relay.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net};
use serde_json::Value;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(30);
const SERVICE: &str = "org.freedesktop.secrets";

type Outcome = anyhow::Result<()>;

/// gnome-keyring, ended with this.
struct Keyring(Child);

impl Keyring {
    /// Starts it, with its keyring unlocked by that password; returns when it serves.
    async fn start(desk: &Desk, password: &str) -> anyhow::Result<Self> {
        let mut command = desk.local("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets", "--unlock"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| anyhow::anyhow!("its input"))?;
        input.write_all(password.as_bytes())?;
        drop(input);
        let keyring = Self(child);
        keyring.until_there(desk).await?;
        Ok(keyring)
    }

    /// Starts it with everything locked.
    async fn start_locked(desk: &Desk) -> anyhow::Result<Self> {
        let mut command = desk.local("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let keyring = Self(command.spawn()?);
        keyring.until_there(desk).await?;
        Ok(keyring)
    }

    async fn until_there(&self, desk: &Desk) -> anyhow::Result<()> {
        let bus = desk.bus().await?;
        let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
        desk.until_so(SOON, async || Ok(dbus.name_has_owner(SERVICE.try_into()?).await?)).await
    }

    /// Ends it as a crash would.
    fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn is_missing() -> bool {
    let there = Command::new("gnome-keyring-daemon").arg("--version").stdout(Stdio::null()).status();
    if there.is_err() {
        println!("SKIPPED: gnome-keyring is not installed");
    }
    there.is_err()
}

fn desk(keys: &str) -> anyhow::Result<Desk> {
    let desk = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    desk.begin("bus")?;
    configure(&desk, keys)?;
    Ok(desk)
}

fn configure(desk: &Desk, keys: &str) -> anyhow::Result<()> {
    Ok(desk.configure(&format!(
        "[account]\nname = \"Ana\"\nkeys = \"{keys}\"\n[relay]\nurls = [\"ws://127.0.0.1:9\"]\n"
    ))?)
}

fn address(desk: &Desk) -> anyhow::Result<String> {
    let shown: Value = serde_json::from_str(&desk.ctl_says(&["account", "show", "--json"])?)?;
    Ok(shown["account"]["address"].as_str().unwrap_or_default().to_owned())
}

fn stored(desk: &Desk) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(desk.state_folder().join("identity/own.json"))?)?)
}

/// Whether the keys lie in the file.
fn in_file(desk: &Desk) -> anyhow::Result<bool> {
    Ok(stored(desk)?["device"].as_str().is_some_and(|key| !key.is_empty()))
}

#[tokio::test]
async fn keys_go_to_the_secret_service_and_back_and_the_account_stays_the_same() -> Outcome {
    if is_missing() {
        return Ok(());
    }
    let net = Net::new()?;
    let mut ana = desk("file")?;
    let _keyring = Keyring::start(&ana, "her password").await?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    let was = address(&ana)?;
    let key = stored(&ana)?["account"].as_str().unwrap_or_default().to_owned();
    ana.ctl_says(&["config", "set", "account.keys", "secret-service"])?;
    anyhow::ensure!(!in_file(&ana)?, "no key is left in the file");
    let found = ana.local("grep").args(["-rlF", &key]).arg(ana.state_folder()).output()?;
    anyhow::ensure!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    // Another program of the person finds it there, as the specification says.
    let seen = ana.local("secret-tool").args(["lookup", "xdg:schema", "org.ahoyd.Account"]).output()?;
    let seen: Value = serde_json::from_slice(&seen.stdout)?;
    anyhow::ensure!(seen["account"] == key.as_str());
    ana.ctl_says(&["config", "set", "relay.urls", "ws://127.0.0.1:8"])?;
    ana.stop_daemon()?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    anyhow::ensure!(address(&ana)? == was, "the same account after a restart");
    let seen = ana.local("secret-tool").args(["lookup", "xdg:schema", "org.ahoyd.Account"]).output()?;
    let seen: Value = serde_json::from_slice(&seen.stdout)?;
    anyhow::ensure!(seen["inboxes"]["ws://127.0.0.1:8"].is_string(), "a later inbox is kept there, too");

    ana.ctl_says(&["config", "set", "account.keys", "file"])?;
    anyhow::ensure!(in_file(&ana)? && stored(&ana)?["account"] == key.as_str());
    let seen = ana.local("secret-tool").args(["lookup", "xdg:schema", "org.ahoyd.Account"]).output()?;
    anyhow::ensure!(seen.stdout.is_empty(), "and no longer there");
    anyhow::ensure!(address(&ana)? == was);
    Ok(())
}

#[tokio::test]
async fn keys_that_are_locked_or_away_are_said_and_waited_for_and_no_account_is_made() -> Outcome {
    if is_missing() {
        return Ok(());
    }
    let net = Net::new()?;
    let mut ana = desk("secret-service")?;
    // Absent at the first start: there is no account, and the daemon runs.
    ana.start_daemon(&net)?;
    ana.until_problem(Some("no Secret Service"), SOON).await?;
    anyhow::ensure!(!ana.state_folder().join("identity/own.json").exists(), "none is made");
    let none = ana.ctl(&["account", "show"], "")?;
    anyhow::ensure!(none.status.code() == Some(10), "{}", String::from_utf8_lossy(&none.stderr));
    // It comes: the account is made by itself, and lies there.
    let keyring = Keyring::start(&ana, "her password").await?;
    ana.until_so(SOON, async || Ok(address(&ana).is_ok_and(|it| !it.is_empty()))).await?;
    anyhow::ensure!(!in_file(&ana)?);
    let (was, before) = (address(&ana)?, stored(&ana)?);
    ana.stop_daemon()?;
    keyring.kill()?;

    // Locked, and nobody can be asked: said, by the doctor too, and nothing is signed or made.
    let keyring = Keyring::start_locked(&ana).await?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("keyring is locked"), SOON).await?;
    anyhow::ensure!(address(&ana)? == was, "it is known who that is");
    let card = ana.ctl(&["account", "card"], "")?;
    anyhow::ensure!(!card.status.success());
    let said = String::from_utf8_lossy(&card.stderr).into_owned();
    anyhow::ensure!(said.contains("cannot be read"), "{said}");
    let call = ana.ctl(&["call", "Ben"], "")?;
    anyhow::ensure!(!call.status.success());
    let doctor = ana.ctl(&["doctor"], "")?;
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    anyhow::ensure!(doctor.contains("keyring is locked"), "{doctor}");
    ana.until_problem(Some("dismissed"), SOON).await?;
    anyhow::ensure!(stored(&ana)? == before, "the file is as it was");
    keyring.kill()?;

    // Unlocked: the daemon goes on by itself.
    let _keyring = Keyring::start(&ana, "her password").await?;
    ana.until_so(SOON, async || Ok(ana.ctl(&["account", "card"], "")?.status.success())).await?;
    anyhow::ensure!(address(&ana)? == was);
    Ok(())
}

#[tokio::test]
async fn keys_that_were_taken_out_are_said_to_be_lost_and_those_in_a_file_are_used_while_there_is_no_service()
-> Outcome {
    if is_missing() {
        return Ok(());
    }
    let net = Net::new()?;
    let mut ana = desk("file")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    let was = address(&ana)?;
    let set = ana.ctl(&["config", "set", "account.keys", "secret-service"], "")?;
    let said = String::from_utf8_lossy(&set.stderr).into_owned();
    anyhow::ensure!(!set.status.success() && said.contains("no Secret Service"), "{said}");
    anyhow::ensure!(in_file(&ana)? && address(&ana)? == was, "they stay where they are");
    ana.until_problem(Some("still lie in their file"), SOON).await?;
    anyhow::ensure!(ana.ctl(&["account", "card"], "")?.status.success(), "and are used");

    let _keyring = Keyring::start(&ana, "her password").await?;
    ana.stop_daemon()?;
    ana.start_daemon(&net)?;
    ana.until_so(SOON, async || Ok(!in_file(&ana)?)).await?;
    ana.stop_daemon()?;
    let cleared = ana.local("secret-tool").args(["clear", "xdg:schema", "org.ahoyd.Account"]).status()?;
    anyhow::ensure!(cleared.success());
    ana.start_daemon(&net)?;
    ana.until_problem(Some("not in the Secret Service any more"), SOON).await?;
    anyhow::ensure!(address(&ana)? == was, "no other account takes its place");
    ana.ctl_says(&["account", "remove", "--yes"])?;
    ana.until_so(SOON, async || Ok(address(&ana).is_ok_and(|it| it != was))).await?;
    Ok(())
}
