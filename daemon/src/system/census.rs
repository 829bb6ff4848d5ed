//! How many tasks live: told to the log when somebody asks with SIGUSR1.
//!
//! Lives here: the answer of one runtime. `make soak` asks, to see whether calls leave tasks behind.
//! Must not: end anything, or be asked by a part of the daemon.

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// Answers for the runtime that it runs in until that ends. `of` is that runtime's word in the log.
pub async fn answer(of: &'static str) {
    let Ok(mut asked) = signal(SignalKind::user_defined1()) else {
        tracing::debug!(of, "nobody can ask how many tasks live");
        return;
    };
    while asked.recv().await.is_some() {
        tracing::info!(of, tasks = Handle::current().metrics().num_alive_tasks(), "tasks that live");
    }
}
