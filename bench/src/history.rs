//! A daemon of somebody who has made a million calls.
//!
//! Lives here: such a history, written by the daemon's own code; lists and searches in it over the bus; start and memory with it.
//! Must not: ask the same question twice: a page that is warm by chance would be measured.

use std::fs;
use std::path::{Path, PathBuf};

use ahoy_call::{
    CallId, CallView, Direction, EndReason, EndedBy, Fact, Moment, Outcome, PeerId, Record, State,
};
use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::Place;
use ahoyd::history::{self, Entry, HistoryOrder, Report, Retention};
use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use zbus::Variant;

use crate::figure::{Figure, Sheet, folder, tell};
use crate::load::{STARTS, rested, start};
use crate::pair::{Side, desk};
use crate::time::{ms, now};

const ROWS: u64 = 1_000_000;
/// People that the calls are with, some much more often than others.
const PEOPLE: u64 = 3_000;
/// A call every ten minutes, from then on: microseconds since the Unix epoch.
const FIRST: u64 = 1_200_000_000_000_000;
const APART: u64 = 600_000_000;
/// Calls in one transaction.
const BATCH: u64 = 2_000;
/// Questions of each kind.
const ROUNDS: u64 = 30;
const WORDS: [&str; 16] = [
    "lunch", "tomorrow", "the", "contract", "garden", "call", "me", "back", "about", "Thursday", "invoice",
    "über", "kitchen", "train", "late", "question",
];

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut side = Side::of(desk("Ana", &place).await?).await?;
    let starts = sheet.either(STARTS, 3);
    if sheet.either(true, false) {
        sheet.put(&start(&mut side, &place.net, "none", starts).await?)?;
        sheet.put(&Figure::one("idle_pss_mib", "none", "MiB", rested(&side).await?))?;
    }

    side.desk.stop_daemon()?;
    let million = tokio::task::spawn_blocking(million).await??;
    let base = side.desk.folder().join("state/ahoy/history.db");
    for file in ["history.db-wal", "history.db-shm"] {
        let old = base.with_file_name(file);
        if old.exists() {
            fs::remove_file(old)?;
        }
    }
    fs::copy(million, &base).context("laying the base of a million rows")?;
    sheet.put(&start(&mut side, &place.net, "million", starts).await?)?;
    sheet.put(&Figure::one("idle_pss_mib", "million", "MiB", rested(&side).await?))?;
    let rounds = sheet.either(ROUNDS, 6);
    for (case, question) in
        [("newest", newest as Question), ("contact", contact), ("outcome", outcome), ("time", time)]
    {
        sheet.put(&ask(&side, rounds, "history_list_ms", case, question).await?)?;
    }
    for (case, question) in [
        ("name", name as Question),
        ("note", note),
        ("rare", rare),
        ("nothing", nothing),
        ("two-letters", two_letters),
        ("two-letters, nothing", two_letters_nowhere),
    ] {
        sheet.put(&ask(&side, rounds, "history_search_ms", case, question).await?)?;
    }
    // What the questions have left behind.
    sheet.put(&Figure::one("idle_pss_mib", "million, asked", "MiB", rested(&side).await?))
}

/// The filter of the n-th question, and whether it must fill its page.
type Question = fn(u64) -> anyhow::Result<(Dict, bool)>;

async fn ask(
    side: &Side,
    rounds: u64,
    figure: &'static str,
    case: &str,
    question: Question,
) -> anyhow::Result<Figure> {
    let history = proxy::HistoryProxy::new(&side.desk.bus().await?).await?;
    let mut took = Figure::new(figure, case, "ms");
    for n in 0..rounds {
        let (mut filter, full) = question(n)?;
        filter.insert("limit".to_owned(), 50_u32.into());
        let from = now();
        let (rows, _) = history.list(&filter, &Dict::new()).await?;
        took.add(ms(from, now()));
        let wanted = if full { 50 } else { 0 };
        anyhow::ensure!(rows.len() == wanted || case == "rare", "{case} {n}: {} rows", rows.len());
    }
    Ok(took)
}

fn with(pairs: &[(&str, Variant<'_>)], full: bool) -> anyhow::Result<(Dict, bool)> {
    let mut filter = Dict::new();
    for (key, value) in pairs {
        filter.insert((*key).to_owned(), value.try_clone()?.try_into_owned()?);
    }
    Ok((filter, full))
}

/// Page after page, from anywhere.
fn newest(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("before", (ROWS - n * 31_000).into())], true)
}

fn contact(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("contact", hex(person(n * 37)).into())], true)
}

fn outcome(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("outcome", "busy".into()), ("before", (ROWS - n * 30_000).into())], true)
}

/// A month, long ago.
fn time(n: u64) -> anyhow::Result<(Dict, bool)> {
    let from = i64::try_from(FIRST + APART * (20_000 + n * 25_000))?;
    with(&[("since", from.into()), ("until", (from + 30 * 86_400_000_000).into())], true)
}

fn name(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("text", format!("person {}", n * 13 + 100).into())], true)
}

fn note(n: u64) -> anyhow::Result<(Dict, bool)> {
    let at = usize::try_from(n)?;
    with(
        &[("text", format!("{} ", WORDS[at % WORDS.len()]).into()), ("before", (ROWS - n * 30_000).into())],
        true,
    )
}

/// A word that one note in a hundred thousand has.
fn rare(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("text", format!("zebra {}", n % 10).into())], true)
}

fn nothing(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("text", format!("the kitchen train {n}{n}").into())], false)
}

