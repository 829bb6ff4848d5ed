//! Pairing by a code, as a machine: one at a time, what is asked of relays, what is shown, when it ends.
//!
//! Lives here: beginnings and ends of a pairing, cards and disks, and what is due. What a relay says: `answers.rs`; the phases:
//! `run.rs`.
//! Must not: do anything: it returns what is to be done; read a clock, make randomness, know a link or a file.

mod answers;
mod failures;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::{Moment, PeerId};
use ahoy_proto::card::Card;
use ahoy_proto::envelope::Body;
use ahoy_proto::pair::code::Code;
use ahoy_proto::pair::meeting::{MeetingError, Next};
use ahoy_proto::plate::PlateAsk;

use self::failures::Failures;
pub use self::run::Draw;
use self::run::{Phase, Run, Spot, places, reachable};
use crate::values::near::PAIRING_PLACE;
use crate::values::pairing::{PairingEnd, PairingRow, PairingState};
use crate::values::request::{Denied, DeniedKind};

/// How long a relay may take to answer; one that is too old never does.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// The same of one that is to be linked to first.
const LINKS_WITHIN: Duration = Duration::from_secs(10);
/// How long before its end a code is said to end.
const SOON: Duration = Duration::from_secs(30);

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Do {
    /// Ask this of the relay at this address, or of neighbours.
    Ask(String, PlateAsk),
    /// Offer this number among neighbours too.
    Offer(u32),
    /// The code, for who asked for one.
    Show(Code),
    /// There is none, for who asked for one.
    Refuse(Denied),
    /// A card of ours is wanted: [`Pairing::card_made`].
    MakeCard,
    /// Keep this contact: [`Pairing::kept`].
    Keep(Box<Card>),
    /// Nobody uses the card that was made.
    TakeBack(String),
    /// Both have the other's card: who they are, and the card of ours that they have.
    Bind(PeerId, String),
}

/// What is known of who is a contact now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// Who.
    pub peer: PeerId,
    /// As they are called here.
    pub name: String,
    /// To be compared.
    pub safety_number: String,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Pairing {
    run: Option<Run>,
    row: PairingRow,
    failures: Failures,
}

impl Pairing {
    /// What is shown of it.
    pub fn row(&self) -> &PairingRow {
        &self.row
    }

    /// A code is wanted. `up`: the relays that are connected, and where we have neighbours [`PAIRING_PLACE`], the last.
    pub fn start(&mut self, now: Moment, own: PeerId, up: &[String], draw: Draw) -> Result<Vec<Do>, Denied> {
        self.look(now)?;
        let relays = reachable(up)?;
        let mut to_do = self.end(now, PairingEnd::Replaced);
        self.begin(now, false, Run::new(own, relays, draw, None, Phase::Claiming));
        to_do.extend(self.ask());
        Ok(to_do)
    }

    /// A code was typed. `up`: the same; `foreign`: relays that are none of ours, and may be linked to for this.
    pub fn join(
        &mut self,
        now: Moment,
        own: PeerId,
        (up, foreign): (&[String], &[String]),
        draw: Draw,
        code: Code,
    ) -> Result<Vec<Do>, Denied> {
        self.look(now)?;
        let ours = self.run.as_ref().filter(|run| matches!(run.phase, Phase::Waiting));
        let ours = ours.and_then(|run| run.code.as_ref());
        if ours.is_some_and(|ours| ours.fits(&code)) {
            let sentence = "This is your own code: say it to somebody else, who types it there.";
            return Err(Denied::new(DeniedKind::InvalidOption, sentence));
        }
        let relays = places(up, foreign, code.relay.as_deref())?;
        let mut to_do = self.end(now, PairingEnd::Replaced);
        self.begin(now, true, Run::new(own, relays, draw, Some(code), Phase::Joining));
        to_do.extend(self.ask());
        Ok(to_do)
    }

    /// What runs is not wanted any more. Nothing runs, or their card is being written: nothing.
    pub fn cancel(&mut self, now: Moment) -> Vec<Do> {
        if self.is_keeping() { Vec::new() } else { self.end(now, PairingEnd::Canceled) }
    }

    /// The connection to this relay ended, and what it held for us there.
    pub fn lost(&mut self, now: Moment, relay: &str) -> Vec<Do> {
        if !self.is_at(relay) || self.is_keeping() {
            return Vec::new();
        }
        if let Some(run) = self.run.as_mut().filter(|run| run.also_near) {
            // Neighbours find it still.
            (run.relays, run.also_near) = ([Spot::Neighbours].into(), false);
            return Vec::new();
        }
        if self.run.as_ref().is_some_and(|run| matches!(run.phase, Phase::Joining)) {
            return self.next_relay(now, PairingEnd::Unreachable);
        }
        self.end(now, PairingEnd::Lost)
    }

