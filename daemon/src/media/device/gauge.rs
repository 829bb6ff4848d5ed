//! A person looks whether a microphone hears them, without a call.
//!
//! Lives here: a microphone that is open while somebody reads its level, and not a moment longer.
//! Must not: be used in a call, or keep what was heard.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::{DeviceHandle, Wish};
use crate::media::levels::Levels;
use crate::system::clock;
use crate::values::devices::Found;
use crate::values::request::Lease;

/// Nobody needs to look at more at once.
const MOST: usize = 4;
/// How often what a microphone gave is taken.
const TURN: Duration = Duration::from_millis(20);

/// Microphones that are looked at. Dropping it ends that.
#[derive(Debug)]
pub struct Gauges {
    found: watch::Receiver<Arc<Found>>,
    running: Vec<(SyncSender<()>, JoinHandle<()>)>,
}

impl Gauges {
    /// `found`: what is there.
    pub fn new(found: watch::Receiver<Arc<Found>>) -> Self {
        Self { found, running: Vec::new() }
    }

    /// Writes how loud this microphone is into the pipe, until its other end is closed. `false` if there are too many.
    pub fn begin(&mut self, id: String, into: Lease) -> bool {
        self.running.retain(|(_, thread)| !thread.is_finished());
        if self.running.len() >= MOST {
            return false;
        }
        let (keep, ended) = sync_channel(1);
        let found = self.found.clone();
        let run = move || look(&id, found, into, &ended);
        let begun = std::thread::Builder::new().name("gauge".into()).spawn(run);
        begun.map(|thread| self.running.push((keep, thread))).is_ok()
    }

    /// A call needs the microphone: all pipes are closed within a moment.
    pub fn end(&mut self) {
        self.running.clear();
    }
}

fn look(id: &str, found: watch::Receiver<Arc<Found>>, into: Lease, ended: &Receiver<()>) {
    let (_keeps, wished) = watch::channel(Wish { input: Some(id.to_owned()), output: None });
    let mut handle = match DeviceHandle::spawn(wished, found, None) {
        Ok(handle) => handle,
        Err(error) => return tracing::warn!(%error, "a microphone cannot be looked at"),
    };
    let state = handle.state();
    handle.open_capture();
    let (mut levels, mut block) = (Levels::default(), [0.0; 960]);
    levels.add(into);
    while levels.on() && matches!(ended.recv_timeout(TURN), Err(RecvTimeoutError::Timeout)) {
        // While it is unplugged another one may stand in for it: that one was not asked for.
        let ours = state.borrow().input.as_ref().is_some_and(|device| device.id == id);
        while let count @ 1.. = handle.read(&mut block) {
            if ours {
                levels.input(&block[..count]);
            }
        }
        levels.tell(clock::now());
    }
}
