//! `ahoyctl account …`.
//!
//! Lives here: who we are, our card for somebody, our name; the account as a whole: `account/whole.rs`.
//! Must not: hold a key.

mod whole;

use ahoy_dbus::Dict;
use serde_json::json;
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::time;
use crate::world::{Props, options};

/// Who you are: address, name, relays; your card for others
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: ahoyctl account card --for Ana > for-ana.card",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the account (what `account` alone does)
    #[command(after_help = "Example: ahoyctl account show --json")]
    Show,
    /// Print a fresh card: who holds it can reach you. One for each person
    #[command(after_help = "Example: ahoyctl account card --for Ana > for-ana.card")]
    Card {
        /// For whom, as a reminder
        #[arg(long = "for", value_name = "NAME")]
        whom: Option<String>,
    },
    /// List cards that were given out and that nobody has used yet
    #[command(after_help = "A card that was used belongs to its contact, and goes with it.
One that nobody uses within 30 days ends by itself.
Example: ahoyctl account cards")]
    Cards,
    /// Take back a card that nobody has used
    #[command(after_help = "Example: ahoyctl account revoke 3f2a")]
    Revoke {
        /// Its id, or a unique beginning of it: see `account cards`
        card: String,
    },
    /// Write the whole account into a file, sealed by a passphrase
    #[command(
        after_help = "Keys, contacts, cards given out, settings: to move to another machine, or to keep.
The file is age's (age-encryption.org), and `age -d` opens it, too.
Example: ahoyctl account export ~/ahoy.age"
    )]
    Export(whole::Export),
    /// Bring an exported account to this machine
    #[command(after_help = "ahoyd begins anew with it. The same address, the same safety numbers: contacts
notice nothing. Where it came from: ahoyctl account remove --moved, for two
machines must not be one account at once.
Example: ahoyctl account import ~/ahoy.age")]
    Import(whole::Import),
    /// End this account for good
    #[command(after_help = "Contacts are told, and see it in their list. Nobody can be you again without an
exported file. ahoyd begins anew, as on its first day; settings stay.
Example: ahoyctl account remove --yes")]
    Remove(whole::Remove),
    /// Set your name as others see it
    #[command(after_help = "Example: ahoyctl account name 'Ana B.'")]
    Name {
        /// 1 to 64 characters
        name: String,
    },
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let (path, account) = account(desk).await?;
    match args.what {
        None | Some(What::Show) => show(desk, &account)?,
        Some(What::Card { whom, .. }) => {
            let options = options([("name", whom.map(Variant::from))])?;
            let card = ask(desk.bus.account(&path).await?.export_card(&options)).await?;
            desk.out.either(json!({"card": card}), &[&card])?;
        }
        Some(What::Export(args)) => whole::export(desk, &path, args).await?,
        Some(What::Import(args)) => whole::import(desk, &path, args).await?,
        Some(What::Remove(args)) => whole::remove(desk, &path, args).await?,
        Some(What::Cards) => show_cards(desk, &path).await?,
        Some(What::Revoke { card, .. }) => {
            ask(desk.bus.account(&path).await?.revoke_card(&card, &Dict::new())).await?;
            show_cards(desk, &path).await?;
        }
        Some(What::Name { name, .. }) => {
            ask(desk.bus.account(&path).await?.set_display_name(&name)).await?;
            let (_, account) = self::account(desk).await?;
            show(desk, &account)?;
        }
    }
    Ok(Exit::Ok)
}

async fn show_cards(desk: &Desk, path: &str) -> Result<(), Fault> {
    let rows = ask(desk.bus.account(path).await?.cards(&Dict::new())).await?;
    let rows: Vec<Props> = rows.into_iter().map(Props::from).collect();
    let line = |row: &Props| {
        vec![row.text("id").to_owned(), row.text("name").to_owned(), time::local(row.at("given-at"))]
    };
    desk.out.rows(&["CARD", "FOR", "GIVEN"], &rows, line, ("cards", Props::value), json!({}))
}

async fn account(desk: &Desk) -> Result<(String, Props), Fault> {
    let world = desk.bus.look().await?;
    world.account().ok_or_else(|| Fault::new(Exit::NoSuch, "ahoyd has no account yet. See: ahoyctl status"))
}

fn show(desk: &Desk, account: &Props) -> Result<(), Fault> {
    if desk.out.is_json() {
        return desk.out.object(json!({"account": account.value()}));
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
    let relays = account.rows("Serving");
    for relay in &relays {
        pairs.push(("relay", relay.text("url").to_owned()));
        pairs.push(("serves", if relay.flag("serves") { "yes" } else { "not now" }.to_owned()));
        pairs.push(("from", origin(relay.text("from")).to_owned()));
    }
    desk.out.pairs(&pairs)?;
    if !relays.is_empty() {
        desk.out.hint(SEEN);
    }
    Ok(())
}

/// What others see of a relay's use.
const SEEN: &str =
    "Who runs a relay sees your network address, when and how much; no name, no identity, no word.";

/// Where a relay comes from, to a person; a word of a later version as it is.
fn origin(from: &str) -> &str {
    match from {
        "configuration" => "the configuration",
        "list" => "the signed list",
        "dns" => "the records of the domain",
        "worked-before" => "it worked before",
        "contact" => "a contact",
        "link" => "the code of a pairing",
        other => other,
    }
}
