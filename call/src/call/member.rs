//! One other person in a call, and their devices.
//!
//! Lives here: how far they have come; which of their devices is the one we talk to; what of them is to be seen.
//! Must not: know another member, or the call's phase.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::call::end::stronger;
use crate::call::{Leg, Out, Stage};
use crate::effect::MediaOrder;
use crate::id::{LegId, MemberId, PeerId};
use crate::message::{CancelReason, Message};
use crate::time::Moment;
use crate::view::{EndReason, MemberState, MemberView};

/// One other person in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) peer: PeerId,
    /// They began the call, for this person.
    pub(crate) starter: bool,
    pub(crate) state: MemberState,
    /// Their devices that are in it.
    pub(crate) legs: BTreeMap<LegId, Leg>,
    /// Devices that are out and never rang.
    pub(crate) unrung: Vec<LegId>,
    /// The strongest word of devices that are out.
    pub(crate) word: EndReason,
    pub(crate) joined: Option<Moment>,
    pub(crate) left: Option<Moment>,
    /// How often their holding was written down.
    pub(crate) holds: u8,
    /// How often their coming and going was.
    pub(crate) notes: u8,
    /// A session of theirs is open, and they have no place in the call yet.
    pub(crate) hidden: bool,
}

impl Member {
    /// One whom we call.
    pub(crate) fn called(peer: PeerId) -> Self {
        Self {
            peer,
            starter: false,
            state: MemberState::Invited,
            legs: BTreeMap::new(),
            unrung: Vec::new(),
            word: EndReason::Unavailable,
            joined: None,
            left: None,
            holds: 0,
            notes: 0,
            hidden: false,
        }
    }

    /// One who called us at `now`.
    pub(crate) fn calling(peer: PeerId, now: Moment) -> Self {
        let (state, joined) = (MemberState::Connecting, Some(now));
        Self { starter: true, state, joined, ..Self::called(peer) }
    }

    /// The device that the conversation is with. What others of theirs say of themselves counts once they are chosen.
    pub(crate) fn chosen(&self) -> Option<&Leg> {
        self.legs.values().find(|leg| leg.stage == Stage::Chosen)
    }

    /// Whether they put the call aside.
    pub(crate) fn holds_us(&self) -> bool {
        self.chosen().is_some_and(|leg| leg.said.held)
    }

    /// They take part: by all these devices, or by the one that is chosen later.
    pub(crate) fn joins(&mut self, now: Moment) {
        self.state = MemberState::Connecting;
        self.joined.get_or_insert(now);
    }

    /// One of their devices answered: the others are told at once.
    pub(crate) fn answered_by(&mut self, out: &mut Out, winner: LegId) {
        for (id, leg) in &mut self.legs {
            if *id == winner {
                leg.stage = Stage::Chosen;
            } else {
                leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
                leg.close(out);
            }
        }
        self.joins(out.now);
    }

    /// A device of theirs is out, and this is why.
    pub(crate) fn says(&mut self, word: EndReason) {
        self.word = stronger(self.word, word);
    }

    /// An order for the newest path to the device that the conversation is with.
    pub(crate) fn tell_media(&self, out: &mut Out, order: MediaOrder) {
        if let Some(leg) = self.chosen() {
            leg.tell_media(out, order);
        }
    }

    pub(crate) fn view(&self, id: MemberId) -> MemberView {
        let view = MemberView {
            starter: self.starter,
            joined: self.joined,
            left: self.left,
            ..MemberView::new(id, self.peer, self.state)
        };
        let Some(said) = self.chosen().map(|leg| leg.said) else { return view };
        MemberView {
            muted: said.muted,
            held: said.held,
            hears_only: said.hears_only,
            camera: said.camera,
            ..view
        }
    }

    /// The same when the call is over.
    pub(crate) fn last_view(&self, id: MemberId, now: Moment) -> MemberView {
        let view = self.view(id);
        match self.state {
            MemberState::Connecting | MemberState::Joined => {
                MemberView { state: MemberState::Left, left: Some(now), ..view }
            }
            MemberState::Invited | MemberState::Ringing => {
                let declined = matches!(self.word, EndReason::Declined | EndReason::Busy);
                MemberView { state: if declined { MemberState::Declined } else { self.state }, ..view }
            }
            MemberState::Declined | MemberState::Left => view,
        }
    }
}
