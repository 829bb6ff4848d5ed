//! Local networks: showing them, and saying that one is the person's own.
//!
//! Lives here: the question of `pair`, and `config network`.
//! Must not: judge a network.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use ahoy_dbus::{Dict, Error, ErrorName};
use serde_json::{Value, json};

use super::Desk;
use crate::bus::ask;
use crate::clean;
use crate::fault::{Exit, Fault};
use crate::print::Form;
use crate::world::{Props, row_json};

/// How often a router that has not answered yet is waited for, and how long between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(150);

/// A network as the daemon shows it.
struct Network {
    interface: String,
    prefix: String,
    trusted: bool,
    judged: bool,
}

impl Network {
    fn of(row: &Dict) -> Self {
        let row = row.iter().filter_map(|(key, value)| Some((key.clone(), value.try_clone().ok()?)));
        let row = Props::from(row.collect::<Dict>());
        let text = |name| clean::line(row.text(name));
        let (trusted, judged) = (row.flag("trusted"), row.flag("judged"));
        Self { interface: text("interface"), prefix: text("prefix"), trusted, judged }
    }

    fn is(&self) -> String {
        format!("{} on {}", self.prefix, self.interface)
    }
}

async fn networks(desk: &Desk) -> Result<Vec<Network>, Fault> {
    Ok(ask(desk.bus.manager().await?.networks()).await?.iter().map(Network::of).collect())
}

/// Before two pair: a network that nobody has spoken of is asked about, on a terminal; `here` says yes.
pub(super) async fn ask_whether_home(desk: &Desk, here: bool) -> Result<(), Fault> {
    if here {
        return trust(desk, "", true).await;
    }
    let all = networks(desk).await?;
    let talks = desk.out.form == Form::Table && std::io::stdin().is_terminal();
    let (Some(one), true) = (all.iter().find(|one| !one.judged), talks) else { return Ok(()) };
    if all.iter().any(|one| one.trusted) {
        return Ok(());
    }
    let mut out = std::io::stdout();
    let asked = write!(
        out,
        "Is this your home network ({})? Contacts then find you there without a relay. [y/N] ",
        one.is()
    )
    .and_then(|()| out.flush());
    let mut line = String::new();
    let answered = asked.and_then(|()| std::io::stdin().lock().read_line(&mut line));
    match (answered, line.trim().to_lowercase().as_str()) {
        (Err(_) | Ok(0), _) => Ok(()),
        (Ok(_), "y" | "yes") => trust(desk, &one.interface, true).await,
        (Ok(_), _) => {
            // A router that does not tell which network this is leaves the question open.
            let _asked_again = trust(desk, &one.interface, false).await;
            desk.out
                .hint("You are not asked again. If it is yours after all: ahoyctl config network --trust");
            Ok(())
        }
    }
}

/// Says it to the daemon. A router that nobody has spoken to yet is waited for.
pub(super) async fn trust(desk: &Desk, interface: &str, trusted: bool) -> Result<(), Fault> {
    let manager = desk.bus.manager().await?;
    for _ in 0..TRIES {
        let done = manager.trust_network(interface, trusted, &Dict::new()).await;
        let waits = |error| Error::from_zbus(error).is_some_and(|ours| ours.name == ErrorName::NotReady);
        match done {
            Err(error) if waits(&error) => pause().await,
            done => return Ok(done?),
        }
    }
    Err(Fault::new(
        Exit::Timeout,
        "The router of this network does not answer, so that nobody can tell which network it is.",
    ))
}

#[expect(clippy::disallowed_methods, reason = "no signal tells that a router has answered")]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// `config network`.
pub(super) async fn show(desk: &Desk) -> Result<(), Fault> {
    let all = ask(desk.bus.manager().await?.networks()).await?;
    let seen = ask(desk.bus.manager().await?.neighbours()).await?;
    if desk.out.is_json() {
        let rows: Vec<Value> = all.iter().map(|row| Value::Object(row_json(row))).collect();
        return desk.out.object(json!({"networks": rows, "neighbours": seen}));
    }
    let words = |one: &Network| if one.trusted { "trusted" } else { "not trusted" };
    let mut lines: Vec<(String, String)> = all
        .iter()
        .map(Network::of)
        .map(|one| (one.interface.clone(), format!("{} {}", one.prefix, words(&one))))
        .collect();
    lines.push(("neighbours".to_owned(), seen.to_string()));
    let lines: Vec<(&str, String)> = lines.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    desk.out.pairs(&lines)
}

/// Whether contacts find us on a network here.
pub(super) fn is_home(manager: &Props) -> bool {
    let shown = manager.json();
    let rows = shown.get("networks").and_then(Value::as_array);
    rows.is_some_and(|rows| rows.iter().any(|row| row["trusted"] == true))
}

/// What `status` says: each network, and how many contacts are seen where any is trusted.
pub(super) fn lines(manager: &Props) -> Vec<(&'static str, String)> {
    let shown = manager.json();
    let rows = shown.get("networks").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| clean::line(row[name].as_str().unwrap_or_default());
    let mut lines = Vec::new();
    let mut home = false;
    for row in &rows {
        let trusted = row["trusted"] == true;
        home |= trusted;
        let word = if trusted { "trusted" } else { "not trusted" };
        lines.push(("network", format!("{} on {}, {word}", text(row, "prefix"), text(row, "interface"))));
    }
    if home {
        lines.push(("neighbours", manager.number("Neighbours").to_string()));
    }
    lines
}
