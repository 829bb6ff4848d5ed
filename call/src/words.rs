//! Closed vocabularies: an enum, and the word by which each of its values is written.
//!
//! Lives here: the macro that declares both at once, and the words as they were first published.
//! Must not: change a word: the wire, the bus, the database and hooks all write it.

/// Declares an enum whose values are written as words, and gives it `ALL`, `WORDS`, `word` and `named`.
///
/// ```
/// ahoy_call::words! {
///     /// Which way sound goes.
///     pub enum Flow {
///         /// A microphone.
///         Input = "input",
///         /// A loudspeaker.
///         Output = "output",
///     }
/// }
/// assert_eq!(Flow::named("output"), Some(Flow::Output));
/// assert_eq!(Flow::ALL.map(Flow::word), Flow::WORDS);
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, as declared.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];
            /// Every word, in the same order.
            pub const WORDS: [&'static str; Self::ALL.len()] = [$($word),*];

            /// How it is written, wherever it is.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value that is written so.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.word() == word)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{
        CancelReason, DeclineReason, Direction, EndReason, EndedBy, Fact, Outcome, Scope, SdpKind, State,
    };

    /// Golden: what other versions, databases, clients and hooks hold already.
    #[test]
    fn no_published_word_has_changed() {
        let now = [
            Direction::WORDS.join(" "),
            State::WORDS.join(" "),
            EndReason::WORDS.join(" "),
            EndedBy::WORDS.join(" "),
            Outcome::WORDS.join(" "),
            Fact::WORDS.join(" "),
            SdpKind::WORDS.join(" "),
            DeclineReason::WORDS.join(" "),
            Scope::WORDS.join(" "),
            CancelReason::WORDS.join(" "),
        ];
        let published = [
            "incoming outgoing",
            "dialing alerting incoming waiting connecting active held reconnecting disconnected",
            "completed canceled declined all-declined busy no-answer missed answered-elsewhere declined-elsewhere unreachable \
             unavailable superseded last-left room-full removed ended-by-host ice-failed no-turn negotiation-failed media-failed connection-lost signaling-failed security-failed shutdown interrupted \
             internal",
            "local remote network policy",
            "answered missed declined busy no-answer unavailable canceled failed elsewhere interrupted",
            "dialed offered ringing-there ringing-here answered connected path-lost path-restored held resumed held-there \
             resumed-there glare-merged grown peer-invited peer-joined peer-declined peer-left alone rejoined noted ended",
            "offer answer",
            "declined busy",
            "this-device everywhere",
            "canceled no-answer answered-elsewhere declined-elsewhere",
        ];
        assert_eq!(now, published);
        for reason in EndReason::ALL {
            assert_eq!(EndReason::named(reason.word()), Some(reason));
        }
        assert_eq!(EndReason::named("translated"), None);
    }
}
