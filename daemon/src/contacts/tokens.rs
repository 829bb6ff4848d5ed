//! Tokens: the right to write to us that each card of ours carries, from giving out to taking back.
//!
//! Lives here: cards of ours for whoever takes one and for one contact, those that nobody used, to whom a token belongs.
//! Must not: keep a token itself: its holder does, and we its hash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use ahoy_proto::envelope;
use ahoy_proto::neighbour::tag::NeighbourKey;
use ahoy_proto::words::{NAME, Words};

use super::change::{Change, Then};
use super::disk::{self, Content};
use super::format::{TokenFile, VERSION, hex};
use super::row::Row;
use super::store::Contacts;
use crate::values::own::NoCard;
use crate::values::request::{Denied, DeniedKind};
use crate::values::roster::Token;

/// As many tokens as a relay lists for one inbox.
const MAX_TOKENS: usize = 16_384;

/// A card that was given out and never used is revoked after so long: 30 days, in microseconds.
const UNUSED_FOR: i64 = 30 * 86_400 * 1_000_000;

impl Contacts {
    /// A card of ours with a token of its own. `name` is a reminder for whom; `at`: now.
    pub fn export(&self, name: &str, at: i64) -> Result<(String, Change), Denied> {
        if !name.is_empty()
            && let Err(unfit) = Words::own(name, NAME)
        {
            return Err(Denied::new(
                DeniedKind::InvalidOption,
                format!("the name has at most 64 characters on one line; {unfit}"),
            ));
        }
        if self.tokens.len() >= MAX_TOKENS {
            let sentence = "too many cards were given out: `ahoyctl account cards` shows those that nobody uses, `ahoyctl account revoke` takes them back";
            return Err(Denied::new(DeniedKind::Failed, sentence));
        }
        let failed = |what: String| Denied::new(DeniedKind::Failed, what);
        let mut token = [0; 16];
        getrandom::fill(&mut token).map_err(|_| failed("the system has no random numbers".into()))?;
        let card = self.own.card(token).map_err(|error| failed(format!("no card can be made: {error}")))?;
        let given = listed(token, None);
        let (hash, file) = (given.hash, file(&given, name, at));
        let then = Then::Listed(given, at);
        Ok((card.to_text(), Change::default().and(self.token_path(hash), Content::Token(file), then)))
    }

    /// A card of ours for this contact, with a token that is theirs from the beginning, and the same whenever one is made for
    /// them. `at`: now. None: it is no contact, or a blocked one.
    pub fn card_for(&self, peer: PeerId, at: i64) -> Result<Option<(Card, Change)>, NoCard> {
        if self.rows.get(&peer).is_none_or(|row| row.blocked) {
            return Ok(None);
        }
        let token = self.own.token_for(peer)?;
        let card = self.own.card(token)?;
        let given = listed(token, Some(peer));
        let hash = given.hash;
        if self.tokens.binary_search_by_key(&hash, |token| token.hash).is_ok() {
            return Ok(Some((card, Change::default())));
        }
        if self.tokens.len() >= MAX_TOKENS {
            return Err(NoCard::TooMany);
        }
        let file = Content::Token(file(&given, "", at));
        let change = Change::default().and(self.token_path(hash), file, Then::Theirs(given));
        Ok(Some((card, change)))
    }

    /// Who is to have our card and, as far as we know, has none or an earlier one. In no order.
    pub fn lacking(&self) -> Vec<PeerId> {
        let lacks = |(_, row): &(&PeerId, &Row)| !row.blocked && row.told < self.own.revision;
        self.rows.iter().filter(lacks).map(|(peer, _)| *peer).collect()
    }

    /// Whether this contact has had our card at all, whatever revision.
    pub fn was_told(&self, peer: PeerId) -> bool {
        self.rows.get(&peer).is_some_and(|row| row.told != 0)
    }

    /// Cards that were given out and not used yet, oldest first: a part of the token's hash, and when. For whom stands
    /// in the file: [`Self::given_to`].
    pub fn unused_cards(&self) -> Vec<([u8; 16], i64)> {
        let mut unused: Vec<_> = self.unused.iter().map(|(&hash, &at)| (hash, at)).collect();
        unused.sort_unstable_by_key(|(hash, at)| (*at, *hash));
        unused
    }

    /// For whom a card was given out, as the person said: read from its file, by whoever may wait.
    pub fn given_to(dir: &Path, hash: [u8; 16]) -> String {
        let read = |_: &str, file: TokenFile| Some(file.name);
        disk::understand(&token_path(dir, hash), read).unwrap_or_default()
    }

    /// To take back a card that nobody has used: `id` is as it is listed, or a unique beginning of it.
    pub fn revoke(&self, id: &str) -> Result<Change, Denied> {
        let id = id.trim().to_lowercase();
        let mut fitting = self.unused.keys().filter(|hash| !id.is_empty() && hex(**hash).starts_with(&id));
        match (fitting.next(), fitting.next()) {
            (Some(&hash), None) => Ok(self.taken_back(Change::default(), hash)),
            (None, _) => Err(Denied::new(
                DeniedKind::NoSuchRecord,
                "No unused card has this id: `ahoyctl account cards` shows them. A card that is in use goes with its contact: `ahoyctl contact rm`.",
            )),
            (Some(_), Some(_)) => {
                let sentence = "Several cards begin so: name more of the id.";
                Err(Denied::new(DeniedKind::Ambiguous, sentence))
            }
        }
    }

    /// To revoke the cards that nobody has used within 30 days. `now`: by the calendar.
    pub fn expire(&self, now: i64) -> Change {
        let old = self.unused.iter().filter(|(_, at)| now.saturating_sub(**at) > UNUSED_FOR);
        old.fold(Change::default(), |change, (&hash, _)| self.taken_back(change, hash))
    }

    pub(super) fn without(&self, change: Change, hash: [u8; 16]) -> Change {
        change.and(self.token_path(hash), Content::Nothing, Then::Revoked(hash))
    }

    /// A sealed message of `peer` came with this token: from now on it is theirs alone. False if it was another's already,
    /// or is none of ours.
    pub fn bind(&mut self, hash: [u8; 16], peer: PeerId) -> bool {
        let Ok(place) = self.tokens.binary_search_by_key(&hash, |token| token.hash) else { return false };
        if let Some(owner) = self.tokens[place].bound {
            return owner == peer;
        }
        // The roster that shares them is made anew.
        self.roster = None;
        Arc::make_mut(&mut self.tokens)[place].bound = Some(peer);
        self.unused.remove(&hash);
        self.write_soon(self.token_path(hash), Content::Bound(peer));
        true
    }

    pub(super) fn token_path(&self, hash: [u8; 16]) -> PathBuf {
        token_path(&self.dir, hash)
    }
}

/// What is kept of a token: who holds it, and what of it finds us on a local network.
fn listed(token: [u8; 16], bound: Option<PeerId>) -> Token {
    let token = envelope::Token::from_bytes(token);
    Token { hash: token.hash().bytes(), bound, near: Some(NeighbourKey::of(&token).bytes()) }
}

fn file(token: &Token, name: &str, at: i64) -> TokenFile {
    let bound = token.bound.map(|peer| hex(peer.bytes()));
    TokenFile { version: VERSION, name: name.to_owned(), bound, issued_at: at, near: token.near.map(hex) }
}

fn token_path(dir: &Path, hash: [u8; 16]) -> PathBuf {
    dir.join("tokens").join(hex(hash)).with_extension("json")
}
