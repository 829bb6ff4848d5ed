//! Output by a template of the person's own: `--format '{{ peer }} {{ duration(since) }}'`.
//!
//! Lives here: what a template sees, its functions, and what is said about a wrong one.
//! Must not: print, or ask the bus.

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

use crate::clean;
use crate::fault::{Exit, Fault};
use crate::time;

/// Reads a template from the command line; `\t` and `\n` stand for what they usually do.
///
/// It lives as long as the program, which reads one.
pub(crate) fn parse(text: &str) -> Result<&'static str, String> {
    let text = text.replace("\\t", "\t").replace("\\n", "\n");
    let text: &'static str = Box::leak(text.into_boxed_str());
    environment().template_from_str(text).map_err(|error| why(&error))?;
    Ok(text)
}

/// One object by the template.
pub(crate) fn render(template: &str, object: &Value) -> Result<String, Fault> {
    let context = context(object);
    environment().render_str(template, Serde(&context)).map_err(|error| {
        let mut sentence = format!("The template does not fit: {}.", why(&error));
        if error.kind() == ErrorKind::UndefinedError {
            let names: Vec<&str> = context.keys().map(String::as_str).collect();
            sentence.push_str(&format!(" There are: {}.", names.join(", ")));
        }
        Fault::new(Exit::Usage, sentence)
    })
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_function("duration", |since: u64| time::since(since));
    environment.add_function("span", |ms: u64| time::span_ms(ms));
    environment.add_function("time", |at: i64| time::local(at));
    environment.add_function("utc", |at: i64| time::utc(at));
    environment
}

/// The object's own names; those of the one call, contact, account or focus in it too; `peer`, `since` and `state` wherever they mean
/// something.
fn context(object: &Value) -> Map<String, Value> {
    let mut context = Map::new();
    for inner in ["focus", "call", "contact", "account"] {
        if let Some(Value::Object(inner)) = object.get(inner) {
            context.extend(inner.clone());
            break;
        }
    }
    if let Value::Object(outer) = object {
        context.extend(outer.clone());
    }
    let first = |names: &[&str], context: &Map<String, Value>| {
        names.iter().find_map(|name| context.get(*name)).cloned()
    };
    let named = [
        ("peer", first(&["peer_name", "remote_name", "name", "display_name"], &context)),
        ("since", first(&["since_monotonic", "answered_monotonic"], &context)),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            context.entry(name).or_insert(value);
        }
    }
    context.into_iter().map(|(name, value)| (name, shown(value))).collect()
}

/// What others wrote (names, notes) must not break a line or steer a terminal.
fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => json!(clean::line(&text)),
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, shown(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn why(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_a_contact_and_the_focus_are_seen_alike() {
        let template = parse("{{ peer }} {{ state }} {{ duration(since) }}").unwrap();
        let call =
            json!({"v": 1, "call": {"remote_name": "Ana", "state": "dialing", "answered_monotonic": 0}});
        assert_eq!(render(template, &call).unwrap(), "Ana dialing ");
        let focus = json!({"focus": {"peer_name": "Ben", "state": "idle", "since_monotonic": 0}, "account": {"display_name": "Me"}});
        assert_eq!(render(template, &focus).unwrap(), "Ben idle ");
        let row = json!({"name": "Cleo", "created_at": 1_793_714_709_000_000_i64, "duration_ms": 131_999});
        let template = parse("{{ peer }}\\t{{ utc(created_at) }}\\t{{ span(duration_ms) }}").unwrap();
        assert_eq!(render(template, &row).unwrap(), "Cleo\t2026-11-03T14:05:09Z\t02:11");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal_or_be_a_template_itself() {
        let row = json!({"name": "\u{1b}[2J{{ state }}\n", "state": "idle"});
        assert_eq!(render(parse("{{ name }}|").unwrap(), &row).unwrap(), " [2J{{ state }} |");
    }
}
