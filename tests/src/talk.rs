//! One phone in one call with one device, seen from its ports.
//!
//! Lives here: what is given to it, and what it orders of its media and says to the other.
//! Must not: have an other end: what comes from there is said by hand.

use std::time::Duration;

use ahoy_call::{
    CallId, Command, Description, Effect, Effects, EndReason, Epoch, Event, Fact, LegId, MediaOrder,
    MediaReport, Message, Moment, Opaque, PeerId, Phone, Refusal, Role, SdpKind, Settings, SignalOrder,
    State,
};

/// How long a broken path is mended here, and how long it rings: a minute.
pub use crate::world::{MINUTE, SECOND};

/// The contact.
pub const PEER: PeerId = PeerId::from_bytes([9; 16]);
/// The lower one of two devices.
pub const LOW: LegId = LegId::from_bytes([1; 16]);
/// The higher one.
pub const HIGH: LegId = LegId::from_bytes([2; 16]);

/// One phone in one call with one device.
#[derive(Clone, Debug)]
pub struct Talk {
    /// The rules under test.
    pub phone: Phone,
    /// Virtual time.
    pub now: Moment,
    /// The call.
    pub call: CallId,
    /// The device at the other end.
    pub leg: LegId,
    /// The newest generation that was prepared.
    pub epoch: Epoch,
    /// The newest generation that they offered.
    pub offered: Epoch,
    /// Every generation that was ever prepared.
    pub prepared: Vec<Epoch>,
    /// What was ordered of the media, and when.
    pub orders: Vec<(Moment, Epoch, MediaOrder)>,
    /// Calls of which nothing of the media may be left.
    pub media_ended: Vec<CallId>,
    /// What was ordered of signaling: the session and the order.
    pub signals: Vec<((CallId, LegId), SignalOrder)>,
    /// What history heard.
    pub facts: Vec<(CallId, Fact)>,
    own: LegId,
}

impl Talk {
    /// Nothing yet.
    pub fn idle(own: LegId, leg: LegId, call: CallId) -> Self {
        let phone = Phone::new(
            own,
            PeerId::from_bytes([0; 16]),
            Settings { reconnect_window: MINUTE, ..Settings::default() },
        );
        let (now, epoch) = (Moment::from_micros(5_000_000), Epoch::default());
        let (prepared, orders, media_ended, signals, facts, offered) = Default::default();
        Self { phone, now, call, leg, epoch, offered, prepared, orders, media_ended, signals, facts, own }
    }

    /// We called, it was answered, no sound flows yet.
    ///
    /// # Panics
    /// If the dial is refused.
    pub fn connecting(own: LegId, leg: LegId, call: CallId) -> Self {
        let mut talk = Self::idle(own, leg, call);
        let (peer, devices, lifetime) = (PEER, vec![leg], MINUTE);
        let dial =
            Command::Dial { call, peer, devices, lifetime, note: None, hold_others: true, both_tell: false };
        talk.command(dial).expect("nothing is in the way");
        talk.said(Message::Ready { offers: false });
        talk.said(Message::Accept);
        talk
    }

    /// We called, and sound flows; nothing was ordered since.
    pub fn between(own: LegId, leg: LegId, call: CallId) -> Self {
        let mut talk = Self::connecting(own, leg, call);
        talk.reported(talk.epoch, MediaReport::Up);
        talk.forget();
        talk
    }

    /// The same, between the lower device, which is ours, and the higher one.
    pub fn running() -> Self {
        Self::between(LOW, HIGH, CallId::from_bytes([7; 16]))
    }

