//! Requests whose answer waits for the disk: contacts, cards, settings, do-not-disturb.
//!
//! Lives here: their line, one at a time and in order; when one is given up; what is so once its write is safe.
//! Must not: touch a file itself: the store's thread does; wait.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ahoy_call::{Moment, PeerId};

use super::settings::Fresh;
use super::{Outcome, failed, stuck};
use crate::bus;
use crate::config::{Chosen, ChosenKey};
use crate::contacts::{Change, Contacts};
use crate::engine::Engine;
use crate::system::store::{Gate, Job};
use crate::system::{clock, file};
use crate::values::dnd::{Dnd, DndMode};
use crate::values::own::Own;
use crate::values::request::{Answer, Denied, DeniedKind, Reply};
use crate::values::rows::ContactChange;
use crate::values::setting::Setting;

/// How long a person waits for the disk before they hear that it does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests that may wait for it.
const LINE: usize = 64;

/// What somebody asks for that is so only once it is on the disk.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Do-not-disturb.
    Dnd(Dnd),
    /// What was picked just now: it is in force, and the answer waits until it would outlive the daemon.
    Chosen,
    /// A contact by its card.
    Add(String),
    /// Another name, manner, block.
    Change(String, Box<ContactChange>),
    /// A contact less.
    Remove(String),
    /// A card of ours for somebody.
    Export(String),
    /// A card of ours taken back.
    Revoke(String),
    /// The cards that nobody has used yet.
    Cards,
    /// Cards that nobody has used for long are taken back. The daemon's own.
    Expire,
    /// Our own name.
    Rename(String),
    /// One setting.
    Setting(String, Option<Setting>),
    /// The configuration as it is in the file.
    Reload,
}

/// What the store's thread says of one wish.
#[derive(Debug)]
pub(crate) struct Stored {
    ticket: u64,
    what: What,
}

/// What came of it there.
#[derive(Debug)]
enum What {
    Contacts(Change, io::Result<()>),
    Dnd(io::Result<()>),
    Chosen(io::Result<()>),
    Config(Result<Box<Fresh>, Box<super::settings::NotTaken>>),
    Own(Result<Box<Own>, Denied>),
    Cards(Vec<(String, String, i64)>),
}

/// What is to be done when the write is safe, beside what the write itself says.
#[derive(Debug)]
enum Then {
    Nothing,
    Contact {
        peer: PeerId,
        tell_id: bool,
        change: Option<Box<ContactChange>>,
        removed: bool,
    },
    Text(String),
    Dnd(Dnd),
    /// This setting is the configuration's again, whatever was picked in passing.
    Setting(Option<ChosenKey>),
}

/// The line before the disk.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    line: VecDeque<(Wish, Option<Reply>, Moment)>,
    running: Option<Running>,
    tickets: u64,
}

#[derive(Debug)]
struct Running {
    ticket: u64,
    gate: Gate,
    /// `None`: it was given up, or can be no longer.
    due: Option<Moment>,
    reply: Option<Reply>,
    then: Then,
}

/// What a wish comes to before the disk is asked.
enum Plan {
    /// The disk is not needed.
    Now(Answer),
    Write(Box<dyn FnOnce(&Gate) -> What + Send>, Then),
}

impl Kept {
    /// When somebody has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let running = self.running.as_ref().and_then(|running| running.due);
        let next = self.line.front().map(|(_, _, at)| *at + PATIENCE);
        running.into_iter().chain(next).min()
    }
}

impl Engine {
    /// Takes a wish into the line. `reply`: none for the daemon's own.
    pub(crate) fn keep(&mut self, wish: Wish, reply: Option<Reply>) {
        if self.kept.line.len() >= LINE {
            return self.kept_answer(reply, Err(stuck()));
        }
        self.kept.line.push_back((wish, reply, clock::now()));
        self.keep_next();
    }

    /// What the store's thread has said.
    pub(crate) fn stored(&mut self, stored: Stored) {
        let ours = |running: &mut Running| running.ticket == stored.ticket;
        let Some(Running { reply, then, .. }) = self.kept.running.take_if(ours) else { return };
        self.store.note_awake();
        let outcome = self.come_true(stored.what, then);
        self.kept_answer(reply, outcome);
        self.keep_next();
    }

    /// Gives up what has waited too long.
    pub(crate) fn keep_tick(&mut self, now: Moment) {
        if let Some(running) = &mut self.kept.running
            && running.due.is_some_and(|due| due <= now)
        {
            running.due = None;
            // Otherwise it is being made at this very moment, and its report says so.
            if running.gate.shut() {
                let reply = running.reply.take();
                self.store.note_stuck();
                self.kept_answer(reply, Err(stuck()));
            }
        }
        while self.kept.line.front().is_some_and(|(_, _, at)| *at + PATIENCE <= now) {
            if let Some((_, reply, _)) = self.kept.line.pop_front() {
                self.kept_answer(reply, Err(stuck()));
            }
        }
    }

