//! Every maximum on the wire.
//!
//! Lives here: the numbers, each with its reason.
//! Must not: hold anything that is not a bound.

use std::ops::RangeInclusive;
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

/// How long a relay remembers an inbox's tokens after its owner, who had been there for a while, left: as long as mail
/// can wait for it. Who was there for less than some minutes is remembered for an hour.
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

/// Messages a minute from a connection that claimed no inbox: one call, its repeats, and a few more.
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

/// A card as text. A QR code of the terminal holds far less; this is room for eight devices with their relays.
pub const CARD_BYTES: usize = 16 * 1024;

/// Devices of one account: more than a person has, few enough to ring all at once.
pub const CARD_DEVICES: usize = 8;

/// Inboxes of one device: one a relay, and each frame goes to all.
pub const DEVICE_INBOXES: usize = 4;

/// A relay's address: longer than any that a person types.
pub const RELAY_URL_BYTES: usize = 256;

/// A signed list of relays as text: some lines of some hundred bytes.
pub const RELAY_LIST_BYTES: usize = 16 * 1024;

/// Lines of such a list: the newest, and what handed the right to sign over before it.
pub const RELAY_LIST_LINES: usize = 8;

/// Relays that a list names: twice as many as a device uses, so that one can take another's place.
pub const RELAY_LIST_RELAYS: usize = 8;

/// Keys that may sign the next list: one in use, one put by for the day when that is lost, and room to change both.
pub const RELAY_LIST_KEYS: usize = 4;

/// The longest that a list may be good: who plays an old one again has no more time than that.
pub const RELAY_LIST_LIVES: Duration = Duration::from_secs(400 * 86_400);

/// A device certificate: three keys, a signature, a name, two times.
pub const CERTIFICATE_BYTES: usize = 1_024;

/// Characters of an account's or a device's name: one line.
pub const NAME_CHARS: usize = 64;

/// The payload of handshake message 1: a card and a certificate.
pub const HELLO_BYTES: usize = 20 * 1024;

/// The payload of handshake message 2.
pub const REPLY_BYTES: usize = 2_048;

/// Versions, and features, that a handshake may list.
pub const HELLO_LIST: usize = 32;

/// The name of one feature.
pub const FEATURE_BYTES: usize = 32;

/// One message of a call, sealed: the largest padded plaintext less its length and the packet's header.
pub const SEALED_MESSAGE_BYTES: usize = 32_700;

/// A session description. One of ours has 3 KiB; base64 adds a third.
pub const DESCRIPTION_BYTES: usize = 16 * 1024;

/// Candidates in one message: more interfaces than a laptop has.
pub const CANDIDATES: usize = 32;

/// One candidate (RFC 8839): a line of less than 300 characters, with room for extensions.
pub const CANDIDATE_BYTES: usize = 512;

/// One signed entry of a group's log: a certificate, four inboxes, three lists of 24. One alone fits a sealed message.
pub const GROUP_ENTRY_BYTES: usize = 8 * 1024;
/// Two entries that contradict each other go in one message, in base64, with what is known of 64 authors.
const _: () = assert!(2 * GROUP_ENTRY_BYTES.div_ceil(3) * 4 + 64 * 160 < SEALED_MESSAGE_BYTES);

/// Messages in one body.
pub const MESSAGES_IN_BODY: usize = 8;

/// What members of a call tell each other of its room in one message: a pass with the address of the relay that takes it, or a name
/// with a key.
pub const ROOM_WORD_BYTES: usize = 1_024;

/// Characters of a note or of a decline's text: what a notification shows.
pub const TEXT_CHARS: usize = 280;

/// How long a ring may live. Longer, and it would be found by who does not expect it any more.
pub const RING_LIFETIME: Duration = Duration::from_secs(180);

/// Numbers under which two who pair find each other: four digits are easily said; a busy relay gives out five.
pub const PLATES: RangeInclusive<u32> = 1_000..=99_999;

/// How long a number waits for the other: as long as somebody needs to be found and told.
pub const PLATE_LIVES: Duration = Duration::from_secs(600);

/// How long two who have met may take: six trips, two writes to a disk.
pub const PLATE_TALKS: Duration = Duration::from_secs(60);

/// Messages from one to the other of two who pair: they need three, and a later version may need more.
pub const PLATE_MESSAGES: u32 = 8;

/// Bytes from one to the other of two who pair: a card with its seal and the messages before it.
pub const PLATE_BYTES: usize = 20 * 1024;

/// Contacts that a daemon announces itself to on a local network: one packet, and more than ring in a week.
pub const NEIGHBOUR_TAGS: usize = 64;

/// People in one room, and passes that are drawn at once: as many as a group call may have.
pub const ROOM_PASSES: usize = 25;

/// Identities in one answer about who is in a room: those that belong there, and some that do not.
pub const ROOM_PEOPLE: usize = 256;

/// Addresses of a room's servers that are told.
pub const ROOM_URLS: usize = 4;

/// A token for a room: three parts of base64, some 400 bytes.
pub const ROOM_TOKEN_BYTES: usize = 2_048;

/// An identity in a room: relays give 32 letters.
pub const ROOM_IDENTITY_BYTES: usize = 128;

/// How long a token lets somebody into a room. Who is in is given fresh ones by the room's server.
pub const ROOM_TOKEN_FOR: Duration = Duration::from_secs(600);

/// How long the tickets of a host and of a seat are good: longer than any call.
pub const ROOM_LIVES: Duration = Duration::from_secs(86_400);

const _: () = assert!(
    BACKLOG_BYTES / 3 * 4 + BODY_BYTES / 3 * 4 + PLATE_BYTES / 3 * 4 < QUEUE_BYTES,
    "who pairs while mail comes is not cut off"
);
const _: () = assert!(BODY_BYTES / 3 * 4 + 1_024 < MESSAGE_BYTES, "the largest body fits one message");
const _: () = assert!(BACKLOG_BYTES / 3 * 4 + BODY_BYTES / 3 * 4 < QUEUE_BYTES, "a backlog fits the queue");
const _: () = assert!(TOKENS_IN_FRAME * 25 + 1_024 < MESSAGE_BYTES, "a full list of tokens fits one message");
