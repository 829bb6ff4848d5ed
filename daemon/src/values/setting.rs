//! The value of a setting, whichever it is.
//!
//! Lives here: its kinds, and how programs write them.
//! Must not: know a setting.

/// A setting's value, as people and programs write it.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// A text or a word.
    Text(String),
    /// On or off.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Real(f64),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Setting {
    /// As JSON has it.
    pub fn json(self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Flag(on) => on.into(),
            Self::Whole(number) => number.into(),
            Self::Real(number) => number.into(),
            Self::Texts(texts) => texts.into(),
        }
    }
}
