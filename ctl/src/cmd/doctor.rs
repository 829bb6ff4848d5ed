//! `ahoyctl doctor`.
//!
//! Lives here: what the daemon found when it looked around, a line each, and how it ends.
//! Must not: judge a finding, or start the daemon. What can be said without one: `doctor/alone.rs`.

mod alone;
mod finding;

use std::time::Duration;

use ahoy_dbus::Dict;
use serde_json::json;

use self::finding::Finding;
use crate::bus::Bus;
use crate::fault::{Exit, Fault};
use crate::print::Printer;
use crate::world::Props;

/// How long the daemon may take: it says ten seconds.
const PATIENCE: Duration = Duration::from_secs(12);

/// Look whether all that calls need is there: relay, TURN, sound, desktop
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A line each: verdict (ok, warn, fail), what was looked at, what was found and\nwhat to do. Names no address, so that you can show it to others.\nStarts nothing; without ahoyd it looks at what it can.\nExit code 0 if nothing failed, 1 if something did, 8 if ahoyd is not running.\nExample: ahoyctl doctor --jsonl | jq -r 'select(.verdict != \"ok\").sentence'"
)]
pub(crate) struct Args {}

/// Runs it.
pub(crate) async fn run(out: Printer) -> Result<Exit, Fault> {
    let bus = Bus::connect().await;
    let asked = match &bus {
        Ok(bus) => ask(bus).await,
        Err(fault) => Err(fault.clone()),
    };
    let (findings, running) = match asked {
        Ok(findings) => (findings, true),
        Err(fault) if fault.exit == Exit::NotRunning => (alone::look(bus.as_ref(), &fault).await, false),
        Err(fault) => return Err(fault),
    };
    let all = ("checks", Finding::json);
    out.rows(&["", "CHECK", "FOUND"], &findings, Finding::row, all, json!({"running": running}))?;
    Ok(match (running, findings.iter().any(|it| it.verdict == "fail")) {
        (false, _) => Exit::NotRunning,
        (true, true) => Exit::Error,
        (true, false) => Exit::Ok,
    })
}

async fn ask(bus: &Bus) -> Result<Vec<Finding>, Fault> {
    let manager = bus.manager().await?;
    let rows = tokio::time::timeout(PATIENCE, manager.diagnose(&Dict::new())).await;
    let rows = rows.map_err(|_| Fault::timed_out())??;
    let finding = |(check, verdict, sentence, data): (String, String, String, Dict)| Finding {
        verdict,
        check,
        sentence,
        data: Props::from(data).value(),
    };
    Ok(rows.into_iter().map(finding).collect())
}
