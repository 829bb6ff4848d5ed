//! What outsiders see of everything that is no call: Manager, Account, what is missing, what sounds.
//!
//! Lives here: those rows, put together from what the ports said.
//! Must not: feed the rules; wait.

use std::sync::Arc;

use ahoy_call::{Moment, State};

use super::Engine;
use crate::engine::outages::Seen;
use crate::engine::show::PhoneRow;
use crate::engine::tones;
use crate::system::{clock, ready};
use crate::values::board::{AccountRow, CallRow, DeviceRow};
use crate::values::happening::EventData;
use crate::values::own::Own;
use crate::values::tone::Tone;
use crate::{bus, media};

/// What is missing now: one sentence each, empty when all is well.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub(super) bus: String,
    pub(super) history: String,
    pub(super) contacts: Vec<String>,
    pub(super) disk: String,
    pub(super) media: Vec<String>,
    pub(super) relay: String,
    pub(super) config: String,
}

impl Engine {
    /// The session bus is there, or why it is not.
    pub(super) fn bus_is(&mut self, problem: String) {
        if problem.is_empty() {
            tracing::info!("serving on the session bus");
        } else {
            tracing::warn!(problem, "no session bus");
            // Their names went with it.
            self.agents.clear();
        }
        self.problems.bus = problem;
        if !self.announced {
            self.announced = true;
            self.show.board().manager.ready = true;
            ready::ready("ready");
        }
        self.refresh();
    }

    /// Brings Manager and Account up to date with what the ports said.
    pub(crate) fn refresh(&mut self) {
        self.end_dnd();
        let relays = self.own.relays();
        self.problems.relay = if !self.config.account.enabled {
            // The person wants it so.
            String::new()
        } else if relays.is_empty() {
            "no relay is configured, so nobody can call: ahoyctl config set relay.urls wss://…".to_owned()
        } else if self.links.online {
            String::new()
        } else if self.links.error.is_empty() {
            "no relay is connected yet".to_owned()
        } else {
            format!("no relay is connected: {}", self.links.error)
        };
        let connection = match (relays.is_empty() || !self.config.account.enabled, self.links.online) {
            (true, _) => "offline",
            (false, true) => "online",
            (false, false) => "connecting",
        };
        let mut account = account_row(&self.own, connection, self.links.error.clone());
        account.enabled = self.config.account.enabled;
        let contacts = u32::try_from(self.contacts.len()).unwrap_or(u32::MAX);
        let problems = self.problems.sentences();
        let alerts = self.problems.alerts(self.phone.views().iter().any(|view| is_engaged(view.state)));
        let agents = u32::try_from(self.agents.len()).unwrap_or(u32::MAX);
        let online = self.links.online;
        self.show_devices();
        let (dnd, deafened) = (self.admission.dnd, self.deafened);
        self.show_rules();
        let (ringer_muted, ring_volume) = (self.config.ring.muted, self.config.ring.volume.share());
        let board = self.show.board();
        board.account = account;
        board.contacts = contacts;
        board.alerts = alerts;
        board.agents = agents;
        let manager = &mut board.manager;
        manager.problems = problems;
        manager.online = online;
        manager.connection = connection;
        manager.dnd = dnd;
        manager.deafened = deafened;
        manager.ringer_muted = ringer_muted;
        manager.ring_volume = ring_volume;
        manager.config_file = self.paths.config.display().to_string();
        self.show.flush();
        self.follow_outages(clock::now());
    }

    /// Calls show at once whether their contact's safety number was compared, and how loud the others are played.
    fn show_rules(&mut self) {
        let (contacts, board) = (&self.contacts, self.show.board());
        let rules = |peer| contacts.manner(peer).map(|(manner, _)| manner).unwrap_or_default();
        for shown in &mut board.calls {
            let mut row = CallRow::clone(shown);
            row.verified = rules(row.view.peer).verified;
            for (member, view) in row.members.iter_mut().zip(&row.view.members) {
                member.volume = rules(view.peer).volume;
            }
            if row != **shown {
                *shown = Arc::new(row);
            }
        }
    }

