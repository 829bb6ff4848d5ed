//! `ahoyctl stats`.
//!
//! Lives here: the numbers of a call, once or each second, for people and programs.
//! Must not: measure or judge anything: ahoyd does.

use std::time::Duration;

use ahoy_dbus::Dict;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Desk, Which};
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::Form;
use crate::wait::{Follower, Next};
use crate::world::{Call, World, row_json};

/// Between two lines of `--watch`.
const EVERY: Duration = Duration::from_secs(1);
/// The columns of `--watch`, and how wide they are for a person.
const COLUMNS: [(&str, usize); 9] = [
    ("QUALITY", 9),
    ("PATH", 9),
    ("RTT ms", 6),
    ("JITTER ms", 9),
    ("LOST% IN", 8),
    ("OUT", 5),
    ("kbit/s IN", 9),
    ("OUT", 5),
    ("MOS", 4),
];

/// Show the numbers of a call: delay, loss, rate, path, how good it is
#[derive(Debug, clap::Args)]
#[command(after_help = "In a pipe: name and value, apart by tabs; with --watch, quality, path, round
trip (ms), jitter (ms), loss in and out (%), rate in and out (kbit/s), MOS.
What is not known is left out, or empty. MOS is an estimate, 1 to 5.
Example: ahoyctl stats --watch --jsonl | jq .rtt_ms")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A line each second, until the call ends
    #[arg(long)]
    watch: bool,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    if args.watch {
        return watch(desk, args.which).await;
    }
    let call = chosen(&desk.bus.look().await?, &args.which)?;
    let stats = numbers(desk, &call).await?;
    match desk.out.form {
        Form::Json | Form::JsonLines | Form::Template(_) => desk.out.object(Value::Object(stats))?,
        Form::Tabs => {
            let pairs: Vec<(&str, String)> =
                stats.iter().map(|(key, value)| (key.as_str(), raw(value))).collect();
            desk.out.pairs(&pairs)?;
        }
        Form::Table => {
            let item = |_: &[String; 3]| Value::Null;
            desk.out.rows(&["", "IN", "OUT"], &table(&stats), |row| row.to_vec(), ("", item), json!({}))?;
        }
    }
    Ok(Exit::Ok)
}

fn chosen(world: &World, which: &Which) -> Result<Call, Fault> {
    pick::call(
        world,
        which.call.as_deref(),
        |call| call.props.flag("CanHold"),
        "There is no call with numbers.",
    )
}

/// The call's id and state beside its numbers, names in snake case.
async fn numbers(desk: &Desk, call: &Call) -> Result<Map<String, Value>, Fault> {
    let told = ask(desk.bus.call(&call.path).await?.get_stats(&Dict::new())).await?;
    let mut stats = row_json(&told);
    stats.insert("id".to_owned(), json!(call.props.text("Id")));
    stats.insert("state".to_owned(), json!(call.state().as_str()));
    Ok(stats)
}

/// Ends well when the call does.
async fn watch(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let mut follower = Follower::subscribe(&desk.bus).await?.for_a_reader();
    follower.refresh().await?;
    let path = chosen(&follower.world, &which)?.path;
    if desk.out.form == Form::Table {
        desk.out.text(&columns(COLUMNS.map(|(head, _)| head.to_owned())))?;
    }
    let mut before = None;
    while let Some(call) = follower.world.call(&path).filter(|call| !call.is_over()) {
        let due = Instant::now() + EVERY;
        let stats = numbers(desk, &call).await?;
        match desk.out.form {
            Form::Json | Form::JsonLines | Form::Template(_) => {
                desk.out.object(Value::Object(stats.clone()))?
            }
            Form::Tabs => desk.out.words(&cells(&stats, before.as_ref()))?,
            Form::Table => desk.out.text(&columns(cells(&stats, before.as_ref())))?,
        }
        before = Some(stats);
        loop {
            let left = due.saturating_duration_since(Instant::now());
            match follower.next_within(Some(left)).await? {
                None => break,
                Some(Next::Gone) => return Err(Fault::not_running()),
                Some(Next::Change(_) | Next::Here) => {}
            }
            if follower.world.call(&path).is_none_or(|call| call.is_over()) {
                return Ok(Exit::Ok);
            }
        }
    }
    Ok(Exit::Ok)
}

