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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ahoy_proto::card::{Card, CardDevice};
    use ahoy_proto::identity::DeviceCertificate;
    use ed25519_dalek::SigningKey;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;
    use crate::values::own::{Account, Own};
    use crate::values::roster::{self, Known, Roster};

    /// Somebody's account and device.
    fn own(seed: u8) -> Own {
        let (account, device) =
            (SigningKey::from_bytes(&[seed; 32]), SigningKey::from_bytes(&[seed + 100; 32]));
        let noise = StaticSecret::from([seed; 32]);
        let public = PublicKey::from(&noise);
        let certificate = DeviceCertificate::sign(&account, &device.verifying_key(), &public, "desk", 1, 2);
        Own {
            account: Account::Holder(account),
            device,
            noise,
            certificate: certificate.unwrap(),
            inboxes: vec![],
            display_name: "Ana".to_owned(),
            revision: 1,
            apart: None,
        }
    }

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 16])
    }

    fn contact(n: u8) -> Known {
        Known { peer: peer(n), blocked: false, preconnect: true, ping: false }
    }

    /// A token of ours that this contact has; nobody yet if none.
    fn token(n: u8, bound: Option<u8>) -> roster::Token {
        let token = Token::from_bytes([n; 16]);
        let near = Some(NeighbourKey::of(&token).bytes());
        roster::Token { hash: token.hash().bytes(), bound: bound.map(peer), near }
    }

    fn standing(contacts: Vec<Known>, tokens: Vec<roster::Token>, recent: Vec<PeerId>) -> Standing {
        let own = Arc::new(own(1));
        let cards = BTreeMap::<PeerId, Card>::new();
        let unused = tokens.iter().filter(|it| it.bound.is_none()).map(|it| it.hash).collect();
        let roster = Roster::new(own, contacts.into(), Arc::new(cards), Arc::new(tokens));
        Standing { roster: Some(Arc::new(roster)), recent: recent.into(), unused, ..Standing::default() }
    }

    /// The keys of these tokens of ours.
    fn keys(tokens: &[u8]) -> Vec<NeighbourKey> {
        let account = SigningKey::from_bytes(&[1; 32]).verifying_key();
        let key = |n: &u8| NeighbourKey::of(&Token::from_bytes([*n; 16])).of_giver(&account);
        tokens.iter().map(key).collect()
    }

    #[test]
    fn who_was_spoken_to_last_comes_first_and_nothing_is_announced_to_the_blocked_and_the_shy() {
        let mut contacts: Vec<Known> = (1..=4).map(contact).collect();
        contacts[0].blocked = true;
        contacts[1].preconnect = false;
        let tokens = (1..=4).map(|n| token(n, Some(n))).chain([token(9, None), token(8, Some(77))]).collect();
        let chosen = choose(&standing(contacts, tokens, vec![peer(4), peer(3), peer(2), peer(1)]));
        assert_eq!(chosen.ours, keys(&[4, 3, 9]));
    }

    #[test]
    fn of_too_many_the_most_recent_are_announced_beside_cards_that_nobody_has_used() {
        let contacts = (1..=80).map(contact).collect();
        let tokens = (1..=80).map(|n| token(n, Some(n))).chain((81..=100).map(|n| token(n, None))).collect();
        let recent = (1..=80).rev().map(peer).collect();
        let chosen = choose(&standing(contacts, tokens, recent));
        let expected: Vec<u8> = (33..=80).rev().chain(81..=96).collect();
        assert_eq!(chosen.ours, keys(&expected));
        assert_eq!(chosen.ours.len(), limits::NEIGHBOUR_TAGS);
    }

    #[test]
    fn whom_we_look_for_is_known_by_the_card_and_the_account_on_it_and_not_by_what_a_relay_sees() {
        let them = own(2);
        let device = CardDevice { certificate: them.certificate.clone(), inboxes: vec![] };
        let card = Card::sign(them.holder().unwrap(), "Ben", 1, &[device], [5; 16]).unwrap();
        let ben = card.peer_id();
        let known = vec![Known { peer: ben, blocked: false, preconnect: true, ping: false }];
        let cards = Arc::new(BTreeMap::from([(ben, card)]));
        let roster = |known: Vec<Known>| {
            Roster::new(Arc::new(own(1)), known.into(), Arc::clone(&cards) as Arc<_>, Arc::default())
        };
        let mut standing = standing(vec![], vec![], vec![ben]);
        standing.roster = Some(Arc::new(roster(known.clone())));
        let by_token = NeighbourKey::of(&Token::from_bytes([5; 16]));
        let theirs = choose(&standing).theirs;
        assert_eq!(theirs, [(by_token.of_giver(them.certificate.account()), ben)]);
        assert_ne!(theirs[0].0, by_token, "who has the token alone makes no tag of it");
        standing.roster = Some(Arc::new(roster(vec![Known { blocked: true, ..known[0] }])));
        assert!(choose(&standing).theirs.is_empty());
    }
}
