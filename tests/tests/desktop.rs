//! Does a person meet a call on the desktop as they should?
//!
//! Lives here: the real desktop port on a private bus, with a notification server and players that do as they are told.
//! Must not: start a daemon or a real desktop: `desktop_lab.rs` does.

#[path = "desktop/players.rs"]
mod players;
#[path = "desktop/rig.rs"]
mod rig;
#[path = "desktop/ring.rs"]
mod ring;
#[path = "desktop/rooms.rs"]
mod rooms;
