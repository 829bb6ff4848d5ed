//! What is asked of the daemon itself: its settings, its own name, do-not-disturb, who shows the ring.
//!
//! Lives here: what is so at once, and what is written on the store's thread first.
//! Must not: go by a setting; know how one is written.

use std::path::PathBuf;
use std::sync::Arc;

use ahoy_proto::identity::AccountBytes;
use ahoy_proto::pair::link::Link;

use super::{Act, Components, Done, Plan, Wish, failed, keep, stuck};
use crate::config::{self, Chosen, Config, EditError};
use crate::engine::relays::{Elsewhere, urls};
use crate::identity;
use crate::media::ring;
use crate::system::paths::Paths;
use crate::system::store::{Gate, Store};
use crate::system::{clock, file, log};
use crate::values::dnd::{Dnd, DndMode};
use crate::values::link::{LinkRow, Offer};
use crate::values::media::Volume;
use crate::values::own::Own;
use crate::values::relays::{ChosenRelay, Learned};
use crate::values::request::{Answer, DaemonRequest, Denied, DeniedKind};
use crate::values::setting::Setting;

/// The setting that says where keys lie.
const KEYS: &str = "account.keys";

/// The configuration and what it makes of us.
#[derive(Debug)]
pub(in crate::engine) struct Fresh {
    pub config: Box<Config>,
    pub own: Box<Own>,
    /// Where its inboxes are to be, and why there.
    pub relays: Vec<ChosenRelay>,
    /// Why the keys are not where they are to be.
    pub trouble: Option<String>,
    /// That is what was asked for.
    pub of_keys: bool,
}

/// Why the configuration was not taken.
#[derive(Debug)]
pub(in crate::engine) struct NotTaken {
    pub denied: Denied,
    /// The file itself is wrong.
    pub file: bool,
}

impl From<Denied> for NotTaken {
    fn from(denied: Denied) -> Self {
        Self { denied, file: false }
    }
}

pub(super) fn on_request(request: DaemonRequest, with: &mut Components<'_>) -> Result<Act, Denied> {
    Ok(match request {
        DaemonRequest::SetDnd(dnd) => return keep(move |with| set_dnd(dnd, with)),
        DaemonRequest::SetRinger { muted, volume } => {
            let wrong = || Denied::new(DeniedKind::InvalidOption, "the volume of the ring is 0 to 1");
            let volume = volume.map(|volume| Volume::of(volume).ok_or_else(wrong)).transpose()?;
            with.in_force.choose(with.now, |chosen, written| chosen.set_ringer(written, muted, volume));
            Act::Chosen { lasting: false }
        }
        DaemonRequest::RegisterAgent(client) => Act::Answer(Answer::Flag(with.agents.insert(client))),
        DaemonRequest::UnregisterAgent(client) => {
            with.agents.remove(&client);
            Act::Answer(Answer::Done)
        }
        DaemonRequest::OpenLink(link, asks) => Act::Answer(open_link(*link, asks, with)),
        DaemonRequest::Reload => return keep(reload),
        DaemonRequest::SetLogLevel(level) => {
            log::level(level);
            Act::Answer(Answer::Done)
        }
        DaemonRequest::ListSettings => Act::Answer(Answer::Settings(with.in_force.config().listed())),
        // Writes one setting and reads the whole anew. A refused one changes nothing.
        DaemonRequest::SetSetting(key, value) => {
            return keep(move |with| {
                let (paths, own) = (with.paths.clone(), Arc::clone(with.own));
                let elsewhere = with.relays.elsewhere(with.contacts);
                Ok(Plan::Write(Box::new(move |gate| {
                    let written = write(&paths, &key, value.as_ref(), gate).map_err(NotTaken::from);
                    let read = written.and_then(|()| read(&paths, &own, &elsewhere, gate));
                    let of_keys = key == KEYS;
                    Done::Config(read.map(|fresh| Fresh { of_keys, ..fresh }), Chosen::key(&key))
                })))
            });
        }
        DaemonRequest::Diagnose => Act::Diagnose,
        DaemonRequest::TrustNetwork(interface, trust) => Act::Trust(interface, trust),
        DaemonRequest::SetDisplayName(name) => {
            return keep(move |with| {
                let (dir, own) = (with.paths.identity(), Arc::clone(with.own));
                let configured = with.in_force.config().account.name.is_some();
                Ok(Plan::Write(Box::new(move |gate| {
                    let passed = gate.pass().map_err(|_given_up| stuck());
                    let named =
                        |()| identity::set_display_name(&dir, &own, &name, configured).map_err(failed);
                    Done::Own(passed.and_then(named).map(Box::new))
                })))
            });
        }
    })
}

/// What a link holds. Nothing is done: the screen asks, or who opened it does.
fn open_link(link: Link, asks: bool, with: &mut Components<'_>) -> Answer {
    let row = match &link {
        Link::Pair(code) => {
            let relay = code.relay.clone().unwrap_or_default();
            LinkRow { kind: "pair", code: code.clone().anywhere().say(), relay, ..LinkRow::default() }
        }
        Link::Card(card) => {
            let own = AccountBytes(with.own.certificate.account().to_bytes());
            let theirs = AccountBytes(card.account.to_bytes());
            let (address, safety_number) = (theirs.address(), own.safety_number(theirs));
            LinkRow { kind: "card", name: card.name.clone(), address, safety_number, ..LinkRow::default() }
        }
    };
    if asks {
        let serial = with.offer.as_ref().map_or(0, |before| before.serial) + 1;
        *with.offer = Some(Arc::new(Offer { serial, link, row: row.clone() }));
    }
    Answer::Link(Box::new(row))
}

