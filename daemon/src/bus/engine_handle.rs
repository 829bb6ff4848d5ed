//! The counter between D-Bus methods and the engine.
//!
//! Lives here: sending a request and waiting for its answer; reading the snapshot that is shown now.
//! Must not: know an interface, or judge a request.

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, CallKind};
use tokio::sync::{mpsc, oneshot, watch};
use zbus::wire::OwnedObjectPath;

use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::{border, names};
use crate::system::clock;
use crate::values::board::{Board, CallRow};
use crate::values::request::{
    Answer, Asked, CallRequest, Denied, DeniedKind, Guard, HistoryRequest, Request, Verb, Which,
};
use crate::values::rows::HistoryRow;

/// What every interface holds.
#[derive(Clone, Debug)]
pub(super) struct EngineHandle {
    asked: mpsc::Sender<Asked>,
    shown: watch::Receiver<Arc<Board>>,
}

impl EngineHandle {
    /// An engine that asks there and shows this.
    pub(super) fn new(asked: mpsc::Sender<Asked>, shown: watch::Receiver<Arc<Board>>) -> Self {
        Self { asked, shown }
    }

    /// What is shown now. Never waits.
    pub(super) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.shown.borrow())
    }

    /// A call that is shown now.
    pub(super) fn row(&self, id: CallId) -> zbus::fdo::Result<Arc<CallRow>> {
        let board = self.board();
        let row = board.calls.iter().find(|row| row.view.id == id);
        row.cloned().ok_or_else(|| {
            zbus::fdo::Error::UnknownObject(format!("The call {} is over and gone.", names::uuid(id)))
        })
    }

    /// Sends a request and waits until its effect is shown.
    pub(super) async fn ask(&self, what: impl Into<Request>) -> Result<Answer, Fault> {
        let answer = self.send(what)?;
        let answer = answer.await.map_err(|_gone| stopping())?;
        Ok(answer.map(border::answer).map_err(border::denied)?)
    }

    /// The same for what another part of the daemon than the engine answers: that one may hang, and its client must not.
    pub(super) async fn ask_within(
        &self,
        limit: Duration,
        what: impl Into<Request>,
    ) -> Result<Answer, Fault> {
        let answer = self.send(what)?;
        match clock::timeout(limit, answer).await {
            Ok(answered) => {
                let answer = answered.map_err(|_gone| stopping())?;
                Ok(answer.map(border::answer).map_err(border::denied)?)
            }
            Err(_over) => Err(denied(
                DeniedKind::Failed,
                "A part of the daemon does not answer: try again, and look into `ahoyctl logs`.",
            )),
        }
    }

    /// Sends a request however long the queue is, and waits for nothing else.
    pub(super) async fn insist(&self, what: impl Into<Request>) {
        let (reply, _unheard) = oneshot::channel();
        if self.asked.send(Asked { what: what.into(), reply }).await.is_err() {
            tracing::debug!("a request came while the daemon stopped");
        }
    }

    /// Sends a request; its answer comes, or nobody waits for it.
    pub(super) fn send(
        &self,
        what: impl Into<Request>,
    ) -> Result<oneshot::Receiver<Result<Answer, Denied>>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.asked.try_send(Asked { what: what.into(), reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                denied(DeniedKind::RateLimited, "Too many requests wait already: try again in a moment.")
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        Ok(answer)
    }

    /// A request whose answer says nothing more than that it is done.
    pub(super) async fn done(&self, what: impl Into<Request>) -> Result<(), Fault> {
        self.ask(what).await.map(|_done| ())
    }

    /// The same for a method that takes no options.
    pub(super) async fn plain(&self, options: Dictionary, what: impl Into<Request>) -> Result<(), Fault> {
        Options::none(options)?;
        self.done(what).await
    }

    /// A request that is answered with a text.
    pub(super) async fn text(&self, what: impl Into<Request>) -> Result<String, Fault> {
        let Answer::Text(text) = self.ask(what).await? else { return Err(surprised()) };
        Ok(text)
    }

    /// A request that is answered with a call; its path.
    pub(super) async fn call(&self, what: CallRequest) -> Result<OwnedObjectPath, Fault> {
        let Answer::Call(id) = self.ask(what).await? else { return Err(surprised()) };
        Ok(names::call_path(id))
    }

    /// Whom somebody means who is to be called: the contact of a row for `history:<id>`, else as it was said.
    pub(super) async fn whom(&self, target: String) -> Result<String, Fault> {
        Ok(self.past(&target).await?.map_or(target, |row| row.contact))
    }

    /// Calls somebody: for `history:<id>` of a group everybody in it, or enters it if it runs.
    pub(super) async fn dial(
        &self,
        target: String,
        (lifetime, note, hold_others): (Option<Duration>, Option<String>, bool),
    ) -> Result<OwnedObjectPath, Fault> {
        let past = self.past(&target).await?;
        let group = past.as_ref().filter(|row| row.kind == CallKind::Group.word());
        let group = group.and_then(|row| names::parse_call(&row.call).map(|call| (call, &row.peers)));
        self.call(match group {
            Some((call, peers)) => {
                let others = peers.iter().map(|peer| peer.contact.clone()).collect();
                CallRequest::GroupAgain { call, others, lifetime, note, hold_others }
            }
            None => {
                let target = past.map_or(target, |row| row.contact);
                CallRequest::Dial { target, lifetime, note, hold_others }
            }
        })
        .await
    }

    /// The row that `history:<id>` names; none if the target is of another kind.
    async fn past(&self, target: &str) -> Result<Option<Box<HistoryRow>>, Fault> {
        let Some(id) = target.strip_prefix(names::BY_HISTORY) else { return Ok(None) };
        let id = id.parse().map_err(|_| Fault::option("history:<id> needs the number of a row."))?;
        let Answer::Row(row) = self.ask_within(AT_ONCE, HistoryRequest::Get(id)).await? else {
            return Err(surprised());
        };
        Ok(Some(row))
    }

    /// A verb on a call.
    pub(super) async fn verb(&self, call: Which, verb: Verb, guard: Guard) -> Result<(), Fault> {
        self.done(CallRequest::Verb { call, verb, guard }).await
    }
}

/// An answer of a kind that does not belong to the request: a fault of ours.
pub(super) fn surprised() -> Fault {
    denied(DeniedKind::Failed, "The daemon gave an answer of another kind: please report this.")
}

/// How long what should answer at once may take.
pub(super) const AT_ONCE: Duration = Duration::from_secs(1);
/// How long the history may take: a slow disk is read, and nobody else waits behind it.
pub(super) const FROM_DISK: Duration = Duration::from_secs(10);

fn stopping() -> Fault {
    denied(DeniedKind::NotReady, "The daemon is stopping: try again when it has started.")
}

fn denied(kind: DeniedKind, sentence: &str) -> Fault {
    Denied::new(kind, sentence).into()
}
