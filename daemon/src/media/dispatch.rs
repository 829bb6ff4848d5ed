//! The media thread: begun with the first call, and every call's session on it.
//!
//! Lives here: the handle: what an order means to the devices, and what waits for the thread, `dispatch/thread.rs`.
//! Must not: touch sound or paths itself.

mod thread;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use ahoy_call::{CallId, Epoch, LegId, MediaOrder};
use thread::{Sent, Unstarted, no_stats};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::device::{self, DeviceState, Gauges, Roster, Trial, Wish};
use super::ring::{self, Ringer};
use super::wanted::Wanted;
use super::{OpenSound, Order, Report, sound};
use crate::system::census;
use crate::values::devices::Found;
use crate::values::media::MediaSettings;

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
    waiting: Option<Unstarted>,
    orders: mpsc::Sender<Sent>,
    /// What is wanted of each call that is not ended. States go this way, past every queue.
    wanted: HashMap<CallId, watch::Sender<Wanted>>,
    /// What builds paths, while that waits.
    held: Option<Vec<Sent>>,
    thread: Option<JoinHandle<()>>,
}

/// What there is of devices beside the calls.
struct Beside {
    /// For sounds that are no voice.
    ringer: Ringer,
    /// The wish that calls follow.
    wishes: watch::Sender<Wish>,
    /// What is there.
    roster: Roster,
    /// What a person tries.
    trial: Trial,
    /// What a person looks at.
    gauges: Gauges,
}

impl Media {
    /// With the machine's sound devices; what is missing about them is told without a call, too.
    /// Must be called within a runtime.
    pub fn spawn(settings: MediaSettings, reports: mpsc::Sender<Report>) -> Self {
        let sound::Devices { open, state, wishes, roster } = sound::devices(&settings);
        let found = roster.found.clone();
        let ringer = Ringer::new(settings.clone(), roster.found.clone());
        #[expect(clippy::disallowed_methods, reason = "the media port's own task; it ends with the devices")]
        tokio::spawn(tell(state, found, ringer.trouble(), reports.clone()));
        let media = Self::with_sound(settings, open, reports);
        let trial = Trial::new(wishes.subscribe(), roster.found.clone());
        let gauges = Gauges::new(roster.found.clone());
        Self { devices: Some(Beside { wishes, roster, trial, gauges, ringer }), ..media }
    }

    /// With this sound. The media thread begins with the first call. What happens comes by `reports`, which must be read all the time.
    pub fn with_sound(settings: MediaSettings, open_sound: OpenSound, reports: mpsc::Sender<Report>) -> Self {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let (ice_servers, names) = Default::default();
        let waiting = Unstarted { settings, ice_servers, open_sound, orders: waiting, reports, names };
        Self {
            devices: None,
            waiting: Some(waiting),
            orders,
            wanted: HashMap::new(),
            held: None,
            thread: None,
        }
    }

    /// Gives an order, without waiting. The first [`MediaOrder::Prepare`] begins the thread. What ends or changes a state
    /// is never refused.
    pub fn order(&mut self, order: Order) -> Result<(), Refused> {
        let order = match (order, &mut self.devices) {
            (Order::Settings(settings), Some(devices)) => {
                devices.ringer.set(&settings);
                let new = settings.wish();
                devices.wishes.send_if_modified(|wish| {
                    let other = *wish != new;
                    *wish = new;
                    other
                });
                Order::Settings(settings)
            }
            (Order::Tone(sounding), Some(devices)) => {
                devices.ringer.sound(sounding.clone().filter(|one| ring::in_call(one.tone).is_none()));
                Order::Tone(sounding)
            }
            (Order::Adjust(adjust), devices) => {
                let taken = devices.as_ref().is_some_and(|devices| devices.roster.adjust(adjust));
                return if taken { Ok(()) } else { Err(Refused::Full) };
            }
            (Order::Test { flow, id }, devices) => {
                let begun = devices.as_mut().is_some_and(|devices| devices.trial.begin(flow, id));
                return if begun { Ok(()) } else { Err(Refused::Gone) };
            }
            (Order::Gauge { id, into }, devices) => {
                let begun = devices.as_mut().is_some_and(|devices| devices.gauges.begin(id, into));
                return if begun { Ok(()) } else { Err(Refused::Full) };
            }
            (order @ Order::Call { order: MediaOrder::Prepare(_), .. }, Some(devices)) => {
                devices.gauges.end();
                order
            }
            (order, _) => order,
        };
        let order = match order {
            Order::Call { call, leg, epoch, order } => {
                let Some(wanted) = self.want(call, (leg, epoch), &order) else { return Ok(()) };
                return self
                    .pass_on(Sent { order: Order::Call { call, leg, epoch, order }, wanted: Some(wanted) });
            }
            Order::End { call } => {
                if let Some(wanted) = self.wanted.remove(&call) {
                    wanted.send_replace(Wanted::default());
                }
                return Ok(());
            }
            order @ (Order::Volume { .. }
            | Order::Frame { .. }
            | Order::IceServers(_)
            | Order::Settings(_)
            | Order::Levels { .. }
            | Order::Stats { .. }
            | Order::Tone(_)
            | Order::Adjust(_)
            | Order::Test { .. }
            | Order::Gauge { .. }
            | Order::Stop) => order,
        };
        if let Some(waiting) = &mut self.waiting {
            match order {
                Order::IceServers(servers) => waiting.ice_servers = servers,
                Order::Settings(settings) => waiting.settings = settings,
                Order::Volume { .. }
                | Order::Frame { .. }
                | Order::Adjust(_)
                | Order::Test { .. }
                | Order::Gauge { .. }
                | Order::Levels { .. }
                | Order::Tone(_)
                | Order::Stop => {}
                Order::Stats { reply, .. } => no_stats(reply),
                Order::Call { .. } | Order::End { .. } => {}
            }
            return Ok(());
        }
        self.pass(Sent { order, wanted: None })
    }

