//! `ahoyctl history`.
//!
//! Lives here: rows of calls, newest first, or one of them.
//! Must not: read the database; the daemon does.

use ahoy_dbus::{Dict, types};
use serde_json::{Value, json};
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::{Form, FormArgs};
use crate::time;
use crate::world::{Props, row_json};

/// What happened, newest first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "In a pipe: row, time (UTC), direction, name, outcome, seconds, apart by tabs.\nExample: ahoyctl history --missed --limit 5"
)]
pub(crate) struct Args {
    /// One row alone
    row: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only missed calls
    #[arg(long)]
    missed: bool,
    /// Only with this contact
    #[arg(long, value_name = "CONTACT", add = crate::complete::contacts())]
    with: Option<String>,
    /// Only with this text in name, address or note
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only rows older than this one: "next" of the last answer
    #[arg(long, value_name = "ROW")]
    before: Option<u64>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let history = desk.bus.history().await?;
    let (rows, next) = if let Some(row) = args.row {
        (vec![ask(history.get(row, &Dict::new())).await?], 0)
    } else {
        ask(history.list(&filter(desk, &args).await?, &Dict::new())).await?
    };
    if args.row.is_none() && rows.is_empty() {
        desk.out.hint("Nothing yet.");
    }
    let items: Vec<Value> = rows.iter().map(|row| Value::Object(row_json(row))).collect();
    let lines: Vec<Vec<String>> = rows.into_iter().map(|row| line(&row.into(), desk.out.form)).collect();
    desk.out.rows(
        &["ROW", "WHEN", "DIRECTION", "NAME", "OUTCOME", "TIME"],
        &lines,
        "rows",
        items,
        json!({"next": next}),
    )?;
    Ok(Exit::Ok)
}

async fn filter(desk: &Desk, args: &Args) -> Result<Dict, Fault> {
    let text = |text: String| Variant::from(text).try_into();
    let mut filter = Dict::from([("limit".to_owned(), args.limit.into())]);
    if args.missed {
        filter.insert("outcome".to_owned(), text(types::Outcome::Missed.to_string())?);
    }
    if let Some(contact) = &args.with {
        let row = pick::contact(&desk.bus, contact).await?;
        filter.insert("contact".to_owned(), text(row.text("id").to_owned())?);
    }
    if let Some(part) = &args.text {
        filter.insert("text".to_owned(), text(part.clone())?);
    }
    if let Some(row) = args.before {
        filter.insert("before".to_owned(), row.into());
    }
    Ok(filter)
}

fn line(row: &Props, form: Form) -> Vec<String> {
    let outcome = if row.text("outcome").is_empty() { "going on" } else { row.text("outcome") };
    let (when, lasted) = if form == Form::Table {
        let ms = row.number("duration-ms");
        (time::local(row.at("created-at")), if ms == 0 { String::new() } else { time::span_ms(ms) })
    } else {
        (time::utc(row.at("created-at")), (row.number("duration-ms") / 1000).to_string())
    };
    vec![
        row.number("id").to_string(),
        when,
        row.text("direction").to_owned(),
        row.text("name").to_owned(),
        outcome.to_owned(),
        lasted,
    ]
}
