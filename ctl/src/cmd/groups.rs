//! `ahoyctl group …`: named groups.
//!
//! Lives here: the verbs on them, and how their rows are shown. Calls of several: `group.rs`.
//! Must not: find out who is meant; the daemon does.

use ahoy_dbus::Dict;
use serde_json::json;
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::world::{Props, options};

/// People whom you call together, under a name
#[derive(Debug, clap::Args)]
#[command(
    after_help = "To ring all of a group: ahoyctl call NAME. The others get it by that, too.\nExample: ahoyctl group new book ana ben",
    args_conflicts_with_subcommands = true,
    // Without the options that every command has: it is to fit a screen.
    help_template = "{about}\n\n{usage-heading} {usage}\n\nCommands:\n{subcommands}{after-help}"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List groups (what `group` alone does)
    #[command(
        after_help = "In a pipe: id, name, who is in it, who told of it, apart by tabs.\nExample: ahoyctl group list --json"
    )]
    List,
    /// Make a group
    #[command(after_help = "Example: ahoyctl group new book ana ben")]
    New {
        /// 1 to 64 characters
        name: String,
        #[command(flatten)]
        whom: Whom,
    },
    /// Take somebody into a group
    #[command(
        after_help = "Those who have it hear of that with your next call to it.\nExample: ahoyctl group add book cleo"
    )]
    Add {
        #[command(flatten)]
        which: Group,
        #[command(flatten)]
        whom: Whom,
    },
    /// Leave somebody out of a group from now on
    #[command(after_help = "Example: ahoyctl group drop book cleo")]
    Drop {
        #[command(flatten)]
        which: Group,
        #[command(flatten)]
        whom: Whom,
    },
    /// Give a group another name
    #[command(after_help = "Example: ahoyctl group rename book 'Book club'")]
    Rename {
        #[command(flatten)]
        which: Group,
        /// 1 to 64 characters
        name: String,
    },
    /// Forget a group; the others keep it
    #[command(after_help = "Example: ahoyctl group forget book")]
    Forget(Group),
}

/// The group that a verb is for.
#[derive(Debug, clap::Args)]
struct Group {
    /// Its name, a unique beginning of it, or its id
    #[arg(add = crate::complete::groups())]
    group: String,
}

/// Those whom a verb is about.
#[derive(Debug, clap::Args)]
struct Whom {
    /// Names, ids or addresses of contacts
    #[arg(add = crate::complete::contacts(), required = true, value_name = "CONTACT")]
    contacts: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let contacts = desk.bus.contacts().await?;
    let none = Dict::new();
    match args.what.unwrap_or(What::List) {
        What::List => list(desk).await?,
        What::New { name, whom } => {
            let whom: Vec<&str> = whom.contacts.iter().map(String::as_str).collect();
            let id = ask(contacts.make_group(&name, &whom, &none)).await?;
            desk.out.either(json!({"id": id, "name": name}), &[&id, &name])?;
        }
        What::Add { which, whom } => change(desk, &which, "add", whom.contacts.into()).await?,
        What::Drop { which, whom } => change(desk, &which, "drop", whom.contacts.into()).await?,
        What::Rename { which, name } => change(desk, &which, "name", name.into()).await?,
        What::Forget(which) => {
            ask(contacts.forget_group(&which.group, &none)).await?;
            desk.out.either(json!({"forgotten": which.group}), &["forgotten", &which.group])?;
        }
    }
    Ok(Exit::Ok)
}

async fn change(desk: &Desk, which: &Group, key: &'static str, to: Variant<'static>) -> Result<(), Fault> {
    let changes = options([(key, Some(to))])?;
    ask(desk.bus.contacts().await?.change_group(&which.group, &changes, &Dict::new())).await?;
    list(desk).await
}

async fn list(desk: &Desk) -> Result<(), Fault> {
    let rows = ask(desk.bus.contacts().await?.groups(&Dict::new())).await?;
    let rows: Vec<Props> = rows.into_iter().map(Props::from).collect();
    if rows.is_empty() {
        desk.out.hint("There are no groups. To make one: ahoyctl group new NAME CONTACT…");
    }
    desk.out.rows(&["ID", "NAME", "WITH", "TOLD BY"], &rows, line, ("groups", Props::value), json!({}))
}

fn line(row: &Props) -> Vec<String> {
    let names = row.list("names");
    let by = row.list("members").iter().position(|id| id == row.text("told-by"));
    let by = by.and_then(|at| names.get(at).cloned()).unwrap_or_default();
    vec![row.text("id").to_owned(), row.text("name").to_owned(), names.join(", "), by]
}
