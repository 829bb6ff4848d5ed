//! `org.ahoyd.Calls1.Manager`, at the root.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::Others;
use ahoy_proto::pair::code::Code;
use ahoy_proto::pair::link::{self, Link};
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::wire::OwnedObjectPath;
use zbus::{Connection, OwnedFd, OwnedVariant, Variant, fdo, interface};

use super::agents::{Agents, sender};
use super::device::parse_role;
use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::object::{Object, Properties};
use super::options::{Dictionary, Options};
use super::{findings, names, settings, shown};
use crate::system::log;
use crate::values::dnd::{Dnd, DndMode};
use crate::values::link::LinkRow;
use crate::values::pairing::PairingRequest;
use crate::values::request::{Answer, CallRequest, DaemonRequest, Denied, DeniedKind, DeviceRequest, Lease};

/// How long sound flows in a test call if nobody says, in seconds.
const TEST_LASTS: u32 = 20;

/// How long a look around may take; each part of it has a shorter end of its own.
const LOOK: Duration = Duration::from_secs(10);

/// The object at the root.
#[derive(Clone, Debug)]
pub(super) struct ManagerObject(EngineHandle, Agents);

#[interface(name = "org.ahoyd.Calls1.Manager", spawn = false, introspection_docs = false)]
impl ManagerObject {
    #[zbus(out_args("call"))]
    async fn dial(&self, target: String, options: Dictionary) -> Result<OwnedObjectPath, Fault> {
        let mut options = Options::from(options);
        let lifetime = options.seconds("lifetime")?;
        let note = options.words("note")?;
        let hold_others = options.flag("hold-others")?.unwrap_or(true);
        options.finish()?;
        self.0.dial(target, (lifetime, note, hold_others)).await
    }

    #[zbus(out_args("call"))]
    async fn start_group(&self, targets: Vec<String>, options: Dictionary) -> Result<OwnedObjectPath, Fault> {
        let mut options = Options::from(options);
        let lifetime = options.seconds("lifetime")?;
        let note = options.words("note")?;
        let hold_others = options.flag("hold-others")?.unwrap_or(true);
        options.finish()?;
        self.0.call(CallRequest::StartGroup { targets, lifetime, note, hold_others }).await
    }

    async fn merge(&self, calls: Vec<OwnedObjectPath>, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let found = calls.iter().map(|call| names::parse_call(call.as_str())).collect::<Option<Vec<_>>>();
        let Some([call, other]) = found.as_deref() else {
            return Err(Fault::arguments("Name two calls: the one that stays and the one that ends."));
        };
        self.0.done(CallRequest::Merge(*call, *other)).await
    }

