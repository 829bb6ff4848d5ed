//! The memory that one connection holds in its queues, and all together.
//!
//! Lives here: `Load` and what is counted by it; what is counted is uncounted when it is dropped.
//! Must not: decide who holds too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that one connection holds.
#[derive(Debug)]
pub(crate) struct Load {
    /// For the client, who has not read it.
    queued: AtomicUsize,
    /// Of the client, not dealt with yet.
    waiting: AtomicUsize,
    /// Of the client, and no message yet.
    partial: AtomicUsize,
    all: Arc<AtomicUsize>,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// For the client.
    Out,
    /// Of the client.
    In,
}

/// Some bytes in a queue, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    load: Arc<Load>,
    queue: Queue,
    bytes: usize,
}

impl Load {
    /// Of a new connection; `all` is the sum.
    pub(crate) fn new(all: Arc<AtomicUsize>) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Self { queued: zero(), waiting: zero(), partial: zero(), all })
    }

    /// Counts what goes into a queue.
    pub(crate) fn hold(self: &Arc<Self>, queue: Queue, bytes: usize) -> Held {
        self.of(queue).fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_add(bytes, Ordering::Relaxed);
        Held { load: Arc::clone(self), queue, bytes }
    }

    /// Bytes came that are no message yet.
    pub(crate) fn read(&self, bytes: usize) {
        self.partial.fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    /// They are.
    pub(crate) fn complete(&self) {
        let bytes = self.partial.swap(0, Ordering::Relaxed);
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes for the client.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// All that this connection holds.
    pub(crate) fn total(&self) -> usize {
        [&self.queued, &self.waiting, &self.partial].into_iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }

    fn of(&self, queue: Queue) -> &AtomicUsize {
        match queue {
            Queue::Out => &self.queued,
            Queue::In => &self.waiting,
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.complete();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.load.of(self.queue).fetch_sub(self.bytes, Ordering::Relaxed);
        self.load.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_uncounted_on_every_way_out() {
        let all = Arc::new(AtomicUsize::new(0));
        let load = Load::new(Arc::clone(&all));
        let (out, came) = (load.hold(Queue::Out, 10), load.hold(Queue::In, 20));
        load.read(5);
        assert_eq!((load.queued(), load.total(), all.load(Ordering::Relaxed)), (10, 35, 35));
        drop(out);
        load.complete();
        load.read(7);
        drop(load);
        assert_eq!(all.load(Ordering::Relaxed), 27, "the last one that is held keeps it");
        drop(came);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
