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
        tokio::spawn(tell(state, found.clone(), ringer.trouble(), reports));
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

    /// A call needs the microphone.
    pub(super) fn make_way(&mut self) {
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
