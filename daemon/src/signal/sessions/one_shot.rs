//! What is sent without a session: a `bye`, the farewell of an account, and the note of a call that nobody there heard.
//!
//! Lives here: how long each is offered, and how many at once.
//! Must not: wait for an answer: there is none.

use std::time::Duration;

use ahoy_call::{CallId, Moment, PeerId};
use ahoy_proto::envelope::EnvelopeId;
use ahoy_proto::hello::{HelloKind, NO_CALL};
use ahoy_proto::limits;

use super::rings::About;
use super::{Key, Sessions, Time};
use crate::signal::Report;
use crate::signal::peer_line::{Out, Repeat};

/// How long a `bye` is of use: the other's own window is over by then.
const BYE_LIVES: Duration = Duration::from_secs(60);
/// How long a note of a missed call is offered to a relay that does not take it.
const NOTE_TRIED: Duration = Duration::from_secs(600);
/// How long a farewell is offered: its owner waits for it.
const FAREWELL_TRIED: Duration = Duration::from_secs(20);
/// Errands on their way at once.
const MOST_ERRANDS: usize = 64;

impl Sessions {
    /// Tells each device of a contact that a call is over of which we know nothing any more. If it was a call of theirs that
    /// we had not answered, their relays may not know yet that we are there: it goes by relays of our own, if at all, and
    /// their ring ends by itself.
    pub(super) fn bye(&mut self, time: Time, call: CallId, peer: PeerId, unanswered: bool) {
        let shy = unanswered && !self.peers.may_preconnect(peer);
        for (device, _) in self.peers.devices(time.unix_s, peer) {
            if self.one_shot.len() >= MOST_ERRANDS {
                return;
            }
            let about = About { call, peer, leg: device.leg_id(), lifetime: BYE_LIVES, kind: HelloKind::Bye };
            let errand = self.begin(time, &about).and_then(|(calling, mut route)| {
                let left = !shy || route.keep_ours();
                left.then(|| Repeat::new(route, calling.message_1().to_vec(), time.now, BYE_LIVES))?
            });
            self.run_errand(time.now, errand);
        }
    }

    /// Tells each device of a contact that this account ends: into its mailbox, for who is away now. Reported when a relay has
    /// each, or at once if there is no way.
    pub(super) fn farewell(&mut self, time: Time, peer: PeerId) {
        let mut sent = false;
        for (device, _) in self.peers.devices(time.unix_s, peer) {
            if self.one_shot.len() >= MOST_ERRANDS {
                break;
            }
            let about = About {
                call: NO_CALL,
                peer,
                leg: device.leg_id(),
                lifetime: BYE_LIVES,
                kind: HelloKind::Bye,
            };
            let errand = self.begin(time, &about).and_then(|(calling, route)| {
                let errand = Repeat::new(route, calling.message_1().to_vec(), time.now, FAREWELL_TRIED)?;
                Some(errand.kept(limits::TTL))
            });
            if let Some(errand) = &errand {
                self.farewells.push((errand.id, peer));
                sent = true;
            }
            self.run_errand(time.now, errand);
        }
        if !sent {
            self.out.push(Out::Report(Report::Farewell { peer, told: false }));
        }
    }

    /// A relay has taken this envelope.
    pub(super) fn farewell_taken(&mut self, envelope: EnvelopeId) {
        let Some(at) = self.farewells.iter().position(|(id, _)| *id == envelope) else { return };
        let (_, peer) = self.farewells.swap_remove(at);
        if self.farewells.iter().all(|(_, other)| *other != peer) {
            self.out.push(Out::Report(Report::Farewell { peer, told: true }));
        }
    }

    /// Seals a note into the mailbox of a device that is not known to have rung: it will be read when that device is back.
    /// Nobody acknowledges it.
    pub(super) fn note_missed(&mut self, time: Time, key: Key, peer: PeerId) {
        if self.one_shot.len() >= MOST_ERRANDS {
            return;
        }
        let now = time.now;
        let ago = self.lines.get(&key).map_or(Duration::ZERO, |line| now.since(line.begun));
        let lifetime = ago.min(limits::RING_LIFETIME);
        let about = About { call: key.0, peer, leg: key.1, lifetime, kind: HelloKind::Missed };
        let sealed = self.begin(time, &about);
        let errand = sealed.and_then(|(calling, route)| {
            Some(Repeat::new(route, calling.message_1().to_vec(), now, NOTE_TRIED)?.kept(limits::TTL))
        });
        self.run_errand(now, errand);
    }

    /// Sends it for the first time; none if it could not be made.
    fn run_errand(&mut self, now: Moment, errand: Option<Repeat>) {
        if let Some(mut errand) = errand {
            errand.due(now, &mut self.out);
            self.one_shot.push(errand);
        }
    }
}
