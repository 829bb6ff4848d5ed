//! The desktop port: what a person meets of a call outside of any client.
//!
//! Lives here: the wiring of its parts, each small and replaceable; none knows another.
//! Must not: decide anything about a call: it looks at the boards that are shown and asks like any other client.

mod asking;
mod broken;
mod hooks;
mod icon;
mod inhibit;
mod keys;
mod network;
mod note;
mod notice;
mod offers;
mod players;
mod popup;
mod popup_content;
mod popups;
mod server;

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::asking::Asking;
use self::broken::Broken;
pub use self::hooks::Hooks;
use self::note::{Done, Key, Note};
use self::notice::Missed;
use self::offers::Offers;
use self::popup_content::{InCall, Scene};
use crate::system::level;
use crate::values::board::Board;
use crate::values::happening::Happening;
use crate::values::request::{Asked, Request};

/// Where a click of a person goes.
type Asks = mpsc::Sender<Request>;

/// Where the desktop is.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The session bus at this address; the session's own if none.
    pub session_bus: Option<String>,
    /// The system bus at this address; the system's own if none.
    pub system_bus: Option<String>,
    /// The person's own programs.
    pub hooks: Hooks,
}

/// What the port looks at.
#[derive(Debug)]
pub struct Sight {
    /// The newest board.
    pub boards: watch::Receiver<Arc<Board>>,
    /// What happened.
    pub happened: broadcast::Receiver<Happening>,
}

/// What the engine hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// This machine's addresses or ways out are others now.
    NetworkChanged,
}

/// Starts the port. It ends when nothing can be seen any more, after it has tidied the screen.
pub fn spawn(
    setup: Setup,
    sight: Sight,
    asked: mpsc::Sender<Asked>,
    reports: mpsc::Sender<Report>,
) -> JoinHandle<()> {
    let Setup { session_bus, system_bus, hooks } = setup;
    let (scene_out, scene) = watch::channel(Scene::default());
    let (quiet_out, quiet) = watch::channel(false);
    let (calls_out, calls) = watch::channel(Vec::new());
    let (wall_out, popups) = watch::channel(Vec::new());
    let (alerts_out, alerts) = watch::channel(Vec::new());
    let (done_out, done) = mpsc::channel(16);
    let (ask, asks) = mpsc::channel(16);
    let happened = sight.happened.resubscribe();
    let shown =
        Parts { scene: scene_out, quiet: quiet_out, calls: calls_out, popups: wall_out, alerts: alerts_out };
    let mut parts = JoinSet::new();
    parts.spawn(popups::keep(session_bus.clone(), popups, done_out));
    parts.spawn(notice::alerts(alerts));
    parts.spawn(players::follow(session_bus.clone(), quiet));
    parts.spawn(inhibit::follow(system_bus, calls, ask.clone()));
    parts.spawn(keys::follow(session_bus, scene, ask.clone()));
    parts.spawn(hooks::follow(hooks, happened));
    parts.spawn(counter(asked, asks));
    let looking = look(sight, shown, done, ask);
    #[expect(clippy::disallowed_methods, reason = "the desktop port's task, ended with what it looks at")]
    tokio::spawn(async move {
        // The network's part never ends by itself: it goes with this one.
        let mut network = JoinSet::new();
        network.spawn(network::follow(reports));
        looking.await;
        while parts.join_next().await.is_some() {}
    })
}

/// The first line and the rest of the pop-up of a call that rings, as a server that reads markup gets them; for tests and the
/// fuzzer.
#[cfg(any(test, feature = "sample"))]
pub(crate) fn popup(call: &Arc<crate::values::board::CallRow>) -> (String, String) {
    let note = popup::note(call, None);
    let body = server::body(&note, true, true);
    (note.summary, body)
}

/// What the parts follow.
struct Parts {
    scene: watch::Sender<Scene>,
    quiet: watch::Sender<bool>,
    calls: watch::Sender<Vec<InCall>>,
    popups: watch::Sender<Vec<Note>>,
    alerts: watch::Sender<Vec<String>>,
}

