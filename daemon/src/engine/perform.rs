//! The engine's hands: steps are performed, requests are met.
//!
//! Lives here: what the rules return goes to the ports, and is shown behind the commit of its records, the answer last.
//! Must not: decide; wait.

use ahoy_call::{
    CallId, CallKind, Command, Effects, Event, LegId, MediaFault, MediaOrder, MediaReport, Moment, PeerId,
    RoomReport,
};
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::engine::diagnoses::Wish;
use crate::engine::requests::{self, Act, Components, failed};
use crate::engine::step::{Order, Step, Stepped};
use crate::history::HistoryOrder;
use crate::system::{clock, failpoint};
use crate::values::diagnosis::Surroundings;
use crate::values::request::{Answer, Answered, Asked, Denied, DeniedKind, Reply};
use crate::{media, signal};

/// What relay links may say while they are looked at: each its state, and that it was answered.
const LINK_NEWS: usize = 64;

impl Engine {
    /// The present moment, after a tick that is due at it. Every input asks for the time here.
    pub(super) fn now(&mut self) -> Moment {
        loop {
            let now = clock::now();
            if self.phone.deadline().is_none_or(|due| due.at > now) {
                return now;
            }
            let effects = self.phone.event(now, Event::Tick);
            // What this leads to asks for the time itself: it is later, then.
            self.perform(now, "tick", effects, None);
        }
    }

    /// Feeds one event to the rules.
    pub(super) fn on_event(&mut self, event: Event) {
        let name = name(&event);
        if let Event::Received { message, .. } = &event {
            self.self_named.hear(message);
            self.hear_of_group(message);
        }
        let now = self.now();
        let effects = self.phone.event(now, event);
        self.perform(now, name, effects, None);
    }

    /// Feeds a command of the daemon's own; one that does not apply does nothing.
    pub(super) fn command(&mut self, name: &'static str, command: Command) {
        let now = self.now();
        if let Ok(effects) = self.phone.command(now, command) {
            self.perform(now, name, effects, None);
        }
    }

    /// One request, from the queue to its answer.
    pub(super) fn on_request(&mut self, Asked { what, reply }: Asked) {
        let act = self.components().on_request(what);
        let outcome = match act {
            Err(denied) => Err(denied),
            Ok(Act::Answer(answer)) => Ok(answer),
            Ok(Act::Command(command, answer)) => return self.on_command(reply, command, answer),
            Ok(Act::Keep(wish)) => return self.keep(wish, Some(reply)),
            Ok(Act::History(request)) => {
                match self.ports.history.try_send(HistoryOrder::Ask(request, reply)) {
                    Ok(()) => return,
                    Err(error) => {
                        let HistoryOrder::Ask(_, reply) = error.into_inner() else { return };
                        return self.answer(reply, Err(failed("The history is busy: try again.")));
                    }
                }
            }
            Ok(Act::OfCall(call, order, refused)) => {
                self.ports.media.call(call, order).map(|()| Answer::Done).map_err(|_| failed(refused))
            }
            Ok(Act::OfDevice(order, refused)) => {
                self.ports.media.device(order).map(|()| Answer::Done).map_err(|_| failed(refused))
            }
            Ok(Act::Stats(call)) => {
                let ticket = self.numbers.ask(call, reply);
                if let Err(error) = self.ports.media.call(call, media::CallOrder::Stats(ticket)) {
                    tracing::warn!(%error, "a question for numbers was dropped");
                    self.numbers.give_up(call);
                }
                return;
            }
            Ok(Act::Ping(job, peer)) => {
                self.order_signal(signal::SignalingOrder::Ping { job, peer });
                Ok(Answer::Call(job))
            }
            Ok(Act::Diagnose) => return self.diagnose(reply),
            Ok(Act::Trust(interface, trust)) => return self.trust_network(reply, &interface, trust),
            Ok(Act::Pair(request)) => return self.on_pairing_request(reply, request),
            Ok(Act::Account(request)) => return self.on_account_request(reply, request),
            Ok(Act::Adjust(adjust)) => {
                match self.ports.media.device(media::DeviceOrder::Adjust(adjust.clone())) {
                    Ok(()) => {
                        self.devices.adjusted(&adjust);
                        Ok(Answer::Done)
                    }
                    Err(_) => Err(failed("The sound server takes no change: try again.")),
                }
            }
            Ok(Act::TestCall(client, lasts)) => self.begin_test_call(client, lasts),
            Ok(Act::EndTestCall) => {
                self.ports.media.end_test_call();
                Ok(Answer::Done)
            }
            Ok(Act::Deafen(deafened)) => {
                self.deafened = deafened;
                for (call, _) in self.phone.standing() {
                    self.order_media(call, media::CallOrder::Deafen(deafened));
                }
                Ok(Answer::Done)
            }
            Ok(Act::Chosen { lasting }) => {
                self.send_media_settings();
                if lasting {
                    return self.keep(Box::new(requests::chosen), Some(reply));
                }
                Ok(Answer::Done)
            }
        };
        self.answer(reply, outcome);
    }

