//! A client that asks while no daemon runs: the bus starts one, and it answers.
//!
//! Lives here: the time from the question to the answer, cold.
//! Must not: count a start that somebody else made.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::{BUS_NAME, proxy};
use ahoy_tests::lab::{Desk, Place, Running, binary};
use anyhow::Context as _;
use futures_util::StreamExt as _;

use crate::figure::{Figure, Sheet};
use crate::time::{PATIENCE, ms, now, pause};

const ROUNDS: usize = 10;

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let desk = Activated::start(&binary("ahoyd").display().to_string())?;
    sheet.put(&desk.figure(sheet.either(ROUNDS, 3)).await?)
}

/// A bus that starts `ahoyd` when it is asked for.
pub(crate) struct Activated {
    desk: Desk,
    #[expect(dead_code, reason = "lives as long as its daemons")]
    bus: Running,
    #[expect(dead_code, reason = "lives as long as its daemons")]
    place: Place,
}

impl Activated {
    /// `exec` is what the service file says. The bus itself starts it; with systemd one message more would be sent.
    pub(crate) fn start(exec: &str) -> anyhow::Result<Self> {
        let place = Place::new()?;
        let desk = place.desk("Ana")?;
        desk.begin("sound")?;
        let services = desk.folder().join("services");
        fs::create_dir_all(&services)?;
        fs::write(services.join("ahoy.service"), format!("[D-BUS Service]\nName={BUS_NAME}\nExec={exec}\n"))?;
        let socket = desk.folder().join("run/bus");
        let config = desk.folder().join("activating.conf");
        fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <servicedir>{}</servicedir>\
                 <policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
                socket.display(),
                services.display()
            ),
        )?;
        let mut bus = desk.command(&place.net, Path::new("dbus-daemon"));
        bus.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut bus = Running::start(&mut bus)?;
        let mut line = String::new();
        let printed = bus.child().stdout.take().context("the bus's output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(printed), &mut line)?;
        anyhow::ensure!(!line.is_empty(), "the bus did not come up");
        Ok(Self { desk, bus, place })
    }

    pub(crate) async fn figure(&self, rounds: usize) -> anyhow::Result<Figure> {
        let mut took = Figure::new("activation_ms", "", "ms");
        let client = self.desk.bus().await?;
        let bus = zbus::fdo::DBusProxy::new(&client).await?;
        for _ in 0..rounds {
            let owned = bus.name_has_owner(BUS_NAME.try_into()?).await?;
            anyhow::ensure!(!owned, "a daemon runs already");
            let from = now();
            let reply = client.call_method(
                Some(BUS_NAME),
                ahoy_dbus::ROOT,
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &(ahoy_dbus::interface::MANAGER, "Version"),
            );
            tokio::time::timeout(PATIENCE, reply).await.context("the first call has no answer")??;
            took.add(ms(from, now()));
            self.desk.until_online(PATIENCE).await?;
            let mut owners = bus.receive_name_owner_changed().await?;
            let pid = bus.get_connection_unix_process_id(BUS_NAME.try_into()?).await?;
            terminate(pid)?;
            let gone = async {
                while let Some(change) = owners.next().await {
                    let change = change.args()?;
                    if change.name() == BUS_NAME && change.new_owner().is_none() {
                        break;
                    }
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(PATIENCE, gone).await.context("the daemon does not end")??;
            // It gives up its name before its lock; a new one that meets the lock ends at once.
            let from = now();
            while Path::new(&format!("/proc/{pid}/exe")).exists() && from.elapsed() < PATIENCE {
                pause(Duration::from_millis(5)).await;
            }
        }
        // The cached proxies of `until_online` would keep nothing alive; this asserts that the last answer was a daemon's.
        drop(proxy::ManagerProxy::new(&client).await?);
        Ok(took)
    }
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) -> anyhow::Result<()> {
    signal(pid, rustix::process::Signal::TERM)
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) -> anyhow::Result<()> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("no process")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}
