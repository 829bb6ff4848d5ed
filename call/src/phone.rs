//! The phone: all calls of one person, and what each command and event does to them.
//!
//! Lives here: dispatch by call, one voice at a time, tombstones of ended calls.
//! Must not: know what happens inside one call (`call/`).

use alloc::vec::Vec;
use core::time::Duration;

use crate::command::{Command, Refusal};
use crate::effect::Effects;
use crate::event::Event;
use crate::id::LegId;
use crate::time::Moment;
use crate::view::CallView;

/// What a person decides about all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest an incoming call rings here, whatever the caller asked for: 10 to 180 s.
    pub ring_at_most: Duration,
    /// How long a broken path is mended before the call ends: 5 to 60 s.
    pub reconnect_window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ring_at_most: Duration::from_secs(180), reconnect_window: Duration::from_secs(30) }
    }
}

/// When [`Event::Tick`] is next due, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Moment,
    /// For the log.
    pub why: &'static str,
}

/// All calls of one person on one device.
#[derive(Clone, Debug)]
pub struct Phone {
    own: LegId,
    settings: Settings,
}

impl Phone {
    /// A phone with no calls. `own` is this device as the others see it.
    pub fn new(own: LegId, settings: Settings) -> Self {
        Self { own, settings }
    }

    /// New settings for what begins from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// A person or program asks. May be refused; a refusal changes nothing.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<Effects, Refusal> {
        let _ = (now, command, self.own);
        Err(Refusal::InvalidState)
    }

    /// The world reports. Never fails; a report that no longer applies does nothing.
    pub fn event(&mut self, now: Moment, event: Event) -> Effects {
        let _ = (now, event);
        Effects::default()
    }

    /// When [`Event::Tick`] is next due. Feed it before any later input.
    pub fn deadline(&self) -> Option<Deadline> {
        None
    }

    /// Every call, the lingering ones too, oldest first.
    pub fn views(&self) -> Vec<CallView> {
        Vec::new()
    }
}
