//! How long after the fastest packets frames do play, and the advice to play sooner or later.
//!
//! Lives here: the levels of the last second, and how much of a change is worth what it costs the ear.
//! Must not: know payloads, order or loss, or say what the level should be.
//!
//! Later is a matter of need: one piece after the other until it is enough. Sooner is a matter of comfort: in a pause it costs
//! nothing and is done at once, in speech every cut is heard, and waits until there was no pause for long.

use crate::media::stretch::Stretch;

/// The least level is that of about a second, or drift would hide behind an old one.
const SECOND: usize = 50;
/// Levels to look at before playing later, and sooner.
const LOOK_LOW: usize = 5;
const LOOK_HIGH: usize = 10;
/// So far below the target every frame is lengthened; less far, every third.
const HURRY_US: i64 = 10_000;
const UNHURRIED: u32 = 3;
/// Frames for which only soft ones are lengthened; then loud ones too.
const PATIENT: u32 = 15;
/// So far above the target a pause is cut, and each of its frames.
pub(super) const PAUSE_US: i64 = 6_000;
const PAUSE_HIGHER_US: i64 = 20_000;
/// Frames to look at between two cuts in a pause that is not so far above.
const PAUSE_LOOK: u32 = 5;
/// So far above, more than any one cut takes away, speech is cut, if there was no pause for so many frames, once in so many.
const SPEECH_US: i64 = 12_000;
const NO_PAUSE: u32 = 200;
const SELDOM: u32 = 25;
/// So far above the target it is cut all the same, that often, and where it is heard most.
const URGENT_US: i64 = 60_000;
const URGENT: u32 = 8;
/// What a piece leaves above the lowest level.
const SPARE_US: i64 = 1_000;
/// Of the longest piece that was asked for, this part is forgotten with each.
const FORGOTTEN: i64 = 64;
/// No level above this is ever asked for.
const MOST_US: i64 = 400_000;

/// What the level is judged by, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    /// The fastest packets' schedule.
    pub(super) base: i64,
    /// Below this frames come too late.
    pub(super) low: i64,
    pub(super) target: i64,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Level {
    /// When the last frames played, minus their place in the schedule, in a ring. Kept as if the last change had been before all
    /// of them.
    seen: [i64; SECOND],
    count: usize,
    place: usize,
    /// Frames played since the last change, and since the last pause.
    unchanged: u32,
    spoken: u32,
    /// Frames that played while the level was too low.
    low: u32,
    /// The longest piece that was asked for at once lately, in µs.
    piece: i64,
    urgent: bool,
}

impl Level {
    pub(super) fn new() -> Self {
        Self {
            seen: [0; SECOND],
            count: 0,
            place: 0,
            unchanged: 0,
            spoken: 0,
            low: 0,
            piece: 0,
            urgent: false,
        }
    }

    /// What was seen says nothing any more.
    pub(super) fn clear(&mut self) {
        (self.count, self.place, self.unchanged, self.urgent) = (0, 0, 0, false);
    }

    /// So much is asked for at once. A cut may bring the next frame into the piece before, which was asked for that much sooner.
    pub(super) fn asked(&mut self, us: i64) {
        self.piece = us.max(self.piece - self.piece / FORGOTTEN);
    }

    /// From now on everything plays so much later.
    pub(super) fn shift(&mut self, us: i64) {
        self.seen[..self.count].iter_mut().for_each(|seen| *seen += us);
    }

    /// The frame that plays was made shorter or longer.
    pub(super) fn changed(&mut self, us: i64) {
        self.unchanged = 0;
        self.shift(us);
    }

    /// The frame that plays is a pause.
    pub(super) fn paused(&mut self) {
        self.spoken = 0;
    }

    /// Whether a cut that might be heard is better than the present delay.
    pub(super) fn urgent(&self) -> bool {
        self.urgent
    }

    /// The last level above this schedule, and the least of the last second.
    pub(super) fn last(&self, base: i64) -> Option<i64> {
        let last = (self.place + SECOND - 1) % SECOND;
        (self.count > 0).then(|| self.seen[last] - base)
    }

    pub(super) fn least(&self, base: i64) -> Option<i64> {
        self.seen[..self.count].iter().min().map(|least| least - base)
    }

    /// A frame plays at this time after its place in the schedule: should it be shorter or longer?
    pub(super) fn advise(&mut self, seen: i64, aim: Aim) -> Stretch {
        self.seen[self.place] = seen;
        self.place = (self.place + 1) % SECOND;
        self.count = (self.count + 1).min(SECOND);
        self.unchanged = self.unchanged.saturating_add(1);
        self.spoken = self.spoken.saturating_add(1);
        let Some(least) = self.least(aim.base) else { return Stretch::Keep };
        let above = least - aim.target;
        self.urgent = above > URGENT_US;
        let patience = if above < -HURRY_US { 1 } else { UNHURRIED };
        let low = least < aim.low && least < MOST_US;
        self.low = if low { self.low.saturating_add(1) } else { 0 };
        if low && self.count >= LOOK_LOW && self.unchanged >= patience {
            return Stretch::Lengthen { most: samples(-above), heard: self.low > PATIENT };
        }
        // After a cut a whole piece may be asked for before the frames that it needs are there.
        let safe = aim.low + SPARE_US + self.piece;
        if above <= PAUSE_US || least < safe || self.count < LOOK_HIGH {
            return Stretch::Keep;
        }
        let heard = match above {
            URGENT_US.. => self.unchanged >= URGENT,
            SPEECH_US.. => self.unchanged >= SELDOM && self.spoken >= NO_PAUSE,
            i64::MIN..SPEECH_US => false,
        };
        match heard || above > PAUSE_HIGHER_US || self.unchanged >= PAUSE_LOOK {
            true => Stretch::Shorten { most: samples(above), heard },
            false => Stretch::Keep,
        }
    }
}

/// How many samples so long a time has; none before it begins.
fn samples(us: i64) -> usize {
    usize::try_from(us * 48 / 1_000).unwrap_or(0)
}
