//! Candidates of a path: ours, which servers give us, and the other side's.
//!
//! Lives here: those that wait, how many are tried, and a path by TURN alone that no server serves.
//! Must not: know what stands in a description.

use std::time::Duration;

use ahoy_call::{MediaFault, Opaque};
use webrtc::peer_connection::RTCIceCandidateInit;

use super::PeerPath;
use crate::media::peer::guard;
use crate::media::transport::PathEvent;

/// Where only a TURN server may carry the sound, one must have served by then. Of one that never answers the library may tell nothing.
pub(super) const SERVED_WITHIN: Duration = Duration::from_secs(10);
/// Candidates of the other side that are tried. Each makes us send checks to an address it chose.
const MOST_CANDIDATES: usize = 32;

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
        let room = MOST_CANDIDATES.saturating_sub(self.tried + self.early.len());
        self.early.extend(list.into_iter().take(room));
        if !self.described {
            return;
        }
        for one in std::mem::take(&mut self.early) {
            self.tried += 1;
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

    /// Candidates of ours, the last ones if `complete`.
    pub(super) async fn gathered(&mut self, list: Vec<Opaque>, complete: bool) {
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
        self.served_by = None;
        self.fail(MediaFault::NoTurn).await;
    }
}
