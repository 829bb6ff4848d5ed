//! The properties of each object, projected from a board.
//!
//! Lives here: one value for each interface, used by the getters and by the comparison of two boards alike.
//! Must not: emit, wait, or ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::{CallId, CallView, MemberView, State};
use zbus::Variant;
use zbus::wire::OwnedObjectPath;

use super::names;
use crate::values::board::{Board, CallRow, DeviceRow, MemberRow};

/// Properties by name.
pub(super) type Properties = BTreeMap<&'static str, Variant<'static>>;

/// Declares the properties of one interface with their names on the bus, and how two of its values are compared.
macro_rules! properties {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $spelled:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::bus) struct $name {
            $(#[doc = concat!("`", $spelled, "`")] pub(in crate::bus) $field: $type,)*
        }

        impl $name {
            /// All of them.
            pub(in crate::bus) fn all(self) -> Properties {
                Properties::from([$(($spelled, Variant::from(self.$field)),)*])
            }

            /// The properties whose value is another than in `before`, with their new values.
            pub(in crate::bus) fn changed_since(self, before: &Self) -> Properties {
                let mut changed = Properties::new();
                $(if self.$field != before.$field {
                    changed.insert($spelled, Variant::from(self.$field));
                })*
                changed
            }
        }
    };
}

properties! {
    /// Manager. `Version` and `Capabilities` never change while the daemon runs.
    Manager {
        ready: bool = "Ready",
        online: bool = "Online",
        connection_state: String = "ConnectionState",
        problems: Vec<String> = "Problems",
        active_call: OwnedObjectPath = "ActiveCall",
        incoming_count: u32 = "IncomingCount",
        missed_count: u32 = "MissedCount",
        can_dial: bool = "CanDial",
        cannot_dial_reason: String = "CannotDialReason",
        muted: bool = "Muted",
        deafened: bool = "Deafened",
        dnd: &'static str = "Dnd",
        dnd_until: i64 = "DndUntil",
        input_device: String = "InputDevice",
        output_device: String = "OutputDevice",
        ring_devices: Vec<String> = "RingDevices",
        ringer_muted: bool = "RingerMuted",
        ring_volume: f64 = "RingVolume",
    }
}

properties! {
    /// Focus.
    Focus {
        state: &'static str = "State",
        call: OwnedObjectPath = "Call",
        peer_name: String = "PeerName",
        peer_icon: String = "PeerIcon",
        waiting: OwnedObjectPath = "Waiting",
        waiting_name: String = "WaitingName",
        direction: &'static str = "Direction",
        muted: bool = "Muted",
        remote_muted: bool = "RemoteMuted",
        remote_hears_only: bool = "RemoteHearsOnly",
        held: bool = "Held",
        silenced: bool = "Silenced",
        since_monotonic: u64 = "SinceMonotonic",
        since_at: i64 = "SinceAt",
        deadline_monotonic: u64 = "DeadlineMonotonic",
        others: u32 = "Others",
        missed: u32 = "Missed",
        dnd: &'static str = "Dnd",
        can_answer: bool = "CanAnswer",
        can_decline: bool = "CanDecline",
        can_hangup: bool = "CanHangup",
        can_hold: bool = "CanHold",
        can_mute: bool = "CanMute",
        serial: u64 = "Serial",
    }
}

properties! {
    /// The properties of Call that change; the constant ones are read from the row it was made of.
    Call {
        state: &'static str = "State",
        state_reason: &'static str = "StateReason",
        ended_by: &'static str = "EndedBy",
        serial: u64 = "Serial",
        deadline_monotonic: u64 = "DeadlineMonotonic",
        history_id: u64 = "HistoryId",
        note: String = "Note",
        message: String = "Message",
        muted: bool = "Muted",
        hears_only: bool = "HearsOnly",
        remote_hears_only: bool = "RemoteHearsOnly",
        remote_muted: bool = "RemoteMuted",
        local_hold: bool = "LocalHold",
        remote_hold: bool = "RemoteHold",
        silenced: bool = "Silenced",
        auto_answered: bool = "AutoAnswered",
        codec: &'static str = "Codec",
        encrypted: bool = "Encrypted",
        verified: bool = "Verified",
        can_answer: bool = "CanAnswer",
        can_decline: bool = "CanDecline",
        can_hangup: bool = "CanHangup",
        can_hold: bool = "CanHold",
        can_mute: bool = "CanMute",
        created_at: i64 = "CreatedAt",
        ringing_at: i64 = "RingingAt",
        answered_at: i64 = "AnsweredAt",
        ended_at: i64 = "EndedAt",
        answered_monotonic: u64 = "AnsweredMonotonic",
    }
}

