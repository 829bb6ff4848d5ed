//! `ahoyctl contact …`.
//!
//! Lives here: the verbs on contacts, and how their rows are shown. People who ask to be contacts: `contact/requests.rs`.
//! Must not: parse a card; the daemon does.

mod requests;

use std::io::Read;
use std::path::{Path, PathBuf};

use ahoy_dbus::Dict;
use serde_json::json;
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::complain::complain;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::time;
use crate::tone;
use crate::world::{Props, options};

/// The people you know
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: ahoyctl contact add ana.card",
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
    /// Add a contact by its card
    #[command(after_help = "Example: ssh ana ahoyctl account card | ahoyctl contact add -")]
    Add {
        /// A file with the card; - for standard input
        file: PathBuf,
    },
    /// List contacts (what `contact` alone does)
    #[command(
        after_help = "In a pipe: id, name, address, remarks, apart by tabs.\nExample: ahoyctl contact list --blocked"
    )]
    List {
        /// Only blocked ones
        #[arg(long)]
        blocked: bool,
        /// Only favourites
        #[arg(long)]
        favorites: bool,
    },
    /// Show one contact
    #[command(after_help = "Example: ahoyctl contact show ana")]
    Show(Whom),
    /// Find contacts by a part of name, id or address
    #[command(after_help = "Example: ahoyctl contact find an")]
    Find {
        /// The part
        text: String,
    },
    /// Give a contact another name; only you see it
    #[command(after_help = "Example: ahoyctl contact rename ana 'Ana at work'")]
    Rename {
        #[command(flatten)]
        whom: Whom,
        /// 1 to 64 characters
        name: String,
    },
    /// Decide how a contact rings here, how loud they are, and more
    #[command(after_help = "Example: ahoyctl contact set ana --favorite on --ring always")]
    Set(SetArgs),
    /// Say that the safety number of `contact show` fits
    #[command(after_help = "Example: ahoyctl contact verify ana")]
    Verify {
        #[command(flatten)]
        whom: Whom,
        /// Take it back
        #[arg(long)]
        undo: bool,
    },
    /// Block a contact: to them you look offline
    #[command(after_help = "Example: ahoyctl contact block ana")]
    Block(Whom),
    /// Take a block back
    #[command(after_help = "Example: ahoyctl contact unblock ana")]
    Unblock(Whom),
    /// Who asks to be your contact
    #[command(
        after_help = "Who adds a card that you gave out asks by that.\nIn a pipe: id, name, address, for whom the card was, when, apart by tabs.\nExample: ahoyctl contact requests"
    )]
    Requests,
    /// Accept who asks: they become your contact, and get your card
    #[command(after_help = "Example: ahoyctl contact accept ben")]
    Accept(requests::Who),
    /// Send who asks away: they hear nothing, and need another card to ask again
    #[command(after_help = "Example: ahoyctl contact dismiss ben")]
    Dismiss(requests::Who),
    /// Remove a contact; history keeps its rows
    #[command(after_help = "Example: ahoyctl contact rm ana")]
    Rm(Whom),
}

/// The contact that a verb is for.
#[derive(Debug, clap::Args)]
struct Whom {
    /// Id, address or name, or a unique beginning of one
    #[arg(add = crate::complete::contacts())]
    contact: String,
}

impl Whom {
    async fn id(&self, desk: &Desk) -> Result<String, Fault> {
        Ok(pick::contact(&desk.bus, &self.contact).await?.text("id").to_owned())
    }
}

/// What `contact set` can change.
#[derive(Debug, clap::Args)]
struct SetArgs {
    #[command(flatten)]
    whom: Whom,
    /// Rings through `ahoyctl dnd favorites`
    #[arg(long, value_name = "on|off", value_parser = switch)]
    favorite: Option<bool>,
    /// normal, always, silent, never, auto-answer
    #[arg(long, value_name = "HOW", value_parser = ["normal", "always", "silent", "never", "auto-answer"], hide_possible_values = true)]
    ring: Option<String>,
    /// May learn your address before you answer: default, always, trusted, never
    #[arg(long, value_name = "WHEN", value_parser = ["default", "always", "trusted", "never"], hide_possible_values = true)]
    preconnect: Option<String>,
    /// They see your TURN server's address and never yours
    #[arg(long, value_name = "yes|no", value_parser = super::yes_or_no)]
    relay_only: Option<bool>,
    /// A file, or a sound of the theme; '' for the usual
    #[arg(long, value_name = "TONE")]
    ring_tone: Option<String>,
    /// A file, or a name of the icon theme; '' for none
    #[arg(long, value_name = "ICON")]
    icon: Option<String>,
    /// How loud they are played, 0 to 2
    #[arg(long, value_name = "FACTOR")]
    volume: Option<f64>,
    /// They may see whether you can be reached
    #[arg(long, value_name = "yes|no", value_parser = switch)]
    ping: Option<bool>,
}

