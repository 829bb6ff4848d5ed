//! The dictionaries that clients send: options, filters, changes.
//!
//! Lives here: taking known keys with their types, and refusing the rest by name.
//! Must not: know what a key means.

use std::collections::{BTreeMap, HashMap};

use ahoy_call::Others;
use zbus::{OwnedVariant, Variant};

use super::fault::Fault;
use super::spell;
use crate::request::Guard;

/// A dictionary as it came, `a{sv}`.
pub(super) type Dictionary = HashMap<String, OwnedVariant>;

/// A dictionary that is being read. What is left at `finish` is unknown, and refused by name.
#[derive(Debug)]
pub(super) struct Options {
    left: BTreeMap<String, OwnedVariant>,
    known: Vec<&'static str>,
}

impl From<Dictionary> for Options {
    fn from(dictionary: Dictionary) -> Self {
        Self { left: dictionary.into_iter().collect(), known: Vec::new() }
    }
}

impl Options {
    /// A dictionary in which nothing is known.
    pub(super) fn none(dictionary: Dictionary) -> Result<(), Fault> {
        Self::from(dictionary).finish()
    }

    /// The two guards that every verb takes, and nothing else.
    pub(super) fn guard_only(dictionary: Dictionary) -> Result<Guard, Fault> {
        let mut options = Self::from(dictionary);
        let guard = options.guard()?;
        options.finish()?;
        Ok(guard)
    }

    /// `expect-call` (`o` or `s`) and `expect-serial` (`t`): what the person saw.
    pub(super) fn guard(&mut self) -> Result<Guard, Fault> {
        let call = match self.take("expect-call") {
            None => None,
            Some(value) => {
                let text = if let Variant::Str(text) = &*value {
                    text.as_str()
                } else if let Variant::ObjectPath(path) = &*value {
                    path.as_str()
                } else {
                    return Err(wrong_type("expect-call", "o or s", &value));
                };
                let call = spell::parse_call(text).ok_or_else(|| {
                    Fault::option("Option 'expect-call' is neither the path nor the Id of a call.")
                })?;
                Some(call)
            }
        };
        Ok(Guard { call, serial: self.u64("expect-serial")? })
    }

    /// The guards of an answer, and `hold-others` (b, default true): what becomes of the call that has the ear.
    pub(super) fn answer(dictionary: Dictionary) -> Result<(Others, Guard), Fault> {
        let mut options = Self::from(dictionary);
        let guard = options.guard()?;
        let hold = options.flag("hold-others")?.unwrap_or(true);
        options.finish()?;
        Ok((if hold { Others::Hold } else { Others::Release }, guard))
    }

    /// A string, `s`.
    pub(super) fn string(&mut self, key: &'static str) -> Result<Option<String>, Fault> {
        self.typed(key, "s", |value| value.downcast_ref::<String>().ok())
    }

    /// A boolean, `b`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Fault> {
        self.typed(key, "b", |value| value.downcast_ref::<bool>().ok())
    }

    /// A number, `d`.
    pub(super) fn f64(&mut self, key: &'static str) -> Result<Option<f64>, Fault> {
        self.typed(key, "d", |value| value.downcast_ref::<f64>().ok())
    }

    /// One of a few words, `s`.
    pub(super) fn word<T>(
        &mut self,
        key: &'static str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(word) = self.string(key)? else { return Ok(None) };
        parse(&word).map(Some).ok_or_else(|| {
            Fault::option(format!("Option '{key}' is one of {}, not '{word}'.", words.join(", ")))
        })
    }

    /// A number, `u`.
    pub(super) fn u32(&mut self, key: &'static str) -> Result<Option<u32>, Fault> {
        self.typed(key, "u", |value| value.downcast_ref::<u32>().ok())
    }

    /// A number, `t`.
    pub(super) fn u64(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        self.typed(key, "t", |value| value.downcast_ref::<u64>().ok())
    }

    /// A time, `x`.
    pub(super) fn time(&mut self, key: &'static str) -> Result<Option<i64>, Fault> {
        self.typed(key, "x", |value| value.downcast_ref::<i64>().ok())
    }

    /// `limit`, 1 to 1000.
    pub(super) fn limit(&mut self) -> Result<Option<u32>, Fault> {
        let limit = self.u32("limit")?;
        if limit.is_some_and(|n| !(1..=1000).contains(&n)) {
            return Err(Fault::option("Option 'limit' must lie between 1 and 1000."));
        }
        Ok(limit)
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), Fault> {
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        Err(Fault::option(if self.known.is_empty() {
            format!("Option '{key}' is unknown here: no options are taken.")
        } else {
            format!("Option '{key}' is unknown here: what is taken is {}.", self.known.join(", "))
        }))
    }

    fn take(&mut self, key: &'static str) -> Option<OwnedVariant> {
        self.known.push(key);
        self.left.remove(key)
    }

    fn typed<T>(
        &mut self,
        key: &'static str,
        signature: &str,
        read: impl Fn(&Variant<'_>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.take(key) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| wrong_type(key, signature, &value))
    }
}

fn wrong_type(key: &str, expected: &str, found: &Variant<'_>) -> Fault {
    Fault::arguments(format!(
        "Option '{key}' must be of type {expected}, but is of type {}.",
        found.value_signature()
    ))
}

#[cfg(test)]
mod tests {
    use ahoy_call::CallId;

    use super::*;

    fn dictionary<const N: usize>(pairs: [(&str, Variant<'_>); N]) -> Dictionary {
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.try_into_owned().expect("no file descriptor")))
            .collect()
    }

    #[test]
    fn an_unknown_option_is_refused_by_its_name() {
        let fault = Options::none(dictionary([("colour", "red".into())])).unwrap_err();
        assert!(fault.to_string().contains("'colour'"), "{fault}");
        let fault = Options::guard_only(dictionary([("expect-sorrow", 1_u64.into())])).unwrap_err();
        assert!(fault.to_string().contains("'expect-sorrow'"), "{fault}");
        assert_eq!(zbus::DBusError::name(&fault).as_str(), "org.ahoyd.Calls1.Error.InvalidOption");
    }

    #[test]
    fn a_known_option_of_another_type_is_a_wrong_argument() {
        let fault = Options::guard_only(dictionary([("expect-serial", 1_u32.into())])).unwrap_err();
        assert_eq!(zbus::DBusError::name(&fault).as_str(), "org.freedesktop.DBus.Error.InvalidArgs");
    }

    #[test]
    fn the_expected_call_may_be_a_path_or_a_string() {
        let id = CallId::from_bytes([7; 16]);
        let path = Variant::from(spell::call_path(id).into_inner());
        for value in [path, Variant::from(spell::uuid(id))] {
            let guard = Options::guard_only(dictionary([("expect-call", value)])).unwrap();
            assert_eq!(guard, Guard { call: Some(id), serial: None });
        }
    }
}
