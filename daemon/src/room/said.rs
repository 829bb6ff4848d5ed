//! What a room's server says, after a look at each word: lengths, counts, names.
//!
//! Lives here: the bounds, the checked values, reading one message and writing one.
//! Must not: know what follows from a word.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64URL;
use prost::Message as _;

use super::wire::{self, Request, Response, SignalRequest, SignalResponse, number};
use crate::values::ice::IceServer;
use crate::values::room::{Identity, RoomCandidate, Sdp, TrackSid};

/// Bytes of one message: ten people with a description come to 12 kB.
pub const MESSAGE_MAX: usize = 512 * 1024;
/// Bytes of a description: 6.6 kB with ten.
pub const SDP_MAX: usize = 64 * 1024;
/// People in one message, and in a room.
pub const PEOPLE: usize = 256;
/// Tracks of one of them that are looked at.
const TRACKS: usize = 8;
const SID_MAX: usize = 64;
const CANDIDATE_MAX: usize = 1_024;
const TOKEN_MAX: usize = 4_096;
const ICE_SERVERS: usize = 16;
const URL_MAX: usize = 256;
/// Bytes of what the server ends its own silence with: 44 today.
const TRAILER_MAX: usize = 128;

/// A word that lets somebody into a room. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomToken(String);

impl RoomToken {
    /// As a relay or a server gives it.
    pub fn new(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (plain && (1..=TOKEN_MAX).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// For the head of a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RoomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

/// One of those in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// Their stay: another one each time that they come.
    pub(super) sid: String,
    pub(super) identity: Identity,
    pub(super) gone: bool,
    /// Their voices.
    pub(super) voices: Vec<Voice>,
}

/// A track with sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) sid: TrackSid,
    pub(super) sealed: bool,
}

/// What a server wants to be done at the end of a stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Stop(Why),
    /// Come back with what there is.
    Resume,
    /// Come anew.
    Anew,
}

/// Why a server ends a stay, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Duplicate,
    Removed,
    Deleted,
    Other,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Joined {
        /// Us.
        own: Person,
        others: Vec<Person>,
        servers: Vec<IceServer>,
        ping_every: Duration,
        lost_after: Duration,
        trailer: Vec<u8>,
    },
    Back(Vec<IceServer>),
    Answer(u32, Sdp),
    Candidate(RoomCandidate),
    People(Vec<Person>),
    /// Our track has this name.
    Published(TrackSid),
    Unpublished(TrackSid),
    Muted(TrackSid, bool),
    Token(RoomToken),
    Sections {
        audios: usize,
        videos: usize,
    },
    Leave(Then),
    Pong,
    /// Nothing that we listen to.
    Else,
}

/// Why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is too long, or no message at all.
    #[error("no message of the protocol")]
    Malformed,
    /// A part of it is too long, too many or not what it should be.
    #[error("a part of a message is out of bounds")]
    OutOfBounds,
}

/// Reads one message.
pub(super) fn read(bytes: &[u8]) -> Result<Said, Unreadable> {
    if bytes.len() > MESSAGE_MAX {
        return Err(Unreadable::Malformed);
    }
    let response = SignalResponse::decode(bytes).map_err(|_| Unreadable::Malformed)?;
    let Some(message) = response.message else { return Ok(Said::Else) };
    checked(message).ok_or(Unreadable::OutOfBounds)
}

/// Whether these bytes are a message within bounds.
pub fn is_readable(bytes: &[u8]) -> bool {
    read(bytes).is_ok()
}

