//! The voice of a call: from the microphone to every leg, from every leg to the speaker.
//!
//! Lives here: over which path a packet goes, whose sound is played, how much is said twice.
//! Must not: open or close a path.

use std::collections::btree_map::Entry;

use ahoy_call::{Epoch, LegId, MediaReport, Moment};

use super::{Leg, Session};
use crate::media::pipeline::Playback;
use crate::media::transport::{Packet, PathOrder, Track};
use crate::system::clock;

impl Leg {
    /// A packet of this member's voice came over the path of this generation.
    pub(super) fn receive(&mut self, now: Moment, epoch: Epoch, member: LegId, packet: &Packet) {
        let voice = match self.voices.entry(member) {
            Entry::Occupied(voice) => voice.into_mut(),
            Entry::Vacant(place) => match Playback::new() {
                Ok(playback) => place.insert(playback),
                Err(error) => return tracing::error!(%error, "the voice decoder does not begin"),
            },
        };
        voice.receive(now, epoch.0, packet);
    }
}

impl Session {
    pub(super) fn sounding(&self) -> bool {
        self.legs.values().flat_map(|leg| leg.paths.values()).any(|path| path.opened)
    }

    /// Serves microphone and speaker.
    pub(super) fn serve(&mut self) {
        let now = clock::now();
        let mut packets = Vec::new();
        self.pump.capture(now, |packet| packets.push(packet));
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
    fn speak(&mut self, packet: &Packet) {
        for leg in self.legs.values() {
            let newest = leg.paths.values().rev().find(|path| path.opened && path.up);
            let sent =
                newest.map(|path| path.transport.order(PathOrder::Packet(Track::Voice, packet.clone())));
            if sent.is_some_and(|sent| sent.is_err()) {
                tracing::debug!("a path is choked, a packet of voice was dropped");
            }
        }
    }

    pub(super) fn play(&mut self, now: Moment) {
        let opened = |leg: &&mut Leg| leg.paths.values().any(|path| path.opened);
        let voices = self.legs.values_mut().filter(opened).flat_map(|leg| leg.voices.values_mut());
        self.pump.play(now, voices);
    }

    /// The leg that loses most decides how much of each packet is said again.
    pub(super) fn repeat_as_needed(&mut self) {
        let legs = self.legs.values().map(|leg| leg.redundancy.percent());
        self.pump.expect_loss(legs.max().unwrap_or(0));
    }
}
