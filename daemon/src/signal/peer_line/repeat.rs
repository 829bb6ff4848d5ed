//! A message 1 on its way.
//!
//! Lives here: when it is sent again, and until when.
//! Must not: make or seal it.

use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::envelope::EnvelopeId;

use super::{Out, Route, chance};
use crate::signal::peers::Way;

/// Pauses before the repeats of message 1; the last one goes on.
const PAUSES_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];

/// A message 1 on its way: the same envelope again and again, until it is answered or its time is over.
#[derive(Debug)]
pub(in crate::signal) struct Repeat {
    pub(in crate::signal) id: EnvelopeId,
    pub(in crate::signal) route: Route,
    frame: Vec<u8>,
    until: Moment,
    /// How long a relay keeps it; until the repeats end if none.
    kept: Option<Duration>,
    next: Option<Moment>,
    tries: usize,
}

impl Repeat {
    /// Due at once.
    pub(in crate::signal) fn new(route: Route, frame: Vec<u8>, now: Moment, lives: Duration) -> Option<Self> {
        let id = EnvelopeId::from_bytes(chance()?);
        Some(Self { id, route, frame, until: now + lives, kept: None, next: Some(now), tries: 0 })
    }

    /// A relay keeps it that long, however short the repeats are.
    pub(in crate::signal) fn kept(self, kept: Duration) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Sends if it is time.
    pub(in crate::signal) fn due(&mut self, now: Moment, out: &mut Vec<Out>) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        if self.until <= now {
            self.next = None;
            return;
        }
        let lives = self.kept.unwrap_or_else(|| self.until.since(now));
        self.route.post_first(self.id, &self.frame, lives, out);
        self.next = Some(now + Duration::from_millis(PAUSES_MS[self.tries.min(PAUSES_MS.len() - 1)]));
        self.tries += 1;
    }

    /// There is one more way: it is sent at once, if it is still sent at all.
    pub(in crate::signal) fn add(&mut self, now: Moment, way: &Way) {
        self.route.add(way);
        self.next = self.next.map(|next| next.min(now));
    }

    /// No more of it.
    pub(in crate::signal) fn stop(&mut self) {
        self.next = None;
    }

    /// When [`Self::due`] is next needed.
    pub(in crate::signal) fn deadline(&self) -> Option<Moment> {
        self.next
    }
}