    fn take(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Media { epoch, order, .. } => {
                    if matches!(order, MediaOrder::Prepare(_)) {
                        self.epoch = epoch;
                        self.prepared.push(epoch);
                    }
                    self.orders.push((self.now, epoch, order));
                }
                Effect::Signal { call, leg, order } => self.signals.push(((call, leg), order)),
                Effect::Record(record) => self.facts.push((record.view.id, record.fact)),
                Effect::EndMedia(call) => self.media_ended.push(call),
                Effect::Room { .. } | Effect::Publish(_) | Effect::Retire(_) => {}
            }
        }
    }

    /// What was ordered until now is of no interest.
    pub fn forget(&mut self) {
        self.orders.clear();
        self.media_ended.clear();
        self.signals.clear();
        self.facts.clear();
    }

    /// The person asks.
    ///
    /// # Errors
    /// As the rules say.
    pub fn command(&mut self, command: Command) -> Result<(), Refusal> {
        let effects = self.phone.command(self.now, command)?;
        self.take(effects);
        Ok(())
    }

    /// The world reports.
    pub fn event(&mut self, event: Event) {
        let effects = self.phone.event(self.now, event);
        self.take(effects);
    }

    /// The other device says something.
    pub fn said(&mut self, message: Message) {
        self.event(Event::Received { call: self.call, leg: self.leg, message });
    }

    /// The media port reports of this generation.
    pub fn reported(&mut self, epoch: Epoch, report: MediaReport) {
        self.event(Event::Media { call: self.call, leg: self.leg, epoch, report });
    }

    /// Their offer of this generation; the text tells offers apart.
    pub fn offered(&mut self, epoch: Epoch, text: &str) {
        self.offered = epoch;
        self.said(Message::Description { epoch, description: description(SdpKind::Offer, text) });
    }

    /// They begin the generation after the newest one.
    pub fn they_begin(&mut self) {
        self.offered(self.their_next(self.epoch), "theirs");
    }

    /// Their candidates of this generation.
    pub fn candidates(&mut self, epoch: Epoch, list: Vec<Opaque>, complete: bool) {
        self.said(Message::Candidates { epoch, list, complete });
    }

    /// What was said since, to whomever.
    pub fn sent(&self) -> Vec<Message> {
        let said = self.signals.iter().filter_map(|(_, order)| match order {
            SignalOrder::Send(message) => Some(message.clone()),
            SignalOrder::Ring { .. }
            | SignalOrder::Meet { .. }
            | SignalOrder::Missed { .. }
            | SignalOrder::Forget => None,
        });
        said.collect()
    }

    /// Lets time pass.
    ///
    /// # Panics
    /// If a tick leaves something due.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.phone.deadline().filter(|due| due.at <= until) {
            assert!(due.at > self.now, "time goes on");
            self.now = due.at;
            self.event(Event::Tick);
        }
        self.now = until;
    }

    /// What is to be seen of the call; none if nothing is.
    pub fn state(&self) -> Option<State> {
        self.phone.views().last().map(|view| view.state)
    }

    /// Why it is over.
    pub fn reason(&self) -> Option<EndReason> {
        self.phone.views().last().and_then(|view| view.reason)
    }

    /// The first generation after the newest that we may begin.
    pub fn our_next(&self) -> Epoch {
        self.epoch.next(self.own, self.leg).unwrap_or_default()
    }

    /// The first generation after this one that they may begin.
    pub fn their_next(&self, epoch: Epoch) -> Epoch {
        epoch.next(self.leg, self.own).unwrap_or_default()
    }

    /// When we began which generations since the orders were cleared.
    pub fn begun(&self) -> Vec<(Moment, Epoch)> {
        self.when(&MediaOrder::Prepare(Role::Offerer))
    }

    /// Which generations were taken down, in which order, and when.
    pub fn closed(&self) -> Vec<(Moment, Epoch)> {
        self.when(&MediaOrder::Close)
    }

    fn when(&self, wanted: &MediaOrder) -> Vec<(Moment, Epoch)> {
        let all = self.orders.iter().filter(|(_, _, order)| order == wanted);
        all.map(|(at, epoch, _)| (*at, *epoch)).collect()
    }

    /// All orders since they were cleared, without their times.
    pub fn ordered(&self) -> Vec<(Epoch, MediaOrder)> {
        self.orders.iter().map(|(_, epoch, order)| (*epoch, order.clone())).collect()
    }
}

/// A description with this text.
pub fn description(kind: SdpKind, text: &str) -> Description {
    Description { kind, body: Opaque(text.as_bytes().to_vec()) }
}

/// The order to answer their offer.
pub fn answerer(text: &str) -> MediaOrder {
    MediaOrder::Prepare(Role::Answerer(description(SdpKind::Offer, text)))
}

/// So many candidates, each another one.
pub fn some(many: u8) -> Vec<Opaque> {
    (0..many).map(|number| Opaque(vec![number])).collect()
}