impl SetArgs {
    fn changes(&self) -> Result<Dict, Fault> {
        let text = |text: &Option<String>| text.clone().map(Variant::from);
        let file = |text: &Option<String>| text.as_deref().map(tone::named).transpose();
        let changes = options([
            ("favorite", self.favorite.map(Variant::from)),
            ("ring-policy", text(&self.ring)),
            ("preconnect", text(&self.preconnect)),
            ("relay-only", self.relay_only.map(Variant::from)),
            ("ring-tone", file(&self.ring_tone)?.map(Variant::from)),
            ("icon", file(&self.icon)?.map(Variant::from)),
            ("volume", self.volume.map(Variant::from)),
            ("ping", self.ping.map(Variant::from)),
        ])?;
        if changes.is_empty() {
            return Err(Fault::new(Exit::Usage, "Nothing to set. See: ahoyctl contact set --help"));
        }
        Ok(changes)
    }
}

/// `on` or `off`, `yes` or `no`.
fn switch(word: &str) -> Result<bool, String> {
    match word {
        "on" | "yes" => Ok(true),
        "off" | "no" => Ok(false),
        _ => Err("say on or off, yes or no".to_owned()),
    }
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let contacts = desk.bus.contacts().await?;
    let none = Dict::new();
    let id = match args.what.unwrap_or(What::List { blocked: false, favorites: false }) {
        What::Add { file } => {
            let id = ask(contacts.add(&read_card(&file)?, &none)).await?;
            show_id(desk, &id).await?;
            return tell_twins(desk, &id).await.map(|()| Exit::Ok);
        }
        What::List { blocked, favorites } => {
            return list(desk, blocked, favorites).await.map(|()| Exit::Ok);
        }
        What::Find { text } => {
            let rows = ask(contacts.find(&text, &none)).await?;
            if rows.is_empty() {
                let sentence = format!("No contact has '{text}' in name, id or address.");
                return Err(Fault::new(Exit::NoSuch, sentence));
            }
            return show_rows(desk, rows).map(|()| Exit::Ok);
        }
        What::Show(whom) => return show_all(desk, &whom.id(desk).await?).await.map(|()| Exit::Ok),
        What::Requests => return requests::list(desk).await.map(|()| Exit::Ok),
        What::Dismiss(who) => return requests::dismiss(desk, &who).await.map(|()| Exit::Ok),
        What::Accept(who) => {
            let id = requests::accept(desk, &who).await?;
            show_id(desk, &id).await?;
            return tell_twins(desk, &id).await.map(|()| Exit::Ok);
        }
        What::Rm(whom) => {
            let row = pick::contact(&desk.bus, &whom.contact).await?;
            let id = row.text("id");
            ask(contacts.remove(id, &none)).await?;
            desk.out.either(json!({"removed": id}), &["removed", id, row.text("name")])?;
            return Ok(Exit::Ok);
        }
        What::Set(args) => {
            let changes = args.changes()?;
            let id = args.whom.id(desk).await?;
            ask(contacts.set(&id, &changes, &none)).await?;
            id
        }
        What::Rename { whom, name } => {
            let id = whom.id(desk).await?;
            ask(contacts.set(&id, &options([("name", Some(name.into()))])?, &none)).await?;
            id
        }
        What::Verify { whom, undo } => {
            let id = whom.id(desk).await?;
            ask(contacts.verify(&id, !undo, &none)).await?;
            id
        }
        What::Block(whom) => {
            let id = whom.id(desk).await?;
            ask(contacts.block(&id, &none)).await?;
            id
        }
        What::Unblock(whom) => {
            let id = whom.id(desk).await?;
            ask(contacts.unblock(&id, &none)).await?;
            id
        }
    };
    show_id(desk, &id).await.map(|()| Exit::Ok)
}

/// All pages of the list.
async fn list(desk: &Desk, blocked: bool, favorites: bool) -> Result<(), Fault> {
    let contacts = desk.bus.contacts().await?;
    let mut filter = options([
        ("limit", Some(1000_u32.into())),
        ("blocked", blocked.then(|| true.into())),
        ("favorite", favorites.then(|| true.into())),
    ])?;
    let mut all = Vec::new();
    loop {
        let (rows, next) = ask(contacts.list(&filter, &Dict::new())).await?;
        all.extend(rows);
        if next.is_empty() {
            break;
        }
        filter.insert("after".to_owned(), Variant::from(next).try_into()?);
    }
    if all.is_empty() {
        desk.out.hint("Nobody yet. Make a code for somebody: ahoyctl pair");
    }
    show_rows(desk, all)
}

