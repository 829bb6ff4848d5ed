//! A link that the desktop may open: `ahoy:pair?code=4711-lemon-tunnel&relay=relay.example`, or the text of a card.
//!
//! Lives here: writing the link of a code, reading one that anybody may have made.
//! Must not: do what a link says: whoever opens one only asks a person.
//!
//! One form, no other spelling of it: nothing is percent-encoded, nothing comes twice, nothing else stands in it.

use super::code::{Code, CodeError};
use crate::card::{Card, CardError};
use crate::limits;

/// How every link begins.
const SCHEME: &str = "ahoy:";
/// How one to pair begins.
const PAIR: &str = "ahoy:pair?";
/// The longest link to pair that is read at all.
const MOST: usize = 128 + limits::RELAY_URL_BYTES;

/// What a link holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A code that somebody shows.
    Pair(Code),
    /// Somebody's card.
    Card(Box<Card>),
}

/// Why a link was refused. The sentence goes to whoever opened it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Of another scheme, or of another form.
    #[error("this is no link of ahoy: one begins with ahoy:pair? or ahoy:1")]
    Form,
    /// Longer than any that is made.
    #[error("the link is longer than any that ahoy makes")]
    TooLong,
    /// Blanks, control characters, letters that are not plain.
    #[error("the link holds a character that no link of ahoy holds")]
    Letter,
    /// With a percent sign.
    #[error("the link is percent-encoded, and no link of ahoy is")]
    Encoded,
    /// Two codes, two relays.
    #[error("the link names two codes or two relays, so nobody knows which is meant")]
    Twice,
    /// A part that is neither a code nor a relay.
    #[error("the link holds a part that this ahoy does not know")]
    Part,
    /// No code in it.
    #[error("the link holds no code")]
    NoCode,
    /// The code or its relay is none.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The card is none.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// The link of a code.
pub fn of(code: &Code) -> String {
    let said = code.clone().anywhere().say();
    let relay = code.relay.as_ref().map_or_else(String::new, |relay| format!("&relay={relay}"));
    format!("{PAIR}code={said}{relay}")
}

/// Whether a text means to be a link, and no code.
pub fn is_one(text: &str) -> bool {
    text.contains(':')
        && text.trim_start().get(..SCHEME.len()).is_some_and(|it| it.eq_ignore_ascii_case(SCHEME))
}

/// Reads a link that anybody may have made.
pub fn parse(text: &str) -> Result<Link, LinkError> {
    if text.len() > limits::CARD_BYTES {
        return Err(LinkError::TooLong);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LinkError::Letter);
    }
    // The scheme of a link has no case; desktops write it small.
    let text = match text.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => format!("{SCHEME}{}", &text[SCHEME.len()..]),
        _ => return Err(LinkError::Form),
    };
    if text.contains('%') {
        return Err(LinkError::Encoded);
    }
    let Some(parts) = text.strip_prefix(PAIR) else {
        // What is no link to pair may be a card, of this version or of a later one.
        let version = text[SCHEME.len()..].starts_with(|c: char| c.is_ascii_digit());
        return if version { Ok(Link::Card(Box::new(Card::parse(&text)?))) } else { Err(LinkError::Form) };
    };
    if text.len() > MOST {
        return Err(LinkError::TooLong);
    }
    let (mut code, mut relay) = (None, None);
    for part in parts.split('&') {
        let (place, said) = match part.split_once('=') {
            Some(("code", said)) => (&mut code, said),
            Some(("relay", said)) => (&mut relay, said),
            Some(_) | None => return Err(LinkError::Part),
        };
        if place.replace(said).is_some() {
            return Err(LinkError::Twice);
        }
    }
    let code = code.filter(|code| !code.is_empty()).ok_or(LinkError::NoCode)?;
    if code.contains('@') {
        return Err(LinkError::Twice);
    }
    let said = relay.map_or_else(|| code.to_owned(), |relay| format!("{code}@{relay}"));
    Ok(Link::Pair(Code::parse(&said)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::relay_url::RelayUrl;

    const LINK: &str = "ahoy:pair?code=4711-abandon-ability&relay=relay.example:8443/x";

    fn code() -> Code {
        Code::draw(4711, &RelayUrl::parse("wss://relay.example:8443/x").unwrap(), [0, 0, 0, 1]).unwrap()
    }

    #[test]
    fn a_link_holds_the_code_and_its_relay_and_is_no_card() {
        assert_eq!(of(&code()), LINK);
        for said in [
            LINK,
            &LINK.replace("ahoy:", "AHOY:"),
            "ahoy:pair?relay=relay.example:8443/x&code=4711-abandon-ability",
        ] {
            assert_eq!(parse(said), Ok(Link::Pair(code())), "{said}");
        }
        let bare = of(&code().anywhere());
        assert_eq!(bare, "ahoy:pair?code=4711-abandon-ability");
        assert_eq!(parse(&bare), Ok(Link::Pair(code().anywhere())));
        assert!(is_one(LINK) && is_one(" Ahoy:x") && !is_one("4711-abandon-ability@[::1]:9"));
        assert!(Card::parse(LINK).is_err());
    }

    #[test]
    fn a_hostile_link_is_refused_by_what_is_wrong_with_it() {
        let with = |more: &str| format!("{LINK}{more}");
        let long = format!("ahoy:pair?code=4711-abandon-ability&relay={}.example", "x".repeat(500));
        for (link, wrong) in [
            (String::new(), LinkError::Form),
            ("https://relay.example/pair?code=4711-abandon-ability".into(), LinkError::Form),
            ("javascript:alert(1)".into(), LinkError::Form),
            ("ahoy:".into(), LinkError::Form),
            ("ahoy://pair?code=4711-abandon-ability".into(), LinkError::Form),
            ("ahoy:call?who=ana".into(), LinkError::Form),
            ("ahoy:PAIR?code=4711-abandon-ability".into(), LinkError::Form),
            ("x".repeat(limits::CARD_BYTES + 1), LinkError::TooLong),
            (long, LinkError::TooLong),
            (with("\n"), LinkError::Letter),
            (with(" "), LinkError::Letter),
            (with("\u{1b}[2J"), LinkError::Letter),
            (with("\u{202e}"), LinkError::Letter),
            (with("\0"), LinkError::Letter),
            (LINK.replace("4711", "%34711"), LinkError::Encoded),
            (with("%00"), LinkError::Encoded),
            (with("&code=4712-abandon-ability"), LinkError::Twice),
            (with("&code=4711-abandon-ability"), LinkError::Twice),
            (with("&relay=other.example"), LinkError::Twice),
            ("ahoy:pair?code=4711-abandon-ability@a.example&relay=b.example".into(), LinkError::Twice),
            (with("&add=yes"), LinkError::Part),
            (with("&"), LinkError::Part),
            (with("#x"), LinkError::Code(CodeError::Relay)),
            ("ahoy:pair?relay=relay.example".into(), LinkError::NoCode),
            ("ahoy:pair?code=&relay=relay.example".into(), LinkError::NoCode),
            ("ahoy:pair?".into(), LinkError::Part),
            ("ahoy:pair?code=4711-abandon".into(), LinkError::Code(CodeError::Form)),
            ("ahoy:pair?code=4711-abandon-ability&relay=".into(), LinkError::Code(CodeError::Relay)),
            ("ahoy:2AAAA".into(), LinkError::Card(CardError::NoCard)),
        ] {
            assert_eq!(parse(&link), Err(wrong), "{link:.80}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(ahoy:(pair\\?)?)?.{0,60}") {
            let _read = parse(&text);
            let _meant = is_one(&text);
        }
    }
}
