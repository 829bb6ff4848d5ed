//! A room on a LiveKit server: where the media of many meet. Who is in the call is the group's own business.
//!
//! Lives here: the server's messages, the stay as a machine without I/O, its socket, the sealing of frames.
//! Must not: know a call, a member's name, a packet or the WebRTC library; say a token, an address or an identity in a log.

pub mod frames;
pub mod port;
pub mod said;
pub mod session;
mod socket;
pub mod stay;
pub mod wire;
