//! The engine: one task that owns the phone and feeds it.
//!
//! Lives here: the loop (take an input, tick if due, step, perform, reply) and what each port's report means. What is shown: `engine/shown.rs`.
//! Must not: wait for a port; know how anything is carried, stored, heard or shown.

mod answer;
mod credentials;
mod devices;
mod outages;
pub mod outward;
mod perform;
pub mod ring_policy;
pub mod show;
mod shown;
pub mod tones;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, Moment, Phone};
use credentials::Waits;
use shown::Problems;
pub use shown::account_row;
use tokio::sync::{mpsc, watch};

use crate::config::{Chosen, Config};
use crate::contacts::Contacts;
use crate::engine::answer::{Kept, Numbers, Stored, Wish};
use crate::engine::devices::Devices;
use crate::engine::outages::Outages;
use crate::engine::perform::Step;
use crate::engine::ring_policy::KeptAway;
use crate::engine::ring_policy::admission::Admission;
use crate::engine::show::{Focus, Show};
use crate::system::paths::Paths;
use crate::system::store::Store;
use crate::system::{clock, memory, ready};
use crate::values::own::Own;
use crate::values::request::Asked;
use crate::values::tone::Tone;
use crate::{bus, desktop, history, identity, media, signal};

/// How often cards that nobody used are looked through.
const DAY: Duration = Duration::from_secs(86_400);
/// So long after a start, and after a call has left the bus, memory is given back.
const AT_REST: Duration = Duration::from_secs(3);
/// And once more so much later: what a notification server did not take has been tried for a minute then.
const AT_REST_AGAIN: Duration = Duration::from_secs(57);

/// More than that is no drift: the calendar was set.
const CALENDAR_SET_US: u64 = 60_000_000;

/// Where orders go. Every queue is bounded; a full one is a failed port.
#[derive(Debug)]
pub struct Ports {
    /// To the relays and sessions.
    pub signal: mpsc::Sender<signal::SignalingOrder>,
    /// What signaling goes by.
    pub standing: watch::Sender<signal::Standing>,
    /// To paths and sound.
    pub media: media::Media,
    /// To the database.
    pub history: mpsc::Sender<history::HistoryOrder>,
}

/// Where inputs come from. Commands are read first, so that a person is never queued behind the network.
#[derive(Debug)]
pub struct Inbox {
    /// Of clients.
    pub commands: mpsc::Receiver<Asked>,
    /// Of the bus port.
    pub bus: mpsc::Receiver<bus::Report>,
    /// Of the signaling port.
    pub signal: mpsc::Receiver<signal::Report>,
    /// Of the media port.
    pub media: mpsc::Receiver<media::Report>,
    /// Of the history port.
    pub history: mpsc::Receiver<history::Report>,
    /// Of the desktop port.
    pub desktop: mpsc::Receiver<desktop::Report>,
}

/// The daemon's own files while it runs.
#[derive(Debug)]
pub struct Files {
    /// Where they lie.
    pub paths: Paths,
    /// What changes them.
    pub store: Store,
    /// What a person picked in passing.
    pub chosen: Chosen,
}

/// Why the engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Another daemon holds the name on the bus.
    NameTaken,
}

/// The owner of all call state.
#[derive(Debug)]
pub struct Engine {
    pub(crate) phone: Phone,
    pub(crate) show: Show,
    pub(crate) ports: Ports,
    pub(crate) contacts: Contacts,
    pub(crate) own: Arc<Own>,
    /// What is in force.
    pub(crate) config: Config,
    /// What `config.toml` says; what was picked in passing outdoes it.
    pub(crate) written: Config,
    pub(crate) chosen: Chosen,
    /// When what was picked is written, if it is not yet.
    pub(crate) chosen_due: Option<Moment>,
    pub(crate) paths: Paths,
    pub(crate) store: Store,
    /// What waits for the disk.
    pub(crate) kept: Kept,
    pub(crate) stored_out: mpsc::Sender<Stored>,
    stored: Option<mpsc::Receiver<Stored>>,
    /// When cards that nobody used are looked through.
    expire_due: Moment,
    pub(crate) problems: Problems,
    pub(crate) focus: Focus,
    pub(crate) hardware: Devices,
    pub(crate) admission: Admission,
    /// Rings that do-not-disturb keeps away, and of which nobody knows: it may end while they last.
    pub(crate) kept_away: KeptAway,
    links: signal::LinkState,
    waits: Waits,
    pub(crate) numbers: Numbers,
    /// The calendar less the time since boot, when it was last looked at.
    calendar_ahead: i64,
    watchdog: Option<(Duration, Moment)>,
    /// When memory is given back, if there is no call then, and how much later once more.
    rest: Option<(Moment, Option<Duration>)>,
    announced: bool,
    /// What sounds now.
    tone: Option<Tone>,
    /// `Manager.Event`s so far.
    pub(crate) events: u64,
    /// The others are silenced in all calls.
    pub(crate) deafened: bool,
    /// What stands or is broken, told as events.
    outages: Outages,
    /// Clients that show the ring themselves, by their unique names on the bus.
    pub(crate) agents: BTreeSet<String>,
}