/// Looks at the boards and at what happens, and shows each part its own side of it.
async fn look(mut sight: Sight, shown: Parts, mut done: mpsc::Receiver<Done>, ask: Asks) {
    let (mut missed, mut broken) = (Missed::default(), Broken::default());
    let (mut asking, mut offers) = (Asking::default(), Offers::default());
    let mut happens = true;
    loop {
        let board = Arc::clone(&sight.boards.borrow_and_update());
        let scene = Scene::of(&board);
        missed.unseen(board.missed);
        let mut notes = popup::notes(&scene, board.agents > 0);
        notes.extend(popup::self_answered(&scene));
        notes.extend(popup::alone(&scene));
        notes.extend(missed.notes(&board.calls));
        if let Some(row) = &scene.engaged {
            broken.seen(row.view.peer);
        }
        notes.extend(broken.notes());
        asking.wait(&board.asking);
        notes.extend(asking.notes());
        offers.look(&board);
        notes.extend(offers.notes());
        level::set(&shown.popups, notes);
        level::set(&shown.quiet, scene.wants_quiet());
        level::set(&shown.calls, scene.calls.clone());
        level::set(&shown.scene, scene);
        level::set(&shown.alerts, board.alerts.clone());
        tokio::select! {
            biased;
            changed = sight.boards.changed() => if changed.is_err() { return },
            next = sight.happened.recv(), if happens => match next {
                Ok(happening) => {
                    let row = board.calls.iter().find(|row| Some(row.view.id) == happening.data.call);
                    let words = row.and_then(|row| row.view.note.as_deref());
                    missed.heard(&happening, words);
                    broken.heard(&happening);
                    asking.heard(&happening);
                }
                Err(broadcast::error::RecvError::Lagged(lost)) => tracing::warn!(lost, "missed calls may have no notice"),
                Err(broadcast::error::RecvError::Closed) => happens = false,
            },
            Some(what) = done.recv() => {
                let request = match what {
                    Done::Pressed(Key::Ring(call) | Key::SelfAnswered(call) | Key::Alone(call), button) => {
                        popup::pressed(call, button)
                    }
                    Done::Pressed(Key::Broken(peer), button) => {
                        broken.seen(peer);
                        broken::pressed(peer, button)
                    }
                    Done::Closed(Key::Broken(peer)) => {
                        broken.seen(peer);
                        None
                    }
                    Done::Pressed(Key::Missed(peer), button) => {
                        let asked = missed.pressed(peer, button);
                        missed.seen(peer);
                        asked
                    }
                    Done::Closed(Key::Missed(peer)) => {
                        missed.seen(peer);
                        None
                    }
                    Done::Pressed(Key::Asks(peer), button) => {
                        asking.seen(peer);
                        asking::pressed(peer, button)
                    }
                    Done::Closed(Key::Asks(peer)) => {
                        asking.seen(peer);
                        None
                    }
                    Done::Pressed(Key::Link, button) => offers.answered(Some(button)),
                    Done::Closed(Key::Link) => offers.answered(None),
                    Done::Closed(Key::Ring(_) | Key::SelfAnswered(_) | Key::Alone(_)) => None,
                };
                if let Some(request) = request && ask.try_send(request).is_err() {
                    tracing::warn!("a pressed button was lost: too many at once");
                }
            }
        }
    }
}

/// Asks the engine as any client does, and tells the person what it refuses.
async fn counter(asked: mpsc::Sender<Asked>, mut asks: mpsc::Receiver<Request>) {
    let mut open = JoinSet::new();
    while let Some(what) = asks.recv().await {
        while open.try_join_next().is_some() {}
        let (reply, answer) = oneshot::channel();
        if asked.try_send(Asked { what, reply }).is_err() {
            tracing::warn!("a button did nothing: too many requests wait already");
            continue;
        }
        open.spawn(async move {
            if let Ok(Err(denied)) = answer.await {
                tracing::info!(kind = ?denied.kind, "a button or key did nothing");
                notice::plain("That did not work", denied.sentence).await;
            }
        });
    }
}
