//! Cards.

/// What a contact holds of another.
#[derive(Clone, Debug)]
pub struct Card {}
