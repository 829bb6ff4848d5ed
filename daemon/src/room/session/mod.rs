//! A stay in a room, from the first word to the last, as a machine without I/O.
//!
//! Lives here: what comes in and goes out, the phases and their times. The way there and back: `coming.rs`; the connection: `media.rs`; who is
//! there: `people.rs`; descriptions: `talk.rs`.
//! Must not: open a socket, read a clock, or look into a description.
//!
//! One connection carries everything and we always offer, the first time in the request to join itself (`/rtc/v1`). A socket that
//! breaks is opened again and the stay goes on, with packets flowing meanwhile. Where the server does not know us any more, or its
//! way is lost for good, we come anew with another connection.

mod coming;
mod media;
mod people;
mod phase;
mod talk;

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

use ahoy_call::Moment;

use self::people::People;
use self::phase::{Entry, Phase, Stay};
use self::talk::Talk;
use super::said::{self, RoomToken, Said};
use super::wire::{self, Request, number};
use crate::values::room::{Identity, RoomAsk, RoomCandidate, RoomEnd, RoomEvent, RoomSaid, TrackSid};

/// How our voice is called in descriptions.
pub const VOICE: &str = "voice";
/// From the order to open a socket to the server's first word.
const JOIN: Duration = Duration::from_secs(5);
/// From the server's answer to packets, also after another way was looked for.
const CONNECT: Duration = Duration::from_secs(6);
/// By then packets flow for the first time, or nothing comes of it.
const FIRST_UP: Duration = Duration::from_millis(9_500);
/// Messages out of bounds that are borne; a server that says more of them is none.
const NONSENSE: u32 = 32;

/// Where a room is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The server's addresses, `ws://` or `wss://`, the first to be tried first. At least one.
    pub urls: Vec<String>,
    /// What lets us in.
    pub token: RoomToken,
}

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// The socket stands.
    Opened,
    /// The server says something.
    Frame(Vec<u8>),
    /// The socket could not be opened, or is gone.
    Closed(Closed),
    /// The connection says something.
    Media(RoomSaid),
    /// A moment that was waited for has come.
    Tick,
    /// Those in the room that are members of the call: nobody else is listened to.
    Members(BTreeSet<Identity>),
    /// A fresh token.
    Token(RoomToken),
    /// Our network has changed: look for another way. `cut`: an address that the socket left from, or may leave from, has gone with it.
    Moved {
        /// See above.
        cut: bool,
    },
    /// Go.
    Leave,
}

/// Why there is no socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nobody answers, or it broke.
    Broken,
    /// The server answered so, instead of opening it (RFC 9110 §15).
    Status(u16),
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a socket, and drop the one that there may be.
    Open {
        /// At this server.
        url: String,
        /// The rest of the address.
        path: String,
        /// For the head of the request, never for the address.
        token: RoomToken,
    },
    /// Say this.
    Send(Vec<u8>),
    /// Close the socket. It is not reported.
    Close,
    /// Ask the connection.
    Media(RoomAsk),
    /// What the server ends its own silence with.
    Trailer(Vec<u8>),
    /// Tell the owner.
    Tell(RoomEvent),
}

/// See the head of this file.
#[derive(Debug)]
pub struct Session {
    place: Place,
    /// Which of the addresses is next.
    turn: usize,
    phase: Phase,
    talk: Talk,
    people: People,
    /// By then packets flow for the first time.
    first_up: Option<Moment>,
    /// Packets flow.
    up: bool,
    /// When they must, after a way is looked for.
    connect: Option<Moment>,
    /// Our stay and our track, as the server calls them.
    own: Option<String>,
    track: Option<TrackSid>,
    /// Our own candidates, until the server has let us in.
    candidates: VecDeque<Request>,
    nonsense: u32,
}

