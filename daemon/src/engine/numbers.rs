//! Questions for the numbers of a call that media have not answered yet.
//!
//! Lives here: which client waits for which ticket.
//! Must not: add up a number.

use std::collections::BTreeMap;

use ahoy_call::CallId;

use crate::values::request::{Answer, Reply};
use crate::values::rows::Stats;

/// So many questions wait.
const MOST: usize = 64;

/// Who waits, by ticket. A reply that is dropped tells its client that the daemon is busy.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    tickets: u64,
    waiting: BTreeMap<u64, (CallId, Reply)>,
}

impl Numbers {
    /// The ticket for a question about this call. Where too many wait the oldest makes room.
    pub(super) fn ask(&mut self, call: CallId, reply: Reply) -> u64 {
        if self.waiting.len() >= MOST {
            self.waiting.pop_first();
        }
        self.tickets += 1;
        self.waiting.insert(self.tickets, (call, reply));
        self.tickets
    }

    /// The numbers came.
    pub(super) fn answered(&mut self, ticket: u64, stats: Box<Stats>) {
        if let Some((_, reply)) = self.waiting.remove(&ticket) {
            // A client that left needs no numbers.
            let _left = reply.send(Ok(Answer::Stats(stats)));
        }
    }

    /// No numbers of this call will come.
    pub(super) fn give_up(&mut self, call: CallId) {
        self.waiting.retain(|_, (of, _)| *of != call);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn each_question_has_its_own_answer_and_none_waits_for_ever() {
        let (mut numbers, mut answers) = (Numbers::default(), Vec::new());
        for id in (1..=3).chain(std::iter::repeat_n(4, MOST - 2)) {
            let (reply, answer) = oneshot::channel();
            numbers.ask(CallId::from_bytes([id; 16]), reply);
            answers.push(answer);
        }
        let stats = |packets_in| Box::new(Stats { packets_in, ..Stats::default() });
        for (ticket, packets) in [(3, 33), (1, 11), (3, 99)] {
            numbers.answered(ticket, stats(packets));
        }
        numbers.give_up(CallId::from_bytes([2; 16]));
        let [one, two, three, four, ..] = &mut answers[..] else { panic!("as many as were asked") };
        assert!(one.try_recv().is_err() && two.try_recv().is_err(), "room was made, and it was given up");
        assert_eq!(three.try_recv(), Ok(Ok(Answer::Stats(stats(33)))));
        assert_eq!(four.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it waits");
    }
}
