//! LiveKit's signaling: the part of its messages that we say or listen to, in protocol buffers.
//!
//! Lives here: the messages, with the field numbers of LiveKit's public definition (`livekit_rtc.proto`, `livekit_models.proto`).
//! Must not: judge what they say: `said.rs` does. Whatever else the server sends is skipped.

use std::collections::HashMap;

use prost::{Message, Oneof};

/// The version of the protocol that we speak.
pub const PROTOCOL: i32 = 18;

/// The kinds of tracks and their sources, how a track is sealed, a member's state: as numbers, for a server may know more of them.
pub mod number {
    #![expect(missing_docs, reason = "the names are LiveKit's")]
    pub const AUDIO: i32 = 0;
    pub const MICROPHONE: i32 = 2;
    pub const GCM: i32 = 1;
    pub const DISCONNECTED: i32 = 3;
    pub const CLIENT_INITIATED: i32 = 1;
    pub const SIGNAL_DISCONNECTED: i32 = 1;
}

/// What a client says.
#[derive(Clone, PartialEq, Message)]
pub struct SignalRequest {
    /// One of them.
    #[prost(oneof = "Request", tags = "1, 3, 4, 5, 6, 8, 12, 16")]
    pub message: Option<Request>,
}

/// What a client says.
#[derive(Clone, PartialEq, Oneof)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub enum Request {
    #[prost(message, tag = "1")]
    Offer(SessionDescription),
    #[prost(message, tag = "3")]
    Trickle(Trickle),
    #[prost(message, tag = "4")]
    AddTrack(AddTrack),
    #[prost(message, tag = "5")]
    Mute(MuteTrack),
    #[prost(message, tag = "6")]
    Subscription(Subscription),
    #[prost(message, tag = "8")]
    Leave(Leave),
    #[prost(message, tag = "12")]
    SyncState(SyncState),
    #[prost(message, tag = "16")]
    Ping(Ping),
}

/// What a server says.
#[derive(Clone, PartialEq, Message)]
pub struct SignalResponse {
    /// One of them; none if it is one that we do not know.
    #[prost(oneof = "Response", tags = "1, 2, 4, 5, 6, 8, 9, 16, 17, 19, 20, 25")]
    pub message: Option<Response>,
}

/// What a server says.
#[derive(Clone, PartialEq, Oneof)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub enum Response {
    #[prost(message, tag = "1")]
    Join(Join),
    #[prost(message, tag = "2")]
    Answer(SessionDescription),
    #[prost(message, tag = "4")]
    Trickle(Trickle),
    #[prost(message, tag = "5")]
    Update(Update),
    #[prost(message, tag = "6")]
    TrackPublished(TrackPublished),
    #[prost(message, tag = "8")]
    Leave(Leave),
    #[prost(message, tag = "9")]
    Mute(MuteTrack),
    #[prost(string, tag = "16")]
    RefreshToken(String),
    #[prost(message, tag = "17")]
    TrackUnpublished(TrackUnpublished),
    #[prost(message, tag = "19")]
    Reconnect(Reconnect),
    #[prost(message, tag = "20")]
    Pong(Pong),
    #[prost(message, tag = "25")]
    Sections(Sections),
}

/// A description and what it is.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct SessionDescription {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "2")]
    pub sdp: String,
    #[prost(uint32, tag = "3")]
    pub id: u32,
    #[prost(map = "string, string", tag = "4")]
    pub mid_to_track_id: HashMap<String, String>,
}

/// One candidate, as JSON.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Trickle {
    #[prost(string, tag = "1")]
    pub candidate_init: String,
    /// 0: the connection that we offer, which is the only one.
    #[prost(int32, tag = "2")]
    pub target: i32,
    #[prost(bool, tag = "3")]
    pub last: bool,
}

/// A track that we want to publish.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct AddTrack {
    #[prost(string, tag = "1")]
    pub cid: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(int32, tag = "3")]
    pub kind: i32,
    #[prost(int32, tag = "8")]
    pub source: i32,
    #[prost(bool, tag = "13")]
    pub disable_red: bool,
    #[prost(int32, tag = "14")]
    pub encryption: i32,
}

/// A track that is silent, or no longer.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct MuteTrack {
    #[prost(string, tag = "1")]
    pub sid: String,
    #[prost(bool, tag = "2")]
    pub muted: bool,
}

/// Tracks that we want, or no longer.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Subscription {
    #[prost(string, repeated, tag = "1")]
    pub track_sids: Vec<String>,
    #[prost(bool, tag = "2")]
    pub subscribe: bool,
}

