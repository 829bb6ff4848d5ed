//! The notes on the screen, kept as they should be.
//!
//! Lives here: the difference between what should be shown and what a server shows, through servers that come late,
//! restart or never come; what a person did with a note.
//! Must not: know what a note is about, or what a button asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};

use super::note::{Done, Key, Note};
use super::server::{Server, Taken, Why, Word};
use crate::system::clock;

/// A bus that is not there is tried again so soon while somebody rings, and so late while only notices wait.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// A note whose showing did not come to an end is waited for so long, to take it off again.
const LATE: Duration = Duration::from_secs(60);
/// How long each of the two last exchanges with the server may take when the daemon ends.
const FAREWELL: Duration = Duration::from_millis(300);
/// A note is shown anew so often, at the most: a server that dies of it is left alone.
const TRIES: u8 = 16;

/// Where a note is.
#[derive(Debug)]
enum Place {
    /// The server was asked to show this; until it answers, what was there before may still be pressed.
    Asked(Note, Option<(Note, Taken)>),
    /// It is on the screen, with this content.
    Up(Note, Taken),
    /// It has gone: closed by a person, or by the server for reasons of its own.
    Gone { dismissed: bool },
    /// No server took it. The next one is asked again.
    Refused,
}

/// What an exchange with the server brought.
#[derive(Debug)]
enum Came {
    /// `owners`: how many servers had come and gone when it was begun.
    Shown {
        key: Key,
        owners: u32,
        result: zbus::Result<Taken>,
    },
    Closed,
}

/// Shows what is wanted, until nobody can want any more. A person's deeds go to `done`.
pub(super) async fn keep(
    bus: Option<String>,
    mut wanted: watch::Receiver<Vec<Note>>,
    done: mpsc::Sender<Done>,
) {
    let mut dismissed = BTreeSet::new();
    loop {
        let notes = wanted.borrow_and_update().clone();
        dismissed.retain(|key| notes.iter().any(|note| note.key == *key));
        let missing: Vec<&Note> = notes.iter().filter(|note| !dismissed.contains(&note.key)).collect();
        if missing.is_empty() {
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        }
        let urgent = missing.iter().any(|note| note.urgent);
        match Server::join(bus.as_deref()).await {
            Ok(server) => {
                let mut popups = Wall::new(server, std::mem::take(&mut dismissed));
                let ended = popups.follow(&mut wanted, &done).await;
                dismissed = popups.dismissed();
                match ended {
                    Ended::NothingWanted => continue,
                    Ended::NobodyWants => return,
                    Ended::Lost => tracing::debug!("the session bus has gone while notes were shown"),
                }
            }
            Err(error) => tracing::debug!(%error, "no session bus for notifications"),
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = clock::sleep(RETRY[usize::from(!urgent)]) => {}
        }
    }
}

/// Why a connection was given up.
enum Ended {
    /// There is nothing to show now.
    NothingWanted,
    /// There never will be.
    NobodyWants,
    /// The bus went.
    Lost,
}

/// One connection's worth of notes.
struct Wall {
    server: Server,
    /// The server's unique name, as the bus last said. None before it said anything.
    owner: Option<String>,
    /// How often that changed.
    owners: u32,
    places: BTreeMap<Key, Place>,
    tries: BTreeMap<Key, u8>,
    /// What the server took away by itself once.
    expired: BTreeSet<Key>,
    running: FuturesUnordered<BoxFuture<'static, Came>>,
}

impl Wall {
    fn new(server: Server, dismissed: BTreeSet<Key>) -> Self {
        let places = dismissed.into_iter().map(|key| (key, Place::Gone { dismissed: true })).collect();
        Self {
            server,
            owner: None,
            owners: 0,
            places,
            tries: BTreeMap::new(),
            expired: BTreeSet::new(),
            running: FuturesUnordered::new(),
        }
    }

    /// What a person closed; it stays closed on the next connection.
    fn dismissed(self) -> BTreeSet<Key> {
        let gone = |(key, place)| matches!(place, Place::Gone { dismissed: true }).then_some(key);
        self.places.into_iter().filter_map(gone).collect()
    }

