//! Does a person meet a call on a real desktop: a real notification server, real media keys, a real logind interface?
//!
//! Lives here: whole calls between two daemons, answered by what is on the screen. With AHOY_LOOK=FOLDER (`make look`)
//! pictures of it are left there.
//! Must not: wait by sleeping, or judge what `desktop.rs` judges already.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Place, Running, Screen, introduce, number, text};
use zbus::{Connection, Variant};

const SOON: Duration = Duration::from_secs(15);

type Outcome = anyhow::Result<()>;

/// Ana, and Ben with a screen.
struct Pair {
    ana: Desk,
    ben: Desk,
    screen: Screen,
    place: Place,
}

impl Pair {
    /// None where the programs of a desktop are missing.
    async fn start() -> anyhow::Result<Option<Self>> {
        let missing = Screen::missing();
        if !missing.is_empty() {
            println!("SKIPPED: a real notification server: {} missing", missing.join(", "));
            return Ok(None);
        }
        // Without a sound server: what is heard is `end_to_end.rs`'s matter.
        let place = Place::new()?;
        let ana = place.start_without_sound("Ana Lovelace").await?;
        let ben = place.start_without_sound("Ben").await?;
        introduce(&ana, &ben)?;
        let mut screen = Screen::light(&ben).await?;
        screen.start(&ben).await?;
        Ok(Some(Self { ana, ben, screen, place }))
    }

    /// Ana calls Ben with a note; it rings and is on Ben's screen.
    async fn ring(&self, note: &str) -> Outcome {
        let manager = proxy::ManagerProxy::new(&self.ana.bus().await?).await?;
        let options = Dict::from([("note".to_owned(), Variant::from(note).try_into_owned()?)]);
        manager.dial("Ben", &options).await?;
        self.ben.until_state("incoming", SOON).await?;
        self.screen.until_shown(1).await
    }

    fn look(&self, name: &str) -> Outcome {
        let Some(folder) = std::env::var_os("AHOY_LOOK") else { return Ok(()) };
        self.screen.picture(&self.ben, &PathBuf::from(folder).join(name))
    }
}

#[tokio::test]
async fn a_ring_is_answered_on_the_screen_and_a_missed_call_called_back() -> Outcome {
    let Some(mut pair) = Pair::start().await? else { return Ok(()) };
    pair.ring("Lunch? <b>Now</b> & here").await?;
    pair.look("ring.png")?;
    // A notification server that dies while it rings shows the ring again when it is back.
    pair.screen.kill();
    pair.screen.start(&pair.ben).await?;
    pair.screen.until_shown(1).await?;
    pair.screen.choose(&pair.ben, "Answer")?;
    pair.ana.until_state("active", SOON).await?;
    pair.screen.until_shown(0).await?;
    pair.ben.ctl_says(&["hangup"])?;
    pair.ana.until_state("disconnected", SOON).await?;

    pair.ring("").await?;
    // Closing the pop-up declines nothing: Ana hears it ring until she gives up.
    pair.screen.dismiss(&pair.ben)?;
    pair.screen.until_shown(0).await?;
    pair.ana.until_state("alerting", SOON).await?;
    pair.ana.ctl_says(&["hangup"])?;
    pair.screen.until_shown(1).await?;
    pair.look("missed.png")?;
    pair.screen.choose(&pair.ben, "Call back")?;
    pair.ana.until_state("incoming", SOON).await?;
    pair.screen.until_shown(0).await?;
    pair.ana.ctl_says(&["decline"])?;
    pair.ben.until_state("disconnected", SOON).await?;

    pair.ring("").await?;
    pair.screen.choose(&pair.ben, "Decline")?;
    pair.screen.until_shown(0).await?;
    let of_hers = |row: &Dict| text(row, "direction") == "outgoing" && text(row, "outcome") == "declined";
    pair.ana.until_row(SOON, of_hers).await?;
    let rows = pair.ana.history().await?;
    let outcomes: Vec<&str> = rows.iter().rev().map(|row| text(row, "outcome")).collect();
    anyhow::ensure!(outcomes == ["answered", "canceled", "declined", "declined"], "{outcomes:?}");
    Ok(())
}

