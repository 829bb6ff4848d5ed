//! A look around without a daemon that runs: why it does not, and what it would meet.
//!
//! Lives here: the bus, the program and its configuration, the sound server, the notification server.
//! Must not: start anything; read a file of the daemon's.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use ahoy_dbus::BUS_NAME;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use super::finding::Finding;
use crate::bus::{self, Bus};
use crate::cmd::config::alone::{self as config, Checked};
use crate::fault::Fault;

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";

/// What can be said. `fault`: why the daemon did not answer.
pub(super) async fn look(bus: Result<&Bus, &Fault>, fault: &Fault) -> Vec<Finding> {
    let Ok(bus) = bus else {
        let mut found = vec![Finding::new("fail", "bus", fault.sentence.clone())];
        found.extend(program());
        found.push(sound());
        return found;
    };
    let names = names(bus).await.unwrap_or_default();
    let has = |name: &str| names.iter().any(|known| known == name);
    let start = if has(BUS_NAME) {
        "The bus starts it when it is needed, as by `ahoyctl call`, or: systemctl --user start ahoyd"
    } else {
        "systemctl --user start ahoyd"
    };
    let mut found = vec![
        Finding::new("fail", "daemon", format!("ahoyd is not running. {start}")),
        Finding::new("ok", "bus", "The session bus answers."),
    ];
    found.extend(program());
    found.push(sound());
    found.push(if has(NOTIFICATIONS) {
        Finding::new("ok", "notifications", "A notification server is there.")
    } else {
        let sentence = "No notification server runs, so a ring would be heard and not seen: start one (dunst, mako, your desktop's).";
        Finding::new("warn", "notifications", sentence)
    });
    found
}

/// Whoever is on the bus, and whoever it would start.
async fn names(bus: &Bus) -> Result<Vec<String>, Fault> {
    let driver = bus::ask(DBusProxy::new(&bus.connection)).await?;
    let mut names: Vec<String> =
        bus::ask(driver.list_activatable_names()).await?.iter().map(ToString::to_string).collect();
    if bus::ask(driver.name_has_owner(BusName::from_static_str(NOTIFICATIONS)?)).await? {
        names.push(NOTIFICATIONS.to_owned());
    }
    Ok(names)
}

/// Whether the daemon could start at all, and whether it would have a relay.
fn program() -> Vec<Finding> {
    let file = match config::path() {
        Ok(file) => file,
        Err(fault) => return vec![Finding::new("fail", "configuration", fault.sentence)],
    };
    // None at all is fine: the defaults hold.
    let checked = config::check(if file.exists() { &file } else { "/dev/null".as_ref() });
    match checked {
        Checked::Nobody => {
            let sentence = "The program ahoyd is neither beside ahoyctl nor in PATH: install it.";
            vec![Finding::new("fail", "configuration", sentence)]
        }
        Checked::Wrong(sentence) => {
            // The sentence itself names files, and may name relays.
            let place = sentence.strip_prefix(&format!("{}:", file.display()));
            let line = place.and_then(|rest| rest.split(':').next()?.parse::<u32>().ok());
            let line = line.map_or_else(String::new, |line| format!(" in line {line}"));
            let sentence =
                format!("config.toml is wrong{line}, so ahoyd does not start: ahoyctl config edit");
            vec![Finding::new("fail", "configuration", sentence)]
        }
        Checked::Right(settings) => {
            let relays = settings.get("relay.urls").and_then(|urls| urls.as_array()).map_or(0, Vec::len);
            let relay = if relays == 0 {
                let sentence =
                    "No relay is configured, so nobody can call: ahoyctl config set relay.urls wss://…";
                Finding::new("fail", "relay", sentence)
            } else {
                Finding::new("warn", "relay", format!("{relays} configured, and only ahoyd can ask there."))
            };
            vec![Finding::new("ok", "configuration", "ahoyd starts with it."), relay]
        }
    }
}

/// Whether anybody listens where a sound server would.
fn sound() -> Finding {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let named = std::env::var("PULSE_SERVER").ok();
    let named = named.and_then(|server| server.strip_prefix("unix:").map(PathBuf::from));
    let usual = folder.into_iter().flat_map(|at| [at.join("pulse/native"), at.join("pipewire-0")]);
    if named.into_iter().chain(usual).any(|socket| UnixStream::connect(socket).is_ok()) {
        return Finding::new("ok", "sound-server", "A sound server listens.");
    }
    let sentence = "No sound server runs, so calls would have no sound: systemctl --user start pipewire pipewire-pulse wireplumber";
    Finding::new("fail", "sound-server", sentence)
}
