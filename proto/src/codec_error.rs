//! Why bytes are no message.
//!
//! Lives here: the one error of reading and writing what travels sealed.
//! Must not: read or write anything.

/// Why bytes are no message, or a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Longer than its bound.
    #[error("too long")]
    TooLong,
    /// No JSON object of the right shape, or something after it.
    #[error("malformed")]
    Malformed,
    /// An entry of a group that its author's device did not sign.
    #[error("not signed by its author")]
    Unsigned,
    /// A field outside its range.
    #[error("out of range: {0}")]
    OutOfRange(&'static str),
}