#[tokio::test]
async fn media_keys_answer_sleep_is_inhibited_and_the_network_may_change() -> Outcome {
    let Some(mut pair) = Pair::start().await? else { return Ok(()) };
    let Some(_logind) = logind(&pair.ben).await? else { return Ok(()) };
    let ben = pair.ben.bus().await?;
    pair.ben.ctl_says(&["config", "set", "ring.muted", "false"])?;
    pair.ring("").await?;
    anyhow::ensure!(inhibitors(&ben).await?.is_empty(), "a ring lets the machine sleep");
    // A key answers what could be heard.
    let ringing = pair.ben.until_state("incoming", SOON).await?;
    let rings = number(&pair.ben.call(&ringing).await?, "RingingAt");
    pair.ben.until_so(SOON, async || Ok(ahoyd::system::clock::unix_us() > rings + 1_200_000)).await?;
    // playerctl finds the one player there is, as a desktop's media keys do.
    let pressed = pair.ben.local("playerctl").arg("play-pause").status()?;
    anyhow::ensure!(pressed.success(), "playerctl ended with {pressed}");
    let call = pair.ana.until_state("active", SOON).await?;
    pair.ben
        .until_so(SOON, async || {
            Ok(inhibitors(&ben).await? == ["idle by ahoy (block)", "sleep by ahoy (delay)"])
        })
        .await?;

    // A way out, and an address for it: what leads nowhere is no change that a call would care for.
    let there = "ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip route add default dev v0 && ip addr add 192.0.2.7/24 dev v0";
    let changes = || pair.ben.logged().matches("the network has changed").count();
    let before = changes();
    pair.place.net.change(there)?;
    pair.ben.until_so(SOON, async || Ok(changes() > before)).await?;
    // Nothing that a path depends on.
    let seen = changes();
    pair.place.net.change("ip link add v2 type veth peer name v3 && ip link set v2 mtu 1400")?;
    pair.place.net.change("ip route add 198.51.100.0/24 dev v0")?;
    pair.place.net.change("ip addr add 192.0.2.8/24 dev v0")?;
    pair.ben.until_so(SOON, async || Ok(changes() > seen)).await?;
    anyhow::ensure!(changes() == seen + 1, "one address more is one change, and the rest none");
    pair.ana.until_state("active", SOON).await?;

    let pressed = pair.ben.local("playerctl").arg("stop").status()?;
    anyhow::ensure!(pressed.success(), "playerctl ended with {pressed}");
    pair.ana.until_state("disconnected", SOON).await?;
    anyhow::ensure!(text(&pair.ana.call(&call).await?, "StateReason") == "completed");
    pair.ben.until_so(SOON, async || Ok(inhibitors(&ben).await?.is_empty())).await?;
    let players = pair.ben.local("playerctl").arg("--list-all").output()?;
    anyhow::ensure!(players.stdout.is_empty(), "the player goes with the call");
    Ok(())
}

/// logind's interface by python-dbusmock. None where that is missing.
async fn logind(desk: &Desk) -> anyhow::Result<Option<Running>> {
    let python = "/usr/bin/python3";
    let there = desk.local(python).args(["-c", "import dbusmock"]).stderr(Stdio::null()).status();
    if !Path::new(python).exists() || !there.is_ok_and(|status| status.success()) {
        println!("SKIPPED: logind: python3-dbusmock is missing");
        return Ok(None);
    }
    let mut mock = desk.local(python);
    mock.args(["-m", "dbusmock", "--system", "--template", "logind"]);
    let mock = Running::start(mock.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let bus = desk.bus().await?;
    let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
    desk.until_so(SOON, async || Ok(dbus.name_has_owner("org.freedesktop.login1".try_into()?).await?))
        .await?;
    Ok(Some(mock))
}

/// What inhibits, as logind lists it.
async fn inhibitors(bus: &Connection) -> anyhow::Result<Vec<String>> {
    let reply = bus
        .call_method(
            Some("org.freedesktop.login1"),
            "/org/freedesktop/login1",
            Some("org.freedesktop.login1.Manager"),
            "ListInhibitors",
            &(),
        )
        .await?;
    let listed: Vec<(String, String, String, String, u32, u32)> = reply.body().deserialize()?;
    Ok(listed.into_iter().map(|(what, who, _, mode, ..)| format!("{what} by {who} ({mode})")).collect())
}