impl Engine {
    /// An engine with no calls.
    pub fn new(
        written: Config,
        files: Files,
        own: Arc<Own>,
        contacts: Contacts,
        show: Show,
        ports: Ports,
    ) -> Self {
        let Files { paths, store, mut chosen } = files;
        let config = chosen.over(&written);
        let (stored_out, stored) = mpsc::channel(16);
        let phone = Phone::new(own.leg_id(), settings(&config));
        let admission = ring_policy::open(&paths.dnd());
        let problems = Problems { contacts: contacts.problems().borrow().clone(), ..Problems::default() };
        Self {
            phone,
            show,
            ports,
            contacts,
            own,
            config,
            written,
            chosen,
            chosen_due: None,
            paths,
            store,
            kept: Kept::default(),
            stored_out,
            stored: Some(stored),
            expire_due: clock::now(),
            problems,
            focus: Focus::default(),
            hardware: Devices::default(),
            admission,
            kept_away: KeptAway::default(),
            links: signal::LinkState::default(),
            waits: Waits::default(),
            numbers: Numbers::default(),
            calendar_ahead: clock::unix_ahead_us(),
            watchdog: None,
            rest: None,
            announced: false,
            tone: None,
            events: 0,
            deafened: false,
            outages: Outages::default(),
            agents: BTreeSet::new(),
        }
    }

    /// Runs until `stop` resolves or the bus name belongs to another daemon.
    pub async fn run(mut self, mut inbox: Inbox, stop: impl Future<Output = ()>) -> Ended {
        self.rest_soon();
        self.watchdog = ready::watchdog_period().map(|period| (period, clock::now() + period));
        self.send_roster();
        self.send_media_settings();
        Step::new(&mut self, clock::now(), "start").release(None);
        let calendar = clock::until_set_or_an_hour();
        tokio::pin!(stop, calendar);
        let mut disk = self.store.problem();
        let Some(mut stored) = self.stored.take() else { return Ended::Stopped };
        let mut damaged = self.contacts.problems();
        loop {
            self.notice_calendar();
            let (due, dnd_ends) = (self.due(), self.dnd_ends());
            tokio::select! {
                biased;
                () = &mut stop => {
                    self.feed(Event::Stopping);
                    self.wind_down(inbox, stored).await;
                    return Ended::Stopped;
                }
                Some(asked) = inbox.commands.recv() => self.asked(asked),
                () = sleep_until(due) => self.on_time(),
                () = dnd_ends => {
                    self.refresh();
                    self.admission_changed();
                }
                () = &mut calendar => {
                    calendar.set(clock::until_set_or_an_hour());
                    self.look_at_calendar();
                }
                Some(report) = inbox.history.recv() => self.history(report),
                Some(done) = stored.recv() => self.stored(done),
                Some(report) = inbox.bus.recv() => match report {
                    bus::Report::NameTaken => return Ended::NameTaken,
                    bus::Report::Up => self.bus_is(String::new()),
                    bus::Report::Down(why) => self.bus_is(why),
                },
                // What signaling reports is bounded by contact; what one call's data channel brings is not before it is here.
                Some(report) = inbox.signal.recv() => self.signal(report),
                Some(report) = inbox.media.recv() => self.media(report),
                Some(report) = inbox.desktop.recv() => match report {
                    desktop::Report::NetworkChanged => {
                        tracing::info!("the network has changed");
                        self.tell_signal(signal::SignalingOrder::NetworkChanged);
                        self.feed(Event::NetworkChanged);
                    }
                },
                Ok(()) = disk.changed() => {
                    self.problems.disk.clone_from(&disk.borrow_and_update());
                    self.refresh();
                }
                Ok(()) = damaged.changed() => {
                    self.problems.contacts.clone_from(&damaged.borrow_and_update());
                    self.refresh();
                }
                else => return Ended::Stopped,
            }
        }
    }

