//! Whose offer stands when both sides describe a connection anew: perfect negotiation (W3C WebRTC §10.7, RFC 8829).
//!
//! Lives here: the states of an exchange, and what follows from each wish and each description, pure.
//! Must not: read a description, or touch a connection.

use std::time::Duration;

use ahoy_call::{Moment, SdpKind};

use crate::media::transport::Renewal;

/// Offers of the other side that are taken up in one [`SPAN`]. Each makes us write an answer, and may make us send checks.
const MOST_OFFERS: u32 = 60;
const SPAN: Duration = Duration::from_secs(60);

/// What we do when both sides offer at once. The two sides of a connection must differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Our offer is taken back, and made again after theirs. What we are towards browsers: those cannot take back an offer of
    /// theirs over ours (`RTP extension ID reassignment not supported`).
    Polite,
    /// Theirs is passed over.
    Impolite,
}

impl Manners {
    /// Of two devices the one with the lower key is polite.
    pub fn between<K: Ord>(ours: &K, theirs: &K) -> Self {
        if ours < theirs { Self::Polite } else { Self::Impolite }
    }
}

/// A description of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered<D> {
    pub(super) kind: SdpKind,
    /// How many-eth of its writer's it is (`sess-version`, RFC 8866 §5.2). Equal ones are taken to come in their order.
    pub(super) version: u64,
    pub(super) body: D,
}

/// What is to be done with the connection, in this order. Every step must be done before the next description is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<D> {
    /// Take our offer back.
    Rollback,
    /// The other side's description holds.
    Take(SdpKind, D),
    /// Describe ourselves, hold to it, and send it. The kind follows from the state (W3C WebRTC §4.4.2, `setLocalDescription`
    /// without a parameter).
    Describe(SdpKind, Renewal),
}

/// The other side offers without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_OFFERS} offers in a minute")]
pub(super) struct TooMany;

/// See the head of this file. Nothing is described at first.
#[derive(Debug)]
pub(super) struct Negotiation<D> {
    manners: Manners,
    /// Our offer that waits for its answer.
    offered: Option<Renewal>,
    /// What an offer of ours has still to be made for.
    wished: Option<Renewal>,
    /// The newest description of the other side that holds.
    taken: u64,
    /// An offer that came while ours was out, and was passed over. It counts after all if it is younger than the answer to ours:
    /// then it overtook that answer on its way.
    passed_over: Option<(u64, D)>,
    /// When the present span began, and the offers in it.
    offers: (Option<Moment>, u32),
}

impl<D> Negotiation<D> {
    pub(super) fn new(manners: Manners) -> Self {
        Self { manners, offered: None, wished: None, taken: 0, passed_over: None, offers: (None, 0) }
    }

    /// We want to describe ourselves anew: now, or once what is under way is done.
    pub(super) fn wish(&mut self, renewal: Renewal) -> Vec<Step<D>> {
        self.wished = self.wished.max(Some(renewal));
        self.offer().into_iter().collect()
    }

    /// A description of the other side came. In whatever order they come, both sides end with the same two.
    pub(super) fn came(&mut self, now: Moment, theirs: Numbered<D>) -> Result<Vec<Step<D>>, TooMany> {
        if theirs.kind == SdpKind::Offer {
            self.count(now)?;
        }
        if theirs.version < self.taken {
            return Ok(Vec::new());
        }
        let mut steps = Vec::new();
        match (theirs.kind, self.offered) {
            (SdpKind::Offer, None) => self.answer(theirs.version, theirs.body, &mut steps),
            (SdpKind::Offer, Some(ours)) => match self.manners {
                Manners::Polite => {
                    self.offered = None;
                    self.wished = self.wished.max(Some(ours));
                    steps.push(Step::Rollback);
                    self.answer(theirs.version, theirs.body, &mut steps);
                }
                Manners::Impolite => {
                    if self.passed_over.as_ref().is_none_or(|(version, _)| *version <= theirs.version) {
                        self.passed_over = Some((theirs.version, theirs.body));
                    }
                }
            },
            (SdpKind::Answer, Some(_)) => {
                self.offered = None;
                self.taken = theirs.version;
                steps.push(Step::Take(SdpKind::Answer, theirs.body));
                if let Some((version, offer)) = self.passed_over.take().filter(|(v, _)| *v > self.taken) {
                    self.answer(version, offer, &mut steps);
                }
            }
            // It answers an offer that was taken back.
            (SdpKind::Answer, None) => {}
        }
        steps.extend(self.offer());
        Ok(steps)
    }

    fn answer(&mut self, version: u64, offer: D, steps: &mut Vec<Step<D>>) {
        self.taken = version;
        steps.push(Step::Take(SdpKind::Offer, offer));
        steps.push(Step::Describe(SdpKind::Answer, Renewal::Describe));
    }

    fn offer(&mut self) -> Option<Step<D>> {
        if self.offered.is_some() {
            return None;
        }
        self.offered = self.wished.take();
        self.offered.map(|renewal| Step::Describe(SdpKind::Offer, renewal))
    }

    fn count(&mut self, now: Moment) -> Result<(), TooMany> {
        let (begun, count) = self.offers;
        let same = begun.filter(|begun| now.since(*begun) < SPAN);
        self.offers = same.map_or((Some(now), 1), |begun| (Some(begun), count + 1));
        if self.offers.1 > MOST_OFFERS { Err(TooMany) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
