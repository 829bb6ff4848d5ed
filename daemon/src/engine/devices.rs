//! What the engine makes of the sound devices: the rows that are shown, and a person's choice among them.
//!
//! Lives here: who serves which role, what stays shown while it is unplugged, the writing of a choice.
//! Must not: open a device, or know how devices are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::media;
use crate::values::board::DeviceRow;
use crate::values::devices::{Adjust, Device, Flow, Found, Kind, Server};
use crate::values::request::{Answer, Denied, DeniedKind, DeviceRole, Lease};

/// Devices that a ring may sound on at once.
const RINGS: usize = 8;

/// What the engine knows of the sound devices.
#[derive(Debug, Default)]
pub(crate) struct Devices {
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

impl Engine {
    /// The roster of devices is another one.
    pub(crate) fn devices_found(&mut self, found: Arc<Found>) {
        for (device, word) in lost_and_come(&self.hardware.found, &found) {
            tracing::info!(kind = device.kind.word(), word, "a sound device");
        }
        self.hardware.found = found;
        self.refresh();
    }

    /// Brings the rows of devices and the chosen ones up to date.
    pub(crate) fn show_devices(&mut self) {
        let media = &self.config.media;
        let chosen =
            Chosen { input: media.input.as_deref(), output: media.output.as_deref(), ring: &media.ring };
        let rows = self.hardware.rows(&chosen);
        let volumes = self.hardware.found.server == Server::PulseAudio;
        let board = self.show.board();
        board.manager.volumes = volumes;
        if board.devices != rows {
            board.devices = rows;
        }
        board.manager.input_device = media.input.clone().unwrap_or_default();
        board.manager.output_device = media.output.clone().unwrap_or_default();
        board.manager.ring_devices.clone_from(&media.ring);
    }

    /// Chooses devices for a role; none is the system's default. Calls that run go over to them.
    pub(crate) fn set_device(&mut self, role: DeviceRole, ids: &[String]) -> Result<(), Denied> {
        if role != DeviceRole::Ring && ids.len() > 1 {
            let sentence =
                "A call has one microphone and one loudspeaker: name one device, or none for the default.";
            return Err(Denied::new(DeniedKind::InvalidOption, sentence));
        }
        if ids.len() > RINGS {
            let sentence = format!("At most {RINGS} devices can ring at once.");
            return Err(Denied::new(DeniedKind::InvalidOption, sentence));
        }
        let flow = if role == DeviceRole::Input { Flow::Input } else { Flow::Output };
        if let Some(unknown) = ids.iter().find(|id| !self.is_device(flow, id)) {
            return Err(no_device(unknown));
        }
        match role {
            DeviceRole::Input => self.chosen.set_input(&self.written, ids.first().cloned()),
            DeviceRole::Output => self.chosen.set_output(&self.written, ids.first().cloned()),
            DeviceRole::Ring => self.chosen.set_ring(&self.written, ids.to_vec()),
        }
        self.chose();
        Ok(())
    }

    /// Changes a device's volume or mute in the sound server.
    pub(crate) fn adjust_device(&mut self, adjust: Adjust) -> Result<Answer, Denied> {
        if self.hardware.found.device(adjust.flow, &adjust.id).is_none() {
            return Err(no_device(&adjust.id));
        }
        if self.ports.media.device(media::DeviceOrder::Adjust(adjust.clone())).is_err() {
            return Err(Denied::new(DeniedKind::Failed, "The sound server takes no change: try again."));
        }
        // Shown at once; should the server see it otherwise, its word follows.
        let found = Arc::make_mut(&mut self.hardware.found);
        let ours = |device: &&mut Device| device.flow == adjust.flow && device.id == adjust.id;
        if let Some(device) = found.devices.iter_mut().find(ours) {
            device.volume = adjust.volume.unwrap_or(device.volume);
            device.muted = adjust.muted.unwrap_or(device.muted);
        }
        Ok(Answer::Done)
    }

    /// Lets a person hear a loudspeaker, or themselves through a microphone.
    pub(crate) fn test_device(&mut self, flow: Flow, id: &str) -> Result<Answer, Denied> {
        if self.hardware.found.device(flow, id).is_none() {
            return Err(no_device(id));
        }
        if flow == Flow::Input && !self.phone.views().iter().all(|view| view.ended.is_some()) {
            let sentence = "There is a call: a microphone is tested when it is over.";
            return Err(Denied::new(DeniedKind::InvalidState, sentence));
        }
        match self.ports.media.device(media::DeviceOrder::Test { flow, id: id.to_owned() }) {
            Ok(()) => Ok(Answer::Done),
            Err(_) => Err(Denied::new(DeniedKind::Failed, "The test does not begin: try again.")),
        }
    }

    /// Lets a person look whether a microphone hears them.
    pub(crate) fn open_device_levels(&mut self, flow: Flow, id: &str, into: Lease) -> Result<Answer, Denied> {
        if self.hardware.found.device(flow, id).is_none() {
            return Err(no_device(id));
        }
        if flow == Flow::Output {
            let sentence =
                "A loudspeaker has no level of its own here: a call's OpenLevels tells what is played.";
            return Err(Denied::new(DeniedKind::NotSupported, sentence));
        }
        if !self.phone.views().iter().all(|view| view.ended.is_some()) {
            let sentence = "There is a call: its own OpenLevels tells what its microphone gives.";
            return Err(Denied::new(DeniedKind::InvalidState, sentence));
        }
        let order = media::DeviceOrder::Gauge { id: id.to_owned(), into };
        self.ports.media.device(order).map(|()| Answer::Done).map_err(|_| {
            Denied::new(DeniedKind::Failed, "Too many look at levels already: close one and try again.")
        })
    }

    /// A device that is there, or one that was chosen before.
    fn is_device(&self, flow: Flow, id: &str) -> bool {
        let row = |row: &Arc<DeviceRow>| row.device.flow == flow && row.device.id == id;
        self.hardware.found.device(flow, id).is_some() || self.show.shown().devices.iter().any(row)
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
