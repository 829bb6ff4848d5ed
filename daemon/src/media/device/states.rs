//! What is said of all devices that calls use, whichever thread has them.
//!
//! Lives here: one state, merged of what each handle says, while it says anything.
//! Must not: know what a handle does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::DeviceState;
use crate::system::level;

/// Collects what handles say.
#[derive(Clone, Debug)]
pub struct States {
    each: Arc<watch::Sender<BTreeMap<u64, DeviceState>>>,
    merged: Arc<watch::Sender<DeviceState>>,
    next: Arc<AtomicU64>,
}

impl Default for States {
    fn default() -> Self {
        Self {
            each: Arc::new(watch::channel(BTreeMap::new()).0),
            merged: Arc::new(watch::channel(DeviceState::default()).0),
            next: Arc::default(),
        }
    }
}

impl States {
    /// All of it, now and at each change.
    pub fn read(&self) -> watch::Receiver<DeviceState> {
        self.merged.subscribe()
    }

    /// One more handle, which says nothing yet.
    pub fn entry(&self) -> Entry {
        Entry { of: self.clone(), key: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    fn set(&self, key: u64, state: Option<&DeviceState>) {
        // Merged while the map is held: two handles that speak at once cannot overtake each other.
        self.each.send_modify(|each| {
            match state {
                Some(state) => each.insert(key, state.clone()),
                None => each.remove(&key),
            };
            level::set(&self.merged, merge(each.values()));
        });
    }
}

/// What one handle says; nothing any more when it is dropped.
#[derive(Debug)]
pub struct Entry {
    of: States,
    key: u64,
}

impl Entry {
    /// It says this now.
    pub(super) fn set(&self, state: &DeviceState) {
        // One that rests says nothing.
        self.of.set(self.key, Some(state).filter(|state| **state != DeviceState::default()));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.of.set(self.key, None);
    }
}

/// Every trouble once; the devices of the newest handle that has any.
fn merge<'a>(each: impl Iterator<Item = &'a DeviceState>) -> DeviceState {
    let mut all = DeviceState::default();
    for state in each {
        all.playing |= state.playing;
        all.capturing |= state.capturing;
        all.starved |= state.starved;
        all.input = state.input.clone().or(all.input);
        all.output = state.output.clone().or(all.output);
        let new = state.problems.iter().filter(|problem| !all.problems.contains(problem));
        let new: Vec<String> = new.cloned().collect();
        all.problems.extend(new);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(sentences: &[&str]) -> DeviceState {
        DeviceState {
            problems: sentences.iter().map(|one| (*one).to_owned()).collect(),
            ..DeviceState::default()
        }
    }

    #[test]
    fn the_troubles_of_every_handle_are_shown_while_it_has_them() {
        let states = States::default();
        let mut read = states.read();
        let (first, second) = (states.entry(), states.entry());
        second.set(&trouble(&["no microphone"]));
        assert_eq!(read.borrow_and_update().problems, ["no microphone"], "not only the first handle's");
        first.set(&trouble(&["no loudspeaker", "no microphone"]));
        assert_eq!(read.borrow_and_update().problems, ["no loudspeaker", "no microphone"], "each once");
        first.set(&DeviceState::default());
        assert_eq!(read.borrow_and_update().problems, ["no microphone"], "what rests says nothing");
        drop(second);
        assert!(read.borrow_and_update().problems.is_empty(), "nor what is gone");
        drop(first);
        assert!(!read.has_changed().unwrap(), "nothing is new");
    }
}
