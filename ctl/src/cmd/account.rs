//! `ahoyctl account …`.
//!
//! Lives here: who we are, our card for somebody, our name.
//! Must not: hold a key.

use ahoy_dbus::Dict;
use serde_json::{Value, json};
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::print::FormArgs;
use crate::world::Props;

/// Who you are: address, name, relays; your card for others
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: ahoyctl account card --for Ana > for-ana.card",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the account (what `account` alone does)
    #[command(after_help = "Example: ahoyctl account show --json")]
    Show {
        #[command(flatten)]
        form: FormArgs,
    },
    /// Print a fresh card: who holds it can reach you. One for each person
    #[command(after_help = "Example: ahoyctl account card --for Ana > for-ana.card")]
    Card {
        /// For whom, as a reminder
        #[arg(long = "for", value_name = "NAME")]
        whom: Option<String>,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Set your name as others see it
    #[command(after_help = "Example: ahoyctl account name 'Ana B.'")]
    Name {
        /// 1 to 64 characters
        name: String,
        #[command(flatten)]
        form: FormArgs,
    },
}

impl Args {
    /// The form, wherever it was asked for.
    pub(crate) fn form(&self) -> FormArgs {
        match &self.what {
            Some(What::Show { form } | What::Card { form, .. } | What::Name { form, .. }) => *form,
            None => self.form,
        }
    }
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let (path, account) = account(desk).await?;
    match args.what {
        None | Some(What::Show { .. }) => show(desk, &account)?,
        Some(What::Card { whom, .. }) => {
            let mut options = Dict::new();
            if let Some(name) = whom {
                options.insert("name".to_owned(), Variant::from(name).try_into()?);
            }
            let card = ask(desk.bus.account(&path).await?.export_card(&options)).await?;
            if desk.out.is_json() {
                desk.out.object(json!({"card": card}))?;
            } else {
                desk.out.text(&card)?;
            }
        }
        Some(What::Name { name, .. }) => {
            ask(desk.bus.account(&path).await?.set_display_name(&name)).await?;
            let (_, account) = self::account(desk).await?;
            show(desk, &account)?;
        }
    }
    Ok(Exit::Ok)
}

async fn account(desk: &Desk) -> Result<(String, Props), Fault> {
    let world = desk.bus.look().await?;
    world.account().ok_or_else(|| Fault::new(Exit::NoSuch, "ahoyd has no account yet. See: ahoyctl status"))
}

fn show(desk: &Desk, account: &Props) -> Result<(), Fault> {
    if desk.out.is_json() {
        return desk.out.object(json!({"account": Value::Object(account.json())}));
    }
    let mut pairs = vec![
        ("name", account.text("DisplayName").to_owned()),
        ("address", account.text("Address").to_owned()),
        ("id", account.text("Id").to_owned()),
        ("state", account.text("ConnectionState").to_owned()),
    ];
    if !account.text("ConnectionError").is_empty() {
        pairs.push(("problem", account.text("ConnectionError").to_owned()));
    }
    pairs.extend(account.list("Relays").into_iter().map(|relay| ("relay", relay)));
    desk.out.pairs(&pairs)
}
