//! The bus port: the D-Bus contract of `dbus/`, served on the session bus.
//!
//! Lives here: orders in, reports out, and the loop that takes the bus up whenever it is there.
//! Must not: decide anything about a call, or know another port. A second connection is a second `serve` with its
//! own bounded queue; nothing here is shared between connections.
//!
//! What is shown is a level: the newest board, which cannot be lost. Replies and events wait in a queue; each is let go when
//! the board that was shown before it is out, so that properties show the effect of a method when it returns.

mod account;
mod agents;
mod border;
mod call;
mod callers;
mod contacts;
mod device;
mod engine_handle;
mod fault;
mod findings;
mod focus;
mod guarded;
mod history;
mod managed;
mod manager;
mod names;
mod object;
mod options;
mod peer;
mod properties;
mod publish;
mod settings;
mod shown;
mod stats;
mod tree;
#[cfg(any(test, feature = "sample"))]
mod tried;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::tree::{Lost, Tree};
#[cfg(any(test, feature = "sample"))]
pub(crate) use self::tried::{marshalled, texts};
use crate::system::clock;
use crate::values::board::Newest;
pub use crate::values::happening::{EventData, Happening};
use crate::values::request::{Answer, Asked, Denied, Reply};

/// What the engine asks of the bus.
#[derive(Debug)]
pub enum Publication {
    /// Answer a client, after what was shown before is out.
    Reply(Reply, Result<Answer, Denied>),
    /// Say that something happened, for hooks and loggers.
    Event(Happening),
    /// A contact came, went or changed; by its id.
    ContactChanged(String),
    /// A history row came or changed.
    HistoryChanged(u64),
    /// Leave the bus and end.
    Stop,
}

/// What the engine hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The name is ours and the tree is served.
    Up,
    /// There is no bus, or it went; it is tried again. The sentence is for `Problems`, and comes once as long as it
    /// stays the same.
    Down(String),
    /// Another daemon owns the name. The port has ended.
    NameTaken,
}

/// Serves the session bus, or the bus at `address`, until `Order::Stop`, the end of the orders, or a taken name.
/// The first board must come before the bus is joined, because it names the account.
pub async fn serve(
    address: Option<String>,
    asked: mpsc::Sender<Asked>,
    mut boards: watch::Receiver<Option<Newest>>,
    mut orders: mpsc::Receiver<Publication>,
    reports: mpsc::Sender<Report>,
) {
    let mut said = None;
    let mut again = false;
    loop {
        let newest = boards.borrow_and_update().as_ref().map(|newest| Arc::clone(&newest.board));
        let report = match newest {
            None => None,
            Some(board) => match Tree::plant(again, address.as_deref(), &asked, board).await {
                Ok(tree) => {
                    again = true;
                    tell(&reports, &mut said, Report::Up).await;
                    match tree.follow(&mut orders, &mut boards).await {
                        Err(lost) => Some(Report::Down(sentence(&lost))),
                        Ok(()) => return,
                    }
                }
                Err(Lost::NameTaken) => Some(Report::NameTaken),
                Err(error) => Some(Report::Down(sentence(&error))),
            },
        };
        if let Some(report) = report {
            let ended = report == Report::NameTaken;
            tell(&reports, &mut said, report).await;
            if ended {
                return;
            }
        }
        if !without_a_bus(&mut orders, &mut boards).await {
            return;
        }
    }
}

/// Takes orders while there is no bus, until the next try is due. False when the port must end.
async fn without_a_bus(
    orders: &mut mpsc::Receiver<Publication>,
    boards: &mut watch::Receiver<Option<Newest>>,
) -> bool {
    let due = clock::now() + RETRY;
    let first = boards.borrow().is_none();
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            Ok(()) = boards.changed(), if first => return true,
            () = clock::sleep_until(due), if !first => return true,
        };
        match order {
            Some(Publication::Reply(reply, answer)) => release(reply, answer),
            Some(Publication::Event(_) | Publication::ContactChanged(_) | Publication::HistoryChanged(_)) => {
            }
            Some(Publication::Stop) | None => return false,
        }
    }
}

/// Lets a reply go. The client may have left meanwhile.
fn release(reply: Reply, answer: Result<Answer, Denied>) {
    if reply.send(answer).is_err() {
        tracing::debug!("a client left before its answer");
    }
}

async fn tell(reports: &mpsc::Sender<Report>, said: &mut Option<Report>, report: Report) {
    if said.as_ref() == Some(&report) {
        return;
    }
    *said = Some(report.clone());
    if reports.send(report).await.is_err() {
        tracing::debug!("nobody listens to the bus port any more");
    }
}

fn sentence(error: &Lost) -> String {
    format!(
        "No program of the desktop can see or steer calls: {error}. Start a session bus; it is tried every two seconds."
    )
}

/// A bus that comes is taken up within this and the time that joining may take.
const RETRY: Duration = Duration::from_secs(2);