    /// A look around begins, or the client waits for the one that is under way. It is made elsewhere; nothing waits for it here.
    fn diagnose(&mut self, reply: Reply) {
        let now = self.now();
        match self.diagnoses.ask(now, reply) {
            Wish::Waits => {}
            Wish::TooMany(reply) => {
                let sentence = "Too many have asked for that: try again in a minute.";
                self.answer(reply, Err(Denied::new(DeniedKind::RateLimited, sentence)));
            }
            Wish::Begins => {
                let (ear, links) = mpsc::channel(LINK_NEWS);
                self.order_signal(signal::SignalingOrder::Look(ear));
                let config = self.in_force.config();
                let surroundings = Surroundings {
                    enabled: config.account.enabled,
                    relays: u32::try_from(self.own.relays().len()).unwrap_or(u32::MAX),
                    online: self.links.online,
                    ice_servers: self.links.ice_servers.list.clone(),
                    ca_file: config.relay.ca_file.clone(),
                    input: config.media.input.clone(),
                    output: config.media.output.clone(),
                    problems: self.problems.of_files(),
                };
                if let Err(error) = self.ports.diagnosis.begin(surroundings, links) {
                    let denied = failed(format_args!("Nothing could be looked at: {error}"));
                    self.diagnoses
                        .over()
                        .into_iter()
                        .for_each(|reply| self.answer(reply, Err(denied.clone())));
                }
            }
        }
    }

