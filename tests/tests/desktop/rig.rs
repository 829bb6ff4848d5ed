//! The desktop port on a bus of its own, with a test in the engine's place.
//!
//! Lives here: the port, boards to show it, a notification server that does as it is told.
//! Must not: judge what it sees, or wait without a bound.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, CallView, Can, Direction, Moment, PeerId, State};
use ahoy_tests::bus::PrivateBus;
use ahoyd::board::{Board, CallRow};
use ahoyd::desktop::{Hooks, Report, Setup, Sight, spawn};
use ahoyd::happening::{EventData, Happening};
use ahoyd::request::Asked;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant, interface};

/// What is waited for comes within this, also on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// A desktop port, and the bus it is on.
pub(crate) struct Rig {
    pub(crate) bus: PrivateBus,
    pub(crate) asked: mpsc::Receiver<Asked>,
    pub(crate) _reports: mpsc::Receiver<Report>,
    boards: Option<watch::Sender<Arc<Board>>>,
    happened: Option<broadcast::Sender<Happening>>,
    port: Option<JoinHandle<()>>,
}

impl Rig {
    /// With a bus, and no hooks.
    pub(crate) fn start() -> Self {
        Self::on(PrivateBus::start().unwrap())
    }

    pub(crate) fn on(bus: PrivateBus) -> Self {
        Self::with_hooks(bus, Path::new("/nonexistent"), Duration::from_secs(5))
    }

    pub(crate) fn with_hooks(bus: PrivateBus, folder: &Path, limit: Duration) -> Self {
        let boards = watch::Sender::new(Arc::new(Board::default()));
        let happened = broadcast::Sender::new(64);
        let (asked_out, asked) = mpsc::channel(16);
        let (reports_out, _reports) = mpsc::channel(16);
        let sight = Sight { boards: boards.subscribe(), happened: happened.subscribe() };
        let setup = Setup {
            session_bus: Some(bus.address()),
            system_bus: Some(bus.address()),
            hooks: Hooks { folder: folder.to_owned(), limit },
        };
        let port = Some(spawn(setup, sight, asked_out, reports_out));
        Self { bus, asked, _reports, boards: Some(boards), happened: Some(happened), port }
    }

    /// Shows these calls.
    pub(crate) fn show(&self, calls: Vec<CallRow>) {
        self.show_board(Board { calls: calls.into_iter().map(Arc::new).collect(), ..Board::default() });
    }

    pub(crate) fn show_board(&self, board: Board) {
        self.boards.as_ref().unwrap().send_replace(Arc::new(board));
    }

    /// Something happened with the contact of that number.
    pub(crate) fn happens(&self, kind: &'static str, who: u8, name: &str) {
        let data = EventData {
            call: Some(CallId::from_bytes([who; 16])),
            contact: Some(PeerId::from_bytes([who; 16])),
            name: Some(name.to_owned()),
            ..EventData::default()
        };
        let _listeners = self.happened.as_ref().unwrap().send(Happening { kind, serial: 1, data });
    }

    /// What the port asks of the engine next.
    pub(crate) async fn asks(&mut self) -> Asked {
        within(self.asked.recv()).await.expect("the port lives")
    }

    /// Asks for nothing now.
    pub(crate) fn asks_nothing(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    pub(crate) async fn connect(&self) -> Connection {
        connect(&self.bus).await
    }

    /// The engine goes; the port ends.
    pub(crate) async fn end(&mut self) {
        self.boards = None;
        self.happened = None;
        within(self.port.take().unwrap()).await.unwrap();
    }
}

/// A bounded wait.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// Asks again and again, at the pace of the bus, until there is an answer.
pub(crate) async fn until<T>(bus: &Connection, ask: impl AsyncFn() -> Option<T>) -> T {
    let dbus = zbus::fdo::DBusProxy::new(bus).await.unwrap();
    within(async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            dbus.get_id().await.unwrap();
        }
    })
    .await
}

pub(crate) async fn connect(bus: &PrivateBus) -> Connection {
    let address: &str = &bus.address();
    zbus::conn::Builder::address(address).method_timeout(PATIENCE).build().await.unwrap()
}

