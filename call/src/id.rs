//! Who and what an input is about.
//!
//! Lives here: identities as opaque bytes, with a short `Debug` that is safe to log.
//! Must not: know how an identity is made or proved.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $tag:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its sixteen bytes.
            pub const fn bytes(self) -> [u8; 16] {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($tag, ":{:02x}{:02x}{:02x}"), self.0[0], self.0[1], self.0[2])
            }
        }
    };
}

id! {
    /// One call, the same on both sides. 128 random bits, minted by whoever dials.
    CallId, "call"
}
id! {
    /// A contact: the digest of an account key.
    PeerId, "peer"
}
id! {
    /// A named group: all of its people share the id. 128 random bits, minted by whoever names it.
    GroupId, "group"
}
id! {
    /// One device, ours or a contact's: the digest of a device key. A leg of a call is one remote device.
    /// Of two devices the *lower* yields when both begin a repair (DESIGN: "Repair").
    LegId, "leg"
}

/// One other person within a call, numbered from one in the order of their coming; the number is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u16);

impl MemberId {
    /// Whom a call began with. A direct call has no other.
    pub const FIRST: Self = Self(1);
}

/// One generation of a leg's media path. Rises by repair; a higher one replaces a lower one.
/// Epochs begun by the higher device are odd, by the lower one even: when both begin one at once the higher
/// device's wins without a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u16);

impl Epoch {
    /// The first epoch after `self` that belongs to the device `own` in a leg with the device `theirs`.
    /// `None` when the numbers are used up, which ends the call.
    pub fn next(self, own: LegId, theirs: LegId) -> Option<Self> {
        let odd = u16::from(own > theirs);
        let mut n = self.0.checked_add(1)?;
        if n & 1 != odd {
            n = n.checked_add(1)?;
        }
        Some(Self(n))
    }

    /// The first epoch of a leg, begun by the caller's device `own`.
    pub fn first(own: LegId, theirs: LegId) -> Self {
        Self(u16::from(own > theirs))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn an_identity_is_logged_by_three_bytes() {
        assert_eq!(format!("{:?}", CallId::from_bytes([0xab; 16])), "call:ababab");
    }
}
