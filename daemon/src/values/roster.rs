//! Who we are and who may speak to us: what signaling needs of identity and contacts.
//!
//! Lives here: the value that the engine passes from contacts to signaling, and how a card is asked for.
//! Must not: know where it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;

use crate::values::own::Own;

/// Who we are and who may speak to us: what signaling needs of identity and contacts. Some bytes a contact: ten thousand
/// of them are no burden; their cards are read when they are used.
pub struct Roster {
    /// Our keys, inboxes and certificate.
    pub own: Arc<Own>,
    /// By id.
    contacts: Box<[Known]>,
    cards: Arc<dyn Cards>,
    /// By hash.
    tokens: Arc<Vec<Token>>,
}

/// A contact as signaling sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub peer: PeerId,
    /// Never answered, never rung.
    pub blocked: bool,
    /// It may learn our network address before we answer.
    pub preconnect: bool,
    /// It may see whether we can be reached.
    pub ping: bool,
}

/// A delivery token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its hash, as the relay lists it.
    pub hash: [u8; 16],
    /// The first contact whose sealed message came with it; from others it is dropped.
    pub bound: Option<PeerId>,
    /// What its holder finds us by on a local network. None: it was given out by an older version.
    pub near: Option<[u8; 16]>,
}

/// Where cards are kept.
pub trait Cards: Send + Sync {
    /// The newest valid card that we hold of this contact, verified just now.
    fn card(&self, peer: PeerId) -> Option<Card>;
}

impl Cards for BTreeMap<PeerId, Card> {
    fn card(&self, peer: PeerId) -> Option<Card> {
        self.get(&peer).cloned()
    }
}

impl Roster {
    /// `tokens` are those that we gave out with our cards and did not revoke.
    pub fn new(
        own: Arc<Own>,
        mut contacts: Box<[Known]>,
        cards: Arc<dyn Cards>,
        mut tokens: Arc<Vec<Token>>,
    ) -> Self {
        contacts.sort_unstable_by_key(|it| it.peer);
        if !tokens.is_sorted_by_key(|it| it.hash) {
            Arc::make_mut(&mut tokens).sort_unstable_by_key(|it| it.hash);
        }
        Self { own, contacts, cards, tokens }
    }

    /// The same, of somebody who is not to be reached.
    pub fn without_inboxes(&self) -> Self {
        Self {
            own: Arc::new(Own { inboxes: Vec::new(), ..Own::clone(&self.own) }),
            contacts: self.contacts.clone(),
            cards: Arc::clone(&self.cards),
            tokens: Arc::clone(&self.tokens),
        }
    }

    /// The same, without a right that was given to anybody.
    pub fn without_tokens(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            contacts: self.contacts.clone(),
            cards: Arc::clone(&self.cards),
            tokens: Arc::default(),
        }
    }

    /// A contact of ours.
    pub fn contact(&self, peer: PeerId) -> Option<&Known> {
        let at = self.contacts.binary_search_by_key(&peer, |it| it.peer).ok()?;
        self.contacts.get(at)
    }

    /// A contact's newest card; of contacts only.
    pub fn card(&self, peer: PeerId) -> Option<Card> {
        self.contact(peer).and_then(|_| self.cards.card(peer))
    }

    /// A token that we gave out.
    pub fn token(&self, hash: [u8; 16]) -> Option<&Token> {
        let at = self.tokens.binary_search_by_key(&hash, |it| it.hash).ok()?;
        self.tokens.get(at)
    }

    /// All of them.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roster({} contacts, {} tokens)", self.contacts.len(), self.tokens.len())
    }
}
