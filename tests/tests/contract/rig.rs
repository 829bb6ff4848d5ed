//! The real bus port on a private bus, with a test in the engine's place.
//!
//! Lives here: the port, a client, a monitor; boards to publish.
//! Must not: judge what it sees.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ahoy_call::{
    CallId, CallView, Can, Direction, EndReason, EndedBy, MemberId, MemberState, MemberView, Moment, PeerId,
    State,
};
use ahoy_tests::bus::PrivateBus;
use ahoyd::bus::{EventData, Happening, Publication, Report, serve};
use ahoyd::values::board::{AccountRow, Board, CallRow, DeviceRow, ManagerRow, MemberRow, Newest};
use ahoyd::values::devices::{Device, Flow, Kind};
use ahoyd::values::line::MemberLine;
use ahoyd::values::request::{Answer, Asked, Denied};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zbus::fdo::{MonitoringProxy, PropertiesProxy};
use zbus::message::{Message, Type};
use zbus::names::InterfaceName;
use zbus::{Connection, MessageStream, OwnedVariant};

/// The first call of a test.
pub(crate) const CALL: CallId = CallId::from_bytes([0xc1; 16]);
/// Its path.
pub(crate) const CALL_PATH: &str = "/org/ahoyd/Calls1/call_c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
/// Who it is with.
pub(crate) const PEER_PATH: &str = "/org/ahoyd/Calls1/call_c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1/peer_1";
/// The path of the loudspeaker: made of its direction and id, so that it is the same after every start.
pub(crate) const DEVICE_PATH: &str = "/org/ahoyd/Calls1/device_4abd2270163a3933e2944b580c9bc726";
/// The account's path.
pub(crate) const ACCOUNT_PATH: &str = "/org/ahoyd/Calls1/account_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Queues to one served port.
pub(crate) struct Port {
    pub(crate) orders: mpsc::Sender<Publication>,
    pub(crate) boards: watch::Sender<Option<Newest>>,
    pub(crate) asked: mpsc::Receiver<Asked>,
    pub(crate) reports: mpsc::Receiver<Report>,
    _task: JoinSet<()>,
}

impl Port {
    /// Serves a port at this address; the first board is still to be published.
    pub(crate) fn at(address: String) -> Self {
        let (orders, orders_in) = mpsc::channel(64);
        let (asked_out, asked) = mpsc::channel(16);
        let (reports_out, reports) = mpsc::channel(16);
        let mut task = JoinSet::new();
        let (boards, seen) = watch::channel(None);
        task.spawn(serve(Some(address), asked_out, seen, orders_in, reports_out));
        Self { orders, boards, asked, reports, _task: task }
    }

    pub(crate) async fn order(&self, order: Publication) {
        self.orders.send(order).await.expect("the port lives");
    }

    /// Shows a board, and waits until it is out if the port is up.
    pub(crate) async fn publish(&self, board: &Board) {
        self.show(board, 0);
        let (reply, out) = tokio::sync::oneshot::channel();
        self.order(Publication::Reply(reply, Ok(Answer::Done))).await;
        // A port that is down, or has ended because the name is taken, answers too or lets go.
        let _ended = out.await;
    }

    /// Shows a board before which so many events were lost.
    pub(crate) fn show(&self, board: &Board, lost: u64) {
        self.boards.send_replace(Some(Newest { board: Arc::new(board.clone()), lost }));
    }

    pub(crate) async fn report(&mut self) -> Report {
        self.reports.recv().await.expect("the port lives")
    }

    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked.recv().await.expect("the port lives")
    }

    /// Waits for one request, shows `board`, and then answers.
    pub(crate) async fn serve_one(&mut self, board: &Board, answer: Result<Answer, Denied>) -> Asked {
        let mut asked = self.asked().await;
        let (dummy, _) = tokio::sync::oneshot::channel();
        let reply = std::mem::replace(&mut asked.reply, dummy);
        self.show(board, 0);
        self.order(Publication::Reply(reply, answer)).await;
        asked
    }
}

