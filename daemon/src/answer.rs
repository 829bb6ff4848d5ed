//! Requests of clients become commands, and refusals become denials with a sentence.
//!
//! Lives here: what each request means to the engine, and what the person reads when it is denied.
//! Must not: know D-Bus; wait.

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Command, Refusal, State};
use ahoy_proto::identity::leg_id;

use crate::config::Config;
use crate::engine::{Engine, settings};
use crate::perform::Step;
use crate::request::{Answer, Asked, Denied, DeniedKind, Guard, Reply, Request, Verb, Which};
use crate::rows::{ContactChange, ContactRow};
use crate::{bus, history};

/// What a request made of itself: an answer now, or one that another port gives.
type Outcome = Result<Answer, Denied>;

impl Engine {
    /// One request, from the queue to its answer.
    pub(crate) fn asked(&mut self, Asked { what, reply }: Asked) {
        match what {
            Request::Dial { target, lifetime, note } => self.dial(reply, &target, lifetime, note),
            Request::Verb { call, verb, guard } => self.verb(reply, call, verb, guard),
            Request::HangUpAll => self.command(reply, Command::HangUpAll, Answer::Done),
            Request::SetAllMuted(muted) => {
                self.command(reply, Command::SetAllMuted { muted }, Answer::Done);
            }
            Request::Reload => {
                let outcome = self.reload();
                self.answer(reply, outcome);
            }
            Request::ExportCard { name } => {
                let outcome = self.contacts.issue(&name, &self.own).map_err(failed).map(Answer::Text);
                self.send_roster();
                self.answer(reply, outcome);
            }
            Request::SetDisplayName(name) => {
                let outcome = self.own.renamed(&self.paths.identity(), &name).map_err(failed);
                let outcome = outcome.map(|own| {
                    self.own = Arc::new(own);
                    self.send_roster();
                    Answer::Done
                });
                self.answer(reply, outcome);
            }
            Request::ListContacts(filter) => {
                let (rows, next) = self.contacts.list(&filter);
                self.answer(reply, Ok(Answer::Contacts(rows, next)));
            }
            Request::GetContact(id) => {
                let row = self.contacts.get(&id).ok_or_else(|| no_contact(&id));
                self.answer(reply, row.map(|row| Answer::Contact(Box::new(row))));
            }
            Request::FindContacts(text) => {
                let rows = self.contacts.find(&text);
                self.answer(reply, Ok(Answer::Contacts(rows, String::new())));
            }
            Request::AddContact { card } => {
                let added = self.contacts.add(&card, &self.own);
                self.contact_changed(reply, added, true);
            }
            Request::SetContact { id, change } => self.change_contact(reply, &id, &change),
            Request::RemoveContact(id) => {
                let outcome = match self.contacts.get(&id) {
                    Some(row) => self.contacts.remove(&row.id).map(|()| row.id),
                    None => return self.answer(reply, Err(no_contact(&id))),
                };
                self.contact_changed(reply, outcome, false);
            }
            Request::ListHistory(filter) => self.ask_history(history::Order::List(filter, reply)),
            Request::GetHistory(id) => self.ask_history(history::Order::Get(id, reply)),
        }
    }

