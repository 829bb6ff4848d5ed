//! What the two ends tell each other about a path: descriptions and candidates.
//!
//! Lives here: which of theirs is taken up, kept or left; which of ours is sent.
//! Must not: decide when a path of ours begins or goes.

use alloc::vec::Vec;

use super::{A_MESSAGE, A_MINUTE, EARLY, Leg, Path, THEIRS_A_MINUTE, WAITS, within_a_minute};
use crate::call::Out;
use crate::effect::{MediaOrder, Role};
use crate::id::Epoch;
use crate::message::{Description, Message, Opaque, SdpKind};

impl Leg {
    /// An offer of theirs. Answered at once when `may_answer`, kept otherwise. Old generations are ignored.
    pub(crate) fn offered(
        &mut self,
        out: &mut Out,
        epoch: Epoch,
        description: Description,
        may_answer: bool,
    ) {
        let theirs = (epoch.0 & 1 == 1) == (self.id > self.own);
        if !theirs || self.current.max(self.past).is_some_and(|newest| epoch <= newest) {
            return;
        }
        let full = within_a_minute(&mut self.answered, out.now) >= THEIRS_A_MINUTE;
        if !may_answer && self.quiet && !full {
            return self.gather_for(out, epoch, description);
        }
        if !may_answer || full {
            if self.waiting.as_ref().is_none_or(|(waiting, _)| epoch > *waiting) {
                self.waiting = Some((epoch, description));
            }
            self.turn = self.answered.first().filter(|_| may_answer).map(|first| *first + A_MINUTE);
            return;
        }
        self.answered.push(out.now);
        if self.waiting.as_ref().is_some_and(|(waiting, _)| *waiting <= epoch) {
            (self.waiting, self.turn) = (None, None);
        }
        self.make_room(out.now, epoch);
        self.current = Some(epoch);
        self.offerer = false;
        self.path = Path::Building;
        if self.retry.is_some() {
            // They mend it: our own next try waits its turn.
            self.retry = Some(out.now + self.jittered(WAITS[self.attempts.min(WAITS.len() - 1)]));
        }
        self.prepare(out, epoch, Role::Answerer(description));
        self.sweep(out);
        self.pass_early(out, epoch);
    }

    /// From now on an offer of theirs may be answered; the one that waits is.
    pub(crate) fn admit(&mut self, out: &mut Out) {
        self.speak(out);
        if let Some((epoch, description)) = self.waiting.take() {
            self.offered(out, epoch, description, true);
        }
    }

    /// A description of theirs.
    pub(crate) fn described_there(
        &mut self,
        out: &mut Out,
        epoch: Epoch,
        description: Description,
        may_answer: bool,
    ) {
        match description.kind {
            SdpKind::Offer => self.offered(out, epoch, description, may_answer),
            SdpKind::Answer => {
                if self.offerer && self.is_current(epoch) {
                    self.media(out, epoch, MediaOrder::Remote(description));
                }
            }
        }
    }

    /// Candidates of theirs.
    pub(crate) fn candidates_there(
        &mut self,
        out: &mut Out,
        epoch: Epoch,
        list: Vec<Opaque>,
        complete: bool,
    ) {
        let quiet = self.is_quiet();
        if self.is_current(epoch) && !quiet {
            self.media(out, epoch, MediaOrder::Candidates { list, complete });
        } else if self.current.is_none_or(|current| epoch > current || quiet && epoch == current) {
            self.early.extend(list.into_iter().map(|candidate| (epoch, candidate)));
            let over = self.early.len().saturating_sub(EARLY);
            self.early.drain(..over);
            if complete {
                self.early_complete = Some(epoch);
            }
        }
    }

    /// Our description of the current generation is ready.
    pub(crate) fn described_here(&mut self, out: &mut Out, epoch: Epoch, description: Description) {
        if self.is_gathering() && self.is_current(epoch) {
            self.keep_answer(description);
        } else if self.is_current(epoch) {
            self.send(out, Message::Description { epoch, description });
        }
    }

    /// Candidates of ours.
    pub(crate) fn candidates_here(&mut self, out: &mut Out, epoch: Epoch, list: &[Opaque], complete: bool) {
        if !self.is_current(epoch) {
            return;
        }
        if self.is_quiet() {
            return self.keep_candidates(list, complete);
        }
        let mut rest = list;
        while rest.len() > A_MESSAGE {
            let (part, more) = rest.split_at(A_MESSAGE);
            self.send(out, Message::Candidates { epoch, list: part.to_vec(), complete: false });
            rest = more;
        }
        if complete || !rest.is_empty() {
            self.send(out, Message::Candidates { epoch, list: rest.to_vec(), complete });
        }
    }
}
