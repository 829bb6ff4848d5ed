//! `ahoyctl config …`.
//!
//! Lives here: showing and changing settings by their names; what is done with the file alone: `config/alone.rs`.
//! Must not: know what a setting means, or judge one: the daemon does both.

pub(super) mod alone;

use std::path::Path;

use ahoy_dbus::Dict;
use serde_json::json;
use zbus::Variant;

use self::alone::Checked;
use super::{Desk, network};
use crate::bus::{Bus, ask};
use crate::clean;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::Printer;
use crate::tone;
use crate::world::row_json;

/// Your settings: show, change, edit
#[derive(Debug, clap::Args)]
#[command(
    after_help = "KEY is a name such as call.lifetime, or a unique beginning of one. Changes hold at\n\
once and are written to config.toml, which keeps your comments.\n\
Example: ahoyctl config set call.lifetime 90"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show all settings, or one value
    #[command(after_help = "Example: ahoyctl config get relay.urls")]
    Get {
        /// Which one
        #[arg(add = crate::complete::settings())]
        key: Option<String>,
    },
    /// Change a setting
    #[command(after_help = "Example: ahoyctl config set relay.urls wss://one.example wss://two.example")]
    Set {
        /// Which one
        #[arg(add = crate::complete::settings())]
        key: String,
        /// The value; several for a list
        #[arg(required = true, allow_hyphen_values = true)]
        value: Vec<String>,
    },
    /// Go back to the default of a setting
    #[command(after_help = "Example: ahoyctl config reset call.lifetime")]
    Reset {
        /// Which one
        #[arg(add = crate::complete::settings())]
        key: String,
    },
    /// Open the file in your editor, then apply it
    #[command(
        after_help = "Takes $VISUAL, else $EDITOR, else what is there.\nExample: EDITOR=nano ahoyctl config edit"
    )]
    Edit,
    /// Show the local networks, or say whether one is yours
    #[command(
        after_help = "On a network that is yours contacts find you, and you them, without a relay. On\nall others nothing is sent.\nExample: ahoyctl config network --trust"
    )]
    Network {
        /// It is: contacts may find you there
        #[arg(long, conflicts_with = "distrust")]
        trust: bool,
        /// It is not, or not any more
        #[arg(long)]
        distrust: bool,
        /// Which, where there are several
        interface: Option<String>,
    },
    /// Say where the file is
    #[command(after_help = "Example: cat \"$(ahoyctl config path)\"")]
    Path,
}

/// Runs it. Where ahoyd does not run and does not start, what can be done with the file alone is done with it.
pub(crate) async fn run(out: Printer, args: Args) -> Result<Exit, Fault> {
    let desk = match Bus::connect().await {
        Ok(bus) => bus.wake().await.map(|()| Desk { bus, out }),
        Err(fault) => Err(fault),
    };
    match (desk, args.what) {
        (Ok(desk), what) => with_daemon(&desk, what).await?,
        (Err(_), What::Path) => say_path(out, &alone::path()?)?,
        (Err(_), What::Edit) => {
            let file = alone::path()?;
            alone::edit(&file)?;
            out.hint(&format!(
                "Written to {}. To start ahoyd with it: systemctl --user restart ahoyd",
                file.display()
            ));
        }
        (Err(fault), What::Get { key, .. }) => match alone::check(&alone::path()?) {
            Checked::Right(settings) => {
                match key {
                    None => all(out, &settings)?,
                    Some(key) => show(out, &settings, &meant(&settings, &key)?)?,
                }
                out.hint("ahoyd is not running; these are the settings of the file.");
            }
            Checked::Wrong(sentence) => return Err(Fault::new(Exit::Usage, sentence)),
            Checked::Nobody => return Err(fault),
        },
        (Err(fault), What::Set { .. } | What::Reset { .. } | What::Network { .. }) => return Err(fault),
    }
    Ok(Exit::Ok)
}

async fn with_daemon(desk: &Desk, what: What) -> Result<(), Fault> {
    let manager = desk.bus.manager().await?;
    let none = Dict::new();
    match what {
        What::Get { key: None, .. } => all(desk.out, &json_of(&settings(desk).await?)),
        What::Get { key: Some(key), .. } => {
            let known = json_of(&settings(desk).await?);
            show(desk.out, &known, &meant(&known, &key)?)
        }
        What::Set { key, value, .. } => {
            let known = settings(desk).await?;
            let key = meant(&json_of(&known), &key)?;
            let value = if FILES.contains(&key.as_str()) { only_file(value)? } else { value };
            ask(manager.set_setting(&key, &typed(&known, &key, value), &none)).await?;
            show(desk.out, &json_of(&settings(desk).await?), &key)
        }
        What::Reset { key, .. } => {
            let key = meant(&json_of(&settings(desk).await?), &key)?;
            ask(manager.reset_setting(&key, &none)).await?;
            show(desk.out, &json_of(&settings(desk).await?), &key)
        }
        What::Edit => {
            let file = path(desk).await?;
            alone::edit(Path::new(&file))?;
            if let Err(fault) = ask(manager.reload(&none)).await {
                let sentence = format!(
                    "{}\nThe settings before it stay in force. ahoyd would not start with this file: ahoyctl config edit",
                    fault.sentence
                );
                return Err(Fault::new(Exit::Usage, sentence));
            }
            desk.out.hint("Applied.");
            Ok(())
        }
        What::Path => say_path(desk.out, Path::new(&path(desk).await?)),
        What::Network { trust, distrust, interface } => {
            if trust || distrust {
                network::trust(desk, interface.as_deref().unwrap_or_default(), trust).await?;
            }
            network::show(desk).await
        }
    }
}

