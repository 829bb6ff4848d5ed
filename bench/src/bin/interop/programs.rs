//! The other programs: how each is begun, with nothing but a home of its own.
//!
//! Lives here: their names, arguments and settings.
//! Must not: install anything.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
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

    /// Begins it. It ends when this is dropped.
    pub(crate) fn begin(self, port: u16, home: &Path, target: &Path) -> anyhow::Result<Child> {
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
                command
            }
            Self::Aiortc => {
                let mut command = Command::new(python(target));
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/interop/peer.py"));
                command.arg(format!("ws://127.0.0.1:{port}/"));
                command
            }
        };
        let log = std::fs::File::create(home.join("program.log")).context("making its log")?;
        command
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        command.spawn().with_context(|| format!("starting {}", self.name()))
    }
}

/// The Python that has aiortc (`make interop`).
fn python(target: &Path) -> PathBuf {
    target.join("interop-python/bin/python")
}
