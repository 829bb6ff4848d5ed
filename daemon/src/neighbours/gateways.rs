//! Gateways whose hardware address is not known yet: without it nobody can tell which network this is.
//!
//! Lives here: when they are asked, how often, and when the answers are looked for.
//! Must not: send anything on a network whose numbers are not those of a trusted one, but where a person asks for it.

use std::time::Duration;

use ahoy_call::Moment;

use super::place::Place;
use super::{Standing, sockets};

/// How often it is looked for an answer, and how long between.
const LOOKS: u8 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How often it is looked for yet, and when next.
#[derive(Debug, Default)]
pub(super) struct Gateways {
    left: u8,
    next: Moment,
}

impl Gateways {
    /// Where the numbers are those of a trusted network and the kernel does not know the gateway yet, it is asked for.
    pub(super) fn look_for(&mut self, now: Moment, standing: &Standing, places: &[Place]) {
        let like = |place: &&Place| {
            place.id.is_none() && standing.judged.iter().any(|of| of.trusted && of.prefix == place.prefix)
        };
        let unknown: Vec<&Place> = places.iter().filter(like).collect();
        if !standing.enabled || unknown.is_empty() {
            self.left = 0;
            return;
        }
        if self.left == 0 {
            self.left = LOOKS;
            unknown.into_iter().for_each(sockets::ask_who_is);
        }
        *self = Self { left: self.left - 1, next: now + LOOK_AGAIN };
    }

    /// A person is about to trust one of these networks.
    pub(super) fn ask(&mut self, now: Moment, places: &[Place]) {
        places.iter().filter(|place| place.id.is_none()).for_each(sockets::ask_who_is);
        // Who asks again does not put off the look that is due.
        if self.left == 0 {
            *self = Self { left: LOOKS, next: now + LOOK_AGAIN };
        }
    }

    /// When it is to be looked again.
    pub(super) fn deadline(&self) -> Option<Moment> {
        (self.left > 0).then_some(self.next)
    }
}
