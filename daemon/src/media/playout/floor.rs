//! The least delay that mending needs, as long as it is asked for and some time after.
//!
//! Lives here: how that rises at once, is held, and falls.
//! Must not: know what is mended, or how.

/// Nobody can ask for more.
const MOST_US: i64 = 200_000;
/// What was asked for is kept for so long after less is; loss comes again.
const HELD_US: i64 = 5_000_000;
/// Then a millisecond less in so many; what is above plays on until a pause takes it.
const FALL_MS: i64 = 50;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Floor {
    asked: i64,
    held: i64,
    /// When as much as is held was asked for last, and until when it fell since.
    since: i64,
}

impl Floor {
    pub(super) fn ask(&mut self, us: i64) {
        self.asked = us.clamp(0, MOST_US);
        self.held = self.held.max(self.asked);
    }

    pub(super) fn tick(&mut self, now: i64) {
        if self.asked >= self.held {
            self.since = now;
        }
        let fallen = (now - self.since - HELD_US) / FALL_MS;
        if fallen > 0 {
            self.held = (self.held - fallen).max(self.asked);
            self.since += fallen * FALL_MS;
        }
    }

    pub(super) fn us(&self) -> i64 {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_at_once_is_held_for_five_seconds_and_falls_by_twenty_milliseconds_a_second() {
        let mut floor = Floor::default();
        let mut told = Vec::new();
        for second in 0..12_i64 {
            match second {
                1 => floor.ask(80_000),
                2 => floor.ask(20_000),
                _ => {}
            }
            for tick in 0..50 {
                floor.tick(second * 1_000_000 + tick * 20_000);
            }
            told.push((floor.us() + 999) / 1_000);
        }
        assert_eq!(told, [0, 80, 80, 80, 80, 80, 80, 60, 40, 20, 20, 20]);
        floor.ask(i64::MAX);
        assert_eq!(floor.us(), MOST_US);
    }
}
