//! Who may ring now, and how often we may dial.
//!
//! Lives here: do-not-disturb with its end by the calendar, what a contact's rules make of a ring, counts of the last minute;
//! which rings are kept away for now: `kept_away.rs`.
//! Must not: know a call or the engine, send anything, write a file.

mod kept_away;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Moment, PeerId, RingPolicy as Rings};

use self::kept_away::KeptAway;
use crate::values::budget::{self, Budget};
use crate::values::contact_rules::{ContactRules, RingPolicy as Ruled};
use crate::values::dnd::{Dnd, DndMode};

/// The span in which rings and dials are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Rings that are remembered, over all contacts. Who is behind that has been away for most of a minute.
const REMEMBERED: usize = 1024;

/// A ring that came in. Its session is there and has answered nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    pub call: CallId,
    pub leg: LegId,
    pub peer: PeerId,
    pub preconnect: bool,
    pub callee_offers: bool,
    /// When its caller gives up.
    pub until: Moment,
}

impl Ring {
    /// What the rules hear of it.
    pub(super) fn event(self, now: Moment, policy: Rings) -> Event {
        let Self { call, leg, peer, preconnect, callee_offers, until } = self;
        Event::Rung { call, leg, peer, lifetime: until.since(now), preconnect, callee_offers, policy }
    }
}

/// A session that is to be dropped unanswered.
pub(super) type Dropped = (CallId, LegId);

/// What a person decided about a contact, and whether it is blocked.
type Known = (ContactRules, bool);

/// When something is judged: since boot, and by the calendar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub moment: Moment,
    pub unix_us: i64,
}

/// What decides that.
#[derive(Debug)]
pub(super) struct RingPolicy {
    dnd: Dnd,
    rings: VecDeque<(Moment, PeerId)>,
    dials: VecDeque<Moment>,
    /// Sealed frames that come by the data channels of calls, of each device.
    frames: Budget<(CallId, LegId)>,
    kept_away: KeptAway,
}

