//! Pings: whether somebody can be reached, without ringing.
//!
//! Lives here: ours that are on their way, theirs that wait for the engine's word, and how often one contact gets an answer.
//! Must not: decide who may see that we are there: roster and engine do; keep anything on the disk.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{CallId, Moment, PeerId};
use ahoy_proto::hello::{Hello, HelloKind, PING};
use ahoy_proto::session::{Called, Calling, SessionId};

use super::handshake::route;
use super::rings::About;
use super::{Came, Key, Sessions, Time};
use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::peer_line::{Out, Repeat, ReplyInbox, Route};
use crate::signal::peers::Admitted;
use crate::signal::replay::Mark;
use crate::values::budget::{self, Budget};

/// How long a ping is offered, and how long its answer is waited for.
const LIVES: Duration = Duration::from_secs(5);
/// How long a relay keeps an answer: nobody waits for it after that.
const ANSWER_LIVES: Duration = Duration::from_secs(5);
/// Pings of ours on their way, to all devices of all contacts.
const MOST: usize = 32;

/// A ping of ours to one device.
struct Asking {
    calling: Calling,
    repeat: Repeat,
    job: CallId,
    peer: PeerId,
    begun: Moment,
}

/// A ping of theirs.
struct Asked {
    called: Called,
    route: Route,
    peer: PeerId,
    handshake: Mark,
    until: Moment,
}

/// All of them.
pub(super) struct Pings {
    asking: BTreeMap<SessionId, Asking>,
    asked: BTreeMap<Key, Asked>,
    answered: Budget<PeerId>,
}

impl Default for Pings {
    fn default() -> Self {
        Self { asking: BTreeMap::new(), asked: BTreeMap::new(), answered: Budget::new(budget::PINGS) }
    }
}

impl Pings {
    /// Inboxes where ours are answered.
    pub(super) fn reply_inboxes(&self) -> impl Iterator<Item = &ReplyInbox> {
        self.asking.values().filter_map(|it| it.repeat.route.reply())
    }

    /// The ways of ours.
    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.asking.values().map(|it| &it.repeat.route).chain(self.asked.values().map(|it| &it.route))
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let ours = self
            .asking
            .values()
            .map(|it| it.repeat.deadline().unwrap_or(it.begun + LIVES).min(it.begun + LIVES));
        ours.chain(self.asked.values().map(|it| it.until)).min()
    }
}

impl Sessions {
    /// Asks every device of a contact. The first answer tells; without a way to any it is over at once.
    pub(super) fn ping(&mut self, time: Time, job: CallId, peer: PeerId) {
        for (device, _) in self.peers.devices(time.unix_s, peer) {
            if self.pings.asking.len() >= MOST {
                break;
            }
            let about =
                About { call: job, peer, leg: device.leg_id(), lifetime: LIVES, kind: HelloKind::Ping };
            let Some((calling, route)) = self.begin(time, &about) else { continue };
            let Some(mut repeat) = Repeat::new(route, calling.message_1().to_vec(), time.now, LIVES) else {
                continue;
            };
            repeat.due(time.now, &mut self.out);
            self.replies_changed = true;
            let id = calling.id();
            self.pings.asking.insert(id, Asking { calling, repeat, job, peer, begun: time.now });
        }
        self.end_ping(job, peer, None);
    }

    /// Reports the end of a ping: it was answered, or nothing of it is on its way any more.
    fn end_ping(&mut self, job: CallId, peer: PeerId, took: Option<Duration>) {
        if took.is_some() {
            self.pings.asking.retain(|_, it| it.job != job);
        } else if self.pings.asking.values().any(|it| it.job == job) {
            return;
        }
        self.replies_changed = true;
        self.out.push(Out::Report(Report::PingOver { job, peer, took }));
    }

    /// What may be the answer to a ping of ours. None: it is to no ping.
    pub(super) fn pong_came(
        &mut self,
        now: Moment,
        session: SessionId,
        frame: &[u8],
    ) -> Option<Result<(), Cause>> {
        let asking = self.pings.asking.get_mut(&session)?;
        let (job, peer, took) = (asking.job, asking.peer, now.since(asking.begun));
        let reply = match asking.calling.finish(frame) {
            Ok((_session, reply)) => reply,
            Err(error) => return Some(Err(error.into())),
        };
        self.out.push(Out::Report(Report::Mutual(peer)));
        self.hear_features(peer, &reply.features);
        self.end_ping(job, peer, Some(took));
        Some(Ok(()))
    }

    /// A ping of theirs was opened. It waits for the engine's word, and is forgotten without one.
    pub(super) fn pinged(
        &mut self,
        time: Time,
        came: Came<'_>,
        called: Called,
        hello: &Hello,
        sender: Admitted,
        handshake: Mark,
    ) -> Result<(), Cause> {
        let (key, peer) = ((hello.call, sender.leg), sender.peer);
        let waits = self.pings.asked.values().any(|it| it.peer == peer);
        if waits
            || self.pings.asked.len() >= budget::PINGS_UNANSWERED
            || !self.pings.answered.take(time.now, peer)
        {
            return Err(Cause::TooMany);
        }
        let route = route(came, hello, sender.preconnect, sender.ways).ok_or(Cause::Unsupported)?;
        self.hear_features(peer, &hello.features);
        let until = time.now + hello.lifetime.min(LIVES);
        self.pings.asked.insert(key, Asked { called, route, peer, handshake, until });
        self.out.push(Out::Report(Report::Pinged { call: key.0, leg: key.1, peer }));
        Ok(())
    }

    /// The engine lets a ping of theirs be answered.
    pub(super) fn pong(&mut self, key: Key) {
        let Some(Asked { called, route, peer, handshake, .. }) = self.pings.asked.remove(&key) else {
            return;
        };
        let revision = self.peers.own().map_or(0, |own| own.revision);
        match called.reply(revision, &self.features(peer)) {
            Ok((_session, message_2)) => {
                route.post_one(0, peer, &message_2, ANSWER_LIVES, &mut self.out);
                self.keep_away(peer, handshake);
            }
            Err(error) => tracing::warn!(%error, "cannot answer a ping"),
        }
    }

    /// What is due of pings.
    pub(super) fn tick_pings(&mut self, now: Moment) {
        for asking in self.pings.asking.values_mut() {
            asking.repeat.due(now, &mut self.out);
        }
        let over = |it: &&Asking| it.begun + LIVES <= now;
        let ended: Vec<_> = self.pings.asking.values().filter(over).map(|it| (it.job, it.peer)).collect();
        self.pings.asking.retain(|_, it| it.begun + LIVES > now);
        let mut jobs = Vec::new();
        for (job, peer) in ended {
            if !jobs.contains(&job) {
                jobs.push(job);
                self.end_ping(job, peer, None);
            }
        }
        // Theirs that got no word are asked about once.
        let stale = |it: &&Asked| it.until <= now;
        let marks: Vec<_> =
            self.pings.asked.values().filter(stale).map(|it| (it.peer, it.handshake)).collect();
        self.pings.asked.retain(|_, it| it.until > now);
        marks.into_iter().for_each(|(peer, handshake)| self.keep_away(peer, handshake));
    }

    /// What we say to this contact that we can do.
    pub(super) fn features(&self, peer: PeerId) -> Vec<String> {
        if self.peers.may_ping(peer) { vec![PING.to_owned()] } else { Vec::new() }
    }

    /// What a contact says that it can do.
    pub(super) fn hear_features(&mut self, peer: PeerId, features: &[String]) {
        let answers = features.iter().any(|feature| feature == PING);
        self.out.push(Out::Report(Report::PingThere(peer, answers)));
    }
}
