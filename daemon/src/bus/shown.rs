//! The properties of each object, projected from a board.
//!
//! Lives here: one table for each interface, used for reading and for the comparison of two boards alike. A row of a table is
//! all that a property needs; the XML, which says its type, is compared with what is served by a test.
//! Must not: emit, wait, or ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::{CallId, CallView, Direction, EndReason, EndedBy, MemberView, State};
use zbus::Variant;

use super::names;
use super::object::Properties;
use crate::values::board::{AccountRow, Board, CallRow, DeviceRow, MemberRow};
use crate::values::line::{PathKind, Quality};
use crate::values::near::{NearView, NetworkRow};
use crate::values::pairing::PairingRow;

/// Manager, but for what never changes.
pub(super) fn manager(board: &Board) -> Properties {
    let manager = &board.manager;
    Properties::from([
        ("Ready", manager.ready.into()),
        ("Online", manager.online.into()),
        ("ConnectionState", manager.connection.to_owned().into()),
        ("Problems", manager.problems.clone().into()),
        ("ActiveCall", active(board).map_or_else(names::nowhere, names::call_path).into()),
        (
            "IncomingCount",
            count(
                board.calls.iter().filter(|row| matches!(row.view.state, State::Incoming | State::Waiting)),
            )
            .into(),
        ),
        ("MissedCount", board.missed.into()),
        ("Capabilities", vec!["audio"].into()),
        ("CanDial", manager.cannot_dial.is_empty().into()),
        ("CannotDialReason", manager.cannot_dial.clone().into()),
        ("Pairing", pairing(&manager.pairing).into()),
        ("Networks", networks(&manager.near).into()),
        ("Neighbours", count(manager.near.seen.iter()).into()),
        ("Muted", manager.muted.into()),
        ("Deafened", manager.deafened.into()),
        ("Dnd", manager.dnd.mode.word().into()),
        ("DndUntil", manager.dnd.until.into()),
        ("InputDevice", manager.input_device.clone().into()),
        ("OutputDevice", manager.output_device.clone().into()),
        ("RingDevices", manager.ring_devices.clone().into()),
        ("RingerMuted", manager.ringer_muted.into()),
        ("RingVolume", manager.ring_volume.into()),
    ])
}

/// The local networks that this machine is in.
fn networks(near: &NearView) -> Vec<BTreeMap<String, Variant<'static>>> {
    let row = |row: &NetworkRow| -> BTreeMap<String, Variant<'static>> {
        let shown: [(&str, Variant<'static>); 4] = [
            ("interface", row.interface.clone().into()),
            ("prefix", row.prefix.clone().into()),
            ("trusted", row.trusted.into()),
            ("judged", row.judged.into()),
        ];
        shown.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    };
    near.networks.iter().map(row).collect()
}

/// The last pairing, if there was one. Never a code.
fn pairing(row: &PairingRow) -> BTreeMap<String, Variant<'static>> {
    let mut shown: BTreeMap<&str, Variant<'static>> = BTreeMap::new();
    let Some(state) = row.state else { return BTreeMap::new() };
    shown.insert("serial", row.serial.into());
    shown.insert("state", state.word().into());
    shown.insert("joined", row.joined.into());
    shown.insert("deadline-monotonic", row.deadline_boot.into());
    shown.insert("ends-soon", row.ends_soon.into());
    if let Some(reason) = row.reason {
        shown.insert("reason", reason.word().into());
        shown.insert("sentence", row.sentence.clone().into());
    }
    if let Some(contact) = row.contact {
        shown.insert("contact", names::contact(contact).into());
        shown.insert("name", row.name.clone().into());
        shown.insert("safety-number", row.safety_number.clone().into());
    }
    shown.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Focus.
pub(super) fn focus(board: &Board) -> Properties {
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
    Properties::from([
        ("State", view.map_or("idle", |view| view.state.word()).into()),
        ("Call", path(row).into()),
        ("PeerName", name(row).into()),
        ("PeerIcon", row.map_or_else(String::new, |row| row.icon.clone()).into()),
        ("Waiting", path(waiting).into()),
        ("WaitingName", name(waiting).into()),
        ("Direction", view.map_or("", |view| view.direction.word()).into()),
        ("Muted", view.map_or(board.manager.muted, |view| view.muted).into()),
        ("RemoteMuted", view.is_some_and(CallView::remote_muted).into()),
        ("RemoteHearsOnly", view.is_some_and(CallView::remote_hears_only).into()),
        ("Held", view.is_some_and(|view| view.local_hold).into()),
        ("Silenced", waiting.or(row).is_some_and(|row| row.view.silenced).into()),
        ("SinceMonotonic", since_monotonic.into()),
        ("SinceAt", since_at.into()),
        ("DeadlineMonotonic", row.map_or(0, |row| row.deadline_boot).into()),
        ("Quality", quality(row.and_then(|row| row.shown_line().quality)).into()),
        ("SpeakingMuted", row.is_some_and(|row| row.shown_line().speaking_muted).into()),
        ("Others", count(others).into()),
        ("Missed", board.missed.into()),
        ("Dnd", board.manager.dnd.mode.word().into()),
        ("CanAnswer", rings.answer.into()),
        ("CanDecline", rings.decline.into()),
        ("CanHangup", can.hang_up.into()),
        ("CanHold", can.hold.into()),
        ("CanMute", can.mute.into()),
        ("Serial", board.focus_serial.into()),
    ])
}

