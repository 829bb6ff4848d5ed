//! What follows from what a relay says, and from what comes through it.
//!
//! Lives here: numbers that it gives, the other who comes, the end of a number, the relay that is asked next.
//! Must not: begin or end a pairing by itself; keep a contact.

use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::pair::code::Code;
use ahoy_proto::pair::meeting::Meeting;
use ahoy_proto::plate::{PlateAsk, PlateNews, PlateOver};

use super::run::{Phase, Spot};
use super::{Do, Pairing};
use crate::values::near::PAIRING_PLACE;
use crate::values::pairing::{PairingEnd, PairingState};

/// How long the other may be silent once both are there.
const SPEAKS_WITHIN: Duration = Duration::from_secs(30);

impl Pairing {
    /// The relay at this address says something.
    pub fn hear(&mut self, now: Moment, relay: &str, news: PlateNews) -> Vec<Do> {
        if !self.is_at(relay) {
            return Vec::new();
        }
        let before = match self.near(relay, &news) {
            Some(before) => before,
            // Nobody has come there, so nothing is over.
            None if self.run.as_ref().is_some_and(|run| run.also_near) && relay == PAIRING_PLACE => {
                return Vec::new();
            }
            None => Vec::new(),
        };
        before.into_iter().chain(self.go_on(now, news)).collect()
    }

    /// Where a number is offered at a relay and among neighbours, the first who comes decides. None: it is not.
    fn near(&mut self, from: &str, news: &PlateNews) -> Option<Vec<Do>> {
        let run = self.run.as_mut().filter(|run| run.also_near)?;
        let relay = run.relays.front()?.address().to_owned();
        match news {
            PlateNews::Met if from == PAIRING_PLACE => {
                (run.relays, run.also_near) = ([Spot::Neighbours].into(), false);
                Some(vec![Do::Ask(relay, PlateAsk::Leave)])
            }
            PlateNews::Met => {
                run.also_near = false;
                Some(vec![Do::Ask(PAIRING_PLACE.to_owned(), PlateAsk::Leave)])
            }
            PlateNews::Claimed(..) | PlateNews::Said(_) | PlateNews::Over(_) => None,
        }
    }

    fn go_on(&mut self, now: Moment, news: PlateNews) -> Vec<Do> {
        let Some(run) = &mut self.run else { return Vec::new() };
        match (news, &mut run.phase) {
            (PlateNews::Claimed(number, lives), Phase::Claiming) => self.claimed(now, number, lives),
            (PlateNews::Met, Phase::Waiting) => {
                let Some((code, name, chance)) = run.take_meeting() else {
                    return self.end(now, PairingEnd::Altered);
                };
                let (meeting, first) = Meeting::start(&code, &name, chance);
                self.meet(now, meeting);
                self.say(first)
            }
            (PlateNews::Met, Phase::Joining) => {
                let Some((code, name, chance)) = run.take_meeting() else {
                    return self.end(now, PairingEnd::Altered);
                };
                self.meet(now, Meeting::join(&code, &name, chance));
                Vec::new()
            }
            (PlateNews::Said(body), Phase::Meeting(meeting)) => {
                let heard = meeting.hear(body.bytes());
                run.until = now + SPEAKS_WITHIN;
                self.follow(now, heard)
            }
            (PlateNews::Over(why), _) => self.over(now, why),
            // What a lying relay says out of turn; a number that it gives late is not used.
            (PlateNews::Claimed(..) | PlateNews::Met | PlateNews::Said(_), _) => Vec::new(),
        }
    }

    fn claimed(&mut self, now: Moment, number: u32, lives: Duration) -> Vec<Do> {
        let Some(run) = &mut self.run else { return Vec::new() };
        let words = run.draw.words;
        let spot = run.relays.front();
        let code = spot
            .and_then(|spot| words.chunks_exact(4).find_map(|four| spot.draw(number, four.try_into().ok()?)));
        // A number that nobody could type is none.
        let code = code.filter(|code| Code::parse(&code.say()).as_ref() == Ok(code));
        let Some(code) = code else { return self.end(now, PairingEnd::Altered) };
        run.code = Some(code.clone());
        run.phase = Phase::Waiting;
        run.until = now + lives.min(ahoy_proto::limits::PLATE_LIVES);
        self.row.state = Some(PairingState::Waiting);
        self.row.deadline_boot = run.until.micros();
        run.also_near =
            run.relays.front() != Some(&Spot::Neighbours) && run.relays.contains(&Spot::Neighbours);
        let near = run.also_near.then_some(Do::Offer(number));
        near.into_iter().chain([Do::Show(code)]).collect()
    }

    fn meet(&mut self, now: Moment, meeting: Meeting) {
        let Some(run) = &mut self.run else { return };
        run.phase = Phase::Meeting(Box::new(meeting));
        run.until = now + SPEAKS_WITHIN;
        self.row.state = Some(PairingState::Meeting);
        self.row.deadline_boot = run.until.micros();
        self.row.ends_soon = false;
    }

    fn over(&mut self, now: Moment, why: PlateOver) -> Vec<Do> {
        let Some(run) = &self.run else { return Vec::new() };
        let end = match why {
            PlateOver::NoSuch => PairingEnd::NoSuchCode,
            PlateOver::Expired => PairingEnd::Expired,
            PlateOver::Left | PlateOver::Unknown => PairingEnd::Left,
            PlateOver::Rate => PairingEnd::Rate,
            PlateOver::Full => PairingEnd::Full,
            PlateOver::TooMuch => PairingEnd::Altered,
        };
        match &run.phase {
            // What comes now comes behind the last word.
            Phase::Keeping(..) => Vec::new(),
            Phase::Claiming | Phase::Joining => self.next_relay(now, end),
            Phase::Waiting => self.end(now, end),
            // They leave at once if our words do not fit, and say no more than that.
            // So does a relay that asks us to try again: the code is spent.
            Phase::Meeting(meeting) if end != PairingEnd::Expired && meeting.has_answered() => {
                self.next_or(now, PairingEnd::WrongCode)
            }
            Phase::Meeting(_) if end == PairingEnd::Expired => self.end(now, PairingEnd::Silent),
            Phase::Meeting(_) => self.end(now, end),
        }
    }

    /// Goes on with the next relay, or ends.
    pub(super) fn next_relay(&mut self, now: Moment, otherwise: PairingEnd) -> Vec<Do> {
        let Some(run) = self.run.as_mut().filter(|run| run.relays.len() > 1) else {
            return self.end(now, otherwise);
        };
        // Nothing that comes late is held there, and no link to a foreign one.
        let left = run.relays.pop_front().map(|spot| Do::Ask(spot.address().to_owned(), PlateAsk::Leave));
        run.until = now + run.answers_within();
        self.row.deadline_boot = run.until.micros();
        left.into_iter().chain(self.ask()).collect()
    }

    /// Words that do not fit at one relay may be a stranger's number there: who typed them goes on with the next.
    pub(super) fn next_or(&mut self, now: Moment, end: PairingEnd) -> Vec<Do> {
        let more = self.row.joined && self.run.as_ref().is_some_and(|run| run.relays.len() > 1);
        let (Some(run), true) = (&mut self.run, more) else { return self.end(now, end) };
        (run.phase, run.wrong) = (Phase::Joining, true);
        self.row.state = Some(PairingState::Asking);
        self.next_relay(now, end)
    }
}
