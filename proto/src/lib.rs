//! What travels between two phones and past the relay.
//!
//! Lives here: the list of parts. Without the feature `sealed` only what a relay may see is built: `envelope`, `frame`,
//! `limits`, `plate` and `room`; with `relays` where relays are, too. Unknown fields and kinds are ignored everywhere, so that newer programs can say more to older ones.
//! Must not: do I/O, read a clock, make randomness.
//!
//! # The model
//!
//! *Past the relay* goes an [`envelope`]: an inbox (a public key that the relay knows), a token (the right to write there), an id, a
//! life time, and a sealed body of which the relay knows the size alone. Programs and relay say [`frame`]s of JSON to each other:
//! claim, send, deliver. *Inside the body* (feature `sealed`) is a frame of one [`session`]: message 1, in which the caller
//! says who rings ([`hello`]), message 2 that answers it, and then sealed packets. A packet is numbered, acknowledged and repeated by
//! [`reliable`], and carries one message of a call ([`codec`]). Whom one may ring stands on a [`card`]; who speaks proves it by a
//! certificate ([`identity`]). What members of a group say of themselves is signed ([`group`]). What people wrote is [`words`]. Two who do not have each other's card get it by a code ([`pair`]).
//! On one local network two who have it need no relay ([`neighbour`]). Which relays there are may stand in a signed list
//! ([`relay_list`]).
//!
//! ```
//! # #[cfg(feature = "sealed")] {
//! use ahoy_call::Message;
//! use ahoy_proto::{codec, session};
//!
//! // What one says is bytes, and what does not fit is refused, never guessed at.
//! let bytes = codec::encode(&Message::Ringing).unwrap();
//! assert_eq!(codec::decode(&bytes).unwrap(), Some(Message::Ringing));
//! assert!(codec::decode(b"not a message").is_err());
//! # }
//! ```

mod armor;
#[cfg(feature = "sealed")]
pub mod card;
#[cfg(feature = "sealed")]
pub mod codec;
#[cfg(feature = "sealed")]
mod codec_error;
#[cfg(feature = "sealed")]
pub mod group;
#[cfg(feature = "sealed")]
pub mod hello;
#[cfg(feature = "sealed")]
pub mod identity;
#[cfg(feature = "sealed")]
pub mod neighbour;
#[cfg(feature = "sealed")]
pub mod pair;
#[cfg(feature = "relays")]
pub mod relay_list;
#[cfg(feature = "relays")]
pub mod relay_url;
#[cfg(feature = "sealed")]
pub mod reliable;
#[cfg(feature = "sealed")]
pub mod room_words;
#[cfg(feature = "sealed")]
pub mod session;
#[cfg(feature = "relays")]
mod signed;
#[cfg(feature = "sealed")]
pub mod window;
#[cfg(feature = "sealed")]
pub mod words;

pub mod envelope;
pub mod frame;
pub mod limits;
pub mod plate;
pub mod room;