    /// The card that was wanted; none if the disk did not take it.
    pub fn card_made(&mut self, now: Moment, card: Option<String>) -> Vec<Do> {
        let Some(run) = &mut self.run else { return card.map(Do::TakeBack).into_iter().collect() };
        // One that an earlier pairing had asked for comes late, where the disk is slow.
        let meeting = match (&mut run.phase, &run.card) {
            (Phase::Meeting(meeting), None) if meeting.is_confirmed() => meeting,
            _ => return card.map(Do::TakeBack).into_iter().collect(),
        };
        let Some(card) = card else { return self.end(now, PairingEnd::NotKept) };
        run.card = Some(card.clone());
        let given = meeting.give(card);
        self.follow(now, given)
    }

    /// Their card is kept; nobody if the disk did not take it.
    pub fn kept(&mut self, now: Moment, friend: Option<Friend>) -> Vec<Do> {
        let Some(Run { phase: Phase::Keeping(peer, meeting), card, .. }) = &mut self.run else {
            return Vec::new();
        };
        let peer = *peer;
        let Some(friend) = friend.filter(|friend| friend.peer == peer) else {
            return self.end(now, PairingEnd::NotKept);
        };
        let card = card.take();
        let last = meeting.take().and_then(|mut meeting| meeting.kept().ok());
        let mut to_do = last.map_or_else(Vec::new, |last| self.say(last));
        to_do.extend(self.ask_of_present(PlateAsk::Leave));
        to_do.extend(card.map(|card| Do::Bind(peer, card)));
        self.run = None;
        self.failures.forget();
        let Friend { peer, name, safety_number } = friend;
        self.row = PairingRow {
            state: Some(PairingState::Paired),
            deadline_boot: 0,
            ends_soon: false,
            contact: Some(peer),
            name,
            safety_number,
            ..std::mem::take(&mut self.row)
        };
        to_do
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        let run = self.run.as_ref()?;
        match run.phase {
            Phase::Waiting if !self.row.ends_soon => Some(soon(run.until)),
            // The disk has an end of its own.
            Phase::Keeping(..) => None,
            Phase::Claiming | Phase::Waiting | Phase::Joining | Phase::Meeting(_) => Some(run.until),
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Moment) -> Vec<Do> {
        if self.deadline().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let Some(run) = &self.run else { return Vec::new() };
        match run.phase {
            Phase::Waiting if now < run.until => {
                self.row.ends_soon = true;
                Vec::new()
            }
            Phase::Waiting => self.end(now, PairingEnd::Expired),
            Phase::Claiming | Phase::Joining => {
                let foreign = matches!(run.relays.front(), Some(Spot::Foreign(_)));
                let why = if foreign { PairingEnd::Unreachable } else { PairingEnd::OldRelay };
                self.next_relay(now, why)
            }
            Phase::Meeting(_) => self.end(now, PairingEnd::Silent),
            Phase::Keeping(..) => Vec::new(),
        }
    }

    fn begin(&mut self, now: Moment, joined: bool, run: Run) {
        let until = now + run.answers_within();
        self.row = PairingRow {
            serial: self.row.serial + 1,
            state: Some(PairingState::Asking),
            joined,
            deadline_boot: until.micros(),
            ..PairingRow::default()
        };
        self.run = Some(Run { until, ..run });
    }

    /// Asks the present relay for what the phase wants.
    fn ask(&mut self) -> Option<Do> {
        let run = self.run.as_ref()?;
        let ask = match (&run.phase, &run.code) {
            (Phase::Joining, Some(code)) => PlateAsk::Join(code.number),
            _ => PlateAsk::Claim,
        };
        self.ask_of_present(ask)
    }

    fn ask_of_present(&self, ask: PlateAsk) -> Option<Do> {
        let spot = self.run.as_ref()?.relays.front()?;
        Some(Do::Ask(spot.address().to_owned(), ask))
    }

    fn is_keeping(&self) -> bool {
        self.run.as_ref().is_some_and(|run| matches!(run.phase, Phase::Keeping(..)))
    }

    /// Whether another may begin.
    fn look(&mut self, now: Moment) -> Result<(), Denied> {
        if self.is_keeping() {
            let sentence = "Another pairing is about to succeed: try again in a moment.";
            return Err(Denied::new(DeniedKind::Busy, sentence));
        }
        self.failures.look(now)
    }

    fn is_at(&self, relay: &str) -> bool {
        let Some(run) = &self.run else { return false };
        let near = relay == PAIRING_PLACE && run.also_near;
        near || run.relays.front().is_some_and(|at| at.address() == relay)
    }

    fn follow(&mut self, now: Moment, heard: Result<Vec<Next>, MeetingError>) -> Vec<Do> {
        let next = match heard {
            Ok(next) => {
                if let Some(run) = &mut self.run {
                    run.shown = matches!(&run.phase, Phase::Meeting(meeting) if meeting.has_answered());
                }
                next
            }
            Err(error) => {
                tracing::debug!(%error, "a pairing fails");
                return match error {
                    MeetingError::WrongCode => self.next_or(now, PairingEnd::WrongCode),
                    MeetingError::Misplaced | MeetingError::Seal | MeetingError::NoCard => {
                        self.end(now, PairingEnd::Altered)
                    }
                    MeetingError::TooLong => self.end(now, PairingEnd::NotKept),
                };
            }
        };
        let mut to_do = Vec::new();
        for it in next {
            match it {
                Next::Say(message) => to_do.extend(self.say(message)),
                Next::WantsCard => to_do.push(Do::MakeCard),
                Next::Keep(card) => to_do.extend(self.keep(now, card)),
            }
        }
        to_do
    }

    fn keep(&mut self, now: Moment, card: Box<Card>) -> Vec<Do> {
        let peer = card.peer_id();
        let Some(run) = self.run.as_mut() else { return Vec::new() };
        if peer == run.own {
            return self.end(now, PairingEnd::Own);
        }
        let Phase::Meeting(meeting) = std::mem::replace(&mut run.phase, Phase::Joining) else {
            return Vec::new();
        };
        run.phase = Phase::Keeping(peer, (!self.row.joined).then_some(meeting));
        vec![Do::Keep(card)]
    }

    fn say(&self, message: Vec<u8>) -> Vec<Do> {
        let body = Body::try_from(message).ok();
        body.and_then(|body| self.ask_of_present(PlateAsk::Say(body))).into_iter().collect()
    }

    /// Nothing comes of what runs.
    fn end(&mut self, now: Moment, why: PairingEnd) -> Vec<Do> {
        if self.run.is_none() {
            return Vec::new();
        }
        let mut to_do: Vec<Do> = self.ask_of_present(PlateAsk::Leave).into_iter().collect();
        let Some(run) = self.run.take() else { return to_do };
        if run.also_near {
            to_do.push(Do::Ask(PAIRING_PLACE.to_owned(), PlateAsk::Leave));
        }
        let nobody = matches!(why, PairingEnd::NoSuchCode | PairingEnd::OldRelay | PairingEnd::Unreachable);
        let why = if run.wrong && nobody { PairingEnd::WrongCode } else { why };
        if matches!(run.phase, Phase::Claiming) {
            let kind = match why {
                PairingEnd::Rate | PairingEnd::Full => DeniedKind::RateLimited,
                PairingEnd::OldRelay => DeniedKind::NotSupported,
                PairingEnd::Lost | PairingEnd::Unreachable => DeniedKind::NotConnected,
                PairingEnd::WrongCode
                | PairingEnd::NoSuchCode
                | PairingEnd::Expired
                | PairingEnd::Canceled
                | PairingEnd::Replaced
                | PairingEnd::Left
                | PairingEnd::Silent
                | PairingEnd::Altered
                | PairingEnd::Own
                | PairingEnd::NotKept => DeniedKind::Failed,
            };
            to_do.push(Do::Refuse(Denied::new(kind, why.sentence())));
        }
        to_do.extend(run.card.map(Do::TakeBack));
        // However it ends: one that breaks off behind our answer has had its guess.
        if why == PairingEnd::WrongCode || run.wrong || run.shown {
            self.failures.note(now);
        }
        self.row.state = Some(PairingState::Failed);
        self.row.reason = Some(why);
        self.row.sentence = why.sentence().to_owned();
        (self.row.deadline_boot, self.row.ends_soon) = (0, false);
        tracing::info!(why = why.word(), "a pairing ended without a contact");
        to_do
    }
}

fn soon(until: Moment) -> Moment {
    let before = u64::try_from(SOON.as_micros()).unwrap_or(0);
    Moment::from_micros(until.micros().saturating_sub(before))
}
