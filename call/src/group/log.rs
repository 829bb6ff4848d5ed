//! The union of all statements: which of them are kept, and what another lacks of them.
//!
//! Lives here: taking entries in; heads; the proof of a contradiction; how many authors there may be.
//! Must not: say what the statements come to (`fold.rs`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::{AUTHORS, DEVICES, Entry, Head, NUMBERS, News, Start, Statement};
use crate::id::{LegId, PeerId};
use crate::parts::Opaque;

/// A device that forgot what it had said begins again so far above what others remember of it: it must never say two things
/// under one number.
const BEGIN_AGAIN: u32 = 1_000;

/// What is kept of one author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Book {
    /// The entry with the highest number, or the first half of the proof.
    pub(super) entry: Entry,
    /// The second half: the author has contradicted itself.
    pub(super) proof: Option<Entry>,
}

/// Whether one author has said two things under one number.
fn contradicts(one: &Entry, other: &Entry) -> bool {
    let same = one.author == other.author && one.statement.number == other.statement.number;
    same && one.peer == other.peer && one.print != other.print
}

impl Book {
    /// Two entries under one number.
    fn of(one: &Entry, other: &Entry) -> Self {
        let (first, second) = if one.print < other.print { (one, other) } else { (other, one) };
        Self { entry: first.clone(), proof: Some(second.clone()) }
    }
}

/// All that is known of a group call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    start: Start,
    own: LegId,
    me: PeerId,
    /// Who is in it beside who was called: its starter, and who told us of it.
    pub(super) seeds: BTreeSet<PeerId>,
    pub(super) books: BTreeMap<LegId, Book>,
}

impl Log {
    /// A log without an entry. `own` and `me` are this device and whose it is.
    pub fn new(start: Start, own: LegId, me: PeerId) -> Self {
        Self { start, own, me, seeds: BTreeSet::from([start.peer]), books: BTreeMap::new() }
    }

    /// Which call it is of.
    pub fn start(&self) -> Start {
        self.start
    }

    /// Whose device this is.
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// This device.
    pub fn own(&self) -> LegId {
        self.own
    }

    /// This person is in it without having been called: they called us.
    pub fn seed(&mut self, peer: PeerId) {
        self.seeds.insert(peer);
    }

    /// What we have said last.
    pub fn said(&self) -> Option<&Statement> {
        self.books.get(&self.own).map(|book| &book.entry.statement)
    }

    /// We say this; its number is given here. `false`: there is none left, or it is outside its bounds.
    pub fn say(&mut self, statement: Statement) -> bool {
        let number = self.said().map_or(0, |said| said.number) + 1;
        self.say_as(Statement { number, ..statement })
    }

    fn say_as(&mut self, statement: Statement) -> bool {
        let fits = statement.is_within_bounds();
        if fits {
            let (author, peer, seal, print) = (self.own, self.me, Opaque(Vec::new()), 0);
            let entry = Entry { author, peer, statement, seal, print };
            self.books.insert(author, Book { entry, proof: None });
        }
        fits
    }

    /// What this device has said last, and whose it is.
    pub fn entry(&self, author: LegId) -> Option<&Entry> {
        self.books.get(&author).map(|book| &book.entry)
    }

    /// Takes in what another knows. `true` if anything of it was new.
    pub fn merge(&mut self, news: &News) -> bool {
        if news.start != self.start {
            return false;
        }
        let mut new = false;
        for (at, entry) in news.entries.iter().enumerate() {
            let contrary = news.entries.iter().skip(at + 1).find(|other| contradicts(entry, other));
            new |= contrary.is_some_and(|other| self.convict(entry, other));
            new |= self.take(entry);
        }
        new
    }

    /// The proof of a contradiction came whole: it counts whatever else the author has said since. Of several all keep that with the
    /// lowest number.
    fn convict(&mut self, one: &Entry, other: &Entry) -> bool {
        let fits = one.statement.is_within_bounds() && other.statement.is_within_bounds();
        if one.author == self.own || !fits {
            return false;
        }
        match self.books.get_mut(&one.author) {
            Some(book) if book.entry.peer != one.peer => false,
            Some(book) => {
                let weaker = book.proof.is_none() || one.statement.number < book.entry.statement.number;
                if weaker {
                    *book = Book::of(one, other);
                }
                weaker
            }
            None => {
                let room = self.make_room(one.peer);
                if room {
                    self.books.insert(one.author, Book::of(one, other));
                }
                room
            }
        }
    }

