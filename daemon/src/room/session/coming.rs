//! The way to the server: a socket is opened, what its end means, and coming back.
//!
//! Lives here: tries, with or without another connection; when nothing comes of it.
//! Must not: know what the server says once it has let us in.

use std::mem;

use ahoy_call::Moment;

use super::phase::{self, Away, Entry, Phase};
use super::{Closed, JOIN, Output, Session};
use crate::room::said::{self, Then, Why};
use crate::room::wire::{self, number};
use crate::values::room::{RoomAsk, RoomEnd, RoomEvent};

/// Voices that the first description has room for. Each costs some hundred bytes of the request.
pub(super) const SECTIONS: usize = 9;
/// Tries to come back before the stay is given up, and before the server is taken not to know us any more.
const TRIES: u32 = 14;
const RESUMES: u32 = 3;

impl Session {
    /// With a new connection, from the beginning.
    pub(super) fn anew(&mut self, now: Moment, tries: u32, out: &mut Vec<Output>) {
        let number = self.talk.build(SECTIONS);
        self.candidates.clear();
        (self.own, self.track, self.connect) = (None, None, None);
        if mem::take(&mut self.up) {
            out.push(Output::Tell(RoomEvent::Down));
        }
        self.phase = Phase::Describing { tries, until: now + JOIN };
        out.push(Output::Media(RoomAsk::Build { number, sections: SECTIONS }));
    }

    pub(super) fn open(
        &mut self,
        now: Moment,
        entry: Entry,
        tries: u32,
        request: &wire::JoinRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(url) = self.place.urls.get(self.turn % self.place.urls.len().max(1)) else {
            return self.end(RoomEnd::Unreachable, out);
        };
        let (url, path, token) = (url.clone(), said::path(request), self.place.token.clone());
        out.push(Output::Open { url, path, token });
        self.phase = Phase::Opening { entry, tries, until: now + JOIN };
    }

    pub(super) fn told_to_leave(&mut self, now: Moment, then: Then, out: &mut Vec<Output>) {
        match then {
            Then::Stop(why) => self.end(
                match why {
                    Why::Duplicate => RoomEnd::Displaced,
                    Why::Removed => RoomEnd::Removed,
                    Why::Deleted => RoomEnd::Deleted,
                    Why::Other => RoomEnd::Refused,
                },
                out,
            ),
            Then::Resume => self.retry(now, Entry::Resume, out),
            Then::Anew => self.retry(now, Entry::Fresh, out),
        }
    }

    pub(super) fn closed(&mut self, now: Moment, why: Closed, out: &mut Vec<Output>) {
        let refused = match (&self.phase, why) {
            (Phase::In(_), _) => return self.retry(now, Entry::Resume, out),
            (Phase::Opening { .. }, Closed::Broken) => false,
            (Phase::Opening { .. }, Closed::Status(404)) => return self.end(RoomEnd::Absent, out),
            (Phase::Opening { .. }, Closed::Status(401 | 403)) => true,
            (Phase::Opening { entry: Entry::Fresh, .. }, Closed::Status(400..=499)) => {
                return self.end(RoomEnd::Refused, out);
            }
            // A full room says the same as a server in trouble.
            (Phase::Opening { entry: Entry::Fresh, .. }, Closed::Status(_)) if self.own_first() => {
                return self.end(RoomEnd::Refused, out);
            }
            (Phase::Opening { .. }, Closed::Status(_)) => false,
            (Phase::Describing { .. } | Phase::Away(_) | Phase::Ended, _) => return,
        };
        self.turn = self.turn.wrapping_add(1);
        if refused {
            out.push(Output::Tell(RoomEvent::TokenRefused));
        }
        self.again_later(now, refused, out);
    }

    /// Whether packets have never flowed yet.
    pub(super) fn own_first(&self) -> bool {
        self.first_up.is_some()
    }

    /// The socket is given up. Comes back, at once if it stood for long: with what there is, or anew.
    pub(super) fn retry(&mut self, now: Moment, entry: Entry, out: &mut Vec<Output>) {
        out.push(Output::Close);
        self.go(now, entry, false, out);
        self.step(now, out);
    }

    /// Our network is another one: a way is looked for by what is left of it. What was under way by the old one may never arrive.
    pub(super) fn moved(&mut self, now: Moment, cut: bool, out: &mut Vec<Output>) {
        let (entry, tries) = match &self.phase {
            Phase::In(_) if cut => (Entry::Resume, 0),
            Phase::In(_) => return self.restart(now, out),
            Phase::Opening { entry, tries, .. } if cut => (*entry, *tries),
            Phase::Away(away) if !away.refused => (away.entry, away.tries),
            Phase::Opening { entry: Entry::Resume, .. } | Phase::Away(_) => return self.talk.restart_later(),
            // A connection that is only being built looks at the network itself.
            Phase::Opening { entry: Entry::Fresh, .. } | Phase::Describing { .. } | Phase::Ended => return,
        };
        out.push(Output::Close);
        self.talk.lost(out);
        self.talk.restart_later();
        let entry = self.comes_back(entry, tries);
        self.phase = Phase::Away(Away { entry, tries, until: now, refused: false });
        self.step(now, out);
    }

    /// How we come after so many tries.
    fn comes_back(&self, entry: Entry, tries: u32) -> Entry {
        let resumes = entry == Entry::Resume && tries < RESUMES && self.talk.agreed().is_some();
        if resumes { Entry::Resume } else { Entry::Fresh }
    }

    /// A try failed.
    pub(super) fn again_later(&mut self, now: Moment, refused: bool, out: &mut Vec<Output>) {
        let entry = match &self.phase {
            Phase::Opening { entry, .. } => *entry,
            Phase::Describing { .. } | Phase::In(_) | Phase::Away(_) | Phase::Ended => Entry::Fresh,
        };
        self.go(now, entry, refused, out);
    }

    pub(super) fn go(&mut self, now: Moment, entry: Entry, refused: bool, out: &mut Vec<Output>) {
        let tries = self.phase.failed(now);
        if tries >= TRIES {
            return self.end(RoomEnd::Unreachable, out);
        }
        self.talk.lost(out);
        let entry = self.comes_back(entry, tries);
        self.phase = Phase::Away(Away { entry, tries, until: now + phase::pause(tries), refused });
    }

    /// Goes on with coming back, if it is time.
    pub(super) fn step(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Phase::Away(away) = &self.phase else { return };
        if away.refused || away.until > now {
            return;
        }
        let tries = away.tries;
        match (away.entry, self.own.clone()) {
            (Entry::Resume, Some(participant_sid)) => {
                let reconnect_reason = number::SIGNAL_DISCONNECTED;
                let request =
                    wire::JoinRequest { reconnect: true, reconnect_reason, participant_sid, ..request() };
                self.open(now, Entry::Resume, tries, &request, out);
            }
            (Entry::Resume, None) | (Entry::Fresh, _) => self.anew(now, tries, out),
        }
    }
}

/// What every request to join says of us.
pub(super) fn request() -> wire::JoinRequest {
    wire::JoinRequest {
        client_info: Some(wire::ClientInfo { protocol: wire::PROTOCOL, os: "linux".to_owned() }),
        connection_settings: Some(wire::ConnectionSettings { auto_subscribe: false, adaptive_stream: false }),
        ..Default::default()
    }
}
