//! The store: what the engine may ask of contacts and of tokens.
//!
//! Lives here: adding, changing, removing; the roster. Tokens: `tokens.rs`; who asks to be one: `asking.rs`.
//! Must not: touch a file itself, or know who asks.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::card::{Card, CardDevice};
use ahoy_proto::identity::AccountBytes;
use ahoy_proto::words::{NAME, Words, skeleton};
use tokio::sync::watch;

use super::asker::Asking;
use super::card_files::Shelf;
use super::change::{Change, Then};
use super::disk::{self, Content};
use super::format::hex;
use super::row::{Row, boxed};
use super::{ContactChange, ContactRow, Known, Roster, Token};
use crate::system::store::{Gate, Store};
use crate::values::contact_rules::ContactRules;
use crate::values::own::Own;
use crate::values::preconnect::Preconnect;
use crate::values::request::{Denied, DeniedKind};
use crate::values::roster::Cards;

/// Rows of contacts and tokens in memory, their cards in files. Owned by the engine.
/// What a person asks for is a [`Change`]: decided here, written on the store's thread, and so when it comes back to
/// [`Self::commit`]. What the daemon notes by itself is so at once and written soon.
pub struct Contacts {
    pub(super) dir: PathBuf,
    pub(super) own: Arc<Own>,
    preconnect: Preconnect,
    pub(super) rows: BTreeMap<PeerId, Row>,
    pub(super) card_files: Arc<Shelf>,
    /// By hash; the roster holds the same.
    pub(super) tokens: Arc<Vec<Token>>,
    /// When each token that nobody has used yet was given out.
    pub(super) unused: BTreeMap<[u8; 16], i64>,
    /// Who asks to be a contact.
    pub(super) asking: BTreeMap<PeerId, Asking>,
    /// Made anew after a change, at the next question.
    pub(super) roster: Option<Arc<Roster>>,
    store: Store,
}

/// What adding a card brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// A new contact.
    New(PeerId),
    /// The contact was there; this card is newer.
    Updated(PeerId),
    /// The contact was there with this card or a newer one.
    Known(PeerId),
}

impl Added {
    /// Whose card it was.
    pub fn peer(self) -> PeerId {
        match self {
            Self::New(peer) | Self::Updated(peer) | Self::Known(peer) => peer,
        }
    }
}

