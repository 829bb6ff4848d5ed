//! `org.ahoyd.Calls1.AudioDevice`, one object for each sound device.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use std::sync::Arc;

use zbus::{OwnedFd, Variant, fdo, interface};

use super::call::levels_pipe;
use super::engine_handle::EngineHandle;
use super::fault::Fault;
use super::object::{self, Object, Properties};
use super::options::{Dictionary, Options};
use super::shown;
use crate::values::board::DeviceRow;
use crate::values::devices::{Adjust, Flow};
use crate::values::request::{Denied, DeniedKind, DeviceRequest, DeviceRole};

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
        self.engine.done(DeviceRequest::Choose { role, ids: vec![self.id.clone()] }).await
    }

    async fn test(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.plain(options, DeviceRequest::Test(self.flow, self.id.clone())).await
    }

    #[zbus(out_args("levels"))]
    async fn open_levels(&self, options: Dictionary) -> Result<OwnedFd, Fault> {
        Options::none(options)?;
        let (reader, into) = levels_pipe()?;
        let request = DeviceRequest::OpenLevels(self.flow, self.id.clone(), into);
        self.engine.done(request).await?;
        Ok(reader)
    }
}

impl Object for DeviceObject {
    const SETTABLE: &'static [&'static str] = &["Volume", "Muted"];
    // The annotation was so when these two were published, and stays: the publication tells each change.
    const SETTABLE_EMIT: bool = false;

    fn constant(&self) -> Properties {
        Properties::from([("Id", self.id.clone().into()), ("Direction", self.flow.word().into())])
    }

    fn changing(&self) -> fdo::Result<Properties> {
        self.row().map(|row| shown::device(&row))
    }

    async fn set_property(&self, property: &str, value: &Variant<'_>) -> Result<(), Fault> {
        match (property, value) {
            ("Volume", Variant::F64(volume)) => self.adjust(Some(*volume), None),
            ("Muted", Variant::Bool(muted)) => self.adjust(None, Some(*muted)),
            ("Volume", _) => Err(object::mistyped(property, "a number (d)", value)),
            _ => Err(object::mistyped(property, "a boolean", value)),
        }
    }
}

impl DeviceObject {
    /// An object for this device.
    pub(super) fn new(engine: EngineHandle, row: &DeviceRow) -> Self {
        Self { engine, id: row.device.id.clone(), flow: row.device.flow }
    }

    fn row(&self) -> fdo::Result<Arc<DeviceRow>> {
        let board = self.engine.board();
        let ours = |row: &&Arc<DeviceRow>| row.device.flow == self.flow && row.device.id == self.id;
        let row = board.devices.iter().find(ours).cloned();
        row.ok_or_else(|| fdo::Error::UnknownObject("The device is gone.".to_owned()))
    }

    /// Does not wait for the answer: the library holds a lock on the whole tree meanwhile, and a publication that adds a call
    /// would wait for it. What can be refused is refused here.
    fn adjust(&self, volume: Option<f64>, muted: Option<bool>) -> Result<(), Fault> {
        if volume.is_some_and(|volume| !(0.0..=1.5).contains(&volume)) {
            return Err(Denied::new(DeniedKind::InvalidOption, "A volume lies between 0 and 1.5.").into());
        }
        if !self.row().is_ok_and(|row| row.present) {
            return Err(Denied::new(DeniedKind::NoSuchDevice, "The device is not there: plug it in.").into());
        }
        if !self.engine.board().manager.volumes {
            let sentence = "Nothing here can change a volume: no sound server offers it.";
            return Err(Denied::new(DeniedKind::NotSupported, sentence).into());
        }
        let adjust = Adjust { id: self.id.clone(), flow: self.flow, volume, muted };
        self.engine.send(DeviceRequest::Adjust(adjust)).map(|_unheard| ())
    }
}

/// A role by its word.
pub(super) fn parse_role(word: &str) -> Result<DeviceRole, Fault> {
    DeviceRole::named(word).ok_or_else(|| Fault::arguments("The role is 'input', 'output' or 'ring'."))
}