impl RingPolicy {
    /// With do-not-disturb as it was kept over a restart in this file. What cannot be read is as if nothing was set.
    pub(super) fn open(path: &Path) -> Self {
        let kept = std::fs::read(path).unwrap_or_else(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%error, "what do-not-disturb was set to cannot be read: it is off");
            }
            Vec::new()
        });
        Self::with(serde_json::from_slice(&kept).unwrap_or_default())
    }

    fn with(dnd: Dnd) -> Self {
        let (rings, dials, kept_away) = Default::default();
        Self { dnd, rings, dials, frames: Budget::new(budget::FRAMES), kept_away }
    }

    /// Do-not-disturb as it was set last; it may be over.
    pub(super) fn dnd(&self) -> Dnd {
        self.dnd
    }

    /// It is so from now on.
    pub(super) fn set_dnd(&mut self, dnd: Dnd) {
        self.dnd = dnd;
    }

    /// Ends do-not-disturb whose time is over. At the next start it would be over too, so that nothing needs the disk.
    pub(super) fn end_dnd(&mut self, unix_us: i64) {
        if self.dnd.is_over(unix_us) {
            tracing::info!("do-not-disturb is over");
            self.dnd = Dnd::default();
        }
    }

    /// Whether a ring is heard, and how. Otherwise nothing at all is sent, and these sessions are dropped: its own, unless
    /// do-not-disturb alone keeps it away and may end while it lasts, and those that have to make room for it.
    /// `rules`: none of somebody who is no contact. `dialed`: we are dialing its caller at this moment.
    pub(super) fn judge(
        &mut self,
        now: Now,
        ring: Ring,
        rules: Option<&Known>,
        dialed: bool,
    ) -> Result<Rings, Vec<Dropped>> {
        let over = vec![(ring.call, ring.leg)];
        // Signaling has asked already; since then the contact may have been blocked or removed.
        let Some((rules, false)) = rules else { return Err(over) };
        let often = often(&mut self.rings, now.moment, ring.peer);
        let kept_away = self.keeps_away(now.unix_us, rules);
        if dialed || !often && !kept_away && rules.ring_policy != Ruled::Never {
            return Ok(how_it_rings(rules));
        }
        Err(if kept_away { self.kept_away.keep(now.moment, ring) } else { over })
    }

    /// Do-not-disturb or what a person says of a contact is another: what was kept away and rings now, and what is dropped.
    pub(super) fn judge_again(
        &mut self,
        now: Now,
        rules: impl Fn(PeerId) -> Option<Known>,
    ) -> (Vec<Event>, Vec<Dropped>) {
        let (mut rings, mut dropped) = (Vec::new(), Vec::new());
        for ring in self.kept_away.take(now.moment) {
            match rules(ring.peer).filter(|(_, blocked)| !blocked) {
                Some((rules, _)) if self.keeps_away(now.unix_us, &rules) => {
                    dropped.extend(self.kept_away.keep(now.moment, ring));
                }
                Some((rules, _)) if rules.ring_policy != Ruled::Never => {
                    rings.push(ring.event(now.moment, how_it_rings(&rules)));
                }
                Some(_) | None => dropped.push((ring.call, ring.leg)),
            }
        }
        (rings, dropped)
    }

    /// Whether what rings already is to fall silent.
    pub(super) fn silences(&self, unix_us: i64, rules: &ContactRules) -> bool {
        rules.ring_policy == Ruled::Silent || self.keeps_away(unix_us, rules)
    }

    /// Whether a ping is answered: who may see that we are there, unless a ring of theirs would be kept away now.
    pub(super) fn answers_ping(&self, unix_us: i64, rules: Option<&Known>) -> bool {
        let Some((rules, false)) = rules else { return false };
        rules.ping && rules.ring_policy != Ruled::Never && !self.keeps_away(unix_us, rules)
    }

    /// Whether do-not-disturb is what keeps such a contact away.
    pub(super) fn keeps_away(&self, unix_us: i64, rules: &ContactRules) -> bool {
        let comes_through = match self.dnd.mode {
            DndMode::Off => true,
            DndMode::Favorites => rules.favorite,
            DndMode::All => false,
        };
        let bound = !matches!(rules.ring_policy, Ruled::Always | Ruled::Never);
        bound && !comes_through && !self.dnd.is_over(unix_us)
    }

    /// Whether one more frame of this data channel is taken. One device's flood is no other's loss.
    pub(super) fn frame(&mut self, now: Moment, call: CallId, leg: LegId) -> bool {
        self.frames.take(now, (call, leg))
    }

    /// Whether one more dial of ours is taken; it counts if so.
    pub(super) fn dial(&mut self, now: Moment) -> bool {
        self.dials.retain(|at| now.since(*at) < MINUTE);
        let free = self.dials.len() < budget::DIALS_A_MINUTE;
        if free {
            self.dials.push_back(now);
        }
        free
    }
}

/// What the phone does when such a contact rings and may.
fn how_it_rings(rules: &ContactRules) -> Rings {
    match rules.ring_policy {
        Ruled::Normal | Ruled::Always | Ruled::Never => Rings::Normal,
        Ruled::Silent => Rings::Silent,
        // A microphone opens for nobody whose keys were not compared; it rings instead.
        Ruled::AutoAnswer if rules.verified => Rings::AutoAnswer,
        Ruled::AutoAnswer => Rings::Normal,
    }
}

/// Counts one more of `peer`, and tells whether that is too many in a minute.
fn often(seen: &mut VecDeque<(Moment, PeerId)>, now: Moment, peer: PeerId) -> bool {
    seen.retain(|(at, _)| now.since(*at) < MINUTE);
    if seen.len() == REMEMBERED {
        seen.pop_front();
    }
    seen.push_back((now, peer));
    seen.iter().filter(|(_, of)| *of == peer).count() > budget::RINGS_A_MINUTE
}
