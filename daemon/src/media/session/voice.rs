//! The voice of a call: from the microphone to every leg, from every leg to the speaker.
//!
//! Lives here: over which path a packet goes, whose sound is played, how much is said twice.
//! Must not: open or close a path.

use ahoy_call::{LegId, MediaReport, Moment};

use super::{Leg, Session};
use crate::clock;
use crate::media::peer::Voice;
use crate::media::pipeline::Packet;

impl Session {
    pub(super) fn sounding(&self) -> bool {
        self.legs.values().flat_map(|leg| leg.paths.values()).any(|path| path.opened)
    }

    /// Serves microphone and speaker.
    pub(super) fn serve(&mut self) {
        let now = clock::now();
        let mut packets = Vec::new();
        self.pump.capture(now, |packet| packets.push(voice(packet)));
        for packet in packets {
            self.sent += 1;
            self.speak(&packet);
        }
        self.play(now);
        self.pump.levels().tell(now);
    }

    /// Says whether a microphone gives sound, when that changed.
    pub(super) async fn tell_voice(&mut self) {
        let Some(heard) = self.pump.voiceless(clock::now()).map(|voiceless| !voiceless) else { return };
        if heard == self.heard {
            return;
        }
        let open = |(leg, of): (&LegId, &Leg)| {
            of.paths.iter().rev().find(|(_, path)| path.opened).map(|(epoch, _)| (*leg, *epoch))
        };
        let key = self.legs.iter().find_map(open);
        if let Some(key) = key {
            self.heard = heard;
            self.report(key, MediaReport::Voice(heard)).await;
        }
    }

    /// To every leg, over its newest path that is open and up.
    fn speak(&self, packet: &Voice) {
        for leg in self.legs.values() {
            let newest = leg.paths.values().rev().find(|path| path.opened && path.up);
            if newest.is_some_and(|path| path.peer.voice(packet.clone()).is_err()) {
                tracing::debug!("a path is choked, a packet of voice was dropped");
            }
        }
    }

    pub(super) fn play(&mut self, now: Moment) {
        let opened = |leg: &&mut Leg| leg.paths.values().any(|path| path.opened);
        let legs = self.legs.values_mut().filter(opened).map(|leg| &mut leg.playback);
        self.pump.play(now, legs);
    }

    /// The leg that loses most decides how much of each packet is said again.
    pub(super) fn repeat_as_needed(&mut self) {
        let legs = self.legs.values().map(|leg| leg.redundancy.percent());
        self.pump.expect_loss(legs.max().unwrap_or(0));
    }
}

fn voice(packet: Packet<'_>) -> Voice {
    Voice {
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        first: packet.first,
        payload: packet.payload.to_vec(),
    }
}
