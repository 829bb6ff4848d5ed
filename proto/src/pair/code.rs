//! The code that one person shows and the other types: `4711-lemon-tunnel@relay.example`.
//!
//! Lives here: drawing, printing and reading one; the words there are.
//! Must not: say a code where a log could hold it, or know whether one is still good.
//!
//! The number finds the other at a relay and is no secret; the two words are: 21 bits, for which a stranger has one guess.
//! The words are those of BIP-39's English list (MIT licence) that have four to eight letters, are never one slip of the pen
//! apart, and do not sound like another word.

use std::fmt;
use std::sync::LazyLock;

use crate::limits;
use crate::relay_url::RelayUrl;

/// What there is to say, in alphabetical order.
static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// The longest text that is read at all.
const MOST: usize = 64 + limits::RELAY_URL_BYTES;

/// What two people share for ten minutes. Prints nothing secret unless it is asked to, by [`Code::say`].
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Under which number the relay knows who shows it.
    pub number: u32,
    words: [&'static str; 2],
    /// Where, as [`relay_name`] writes it; none: at any relay of who types it.
    pub relay: Option<String>,
}

/// Why a text is no code. The sentence goes to whoever typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Nothing, far too much, or parts missing.
    #[error("a code is a number and two words, as in 4711-lemon-tunnel")]
    Form,
    /// The number is of no length that is given out.
    #[error("a code begins with a number of four or five digits")]
    Number,
    /// A word that is on no list.
    #[error("\"{0}\" is not one of the words of codes: look again")]
    Word(String),
    /// The same, and there is one that begins alike.
    #[error("\"{0}\" is not one of the words of codes: is it \"{1}\"?")]
    Meant(String, &'static str),
    /// What follows the `@` is no relay.
    #[error("what follows the @ is the name of a relay, as in @relay.example")]
    Relay,
}

impl Code {
    /// The code for a number that a relay gave, with words by this chance. `None`: draw again, with other bytes.
    pub fn draw(number: u32, relay: &RelayUrl, chance: [u8; 4]) -> Option<Self> {
        let [a, b, c, d] = chance;
        let words = [word([a, b])?, word([c, d])?];
        Some(Self { number, words, relay: Some(relay_name(relay)) })
    }

    /// The same for a number that was drawn here, for neighbours.
    pub fn draw_here(number: u32, chance: [u8; 4]) -> Option<Self> {
        let [a, b, c, d] = chance;
        Some(Self { number, words: [word([a, b])?, word([c, d])?], relay: None })
    }

    /// Reads what somebody typed: in any case, with dashes, blanks or commas between.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MOST {
            return Err(CodeError::Form);
        }
        let (said, relay) = match text.split_once('@') {
            Some((said, relay)) => (said, Some(named(relay.trim())?)),
            None => (text, None),
        };
        let apart =
            |c: char| c.is_whitespace() || matches!(c, '-' | '_' | ',' | '.' | '\u{2010}'..='\u{2015}');
        let mut parts = said.split(apart).filter(|part| !part.is_empty());
        let (Some(number), Some(first), Some(second), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CodeError::Form);
        };
        let digits = (4..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| digits && limits::PLATES.contains(number));
        Ok(Self { number: number.ok_or(CodeError::Number)?, words: [known(first)?, known(second)?], relay })
    }

    /// Whether somebody who was told this one typed that one, with its relay or without.
    pub fn fits(&self, typed: &Self) -> bool {
        let relay = typed.relay.is_none() || typed.relay == self.relay;
        (self.number, self.words) == (typed.number, typed.words) && relay
    }

    /// The same, to be looked up anywhere.
    pub fn anywhere(self) -> Self {
        Self { relay: None, ..self }
    }

    /// What is said to the other.
    pub fn say(&self) -> String {
        let relay = self.relay.as_ref().map_or_else(String::new, |relay| format!("@{relay}"));
        format!("{}-{}{relay}", self.number, self.secret())
    }

    /// What a stranger would have to guess.
    pub(super) fn secret(&self) -> String {
        self.words.join("-")
    }
}

/// The words are for one person's ears.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<code>")
    }
}

/// How a relay is called in a code: host, port where it is not 443, path.
pub fn relay_name(relay: &RelayUrl) -> String {
    let host = relay.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let rest = relay.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path).trim_end_matches('/');
    let port = if relay.port() == 443 { String::new() } else { format!(":{}", relay.port()) };
    if path.is_empty() { format!("{host}{port}") } else { format!("{host}{port}/{path}") }
}

/// The same of what somebody typed, with or without `wss://`.
fn named(typed: &str) -> Result<String, CodeError> {
    let url = if typed.contains("://") { typed.to_owned() } else { format!("wss://{typed}") };
    let lower = match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url,
    };
    RelayUrl::parse(&lower).map(|url| relay_name(&url)).map_err(|_unfit| CodeError::Relay)
}

/// The word of two random bytes; none for the few that would make one word likelier than another.
fn word(chance: [u8; 2]) -> Option<&'static str> {
    let (drawn, count) = (usize::from(u16::from_be_bytes(chance)), WORDS.len());
    let fair = (1 << 16) / count * count;
    (drawn < fair).then(|| WORDS[drawn % count])
}