    /// Nothing waits for the disk.
    pub(crate) fn all_kept(&self) -> bool {
        self.kept.running.is_none() && self.kept.line.is_empty()
    }

    fn keep_next(&mut self) {
        while self.kept.running.is_none() {
            let Some((wish, reply, at)) = self.kept.line.pop_front() else { return };
            let (write, then) = match self.plan(wish) {
                Ok(Plan::Now(answer)) => {
                    self.kept_answer(reply, Ok(answer));
                    continue;
                }
                Err(denied) => {
                    self.kept_answer(reply, Err(denied));
                    continue;
                }
                Ok(Plan::Write(write, then)) => (write, then),
            };
            self.kept.tickets += 1;
            let (ticket, gate, reports) = (self.kept.tickets, Gate::default(), self.stored_out.clone());
            let passing = gate.clone();
            // The engine is there as long as its thread: it takes the report, or the program ends.
            let job: Job =
                Box::new(move || drop(reports.blocking_send(Stored { ticket, what: write(&passing) })));
            if self.store.run(job).is_err() {
                self.kept_answer(reply, Err(stuck()));
                continue;
            }
            self.kept.running = Some(Running { ticket, gate, due: Some(at + PATIENCE), reply, then });
        }
    }

    fn plan(&mut self, wish: Wish) -> Result<Plan, Denied> {
        let now = clock::unix_us();
        match wish {
            Wish::Dnd(dnd) => self.plan_dnd(dnd, now),
            Wish::Chosen => {
                let (path, store) = (self.paths.chosen(), self.store.clone());
                let kept = serde_json::to_vec(&self.chosen).map_err(failed)?;
                self.chosen_due = None;
                let write = move |gate: &Gate| {
                    let result = file::write_past(&path, &kept, file::Access::Private, || gate.pass());
                    store.note(&path, &result);
                    What::Chosen(result)
                };
                Ok(Plan::Write(Box::new(write), Then::Nothing))
            }
            Wish::Add(card) => {
                let (added, change) = self.contacts.add(&card, now)?;
                Ok(self.plan_contact(added.peer(), change, Then::contact(added.peer(), true)))
            }
            Wish::Change(id, what) => {
                let peer = self.contacts.resolve(&id)?;
                let change = self.contacts.change(peer, &what)?;
                let then = Then::Contact { peer, tell_id: false, change: Some(what), removed: false };
                Ok(self.plan_contact(peer, change, then))
            }
            Wish::Remove(id) => {
                let peer = self.contacts.resolve(&id)?;
                let change = self.contacts.remove(peer)?;
                let then = Then::Contact { peer, tell_id: false, change: None, removed: true };
                Ok(self.plan_contact(peer, change, then))
            }
            Wish::Export(name) => {
                let (card, change) = self.contacts.export(&name, now)?;
                Ok(self.plan_change(change, Then::Text(card)))
            }
            Wish::Revoke(id) => {
                let change = self.contacts.revoke(&id)?;
                Ok(self.plan_change(change, Then::Nothing))
            }
            Wish::Expire => {
                let change = self.contacts.expire(now);
                let nothing = change.is_empty();
                Ok(if nothing { Plan::Now(Answer::Done) } else { self.plan_change(change, Then::Nothing) })
            }
            Wish::Cards => {
                let (cards, dir) = (self.contacts.unused_cards(), self.paths.contacts());
                let read = move |_: &Gate| {
                    let named = |(hash, at): ([u8; 16], i64)| {
                        (data_encoding::HEXLOWER.encode(&hash), Contacts::given_to(&dir, hash), at)
                    };
                    What::Cards(cards.into_iter().map(named).collect())
                };
                Ok(Plan::Write(Box::new(read), Then::Nothing))
            }
            Wish::Rename(name) => {
                let (dir, own, configured) =
                    (self.paths.identity(), self.own.clone(), self.config.account.name.is_some());
                let write = move |gate: &Gate| {
                    What::Own(super::settings::rename(&dir, &own, &name, configured, gate).map(Box::new))
                };
                Ok(Plan::Write(Box::new(write), Then::Nothing))
            }
            Wish::Setting(key, value) => {
                let (paths, chosen) = (self.paths.clone(), Chosen::key(&key));
                let write =
                    move |gate: &Gate| What::Config(super::settings::set(&paths, &key, value.as_ref(), gate));
                Ok(Plan::Write(Box::new(write), Then::Setting(chosen)))
            }
            Wish::Reload => {
                let paths = self.paths.clone();
                let read = move |gate: &Gate| What::Config(super::settings::read(&paths, gate));
                Ok(Plan::Write(Box::new(read), Then::Setting(None)))
            }
        }
    }

