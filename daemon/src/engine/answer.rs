//! Requests of clients become commands, and refusals become denials with a sentence.
//!
//! Lives here: what each request means to the engine, and what the person reads when it is denied (`answer/refused.rs`); settings: `answer/settings.rs`.
//! Must not: know D-Bus; wait.

mod kept;
mod numbers;
mod refused;
mod settings;

use std::time::Duration;

use ahoy_call::{CallId, Command, PeerId, State};
pub(crate) use kept::{Kept, Stored, Wish};
pub(crate) use numbers::Numbers;

use crate::engine::Engine;
use crate::engine::perform::Step;
use crate::system::log;
use crate::values::request::{Answer, Asked, Denied, DeniedKind, Guard, Reply, Request, Verb, Which};
use crate::values::rows::ContactRow;
use crate::{history, media};

/// What a request made of itself: an answer now, or one that another port gives.
type Outcome = Result<Answer, Denied>;

impl Engine {
    /// One request, from the queue to its answer.
    pub(crate) fn asked(&mut self, Asked { what, reply }: Asked) {
        match what {
            Request::Dial { target, lifetime, note, hold_others } => {
                self.dial(reply, &target, lifetime, note, hold_others);
            }
            Request::Verb { call, verb, guard } => self.verb(reply, call, verb, guard),
            Request::HangUpAll => self.command(reply, Command::HangUpAll, Answer::Done),
            Request::Swap => self.command(reply, Command::Swap, Answer::Done),
            Request::AnswerNext(others) => {
                let views = self.phone.views();
                let ringing = views.iter().any(|view| matches!(view.state, State::Incoming | State::Waiting));
                if ringing {
                    self.verb(reply, Which::FocusRinging, Verb::Answer(others), Guard::default());
                } else {
                    let denied = Denied::new(DeniedKind::InvalidState, "No call rings here.");
                    self.answer(reply, Err(denied));
                }
            }
            Request::SetDnd(dnd) => self.keep(Wish::Dnd(dnd), Some(reply)),
            Request::SetAllMuted(muted) => {
                self.command(reply, Command::SetAllMuted { muted }, Answer::Done);
            }
            Request::SetDeafened(deafened) => {
                self.set_deafened(deafened);
                self.answer(reply, Ok(Answer::Done));
            }
            Request::SetDevice { role, ids } => match self.set_device(role, &ids) {
                Ok(()) => self.keep(Wish::Chosen, Some(reply)),
                Err(denied) => self.answer(reply, Err(denied)),
            },
            Request::AdjustDevice(adjust) => {
                let outcome = self.adjust_device(adjust);
                self.answer(reply, outcome);
            }
            Request::TestDevice { flow, id } => {
                let outcome = self.test_device(flow, &id);
                self.answer(reply, outcome);
            }
            Request::RegisterAgent(client) => {
                let new = self.agents.insert(client);
                self.answer(reply, Ok(Answer::Flag(new)));
            }
            Request::UnregisterAgent(client) => {
                self.agents.remove(&client);
                self.answer(reply, Ok(Answer::Done));
            }
            Request::OpenLevels { call, into } => {
                let order = media::CallOrder::Levels(into);
                let given = self.ports.media.call(call, order).map(|()| Answer::Done);
                self.answer(reply, given.map_err(failed));
            }
            Request::OpenDeviceLevels { flow, id, into } => {
                let outcome = self.open_device_levels(flow, &id, into);
                self.answer(reply, outcome);
            }
            Request::GetStats(call) => {
                let ticket = self.numbers.ask(call, reply);
                if let Err(error) = self.ports.media.call(call, media::CallOrder::Stats(ticket)) {
                    tracing::warn!(%error, "a question for numbers was dropped");
                    self.numbers.give_up(call);
                }
            }
            Request::SetRinger { muted, volume } => {
                let outcome = self.set_ringer(muted, volume);
                self.answer(reply, outcome);
            }
            Request::Reload => self.keep(Wish::Reload, Some(reply)),
            Request::SetLogLevel(level) => {
                log::level(level);
                self.answer(reply, Ok(Answer::Done));
            }
            Request::GetSettings => {
                let settings = self.config.listed();
                self.answer(reply, Ok(Answer::Settings(settings)));
            }
            Request::SetSetting { key, value } => self.keep(Wish::Setting(key, value), Some(reply)),
            Request::ExportCard { name } => self.keep(Wish::Export(name), Some(reply)),
            Request::ListCards => self.keep(Wish::Cards, Some(reply)),
            Request::RevokeCard(id) => self.keep(Wish::Revoke(id), Some(reply)),
            Request::SetDisplayName(name) => self.keep(Wish::Rename(name), Some(reply)),
            Request::ListContacts(filter) => {
                let outcome = self.contacts.list(&filter).map(|(rows, next)| Answer::Contacts(rows, next));
                self.answer(reply, outcome);
            }
            Request::GetContact(id) => {
                let outcome = self.contacts.resolve(&id).and_then(|peer| {
                    let row = self.contacts.get(peer).ok_or_else(|| no_contact(&id))?;
                    let twins = self.contacts.twins(peer);
                    Ok(Answer::Contact(Box::new(ContactRow { twins, ..row })))
                });
                self.answer(reply, outcome);
            }
            Request::FindContacts(text) => {
                let rows = self.contacts.find(&text);
                self.answer(reply, Ok(Answer::Contacts(rows, String::new())));
            }
            Request::AddContact { card } => self.keep(Wish::Add(card), Some(reply)),
            Request::SetContact { id, change } => {
                self.keep(Wish::Change(id, Box::new(change)), Some(reply));
            }
            Request::RemoveContact(id) => self.keep(Wish::Remove(id), Some(reply)),
            Request::ListHistory(filter) => self.ask_history(history::HistoryOrder::List(filter, reply)),
            Request::GetHistory(id) => self.ask_history(history::HistoryOrder::Get(id, reply)),
            Request::HistoryEvents(id) => self.ask_history(history::HistoryOrder::Events(id, reply)),
            Request::SeeHistory(ids) => self.ask_history(history::HistoryOrder::MarkSeen(ids, reply)),
            Request::DeleteHistory(ids) => self.ask_history(history::HistoryOrder::Delete(ids, reply)),
            Request::ExportHistory { format, filter, into } => {
                self.ask_history(history::HistoryOrder::Export { format, filter, into: into.0, reply });
            }
        }
    }

