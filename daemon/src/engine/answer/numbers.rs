//! Questions for the numbers of a call that media have not answered yet.
//!
//! Lives here: which client waits for which ticket.
//! Must not: add up a number.

use std::collections::VecDeque;

use ahoy_call::CallId;

use crate::values::request::{Answer, Reply};
use crate::values::rows::Stats;

/// So many questions wait. Whoever asked before them hears that the daemon is busy.
const MOST: usize = 64;

/// Who waits, the oldest first. A reply that is dropped tells its client that the daemon is busy.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tickets: u64,
    waiting: VecDeque<(u64, CallId, Reply)>,
}

impl Numbers {
    /// The ticket for a question about this call.
    pub(crate) fn ask(&mut self, call: CallId, reply: Reply) -> u64 {
        self.tickets += 1;
        self.waiting.push_back((self.tickets, call, reply));
        if self.waiting.len() > MOST {
            self.waiting.pop_front();
        }
        self.tickets
    }

    /// The numbers came.
    pub(crate) fn answered(&mut self, ticket: u64, stats: Box<Stats>) {
        let place = self.waiting.iter().position(|(waits, ..)| *waits == ticket);
        if let Some((.., reply)) = place.and_then(|place| self.waiting.remove(place)) {
            // A client that left needs no numbers.
            let _left = reply.send(Ok(Answer::Stats(stats)));
        }
    }

    /// No numbers of this call will come.
    pub(crate) fn give_up(&mut self, call: CallId) {
        self.waiting.retain(|(_, of, _)| *of != call);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn each_question_has_its_own_answer_and_none_waits_for_ever() {
        let mut numbers = Numbers::default();
        let call = |id| CallId::from_bytes([id; 16]);
        let mut ask = |id| {
            let (reply, answer) = oneshot::channel();
            (numbers.ask(call(id), reply), answer)
        };
        let ((first, mut one), (second, mut two), (_, mut three)) = (ask(1), ask(1), ask(2));
        let stats = |packets_in| Box::new(Stats { packets_in, ..Stats::default() });
        numbers.answered(second, stats(2));
        numbers.answered(first, stats(1));
        numbers.answered(first, stats(9));
        assert_eq!(one.try_recv(), Ok(Ok(Answer::Stats(stats(1)))));
        assert_eq!(two.try_recv(), Ok(Ok(Answer::Stats(stats(2)))));
        numbers.give_up(call(2));
        assert!(three.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        let waiting: Vec<_> = (0..=MOST)
            .map(|_| {
                let (reply, answer) = oneshot::channel();
                numbers.ask(call(3), reply);
                answer
            })
            .collect();
        let closed = waiting.into_iter().filter_map(|mut answer| {
            answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed).then_some(())
        });
        assert_eq!(closed.count(), 1, "the oldest makes room");
    }
}