    /// Takes in one entry, whose seal holds.
    fn take(&mut self, entry: &Entry) -> bool {
        if !entry.statement.is_within_bounds() {
            return false;
        }
        if entry.author == self.own {
            return self.hear_of_ourselves(entry);
        }
        let Some(book) = self.books.get_mut(&entry.author) else {
            return self.make_room(entry.peer) && {
                self.books.insert(entry.author, Book { entry: entry.clone(), proof: None });
                true
            };
        };
        let (known, heard) = ((book.entry.statement.number, book.entry.print), entry.statement.number);
        if entry.peer != book.entry.peer {
            return false;
        }
        match &book.proof {
            // Of several proofs under a number all keep the same one: the lowest two prints.
            Some(proof) if heard == known.0 && entry.print != known.1 && entry.print < proof.print => {
                *book = Book::of(&book.entry, entry);
                true
            }
            Some(_) => false,
            None if heard == known.0 && entry.print != known.1 => {
                *book = Book::of(&book.entry, entry);
                true
            }
            None if heard > known.0 => {
                book.entry = entry.clone();
                true
            }
            None => false,
        }
    }

    /// Others remember that we said more than we know: it was before this daemon began. We say what we say now above that.
    fn hear_of_ourselves(&mut self, entry: &Entry) -> bool {
        let heard = &entry.statement;
        let number = heard.number.saturating_add(BEGIN_AGAIN).min(NUMBERS);
        match self.said() {
            Some(said) if said.number > heard.number => false,
            Some(said) if said == heard => false,
            Some(said) => self.say_as(Statement { number, ..said.clone() }),
            None => {
                let presence = super::Presence::Left { joined: None, at: heard.presence.at() };
                let (invited, removed, gone) = (heard.invited.clone(), heard.removed.clone(), vec![]);
                self.say_as(Statement {
                    number,
                    presence,
                    invited,
                    removed,
                    gone,
                    ended: heard.ended,
                    rooms: heard.rooms,
                })
            }
        }
    }

    /// Whether there is room for one more author; one who has no place in the call gives way.
    fn make_room(&mut self, of: PeerId) -> bool {
        if self.books.values().filter(|book| book.entry.peer == of).count() >= usize::from(DEVICES) {
            return false;
        }
        if self.books.len() < AUTHORS {
            return true;
        }
        let fold = self.fold(|_| true, None);
        let stranger = self.books.iter().find(|(_, book)| !fold.people.contains_key(&book.entry.peer));
        let stranger = stranger.map(|(author, _)| *author);
        stranger.is_some_and(|author| self.books.remove(&author).is_some())
    }

    /// How much is known of each author.
    pub fn heads(&self) -> Vec<Head> {
        let head = |(author, book): (&LegId, &Book)| Head {
            author: *author,
            number: book.entry.statement.number,
            print: book.entry.print,
            contradicted: book.proof.is_some(),
        };
        self.books.iter().map(head).collect()
    }

    /// The entries that are not known to who has these heads.
    pub fn lacking(&self, heads: &BTreeMap<LegId, Head>) -> Vec<Entry> {
        let books = self.books.iter().filter(|(author, book)| self.lacks(heads, **author, book));
        let halves = books.flat_map(|(_, book)| [Some(&book.entry), book.proof.as_ref()]);
        halves.flatten().cloned().collect()
    }

    /// Whether there is any.
    pub fn is_ahead_of(&self, heads: &BTreeMap<LegId, Head>) -> bool {
        self.books.iter().any(|(author, book)| self.lacks(heads, *author, book))
    }

    fn lacks(&self, heads: &BTreeMap<LegId, Head>, author: LegId, book: &Book) -> bool {
        let Some(head) = heads.get(&author) else { return true };
        let (number, print) = (book.entry.statement.number, book.entry.print);
        match (book.proof.is_some(), head.contradicted) {
            (_, true) => false,
            (true, false) => true,
            (false, false) if head.number == number => {
                author != self.own && head.print != 0 && head.print != print
            }
            (false, false) => head.number < number,
        }
    }

    /// Whether who has these heads knows something that we do not.
    pub fn is_behind<'a>(&self, heads: impl IntoIterator<Item = &'a Head>) -> bool {
        heads.into_iter().filter(|head| head.author != self.own).any(|head| {
            self.books.get(&head.author).is_none_or(|book| {
                let number = book.entry.statement.number;
                let told = head.print != 0 && head.number == number;
                let differs = told && head.print != book.entry.print;
                book.proof.is_none() && (head.contradicted || head.number > number || differs)
            })
        })
    }
}
