//! The media thread: begun with the first call, and every call's session on it.
//!
//! Lives here: where an order goes.
//! Must not: touch sound or paths itself.

use std::collections::HashMap;
use std::thread::JoinHandle;

use ahoy_call::{CallId, MediaFault, MediaOrder, MediaReport};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::peer::Setup;
use super::session::{self, Ask};
use super::{OpenSound, Order, Report, Settings, sound};
use crate::ice::IceServer;

/// Orders that wait for the media thread.
const QUEUE: usize = 256;

/// Why the media port takes no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its queue is full: the call has failed.
    #[error("the queue of the media port is full")]
    Full,
    /// Its thread could not begin, or has ended.
    #[error("the media thread does not run")]
    Gone,
}

/// The handle of the media port.
pub struct Media {
    waiting: Option<Waiting>,
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs, until it begins.
struct Waiting {
    settings: Settings,
    ice_servers: Vec<IceServer>,
    open_sound: OpenSound,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
}

impl Media {
    /// With the machine's sound devices; what is missing about them is told without a call, too.
    /// Must be called within a runtime.
    pub fn spawn(settings: Settings, reports: mpsc::Sender<Report>) -> Self {
        let (open_sound, mut state) = sound::devices(&settings);
        let problems = reports.clone();
        #[expect(clippy::disallowed_methods, reason = "the media port's own task; it ends with the devices")]
        tokio::spawn(async move {
            let mut told = Vec::new();
            loop {
                let now = state.borrow_and_update().problems.clone();
                if now != told {
                    told.clone_from(&now);
                    if problems.send(Report::Problems(now)).await.is_err() {
                        return;
                    }
                }
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
        Self::with_sound(settings, open_sound, reports)
    }

    /// With this sound. The media thread begins with the first call. What happens comes by `reports`, which must be read all the time.
    pub fn with_sound(settings: Settings, open_sound: OpenSound, reports: mpsc::Sender<Report>) -> Self {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let waiting = Waiting { settings, ice_servers: Vec::new(), open_sound, orders: waiting, reports };
        Self { waiting: Some(waiting), orders, thread: None }
    }

    /// Gives an order, without waiting. The first [`MediaOrder::Prepare`] begins the thread.
    pub fn order(&mut self, order: Order) -> Result<(), Refused> {
        if let Some(waiting) = &mut self.waiting {
            match order {
                Order::IceServers(servers) => waiting.ice_servers = servers,
                Order::Settings(settings) => waiting.settings = settings,
                Order::Frame { .. } | Order::Stop => {}
                Order::Call { order: MediaOrder::Prepare(_), .. } => {
                    self.begin()?;
                    return self.pass(order);
                }
                Order::Call { .. } => {}
            }
            return Ok(());
        }
        self.pass(order)
    }

    /// Closes everything and waits for it: devices, sockets, the thread. A second or so at most.
    pub fn stop(self) {
        // A full queue ends by the drop of its sender.
        let _full = self.orders.try_send(Order::Stop);
        let Self { orders, thread, .. } = self;
        drop(orders);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the media thread broke");
        }
    }

    fn pass(&self, order: Order) -> Result<(), Refused> {
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Gone,
        })
    }

    fn begin(&mut self) -> Result<(), Refused> {
        let Some(waiting) = self.waiting.take() else {
            return Err(Refused::Gone);
        };
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(waiting.run()),
                Err(error) => tracing::error!(%error, "the media thread has no runtime"),
            }
        });
        match thread {
            Ok(thread) => {
                self.thread = Some(thread);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the media thread does not begin");
                Err(Refused::Gone)
            }
        }
    }
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("begun", &self.thread.is_some()).finish_non_exhaustive()
    }
}

impl Waiting {
    async fn run(mut self) {
        let mut calls: HashMap<CallId, mpsc::Sender<Ask>> = HashMap::new();
        let mut sessions = JoinSet::new();
        loop {
            let order = tokio::select! {
                biased;
                Some(ended) = sessions.join_next() => {
                    if ended.is_err() {
                        tracing::error!("the session of a call broke");
                    }
                    calls.retain(|_, session| !session.is_closed());
                    continue;
                }
                order = self.orders.recv() => order,
            };
            match order {
                Some(Order::Call { call, leg, epoch, order }) => {
                    let setup = Setup {
                        interfaces: self.settings.interfaces.clone(),
                        ice_servers: self.ice_servers.clone(),
                    };
                    let prepare = matches!(order, MediaOrder::Prepare(_));
                    let ask = Ask::Path { leg, epoch, order, setup };
                    if self.pass(&mut calls, &mut sessions, call, prepare, ask).is_err() {
                        let report = MediaReport::Failed(MediaFault::Media);
                        // An engine that is gone needs no word.
                        let _unheard = self.reports.send(Report::Event { call, leg, epoch, report }).await;
                    }
                }
                Some(Order::Frame { call, leg, bytes }) => {
                    if self.pass(&mut calls, &mut sessions, call, false, Ask::Frame { leg, bytes }).is_err() {
                        tracing::debug!("a frame for a call that is overrun was dropped");
                    }
                }
                Some(Order::IceServers(servers)) => self.ice_servers = servers,
                Some(Order::Settings(settings)) => self.settings = settings,
                Some(Order::Stop) | None => break,
            }
        }
        for session in calls.into_values() {
            // A session whose queue is full ends with it.
            let _full = session.try_send(Ask::Stop);
        }
        sessions.join_all().await;
    }

    /// An order that begins nothing and belongs to no running call is late, and does nothing.
    fn pass(
        &mut self,
        calls: &mut HashMap<CallId, mpsc::Sender<Ask>>,
        sessions: &mut JoinSet<()>,
        call: CallId,
        prepare: bool,
        ask: Ask,
    ) -> Result<(), Refused> {
        let ask = match calls.get(&call).map(|session| session.try_send(ask.clone())) {
            Some(Ok(())) => return Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => return Err(Refused::Full),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None if prepare => ask,
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => return Ok(()),
        };
        let (asks, waiting) = mpsc::channel(session::QUEUE);
        asks.try_send(ask).map_err(|_| Refused::Full)?;
        calls.insert(call, asks);
        let sound = (self.open_sound)(&self.settings);
        sessions.spawn(session::run(call, self.settings.bitrate, sound, waiting, self.reports.clone()));
        Ok(())
    }
}
