//! The dictionaries that clients send: options, filters, changes.
//!
//! Lives here: taking known keys with their types, and refusing the rest by name.
//! Must not: know what a key means.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use ahoy_call::Others;
use ahoy_proto::words::{NOTE, Words};
use zbus::{OwnedVariant, Variant};

use super::fault::Fault;
use super::names;
use crate::values::request::Guard;

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
                let call = names::parse_call(text).ok_or_else(|| {
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

    /// Strings, `as`.
    pub(super) fn strings(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Fault> {
        self.typed(key, "as", |value| value.clone().downcast::<Vec<String>>().ok())
    }

    /// Words of our own user for somebody else, `s`; none if they are empty.
    pub(super) fn words(&mut self, key: &'static str) -> Result<Option<String>, Fault> {
        let Some(typed) = self.string(key)? else { return Ok(None) };
        let words = Words::own(typed.trim(), NOTE);
        let words = words.map_err(|unfit| Fault::option(format!("Option '{key}' is not taken: {unfit}.")))?;
        Ok(Some(words).filter(|words| !words.is_empty()).map(String::from))
    }

    /// An open file, `h`.
    pub(super) fn descriptor(&mut self, key: &'static str) -> Result<Option<OwnedFd>, Fault> {
        self.typed(key, "h", |value| {
            let Variant::Fd(fd) = value else { return None };
            fd.as_fd().try_clone_to_owned().ok()
        })
    }

    /// A boolean, `b`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Fault> {
        self.typed(key, "b", |value| value.downcast_ref::<bool>().ok())
    }

    /// A number, `d`; a whole one too.
    pub(super) fn f64(&mut self, key: &'static str) -> Result<Option<f64>, Fault> {
        self.typed(key, "d", real)
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

    /// A number, `u`, or of another type of whole numbers if it fits: as people write them, `<30>` is an `i`.
    pub(super) fn u32(&mut self, key: &'static str) -> Result<Option<u32>, Fault> {
        self.typed(key, "u", |value| whole(value)?.try_into().ok())
    }

    /// Seconds, `u`.
    pub(super) fn seconds(&mut self, key: &'static str) -> Result<Option<Duration>, Fault> {
        Ok(self.u32(key)?.map(|seconds| Duration::from_secs(seconds.into())))
    }

    /// A number, `t`, or as with [`Self::u32`].
    pub(super) fn u64(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        self.typed(key, "t", |value| whole(value)?.try_into().ok())
    }

    /// A time, `x`, or as with [`Self::u32`].
    pub(super) fn time(&mut self, key: &'static str) -> Result<Option<i64>, Fault> {
        self.typed(key, "x", |value| whole(value)?.try_into().ok())
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

/// A whole number of any type.
pub(super) fn whole(value: &Variant<'_>) -> Option<i128> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all the other types are no whole numbers")]
    Some(match value {
        Variant::Variant(inner) => return whole(inner),
        Variant::U8(number) => (*number).into(),
        Variant::I16(number) => (*number).into(),
        Variant::U16(number) => (*number).into(),
        Variant::I32(number) => (*number).into(),
        Variant::U32(number) => (*number).into(),
        Variant::I64(number) => (*number).into(),
        Variant::U64(number) => (*number).into(),
        _ => return None,
    })
}

/// A number of any type; whole ones as far as they fit into 32 bits.
fn real(value: &Variant<'_>) -> Option<f64> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other numbers are whole")]
    match value {
        Variant::Variant(inner) => real(inner),
        Variant::F64(number) => Some(*number),
        other => i32::try_from(whole(other)?).ok().map(f64::from),
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
        let owned = |value: Variant<'_>| value.try_into_owned().expect("no file descriptor");
        pairs.into_iter().map(|(key, value)| (key.to_owned(), owned(value))).collect()
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
        for value in [Variant::from("1"), Variant::from(1.0), Variant::from(-1), Variant::from(true)] {
            let fault = Options::guard_only(dictionary([("expect-serial", value)])).unwrap_err();
            assert_eq!(zbus::DBusError::name(&fault).as_str(), "org.freedesktop.DBus.Error.InvalidArgs");
        }
    }

    #[test]
    fn a_plain_number_is_taken_where_it_fits() {
        let plain = [Variant::from(30_u8), 30_i16.into(), 30_u16.into(), 30_i32.into(), 30_u32.into()];
        for value in plain.into_iter().chain([30_i64.into(), 30_u64.into(), Variant::new(Variant::from(30))])
        {
            let mut options = Options::from(dictionary([("a", value.clone()), ("b", value.clone())]));
            assert_eq!(options.u32("a").unwrap(), Some(30), "{value:?}");
            assert_eq!(options.f64("b").unwrap(), Some(30.0), "{value:?}");
            let mut options = Options::from(dictionary([("a", value.clone()), ("b", value.clone())]));
            assert_eq!((options.u64("a").unwrap(), options.time("b").unwrap()), (Some(30), Some(30)));
        }
        for value in [Variant::from(-1), Variant::from(u64::MAX), Variant::from(30.0)] {
            assert!(Options::from(dictionary([("a", value)])).u32("a").is_err());
        }
    }

    #[test]
    fn words_of_our_own_user_are_refused_with_what_is_wrong() {
        let words = |typed: &str| {
            let mut options = Options::from(dictionary([("note", typed.into())]));
            options.words("note").map_err(|fault| fault.to_string())
        };
        assert_eq!(words("lunch?\nat one"), Ok(Some("lunch?\nat one".to_owned())));
        assert_eq!(words("  "), Ok(None));
        let refused = words(&"x".repeat(281)).unwrap_err();
        assert_eq!(refused, "Option 'note' is not taken: it has 281 characters, 280 are the most.");
        assert!(words("a\u{202e}b").unwrap_err().contains("U+202E"));
    }

    #[test]
    fn the_expected_call_may_be_a_path_or_a_string() {
        let id = CallId::from_bytes([7; 16]);
        let path = Variant::from(names::call_path(id).into_inner());
        for value in [path, Variant::from(names::uuid(id))] {
            let guard = Options::guard_only(dictionary([("expect-call", value)])).unwrap();
            assert_eq!(guard, Guard { call: Some(id), serial: None });
        }
    }
}