    async fn hangup_all(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::HangUpAll).await
    }

    async fn swap_calls(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::Swap).await
    }

    async fn hold_and_answer(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::AnswerNext(Others::Hold)).await
    }

    async fn release_and_answer(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::AnswerNext(Others::Release)).await
    }

    #[zbus(out_args("test"))]
    async fn test_call(&self, options: Dictionary) -> Result<OwnedFd, Fault> {
        let mut options = Options::from(options);
        let seconds = options.u32("seconds")?.unwrap_or(TEST_LASTS);
        options.finish()?;
        if !(5..=60).contains(&seconds) {
            return Err(Fault::option("Option 'seconds' must be 5 to 60."));
        }
        let (theirs, ours) = std::os::unix::net::UnixStream::pair()
            .map_err(|error| Denied::new(DeniedKind::Failed, format!("No socket can be had: {error}.")))?;
        let lasts = Duration::from_secs(seconds.into());
        self.0.done(CallRequest::Test(Lease(ours.into()), lasts)).await?;
        Ok(std::os::fd::OwnedFd::from(theirs).into())
    }

    async fn set_dnd(&self, mode: String, until: i64, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let Some(mode) = DndMode::named(&mode) else {
            return Err(Fault::arguments("The mode is 'off', 'all' or 'favorites'."));
        };
        self.0.done(DaemonRequest::SetDnd(Dnd { mode, until })).await
    }

    async fn set_ringer(&self, options: Dictionary) -> Result<(), Fault> {
        let mut options = Options::from(options);
        let (muted, volume) = (options.flag("muted")?, options.f64("volume")?);
        options.finish()?;
        if volume.is_some_and(|volume| !(0.0..=1.0).contains(&volume)) {
            return Err(Fault::option("Option 'volume' must lie between 0 and 1."));
        }
        self.0.done(DaemonRequest::SetRinger { muted, volume }).await
    }

    async fn set_muted(&self, muted: bool, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::SetAllMuted(muted)).await
    }

    async fn set_deafened(&self, deafened: bool, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, CallRequest::SetDeafened(deafened)).await
    }

    async fn set_device(&self, role: String, ids: Vec<String>, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let role = parse_role(&role)?;
        self.0.done(DeviceRequest::Choose { role, ids }).await
    }

    #[zbus(out_args("code"))]
    async fn start_pairing(&self, options: Dictionary) -> Result<String, Fault> {
        Options::none(options)?;
        self.0.text(PairingRequest::Start).await
    }

    async fn join_pairing(&self, code: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        // What was copied instead of read out may be the link.
        let code = if link::is_one(&code) {
            match read_link(code.trim())? {
                Link::Pair(code) => code,
                Link::Card(_) => {
                    return Err(Fault::option("This is a card and no code: ahoyctl contact add."));
                }
            }
        } else {
            Code::parse(&code).map_err(|error| Fault::option(format!("{error}.")))?
        };
        self.0.done(PairingRequest::Join(code)).await
    }

    async fn cancel_pairing(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, PairingRequest::Cancel).await
    }

    #[zbus(out_args("holds"))]
    async fn open_link(&self, link: String, options: Dictionary) -> Result<Held, Fault> {
        let mut options = Options::from(options);
        let asks = options.flag("ask")?.unwrap_or(true);
        options.finish()?;
        let link = Box::new(read_link(&link)?);
        let Answer::Link(row) = self.0.ask(DaemonRequest::OpenLink(link, asks)).await? else {
            return Err(surprised());
        };
        let LinkRow { kind, code, relay, name, address, safety_number } = *row;
        let mut held = Held::from([("kind", kind.into())]);
        let texts = [("code", code), ("relay", relay), ("name", name), ("address", address)];
        let told = texts.into_iter().chain([("safety-number", safety_number)]);
        held.extend(told.filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.into())));
        Ok(held)
    }

    async fn trust_network(
        &self,
        interface: String,
        trusted: bool,
        options: Dictionary,
    ) -> Result<(), Fault> {
        self.0.plain(options, DaemonRequest::TrustNetwork(interface, trusted)).await
    }

    async fn reload(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, DaemonRequest::Reload).await
    }

    async fn set_log_level(&self, level: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let level = log::named(&level).ok_or_else(|| {
            Fault::arguments(format!("`level` is one of {}.", log::LEVELS.map(|(name, _)| name).join(", ")))
        })?;
        self.0.done(DaemonRequest::SetLogLevel(level)).await
    }

    #[zbus(out_args("findings"))]
    async fn diagnose(&self, options: Dictionary) -> Result<Vec<findings::Row>, Fault> {
        Options::none(options)?;
        let Answer::Findings(found) = self.0.ask_within(LOOK, DaemonRequest::Diagnose).await? else {
            return Err(surprised());
        };
        Ok(found.into_iter().map(findings::row).collect())
    }

    #[zbus(out_args("settings"))]
    async fn get_settings(&self, options: Dictionary) -> Result<BTreeMap<String, Variant<'static>>, Fault> {
        Options::none(options)?;
        let Answer::Settings(listed) = self.0.ask(DaemonRequest::ListSettings).await? else {
            return Err(surprised());
        };
        Ok(listed.into_iter().map(|(key, value)| (key.to_owned(), settings::spelled(value))).collect())
    }

    async fn set_setting(&self, key: String, value: OwnedVariant, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let value = Some(settings::parsed(&value)?);
        self.0.done(DaemonRequest::SetSetting(key, value)).await
    }

    async fn reset_setting(&self, key: String, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, DaemonRequest::SetSetting(key, None)).await
    }

    async fn register_agent(
        &self,
        options: Dictionary,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), Fault> {
        Options::none(options)?;
        self.1.register(&self.0, bus, &header).await
    }

    async fn unregister_agent(
        &self,
        options: Dictionary,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), Fault> {
        self.0.plain(options, DaemonRequest::UnregisterAgent(sender(&header)?)).await
    }

    /// Something happened, for hooks and loggers.
    #[zbus(signal)]
    pub(super) async fn event(
        emitter: &SignalEmitter<'_>,
        r#type: &str,
        serial: u64,
        data: BTreeMap<&str, Variant<'_>>,
    ) -> zbus::Result<()>;
}

/// What a link holds, as it is sent.
type Held = BTreeMap<&'static str, Variant<'static>>;

/// A link that anybody may have made.
fn read_link(text: &str) -> Result<Link, Fault> {
    link::parse(text).map_err(|error| Fault::option(format!("{error}.")))
}

impl Object for ManagerObject {
    fn constant(&self) -> Properties {
        let config_file = self.0.board().manager.config_file.clone();
        Properties::from([("Version", env!("CARGO_PKG_VERSION").into()), ("ConfigFile", config_file.into())])
    }

    fn changing(&self) -> fdo::Result<Properties> {
        Ok(shown::manager(&self.0.board()))
    }
}

impl ManagerObject {
    pub(super) fn new(engine: EngineHandle) -> Self {
        Self(engine, Agents::new())
    }
}
