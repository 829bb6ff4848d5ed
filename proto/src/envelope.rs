//! What the relay sees of two phones.
//!
//! Lives here: `Inbox`.
//! Must not: know who sends, or what is sealed.

/// Where a device takes mail at one relay: the digest of a claim key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inbox([u8; 16]);

impl Inbox {
    /// From its sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its sixteen bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}
