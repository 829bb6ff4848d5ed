//! All whom we hear, by whichever way: the path to their own device, or one over which several come.
//!
//! Lives here: one voice for each of the others, so that they are heard once where they come by two ways, and go on where one ends.
//! Must not: know a path, or decide who may be heard.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use ahoy_call::{LegId, Moment};

use super::leg::Leg;
use super::member::Member;
use crate::media::pump::Mix;
use crate::media::transport::Packet;

/// Voices that one leg brings, at most. A device has one, a room as many as it has members.
const MOST_VOICES: usize = 16;
/// Who comes over somebody else's leg and has said nothing for so long is gone: who only listens is heard of, too.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Voices {
    of: BTreeMap<LegId, Member>,
}

impl Voices {
    /// A packet of this member's voice came by a path of that number of a leg, to be played as loud as that.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        (by, path): (LegId, u16),
        member: LegId,
        volume: f32,
        packet: &Packet,
    ) {
        if !self.of.get(&member).is_some_and(|voice| voice.by.contains(&by))
            && !self.bring(by, member, volume)
        {
            return;
        }
        if let Some(voice) = self.of.get_mut(&member) {
            voice.last = now;
            voice.playback.receive(now, path, packet);
        }
    }

    /// A member is heard by this leg from now on. False: there is no room for that.
    fn bring(&mut self, by: LegId, member: LegId, volume: f32) -> bool {
        if self.by(by).count() >= MOST_VOICES {
            tracing::debug!("too many voices come by one path");
            return false;
        }
        let voice = match self.of.entry(member) {
            Entry::Occupied(voice) => voice.into_mut(),
            Entry::Vacant(place) => match Member::new(volume) {
                Ok(voice) => place.insert(voice),
                Err(error) => {
                    tracing::error!(%error, "the voice decoder does not begin");
                    return false;
                }
            },
        };
        voice.by.push(by);
        true
    }

    /// A leg is gone: whom nothing else brings is gone with it.
    pub(super) fn lose(&mut self, by: LegId) {
        for (member, voice) in &mut self.of {
            voice.by.retain(|leg| *leg != by);
            if *member == by {
                // Nobody is left who could be asked for a packet again.
                voice.playback.asking(false);
            }
        }
        self.of.retain(|_, voice| !voice.by.is_empty());
    }

    /// Forgets who has gone without a leg of theirs going.
    pub(super) fn forget_gone(&mut self, now: Moment, legs: &BTreeMap<LegId, Leg>) {
        self.of.retain(|member, voice| legs.contains_key(member) || now.since(voice.last) < GONE_AFTER);
    }

    /// What waits of those whom only this leg brings is nobody's any more.
    pub(super) fn put_aside(&mut self, by: LegId) {
        self.of.values_mut().filter(|voice| voice.by == [by]).for_each(Member::forget);
    }

    /// Plays what is next of all that come by a leg that is played.
    pub(super) fn play(&mut self, now: Moment, legs: &BTreeMap<LegId, Leg>, mix: &mut Mix<'_>) {
        let plays = |voice: &&mut Member| voice.by.iter().any(|by| legs.get(by).is_some_and(Leg::plays));
        self.of.values_mut().filter(plays).for_each(|voice| voice.play(now, mix));
    }

    /// Those that this leg brings.
    pub(super) fn by(&self, by: LegId) -> impl Iterator<Item = &Member> {
        self.of.values().filter(move |voice| voice.by.contains(&by))
    }

    /// Frames of all that this leg brings so far, as they came and made up.
    pub(super) fn frames(&self, by: LegId) -> (u64, u64) {
        let frames = self.by(by).map(|voice| voice.playback.statistics());
        frames.fold((0, 0), |(played, made_up), voice| (played + voice.played, made_up + voice.concealed))
    }

    /// The leg that a member is heard by: their own while it carries, else another that does.
    pub(super) fn carrier(&self, member: LegId, legs: &BTreeMap<LegId, Leg>) -> Option<LegId> {
        let carries = |leg: &LegId| legs.get(leg).is_some_and(|leg| leg.over().is_some());
        let by = self.of.get(&member).map_or(&[][..], |voice| &voice.by);
        let own = Some(member).filter(carries);
        own.or_else(|| by.iter().copied().find(carries)).or_else(|| by.first().copied())
    }

    pub(super) fn get(&self, member: LegId) -> Option<&Member> {
        self.of.get(&member)
    }

    pub(super) fn get_mut(&mut self, member: LegId) -> Option<&mut Member> {
        self.of.get_mut(&member)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &LegId> {
        self.of.keys()
    }
}
