//! What runs on the media thread: the sessions of all calls, each with its queue.
//!
//! Lives here: which session an order is for, when one begins, and what is said when one breaks.
//! Must not: touch sound or paths itself; know the devices beside the calls.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ahoy_call::{CallId, MediaFault, MediaOrder, MediaReport, Role};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::super::device::Clip;
use super::super::peer::{Names, Peer, RoomPath, RoomSetup, Setup};
use super::super::session::{self, Ask};
use super::super::transport::Plan;
use super::super::wanted::{Key, Wanted};
use super::super::{CallOrder, Carried, OpenSound, Report, TestCall, TestReport, test_call};
use super::Refused;
use crate::system::clock;
use crate::system::trust::Trust;
use crate::values::ice::IceServer;
use crate::values::media::MediaSettings;
use crate::values::room::RoomEnds;

/// How long sessions are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the handle sends.
#[derive(Debug)]
pub(super) enum Sent {
    /// An order for a call, and for one about a path what is wanted of the call.
    Order(CallId, CallOrder, Option<watch::Receiver<Wanted>>),
    /// A path of a call begins, to a room.
    Room(CallId, Key, RoomEnds, watch::Receiver<Wanted>),
    /// This sounds in every call; nothing if none.
    Tone(Option<Clip>),
    /// About the test call.
    Test(TestOrder),
    /// Close everything and end.
    Stop,
}

/// What the handle asks of the test call.
#[derive(Debug)]
pub(super) enum TestOrder {
    /// Let it begin; the one before ends.
    Begin(TestCall),
    /// A relay has carried something for it.
    Carried(Carried),
    /// Let it end.
    End,
}

/// What a test call may be behind with of what relays brought.
const CARRIED: usize = 64;

/// What the thread works with.
pub(super) struct Thread {
    settings: watch::Receiver<MediaSettings>,
    ice_servers: watch::Receiver<Vec<IceServer>>,
    open_sound: OpenSound,
    orders: mpsc::Receiver<Sent>,
    reports: mpsc::Sender<Report>,
    /// Looked up as soon as they are known, so that no path waits.
    names: Names,
    /// Which certificates of TURN servers are believed, by the file that was named last.
    trust: (Option<PathBuf>, Trust),
}

/// One call's session, as the thread sees it.
struct Running {
    asks: mpsc::Sender<Ask>,
    task: Id,
}

impl Thread {
    pub(super) fn new(
        settings: watch::Receiver<MediaSettings>,
        ice_servers: watch::Receiver<Vec<IceServer>>,
        open_sound: OpenSound,
        orders: mpsc::Receiver<Sent>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let (names, trust) = Default::default();
        Self { settings, ice_servers, open_sound, orders, reports, names, trust }
    }

    /// Before it begins nothing flows: what there was to say about this is said.
    pub(super) fn has_no_calls(&self, sent: &Sent) {
        if let Sent::Order(_, CallOrder::Stats(ticket), _) = sent
            && self.reports.try_send(no_stats(*ticket)).is_err()
        {
            tracing::debug!("an answer without numbers found no room");
        }
    }