    /// What requests look at.
    pub(super) fn components(&mut self) -> Components<'_> {
        Components {
            now: self.now(),
            unix_us: clock::unix_us(),
            phone: &self.phone,
            focus: self.focus,
            contacts: &self.contacts,
            own: &self.own,
            in_force: &mut self.in_force,
            devices: &self.devices,
            ring_policy: &mut self.ring_policy,
            pings: &mut self.pings,
            networks: &self.networks,
            groups: &self.groups,
            relays: &self.relays,
            board: self.shown.shown(),
            agents: &mut self.agents,
            paths: &self.paths,
            store: &self.store,
            offer: &mut self.offer,
            test_call: self.test_call,
        }
    }

    /// Feeds a person's command to the rules and answers when its effects are shown.
    fn on_command(&mut self, reply: Reply, command: Command, answer: Answer) {
        let now = self.now();
        let of = requests::about(&command);
        if command == Command::HangUpAll {
            self.ports.media.end_test_call();
        }
        let dialed = if let Command::Dial { peer, .. } = &command { Some(*peer) } else { None };
        match self.phone.command(now, command) {
            Ok(effects) => {
                self.perform(now, "command", effects, Some((reply, Ok(answer))));
                if let Some(peer) = dialed {
                    self.greet_with_call(now, peer);
                }
            }
            Err(refusal) => {
                let denied = requests::denied(&self.phone.views(), refusal, of);
                self.answer(reply, Err(denied));
            }
        }
    }

    /// An answer that changes nothing that is shown waits its turn all the same: the calls of a client keep their order.
    pub(super) fn answer(&mut self, reply: Reply, outcome: Result<Answer, Denied>) {
        let now = self.now();
        self.refresh();
        self.release(now, "request", Stepped::default(), Some((reply, outcome)));
    }

    fn perform(&mut self, now: Moment, input: &'static str, effects: Effects, reply: Option<Answered>) {
        let volume = |call, leg| self.volume(call, leg);
        let stepped =
            Step::new(&self.contacts, &volume, &self.lines, (&self.groups, &self.self_named)).take(effects);
        self.release(now, input, stepped, reply);
    }

    /// Gives the orders, sends the records off and lets the rest out behind their commit, the answer last.
    pub(super) fn release(
        &mut self,
        now: Moment,
        input: &'static str,
        stepped: Stepped,
        reply: Option<Answered>,
    ) {
        let Stepped { orders, entries, mut release, ended, retired } = stepped;
        let failed: Vec<Event> = orders.into_iter().flat_map(|order| self.give(now, order)).collect();
        for (peer, at_unix_us) in ended {
            self.contacts.called(peer, at_unix_us);
        }
        if retired {
            let there = self.phone.views();
            self.lines.keep(|call| there.iter().any(|view| view.id == call));
            self.upkeep.rest_soon(now);
            if there.is_empty() {
                self.self_named.clear();
            }
        }
        release.phone = self.phone_row();
        release.reply = reply;
        tracing::debug!(input, records = entries.len(), changes = release.changes.len(), "step");
        let ticket = (!entries.is_empty()).then(|| self.shown.ticket());
        if let Some(ticket) = ticket {
            entries.iter().for_each(|entry| failpoint::reached("record", entry.record.fact));
            if self.ports.history.try_send(HistoryOrder::Write { ticket, entries }).is_err() {
                tracing::warn!("the history queue is full: a record was dropped");
            }
        }
        self.shown.release(now, ticket, release);
        self.refresh();
        self.sound(now);
        failed.into_iter().for_each(|event| self.on_event(event));
    }

    /// Whether a call, by its name on the wire, is between more than two.
    fn is_group(&self, on_wire: CallId) -> bool {
        let views = self.phone.views();
        let of = views.iter().find(|view| self.phone.on_wire(view.id) == on_wire);
        of.is_some_and(|view| view.kind == CallKind::Group)
    }

    /// Gives one order. What a port that takes none means to the rules is returned: that path has failed.
    fn give(&mut self, now: Moment, order: Order) -> Vec<Event> {
        let (call, order) = match order {
            Order::Signal(order) => {
                self.order_signal(order);
                return Vec::new();
            }
            Order::Room(call, order) => return self.order_room(now, call, order),
            Order::Media(call, order) => (call, order),
        };
        let media::CallOrder::Path { leg, epoch, order } = order else {
            if matches!(order, media::CallOrder::End) {
                self.voices.over(call);
                self.room_is_over(call);
            }
            self.order_media(call, order);
            return Vec::new();
        };
        if matches!(order, MediaOrder::Open { .. }) {
            self.voices.opened(call, leg);
        }
        if matches!(order, MediaOrder::Prepare(_)) {
            let peer = self.phone.whose(call, leg);
            let rules = peer.and_then(|peer| self.contacts.manner(peer)).map(|(rules, _)| rules);
            match rules {
                Some(rules) => self.order_media(call, media::CallOrder::RelayOnly(rules.relay_only)),
                // A contact that was removed in a call stays what it was; a member who never was one learns no address of ours.
                None if self.is_group(call) => self.order_media(call, media::CallOrder::RelayOnly(true)),
                None => {}
            }
        }
        // One that begins waits a moment where its credentials are about to end.
        if matches!(order, MediaOrder::Prepare(_)) && self.waits.begin(now, &self.links.ice_servers) {
            tracing::debug!("a path waits for fresh credentials");
            self.order_signal(signal::SignalingOrder::Refresh);
            self.ports.media.hold_back();
        }
        let begins = matches!(order, MediaOrder::Prepare(_));
        let given = self.ports.media.call(call, media::CallOrder::Path { leg, epoch, order });
        if begins {
            self.deafen_if_wanted(call);
        }
        match given {
            Ok(()) => Vec::new(),
            Err(media::Refused::Full) => {
                vec![Event::Media { call, leg, epoch, report: MediaReport::Failed(MediaFault::Media) }]
            }
            Err(media::Refused::Gone) => vec![Event::MediaGone { call }],
        }
    }

    /// A path of this call begins: what holds for all of them holds for it.
    pub(super) fn deafen_if_wanted(&mut self, call: CallId) {
        if self.deafened {
            self.order_media(call, media::CallOrder::Deafen(true));
        }
    }

    /// One of the others is heard by another way than a path of their own: as loud as they are to be.
    pub(super) fn play_as_set(&mut self, call: CallId, leg: LegId) {
        self.voices.opened(call, leg);
        if let Some(volume) = self.volume(call, leg) {
            self.order_media(call, media::CallOrder::Volume { leg, volume });
        }
    }

    /// Begins what waited for credentials, if they have come or the wait is over.
    pub(super) fn begin_paths(&mut self, now: Moment) {
        if !self.waits.over(now, &self.links.ice_servers) {
            return;
        }
        for (call, leg, epoch) in self.ports.media.let_go() {
            let report = MediaReport::Failed(MediaFault::Media);
            self.on_event(Event::Media { call, leg, epoch, report });
        }
    }

    pub(super) fn order_signal(&mut self, order: signal::SignalingOrder) {
        if self.ports.signal.try_send(order).is_err() {
            tracing::warn!("the signaling queue is full: an order was dropped");
        }
    }

    fn order_media(&mut self, call: CallId, order: media::CallOrder) {
        if let Err(error) = self.ports.media.call(call, order) {
            tracing::warn!(%error, "an order was dropped");
        }
    }

    /// How loud the owner of this device is played, as the contact is set to. `call`: its name on the wire.
    fn volume(&self, call: CallId, leg: LegId) -> Option<f32> {
        let (rules, _) = self.contacts.manner(self.phone.whose(call, leg)?)?;
        #[expect(clippy::cast_possible_truncation, reason = "0 to 2, and no ear hears the difference")]
        let volume = rules.volume as f32;
        Some(volume)
    }

    /// Plays this contact as loud as it is to be, in every call in which it is heard.
    pub(super) fn set_volumes(&mut self, of: PeerId) {
        let whose = |(call, leg): &(CallId, LegId)| self.phone.whose(*call, *leg) == Some(of);
        for (call, leg) in self.voices.all().filter(whose).collect::<Vec<_>>() {
            if let Some(volume) = self.volume(call, leg) {
                self.order_media(call, media::CallOrder::Volume { leg, volume });
            }
        }
    }
}

/// For the log: the input's kind, never its content.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Tick => "tick",
        Event::Rung { .. } => "rung",
        Event::Met { .. } => "met",
        Event::MissedNote { .. } => "missed note",
        Event::Received { .. } => "received",
        Event::Carried { .. } => "carried",
        Event::Undeliverable { .. } => "undeliverable",
        Event::Bye { .. } => "bye",
        Event::Media { .. } => "media",
        Event::Room { report, .. } => match report {
            RoomReport::Passes(_) => "room passes",
            RoomReport::NoRoom => "no room",
            RoomReport::Key { .. } => "room key",
            RoomReport::Heard { heard: true, .. } => "heard by room",
            RoomReport::Heard { heard: false, .. } => "not heard by room",
            RoomReport::Over => "room over",
        },
        Event::Rooms(_) => "rooms",
        Event::MediaGone { .. } => "media gone",
        Event::NetworkChanged => "network changed",
        Event::Stopping => "stopping",
    }
}