properties! {
    /// Another person in a call.
    Peer {
        name: String = "Name",
        contact: String = "Contact",
        state: &'static str = "State",
        muted: bool = "Muted",
        video: bool = "Video",
        screen: bool = "Screen",
        speaking: bool = "Speaking",
        quality: &'static str = "Quality",
        volume: f64 = "Volume",
        role: &'static str = "Role",
        joined_at: i64 = "JoinedAt",
        left_at: i64 = "LeftAt",
    }
}

properties! {
    /// Account. `Id` and `Address` never change while the daemon runs.
    Account {
        display_name: String = "DisplayName",
        connection_state: String = "ConnectionState",
        connection_error: String = "ConnectionError",
        enabled: bool = "Enabled",
        relays: Vec<String> = "Relays",
        devices: Vec<BTreeMap<String, Variant<'static>>> = "Devices",
    }
}

properties! {
    /// A sound device. `Id` and `Direction` never change.
    AudioDevice {
        name: String = "Name",
        kind: &'static str = "Kind",
        present: bool = "Present",
        default: bool = "Default",
        roles: Vec<String> = "Roles",
        volume: f64 = "Volume",
        muted: bool = "Muted",
    }
}

properties! {
    /// Contacts.
    Contacts {
        count: u32 = "Count",
    }
}

properties! {
    /// History.
    History {
        missed: u32 = "Missed",
        last_id: u64 = "LastId",
    }
}

impl Manager {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        let manager = &board.manager;
        Self {
            ready: manager.ready,
            online: manager.online,
            connection_state: manager.connection.to_owned(),
            problems: manager.problems.clone(),
            active_call: active(board).map_or_else(names::nowhere, names::call_path),
            incoming_count: count(
                board.calls.iter().filter(|row| matches!(row.view.state, State::Incoming | State::Waiting)),
            ),
            missed_count: board.missed,
            can_dial: manager.cannot_dial.is_empty(),
            cannot_dial_reason: manager.cannot_dial.clone(),
            muted: manager.muted,
            deafened: manager.deafened,
            dnd: manager.dnd.mode.word(),
            dnd_until: manager.dnd.until,
            input_device: manager.input_device.clone(),
            output_device: manager.output_device.clone(),
            ring_devices: manager.ring_devices.clone(),
            ringer_muted: manager.ringer_muted,
            ring_volume: manager.ring_volume,
        }
    }
}

impl Focus {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        let at = |id: Option<CallId>| board.calls.iter().find(|row| Some(row.view.id) == id);
        let (row, waiting) = (at(board.focus), at(board.waiting));
        let path =
            |row: Option<&Arc<CallRow>>| row.map_or_else(names::nowhere, |row| names::call_path(row.view.id));
        let name = |row: Option<&Arc<CallRow>>| row.map_or_else(String::new, |row| row.name.clone());
        let view = row.map(|row| &row.view);
        let can = view.map(|view| view.can).unwrap_or_default();
        // What rings beside the call is what answering and declining are about.
        let rings = waiting.or(row).map(|row| row.view.can).unwrap_or_default();
        let others = board.calls.iter().filter(|other| {
            other.view.state != State::Disconnected && Some(other.view.id) != view.map(|view| view.id)
        });
        let (since_monotonic, since_at) = row.map_or((0, 0), |row| since(row));
        Self {
            state: view.map_or("idle", |view| names::state(view.state)),
            call: path(row),
            peer_name: name(row),
            peer_icon: row.map_or_else(String::new, |row| row.icon.clone()),
            waiting: path(waiting),
            waiting_name: name(waiting),
            direction: view.map_or("", |view| names::direction(view.direction)),
            muted: view.map_or(board.manager.muted, |view| view.muted),
            remote_muted: view.is_some_and(CallView::remote_muted),
            remote_hears_only: view.is_some_and(CallView::remote_hears_only),
            held: view.is_some_and(|view| view.local_hold),
            silenced: waiting.or(row).is_some_and(|row| row.view.silenced),
            since_monotonic,
            since_at,
            deadline_monotonic: row.map_or(0, |row| row.deadline_boot),
            others: count(others),
            missed: board.missed,
            dnd: board.manager.dnd.mode.word(),
            can_answer: rings.answer,
            can_decline: rings.decline,
            can_hangup: can.hang_up,
            can_hold: can.hold,
            can_mute: can.mute,
            serial: board.focus_serial,
        }
    }
}

