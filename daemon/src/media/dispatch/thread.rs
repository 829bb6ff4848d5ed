//! What runs on the media thread: the sessions of all calls, each with its queue.
//!
//! Lives here: which session an order is for, when one begins, and what is said when one breaks.
//! Must not: touch sound or paths itself; know the devices beside the calls.

use std::collections::HashMap;
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, MediaFault, MediaOrder, MediaReport};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::super::peer::{Names, Setup};
use super::super::session::{self, Ask};
use super::super::wanted::Wanted;
use super::super::{OpenSound, Order, Report, ring};
use super::Refused;
use crate::system::clock;
use crate::values::ice::IceServer;
use crate::values::media::MediaSettings;
use crate::values::request::{Answer, Reply};

/// How long sessions are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// An order, and for one about a path what is wanted of its call.
pub(super) struct Sent {
    pub(super) order: Order,
    pub(super) wanted: Option<watch::Receiver<Wanted>>,
}

/// What the thread needs, until it begins.
pub(super) struct Unstarted {
    pub(super) settings: MediaSettings,
    pub(super) ice_servers: Vec<IceServer>,
    pub(super) open_sound: OpenSound,
    pub(super) orders: mpsc::Receiver<Sent>,
    pub(super) reports: mpsc::Sender<Report>,
    /// Looked up as soon as they are known, so that no path waits.
    pub(super) names: Names,
}

/// One call's session, as the thread sees it.
struct Running {
    asks: mpsc::Sender<Ask>,
    task: Id,
}

impl Unstarted {
    /// Until it is told to stop, or the handle is gone.
    pub(super) async fn run(mut self) {
        let mut calls: HashMap<CallId, Running> = HashMap::new();
        let mut sessions = JoinSet::new();
        self.names.look_up(clock::now(), &self.ice_servers);
        loop {
            let sent = tokio::select! {
                biased;
                Some(ended) = sessions.join_next_with_id() => {
                    self.ended(&mut calls, ended).await;
                    continue;
                }
                sent = self.orders.recv() => sent,
                () = self.names.answered() => continue,
            };
            let (order, wanted) = sent.map_or((None, None), |sent| (Some(sent.order), sent.wanted));
            match order {
                Some(Order::Call { call, leg, epoch, order }) => {
                    if self.about_path(&mut calls, &mut sessions, call, (leg, epoch), order, wanted).is_err()
                    {
                        self.failed(call, (leg, epoch)).await;
                    }
                }
                Some(Order::Volume { call, volume }) => {
                    if pass(&calls, call, Ask::Volume(volume)).is_err() {
                        tracing::debug!("a call that is overrun stays as loud as it is");
                    }
                }
                Some(Order::Frame { call, leg, bytes }) => {
                    if pass(&calls, call, Ask::Frame { leg, bytes }).is_err() {
                        tracing::debug!("a frame for a call that is overrun was dropped");
                    }
                }
                Some(Order::IceServers(servers)) => {
                    self.ice_servers = servers;
                    self.names.look_up(clock::now(), &self.ice_servers);
                }
                Some(Order::Settings(settings)) => self.set(settings, &calls),
                Some(Order::Levels { call, into }) => {
                    if let Some(session) = calls.get(&call) {
                        // Where there is no room the pipe is closed, which the client sees.
                        let _dropped = session.asks.try_send(Ask::Levels(into));
                    }
                }
                Some(Order::Stats { call, reply }) => {
                    let ask = Ask::Stats(reply);
                    let unasked = match calls.get(&call) {
                        Some(session) => session.asks.try_send(ask).err().map(TrySendError::into_inner),
                        None => Some(ask),
                    };
                    if let Some(Ask::Stats(reply)) = unasked {
                        no_stats(reply);
                    }
                }
                Some(Order::Tone(sounding)) => {
                    let clip = sounding.and_then(|sounding| ring::in_call(sounding.tone));
                    tell_all(&calls, || Ask::Tone(clip.clone()));
                }
                // What ends a call goes past this queue.
                Some(Order::End { .. } | Order::Adjust(_) | Order::Test { .. } | Order::Gauge { .. }) => {}
                Some(Order::Stop) | None => break,
            }
        }
        for session in calls.into_values() {
            // A session whose queue is full ends with it.
            let _full = session.asks.try_send(Ask::Stop);
        }
        let all = async { while sessions.join_next().await.is_some() {} };
        if clock::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!("a call took too long to close");
        }
    }

    /// Paths and devices are for calls that begin later; what is done to the voice is for all.
    fn set(&mut self, settings: MediaSettings, calls: &HashMap<CallId, Running>) {
        if settings.voice != self.settings.voice {
            tell_all(calls, || Ask::Voice(settings.voice));
        }
        self.settings = settings;
    }

    /// An order about a path. The first one that builds a path begins the session of its call.
    fn about_path(
        &mut self,
        calls: &mut HashMap<CallId, Running>,
        sessions: &mut JoinSet<()>,
        call: CallId,
        (leg, epoch): (LegId, Epoch),
        order: MediaOrder,
        wanted: Option<watch::Receiver<Wanted>>,
    ) -> Result<(), Refused> {
        match (order, wanted) {
            (MediaOrder::Remote(answer), _) => pass(calls, call, Ask::Remote { leg, epoch, answer }),
            (MediaOrder::Probe, _) => pass(calls, call, Ask::Probe { leg, epoch }),
            (MediaOrder::Candidates { list, complete: _ }, _) => {
                pass(calls, call, Ask::Candidates { leg, epoch, list })
            }
            (MediaOrder::Prepare(role), Some(wanted)) => {
                let (interfaces, ice_servers) = (self.settings.interfaces.clone(), self.ice_servers.clone());
                // Another network may know other addresses; this path takes those that are known.
                self.names.look_up(clock::now(), &self.ice_servers);
                let names = Some(self.names.known());
                let setup = Setup { interfaces, ice_servers, names };
                let ask = Ask::Prepare { leg, epoch, role, setup, wanted: wanted.clone() };
                if calls.get(&call).is_some_and(|running| !running.asks.is_closed()) {
                    return pass(calls, call, ask);
                }
                let (asks, waiting) = mpsc::channel(session::QUEUE);
                asks.try_send(ask).map_err(|_| Refused::Full)?;
                let sound = (self.open_sound)(&self.settings);
                let MediaSettings { bitrate, voice, .. } = self.settings;
                let session =
                    session::run(call, bitrate, voice, sound, wanted, waiting, self.reports.clone());
                let task = sessions.spawn(session).id();
                calls.insert(call, Running { asks, task });
                Ok(())
            }
            // A state, which goes past this queue.
            (
                MediaOrder::Prepare(_)
                | MediaOrder::Open { .. }
                | MediaOrder::Pause
                | MediaOrder::SetMuted(_)
                | MediaOrder::SetHeld(_)
                | MediaOrder::Close,
                _,
            ) => Ok(()),
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
            // An engine that is gone needs no word.
            let _unheard = self.reports.send(Report::Gone { call }).await;
        }
    }

    async fn failed(&mut self, call: CallId, (leg, epoch): (LegId, Epoch)) {
        let report = MediaReport::Failed(MediaFault::Media);
        // An engine that is gone needs no word.
        let _unheard = self.reports.send(Report::Event { call, leg, epoch, report }).await;
    }
}