/// A call of the contact with that number.
pub(crate) fn call(id: u8, name: &str, state: State) -> CallRow {
    let view = CallView {
        id: CallId::from_bytes([id; 16]),
        peer: PeerId::from_bytes([id; 16]),
        direction: Direction::Incoming,
        state,
        reason: None,
        ended_by: None,
        outcome: None,
        serial: 1,
        deadline: None,
        created: Moment::from_micros(1),
        ringing: None,
        answered: None,
        ended: None,
        muted: false,
        remote_muted: false,
        hears_only: false,
        remote_hears_only: false,
        local_hold: false,
        remote_hold: false,
        silenced: false,
        auto_answered: false,
        note: None,
        message: None,
        can: Can::default(),
    };
    CallRow {
        view,
        name: name.to_owned(),
        address: "address".to_owned(),
        history_id: 0,
        created_at: 0,
        ringing_at: 0,
        answered_at: 0,
        ended_at: 0,
        answered_boot: 0,
        deadline_boot: 0,
        icon: String::new(),
        ring_tone: String::new(),
    }
}

/// What a notification server was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Notify { id: u32, replaces: u32, summary: String, body: String, buttons: Vec<String>, urgency: u8 },
    Close(u32),
}

/// A notification server.
pub(crate) struct Server {
    pub(crate) bus: Connection,
    told: mpsc::Receiver<Told>,
}

struct Desktop {
    told: mpsc::Sender<Told>,
    last: u32,
    able: Vec<&'static str>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    fn get_capabilities(&self) -> Vec<&'static str> {
        self.able.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "the notification specification has eight")]
    async fn notify(
        &mut self,
        _name: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        buttons: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        _expires: i32,
    ) -> u32 {
        if replaces == 0 {
            self.last += 1;
        }
        let id = if replaces == 0 { self.last } else { replaces };
        let urgency = u8::try_from(&hints["urgency"]).unwrap();
        self.told.send(Told::Notify { id, replaces, summary, body, buttons, urgency }).await.unwrap();
        id
    }

    async fn close_notification(&self, id: u32) {
        self.told.send(Told::Close(id)).await.unwrap();
    }
}

const PATH: &str = "/org/freedesktop/Notifications";

impl Server {
    /// With buttons and markup; its numbers begin after `last`.
    pub(crate) async fn come(bus: &PrivateBus, last: u32) -> Self {
        Self::able(bus, last, vec!["actions", "body", "body-markup"]).await
    }

    pub(crate) async fn able(bus: &PrivateBus, last: u32, able: Vec<&'static str>) -> Self {
        let (told_out, told) = mpsc::channel(64);
        let bus = connect(bus).await;
        bus.object_server().at(PATH, Desktop { told: told_out, last, able }).await.unwrap();
        bus.request_name("org.freedesktop.Notifications").await.unwrap();
        Self { bus, told }
    }

    /// What it was asked for next.
    pub(crate) async fn told(&mut self) -> Told {
        within(self.told.recv()).await.expect("the server lives")
    }

    /// The number, first line and buttons of the next note.
    pub(crate) async fn shown(&mut self) -> (u32, String) {
        match self.told().await {
            Told::Notify { id, summary, .. } => (id, summary),
            Told::Close(id) => panic!("{id} was closed"),
        }
    }

    pub(crate) async fn closed(&mut self) -> u32 {
        match self.told().await {
            Told::Close(id) => id,
            told @ Told::Notify { .. } => panic!("{told:?}"),
        }
    }

    pub(crate) fn told_nothing(&mut self) -> bool {
        self.told.try_recv().is_err()
    }

    pub(crate) async fn press(&self, id: u32, button: &str) {
        press(&self.bus, None, id, button).await;
    }

    /// Says that a note has gone: 2 by a person, others for reasons of its own.
    pub(crate) async fn gone(&self, id: u32, reason: u32) {
        let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
        emitter.emit("org.freedesktop.Notifications", "NotificationClosed", &(id, reason)).await.unwrap();
    }

    /// Leaves the bus without a word.
    pub(crate) async fn go(self) {
        self.bus.close().await.unwrap();
    }
}

/// Says, as whoever is on that connection, that a button was pressed; to all or to one.
pub(crate) async fn press(bus: &Connection, to: Option<&str>, id: u32, button: &str) {
    let emitter = SignalEmitter::new(bus, PATH).unwrap();
    let emitter = match to {
        Some(to) => emitter.set_destination(to.to_owned().try_into().unwrap()),
        None => emitter,
    };
    emitter.emit("org.freedesktop.Notifications", "ActionInvoked", &(id, button)).await.unwrap();
}