/// A port that is up, and a client beside it.
pub(crate) struct Rig {
    pub(crate) port: Port,
    pub(crate) client: Connection,
    pub(crate) bus: PrivateBus,
}

impl Rig {
    /// With this board published.
    pub(crate) async fn up(board: &Board) -> Self {
        let bus = PrivateBus::start().unwrap();
        let mut port = Port::at(bus.address());
        port.publish(board).await;
        assert_eq!(port.report().await, Report::Up);
        let client = connect(&bus).await;
        Self { port, client, bus }
    }

    /// A method call with no argument but empty options or what `body` holds.
    pub(crate) async fn call<B>(&self, path: &str, member: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let (interface, method) = member.split_once('.').unwrap();
        let interface = format!("org.ahoyd.Calls1.{interface}");
        self.client.call_method(Some("org.ahoyd.Calls1"), path, Some(interface.as_str()), method, body).await
    }

    /// All properties of one interface, read afresh.
    pub(crate) async fn properties(&self, path: &str, interface: &str) -> BTreeMap<String, OwnedVariant> {
        let proxy = properties_of(&self.client, path).await;
        let name = InterfaceName::try_from(format!("org.ahoyd.Calls1.{interface}")).unwrap();
        proxy.get_all(name).await.unwrap().into_iter().collect()
    }

    /// A monitor that sees every message on the bus from now on.
    pub(crate) async fn monitor(&self) -> MessageStream {
        let connection = connect(&self.bus).await;
        let stream = MessageStream::from(&connection);
        MonitoringProxy::new(&connection).await.unwrap().become_monitor(&[], 0).await.unwrap();
        stream
    }

    /// Everything that the monitor saw of the port until now, signals and replies.
    pub(crate) async fn seen(&self, monitor: &mut MessageStream) -> Vec<Message> {
        let mark = Publication::Event(Happening { kind: "test.mark", serial: 0, data: EventData::default() });
        self.port.order(mark).await;
        let mut seen = Vec::new();
        loop {
            let message = monitor.next().await.expect("the bus lives").unwrap();
            if member(&message) == "Event" {
                return seen;
            }
            let wanted = matches!(message.message_type(), Type::Signal | Type::MethodReturn);
            let of_the_bus = message.header().sender().is_some_and(|name| name == "org.freedesktop.DBus");
            if wanted && !of_the_bus {
                seen.push(message);
            }
        }
    }
}

/// A client whose calls fail after a while instead of hanging the test.
pub(crate) async fn connect(bus: &PrivateBus) -> Connection {
    let address: &str = &bus.address();
    let bound = std::time::Duration::from_secs(10);
    zbus::conn::Builder::address(address).method_timeout(bound).build().await.unwrap()
}

pub(crate) async fn properties_of<'a>(client: &Connection, path: &'a str) -> PropertiesProxy<'a> {
    let proxy = PropertiesProxy::builder(client).destination("org.ahoyd.Calls1").path(path);
    proxy.cache_properties(zbus::proxy::CacheProperties::No).build().await.unwrap()
}

/// The member of a message, empty for replies.
pub(crate) fn member(message: &Message) -> String {
    message.header().member().map(ToString::to_string).unwrap_or_default()
}

/// The object, interface and new values of each `PropertiesChanged`.
pub(crate) fn changes(seen: &[Message]) -> Vec<(String, String, HashMap<String, OwnedVariant>)> {
    let changed = seen.iter().filter(|message| member(message) == "PropertiesChanged");
    changed
        .map(|message| {
            let path = message.header().path().unwrap().to_string();
            let body = message.body();
            let (interface, properties, invalidated): (String, HashMap<String, OwnedVariant>, Vec<String>) =
                body.deserialize().unwrap();
            assert!(invalidated.is_empty(), "values are sent, not invalidated");
            (path, interface.trim_start_matches("org.ahoyd.Calls1.").to_owned(), properties)
        })
        .collect()
}

