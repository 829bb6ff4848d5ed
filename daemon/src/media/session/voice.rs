//! The voice of a call: from the microphone to every leg, from every leg to the speaker.
//!
//! Lives here: over which path a packet goes, whose sound is played, how much is said twice.
//! Must not: open or close a path.

use std::collections::btree_map::Entry;

use ahoy_call::{Epoch, LegId, MediaReport, Moment};

use super::adaptation::Adaptation;
use super::paths::SessionPath;
use super::{Leg, Session};
use crate::media::dtmf::{self, Event};
use crate::media::pipeline::Playback;
use crate::media::transport::{Copy, Packet, PathOrder, Track};
use crate::media::wanted::Key;
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

impl SessionPath {
    fn say(&self, packet: Packet) {
        if self.transport.order(PathOrder::Packet(Track::Voice, packet)).is_err() {
            tracing::debug!("a path is choked, a packet of voice was dropped");
        }
    }

    /// About a voice.
    fn word(&self, order: PathOrder) {
        if self.transport.order(order).is_err() {
            tracing::debug!("a path is choked, a word about a voice was dropped");
        }
    }
}

impl Session {
    pub(super) fn sounding(&self) -> bool {
        self.legs.values().flat_map(|leg| leg.paths.values()).any(|path| path.opened)
    }

    /// A packet of this member's voice came. `true`: its path, which was given up, is up again by that.
    pub(super) fn voice_came(&mut self, key: Key, member: LegId, packet: &Packet) -> bool {
        let now = clock::now();
        let Some(leg) = self.legs.get_mut(&key.0) else { return false };
        let Some(path) = leg.paths.get_mut(&key.1) else { return false };
        let again = path.heard.came(now);
        path.up |= again;
        leg.heard = true;
        leg.adaptation.came(now, packet);
        // Before the answer nobody is heard; a sender that cannot wait is not kept for later either.
        if path.opened && !self.held {
            self.line.heard(now);
            leg.receive(now, key.1, member, packet);
            self.play(now);
        }
        again
    }

    /// Another device said something about our voice, or what it takes.
    pub(super) fn adapt(&mut self, of: LegId, to: impl FnOnce(&mut Adaptation)) {
        if let Some(leg) = self.legs.get_mut(&of) {
            to(&mut leg.adaptation);
            self.code_as_needed();
        }
    }

    /// Serves microphone and speaker.
    pub(super) fn serve(&mut self) {
        let now = clock::now();
        let mut said = std::mem::take(&mut self.said);
        self.pump.capture(now, |packet| said.push(packet));
        for packet in said.drain(..) {
            self.sent += 1;
            self.speak(now, packet);
        }
        self.said = said;
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

    /// To every leg, over its newest path that is open and up, with copies of what was said before as it needs them.
    fn speak(&mut self, now: Moment, packet: Packet) {
        let mut last: Option<(&SessionPath, Option<Event>, Vec<Copy>)> = None;
        for leg in self.legs.values_mut() {
            let newest = leg.paths.values().rev().find(|path| path.opened && path.up);
            let Some(path) = newest else { continue };
            let event = packet.event.filter(|_| path.takes.events);
            let copies = match path.takes.copies && event.is_none() {
                true => self.history.copies(&packet, leg.adaptation.copies(now)),
                false => Vec::new(),
            };
            leg.adaptation.said(now, event.map_or(packet.payload.len(), |_| dtmf::LENGTH), &copies);
            if let Some((path, event, copies)) = last.replace((path, event, copies)) {
                path.say(Packet { event, copies, ..packet.clone() });
            }
        }
        match packet.event {
            // An event says all of itself with each packet; a copy of its tone beside the voice would be a second one.
            Some(_) => self.history.forget(),
            None => self.history.keep(&packet),
        }
        if let Some((path, event, copies)) = last {
            // It needs no packet of its own.
            path.say(Packet { event, copies, ..packet });
        }
    }

    /// Nothing that was said goes again: neither as a copy nor because it is asked for.
    pub(super) fn forget_said(&mut self) {
        self.history.forget();
        for path in self.legs.values().flat_map(|leg| leg.paths.values()) {
            // A path whose queue is full has failed.
            let _full = path.transport.order(PathOrder::Forget);
        }
    }

    /// Asks for what is missing, tells how their voice comes, and lets be sent again what there is room for.
    pub(super) fn mend(&mut self) {
        let now = clock::now();
        for leg in self.legs.values_mut() {
            let Some((epoch, path)) = leg.paths.iter_mut().rev().find(|(_, path)| path.opened && path.up)
            else {
                continue;
            };
            let round_trip = leg.adaptation.round_trip();
            for voice in leg.voices.values_mut() {
                let missing = voice.ask(now, round_trip).into_iter().filter(|(of, _)| *of == epoch.0);
                let missing: Vec<u16> = missing.map(|(_, sequence)| sequence).collect();
                if !missing.is_empty() {
                    path.word(PathOrder::Ask(missing));
                }
            }
            if leg.adaptation.is_due(now) {
                // One device, one voice: of several behind one path the transport takes care.
                let voice = leg.voices.values_mut().next();
                let told = voice.and_then(|voice| leg.adaptation.look(now, voice, path.takes));
                if let Some(told) = told {
                    path.word(PathOrder::Feedback(told));
                }
            }
            let repeats = leg.adaptation.repeats(now);
            if std::mem::replace(&mut path.repeats, repeats) != repeats {
                path.word(PathOrder::Repeat(repeats));
            }
        }
    }

    pub(super) fn play(&mut self, now: Moment) {
        let opened = |leg: &&mut Leg| leg.paths.values().any(|path| path.opened);
        let legs = &mut self.legs;
        self.pump.play(now, |voice| {
            legs.values_mut().filter(opened).flat_map(|leg| leg.voices.values_mut()).for_each(voice);
        });
    }

    /// The leg whose line carries least decides how the voice is coded, and that which loses most how much the codec says twice.
    pub(super) fn code_as_needed(&mut self) {
        let legs = || self.legs.values().filter(|leg| leg.paths.values().any(|path| path.up));
        if let Some(encoding) =
            legs().map(|leg| leg.adaptation.encoding(clock::now())).min_by_key(|of| of.on_line())
        {
            self.pump.code(encoding);
        }
        let lost = legs().map(|leg| leg.adaptation.percent()).max();
        self.pump.expect_loss(lost.unwrap_or(0));
    }
}