fn checked(message: Response) -> Option<Said> {
    Some(match message {
        Response::Join(join) => {
            // A message about somewhere else to ask has nobody in it.
            let own = person(join.participant?)?;
            let seconds = |given: i32, least: u64, most: u64, usual: u64| {
                let given = u64::try_from(given).ok().filter(|given| *given > 0).unwrap_or(usual);
                Duration::from_secs(given.clamp(least, most))
            };
            if join.sif_trailer.len() > TRAILER_MAX {
                return None;
            }
            Said::Joined {
                own,
                others: people(join.other_participants)?,
                servers: servers(join.ice_servers),
                ping_every: seconds(join.ping_interval, 1, 30, 5),
                lost_after: seconds(join.ping_timeout, 5, 60, 15),
                trailer: join.sif_trailer,
            }
        }
        Response::Reconnect(back) => Said::Back(servers(back.ice_servers)),
        Response::Answer(answer) => Said::Answer(answer.id, sdp(answer.sdp)?),
        Response::Trickle(trickle) => {
            let text = trickle.candidate_init;
            // An empty one says that there are no more.
            match text.len() <= CANDIDATE_MAX && trickle.target == 0 {
                true if text.is_empty() => Said::Else,
                true => Said::Candidate(RoomCandidate(text)),
                false => return None,
            }
        }
        Response::Update(update) => Said::People(people(update.participants)?),
        Response::TrackPublished(published) => Said::Published(track_sid(published.track?.sid)?),
        Response::TrackUnpublished(gone) => Said::Unpublished(track_sid(gone.track_sid)?),
        Response::Mute(mute) => Said::Muted(track_sid(mute.sid)?, mute.muted),
        Response::RefreshToken(token) => Said::Token(RoomToken::new(&token)?),
        Response::Sections(sections) => {
            let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            Said::Sections { audios: count(sections.audios), videos: count(sections.videos) }
        }
        Response::Leave(leave) => Said::Leave(then(&leave)),
        Response::Pong(_) => Said::Pong,
    })
}

/// The numbers are `DisconnectReason` and `LeaveRequest.Action`.
fn then(leave: &wire::Leave) -> Then {
    match (leave.action, leave.reason) {
        (_, 2) => Then::Stop(Why::Duplicate),
        (_, 4) => Then::Stop(Why::Removed),
        (_, 5 | 10) => Then::Stop(Why::Deleted),
        (1, _) => Then::Resume,
        // The server moves, or has lost us, whatever it wants to be done then: shut down, out of step, no join, migration, its
        // socket closed, timed out, media failed.
        (2, _) | (_, 3 | 6..=9 | 14 | 15) => Then::Anew,
        _ => Then::Stop(Why::Other),
    }
}

fn sdp(text: String) -> Option<Sdp> {
    (text.len() <= SDP_MAX).then_some(Sdp(text))
}

fn track_sid(text: String) -> Option<TrackSid> {
    (1..=SID_MAX).contains(&text.len()).then_some(TrackSid(text))
}

fn people(all: Vec<wire::Participant>) -> Option<Vec<Person>> {
    if all.len() > PEOPLE {
        return None;
    }
    // One whose name cannot be is not there, and does not hide the others.
    Some(all.into_iter().filter_map(person).collect())
}

fn person(of: wire::Participant) -> Option<Person> {
    let identity = Identity::new(&of.identity)?;
    let voices = of.tracks.into_iter().take(TRACKS).filter(|track| track.kind == number::AUDIO);
    let voices = voices.filter_map(|track| {
        Some(Voice { sealed: track.encryption == number::GCM, sid: track_sid(track.sid)? })
    });
    let voices = voices.collect();
    let sid_fits = (1..=SID_MAX).contains(&of.sid.len());
    sid_fits.then_some(Person { sid: of.sid, identity, gone: of.state == number::DISCONNECTED, voices })
}

fn servers(all: Vec<wire::IceServer>) -> Vec<IceServer> {
    let fits = |server: &wire::IceServer| {
        server.urls.len() <= ICE_SERVERS
            && server
                .urls
                .iter()
                .chain([&server.username, &server.credential])
                .all(|text| text.len() <= URL_MAX)
    };
    let all = all.into_iter().filter(fits).take(ICE_SERVERS);
    all.map(|server| IceServer {
        urls: server.urls,
        username: server.username,
        credential: server.credential,
    })
    .collect()
}

/// Writes one message.
pub(super) fn write(request: Request) -> Vec<u8> {
    SignalRequest { message: Some(request) }.encode_to_vec()
}

/// A description of ours, with its number.
pub(super) fn offer(id: u32, sdp: &Sdp) -> wire::SessionDescription {
    let (kind, sdp) = ("offer".to_owned(), sdp.0.clone());
    wire::SessionDescription { kind, sdp, id, ..Default::default() }
}

/// What a request to join holds, as the address of a socket carries it. It is in clear in the server's log, so no token is in it.
pub(super) fn path(request: &wire::JoinRequest) -> String {
    let wrapped = wire::WrappedJoin { compression: 0, join_request: request.encode_to_vec() };
    format!("/rtc/v1?join_request={}", BASE64URL.encode(&wrapped.encode_to_vec()).replace('=', "%3D"))
}

#[cfg(test)]
mod tests;
