//! `ahoyctl pair`.
//!
//! Lives here: showing a code or typing one, and following what comes of it.
//! Must not: judge a code; keep one longer than it is shown.

use std::time::Duration;

use ahoy_dbus::Dict;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Desk, network};
use crate::bus::ask;
use crate::complain::complain;
use crate::fault::{Exit, Fault};
use crate::print::Form;
use crate::qr;
use crate::time;
use crate::wait::{Follower, Next};
use crate::world::Props;

/// How long a code may take to be made: five seconds for each relay.
const PATIENCE: Duration = Duration::from_secs(24);

/// Become somebody's contact, and they yours, by a short code
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without CODE it shows one: say it to the other, who types it there, or let\ntheir camera read it. It is good for one try and ten minutes; Ctrl-C takes it\nback. Its relay, used by both or not, brings you together, and learns neither\nthe words nor who you are. Both end with the other's name and one safety number.\nExit codes: 1 the words did not fit, 3 nobody came, 4 no relay, 9 they went\naway, 10 nobody waits under this code.\nOn a network that is yours (--here, or the question says so) no relay is needed.\nExample: ahoyctl pair 4711-lemon-tunnel@relay.example"
)]
pub(crate) struct Args {
    /// What the other shows: the code, or its link
    code: Vec<String>,
    /// Draw the code for a camera, too: what a terminal does by itself
    #[arg(long, value_name = "yes|no", value_parser = super::yes_or_no)]
    qr: Option<bool>,
    /// This network is yours: contacts may find you here
    #[arg(long)]
    here: bool,
}

impl Args {
    /// To type this.
    pub(super) fn of(code: String) -> Self {
        Self { code: vec![code], qr: None, here: false }
    }
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    network::ask_whether_home(desk, args.here).await?;
    // Before a code is there: from then on it can be taken back.
    let mut stop = Stop::new()?;
    let mut follower = Follower::subscribe(&desk.bus).await?;
    follower.refresh().await?;
    let manager = desk.bus.manager().await?;
    let mut code = None;
    if args.code.is_empty() {
        let none = Dict::new();
        let made = tokio::select! {
            made = tokio::time::timeout(PATIENCE, manager.start_pairing(&none)) => made,
            () = stop.asked() => {
                ask(manager.cancel_pairing(&none)).await?;
                return Err(Fault::new(Exit::Error, "Canceled: there is no code."));
            }
        };
        let made = made.map_err(|_late| Fault::timed_out())??;
        let lives = Props::from(ask(manager.pairing()).await?).number("deadline-monotonic");
        show_code(desk, &made, left(lives, time::boot_us()), args.qr)?;
        code = Some(made);
    } else {
        ask(manager.join_pairing(&args.code.join(" "), &Dict::new())).await?;
    }
    let begun = Props::from(ask(manager.pairing()).await?);
    let serial = begun.number("serial");
    let (mut row, mut warned, mut canceled) = (begun, false, false);
    loop {
        if row.number("serial") != serial {
            return Err(Fault::new(Exit::Handled, "Another pairing has taken the place of this one."));
        }
        match row.text("state") {
            "paired" => return shown(desk, &row, code.as_deref()),
            "failed" if canceled => {
                return Err(Fault::new(Exit::Error, "Canceled: nobody can use the code any more."));
            }
            "failed" => return Err(Fault::new(exit(row.text("reason")), row.text("sentence"))),
            _ if row.flag("ends-soon") && !warned => {
                warned = true;
                complain("The code ends in half a minute.");
            }
            _ => {}
        }
        tokio::select! {
            next = follower.next() => match next? {
                Next::Gone => return Err(Fault::not_running()),
                Next::Change(_) | Next::Here => {}
            },
            () = stop.asked(), if !canceled => {
                canceled = true;
                ask(manager.cancel_pairing(&Dict::new())).await?;
            }
        }
        row = Props::from(ask(manager.pairing()).await?);
    }
}

/// Ctrl-C, and the end of the terminal.
struct Stop([Signal; 3]);