    fn plan_contact(&self, peer: PeerId, change: Change, then: Then) -> Plan {
        if change.is_empty() {
            // A card that is known: its contact's id all the same.
            return Plan::Now(Answer::Text(hex(peer)));
        }
        self.plan_change(change, then)
    }

    fn plan_change(&self, mut change: Change, then: Then) -> Plan {
        let store = self.store.clone();
        let write = move |gate: &Gate| {
            let result = change.write(&store, gate);
            What::Contacts(change, result)
        };
        Plan::Write(Box::new(write), then)
    }

    fn plan_dnd(&self, dnd: Dnd, now: i64) -> Result<Plan, Denied> {
        if dnd.until != 0 && dnd.until <= now {
            let sentence = "The time until which nobody may disturb has passed: name a later one.";
            return Err(Denied::new(DeniedKind::InvalidOption, sentence));
        }
        let dnd = if dnd.mode == DndMode::Off { Dnd::default() } else { dnd };
        let kept = serde_json::to_vec(&dnd).map_err(failed)?;
        let (path, store): (PathBuf, _) = (self.paths.dnd(), self.store.clone());
        let write = move |gate: &Gate| {
            let result = file::write_past(&path, &kept, file::Access::Private, || gate.pass());
            store.note(&path, &result);
            What::Dnd(result)
        };
        Ok(Plan::Write(Box::new(write), Then::Dnd(dnd)))
    }

    /// The write is safe, or failed.
    fn come_true(&mut self, what: What, then: Then) -> Outcome {
        match what {
            What::Contacts(change, result) => {
                self.contacts.commit(change);
                self.send_roster();
                result.map_err(not_kept)?;
                let answer = self.contact_is(then);
                self.admission_changed();
                Ok(answer)
            }
            What::Dnd(result) => {
                result.map_err(not_kept)?;
                if let Then::Dnd(dnd) = then {
                    self.dnd_is(dnd);
                    self.admission_changed();
                }
                Ok(Answer::Done)
            }
            What::Chosen(result) => result.map(|()| Answer::Done).map_err(|error| {
                let sentence = format!("it holds until ahoyd ends, the disk does not take it: {error}");
                Denied::new(DeniedKind::Failed, sentence)
            }),
            What::Config(result) => {
                let set = match then {
                    Then::Setting(set) => set,
                    Then::Nothing | Then::Contact { .. } | Then::Text(_) | Then::Dnd(_) => None,
                };
                self.go_by(result.map_err(|not_taken| *not_taken), set)
            }
            What::Own(own) => {
                self.become_own(*own?);
                Ok(Answer::Done)
            }
            What::Cards(cards) => Ok(Answer::Cards(cards)),
        }
    }

    fn contact_is(&mut self, then: Then) -> Answer {
        let (peer, tell_id, change, removed) = match then {
            Then::Contact { peer, tell_id, change, removed } => (peer, tell_id, change, removed),
            Then::Text(text) => return Answer::Text(text),
            Then::Nothing | Then::Dnd(_) | Then::Setting(_) => return Answer::Done,
        };
        if removed || change.as_ref().is_some_and(|change| change.blocked == Some(true)) {
            self.block(peer);
        }
        if change.is_some_and(|change| change.manner.volume.is_some()) {
            self.set_volume_of(peer);
        }
        self.show.tell(bus::Publication::ContactChanged(hex(peer)));
        if tell_id { Answer::Text(hex(peer)) } else { Answer::Done }
    }

    fn kept_answer(&mut self, reply: Option<Reply>, outcome: Outcome) {
        match reply {
            Some(reply) => self.answer(reply, outcome),
            None => self.refresh(),
        }
    }
}

impl Then {
    fn contact(peer: PeerId, tell_id: bool) -> Self {
        Self::Contact { peer, tell_id, change: None, removed: false }
    }
}

fn hex(peer: PeerId) -> String {
    data_encoding::HEXLOWER.encode(&peer.bytes())
}

fn not_kept(error: io::Error) -> Denied {
    if error.kind() == io::ErrorKind::TimedOut {
        return stuck();
    }
    Denied::new(DeniedKind::Failed, format!("nothing was changed, the disk does not take it: {error}"))
}
