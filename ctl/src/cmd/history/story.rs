//! The story of one call in words: who, what, when, and how long after.
//!
//! Lives here: a sentence for each event and each reason.
//! Must not: ask the bus.

use ahoy_dbus::Dict;
use ahoy_dbus::types::Reason;
use serde_json::{Value, json};

use crate::cmd::Desk;
use crate::fault::Fault;
use crate::print::Form;
use crate::time;
use crate::world::Props;

/// Prints it.
pub(super) fn tell(desk: &Desk, row: Dict, events: Vec<Dict>) -> Result<(), Fault> {
    let (story, events) = (Props::from(row), events.into_iter().map(Props::from).collect::<Vec<_>>());
    let item = |event: &Props| {
        let mut item = event.json();
        item.insert("sentence".to_owned(), sentence(&story, event).into());
        Value::Object(item)
    };
    let row = |event: &Props| {
        let (at, after, sentence) = (event.at("at"), event.number("after-ms"), sentence(&story, event));
        if desk.out.form == Form::Table {
            return vec![time::local_second(at), after_first(after), sentence];
        }
        let seconds = format!("{}.{:03}", after / 1_000, after % 1_000);
        let [what, source] = ["event", "source"].map(|key| event.text(key).to_owned());
        vec![time::utc(at), seconds, what, source, sentence]
    };
    let extra = json!({"row": story.value()});
    desk.out.rows(&["WHEN", "AFTER", "WHAT"], &events, row, ("events", item), extra)
}

/// `+0.4 s`, `+1:05.2`; empty for the first.
fn after_first(ms: u64) -> String {
    match ms {
        0 => String::new(),
        1..60_000 => format!("+{}.{} s", ms / 1_000, ms / 100 % 10),
        _ => format!("+{}", time::span_ms(ms)),
    }
}

/// What one event was.
fn sentence(row: &Props, event: &Props) -> String {
    let name = if row.text("name").is_empty() { "They" } else { row.text("name") };
    let note = quoted(event.text("note"));
    let who = if event.text("who").is_empty() { "Somebody" } else { event.text("who") };
    match event.text("event") {
        "dialed" => format!("You called {name}{note}."),
        "offered" => format!("{name} called{note}."),
        "noted" => format!("{name} had called while you were away{note}."),
        "ringing-there" => "Their phone rang.".to_owned(),
        "ringing-here" => "Your phone rang.".to_owned(),
        "answered" => match event.text("source") {
            "remote" => format!("{name} answered."),
            "policy" => "It answered itself, as you had set it for this contact.".to_owned(),
            _ => "You answered.".to_owned(),
        },
        "connected" => "The sound was there.".to_owned(),
        "path-lost" => "The connection broke.".to_owned(),
        "path-restored" => "The connection was back.".to_owned(),
        "held" => "You put the call on hold.".to_owned(),
        "resumed" => "You took the call up again.".to_owned(),
        "held-there" => format!("{name} put you on hold."),
        "resumed-there" => format!("{name} took the call up again."),
        "glare-merged" => format!("{name} was calling you at the same moment: the two became one call."),
        "grown" => "It became a call of several.".to_owned(),
        "peer-invited" => format!("{who} was called, too."),
        "peer-joined" => format!("{who} came in."),
        "peer-declined" => format!("{who} declined."),
        "peer-left" => format!("{who} left."),
        "alone" => "Nobody else was in it any more.".to_owned(),
        "rejoined" => "You came in again.".to_owned(),
        "seen" => "You saw that it was missed.".to_owned(),
        "ended" => end(name, row, event) + &line(event),
        other => format!("{other} ({}).", event.text("source")),
    }
}

/// Why it was over, and how long it had been.
fn end(name: &str, row: &Props, event: &Props) -> String {
    let ours = event.text("ended-by") == "local";
    let who = if ours { "You" } else { name };
    let message = quoted(event.text("message"));
    let why = match Reason::from(event.text("reason")) {
        Reason::Completed => format!("{who} hung up."),
        Reason::Canceled if ours => "You gave up before an answer.".to_owned(),
        Reason::Canceled => format!("{name} gave up before an answer."),
        Reason::Declined | Reason::AllDeclined => format!("{who} declined{message}."),
        Reason::Busy if ours => "You were in another call.".to_owned(),
        Reason::Busy => format!("{name} was in another call."),
        Reason::NoAnswer => format!("{name} did not answer."),
        Reason::Missed => "You missed it.".to_owned(),
        Reason::AnsweredElsewhere => "It was answered on another device.".to_owned(),
        Reason::DeclinedElsewhere => "It was declined on another device.".to_owned(),
        Reason::Unreachable => "There was no relay to call over.".to_owned(),
        Reason::Unavailable => format!("{name} could not be reached: their phone never rang."),
        Reason::MediaFailed => "The sound failed.".to_owned(),
        Reason::NegotiationFailed | Reason::IceFailed => "No path for the sound was found.".to_owned(),
        Reason::NoTurn => "It could go by a TURN server only, and none was there.".to_owned(),
        Reason::ConnectionLost => "The connection was lost for good.".to_owned(),
        Reason::SignalingFailed => "The other side could no longer be reached.".to_owned(),
        Reason::SecurityFailed => "It was not them: the call was broken off.".to_owned(),
        Reason::Shutdown => format!("{who} shut ahoy down."),
        Reason::Interrupted => cut_off(event),
        Reason::LastLeft => "Everybody else had left.".to_owned(),
        Reason::RoomFull => "There was no place left in it.".to_owned(),
        Reason::Removed if event.text("who").is_empty() => "You were put out of it.".to_owned(),
        Reason::Removed => format!("{} put you out of it.", event.text("who")),
        Reason::EndedByHost if ours => "You ended it for all.".to_owned(),
        Reason::EndedByHost if event.text("who").is_empty() => "It was ended for all.".to_owned(),
        Reason::EndedByHost => format!("{} ended it for all.", event.text("who")),
        other @ (Reason::Superseded | Reason::RoomEnded | Reason::Internal | Reason::Other(_)) => {
            format!("It ended: {other}.")
        }
    };
    match row.number("duration-ms") {
        0 => why,
        talked => format!("{why} You had talked for {}.", time::span_ms(talked)),
    }
}

