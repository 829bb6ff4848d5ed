//! What is so once it is on the disk: contacts, cards, settings, do-not-disturb.
//!
//! Lives here: taking a wish into the line, what comes true when its write is safe, and what is picked in passing.
//! Must not: touch a file itself: the store's thread does; wait.

use std::sync::Arc;

use ahoy_call::{Command, Moment};

use crate::config::ChosenKey;
use crate::engine::Engine;
use crate::engine::problems::Source;
use crate::engine::requests::{
    self, ContactDone, Done, Fresh, NotTaken, Plan, Stored, Waiting, Wish, failed, hex, not_kept, stuck,
};
use crate::system::{clock, file, log};
use crate::values::own::Own;
use crate::values::request::{Answer, Denied, Reply};
use crate::{bus, identity, signal};

type Outcome = Result<Answer, Denied>;

impl Engine {
    /// Takes a wish into the line. `reply`: none for the daemon's own.
    pub(super) fn keep(&mut self, wish: Wish, reply: Option<Reply>) {
        match self.disk_line.push(Waiting { wish, reply, since: clock::now() }) {
            Ok(()) => self.keep_next(),
            Err(reply) => self.kept_answer(reply, Err(stuck())),
        }
    }

    /// What the store's thread has said.
    pub(super) fn on_stored(&mut self, stored: Stored) {
        let Some((done, reply)) = self.disk_line.take(stored) else { return };
        let outcome = self.come_true(done);
        self.kept_answer(reply, outcome);
        self.keep_next();
    }

    /// Gives up what has waited too long.
    pub(super) fn give_up(&mut self, now: Moment) {
        for reply in self.disk_line.give_up(now) {
            self.kept_answer(reply, Err(stuck()));
        }
    }

    fn keep_next(&mut self) {
        while let Some(Waiting { wish, reply, since }) = self.disk_line.next() {
            let plan = wish(&mut self.components());
            let (reply, outcome) = match plan {
                Ok(Plan::Now(answer)) => (reply, Ok(answer)),
                Err(denied) => (reply, Err(denied)),
                Ok(Plan::Write(job)) => match self.disk_line.begin(job, reply, since) {
                    Ok(()) => return,
                    Err(reply) => (reply, Err(stuck())),
                },
            };
            self.kept_answer(reply, outcome);
        }
    }

    fn kept_answer(&mut self, reply: Option<Reply>, outcome: Outcome) {
        match reply {
            Some(reply) => self.answer(reply, outcome),
            None => self.refresh(),
        }
    }

    /// The write is safe, or failed.
    fn come_true(&mut self, done: Done) -> Outcome {
        match done {
            Done::Contacts(change, result, done) => {
                self.contacts.commit(change);
                self.send_roster();
                result.map_err(|error| not_kept(&error))?;
                Ok(self.contact_is(done))
            }
            Done::Dnd(result, dnd) => {
                result.map_err(|error| not_kept(&error))?;
                self.ring_policy.set_dnd(dnd);
                self.policy_changed();
                Ok(Answer::Done)
            }
            Done::Chosen(result) => result.map(|()| Answer::Done).map_err(|error| {
                failed(format_args!("it holds until ahoyd ends, the disk does not take it: {error}"))
            }),
            Done::Config(read, set) => self.go_by(read, set),
            Done::Relays { result, memory, others } => {
                result.map_err(|error| not_kept(&error))?;
                self.relays.set_memory(memory);
                if others {
                    self.keep(Box::new(requests::reload), None);
                }
                Ok(Answer::Done)
            }
            Done::Own(own) => {
                self.become_own(*own?);
                Ok(Answer::Done)
            }
            Done::Card(done) => {
                self.on_card_made(*done);
                Ok(Answer::Done)
            }
            Done::Groups(result, groups, answer) => {
                result.map_err(|error| not_kept(&error))?;
                self.groups = groups;
                self.send_roster();
                Ok(answer)
            }
            Done::Networks(result, judged) => {
                result.map_err(|error| not_kept(&error))?;
                self.networks.set_judged(judged);
                self.send_near();
                Ok(Answer::Done)
            }
            Done::Answer(answer) => Ok(answer),
            Done::Account(result, answer) => {
                result.map_err(|error| not_kept(&error))?;
                Ok(self.account_is(answer))
            }
        }
    }

