//! The sound devices beside the calls: the ringer, what a person tries and looks at, what is plugged in.
//!
//! Lives here: what an order means to them, and what is told of them while there is no call.
//! Must not: know a call, or the media thread.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Refused;
use crate::media::device::{self, DeviceState, Gauges, Roster, Trial, Wish};
use crate::media::ring::{self, Ringer, Sounding};
use crate::media::{DeviceOrder, OpenSound, Report, sound};
use crate::system::level;
use crate::system::priority::{self, Standing, Why};
use crate::values::devices::Found;
use crate::values::media::MediaSettings;

pub(super) struct Beside {
    /// For sounds that are no voice.
    ringer: Ringer,
    /// The wish that calls follow.
    wishes: watch::Sender<Wish>,
    /// What is there.
    roster: Roster,
    /// What a person tries.
    trial: Trial,
    /// What a person looks at.
    gauges: Gauges,
}

impl Beside {
    /// The machine's devices, and what opens the sound of calls on them. Must be called within a runtime.
    pub(super) fn spawn(settings: &MediaSettings, reports: mpsc::Sender<Report>) -> (Self, OpenSound) {
        let sound::Devices { open, state, wishes, roster } = sound::devices(settings);
        let found = &roster.found;
        let ringer = Ringer::new(settings.clone(), found.clone());
        #[expect(clippy::disallowed_methods, reason = "the media port's own task; it ends with the devices")]
        tokio::spawn(tell(state.clone(), found.clone(), ringer.trouble(), reports.clone()));
        let (given, standing) = watch::channel(Standing::default());
        #[expect(clippy::disallowed_methods, reason = "the media port's own task; it ends with the next")]
        tokio::spawn(priority::serve(given));
        #[expect(clippy::disallowed_methods, reason = "the media port's own task; it ends with the devices")]
        tokio::spawn(note(state, standing, reports));
        let (trial, gauges) = (Trial::new(wishes.subscribe(), found.clone()), Gauges::new(found.clone()));
        (Self { ringer, wishes, roster, trial, gauges }, open)
    }

    /// Other settings are in force.
    pub(super) fn set(&mut self, settings: &MediaSettings) {
        self.ringer.set(settings);
        level::set(&self.wishes, settings.wish());
    }

    /// This sounds now, if it is not heard within a call.
    pub(super) fn sound(&mut self, sounding: Option<Sounding>) {
        self.ringer.sound(sounding.filter(|one| ring::in_call(one.tone).is_none()));
    }

    pub(super) fn order(&mut self, order: DeviceOrder) -> Result<(), Refused> {
        let (taken, refused) = match order {
            DeviceOrder::Adjust(adjust) => (self.roster.adjust(adjust), Refused::Full),
            DeviceOrder::Test { flow, id } => (self.trial.begin(flow, id), Refused::Gone),
            DeviceOrder::Gauge { id, into } => (self.gauges.begin(id, into), Refused::Full),
        };
        if taken { Ok(()) } else { Err(refused) }
    }

    /// A call needs the microphone, and priority.
    pub(super) fn make_way(&mut self) {
        priority::ask();
        self.gauges.end();
    }
}

/// Passes on what the devices say, and what their absence means without a call.
async fn tell(
    mut state: watch::Receiver<DeviceState>,
    mut found: watch::Receiver<Arc<Found>>,
    mut ring: watch::Receiver<Option<String>>,
    reports: mpsc::Sender<Report>,
) {
    let (mut told, mut shown) = (Vec::new(), Arc::default());
    loop {
        let mut problems = state.borrow_and_update().problems.clone();
        let now = Arc::clone(&found.borrow_and_update());
        if problems.is_empty() {
            problems.extend(device::missing(&now));
        }
        problems.extend(ring.borrow_and_update().clone());
        if problems != told {
            told.clone_from(&problems);
            if reports.send(Report::Problems(problems)).await.is_err() {
                return;
            }
        }
        if now != shown {
            shown = Arc::clone(&now);
            if reports.send(Report::Devices(now)).await.is_err() {
                return;
            }
        }
        let changed = tokio::select! {
            changed = state.changed() => changed,
            changed = found.changed() => changed,
            changed = ring.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Tells what the system does not give to sound, where that is heard. It stands until the next call sounds.
async fn note(
    mut state: watch::Receiver<DeviceState>,
    mut standing: watch::Receiver<Standing>,
    reports: mpsc::Sender<Report>,
) {
    let (mut told, mut playing, mut starved) = (None, false, false);
    loop {
        {
            let state = state.borrow_and_update();
            starved = state.starved || starved && (playing || !state.playing);
            playing = state.playing;
        }
        let now = missing_priority(*standing.borrow_and_update(), starved);
        if now != told {
            told = now;
            if reports.send(Report::Notes(now.map(str::to_owned).into_iter().collect())).await.is_err() {
                return;
            }
        }
        let changed = tokio::select! {
            changed = state.changed() => changed,
            changed = standing.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn missing_priority(standing: Standing, starved: bool) -> Option<&'static str> {
    let sentence = match standing {
        Standing::RealTime => return None,
        Standing::RanAway => {
            return Some("A thread of sound computed without a pause and lost its real-time priority.");
        }
        Standing::High(_) => {
            "Sound stutters on this busy machine: the system gave it high priority, not a real-time one."
        }
        Standing::Plain(Why::Refused) => {
            "Sound stutters on this busy machine: the system refused it real-time priority (rtkit)."
        }
        Standing::Plain(Why::Absent) => {
            "Sound stutters on this busy machine: nothing gives it real-time priority; rtkit would."
        }
    };
    starved.then_some(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call whose sound stutters, or not.
    fn plays(starved: bool) -> DeviceState {
        DeviceState { playing: true, starved, ..DeviceState::default() }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_missing_priority_is_told_when_it_is_heard_and_until_the_next_call_sounds() {
        let (devices, state) = watch::channel(plays(false));
        let (given, standing) = watch::channel(Standing::High(Why::Refused));
        let (reports, mut told) = mpsc::channel(8);
        let noting = note(state, standing, reports);
        let story = async {
            // Nothing is told of what came before: the note would come first.
            tokio::task::yield_now().await;
            given.send_replace(Standing::Plain(Why::Refused));
            tokio::task::yield_now().await;
            assert!(told.try_recv().is_err(), "nobody hears it");
            devices.send_replace(plays(true));
            assert_eq!(told.recv().await.and_then(sentences), Some(1));
            devices.send_replace(DeviceState::default());
            tokio::task::yield_now().await;
            assert!(told.try_recv().is_err(), "it stands while nothing plays");
            devices.send_replace(plays(false));
            assert_eq!(told.recv().await.and_then(sentences), Some(0), "the next call sounds");
            given.send_replace(Standing::RanAway);
            assert_eq!(told.recv().await.and_then(sentences), Some(1), "whether it is heard or not");
        };
        tokio::select! {
            // After each step of the story it hears of that one.
            biased;
            () = noting => unreachable!("it ends with the devices"),
            () = story => {}
        }
    }

    fn sentences(report: Report) -> Option<usize> {
        if let Report::Notes(notes) = report { Some(notes.len()) } else { None }
    }
}
