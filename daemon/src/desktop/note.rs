//! A note on the screen, as a value.
//!
//! Lives here: what a note says and offers, what became of it, and the cleaning of words that others chose.
//! Must not: know a notification server, or when a note is due.

use ahoy_call::{CallId, PeerId};
use ahoy_proto::words::{self, Form, Words};

/// What a note is about: one note each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A call that rings here.
    Ring(CallId),
    /// Calls of this contact that were missed.
    Missed(PeerId),
    /// The last call with this contact, which could not be set up or broke.
    Broken(PeerId),
    /// A call that was answered by itself.
    SelfAnswered(CallId),
    /// A group that everybody else has left.
    Alone(CallId),
    /// Who asks to be a contact.
    Asks(PeerId),
    /// A link that was opened.
    Link,
}

/// A note that should be on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// What it is about.
    pub(super) key: Key,
    /// The first line; never marked up.
    pub(super) summary: String,
    /// More lines, plain. The server's markup is escaped where it is shown.
    pub(super) body: String,
    /// What to do instead where the server has no buttons; added to the body there.
    pub(super) without_buttons: &'static str,
    /// Key and label of each button.
    pub(super) buttons: Vec<(&'static str, String)>,
    /// A person must see it now, whatever else is on the screen.
    pub(super) urgent: bool,
    /// The category of the notification specification.
    pub(super) category: &'static str,
    /// The icon beside the text.
    pub(super) icon: Sign,
    /// A picture in its place: a file or a name of the icon theme; empty for none.
    pub(super) picture: String,
    /// Stays, without its buttons, when the daemon goes.
    pub(super) outlives_us: bool,
}

/// The icon beside a note's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A call that comes in.
    Ringing,
    /// A call that was missed.
    Missed,
    /// Somebody asks to be a contact.
    Asks,
}

/// What a person did with a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// Pressed the button with this key.
    Pressed(Key, &'static str),
    /// Closed it.
    Closed(Key),
}

/// Words of others on one line of ours, of at most so many characters.
pub(super) fn clean(words: &str, most: usize) -> String {
    Words::of(words, Form::line(most)).into()
}

/// Names on a note have at most so many characters, as many as a name of ours.
pub(super) const NAME: usize = 64;
/// Notes of a dial have at most so many, as on the wire.
pub(super) const WORDS: usize = 280;

/// A name, cleaned; never empty.
pub(super) fn name(said: &str) -> String {
    words::name(said, "Somebody")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A note with one button and this body.
    pub(in crate::desktop) fn note(body: &str) -> Note {
        Note {
            key: Key::Ring(CallId::from_bytes([1; 16])),
            summary: "Ana is calling".to_owned(),
            body: body.to_owned(),
            without_buttons: "To answer: type.",
            buttons: vec![("answer", "Answer".to_owned())],
            urgent: true,
            category: "call.incoming",
            icon: Sign::Ringing,
            picture: String::new(),
            outlives_us: false,
        }
    }

    #[test]
    fn words_of_others_become_one_visible_line_of_bounded_length() {
        assert_eq!(clean(" Ana\n\n  says\u{202e} hello\u{0}\t ", 40), "Ana says hello");
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abc efgh", 5), "abc…");
        assert_eq!(clean("<b>&amp;</b>", 40), "<b>&amp;</b>", "markup is the server's matter");
        assert_eq!(name("\u{200b}\u{202e}"), "Somebody");
    }
}
