//! Whose keys count: who is announced to, and who is looked for.
//!
//! Lives here: the choice among tokens and contacts, and reading their cards, on a thread that may wait for a disk.
//! Must not: make a tag.

use std::collections::BTreeMap;

use ahoy_call::PeerId;
use ahoy_proto::envelope::Token;
use ahoy_proto::limits;
use ahoy_proto::neighbour::tag::NeighbourKey;

use super::Standing;
use super::circle::Keys;

/// Contacts that are looked for: each is a card that is read and verified once.
const LOOKED_FOR: usize = 512;
/// Places that are kept for cards that nobody has used yet: whoever holds one must find us to use it.
const FOR_UNUSED: usize = 16;

/// Nothing of blocked contacts. Nothing is announced to those who may not learn our network address.
pub(super) fn choose(standing: &Standing) -> Keys {
    let Some(roster) = &standing.roster else { return Keys::default() };
    let known = |peer: &PeerId| roster.contact(*peer).filter(|known| !known.blocked);
    let rank: BTreeMap<PeerId, usize> =
        standing.recent.iter().enumerate().map(|(rank, peer)| (*peer, rank)).collect();
    let mut bound: Vec<(usize, NeighbourKey)> = Vec::new();
    let mut unused: BTreeMap<[u8; 16], NeighbourKey> = BTreeMap::new();
    for token in roster.tokens() {
        let Some(near) = token.near.map(NeighbourKey::from_bytes) else { continue };
        let near = near.of_giver(roster.own.certificate.account());
        match token.bound {
            None => drop(unused.insert(token.hash, near)),
            Some(peer) if known(&peer).is_some_and(|known| known.preconnect) => {
                bound.push((rank.get(&peer).copied().unwrap_or(usize::MAX), near));
            }
            Some(_) => {}
        }
    }
    bound.sort_unstable();
    let unused = standing.unused.iter().filter_map(|hash| unused.get(hash));
    let left = limits::NEIGHBOUR_TAGS - FOR_UNUSED;
    let mut ours: Vec<NeighbourKey> = bound.iter().take(left).map(|(_, near)| *near).collect();
    ours.extend(unused.take(limits::NEIGHBOUR_TAGS - ours.len()));
    ours.extend(bound.iter().skip(left).map(|(_, near)| *near));
    ours.truncate(limits::NEIGHBOUR_TAGS);
    let theirs = standing.recent.iter().filter(|peer| known(peer).is_some()).take(LOOKED_FOR);
    let card = |peer: &PeerId| {
        let card = roster.card(*peer)?;
        Some((NeighbourKey::of(&Token::from_bytes(card.token)).of_giver(&card.account), *peer))
    };
    Keys { ours, theirs: theirs.filter_map(card).collect() }
}
