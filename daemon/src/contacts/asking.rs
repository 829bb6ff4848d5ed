//! People who ask to be contacts: they have a card that we gave out, and have sent theirs.
//!
//! Lives here: who asks, how many may, and what a person's answer comes to.
//! Must not: tell who asked anything: to be dismissed looks like to be unread.

use std::path::PathBuf;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use ahoy_proto::identity::AccountBytes;
use ahoy_proto::words::{folded, skeleton};

use super::RequestRow;
use super::asker::{Asking, place};
use super::change::{Change, Then};
use super::disk::{self, Content};
use super::format::{AskingFile, VERSION, hex};
use super::row::Row;
use super::store::Contacts;
use crate::values::request::{Denied, DeniedKind};

/// People who ask at once. A person answers them one by one.
const MOST: usize = 32;
/// Of these, by one and the same card. Only a card that went through other hands is used by a second one.
const BY_ONE_CARD: usize = 2;

/// What came of a request.
#[derive(Debug)]
pub enum Asked {
    /// Somebody asks who did not before.
    New(PeerId, String, Change),
    /// Somebody asks with another card than before.
    Again(PeerId, Change),
    /// They ask as before, or are not heard.
    Nothing,
}

impl Contacts {
    /// Somebody sent a card, with this token of ours. `at`: now.
    pub fn ask(&self, token: [u8; 16], card: &Card, at: i64) -> Asked {
        let peer = card.peer_id();
        let listed = self.tokens.binary_search_by_key(&token, |token| token.hash).ok();
        let theirs = listed.is_some_and(|at| self.tokens[at].bound.is_none_or(|owner| owner == peer));
        if !theirs || self.rows.contains_key(&peer) || peer == self.own.peer_id() {
            return Asked::Nothing;
        }
        let before = self.asking.get(&peer);
        let by_it = self.asking.iter().filter(|(other, it)| it.token == token && **other != peer).count();
        let full = before.is_none() && self.asking.len() >= MOST;
        // The same once more is no news; an older one is a replay.
        let known = before.is_some_and(|it| {
            it.revision > card.revision || (it.revision, it.token) == (card.revision, token)
        });
        if full || known || by_it >= BY_ONE_CARD {
            return Asked::Nothing;
        }
        let file = AskingFile { version: VERSION, card: card.to_text(), token: hex(token), asked_at: at };
        let asking = Asking::of(card, token, at);
        let name = asking.name.to_string();
        let again = before.is_some();
        let then = Then::Asks(peer, asking);
        let change = Change::default().and(self.asking_path(peer), Content::Asking(Box::new(file)), then);
        if again { Asked::Again(peer, change) } else { Asked::New(peer, name, change) }
    }

    /// Who asks, the first first; with each the hash of the token, by which the card that they used is known.
    pub fn requests(&self) -> Vec<(RequestRow, [u8; 16])> {
        let own = AccountBytes(self.own.certificate.account().to_bytes());
        let mut all: Vec<_> = self.asking.iter().collect();
        all.sort_by_key(|(peer, it)| (it.asked_at, **peer));
        let row = |(peer, it): (&PeerId, &Asking)| {
            let row = RequestRow {
                id: hex(peer.bytes()),
                address: it.account.address(),
                name: it.name.to_string(),
                twins: self.look_like(*peer, &it.name),
                safety_number: own.safety_number(it.account),
                given_to: String::new(),
                asked_at: it.asked_at,
            };
            (row, it.token)
        };
        all.into_iter().map(row).collect()
    }

    /// Who asks, by id.
    pub fn who_asks(&self) -> Vec<PeerId> {
        self.asking.keys().copied().collect()
    }

