//! A person tries a device: two notes on a loudspeaker, or three seconds of themselves from a microphone.
//!
//! Lives here: the notes, the recording, and the end of both.
//! Must not: be used in a call, or keep what was recorded.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::watch;

use super::{Clip, DeviceHandle, Speakers, Wish};
use crate::media::codec::RATE;
use crate::system::clock;
use crate::values::devices::{Flow, Found};

/// How long a microphone is listened to.
const LISTEN: Duration = Duration::from_secs(3);
/// How often what it gave is taken.
const TURN: Duration = Duration::from_millis(20);
/// What the devices still hold when the last sample was taken.
const TAIL: Duration = Duration::from_millis(500);
/// One of the two notes.
const NOTE: Duration = Duration::from_millis(350);

/// Tries devices, one at a time. Dropping it ends the trial.
#[derive(Debug)]
pub struct Trial {
    speakers: Speakers,
    wish: watch::Receiver<Wish>,
    found: watch::Receiver<Arc<Found>>,
    /// Dropped to end a recording.
    recording: Option<SyncSender<()>>,
}

impl Trial {
    /// `wish` and `found`: as calls have them.
    pub fn new(wish: watch::Receiver<Wish>, found: watch::Receiver<Arc<Found>>) -> Self {
        Self { speakers: Speakers::new(found.clone()), wish, found, recording: None }
    }

    /// Begins with this device; what was tried before ends. `false` if the thread of a recording does not begin.
    pub fn begin(&mut self, flow: Flow, id: String) -> bool {
        self.recording = None;
        self.speakers.stop();
        match flow {
            Flow::Output => {
                self.speakers.play(notes(), &[id], 1.0);
                true
            }
            Flow::Input => {
                let (keep, ended) = sync_channel(1);
                let (wish, found) = (self.wish.clone(), self.found.clone());
                let run = move || echo(id, &wish.borrow().clone(), found, &ended);
                let begun = std::thread::Builder::new().name("trial".into()).spawn(run).is_ok();
                self.recording = Some(keep).filter(|_| begun);
                begun
            }
        }
    }
}

/// Two notes, rising, without a click.
fn notes() -> Clip {
    let length = NOTE.as_secs_f32();
    let fade = |t: f32| (t / 0.02).min((length - t) / 0.08).clamp(0.0, 1.0);
    let note = |hertz: f32| {
        (0_u16..)
            .map(|n| f32::from(n) / 48_000.0)
            .take_while(move |t| *t < length)
            .map(move |t| 0.25 * fade(t) * (TAU * hertz * t).sin())
    };
    Clip { samples: note(523.25).chain(note(783.99)).collect(), repeat: false }
}

/// Three seconds from the microphone, then to the loudspeaker of calls.
fn echo(id: String, wish: &Wish, found: watch::Receiver<Arc<Found>>, ended: &Receiver<()>) {
    let (_keeps, wished) = watch::channel(Wish { input: Some(id), ..wish.clone() });
    let mut handle = match DeviceHandle::spawn(wished, found.clone(), None) {
        Ok(handle) => handle,
        Err(error) => return tracing::warn!(%error, "a microphone cannot be tried"),
    };
    let waits = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    handle.open_capture();
    let until = clock::now() + LISTEN;
    let (mut taken, mut block) = (Vec::new(), [0.0; 4_800]);
    while clock::now() < until {
        if !waits(TURN) {
            return;
        }
        // At most what the time holds: the loop's own end bounds it.
        while let count @ 1.. = handle.read(&mut block) {
            taken.extend_from_slice(&block[..count]);
        }
    }
    drop(handle);
    if taken.is_empty() {
        return tracing::warn!("the microphone gave nothing");
    }
    let lasts = Duration::from_secs(taken.len() as u64) / RATE;
    let mut speakers = Speakers::new(found);
    let on: Vec<String> = wish.output.iter().cloned().collect();
    speakers.play(Clip { samples: taken.into(), repeat: false }, &on, 1.0);
    // Whether the time is over or the trial: the sound ends here.
    let _over = waits(lasts + TAIL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_notes_begin_and_end_softly_and_stay_within_bounds() {
        let samples = notes().samples;
        assert!((33_000..34_000).contains(&samples.len()), "{}", samples.len());
        assert!(samples.iter().all(|sample| sample.abs() <= 0.25));
        let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.fold(0.0, f32::max) < 0.03, "a click");
    }
}
