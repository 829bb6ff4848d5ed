//! The ports of a device as models: effects in, parcels and reports out.
//!
//! Lives here: what each effect does in the world; a crash.
//! Must not: decide anything.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use ahoy_call::{CallId, Effect, Effects, Fact, LegId, MediaOrder, Message, Opaque, Phone, SignalOrder};

use super::carry::{Happening, NOTE_FOR, REPEAT_FOR, What};
use super::{World, device, peer};
use crate::media::MediaModel;

/// A path on which nothing comes for so long after a look at it is lost.
const PROBED: Duration = Duration::from_secs(1);

impl World {
    pub(super) fn perform(&mut self, who: usize, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Signal { call, leg, order } => self.signal(who, call, leg, order),
                Effect::Media { call, leg, epoch, order } => {
                    let key = (call, leg, epoch);
                    let closing = order == MediaOrder::Close;
                    if order == MediaOrder::Probe {
                        self.later(PROBED, Happening::Notice { to: who, key });
                    }
                    for (after, report) in self.people[who].media.order(key, order) {
                        self.later(after, Happening::Report { to: who, key, report });
                    }
                    if closing {
                        self.far_end_goes(who, key);
                    }
                }
                Effect::Room { call, order } => self.room_order(who, call, order),
                Effect::EndMedia(call) => {
                    let person = &self.people[who];
                    let left: Vec<_> = person.media.paths.keys().filter(|key| key.0 == call).collect();
                    assert!(left.is_empty(), "{}: the rules have forgotten {left:?}", person.name);
                    self.people[who].media.end(call);
                }
                Effect::Record(record) => self.people[who].records.push(*record),
                Effect::Publish(view) => {
                    let person = &mut self.people[who];
                    let wire = person.phone.on_wire(view.id);
                    if wire != view.id {
                        person.wires.insert(view.id, wire);
                    }
                    if let Some(before) = person.published.insert(view.id, (*view).clone()) {
                        super::check::check_step(&before, &view);
                    }
                }
                Effect::Retire(call) => {
                    let person = &mut self.people[who];
                    person.published.remove(&call);
                    let of = [Some(call), person.wires.remove(&call)];
                    let open = person.media.paths.keys().any(|key| of.contains(&Some(key.0)));
                    assert!(!open, "{}: {call:?} goes and leaves a path open", person.name);
                }
            }
        }
    }

    fn signal(&mut self, who: usize, call: CallId, leg: LegId, order: SignalOrder) {
        let Some(to) = self.number(leg) else { return };
        match order {
            SignalOrder::Ring { lifetime, .. } => {
                self.people[who].sessions.insert((call, leg), to);
                self.people[who].calling.insert((call, leg), true);
                self.post(who, to, call, What::Ring { lifetime }, lifetime);
            }
            SignalOrder::Meet { lifetime, .. } => {
                self.people[who].sessions.insert((call, leg), to);
                self.people[who].calling.insert((call, leg), false);
                self.post(who, to, call, What::Meet, lifetime);
            }
            // The ring is taken back before it was answered: it is repeated no more, and no session could say so.
            SignalOrder::Send(_) if self.people[who].calling.contains_key(&(call, leg)) => {
                self.people[who].taken_back.insert((call, leg));
            }
            SignalOrder::Send(mut message) => {
                seal(&mut message, device(who));
                if let Message::Log(news) | Message::Invite { news, .. } = &message {
                    self.starts.insert(call, news.start);
                }
                *self.said.entry((who, to)).or_default() += 1;
                self.post(who, to, call, What::Say(message), REPEAT_FOR);
            }
            SignalOrder::Missed { .. } => {
                let sent = self.now;
                self.post(who, to, call, What::Note { sent }, NOTE_FOR);
            }
            SignalOrder::Forget => {
                self.people[who].sessions.remove(&(call, leg));
                self.people[who].taken_back.remove(&(call, leg));
                if self.people[who].calling.remove(&(call, leg)).is_some() {
                    self.stop_calling(who, to, call);
                }
            }
        }
    }

    /// The daemon of a device is killed and started again: it forgets every call and says so.
    pub fn crash(&mut self, who: usize) {
        let keys: Vec<_> = self.people[who].media.paths.keys().copied().collect();
        let settings = self.people[who].settings.clone();
        let sessions = std::mem::take(&mut self.people[who].sessions);
        let person = &mut self.people[who];
        let mut open: Vec<CallId> = Vec::new();
        for record in &person.records {
            let call = record.view.id;
            if record.fact == Fact::Ended {
                open.retain(|it| *it != call);
            } else if !open.contains(&call) {
                open.push(call);
            }
        }
        person.phone = Phone::new(device(who), peer(person.owner), settings);
        person.media = MediaModel::default();
        person.published.clear();
        // The next start closes open rows; here they leave the books.
        person.records.retain(|record| !open.contains(&record.view.id));
        self.forget_happenings(who);
        for key in keys {
            self.far_end_goes(who, key);
        }
        self.leaves_all_rooms(who);
        for call in open {
            // History knows the contact, not the device: every one of them is told.
            let told: std::collections::BTreeSet<usize> =
                sessions.iter().filter(|((of, _), _)| *of == call).map(|(_, to)| *to).collect();
            for to in told {
                self.post(who, to, call, What::Bye, REPEAT_FOR);
            }
        }
    }
}

/// What a signature would be here: made of what is signed, the same each time.
fn seal(message: &mut Message, own: LegId) {
    let (Message::Log(news) | Message::Invite { news, .. }) = message else { return };
    let mut said = None;
    for entry in news.entries.iter_mut().filter(|entry| entry.author == own) {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", entry.statement).hash(&mut hasher);
        entry.print = hasher.finish().max(1);
        entry.seal = Opaque(entry.print.to_be_bytes().to_vec());
        said = Some((entry.statement.number, entry.print));
    }
    for head in news.heads.iter_mut().filter(|head| head.author == own) {
        head.print = said.filter(|(number, _)| *number == head.number).map_or(0, |(_, print)| print);
    }
}
