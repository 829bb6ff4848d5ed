//! Every setting with its value, for who shows or changes them one by one.
//!
//! Lives here: the names of all settings, `table.key` as in the file, and the value of each in a `Config`.
//! Must not: judge a value; the file does.

use serde_json::{Map, Value};

use super::Config;
use crate::values::setting::Setting;

impl Config {
    /// Every setting with the value in force; what is not set and has no default is empty.
    pub fn listed(&self) -> Vec<(String, Setting)> {
        let mut listed = Vec::new();
        for (table, keys) in entries(serde_json::to_value(self).unwrap_or_default()) {
            listed.extend(
                entries(keys).into_iter().map(|(key, value)| (format!("{table}.{key}"), setting(value))),
            );
        }
        listed
    }
}

fn entries(table: Value) -> Map<String, Value> {
    if let Value::Object(entries) = table { entries } else { Map::new() }
}

fn setting(value: Value) -> Setting {
    match value {
        Value::Null | Value::Object(_) => Setting::Text(String::new()),
        Value::Bool(flag) => Setting::Flag(flag),
        Value::Number(number) => {
            number.as_i64().map_or(Setting::Real(number.as_f64().unwrap_or_default()), Setting::Whole)
        }
        Value::String(text) => Setting::Text(text),
        Value::Array(texts) => {
            Setting::Texts(texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
        }
    }
}
