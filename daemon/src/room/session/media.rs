//! The connection, as the stay sees it: its first description, candidates, packets that flow or do not.
//!
//! Lives here: what the connection says, and what is said to the server for it.
//! Must not: know who is in the room, or look into a description.

use std::mem;

use ahoy_call::Moment;

use super::coming::request;
use super::phase::{Entry, Phase};
use super::{CONNECT, Output, Session, VOICE};
use crate::room::said;
use crate::room::wire::{self, Request, number};
use crate::values::room::{RoomEvent, RoomSaid};

/// Candidates of ours that wait for the server to let us in.
const CANDIDATES: usize = 32;

impl Session {
    pub(super) fn media(&mut self, now: Moment, said: RoomSaid, out: &mut Vec<Output>) {
        match said {
            RoomSaid::Offered(number, sdp) => match self.phase {
                Phase::Describing { tries, .. } => {
                    let Some(offer) = self.talk.first(number, &sdp) else { return };
                    let request = wire::JoinRequest {
                        publisher_offer: Some(offer),
                        add_track_requests: vec![our_track()],
                        ..request()
                    };
                    self.open(now, Entry::Fresh, tries, &request, out);
                }
                Phase::In(_) => {
                    if let Some(offer) = self.talk.offered(now, number, &sdp) {
                        out.push(Output::Send(said::write(Request::Offer(offer))));
                    }
                }
                // It was withdrawn, and is described again when we are back.
                Phase::Opening { .. } | Phase::Away(_) | Phase::Ended => {}
            },
            RoomSaid::Candidate(candidate) => self.candidate(candidate.0, false, out),
            RoomSaid::Gathered => {
                let none = r#"{"candidate":"","sdpMLineIndex":0,"sdpMid":"0"}"#;
                self.candidate(none.to_owned(), true, out);
            }
            RoomSaid::Up => {
                (self.first_up, self.connect) = (None, None);
                if !mem::replace(&mut self.up, true) {
                    out.push(Output::Tell(RoomEvent::Up));
                }
            }
            RoomSaid::Down => {
                if mem::take(&mut self.up) {
                    out.push(Output::Tell(RoomEvent::Down));
                    self.restart(now, out);
                }
            }
            RoomSaid::Failed => {
                if !matches!(self.phase, Phase::Describing { .. } | Phase::Away(_)) {
                    self.retry(now, Entry::Fresh, out);
                }
            }
        }
    }

    /// A candidate of ours. They come once the server has let us in, but its socket may be gone by then.
    pub(super) fn candidate(&mut self, candidate_init: String, last: bool, out: &mut Vec<Output>) {
        let trickle = Request::Trickle(wire::Trickle { candidate_init, target: 0, last });
        if matches!(self.phase, Phase::In(_)) {
            out.push(Output::Send(said::write(trickle)));
        } else if self.candidates.len() < CANDIDATES {
            self.candidates.push_back(trickle);
        }
    }

    /// Looks for another way, unless we are not there or one is looked for.
    pub(super) fn restart(&mut self, now: Moment, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::In(_)) && self.connect.is_none() && self.first_up.is_none() {
            self.connect = Some(now + CONNECT);
            self.talk.ask(now, 0, true, out);
        }
    }

    /// What had to wait for the socket.
    pub(super) fn release(&mut self, out: &mut Vec<Output>) {
        out.extend(self.candidates.drain(..).map(|request| Output::Send(said::write(request))));
    }
}

fn our_track() -> wire::AddTrack {
    wire::AddTrack {
        cid: VOICE.to_owned(),
        name: VOICE.to_owned(),
        kind: number::AUDIO,
        source: number::MICROPHONE,
        disable_red: true,
        encryption: number::GCM,
    }
}
