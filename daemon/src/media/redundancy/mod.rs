//! How a voice is protected against loss: copies in later packets, asking again, and the time that both need.
//!
//! Lives here: the choice, pure, made by who listens from what it measures. For a side that takes neither: `reported.rs`.
//! Must not: measure, send, keep a packet, or know how much a line carries (`rate.rs` does).

mod history;
mod reported;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use self::history::History;
pub(super) use self::reported::Redundancy;

/// Copies of a frame at most, and packets between two of them.
const COPIES: u8 = 3;
const SPACING: u8 = 3;
/// Askings for one packet at most.
const ASKS: u8 = 16;
/// Less loss than this is not worth a millisecond.
const CLEAN: f32 = 0.002;
/// A mean run above this is more than chance; and of a row so much passes before it is known, on the average.
const LONELY: f32 = 1.8;
const BURST: f32 = 0.75;
/// What would delay the voice by more is not done.
const CEILING: f32 = 190.0;
/// What a copy and a per cent of frames that stay lost cost, in milliseconds of delay; how much may stay lost for nothing.
const COPY_COSTS: f32 = 15.0;
const LOST_COSTS: f32 = 60.0;
const FREE: f32 = 0.001;
/// How long after its time, and after what comes late by itself, a packet is asked for, and what an answer takes beside the round
/// trip.
const LATE_MS: f32 = 9.0;
const ANSWER_MS: f32 = 8.0;
/// A further asking comes so long after the answer was due, and not sooner than that.
const AGAIN_MS: f32 = 3.0;
const AGAIN_LEAST_MS: f32 = 8.0;
/// The share of answers that a busy machine gives too late.
const LATE_ANSWERS: f32 = 0.1;
/// A copy that came is decoded so soon.
const COPY_MS: f32 = 10.0;
/// The shares of loss that are told apart. A share in between counts as the next one.
const STEPS: [f32; 15] =
    [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.18, 0.22, 0.28, 0.35, 0.45, 1.0];

/// What a sender is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// So many earlier packets come again in each one, 0 to 3.
    pub copies: u8,
    /// So many packets lie between a packet and its first copy, and between that and the next, 1 to 3; 0 without copies.
    pub spacing: u8,
}

impl Protection {
    /// Of what the other side said.
    pub fn clamped(copies: u8, spacing: u8) -> Self {
        match copies {
            0 => Self::default(),
            _ => Self { copies: copies.min(COPIES), spacing: spacing.clamp(1, SPACING) },
        }
    }
}

/// How a voice comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// The share of packets that do not come by themselves, 0 to 1.
    pub share: f32,
    /// How many of them are missing in a row, on the average.
    pub run: f32,
    /// To the other side and back.
    pub round_trip: Duration,
    /// How much later than the fastest nearly all packets come.
    pub jitter: Duration,
    /// What one packet lasts.
    pub packet: Duration,
    /// Whether copies can be had.
    pub copies: bool,
    /// Whether a packet can be asked for.
    pub asks: bool,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Choice {
    /// What the sender is asked for.
    pub wanted: Protection,
    /// So many times a packet is asked for.
    pub asks: u8,
    /// So long after the fastest packets' schedule a frame must play, so that copies and answers come in time.
    pub floor: Duration,
}

/// The cheapest protection. With more loss the floor never falls.
pub(super) fn choose(loss: Loss) -> Choice {
    if loss.share.is_nan() || loss.share < CLEAN {
        return Choice::default();
    }
    let mut chosen = Candidate::default();
    for share in STEPS {
        chosen = Candidate::all(&loss, share)
            .filter(|candidate| candidate.delay(&loss) >= chosen.delay(&loss))
            .min_by(|a, b| a.cost(share, &loss).total_cmp(&b.cost(share, &loss)))
            .unwrap_or(chosen);
        if loss.share <= share {
            break;
        }
    }
    Choice {
        wanted: Protection::clamped(chosen.copies, chosen.spacing),
        asks: chosen.asks,
        floor: Duration::from_secs_f32(chosen.delay(&loss) / 1e3),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    copies: u8,
    spacing: u8,
    asks: u8,
}

impl Candidate {
    /// All that stay below the ceiling, for this share of loss.
    fn all(loss: &Loss, share: f32) -> impl Iterator<Item = Self> {
        let copies = if loss.copies { COPIES } else { 0 };
        let asks = if loss.asks { ASKS } else { 0 };
        // What is lost together must not be sent together.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 3")]
        let spacing = match loss.is_bursty(share) {
            true => (loss.run * 0.75).round().clamp(1.0, f32::from(SPACING)) as u8,
            false => 1,
        };
        (0..=copies)
            .flat_map(move |copies| (0..=asks).map(move |asks| Self { copies, spacing, asks }))
            .filter(|candidate| candidate.delay(loss) <= CEILING)
    }

    /// In milliseconds.
    fn delay(self, loss: &Loss) -> f32 {
        let ms = |time: Duration| time.as_secs_f32() * 1e3;
        let (packet, round_trip, jitter) = (ms(loss.packet), ms(loss.round_trip), ms(loss.jitter));
        let by_copies = match self.copies {
            0 => 0.0,
            copies => packet * f32::from(copies) * f32::from(self.spacing) + COPY_MS.max(jitter),
        };
        let by_asking = match self.asks {
            0 => 0.0,
            _ => LATE_MS + jitter + round_trip + ANSWER_MS + self.waits(loss),
        };
        by_copies.max(by_asking)
    }

    /// How long after the first asking that can be answered in time the last one is, in milliseconds.
    fn waits(self, loss: &Loss) -> f32 {
        let again = (loss.round_trip.as_secs_f32() * 1e3 + AGAIN_MS).max(AGAIN_LEAST_MS);
        // What is lost in a row is known to be missing when the next one comes.
        let row = loss.packet.as_secs_f32() * 1e3 * BURST * (loss.in_a_row() - 1.0);
        row + f32::from(self.asks.saturating_sub(1)) * again
    }

    /// The share that stays lost.
    fn rest(self, share: f32, loss: &Loss) -> f32 {
        // The question or the answer is lost, or late.
        let unanswered = 1.0 - (1.0 - share) * (1.0 - share) * (1.0 - LATE_ANSWERS);
        let by_chance = share.powi(self.copies.into()) * unanswered.powi(self.asks.into());
        if !loss.is_bursty(share) {
            return share * by_chance;
        }
        // Until the row is over nothing comes, neither a copy nor an answer.
        let packet = loss.packet.as_secs_f32() * 1e3;
        let copies = packet * f32::from(self.copies) * f32::from(self.spacing);
        let asks = if self.asks == 0 { 0.0 } else { self.waits(loss) };
        let outlasted = (-copies.max(asks) / (packet * loss.run)).exp();
        share * (outlasted + (1.0 - outlasted) * by_chance)
    }

    fn cost(self, share: f32, loss: &Loss) -> f32 {
        let lost = (self.rest(share, loss) - FREE).max(0.0);
        self.delay(loss) + COPY_COSTS * f32::from(self.copies) + LOST_COSTS * 100.0 * lost
    }
}

impl Loss {
    /// Packets that are lost together.
    fn in_a_row(&self) -> f32 {
        if self.run > LONELY { self.run.min(8.0) } else { 1.0 }
    }

    /// Independent losses have a mean run of 1 / (1 - share).
    fn is_bursty(&self, share: f32) -> bool {
        self.run > LONELY && self.run > 1.6 / (1.0 - share).max(0.01)
    }
}
