//! Message 1 as it comes in: a ring, a goodbye, a note or a card of who may, and nothing at all for everybody else.
//!
//! Lives here: what must be right before anything of a message 1 is believed, and where its sender may be answered.
//! Must not: answer; the rules say when.

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, Moment, PeerId, RingPolicy};
use ahoy_proto::hello::{CALLEE_OFFERS, Hello, HelloKind, NO_CALL};
use ahoy_proto::limits;
use ahoy_proto::session::{Called, Ephemeral, SessionId};

use super::rings::ring_mark;
use super::{Came, Sessions, Time};
use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::peer_line::{Out, PeerLine, Route, Stage, chance};
use crate::signal::peers::{Admitted, Way};
use crate::signal::replay::Mark;
use crate::values::budget;

/// How wrong clocks may be before a message 1 that a relay may have kept is too old.
const CLOCK_SLACK: Duration = Duration::from_secs(86_400);
/// Rings of one contact whose repeats are known to be kept away.
const MOST_KEPT_AWAY: usize = 64;
/// Said in the row of a ring that could not be answered.
const TOO_OLD: &str = "It did not ring: their ahoy is an older one, which can only be answered at a relay of theirs, and \
                       you let this contact learn your network address after an answer only.";

/// Whose handshakes are counted: the contact to whom the token belongs, or the token while nobody has used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Knocker {
    /// By its id.
    Contact(PeerId),
    /// By the token's hash.
    Token([u8; 16]),
}

impl Sessions {
    /// Message 1. Whatever is wrong with it, or with its sender: nothing is sent, nothing is reported.
    pub(super) fn hello(
        &mut self,
        time: Time,
        came: Came<'_>,
        session: SessionId,
        frame: &[u8],
    ) -> Result<(), Cause> {
        // An answer that waits for its mark is said once, when that is on the disk.
        let unmarked = self.replay.made() > self.replay.over();
        if let Some(line) = self.by_session.get(&session).and_then(|key| self.lines.get_mut(key)) {
            if unmarked && matches!(line.stage, Stage::Open(_)) {
                return Err(Cause::TooMany);
            }
            return repeated(line, time.now, came, frame, &mut self.out);
        }
        if !came.standing {
            // The inbox was made for a call of ours, and takes its answers alone.
            return Err(Cause::UnknownSession);
        }
        let own = Arc::clone(self.peers.own().ok_or(Cause::UnknownSender)?);
        // Before the exchange of keys, which costs more than all of this.
        let owner = match self.peers.owner(came.token) {
            Err(Cause::UnknownToken) => return self.met_by_card(time, came, session, frame),
            owner => owner?,
        };
        let handshake = Mark::of("handshake", frame);
        if let Some(peer) = owner {
            self.is_new(peer, handshake)?;
        }
        let knocker = owner.map_or(Knocker::Token(came.token.bytes()), Knocker::Contact);
        self.within_handshakes(time.now, knocker)?;
        let ephemeral = Ephemeral(chance().ok_or(Cause::Unsupported)?);
        let (called, hello) = Called::open(&own.noise, own.certificate.device(), &ephemeral, frame)?;
        let known = match self.peers.known(time.unix_s, came.token, &hello) {
            Err(Cause::UnknownSender) if matches!(hello.kind, HelloKind::Card(_)) => {
                return self.asked(time, came.token, hello);
            }
            known => known?,
        };
        if owner.is_none() {
            self.is_new(known.peer, handshake)?;
            self.within_handshakes(time.now, Knocker::Contact(known.peer))?;
        }
        if is_kept_for_too_long(time.unix_s, &hello) {
            return Err(Cause::Replayed);
        }
        // To whom it is not allowed nothing happens at all, as where there are no pings.
        if hello.kind == HelloKind::Ping && !known.ping {
            return Err(Cause::Unsupported);
        }
        let sender = self.peers.admit(known, came.token, &hello, came.is_near())?;
        if sender.newly_bound {
            self.out.push(Out::Report(Report::Bound { token: came.token.bytes(), peer: sender.peer }));
        }
        let peer = sender.peer;
        match &hello.kind {
            HelloKind::Ring => {
                if self.replay.contains(peer, ring_mark(hello.call)) {
                    return Err(Cause::Replayed);
                }
                self.rung(time, came, called, &hello, sender, handshake)?;
            }
            HelloKind::Meet => self.met(time, came, called, &hello, sender, handshake)?,
            HelloKind::Bye if hello.call == NO_CALL => {
                self.replay.insert(peer, handshake);
                self.out.push(Out::Report(Report::Ended(peer)));
            }
            HelloKind::Bye => {
                let (call, leg) = (hello.call, sender.leg);
                self.replay.insert(peer, handshake);
                self.report(Event::Bye { call, leg });
            }
            HelloKind::Missed => {
                if self.replay.contains(peer, let_in_mark(hello.call)) {
                    return Err(Cause::Replayed);
                }
                if !self.notes.take(time.now, peer) {
                    return Err(Cause::TooMany);
                }
                // The lifetime of a note is how long ago the call began when it was sealed.
                let ago = i64::try_from((came.held + hello.lifetime).as_micros()).unwrap_or(i64::MAX);
                let at_unix_us = time.unix_s.saturating_mul(1_000_000).saturating_sub(ago);
                // Its ring, late from some mailbox, is no news any more.
                self.replay.insert(peer, ring_mark(hello.call));
                self.replay.insert(peer, handshake);
                self.report(Event::MissedNote { call: hello.call, peer, at_unix_us, why: None });
            }
            HelloKind::Ping => self.pinged(time, came, called, &hello, sender, handshake)?,
            HelloKind::Card(card) => self.card_came(time, peer, &hello, card, handshake)?,
        }
        Ok(())
    }