fn set_dnd(dnd: Dnd, with: &Components<'_>) -> Result<Plan, Denied> {
    if dnd.until != 0 && dnd.until <= with.unix_us {
        let sentence = "The time until which nobody may disturb has passed: name a later one.";
        return Err(Denied::new(DeniedKind::InvalidOption, sentence));
    }
    let dnd = if dnd.mode == DndMode::Off { Dnd::default() } else { dnd };
    let kept = serde_json::to_vec(&dnd).map_err(failed)?;
    let write = whole(with.paths.dnd(), kept, with.store);
    Ok(Plan::Write(Box::new(move |gate| Done::Dnd(write(gate), dnd))))
}

/// What was picked just now is to outlive the daemon.
pub(in crate::engine) fn chosen(with: &mut Components<'_>) -> Result<Plan, Denied> {
    let kept = with.in_force.take_to_write().map_err(failed)?;
    let write = whole(with.paths.chosen(), kept, with.store);
    Ok(Plan::Write(Box::new(move |gate| Done::Chosen(write(gate)))))
}

/// The configuration is read again. The daemon's own wish, too.
pub(in crate::engine) fn reload(with: &mut Components<'_>) -> Result<Plan, Denied> {
    let (paths, own) = (with.paths.clone(), Arc::clone(with.own));
    let elsewhere = with.relays.elsewhere(with.contacts);
    Ok(Plan::Write(Box::new(move |gate| Done::Config(read(&paths, &own, &elsewhere, gate), None))))
}

/// Something was learned of relays: it is remembered, and they are chosen anew.
pub(in crate::engine) fn learn(learned: Learned) -> Wish {
    Box::new(move |with| {
        let mut memory = with.relays.memory().clone();
        if !memory.learn(learned) {
            return Ok(Plan::Now(Answer::Done));
        }
        let write = whole(with.paths.relays(), memory.kept().map_err(failed)?, with.store);
        Ok(Plan::Write(Box::new(move |gate| Done::Relays { result: write(gate), memory, others: true })))
    })
}

/// A relay has taken us in: it is remembered.
pub(in crate::engine) fn remember(relay: String) -> Wish {
    Box::new(move |with| {
        let mut memory = with.relays.memory().clone();
        if !memory.works(&relay) {
            return Ok(Plan::Now(Answer::Done));
        }
        let write = whole(with.paths.relays(), memory.kept().map_err(failed)?, with.store);
        Ok(Plan::Write(Box::new(move |gate| Done::Relays { result: write(gate), memory, others: false })))
    })
}

/// Writes a file of the daemon's own.
fn whole(path: PathBuf, kept: Vec<u8>, store: &Store) -> impl FnOnce(&Gate) -> std::io::Result<()> + use<> {
    let store = store.clone();
    move |gate| {
        let result = file::write_past(&path, &kept, file::Access::Private, || gate.pass());
        store.note(&path, &result);
        result
    }
}

/// On the store's thread: one setting, tried before it is kept: a tone that cannot be played is met now, not when somebody
/// calls.
fn write(paths: &Paths, key: &str, value: Option<&Setting>, gate: &Gate) -> Result<(), Denied> {
    let wrong = |sentence: String| Denied::new(DeniedKind::InvalidOption, sentence);
    match (key, value) {
        ("ring.tone", Some(Setting::Text(tone))) => {
            let theme = Config::load(&paths.config).ok().and_then(|config| config.ring.theme);
            ring::check(tone, theme.as_deref()).map_err(wrong)?;
        }
        ("ring.theme", Some(Setting::Text(name))) if !name.is_empty() && !ring::has_theme(name) => {
            return Err(wrong(format!(
                "there is no sound theme \"{name}\" here: they are folders like /usr/share/sounds/freedesktop"
            )));
        }
        _ => {}
    }
    config::write_past(&paths.config, key, value, || gate.pass()).map_err(|error| {
        let kind = match error {
            EditError::Unknown(_) | EditError::Refused(_) => DeniedKind::InvalidOption,
            EditError::File(_) | EditError::NotWritten { .. } => DeniedKind::Failed,
        };
        Denied::new(kind, error.to_string())
    })
}

/// On the store's thread: reads the configuration, and makes what it asks for of our identity.
fn read(paths: &Paths, own: &Own, elsewhere: &Elsewhere, gate: &Gate) -> Result<Fresh, NotTaken> {
    let config =
        Config::load(&paths.config).map_err(|error| NotTaken { denied: failed(error), file: true })?;
    gate.pass().map_err(|_given_up| stuck())?;
    let relays = elsewhere.choose(&config, clock::unix_us());
    let (name, urls) = (config.account.name.as_deref(), urls(&relays));
    let begun = identity::begin_again(&paths.identity(), name, &urls, config.account.keys, own);
    let identity::Begun { own, trouble } = begun.map_err(failed)?;
    Ok(Fresh { config: Box::new(config), own: Box::new(own), relays, trouble, of_keys: false })
}
