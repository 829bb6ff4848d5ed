//! One device of the others, or a room of them: what is theirs alone.
//!
//! Lives here: its paths, the line to it, and how much of our voice it may have. What all share, devices and encoder, is the
//! session's; whose voices it brings is `voices.rs`.
//! Must not: know another leg, or touch a device of ours.

use std::collections::BTreeMap;

use ahoy_call::Epoch;

use super::adaptation::Adaptation;
use super::path::SessionPath;
use crate::media::transport::{Packet, PathOrder};

/// A packet says again what the one before it said, and begins 6.5 ms before its own time: of what was said when one came, or was taken
/// up again, nothing is in the third packet from then on. The first is the one that is being filled.
const AFTERWARDS: u8 = 3;

/// See the head of this file.
#[derive(Default)]
pub(super) struct Leg {
    pub(super) paths: BTreeMap<Epoch, SessionPath>,
    /// It is a room: others are behind it, who come and go.
    pub(super) is_room: bool,
    /// What was last reported of its data channel.
    pub(super) channel: bool,
    pub(super) adaptation: Adaptation,
    /// Its voice came at least once, by whichever path.
    pub(super) heard: bool,
    given: Given,
    /// It is not played, and gets silence.
    held: bool,
}

/// What of our voice a device was given last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Given {
    /// Nothing: it takes no part, or not yet.
    #[default]
    Nothing,
    /// Silence that the encoder never saw, while others got a voice; and so many packets of it yet.
    Silence(u8),
    /// The voice; no copy of what was said before this time.
    Voice(Option<u32>),
}

/// What goes to one device in place of a packet, or of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Silence,
    /// The voice; no copy of what was said before this time.
    Voice(Option<u32>),
}

impl Leg {
    /// Our voice at most at this rate, bit/s.
    pub(super) fn new(bitrate: u32, is_room: bool) -> Self {
        Self { adaptation: Adaptation::new(bitrate), is_room, ..Self::default() }
    }

    /// Sound may flow on one of its paths.
    pub(super) fn is_open(&self) -> bool {
        self.paths.values().any(|path| path.opened)
    }

    /// The path that sound goes by now: the newest that is open and up.
    pub(super) fn over(&self) -> Option<(Epoch, &SessionPath)> {
        self.paths.iter().rev().find(|(_, path)| path.opened && path.up).map(|(epoch, path)| (*epoch, path))
    }

    /// It is played.
    pub(super) fn plays(&self) -> bool {
        !self.held && self.is_open()
    }

    /// Lets it take part in what we say, or no more. `begins`: nothing of it was said to anybody yet. Tells whether it is left out from
    /// now on.
    pub(super) fn talk(&mut self, talks: bool, begins: bool) -> bool {
        match (self.given, talks) {
            (Given::Nothing, true) => {
                // Who comes to a room later is told by no path, so a room begins with what is said now: who has part in it already is
                // to hear the same by both ways.
                let at_once = begins || self.is_room;
                self.given = if at_once { Given::Voice(None) } else { Given::Silence(AFTERWARDS) };
                false
            }
            (Given::Silence(_) | Given::Voice(_), false) => {
                self.given = Given::Nothing;
                true
            }
            (Given::Nothing, false) | (Given::Silence(_) | Given::Voice(_), true) => false,
        }
    }

    /// Puts it aside, or takes it up again. Tells whether it is put aside only now.
    pub(super) fn hold(&mut self, held: bool) -> bool {
        let begins = held && !self.held;
        self.held = held;
        begins
    }

    /// What of this packet it gets; nothing if it takes no part. `all`: everybody is held, and what is said is silence already.
    pub(super) fn share(&mut self, packet: &Packet, all: bool) -> Option<Share> {
        let silent = self.held && !all;
        match self.given {
            Given::Nothing => None,
            _ if silent => {
                self.given = Given::Silence(AFTERWARDS);
                Some(Share::Silence)
            }
            Given::Silence(_) if packet.first => {
                self.given = Given::Voice(Some(packet.timestamp));
                Some(Share::Voice(Some(packet.timestamp)))
            }
            Given::Silence(0) => {
                self.given = Given::Voice(Some(packet.timestamp));
                Some(Share::Voice(Some(packet.timestamp)))
            }
            Given::Silence(left) => {
                self.given = Given::Silence(left - 1);
                Some(Share::Silence)
            }
            Given::Voice(since) => Some(Share::Voice(since)),
        }
    }

    /// Nothing that was said to it goes again because it is asked for.
    pub(super) fn forget_said(&self) {
        for path in self.paths.values() {
            // A path whose queue is full has failed.
            let _full = path.transport.order(PathOrder::Forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dtmf::SILENCE;

    fn packet(n: u16) -> Packet {
        let timestamp = u32::from(n) * 960;
        let (payload, copies) = (SILENCE.to_vec(), Vec::new());
        Packet { sequence: n, timestamp, first: n == 0, payload, copies, event: None }
    }

    /// What it gets of these packets: `-` nothing, `0` silence, `v` the voice.
    fn shares(leg: &mut Leg, packets: std::ops::Range<u16>) -> String {
        let word = |share: Option<Share>| match share {
            None => '-',
            Some(Share::Silence) => '0',
            Some(Share::Voice(_)) => 'v',
        };
        packets.map(|n| word(leg.share(&packet(n), false))).collect()
    }

    #[test]
    fn who_is_there_from_the_beginning_gets_all_of_it_and_who_comes_later_nothing_from_before() {
        let (mut first, mut later) = (Leg::default(), Leg::default());
        assert!(!first.talk(true, true));
        assert_eq!(shares(&mut first, 0..3), "vvv");
        assert_eq!(shares(&mut later, 0..3), "---");
        assert!(!later.talk(true, false));
        assert_eq!(shares(&mut later, 3..8), "000vv");
        assert_eq!(later.share(&packet(8), false), Some(Share::Voice(Some(6 * 960))), "no copy of the fifth");
        assert!(later.talk(false, false) && !later.talk(false, false));
        assert_eq!(shares(&mut later, 9..11), "--");
        assert_eq!(shares(&mut first, 3..11), "vvvvvvvv", "who was there noticed nothing");
    }

    #[test]
    fn who_is_held_gets_silence_and_three_packets_more_of_it_when_it_is_taken_up_again() {
        let mut leg = Leg::default();
        leg.talk(true, true);
        assert_eq!(shares(&mut leg, 0..2), "vv");
        assert!(leg.hold(true) && !leg.hold(true));
        assert_eq!(shares(&mut leg, 2..5), "000");
        leg.hold(false);
        assert_eq!(shares(&mut leg, 5..10), "000vv");
    }

    #[test]
    fn where_everybody_is_held_the_encoder_says_silence_itself() {
        let mut leg = Leg::default();
        leg.talk(true, true);
        leg.hold(true);
        assert_eq!(leg.share(&packet(3), true), Some(Share::Voice(None)));
        leg.hold(false);
        assert_eq!(leg.share(&packet(4), false), Some(Share::Voice(None)));
    }
}
