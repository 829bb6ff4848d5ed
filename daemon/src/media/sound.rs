//! What a call needs of a microphone and a speaker, and the devices behind it.
//!
//! Lives here: the trait between a call's pump and the devices, so that a test can be both.
//! Must not: know a sound library, a packet or a path.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::Moment;
use tokio::sync::watch;

use super::device::{DeviceHandle, DeviceState, Roster, States, Wish, roster};
use crate::values::devices::Found;
use crate::values::media::MediaSettings;

/// The microphone and the speaker of a call, as queues of samples: mono, 48 kHz. Dropping it closes both. What is not written for
/// one of them is as without any device.
///
/// Nothing here waits: devices are opened, watched and closed on a thread of their own.
pub trait Sound: Send {
    /// Read the microphone, or stop reading it: no sample is taken from it until the next `true`.
    fn capture(&mut self, _on: bool) {}

    /// Close microphone and speaker and keep them for later, or take them up again: a call that is held leaves them to others.
    fn rest(&mut self, _resting: bool) {}

    /// Samples that the microphone gave since the last call; returns how many are in `block` now. Zero if there are
    /// none yet, and if there is no microphone.
    fn read(&mut self, _now: Moment, _block: &mut [f32]) -> usize {
        0
    }

    /// How many samples the speaker wants so that it does not run dry; zero if there is no speaker.
    fn wanted(&mut self, _now: Moment) -> usize {
        0
    }

    /// How long after now it is best to read and write again. `missing`: samples of the microphone that complete a frame;
    /// none if it is not read.
    fn due(&mut self, _now: Moment, _missing: Option<usize>) -> Duration {
        IDLE
    }

    /// Samples to play, right after those before.
    fn write(&mut self, _samples: &[f32]) {}

    /// What the speaker really played since the last call, silence where it ran dry too; returns how many samples are in
    /// `block` now. Without it no echo can be cancelled.
    fn played(&mut self, _block: &mut [f32]) -> usize {
        0
    }

    /// Whether the speaker lies at a person's ear, so that the microphone does not hear it.
    fn headset(&mut self) -> bool {
        false
    }
}

/// Opens the sound of a call, with the speaker warm and the microphone not read. Never fails: what is missing is taken
/// up when it comes.
pub type OpenSound = Box<dyn FnMut(&MediaSettings) -> Box<dyn Sound> + Send>;

/// Where there is nothing to read and write the pace of packets is enough.
const IDLE: Duration = Duration::from_millis(20);

/// Handles of devices that no call uses are kept for the next one. More than one call at once is seldom, and a thread begins in a
/// fraction of a millisecond.
const KEPT: usize = 1;

/// The machine's devices, as the media port holds them.
pub struct Devices {
    /// Opens the sound of a call.
    pub open: OpenSound,
    /// What is missing about the devices of all calls.
    pub state: watch::Receiver<DeviceState>,
    /// What a person wants; whatever runs follows within 100 ms.
    pub wishes: watch::Sender<Wish>,
    /// What is there.
    pub roster: Roster,
}

/// The machine's devices. Must be called within a runtime.
pub fn devices(settings: &MediaSettings) -> Devices {
    let (wishes, wish) = watch::channel(settings.wish());
    let roster = roster::follow();
    match lent(wish, roster.found.clone()) {
        Ok((open, state)) => Devices { open, state, wishes, roster },
        Err(error) => {
            tracing::error!(%error, "the thread of the sound devices does not begin");
            let problems = vec!["sound: its thread cannot begin".to_owned()];
            let (_ended, state) = watch::channel(DeviceState { problems, ..DeviceState::default() });
            Devices { open: Box::new(|_| Box::new(NoSound)), state, wishes, roster }
        }
    }
}

/// What opens the sound of calls, and what is missing about all of it. The first thread begins now.
fn lent(
    wish: watch::Receiver<Wish>,
    found: watch::Receiver<Arc<Found>>,
) -> std::io::Result<(OpenSound, watch::Receiver<DeviceState>)> {
    let (back, idle) = sync_channel(KEPT);
    let states = States::default();
    let state = states.read();
    let spawn = move || DeviceHandle::spawn(wish.clone(), found.clone(), Some(states.entry()));
    // The queue is empty and has room for it.
    let _kept = back.try_send(spawn()?);
    Ok((Box::new(move |_settings| lend(&spawn, &idle, &back)), state))
}

