//! What is known of the sound devices: the rows that are shown, and what a person may choose among them.
//!
//! Lives here: who serves which role, what stays shown while it is unplugged.
//! Must not: open a device; know how devices are found, or the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config;
use crate::values::board::{Board, DeviceRow};
use crate::values::devices::{Adjust, Device, Flow, Found, Kind, Server};
use crate::values::request::{Denied, DeniedKind, DeviceRole};

/// Devices that a ring may sound on at once.
const RINGS: usize = 8;

/// What the engine knows of the sound devices.
#[derive(Debug, Default)]
pub(super) struct Devices {
    found: Arc<Found>,
    /// Chosen devices as they were seen last, so that they keep their names while they are away.
    seen: BTreeMap<(Flow, String), (String, Kind)>,
}

/// What a person has chosen.
struct Chosen<'a> {
    input: Option<&'a str>,
    output: Option<&'a str>,
    ring: &'a [String],
}

impl Chosen<'_> {
    fn has(&self, flow: Flow, id: &str) -> bool {
        match flow {
            Flow::Input => self.input == Some(id),
            Flow::Output => self.output == Some(id) || self.ring.iter().any(|one| one == id),
        }
    }

    /// Every chosen device once.
    fn all(&self) -> Vec<(Flow, &str)> {
        let outputs = self.output.into_iter().chain(self.ring.iter().map(String::as_str));
        let mut all: Vec<(Flow, &str)> = self
            .input
            .into_iter()
            .map(|id| (Flow::Input, id))
            .chain(outputs.map(|id| (Flow::Output, id)))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Devices {
    /// The roster of devices is another one.
    pub(super) fn set(&mut self, found: Arc<Found>) {
        for (device, word) in lost_and_come(&self.found, &found) {
            tracing::info!(kind = device.kind.word(), word, "a sound device");
        }
        self.found = found;
    }

    /// Brings the rows of devices and the chosen ones up to date.
    pub(super) fn show(&mut self, media: &config::Media, board: &mut Board) {
        let chosen =
            Chosen { input: media.input.as_deref(), output: media.output.as_deref(), ring: &media.ring };
        let rows = self.rows(&chosen);
        if board.devices != rows {
            board.devices = rows;
        }
        let manager = &mut board.manager;
        manager.volumes = self.found.server == Server::PulseAudio;
        manager.input_device = media.input.clone().unwrap_or_default();
        manager.output_device = media.output.clone().unwrap_or_default();
        manager.ring_devices.clone_from(&media.ring);
    }

    /// Whether this device is there.
    pub(super) fn present(&self, flow: Flow, id: &str) -> Result<(), Denied> {
        self.found.device(flow, id).map(drop).ok_or_else(|| no_device(id))
    }

    /// Whether these may be chosen for a role; none is the system's default. `shown`: the rows of today, where one that was
    /// chosen before stays.
    pub(super) fn may_choose(
        &self,
        role: DeviceRole,
        ids: &[String],
        shown: &[Arc<DeviceRow>],
    ) -> Result<(), Denied> {
        let too_many = |sentence: String| Err(Denied::new(DeniedKind::InvalidOption, sentence));
        if role != DeviceRole::Ring && ids.len() > 1 {
            return too_many(
                "A call has one microphone and one loudspeaker: name one device, or none for the default."
                    .into(),
            );
        }
        if ids.len() > RINGS {
            return too_many(format!("At most {RINGS} devices can ring at once."));
        }
        let flow = if role == DeviceRole::Input { Flow::Input } else { Flow::Output };
        let is = |id: &str, device: &Device| device.flow == flow && device.id == id;
        let known = |id: &str| self.present(flow, id).is_ok() || shown.iter().any(|row| is(id, &row.device));
        ids.iter().find(|id| !known(id)).map_or(Ok(()), |unknown| Err(no_device(unknown)))
    }

    /// A device was changed. Shown at once; should the server see it otherwise, its word follows.
    pub(super) fn adjusted(&mut self, adjust: &Adjust) {
        let ours = |device: &&mut Device| device.flow == adjust.flow && device.id == adjust.id;
        if let Some(device) = Arc::make_mut(&mut self.found).devices.iter_mut().find(ours) {
            device.volume = adjust.volume.unwrap_or(device.volume);
            device.muted = adjust.muted.unwrap_or(device.muted);
        }
    }

    /// The devices that are there, and the chosen ones that are not.
    fn rows(&mut self, chosen: &Chosen<'_>) -> Vec<Arc<DeviceRow>> {
        let found = Arc::clone(&self.found);
        self.seen.retain(|(flow, id), _| chosen.has(*flow, id));
        for device in found.devices.iter().filter(|device| chosen.has(device.flow, &device.id)) {
            let key = (device.flow, device.id.clone());
            self.seen.insert(key, (device.name.clone(), device.kind));
        }
        let there = found.devices.iter().map(|device| (device.clone(), true));
        let away = chosen.all().into_iter().filter(|(flow, id)| found.device(*flow, id).is_none());
        let away = away.map(|(flow, id)| {
            let seen = self.seen.get(&(flow, id.to_owned())).cloned();
            let (name, kind) = seen.unwrap_or_else(|| (id.to_owned(), Kind::Other));
            let id = id.to_owned();
            (Device { id, name, flow, kind, default: false, volume: 1.0, muted: false }, false)
        });
        let is = |device: &Device, serving: Option<&Device>| {
            serving.is_some_and(|one| one.flow == device.flow && one.id == device.id)
        };
        let rows = there.chain(away).map(|(device, present)| {
            let mut roles = Vec::new();
            if is(&device, found.serving(Flow::Input, chosen.input)) {
                roles.push("input");
            }
            if is(&device, found.serving(Flow::Output, chosen.output)) {
                roles.push("output");
            }
            if found.ringing(chosen.ring).iter().any(|one| is(&device, Some(one))) {
                roles.push("ring");
            }
            Arc::new(DeviceRow { device, present, roles })
        });
        rows.collect()
    }
}

fn no_device(id: &str) -> Denied {
    let sentence = format!("No such device is there: \"{id}\". `ahoyctl device` shows them all.");
    Denied::new(DeniedKind::NoSuchDevice, sentence)
}

/// For the log: what went and what came.
fn lost_and_come<'a>(before: &'a Found, after: &'a Found) -> Vec<(&'a Device, &'static str)> {
    let missing = |from: &'a Found, of: &'a Found, word| {
        let not_there = |device: &&Device| of.device(device.flow, &device.id).is_none();
        from.devices.iter().filter(not_there).map(move |device| (device, word)).collect::<Vec<_>>()
    };
    [missing(before, after, "went"), missing(after, before, "came")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, flow: Flow, default: bool) -> Device {
        let (id, name) = (id.to_owned(), format!("The {id}"));
        Device { id, name, flow, kind: Kind::Headset, default, volume: 1.0, muted: false }
    }

    fn shown(rows: &[Arc<DeviceRow>]) -> Vec<(String, bool, String)> {
        rows.iter().map(|row| (row.device.name.clone(), row.present, row.roles.join(" "))).collect()
    }

    fn row(name: &str, present: bool, roles: &str) -> (String, bool, String) {
        (name.to_owned(), present, roles.to_owned())
    }

    #[test]
    fn a_chosen_device_that_is_unplugged_stays_with_its_name_and_its_roles_go_to_the_default() {
        let (speaker, headset) =
            (device("speaker", Flow::Output, true), device("headset", Flow::Output, false));
        let mic = device("mic", Flow::Input, true);
        let all = Found {
            server: Server::PulseAudio,
            devices: vec![speaker.clone(), headset, mic.clone()],
            ..Found::default()
        };
        let less = Found { server: Server::PulseAudio, devices: vec![speaker, mic], ..Found::default() };
        let ring = ["headset".to_owned(), "speaker".to_owned()];
        let chosen = Chosen { input: None, output: Some("headset"), ring: &ring };
        let mut hardware = Devices { found: Arc::new(all), ..Devices::default() };
        let both = [
            row("The speaker", true, "ring"),
            row("The headset", true, "output ring"),
            row("The mic", true, "input"),
        ];
        assert_eq!(shown(&hardware.rows(&chosen)), both);
        let plugged = std::mem::replace(&mut hardware.found, Arc::new(less));
        let away = hardware.rows(&chosen);
        let left = [
            row("The speaker", true, "output ring"),
            row("The mic", true, "input"),
            row("The headset", false, ""),
        ];
        assert_eq!(shown(&away), left);
        assert_eq!(away[2].device.kind, Kind::Headset, "it is still known for what it is");
        hardware.found = plugged;
        assert_eq!(shown(&hardware.rows(&chosen)), both, "it takes over again");
    }

    #[test]
    fn an_unplugged_device_that_nobody_chose_is_not_shown() {
        let mut hardware = Devices::default();
        hardware.seen.insert((Flow::Output, "old".to_owned()), ("Old".to_owned(), Kind::Other));
        let none = Chosen { input: None, output: None, ring: &[] };
        assert!(hardware.rows(&none).is_empty() && hardware.seen.is_empty());
        let unseen = Chosen { input: Some("never.seen"), output: None, ring: &[] };
        assert_eq!(shown(&hardware.rows(&unseen)), [row("never.seen", false, "")]);
    }
}