    async fn follow(&mut self, wanted: &mut watch::Receiver<Vec<Note>>, done: &mpsc::Sender<Done>) -> Ended {
        let mut notes = wanted.borrow_and_update().clone();
        let mut idle_until = None;
        loop {
            self.reconcile(&notes);
            let shown = self.places.values().any(|place| matches!(place, Place::Up(..)));
            let waiting = |place: &Place| matches!(place, Place::Refused | Place::Gone { dismissed: false });
            let waiting = self.places.values().any(waiting);
            if !shown && !waiting && self.running.is_empty() {
                return Ended::NothingWanted;
            }
            if notes.is_empty() {
                idle_until.get_or_insert_with(|| clock::now() + LATE);
            } else {
                idle_until = None;
            }
            tokio::select! {
                biased;
                // In the order in which the bus must have sent them: who the server is, then its answer to `Notify`, then
                // its signals about that note.
                word = Server::owner(&mut self.server.owners) => {
                    if self.heard(word, done) {
                        return Ended::Lost;
                    }
                }
                Some(came) = self.running.next() => self.came(came),
                word = Server::signal(&mut self.server.signals) => {
                    if self.heard(word, done) {
                        return Ended::Lost;
                    }
                }
                changed = wanted.changed() => {
                    if changed.is_err() {
                        self.farewell().await;
                        return Ended::NobodyWants;
                    }
                    notes.clone_from(&wanted.borrow_and_update());
                }
                () = sleep_until(idle_until) => {
                    tracing::debug!("the notification server never answered");
                    return Ended::NothingWanted;
                }
            }
        }
    }

    /// Begins what is missing between the notes and their places.
    fn reconcile(&mut self, notes: &[Note]) {
        let mut over = Vec::new();
        for (key, place) in &self.places {
            // What is being shown is taken off when the server has said its number.
            if !matches!(place, Place::Asked(..)) && !notes.iter().any(|note| note.key == *key) {
                over.push(*key);
            }
        }
        for key in over {
            self.tries.remove(&key);
            self.expired.remove(&key);
            if let Some(Place::Up(_, taken)) = self.places.remove(&key) {
                self.close(taken);
            }
        }
        for note in notes {
            match self.places.remove(&note.key) {
                None => self.show(note, None),
                Some(Place::Up(shown, taken)) if shown != *note => self.show(note, Some((shown, taken))),
                Some(place) => {
                    self.places.insert(note.key, place);
                }
            }
        }
    }

    fn show(&mut self, note: &Note, before: Option<(Note, Taken)>) {
        let key = note.key;
        if before.is_none() {
            let tries = self.tries.entry(key).or_default();
            *tries += 1;
            if *tries > TRIES {
                tracing::debug!("a note is not shown any more: servers go as soon as they show it");
                self.places.insert(key, Place::Gone { dismissed: true });
                return;
            }
        }
        let show = self.server.show(note.clone(), before.as_ref().map_or(0, |(_, taken)| taken.id));
        let owners = self.owners;
        self.running.push(Box::pin(async move { Came::Shown { key, owners, result: show.await } }));
        self.places.insert(key, Place::Asked(note.clone(), before));
    }

    fn close(&mut self, taken: Taken) {
        let close = self.server.close(taken);
        self.running.push(Box::pin(async move {
            close.await;
            Came::Closed
        }));
    }

