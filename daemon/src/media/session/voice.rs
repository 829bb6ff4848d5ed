//! The voice of a call: from the microphone to every leg, from every leg to the speaker.
//!
//! Lives here: over which path a packet goes, whose sound is played, how much is said twice. What a leg may have of it: `leg.rs`.
//! Must not: open or close a path.

use ahoy_call::{LegId, MediaReport, Moment};

use super::Session;
use super::adaptation::Adaptation;
use super::leg::{Leg, Share};
use super::path::SessionPath;
use crate::media::codec;
use crate::media::dtmf::{self, Event};
use crate::media::transport::{Copy, Packet, PathOrder};
use crate::media::wanted::Key;

/// The loudest that one of the others is played.
const LOUDEST: f32 = 2.0;
/// So many volumes are remembered: more than there are devices in a call.
const MOST_VOLUMES: usize = 64;

impl Session {
    pub(super) fn sounding(&self) -> bool {
        self.legs.values().any(Leg::is_open)
    }

    /// A packet of this member's voice came. `true`: its path, which was given up, is up again by that.
    pub(super) fn voice_came(&mut self, now: Moment, key: Key, member: LegId, packet: &Packet) -> bool {
        let volume = self.volumes.get(&member).copied().unwrap_or(1.0);
        let Some(leg) = self.legs.get_mut(&key.0) else { return false };
        let Some(path) = leg.paths.get_mut(&key.1) else { return false };
        let again = path.heard.came(now);
        path.up |= again;
        let number = path.number();
        leg.heard = true;
        if leg.is_room {
            self.by_room.came(now, key.1, member);
        }
        leg.adaptation.came(now, packet);
        // Before the answer nobody is heard; a sender that cannot wait is not kept for later either.
        if path.opened && leg.plays() && !self.held {
            self.lines.heard(now);
            self.voices.receive(now, (key.0, number), member, volume, packet);
            self.play(now);
        }
        again
    }

    /// Another device said something about our voice, or what it takes.
    pub(super) fn adapt(&mut self, now: Moment, of: LegId, to: impl FnOnce(&mut Adaptation)) {
        if let Some(leg) = self.legs.get_mut(&of) {
            to(&mut leg.adaptation);
            self.code_as_needed(now);
        }
    }

    /// Plays one of the others as loud as that: 0 to 2.
    pub(super) fn set_volume(&mut self, of: LegId, volume: f32) {
        let volume = if volume.is_finite() { volume.clamp(0.0, LOUDEST) } else { 1.0 };
        if self.volumes.len() < MOST_VOLUMES || self.volumes.contains_key(&of) {
            self.volumes.insert(of, volume);
        }
        if let Some(voice) = self.voices.get_mut(of) {
            voice.volume = volume;
        }
    }

    /// Serves microphone and speaker.
    pub(super) fn serve(&mut self, now: Moment) {
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
    pub(super) async fn tell_voice(&mut self, now: Moment) {
        let Some(heard) = self.pump.voiceless(now).map(|voiceless| !voiceless) else { return };
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

    /// To every leg that has part in it, over its newest path that is open and up, with copies of what was said before as it needs
    /// them.
    fn speak(&mut self, now: Moment, packet: Packet) {
        let mut last: Option<(&SessionPath, Option<Event>, Vec<Copy>)> = None;
        for leg in self.legs.values_mut() {
            let share = leg.share(&packet, self.held);
            let newest = leg.paths.values().rev().find(|path| path.opened && path.up);
            let (Some(path), Some(share)) = (newest, share) else { continue };
            let since = match share {
                Share::Voice(since) => since,
                Share::Silence => {
                    let payload = codec::silence(codec::frames(&packet.payload).unwrap_or(1));
                    leg.adaptation.said(now, payload.len(), &[]);
                    let (copies, event) = (Vec::new(), None);
                    path.say(Packet { payload, copies, event, ..packet });
                    continue;
                }
            };
            let event = packet.event.filter(|_| path.takes.events);
            let copies = match path.takes.copies && event.is_none() {
                true => self.history.copies(&packet, leg.adaptation.copies(now), since),
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
        self.legs.values().for_each(Leg::forget_said);
    }

    /// Asks for what is missing, tells how their voice comes, and lets be sent again what there is room for.
    pub(super) fn mend(&mut self, now: Moment) {
        // One device, one voice: of several behind one path the transport takes care.
        for (id, leg) in &mut self.legs {
            let Some(path) = leg.paths.values_mut().rev().find(|path| path.opened && path.up) else {
                continue;
            };
            let round_trip = leg.adaptation.round_trip();
            if let Some(voice) = self.voices.get_mut(*id) {
                let number = path.number();
                let missing = voice.playback.ask(now, round_trip).into_iter().filter(|(of, _)| *of == number);
                let missing: Vec<u16> = missing.map(|(_, sequence)| sequence).collect();
                if !missing.is_empty() {
                    path.word(PathOrder::Ask(missing));
                }
            }
            if leg.adaptation.is_due(now) {
                let voice = self.voices.get_mut(*id);
                let told = voice.and_then(|voice| leg.adaptation.look(now, &mut voice.playback, path.takes));
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
        let (legs, voices) = (&self.legs, &mut self.voices);
        self.pump.play(now, |mix| voices.play(now, legs, mix));
    }

    /// The leg whose line carries least decides how the voice is coded, the one that takes the shortest packets how long they are, and
    /// that which loses most how much the codec says twice. Of those in the conversation; before it begins, of all.
    pub(super) fn code_as_needed(&mut self, now: Moment) {
        let begun = self.sounding();
        let part = |leg: &&Leg| leg.paths.values().any(|path| path.up) && (leg.is_open() || !begun);
        let legs = || self.legs.values().filter(part);
        let longest = legs().map(|leg| leg.adaptation.longest()).min().unwrap_or(1);
        if let Some(encoding) = legs().map(|leg| leg.adaptation.encoding(now)).min_by_key(|of| of.on_line()) {
            self.pump.code(encoding.within(longest));
        }
        let lost = legs().map(|leg| leg.adaptation.percent()).max();
        self.pump.expect_loss(lost.unwrap_or(0));
    }
}
