//! Effects become orders to the ports.
//!
//! Lives here: one `match` over `Effect`, one call per arm, and the log line of a step.
//! Must not: decide; wait.

use ahoy_call::{
    CallView, Direction, Effect, Effects, Fact, MediaFault, MediaReport, MemberView, Moment, Outcome, Record,
};

use crate::engine::Engine;
use crate::engine::show::{Change, Release};
use crate::history::{self, Entry};
use crate::system::{clock, failpoint};
use crate::values::board::{CallRow, MemberRow};
use crate::values::request::{Answer, Denied, Reply};
use crate::{bus, media, signal};

/// One input's effects on their way out.
#[must_use]
pub(crate) struct Step<'a> {
    engine: &'a mut Engine,
    now: Moment,
    input: &'static str,
    entries: Vec<Entry>,
    release: Release,
    /// Media orders that found a full queue: that path has failed.
    failed: Vec<ahoy_call::Event>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(engine: &'a mut Engine, now: Moment, input: &'static str) -> Self {
        Self { engine, now, input, entries: Vec::new(), release: Release::default(), failed: Vec::new() }
    }

    /// Performs effects in order.
    pub(crate) fn perform(mut self, effects: Effects) -> Self {
        for effect in effects {
            match effect {
                Effect::Signal { call, leg, order } => {
                    self.engine.tell_signal(signal::SignalingOrder::Call { call, leg, order });
                }
                Effect::Media { call, leg, epoch, order } => {
                    let opens = matches!(order, ahoy_call::MediaOrder::Open { .. });
                    match self.engine.order_path(self.now, call, (leg, epoch), order) {
                        Ok(()) if opens => self.engine.set_volume(call),
                        Ok(()) => {}
                        Err(media::Refused::Full) => {
                            let report = MediaReport::Failed(MediaFault::Media);
                            self.failed.push(ahoy_call::Event::Media { call, leg, epoch, report });
                        }
                        Err(media::Refused::Gone) => self.failed.push(ahoy_call::Event::MediaGone { call }),
                    }
                }
                Effect::EndMedia(call) => self.engine.tell_media(call, media::CallOrder::End),
                Effect::Record(record) => self.record(*record),
                Effect::Publish(view) => {
                    let row = self.row(*view);
                    self.release.changes.push(Change::Row(Box::new(row)));
                }
                Effect::Retire(call) => {
                    self.release.changes.push(Change::Gone(call));
                    self.engine.rest_soon();
                }
            }
        }
        self
    }

    /// Sends the records off and lets the rest out behind their commit, the answer last.
    pub(crate) fn release(mut self, reply: Option<(Reply, Result<Answer, Denied>)>) {
        self.release.phone = self.engine.phone_row();
        self.release.reply = reply;
        let wrote = !self.entries.is_empty();
        tracing::debug!(
            input = self.input,
            records = self.entries.len(),
            changes = self.release.changes.len(),
            "step"
        );
        let ticket = wrote.then(|| self.engine.show.ticket());
        if let Some(ticket) = ticket {
            let entries = std::mem::take(&mut self.entries);
            entries.iter().for_each(|entry| failpoint::reached("record", entry.record.fact));
            if self.engine.ports.history.try_send(history::HistoryOrder::Write { ticket, entries }).is_err() {
                tracing::warn!("the history queue is full: a record was dropped");
            }
        }
        self.engine.show.release(self.now, ticket, self.release);
        self.engine.refresh();
        self.engine.sound(self.now);
        for event in self.failed {
            self.engine.feed(event);
        }
    }

    fn record(&mut self, record: Record) {
        tracing::info!(call = ?record.view.id, fact = ?record.fact, state = ?record.view.state, reason = ?record.view.reason, "call");
        let (name, address) = self.engine.contacts.name_and_address(record.view.peer);
        let at_unix_us = record.at_unix_us.unwrap_or_else(|| clock::to_unix(record.at));
        if let Some(kinds) = event_kinds(&record) {
            for kind in kinds {
                self.engine.events += 1;
                let data = bus::EventData {
                    call: Some(record.view.id),
                    contact: Some(record.view.peer),
                    name: Some(name.clone()),
                    direction: Some(record.view.direction),
                    reason: record.view.reason,
                    outcome: record.view.outcome,
                    duration_ms: duration_ms(&record.view),
                    history: None,
                    at_unix_us,
                };
                self.release.events.push(bus::Publication::Event { kind, serial: self.engine.events, data });
            }
        }
        if record.fact == Fact::Ended {
            self.engine.contacts.called(record.view.peer, at_unix_us);
        }
        self.entries.push(Entry { record, at_unix_us, name, address });
    }

    fn row(&self, view: CallView) -> CallRow {
        let (name, address) = self.engine.contacts.name_and_address(view.peer);
        let manner = self.engine.contacts.manner(view.peer).map(|(manner, _)| manner).unwrap_or_default();
        let unix = |moment: Option<Moment>| moment.map_or(0, clock::to_unix);
        CallRow {
            name,
            icon: manner.icon,
            ring_tone: manner.ring_tone,
            address,
            verified: manner.verified,
            history_id: 0,
            created_at: clock::to_unix(view.created),
            ringing_at: unix(view.ringing),
            answered_at: unix(view.answered),
            ended_at: unix(view.ended),
            answered_boot: view.connected.map_or(0, Moment::micros),
            deadline_boot: view.deadline.map_or(0, Moment::micros),
            members: view.members.iter().map(|member| self.member(member)).collect(),
            view,
        }
    }

    fn member(&self, member: &MemberView) -> MemberRow {
        let contacts = &self.engine.contacts;
        MemberRow {
            name: contacts.name_and_address(member.peer).0,
            volume: contacts.manner(member.peer).map(|(manner, _)| manner).unwrap_or_default().volume,
            joined_at: member.joined.map_or(0, clock::to_unix),
            left_at: member.left.map_or(0, clock::to_unix),
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
fn event_kinds(record: &Record) -> Option<Vec<&'static str>> {
    match record.fact {
        Fact::RingingHere => Some(vec!["call.incoming"]),
        Fact::Answered => Some(vec!["call.answered"]),
        Fact::Ended => {
            let missed =
                record.view.direction == Direction::Incoming && record.view.outcome == Some(Outcome::Missed);
            let public = record.view.direction == Direction::Outgoing || record.view.ringing.is_some();
            let mut kinds = Vec::new();
            if public {
                kinds.push("call.ended");
            }
            if missed {
                kinds.push("call.missed");
            }
            Some(kinds)
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
        | Fact::Noted => None,
    }
}
