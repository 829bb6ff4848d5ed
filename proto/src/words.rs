//! Text that people read: names, notes, what a decline says.
//!
//! Lives here: `Words`, made by one constructor out of what others said, and by a strict one out of what our own user types;
//! what each may hold.
//! Must not: know who said it, or what escapes a medium needs: bus, files, terminals and pop-ups see to that.

mod alike;
mod letters;

use std::borrow::Cow;
use std::fmt;

use unicode_segmentation::UnicodeSegmentation as _;

pub use self::alike::{folded, plain, skeleton};
use self::letters::{blank, breaks_line, hidden, joins, picks};
use crate::limits;

/// What a kind of text may be. Bounds of characters are bounds of graphemes too: none is cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Lines may break; at most one empty line stands between two.
    lines: bool,
    /// Characters (code points), as the wire counts them.
    chars: usize,
    /// Bytes of UTF-8.
    bytes: usize,
}

/// A name of a person, an account or a device: one line.
pub const NAME: Form = Form::line(limits::NAME_CHARS);
/// What a program says about itself, and may quote others in: an error of a library, a name of a device in it.
pub const SENTENCE: Form = Form { lines: true, chars: 2_000, bytes: 8_000 };
/// A note of a dial, the text of a decline.
pub const NOTE: Form = Form { lines: true, chars: limits::TEXT_CHARS, bytes: limits::TEXT_CHARS * 4 };

impl Form {
    /// One line of at most so many characters.
    pub const fn line(chars: usize) -> Self {
        Self { lines: false, chars, bytes: chars * 4 }
    }
}

/// Code points of one grapheme. Real ones have at most eleven (a family with the colours of their skins); what is higher
/// is a tower of marks that covers the lines around it.
const TALLEST: usize = 16;

/// Words that can be shown anywhere: no control, no direction, nothing that cannot be seen, of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Words(String);

/// Why words that our own user typed are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing that could be seen.
    #[error("it is empty")]
    Empty,
    /// A blank before or after it.
    #[error("it begins or ends with a blank")]
    Blank,
    /// More than its form allows.
    #[error("it has {has} characters, {most} are the most")]
    Long {
        /// How many it has.
        has: usize,
        /// How many it may have.
        most: usize,
    },
    /// A letter that words may not hold.
    #[error("it holds U+{:04X}, {}, as its letter {at}", u32::from(*.letter), letters::what(*.letter))]
    Letter {
        /// Which.
        letter: char,
        /// Its place, from 1.
        at: usize,
    },
    /// More marks on one letter than any script has.
    #[error("its letter {at} carries more marks than can be shown")]
    Tower {
        /// Its place, from 1, counted as a reader counts.
        at: usize,
    },
}

impl Words {
    /// Out of what others said: what may not be in words is left out, what is too long is cut and ends in `…`.
    /// Never fails; may be empty.
    pub fn of(said: &str, form: Form) -> Self {
        if is_plain(said, form) {
            return Self(said.to_owned());
        }
        let mut kept = String::new();
        // More than enough to fill any form; what follows is never looked at.
        let letters: Vec<char> = said.chars().take(form.chars * TALLEST).collect();
        for (at, letter) in letters.iter().copied().enumerate() {
            if letter == '\r' && letters.get(at + 1) == Some(&'\n') {
                continue;
            }
            if breaks_line(letter) {
                put_break(&mut kept, form);
            } else if blank(letter) {
                put_blank(&mut kept, letter, form);
            } else if may_stand(kept.chars().next_back(), &kept, letter, &letters[at + 1..]) {
                kept.push(letter);
            }
        }
        kept.truncate(kept.trim_end().len());
        Self(cut(kept, form))
    }

