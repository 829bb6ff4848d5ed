//! A path that is begun before they may learn where we are: our answer to their offer while our phone rings, of which nobody hears
//! before the person answers; our own offer before they have proved that they live, which goes without a candidate.
//!
//! Lives here: what is kept back of ours and of theirs, and when it goes.
//! Must not: let anything leave that is kept; decide when that ends.

use alloc::vec::Vec;

use super::{EARLY, Leg, MOVES_A_MINUTE, Path, within_a_minute};
use crate::call::Out;
use crate::effect::{MediaOrder, Role};
use crate::id::Epoch;
use crate::message::{Description, Message, Opaque};

/// What would be said, if it might.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Their offer; none if ours went.
    offer: Option<Description>,
    answer: Option<Description>,
    candidates: Vec<Opaque>,
    complete: bool,
}

impl Leg {
    /// Our phone rings, and nothing of ours may leave before the answer: our candidates are gathered meanwhile.
    pub(crate) fn gather(&mut self, out: &mut Out) {
        self.quiet = true;
        if let Some((epoch, offer)) = self.waiting.take() {
            self.gather_for(out, epoch, offer);
        }
    }

    /// The newest offer of theirs, while nothing of ours may leave.
    pub(super) fn gather_for(&mut self, out: &mut Out, epoch: Epoch, offer: Description) {
        self.answered.push(out.now);
        self.kept = Some(Kept { offer: Some(offer.clone()), ..Kept::default() });
        self.current = Some(epoch);
        self.offerer = false;
        self.prepare(out, epoch, Role::Early(offer));
        self.sweep(out);
    }

    /// Begins the first path with our offer. Our candidates wait, and no check leaves: theirs wait, too.
    pub(crate) fn offer_quietly(&mut self, out: &mut Out) {
        self.begin(out);
        self.kept = Some(Kept::default());
    }

    /// Whether something is kept back.
    pub(crate) fn is_quiet(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether it is our answer to an offer of theirs.
    pub(crate) fn is_gathering(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.offer.is_some())
    }

    pub(super) fn keep_answer(&mut self, answer: Description) {
        if let Some(kept) = &mut self.kept {
            kept.answer = Some(answer);
        }
    }

    pub(super) fn keep_candidates(&mut self, list: &[Opaque], complete: bool) {
        if let Some(kept) = &mut self.kept {
            kept.candidates.extend_from_slice(list);
            kept.candidates.truncate(EARLY);
            kept.complete |= complete;
        }
    }

    /// It may go, and what they said meanwhile is tried.
    pub(super) fn speak(&mut self, out: &mut Out) {
        self.quiet = false;
        let (Some(kept), Some(epoch)) = (self.kept.take(), self.current) else { return };
        if self.path == Path::None {
            self.path = Path::Building;
        }
        if let Some(description) = kept.answer {
            self.send(out, Message::Description { epoch, description });
        }
        self.candidates_here(out, epoch, &kept.candidates, kept.complete);
        self.pass_early(out, epoch);
    }

    /// What was gathered is of no use any more: the answer is made when it may go.
    pub(crate) fn unkeep(&mut self, out: &mut Out) {
        if let (Some(kept), Some(epoch)) = (self.kept.take(), self.current.take()) {
            self.path = Path::None;
            self.waiting = kept.offer.map(|offer| (epoch, offer));
            self.sweep(out);
        }
    }

    /// Our network changed: other candidates are gathered.
    pub(crate) fn gather_anew(&mut self, out: &mut Out) {
        if within_a_minute(&mut self.moved, out.now) < MOVES_A_MINUTE {
            self.moved.push(out.now);
            self.unkeep(out);
            self.gather(out);
        }
    }

    /// Their candidates that came before the path could try them.
    pub(super) fn pass_early(&mut self, out: &mut Out, epoch: Epoch) {
        let list: Vec<Opaque> =
            self.early.extract_if(.., |(of, _)| *of == epoch).map(|(_, candidate)| candidate).collect();
        let complete = self.early_complete == Some(epoch);
        if complete || !list.is_empty() {
            self.media(out, epoch, MediaOrder::Candidates { list, complete });
        }
    }
}