/// The end of a stay, and what is to be done then.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Leave {
    #[prost(int32, tag = "2")]
    pub reason: i32,
    #[prost(int32, tag = "3")]
    pub action: i32,
}

/// What holds, after a socket was lost.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct SyncState {
    #[prost(message, optional, tag = "1")]
    pub answer: Option<SessionDescription>,
    #[prost(message, optional, tag = "2")]
    pub subscription: Option<Subscription>,
    #[prost(message, repeated, tag = "3")]
    pub publish_tracks: Vec<TrackPublished>,
    #[prost(message, optional, tag = "5")]
    pub offer: Option<SessionDescription>,
}

/// Are you there?
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Ping {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(int64, tag = "2")]
    pub rtt: i64,
}

/// Yes.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Pong {
    #[prost(int64, tag = "1")]
    pub last_ping_timestamp: i64,
}

/// We are in.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Join {
    #[prost(message, optional, tag = "2")]
    pub participant: Option<Participant>,
    #[prost(message, repeated, tag = "3")]
    pub other_participants: Vec<Participant>,
    #[prost(message, repeated, tag = "5")]
    pub ice_servers: Vec<IceServer>,
    /// In seconds, as is the next.
    #[prost(int32, tag = "10")]
    pub ping_timeout: i32,
    #[prost(int32, tag = "11")]
    pub ping_interval: i32,
    #[prost(bytes = "vec", tag = "13")]
    pub sif_trailer: Vec<u8>,
}

/// We are in again.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Reconnect {
    #[prost(message, repeated, tag = "1")]
    pub ice_servers: Vec<IceServer>,
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct IceServer {
    #[prost(string, repeated, tag = "1")]
    pub urls: Vec<String>,
    #[prost(string, tag = "2")]
    pub username: String,
    #[prost(string, tag = "3")]
    pub credential: String,
}

/// Who is there, as far as something changed.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Update {
    #[prost(message, repeated, tag = "1")]
    pub participants: Vec<Participant>,
}

/// Somebody in the room.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Participant {
    #[prost(string, tag = "1")]
    pub sid: String,
    #[prost(string, tag = "2")]
    pub identity: String,
    #[prost(int32, tag = "3")]
    pub state: i32,
    #[prost(message, repeated, tag = "4")]
    pub tracks: Vec<Track>,
}

/// What somebody publishes.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Track {
    #[prost(string, tag = "1")]
    pub sid: String,
    #[prost(int32, tag = "2")]
    pub kind: i32,
    #[prost(bool, tag = "4")]
    pub muted: bool,
    #[prost(int32, tag = "16")]
    pub encryption: i32,
}

/// A track of ours has a name.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct TrackPublished {
    #[prost(string, tag = "1")]
    pub cid: String,
    #[prost(message, optional, tag = "2")]
    pub track: Option<Track>,
}

/// A track of ours is no more.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct TrackUnpublished {
    #[prost(string, tag = "1")]
    pub track_sid: String,
}

/// So many sections more are needed in our next offer.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct Sections {
    #[prost(uint32, tag = "1")]
    pub audios: u32,
    #[prost(uint32, tag = "2")]
    pub videos: u32,
}

/// Travels in the address of the socket.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct WrappedJoin {
    /// 0: none.
    #[prost(int32, tag = "1")]
    pub compression: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub join_request: Vec<u8>,
}

/// With what we come.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct JoinRequest {
    #[prost(message, optional, tag = "1")]
    pub client_info: Option<ClientInfo>,
    #[prost(message, optional, tag = "2")]
    pub connection_settings: Option<ConnectionSettings>,
    #[prost(message, repeated, tag = "5")]
    pub add_track_requests: Vec<AddTrack>,
    #[prost(message, optional, tag = "6")]
    pub publisher_offer: Option<SessionDescription>,
    #[prost(bool, tag = "7")]
    pub reconnect: bool,
    #[prost(int32, tag = "8")]
    pub reconnect_reason: i32,
    #[prost(string, tag = "9")]
    pub participant_sid: String,
}

/// What we are: no more than the server needs.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct ClientInfo {
    #[prost(int32, tag = "3")]
    pub protocol: i32,
    #[prost(string, tag = "4")]
    pub os: String,
}

/// How we want to be served.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names are LiveKit's")]
pub struct ConnectionSettings {
    #[prost(bool, tag = "1")]
    pub auto_subscribe: bool,
    #[prost(bool, tag = "2")]
    pub adaptive_stream: bool,
}
