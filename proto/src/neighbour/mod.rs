//! What two daemons on one local network say to each other without a relay: who is there, and sealed envelopes.
//!
//! Lives here: the list of parts. [`tag`] is what is announced and from what both make the key of a connection; [`link`] is that
//! connection; [`said`] what goes through it; [`knock`] how one begins.
//! Must not: do I/O, read a clock, make randomness; name anybody outside of what is sealed.
//!
//! What a stranger on the network sees: tags, which are random numbers to whoever has no card of ours and others in the next
//! hour; and connections between two machines, of a known size and nothing else.

pub mod knock;
pub mod link;
pub mod said;
pub mod tag;
#[cfg(test)]
mod tests;