impl Session {
    /// Begins a stay.
    pub fn begin(now: Moment, place: Place, members: BTreeSet<Identity>) -> (Self, Vec<Output>) {
        let mut session = Self {
            place,
            turn: 0,
            phase: Phase::Ended,
            talk: Talk::default(),
            people: People::new(members),
            first_up: Some(now + FIRST_UP),
            up: false,
            connect: None,
            own: None,
            track: None,
            candidates: VecDeque::new(),
            nonsense: 0,
        };
        let mut out = Vec::new();
        session.anew(now, 0, &mut out);
        (session, out)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// When [`Input::Tick`] is next due.
    pub fn deadline(&self) -> Option<Moment> {
        if self.is_over() {
            return None;
        }
        let phase = self.phase.due();
        let open = matches!(self.phase, Phase::In(_));
        let talk = self.talk.due().filter(|_| open);
        [phase, talk, self.connect, self.first_up].into_iter().flatten().min()
    }

    /// Takes one input. What no longer applies does nothing.
    #[must_use]
    pub fn take(&mut self, now: Moment, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.is_over() {
            return out;
        }
        match input {
            Input::Opened => {}
            Input::Frame(bytes) => self.frame(now, &bytes, &mut out),
            Input::Closed(why) => self.closed(now, why, &mut out),
            Input::Media(said) => self.media(now, said, &mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::Members(members) => {
                self.people.admit(members);
                self.listen(&mut out);
            }
            Input::Token(token) => {
                self.place.token = token;
                if let Phase::Away(away) = &mut self.phase
                    && mem::take(&mut away.refused)
                {
                    away.until = now;
                }
            }
            Input::Moved { cut } => self.moved(now, cut, &mut out),
            Input::Leave => {
                if matches!(self.phase, Phase::In(_)) {
                    let leave = wire::Leave { reason: number::CLIENT_INITIATED, action: 0 };
                    out.push(Output::Send(said::write(Request::Leave(leave))));
                }
                self.end(RoomEnd::Left, &mut out);
            }
        }
        out
    }

    fn frame(&mut self, now: Moment, bytes: &[u8], out: &mut Vec<Output>) {
        let said = match said::read(bytes) {
            Ok(said) => said,
            Err(error) => {
                tracing::debug!(%error, bytes = bytes.len(), "a message of a room's server is dropped");
                self.nonsense += 1;
                return if self.nonsense > NONSENSE {
                    self.end(RoomEnd::Nonsense, out)
                };
            }
        };
        if let Phase::In(stay) = &mut self.phase {
            stay.heard(now);
        }
        match (said, &self.phase) {
            (Said::Leave(then), Phase::Opening { .. } | Phase::In(_)) => self.told_to_leave(now, then, out),
            (
                Said::Joined { own, others, servers, ping_every, lost_after, trailer },
                &Phase::Opening { entry: Entry::Fresh, tries, .. },
            ) => {
                self.phase = Phase::In(Stay::begin(now, tries, ping_every, lost_after));
                out.push(Output::Trailer(trailer));
                out.push(Output::Tell(RoomEvent::Entered(own.identity.clone())));
                self.people.own = Some(own.identity);
                self.own = Some(own.sid);
                self.connect = Some(now + CONNECT);
                self.talk.joined(now);
                out.push(Output::Media(RoomAsk::Begin(servers)));
                self.people.all(others, out);
                self.listen_anew(out);
                self.release(out);
            }
            (Said::Back(_), Phase::Opening { entry: Entry::Resume, .. }) => self.back(now, out),
            // Whatever else comes before that is of another time.
            (_, Phase::Describing { .. } | Phase::Opening { .. } | Phase::Away(_) | Phase::Ended) => {}
            (said, Phase::In(_)) => self.word(now, said, out),
        }
    }

    /// A word of the server that has let us in.
    fn word(&mut self, now: Moment, said: Said, out: &mut Vec<Output>) {
        match said {
            Said::Answer(id, sdp) => self.talk.answered(now, id, sdp, out),
            Said::Candidate(RoomCandidate(text)) => self.talk.candidate(RoomCandidate(text), out),
            Said::Sections { audios, videos } => self.talk.sections(now, audios, videos, out),
            Said::People(people) => {
                self.people.update(people, out);
                self.listen(out);
            }
            Said::Published(sid) => self.track = Some(sid),
            Said::Unpublished(sid) => {
                if self.track.as_ref() == Some(&sid) {
                    // Nobody of us did that, and a room in which one cannot speak is none.
                    self.retry(now, Entry::Fresh, out);
                }
            }
            Said::Muted(sid, muted) if self.track.as_ref() == Some(&sid) => {
                // Whether we speak is our own person's matter: what the server passes on is not.
                let mute = wire::MuteTrack { sid: sid.0, muted };
                out.push(Output::Send(said::write(Request::Mute(mute))));
            }
            Said::Token(token) => self.place.token = token,
            Said::Joined { .. }
            | Said::Back(_)
            | Said::Leave(_)
            | Said::Muted(..)
            | Said::Pong
            | Said::Else => {}
        }
    }

    /// The server knows us still.
    fn back(&mut self, now: Moment, out: &mut Vec<Output>) {
        let tries = self.phase.failed(now).saturating_sub(1);
        self.phase = Phase::In(Stay::again(now, tries));
        let (offer, answer) = self.talk.agreed().unzip();
        let track = self.track.clone().map(|sid| wire::Track { sid: sid.0, ..Default::default() });
        let state = wire::SyncState {
            answer,
            offer,
            subscription: Some(wire::Subscription { track_sids: self.people.wanted(), subscribe: true }),
            publish_tracks: vec![wire::TrackPublished { cid: VOICE.to_owned(), track }],
        };
        out.push(Output::Send(said::write(Request::SyncState(state))));
        self.release(out);
        // Who came and went meanwhile: the server says so next.
        self.listen_anew(out);
        if self.up && !self.talk.is_to_restart() {
            self.talk.again(now, out);
        } else {
            self.connect = Some(now + CONNECT);
            self.talk.ask(now, 0, true, out);
        }
    }

    /// Tells server and connection to whom we listen, if that has changed.
    fn listen(&mut self, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::In(_)) {
            self.people.listen(out);
        }
    }

    fn listen_anew(&mut self, out: &mut Vec<Output>) {
        self.people.forget_what_was_said();
        self.people.listen(out);
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.first_up.is_some_and(|due| due <= now) {
            let reached = matches!(self.phase, Phase::In(_));
            return self.end(if reached { RoomEnd::NoMedia } else { RoomEnd::Unreachable }, out);
        }
        if self.connect.is_some_and(|due| due <= now) {
            self.connect = None;
            if matches!(self.phase, Phase::In(_)) {
                return self.retry(now, Entry::Fresh, out);
            }
            self.talk.restart_later();
        }
        match &mut self.phase {
            Phase::Describing { until, .. } | Phase::Opening { until, .. } if *until <= now => {
                self.turn = self.turn.wrapping_add(1);
                out.push(Output::Close);
                self.again_later(now, false, out);
            }
            Phase::Describing { .. } | Phase::Opening { .. } | Phase::Ended => {}
            Phase::Away(_) => self.step(now, out),
            Phase::In(stay) => {
                if stay.is_lost(now) {
                    return self.retry(now, Entry::Resume, out);
                }
                if stay.pings(now) {
                    let timestamp = i64::try_from(now.micros() / 1_000).unwrap_or(i64::MAX);
                    out.push(Output::Send(said::write(Request::Ping(wire::Ping { timestamp, rtt: 0 }))));
                }
                if self.talk.is_overdue(now) {
                    self.retry(now, Entry::Fresh, out);
                }
            }
        }
    }

    fn end(&mut self, why: RoomEnd, out: &mut Vec<Output>) {
        self.phase = Phase::Ended;
        out.extend([Output::Close, Output::Media(RoomAsk::Close), Output::Tell(RoomEvent::Ended(why))]);
    }
}

#[cfg(test)]
mod tests;
