//! Message 1 as it comes in: a ring, a goodbye or a note of who may, and nothing at all for everybody else.
//!
//! Lives here: what must be right before anything of a message 1 is believed.
//! Must not: answer; the rules say when.

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, Moment, RingPolicy};
use ahoy_proto::envelope::TokenHash;
use ahoy_proto::hello::{Hello, HelloKind};
use ahoy_proto::session::{Called, Ephemeral, SessionId};

use super::{Sessions, Time};
use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::line::{Line, Out, Stage, chance};
use crate::signal::peers::Admitted;
use crate::signal::replay::Mark;

/// Rings that may wait for the rules' answer at once, over all contacts.
const MOST_UNANSWERED: usize = 32;

impl Sessions {
    /// Message 1. Whatever is wrong with it, or with its sender: nothing is sent, nothing is reported.
    pub(super) fn hello(
        &mut self,
        time: Time,
        token: TokenHash,
        held: Duration,
        session: SessionId,
        frame: &[u8],
        out: &mut Vec<Out>,
    ) -> Result<(), Cause> {
        if let Some(line) = self.line(session) {
            return match &line.stage {
                Stage::Called { called: Some(called), .. } if called.is_repeat(frame) => Ok(()),
                Stage::Open(session) => {
                    let message_2 = session.again(frame).ok_or(Cause::Replayed)?.to_vec();
                    line.post(&message_2, out);
                    Ok(())
                }
                Stage::Called { .. } | Stage::Calling { .. } => Err(Cause::Replayed),
            };
        }
        let handshake = Mark::of("handshake", frame);
        if self.replay.contains(handshake) {
            return Err(Cause::Replayed);
        }
        let own = Arc::clone(self.peers.own().ok_or(Cause::UnknownSender)?);
        let ephemeral = Ephemeral(chance().ok_or(Cause::Unsupported)?);
        let (called, hello) = Called::open(&own.noise, own.certificate.device(), &ephemeral, frame)?;
        let sender = self.peers.admit(time.unix_s, token, &hello.certificate)?;
        if sender.newly_bound {
            out.push(Out::Report(Report::Bound { token: token.bytes(), peer: sender.peer }));
        }
        match hello.kind {
            HelloKind::Ring => {
                let ring = Mark::of("ring", &hello.call.bytes());
                if self.replay.contains(ring) {
                    return Err(Cause::Replayed);
                }
                self.rung(time.now, called, &hello, sender, out)?;
                self.replay.insert(ring);
            }
            HelloKind::Bye => {
                let (call, leg) = (hello.call, sender.leg);
                out.push(Out::Report(Report::Event(Event::Bye { call, leg })));
            }
            HelloKind::Missed => {
                if self.replay.contains(Mark::of("let in", &hello.call.bytes())) {
                    return Err(Cause::Replayed);
                }
                // The lifetime of a note is how long ago the call began when it was sealed.
                let ago = i64::try_from((held + hello.lifetime).as_micros()).unwrap_or(i64::MAX);
                let at_unix_us = time.unix_s.saturating_mul(1_000_000).saturating_sub(ago);
                // Its ring, late from some mailbox, is no news any more.
                self.replay.insert(Mark::of("ring", &hello.call.bytes()));
                let note = Event::MissedNote { call: hello.call, peer: sender.peer, at_unix_us };
                out.push(Out::Report(Report::Event(note)));
            }
            HelloKind::Ping | HelloKind::Card(_) => return Err(Cause::Unsupported),
        }
        self.replay.insert(handshake);
        Ok(())
    }

    fn rung(
        &mut self,
        now: Moment,
        called: Called,
        hello: &Hello,
        sender: Admitted,
        out: &mut Vec<Out>,
    ) -> Result<(), Cause> {
        let key = (hello.call, sender.leg);
        let unanswered =
            self.lines.values().filter(|line| matches!(line.stage, Stage::Called { .. })).count();
        if self.lines.contains_key(&key) || unanswered >= MOST_UNANSWERED {
            return Err(Cause::TooMany);
        }
        self.by_session.insert(called.id(), key);
        let stage = Stage::Called { called: Some(called), until: now + hello.lifetime };
        self.lines.insert(key, Line::new(key, sender.peer, sender.route, stage, now));
        out.push(Out::Report(Report::Event(Event::Rung {
            call: hello.call,
            leg: sender.leg,
            peer: sender.peer,
            lifetime: hello.lifetime,
            preconnect: sender.preconnect,
            policy: RingPolicy::Normal,
        })));
        Ok(())
    }

    /// It rang or has a row here: a note of the same call tells nothing new.
    pub(super) fn let_in(&mut self, call: CallId) {
        self.replay.insert(Mark::of("let in", &call.bytes()));
    }
}
