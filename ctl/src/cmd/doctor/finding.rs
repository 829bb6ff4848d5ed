//! What one check found.
//!
//! Lives here: the line, as a row and as an object.
//! Must not: look at anything.

use serde_json::{Value, json};

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// `ok`, `warn` or `fail`.
    pub(super) verdict: String,
    /// What was looked at.
    pub(super) check: String,
    /// What was found, and what to do.
    pub(super) sentence: String,
    /// The same for programs.
    pub(super) data: Value,
}

impl Finding {
    /// With nothing beside the sentence.
    pub(super) fn new(verdict: &str, check: &str, sentence: impl Into<String>) -> Self {
        Self {
            verdict: verdict.to_owned(),
            check: check.to_owned(),
            sentence: sentence.into(),
            data: json!({}),
        }
    }

    /// For people.
    pub(super) fn row(&self) -> Vec<String> {
        vec![self.verdict.clone(), self.check.clone(), self.sentence.clone()]
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({"check": self.check, "verdict": self.verdict, "sentence": self.sentence, "data": self.data})
    }
}
