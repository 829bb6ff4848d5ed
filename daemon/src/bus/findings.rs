//! What a look around found, as the bus spells it.
//!
//! Lives here: one row of `Diagnose`.
//! Must not: judge what was found.

use std::collections::BTreeMap;

use zbus::Variant;

use crate::values::diagnosis::{Datum, Finding};

/// Check, verdict, sentence, and the same for programs.
pub(super) type Row = (&'static str, &'static str, String, BTreeMap<String, Variant<'static>>);

/// What one check found.
pub(super) fn row(found: Finding) -> Row {
    let data = found.data.into_iter().map(|(key, value)| {
        let value = match value {
            Datum::Flag(flag) => flag.into(),
            Datum::Count(count) => count.into(),
            Datum::Real(number) => number.into(),
        };
        (key.to_owned(), value)
    });
    (found.check.word(), found.verdict.word(), found.sentence, data.collect())
}
