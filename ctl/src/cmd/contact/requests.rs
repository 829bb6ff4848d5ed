//! `ahoyctl contact requests`, `accept` and `dismiss`.
//!
//! Lives here: who asks to be a contact, and a person's answer.
//! Must not: find out who is meant; the daemon does.

use ahoy_dbus::Dict;
use serde_json::json;

use crate::bus::ask;
use crate::cmd::Desk;
use crate::complain::complain;
use crate::fault::Fault;
use crate::time;
use crate::world::Props;

/// The one who asks.
#[derive(Debug, clap::Args)]
pub(super) struct Who {
    /// Id or name, or a unique beginning of one
    #[arg(add = crate::complete::requests())]
    request: String,
}

/// Who asks, the first first.
pub(super) async fn list(desk: &Desk) -> Result<(), Fault> {
    let rows = ask(desk.bus.contacts().await?.requests(&Dict::new())).await?;
    let rows: Vec<Props> = rows.into_iter().map(Props::from).collect();
    if rows.is_empty() {
        desk.out.hint("Nobody asks.");
    }
    let heads = ["ID", "NAME", "ADDRESS", "CARD FOR", "ASKED"];
    desk.out.rows(&heads, &rows, line, ("requests", Props::value), json!({}))?;
    for row in &rows {
        if !row.list("looks-like").is_empty() {
            complain(&format!(
                "Careful: the name of {} looks like another that is there already. Compare the safety number before you accept: {}",
                row.text("id"),
                row.text("safety-number"),
            ));
        }
    }
    if !rows.is_empty() {
        desk.out.hint("They call themselves so. To answer: ahoyctl contact accept NAME, or dismiss NAME");
    }
    Ok(())
}

/// Makes a contact of who asks.
pub(super) async fn accept(desk: &Desk, who: &Who) -> Result<String, Fault> {
    ask(desk.bus.contacts().await?.accept(&who.request, &Dict::new())).await
}

/// Sends who asks away.
pub(super) async fn dismiss(desk: &Desk, who: &Who) -> Result<(), Fault> {
    ask(desk.bus.contacts().await?.dismiss(&who.request, &Dict::new())).await?;
    desk.out.either(json!({"dismissed": who.request}), &["dismissed", &who.request])
}

fn line(row: &Props) -> Vec<String> {
    let [id, name, address, given_to] =
        ["id", "name", "address", "given-to"].map(|key| row.text(key).to_owned());
    vec![id, name, address, given_to, time::local(row.at("asked-at"))]
}
