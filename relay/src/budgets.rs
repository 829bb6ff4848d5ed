//! How much one address may take of a relay, so that nobody's flood is another's silence.
//!
//! Lives here: the numbers, each with its reason. They are for an office of two hundred people behind one address, on
//! the morning after the relay was restarted.
//! Must not: count anything.

use std::time::Duration;

/// Connections of one address: two hundred people with a link of their own and a few to send by.
pub const CONNECTIONS_OF_ADDRESS: usize = 1_024;

/// A /48 holds many networks, but one customer may have all of them: it gets as much as this many addresses.
pub const NETWORKS_OF_CUSTOMER: usize = 4;

/// TLS and WebSocket handshakes under way at one address; more of them wait. Two hundred phones that come back at once
/// are through in some ten round trips.
pub const HANDSHAKES_OF_ADDRESS: usize = 32;

/// A handshake that takes longer gives way to one that waits at the same address; a quarter of it where very many wait.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes a second that are read from one address, frames counted by `FRAME`. What is more is read later, not refused.
pub const BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;

/// Bytes that may come from one address at once: two hundred claims with a thousand tokens each are 5 MiB, and take
/// about a second.
pub const BYTES_AT_ONCE: u64 = 4 * 1024 * 1024;

/// What a frame, a ping or a pong costs beside its bytes.
pub const FRAME: u64 = 512;

/// What the reading of a socket costs beside its bytes: a message in a thousand pieces is not for nothing.
pub const READ: u64 = 64;

/// What a handshake costs: about the time that as many bytes of frames take.
pub const HANDSHAKE: u64 = 32 * 1024;

/// Work that is done in a row before sockets, clock and newcomers are looked at again: about a millisecond.
pub const WORK_AT_ONCE: u64 = 64 * 1024;

/// Who claims no inbox and sends nothing for so long is closed: it comes again when there is something to send.
pub const SENDER_IDLE: Duration = Duration::from_secs(60);

/// Who has kept an inbox for so long is no passer-by: the list and the mail are kept for the full time.
pub const SETTLED_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long list and mail of a passer-by are kept: a reboot, a change of network.
pub const PASSING_LIVES: Duration = Duration::from_secs(3_600);

/// Tokens that every inbox may list, however full the relay is.
pub const TOKENS_FLOOR: usize = 64;

/// Tokens beyond the floor that all inboxes of one address may list: thirteen hundred for each of two hundred.
pub const TOKENS_OF_ADDRESS: usize = 262_144;

/// Tokens beyond the floor in all: 32 MiB.
pub const TOKENS: usize = 2_000_000;

/// Waiting mail of all inboxes of one address: this part of the whole.
pub const MAIL_OF_ADDRESS: usize = 8;

/// What an envelope that waits costs beside its body.
pub const ENVELOPE: usize = 256;

/// Inboxes that a sender's counter knows by name in a minute. Past it counts are shared, by at most a thirtieth of what
/// it may send in all.
pub const TARGETS: usize = 32;

/// How long the same TURN credentials are given again to an address.
pub const SAME_CREDENTIALS: Duration = Duration::from_secs(600);

/// Addresses whose TURN credentials are remembered; past it the oldest are made anew.
pub const ADDRESSES: usize = 100_000;

/// Numbers that an address may ask for in a minute, its own and others', to pair: in the ten minutes that one waits a stranger
/// tries a hundred of nine thousand.
pub const PLATES_PER_MINUTE: u32 = 10;

/// Numbers that wait at one address: of two hundred people in an office few pair at once.
pub const PLATES_OF_ADDRESS: usize = 10;

/// So many numbers of four digits are held; more get five, so that a guess hits one in ten at most.
pub const SHORT_PLATES: usize = 900;

/// Numbers that are held in all.
pub const PLATES: usize = 9_000;

/// Words about rooms that an address may say in a minute: two hundred people of whom half a dozen calls move into rooms at once.
pub const ROOM_ASKS_PER_MINUTE: u32 = 200;

/// Used passes that are remembered, none of them longer than a ring: some five hundred a second.
pub const PASSES: usize = 100_000;
