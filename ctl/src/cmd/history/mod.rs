//! `ahoyctl history …`.
//!
//! Lives here: lists and searches, the story of one call, exporting, marking as seen, removing.
//! Must not: read the database; the daemon does.

mod story;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use ahoy_dbus::{Dict, types};
use serde_json::json;
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::draft::Draft;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print;
use crate::print::Form;
use crate::time;
use crate::world::{Props, options};

/// Rows that are removed or marked with one question.
const AT_ONCE: usize = 1_000;

/// What happened, newest first
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    override_usage = "ahoyctl history [OPTIONS] | history <COMMAND>",
    after_help = "In a pipe: row, time (UTC), direction, name, outcome, seconds.\nExample: ahoyctl history --missed --limit 5"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// One row alone
    #[arg(hide = true)]
    row: Option<u64>,
    /// Only missed calls
    #[arg(long)]
    missed: bool,
    /// The same as `search TEXT`
    #[arg(long, value_name = "TEXT", hide = true)]
    text: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, clap::Args)]
struct Page {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only rows older than this one: "next" of the last answer
    #[arg(long, value_name = "ROW")]
    before: Option<u64>,
    /// Only with this contact
    #[arg(long, value_name = "CONTACT")]
    with: Option<String>,
}

/// What narrows a search and an export.
#[derive(Debug, Default, clap::Args)]
struct Narrow {
    /// incoming or outgoing
    #[arg(long, value_name = "WAY", value_parser = ["incoming", "outgoing"], hide_possible_values = true)]
    direction: Option<String>,
    /// answered, missed, declined, busy, no-answer, canceled, …
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// From then on: 2026-11-03, "2026-11-03 14:05", or 3d, 12h ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tell the story of one call, line by line
    #[command(
        after_help = "In a pipe: time (UTC), seconds after the first, event, source, sentence.\nExample: ahoyctl history show 12"
    )]
    Show {
        /// The row
        row: u64,
    },
    /// Find calls by a text, an outcome, a time
    #[command(after_help = "Example: ahoyctl history search lunch --since 30d --outcome missed")]
    Search {
        /// A part of name, address, note or message
        text: Option<String>,
        #[command(flatten)]
        narrow: Narrow,
        #[command(flatten)]
        page: Page,
    },
    /// Write rows to a file that other programs read
    #[command(after_help = "Example: ahoyctl history export ics calls.ics --since 2026-01-01")]
    Export {
        /// json, csv or ics (a calendar)
        #[arg(value_name = "FORMAT", value_parser = ["json", "csv", "ics"], hide_possible_values = true)]
        written: String,
        /// The file, replaced if it is there; standard output if none
        file: Option<PathBuf>,
        /// Only with this text
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Only with this contact
        #[arg(long, value_name = "CONTACT")]
        with: Option<String>,
        #[command(flatten)]
        narrow: Narrow,
    },
    /// Mark missed calls as seen
    #[command(after_help = "Example: ahoyctl history seen")]
    Seen {
        /// These rows; all if none
        rows: Vec<u64>,
    },
    /// Remove rows for good
    #[command(after_help = "Example: ahoyctl history rm --until 365d")]
    Rm {
        /// These rows
        #[arg(required_unless_present = "until")]
        rows: Vec<u64>,
        /// All that are older: 2026-11-03, or 90d ago
        #[arg(long, value_name = "TIME", conflicts_with = "rows")]
        until: Option<String>,
    },
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let history = desk.bus.history().await?;
    let none = Dict::new();
    match args.what {
        None => match args.list.row {
            Some(row) => show_rows(desk, vec![ask(history.get(row, &none)).await?], 0)?,
            None => {
                let missed = args.list.missed.then(|| types::Outcome::Missed.to_string());
                let narrow = Narrow { outcome: missed, ..Narrow::default() };
                list(desk, args.list.text, narrow, args.list.page).await?;
            }
        },
        Some(What::Search { text, narrow, page, .. }) => list(desk, text, narrow, page).await?,
        Some(What::Show { row, .. }) => {
            let shown = ask(history.get(row, &none)).await?;
            let events = ask(history.events(row, &none)).await?;
            story::tell(desk, shown, events)?;
        }
        Some(What::Export { written, file, text, with, narrow }) => {
            let filter = filter(desk, text, with, narrow).await?;
            let draft = file.as_deref().map(Draft::begin).transpose()?;
            let stdout = std::io::stdout();
            let into: BorrowedFd<'_> = draft.as_ref().map_or_else(|| stdout.as_fd(), Draft::as_fd);
            // As long as its reader takes it. The daemon gives up one that takes nothing.
            match (history.export(&written, into.into(), &filter).await, draft) {
                (Ok(count), Some(draft)) => {
                    draft.finish()?;
                    desk.out.hint(&format!("{count} rows."));
                }
                (Ok(_), None) => {}
                // Whoever read has enough, as with every list.
                (Err(_), None) if print::reader_is_gone() => {}
                (Err(error), _) => return Err(error.into()),
            }
        }
        Some(What::Seen { rows, .. }) => {
            ask(history.mark_seen(&rows, &none)).await?;
            done(desk, "seen", &rows)?;
        }
        Some(What::Rm { rows, until: None, .. }) => {
            for some in rows.chunks(AT_ONCE) {
                ask(history.delete(some, &none)).await?;
            }
            done(desk, "removed", &rows)?;
        }
        Some(What::Rm { until: Some(until), .. }) => {
            let rows = remove_until(desk, until).await?;
            done(desk, "removed", &rows)?;
        }
    }
    Ok(Exit::Ok)
}

