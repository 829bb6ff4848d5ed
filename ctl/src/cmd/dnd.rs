//! `ahoyctl dnd`.
//!
//! Lives here: reading and setting do-not-disturb, and its end as a person says it.
//! Must not: judge who may ring.

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::time;

/// Do not disturb: who calls you hears nothing of you
#[derive(Debug, clap::Args)]
#[command(after_help = "Without a word it tells how it is set. Contacts with `--ring always` come
through in any case, favourites with `favorites`; whom you dial always does.
Example: ahoyctl dnd favorites --until 18:30")]
pub(crate) struct Args {
    /// on, off, favorites
    #[arg(value_name = "HOW", value_parser = ["on", "off", "favorites"], hide_possible_values = true)]
    how: Option<String>,
    /// When it ends: 18:30, or 2026-12-24T08:00
    #[arg(long, value_name = "TIME", conflicts_with = "lasting", requires = "how")]
    until: Option<String>,
    /// How long: 45m, 2h, 1h30m
    #[arg(long = "for", value_name = "SPAN", requires = "how")]
    lasting: Option<String>,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    if let Some(how) = args.how {
        let ends = args.until.is_some() || args.lasting.is_some();
        if how == "off" && ends {
            return Err(Fault::new(Exit::Usage, "What is off does not end: leave --until and --for out."));
        }
        let until = match (args.until, args.lasting) {
            (Some(time), _) => time::ahead(&time),
            (None, Some(span)) => time::after(&span),
            (None, None) => Ok(0),
        };
        let until = until.map_err(|sentence| Fault::new(Exit::Usage, sentence))?;
        let mode = if how == "on" { "all" } else { &how };
        desk.bus.wake().await?;
        ask(desk.bus.manager().await?.set_dnd(mode, until, &Dict::new())).await?;
    }
    let manager = desk.bus.look().await?.manager();
    let (mode, until) = (manager.text("Dnd"), manager.at("DndUntil"));
    desk.out.either(json!({"dnd": mode, "dnd_until": until}), &[words(mode), &ends(until)])?;
    Ok(Exit::Ok)
}

/// `do not disturb, but favourites`, as it stands in `status` too.
pub(crate) fn words(mode: &str) -> &str {
    match mode {
        "off" => "may be disturbed",
        "all" => "do not disturb",
        "favorites" => "do not disturb, except favourites",
        other => other,
    }
}

/// `until 2026-11-25 08:00`; empty for 0.
pub(crate) fn ends(until: i64) -> String {
    if until == 0 { String::new() } else { format!("until {}", time::local(until)) }
}