    /// The present moment, after a tick that is due at it. Every input asks for the time here.
    pub(crate) fn now(&mut self) -> Moment {
        let now = clock::now();
        if self.phone.deadline().is_some_and(|due| due.at <= now) {
            let effects = self.phone.event(now, Event::Tick);
            Step::new(self, now, "tick").perform(effects).release(None);
        }
        now
    }

    /// Feeds one event to the rules.
    pub(crate) fn feed(&mut self, event: Event) {
        let now = self.now();
        let name = name(&event);
        let effects = self.phone.event(now, event);
        Step::new(self, now, name).perform(effects).release(None);
    }

    fn due(&self) -> Option<Moment> {
        let calls = self.phone.deadline().map(|deadline| deadline.at);
        let watchdog = self.watchdog.map(|(_, at)| at);
        let own = [
            self.rest.map(|(at, _)| at),
            self.kept.deadline(),
            self.chosen_due,
            Some(self.expire_due),
            self.outages.deadline(),
            self.waits.until,
        ];
        [calls, self.show.deadline(), watchdog].into_iter().chain(own).flatten().min()
    }

    /// Something big is over.
    pub(crate) fn rest_soon(&mut self) {
        self.rest = Some((clock::now() + AT_REST, Some(AT_REST_AGAIN)));
    }

    fn on_time(&mut self) {
        let now = self.now();
        self.show.tick(now);
        self.keep_tick(now);
        self.credentials_tick(now);
        if self.chosen_due.is_some_and(|at| at <= now) {
            self.write_chosen();
        }
        if self.expire_due <= now {
            self.expire_due = now + DAY;
            self.keep(Wish::Expire, None);
        }
        self.follow_outages(now);
        if let Some((period, at)) = self.watchdog
            && at <= now
        {
            ready::watchdog();
            self.watchdog = Some((period, now + period));
        }
        if let Some((_, again)) = self.rest.take_if(|(at, _)| *at <= now) {
            self.rest = again.map(|later| (now + later, None));
            // The end of the call that is there now comes here again.
            if self.phone.views().is_empty() {
                memory::rest();
                // A full queue is no rest; what it gives up goes back to the system with the next one.
                drop(self.ports.history.try_send(history::HistoryOrder::Rest));
            }
        }
    }

    fn signal(&mut self, report: signal::Report) {
        match report {
            signal::Report::Event(event) => self.heard(event),
            signal::Report::Frame { call, leg, bytes } => {
                if self.ports.media.call(call, media::CallOrder::Frame { leg, bytes }).is_err() {
                    tracing::debug!("a frame for the data channel was dropped: the media queue is full");
                }
            }
            signal::Report::Links(links) => {
                self.linked(links);
                self.refresh();
            }
            signal::Report::Mutual(peer) => self.contacts.set_mutual(peer),
            signal::Report::Bound { token, peer } => {
                if self.contacts.bind(token, peer) {
                    self.send_roster();
                }
            }
        }
    }

    fn media(&mut self, report: media::Report) {
        match report {
            media::Report::Event { call, leg, epoch, report } => {
                self.feed(Event::Media { call, leg, epoch, report });
            }
            media::Report::Gone { call } => {
                self.numbers.give_up(call);
                self.feed(Event::MediaGone { call });
            }
            media::Report::Stats { ticket, stats } => self.numbers.answered(ticket, stats),
            media::Report::Frame { call, leg, bytes } => {
                self.framed(call, leg, bytes);
            }
            media::Report::Channel { call, leg, open } => {
                self.tell_signal(signal::SignalingOrder::Channel { call, leg, open });
            }
            media::Report::Devices(found) => self.devices_found(found),
            media::Report::Problems(problems) => {
                for problem in &problems {
                    tracing::warn!(problem, "sound");
                }
                self.problems.media = problems;
                self.refresh();
            }
        }
    }

