//! Which call, contact, device or setting: from what a person typed to one thing.
//!
//! Lives here: ids, unique prefixes and names, the default where only one fits, and the list where several do.
//! Must not: act on what it finds.

use ahoy_dbus::Dict;
use unicode_normalization::UnicodeNormalization as _;

use crate::bus::{Bus, ask};
use crate::fault::{Exit, Fault};
use crate::world::{Call, Props, World};

/// The call that was named; else the only one that `fits`. `none` is the sentence when there is no such.
pub(crate) fn call(
    world: &World,
    named: Option<&str>,
    fits: impl Fn(&Call) -> bool,
    none: &str,
) -> Result<Call, Fault> {
    let calls = world.calls();
    let line = |call: &Call| {
        let (id, name) = (call.props.text("Id"), call.props.text("RemoteName"));
        format!("{id}  {name}  {}", call.state())
    };
    let Some(named) = named else {
        let mut fitting: Vec<Call> = calls.into_iter().filter(|call| fits(call)).collect();
        // Who talks in one call and holds others, or hears a second one ring, means the one they talk in.
        let talks = |call: &Call| call.props.flag("CanHold") && !call.props.flag("LocalHold");
        if fitting.iter().filter(|call| talks(call)).count() == 1 {
            fitting.retain(talks);
        }
        return only(fitting, "Several calls fit; name one:", line, || Fault::new(Exit::NoCall, none));
    };
    let keys = |call: &Call| {
        let text = |name| call.props.text(name).to_owned();
        let digits = text("Id").replace('-', "");
        vec![
            text("Id"),
            digits,
            text("RemoteName"),
            text("Contact"),
            text("RemoteAddress"),
            call.path.clone(),
        ]
    };
    let mut found = fitting(&calls, named, keys);
    // Who was called again right after a call is meant with the living one.
    if found.iter().any(|call| !call.is_over()) {
        found.retain(|call| !call.is_over());
    }
    only(found, &format!("Several calls fit '{named}'; name one:"), line, || {
        Fault::new(Exit::NoSuch, format!("There is no call '{named}'. See: ahoyctl list"))
    })
}

/// The contact that was named: by id, address or name, or a unique beginning of one; the daemon knows. May start it.
pub(crate) async fn contact(bus: &Bus, named: &str) -> Result<Props, Fault> {
    ask(bus.contacts().await?.get(named, &Dict::new())).await.map(Props::from)
}

/// Those that one of their `keys` names, else those where a key begins so.
pub(crate) fn fitting<T: Clone>(all: &[T], named: &str, keys: impl Fn(&T) -> Vec<String>) -> Vec<T> {
    let wanted = folded(named);
    let those = |fits: fn(&str, &str) -> bool| {
        let meant = |one: &&T| keys(one).iter().any(|key| fits(&folded(key), &wanted));
        all.iter().filter(meant).cloned().collect::<Vec<T>>()
    };
    let exact = those(|key, wanted| key == wanted);
    if exact.is_empty() { those(|key, wanted| key.starts_with(wanted)) } else { exact }
}

/// The only one; where there are several, they are listed below `several`, a line each.
pub(crate) fn only<T>(
    mut found: Vec<T>,
    several: &str,
    line: impl Fn(&T) -> String,
    none: impl FnOnce() -> Fault,
) -> Result<T, Fault> {
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(none()),
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            let list: String = found.iter().chain([&last]).map(|one| format!("\n  {}", line(one))).collect();
            Err(Fault::new(Exit::Usage, format!("{several}{list}")))
        }
    }
}

/// As names are compared: large and small letters, composed and decomposed ones are alike.
fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen<'a>(names: &[&'a str], named: &str) -> Result<&'a str, Fault> {
        let none = || Fault::new(Exit::NoSuch, "None.");
        only(
            fitting(names, named, |name| vec![(*name).to_owned()]),
            "Several:",
            |name| (*name).to_owned(),
            none,
        )
    }

    #[test]
    fn a_whole_name_wins_over_a_longer_one_that_begins_with_it() {
        let names = ["Ana", "Anabel"];
        assert_eq!(chosen(&names, "ana").unwrap(), "Ana");
        assert_eq!(chosen(&names, "Anab").unwrap(), "Anabel");
        let fault = chosen(&names, "an").unwrap_err();
        assert_eq!(fault.exit, Exit::Usage);
        assert_eq!(fault.sentence, "Several:\n  Ana\n  Anabel");
    }

    #[test]
    fn a_name_is_meant_in_either_normal_form() {
        let names = ["Zoe\u{308}", "Jörg"];
        assert_eq!(chosen(&names, "ZOË").unwrap(), "Zoe\u{308}");
        assert_eq!(chosen(&names, "jo\u{308}").unwrap(), "Jörg");
    }

    #[test]
    fn a_text_inside_a_name_is_not_a_beginning() {
        assert_eq!(chosen(&["Johanna"], "anna").unwrap_err().exit, Exit::NoSuch);
    }
}
