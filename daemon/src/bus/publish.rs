//! From one board to the next: what must be said on the bus.
//!
//! Lives here: the comparison of two boards, as values; its emission, one `PropertiesChanged` for each object.
//! Must not: decide what a board holds, or how often boards come.

use std::sync::Arc;

use ahoy_call::{CallId, MemberId};
use tokio::sync::watch;
use zbus::object_server::SignalEmitter;
use zbus::wire::OwnedObjectPath;
use zbus::{Connection, ObjectServer};

use super::call::CallObject;
use super::device::DeviceObject;
use super::engine_handle::EngineHandle;
use super::guarded::Guarded;
use super::object::Properties;
use super::peer::PeerObject;
use super::{names, shown};
use crate::system::failpoint;
use crate::values::board::{Board, CallRow, DeviceRow};

/// All that differs between two boards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Calls whose objects go.
    pub(super) gone: Vec<Arc<CallRow>>,
    /// Calls whose objects come.
    pub(super) come: Vec<Arc<CallRow>>,
    /// Members who come to a call that is there.
    pub(super) peers_come: Vec<(CallId, MemberId)>,
    /// Devices whose objects go.
    pub(super) devices_gone: Vec<Arc<DeviceRow>>,
    /// Devices whose objects come.
    pub(super) devices_come: Vec<Arc<DeviceRow>>,
    /// Objects whose properties changed; each object at most once, none of those that go or come.
    pub(super) changed: Vec<Changed>,
}

/// What changed on one object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changed {
    /// The object.
    pub(super) path: OwnedObjectPath,
    /// Its interface, without the prefix.
    pub(super) interface: &'static str,
    /// The new values.
    pub(super) properties: Properties,
}

/// Compares two boards.
pub(super) fn difference(before: &Board, after: &Board) -> Difference {
    let old = everything(before);
    let changed = everything(after).into_iter().filter_map(|mut object| {
        let old = old.iter().find(|old| old.path == object.path)?;
        object.properties.retain(|name, value| old.properties.get(name) != Some(value));
        (!object.properties.is_empty()).then_some(object)
    });
    let same_call = |one: &CallRow, other: &CallRow| one.view.id == other.view.id;
    let same_device = |one: &DeviceRow, other: &DeviceRow| {
        one.device.flow == other.device.flow && one.device.id == other.device.id
    };
    let come: Vec<Arc<CallRow>> = missing(&after.calls, &before.calls, same_call).collect();
    let peers = |board: &Board| {
        let of =
            |row: &Arc<CallRow>| row.view.members.iter().map(|one| (row.view.id, one.id)).collect::<Vec<_>>();
        board.calls.iter().flat_map(of).collect::<Vec<_>>()
    };
    let (known, mut peers_come) = (peers(before), peers(after));
    peers_come.retain(|peer| !known.contains(peer) && !come.iter().any(|row| row.view.id == peer.0));
    Difference {
        gone: missing(&before.calls, &after.calls, same_call).collect(),
        come,
        peers_come,
        devices_gone: missing(&before.devices, &after.devices, same_device).collect(),
        devices_come: missing(&after.devices, &before.devices, same_device).collect(),
        changed: changed.collect(),
    }
}

/// The rows that are among these and not among the others.
fn missing<T>(
    these: &[Arc<T>],
    others: &[Arc<T>],
    same: impl Fn(&T, &T) -> bool,
) -> impl Iterator<Item = Arc<T>> {
    these.iter().filter(move |row| !others.iter().any(|other| same(row, other))).cloned()
}

/// Shows a new board: objects that are over go, the snapshot is swapped, new objects come, and then each changed
/// object says so once. So whoever hears a signal reads at least as new a value.
pub(super) async fn show(
    connection: &Connection,
    engine: &EngineHandle,
    shown: &watch::Sender<Arc<Board>>,
    board: Arc<Board>,
) -> zbus::Result<()> {
    let difference = difference(&engine.board(), &board);
    let server = connection.object_server();
    // What fails is told at the end: the rest is shown all the same.
    let mut outcome = Ok(());
    for row in difference.gone {
        for (member, _) in row.members() {
            let path = names::peer_path(row.view.id, member.id);
            outcome = outcome.and(server.remove::<Guarded<PeerObject>, _>(path).await.map(|_gone| ()));
        }
        let path = names::call_path(row.view.id);
        outcome = outcome.and(server.remove::<Guarded<CallObject>, _>(path).await.map(|_gone| ()));
    }
    for row in difference.devices_gone {
        let path = names::device_path(row.device.flow, &row.device.id);
        outcome = outcome.and(server.remove::<Guarded<DeviceObject>, _>(path).await.map(|_gone| ()));
    }
    shown.send_replace(board);
    for row in difference.come {
        outcome = outcome.and(add_call(server, engine, row).await);
    }
    for (call, member) in difference.peers_come {
        outcome = outcome.and(add_peer(server, engine, call, member).await);
    }
    for row in difference.devices_come {
        outcome = outcome.and(add_device(server, engine, &row).await);
    }
    for changed in difference.changed {
        outcome = outcome.and(emit(connection, changed).await);
    }
    engine.board().calls.iter().for_each(|row| failpoint::reached("published", row.view.state));
    outcome
}

