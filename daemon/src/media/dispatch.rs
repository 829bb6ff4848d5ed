//! The media thread: begun with the first call, and every call's session on it.
//!
//! Lives here: the handle: what an order means now, and what waits for the thread (`dispatch/thread.rs`).
//! Must not: touch sound or paths itself.

mod beside;
mod thread;

use std::collections::HashMap;
use std::thread::JoinHandle;

use ahoy_call::{CallId, Epoch, LegId, MediaOrder, Role};
use beside::Beside;
use thread::{Sent, TestOrder, Thread};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::ring::{self, Sounding};
use super::wanted::{Key, Wanted};
use super::{CallOrder, Carried, DeviceOrder, OpenSound, Report, TestCall};
use crate::system::{census, priority};
use crate::values::ice::IceServer;
use crate::values::media::MediaSettings;
use crate::values::room::RoomEnds;

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
    devices: Option<Beside>,
    waiting: Option<Thread>,
    orders: mpsc::Sender<Sent>,
    settings: watch::Sender<MediaSettings>,
    ice_servers: watch::Sender<Vec<IceServer>>,
    /// What is wanted of each call that is not ended. States go this way, past every queue.
    wanted: HashMap<CallId, watch::Sender<Wanted>>,
    /// What builds paths, while that waits.
    held: Option<Vec<Sent>>,
    thread: Option<JoinHandle<()>>,
}

impl Media {
    /// With the machine's sound devices; what is missing about them is told without a call, too.
    /// Must be called within a runtime.
    pub fn spawn(settings: MediaSettings, reports: mpsc::Sender<Report>) -> Self {
        let (devices, open) = Beside::spawn(&settings, reports.clone());
        Self { devices: Some(devices), ..Self::with_sound(settings, open, reports) }
    }

    /// With this sound. The media thread begins with the first call. What happens comes by `reports`, which must be read all the time.
    pub fn with_sound(settings: MediaSettings, open_sound: OpenSound, reports: mpsc::Sender<Report>) -> Self {
        let (orders, orders_out) = mpsc::channel(QUEUE);
        let (settings, settings_out) = watch::channel(settings);
        let (ice_servers, ice_servers_out) = watch::channel(Vec::new());
        let waiting = Thread::new(settings_out, ice_servers_out, open_sound, orders_out, reports);
        Self {
            devices: None,
            waiting: Some(waiting),
            orders,
            settings,
            ice_servers,
            wanted: HashMap::new(),
            held: None,
            thread: None,
        }
    }

    /// Other settings: devices and the treatment of the voice for every call, the rest for calls that begin from now on.
    pub fn set(&mut self, settings: MediaSettings) {
        if let Some(devices) = &mut self.devices {
            devices.set(&settings);
        }
        self.settings.send_replace(settings);
    }

    /// STUN and TURN servers for paths that begin from now on.
    pub fn use_servers(&mut self, servers: Vec<IceServer>) {
        self.ice_servers.send_replace(servers);
    }

    /// This sounds now besides voices; nothing if none.
    pub fn sound(&mut self, sounding: Option<Sounding>) -> Result<(), Refused> {
        let clip = sounding.as_ref().and_then(|sounding| ring::in_call(sounding.tone));
        if let Some(devices) = &mut self.devices {
            devices.sound(sounding);
        }
        self.pass(Sent::Tone(clip))
    }

    /// Gives an order about the sound devices, without waiting.
    pub fn device(&mut self, order: DeviceOrder) -> Result<(), Refused> {
        self.devices.as_mut().ok_or(Refused::Gone)?.order(order)
    }

    /// Gives an order about a call, without waiting. The first [`MediaOrder::Prepare`] begins the thread. What ends or changes
    /// a state is never refused.
    pub fn call(&mut self, call: CallId, order: CallOrder) -> Result<(), Refused> {
        match order {
            CallOrder::End => {
                if let Some(wanted) = self.wanted.remove(&call) {
                    wanted.send_replace(Wanted::default());
                }
                Ok(())
            }
            CallOrder::RelayOnly(only) => {
                let wanted = self.wanted.entry(call).or_insert_with(|| watch::channel(Wanted::default()).0);
                wanted.send_modify(|wanted| wanted.relay_only = only);
                Ok(())
            }
            CallOrder::Deafen(deafened) => {
                if let Some(wanted) = self.wanted.get(&call) {
                    wanted.send_modify(|wanted| wanted.deafened = deafened);
                }
                Ok(())
            }
            CallOrder::Path { leg, epoch, order: ref path } => {
                if let (MediaOrder::Prepare(_), Some(devices)) = (path, &mut self.devices) {
                    devices.make_way();
                }
                if matches!(path, MediaOrder::Open { .. }) {
                    self.end_test_call();
                }
                match self.want(call, (leg, epoch), path) {
                    Some(wanted) => self.pass_on(Sent::Order(call, order, Some(wanted))),
                    None => Ok(()),
                }
            }
            CallOrder::Frame { .. }
            | CallOrder::Volume { .. }
            | CallOrder::Levels(_)
            | CallOrder::Stats(_) => self.pass(Sent::Order(call, order, None)),
        }
    }

