//! What comes in the sessions of a group.
//!
//! Lives here: each message, whatever our phase.
//! Must not: say what the log comes to.

use alloc::vec::Vec;

use super::{PULLS, Tie};
use crate::call::leg::within_a_minute;
use crate::call::{Call, Flow, Out, Phase, Said, Stage};
use crate::group::{Entry, Head, News};
use crate::id::LegId;
use crate::message::{CancelReason, Message};

impl Call {
    /// A sealed message of one of the devices of a group.
    pub(crate) fn group_received(&mut self, out: &mut Out, from: LegId, message: Message) -> Flow {
        let may_answer = self.may_answer_paths(from);
        if let Some(group) = &mut self.group {
            let tie = group.ties.entry(from).or_insert_with(|| Tie::new(out.now));
            tie.heard = out.now;
        }
        match message {
            Message::Description { epoch, description } => {
                self.leg_mut(from)?.described_there(out, epoch, description, may_answer);
            }
            Message::Candidates { epoch, list, complete } => {
                self.leg_mut(from)?.candidates_there(out, epoch, list, complete);
            }
            Message::State { serial, muted, held, camera, listening } => {
                let (hears_only, wants_held) = (listening, held);
                let said = Said { serial, muted, camera, hears_only, wants_held, ..Said::default() };
                self.leg_mut(from)?.said.hear(said);
                self.settle_holds_there(out);
            }
            Message::Ready { offers } => self.session_stands(out, from, offers),
            Message::Ringing => self.rings_there(out, from),
            Message::Decline { text, .. } => self.message = text.or(self.message.take()),
            Message::Log(news) => self.hear(out, from, &news),
            // They hung up a call of two, and do not know that it is a group.
            Message::End { .. } if self.is_taken(from) => {
                if let Some(group) = &mut self.group {
                    group.taken = None;
                }
            }
            Message::Room(word) => self.room_word(out, from, word),
            // Two devices answered their ring at once, and they talk to the other one. What we made a group of is no call of theirs.
            Message::Cancel { reason: reason @ CancelReason::AnsweredElsewhere } if self.is_taken(from) => {
                return Some(self.canceled(reason));
            }
            Message::Invite { .. }
            | Message::Offer { .. }
            | Message::Accept
            | Message::Cancel { .. }
            | Message::End { .. } => {}
        }
        self.settle_group(out)
    }

    /// Whether it is the one we talked to before it was a group, and has said nothing of the group yet.
    fn is_taken(&self, from: LegId) -> bool {
        let taken = self.group.as_ref().and_then(|group| group.taken);
        taken.is_some_and(|(leg, _)| leg == from)
    }

    /// Whether an offer of theirs may be answered now.
    fn may_answer_paths(&self, from: LegId) -> bool {
        let chosen = self.legs().any(|leg| leg.id == from && leg.stage == Stage::Chosen);
        match self.phase {
            Phase::Incoming(_) => self.may_speak_early(),
            Phase::Outgoing(_) => self.is_small(),
            Phase::Live(_) => {
                let rings = self.group.as_ref().and_then(|group| group.ties.get(&from));
                (chosen && !self.carries_by_room(from))
                    || (self.is_small() && rings.is_some_and(|tie| tie.ring.is_some()))
            }
            Phase::Outside(_) => false,
        }
    }

    /// Message 2 of a device that we rang, or with which we opened a session.
    fn session_stands(&mut self, out: &mut Out, from: LegId, it_offers: bool) {
        let small = self.is_small();
        let rings = self.group.as_ref().and_then(|group| group.ties.get(&from));
        let rings = rings.is_some_and(|tie| tie.ring.is_some());
        let Some(leg) = self.leg_mut(from).filter(|leg| leg.stage == Stage::Invited) else { return };
        leg.stage = Stage::Ready;
        if !rings {
            return;
        }
        if !it_offers && small {
            leg.begin(out);
        }
        if let Phase::Outgoing(it) = &mut self.phase {
            it.heard();
        }
        self.send_invite(out, from);
    }

    /// It rings there.
    fn rings_there(&mut self, out: &mut Out, from: LegId) {
        let rings = self.group.as_ref().and_then(|group| group.ties.get(&from));
        if rings.is_none_or(|tie| tie.ring.is_none()) {
            return;
        }
        if let Some(leg) = self.leg_mut(from).filter(|leg| leg.stage == Stage::Ready) {
            leg.stage = Stage::Ringing;
        }
        if self.is_dialed() {
            self.rings_at(out, from);
        }
    }

    /// What another knows.
    pub(crate) fn hear(&mut self, out: &mut Out, from: LegId, news: &News) {
        let Some(group) = &mut self.group else { return };
        if news.start != group.log.start() {
            return;
        }
        if let Some(tie) = group.ties.get_mut(&from) {
            tie.has(out.now, &news.heads);
            tie.learn(&news.entries);
        }
        for leg in news.told.iter().filter(|leg| **leg != from) {
            if let Some(tie) = group.ties.get_mut(leg) {
                tie.learn(&news.entries);
            }
        }
        group.log.merge(news);
        if group.taken.is_some_and(|(leg, _)| group.log.entry(leg).is_some()) {
            group.taken = None;
        }
        if let Phase::Outside(it) = &mut self.phase {
            it.until = out.now + super::FORGET_AFTER;
        }
        let behind = group.log.is_behind(&unsent(&news.heads, &news.entries));
        if let Some(tie) = group.ties.get_mut(&from)
            && behind
            && within_a_minute(&mut tie.pulls, out.now) < PULLS
        {
            tie.pulls.push(out.now);
            self.say_to(out, &[from]);
        }
    }
}

/// Heads of which the entries did not come along.
fn unsent(heads: &[Head], entries: &[Entry]) -> Vec<Head> {
    let sent = |head: &&Head| {
        entries.iter().any(|it| it.author == head.author && it.statement.number == head.number)
    };
    heads.iter().filter(|head| !sent(head) || head.contradicted).copied().collect()
}
