//! One thread that changes files, in the order in which it was told, so that nobody else waits for a disk.
//!
//! Lives here: the thread and its queue, and the gate by which a change that was given up is not made after all.
//! Must not: know what is written, or who asks.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::system::{failpoint, level};

/// Changes that may wait for a slow disk; more are refused.
const QUEUE: usize = 256;
/// How long the end of the daemon waits for what is queued.
const AT_THE_END: Duration = Duration::from_secs(2);

/// What is said while a change waits longer than a person does.
const STUCK: &str = "the disk does not answer: contacts and settings cannot be changed";

/// What is to be done there.
pub type Job = Box<dyn FnOnce() + Send>;

/// Hands changes to the thread. Never waits.
#[derive(Clone)]
pub struct Store {
    orders: SyncSender<Option<Job>>,
    problem: watch::Sender<String>,
}

/// The thread's life; whoever holds it ends it.
pub struct StoreThread {
    orders: SyncSender<Option<Job>>,
    ended: Receiver<()>,
}

/// More wait than the queue takes: the disk does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much waits for the disk already")]
pub struct StoreFull;

impl Store {
    /// Begins the thread.
    pub fn spawn() -> io::Result<(Self, StoreThread)> {
        let (orders, inbox) = sync_channel::<Option<Job>>(QUEUE);
        let (end, ended) = sync_channel(1);
        std::thread::Builder::new().name("store".into()).spawn(move || {
            while let Ok(Some(job)) = inbox.recv() {
                failpoint::disk();
                job();
            }
            let _nobody_may_be_waiting = end.try_send(());
        })?;
        let store = Self { orders: orders.clone(), problem: watch::Sender::new(String::new()) };
        Ok((store, StoreThread { orders, ended }))
    }

    /// Does this there, after all that was told before.
    pub fn run(&self, job: Job) -> Result<(), StoreFull> {
        self.orders.try_send(Some(job)).map_err(|_| StoreFull)
    }

    /// A sentence while the last change failed; empty when all is well.
    pub fn problem(&self) -> watch::Receiver<String> {
        self.problem.subscribe()
    }

    /// How a change of the file at `path` went. One that was given up says nothing: whoever waited has said so.
    pub fn note(&self, path: &Path, result: &io::Result<()>) {
        self.say(match result {
            Ok(()) => String::new(),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return,
            Err(error) => format!("{} cannot be written: {error}", path.parent().unwrap_or(path).display()),
        });
    }

    /// The disk has not answered for a while.
    pub fn note_stuck(&self) {
        self.say(STUCK.to_owned());
    }

    /// It answers.
    pub fn note_awake(&self) {
        self.problem.send_if_modified(|now| {
            now == STUCK && {
                now.clear();
                true
            }
        });
    }

    fn say(&self, sentence: String) {
        level::set(&self.problem, sentence);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl StoreThread {
    /// Waits until what is queued is done, for two seconds at most: a disk that hangs does not hold the daemon.
    pub fn end(self) {
        let told = self.orders.try_send(None).is_ok();
        if !told || self.ended.recv_timeout(AT_THE_END).is_err() {
            tracing::warn!("the disk did not take everything in time");
        }
    }
}

/// A change goes through its gate right before it becomes real. Until then whoever waits may shut it, and then it is never
/// made: what a person was told did not happen does not happen later.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<OnceLock<bool>>);

impl Gate {
    /// On the thread: from here on the change is made. An error of kind `TimedOut` if it was given up before; passing
    /// again is free.
    pub fn pass(&self) -> io::Result<()> {
        if *self.0.get_or_init(|| true) { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    /// Gives the change up; false if it is being made already, and then its report will come.
    pub fn shut(&self) -> bool {
        !self.0.get_or_init(|| false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_either_made_or_given_up_and_never_both() {
        let gate = Gate::default();
        assert!(gate.pass().is_ok() && gate.pass().is_ok(), "a change of several files passes once");
        assert!(!gate.shut(), "too late");
        let gate = Gate::default();
        assert!(gate.shut() && gate.shut());
        assert_eq!(gate.pass().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn jobs_are_done_in_order_and_the_end_waits_for_them() {
        let (store, thread) = Store::spawn().unwrap();
        let (tell, told) = sync_channel(3);
        for number in 1..=3 {
            let tell = tell.clone();
            store.run(Box::new(move || tell.send(number).unwrap())).unwrap();
        }
        thread.end();
        assert_eq!(told.try_iter().collect::<Vec<i32>>(), [1, 2, 3]);
    }

    #[test]
    fn a_queue_that_is_full_refuses_and_nobody_waits() {
        let (store, thread) = Store::spawn().unwrap();
        let (go, wait) = sync_channel::<()>(0);
        store.run(Box::new(move || assert!(wait.recv().is_err()))).unwrap();
        let taken = (0..QUEUE * 2).take_while(|_| store.run(Box::new(|| {})).is_ok()).count();
        assert!((QUEUE - 1..=QUEUE + 1).contains(&taken), "{taken}");
        drop(go);
        drop(thread);
    }
}
