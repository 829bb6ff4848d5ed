//! `ahoyctl ping`.
//!
//! Lives here: asking one contact for a sign of life, and waiting until that is over.
//! Must not: judge who may see what; the daemons do.

use std::num::NonZero;
use std::time::Duration;

use ahoy_dbus::{BUS_NAME, Dict, interface};
use futures_util::StreamExt as _;
use serde_json::json;
use zbus::MessageStream;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::world::Props;

/// How long it may take: the daemon says five seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// See whether a contact can be reached, without ringing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only between two who both allow it: ahoyctl contact set ana --ping yes\nWho does not, is away or wants no disturbance looks the same: silent.\nThe time is that of the trip there and back; where a relay of theirs has to be\nconnected first, with that. Exit code 0 if they answer, 9 if not.\nExample: ahoyctl ping ana"
)]
pub(crate) struct Args {
    /// Id, address or name, or a unique beginning of one
    #[arg(add = crate::complete::contacts())]
    contact: String,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let row = pick::contact(&desk.bus, &args.contact).await?;
    let (id, name) = (row.text("id").to_owned(), row.text("name").to_owned());
    let of =
        format!("type='signal',sender='{BUS_NAME}',interface='{}',member='Changed'", interface::CONTACTS);
    let stream = MessageStream::for_match_rule(of.as_str(), &desk.bus.connection, NonZero::new(64));
    let mut changes = ask(stream).await?;
    let job = ask(desk.bus.contacts().await?.ping(&id, &Dict::new())).await?;
    let over = async {
        loop {
            let row = pick::contact(&desk.bus, &id).await?;
            // Another ping of the same contact may have taken its place.
            if row.text("ping-job") != job || row.text("ping-state") != "asking" {
                return Ok::<Props, Fault>(row);
            }
            if changes.next().await.is_none() {
                return Err(Fault::not_running());
            }
        }
    };
    let row = tokio::time::timeout(PATIENCE, over).await.map_err(|_| Fault::timed_out())??;
    let answered = row.text("ping-state") == "answered";
    let ms = row.real("ping-rtt-ms");
    let by = row.text("ping-path");
    let mut told = json!({"contact": id, "name": name, "state": row.text("ping-state")});
    if answered {
        told["rtt_ms"] = json!(ms);
        told["path"] = json!(by);
    }
    let took = if answered { format!("{ms:.0} ms") } else { String::new() };
    desk.out.either(told, &[&name, row.text("ping-state"), &took, by])?;
    if !answered {
        desk.out
            .hint("They are away, or do not let you see: ask them for `ahoyctl contact set YOU --ping yes`.");
    }
    Ok(if answered { Exit::Ok } else { Exit::Unreachable })
}
