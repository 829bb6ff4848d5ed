//! What the reports about paths mean to a call.
//!
//! Lives here: each media report, by phase.
//! Must not: know how a path is mended (`leg.rs`).

use alloc::vec::Vec;

use crate::call::incoming::Arrival;
use crate::call::{Call, End, Flow, Out, Path, Phase};
use crate::effect::{Effect, MediaOrder};
use crate::event::{MediaFault, MediaReport};
use crate::id::{Epoch, LegId};
use crate::view::{EndReason, EndedBy};

impl Call {
    /// A report about one path.
    pub(crate) fn media(&mut self, out: &mut Out, leg_id: LegId, epoch: Epoch, report: MediaReport) -> Flow {
        let (connected, unproved) = (self.connected.is_some(), self.is_unproved_or_parked());
        let group = self.group.is_some();
        if self.stays_as(leg_id) {
            return self.stay_media_report(out, epoch, &report);
        }
        let carried = self.carries_by_room(leg_id);
        let leg = self.leg_mut(leg_id)?;
        let gathering = leg.is_gathering() && leg.is_current(epoch);
        match report {
            // Nobody waits for it yet. What is wrong with it is told when it is needed, if it is still wrong.
            MediaReport::Lost | MediaReport::Stuck | MediaReport::Failed(_) if gathering => leg.unkeep(out),
            // The room carries it: nothing is mended.
            MediaReport::Lost | MediaReport::Stuck | MediaReport::Failed(_) if carried => {
                if leg.is_current(epoch) || leg.is_standing(epoch) {
                    leg.close(out);
                    return self.settle_group(out);
                }
            }
            MediaReport::Described(description) => leg.described_here(out, epoch, description),
            MediaReport::Candidates { list, complete } => leg.candidates_here(out, epoch, &list, complete),
            MediaReport::Up => {
                leg.close_unknown(out, epoch);
                if leg.is_current(epoch) {
                    leg.up(out, epoch);
                    return self.path_up(out, leg_id);
                }
            }
            MediaReport::Lost => {
                if leg.is_current(epoch) || leg.is_standing(epoch) {
                    let mend = leg.is_current(epoch);
                    if leg.lost(out, epoch) {
                        self.silent(out, leg_id);
                    }
                    if mend && let Some(leg) = self.leg_mut(leg_id) {
                        leg.repair(out);
                    }
                    return self.settle_group(out);
                }
            }
            MediaReport::Stuck => {
                if !leg.stuck(out, epoch) {
                    if self.group.is_some() {
                        self.path_broke(out, leg_id, epoch);
                        return self.settle_group(out);
                    }
                    return self.path_failed(out, leg_id, EndReason::MediaFailed);
                }
            }
            MediaReport::Failed(fault) => {
                if connected || unproved || group {
                    self.path_broke(out, leg_id, epoch);
                    return self.settle_group(out);
                } else if leg.is_current(epoch) {
                    let reason = match fault {
                        MediaFault::Negotiation => EndReason::NegotiationFailed,
                        MediaFault::Media => EndReason::MediaFailed,
                        MediaFault::NoTurn => EndReason::NoTurn,
                    };
                    return self.path_failed(out, leg_id, reason);
                }
            }
            MediaReport::Voice(heard) => self.voice(out, heard),
        }
        None
    }

    /// A path of a conversation cannot be used any more. One that carried sound is replaced at once; one that was being
    /// built is tried again after a while, for the next one may fail as fast.
    fn path_broke(&mut self, out: &mut Out, leg_id: LegId, epoch: Epoch) {
        let Some(leg) = self.leg_mut(leg_id) else { return };
        if !leg.is_current(epoch) && !leg.is_standing(epoch) {
            return;
        }
        let (carried, newest) = (leg.is_standing(epoch), leg.is_current(epoch));
        let silent = leg.lost(out, epoch);
        if silent {
            self.silent(out, leg_id);
        }
        let Some(leg) = self.leg_mut(leg_id) else { return };
        if newest && carried {
            leg.repair(out);
        } else {
            leg.try_later(out);
        }
    }

    /// Nothing of its media is left. A ring that nobody has heard of tries again.
    pub(crate) fn media_gone(&mut self, out: &mut Out) -> Flow {
        if self.outside().is_some() {
            return None;
        }
        if !self.is_unproved_or_parked() {
            return Some(End::told(EndReason::MediaFailed, EndedBy::Local));
        }
        for (_, leg, epoch) in self.open_paths().collect::<Vec<_>>() {
            self.path_broke(out, leg, epoch);
        }
        None
    }

    /// A ring that nobody has heard of goes, and the path that was begun for it.
    pub(crate) fn close_early_path(&mut self, out: &mut Out) {
        if self.open_paths().next().is_some() {
            self.legs_mut().for_each(|leg| leg.close(out));
            out.order(Effect::EndMedia(self.wire));
        }
    }

    fn path_up(&mut self, out: &mut Out, leg: LegId) -> Flow {
        match &self.phase {
            Phase::Incoming(it) if matches!(it.stage, Arrival::Arriving { .. }) => self.ring(out),
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Outside(_) => {}
            Phase::Live(_) if self.group.is_some() => return self.member_up(out, leg),
            Phase::Live(_) => self.sound(out, leg),
        }
        None
    }

    fn path_failed(&mut self, out: &mut Out, leg: LegId, reason: EndReason) -> Flow {
        match self.phase {
            Phase::Outgoing(_) => self.take_back(out, leg, reason),
            Phase::Incoming(_) | Phase::Live(_) | Phase::Outside(_) => {
                Some(End::told(reason, EndedBy::Network))
            }
        }
    }

    /// Our own network changed.
    pub(crate) fn network_changed(&mut self, out: &mut Out) -> Flow {
        let talks = self.is_answered();
        self.tell_stay(out, MediaOrder::Probe);
        for leg in self.legs_mut() {
            if leg.is_gathering() {
                leg.gather_anew(out);
            } else if leg.path != Path::None {
                leg.moved(out, talks);
            }
        }
        None
    }
}
