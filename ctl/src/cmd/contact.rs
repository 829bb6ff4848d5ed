//! `ahoyctl contact …`.
//!
//! Lives here: the verbs on contacts, and how their rows are shown.
//! Must not: parse a card; the daemon does.

use std::io::Read;
use std::path::{Path, PathBuf};

use ahoy_dbus::Dict;
use serde_json::{Value, json};
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::complain::complain;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::FormArgs;
use crate::time;
use crate::tone;
use crate::world::{Props, row_json};

/// The people you know
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl contact add ana.card", args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a contact by its card
    #[command(after_help = "Example: ssh ana ahoyctl account card | ahoyctl contact add -")]
    Add {
        /// A file with the card; - for standard input
        file: PathBuf,
        #[command(flatten)]
        form: FormArgs,
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
        #[command(flatten)]
        form: FormArgs,
    },
    /// Show one contact
    #[command(after_help = "Example: ahoyctl contact show ana")]
    Show {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Find contacts by a part of name, id or address
    #[command(after_help = "Example: ahoyctl contact find an")]
    Find {
        /// The part
        text: String,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Give a contact another name; only you see it
    #[command(after_help = "Example: ahoyctl contact rename ana 'Ana at work'")]
    Rename {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        /// 1 to 64 characters
        name: String,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Decide how a contact rings here, how loud they are, and more
    #[command(after_help = "Example: ahoyctl contact set ana --favorite on --ring always")]
    Set(SetArgs),
    /// Say that the safety number of `contact show` fits
    #[command(after_help = "Example: ahoyctl contact verify ana")]
    Verify {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        /// Take it back
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Block a contact: to them you look offline
    #[command(after_help = "Example: ahoyctl contact block ana")]
    Block {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Take a block back
    #[command(after_help = "Example: ahoyctl contact unblock ana")]
    Unblock {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Remove a contact; history keeps its rows
    #[command(after_help = "Example: ahoyctl contact rm ana")]
    Rm {
        /// Id, address or name, or a unique beginning of one
        #[arg(add = crate::complete::contacts())]
        contact: String,
        #[command(flatten)]
        form: FormArgs,
    },
}

/// What `contact set` can change.
#[derive(Debug, clap::Args)]
struct SetArgs {
    /// Id, address or name, or a unique beginning of one
    contact: String,
    /// Rings through `ahoyctl dnd favorites`
    #[arg(long, value_name = "on|off", value_parser = switch)]
    favorite: Option<bool>,
    /// normal, always, silent, never, auto-answer
    #[arg(long, value_name = "HOW", value_parser = ["normal", "always", "silent", "never", "auto-answer"], hide_possible_values = true)]
    ring: Option<String>,
    /// May learn your address before you answer: default, always, trusted, never
    #[arg(long, value_name = "WHEN", value_parser = ["default", "always", "trusted", "never"], hide_possible_values = true)]
    preconnect: Option<String>,
    /// A file, or a name of the sound theme; '' for the usual
    #[arg(long, value_name = "TONE")]
    ring_tone: Option<String>,
    /// A file, or a name of the icon theme; '' for none
    #[arg(long, value_name = "ICON")]
    icon: Option<String>,
    /// How loud they are played, 0 to 2
    #[arg(long, value_name = "FACTOR")]
    volume: Option<f64>,
    #[command(flatten)]
    form: FormArgs,
}

impl SetArgs {
    fn changes(&self) -> Result<Dict, Fault> {
        let mut changes = Dict::new();
        if let Some(favorite) = self.favorite {
            changes.insert("favorite".to_owned(), favorite.into());
        }
        let texts = [
            ("ring-policy", &self.ring),
            ("preconnect", &self.preconnect),
            ("ring-tone", &self.ring_tone),
            ("icon", &self.icon),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                let text =
                    if ["ring-tone", "icon"].contains(&key) { tone::named(text)? } else { text.clone() };
                changes.insert(key.to_owned(), Variant::from(text).try_into()?);
            }
        }
        if let Some(volume) = self.volume {
            changes.insert("volume".to_owned(), volume.into());
        }
        if changes.is_empty() {
            return Err(Fault::new(Exit::Usage, "Nothing to set. See: ahoyctl contact set --help"));
        }
        Ok(changes)
    }
}

/// `on` or `off`.
fn switch(word: &str) -> Result<bool, String> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("say on or off".to_owned()),
    }
}

impl Args {
    /// The form that was asked for.
    pub(crate) fn form(&self) -> FormArgs {
        let Some(what) = &self.what else { return self.form };
        match what {
            What::Add { form, .. }
            | What::List { form, .. }
            | What::Show { form, .. }
            | What::Find { form, .. }
            | What::Rename { form, .. }
            | What::Block { form, .. }
            | What::Unblock { form, .. }
            | What::Verify { form, .. }
            | What::Rm { form, .. } => *form,
            What::Set(args) => args.form,
        }
    }
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let contacts = desk.bus.contacts().await?;
    let none = Dict::new();
    let whole = What::List { blocked: false, favorites: false, form: args.form };
    match args.what.unwrap_or(whole) {
        What::Add { file, .. } => {
            let id = ask(contacts.add(&read_card(&file)?, &none)).await?;
            show_id(desk, &id).await?;
            tell_twins(desk, &id).await?;
        }
        What::List { blocked, favorites, .. } => list(desk, blocked, favorites).await?,
        What::Find { text, .. } => {
            let rows = ask(contacts.find(&text, &none)).await?;
            if rows.is_empty() {
                return Err(Fault::new(
                    Exit::NoSuch,
                    format!("No contact has '{text}' in name, id or address."),
                ));
            }
            show_rows(desk, rows)?;
        }
        What::Show { contact, .. } => {
            show_all(desk, pick::contact(&desk.bus, &contact).await?.text("id")).await?
        }
        What::Set(args) => {
            let changes = args.changes()?;
            let row = pick::contact(&desk.bus, &args.contact).await?;
            ask(contacts.set(row.text("id"), &changes, &none)).await?;
            show_id(desk, row.text("id")).await?;
        }
        What::Verify { contact, undo, .. } => {
            let row = pick::contact(&desk.bus, &contact).await?;
            ask(contacts.verify(row.text("id"), !undo, &none)).await?;
            show_id(desk, row.text("id")).await?;
        }
        What::Rename { contact, name, .. } => {
            let row = pick::contact(&desk.bus, &contact).await?;
            let name = Variant::from(name).try_into()?;
            ask(contacts.set(row.text("id"), &Dict::from([("name".to_owned(), name)]), &none)).await?;
            show_id(desk, row.text("id")).await?;
        }
        What::Block { contact, .. } => {
            let row = pick::contact(&desk.bus, &contact).await?;
            ask(contacts.block(row.text("id"), &none)).await?;
            show_id(desk, row.text("id")).await?;
        }
        What::Unblock { contact, .. } => {
            let row = pick::contact(&desk.bus, &contact).await?;
            ask(contacts.unblock(row.text("id"), &none)).await?;
            show_id(desk, row.text("id")).await?;
        }
        What::Rm { contact, .. } => {
            let row = pick::contact(&desk.bus, &contact).await?;
            ask(contacts.remove(row.text("id"), &none)).await?;
            if desk.out.is_json() {
                desk.out.object(json!({"removed": row.text("id")}))?;
            } else {
                desk.out.words(&[
                    "removed".to_owned(),
                    row.text("id").to_owned(),
                    row.text("name").to_owned(),
                ])?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// All pages of the list.
async fn list(desk: &Desk, blocked: bool, favorites: bool) -> Result<(), Fault> {
    let contacts = desk.bus.contacts().await?;
    let mut filter = Dict::from([("limit".to_owned(), 1000_u32.into())]);
    if blocked {
        filter.insert("blocked".to_owned(), true.into());
    }
    if favorites {
        filter.insert("favorite".to_owned(), true.into());
    }
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
        desk.out.hint("Nobody yet. Exchange cards: ahoyctl account card, ahoyctl contact add");
    }
    show_rows(desk, all)
}

/// A call needs both cards, and only a handshake tells that they have ours.
fn lacks(name: &str) -> String {
    format!(
        "A call needs your card at theirs, too. If they have none yet: ahoyctl account card --for '{}'",
        name.replace('\'', "'\\''")
    )
}

async fn show_id(desk: &Desk, id: &str) -> Result<(), Fault> {
    let row = ask(desk.bus.contacts().await?.get(id, &Dict::new())).await?;
    if desk.out.is_json() {
        return desk.out.object(json!({"contact": Value::Object(row_json(&row))}));
    }
    let row = Props::from(row);
    desk.out.words(&line(&row))?;
    if !row.flag("mutual") {
        desk.out.hint(&lacks(row.text("name")));
    }
    Ok(())
}

/// Who was added may only look like somebody that is known: said whoever reads the output.
async fn tell_twins(desk: &Desk, id: &str) -> Result<(), Fault> {
    let contacts = desk.bus.contacts().await?;
    let row = Props::from(ask(contacts.get(id, &Dict::new())).await?);
    for twin in row.list("looks-like") {
        let other = Props::from(ask(contacts.get(&twin, &Dict::new())).await?);
        complain(&format!(
            "Careful: the name of {id} looks like that of {} ({twin}), who is there already. Compare the safety number: ahoyctl contact show {id}",
            other.text("name"),
        ));
    }
    Ok(())
}

/// Everything about one contact, a line each.
async fn show_all(desk: &Desk, id: &str) -> Result<(), Fault> {
    let row = ask(desk.bus.contacts().await?.get(id, &Dict::new())).await?;
    if desk.out.is_json() {
        return desk.out.object(json!({"contact": Value::Object(row_json(&row))}));
    }
    let row = Props::from(row);
    let yes_or_no = |name: &str| if row.flag(name) { "yes" } else { "no" }.to_owned();
    let mut pairs: Vec<(&str, String)> =
        ["name", "id", "address", "safety-number"].map(|key| (key, row.text(key).to_owned())).to_vec();
    pairs.extend(["verified", "mutual", "favorite", "blocked"].map(|key| (key, yes_or_no(key))));
    pairs.extend(["ring-policy", "preconnect"].map(|key| (key, row.text(key).to_owned())));
    let usual = |key: &str| if row.text(key).is_empty() { "usual" } else { row.text(key) }.to_owned();
    pairs.extend(["ring-tone", "icon"].map(|key| (key, usual(key))));
    pairs.push(("volume", row.real("volume").to_string()));
    pairs.push(("last call", time::local(row.at("last-call-at"))));
    desk.out.pairs(&pairs)?;
    if !row.flag("mutual") {
        desk.out.hint(&lacks(row.text("name")));
    }
    Ok(())
}

fn show_rows(desk: &Desk, rows: Vec<Dict>) -> Result<(), Fault> {
    let items = rows.iter().map(|row| Value::Object(row_json(row))).collect();
    let lines: Vec<Vec<String>> = rows.into_iter().map(|row| line(&row.into())).collect();
    desk.out.rows(&["ID", "NAME", "ADDRESS", ""], &lines, "contacts", items, json!({}))
}

fn line(row: &Props) -> Vec<String> {
    let mut remarks = Vec::new();
    for remark in ["blocked", "favorite", "verified"] {
        if row.flag(remark) {
            remarks.push(remark);
        }
    }
    let policy = row.text("ring-policy");
    let rings;
    if !["", "normal"].contains(&policy) {
        rings = format!("rings: {policy}");
        remarks.push(&rings);
    }
    if row.flag("mutual") {
        remarks.push("mutual");
    }
    vec![
        row.text("id").to_owned(),
        row.text("name").to_owned(),
        row.text("address").to_owned(),
        remarks.join(", "),
    ]
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