    /// Until it is told to stop, or the handle is gone.
    pub(super) async fn run(mut self) {
        let mut calls: HashMap<CallId, Running> = HashMap::new();
        let mut sessions = JoinSet::new();
        let (mut test, mut tests) = (None, JoinSet::new());
        let mut voice = self.settings.borrow_and_update().voice;
        self.look_up_servers();
        loop {
            let sent = tokio::select! {
                biased;
                Some(ended) = sessions.join_next_with_id() => {
                    self.ended(&mut calls, ended).await;
                    continue;
                }
                Some(ended) = tests.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a test call broke");
                    }
                    self.report(Report::TestCall(TestReport::Over)).await;
                    continue;
                }
                Ok(()) = self.ice_servers.changed() => {
                    self.look_up_servers();
                    continue;
                }
                Ok(()) = self.settings.changed() => {
                    // Paths and devices are for calls that begin later; what is done to the voice is for all.
                    let now = self.settings.borrow_and_update().voice;
                    if voice != now {
                        voice = now;
                        tell_all(&calls, || Ask::Voice(voice));
                    }
                    continue;
                }
                sent = self.orders.recv() => sent,
                () = self.names.answered() => continue,
            };
            match sent {
                Some(Sent::Order(
                    call,
                    CallOrder::Path { leg, epoch, order: MediaOrder::Prepare(role) },
                    Some(wanted),
                )) => {
                    let key = (leg, epoch);
                    if self.prepare(&mut calls, &mut sessions, call, key, role, wanted).is_err() {
                        self.failed(call, key).await;
                    }
                }
                Some(Sent::Room(call, key, ends, wanted)) => {
                    let plan = self.to_room(ends);
                    if self.begin(&mut calls, &mut sessions, call, key, (plan, true), wanted).is_err() {
                        self.failed(call, key).await;
                    }
                }
                Some(Sent::Order(call, order, _)) => self.pass(&calls, call, order).await,
                Some(Sent::Test(order)) => self.test(order, &mut test, &mut tests),
                Some(Sent::Tone(clip)) => tell_all(&calls, || Ask::Tone(clip.clone())),
                Some(Sent::Stop) | None => break,
            }
        }
        drop(test);
        for session in calls.into_values() {
            // A session whose queue is full ends with it.
            let _full = session.asks.try_send(Ask::Stop);
        }
        let all = async {
            while sessions.join_next().await.is_some() {}
            while tests.join_next().await.is_some() {}
        };
        if clock::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!("a call took too long to close");
        }
    }

    fn look_up_servers(&mut self) {
        self.names.look_up(clock::now(), &self.ice_servers.borrow_and_update());
    }

    /// `runs` leads to the test call that runs; it ends when that is dropped.
    fn test(&mut self, order: TestOrder, runs: &mut Option<mpsc::Sender<Carried>>, tests: &mut JoinSet<()>) {
        match order {
            TestOrder::Begin(test) => {
                let (carried, comes) = mpsc::channel(CARRIED);
                *runs = Some(carried);
                let (settings, setup) = self.setup();
                let sound = (self.open_sound)(&settings);
                tests.spawn(test_call::run(test, settings, setup, sound, comes, self.reports.clone()));
            }
            TestOrder::Carried(carried) => {
                let late = runs.as_ref().is_some_and(|runs| runs.try_send(carried).is_err());
                if late {
                    tracing::debug!("a test call that is over or overrun misses a word");
                }
            }
            TestOrder::End => *runs = None,
        }
    }

    fn trust(&mut self, ca_file: Option<&Path>) -> Trust {
        if self.trust.0.as_deref() != ca_file {
            let file = ca_file.map(Path::to_owned);
            self.trust = (file.clone(), Trust::new(file));
        }
        self.trust.1.clone()
    }

    /// What holds for a path that begins now.
    fn setup(&mut self) -> (MediaSettings, Setup) {
        // Another network may know other addresses; this path takes those that are known.
        self.look_up_servers();
        let settings = self.settings.borrow().clone();
        let trust = self.trust(settings.ca_file.as_deref());
        let setup = Setup {
            interfaces: settings.interfaces.clone(),
            ice_servers: self.ice_servers.borrow().clone(),
            names: Some(self.names.known()),
            trust,
            relay_only: settings.relay_only,
            ..Setup::default()
        };
        (settings, setup)
    }

    /// What begins a path to a room. Of whom we show our address to is no question there: its server alone sees it.
    fn to_room(&self, ends: RoomEnds) -> Plan {
        let MediaSettings { interfaces, relay_only, .. } = self.settings.borrow().clone();
        let RoomEnds { asks, says, cipher, legs } = ends;
        RoomPath::plan(RoomSetup { interfaces, relay_only, asks, says, cipher, legs })
    }

    /// A path to a device is to be built.
    fn prepare(
        &mut self,
        calls: &mut HashMap<CallId, Running>,
        sessions: &mut JoinSet<()>,
        call: CallId,
        key: Key,
        role: Role,
        wanted: watch::Receiver<Wanted>,
    ) -> Result<(), Refused> {
        let (_, mut setup) = self.setup();
        setup.relay_only |= wanted.borrow().relay_only;
        self.begin(calls, sessions, call, key, (Peer::plan(role, setup), false), wanted)
    }

    /// A path begins. The first one begins the session of its call.
    fn begin(
        &mut self,
        calls: &mut HashMap<CallId, Running>,
        sessions: &mut JoinSet<()>,
        call: CallId,
        key: Key,
        (plan, is_room): (Plan, bool),
        wanted: watch::Receiver<Wanted>,
    ) -> Result<(), Refused> {
        let settings = self.settings.borrow().clone();
        let ask = Ask::Prepare { key, plan, is_room, wanted: wanted.clone() };
        if let Some(running) = calls.get(&call).filter(|running| !running.asks.is_closed()) {
            return running.asks.try_send(ask).map_err(|_| Refused::Full);
        }
        let (asks, waiting) = mpsc::channel(session::QUEUE);
        asks.try_send(ask).map_err(|_| Refused::Full)?;
        let sound = (self.open_sound)(&settings);
        let (bitrate, voice, reports) = (settings.bitrate, settings.voice, self.reports.clone());
        let session = session::run(call, bitrate, voice, sound, wanted, waiting, reports);
        let task = sessions.spawn(session).id();
        calls.insert(call, Running { asks, task });
        Ok(())
    }

    /// Passes an order on. One for a call that does not run is late and does nothing.
    async fn pass(&self, calls: &HashMap<CallId, Running>, call: CallId, order: CallOrder) {
        let unread = match calls.get(&call) {
            Some(running) => running.asks.try_send(Ask::Order(order)),
            None => Err(TrySendError::Closed(Ask::Order(order))),
        };
        match unread {
            Ok(()) => {}
            Err(TrySendError::Full(Ask::Order(CallOrder::Path { leg, epoch, .. }))) => {
                self.failed(call, (leg, epoch)).await;
            }
            Err(
                TrySendError::Full(Ask::Order(CallOrder::Stats(ticket)))
                | TrySendError::Closed(Ask::Order(CallOrder::Stats(ticket))),
            ) => self.report(no_stats(ticket)).await,
            // A pipe for levels is closed by that, which the client sees.
            Err(_) => tracing::debug!("an order for a call that is overrun or over was dropped"),
        }
    }

    async fn ended(&mut self, calls: &mut HashMap<CallId, Running>, ended: Result<(Id, ()), JoinError>) {
        let (id, broken) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        let Some(call) = calls.iter().find(|(_, running)| running.task == id).map(|(call, _)| *call) else {
            return;
        };
        if calls.remove(&call).is_some() && broken {
            tracing::error!(?call, "the media session of a call broke");
            self.report(Report::Gone { call }).await;
        }
    }

    async fn failed(&self, call: CallId, (leg, epoch): Key) {
        let report = MediaReport::Failed(MediaFault::Media);
        self.report(Report::Event { call, leg, epoch, report }).await;
    }

    async fn report(&self, report: Report) {
        // An engine that is gone needs no word.
        let _unheard = self.reports.send(report).await;
    }
}