/// How the line was, as far as that is known.
fn line(event: &Props) -> String {
    let path = match event.text("path") {
        "" => String::new(),
        "direct" => "directly".to_owned(),
        by => format!("by {by}"),
    };
    let quality = match event.text("quality") {
        "" => String::new(),
        quality => format!("mostly {quality}"),
    };
    let repairs = match event.number("repairs") {
        0 => String::new(),
        1 => "mended once".to_owned(),
        times => format!("mended {times} times"),
    };
    let known: Vec<String> = [path, quality, repairs].into_iter().filter(|words| !words.is_empty()).collect();
    if known.is_empty() { String::new() } else { format!(" The line: {}.", known.join(", ")) }
}

fn cut_off(event: &Props) -> String {
    let noticed = time::local_second(event.at("noticed-at"));
    if noticed.is_empty() {
        return "ahoy was cut off in the call.".to_owned();
    }
    format!("ahoy was cut off some time after this; that was noticed at its next start, {noticed}.")
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": \u{201c}{text}\u{201d}") }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;

    fn props(pairs: &[(&str, Variant<'_>)]) -> Props {
        let owned = |value: &Variant<'_>| value.try_clone().unwrap().try_into_owned().unwrap();
        Props::from(pairs.iter().map(|(key, value)| ((*key).to_owned(), owned(value))).collect::<Dict>())
    }

    #[test]
    fn every_reason_and_event_has_a_sentence_of_its_own() {
        let row = props(&[("name", "Ben".into())]);
        for reason in Reason::WORDS {
            let event = props(&[("event", "ended".into()), ("reason", (*reason).into())]);
            let said = sentence(&row, &event);
            assert!(said.ends_with('.') && said.len() > 10, "{reason}: {said}");
        }
        let unknown = props(&[("event", "sang".into()), ("source", "remote".into())]);
        assert_eq!(sentence(&row, &unknown), "sang (remote).");
    }

    #[test]
    fn what_happens_in_a_group_tells_of_whom() {
        let row = props(&[("name", "Ana and 2 more".into())]);
        let said = |event: &'static str, reason: &'static str, who: &'static str| {
            let by = ("ended-by", "remote".into());
            sentence(
                &row,
                &props(&[("event", event.into()), ("reason", reason.into()), ("who", who.into()), by]),
            )
        };
        assert_eq!(said("peer-invited", "", "Ben"), "Ben was called, too.");
        assert_eq!(said("peer-joined", "", "Ben"), "Ben came in.");
        assert_eq!(said("peer-declined", "", "Ben"), "Ben declined.");
        assert_eq!(said("peer-left", "", "Ben"), "Ben left.");
        assert_eq!(said("ended", "removed", "Ana"), "Ana put you out of it.");
        assert_eq!(said("ended", "ended-by-host", "Ana"), "Ana ended it for all.");
        assert_eq!(said("ended", "ended-by-host", ""), "It was ended for all.");
    }

    #[test]
    fn a_decline_tells_who_and_with_what_words() {
        let row = props(&[("name", "Ben".into())]);
        let event = |by: &'static str| {
            props(&[
                ("event", "ended".into()),
                ("reason", "declined".into()),
                ("ended-by", by.into()),
                ("message", "later".into()),
            ])
        };
        assert_eq!(sentence(&row, &event("remote")), "Ben declined: \u{201c}later\u{201d}.");
        assert_eq!(sentence(&row, &event("local")), "You declined: \u{201c}later\u{201d}.");
    }

    #[test]
    fn the_end_tells_which_way_the_line_went_how_good_it_was_and_how_often_it_was_mended() {
        let row = props(&[("name", "Ben".into())]);
        let said = |path: &'static str, quality: &'static str, repairs: u64| {
            let event = props(&[
                ("event", "ended".into()),
                ("reason", "completed".into()),
                ("ended-by", "local".into()),
                ("path", path.into()),
                ("quality", quality.into()),
                ("repairs", repairs.into()),
            ]);
            sentence(&row, &event)
        };
        assert_eq!(said("", "", 0), "You hung up.");
        assert_eq!(said("direct", "excellent", 0), "You hung up. The line: directly, mostly excellent.");
        let relayed = "You hung up. The line: by relay-tls, mostly fair, mended 2 times.";
        assert_eq!(said("relay-tls", "fair", 2), relayed);
        assert_eq!(said("", "", 1), "You hung up. The line: mended once.");
    }

    #[test]
    fn how_long_after_is_seconds_and_then_minutes() {
        assert_eq!([0, 440, 65_000].map(after_first), ["", "+0.4 s", "+01:05"]);
    }
}