    fn rung(
        &mut self,
        time: Time,
        came: Came<'_>,
        called: Called,
        hello: &Hello,
        sender: Admitted,
        handshake: Mark,
    ) -> Result<(), Cause> {
        let (key, peer) = ((hello.call, sender.leg), sender.peer);
        let waits = |line: &&PeerLine| matches!(line.stage, Stage::Called { .. });
        let of_all = self.lines.values().filter(waits).count();
        let of_them = self.lines.values().filter(waits).filter(|line| line.peer == peer).count();
        let full = of_all >= budget::UNANSWERED_OF_ALL || of_them >= budget::UNANSWERED;
        if self.lines.contains_key(&key) || full {
            return Err(Cause::TooMany);
        }
        let Some(route) = route(came, hello, sender.preconnect, sender.ways) else {
            return self.cannot_answer(time, peer, hello, handshake);
        };
        self.by_session.insert(called.id(), key);
        self.hear_features(peer, &hello.features);
        let stage =
            Stage::Called { called: Some(called), until: time.now + hello.lifetime, handshake, rings: true };
        self.lines.insert(key, PeerLine::new(key, peer, route, stage, time.now));
        let (lifetime, preconnect, policy) = (hello.lifetime, sender.preconnect, RingPolicy::Normal);
        let (call, leg) = (hello.call, sender.leg);
        let callee_offers = hello.features.iter().any(|feature| feature == CALLEE_OFFERS);
        self.report(Event::Rung { call, leg, peer, lifetime, preconnect, callee_offers, policy });
        Ok(())
    }

    /// There is no relay at which this caller may be answered. A person hears of it, once.
    fn cannot_answer(
        &mut self,
        time: Time,
        peer: PeerId,
        hello: &Hello,
        handshake: Mark,
    ) -> Result<(), Cause> {
        if !self.notes.take(time.now, peer) {
            return Err(Cause::TooMany);
        }
        self.replay.insert(peer, handshake);
        self.replay.insert(peer, ring_mark(hello.call));
        // The note that its daemon leaves would be a second row.
        self.let_in(peer, hello.call);
        let (call, at_unix_us) = (hello.call, time.unix_s.saturating_mul(1_000_000));
        self.report(Event::MissedNote { call, peer, at_unix_us, why: Some(TOO_OLD.to_owned()) });
        Ok(())
    }