    /// Begins a path to a room, over which others are heard: for all orders it is one of this leg, and is prepared by this.
    pub fn enter_room(&mut self, call: CallId, key: Key, ends: RoomEnds) -> Result<(), Refused> {
        if let Some(devices) = &mut self.devices {
            devices.make_way();
        }
        let Some(wanted) = self.want(call, key, &MediaOrder::Prepare(Role::Offerer)) else { return Ok(()) };
        if self.thread.is_none() {
            self.begin()?;
        }
        self.pass(Sent::Room(call, key, ends, wanted))
    }

    /// Begins a test call. One that runs ends.
    pub fn begin_test_call(&mut self, test: TestCall) -> Result<(), Refused> {
        if let Some(devices) = &mut self.devices {
            devices.make_way();
        }
        if self.thread.is_none() {
            self.begin()?;
        }
        self.pass(Sent::Test(TestOrder::Begin(test)))
    }

    /// A relay has carried something for the test call.
    pub fn carried(&mut self, carried: Carried) -> Result<(), Refused> {
        self.pass(Sent::Test(TestOrder::Carried(carried)))
    }

    /// Ends the test call, if there is one.
    pub fn end_test_call(&mut self) {
        if self.pass(Sent::Test(TestOrder::End)).is_err() {
            tracing::debug!("a test call is not told that it is over");
        }
    }

    /// Changes what is wanted of a call. None: that was all.
    fn want(&mut self, call: CallId, key: Key, order: &MediaOrder) -> Option<watch::Receiver<Wanted>> {
        if matches!(order, MediaOrder::Prepare(_)) {
            self.wanted.entry(call).or_insert_with(|| watch::channel(Wanted::default()).0);
        }
        let wanted = self.wanted.get(&call)?;
        let mut done = true;
        wanted.send_modify(|wanted| done = wanted.take(key, order));
        (!done).then(|| wanted.subscribe())
    }

    /// What builds paths waits from now on; what ends or changes a state does not.
    pub fn hold_back(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Nothing waits any more. Returns the paths whose orders found no room.
    #[must_use]
    pub fn let_go(&mut self) -> Vec<(CallId, LegId, Epoch)> {
        let mut failed = Vec::new();
        for sent in self.held.take().unwrap_or_default() {
            let Sent::Order(call, CallOrder::Path { leg, epoch, .. }, _) = sent else { continue };
            if self.pass_on(sent).is_err() {
                failed.push((call, leg, epoch));
            }
        }
        failed
    }

    fn pass_on(&mut self, sent: Sent) -> Result<(), Refused> {
        if let Some(held) = &mut self.held {
            if held.len() >= QUEUE {
                return Err(Refused::Full);
            }
            held.push(sent);
            return Ok(());
        }
        if self.thread.is_none() {
            self.begin()?;
        }
        self.pass(sent)
    }

    /// Closes everything and waits for it: devices, sockets, the thread. Two seconds at most.
    pub fn stop(self) {
        // A full queue ends by the drop of its sender.
        let _full = self.orders.try_send(Sent::Stop);
        let Self { orders, thread, devices, wanted, .. } = self;
        drop(wanted);
        drop(devices);
        drop(orders);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the media thread broke");
        }
    }

    fn pass(&self, sent: Sent) -> Result<(), Refused> {
        if let Some(thread) = &self.waiting {
            thread.has_no_calls(&sent);
            return Ok(());
        }
        self.orders.try_send(sent).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Closed(_) => Refused::Gone,
        })
    }

    fn begin(&mut self) -> Result<(), Refused> {
        let Some(waiting) = self.waiting.take() else {
            return Err(Refused::Gone);
        };
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || {
            let _enlisted = priority::enlist();
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.spawn(census::answer("media"));
                    runtime.block_on(waiting.run());
                    // A name server that never answers holds nothing up.
                    runtime.shutdown_background();
                }
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

#[cfg(test)]
mod tests;
