//! `ahoyctl open`, which the desktop runs for links.
//!
//! Lives here: the question of a terminal; without one the daemon asks on the screen.
//! Must not: do what a link says before somebody has agreed; read the link itself: the daemon does.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use ahoy_dbus::Dict;
use serde_json::json;

use super::{Desk, pair};
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::world::{Props, options};

/// Open a link of ahoy: it asks you, and does nothing by itself
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A link is what the QR code of `pair` holds, or the text of a card. In a\nterminal you are asked there, otherwise by a notice on the screen; with --json\nyou are only told what the link holds.\nExample: ahoyctl open 'ahoy:pair?code=4711-lemon-tunnel&relay=relay.example'"
)]
pub(crate) struct Args {
    /// ahoy:pair?… or ahoy:1…; without one only ahoyd is started
    link: Option<String>,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let Some(link) = args.link else { return Ok(Exit::Ok) };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let asks = !terminal && !desk.out.is_json();
    let manager = desk.bus.manager().await?;
    let held = ask(manager.open_link(&link, &options([("ask", Some(asks.into()))])?)).await?;
    let held = Props::from(held);
    if desk.out.is_json() {
        return desk.out.object(json!({"link": held.value()})).map(|()| Exit::Ok);
    }
    if asks {
        return Ok(Exit::Ok);
    }
    let is_card = held.text("kind") == "card";
    let question = if is_card {
        let (name, number) = (held.text("name"), held.text("safety-number"));
        format!(
            "This is the card of somebody who calls themselves {name}, safety number\n{number}. Add them to your contacts?"
        )
    } else {
        let relay = match held.text("relay") {
            "" => String::new(),
            relay => format!(" at {relay}"),
        };
        format!(
            "Pair with who shows the code {}{relay}? You become each other's contacts.",
            held.text("code")
        )
    };
    if !agrees(desk, &question)? {
        return Err(Fault::new(Exit::Error, "Nothing was done."));
    }
    if is_card {
        let id = ask(desk.bus.contacts().await?.add(&link, &Dict::new())).await?;
        desk.out.words(&["added".to_owned(), id, held.text("name").to_owned()])?;
        return Ok(Exit::Ok);
    }
    pair::run(desk, pair::Args::of(link)).await
}

/// Asks a person; all but a yes is a no.
fn agrees(desk: &Desk, question: &str) -> Result<bool, Fault> {
    desk.out.text(question)?;
    let mut out = std::io::stdout();
    let mut said = String::new();
    let heard = out.write_all(b"[y/N] ").and_then(|()| out.flush());
    let heard = heard.and_then(|()| std::io::stdin().lock().read_line(&mut said));
    heard.map_err(|error| Fault::new(Exit::Error, format!("The terminal cannot be asked: {error}.")))?;
    Ok(["y", "yes"].contains(&said.trim().to_lowercase().as_str()))
}