    fn history(&mut self, report: history::Report) {
        match report {
            history::Report::Committed { ticket, rows, missed, last_id } => {
                self.show.committed(ticket, &rows, missed, last_id);
            }
            history::Report::Changed { rows, missed, last_id, reply } => {
                self.show.rows_changed(&rows, missed, last_id, reply.map(|it| (it.reply, it.outcome)));
            }
            history::Report::Interrupted(calls) => {
                for unfinished in calls {
                    let history::Unfinished { call, peer, unanswered } = unfinished;
                    self.tell_signal(signal::SignalingOrder::Bye { call, peer, unanswered });
                }
            }
            history::Report::Problem(sentence) => {
                self.problems.history = sentence;
                self.refresh();
            }
        }
    }

    /// Hands signaling what it goes by: the whole roster, and whom it believes.
    pub(crate) fn send_roster(&mut self) {
        let mut roster = self.contacts.roster();
        if !self.config.account.enabled {
            // No inbox, no link: nobody can tell us from a machine that is switched off.
            roster = Arc::new(roster.without_inboxes());
        }
        let ca_file = self.config.relay.ca_file.clone();
        self.ports.standing.send_replace(signal::Standing { roster: Some(roster), ca_file });
    }

    /// Hands what a person decided about sound and paths to media.
    pub(crate) fn send_media_settings(&mut self) {
        self.ports.media.set(self.config.media_settings());
    }

    pub(crate) fn tell_signal(&mut self, order: signal::SignalingOrder) {
        if self.ports.signal.try_send(order).is_err() {
            tracing::warn!("the signaling queue is full: an order was dropped");
        }
    }

    pub(crate) fn tell_media(&mut self, call: CallId, order: media::CallOrder) {
        if let Err(error) = self.ports.media.call(call, order) {
            tracing::warn!(%error, "an order was dropped");
        }
    }

    /// Looks whether the calendar was set since the last input, where the kernel did not say so.
    fn notice_calendar(&mut self) {
        let ahead = clock::unix_ahead_us();
        if ahead.abs_diff(self.calendar_ahead) > CALENDAR_SET_US {
            self.calendar_ahead = ahead;
            self.look_at_calendar();
        }
    }

    /// The calendar was set, or an hour is over: a certificate that others would not believe now is made anew. If the disk did not
    /// take it, the next hour tries again.
    pub(crate) fn look_at_calendar(&mut self) {
        if identity::is_stale(&self.own.certificate) {
            tracing::info!("the certificate of this device does not fit the calendar");
            self.keep(Wish::Reload, None);
        }
    }

    /// Gives the ports at most two seconds to say goodbye and to commit.
    async fn wind_down(mut self, mut inbox: Inbox, mut stored: mpsc::Receiver<Stored>) {
        ready::stopping();
        if self.chosen_due.is_some() {
            self.write_chosen();
        }
        let written = self.show.newest();
        self.tell_signal(signal::SignalingOrder::Stop);
        let committed = async {
            while self.show.safe() < written {
                match inbox.history.recv().await {
                    Some(report) => self.history(report),
                    None => break,
                }
            }
            while !self.all_kept() {
                match stored.recv().await {
                    Some(done) => self.stored(done),
                    None => break,
                }
            }
            // Signaling drops its sender when everything is delivered.
            while inbox.signal.recv().await.is_some() {}
        };
        if clock::timeout(Duration::from_secs(2), committed).await.is_err() {
            tracing::warn!("a port did not finish in time");
        }
        if self.ports.history.try_send(history::HistoryOrder::Stop).is_err() {
            tracing::warn!("history was not told to stop");
        }
        self.show.tell(bus::Publication::Stop);
    }
}

/// What the rules need of the configuration.
pub(crate) fn settings(config: &Config) -> ahoy_call::Settings {
    ahoy_call::Settings {
        ring_at_most: config.call.ring_at_most,
        reconnect_window: config.call.reconnect_window,
        call_waiting: config.call.call_waiting,
    }
}

async fn sleep_until(due: Option<Moment>) {
    match due {
        Some(due) => clock::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// For the log: the input's kind, never its content.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Tick => "tick",
        Event::Rung { .. } => "rung",
        Event::MissedNote { .. } => "missed note",
        Event::Received { .. } => "received",
        Event::Carried { .. } => "carried",
        Event::Undeliverable { .. } => "undeliverable",
        Event::Bye { .. } => "bye",
        Event::Media { .. } => "media",
        Event::MediaGone { .. } => "media gone",
        Event::NetworkChanged => "network changed",
        Event::Stopping => "stopping",
    }
}