impl Call {
    /// Of this row.
    pub(super) fn of(row: &CallRow) -> Self {
        let view = &row.view;
        // Every path of ours is DTLS-SRTP with Opus in it: there is no other.
        let flows = matches!(view.state, State::Active | State::Held | State::Reconnecting);
        Self {
            state: names::state(view.state),
            state_reason: names::reason(view.reason),
            ended_by: names::ended_by(view.ended_by),
            serial: view.serial,
            deadline_monotonic: row.deadline_boot,
            history_id: row.history_id,
            note: view.note.clone().unwrap_or_default(),
            message: view.message.clone().unwrap_or_default(),
            muted: view.muted,
            hears_only: view.hears_only,
            remote_hears_only: view.remote_hears_only(),
            remote_muted: view.remote_muted(),
            local_hold: view.local_hold,
            remote_hold: view.remote_hold(),
            silenced: view.silenced,
            auto_answered: view.auto_answered,
            codec: if flows { "opus" } else { "" },
            encrypted: flows,
            verified: row.verified,
            can_answer: view.can.answer,
            can_decline: view.can.decline,
            can_hangup: view.can.hang_up,
            can_hold: view.can.hold,
            can_mute: view.can.mute,
            created_at: row.created_at,
            ringing_at: row.ringing_at,
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            answered_monotonic: row.answered_boot,
        }
    }
}

impl Peer {
    /// Of this row.
    pub(super) fn of((view, row): (&MemberView, &MemberRow)) -> Self {
        Self {
            name: row.name.clone(),
            contact: names::contact(view.peer),
            state: names::member_state(view.state),
            muted: view.muted,
            video: view.camera,
            // Nothing shows, hears or measures these yet.
            screen: false,
            speaking: false,
            quality: "",
            volume: row.volume,
            role: if view.starter { "starter" } else { "member" },
            joined_at: row.joined_at,
            left_at: row.left_at,
        }
    }
}

impl Account {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        let account = &board.account;
        let devices = account.devices.iter().map(|(name, id, this)| {
            BTreeMap::from([
                ("id".to_owned(), Variant::from(id.clone())),
                ("name".to_owned(), Variant::from(name.clone())),
                ("this".to_owned(), Variant::from(*this)),
            ])
        });
        Self {
            display_name: account.display_name.clone(),
            connection_state: account.connection.to_owned(),
            connection_error: account.connection_error.clone(),
            enabled: account.enabled,
            relays: account.relays.clone(),
            devices: devices.collect(),
        }
    }
}

impl AudioDevice {
    /// Of this row.
    pub(super) fn of(row: &DeviceRow) -> Self {
        let device = &row.device;
        Self {
            name: device.name.clone(),
            kind: device.kind.word(),
            present: row.present,
            default: device.default,
            roles: row.roles.iter().map(|role| (*role).to_owned()).collect(),
            volume: device.volume,
            muted: device.muted,
        }
    }
}

impl Contacts {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        Self { count: board.contacts }
    }
}

impl History {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        Self { missed: board.missed, last_id: board.last_history }
    }
}

/// The same call before it said anything: all that it shows differs.
pub(super) fn blank(row: &CallRow) -> CallRow {
    let mut row = row.clone();
    (row.view.note, row.view.message, row.view.serial) = (None, None, 0);
    row.members.iter_mut().for_each(|member| member.name.clear());
    row
}

/// The call in which somebody has answered, and which is not over; one that we hold only if there is no other.
fn active(board: &Board) -> Option<CallId> {
    let answered = |state| match state {
        State::Connecting | State::Active | State::Held | State::Reconnecting => true,
        State::Dialing | State::Alerting | State::Incoming | State::Waiting | State::Disconnected => false,
    };
    let live = board.calls.iter().filter(|row| answered(row.view.state));
    live.min_by_key(|row| row.view.local_hold).map(|row| row.view.id)
}

/// Where to count from, in both clocks: the first sound; before it the answer, the ring, the dialing.
fn since(row: &CallRow) -> (u64, i64) {
    match (row.view.answered, row.view.ringing) {
        (Some(answered), _) => {
            let connected = row.view.connected.unwrap_or(answered).micros();
            let after = i64::try_from(connected.saturating_sub(answered.micros())).unwrap_or(0);
            (connected, row.answered_at + after)
        }
        (None, Some(ringing)) => (ringing.micros(), row.ringing_at),
        (None, None) => (row.view.created.micros(), row.created_at),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