    fn dial(&mut self, reply: Reply, target: &str, lifetime: Option<Duration>, note: Option<String>) {
        let found = self.find_one(target).and_then(|row| {
            if self.own.relays().is_empty() {
                let sentence = "No relay is configured: put urls = [\"wss://…\"] under [relay] in config.toml.";
                return Err(Denied::new(DeniedKind::NotConnected, sentence));
            }
            if row.blocked {
                let sentence = format!("{} is blocked: unblock the contact first.", row.name);
                return Err(Denied::new(DeniedKind::InvalidState, sentence));
            }
            Ok(row)
        });
        let known = found.and_then(|row| {
            self.contacts.card(&row.id).ok_or_else(|| no_contact(target))
        });
        let card = match known {
            Ok(card) => card,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let call = match fresh_call() {
            Ok(call) => call,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let devices = card.devices.iter().map(|device| leg_id(&device.certificate.device)).collect();
        let lifetime = lifetime.unwrap_or(self.config.call.lifetime);
        let command = Command::Dial { call, peer: card.peer_id(), devices, lifetime, note };
        self.command(reply, command, Answer::Call(call));
    }

    fn verb(&mut self, reply: Reply, which: Which, verb: Verb, guard: Guard) {
        let call = match self.resolve(which, guard) {
            Ok(call) => call,
            Err(denied) => return self.answer(reply, Err(denied)),
        };
        let mut answer = Answer::Done;
        let command = match verb {
            Verb::Answer => Command::Answer { call },
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
            Which::Id(id) => {
                (Some(id), views.iter().find(|view| view.id == id).map(|view| view.serial))
            }
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
            Ok(effects) => Step::new(self, now, "command").perform(effects).release(Some((reply, Ok(answer)))),
            Err(refusal) => {
                let denied = self.denied(refusal, of);
                self.answer(reply, Err(denied));
            }
        }
    }

    fn denied(&self, refusal: Refusal, of: Option<CallId>) -> Denied {
        let view = of.and_then(|of| self.phone.views().into_iter().find(|view| view.id == of));
        let state = view.map_or("over", |view| in_words(view.state));
        match refusal {
            Refusal::NoSuchCall => Denied::new(DeniedKind::NoSuchCall, "There is no such call, or it ended more than ten seconds ago."),
            Refusal::InvalidState => Denied::new(DeniedKind::InvalidState, format!("The call {state}: this cannot be done to it now.")),
            Refusal::AlreadyHandled => Denied::new(DeniedKind::AlreadyHandled, format!("Too late: the call {state}.")),
            Refusal::AnsweredElsewhere => Denied::new(DeniedKind::AnsweredElsewhere, "Another of your devices has answered."),
            Refusal::Busy => Denied::new(DeniedKind::Busy, "You are in a call already: hang up first."),
            Refusal::NoDevice => Denied::new(DeniedKind::NoDevice, "The contact's card names no device that could be called: ask for a new card."),
            Refusal::OutOfRange => Denied::new(DeniedKind::InvalidOption, "lifetime must be 10 to 180 seconds."),
        }
    }

    /// An answer that changes nothing that is shown waits its turn all the same: the calls of a client keep their order.
    fn answer(&mut self, reply: Reply, outcome: Outcome) {
        let now = self.now();
        self.refresh();
        Step::new(self, now, "request").release(Some((reply, outcome)));
    }

    fn find_one(&self, target: &str) -> Result<ContactRow, Denied> {
        let mut rows = self.contacts.find(target);
        match rows.len() {
            0 => Err(no_contact(target)),
            1 => Ok(rows.remove(0)),
            _ => {
                let names: Vec<String> = rows.iter().take(8).map(|row| format!("{} ({})", row.name, &row.id[..8])).collect();
                let sentence = format!("Several contacts fit: {}. Say more of the name or the id.", names.join(", "));
                Err(Denied::new(DeniedKind::Ambiguous, sentence))
            }
        }
    }

    fn change_contact(&mut self, reply: Reply, id: &str, change: &ContactChange) {
        let Some(row) = self.contacts.get(id) else { return self.answer(reply, Err(no_contact(id))) };
        let changed = self.contacts.change(&row.id, change).map(|()| row.id);
        self.contact_changed(reply, changed, false);
    }

    /// `changed` is the id of a contact that was written, or why it was not. `tell_id`: the answer is that id.
    fn contact_changed(&mut self, reply: Reply, changed: Result<String, String>, tell_id: bool) {
        let outcome = match changed {
            Ok(id) => {
                self.send_roster();
                self.show.tell(bus::Order::ContactChanged(id.clone()));
                Ok(if tell_id { Answer::Text(id) } else { Answer::Done })
            }
            Err(sentence) => Err(Denied::new(DeniedKind::InvalidOption, sentence)),
        };
        self.answer(reply, outcome);
    }

    fn ask_history(&mut self, order: history::Order) {
        if let Err(error) = self.ports.history.try_send(order) {
            let denied = Denied::new(DeniedKind::Failed, "The history is busy: try again.");
            match error.into_inner() {
                history::Order::List(_, reply) | history::Order::Get(_, reply) => self.answer(reply, Err(denied)),
                history::Order::Write { .. } | history::Order::Stop => {}
            }
        }
    }

    /// Reads the configuration again; a wrong one changes nothing but `Problems`.
    fn reload(&mut self) -> Outcome {
        let config = match Config::load(&self.paths.config) {
            Ok(config) => config,
            Err(error) => {
                let sentence = error.to_string();
                self.problems.set_config(sentence.clone());
                return Err(Denied::new(DeniedKind::Failed, sentence));
            }
        };
        self.problems.set_config(String::new());
        self.own = Arc::new(self.own.with_config(&self.paths.identity(), &config).map_err(failed)?);
        self.phone.configure(settings(&config));
        self.config = config;
        self.send_roster();
        self.send_media_settings();
        Ok(Answer::Done)
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
        Command::Answer { call }
        | Command::Decline { call, .. }
        | Command::HangUp { call }
        | Command::SetMuted { call, .. } => Some(*call),
        Command::Dial { .. } | Command::HangUpAll | Command::SetAllMuted { .. } => None,
    }
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Dialing => "is being dialed",
        State::Alerting => "rings there",
        State::Incoming => "rings here",
        State::Connecting => "is being connected",
        State::Active => "is active",
        State::Reconnecting => "is reconnecting",
        State::Disconnected => "is over",
    }
}
