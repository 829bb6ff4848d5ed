//! `ahoyctl account export | import | remove`.
//!
//! Lives here: handing the daemon a file and a passphrase, asking before something is gone, waiting until the daemon is back.
//! Must not: seal or open a file; hold a key.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use zbus::Variant;

use super::account;
use crate::cmd::Desk;
use crate::draft::Draft;
use crate::fault::{Exit, Fault};
use crate::secret;
use crate::wait::{Follower, Next};
use crate::world::options;

/// How long a file, or a farewell, may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the daemon may take to begin anew.
const BACK: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The file, replaced if it is there; only you can read it
    file: PathBuf,
    /// Past calls, too
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The exported file
    file: PathBuf,
    /// In the place of an account that is in use here; that is kept aside
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Past calls, too
    #[arg(long)]
    history: bool,
    /// It lives on, on another machine: nobody is told that it ends
    #[arg(long)]
    moved: bool,
}

#[derive(Debug, clap::Args)]
struct Passphrase {
    /// Read the passphrase from this descriptor; else it is asked for
    #[arg(long = "passphrase-fd", value_name = "N")]
    fd: Option<u32>,
}

pub(super) async fn export(desk: &Desk, path: &str, args: Export) -> Result<(), Fault> {
    let draft = Draft::begin_private(&args.file)?;
    let secret = secret::secret(args.passphrase.fd, true).await?;
    let options =
        options([("secret", Some(Variant::Fd(secret.into()))), ("history", Some(args.history.into()))])?;
    let account = desk.bus.account(path).await?;
    within(account.export(draft.as_fd().into(), &options)).await?;
    draft.finish()?;
    let file = args.file.display().to_string();
    desk.out.either(json!({"file": file}), &[&file])?;
    desk.out.hint("Who has this file and the passphrase is you. Keep both, apart from each other.");
    Ok(())
}

pub(super) async fn import(desk: &Desk, path: &str, args: Import) -> Result<(), Fault> {
    let file = opened(&args.file)?;
    let secret = secret::secret(args.passphrase.fd, false).await?;
    let options =
        options([("secret", Some(Variant::Fd(secret.into()))), ("replace", Some(args.replace.into()))])?;
    let follower = follower(desk).await?;
    let address = within(desk.bus.account(path).await?.import(file.as_fd().into(), &options)).await?;
    back(follower).await?;
    let (_, account) = account(desk).await?;
    if account.text("Address") != address {
        return Err(Fault::new(
            Exit::Error,
            "The account came, and another one is in use: ahoyctl logs says why.",
        ));
    }
    super::show(desk, &account)?;
    desk.out.hint(
        "Where it came from: ahoyctl account remove --moved. Two machines must not be one account at once.",
    );
    Ok(())
}

pub(super) async fn remove(desk: &Desk, path: &str, args: Remove) -> Result<(), Fault> {
    if !args.yes {
        let (_, account) = account(desk).await?;
        let question = format!(
            "This takes the account {} ({}) off this machine{}; keys, contacts and cards are deleted{}.\nType 'remove' to go on: ",
            account.text("DisplayName"),
            account.text("Address"),
            if args.moved { "" } else { " and ends it for good.\nYour contacts are told" },
            if args.history { ", and the history" } else { "" },
        );
        if !secret::confirmed(&question, "remove") {
            return Err(Fault::new(Exit::Usage, "Nothing was removed. Without a terminal: --yes."));
        }
    }
    let options = options([("history", Some(args.history.into())), ("moved", Some(args.moved.into()))])?;
    let follower = follower(desk).await?;
    let (told, contacts) = within(desk.bus.account(path).await?.remove(&options)).await?;
    back(follower).await?;
    let said = match (args.moved, contacts) {
        (true, _) => "The account is off this machine; nobody was told.".to_owned(),
        (false, 0) => "The account is gone. It had no contacts.".to_owned(),
        (false, _) => format!("The account is gone. {told} of {contacts} contacts were told."),
    };
    desk.out.either(json!({"told": told, "contacts": contacts}), &[&said])
}

fn opened(file: &Path) -> Result<File, Fault> {
    File::open(file)
        .map_err(|error| Fault::new(Exit::Usage, format!("'{}' cannot be read: {error}.", file.display())))
}

async fn within<T>(question: impl Future<Output = zbus::Result<T>>) -> Result<T, Fault> {
    let answer = tokio::time::timeout(PATIENCE, question).await.map_err(|_late| Fault::timed_out())?;
    Ok(answer?)
}

async fn follower(desk: &Desk) -> Result<Follower, Fault> {
    let mut follower = Follower::subscribe(&desk.bus).await?;
    follower.refresh().await?;
    Ok(follower)
}

/// The daemon leaves the bus and comes back with what is so now: until then the next command would find nobody.
async fn back(mut follower: Follower) -> Result<(), Fault> {
    let returns = async {
        loop {
            match follower.next().await? {
                Next::Here => return Ok(()),
                Next::Gone | Next::Change(_) => {}
            }
        }
    };
    let late = |_| Fault::new(Exit::NotRunning, "It is done, but ahoyd has not come back: ahoyctl logs");
    tokio::time::timeout(BACK, returns).await.map_err(late)?
}
