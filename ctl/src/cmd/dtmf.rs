//! `ahoyctl dtmf`.
//!
//! Lives here: digits of a keypad for the other side of a call.
//! Must not: judge digits; the daemon does. Print one.

use std::io::Read as _;

use ahoy_dbus::Dict;

use super::{Desk, Which};
use crate::fault::{Exit, Fault};
use crate::world::Props;

/// More than this is no list of digits.
const LIMIT: u64 = 1_000;

/// Send digits into the call, as a keypad does
#[derive(Debug, clap::Args)]
#[command(
    allow_missing_positional = true,
    after_help = "A PIN is better read from a file or a pipe: others can see a command line.\nExample: ahoyctl dtmf '12,#' or: pass show voicemail | ahoyctl dtmf -"
)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// 0 to 9, *, #, A to D, and a comma for a pause of 2 seconds; - reads them from standard input
    tones: String,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    let tones = if args.tones == "-" { read()? } else { args.tones };
    let fits = |call: &Props| call.text("State") == "active";
    let none = "There is no call in which you talk.";
    desk.act(args.which, fits, none, async |call| call.send_tones(&tones, &Dict::new()).await).await
}

fn read() -> Result<String, Fault> {
    let mut text = String::new();
    match std::io::stdin().take(LIMIT).read_to_string(&mut text) {
        Ok(_) => Ok(text.trim_end().to_owned()),
        Err(error) => Err(Fault::new(Exit::Error, format!("The digits cannot be read: {error}."))),
    }
}