    /// Out of what our own user typed: taken as it is, or refused with what is wrong. A note may be empty, a name may not.
    pub fn own(typed: &str, form: Form) -> Result<Self, Unfit> {
        let letters: Vec<char> = typed.chars().collect();
        if !form.lines && letters.is_empty() {
            return Err(Unfit::Empty);
        }
        if letters.len() > form.chars {
            return Err(Unfit::Long { has: letters.len(), most: form.chars });
        }
        let mut before = String::new();
        for (at, letter) in letters.iter().copied().enumerate() {
            let taken = match letter {
                '\n' => form.lines,
                letter if blank(letter) => !letter.is_control(),
                letter => may_stand(before.chars().next_back(), &before, letter, &letters[at + 1..]),
            };
            if !taken {
                return Err(Unfit::Letter { letter, at: at + 1 });
            }
            before.push(letter);
        }
        if let Some(at) = typed.graphemes(true).position(|one| one.chars().count() > TALLEST) {
            return Err(Unfit::Tower { at: at + 1 });
        }
        if !form.lines && typed.trim() != typed {
            return Err(if typed.trim().is_empty() { Unfit::Empty } else { Unfit::Blank });
        }
        Ok(Self(typed.to_owned()))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Nothing is left of what was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0
    }
}

impl AsRef<str> for Words {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that others chose, ready to be shown; `instead` where nothing of it can be seen.
pub fn name(said: &str, instead: &str) -> String {
    let name = Words::of(said, NAME);
    if name.is_empty() { Words::of(instead, NAME).into() } else { name.into() }
}

/// What a message bus can carry of a text that is no words: a path, a key of a program. D-Bus has no U+0000.
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// Stands for what was cut.
const MORE: char = '…';

/// Whether a letter that breaks no line and is no blank may stand between what was kept and what is to come.
fn may_stand(before: Option<char>, kept: &str, letter: char, rest: &[char]) -> bool {
    match letter {
        '\u{200c}' | '\u{200d}' => joins(letter, before, kept, rest.first().copied()),
        '\u{fe0e}' | '\u{fe0f}' => picks(before, rest.first().copied()),
        letter => !hidden(letter),
    }
}

/// What most words are: ASCII letters with single blanks between them. Lists have thousands.
fn is_plain(said: &str, form: Form) -> bool {
    said.len() <= form.chars
        && said.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && said.trim_ascii() == said
        && !said.contains("  ")
}

fn put_break(kept: &mut String, form: Form) {
    if !form.lines {
        return put_blank(kept, ' ', form);
    }
    kept.truncate(kept.trim_end_matches(|letter| letter != '\n' && blank(letter)).len());
    if !kept.is_empty() && !kept.ends_with("\n\n") {
        kept.push('\n');
    }
}

/// One blank for a run of them, and none at the beginning.
fn put_blank(kept: &mut String, letter: char, form: Form) {
    let shown = if letter.is_control() { ' ' } else { letter };
    let run = kept.chars().next_back().is_none_or(|last| blank(last) || breaks_line(last));
    if !run || (form.lines && !kept.is_empty() && !letter.is_control()) {
        kept.push(shown);
    }
}

/// No longer than its form, no grapheme taller than any real one, and none cut in two.
fn cut(text: String, form: Form) -> String {
    let fits = |text: &str| text.len() <= form.bytes && text.chars().count() <= form.chars;
    let tall = |one: &str| one.chars().nth(TALLEST).is_some();
    if fits(&text) && !text.graphemes(true).any(tall) {
        return text;
    }
    let mut kept = String::new();
    let mut whole = true;
    for one in text.graphemes(true) {
        let one: String = one.chars().take(TALLEST).collect();
        let room = |letters: usize, bytes: usize| letters <= form.chars && bytes <= form.bytes;
        if !room(kept.chars().count() + one.chars().count(), kept.len() + one.len()) {
            whole = false;
            break;
        }
        kept.push_str(&one);
        while kept.ends_with(['\u{200c}', '\u{200d}']) && one.chars().nth(TALLEST - 1).is_some() {
            kept.pop();
        }
    }
    if whole {
        return kept;
    }
    // Room for the sign that something is missing.
    while kept.chars().count() >= form.chars || kept.len() + MORE.len_utf8() > form.bytes {
        let Some((last, _)) = kept.grapheme_indices(true).next_back() else { break };
        kept.truncate(last);
    }
    kept.truncate(
        kept.trim_end_matches(|letter: char| letter.is_whitespace() || "\u{200c}\u{200d}".contains(letter))
            .len(),
    );
    kept.push(MORE);
    kept
}

#[cfg(test)]
mod tests;