fn columns(cells: [String; 9]) -> String {
    let cells = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// One second of a call. What their voice lost is told since the beginning, so that the line before is needed.
fn cells(stats: &Map<String, Value>, before: Option<&Map<String, Value>>) -> [String; 9] {
    let since = |key: &str| {
        let count = |of: &Map<String, Value>| of.get(key).and_then(Value::as_f64).unwrap_or(0.0);
        (count(stats) - before.map_or(0.0, count)).max(0.0)
    };
    let (lost, came) = (since("packets_lost"), since("packets_in"));
    let lost_in = (lost + came > 0.0).then(|| rounded(lost / (lost + came) * 100.0, 1));
    let real =
        |key: &str, factor: f64, digits| real(stats, key).map(|number| rounded(number * factor, digits));
    [
        Some(text(stats, "quality")),
        Some(text(stats, "path")),
        real("rtt_ms", 1.0, 0),
        real("jitter_ms", 1.0, 1),
        lost_in,
        real("loss_out", 100.0, 1),
        real("bitrate_in", 1e-3, 1),
        real("bitrate_out", 1e-3, 1),
        real("mos", 1.0, 2),
    ]
    .map(Option::unwrap_or_default)
}

/// What there is to see of a call so far: of their voice to us, of ours to them; what is of both stands in the first place.
fn table(stats: &Map<String, Value>) -> Vec<[String; 3]> {
    let number = |key: &str, factor: f64, digits, unit: &str| {
        real(stats, key)
            .map(|number| format!("{}{unit}", rounded(number * factor, digits)))
            .unwrap_or_default()
    };
    let share = |key| number(key, 100.0, 1, " %");
    let ends = [text(stats, "candidate_local"), text(stats, "candidate_remote")];
    let rows = [
        ("quality", text(stats, "quality"), String::new()),
        ("path", text(stats, "path"), String::new()),
        ("theirs, ours", ends[1].clone(), ends[0].clone()),
        ("repairs", number("repairs", 1.0, 0, ""), String::new()),
        ("judged (MOS)", number("mos", 1.0, 2, ""), String::new()),
        ("round trip", number("rtt_ms", 1.0, 0, " ms"), String::new()),
        ("jitter", number("jitter_ms", 1.0, 1, " ms"), String::new()),
        ("played after", number("playout_delay_ms", 1.0, 0, " ms"), String::new()),
        ("first sound after", number("setup_ms", 1.0, 0, " ms"), String::new()),
        ("lost", share("loss_in"), share("loss_out")),
        ("repaired", share("repaired_in"), share("repaired_out")),
        ("made up", share("concealed"), share("concealed_out")),
        ("rate", number("bitrate_in", 1e-3, 1, " kbit/s"), number("bitrate_out", 1e-3, 1, " kbit/s")),
        ("packets", number("packets_in", 1.0, 0, ""), number("packets_out", 1.0, 0, "")),
        ("copies", number("copies_in", 1.0, 0, ""), number("copies_out", 1.0, 0, "")),
        ("asked again", number("asked_in", 1.0, 0, ""), number("asked_out", 1.0, 0, "")),
        // The level that comes in is that of the microphone.
        ("level", number("level_out", 1.0, 0, " dBFS"), number("level_in", 1.0, 0, " dBFS")),
        ("echo taken out", String::new(), number("echo_return_loss_db", 1.0, 0, " dB")),
        ("voice by", text(stats, "srtp_profile"), String::new()),
        ("keys by", text(stats, "dtls_cipher"), String::new()),
    ];
    let known = rows.into_iter().filter(|(_, one, other)| !(one.is_empty() && other.is_empty()));
    known.map(|(label, one, other)| [label.to_owned(), one, other]).collect()
}

fn real(stats: &Map<String, Value>, key: &str) -> Option<f64> {
    stats.get(key)?.as_f64()
}

fn text(stats: &Map<String, Value>, key: &str) -> String {
    stats.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn rounded(number: f64, digits: usize) -> String {
    format!("{number:.digits$}")
}

fn raw(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(of: Value) -> Map<String, Value> {
        of.as_object().unwrap().clone()
    }

    #[test]
    fn a_line_tells_the_loss_of_the_second_before_it() {
        let first = stats(json!({"packets_in": 90, "packets_lost": 10}));
        let second = stats(
            json!({"packets_in": 139, "packets_lost": 11, "quality": "good", "path": "direct",
            "rtt_ms": 40.26, "jitter_ms": 3.25, "loss_out": 0.02, "bitrate_in": 31_400, "bitrate_out": 32_000, "mos": 4.366}),
        );
        assert_eq!(cells(&first, None)[4], "10.0");
        let line = ["good", "direct", "40", "3.2", "2.0", "2.0", "31.4", "32.0", "4.37"];
        assert_eq!(cells(&second, Some(&first)), line);
        assert_eq!(cells(&stats(json!({})), None), [""; 9], "what is not known is empty");
    }

    #[test]
    fn the_head_and_the_lines_of_a_watch_stand_in_columns_that_fit_a_terminal() {
        let head = columns(COLUMNS.map(|(head, _)| head.to_owned()));
        let line = columns(
            ["excellent", "relay-udp", "10000", "5000.0", "100.0", "100.0", "510.0", "510.0", "4.50"]
                .map(str::to_owned),
        );
        assert_eq!(head.find("MOS"), line.find("4.50"));
        assert!(line.len() <= 80, "{}", line.len());
    }

    #[test]
    fn the_table_leaves_out_what_is_not_known() {
        let rows = table(&stats(json!({"loss_out": 0.5, "packets_in": 7, "packets_out": 8})));
        let owned = |row: [&str; 3]| row.map(str::to_owned);
        assert_eq!(rows, [owned(["lost", "", "50.0 %"]), owned(["packets", "7", "8"])]);
    }
}