impl Stop {
    fn new() -> Result<Self, Fault> {
        let deaf =
            |error: std::io::Error| Fault::new(Exit::Error, format!("Ctrl-C cannot be heard: {error}."));
        let [int, term, hup] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Ok(Self([signal(int).map_err(deaf)?, signal(term).map_err(deaf)?, signal(hup).map_err(deaf)?]))
    }

    async fn asked(&mut self) {
        let Self([int, term, hup]) = self;
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    }
}

/// Whole seconds until that moment.
fn left(deadline_us: u64, now_us: u64) -> u64 {
    deadline_us.saturating_sub(now_us).div_ceil(1_000_000)
}

/// So long, as it is said.
fn said(lives_s: u64) -> String {
    match (lives_s / 60, lives_s % 60) {
        (1, 0) => "1 minute".to_owned(),
        (0, s) => format!("{s} seconds"),
        (m, 0) => format!("{m} minutes"),
        (m, s) => format!("{m}:{s:02} minutes"),
    }
}

/// The code as soon as it is there: with `--json`, which prints one object at the end, beside it.
fn show_code(desk: &Desk, code: &str, lives_s: u64, drawn: Option<bool>) -> Result<(), Fault> {
    let people = matches!(desk.out.form, Form::Table | Form::Tabs);
    let drawn = drawn.unwrap_or_else(|| desk.out.form == Form::Table && qr::is_wanted());
    if drawn && people {
        for line in qr::drawn(&link(code)).unwrap_or_default() {
            desk.out.text(&line)?;
        }
    }
    match desk.out.form {
        Form::Table => {
            desk.out.text("Say this to the other, who types it behind `ahoyctl pair`:")?;
            desk.out.text("")?;
            desk.out.text(&format!("    {code}"))?;
            desk.out.text("")?;
            let lives = said(lives_s);
            desk.out.text(&format!("It is good for one try and for {lives}. Ctrl-C takes it back."))
        }
        Form::Tabs => desk.out.text(code),
        Form::JsonLines => desk.out.object(json!({"state": "waiting", "code": code, "lives_s": lives_s})),
        Form::Json | Form::Template(_) => {
            complain(code);
            Ok(())
        }
    }
}

/// What a camera reads: the desktop there opens it with `ahoyctl open`.
fn link(code: &str) -> String {
    match code.split_once('@') {
        Some((code, relay)) => format!("ahoy:pair?code={code}&relay={relay}"),
        None => format!("ahoy:pair?code={code}"),
    }
}

/// Who is a contact now.
fn shown(desk: &Desk, row: &Props, code: Option<&str>) -> Result<Exit, Fault> {
    let (name, number) = (row.text("name"), row.text("safety-number"));
    if desk.out.is_json() {
        let mut told = json!({
            "state": "paired", "contact": row.text("contact"), "name": name, "safety_number": number,
        });
        if let (Some(code), Value::Object(map)) = (code, &mut told) {
            map.insert("code".into(), code.into());
        }
        desk.out.object(told)?;
        return Ok(Exit::Ok);
    }
    desk.out.pairs(&[("contact", name.to_owned()), ("safety number", number.to_owned())])?;
    desk.out.hint("Both see the same safety number. Once you have compared it: ahoyctl contact verify NAME");
    Ok(Exit::Ok)
}

fn exit(reason: &str) -> Exit {
    match reason {
        "expired" => Exit::Timeout,
        "old-relay" | "lost" | "unreachable" => Exit::NotRegistered,
        "left" | "silent" => Exit::Unreachable,
        "no-such-code" => Exit::NoSuch,
        "replaced" => Exit::Handled,
        _ => Exit::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_code_lives_is_said_in_whole_seconds() {
        for (us, words) in [
            (599_960_000, "10 minutes"),
            (600_000_000, "10 minutes"),
            (60_000_000, "1 minute"),
            (90_000_001, "1:31 minutes"),
            (29_000_000, "29 seconds"),
        ] {
            assert_eq!(said(left(7 + us, 7)), words);
        }
        assert_eq!(left(1, 2), 0, "it is over");
    }
}
