//! A room for more voices than a mesh holds: who opens it, and who gets a way in.
//!
//! Lives here: whether one is needed; what our relay is asked for; whom a pass is given to, and whose pass is taken.
//! Must not: know what happens inside (`stay.rs`), or what a pass is made of.
//!
//! Who is called may go in while it rings, where a path may be set up before the answer: with the microphone closed and no key of
//! anybody's, heard by nobody and not shown as joined.
//!
//! Of those who take part and say that they can open a room the host comes first, then who joined first. The first opens it;
//! the first who is inside gives passes to who is not, the others after it if that does not help. Who finds that another room is
//! that of one who comes before everybody in its own goes over: so all meet in one.

mod passes;
mod seat;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::stay::Stay;
use super::{Group, MESH};
use crate::call::{Call, Flow, Leg, Out, Phase, Stage};
use crate::effect::{Effect, MediaOrder, RoomOrder};
use crate::group::{Person, Standing, Statement};
use crate::id::{LegId, PeerId};
use crate::message::Opaque;
use crate::time::Moment;
use seat::Seat;
pub(crate) use seat::Words;

/// Voices that meet where a room can be had at most.
pub(crate) const ROOM: usize = 10;
/// Who was called longer ago is not waited for.
const RINGS_FOR: Duration = Duration::from_secs(90);
/// The port answers within this; then nothing was to be had.
const ANSWERS_IN: Duration = Duration::from_secs(15);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// So many times a room that was lost is opened again, and passes are asked for in vain.
const TRIES: u8 = 3;
/// A room that was fit for so long was no failure.
const WAS_FIT: Duration = Duration::from_secs(60);
/// After coming in it takes so long at most to hear everybody who is there.
const KNOWS_ALL: Duration = Duration::from_secs(2);
/// Passes are not kept for longer: they live as long as a ring.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Passes at hand at most.
const STOCK: usize = 24;
/// Devices that get one before anybody answers there: those who take part need the other places.
pub(super) const GUESTS: usize = 12;
/// One who comes later than others, and before all who can open a room, waits so long for the pass of a room that there may be.
const ASKS_FIRST: Duration = Duration::from_secs(2);
/// And so long where there is one.
const WAITS_FOR_PASS: Duration = Duration::from_secs(10);

/// What our relay was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Open,
    Draw,
}

/// What is known of the room of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Our relay has rooms.
    able: bool,
    /// None was to be had for this call.
    refused: bool,
    /// What was asked for, and until when it may be answered.
    asked: Option<(Ask, Moment)>,
    /// When the next may be asked for.
    next: Moment,
    /// Rooms that came to nothing, and passes that were asked for in vain.
    tries: u8,
    draws: u8,
    /// We opened the one that our passes are of.
    opened: bool,
    /// And were in it.
    pub(super) settled: bool,
    /// Passes for others, and since when.
    stock: Vec<Opaque>,
    stocked: Moment,
    /// Our own way in, and who gave it.
    entry: Option<(Opaque, LegId)>,
    /// Another, if that one does not lead in.
    spare: Option<(Opaque, LegId)>,
    /// Devices that take part, or ring for us.
    pub(super) seats: BTreeMap<LegId, Seat>,
    pub(super) stay: Option<Stay>,
    /// Some stay came up.
    pub(super) was_in: bool,
    /// Since when we take part.
    pub(super) begun: Moment,
    /// Stays that there were: each has the next epoch.
    pub(super) stays: u16,
    /// Keys of ours that there were.
    pub(super) keys: u32,
    /// What was said of hearing others.
    pub(super) words: u32,
    /// When something is next due.
    pub(super) due: Option<Moment>,
}

impl Room {
    pub(super) fn new(able: bool) -> Self {
        Self { able, ..Self::default() }
    }

    /// Whether we can open one, as far as we know.
    pub(super) fn says(&self) -> bool {
        self.able && !self.refused
    }

    /// Whether there is a way in for us, or we are in.
    pub(super) fn leads_in(&self) -> bool {
        self.stay.is_some() || self.entry.is_some()
    }

    pub(super) fn has_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether anybody of ours may still be inside, or on the way.
    fn is_begun(&self) -> bool {
        self.stay.is_some() || self.opened || self.asked.is_some()
    }

    /// What is left when we take part no more.
    fn over(&mut self) {
        let Self { able, refused, stays, keys, words, was_in, .. } = *self;
        *self = Self { able, refused, stays, keys, words, was_in, ..Self::default() };
    }