    fn came(&mut self, came: Came) {
        let Came::Shown { key, owners, result } = came else { return };
        let note = match self.places.remove(&key) {
            Some(Place::Asked(note, _)) => note,
            // Pressed or closed while its change was on the way.
            other => {
                self.places.extend(other.map(|place| (key, place)));
                if let Ok(taken) = result {
                    self.close(taken);
                }
                return;
            }
        };
        match result {
            Ok(taken) => {
                // One that was followed by another before its answer came shows nothing any more.
                let followed = |owner: &String| !owner.is_empty() && *owner != taken.by;
                if !self.owner.as_ref().is_some_and(followed) {
                    self.places.insert(key, Place::Up(note, taken));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no notification server took a note");
                // The server that has come meanwhile was not asked.
                if owners != self.owners {
                    return;
                }
                self.places.insert(key, Place::Refused);
            }
        }
    }

    /// Takes up one word; true if the connection is gone.
    fn heard(&mut self, word: Word, done: &mpsc::Sender<Done>) -> bool {
        match word {
            Word::Pressed { by, id, button } => self.pressed(&by, id, &button, done),
            Word::Closed { by, id, why } => {
                if let Some(key) = self.shown_as(&by, id) {
                    if why == Why::Expired && self.comes_back(key) {
                        // Not gone for good: the next look shows it again.
                        self.places.remove(&key);
                        return false;
                    }
                    self.places.insert(key, Place::Gone { dismissed: why == Why::Dismissed });
                    tell(done, Done::Closed(key));
                }
            }
            Word::Owner(name) => self.owner_is(name),
            Word::Lost => return true,
        }
        false
    }

    /// Only a button that we put there, on a note that is there, from the server that shows it.
    fn pressed(&mut self, by: &str, id: u32, button: &str, done: &mpsc::Sender<Done>) {
        let Some(key) = self.shown_as(by, id) else {
            return tracing::debug!("a button of a note that is not ours, or not from its server");
        };
        let Some(Place::Up(note, taken) | Place::Asked(_, Some((note, taken)))) = self.places.get(&key)
        else {
            return;
        };
        let Some((button, _)) = note.buttons.iter().find(|(one, _)| *one == button) else { return };
        let (button, taken) = (*button, taken.clone());
        self.places.insert(key, Place::Gone { dismissed: true });
        // Some servers leave a note on the screen after its button was pressed.
        self.close(taken);
        tell(done, Done::Pressed(key, button));
    }

    /// A ring that goes on is shown once more when the server took its pop-up away by itself. Not again: some servers say the
    /// same when a person closed it.
    fn comes_back(&mut self, key: Key) -> bool {
        let urgent = match self.places.get(&key) {
            Some(Place::Up(note, _) | Place::Asked(note, _)) => note.urgent,
            Some(Place::Gone { .. } | Place::Refused) | None => false,
        };
        urgent && self.expired.insert(key)
    }

    fn shown_as(&self, by: &str, id: u32) -> Option<Key> {
        let is_it = |place: &Place| match place {
            Place::Up(_, taken) | Place::Asked(_, Some((_, taken))) => taken.id == id && taken.by == by,
            Place::Asked(_, None) | Place::Gone { .. } | Place::Refused => false,
        };
        self.places.iter().find(|(_, place)| is_it(place)).map(|(key, _)| *key)
    }

    /// A server went or came: what it showed is not on the screen, and what it closed by itself in going was not
    /// closed by anybody. All of it is shown again.
    fn owner_is(&mut self, name: String) {
        self.places.retain(|_, place| match place {
            Place::Asked(..) | Place::Gone { dismissed: true } => true,
            Place::Up(_, taken) => taken.by == name,
            Place::Gone { dismissed: false } | Place::Refused => false,
        });
        self.owner = Some(name);
        self.owners += 1;
    }

    /// The daemon ends: what must not be lost stays without its buttons, the rest goes.
    async fn farewell(&mut self) {
        // What is just being shown has no number yet.
        let numbered = async {
            while let Some(came) = self.running.next().await {
                self.came(came);
            }
        };
        if clock::timeout(FAREWELL, numbered).await.is_err() {
            return tracing::debug!("the notification server was slow to the last");
        }
        for place in std::mem::take(&mut self.places).into_values() {
            match place {
                Place::Up(mut note, taken) if note.outlives_us => {
                    note.buttons.clear();
                    let show = self.server.show(note.clone(), taken.id);
                    self.running.push(Box::pin(async move {
                        if let Err(error) = show.await {
                            tracing::debug!(%error, "a notice keeps a button that does nothing");
                        }
                        Came::Closed
                    }));
                }
                Place::Up(_, taken) => self.close(taken),
                Place::Asked(..) | Place::Gone { .. } | Place::Refused => {}
            }
        }
        let all = async { while self.running.next().await.is_some() {} };
        if clock::timeout(FAREWELL, all).await.is_err() {
            tracing::debug!("the notification server was slow to the last");
        }
    }
}

async fn sleep_until(due: Option<ahoy_call::Moment>) {
    match due {
        Some(due) => clock::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn tell(done: &mpsc::Sender<Done>, what: Done) {
    if done.try_send(what).is_err() {
        tracing::warn!("a pressed button was lost: too many at once");
    }
}