/// A board of a daemon that is online, with no call.
pub(crate) fn idle() -> Board {
    Board {
        manager: ManagerRow {
            ready: true,
            online: true,
            connection: "online",
            volumes: true,
            ..ManagerRow::default()
        },
        devices: vec![speaker(0.5)],
        account: AccountRow {
            id: "a".repeat(32),
            address: "own-address".to_owned(),
            display_name: "Ana".to_owned(),
            connection: "online",
            devices: vec![("desk".to_owned(), "d".repeat(32), true)],
            ..AccountRow::default()
        },
        ..Board::default()
    }
}

/// A loudspeaker at this volume.
pub(crate) fn speaker(volume: f64) -> Arc<DeviceRow> {
    let device = Device {
        id: "usb.speaker-1".to_owned(),
        name: "Speaker".to_owned(),
        flow: Flow::Output,
        kind: Kind::Speaker,
        default: true,
        volume,
        muted: false,
    };
    Arc::new(DeviceRow { device, present: true, roles: vec!["output", "ring"] })
}

/// The same with the call in this state.
pub(crate) fn with_call(state: State) -> Board {
    let over = state == State::Disconnected;
    let answered =
        matches!(state, State::Connecting | State::Active | State::Held | State::Reconnecting) || over;
    let peer = PeerId::from_bytes([0xbe; 16]);
    let member = match state {
        State::Dialing => MemberState::Invited,
        State::Alerting => MemberState::Ringing,
        State::Incoming | State::Waiting | State::Connecting | State::Reconnecting => MemberState::Connecting,
        State::Active | State::Held => MemberState::Joined,
        State::Disconnected => MemberState::Left,
    };
    let view = CallView {
        id: CALL,
        peer,
        members: vec![MemberView::new(MemberId::FIRST, peer, member)],
        direction: if matches!(state, State::Incoming | State::Waiting) {
            Direction::Incoming
        } else {
            Direction::Outgoing
        },
        reason: over.then_some(EndReason::Completed),
        ended_by: over.then_some(EndedBy::Local),
        ender: None,
        serial: 1 + state_number(state),
        created: Moment::from_micros(1_000),
        ringing: (state != State::Dialing).then_some(Moment::from_micros(2_000)),
        answered: answered.then_some(Moment::from_micros(3_000)),
        can: Can {
            answer: matches!(state, State::Incoming | State::Waiting),
            decline: matches!(state, State::Incoming | State::Waiting),
            hang_up: !over,
            mute: !over,
            hold: answered && !over,
            join: false,
            invite: answered && !over,
        },
        ..CallView::sample(0xbe, state)
    };
    let row = CallRow {
        history_id: 7,
        created_at: 1_000_000,
        ringing_at: if state == State::Dialing { 0 } else { 2_000_000 },
        answered_at: if answered { 3_000_000 } else { 0 },
        ended_at: if over { 4_000_000 } else { 0 },
        answered_boot: if answered { 3_000 } else { 0 },
        members: vec![MemberRow {
            name: "Ben".to_owned(),
            volume: 1.0,
            blocked: false,
            joined_at: if answered { 3_000_000 } else { 0 },
            left_at: if over { 4_000_000 } else { 0 },
            line: MemberLine::default(),
        }],
        ..CallRow::sample(view, "Ben")
    };
    Board {
        calls: vec![Arc::new(row)],
        focus: (!over).then_some(CALL),
        focus_serial: 1 + state_number(state),
        ..idle()
    }
}

/// The same board with the call muted.
pub(crate) fn muted(mut board: Board) -> Board {
    for row in &mut board.calls {
        Arc::make_mut(row).view.muted = true;
    }
    board
}

fn state_number(state: State) -> u64 {
    match state {
        State::Dialing => 1,
        State::Alerting => 2,
        State::Incoming => 3,
        State::Connecting => 4,
        State::Active => 5,
        State::Reconnecting => 6,
        State::Disconnected => 7,
        State::Waiting => 8,
        State::Held => 9,
    }
}
