//! The line of wishes before the disk, one at a time and in order.
//!
//! Lives here: who waits, since when, and when one is given up.
//! Must not: know what a wish means; touch a file itself: the store's thread does; wait.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;
use tokio::sync::mpsc;

use super::{Done, Job, Wish};
use crate::system::store::{Gate, Store};
use crate::values::request::Reply;

/// How long a person waits for the disk before they hear that it does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests that may wait for it.
const LINE: usize = 64;

/// What the store's thread says of one wish.
#[derive(Debug)]
pub(in crate::engine) struct Stored {
    ticket: u64,
    done: Done,
}

/// A wish, who waits for it (nobody for the daemon's own), and since when.
pub(in crate::engine) struct Waiting {
    pub wish: Wish,
    pub reply: Option<Reply>,
    pub since: Moment,
}

/// The line.
pub(in crate::engine) struct DiskLine {
    line: VecDeque<Waiting>,
    running: Option<Running>,
    tickets: u64,
    store: Store,
    reports: mpsc::Sender<Stored>,
}

#[derive(Debug)]
struct Running {
    ticket: u64,
    gate: Gate,
    /// `None`: it was given up, or can be no longer.
    due: Option<Moment>,
    reply: Option<Reply>,
}

impl DiskLine {
    /// An empty line before this store, and what the store's thread will say.
    pub(in crate::engine) fn new(store: Store) -> (Self, mpsc::Receiver<Stored>) {
        let (reports, stored) = mpsc::channel(16);
        (Self { line: VecDeque::new(), running: None, tickets: 0, store, reports }, stored)
    }

    /// One more. Given back if too many wait.
    pub(in crate::engine) fn push(&mut self, waiting: Waiting) -> Result<(), Option<Reply>> {
        if self.line.len() >= LINE {
            return Err(waiting.reply);
        }
        self.line.push_back(waiting);
        Ok(())
    }

    /// The next one, if the disk is free for it.
    pub(in crate::engine) fn next(&mut self) -> Option<Waiting> {
        if self.running.is_some() { None } else { self.line.pop_front() }
    }

    /// Has the store do what it takes. Given back if the disk takes nothing.
    pub(in crate::engine) fn begin(
        &mut self,
        job: Job,
        reply: Option<Reply>,
        since: Moment,
    ) -> Result<(), Option<Reply>> {
        self.tickets += 1;
        let (ticket, gate, reports) = (self.tickets, Gate::default(), self.reports.clone());
        let passing = gate.clone();
        // The engine is there as long as its thread: it takes the report, or the program ends.
        let report = move || drop(reports.blocking_send(Stored { ticket, done: job(&passing) }));
        if self.store.run(Box::new(report)).is_err() {
            return Err(reply);
        }
        self.running = Some(Running { ticket, gate, due: Some(since + PATIENCE), reply });
        Ok(())
    }

    /// The store's thread is done with what it was asked last: what came of it, and who waits.
    pub(in crate::engine) fn take(&mut self, stored: Stored) -> Option<(Done, Option<Reply>)> {
        let running = self.running.take_if(|running| running.ticket == stored.ticket)?;
        self.store.note_awake();
        Some((stored.done, running.reply))
    }

    /// When somebody has waited long enough.
    pub(in crate::engine) fn deadline(&self) -> Option<Moment> {
        let running = self.running.as_ref().and_then(|running| running.due);
        running.into_iter().chain(self.line.front().map(|next| next.since + PATIENCE)).min()
    }

    /// Gives up what has waited too long: who is to hear so.
    pub(in crate::engine) fn give_up(&mut self, now: Moment) -> Vec<Option<Reply>> {
        let mut given_up = Vec::new();
        if let Some(running) = &mut self.running
            && running.due.take_if(|due| *due <= now).is_some()
            // Otherwise it is being made at this very moment, and its report says so.
            && running.gate.shut()
        {
            self.store.note_stuck();
            given_up.push(running.reply.take());
        }
        let late = self.line.iter().take_while(|waiting| waiting.since + PATIENCE <= now).count();
        given_up.extend(self.line.drain(..late).map(|waiting| waiting.reply));
        given_up
    }

    /// Nothing waits for the disk.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.running.is_none() && self.line.is_empty()
    }
}

impl std::fmt::Debug for DiskLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DiskLine({} wait, running: {:?})", self.line.len(), self.running)
    }
}