    /// Tells what has been another for long enough: the relay, a path, a device in use.
    pub(super) fn follow_outages(&mut self, now: Moment) {
        let views = self.phone.views();
        let sounded = views
            .iter()
            .filter(|view| matches!(view.state, State::Active | State::Held | State::Reconnecting));
        let devices = &self.show.shown().devices;
        let flow = |row: &DeviceRow| row.device.flow.word();
        let seen = Seen {
            online: self.links.online,
            paths: sounded.map(|view| (view.id, view.state == State::Reconnecting)).collect(),
            serving: devices
                .iter()
                .filter(|row| row.present && !row.roles.is_empty())
                .map(|row| (flow(row), row.device.id.clone(), row.device.name.clone()))
                .collect(),
            present: devices
                .iter()
                .filter(|row| row.present)
                .map(|row| (flow(row), row.device.id.clone()))
                .collect(),
        };
        for said in self.outages.observe(now, &seen) {
            let view = said.call.and_then(|call| views.iter().find(|view| view.id == call));
            let data = EventData {
                call: said.call,
                contact: view.map(|view| view.peer),
                name: said.name.or_else(|| view.map(|view| self.contacts.name_and_address(view.peer).0)),
                direction: view.map(|view| view.direction),
                at_unix_us: clock::to_unix(now),
                ..EventData::default()
            };
            self.events += 1;
            self.show.tell(bus::Publication::Event { kind: said.kind, serial: self.events, data });
        }
    }

    /// What Manager and Focus show of the rules now.
    pub(crate) fn phone_row(&mut self) -> PhoneRow {
        self.focus = self.focus.next(&self.phone.views());
        let cannot_dial = if !self.config.account.enabled {
            "the account is switched off".to_owned()
        } else if self.own.inboxes.is_empty() {
            "no relay is configured".to_owned()
        } else if self.phone.cannot_dial().is_some() {
            "a call is being dialed already".to_owned()
        } else {
            String::new()
        };
        PhoneRow { focus: self.focus, muted: self.phone.muted(), cannot_dial }
    }

    /// Lets sound what the calls ask for now.
    pub(crate) fn sound(&mut self, now: Moment) {
        let views = self.phone.views();
        let tone = tones::now(&views, now);
        if tone == self.tone {
            return;
        }
        self.tone = tone;
        let sounding = tone.map(|tone| {
            let peer = views.iter().find(|view| tone == Tone::Ring(view.id)).map(|view| view.peer);
            let row = peer.and_then(|peer| self.contacts.get(peer));
            media::ring::Sounding { tone, own: row.map_or(String::new(), |row| row.manner.ring_tone) }
        });
        if let Err(error) = self.ports.media.sound(sounding) {
            tracing::warn!(%error, "a tone was dropped");
        }
    }
}

impl Problems {
    fn sentences(&self) -> Vec<String> {
        let single = [&self.config, &self.relay, &self.bus, &self.history, &self.disk];
        let lists = self.media.iter().chain(&self.contacts);
        single.into_iter().chain(lists).filter(|sentence| !sentence.is_empty()).cloned().collect()
    }

    /// What a person must read at once: calls that are not filed any more; in a call, that nothing is heard or said.
    fn alerts(&self, engaged: bool) -> Vec<String> {
        let sound = if engaged { self.media.as_slice() } else { &[] };
        let all = std::iter::once(&self.history).chain(sound);
        all.filter(|sentence| !sentence.is_empty()).cloned().collect()
    }

    pub(crate) fn set_config(&mut self, sentence: String) {
        self.config = sentence;
    }
}

/// The person called, or is in the call.
fn is_engaged(state: State) -> bool {
    match state {
        State::Dialing
        | State::Alerting
        | State::Connecting
        | State::Active
        | State::Held
        | State::Reconnecting => true,
        State::Incoming | State::Waiting | State::Disconnected => false,
    }
}

/// What Account shows.
pub fn account_row(own: &Own, connection: &'static str, error: String) -> AccountRow {
    let hex = |bytes: [u8; 16]| data_encoding::HEXLOWER.encode(&bytes);
    AccountRow {
        id: hex(own.peer_id().bytes()),
        address: own.address(),
        display_name: own.display_name.clone(),
        relays: own.relays(),
        enabled: true,
        connection,
        connection_error: error,
        devices: vec![(own.certificate.name().to_owned(), hex(own.leg_id().bytes()), true)],
    }
}