/// Tells every property of every object again, for whoever missed something.
pub(super) async fn tell_all(connection: &Connection, board: &Board) -> zbus::Result<()> {
    let mut outcome = Ok(());
    for changed in everything(board) {
        outcome = outcome.and(emit(connection, changed).await);
    }
    outcome
}

/// All objects of a board with all that can change of them.
pub(super) fn everything(board: &Board) -> Vec<Changed> {
    let object = |path, interface, properties| Changed { path, interface, properties };
    let mut all = Vec::new();
    for row in &board.calls {
        all.push(object(names::call_path(row.view.id), "Call", shown::call(row)));
        for member in row.members() {
            all.push(object(names::peer_path(row.view.id, member.0.id), "Peer", shown::peer(member, row)));
        }
    }
    let device = |row: &Arc<DeviceRow>| {
        let path = names::device_path(row.device.flow, &row.device.id);
        object(path, "AudioDevice", shown::device(row))
    };
    let single = [
        object(names::fixed(names::ROOT), "Manager", shown::manager(board)),
        object(names::fixed(names::FOCUS), "Focus", shown::focus(board)),
        object(names::fixed(names::CONTACTS), "Contacts", shown::contacts(board)),
        object(names::fixed(names::HISTORY), "History", shown::history(board)),
    ];
    let account = || object(names::account_path(&board.account.id), "Account", shown::account(board));
    all.extend((!board.account.id.is_empty()).then(account));
    all.extend(board.devices.iter().map(device).chain(single));
    all
}

/// Exports the objects of a call that is on the board, and of the others in it.
pub(super) async fn add_call(
    server: &ObjectServer,
    engine: &EngineHandle,
    row: Arc<CallRow>,
) -> zbus::Result<()> {
    let path = names::call_path(row.view.id);
    server.at(path, Guarded(CallObject::new(engine.clone(), Arc::clone(&row)))).await?;
    for (member, _) in row.members() {
        add_peer(server, engine, row.view.id, member.id).await?;
    }
    Ok(())
}

async fn add_peer(
    server: &ObjectServer,
    engine: &EngineHandle,
    call: CallId,
    member: MemberId,
) -> zbus::Result<()> {
    let object = PeerObject { engine: engine.clone(), call, member };
    server.at(names::peer_path(call, member), Guarded(object)).await.map(|_added| ())
}

/// Exports the object of a device that is on the board.
pub(super) async fn add_device(
    server: &ObjectServer,
    engine: &EngineHandle,
    row: &DeviceRow,
) -> zbus::Result<()> {
    let path = names::device_path(row.device.flow, &row.device.id);
    server.at(path, Guarded(DeviceObject::new(engine.clone(), row))).await.map(|_added| ())
}

async fn emit(connection: &Connection, changed: Changed) -> zbus::Result<()> {
    let body = changes(&changed);
    SignalEmitter::new(connection, changed.path.clone())?
        .emit("org.freedesktop.DBus.Properties", "PropertiesChanged", &body)
        .await
}

/// The body of `PropertiesChanged`.
pub(super) fn changes(changed: &Changed) -> (String, &Properties, &[&'static str]) {
    (format!("{}.{}", names::NAME, changed.interface), &changed.properties, &[])
}

#[cfg(test)]
mod tests {
    use ahoy_call::{CallView, MemberState, MemberView, PeerId, State};

    use super::*;
    use crate::values::board::MemberRow;
    use crate::values::line::MemberLine;

    #[test]
    fn a_member_who_comes_is_an_object_and_one_who_speaks_is_a_change_of_its_own() {
        let peer = PeerId::from_bytes([0xbe; 16]);
        let member = |id| MemberView::new(MemberId(id), peer, MemberState::Joined);
        let with = |members: Vec<MemberView>| {
            let mut board = board_of(vec![call(1, State::Active)]);
            let row = Arc::make_mut(&mut board.calls[0]);
            let (name, volume) = ("Ben".to_owned(), 1.0);
            let shown = MemberRow {
                name,
                volume,
                blocked: false,
                joined_at: 0,
                left_at: 0,
                line: MemberLine::default(),
            };
            (row.members, row.view.members) = (vec![shown; members.len()], members);
            board
        };
        let after = with(vec![MemberView { muted: true, ..member(1) }, member(2)]);
        let difference = difference(&with(vec![member(1)]), &after);
        let id = after.calls[0].view.id;
        assert_eq!(difference.peers_come, [(id, MemberId(2))]);
        let path = names::peer_path(id, MemberId(1));
        let changed: Vec<_> = difference.changed.iter().filter(|changed| changed.path == path).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].properties, Properties::from([("Muted", true.into())]));
    }

    fn board_of(calls: Vec<Arc<CallRow>>) -> Board {
        Board { calls, ..Board::default() }
    }

    fn call(id: u8, state: State) -> Arc<CallRow> {
        Arc::new(CallRow::sample(CallView::sample(id, state), "Ben"))
    }
}