/// Call, but for what never changes.
pub(super) fn call(row: &CallRow) -> Properties {
    let view = &row.view;
    // Every path of ours is DTLS-SRTP with Opus in it: there is no other.
    let flows = matches!(view.state, State::Active | State::Held | State::Reconnecting);
    let line = row.shown_line();
    Properties::from([
        ("State", view.state.word().into()),
        ("StateReason", view.reason.map_or("", EndReason::word).into()),
        ("EndedBy", view.ended_by.map_or("", EndedBy::word).into()),
        ("EndedByName", ender(row).into()),
        ("Serial", view.serial.into()),
        ("DeadlineMonotonic", row.deadline_boot.into()),
        ("HistoryId", row.history_id.into()),
        ("Note", view.note.clone().unwrap_or_default().into()),
        ("Message", view.message.clone().unwrap_or_default().into()),
        ("Muted", view.muted.into()),
        ("HearsOnly", view.hears_only.into()),
        ("RemoteHearsOnly", view.remote_hears_only().into()),
        ("RemoteMuted", view.remote_muted().into()),
        ("LocalHold", view.local_hold.into()),
        ("RemoteHold", view.remote_hold().into()),
        ("Kind", view.kind.word().into()),
        ("RemoteName", row.name.clone().into()),
        ("Host", view.host.into()),
        ("Alone", view.alone.into()),
        ("Silenced", view.silenced.into()),
        ("AutoAnswered", view.auto_answered.into()),
        ("Codec", if flows { "opus" } else { "" }.into()),
        ("Encrypted", flows.into()),
        ("Verified", row.verified.into()),
        ("Quality", quality(line.quality).into()),
        ("Path", line.path.map_or("", PathKind::word).into()),
        ("SpeakingMuted", line.speaking_muted.into()),
        ("CanAnswer", view.can.answer.into()),
        ("CanDecline", view.can.decline.into()),
        ("CanHangup", view.can.hang_up.into()),
        ("CanHold", view.can.hold.into()),
        ("CanMute", view.can.mute.into()),
        ("CanJoin", view.can.join.into()),
        ("CanInvite", view.can.invite.into()),
        ("CreatedAt", row.created_at.into()),
        ("RingingAt", row.ringing_at.into()),
        ("AnsweredAt", row.answered_at.into()),
        ("EndedAt", row.ended_at.into()),
        ("AnsweredMonotonic", row.answered_boot.into()),
    ])
}

/// Who of a group put us out, or ended it for all.
fn ender(row: &CallRow) -> String {
    let members = row.view.members.iter().zip(&row.members);
    let mut ender = members.filter(|(member, _)| Some(member.id) == row.view.ender);
    ender.next().map(|(_, shown)| shown.name.clone()).unwrap_or_default()
}

/// What of a call never changes: of the row that its object was made of.
pub(super) fn call_constants(row: &CallRow, account: &AccountRow) -> Properties {
    let started_by = match row.view.direction {
        Direction::Incoming => &row.address,
        Direction::Outgoing => &account.address,
    };
    Properties::from([
        ("Id", names::uuid(row.view.id).into()),
        ("Direction", row.view.direction.word().into()),
        ("Account", names::account_path(&account.id).into()),
        ("Contact", names::contact(row.view.peer).into()),
        ("RemoteAddress", row.address.clone().into()),
        ("StartedBy", started_by.clone().into()),
    ])
}

/// Another person in a call.
pub(super) fn peer((view, row): (&MemberView, &MemberRow), call: &CallRow) -> Properties {
    let line = call.shown_member_line(view, row);
    Properties::from([
        ("Name", row.name.clone().into()),
        ("Contact", names::contact(view.peer).into()),
        ("State", view.state.word().into()),
        ("Blocked", row.blocked.into()),
        ("Muted", view.muted.into()),
        ("Video", view.camera.into()),
        // Nothing shows this yet.
        ("Screen", false.into()),
        ("Speaking", line.speaking.into()),
        ("Quality", quality(line.quality).into()),
        ("Volume", row.volume.into()),
        ("Role", if view.starter { "starter" } else { "member" }.into()),
        ("JoinedAt", row.joined_at.into()),
        ("LeftAt", row.left_at.into()),
    ])
}

