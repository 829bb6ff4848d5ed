//! The desktop port on a bus of its own, with a test in the engine's place.
//!
//! Lives here: the port, boards to show it.
//! Must not: judge what it sees, or wait without a bound.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, CallView, Moment, PeerId, State};
use ahoy_tests::bus::PrivateBus;
pub(crate) use ahoy_tests::notifications::{Server, Told, press};
use ahoyd::desktop::{Hooks, Report, Setup, Sight, spawn};
use ahoyd::values::board::{Board, CallRow, ManagerRow};
use ahoyd::values::happening::{EventData, Happening};
use ahoyd::values::request::Asked;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use zbus::Connection;

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

    /// The same with a notification server.
    pub(crate) async fn with_server() -> (Self, Server) {
        let rig = Self::start();
        let server = Server::come(&rig.bus, 0).await;
        (rig, server)
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
        let manager = ManagerRow { ring_volume: 1.0, ..ManagerRow::default() };
        self.show_board(Board {
            calls: calls.into_iter().map(Arc::new).collect(),
            manager,
            ..Board::default()
        });
    }

    /// Ana's call of that number rings and is shown; its note.
    pub(crate) async fn rings_on(&self, server: &mut Server, id: u8) -> u32 {
        self.show(vec![call(id, "Ana", State::Incoming)]);
        server.shown().await.0
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
        self.happens_so(kind, data);
    }

    /// Something happened, told like this.
    pub(crate) fn happens_so(&self, kind: &'static str, data: EventData) {
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

    /// Asks for nothing within this time either.
    pub(crate) async fn asks_nothing_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.asked.recv()).await.is_err()
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

/// The same, and it has rung for two seconds.
pub(crate) fn rings(id: u8, name: &str) -> CallRow {
    let mut row = call(id, name, State::Incoming);
    let now = ahoyd::system::clock::now().micros();
    row.view.ringing = Some(Moment::from_micros(now.saturating_sub(2_000_000)));
    row
}

/// A call of the contact with that number.
pub(crate) fn call(id: u8, name: &str, state: State) -> CallRow {
    CallRow::sample(CallView::sample(id, state), name)
}