impl Contacts {
    /// Reads the contacts in `dir`. Files that cannot be understood are set aside; [`Self::problems`] tells.
    pub fn open(dir: &Path, own: Arc<Own>, preconnect: Preconnect, store: Store) -> io::Result<Self> {
        let loaded = disk::load(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            own,
            preconnect,
            rows: loaded.rows,
            card_files: Arc::new(Shelf::new(dir, loaded.problems, store.clone())),
            tokens: Arc::new(loaded.tokens),
            unused: loaded.unused,
            asking: loaded.asking,
            roster: None,
            store,
        })
    }

    /// One sentence for each file that was not taken, at the start or when it was needed.
    pub fn problems(&self) -> watch::Receiver<Vec<String>> {
        self.card_files.problems()
    }

    /// Our keys or our name changed, or who may learn our network address.
    pub fn set_own(&mut self, own: Arc<Own>, preconnect: Preconnect) {
        self.own = own;
        self.preconnect = preconnect;
        self.roster = None;
    }

    /// What signaling needs; the same value until something in it changes.
    pub fn roster(&mut self) -> Arc<Roster> {
        if let Some(roster) = &self.roster {
            return Arc::clone(roster);
        }
        let known = |(&peer, row): (&PeerId, &Row)| Known {
            peer,
            blocked: row.blocked,
            preconnect: row.preconnect(self.preconnect),
            ping: row.may_ping(),
        };
        let roster = Arc::new(Roster::new(
            Arc::clone(&self.own),
            self.rows.iter().map(known).collect(),
            Arc::clone(&self.card_files) as Arc<dyn Cards>,
            self.honoured(),
        ));
        self.roster = Some(Arc::clone(&roster));
        roster
    }

    /// The tokens that are honoured now: those of blocked contacts are not, so that a relay no longer carries what
    /// would be dropped here.
    fn honoured(&self) -> Arc<Vec<Token>> {
        let blocked =
            |token: &Token| token.bound.and_then(|peer| self.rows.get(&peer)).is_some_and(|row| row.blocked);
        if !self.tokens.iter().any(blocked) {
            return Arc::clone(&self.tokens);
        }
        Arc::new(self.tokens.iter().filter(|token| !blocked(token)).copied().collect())
    }

    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Nobody yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One contact.
    pub fn get(&self, peer: PeerId) -> Option<ContactRow> {
        self.rows.get(&peer).map(|row| self.shown(peer, row))
    }

    /// The other contacts whose names could be taken for this one's, by id. Who was added may only look like a friend.
    pub fn twins(&self, peer: PeerId) -> Vec<String> {
        let Some(row) = self.rows.get(&peer) else { return Vec::new() };
        let looks = skeleton(&row.name);
        let alike = |(other, row): &(&PeerId, &Row)| **other != peer && skeleton(&row.name) == looks;
        self.rows.iter().filter(alike).map(|(other, _)| hex(other.bytes())).collect()
    }

    /// What a person decided about a contact, and whether it is blocked; `None` for somebody we do not know.
    pub fn manner(&self, peer: PeerId) -> Option<(ContactRules, bool)> {
        self.rows.get(&peer).map(|row| (row.manner(), row.blocked))
    }

    pub(super) fn shown(&self, peer: PeerId, row: &Row) -> ContactRow {
        row.shown(peer, AccountBytes(self.own.certificate.account().to_bytes()))
    }

    /// The contact's name and address, for a row of history or a call; its id and no address if it was removed.
    pub fn name_and_address(&self, peer: PeerId) -> (String, String) {
        match self.rows.get(&peer) {
            Some(row) => (row.name.to_string(), row.account.address()),
            None => (hex(peer.bytes()), String::new()),
        }
    }

    /// The newest card of this contact, read from its file and verified.
    pub fn card(&self, peer: PeerId) -> Option<Card> {
        self.rows.get(&peer).and_then(|_| self.card_files.card(peer))
    }

    /// Contacts, those first that were called or added last.
    pub fn recent(&self) -> Arc<[PeerId]> {
        let mut all: Vec<(i64, PeerId)> =
            self.rows.iter().map(|(peer, row)| (row.last_call_at.max(row.added_at), *peer)).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        all.into_iter().map(|(_, peer)| peer).collect()
    }

    /// The devices that a call to this contact rings: those with an inbox whose certificates have not ended. Empty when
    /// its card has none. `near`: they are seen on a local network, where every device has one.
    pub fn legs(&self, peer: PeerId, unix_s: i64, near: bool) -> Vec<ahoy_call::LegId> {
        let devices = self.card(peer).map_or_else(Vec::new, |card| card.devices);
        let has_inbox = |it: &CardDevice| near || !it.inboxes.is_empty();
        let reachable = devices.iter().filter(|it| has_inbox(it) && !it.certificate.has_ended_at(unix_s));
        reachable.map(|device| device.certificate.leg_id()).collect()
    }

    /// Whether no device can be called because the certificates of all have ended, by our calendar.
    pub fn has_ended(&self, peer: PeerId, unix_s: i64) -> bool {
        let devices = self.card(peer).map_or_else(Vec::new, |card| card.devices);
        !devices.is_empty() && devices.iter().all(|it| it.certificate.has_ended_at(unix_s))
    }

    /// To add a contact by its card, or to renew the card of one that is there. `at`: now, for the row.
    /// A person's own name for a contact outlives a new card; a name that came from the old card follows the new one.
    pub fn add(&self, text: &str, at: i64) -> Result<(Added, Change), Denied> {
        let card = Card::parse(text)
            .map_err(|error| Denied::new(DeniedKind::Failed, format!("{error}: ask for the card again")))?;
        let peer = card.peer_id();
        if peer == self.own.peer_id() {
            return Err(Denied::new(DeniedKind::Failed, "this is your own card: give it to others"));
        }
        let (row, added) = match self.rows.get(&peer) {
            Some(row) => {
                // None: the file was damaged and is set aside; the new card mends the contact.
                let old = self.card_files.card(peer);
                // The same revision with another token was given out anew, after the first had been revoked.
                let known = |old: &Card| {
                    (old.revision, old.token) == (card.revision, card.token) || old.revision > card.revision
                };
                if old.as_ref().is_some_and(known) {
                    return Ok((Added::Known(peer), Change::default()));
                }
                let follows = old.is_some_and(|old| *row.name == *old.name);
                let name = if follows { card.name.as_str().into() } else { row.name.clone() };
                (Row { name, ..row.clone() }, Added::Updated(peer))
            }
            None => {
                let account = AccountBytes(card.account.to_bytes());
                (Row::new(account, &card.name, at), Added::New(peer))
            }
        };
        Ok((added, self.taken_in(peer, row, card.to_text())))
    }

    /// To rename, block, unblock, decide how they ring. What is not named stays.
    pub fn change(&self, peer: PeerId, change: &ContactChange) -> Result<Change, Denied> {
        let Some(old) = self.rows.get(&peer) else { return Err(no_such_contact()) };
        if let Some(Err(unfit)) = change.name.as_deref().map(|name| Words::own(name, NAME)) {
            return Err(Denied::new(
                DeniedKind::InvalidOption,
                format!("a contact's name has 1 to 64 characters on one line; {unfit}"),
            ));
        }
        let manner = old.manner().changed(&change.manner);
        let manner = manner.map_err(|sentence| Denied::new(DeniedKind::InvalidOption, sentence))?;
        let row = Row {
            name: change.name.as_deref().map_or_else(|| old.name.clone(), Into::into),
            blocked: change.blocked.unwrap_or(old.blocked),
            manner: boxed(manner),
            ..old.clone()
        };
        let file = Content::Row(Box::new(row.clone()));
        Ok(Change::default().and(self.card_files.path(peer), file, Then::Row(peer, row)))
    }

    /// To remove a contact, and to revoke the tokens that bound to it: the roster no longer lists them.
    pub fn remove(&self, peer: PeerId) -> Result<Change, Denied> {
        if !self.rows.contains_key(&peer) {
            return Err(no_such_contact());
        }
        // The tokens go first: should the disk fail in between, a contact without a token is the harmless half.
        let held = self.tokens.iter().filter(|token| token.bound == Some(peer));
        let tokens = held.fold(Change::default(), |change, token| self.without(change, token.hash));
        Ok(tokens.and(self.card_files.path(peer), Content::Nothing, Then::Gone(peer)))
    }

    /// What of a change is on the disk is so from now on.
    pub fn commit(&mut self, change: Change) {
        self.roster = None;
        for then in change.true_now() {
            match then {
                Then::Row(peer, row) => {
                    // What was noted while it was being written stays.
                    let of = |row: &Row| (row.mutual, row.ping_there, row.ended, row.told, row.last_call_at);
                    let noted = self.rows.get(&peer).map(of);
                    let (mutual, ping_there, ended, told, last_call_at) = noted.unwrap_or(of(&row));
                    self.rows.insert(peer, Row { mutual, ping_there, ended, told, last_call_at, ..row });
                }
                Then::Gone(peer) => drop(self.rows.remove(&peer)),
                Then::Listed(token, at) => {
                    let place = self.tokens.partition_point(|other| other.hash < token.hash);
                    Arc::make_mut(&mut self.tokens).insert(place, token);
                    self.unused.insert(token.hash, at);
                }
                Then::Revoked(hash) => {
                    Arc::make_mut(&mut self.tokens).retain(|token| token.hash != hash);
                    self.unused.remove(&hash);
                }
                Then::Theirs(token) => {
                    let place = self.tokens.partition_point(|other| other.hash < token.hash);
                    Arc::make_mut(&mut self.tokens).insert(place, token);
                }
                Then::Bound(hash, peer) => {
                    if let Ok(place) = self.tokens.binary_search_by_key(&hash, |token| token.hash) {
                        Arc::make_mut(&mut self.tokens)[place].bound = Some(peer);
                        self.unused.remove(&hash);
                    }
                }
                Then::Asks(peer, asking) => drop(self.asking.insert(peer, asking)),
                Then::AsksNot(peer) => drop(self.asking.remove(&peer)),
            }
        }
    }

    /// A handshake with this contact was completed: they hold our card. True if that is new.
    pub fn set_mutual(&mut self, peer: PeerId) -> bool {
        let new = self.rows.get(&peer).is_some_and(|row| !row.mutual);
        self.note(peer, |row| {
            // Who speaks has an account, whatever was said before.
            let ended = std::mem::replace(&mut row.ended, false);
            !std::mem::replace(&mut row.mutual, true) || ended
        });
        new
    }

    /// They said that their account has ended. True if that is new.
    pub fn set_ended(&mut self, peer: PeerId) -> bool {
        let new = self.rows.get(&peer).is_some_and(|row| !row.ended);
        self.note(peer, |row| !std::mem::replace(&mut row.ended, true));
        new
    }

    /// Whom a farewell goes to: everybody but the blocked.
    pub fn to_be_told(&self) -> Vec<PeerId> {
        self.rows.iter().filter(|(_, row)| !row.blocked).map(|(&peer, _)| peer).collect()
    }

    /// Nobody was added and no card is out: an account that nobody knows.
    pub fn is_untouched(&self) -> bool {
        self.rows.is_empty() && self.tokens.is_empty()
    }

    /// They have our card of this revision.
    pub fn set_told(&mut self, peer: PeerId, revision: u64) {
        self.note(peer, |row| std::mem::replace(&mut row.told, revision) != revision);
    }

    /// Whether we let this contact see that we can be reached, and they us, as they said last.
    pub fn both_tell(&self, peer: PeerId) -> bool {
        self.rows.get(&peer).is_some_and(|row| row.ping_there && row.may_ping())
    }

    /// They said whether they answer our pings. True if that is new.
    pub fn set_ping_there(&mut self, peer: PeerId, answers: bool) -> bool {
        let known = self.rows.get(&peer).is_some_and(|row| row.ping_there != answers);
        self.note(peer, |row| std::mem::replace(&mut row.ping_there, answers) != answers);
        known
    }

    /// There was a call with this contact at that time.
    pub fn called(&mut self, peer: PeerId, at: i64) {
        self.note(peer, |row| {
            let later = at > row.last_call_at;
            row.last_call_at = at.max(row.last_call_at);
            later
        });
    }

    /// Applies a change of the daemon's own and writes it if it says that there was one. Nothing that the roster shows.
    fn note(&mut self, peer: PeerId, change: impl FnOnce(&mut Row) -> bool) {
        let Some(row) = self.rows.get_mut(&peer) else { return };
        if change(row) {
            let content = Content::Noted(Box::new(row.clone()));
            self.write_soon(self.card_files.path(peer), content);
        }
    }

    pub(super) fn write_soon(&self, path: PathBuf, content: Content) {
        let store = self.store.clone();
        let job = move || store.note(&path, &disk::put(&path, content, &Gate::default()));
        if self.store.run(Box::new(job)).is_err() {
            tracing::warn!("a note about a contact is not kept over a restart: the disk does not answer");
        }
    }
}

impl std::fmt::Debug for Contacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contacts({} contacts, {} tokens)", self.rows.len(), self.tokens.len())
    }
}

pub(super) fn no_such_contact() -> Denied {
    Denied::new(DeniedKind::NoSuchContact, "there is no such contact: `ahoyctl contact list` shows all")
}
