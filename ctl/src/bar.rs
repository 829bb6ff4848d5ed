//! One call in the few words that a bar has room for.
//!
//! Lives here: what Focus says as text, class and tooltip of a waybar module, and who else is in a group.
//! Must not: ask the bus.

use serde_json::{Value, json};

use crate::clean;
use crate::time;
use crate::world::Props;

/// As many others are named in a tooltip.
const NAMED: usize = 8;

/// Focus as waybar takes it from a module with `return-type: json`: no text hides the module. `None`: there is no daemon.
/// `others`: who else is in a group.
///
/// Waybar reads text and tooltip as Pango markup, so what others wrote is escaped.
pub(crate) fn waybar(focus: Option<&Props>, others: &[Props]) -> Value {
    let Some(focus) = focus else {
        return json!({"text": "", "alt": "off", "class": ["off"], "tooltip": "ahoyd is not running"});
    };
    let state = if focus.text("State").is_empty() { "idle" } else { focus.text("State") };
    json!({
        "text": escaped(&text(focus, state)),
        "alt": state,
        "class": classes(focus, state),
        "tooltip": escaped(&tooltip(focus, state, others)),
    })
}

fn text(focus: &Props, state: &str) -> String {
    let name = focus.text("PeerName");
    let mut text = match state {
        "idle" if focus.number("Missed") > 0 => format!("{} missed", focus.number("Missed")),
        "idle" => String::new(),
        "incoming" | "waiting" => format!("{name} calls"),
        "dialing" | "alerting" | "connecting" => format!("{name} …"),
        _ => format!("{name} {}", time::since(focus.number("SinceMonotonic"))).trim_end().to_owned(),
    };
    if !focus.text("WaitingName").is_empty() {
        text.push_str(&format!(" · {} waits", focus.text("WaitingName")));
    }
    if focus.flag("SpeakingMuted") {
        text.push_str(" · you are muted");
    }
    text
}

fn classes(focus: &Props, state: &str) -> Vec<String> {
    let mut classes = vec![state.to_owned()];
    let flags = [
        ("muted", focus.flag("Muted")),
        ("speaking-muted", focus.flag("SpeakingMuted")),
        ("remote-muted", focus.flag("RemoteMuted")),
        ("held", focus.flag("Held")),
        ("waiting", !focus.text("WaitingName").is_empty()),
        ("missed", focus.number("Missed") > 0),
        ("dnd", !matches!(focus.text("Dnd"), "" | "off")),
    ];
    let quality = (focus.text("Quality"), !focus.text("Quality").is_empty());
    for (class, _) in flags.into_iter().chain([quality]).filter(|(_, on)| *on) {
        if !classes.iter().any(|known| known == class) {
            classes.push(class.to_owned());
        }
    }
    classes
}

fn tooltip(focus: &Props, state: &str, others: &[Props]) -> String {
    let name = focus.text("PeerName");
    let mut lines = vec![match state {
        "idle" => "no call".to_owned(),
        "incoming" | "waiting" => format!("{name} is calling"),
        "dialing" => format!("calling {name}"),
        "alerting" => format!("it rings at {name}'s"),
        "connecting" => format!("connecting with {name}"),
        "active" => format!("in a call with {name}"),
        "held" => format!("{name} is on hold"),
        "reconnecting" => format!("the path to {name} is being mended"),
        other => format!("{other}: {name}"),
    }];
    if focus.at("SinceAt") != 0 {
        lines.push(format!("since {}", time::local(focus.at("SinceAt"))));
    }
    lines.extend(others.iter().take(NAMED).map(member));
    if let Some(more) = others.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    let remarks = [
        (focus.flag("SpeakingMuted"), "nobody hears what you say:".to_owned()),
        (focus.flag("Muted"), "your microphone is muted".to_owned()),
        (matches!(focus.text("Quality"), "fair" | "poor"), format!("the line is {}", focus.text("Quality"))),
        (focus.flag("RemoteMuted"), format!("{name} is muted")),
        (!focus.text("WaitingName").is_empty(), format!("{} is calling too", focus.text("WaitingName"))),
        (focus.number("Missed") > 0, format!("{} missed", focus.number("Missed"))),
        (!matches!(focus.text("Dnd"), "" | "off"), format!("do not disturb: {}", focus.text("Dnd"))),
    ];
    lines.extend(remarks.into_iter().filter(|(on, _)| *on).map(|(_, line)| line));
    lines.join("\n")
}