/// Nothing flows: there are no numbers.
pub(super) fn no_stats(ticket: u64) -> Report {
    Report::Stats { ticket, stats: Box::default() }
}

fn tell_all(calls: &HashMap<CallId, Running>, ask: impl Fn() -> Ask) {
    for session in calls.values() {
        if session.asks.try_send(ask()).is_err() {
            tracing::debug!("a call that is overrun or over does not hear of a change");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use ahoy_call::{Epoch, LegId};

    use super::super::super::sound::NoSound;
    use super::*;

    #[tokio::test]
    async fn a_path_that_is_asked_for_while_a_session_says_farewell_begins_the_next_one() {
        let ((_orders_in, orders), (reports, _heard)) = (mpsc::channel(1), mpsc::channel(8));
        let (settings, ice_servers) =
            (watch::channel(MediaSettings::default()).1, watch::channel(Vec::new()).1);
        let mut thread = Thread::new(settings, ice_servers, Box::new(|_| Box::new(NoSound)), orders, reports);
        let (call, leg) = (CallId::from_bytes([1; 16]), LegId::from_bytes([2; 16]));
        let mut sessions = JoinSet::new();
        // It reads no order any more, and its paths are not closed yet.
        let (asks, unread) = mpsc::channel(1);
        drop(unread);
        let old = sessions.spawn(pending()).id();
        let mut calls = HashMap::from([(call, Running { asks, task: old })]);
        let (_keeps, wanted) = watch::channel(Wanted::default());
        let key = (leg, Epoch(2));
        let begun = thread.prepare(&mut calls, &mut sessions, call, key, Role::Offerer, wanted);
        assert_eq!(begun, Ok(()));
        assert!(calls[&call].task != old && !calls[&call].asks.is_closed(), "the next one has the order");
        thread.ended(&mut calls, Ok((old, ()))).await;
        assert!(calls.contains_key(&call), "the end of the old one is not the end of the new one");
    }
}
