//! What one input comes to: effects as orders to ports, records for history, and what is then shown.
//!
//! Lives here: one `match` over `Effect`, as a value that is returned.
//! Must not: know the engine; do anything; wait.

use ahoy_call::{
    CallId, CallKind, CallView, Direction, Effect, Effects, Fact, LegId, MediaOrder, MemberView, Moment,
    Outcome, PeerId, Record, RoomOrder,
};

use crate::contacts::Contacts;
use crate::engine::groups::{NamedGroup, NamedGroups};
use crate::engine::lines::Lines;
use crate::engine::self_named::SelfNamed;
use crate::engine::shown::{Change, Release};
use crate::history::Entry;
use crate::system::clock;
use crate::values::board::{CallRow, MemberRow};
use crate::values::happening::EventData;
use crate::values::line::{Line, MemberLine};
use crate::values::rows::HistoryPeer;
use crate::{media, signal};

/// What is to be done about one input, in this order.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Stepped {
    /// To signaling, media and rooms.
    pub orders: Vec<Order>,
    /// To history.
    pub entries: Vec<Entry>,
    /// Let out when the entries are safe.
    pub release: Release,
    /// Calls that are over: with whom, and when by the calendar.
    pub ended: Vec<(PeerId, i64)>,
    /// A call left what is shown.
    pub retired: bool,
}

/// An order to a port.
#[derive(Debug)]
pub(super) enum Order {
    /// To signaling.
    Signal(signal::SignalingOrder),
    /// To media.
    Media(CallId, media::CallOrder),
    /// To rooms.
    Room(CallId, RoomOrder),
}

/// One step: it looks at the contacts and at others in groups, at how loud they are to be, and at the lines of the calls.
pub(super) struct Step<'a> {
    contacts: &'a Contacts,
    volume: &'a dyn Fn(CallId, LegId) -> Option<f32>,
    lines: &'a Lines,
    groups: &'a NamedGroups,
    self_named: &'a SelfNamed,
    stepped: Stepped,
}

impl<'a> Step<'a> {
    /// `volume`: how loud the owner of a device is played, by the call's name on the wire.
    pub(super) fn new(
        contacts: &'a Contacts,
        volume: &'a dyn Fn(CallId, LegId) -> Option<f32>,
        lines: &'a Lines,
        (groups, self_named): (&'a NamedGroups, &'a SelfNamed),
    ) -> Self {
        Self { contacts, volume, lines, groups, self_named, stepped: Stepped::default() }
    }

    /// What these effects come to.
    pub(super) fn take(mut self, effects: Effects) -> Stepped {
        for effect in effects {
            match effect {
                Effect::Signal { call, leg, order } => {
                    let order = signal::SignalingOrder::Call { call, leg, order };
                    self.stepped.orders.push(Order::Signal(order));
                }
                Effect::Media { call, leg, epoch, order } => {
                    let opens = matches!(order, MediaOrder::Open { .. });
                    self.media(call, media::CallOrder::Path { leg, epoch, order });
                    if let Some(volume) = opens.then(|| (self.volume)(call, leg)).flatten() {
                        self.media(call, media::CallOrder::Volume { leg, volume });
                    }
                }
                Effect::Room { call, order } => self.stepped.orders.push(Order::Room(call, order)),
                Effect::EndMedia(call) => self.media(call, media::CallOrder::End),
                Effect::Record(record) => self.record(*record),
                Effect::Publish(view) => {
                    let row = self.row(*view);
                    self.stepped.release.changes.push(Change::Row(Box::new(row)));
                }
                Effect::Retire(call) => {
                    self.stepped.release.changes.push(Change::Gone(call));
                    self.stepped.retired = true;
                }
            }
        }
        self.stepped
    }

    fn media(&mut self, call: CallId, order: media::CallOrder) {
        self.stepped.orders.push(Order::Media(call, order));
    }