/// Account, but for what never changes.
pub(super) fn account(board: &Board) -> Properties {
    let account = &board.account;
    let devices = account.devices.iter().map(|(name, id, this)| {
        BTreeMap::from([
            ("id".to_owned(), Variant::from(id.clone())),
            ("name".to_owned(), Variant::from(name.clone())),
            ("this".to_owned(), Variant::from(*this)),
        ])
    });
    let serving = account.serving.iter().map(|row| {
        BTreeMap::from([
            ("from".to_owned(), Variant::from(row.from)),
            ("serves".to_owned(), Variant::from(row.serves)),
            ("url".to_owned(), Variant::from(row.url.clone())),
        ])
    });
    Properties::from([
        ("Serving", serving.collect::<Vec<_>>().into()),
        ("DisplayName", account.display_name.clone().into()),
        ("ConnectionState", account.connection.to_owned().into()),
        ("ConnectionError", account.connection_error.clone().into()),
        ("Enabled", account.enabled.into()),
        ("Relays", account.relays.clone().into()),
        ("Devices", devices.collect::<Vec<_>>().into()),
    ])
}

/// A sound device, but for what never changes.
pub(super) fn device(row: &DeviceRow) -> Properties {
    let device = &row.device;
    Properties::from([
        ("Name", device.name.clone().into()),
        ("Kind", device.kind.word().into()),
        ("Present", row.present.into()),
        ("Default", device.default.into()),
        ("Roles", row.roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>().into()),
        ("Volume", device.volume.into()),
        ("Muted", device.muted.into()),
    ])
}

/// Contacts.
pub(super) fn contacts(board: &Board) -> Properties {
    Properties::from([("Count", board.contacts.into()), ("RequestCount", count(board.asking.iter()).into())])
}

/// History.
pub(super) fn history(board: &Board) -> Properties {
    Properties::from([("Missed", board.missed.into()), ("LastId", board.last_history.into())])
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

fn quality(of: Option<Quality>) -> &'static str {
    of.map_or("", Quality::word)
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

#[cfg(test)]
mod tests {
    use ahoy_call::{MemberId, MemberState, PeerId};

    use super::*;
    use crate::values::line::{Line, MemberLine};

    #[test]
    fn who_speaks_is_shown_of_who_takes_part_while_sound_flows() {
        let speaks = |call: State, state: MemberState| {
            let member = MemberView::new(MemberId::FIRST, PeerId::from_bytes([1; 16]), state);
            let view = CallView { members: vec![member], ..CallView::sample(1, call) };
            let line = MemberLine { quality: Some(Quality::Fair), speaking: true };
            let there = MemberRow {
                name: "Ben".to_owned(),
                volume: 1.0,
                blocked: false,
                joined_at: 1,
                left_at: 0,
                line,
            };
            let row = CallRow { members: vec![there], ..CallRow::sample(view, "Ben") };
            let shown = peer(row.members().next().unwrap(), &row);
            (shown["Speaking"].clone(), shown["Quality"].clone())
        };
        let shown = |speaks: bool, quality: &'static str| (Variant::from(speaks), Variant::from(quality));
        assert_eq!(speaks(State::Active, MemberState::Joined), shown(true, "fair"));
        assert_eq!(speaks(State::Active, MemberState::Connecting), shown(false, "fair"));
        assert_eq!(speaks(State::Disconnected, MemberState::Joined), shown(false, ""));
    }

    #[test]
    fn how_good_a_line_is_stands_on_the_call_its_peer_and_focus_alike() {
        let member = MemberView::new(MemberId::FIRST, PeerId::from_bytes([1; 16]), MemberState::Joined);
        let view = CallView { members: vec![member], muted: true, ..CallView::sample(1, State::Active) };
        let id = view.id;
        let board = |line: Line| {
            let of_peer = MemberLine { quality: line.quality, speaking: false };
            let name = "Ben".to_owned();
            let there =
                MemberRow { name, volume: 1.0, blocked: false, joined_at: 1, left_at: 0, line: of_peer };
            let row = CallRow { line, members: vec![there], ..CallRow::sample(view.clone(), "Ben") };
            Board { calls: vec![Arc::new(row)], focus: Some(id), ..Board::default() }
        };
        let quality = |board: &Board| {
            let row = &board.calls[0];
            let all = [focus(board), call(row), peer(row.members().next().unwrap(), row)];
            all.map(|properties| {
                let Variant::Str(word) = &properties["Quality"] else { panic!("{properties:?}") };
                word.to_string()
            })
        };
        assert_eq!(quality(&board(Line::default())), ["", "", ""], "not measured yet");
        for one in Quality::ALL {
            let line = Line { quality: Some(one), path: Some(PathKind::RelayTcp), ..Line::default() };
            let board = board(line);
            assert_eq!(quality(&board), [one.word(); 3]);
            assert_eq!(call(&board.calls[0])["Path"], Variant::from("relay-tcp"));
        }
        let speaks = board(Line { speaking_muted: true, ..Line::default() });
        assert_eq!(focus(&speaks)["SpeakingMuted"], Variant::from(true));
        assert_eq!(call(&speaks.calls[0])["SpeakingMuted"], Variant::from(true));
    }
}
