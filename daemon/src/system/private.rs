//! Values that a log must not show.
//!
//! Lives here: `Private`, whose `Debug` and `Display` are a tag instead of the value.
//! Must not: know what kinds of values there are.

use std::fmt;

/// A value that prints as its tag, `<name>`, wherever it is formatted. Names, keys, addresses and descriptions of
/// sessions go into logs and errors only in this dress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Private<T> {
    tag: &'static str,
    value: T,
}

impl<T> Private<T> {
    /// Dresses a value; `tag` says what kind of thing it is.
    pub const fn new(tag: &'static str, value: T) -> Self {
        Self { tag, value }
    }

    /// The value itself, for every use but printing.
    pub const fn reveal(&self) -> &T {
        &self.value
    }

    /// The value itself, owned.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.tag)
    }
}

impl<T> fmt::Display for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_prints_as_its_tag_however_it_is_formatted() {
        let name = Private::new("name", "Ana");
        assert_eq!(format!("{name} {name:?} {:#?}", Some(&name)), "<name> <name> Some(\n    <name>,\n)");
        assert_eq!(*name.reveal(), "Ana");
        assert_eq!(name.into_inner(), "Ana");
    }
}