    fn contact_is(&mut self, done: ContactDone) -> Answer {
        let ContactDone { peer, out, louder, greets, asks, answer } = done;
        if let Some(peer) = peer {
            if out {
                // Whoever is blocked or removed learns no more than that it is over.
                self.command("block", Command::Block { peer });
            }
            if louder {
                self.set_volumes(peer);
            }
            if greets {
                self.greetings.want(&[peer]);
            }
            self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
            self.look_at_cards();
        }
        if let Some((peer, name)) = asks {
            self.tell_of_request(peer, name);
        }
        self.policy_changed();
        answer
    }

    /// The configuration was read anew; a wrong one changes nothing but `Problems`. `set`: what was written into it just now.
    fn go_by(&mut self, read: Result<Fresh, NotTaken>, set: Option<ChosenKey>) -> Outcome {
        let Fresh { config, own, relays, trouble, of_keys } = read.map_err(|NotTaken { denied, file }| {
            if file {
                self.problems.set(Source::Config, [denied.sentence.clone()]);
            }
            denied
        })?;
        self.problems.set(Source::Config, []);
        // Another level that was asked for over the bus stays while the configuration says what it said.
        if config.log != self.in_force.config().log {
            log::level(config.log.level);
        }
        let now = clock::now();
        self.in_force.read(now, *config, set);
        self.phone.configure(self.in_force.rules());
        self.write_chosen(now);
        self.relays.set_chosen(relays);
        self.become_own(*own);
        self.send_media_settings();
        self.ports.keep.send_replace(self.in_force.config().history);
        self.problems.set(Source::Keys, trouble.clone());
        match trouble.filter(|_| of_keys) {
            Some(trouble) => Err(failed(format_args!("It is written, and not so yet: {trouble}"))),
            None => Ok(Answer::Done),
        }
    }

    fn become_own(&mut self, own: Own) {
        let newer = own.revision != self.own.revision;
        let renewed = own.peer_id() == self.own.peer_id() && own.certificate != self.own.certificate;
        if self.own.is_away() && !own.is_away() {
            self.begin_anew();
        }
        self.own = Arc::new(own);
        self.contacts.set_own(Arc::clone(&self.own), self.in_force.config().call.preconnect);
        self.send_roster();
        if renewed {
            tracing::info!("the certificate of this device is renewed");
        }
        self.follow_relays(clock::now());
        if newer {
            self.greet_all();
        }
        // The calendar may have been put right while this was made by a wrong one.
        self.look_at_calendar();
    }

    /// The calendar was set, or an hour is over: a certificate that others would not believe now is made anew. If the disk did not
    /// take it, the next hour tries again.
    pub(super) fn look_at_calendar(&mut self) {
        let stale = identity::is_stale(&self.own.certificate);
        if stale {
            tracing::info!("the certificate of this device does not fit the calendar");
        }
        if stale || self.relays.list_is_over(clock::unix_us()) {
            self.keep(Box::new(requests::reload), None);
        }
    }

    /// Has what was picked in passing written, if it is time.
    pub(super) fn write_chosen(&mut self, now: Moment) {
        if self.in_force.deadline().is_none_or(|at| at > now) {
            return;
        }
        let Ok(kept) = self.in_force.take_to_write() else { return };
        let (path, store) = (self.paths.chosen(), self.store.clone());
        let job = move || store.note(&path, &file::write(&path, &kept));
        if self.store.run(Box::new(job)).is_err() {
            tracing::warn!("what was chosen is not kept over a restart: the disk does not answer");
        }
    }

    /// Hands signaling what it goes by: the whole roster, and whom it believes.
    pub(super) fn send_roster(&mut self) {
        let mut roster = self.contacts.roster();
        let config = self.in_force.config();
        if !config.account.enabled {
            // No inbox, no link: nobody can tell us from a machine that is switched off.
            roster = Arc::new(roster.without_inboxes());
        }
        let (ca_file, groups) = (config.relay.ca_file.clone(), self.groups.names());
        self.ports.standing.send_replace(signal::Standing { roster: Some(roster), ca_file, groups });
        self.send_near();
    }

    /// Hands what a person decided about sound and paths to media.
    pub(super) fn send_media_settings(&mut self) {
        self.ports.media.set(self.in_force.config().media_settings());
    }
}
