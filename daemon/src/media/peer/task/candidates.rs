//! Candidates of a path: ours, which servers give us, and the other side's.
//!
//! Lives here: those that wait, how many are tried, and a path by TURN alone that no server serves.
//! Must not: know what stands in a description, or how a server is reached.

use std::time::Duration;

use ahoy_call::{MediaFault, Moment, Opaque};
use webrtc::peer_connection::RTCIceCandidateInit;

use super::PeerPath;
use crate::media::peer::guard;
use crate::media::peer::handler::Heard;
use crate::media::peer::state::State;
use crate::media::transport::PathEvent;

/// Where only a TURN server may carry the sound, one must have served by then. Of one that never answers the library may tell nothing.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
/// Candidates of the other side that are tried. Each makes us send checks to an address it chose.
const MOST_CANDIDATES: usize = 32;

/// What a path knows of them.
pub(super) struct Candidates {
    /// The other side's, which wait for its description.
    early: Vec<Opaque>,
    tried: usize,
    /// Ours are those of TURN servers alone.
    relay_only: bool,
    /// We were given an address to be reached at.
    any: bool,
    /// When that is too late.
    served_by: Option<Moment>,
}

impl Candidates {
    pub(super) fn new(now: Moment, relay_only: bool) -> Self {
        let served_by = relay_only.then(|| now + SERVED_WITHIN);
        Self { early: Vec::new(), tried: 0, relay_only, any: false, served_by }
    }

    /// More of the other side's, as far as there is room.
    pub(super) fn put(&mut self, list: Vec<Opaque>) {
        let room = MOST_CANDIDATES.saturating_sub(self.tried + self.early.len());
        self.early.extend(list.into_iter().take(room));
    }

    /// Those that are tried now.
    fn take(&mut self) -> Vec<Opaque> {
        self.tried += self.early.len();
        std::mem::take(&mut self.early)
    }

    /// So many of ours were found, the last ones if `complete`. Returns whether we can be reached at all, as far as is known.
    fn found(&mut self, count: usize, complete: bool) -> bool {
        if count > 0 {
            (self.any, self.served_by) = (true, None);
        }
        self.any || !complete || !self.relay_only
    }

    /// When no server serves us any more; never if one does, or need not.
    pub(super) fn due(&self) -> Option<Moment> {
        self.served_by
    }
}

impl PeerPath {
    pub(super) async fn candidates_came(&mut self, list: Vec<Opaque>) {
        match &mut self.foreign {
            Some(foreign) => foreign.add_candidates(&*self.connection.link, &list).await,
            None => {
                if !self.state.is_up() {
                    self.naps.searching();
                }
                self.add_candidates(list).await;
            }
        }
    }

    /// The library refuses candidates before the description, so those wait here.
    pub(super) async fn add_candidates(&mut self, list: Vec<Opaque>) {
        self.candidates.put(list);
        if !self.described {
            return;
        }
        for one in self.candidates.take() {
            let Some(candidate) = guard::candidate(&one) else {
                tracing::debug!("a candidate that no ahoy writes was ignored");
                continue;
            };
            let candidate = RTCIceCandidateInit {
                candidate,
                sdp_mid: Some("0".to_owned()),
                sdp_mline_index: Some(0),
                ..Default::default()
            };
            if self.connection.link.add_ice_candidate(candidate).await.is_err() {
                tracing::debug!("a candidate was refused");
            }
        }
    }

    /// Takes ours out of what was heard, and returns the rest; nothing if the path has failed.
    pub(super) async fn candidates_found(&mut self, batch: impl Iterator<Item = Heard> + Send) -> Vec<Heard> {
        let (mut list, mut complete, mut rest) = (Vec::new(), false, Vec::new());
        for heard in batch {
            match heard {
                Heard::Candidate(candidate) => list.push(candidate),
                Heard::Relayed(candidate, carrier) => {
                    self.found
                        .send_modify(|found| *found = Some(found.map_or(carrier, |it| it.min(carrier))));
                    list.push(candidate);
                }
                Heard::GatheringComplete => complete = true,
                Heard::Searching
                | Heard::IceUp
                | Heard::Up
                | Heard::Down
                | Heard::Broken
                | Heard::Track(_)
                | Heard::Reception(_)
                | Heard::Asked(_)
                | Heard::StreamEnded(_)
                | Heard::Feedback(_) => rest.push(heard),
            }
        }
        if self.state == State::Dead {
            return Vec::new();
        }
        if complete || !list.is_empty() {
            self.gathered(list, complete).await;
        }
        if self.state == State::Dead { Vec::new() } else { rest }
    }

    /// Candidates of ours, the last ones if `complete`.
    pub(super) async fn gathered(&mut self, list: Vec<Opaque>, complete: bool) {
        if !self.candidates.found(list.len(), complete) {
            return self.no_turn().await;
        }
        let event = match &mut self.foreign {
            Some(foreign) => foreign.gathered(list, complete),
            None => Some(PathEvent::Candidates { list, complete }),
        };
        if let Some(event) = event {
            self.tell(event).await;
        }
    }

    pub(super) async fn no_turn(&mut self) {
        tracing::debug!("no TURN server serves us");
        self.candidates.served_by = None;
        self.fail(MediaFault::NoTurn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::from_micros(1_000_000 * (s + 1))
    }

    fn some(count: usize) -> Vec<Opaque> {
        vec![Opaque(b"candidate:1".to_vec()); count]
    }

    #[test]
    fn of_those_of_the_other_side_the_first_are_tried_however_they_come() {
        let mut candidates = Candidates::new(at(0), false);
        candidates.put(some(20));
        assert_eq!(candidates.take().len(), 20);
        candidates.put(some(10));
        candidates.put(some(10));
        assert_eq!(candidates.take().len(), MOST_CANDIDATES - 20);
        candidates.put(some(1));
        assert!(candidates.take().is_empty());
    }

    #[test]
    fn by_turn_alone_a_server_must_have_served_in_time_and_at_the_end() {
        let mut candidates = Candidates::new(at(0), true);
        assert_eq!(candidates.due(), Some(at(10)));
        assert!(candidates.found(0, false), "not yet");
        assert!(!candidates.found(0, true), "none did");
        assert!(candidates.found(1, false) && candidates.found(0, true));
        assert_eq!(candidates.due(), None, "one did");
        let mut direct = Candidates::new(at(0), false);
        assert!(direct.found(0, true) && direct.due().is_none(), "it need not");
    }
}
