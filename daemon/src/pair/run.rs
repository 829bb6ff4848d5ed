//! The pairing that runs: its phase, and what it was begun with.
//!
//! Lives here: the phases with what each holds, the relays that are still to be asked.
//! Must not: decide what an input does.

use std::collections::VecDeque;

use ahoy_call::{Moment, PeerId};
use ahoy_proto::pair::code::{Code, relay_name};
use ahoy_proto::pair::meeting::{Chance, Meeting};
use ahoy_proto::relay_url::RelayUrl;

use crate::values::request::{Denied, DeniedKind};

/// Fresh random bytes for one pairing.
pub struct Draw {
    /// For the words: four bytes for each try.
    pub words: [u8; 64],
    /// For a meeting each: as many as there may be relays.
    pub meetings: Vec<Chance>,
}

/// The one that runs.
pub(super) struct Run {
    pub(super) own: PeerId,
    /// The relays that are still to be asked, the present one first.
    pub(super) relays: VecDeque<RelayUrl>,
    pub(super) draw: Draw,
    pub(super) code: Option<Code>,
    pub(super) phase: Phase,
    /// When the phase ends by itself.
    pub(super) until: Moment,
    /// The card of ours that was made for it.
    pub(super) card: Option<String>,
    /// The words did not fit at a relay before.
    pub(super) wrong: bool,
}

pub(super) enum Phase {
    /// The relay is asked for a number.
    Claiming,
    /// The code is out.
    Waiting,
    /// The relay is asked for who holds the number.
    Joining,
    /// Both are there.
    Meeting(Box<Meeting>),
    /// Their card is being written; of who started, what is said then.
    Keeping(PeerId, Option<Box<Meeting>>),
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let phase = match self.phase {
            Phase::Claiming => "claiming",
            Phase::Waiting => "waiting",
            Phase::Joining => "joining",
            Phase::Meeting(_) => "meeting",
            Phase::Keeping(..) => "keeping",
        };
        write!(f, "Run({phase})")
    }
}

impl Run {
    pub(super) fn new(
        own: PeerId,
        relays: VecDeque<RelayUrl>,
        draw: Draw,
        code: Option<Code>,
        phase: Phase,
    ) -> Self {
        Self { own, relays, draw, code, phase, until: Moment::default(), card: None, wrong: false }
    }

    /// The code, the relay's name and the chance for a meeting. A chance is used once.
    pub(super) fn take_meeting(&mut self) -> Option<(Code, String, Chance)> {
        let name = relay_name(self.relays.front()?);
        Some((self.code.clone()?, name, self.draw.meetings.pop()?))
    }
}

/// Those of these addresses that can be asked, or why nothing can begin.
pub(super) fn reachable(up: &[String]) -> Result<VecDeque<RelayUrl>, Denied> {
    let relays: VecDeque<RelayUrl> = up.iter().filter_map(|url| RelayUrl::parse(url).ok()).collect();
    if relays.is_empty() {
        let sentence = "No relay is connected, and two who pair meet at one: `ahoyctl doctor` tells why.";
        return Err(Denied::new(DeniedKind::NotConnected, sentence));
    }
    Ok(relays)
}