    /// A stay has ended: it never came up, or we were put out, or it broke. `gone`: the room, too.
    pub(super) fn lost(&mut self, now: Moment, stay: &Stay, gone: bool) {
        let fit = stay.was_fit_for(now);
        if fit.is_some_and(|fit| fit >= WAS_FIT) {
            self.tries = 0;
        }
        self.entry = self.spare.take().filter(|_| fit.is_none());
        if gone || fit.is_none() {
            self.stock.clear();
            if self.opened && fit.is_none_or(|fit| fit < WAS_FIT) {
                self.vain(now);
            }
            self.opened = false;
        } else if self.opened && self.entry.is_none() {
            self.entry = self.stock.pop().map(|pass| (pass, stay.by));
        }
    }

    /// A room was not to be had. One that was lost is tried again, with a bound.
    fn vain(&mut self, now: Moment) {
        self.tries = self.tries.saturating_add(1);
        self.next = now + TRY_AGAIN;
        self.refused |= !self.was_in || self.tries >= TRIES;
    }

    /// The passes that we have grow old.
    fn throw_old(&mut self, now: Moment) {
        if self.stocked + KEPT_FOR <= now {
            self.stock.clear();
        }
    }
}

impl Group {
    /// The devices of those who take part and say that they can open a room, who comes first at the head.
    pub(super) fn openers(&self) -> Vec<LegId> {
        let mut joined = self.fold.joined();
        joined.sort_by_key(|peer| Some(*peer) != self.fold.host);
        let device = |peer| self.fold.people.get(&peer).and_then(|person| person.device);
        let says = |leg: &LegId| self.log.entry(*leg).is_some_and(|entry| entry.statement.rooms);
        joined.into_iter().filter_map(device).filter(says).collect()
    }

    /// Voices that find a place.
    pub(crate) fn capacity(&self) -> usize {
        if self.openers().is_empty() { MESH } else { ROOM }
    }

    /// Whether those who take part and those who are still called are too many for a mesh.
    fn needs_room(&self, now: Moment) -> bool {
        let age = self.age(now).passed();
        let counts = |person: &&Person| match person.standing {
            Standing::Joined => true,
            Standing::Invited => person.invited.passed() + RINGS_FOR > age,
            Standing::Declined | Standing::Left | Standing::Removed => false,
        };
        self.fold.people.values().filter(counts).count() > MESH
    }
}

impl Call {
    /// Whether our relay has rooms.
    pub(crate) fn set_rooms(&mut self, out: &mut Out, able: bool) -> Flow {
        self.group.as_mut()?.room.able = able;
        self.settle_group(out)
    }

    pub(super) fn room_order(&self, out: &mut Out, order: RoomOrder) {
        out.order(Effect::Room { call: self.wire, order });
    }

    /// What we say of rooms is what we know.
    pub(super) fn say_rooms(&mut self, out: &Out) {
        let Some(group) = &mut self.group else { return };
        let takes_part = matches!(self.phase, Phase::Live(_) | Phase::Outgoing(_));
        let rooms = group.room.says();
        let said = group.log.said().filter(|said| said.rooms != rooms && said.presence.joined().is_some());
        if let Some(said) = said.cloned().filter(|_| takes_part) {
            group.log.say(Statement { rooms, ..said });
            self.refold(out.now);
        }
    }

    /// Brings the room into line with who takes part.
    pub(super) fn settle_room(&mut self, out: &mut Out) {
        let early = self.may_speak_early();
        let Some(group) = &mut self.group else { return };
        group.room.due = None;
        if !early && !matches!(self.phase, Phase::Live(_) | Phase::Outgoing(_)) {
            return;
        }
        group.room.throw_old(out.now);
        self.end_broken_stay(out);
        let mut wants = 0;
        if !early {
            self.seat_devices(out);
            wants = self.give_passes(out);
            self.ask(out, wants);
        }
        self.look_at_passes(out.now);
        self.go_in(out);
        self.settle_stay(out);
        self.room_due(out.now, wants);
    }

    /// Of every device that takes part or rings for us there is a seat.
    fn seat_devices(&mut self, out: &Out) {
        let rung: Vec<LegId> = self.rung().map(|(_, leg)| leg.id).collect();
        let Some(group) = &mut self.group else { return };
        let all: Vec<LegId> = group.others().map(|(_, leg)| leg).chain(rung).collect();
        group.room.seats.retain(|leg, _| all.contains(leg));
        for leg in all {
            group.room.seats.entry(leg).or_insert_with(|| Seat::new(out.now));
        }
    }

