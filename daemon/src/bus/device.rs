//! `org.ahoyd.Calls1.AudioDevice`, one object for each sound device.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use std::sync::Arc;

use zbus::{OwnedFd, fdo, interface};

use super::call::levels_pipe;
use super::engine_handle::EngineHandle;
use super::fault::Fault;
use super::names;
use super::options::{Dictionary, Options};
use super::shown::AudioDevice;
use crate::values::board::DeviceRow;
use crate::values::devices::{Adjust, Flow};
use crate::values::request::{Denied, DeniedKind, DeviceRole, Request};

/// The object of a device. What changes is read from the board.
#[derive(Clone, Debug)]
pub(super) struct DeviceObject {
    engine: EngineHandle,
    id: String,
    flow: Flow,
}

#[interface(name = "org.ahoyd.Calls1.AudioDevice", spawn = false, introspection_docs = false)]
impl DeviceObject {
    async fn r#use(&self, role: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let role = parse_role(&role)?;
        self.engine.done(Request::SetDevice { role, ids: vec![self.id.clone()] }).await
    }

    async fn test(&self, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.engine.done(Request::TestDevice { flow: self.flow, id: self.id.clone() }).await
    }

    #[zbus(out_args("levels"))]
    async fn open_levels(&self, options: Dictionary) -> Result<OwnedFd, Fault> {
        Options::none(options)?;
        let (reader, into) = levels_pipe()?;
        let request = Request::OpenDeviceLevels { flow: self.flow, id: self.id.clone(), into };
        self.engine.done(request).await?;
        Ok(reader)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> String {
        self.id.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn direction(&self) -> &'static str {
        names::flow(self.flow)
    }

    #[zbus(property)]
    fn name(&self) -> fdo::Result<String> {
        Ok(self.now()?.name)
    }

    #[zbus(property)]
    fn kind(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.kind)
    }

    #[zbus(property)]
    fn present(&self) -> fdo::Result<bool> {
        Ok(self.now()?.present)
    }

    #[zbus(property)]
    fn default(&self) -> fdo::Result<bool> {
        Ok(self.now()?.default)
    }

    #[zbus(property)]
    fn roles(&self) -> fdo::Result<Vec<String>> {
        Ok(self.now()?.roles)
    }

    // The library would emit a second signal after a `Set`: these two are told by the publication alone.
    #[zbus(property(emits_changed_signal = "false"))]
    fn volume(&self) -> fdo::Result<f64> {
        Ok(self.now()?.volume)
    }

    #[zbus(property)]
    fn set_volume(&self, volume: f64) -> Result<(), Fault> {
        self.adjust(Some(volume), None)
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn muted(&self) -> fdo::Result<bool> {
        Ok(self.now()?.muted)
    }

    #[zbus(property)]
    fn set_muted(&self, muted: bool) -> Result<(), Fault> {
        self.adjust(None, Some(muted))
    }
}

impl DeviceObject {
    /// An object for this device.
    pub(super) fn new(engine: EngineHandle, row: &DeviceRow) -> Self {
        Self { engine, id: row.device.id.clone(), flow: row.device.flow }
    }

    fn now(&self) -> fdo::Result<AudioDevice> {
        let board = self.engine.board();
        let ours = |row: &&Arc<DeviceRow>| row.device.flow == self.flow && row.device.id == self.id;
        let row = board.devices.iter().find(ours);
        row.map(|row| AudioDevice::of(row))
            .ok_or_else(|| fdo::Error::UnknownObject("The device is gone.".to_owned()))
    }

    /// Does not wait for the answer: the library holds a lock on the whole tree meanwhile, and a publication that adds a call
    /// would wait for it. What can be refused is refused here.
    fn adjust(&self, volume: Option<f64>, muted: Option<bool>) -> Result<(), Fault> {
        if volume.is_some_and(|volume| !(0.0..=1.5).contains(&volume)) {
            return Err(Denied::new(DeniedKind::InvalidOption, "A volume lies between 0 and 1.5.").into());
        }
        if !self.now().is_ok_and(|now| now.present) {
            return Err(Denied::new(DeniedKind::NoSuchDevice, "The device is not there: plug it in.").into());
        }
        if !self.engine.board().manager.volumes {
            let sentence = "Nothing here can change a volume: no sound server offers it.";
            return Err(Denied::new(DeniedKind::NotSupported, sentence).into());
        }
        let adjust = Adjust { id: self.id.clone(), flow: self.flow, volume, muted };
        self.engine.send(Request::AdjustDevice(adjust)).map(|_unheard| ())
    }
}

/// A role by its word.
pub(super) fn parse_role(word: &str) -> Result<DeviceRole, Fault> {
    match word {
        "input" => Ok(DeviceRole::Input),
        "output" => Ok(DeviceRole::Output),
        "ring" => Ok(DeviceRole::Ring),
        _ => Err(Fault::arguments("The role is 'input', 'output' or 'ring'.")),
    }
}