fn known(typed: &str) -> Result<&'static str, CodeError> {
    let lower = typed.to_lowercase();
    if let Ok(at) = WORDS.binary_search(&lower.as_str()) {
        return Ok(WORDS[at]);
    }
    let begins = |length: usize| {
        let begin = lower.get(..length)?;
        WORDS.iter().find(|word| word.starts_with(begin))
    };
    let shown: String = lower.chars().filter(|c| c.is_alphanumeric()).take(20).collect();
    Err(match begins(4).or_else(|| begins(3)) {
        Some(meant) => CodeError::Meant(shown, meant),
        None => CodeError::Word(shown),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> Code {
        let relay = RelayUrl::parse("wss://Relay.Example:8443/x/").unwrap();
        Code::draw(4711, &relay, [0, 0, 0, 1]).unwrap()
    }

    #[test]
    fn a_code_is_said_and_read_in_any_case_and_with_any_dashes() {
        let said = code().say();
        assert_eq!(said, "4711-abandon-ability@relay.example:8443/x");
        for typed in [
            said.as_str(),
            " 4711 Abandon ABILITY@wss://RELAY.example:8443/x ",
            "4711\u{2013}abandon_ability @ relay.example:8443/x/",
        ] {
            assert_eq!(Code::parse(typed), Ok(code()), "{typed}");
        }
        let short = Code::parse("4711, abandon, ability").unwrap();
        assert_eq!((short.relay, short.number), (None, 4711));
        assert_eq!(format!("{:?}", code()), "<code>");
    }

    #[test]
    fn a_relay_is_called_alike_however_it_is_written() {
        let name = |url| relay_name(&RelayUrl::parse(url).unwrap());
        assert_eq!(name("wss://relay.example"), "relay.example");
        assert_eq!(name("wss://Relay.example:443/"), "relay.example");
        assert_eq!(name("ws://127.0.0.1:8123"), "127.0.0.1:8123");
        assert_eq!(name("ws://[::1]:9/y"), "[::1]:9/y");
        assert_eq!(Code::parse("4711-abandon-ability@[::1]:9/y").unwrap().relay.unwrap(), "[::1]:9/y");
    }

    #[test]
    fn a_code_of_wrong_length_or_letters_is_refused_by_what_is_wrong() {
        for form in ["", "4711", "4711-abandon", "4711-abandon-ability-able", "a", &"x".repeat(2_000)] {
            assert_eq!(Code::parse(form), Err(CodeError::Form), "{form}");
        }
        for number in ["471", "0471", "471111", "47l1", "+471", "abandon"] {
            let typed = format!("{number}-abandon-ability");
            assert_eq!(Code::parse(&typed), Err(CodeError::Number), "{number}");
        }
        assert_eq!(Code::parse("4711-abandon-xyzzy"), Err(CodeError::Word("xyzzy".into())));
        let meant = CodeError::Meant("abandom".into(), "abandon");
        assert_eq!(Code::parse("4711-abandom-ability"), Err(meant));
        for relay in ["", "a b", "http://x", "x?y", "x@y"] {
            let typed = format!("4711-abandon-ability@{relay}");
            assert_eq!(Code::parse(&typed), Err(CodeError::Relay), "{relay}");
        }
    }

    #[test]
    fn two_words_have_twenty_bits_and_none_is_a_slip_away_from_another() {
        let bits = 2.0 * f64::from(u32::try_from(WORDS.len()).unwrap()).log2();
        assert!(bits >= 20.0 && WORDS.is_sorted(), "{bits}");
        for word in WORDS.iter() {
            assert!((4..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
        }
        // Each word with one letter left out: shared by two only if they are one letter apart.
        let mut without: Vec<(String, &str)> = Vec::new();
        for word in WORDS.iter() {
            let cuts = (0..word.len()).map(|at| format!("{}_{}", &word[..at], &word[at + 1..]));
            without.extend(cuts.map(|cut| (cut, *word)));
        }
        without.sort_unstable();
        let alike = without.windows(2).find(|two| two[0].0 == two[1].0 && two[0].1 != two[1].1);
        assert_eq!(alike, None);
        let shorter = without.iter().find(|(cut, _)| WORDS.contains(&cut.replace('_', "").as_str()));
        assert_eq!(shorter, None, "no letter too many");
        let mut begins: Vec<&str> = WORDS.iter().map(|word| &word[..4]).collect();
        begins.dedup();
        assert_eq!(begins.len(), WORDS.len(), "four letters name a word");
    }

    #[test]
    fn every_word_is_as_likely_as_another() {
        let mut drawn = vec![0_u32; WORDS.len()];
        for chance in 0..=u16::MAX {
            let Some(word) = word(chance.to_be_bytes()) else { continue };
            drawn[WORDS.binary_search(&word).unwrap()] += 1;
        }
        assert!(drawn.iter().all(|count| *count == drawn[0] && *count > 0), "{:?}", &drawn[..5]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader_and_what_is_read_is_said_alike(text in ".{0,60}", chance: [u8; 4], number in 1_000_u32..100_000) {
            let _read = Code::parse(&text);
            let relay = RelayUrl::parse("wss://relay.example").unwrap();
            if let Some(code) = Code::draw(number, &relay, chance) {
                prop_assert_eq!(Code::parse(&code.say()), Ok(code));
            }
        }
    }
}