fn lend(
    spawn: impl Fn() -> std::io::Result<DeviceHandle>,
    idle: &Receiver<DeviceHandle>,
    back: &SyncSender<DeviceHandle>,
) -> Box<dyn Sound> {
    match idle.try_recv().map_or_else(|_| spawn(), Ok) {
        Ok(mut handle) => {
            handle.warm();
            Box::new(Lent { handle: Some(handle), back: back.clone() })
        }
        Err(error) => {
            tracing::error!(%error, "a second thread for sound devices does not begin");
            Box::new(NoSound)
        }
    }
}

/// Devices in a call. They close with it, but their thread stays for the next.
struct Lent {
    handle: Option<DeviceHandle>,
    back: SyncSender<DeviceHandle>,
}

impl Lent {
    /// The handle is there until it is given back.
    fn with<T: Default>(&mut self, ask: impl FnOnce(&mut DeviceHandle) -> T) -> T {
        self.handle.as_mut().map(ask).unwrap_or_default()
    }
}

impl Sound for Lent {
    fn capture(&mut self, on: bool) {
        self.with(|handle| if on { handle.open_capture() } else { handle.pause_capture() });
    }

    fn rest(&mut self, resting: bool) {
        self.with(|handle| if resting { handle.close() } else { handle.warm() });
    }

    fn read(&mut self, _now: Moment, block: &mut [f32]) -> usize {
        self.with(|handle| handle.read(block))
    }

    fn wanted(&mut self, now: Moment) -> usize {
        self.with(|handle| handle.wanted(now))
    }

    fn due(&mut self, now: Moment, missing: Option<usize>) -> Duration {
        self.with(|handle| handle.due(now, missing))
    }

    fn write(&mut self, samples: &[f32]) {
        self.with(|handle| handle.write(samples));
    }

    fn played(&mut self, block: &mut [f32]) -> usize {
        self.with(|handle| handle.played(block))
    }

    fn headset(&mut self) -> bool {
        self.with(|handle| handle.at_the_ear())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut handle) = self.handle.take() {
            handle.close();
            // Too many for the next call: its thread ends with it.
            let _dropped = self.back.try_send(handle);
        }
    }
}

/// Neither microphone nor speaker.
pub(super) struct NoSound;

impl Sound for NoSound {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::clock;
    use crate::values::devices::Server;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Waits until exactly these troubles are told, by a word of each.
    async fn until_told(state: &mut watch::Receiver<DeviceState>, words: &[&str]) {
        let told = |state: &DeviceState| {
            let problems = &state.problems;
            problems.len() == words.len()
                && words.iter().all(|word| problems.iter().any(|one| one.contains(word)))
        };
        let found = clock::timeout(PATIENCE, state.wait_for(told)).await.map(drop);
        assert!(found.is_ok(), "{words:?} in time, not {:?}", state.borrow().problems);
    }

    #[tokio::test]
    async fn the_troubles_of_a_second_call_and_of_the_next_one_are_told() {
        // A server without any device: nothing is opened.
        let found = Found { server: Server::PulseAudio, ..Found::default() };
        let (_keeps_found, found) = watch::channel(Arc::new(found));
        let (_keeps_wish, wish) = watch::channel(Wish::default());
        let (mut open, mut state) = lent(wish, found).unwrap();
        let settings = MediaSettings::default();
        let first = open(&settings);
        until_told(&mut state, &["loudspeaker"]).await;
        let mut second = open(&settings);
        second.capture(true);
        until_told(&mut state, &["loudspeaker", "microphone"]).await;
        drop(first);
        drop(second);
        until_told(&mut state, &[]).await;
        // Whichever of their threads they get.
        let mut both = [open(&settings), open(&settings)];
        for one in &mut both {
            one.capture(true);
            until_told(&mut state, &["loudspeaker", "microphone"]).await;
            one.capture(false);
            until_told(&mut state, &["loudspeaker"]).await;
        }
    }
}
