//! Whose sound flows in which call.
//!
//! Lives here: the devices that media was told to open, until their call is over; so that what is set of a contact is set where it is
//! heard.
//! Must not: know a contact, or give an order.

use std::collections::{BTreeMap, BTreeSet};

use ahoy_call::{CallId, LegId};

/// By the names that media know.
#[derive(Debug, Default)]
pub(super) struct Voices {
    of: BTreeMap<CallId, BTreeSet<LegId>>,
}

impl Voices {
    /// Sound may flow to and from this device.
    pub(super) fn opened(&mut self, call: CallId, leg: LegId) {
        self.of.entry(call).or_default().insert(leg);
    }

    /// Nothing of this call flows any more.
    pub(super) fn over(&mut self, call: CallId) {
        self.of.remove(&call);
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (CallId, LegId)> {
        self.of.iter().flat_map(|(call, legs)| legs.iter().map(|leg| (*call, *leg)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_there_once_until_its_call_is_over() {
        let (mut voices, [one, other]) = (Voices::default(), [1, 2].map(|id| CallId::from_bytes([id; 16])));
        let [ana, ben] = [3, 4].map(|id| LegId::from_bytes([id; 16]));
        for (call, leg) in [(one, ana), (one, ben), (one, ana), (other, ana)] {
            voices.opened(call, leg);
        }
        assert_eq!(voices.all().collect::<Vec<_>>(), [(one, ana), (one, ben), (other, ana)]);
        voices.over(one);
        assert_eq!(voices.all().collect::<Vec<_>>(), [(other, ana)]);
    }
}
