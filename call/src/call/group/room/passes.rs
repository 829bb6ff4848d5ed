//! Passes into the room of a call: to whom ours are given, and whose we take.
//!
//! Lives here: who gives, when and how often; which of two rooms is the better.
//! Must not: decide whether there is to be a room (`room.rs`), or know what a pass is made of.

use alloc::vec::Vec;

use super::seat::Seat;
use super::{Ask, GUESTS, KNOWS_ALL, STOCK};
use crate::call::group::Group;
use crate::call::group::stay::Stay;
use crate::call::{Call, Out, Stage};
use crate::id::LegId;
use crate::message::{Message, Opaque, RoomWord};
use crate::time::Moment;

impl Group {
    /// Where we stand among those inside who can draw passes; the first gives them.
    fn rank(&self) -> Option<usize> {
        let own = self.log.own();
        let inside = |leg: &LegId| *leg == own || self.room.seats.get(leg).is_some_and(|seat| seat.heard);
        self.openers().into_iter().filter(inside).position(|leg| leg == own)
    }

    /// Whether a pass of this device leads to a better room than the one we are in, if any.
    fn prefers(&self, from: LegId, now: Moment) -> bool {
        let all = self.openers();
        let Some(theirs) = all.iter().position(|leg| *leg == from) else { return false };
        let Some(stay) = &self.room.stay else { return true };
        let heard = |leg: LegId| self.room.seats.get(&leg).is_some_and(|seat| seat.heard);
        // Who let us in may have gone, and opened another since: they count until everybody inside has been heard.
        let came = stay.up_since().map_or(now, |up| up.max(self.room.begun));
        let let_in = |leg: LegId| leg == stay.by && came + KNOWS_ALL > now;
        let inside = |leg: &&LegId| let_in(**leg) || **leg == self.log.own() || heard(**leg);
        let best = all.iter().position(|leg| inside(&leg)).unwrap_or(usize::MAX);
        !stay.is_fit() || (theirs < best && !heard(from))
    }
}

impl Call {
    /// Gives a pass to each who is due. How many more are needed.
    pub(super) fn give_passes(&mut self, out: &mut Out) -> usize {
        let now = out.now;
        let due = self.passes_due();
        let due: Vec<LegId> = due.into_iter().filter(|(_, at)| *at <= now).map(|(leg, _)| leg).collect();
        for (at, leg) in due.iter().enumerate() {
            let Some(room) = self.group.as_mut().map(|group| &mut group.room) else { return 0 };
            let Some(pass) = room.stock.pop() else { return due.len() - at };
            if let Some(seat) = room.seats.get_mut(leg) {
                (seat.given, seat.given_at) = (seat.given.saturating_add(1), Some(now));
            }
            if let Some(leg) = self.leg_mut(*leg) {
                leg.send(out, Message::Room(RoomWord::Pass(pass)));
            }
        }
        0
    }

    /// Who is to get a pass of ours, and when.
    pub(super) fn passes_due(&self) -> Vec<(LegId, Moment)> {
        let Some(group) = &self.group else { return Vec::new() };
        let room = &group.room;
        let up = room.stay.as_ref().and_then(Stay::up_since);
        let begins = room.opened && !room.settled;
        let inside = begins || up.is_some();
        let Some(rank) = group.rank().filter(|_| inside && room.says()) else { return Vec::new() };
        // Who just came in does not hear yet who is there.
        let from = up.filter(|_| !begins).map_or(Moment::default(), |at| at + KNOWS_ALL);
        let joined = |leg: LegId| group.others().any(|(_, device)| device == leg);
        let reached = |leg: LegId| self.legs().any(|it| it.id == leg && it.stage != Stage::Invited);
        let came = |leg: LegId| room.stay.as_ref().is_some_and(|stay| stay.has_guest(leg));
        let waits = |(leg, seat): &(&LegId, &Seat)| !seat.heard && reached(**leg) && !came(**leg);
        let (joined, called): (Vec<_>, Vec<_>) =
            room.seats.iter().filter(waits).partition(|(leg, _)| joined(**leg));
        let (new, given): (Vec<_>, Vec<_>) = called.into_iter().partition(|(_, seat)| seat.given == 0);
        let places = if rank == 0 { GUESTS.saturating_sub(given.len()) } else { 0 };
        let all = joined.into_iter().chain(new.into_iter().take(places));
        all.map(|(leg, seat)| (*leg, seat.due(rank).max(from))).collect()
    }

    /// Passes have come.
    pub(in crate::call::group) fn passes(&mut self, out: &Out, mut passes: Vec<Opaque>) {
        let Some(group) = &mut self.group else { return };
        let own = group.log.own();
        let room = &mut group.room;
        let Some((ask, _)) = room.asked.take() else { return };
        passes.retain(|pass| !pass.0.is_empty());
        passes.truncate(STOCK);
        if passes.is_empty() {
            room.vain(out.now);
            return;
        }
        if ask == Ask::Open {
            (room.opened, room.settled) = (true, false);
            room.stock.clear();
            for seat in room.seats.values_mut() {
                (seat.given, seat.given_at) = (0, None);
            }
        }
        let stands = room.stay.is_some() || room.entry.is_some();
        if ask == Ask::Open || !stands {
            room.entry = Some((passes.remove(0), own));
        }
        room.draws = 0;
        room.stock.append(&mut passes);
        room.stock.truncate(STOCK);
        room.stocked = out.now;
    }

    /// Whose pass is taken: that of one who takes part.
    pub(super) fn look_at_passes(&mut self, now: Moment) {
        let Some(group) = &self.group else { return };
        let from = group.others().filter(|(peer, _)| !group.blocked.contains(peer));
        for from in from.map(|(_, leg)| leg).collect::<Vec<_>>() {
            let Some(pass) = self.leg_mut(from).and_then(|leg| leg.room.pass.take()) else { continue };
            let Some(group) = &mut self.group else { return };
            let building = |stay: &Stay| stay.by == from && stay.is_building();
            if group.room.stay.as_ref().is_some_and(building) {
                group.room.spare = Some((pass, from));
            } else if group.prefers(from, now) {
                group.room.entry = Some((pass, from));
            }
        }
    }

    /// The way in that there is.
    pub(in crate::call::group) fn take_entry(&mut self) -> Option<(Opaque, LegId)> {
        let group = self.group.as_mut()?;
        let own = group.log.own();
        let entry = group.room.entry.take()?;
        if entry.1 != own {
            group.room.opened = false;
            group.room.stock.clear();
        }
        group.room.spare = None;
        Some(entry)
    }
}