/// Who, how far they have come, and what is to be seen of them.
pub(crate) fn member(peer: &Props) -> String {
    let told = [("Blocked", "blocked"), ("Muted", "muted"), ("Speaking", "speaks")];
    let told = told.iter().filter(|(name, _)| peer.flag(name)).map(|(_, word)| *word);
    let words: Vec<&str> = [peer.text("Name"), peer.text("State")].into_iter().chain(told).collect();
    words.join(", ")
}

/// As text within Pango markup, whatever it holds; line ends stay, what steers or hides does not.
fn escaped(text: &str) -> String {
    quick_xml::escape::escape(clean::lines(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use ahoy_dbus::Dict;
    use zbus::Variant;

    use super::*;

    fn focus(pairs: Vec<(&str, Variant<'static>)>) -> Props {
        let owned = |(name, value): (&str, Variant<'static>)| (name.to_owned(), value.try_into().unwrap());
        Props::from(pairs.into_iter().map(owned).collect::<Dict>())
    }

    #[test]
    fn nothing_to_show_hides_the_module() {
        let idle = focus(vec![("State", "idle".into())]);
        assert_eq!(waybar(Some(&idle), &[])["text"], "");
        assert_eq!(waybar(None, &[])["alt"], "off");
        let missed = focus(vec![("State", "idle".into()), ("Missed", 2_u32.into())]);
        assert_eq!(waybar(Some(&missed), &[])["text"], "2 missed");
        assert_eq!(waybar(Some(&missed), &[])["class"], json!(["idle", "missed"]));
    }

    #[test]
    fn a_call_is_its_name_and_its_time() {
        let since = time::boot_us() - 131_500_000;
        let call = focus(vec![
            ("State", "active".into()),
            ("PeerName", "Ana".into()),
            ("SinceMonotonic", since.into()),
            ("Muted", true.into()),
        ]);
        let shown = waybar(Some(&call), &[]);
        assert_eq!((&shown["text"], &shown["alt"]), (&json!("Ana 02:11"), &json!("active")));
        assert_eq!(shown["class"], json!(["active", "muted"]));
        assert_eq!(shown["tooltip"], "in a call with Ana\nyour microphone is muted");
    }

    #[test]
    fn a_bad_line_and_speech_into_a_muted_microphone_are_shown() {
        let call = focus(vec![
            ("State", "active".into()),
            ("PeerName", "Ana".into()),
            ("Muted", true.into()),
            ("SpeakingMuted", true.into()),
            ("Quality", "poor".into()),
        ]);
        let shown = waybar(Some(&call), &[]);
        assert_eq!(shown["text"], "Ana · you are muted");
        assert_eq!(shown["class"], json!(["active", "muted", "speaking-muted", "poor"]));
        let lines =
            "in a call with Ana\nnobody hears what you say:\nyour microphone is muted\nthe line is poor";
        assert_eq!(shown["tooltip"], lines);
    }

    #[test]
    fn who_waits_is_shown_beside_the_call() {
        let call = focus(vec![
            ("State", "held".into()),
            ("PeerName", "Ana".into()),
            ("Held", true.into()),
            ("WaitingName", "Ben".into()),
        ]);
        let shown = waybar(Some(&call), &[]);
        assert_eq!(shown["text"], "Ana · Ben waits");
        assert_eq!(shown["class"], json!(["held", "waiting"]));
    }

    #[test]
    fn the_others_in_a_group_are_named_and_what_they_call_themselves_is_no_markup() {
        let call = focus(vec![("State", "active".into()), ("PeerName", "Ana and 9 more".into())]);
        let peer = |name: String, state: &'static str, muted: bool| {
            focus(vec![("Name", name.into()), ("State", state.into()), ("Muted", muted.into())])
        };
        let mut others = vec![peer("<b>Ana".to_owned(), "joined", true)];
        others.extend((1..10).map(|n| peer(format!("Ben {n}"), "ringing", false)));
        let shown = waybar(Some(&call), &others)["tooltip"].as_str().unwrap().to_owned();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[..3],
            ["in a call with Ana and 9 more", "&lt;b&gt;Ana, joined, muted", "Ben 1, ringing"]
        );
        assert_eq!((lines.len(), lines[9]), (10, "and 2 more"));
    }
}