    fn record(&mut self, record: Record) {
        tracing::info!(call = ?record.view.id, fact = ?record.fact, state = ?record.view.state, reason = ?record.view.reason, "call");
        let view = &record.view;
        let (mut name, address) = self.name_and_address(view.peer);
        if view.group.is_some() {
            name = self.title(view);
        }
        let at_unix_us = record.at_unix_us.unwrap_or_else(|| clock::to_unix(record.at));
        let about = record.about.and_then(|id| view.members.iter().find(|member| member.id == id));
        let about = about.map(|member| (member.peer, self.name_and_address(member.peer).0));
        for kind in event_kinds(&record) {
            // The end is that of the call, whoever brought it about.
            let about = about.clone().filter(|_| record.fact != Fact::Ended);
            let (contact, named) = about.unwrap_or_else(|| (view.peer, self.title(view)));
            let data = EventData {
                call: Some(view.id),
                contact: Some(contact),
                name: Some(named),
                direction: Some(view.direction),
                reason: view.reason,
                outcome: view.outcome,
                duration_ms: duration_ms(view),
                history: None,
                at_unix_us,
            };
            self.stepped.release.events.push((kind, data));
        }
        if record.fact == Fact::PathLost {
            // The next path is agreed on by the relays, which may have gone with the last one.
            self.stepped.orders.push(Order::Signal(signal::SignalingOrder::Hurry));
        }
        if record.fact == Fact::Ended {
            self.stepped.ended.push((view.peer, at_unix_us));
        }
        let line = (record.fact == Fact::Ended).then(|| self.lines.summary(record.at, view.id)).flatten();
        let peers = if view.kind == CallKind::Group { self.peers(view) } else { Vec::new() };
        let about = about.map(|(_, name)| name);
        self.stepped.entries.push(Entry { record, at_unix_us, name, address, about, peers, line });
    }

    /// Of a contact as our person calls them; of another member of a group as they call themselves, and no address.
    fn name_and_address(&self, peer: PeerId) -> (String, String) {
        match self.self_named.of(peer).filter(|_| self.contacts.manner(peer).is_none()) {
            Some(name) => (name.clone(), String::new()),
            None => self.contacts.name_and_address(peer),
        }
    }

    /// Whom a call is with: of a named group its name, of another whom it began with and how many more.
    fn title(&self, view: &CallView) -> String {
        let kept = |group| self.groups.get(group).map(NamedGroup::name);
        let told = |group| self.self_named.group(group).map(String::as_str);
        if let Some(name) = view.group.and_then(|group| kept(group).or_else(|| told(group))) {
            return name.to_owned();
        }
        let name = self.name_and_address(view.peer).0;
        let others = view.members.iter().filter(|member| member.peer != view.peer).count();
        match (view.kind, others) {
            (CallKind::Direct, _) | (CallKind::Group, 0) => name,
            (CallKind::Group, others) => format!("{name} and {others} more"),
        }
    }

    /// The others in a group, for history.
    fn peers(&self, view: &CallView) -> Vec<HistoryPeer> {
        let peer = |member: &MemberView| {
            let MemberRow { name, joined_at, left_at, .. } = self.member(member);
            let contact = data_encoding::HEXLOWER.encode(&member.peer.bytes());
            HistoryPeer { contact, name, state: member.state.word().to_owned(), joined_at, left_at }
        };
        view.members.iter().map(peer).collect()
    }

    fn row(&self, view: CallView) -> CallRow {
        let address = self.name_and_address(view.peer).1;
        let rules = self.contacts.manner(view.peer).map(|(rules, _)| rules).unwrap_or_default();
        let unix = |moment: Option<Moment>| moment.map_or(0, clock::to_unix);
        CallRow {
            name: self.title(&view),
            icon: rules.icon,
            ring_tone: rules.ring_tone,
            address,
            verified: rules.verified,
            history_id: 0,
            created_at: clock::to_unix(view.created),
            ringing_at: unix(view.ringing),
            answered_at: unix(view.answered),
            ended_at: unix(view.ended),
            answered_boot: view.connected.map_or(0, Moment::micros),
            deadline_boot: view.deadline.map_or(0, Moment::micros),
            members: view.members.iter().map(|member| self.member(member)).collect(),
            line: Line::default(),
            view,
        }
    }

    fn member(&self, member: &MemberView) -> MemberRow {
        let (rules, blocked) = self.contacts.manner(member.peer).unwrap_or_default();
        MemberRow {
            name: self.name_and_address(member.peer).0,
            volume: rules.volume,
            blocked,
            joined_at: member.joined.map_or(0, clock::to_unix),
            left_at: member.left.map_or(0, clock::to_unix),
            line: MemberLine::default(),
        }
    }
}

/// How long sound could flow in a call that is over, from the first time that it did.
fn duration_ms(view: &CallView) -> Option<u64> {
    let ended = view.ended?;
    let talked = view.connected.map_or(0, |from| ended.since(from).as_millis());
    Some(u64::try_from(talked).unwrap_or(u64::MAX))
}