    /// To make a contact of who asks. `at`: now, for the row.
    pub fn accept(&self, who: &str, at: i64) -> Result<(PeerId, Change), Denied> {
        let (peer, asking) = self.who(who)?;
        let read = |_: &str, file: AskingFile| Card::parse(&file.card).ok();
        let card = disk::understand(&self.asking_path(peer), read).ok().filter(|card| card.peer_id() == peer);
        let Some(card) = card else {
            let sentence =
                "Their card cannot be read any more: dismiss the request, and let them add your card again.";
            return Err(Denied::new(DeniedKind::Failed, sentence));
        };
        let row = Row::new(asking.account, &card.name, at);
        Ok((peer, self.taken_in(peer, row, card.to_text())))
    }

    /// To send who asks away: the card that they used is taken back.
    pub fn dismiss(&self, who: &str) -> Result<(PeerId, Change), Denied> {
        let (peer, asking) = self.who(who)?;
        let change = if self.unused.contains_key(&asking.token) {
            self.without(Change::default(), asking.token)
        } else {
            Change::default()
        };
        Ok((peer, self.gone(change, peer)))
    }

    /// Writes the file of a contact. If they had asked, the token that they have is theirs, they have our card, and they ask no
    /// more.
    pub(super) fn taken_in(&self, peer: PeerId, row: Row, card: String) -> Change {
        let asking = self.asking.get(&peer);
        let row = Row { mutual: row.mutual || asking.is_some(), ..row };
        let file = Content::Contact(Box::new(row.file(card)));
        let change = Change::default().and(self.card_files.path(peer), file, Then::Row(peer, row));
        let Some(asking) = asking else { return change };
        let (token, path) = (asking.token, self.token_path(asking.token));
        let change = if self.unused.contains_key(&token) {
            change.and(path, Content::Bound(peer), Then::Bound(token, peer))
        } else {
            change
        };
        self.gone(change, peer)
    }

    /// A card that nobody uses is taken back, and who has asked with it asks no more.
    pub(super) fn taken_back(&self, change: Change, token: [u8; 16]) -> Change {
        let with_it = self.asking.iter().filter(|(_, it)| it.token == token);
        with_it.fold(self.without(change, token), |change, (peer, _)| self.gone(change, *peer))
    }

    fn gone(&self, change: Change, peer: PeerId) -> Change {
        change.and(self.asking_path(peer), Content::Nothing, Then::AsksNot(peer))
    }

    fn asking_path(&self, peer: PeerId) -> PathBuf {
        place(&self.dir).join(hex(peer.bytes())).with_extension("json")
    }

    /// The one who asks and is meant: by id or name, or a unique beginning of one.
    fn who(&self, said: &str) -> Result<(PeerId, &Asking), Denied> {
        let said = folded(said.trim());
        let those = |fits: &dyn Fn(&str, &str) -> bool| -> Vec<(PeerId, &Asking)> {
            let fits = |(peer, it): &(&PeerId, &Asking)| fits(&hex(peer.bytes()), &folded(&it.name));
            self.asking.iter().filter(fits).map(|(peer, it)| (*peer, it)).collect()
        };
        let mut fitting = those(&|id, name| id == said || name == said);
        if fitting.is_empty() && !said.is_empty() {
            fitting = those(&|id, name| id.starts_with(&said) || name.starts_with(&said));
        }
        match fitting[..] {
            [one] => Ok(one),
            [] => Err(Denied::new(
                DeniedKind::NoSuchRecord,
                "Nobody of that name or id asks to be a contact: `ahoyctl contact requests` shows who does.",
            )),
            _ => {
                let sentence = "Several who ask fit: say the id, as `ahoyctl contact requests` shows it.";
                Err(Denied::new(DeniedKind::Ambiguous, sentence))
            }
        }
    }

    fn look_like(&self, peer: PeerId, name: &str) -> Vec<String> {
        let looks = skeleton(name);
        let contacts = self.rows.iter().map(|(other, row)| (other, &row.name));
        let asking = self.asking.iter().map(|(other, it)| (other, &it.name));
        let alike = contacts.chain(asking).filter(|(other, name)| **other != peer && skeleton(name) == looks);
        alike.map(|(other, _)| hex(other.bytes())).collect()
    }
}
