//! The other programs: how each is begun, with nothing but a home of its own.
//!
//! Lives here: their names, arguments and settings.
//! Must not: install anything.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ahoyd::system::clock;
use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};

use crate::cases;

/// Sounds may begin without a click; interfaces are used as in a page that may use a microphone.
const FIREFOX_SETTINGS: &str = r#"
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
"#;

/// A program that speaks WebRTC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Chromium,
    Firefox,
    Aiortc,
}

impl Program {
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Aiortc, Self::Firefox];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Aiortc => "aiortc",
        }
    }

    pub(crate) fn cases(self) -> &'static [&'static str] {
        match self {
            Self::Chromium | Self::Firefox => &cases::ALL,
            Self::Aiortc => &cases::PLAIN,
        }
    }

    /// Begins it, with what it needs beside it.
    pub(crate) async fn begin(self, port: u16, home: &Path, target: &Path) -> anyhow::Result<Running> {
        let page = format!("http://127.0.0.1:{port}/");
        let mut command = match self {
            Self::Chromium => {
                let mut command = Command::new("chromium");
                command.args([
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--autoplay-policy=no-user-gesture-required",
                ]);
                command.arg(format!("--user-data-dir={}", home.display())).arg(page);
                command
            }
            Self::Firefox => {
                std::fs::write(home.join("user.js"), FIREFOX_SETTINGS)
                    .context("writing Firefox's settings")?;
                let mut command = Command::new("firefox-esr");
                command.args(["--headless", "--no-remote", "--profile"]).arg(home).arg(page);
                command.env("PULSE_SERVER", format!("unix:{}", socket(home).display()));
                command
            }
            Self::Aiortc => {
                let mut command = Command::new(python(target));
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/interop/peer.py"));
                command.arg(format!("ws://127.0.0.1:{port}/"));
                command
            }
        };
        let sound = match self {
            Self::Firefox => Some(begin_sound(home).await?),
            Self::Chromium | Self::Aiortc => None,
        };
        Ok(Running { program: spawn(&mut command, home)?, sound })
    }
}

/// A program that was begun. It ends when this is dropped.
pub(crate) struct Running {
    program: Child,
    sound: Option<Child>,
}

impl Running {
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.program.kill().await.context("ending the other program")?;
        match &mut self.sound {
            Some(sound) => sound.kill().await.context("ending its sound server"),
            None => Ok(()),
        }
    }
}

fn spawn(command: &mut Command, home: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(home.join("program.log"));
    let log = log.context("making its log")?;
    command.env("HOME", home).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| format!("starting {:?}", command.as_std().get_program()))
}

/// Where Firefox finds its sound server.
fn socket(home: &Path) -> PathBuf {
    home.join("sound")
}

/// Without a sound server Firefox does not even reckon sound. This one plays nowhere.
async fn begin_sound(home: &Path) -> anyhow::Result<Child> {
    let protocol = format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket(home).display());
    let mut command = Command::new("pulseaudio");
    command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]);
    command.args(["-L", "module-null-sink", "-L", &protocol]).env("XDG_RUNTIME_DIR", home);
    let child = spawn(&mut command, home)?;
    let give_up = clock::now() + Duration::from_secs(10);
    while !socket(home).exists() {
        ensure!(clock::now() < give_up, "Firefox's sound server does not begin");
        clock::sleep(Duration::from_millis(20)).await;
    }
    Ok(child)
}

/// The Python that has aiortc (`make interop`).
fn python(target: &Path) -> PathBuf {
    target.join("interop-python/bin/python")
}