/// Settings that name a file, or something that has no path.
const FILES: [&str; 2] = ["ring.tone", "relay.ca-file"];

/// A path from here is none from where the daemon is.
fn only_file(mut value: Vec<String>) -> Result<Vec<String>, Fault> {
    for file in &mut value {
        *file = tone::named(file)?;
    }
    Ok(value)
}

fn say_path(out: Printer, file: &Path) -> Result<(), Fault> {
    let file = file.display().to_string();
    if out.is_json() { out.object(json!({"path": file})) } else { out.text(&clean::line(&file)) }
}

async fn settings(desk: &Desk) -> Result<Dict, Fault> {
    ask(desk.bus.manager().await?.get_settings(&Dict::new())).await
}

async fn path(desk: &Desk) -> Result<String, Fault> {
    ask(desk.bus.manager().await?.config_file()).await
}

/// Values by name.
type Settings = serde_json::Map<String, serde_json::Value>;

fn json_of(settings: &Dict) -> Settings {
    settings.keys().map(|key| (key.clone(), value_of(settings, key))).collect()
}

fn all(out: Printer, settings: &Settings) -> Result<(), Fault> {
    if out.is_json() {
        // Names with dots and hyphens as they are: they are keys of the file, not of ours.
        return out.object(json!({"settings": settings}));
    }
    let mut keys: Vec<&String> = settings.keys().collect();
    keys.sort();
    let pairs: Vec<(&str, String)> =
        keys.into_iter().map(|key| (key.as_str(), text(&settings[key]).join(" "))).collect();
    out.pairs(&pairs)
}

fn show(out: Printer, settings: &Settings, key: &str) -> Result<(), Fault> {
    let value = settings.get(key).cloned().unwrap_or_default();
    if out.is_json() {
        return out.object(json!({"key": key, "value": value}));
    }
    text(&value).iter().try_for_each(|line| out.text(&clean::line(line)))
}

fn value_of(settings: &Dict, key: &str) -> serde_json::Value {
    let row = settings.get(key).and_then(|value| value.try_clone().ok());
    let row = row.map(|value| row_json(&Dict::from([("value".to_owned(), value)])));
    row.and_then(|mut row| row.remove("value")).unwrap_or_default()
}

/// One line for a plain value, as many as a list has.
fn text(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(items) => items.iter().flat_map(text).collect(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Object(_) => vec![value.to_string()],
    }
}

/// The setting that is meant: its whole name, or the only one that begins so, with or without its table.
fn meant(settings: &Settings, named: &str) -> Result<String, Fault> {
    if settings.contains_key(named) {
        return Ok(named.to_owned());
    }
    let keys = |key: &String| vec![key.clone(), key.rsplit('.').next().unwrap_or(key).to_owned()];
    let mut all: Vec<String> = settings.keys().cloned().collect();
    all.sort();
    let several = format!("Several settings fit '{named}'; name one:");
    pick::only(pick::fitting(&all, named, keys), &several, String::clone, || {
        Fault::new(Exit::NoSuch, format!("There is no setting '{named}'. See: ahoyctl config get"))
    })
}

/// What was typed, as a list where there is one now or several were given; the daemon reads a text as the file would.
fn typed(settings: &Dict, key: &str, mut value: Vec<String>) -> Variant<'static> {
    let is_list = matches!(settings.get(key).map(|value| &**value), Some(Variant::Array(_)));
    let spelled = value.first().is_some_and(|first| first.trim_start().starts_with('[')) || value == ["auto"];
    if value.len() > 1 || (is_list && !spelled) {
        Variant::from(value)
    } else {
        Variant::from(value.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Settings {
        json_of(&some())
    }

    fn some() -> Dict {
        let owned = |value: Variant<'static>| value.try_into().unwrap();
        Dict::from([
            ("call.lifetime".to_owned(), owned(Variant::from(60_i64))),
            ("log.level".to_owned(), owned(Variant::from("info"))),
            ("log.lines".to_owned(), owned(Variant::from(7_i64))),
            ("relay.urls".to_owned(), owned(Variant::from(vec!["a".to_owned()]))),
        ])
    }

    #[test]
    fn a_unique_beginning_of_a_name_is_enough() {
        assert_eq!(meant(&known(), "call.l").unwrap(), "call.lifetime");
        assert_eq!(meant(&known(), "urls").unwrap(), "relay.urls");
        assert_eq!(meant(&known(), "level").unwrap(), "log.level");
        let fault = meant(&known(), "log").unwrap_err();
        assert_eq!(fault.exit, Exit::Usage);
        assert!(fault.sentence.ends_with("\n  log.level\n  log.lines"), "{}", fault.sentence);
        assert_eq!(meant(&known(), "x").unwrap_err().exit, Exit::NoSuch);
    }

    #[test]
    fn one_word_for_a_list_is_a_list_of_one() {
        let typed = |key: &str, words: &[&str]| {
            typed(&some(), key, words.iter().map(|word| (*word).to_owned()).collect())
        };
        assert_eq!(typed("relay.urls", &["wss://a"]), Variant::from(vec!["wss://a".to_owned()]));
        assert_eq!(typed("relay.urls", &["[]"]), Variant::from("[]"));
        assert_eq!(typed("call.lifetime", &["90"]), Variant::from("90"));
    }
}
