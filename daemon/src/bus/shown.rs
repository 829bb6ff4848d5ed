//! The properties of each object, projected from a board.
//!
//! Lives here: one value for each interface, used by the getters and by the comparison of two boards alike.
//! Must not: emit, wait, or ask.

use std::collections::BTreeMap;

use ahoy_call::{CallId, State};
use zbus::Variant;
use zbus::wire::OwnedObjectPath;

use super::spell;
use crate::board::{Board, CallRow};

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
    }
}

properties! {
    /// Focus.
    Focus {
        state: &'static str = "State",
        call: OwnedObjectPath = "Call",
        peer_name: String = "PeerName",
        direction: &'static str = "Direction",
        muted: bool = "Muted",
        remote_muted: bool = "RemoteMuted",
        since_monotonic: u64 = "SinceMonotonic",
        since_at: i64 = "SinceAt",
        deadline_monotonic: u64 = "DeadlineMonotonic",
        missed: u32 = "Missed",
        can_answer: bool = "CanAnswer",
        can_decline: bool = "CanDecline",
        can_hangup: bool = "CanHangup",
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
        remote_muted: bool = "RemoteMuted",
        can_answer: bool = "CanAnswer",
        can_decline: bool = "CanDecline",
        can_hangup: bool = "CanHangup",
        can_mute: bool = "CanMute",
        created_at: i64 = "CreatedAt",
        ringing_at: i64 = "RingingAt",
        answered_at: i64 = "AnsweredAt",
        ended_at: i64 = "EndedAt",
        answered_monotonic: u64 = "AnsweredMonotonic",
    }
}

properties! {
    /// Account. `Id` and `Address` never change while the daemon runs.
    Account {
        display_name: String = "DisplayName",
        connection_state: String = "ConnectionState",
        connection_error: String = "ConnectionError",
        relays: Vec<String> = "Relays",
        devices: Vec<BTreeMap<String, Variant<'static>>> = "Devices",
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
            active_call: active(board).map_or_else(spell::nowhere, spell::call_path),
            incoming_count: count(board.calls.iter().filter(|row| row.view.state == State::Incoming)),
            missed_count: board.missed,
            can_dial: manager.cannot_dial.is_empty(),
            cannot_dial_reason: manager.cannot_dial.clone(),
            muted: manager.muted,
        }
    }
}

impl Focus {
    /// Of this board.
    pub(super) fn of(board: &Board) -> Self {
        let focused = board.focus.and_then(|id| board.calls.iter().find(|row| row.view.id == id));
        let Some(row) = focused else {
            return Self {
                state: "idle",
                call: spell::nowhere(),
                peer_name: String::new(),
                direction: "",
                muted: board.manager.muted,
                remote_muted: false,
                since_monotonic: 0,
                since_at: 0,
                deadline_monotonic: 0,
                missed: board.missed,
                can_answer: false,
                can_decline: false,
                can_hangup: false,
                can_mute: false,
                serial: board.focus_serial,
            };
        };
        let can = row.view.can;
        Self {
            state: spell::state(row.view.state),
            call: spell::call_path(row.view.id),
            peer_name: row.name.clone(),
            direction: spell::direction(row.view.direction),
            muted: row.view.muted,
            remote_muted: row.view.remote_muted,
            since_monotonic: since(row).0,
            since_at: since(row).1,
            deadline_monotonic: row.deadline_boot,
            missed: board.missed,
            can_answer: can.answer,
            can_decline: can.decline,
            can_hangup: can.hang_up,
            can_mute: can.mute,
            serial: board.focus_serial,
        }
    }
}

impl Call {
    /// Of this row.
    pub(super) fn of(row: &CallRow) -> Self {
        let view = &row.view;
        Self {
            state: spell::state(view.state),
            state_reason: spell::reason(view.reason),
            ended_by: spell::ended_by(view.ended_by),
            serial: view.serial,
            deadline_monotonic: row.deadline_boot,
            history_id: row.history_id,
            note: view.note.clone().unwrap_or_default(),
            message: view.message.clone().unwrap_or_default(),
            muted: view.muted,
            remote_muted: view.remote_muted,
            can_answer: view.can.answer,
            can_decline: view.can.decline,
            can_hangup: view.can.hang_up,
            can_mute: view.can.mute,
            created_at: row.created_at,
            ringing_at: row.ringing_at,
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            answered_monotonic: row.answered_boot,
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
            relays: account.relays.clone(),
            devices: devices.collect(),
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

/// The call in which somebody has answered, and which is not over.
fn active(board: &Board) -> Option<CallId> {
    let answered = |state| match state {
        State::Connecting | State::Active | State::Held | State::Reconnecting => true,
        State::Dialing | State::Alerting | State::Incoming | State::Waiting | State::Disconnected => false,
    };
    board.calls.iter().find(|row| answered(row.view.state)).map(|row| row.view.id)
}

/// Where to count from, in both clocks: the answer; before it the ring, before that the dialing.
fn since(row: &CallRow) -> (u64, i64) {
    match (row.view.answered, row.view.ringing) {
        (Some(_), _) => (row.answered_boot, row.answered_at),
        (None, Some(ringing)) => (ringing.micros(), row.ringing_at),
        (None, None) => (row.view.created.micros(), row.created_at),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
