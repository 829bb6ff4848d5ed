//! Descriptions of the one connection of a stay: one at a time, and always by us.
//!
//! Lives here: which is under way, what comes after it, what was agreed last, the server's candidates until then.
//! Must not: look into a description, or make one.

use std::mem;
use std::time::Duration;

use ahoy_call::Moment;

use super::super::said;
use super::super::wire::SessionDescription;
use super::Output;
use crate::values::room::{RoomAsk, RoomCandidate, Sdp};

/// For a description of ours, and for the server's answer to it.
const WITHIN: Duration = Duration::from_secs(10);
/// So often a server may ask for sections in a minute: some ask hundreds of times a second for a codec that we do not have.
const ASKED: u32 = 64;
const MINUTE: Duration = Duration::from_secs(60);
/// Sections in all.
const SECTIONS: usize = 64;
/// Candidates of the server's that wait for its answer.
const CANDIDATES: usize = 32;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// The last description that was asked for.
    number: u32,
    state: State,
    /// What the next one is for.
    next: Option<Next>,
    /// The one under way looks for another way.
    restarts: bool,
    agreed: Option<(SessionDescription, SessionDescription)>,
    waiting: Vec<RoomCandidate>,
    sections: usize,
    /// The present minute, and how often sections were asked for in it.
    asked: (Moment, u32),
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// The connection describes itself.
    Describing(Moment),
    /// The server is to answer this.
    Waiting(Option<Moment>, SessionDescription),
}

#[derive(Clone, Copy, Debug, Default)]
struct Next {
    more: usize,
    restart: bool,
}

impl Talk {
    /// A connection is built with so many sections. Returns the number of its first description.
    pub(super) fn build(&mut self, sections: usize) -> u32 {
        *self = Self { number: self.number + 1, sections, asked: self.asked, ..Self::default() };
        self.number
    }

    /// The first description is there.
    pub(super) fn first(&mut self, number: u32, sdp: &Sdp) -> Option<SessionDescription> {
        if number != self.number {
            return None;
        }
        let offer = said::offer(number, sdp);
        self.state = State::Waiting(None, offer.clone());
        Some(offer)
    }

    /// The server has it.
    pub(super) fn joined(&mut self, now: Moment) {
        if let State::Waiting(until, _) = &mut self.state {
            *until = Some(now + WITHIN);
        }
    }

    /// A later description is there, to be sent.
    pub(super) fn offered(&mut self, now: Moment, number: u32, sdp: &Sdp) -> Option<SessionDescription> {
        if number != self.number || !matches!(self.state, State::Describing(_)) {
            return None;
        }
        let offer = said::offer(number, sdp);
        self.state = State::Waiting(Some(now + WITHIN), offer.clone());
        Some(offer)
    }

    /// Asks the connection to describe itself, now or after what is under way.
    pub(super) fn ask(&mut self, now: Moment, more: usize, restart: bool, out: &mut Vec<Output>) {
        let before = self.next.take().unwrap_or_default();
        let next = Next { more: before.more.saturating_add(more), restart: before.restart || restart };
        match self.state {
            State::Idle => {
                let more = next.more.min(SECTIONS.saturating_sub(self.sections));
                self.sections += more;
                self.number += 1;
                self.restarts = next.restart;
                self.state = State::Describing(now + WITHIN);
                out.push(Output::Media(RoomAsk::Offer { number: self.number, more, restart: next.restart }));
            }
            State::Describing(_) | State::Waiting(..) => self.next = Some(next),
        }
    }

    /// Another way is wanted, once we are back.
    pub(super) fn restart_later(&mut self) {
        self.next.get_or_insert_default().restart = true;
    }

    /// Whether the next one looks for another way.
    pub(super) fn is_to_restart(&self) -> bool {
        self.next.is_some_and(|next| next.restart)
    }

    /// What is due since the socket was lost.
    pub(super) fn again(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.next.is_some() {
            self.ask(now, 0, false, out);
        }
    }

    /// The server asks for sections; for none of either kind if those that are free will do.
    pub(super) fn sections(&mut self, now: Moment, audios: usize, videos: usize, out: &mut Vec<Output>) {
        if audios == 0 && videos > 0 {
            return;
        }
        if now.since(self.asked.0) >= MINUTE || self.asked.1 == 0 {
            self.asked = (now, 0);
        }
        self.asked.1 = self.asked.1.saturating_add(1);
        if self.asked.1 <= ASKED {
            self.ask(now, audios.min(SECTIONS), false, out);
        }
    }

    /// The server answers.
    pub(super) fn answered(&mut self, now: Moment, id: u32, sdp: Sdp, out: &mut Vec<Output>) {
        if !matches!(&self.state, State::Waiting(_, offer) if offer.id == id) {
            return;
        }
        let State::Waiting(_, offer) = mem::take(&mut self.state) else { return };
        let kind = "answer".to_owned();
        let answer = SessionDescription { kind, sdp: sdp.0.clone(), id, ..Default::default() };
        self.agreed = Some((offer, answer));
        out.push(Output::Media(RoomAsk::Answer(sdp)));
        out.extend(self.waiting.drain(..).map(|one| Output::Media(RoomAsk::Candidate(one))));
        self.again(now, out);
    }

    /// A candidate of the server's.
    pub(super) fn candidate(&mut self, candidate: RoomCandidate, out: &mut Vec<Output>) {
        match self.state {
            State::Idle | State::Describing(_) => out.push(Output::Media(RoomAsk::Candidate(candidate))),
            State::Waiting(..) if self.waiting.len() < CANDIDATES => self.waiting.push(candidate),
            State::Waiting(..) => {}
        }
    }

    /// The socket is gone: nobody answers what is under way, and it is said again.
    pub(super) fn lost(&mut self, out: &mut Vec<Output>) {
        match mem::take(&mut self.state) {
            State::Idle => {}
            State::Describing(_) | State::Waiting(..) => {
                out.push(Output::Media(RoomAsk::Withdraw));
                self.next.get_or_insert_default().restart |= self.restarts;
            }
        }
    }

    /// Offer and answer that hold.
    pub(super) fn agreed(&self) -> Option<(SessionDescription, SessionDescription)> {
        self.agreed.clone()
    }

    pub(super) fn due(&self) -> Option<Moment> {
        match &self.state {
            State::Idle => None,
            State::Describing(until) => Some(*until),
            State::Waiting(until, _) => *until,
        }
    }

    /// Whether nobody described or answered in time.
    pub(super) fn is_overdue(&self, now: Moment) -> bool {
        self.due().is_some_and(|due| due <= now)
    }
}
