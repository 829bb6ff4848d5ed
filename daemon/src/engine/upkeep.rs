//! What the daemon does by the clock, with nobody asking.
//!
//! Lives here: when a sign of life, a look at unused cards, giving memory back are due; noticing that the calendar was set.
//! Must not: do any of it; know the engine.

use std::time::Duration;

use ahoy_call::Moment;

use crate::system::{clock, ready};

/// How often cards that nobody used are looked through.
const DAY: Duration = Duration::from_secs(86_400);
/// So long after a start, and after a call has left the bus, memory is given back.
const AT_REST: Duration = Duration::from_secs(3);
/// And once more so much later: what a notification server did not take has been tried for a minute then.
const AT_REST_AGAIN: Duration = Duration::from_secs(57);
/// More than that is no drift: the calendar was set.
const CALENDAR_SET_US: u64 = 60_000_000;

/// When what is due.
#[derive(Debug)]
pub(super) struct Upkeep {
    cards: Moment,
    /// How often, and when next.
    watchdog: Option<(Duration, Moment)>,
    /// When, and how much later once more.
    rest: Option<(Moment, Option<Duration>)>,
    /// The calendar less the time since boot, when it was last looked at.
    calendar_ahead: i64,
}

/// Something that is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A sign of life for the service manager.
    Alive,
    /// Cards that nobody used are looked through.
    Cards,
    /// Memory is given back, unless there is a call.
    Rest,
}

impl Upkeep {
    /// From a start on.
    pub(super) fn new(now: Moment) -> Self {
        let watchdog = ready::watchdog_period().map(|period| (period, now + period));
        let rest = Some((now + AT_REST, Some(AT_REST_AGAIN)));
        Self { cards: now, watchdog, rest, calendar_ahead: clock::unix_ahead_us() }
    }

    /// Something big is over.
    pub(super) fn rest_soon(&mut self, now: Moment) {
        self.rest = Some((now + AT_REST, Some(AT_REST_AGAIN)));
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Moment {
        let others = [self.watchdog.map(|(_, at)| at), self.rest.map(|(at, _)| at)];
        others.into_iter().flatten().fold(self.cards, Moment::min)
    }

    /// What is due, each once.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Due> {
        let mut due = Vec::new();
        if let Some((period, at)) = &mut self.watchdog
            && *at <= now
        {
            *at = now + *period;
            due.push(Due::Alive);
        }
        if self.cards <= now {
            self.cards = now + DAY;
            due.push(Due::Cards);
        }
        if let Some((_, again)) = self.rest.take_if(|(at, _)| *at <= now) {
            self.rest = again.map(|later| (now + later, None));
            due.push(Due::Rest);
        }
        due
    }

    /// Whether the calendar was set since the last look, where the kernel did not say so.
    pub(super) fn calendar_was_set(&mut self) -> bool {
        let ahead = clock::unix_ahead_us();
        let set = ahead.abs_diff(self.calendar_ahead) > CALENDAR_SET_US;
        if set {
            self.calendar_ahead = ahead;
        }
        set
    }
}