/// A call needs both cards, and only a handshake tells that they have ours.
const LACKS: &str =
    "A call needs your card at theirs, too: it is sent to them by itself, and they have to accept it.";

async fn show_id(desk: &Desk, id: &str) -> Result<(), Fault> {
    let row = pick::contact(&desk.bus, id).await?;
    if desk.out.is_json() {
        return desk.out.object(json!({"contact": row.value()}));
    }
    desk.out.words(&line(&row))?;
    if !row.flag("mutual") {
        desk.out.hint(LACKS);
    }
    Ok(())
}

/// Who was added may only look like somebody that is known: said whoever reads the output.
async fn tell_twins(desk: &Desk, id: &str) -> Result<(), Fault> {
    for twin in pick::contact(&desk.bus, id).await?.list("looks-like") {
        let other = pick::contact(&desk.bus, &twin).await?;
        complain(&format!(
            "Careful: the name of {id} looks like that of {} ({twin}), who is there already. Compare the safety number: ahoyctl contact show {id}",
            other.text("name"),
        ));
    }
    Ok(())
}

/// Everything about one contact, a line each.
async fn show_all(desk: &Desk, id: &str) -> Result<(), Fault> {
    let row = pick::contact(&desk.bus, id).await?;
    if desk.out.is_json() {
        return desk.out.object(json!({"contact": row.value()}));
    }
    let yes_or_no = |name: &str| if row.flag(name) { "yes" } else { "no" }.to_owned();
    let mut pairs: Vec<(&str, String)> =
        ["name", "id", "address", "safety-number"].map(|key| (key, row.text(key).to_owned())).to_vec();
    if row.flag("ended") {
        pairs.push(("account", "ended: they said so".to_owned()));
    }
    pairs.extend(["verified", "mutual", "favorite", "blocked"].map(|key| (key, yes_or_no(key))));
    pairs.extend(["ring-policy", "preconnect"].map(|key| (key, row.text(key).to_owned())));
    pairs.push(("relay-only", yes_or_no("relay-only")));
    let usual = |key: &str| if row.text(key).is_empty() { "usual" } else { row.text(key) }.to_owned();
    pairs.extend(["ring-tone", "icon"].map(|key| (key, usual(key))));
    pairs.push(("volume", row.real("volume").to_string()));
    pairs.push(("ping", yes_or_no("ping")));
    pairs.push(("last call", time::local(row.at("last-call-at"))));
    desk.out.pairs(&pairs)?;
    if !row.flag("mutual") {
        desk.out.hint(LACKS);
    }
    Ok(())
}

fn show_rows(desk: &Desk, rows: Vec<Dict>) -> Result<(), Fault> {
    let rows: Vec<Props> = rows.into_iter().map(Props::from).collect();
    desk.out.rows(&["ID", "NAME", "ADDRESS", ""], &rows, line, ("contacts", Props::value), json!({}))
}

fn line(row: &Props) -> Vec<String> {
    let policy = row.text("ring-policy");
    let mut remarks: Vec<String> = ["ended", "blocked", "favorite", "verified"].map(str::to_owned).to_vec();
    remarks.retain(|remark| row.flag(remark));
    if !["", "normal"].contains(&policy) {
        remarks.push(format!("rings: {policy}"));
    }
    if row.flag("mutual") {
        remarks.push("mutual".to_owned());
    }
    let [id, name, address] = ["id", "name", "address"].map(|key| row.text(key).to_owned());
    vec![id, name, address, remarks.join(", ")]
}

/// A card is at most some kilobytes; a wrong file must fill neither the memory nor the bus.
const CARD_LIMIT: u64 = 64 * 1024;

/// The text of a card. What mail programs and editors put into it, line breaks and a byte order mark, the daemon leaves out;
/// what cannot be a card at all does not get to the bus.
fn read_card(file: &Path) -> Result<String, Fault> {
    let name = file.display();
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(CARD_LIMIT + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(CARD_LIMIT + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Fault::new(Exit::Usage, format!("Cannot read the card from '{name}': {error}.")))?;
    let wrong = |what: &str| {
        let sentence = format!("'{name}' is no card: {what}. A card is a text that begins with ahoy:1.");
        Err(Fault::new(Exit::Usage, sentence))
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > CARD_LIMIT {
        return wrong("it is too large");
    }
    let Ok(text) = String::from_utf8(bytes) else { return wrong("it is no text in UTF-8") };
    if text.contains('\0') {
        return wrong("it is no text");
    }
    let card = text.trim_start_matches('\u{feff}').trim();
    if card.is_empty() {
        return Err(Fault::new(
            Exit::Usage,
            format!("There is no card in '{name}'. They make one with: ahoyctl account card"),
        ));
    }
    Ok(card.to_owned())
}
