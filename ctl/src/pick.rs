//! Which call, which contact: from what a person typed to one thing.
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
    let Some(named) = named else {
        let mut fitting: Vec<Call> = calls.into_iter().filter(|call| fits(call)).collect();
        // Who talks in one call and holds others, or hears a second one ring, means the one they talk in.
        let talks = |call: &Call| call.props.flag("CanHold") && !call.props.flag("LocalHold");
        if fitting.iter().filter(|call| talks(call)).count() == 1 {
            fitting.retain(talks);
        }
        return only(fitting, "Several calls fit; name one:")
            .unwrap_or_else(|| Err(Fault::new(Exit::NoCall, none)));
    };
    let exact = |call: &Call| matches(named, call, |text, wanted| text == wanted);
    let begins = |call: &Call| matches(named, call, |text, wanted| text.starts_with(wanted));
    let mut found: Vec<Call> = calls.iter().filter(|call| exact(call)).cloned().collect();
    if found.is_empty() {
        found = calls.into_iter().filter(|call| begins(call)).collect();
    }
    // Who was called again right after a call is meant with the living one.
    if found.len() > 1 && found.iter().any(|call| !call.is_over()) {
        found.retain(|call| !call.is_over());
    }
    only(found, &format!("Several calls fit '{named}'; name one:")).unwrap_or_else(|| {
        Err(Fault::new(Exit::NoSuch, format!("There is no call '{named}'. See: ahoyctl list")))
    })
}

fn matches(named: &str, call: &Call, fits: impl Fn(&str, &str) -> bool) -> bool {
    let wanted = folded(named);
    let id = call.props.text("Id").to_lowercase();
    fits(&id, &wanted)
        || fits(&id.replace('-', ""), &wanted)
        || fits(&folded(call.props.text("RemoteName")), &wanted)
        || fits(call.props.text("Contact"), &wanted)
        || fits(call.props.text("RemoteAddress"), &wanted)
        || call.path == named
}

fn only(mut found: Vec<Call>, several: &str) -> Option<Result<Call, Fault>> {
    match found.len() {
        0 => None,
        1 => found.pop().map(Ok),
        _ => {
            let list: String = found
                .iter()
                .map(|call| {
                    format!(
                        "\n  {}  {}  {}",
                        call.props.text("Id"),
                        call.props.text("RemoteName"),
                        call.state()
                    )
                })
                .collect();
            Some(Err(Fault::new(Exit::Usage, format!("{several}{list}"))))
        }
    }
}

/// The contact that was named: by id, address or name, or a unique beginning of one. May start the daemon.
pub(crate) async fn contact(bus: &Bus, named: &str) -> Result<Props, Fault> {
    let contacts = bus.contacts().await?;
    let rows: Vec<Dict> = ask(contacts.find(named, &Dict::new())).await?;
    let chosen = choose(rows.into_iter().map(Props::from).collect(), named);
    match chosen {
        // The daemon knows names without their accents, too.
        Err(none) if none.exit == Exit::NoSuch => match ask(contacts.get(named, &Dict::new())).await {
            Ok(row) => Ok(row.into()),
            Err(several) if several.exit == Exit::Usage => Err(several),
            Err(_) => Err(none),
        },
        chosen => chosen,
    }
}

/// As names are compared: large and small letters, composed and decomposed ones are alike.
fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

fn choose(rows: Vec<Props>, named: &str) -> Result<Props, Fault> {
    let wanted = folded(named);
    let fits = |row: &Props, test: fn(&str, &str) -> bool| {
        ["id", "address", "name"].iter().any(|key| test(&folded(row.text(key)), &wanted))
    };
    let mut found: Vec<Props> =
        rows.iter().filter(|row| fits(row, |text, wanted| text == wanted)).cloned().collect();
    if found.is_empty() {
        found = rows.into_iter().filter(|row| fits(row, |text, wanted| text.starts_with(wanted))).collect();
    }
    match found.len() {
        0 => {
            Err(Fault::new(Exit::NoSuch, format!("There is no contact '{named}'. See: ahoyctl contact list")))
        }
        1 => Ok(found.remove(0)),
        _ => {
            let list: String =
                found.iter().map(|row| format!("\n  {}  {}", row.text("id"), row.text("name"))).collect();
            Err(Fault::new(Exit::Usage, format!("Several contacts fit '{named}'; name one by its id:{list}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, name: &str) -> Props {
        let text = |value: &str| zbus::OwnedVariant::try_from(zbus::Variant::from(value.to_owned())).unwrap();
        Props::from(Dict::from([("id".to_owned(), text(id)), ("name".to_owned(), text(name))]))
    }

    #[test]
    fn a_whole_name_wins_over_a_longer_one_that_begins_with_it() {
        let rows = vec![row("01", "Ana"), row("02", "Anabel")];
        assert_eq!(choose(rows.clone(), "ana").unwrap().text("id"), "01");
        assert_eq!(choose(rows.clone(), "Anab").unwrap().text("id"), "02");
        let fault = choose(rows, "an").unwrap_err();
        assert_eq!(fault.exit, Exit::Usage);
        assert!(fault.sentence.contains("Anabel"), "the list is shown: {}", fault.sentence);
    }

    #[test]
    fn a_name_is_meant_in_either_normal_form() {
        let rows = vec![row("01", "Zoe\u{308}"), row("02", "Jörg")];
        assert_eq!(choose(rows.clone(), "ZOË").unwrap().text("id"), "01");
        assert_eq!(choose(rows, "jo\u{308}").unwrap().text("id"), "02");
    }

    #[test]
    fn a_text_inside_a_name_is_not_a_beginning() {
        assert_eq!(choose(vec![row("01", "Johanna")], "anna").unwrap_err().exit, Exit::NoSuch);
    }
}
