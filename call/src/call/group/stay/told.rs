//! What is told of a stay in a room: to its port, who takes part, who is called and whose keys are whose; to the others, our key
//! and whether we hear them.
//!
//! Lives here: who is told what; what they tell us.
//! Must not: go in or out (`stay.rs`), or know what a key is made of.
//!
//! A key is for those who take part, from when they do. Who is called and inside already has none of anybody's; its own it tells to
//! whom it is called by, so that it is known there and heard as soon as it takes part. That one seals nothing before.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::KEY_EVERY;
use crate::call::group::room::GUESTS;
use crate::call::leg::within_a_minute;
use crate::call::{Call, Leg, Out, Phase, Stage};
use crate::effect::RoomOrder;
use crate::id::LegId;
use crate::message::{Message, Opaque, RoomWord};
use crate::time::Moment;

/// So many steps of our key in a row are not told to those who had it before. A listener looks for more of them.
const STEPS: u8 = 6;

impl Call {
    /// The port knows who takes part and their keys, and they know ours, and whether we hear them.
    pub(in crate::call::group) fn settle_stay(&mut self, out: &mut Out) {
        self.tell_members(out);
        self.tell_guests(out);
        self.tell_keys(out);
        self.tell_others(out);
        self.settle_carried(out);
    }

    /// Others who take part and are not blocked.
    fn inside(&self) -> BTreeSet<LegId> {
        let Some(group) = &self.group else { return BTreeSet::new() };
        group.others().filter(|(peer, _)| !group.blocked.contains(peer)).map(|(_, leg)| leg).collect()
    }

    /// Those whom we hear and who hear us: nobody while it rings here.
    pub(super) fn company(&self) -> BTreeSet<LegId> {
        if matches!(self.phase, Phase::Incoming(_)) { BTreeSet::new() } else { self.inside() }
    }

    /// Devices that we call and that have told their key: they are in the room, or were.
    fn guests(&self) -> BTreeSet<LegId> {
        let Some(group) = &self.group else { return BTreeSet::new() };
        let inside = |leg: &Leg| leg.stage != Stage::Invited && leg.room.key.is_some();
        let guests = self.rung().filter(|(peer, leg)| !group.blocked.contains(peer) && inside(leg));
        guests.map(|(_, leg)| leg.id).take(GUESTS).collect()
    }

    fn tell_members(&mut self, out: &mut Out) {
        let company = self.company();
        let Some(group) = &mut self.group else { return };
        let Some(stay) = &mut group.room.stay else { return };
        let told = stay.members != company;
        if told {
            // Who was a guest is in already, and heard soon.
            for leg in company.iter().filter(|leg| stay.guests.contains(*leg)) {
                if let Some(seat) = group.room.seats.get_mut(leg) {
                    seat.led_in(out.now);
                }
            }
            let came = !company.is_subset(&stay.members);
            stay.members.clone_from(&company);
            // Who has our key and does not take part gets no further. Who came gets nothing of what was before: they are told a key
            // once it has made its step.
            stay.renews |= !stay.told.is_subset(&company);
            stay.to_step |= came && stay.seals && stay.key.is_some();
            for (_, seat) in
                group.room.seats.iter_mut().filter(|(leg, seat)| seat.heard && !company.contains(leg))
            {
                seat.hear(false, out.now);
            }
        }
        let renews = stay.renews && stay.renews_at() <= out.now;
        if renews {
            within_a_minute(&mut stay.renewed, out.now);
            stay.renewed.push(out.now);
            stay.renews = false;
        }
        let steps = stay.to_step && stay.steps_at() <= out.now;
        if steps {
            within_a_minute(&mut stay.stepped, out.now);
            stay.stepped.push(out.now);
            (stay.to_step, stay.key) = (false, None);
        }
        if told {
            self.room_order(out, RoomOrder::Members(company));
        }
        if steps {
            self.room_order(out, RoomOrder::Step);
        }
        if renews {
            self.room_order(out, RoomOrder::Renew);
        }
    }

    /// Everybody is told our key, unless it is a step from the one that they have. So that nobody falls behind by more steps than
    /// are looked for, some steps are told to all.
    pub(super) fn key_is_another(&mut self, key: Opaque, step: bool) {
        let Some(room) = self.group.as_mut().map(|group| &mut group.room) else { return };
        let Some(stay) = &mut room.stay else { return };
        let before = room.keys;
        room.keys = room.keys.saturating_add(1);
        stay.key = Some((room.keys, key));
        // What is made anew has sealed nothing.
        stay.to_step &= step;
        stay.steps = if step && stay.steps < STEPS { stay.steps + 1 } else { 0 };
        if stay.steps == 0 {
            stay.told.clear();
            return;
        }
        let now = room.keys;
        self.legs_mut().filter(|leg| leg.room.told_key == before).for_each(|leg| leg.room.told_key = now);
    }