async fn list(desk: &Desk, text: Option<String>, narrow: Narrow, page: Page) -> Result<(), Fault> {
    let mut filter = filter(desk, text, page.with, narrow).await?;
    filter.insert("limit".to_owned(), page.limit.into());
    if let Some(row) = page.before {
        filter.insert("before".to_owned(), row.into());
    }
    let (rows, next) = ask(desk.bus.history().await?.list(&filter, &Dict::new())).await?;
    if rows.is_empty() {
        desk.out.hint("Nothing yet.");
    }
    show_rows(desk, rows, next)?;
    if next != 0 {
        desk.out.hint(&format!("More: --before {next}"));
    }
    Ok(())
}

/// Removes all that is older, page by page; which rows that were. A call that goes on stays.
async fn remove_until(desk: &Desk, until: String) -> Result<Vec<u64>, Fault> {
    let history = desk.bus.history().await?;
    let none = Dict::new();
    let mut filter = filter(desk, None, None, Narrow { until: Some(until), ..Narrow::default() }).await?;
    filter.insert("limit".to_owned(), 1_000_u32.into());
    let mut removed = Vec::new();
    loop {
        let (rows, next) = ask(history.list(&filter, &none)).await?;
        let ended = rows.into_iter().map(Props::from).filter(|row| row.at("ended-at") != 0);
        let ids: Vec<u64> = ended.map(|row| row.number("id")).collect();
        if !ids.is_empty() {
            ask(history.delete(&ids, &none)).await?;
        }
        removed.extend(ids);
        if next == 0 {
            return Ok(removed);
        }
        filter.insert("before".to_owned(), next.into());
    }
}

async fn filter(
    desk: &Desk,
    text: Option<String>,
    with: Option<String>,
    narrow: Narrow,
) -> Result<Dict, Fault> {
    let contact = match with {
        Some(named) => Some(pick::contact(&desk.bus, &named).await?.text("id").to_owned()),
        None => None,
    };
    let at = |when: Option<String>| {
        let at = when.map(|when| time::past(&when)).transpose();
        at.map_err(|sentence| Fault::new(Exit::Usage, sentence))
    };
    options([
        ("contact", contact.map(Variant::from)),
        ("text", text.map(Variant::from)),
        ("direction", narrow.direction.map(Variant::from)),
        ("outcome", narrow.outcome.map(Variant::from)),
        ("since", at(narrow.since)?.map(Variant::from)),
        ("until", at(narrow.until)?.map(Variant::from)),
    ])
}

fn show_rows(desk: &Desk, rows: Vec<Dict>, next: u64) -> Result<(), Fault> {
    let rows: Vec<Props> = rows.into_iter().map(Props::from).collect();
    let row = |row: &Props| line(row, desk.out.form);
    let heads = ["ROW", "WHEN", "DIRECTION", "NAME", "OUTCOME", "TIME"];
    desk.out.rows(&heads, &rows, row, ("rows", Props::value), json!({"next": next}))
}

fn done(desk: &Desk, what: &str, rows: &[u64]) -> Result<(), Fault> {
    let words: Vec<String> = rows.iter().map(u64::to_string).collect();
    let which = match (what, rows) {
        ("removed", []) => "nothing".to_owned(),
        (_, []) => "all".to_owned(),
        _ => words.join(" "),
    };
    desk.out.either(json!({what: rows}), &[what, &which])
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
