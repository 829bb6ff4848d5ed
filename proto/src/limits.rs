//! Every maximum on the wire.
//!
//! Lives here: the numbers, each with its reason.
//! Must not: hold anything that is not a bound.

use std::time::Duration;

/// Bytes of one WebSocket message between a client and a relay. Enough for the largest body in base64 with its frame.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes of one sealed body. The largest padded plaintext is 32,768; the rest is room for the session's header, the
/// handshake and the seal. In base64 it stays below `MESSAGE_BYTES`.
pub const BODY_BYTES: usize = 40 * 1024;

/// Token hashes in one `claim`, `allow` or `revoke`: 1,024 take 25 KiB of JSON, well inside one message.
pub const TOKENS_IN_FRAME: usize = 1_024;

/// Token hashes of one inbox. One for each card ever handed out; 256 KiB at the relay.
pub const TOKENS_OF_INBOX: usize = 16_384;

/// Envelopes that wait for one inbox. A person has few calls while away; a flood must not fill the relay.
pub const MAILBOX_ENTRIES: usize = 64;

/// The longest an envelope waits. A week covers a holiday; who is away longer sees no missed calls from then.
pub const TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long a relay remembers an inbox's tokens after its owner left: as long as mail can wait for it.
pub const LIST_LIVES: Duration = TTL;

/// Messages queued for one client that does not read, before it is cut off (close 1013).
pub const QUEUE_MESSAGES: usize = 64;

/// Bytes queued for one client that does not read, before it is cut off (close 1013).
pub const QUEUE_BYTES: usize = 256 * 1024;

/// Waiting envelopes delivered at once after a claim; each `ack` calls the next. Half of `QUEUE_MESSAGES`' room, so that
/// a full mailbox never cuts its own owner off.
pub const BACKLOG_MESSAGES: usize = 16;

/// Bytes of waiting bodies delivered at once after a claim. In base64 they stay below `QUEUE_BYTES`.
pub const BACKLOG_BYTES: usize = 128 * 1024;

/// Messages a minute from an address that claimed no inbox: one call, its repeats, and a few more.
pub const UNCLAIMED_PER_MINUTE: u32 = 100;

/// Messages a minute from a claimed inbox.
pub const CLAIMED_PER_MINUTE: u32 = 1_000;

/// Messages a minute from one sender to one inbox, whether that inbox exists or not.
pub const TO_ONE_INBOX_PER_MINUTE: u32 = 300;

/// How long a new connection may take to claim or send, before it is closed (1008).
pub const CLAIM_WITHIN: Duration = Duration::from_secs(10);

/// How often each side is asked whether it still lives. Below the 30 s after which some home routers forget a flow.
pub const PING_EVERY: Duration = Duration::from_secs(25);

/// A connection that was silent for that long, two pings and their answers, is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(60);

/// How long a displaced client stays away.
pub const DISPLACED_FOR: Duration = Duration::from_secs(60);

/// How long TURN credentials are good.
pub const TURN_FOR: Duration = Duration::from_secs(3_600);

/// ICE servers in one frame, and urls in one server: more only make gathering slow.
pub const ICE_SERVERS: usize = 16;

const _: () = assert!(BODY_BYTES / 3 * 4 + 1_024 < MESSAGE_BYTES, "the largest body fits one message");
const _: () = assert!(BACKLOG_BYTES / 3 * 4 + BODY_BYTES / 3 * 4 < QUEUE_BYTES, "a backlog fits the queue");
const _: () = assert!(TOKENS_IN_FRAME * 25 + 1_024 < MESSAGE_BYTES, "a full list of tokens fits one message");