/// What a hook hears of a record. A call that nobody heard of is heard of only as missed.
fn event_kinds(record: &Record) -> Vec<&'static str> {
    let view = &record.view;
    match record.fact {
        Fact::RingingHere => vec!["call.incoming"],
        Fact::Answered => vec!["call.answered"],
        Fact::PeerJoined => vec!["peer.joined"],
        Fact::PeerDeclined => vec!["peer.declined"],
        Fact::PeerLeft => vec!["peer.left"],
        Fact::Alone => vec!["call.alone"],
        Fact::Ended => {
            let incoming = view.direction == Direction::Incoming;
            let missed = incoming && view.outcome == Some(Outcome::Missed);
            let public = !incoming || view.ringing.is_some();
            let ended = public.then_some("call.ended");
            let joinable = view.can.join.then_some("call.joinable");
            ended.into_iter().chain(missed.then_some("call.missed")).chain(joinable).collect()
        }
        Fact::Dialed
        | Fact::Offered
        | Fact::RingingThere
        | Fact::Connected
        | Fact::PathLost
        | Fact::PathRestored
        | Fact::Held
        | Fact::Resumed
        | Fact::HeldThere
        | Fact::ResumedThere
        | Fact::GlareMerged
        | Fact::Grown
        | Fact::PeerInvited
        | Fact::Rejoined
        | Fact::Noted => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ahoy_call::{Command, LegId, Phone, Settings, State};

    use super::*;
    use crate::identity;
    use crate::system::store::Store;
    use crate::values::preconnect::Preconnect;

    #[test]
    fn a_step_is_a_value_that_no_engine_is_needed_for() {
        let dir = tempfile::tempdir().unwrap();
        let own = Arc::new(identity::open(dir.path(), Some("Ana"), &[]).unwrap());
        let (store, _thread) = Store::spawn().unwrap();
        let leg = own.leg_id();
        let contacts = Contacts::open(&dir.path().join("contacts"), own, Preconnect::Always, store).unwrap();
        let lines = Lines::default();
        let named = SelfNamed::default();
        let step = |effects| {
            Step::new(&contacts, &|_, _| Some(0.5), &lines, (&NamedGroups::default(), &named)).take(effects)
        };
        let rows = |stepped: &Stepped| {
            let row = |change: &Change| match change {
                Change::Row(row) => (row.view.state, row.name.clone()),
                Change::Gone(_) => panic!("it lingers"),
            };
            stepped.release.changes.iter().map(row).collect::<Vec<_>>()
        };
        let (call, peer) = (CallId::from_bytes([1; 16]), PeerId::from_bytes([2; 16]));
        let mut phone = Phone::new(leg, PeerId::from_bytes([4; 16]), Settings::default());
        let now = Moment::from_micros(1_000_000);

        let (devices, lifetime) = (vec![LegId::from_bytes([3; 16])], Duration::from_secs(60));
        let dial =
            Command::Dial { call, peer, devices, lifetime, note: None, hold_others: false, both_tell: false };
        let dialed = step(phone.command(now, dial).unwrap());
        assert!(matches!(dialed.orders[..], [Order::Signal(_)]), "{:?}", dialed.orders);
        assert_eq!(rows(&dialed), [(State::Dialing, "02".repeat(16))], "nobody's name: the id");
        assert_eq!(dialed.entries.iter().map(|entry| entry.record.fact).collect::<Vec<_>>(), [Fact::Dialed]);
        assert!(dialed.release.events.is_empty() && dialed.ended.is_empty() && !dialed.retired);

        let lost = Record { fact: Fact::PathLost, ..dialed.entries[0].record.clone() };
        let lost = step(Effects(vec![Effect::Record(Box::new(lost))]));
        let hurries = matches!(lost.orders[..], [Order::Signal(signal::SignalingOrder::Hurry)]);
        assert!(hurries, "the relays agree on the next path: {:?}", lost.orders);

        let over = step(phone.command(now, Command::HangUp { call, everyone: false }).unwrap());
        assert_eq!(rows(&over)[0].0, State::Disconnected);
        let kinds: Vec<_> = over.release.events.iter().map(|(kind, data)| (*kind, data.call)).collect();
        assert_eq!(kinds, [("call.ended", Some(call))]);
        assert!(matches!(over.ended[..], [(of, _)] if of == peer));
    }
}
