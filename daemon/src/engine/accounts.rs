//! The account as a whole: who waits for what becomes of it, and the farewell to its contacts.
//!
//! Lives here: one such wish at a time, what is still to be told to whom, and that the daemon is to begin anew.
//! Must not: touch a file: `account/` does on a thread of its own, and the next start; wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{Moment, PeerId};
use tokio::sync::oneshot;

use crate::account::{self, Export, Import, Leaving};
use crate::engine::Engine;
use crate::engine::problems::Source;
use crate::engine::requests::{Done, Plan, Wish, failed};
use crate::history::HistoryOrder;
use crate::identity;
use crate::signal::{SignalingOrder, Standing};
use crate::values::account::AccountRequest;
use crate::values::own::KeysNews;
use crate::values::request::{Answer, Denied, DeniedKind, HistoryRequest, Reply};

/// Contacts that are being told at once: a part of what signaling sends without a session.
const AT_ONCE: usize = 32;
/// How long who removes an account waits for its contacts to be told.
const PATIENCE: Duration = Duration::from_secs(15);

/// What becomes of the account.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    waiting: Option<Waiting>,
    again: bool,
}

#[derive(Debug)]
enum Waiting {
    /// A file is being written or read.
    File(Reply),
    /// Contacts are being told.
    Farewell(Farewell),
}

#[derive(Debug)]
struct Farewell {
    reply: Reply,
    history: bool,
    moved: bool,
    /// Who is to be told yet, and who is being told.
    left: Vec<PeerId>,
    under_way: BTreeSet<PeerId>,
    told: u32,
    of: u32,
    until: Moment,
}

impl Accounts {
    /// The daemon is to begin anew.
    pub(super) fn begins_anew(&self) -> bool {
        self.again
    }

    /// When nobody is waited for any longer.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.waiting {
            Some(Waiting::Farewell(farewell)) => Some(farewell.until),
            Some(Waiting::File(_)) | None => None,
        }
    }
}

impl Engine {
    /// A wish about the account.
    pub(super) fn on_account_request(&mut self, reply: Reply, request: AccountRequest) {
        let now = self.now();
        if self.accounts.waiting.is_some() || self.accounts.again {
            let sentence = "The account is being exported, imported or removed already: wait for that.";
            return self.answer(reply, Err(Denied::new(DeniedKind::Busy, sentence)));
        }
        let begun = match request {
            AccountRequest::Export { into, secret, history } => {
                if self.own.is_away() {
                    let sentence = "The keys of this account cannot be read now: ahoyctl status says why.";
                    return self.answer(reply, Err(Denied::new(DeniedKind::NotReady, sentence)));
                }
                let history = history.then(|| self.copy_history());
                let (paths, own) = (self.paths.clone(), Arc::clone(&self.own));
                self.ports.account.export(Export { paths, own, history, into, secret })
            }
            AccountRequest::Import { from, secret, replace } => {
                if let Err(denied) = self.may_come(replace) {
                    return self.answer(reply, Err(denied));
                }
                self.ports.account.import(Import { paths: self.paths.clone(), from, secret })
            }
            AccountRequest::Remove { history, moved } => {
                if self.is_calling() {
                    return self.answer(reply, Err(in_call()));
                }
                let mut all = if moved { Vec::new() } else { self.contacts.to_be_told() };
                let of = u32::try_from(all.len()).unwrap_or(u32::MAX);
                if !self.links.online {
                    all.retain(|peer| self.networks.sees(*peer));
                }
                let left = all;
                let (under_way, until) = (BTreeSet::new(), now + PATIENCE);
                let farewell = Farewell { reply, history, moved, left, under_way, told: 0, of, until };
                self.accounts.waiting = Some(Waiting::Farewell(farewell));
                return self.go_on_with_farewell(now);
            }
        };
        match begun {
            Ok(()) => self.accounts.waiting = Some(Waiting::File(reply)),
            Err(error) => self.answer(reply, Err(failed(format_args!("Nothing was done: {error}.")))),
        }
    }

    /// Has the history copied to where the export finds it.
    fn copy_history(&mut self) -> (std::path::PathBuf, oneshot::Receiver<Result<Answer, Denied>>) {
        let (reply, waiting) = oneshot::channel();
        let copy = self.paths.copy_of_history();
        let order = HistoryOrder::Ask(HistoryRequest::Copy(copy.clone()), reply);
        if self.ports.history.try_send(order).is_err() {
            tracing::warn!("the history queue is full: it is not copied");
        }
        (copy, waiting)
    }

