//! The rooms of all calls, as a machine without I/O: what the rules order becomes questions to relays, stays and paths, and what comes
//! of those becomes reports to the rules.
//!
//! Lives here: which relay is asked, whose answer is whose, rooms that are to end. One call's room: `call.rs`; who is who in it:
//! `names.rs`.
//! Must not: ask a relay, run a stay, read a clock, or say a ticket, a name or a key in a log.

mod call;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, Moment, RoomOrder, RoomReport};
use ahoy_proto::room::{RoomAsk, RoomNews, Ticket};

use self::call::{CallRoom, Want};
use super::stay::Parts;
use crate::values::room::{RoomEnds, RoomEvent};

/// A room that could not be ended is tried again so often, and after so long.
const CLOSES: u8 = 3;
const AGAIN: Duration = Duration::from_secs(5);
/// Calls that may have rooms at a time, and rooms that are to end.
const CALLS: usize = 16;

/// What is to be done, in order.
#[derive(Debug)]
pub enum Out {
    /// Ask the relay at this address; the answer comes by [`Rooms::answered`].
    Ask {
        /// Of the question.
        job: u64,
        /// Where.
        relay: String,
        /// What.
        ask: RoomAsk,
    },
    /// For the rules.
    Tell(CallId, RoomReport),
    /// A path of this call begins, of our own leg.
    Prepare {
        /// The call.
        call: CallId,
        /// Of the path.
        epoch: Epoch,
        /// What it works with.
        ends: RoomEnds,
    },
    /// Run a stay, trusting whom we trust; what happens comes by [`Rooms::happened`].
    Stay {
        /// For what happens.
        number: u64,
        /// All of it.
        parts: Box<Parts>,
    },
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Rooms {
    /// Our relays that have rooms.
    relays: Vec<String>,
    calls: BTreeMap<CallId, CallRoom>,
    /// Questions under way.
    jobs: BTreeMap<u64, Job>,
    /// Rooms that are to end, and when that is tried again.
    ending: Vec<(Moment, Close)>,
    next: u64,
    out: Vec<Out>,
}

/// A right at a relay.
#[derive(Clone, Debug)]
struct Held {
    relay: String,
    ticket: Ticket,
}

/// The end of a room.
#[derive(Clone, Debug)]
struct Close {
    of: Held,
    tries: u8,
}

/// What a question is about.
#[derive(Debug)]
enum Job {
    Of(CallId, String, Want),
    Close(Close),
}

impl Rooms {
    /// Those of our relays have rooms now. Some: whether any has, which is news.
    pub fn set_relays(&mut self, relays: &[String]) -> Option<bool> {
        let before = !self.relays.is_empty();
        self.relays = relays.to_vec();
        let now = !self.relays.is_empty();
        (before != now).then_some(now)
    }

    /// What is to be done by now.
    pub fn take(&mut self) -> Vec<Out> {
        mem::take(&mut self.out)
    }

    /// An order of the rules.
    pub fn order(&mut self, now: Moment, call: CallId, order: RoomOrder) {
        let new = !self.calls.contains_key(&call);
        if new && matches!(order, RoomOrder::Leave { .. }) {
            return;
        }
        if new && self.calls.len() >= CALLS {
            self.calls.retain(|_, room| !room.is_idle());
        }
        if new && self.calls.len() >= CALLS {
            tracing::debug!("too many calls with rooms");
            return self.out.push(Out::Tell(call, RoomReport::NoRoom));
        }
        let number = self.number();
        let room = self.calls.entry(call).or_insert_with(|| CallRoom::new(call));
        if let Some(of) = room.order(now, number, order, &mut self.out) {
            self.close(Close { of, tries: 0 });
        }
        self.ask(call);
    }

    /// Nothing of this call is to be there any more.
    pub fn over(&mut self, call: CallId) {
        if let Some(mut room) = self.calls.remove(&call) {
            room.leave();
        }
    }

    /// A relay answers, or does not.
    pub fn answered(&mut self, now: Moment, job: u64, news: Option<RoomNews>) {
        match self.jobs.remove(&job) {
            Some(Job::Close(_)) if matches!(news, Some(RoomNews::Done)) => {}
            Some(Job::Close(close)) => {
                tracing::debug!("a room could not be ended");
                self.again(now, close);
            }
            Some(Job::Of(call, relay, want)) => match self.calls.get_mut(&call) {
                Some(room) => {
                    room.answered(now, relay, want, news, &mut self.out);
                    self.ask(call);
                }
                None => self.came_too_late(relay, &want, news),
            },
            None => {}
        }
    }

    /// Something happened in the stay of this number.
    pub fn happened(&mut self, now: Moment, number: u64, event: RoomEvent) {
        let Some((call, room)) = self.calls.iter_mut().find(|(_, room)| room.stays(number)) else { return };
        let call = *call;
        room.happened(now, event, &mut self.out);
        self.ask(call);
    }

    /// Our network has changed.
    pub fn moved(&self) {
        self.calls.values().for_each(CallRoom::moved);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Moment) {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            if let Some(room) = self.calls.get_mut(&call) {
                room.tick(now, &mut self.out);
            }
            self.ask(call);
        }
        let (due, later) = mem::take(&mut self.ending).into_iter().partition(|(at, _)| *at <= now);
        self.ending = later;
        let due: Vec<(Moment, Close)> = due;
        due.into_iter().for_each(|(_, close)| self.close(close));
    }

    /// Frames of this member come by the stay of that epoch, or come no more.
    pub fn comes(&mut self, call: CallId, epoch: Epoch, member: LegId, comes: bool) {
        if let Some(room) = self.calls.get_mut(&call) {
            room.comes(epoch, member, comes, &mut self.out);
        }
    }

    /// When [`Rooms::tick`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        let calls = self.calls.values().filter_map(CallRoom::deadline);
        calls.chain(self.ending.iter().map(|(at, _)| *at)).min()
    }

    /// Asks what is next of this call: one question at a time.
    fn ask(&mut self, call: CallId) {
        let Some(room) = self.calls.get_mut(&call) else { return };
        while let Some(want) = room.next_want() {
            let Some((relay, ask)) = room.question(&want, self.relays.first()) else {
                room.unasked(&want, &mut self.out);
                continue;
            };
            self.next += 1;
            room.waits_for_answer();
            self.jobs.insert(self.next, Job::Of(call, relay.clone(), want));
            return self.out.push(Out::Ask { job: self.next, relay, ask });
        }
    }

    /// An answer to a call that is over: a room that was opened for it ends.
    fn came_too_late(&mut self, relay: String, want: &Want, news: Option<RoomNews>) {
        if let (Want::Open(_), Some(RoomNews::Passes { host: Some(ticket), .. })) = (want, news) {
            self.close(Close { of: Held { relay, ticket }, tries: 0 });
        }
    }

    fn close(&mut self, close: Close) {
        let (job, relay) = (self.number(), close.of.relay.clone());
        self.out.push(Out::Ask { job, relay, ask: RoomAsk::Close { host: close.of.ticket } });
        self.jobs.insert(job, Job::Close(close));
    }

    fn again(&mut self, now: Moment, Close { of, tries }: Close) {
        if tries + 1 < CLOSES && self.ending.len() < CALLS {
            self.ending.push((now + AGAIN, Close { of, tries: tries + 1 }));
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