fn two_letters(n: u64) -> anyhow::Result<(Dict, bool)> {
    with(&[("text", format!("{}", n + 10).into())], true)
}

/// No index helps: every note is looked through.
fn two_letters_nowhere(n: u64) -> anyhow::Result<(Dict, bool)> {
    let second = b"bcdfghjklmnprstvwz"[usize::try_from(n / 2)? % 18];
    let first = if n.is_multiple_of(2) { 'q' } else { 'x' };
    with(&[("text", format!("{first}{}", char::from(second)).into())], false)
}

/// The base, made once: by the thread and the orders that a daemon has.
fn million() -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    let (ready, making) = (folder.join("million-2.db"), folder.join("million.part"));
    if ready.exists() {
        return Ok(ready);
    }
    tell("writing a million rows of history, once");
    for suffix in ["", "-wal", "-shm"] {
        let left = PathBuf::from(format!("{}{suffix}", making.display()));
        if left.exists() {
            fs::remove_file(left)?;
        }
    }
    write(&making, ROWS)?;
    fs::rename(&making, &ready)?;
    Ok(ready)
}

/// Writes so many calls.
pub(crate) fn write(path: &Path, rows: u64) -> anyhow::Result<()> {
    let (orders, inbox) = mpsc::channel(4);
    let (outbox, mut reports) = mpsc::channel(64);
    let thread = history::spawn(path.to_owned(), watch::channel(Retention::default()).1, inbox, outbox)?;
    let heard = std::thread::Builder::new().name("reports".into()).spawn(move || {
        let mut last = 0;
        while let Some(report) = reports.blocking_recv() {
            if let Report::Committed { last_id, .. } = report {
                last = last_id;
            }
        }
        last
    })?;
    for batch in 0..rows / BATCH {
        let entries = (batch * BATCH..(batch + 1) * BATCH).flat_map(call).collect();
        orders.blocking_send(HistoryOrder::Write { ticket: batch + 1, entries })?;
    }
    orders.blocking_send(HistoryOrder::Stop)?;
    thread.join().map_err(|_| anyhow::anyhow!("the history broke"))?;
    let last = heard.join().map_err(|_| anyhow::anyhow!("the reports broke"))?;
    anyhow::ensure!(last == rows, "{last} rows were written");
    Ok(())
}

/// Whom the n-th call is with: the lower numbers more often.
fn person(n: u64) -> u64 {
    let far = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if far.is_multiple_of(3) { far / 3 % PEOPLE } else { far / 3 % (PEOPLE / 5) }
}

fn hex(person: u64) -> String {
    format!("{person:032x}")
}

/// All events of the n-th call.
fn call(n: u64) -> Vec<Entry> {
    let person = person(n);
    let chance = n.wrapping_mul(0xd134_2543_de82_ef95) >> 40;
    let incoming = chance.is_multiple_of(2);
    let begin = n * APART;
    let at = |seconds: u64| Moment::from_micros(begin + seconds * 1_000_000);
    let note = (chance % 10 < 3).then(|| {
        let word = |turn: u64| WORDS[usize::try_from(chance >> turn).unwrap_or(0) % WORDS.len()];
        let rare = if n % 100_000 == 7 { format!(" zebra {}", n / 100_000) } else { String::new() };
        format!("{} {} {} {}{rare}", word(0), word(4), word(8), word(12))
    });
    let answered = chance % 5 < 3;
    let mut view = CallView {
        id: CallId::from_bytes(u128::from(n + 1).to_be_bytes()),
        peer: PeerId::from_bytes(u128::from(person).to_be_bytes()),
        direction: if incoming { Direction::Incoming } else { Direction::Outgoing },
        created: at(0),
        note,
        ..CallView::sample(0, if incoming { State::Incoming } else { State::Dialing })
    };
    let entry = |fact: Fact, seconds: u64, view: &CallView| Entry {
        record: Record { at: at(seconds), fact, view: view.clone(), about: None, at_unix_us: None },
        at_unix_us: i64::try_from(FIRST + begin + seconds * 1_000_000).unwrap_or(i64::MAX),
        name: format!("Person {person}"),
        address: format!("{person:052x}"),
        about: None,
        peers: Vec::new(),
        line: None,
    };
    let mut entries = vec![entry(if incoming { Fact::Offered } else { Fact::Dialed }, 0, &view)];
    view.ringing = Some(at(1));
    entries.push(entry(if incoming { Fact::RingingHere } else { Fact::RingingThere }, 1, &view));
    if answered {
        (view.answered, view.state) = (Some(at(6)), State::Active);
        entries.push(entry(Fact::Answered, 6, &view));
        entries.push(entry(Fact::Connected, 6, &view));
    }
    let (reason, outcome) = match (answered, incoming, chance % 7) {
        (true, ..) => (EndReason::Completed, Outcome::Answered),
        (false, true, _) => (EndReason::Missed, Outcome::Missed),
        (false, false, 0) => (EndReason::Busy, Outcome::Busy),
        (false, false, 1) => (EndReason::Declined, Outcome::Declined),
        (false, false, _) => (EndReason::NoAnswer, Outcome::NoAnswer),
    };
    if reason == EndReason::Declined {
        view.message = Some("not now, I call you back".into());
    }
    (view.reason, view.outcome, view.ended_by) = (Some(reason), Some(outcome), Some(EndedBy::Remote));
    (view.ended, view.state) = (Some(at(60)), State::Disconnected);
    entries.push(entry(Fact::Ended, 60, &view));
    entries
}