    fn may_come(&self, replace: bool) -> Result<(), Denied> {
        if self.is_calling() {
            return Err(in_call());
        }
        if replace || self.contacts.is_untouched() {
            return Ok(());
        }
        let sentence = format!(
            "There is an account here that people know ({} contacts): say that it is to be replaced (--replace). It is kept aside, not deleted.",
            self.contacts.len()
        );
        Err(Denied::new(DeniedKind::AlreadyHandled, sentence))
    }

    fn is_calling(&self) -> bool {
        self.phone.views().iter().any(|view| view.ended.is_none())
    }

    /// A file was written or read.
    pub(super) fn on_account(&mut self, report: account::Report) {
        let Some(Waiting::File(reply)) = self.accounts.waiting.take() else { return };
        match report {
            account::Report::Sealed(outcome) => self.answer(reply, outcome.map(|()| Answer::Done)),
            account::Report::Opened(Err(denied)) => self.answer(reply, Err(denied)),
            account::Report::Opened(Ok(address)) => {
                let wish: Wish = Box::new(move |with| {
                    if with.phone.views().iter().any(|view| view.ended.is_none()) {
                        return Err(in_call());
                    }
                    let paths = with.paths.clone();
                    Ok(Plan::Write(Box::new(move |gate| {
                        Done::Account(account::come(&paths, gate), Answer::Text(address))
                    })))
                });
                self.keep(wish, Some(reply));
            }
        }
    }

    /// A contact was told, or cannot be.
    pub(super) fn on_farewell(&mut self, peer: PeerId, told: bool) {
        let now = self.now();
        if let Some(Waiting::Farewell(farewell)) = &mut self.accounts.waiting
            && farewell.under_way.remove(&peer)
        {
            farewell.told += u32::from(told);
            self.go_on_with_farewell(now);
        }
    }

    /// Tells the next, and once nobody is left, or the time is over, takes the account off.
    pub(super) fn go_on_with_farewell(&mut self, now: Moment) {
        let Some(Waiting::Farewell(farewell)) = &mut self.accounts.waiting else { return };
        let mut next = Vec::new();
        if farewell.until > now {
            while farewell.under_way.len() < AT_ONCE
                && let Some(peer) = farewell.left.pop()
            {
                farewell.under_way.insert(peer);
                next.push(peer);
            }
        }
        let over = farewell.until <= now || farewell.under_way.is_empty();
        for peer in next {
            self.order_signal(SignalingOrder::Farewell(peer));
        }
        if !over {
            return;
        }
        let Some(Waiting::Farewell(farewell)) = self.accounts.waiting.take() else { return };
        let Farewell { reply, history, moved, told, of, .. } = farewell;
        if !moved {
            self.end_inboxes();
        }
        tracing::info!(told, of, "the account is taken off this machine");
        let wish: Wish = Box::new(move |with| {
            let (paths, own) = (with.paths.clone(), Arc::clone(with.own));
            Ok(Plan::Write(Box::new(move |gate| {
                // First: an account without its keys can be removed again; keys without an account would begin one.
                let forgotten = gate
                    .pass()
                    .and_then(|()| identity::forget(&paths.identity(), &own).map_err(std::io::Error::other));
                let decided = forgotten.and_then(|()| Leaving { history }.decide(&paths, gate));
                Done::Account(decided, Answer::Told(told, of))
            })))
        });
        self.keep(wish, Some(reply));
    }

    /// The relays forget who might write to us, and what waits for us.
    fn end_inboxes(&mut self) {
        let roster = Arc::new(self.contacts.roster().without_tokens());
        let ca_file = self.in_force.config().relay.ca_file.clone();
        self.ports.standing.send_replace(Standing { roster: Some(roster), ca_file, ..Standing::default() });
    }

    /// Keys that could not be had are another matter now.
    pub(super) fn on_keys(&mut self, news: KeysNews) {
        match news {
            KeysNews::Nothing => {}
            KeysNews::Missing(why) => self.on_problem(Source::Keys, [why]),
            KeysNews::Here => self.begin_anew(),
        }
    }

    /// All begins anew, as soon as what goes on has ended.
    pub(super) fn begin_anew(&mut self) {
        self.accounts.again = true;
    }

    /// What was decided is safe: the next run begins with it.
    pub(super) fn account_is(&mut self, answer: Answer) -> Answer {
        self.accounts.again = true;
        answer
    }
}

fn in_call() -> Denied {
    Denied::new(DeniedKind::Busy, "There is a call: hang up first.")
}