/// An order for a call that does not run is late and does nothing.
fn pass(calls: &HashMap<CallId, Running>, call: CallId, ask: Ask) -> Result<(), Refused> {
    let Some(running) = calls.get(&call) else { return Ok(()) };
    match running.asks.try_send(ask) {
        Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err(Refused::Full),
    }
}

/// Nothing flows: there are no numbers.
pub(super) fn no_stats(reply: Reply) {
    // A client that left needs none.
    let _left = reply.send(Ok(Answer::Stats(Box::default())));
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

    use ahoy_call::Role;

    use super::super::super::sound::NoSound;
    use super::*;

    #[tokio::test]
    async fn a_path_that_is_asked_for_while_a_session_says_farewell_begins_the_next_one() {
        let ((_orders_in, orders), (reports, _heard)) = (mpsc::channel(1), mpsc::channel(8));
        let mut thread = Unstarted {
            settings: MediaSettings::default(),
            ice_servers: Vec::new(),
            open_sound: Box::new(|_| Box::new(NoSound)),
            orders,
            reports,
            names: Names::default(),
        };
        let (call, leg) = (CallId::from_bytes([1; 16]), LegId::from_bytes([2; 16]));
        let mut sessions = JoinSet::new();
        // It reads no order any more, and its paths are not closed yet.
        let (asks, unread) = mpsc::channel(1);
        drop(unread);
        let old = sessions.spawn(pending()).id();
        let mut calls = HashMap::from([(call, Running { asks, task: old })]);
        let (_keeps, wanted) = watch::channel(Wanted::default());
        let order = MediaOrder::Prepare(Role::Offerer);
        let begun = thread.about_path(&mut calls, &mut sessions, call, (leg, Epoch(2)), order, Some(wanted));
        assert_eq!(begun, Ok(()));
        assert!(calls[&call].task != old && !calls[&call].asks.is_closed(), "the next one has the order");
        thread.ended(&mut calls, Ok((old, ()))).await;
        assert!(calls.contains_key(&call), "the end of the old one is not the end of the new one");
    }
}
