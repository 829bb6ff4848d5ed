//! A screen with a real notification server on it.
//!
//! Lives here: Xvfb, dunst with buttons that a test presses through dunst's own menu, pictures of what a person sees.
//! Must not: know a call.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use zbus::{Connection, OwnedVariant};

use super::{Desk, Running};

/// What is waited for comes within this.
const PATIENCE: Duration = Duration::from_secs(15);
const SERVER: &str = "org.freedesktop.Notifications";

/// A screen of one desk. All of it ends on drop.
#[derive(Debug)]
pub struct Screen {
    folder: TempDir,
    display: String,
    bus: Connection,
    dunst: Option<Running>,
    #[expect(dead_code, reason = "lives as long as the screen")]
    xvfb: Running,
}

impl Screen {
    /// The programs that are missing on this machine, if any.
    pub fn missing() -> Vec<&'static str> {
        let there = |program: &&str| {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            !found.is_ok_and(|found| found.status.success())
        };
        ["Xvfb", "dunst", "dunstctl", "import"].into_iter().filter(there).collect()
    }

    /// An empty screen on the bus of that desk.
    pub async fn light(desk: &Desk) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ahoy-screen-").tempdir()?;
        let mut command = Command::new("Xvfb");
        command
            .args(["-displayfd", "1", "-screen", "0", "640x400x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut xvfb = Running::start(&mut command)?;
        let said = xvfb.child().stdout.take().ok_or_else(|| io::Error::other("the X server's output"))?;
        let mut number = String::new();
        BufReader::new(said).read_line(&mut number)?;
        anyhow::ensure!(!number.trim().is_empty(), "the X server did not start");
        let display = format!(":{}", number.trim());
        let menu = folder.path().join("menu");
        // dunst hands over its menu on standard input; the test has written which line it wants.
        let choice = folder.path().join("choice");
        fs::write(&menu, format!("#!/bin/sh\ngrep -m1 -F \"$(cat {})\"\n", choice.display()))?;
        fs::set_permissions(&menu, fs::Permissions::from_mode(0o755))?;
        fs::write(folder.path().join("dunstrc"), configuration(&menu))?;
        let bus = desk.bus().await?;
        Ok(Self { folder, display, bus, dunst: None, xvfb })
    }

    /// Starts dunst; returns when it serves.
    pub async fn start(&mut self, desk: &Desk) -> anyhow::Result<()> {
        let mut command = self.command(desk, "dunst");
        command.arg("-conf").arg(self.folder.path().join("dunstrc"));
        command.stdout(Stdio::null()).stderr(fs::File::create(self.folder.path().join("log"))?);
        self.dunst = Some(Running::start(&mut command)?);
        let dbus = zbus::fdo::DBusProxy::new(&self.bus).await?;
        self.until("dunst", async || Ok(dbus.name_has_owner(SERVER.try_into()?).await?)).await
    }

    /// Kills dunst, as `kill -9` does.
    pub fn kill(&mut self) {
        self.dunst = None;
    }

    /// Waits until so many notes are on the screen.
    pub async fn until_shown(&self, count: u32) -> anyhow::Result<()> {
        self.until(&format!("{count} notes"), async || Ok(self.shown().await? == count)).await
    }

    async fn shown(&self) -> zbus::Result<u32> {
        let reply = self
            .bus
            .call_method(
                Some(SERVER),
                "/org/freedesktop/Notifications",
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &("org.dunstproject.cmd0", "displayedLength"),
            )
            .await?;
        let value: OwnedVariant = reply.body().deserialize()?;
        u32::try_from(&value)
    }

    /// Presses a button, by its label, in dunst's menu.
    pub fn choose(&self, desk: &Desk, label: &str) -> anyhow::Result<()> {
        fs::write(self.folder.path().join("choice"), label)?;
        self.control(desk, "context")
    }

    /// Closes the newest note, as a person does.
    pub fn dismiss(&self, desk: &Desk) -> anyhow::Result<()> {
        self.control(desk, "close")
    }

    fn control(&self, desk: &Desk, verb: &str) -> anyhow::Result<()> {
        let done = self.command(desk, "dunstctl").arg(verb).status()?;
        anyhow::ensure!(done.success(), "dunstctl {verb} ended with {done}");
        Ok(())
    }

    /// A picture of the screen.
    pub fn picture(&self, desk: &Desk, file: &Path) -> anyhow::Result<()> {
        let done = self.command(desk, "import").args(["-window", "root"]).arg(file).status()?;
        anyhow::ensure!(done.success(), "import ended with {done}");
        Ok(())
    }

    fn command(&self, desk: &Desk, program: &str) -> Command {
        let mut command = desk.local(program);
        command.env("DISPLAY", &self.display);
        command
    }

    /// Asks again and again, at the pace of the bus.
    async fn until(&self, what: &str, ask: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let dbus = zbus::fdo::DBusProxy::new(&self.bus).await?;
        let asking = async {
            while !ask().await? {
                dbus.get_id().await?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, asking)
            .await
            .map_err(|_| anyhow::anyhow!("not {what} within {PATIENCE:?}"))?
    }
}

fn configuration(menu: &Path) -> String {
    format!(
        "[global]\nmonitor = 0\norigin = top-left\noffset = 16x16\nwidth = 420\nheight = 300\nframe_width = 2\n\
         padding = 12\nhorizontal_padding = 14\ntext_icon_padding = 12\nfont = DejaVu Sans 12\nmarkup = full\n\
         format = \"<b>%s</b>\\n%b\"\nicon_position = left\nmin_icon_size = 48\nmax_icon_size = 64\nshow_indicators = yes\n\
         dmenu = {}\nidle_threshold = 0\n[urgency_normal]\nbackground = \"#285577\"\nforeground = \"#ffffff\"\ntimeout = 10\n\
         [urgency_critical]\nbackground = \"#202428\"\nforeground = \"#ffffff\"\nframe_color = \"#1f9d55\"\ntimeout = 0\n",
        menu.display()
    )
}
