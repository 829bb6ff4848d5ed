//! The paths of a call: how one begins, what it tells, how it ends.
//!
//! Lives here: a leg's generations side by side, and what of them is reported. What is said over them: `voice.rs`.
//! Must not: know how a path is built, or decide which of them is wanted.

use std::time::Duration;

use ahoy_call::{LegId, MediaFault, MediaReport, Moment};
use tokio::task::{Id, JoinError};

use super::Session;
use super::leg::Leg;
use super::path::SessionPath;
use crate::media::Report;
use crate::media::transport::{PathEvent, PathOrder, Plan, QueueFull, Track};
use crate::media::wanted::Key;

/// Generations of one leg side by side: repair needs two.
const MOST_PATHS: usize = 8;
/// How long a closed path still carries frames: the word that ends a call is sealed while its path is being closed.
const LAST_WORDS: Duration = Duration::from_millis(300);

impl Session {
    pub(super) async fn ask(&mut self, key: Key, order: PathOrder) {
        let path = self.legs.get(&key.0).and_then(|leg| leg.paths.get(&key.1));
        match path.map(|path| path.transport.order(order)) {
            Some(Ok(())) => {}
            Some(Err(QueueFull)) => self.report(key, MediaReport::Failed(MediaFault::Media)).await,
            None => tracing::debug!(leg = ?key.0, epoch = key.1.0, "an order for a path that is gone"),
        }
    }

    pub(super) async fn prepare(&mut self, now: Moment, key: Key, plan: Plan, is_room: bool) {
        // One of the same name may have been closed meanwhile.
        self.follow(now).await;
        let Some(which) = self.wanted.borrow().which(key) else {
            return tracing::debug!(leg = ?key.0, epoch = key.1.0, "this path was closed before it was built");
        };
        let bitrate = self.bitrate;
        let paths = &mut self.legs.entry(key.0).or_insert_with(|| Leg::new(bitrate, is_room)).paths;
        if paths.contains_key(&key.1) {
            return tracing::debug!(leg = ?key.0, epoch = key.1.0, "this path exists already");
        }
        if paths.len() >= MOST_PATHS {
            return self.report(key, MediaReport::Failed(MediaFault::Media)).await;
        }
        let (transport, task) = plan(key, self.told_in.clone());
        paths.insert(key.1, SessionPath::new(which, transport));
        self.keys.insert(self.tasks.spawn(task).id(), key);
    }

    pub(super) async fn close(&mut self, now: Moment, key: Key) {
        let Some(leg) = self.legs.get_mut(&key.0) else {
            return;
        };
        if let Some(path) = leg.paths.remove(&key.1).filter(|path| path.up && path.channel) {
            self.leaving.push((now + LAST_WORDS, key.0, path.transport));
        }
        self.channel(key.0).await;
        if self.legs.get(&key.0).is_some_and(|leg| leg.paths.is_empty()) {
            self.legs.remove(&key.0);
            self.voices.lose(key.0);
        }
        if self.sounding() {
            // Those who are left may carry more.
            self.code_as_needed(now);
        } else {
            self.pump.pause(now);
        }
    }

    pub(super) fn frame(&mut self, of: LegId, bytes: Vec<u8>) {
        let open = |path: &&SessionPath| path.up && path.channel;
        let newest = self
            .legs
            .get(&of)
            .and_then(|leg| leg.paths.values().rev().find(open))
            .map(|path| &path.transport);
        let left = || self.leaving.iter().rev().find(|(_, leg, _)| *leg == of).map(|(.., path)| path);
        if newest.or_else(left).is_none_or(|path| path.order(PathOrder::Frame(bytes)).is_err()) {
            tracing::debug!("a frame found no open data channel");
        }
    }

    pub(super) async fn hear(&mut self, now: Moment, key: Key, told: PathEvent) {
        let Some(path) = self.legs.get_mut(&key.0).and_then(|leg| leg.paths.get_mut(&key.1)) else {
            return;
        };
        let (call, of) = (self.call, key.0);
        match told {
            PathEvent::Described(description) => self.report(key, MediaReport::Described(description)).await,
            PathEvent::Candidates { list, complete } => {
                self.report(key, MediaReport::Candidates { list, complete }).await;
            }
            PathEvent::Up => {
                path.up = true;
                self.report(key, MediaReport::Up).await;
                self.channel(of).await;
            }
            PathEvent::Gone => self.silent(key).await,
            PathEvent::Lost => self.down(key, MediaReport::Lost).await,
            PathEvent::Stuck => self.down(key, MediaReport::Stuck).await,
            PathEvent::Failed(fault) => self.down(key, MediaReport::Failed(fault)).await,
            PathEvent::Packet { member, track: Track::Voice, packet } => {
                if self.voice_came(now, key, member, &packet) {
                    self.report(key, MediaReport::Up).await;
                    self.channel(of).await;
                }
            }
            PathEvent::Takes(takes) => {
                path.takes = takes;
                self.adapt(now, of, |line| line.takes(takes));
            }
            PathEvent::Pair(pair) => path.pair = Some(pair),
            PathEvent::Ciphers(ciphers) => path.ciphers = Some(ciphers),
            PathEvent::Reception(reception) => self.adapt(now, of, |line| line.reported(now, reception)),
            PathEvent::Feedback(feedback) => self.adapt(now, of, |line| line.heard(now, &feedback)),
            PathEvent::Asked(packets) => self.adapt(now, of, |line| line.asked(packets)),
            PathEvent::Frame(bytes) => self.send(Report::Frame { call, leg: of, bytes }).await,
            PathEvent::Channel(open) => {
                path.channel = open;
                self.channel(of).await;
            }
        }
    }

    pub(super) async fn down(&mut self, key: Key, report: MediaReport) {
        if let Some(path) = self.legs.get_mut(&key.0).and_then(|leg| leg.paths.get_mut(&key.1)) {
            path.up = false;
        }
        self.report(key, report).await;
        self.channel(key.0).await;
    }

    /// A path's task ended. Unless it was closed, it panicked.
    pub(super) async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, broken) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        if let Some(key) = self.keys.remove(&id).filter(|_| broken) {
            tracing::error!(leg = ?key.0, epoch = key.1.0, "the task of a path broke");
            self.down(key, MediaReport::Failed(MediaFault::Media)).await;
        }
    }

    /// Tells whether frames can go to a leg, when that changed.
    pub(super) async fn channel(&mut self, of: LegId) {
        let Some(leg) = self.legs.get_mut(&of) else {
            return;
        };
        let open = leg.paths.values().any(|path| path.up && path.channel);
        if leg.channel != open {
            leg.channel = open;
            self.send(Report::Channel { call: self.call, leg: of, open }).await;
        }
    }
}