    fn tell_guests(&mut self, out: &mut Out) {
        let guests = self.guests();
        let Some(stay) = self.stay_mut() else { return };
        let known = |leg: &LegId| stay.members.contains(leg) || guests.contains(leg);
        stay.keys.retain(|leg, _| known(leg));
        if stay.guests != guests {
            stay.guests.clone_from(&guests);
            self.room_order(out, RoomOrder::Guests(guests));
        }
    }

    /// Keys of others that the port does not have, and when it may have them.
    pub(super) fn keys_due(&self) -> Vec<(LegId, u32, Opaque, Moment)> {
        let Some(stay) = self.stay() else { return Vec::new() };
        let legs = self.legs().filter(|leg| stay.members.contains(&leg.id) || stay.guests.contains(&leg.id));
        let new = legs.filter_map(|leg| {
            let (serial, key) = leg.room.key.as_ref()?;
            let last = stay.keys.get(&leg.id);
            let due = last.map_or(Moment::default(), |(_, at)| *at + KEY_EVERY);
            let known = last.is_some_and(|(of, _)| of == serial);
            (!known).then(|| (leg.id, *serial, key.clone(), due))
        });
        new.collect()
    }

    fn tell_keys(&mut self, out: &mut Out) {
        let now = out.now;
        for (leg, serial, key, _) in self.keys_due().into_iter().filter(|(.., due)| *due <= now) {
            if let Some(stay) = self.stay_mut() {
                stay.keys.insert(leg, (serial, out.now));
            }
            self.room_order(out, RoomOrder::Key { leg, key });
        }
    }

    /// Everybody who takes part has our key, and knows whether we hear them.
    fn tell_others(&mut self, out: &mut Out) {
        let (inside, company) = (self.inside(), self.company());
        let Some(mut group) = self.group.take() else { return };
        let key = group.room.stay.as_ref().filter(|stay| !stay.to_step).and_then(|stay| stay.key.clone());
        for leg in self.legs_mut().filter(|leg| leg.stage != Stage::Invited) {
            let with_us = inside.contains(&leg.id);
            let new = key.clone().filter(|(serial, _)| with_us && leg.room.told_key != *serial);
            if let Some((serial, key)) = new {
                leg.room.told_key = serial;
                if let Some(stay) = &mut group.room.stay {
                    stay.told.insert(leg.id);
                }
                leg.send(out, Message::Room(RoomWord::Key { serial, key }));
            }
            let heard =
                company.contains(&leg.id) && group.room.seats.get(&leg.id).is_some_and(|seat| seat.heard);
            if leg.room.told_hears != heard {
                leg.room.told_hears = heard;
                group.room.words = group.room.words.saturating_add(1);
                let serial = group.room.words;
                leg.send(out, Message::Room(RoomWord::Hears { serial, heard }));
            }
        }
        self.group = Some(group);
    }

    /// Since when the room carries whom.
    fn settle_carried(&mut self, out: &Out) {
        let hears: BTreeSet<LegId> = self
            .legs()
            .filter(|leg| leg.room.hears.1 && leg.stage != Stage::Invited)
            .map(|leg| leg.id)
            .collect();
        let company = self.company();
        let Some(group) = &mut self.group else { return };
        for (leg, seat) in &mut group.room.seats {
            let both = seat.heard && hears.contains(leg) && company.contains(leg);
            seat.both = both.then(|| seat.both.unwrap_or(out.now));
        }
    }

    /// What another says of the room.
    pub(in crate::call::group) fn room_word(&mut self, out: &Out, from: LegId, word: RoomWord) {
        match word {
            RoomWord::Pass(pass) => {
                let takes = matches!(self.phase, Phase::Incoming(_) | Phase::Live(_));
                if let Some(leg) = self.leg_mut(from).filter(|_| takes) {
                    leg.gives_pass(out.now, pass);
                }
            }
            RoomWord::Key { serial, key } => {
                if let Some(leg) = self.leg_mut(from)
                    && leg.room.key.as_ref().is_none_or(|(known, _)| serial > *known)
                {
                    leg.room.key = Some((serial, key));
                }
            }
            RoomWord::Hears { serial, heard } => {
                if let Some(leg) = self.leg_mut(from).filter(|leg| serial > leg.room.hears.0) {
                    leg.room.hears = (serial, heard);
                }
            }
        }
    }
}
