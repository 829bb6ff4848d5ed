//! The voice of a call: from the microphone to every leg, from every leg to the speaker.
//!
//! Lives here: over which path a packet goes, whose sound is played, how much is said twice.
//! Must not: open or close a path.

use ahoy_call::{LegId, MediaReport, Moment};

use super::{Leg, Session, SessionPath};
use crate::media::peer::Voice;
use crate::media::pipeline::Packet;
use crate::system::clock;

/// The sequence numbers of one path. A path has keys of its own, and both ends count the wraps of its numbers from the
/// first packet that they see: it must not wrap soon after (RFC 3711 §3.3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering {
    first: u16,
    /// From the number of the voice to that of the path, once something was sent.
    offset: Option<u16>,
}

impl Numbering {
    /// From a random number in the lower half.
    pub(super) fn fresh() -> Self {
        let mut bytes = [0; 2];
        if getrandom::fill(&mut bytes).is_err() {
            tracing::warn!("no randomness for the numbers of a path");
        }
        Self { first: u16::from_ne_bytes(bytes) >> 1, offset: None }
    }

    /// The number on this path of the packet of this number of the voice. A gap there is a gap here.
    fn of(&mut self, sequence: u16) -> u16 {
        let first = self.first;
        sequence.wrapping_add(*self.offset.get_or_insert_with(|| first.wrapping_sub(sequence)))
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
    fn speak(&mut self, packet: &Voice) {
        for leg in self.legs.values_mut() {
            let newest = leg.paths.values_mut().rev().find(|path| path.opened && path.up);
            let sent = |path: &mut SessionPath| {
                let sequence = path.numbers.of(packet.sequence);
                path.peer.voice(Voice { sequence, ..packet.clone() })
            };
            if newest.is_some_and(|path| sent(path).is_err()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_in_the_lower_half_wherever_the_voice_is_and_keeps_its_gaps() {
        let mut firsts = std::collections::BTreeSet::new();
        for voice in (0..=u16::MAX).step_by(257) {
            let mut path = Numbering::fresh();
            let first = path.of(voice);
            assert!(first < 1 << 15, "the first wrap is ten minutes away: {first}");
            assert_eq!(path.of(voice.wrapping_add(1)), first.wrapping_add(1));
            assert_eq!(path.of(voice.wrapping_add(7)), first.wrapping_add(7), "what was lost is missing");
            firsts.insert(first);
        }
        assert!(firsts.len() > 200, "and nobody can guess it: {}", firsts.len());
    }
}