    /// Changes what is wanted of a call. None: that was all.
    fn want(
        &mut self,
        call: CallId,
        key: (LegId, Epoch),
        order: &MediaOrder,
    ) -> Option<watch::Receiver<Wanted>> {
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
            let Order::Call { call, leg, epoch, .. } = &sent.order else { continue };
            let path = (*call, *leg, *epoch);
            if self.pass_on(sent).is_err() {
                failed.push(path);
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
        if self.waiting.is_some() {
            self.begin()?;
        }
        self.pass(sent)
    }

    /// Closes everything and waits for it: devices, sockets, the thread. Two seconds at most.
    pub fn stop(self) {
        // A full queue ends by the drop of its sender.
        let _full = self.orders.try_send(Sent { order: Order::Stop, wanted: None });
        let Self { orders, thread, devices, wanted, .. } = self;
        drop(wanted);
        drop(devices);
        drop(orders);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the media thread broke");
        }
    }

    fn pass(&self, sent: Sent) -> Result<(), Refused> {
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

/// Passes on what the devices say, and what their absence means without a call.
async fn tell(
    mut state: watch::Receiver<DeviceState>,
    mut found: watch::Receiver<Arc<Found>>,
    mut ring: watch::Receiver<Option<String>>,
    reports: mpsc::Sender<Report>,
) {
    let (mut told, mut shown) = (Vec::new(), Arc::default());
    loop {
        let mut problems = state.borrow_and_update().problems.clone();
        let now = Arc::clone(&found.borrow_and_update());
        if problems.is_empty() {
            problems.extend(device::missing(&now));
        }
        problems.extend(ring.borrow_and_update().clone());
        if problems != told {
            told.clone_from(&problems);
            if reports.send(Report::Problems(problems)).await.is_err() {
                return;
            }
        }
        if now != shown {
            shown = Arc::clone(&now);
            if reports.send(Report::Devices(now)).await.is_err() {
                return;
            }
        }
        let changed = tokio::select! {
            changed = state.changed() => changed,
            changed = found.changed() => changed,
            changed = ring.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("begun", &self.thread.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ahoy_call::{MediaFault, MediaReport, Moment, Role, Tracks};

    use super::super::Sound;
    use super::super::sound::NoSound;
    use super::*;
    use crate::system::clock;
    use crate::values::ice::IceServer;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn media() -> (Media, mpsc::Receiver<Report>) {
        let (reports, heard) = mpsc::channel(256);
        let settings = MediaSettings { interfaces: vec!["lo".to_owned()], ..MediaSettings::default() };
        (Media::with_sound(settings, Box::new(|_| Box::new(NoSound)), reports), heard)
    }

    fn order(call: u8, order: MediaOrder) -> Order {
        let (call, leg) = (CallId::from_bytes([call; 16]), LegId::from_bytes([2; 16]));
        Order::Call { call, leg, epoch: Epoch(1), order }
    }

    async fn described(heard: &mut mpsc::Receiver<Report>) -> CallId {
        loop {
            let report = clock::timeout(PATIENCE, heard.recv()).await.expect("a report in time").unwrap();
            if let Report::Event { call, report: MediaReport::Described(_), .. } = report {
                return call;
            }
        }
    }

    #[tokio::test]
    async fn the_thread_begins_with_the_first_call_and_ends_with_stop() {
        let (mut media, mut heard) = media();
        media.order(order(1, MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false })).unwrap();
        media.order(Order::IceServers(Vec::new())).unwrap();
        assert!(media.thread.is_none(), "what belongs to no call begins nothing");
        for call in [1, 2] {
            media.order(order(call, MediaOrder::Prepare(Role::Offerer))).unwrap();
            assert_eq!(described(&mut heard).await, CallId::from_bytes([call; 16]));
        }
        media.order(order(1, MediaOrder::Close)).unwrap();
        media.order(order(1, MediaOrder::SetMuted(true))).unwrap();
        media.order(order(1, MediaOrder::Prepare(Role::Offerer))).unwrap();
        assert_eq!(described(&mut heard).await, CallId::from_bytes([1; 16]), "a closed call may begin again");
        media.stop();
        let rest = async { while heard.recv().await.is_some() {} };
        clock::timeout(PATIENCE, rest).await.expect("nothing reports any more");
    }

    /// A microphone that breaks what opens it.
    struct Broken;

    impl Sound for Broken {
        fn capture(&mut self, on: bool) {
            assert!(!on, "planted");
        }
        fn rest(&mut self, _resting: bool) {}
        fn read(&mut self, _now: Moment, _block: &mut [f32]) -> usize {
            0
        }
        fn wanted(&mut self, _now: Moment) -> usize {
            0
        }
        fn due(&mut self, _now: Moment, _missing: Option<usize>) -> Duration {
            Duration::from_millis(20)
        }
        fn write(&mut self, _samples: &[f32]) {}
        fn played(&mut self, _block: &mut [f32]) -> usize {
            0
        }
        fn headset(&mut self) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn a_session_that_breaks_is_told_of_its_call_and_not_of_one_path() {
        let (reports, mut heard) = mpsc::channel(256);
        let settings = MediaSettings { interfaces: vec!["lo".to_owned()], ..MediaSettings::default() };
        let mut media = Media::with_sound(settings, Box::new(|_| Box::new(Broken)), reports);
        media.order(order(1, MediaOrder::Prepare(Role::Offerer))).unwrap();
        described(&mut heard).await;
        media.order(order(1, MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false })).unwrap();
        let gone = async {
            loop {
                if let Report::Gone { call } = heard.recv().await.unwrap() {
                    return call;
                }
            }
        };
        let call = clock::timeout(PATIENCE, gone).await.expect("it is told");
        assert_eq!(call, CallId::from_bytes([1; 16]));
        media.order(order(2, MediaOrder::Prepare(Role::Offerer))).unwrap();
        assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]), "other calls go on");
        media.stop();
    }

    #[tokio::test]
    async fn the_end_of_a_call_is_no_order_that_a_full_queue_could_lose() {
        let (mut media, mut heard) = media();
        media.order(order(1, MediaOrder::Prepare(Role::Offerer))).unwrap();
        described(&mut heard).await;
        let call = CallId::from_bytes([1; 16]);
        let wanted = media.wanted[&call].subscribe();
        // The thread is not given a turn: it shares this one's core only while something is awaited.
        let full = (0..=QUEUE * 100).any(|_| {
            media.order(Order::Frame { call, leg: LegId::from_bytes([2; 16]), bytes: Vec::new() }).is_err()
        });
        for order in [order(1, MediaOrder::SetMuted(true)), order(1, MediaOrder::Close), Order::End { call }]
        {
            assert_eq!(media.order(order), Ok(()), "full: {full}");
        }
        assert_eq!(*wanted.borrow(), Wanted::default());
        assert!(wanted.has_changed().is_err(), "nobody wants anything any more");
        media.stop();
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_fails_the_path_and_not_the_thread() {
        let (mut media, mut heard) = media();
        media
            .order(Order::Settings(MediaSettings {
                interfaces: vec!["nowhere0".to_owned()],
                ..MediaSettings::default()
            }))
            .unwrap();
        media.order(order(1, MediaOrder::Prepare(Role::Offerer))).unwrap();
        let report = clock::timeout(PATIENCE, heard.recv()).await.expect("a report in time").unwrap();
        let failed = MediaReport::Failed(MediaFault::Media);
        assert!(matches!(report, Report::Event { report, .. } if report == failed));
        media
            .order(Order::Settings(MediaSettings {
                interfaces: vec!["lo".to_owned()],
                ..MediaSettings::default()
            }))
            .unwrap();
        media.order(order(2, MediaOrder::Prepare(Role::Offerer))).unwrap();
        assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]));
        media.stop();
    }

    #[tokio::test]
    async fn servers_that_make_no_sense_are_left_out() {
        let (mut media, mut heard) = media();
        let server = |url: &str| {
            let (urls, nobody) = (vec![url.to_owned()], String::new());
            IceServer { urls, username: nobody.clone(), credential: nobody }
        };
        let strange =
            ["", "nonsense", "turn:192.0.2.1:3478", "stuns:192.0.2.1", "stun:192.0.2.1:99999", "http://x"];
        let all = [strange.map(server).to_vec(), vec![IceServer { urls: Vec::new(), ..server("") }]].concat();
        media.order(order(1, MediaOrder::Prepare(Role::Offerer))).unwrap();
        described(&mut heard).await;
        media.order(Order::IceServers(all)).unwrap();
        media.order(order(2, MediaOrder::Prepare(Role::Offerer))).unwrap();
        assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]));
        media.stop();
    }
}
