//! The pairing that runs: its phase, and what it was begun with.
//!
//! Lives here: the phases with what each holds, where is still to be asked.
//! Must not: decide what an input does.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::{Moment, PeerId};
use ahoy_proto::pair::code::{Code, relay_name};
use ahoy_proto::pair::meeting::{Chance, Meeting};
use ahoy_proto::relay_url::RelayUrl;

use super::{ANSWERS_WITHIN, LINKS_WITHIN};
use crate::values::near::PAIRING_PLACE;
use crate::values::request::{Denied, DeniedKind};

/// Fresh random bytes for one pairing.
pub struct Draw {
    /// For the words: four bytes for each try.
    pub words: [u8; 64],
    /// For a meeting each: as many as there may be places.
    pub meetings: Vec<Chance>,
}

/// Where two may meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At a relay of ours.
    Relay(RelayUrl),
    /// At one that is none of ours: it is there for this pairing alone.
    Foreign(RelayUrl),
    /// Among neighbours on a local network.
    Neighbours,
}

impl Spot {
    fn at(address: &str) -> Option<Self> {
        match address {
            PAIRING_PLACE => Some(Self::Neighbours),
            url => RelayUrl::parse(url).ok().map(Self::Relay),
        }
    }

    /// As it is asked.
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Relay(relay) | Self::Foreign(relay) => relay.as_str(),
            Self::Neighbours => PAIRING_PLACE,
        }
    }

    /// What the key of a meeting there is bound to.
    fn name(&self) -> String {
        match self {
            Self::Relay(relay) | Self::Foreign(relay) => relay_name(relay),
            Self::Neighbours => PAIRING_PLACE.to_owned(),
        }
    }

    /// The code for a number that was given there.
    pub(super) fn draw(&self, number: u32, chance: [u8; 4]) -> Option<Code> {
        match self {
            Self::Relay(relay) | Self::Foreign(relay) => Code::draw(number, relay, chance),
            Self::Neighbours => Code::draw_here(number, chance),
        }
    }

    /// Whether a code that names a relay, or none, may be good there.
    pub(super) fn fits(&self, named: Option<&str>) -> bool {
        match self {
            Self::Relay(relay) | Self::Foreign(relay) => named.is_none_or(|named| relay_name(relay) == named),
            // Who shows it may offer it among neighbours too.
            Self::Neighbours => true,
        }
    }
}

/// The one that runs.
pub(super) struct Run {
    pub(super) own: PeerId,
    /// Where is still to be asked, the present one first.
    pub(super) relays: VecDeque<Spot>,
    /// The number of a relay is offered among neighbours too.
    pub(super) also_near: bool,
    pub(super) draw: Draw,
    pub(super) code: Option<Code>,
    pub(super) phase: Phase,
    /// When the phase ends by itself.
    pub(super) until: Moment,
    /// The card of ours that was made for it.
    pub(super) card: Option<String>,
    /// The words did not fit at a relay before.
    pub(super) wrong: bool,
    /// We have shown that we know the words, and the other has not: it may have guessed, and be looking whether it was right.
    pub(super) shown: bool,
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
        relays: VecDeque<Spot>,
        draw: Draw,
        code: Option<Code>,
        phase: Phase,
    ) -> Self {
        Self {
            own,
            relays,
            also_near: false,
            draw,
            code,
            phase,
            until: Moment::default(),
            card: None,
            wrong: false,
            shown: false,
        }
    }

    /// How long the present place may take to answer.
    pub(super) fn answers_within(&self) -> Duration {
        if matches!(self.relays.front(), Some(Spot::Foreign(_))) { LINKS_WITHIN } else { ANSWERS_WITHIN }
    }

    /// The code, the relay's name and the chance for a meeting. A chance is used once.
    pub(super) fn take_meeting(&mut self) -> Option<(Code, String, Chance)> {
        let name = self.relays.front()?.name();
        Some((self.code.clone()?, name, self.draw.meetings.pop()?))
    }
}

/// Where a code that was typed is looked for, in this order: at relays of ours, at the foreign one that it names, among neighbours; one
/// that names none at the other relays that are known, last.
pub(super) fn places(
    up: &[String],
    foreign: &[String],
    named: Option<&str>,
) -> Result<VecDeque<Spot>, Denied> {
    let ours =
        |url: &RelayUrl| up.iter().filter_map(|it| Spot::at(it)).any(|spot| spot.name() == relay_name(url));
    let foreign = foreign.iter().filter_map(|url| RelayUrl::parse(url).ok()).filter(|url| !ours(url));
    let foreign: Vec<Spot> = foreign.map(Spot::Foreign).collect();
    let mut all: VecDeque<Spot> = match reachable(up) {
        Err(denied) if foreign.is_empty() => return Err(denied),
        own => own.unwrap_or_default().into_iter().chain(foreign).filter(|spot| spot.fits(named)).collect(),
    };
    if named.is_some()
        && let Some(at) = all.iter().position(|spot| *spot == Spot::Neighbours)
    {
        let neighbours = all.remove(at);
        all.extend(neighbours);
    }
    if all.is_empty() {
        let sentence = "The relay of this code is not connected here: `ahoyctl config set relay.urls` with it, or let them use one of yours.";
        return Err(Denied::new(DeniedKind::NotConnected, sentence));
    }
    Ok(all)
}

/// Those of these addresses that can be asked, or why nothing can begin.
pub(super) fn reachable(up: &[String]) -> Result<VecDeque<Spot>, Denied> {
    let relays: VecDeque<Spot> = up.iter().filter_map(|url| Spot::at(url)).collect();
    if relays.is_empty() {
        let sentence = "No relay is connected, and two who pair meet at one, or at home: `ahoyctl doctor` tells why; `ahoyctl pair --here` says that this network is yours.";
        return Err(Denied::new(DeniedKind::NotConnected, sentence));
    }
    Ok(relays)
}
