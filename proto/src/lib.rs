//! What travels between two phones and past the relay.
//!
//! Lives here: the list of parts. Without the feature `sealed` only what a relay may see is built: `envelope`, `frame`
//! and `limits`. Unknown fields and kinds are ignored everywhere, so that newer programs can say more to older ones.
//! Must not: do I/O, read a clock, make randomness.

mod armor;
#[cfg(feature = "sealed")]
pub mod card;
#[cfg(feature = "sealed")]
pub mod codec;
#[cfg(feature = "sealed")]
pub mod hello;
#[cfg(feature = "sealed")]
pub mod identity;
#[cfg(feature = "sealed")]
pub mod relay_url;
#[cfg(feature = "sealed")]
pub mod reliable;
#[cfg(feature = "sealed")]
pub mod session;
#[cfg(feature = "sealed")]
pub mod window;
#[cfg(feature = "sealed")]
pub mod words;

pub mod envelope;
pub mod frame;
pub mod limits;