    fn dial(
        &mut self,
        reply: Reply,
        target: &str,
        lifetime: Option<Duration>,
        note: Option<String>,
        hold_others: bool,
    ) {
        let peer = match self.callee(target) {
            Ok(peer) => peer,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let call = match fresh_call() {
            Ok(call) => call,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let now = self.now();
        if !self.admission.dial(now) {
            let sentence = "You have dialed twenty times in a minute: wait a moment.";
            return self.answer(reply, Err(Denied::new(DeniedKind::RateLimited, sentence)));
        }
        // To dial who rings here is to answer: the call that there is comes back.
        let shown = self.phone.ringing_from(peer).unwrap_or(call);
        let unix_s = crate::system::clock::unix_us().div_euclid(1_000_000);
        let devices = self.contacts.legs(peer, unix_s);
        if devices.is_empty() && self.contacts.has_ended(peer, unix_s) {
            let sentence = "The certificates of the contact's devices have ended, by this machine's date: ask for a new card.";
            return self.answer(reply, Err(Denied::new(DeniedKind::NoDevice, sentence)));
        }
        let lifetime = lifetime.unwrap_or(self.config.call.lifetime);
        let command = Command::Dial { call, peer, devices, lifetime, note, hold_others };
        self.command(reply, command, Answer::Call(shown));
    }

    fn verb(&mut self, reply: Reply, which: Which, verb: Verb, guard: Guard) {
        let call = match self.resolve(which, guard) {
            Ok(call) => call,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let mut answer = Answer::Done;
        let command = match verb {
            Verb::Answer(others) => Command::Answer { call, others },
            Verb::Silence => Command::Silence { call },
            Verb::Hold => Command::Hold { call },
            Verb::Resume => Command::Resume { call },
            Verb::ToggleHold => {
                let held = self.phone.views().iter().any(|view| view.id == call && view.local_hold);
                answer = Answer::Flag(!held);
                if held { Command::Resume { call } } else { Command::Hold { call } }
            }
            Verb::Decline { reason, scope, text } => Command::Decline { call, reason, scope, text },
            Verb::HangUp => Command::HangUp { call },
            Verb::SetMuted(muted) => Command::SetMuted { call, muted },
            Verb::ToggleMute => {
                let muted = self.phone.views().iter().any(|view| view.id == call && view.muted);
                answer = Answer::Flag(!muted);
                Command::SetMuted { call, muted: !muted }
            }
        };
        self.command(reply, command, answer);
    }

    /// Which call a verb is for, if it still is what the person saw.
    fn resolve(&self, which: Which, guard: Guard) -> Result<CallId, Denied> {
        let views = self.phone.views();
        let (call, serial) = match which {
            Which::Focus => (self.focus.call, Some(self.focus.serial)),
            Which::FocusRinging => (self.focus.waiting.or(self.focus.call), Some(self.focus.serial)),
            Which::Id(id) => (Some(id), views.iter().find(|view| view.id == id).map(|view| view.serial)),
        };
        let stale = guard.call.is_some_and(|seen| Some(seen) != call)
            || guard.serial.is_some_and(|seen| Some(seen) != serial);
        if stale {
            let sentence = "The call has changed since you looked: look again, then ask again.";
            return Err(Denied::new(DeniedKind::Stale, sentence));
        }
        call.ok_or_else(|| Denied::new(DeniedKind::NoSuchCall, "There is no call."))
    }

    /// Feeds one command to the rules and answers when its effects are shown.
    fn command(&mut self, reply: Reply, command: Command, answer: Answer) {
        let now = self.now();
        let of = about(&command);
        match self.phone.command(now, command) {
            Ok(effects) => {
                Step::new(self, now, "command").perform(effects).release(Some((reply, Ok(answer))))
            }
            Err(refusal) => {
                let denied = self.denied(refusal, of);
                self.answer(reply, Err(denied));
            }
        }
    }

    /// An answer that changes nothing that is shown waits its turn all the same: the calls of a client keep their order.
    fn answer(&mut self, reply: Reply, outcome: Outcome) {
        let now = self.now();
        self.refresh();
        Step::new(self, now, "request").release(Some((reply, outcome)));
    }

    /// Whom a dial means, if they can be called at all.
    fn callee(&self, target: &str) -> Result<PeerId, Denied> {
        let peer = self.contacts.resolve(target)?;
        if !self.config.account.enabled {
            let sentence = "The account is switched off: ahoyctl config set account.enabled true";
            return Err(Denied::new(DeniedKind::NotConnected, sentence));
        }
        if self.own.relays().is_empty() {
            let sentence = "No relay is configured: ahoyctl config set relay.urls wss://…";
            return Err(Denied::new(DeniedKind::NotConnected, sentence));
        }
        match self.contacts.get(peer) {
            Some(row) if row.blocked => {
                let sentence = format!("{} is blocked: unblock the contact first.", row.name);
                Err(Denied::new(DeniedKind::InvalidState, sentence))
            }
            Some(_) => Ok(peer),
            None => Err(no_contact(target)),
        }
    }

    /// Whoever is blocked or removed is out of every call, and learns no more than that it is over.
    fn block(&mut self, peer: PeerId) {
        let now = self.now();
        if let Ok(effects) = self.phone.command(now, Command::Block { peer }) {
            Step::new(self, now, "block").perform(effects).release(None);
        }
    }

    fn ask_history(&mut self, order: history::HistoryOrder) {
        if let Err(error) = self.ports.history.try_send(order) {
            let denied = Denied::new(DeniedKind::Failed, "The history is busy: try again.");
            match error.into_inner() {
                history::HistoryOrder::List(_, reply)
                | history::HistoryOrder::Get(_, reply)
                | history::HistoryOrder::Events(_, reply)
                | history::HistoryOrder::MarkSeen(_, reply)
                | history::HistoryOrder::Delete(_, reply)
                | history::HistoryOrder::Export { reply, .. } => self.answer(reply, Err(denied)),
                history::HistoryOrder::Write { .. }
                | history::HistoryOrder::Keep(_)
                | history::HistoryOrder::Rest
                | history::HistoryOrder::Stop => {}
            }
        }
    }
}

fn failed(sentence: impl std::fmt::Display) -> Denied {
    Denied::new(DeniedKind::Failed, sentence.to_string())
}

fn no_contact(what: &str) -> Denied {
    let sentence = format!("No contact fits \"{what}\": `ahoyctl contact list` shows them all.");
    Denied::new(DeniedKind::NoSuchContact, sentence)
}

fn fresh_call() -> Result<CallId, Denied> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(failed)?;
    // A random UUID (RFC 9562, version 4) is its text form.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(CallId::from_bytes(bytes))
}

fn about(command: &Command) -> Option<CallId> {
    match command {
        Command::Answer { call, .. }
        | Command::Silence { call }
        | Command::Hold { call }
        | Command::Resume { call }
        | Command::Decline { call, .. }
        | Command::HangUp { call }
        | Command::SetMuted { call, .. } => Some(*call),
        Command::Dial { .. }
        | Command::Swap
        | Command::Block { .. }
        | Command::HangUpAll
        | Command::SetAllMuted { .. } => None,
    }
}

fn stuck() -> Denied {
    Denied::new(DeniedKind::Failed, "nothing was changed, the disk does not answer: try again later")
}
