//! What outsiders see of everything that is no call: Manager, Account, what is missing, what sounds.
//!
//! Lives here: those rows, put together from what the ports said.
//! Must not: feed the rules; wait.

use std::sync::Arc;

use ahoy_call::{Moment, State};

use super::Engine;
use crate::engine::outages::Seen;
use crate::engine::problems::Source;
use crate::engine::shown::PhoneRow;
use crate::engine::tones;
use crate::media;
use crate::system::clock;
use crate::values::board::{AccountRow, CallRow, DeviceRow};
use crate::values::happening::EventData;
use crate::values::own::{Account, Own};
use crate::values::tone::Tone;

impl Engine {
    /// Brings Manager and Account up to date with what the ports said.
    pub(super) fn refresh(&mut self) {
        self.ring_policy.end_dnd(clock::unix_us());
        let relays = self.own.relays();
        let config = self.in_force.config();
        let (online, error) = (self.links.online, &self.links.error);
        let connection = match (relays.is_empty() || !config.account.enabled, online) {
            (true, _) => "offline",
            (false, true) => "online",
            (false, false) => "connecting",
        };
        let relay = if !config.account.enabled || online && !relays.is_empty() {
            // The person wants it so, or it is.
            String::new()
        } else if self.own.is_away() || relays.is_empty() && self.networks.is_home() {
            // What is missing is said already; neighbours need none.
            String::new()
        } else if relays.is_empty() {
            match self.relays.is_looking(config) {
                true => "no relay is found yet, so nobody can call".to_owned(),
                false => "no relay is configured, so nobody can call: ahoyctl config set relay.urls wss://…"
                    .to_owned(),
            }
        } else if error.is_empty() {
            "no relay is connected yet".to_owned()
        } else {
            format!("no relay is connected: {error}")
        };
        self.problems.set(Source::Relay, [relay]);
        self.problems.set(Source::Discovery, self.relays.problems(config, online));
        let engaged = self.phone.views().iter().any(|view| is_engaged(view.state));
        let board = self.shown.board();
        let at_home = relays.is_empty() && self.networks.is_home();
        board.account =
            account_row(&self.own, connection, if at_home { String::new() } else { error.clone() });
        board.account.enabled = config.account.enabled;
        let up = if config.account.enabled { &self.links.up[..] } else { &[] };
        board.account.serving = if self.own.inboxes.is_empty() { Vec::new() } else { self.relays.rows(up) };
        board.contacts = u32::try_from(self.contacts.len()).unwrap_or(u32::MAX);
        board.asking = self.contacts.who_asks();
        board.offer.clone_from(&self.offer);
        board.alerts = self.problems.alerts(engaged);
        board.agents = u32::try_from(self.agents.len()).unwrap_or(u32::MAX);
        let manager = &mut board.manager;
        manager.problems = self.problems.sentences();
        manager.online = online;
        manager.connection = connection;
        manager.dnd = self.ring_policy.dnd();
        manager.deafened = self.deafened;
        manager.pairing = self.pairing.row().clone();
        manager.near = self.networks.view().clone();
        manager.ringer_muted = config.ring.muted;
        manager.ring_volume = config.ring.volume.share();
        manager.config_file = self.paths.config.display().to_string();
        self.devices.show(&config.media, board);
        // Calls show at once whether their contact's safety number was compared, and how loud the others are played.
        let rules = |peer| self.contacts.manner(peer).map(|(rules, _)| rules).unwrap_or_default();
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
        self.shown.flush();
        self.follow_outages(clock::now());
    }

    /// Tells what has been another for long enough: the relay, a path, a device in use.
    pub(super) fn follow_outages(&mut self, now: Moment) {
        let views = self.phone.views();
        let sounded = views
            .iter()
            .filter(|view| matches!(view.state, State::Active | State::Held | State::Reconnecting));
        let devices = &self.shown.shown().devices;
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
            self.shown.happened(said.kind, data);
        }
    }

    /// What Manager and Focus show of the rules now.
    pub(super) fn phone_row(&mut self) -> PhoneRow {
        self.focus = self.focus.next(&self.phone.views());
        let cannot_dial = if !self.in_force.config().account.enabled {
            "the account is switched off".to_owned()
        } else if self.own.is_away() {
            "the keys of this account cannot be read".to_owned()
        } else if self.own.inboxes.is_empty() && self.networks.view().seen.is_empty() {
            "no relay is configured".to_owned()
        } else if self.phone.cannot_dial().is_some() {
            "a call is being dialed already".to_owned()
        } else {
            String::new()
        };
        PhoneRow { focus: self.focus, muted: self.phone.muted(), cannot_dial }
    }

    /// Lets sound what the calls ask for now.
    pub(super) fn sound(&mut self, now: Moment) {
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

/// The account's id as it is shown.
pub fn shown_id(own: &Own) -> String {
    data_encoding::HEXLOWER.encode(&own.peer_id().bytes())
}

/// What Account shows.
pub fn account_row(own: &Own, connection: &'static str, error: String) -> AccountRow {
    if matches!(own.account, Account::Nobody) {
        return AccountRow { enabled: true, connection, ..AccountRow::default() };
    }
    let hex = |bytes: [u8; 16]| data_encoding::HEXLOWER.encode(&bytes);
    AccountRow {
        id: hex(own.peer_id().bytes()),
        address: own.address(),
        display_name: own.display_name.clone(),
        relays: own.relays(),
        serving: Vec::new(),
        enabled: true,
        connection,
        connection_error: error,
        devices: vec![(own.certificate.name().to_owned(), hex(own.leg_id().bytes()), true)],
    }
}