    /// It was proved, or has a row here: a note of the same call tells nothing new.
    pub(super) fn let_in(&mut self, peer: PeerId, call: CallId) {
        self.replay.insert(peer, let_in_mark(call));
    }

    /// It was not let in: its repeats need not ask again. They are not worth a place on the disk.
    pub(super) fn keep_away(&mut self, peer: PeerId, handshake: Mark) {
        let of_them = self.kept_away.entry(peer).or_default();
        if of_them.len() >= MOST_KEPT_AWAY {
            of_them.pop_front();
        }
        of_them.push_back(handshake);
    }

    pub(super) fn is_new(&self, peer: PeerId, handshake: Mark) -> Result<(), Cause> {
        let away = self.kept_away.get(&peer).is_some_and(|of_them| of_them.contains(&handshake));
        if away || self.replay.contains(peer, handshake) { Err(Cause::Replayed) } else { Ok(()) }
    }

    pub(super) fn within_handshakes(&mut self, now: Moment, knocker: Knocker) -> Result<(), Cause> {
        if self.handshakes.take(now, knocker) { Ok(()) } else { Err(Cause::TooMany) }
    }
}

/// The same message 1 once more: the caller has not heard our answer, or another relay brings it too.
fn repeated(
    line: &mut PeerLine,
    now: Moment,
    came: Came<'_>,
    frame: &[u8],
    out: &mut Vec<Out>,
) -> Result<(), Cause> {
    match &line.stage {
        Stage::Called { called: Some(called), .. } if called.is_repeat(frame) => Ok(()),
        Stage::Open(session) => {
            let message_2 = session.again(frame).ok_or(Cause::Replayed)?.to_vec();
            line.route.add_relay(came.relay);
            line.answer(now, &message_2, out)
        }
        Stage::Called { .. } | Stage::Calling { .. } => Err(Cause::Replayed),
    }
}

/// What stands for a call that has its row.
fn let_in_mark(call: CallId) -> Mark {
    Mark::of("let in", &call.bytes())
}

/// Nobody who is honest lets a message 1 wait for that long; who kept it wants to play it once more. Older programs do not
/// say when it was made.
pub(super) fn is_kept_for_too_long(unix_s: i64, hello: &Hello) -> bool {
    let lives = match hello.kind {
        HelloKind::Missed | HelloKind::Card(_) => limits::TTL,
        HelloKind::Bye if hello.call == NO_CALL => limits::TTL,
        HelloKind::Ring | HelloKind::Meet | HelloKind::Bye | HelloKind::Ping => hello.lifetime,
    };
    let most = i64::try_from((lives + CLOCK_SLACK).as_secs()).unwrap_or(i64::MAX);
    hello.sent_s.is_some_and(|sent| unix_s.saturating_sub(sent) > most)
}

/// Where this caller is answered: at the inbox that it named, by the relay that brought its ring, which is ours. At the
/// relays of its card before an answer only if it may learn our address, or if they are ours as well. `None`: nowhere.
pub(super) fn route(came: Came<'_>, hello: &Hello, preconnect: bool, mut on_card: Vec<Way>) -> Option<Route> {
    // At the relay of the named inbox, that one is enough.
    on_card.retain(|way| hello.reply.is_none() || way.relay != came.relay);
    let (ours, theirs): (Vec<Way>, Vec<Way>) = on_card.into_iter().partition(|way| way.ours);
    let named = hello.reply.map(|to| Way {
        relay: came.relay.to_owned(),
        inbox: to.inbox,
        token: to.token,
        ours: true,
    });
    let mut ways: Vec<Way> = named.into_iter().chain(ours).collect();
    let mut after_answer = theirs;
    if preconnect {
        ways.append(&mut after_answer);
    }
    (!ways.is_empty()).then(|| Route::back(hello.reply.is_some(), ways, after_answer))
}