    /// Devices that we call, and whose they are. Of who declines none is called any more: they are let in anew if they come after all.
    pub(super) fn rung(&self) -> impl Iterator<Item = (PeerId, &Leg)> {
        let group = self.group.as_ref();
        let rings = move |(_, leg): &(PeerId, &Leg)| {
            group.and_then(|group| group.ties.get(&leg.id)).is_some_and(|tie| tie.ring.is_some())
        };
        let called = self.members.values().filter(move |member| {
            group.and_then(|group| group.fold.standing(member.peer)) == Some(Standing::Invited)
        });
        called.flat_map(|member| member.legs.values().map(|leg| (member.peer, leg))).filter(rings)
    }

    /// Asks our relay for a room, or for more passes.
    fn ask(&mut self, out: &mut Out, wants: usize) {
        let Some(group) = &mut self.group else { return };
        if group.room.asked.is_some_and(|(_, until)| until <= out.now) {
            self.nothing_to_be_had(out);
        }
        let Some(ask) = self.wish(out.now, wants) else { return };
        let Some(group) = &mut self.group else { return };
        if group.room.next > out.now {
            return;
        }
        group.room.asked = Some((ask, out.now + ANSWERS_IN));
        let many = match ask {
            Ask::Open => group.room.seats.len() + 2,
            Ask::Draw => wants.max(1),
        };
        let passes = u8::try_from(many.min(STOCK)).unwrap_or(1);
        self.room_order(
            out,
            match ask {
                Ask::Open => RoomOrder::Open { passes },
                Ask::Draw => RoomOrder::Draw { passes },
            },
        );
    }

    /// What there is to ask for.
    fn wish(&self, now: Moment, wants: usize) -> Option<Ask> {
        let group = self.group.as_ref()?;
        let room = &group.room;
        if room.asked.is_some() || !room.says() {
            return None;
        }
        if wants > 0 {
            // Draw in vain, and the room itself counts as gone.
            return Some(if room.draws < TRIES { Ask::Draw } else { Ask::Open });
        }
        let first = group.openers().first() == Some(&group.log.own());
        let needs = !room.leads_in() && first && group.needs_room(now);
        if !needs || self.waits_for_pass().is_some_and(|until| until > now) {
            return None;
        }
        Some(if room.opened { Ask::Draw } else { Ask::Open })
    }

    /// Until when there may be a room of which we get to know.
    fn waits_for_pass(&self) -> Option<Moment> {
        let group = self.group.as_ref()?;
        let late = group.fold.joined().first() != Some(&group.log.me());
        let fresh = group.room.stay.is_none() && !group.room.opened && group.room.tries == 0;
        let told = self.legs().any(|leg| leg.room.key.is_some() && leg.stage != Stage::Invited);
        let wait = if told { WAITS_FOR_PASS } else { ASKS_FIRST };
        (late && fresh).then(|| group.room.begun + wait)
    }

    /// What was asked for is not to be had.
    pub(super) fn nothing_to_be_had(&mut self, out: &Out) {
        let Some(group) = &mut self.group else { return };
        let room = &mut group.room;
        match room.asked.take() {
            Some((Ask::Open, _)) => room.vain(out.now),
            Some((Ask::Draw, _)) if room.stay.is_none() => (room.opened, room.next) = (false, out.now),
            Some((Ask::Draw, _)) => {
                room.draws = room.draws.saturating_add(1).min(TRIES);
                room.next = out.now + TRY_AGAIN;
            }
            None => {}
        }
    }

    /// We take part no more.
    pub(crate) fn leave_room(&mut self, out: &mut Out, for_all: bool) {
        let Some(group) = &mut self.group else { return };
        let ends = for_all || group.fold.ended.is_some() || group.others().next().is_none();
        let begun = group.room.is_begun();
        let stay = group.room.stay.take();
        group.room.over();
        if begun {
            self.room_order(out, RoomOrder::Leave { ends });
        }
        if let Some(stay) = stay {
            self.stay_media(out, stay.epoch, MediaOrder::Close);
        }
    }

    /// When something is next due of the room: what is due already waits for an answer.
    fn room_due(&mut self, now: Moment, wants: usize) {
        let given = self.passes_due().into_iter().map(|(_, at)| at);
        let wish = self.wish(now, wants).is_some();
        let waits = self.waits_for_pass();
        let stay = self.stay_dues();
        let Some(group) = &mut self.group else { return };
        let room = &group.room;
        let next = wish.then_some(room.next);
        let asked = room.asked.map(|(_, until)| until);
        let all = given.chain(stay).chain([next, asked, waits].into_iter().flatten());
        group.room.due = all.filter(|at| *at > now).min();
    }
}
