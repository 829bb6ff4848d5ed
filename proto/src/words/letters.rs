//! Which letters words may hold.
//!
//! Lives here: what breaks a line, what is a blank, what cannot be seen or turns its neighbours around, and where a joiner
//! or the choice of an emoji's form may stand. Ranges of Unicode 16.
//! Must not: know how long words may be, or who said them.

/// Ends a line in some program or other.
pub(super) fn breaks_line(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// White space that breaks no line.
pub(super) fn blank(letter: char) -> bool {
    letter.is_whitespace() && !breaks_line(letter)
}

/// Cannot be seen, or acts on what stands around it: controls, directions, fillers, variation selectors, tags, and what is
/// no character at all. Unicode's `Default_Ignorable_Code_Point`, controls, and what fonts show as nothing.
pub(super) fn hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(letter) & 0xfffe == 0xfffe
}

/// What a refused letter is, for a person.
pub(super) fn what(letter: char) -> &'static str {
    match letter {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => "a line break",
        '\u{200c}' | '\u{200d}' => "a joiner that joins nothing there",
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "which turns the direction of the text around it"
        }
        letter if letter.is_control() => "a control character",
        _ => "which cannot be seen",
    }
}

/// Whether a joiner may stand between these: where it changes what is seen. After a sign that takes a vowel away, between
/// letters of a script whose letters join, between emoji.
pub(super) fn joins(joiner: char, before: Option<char>, kept: &str, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    if virama(before) {
        return after.is_none_or(|after| !hidden(after) || breaks_line(after) || blank(after));
    }
    let Some(after) = after else { return false };
    if joiner == '\u{200d}' {
        let picture =
            if picks_form(before) { kept.chars().rev().nth(1).is_some_and(emoji) } else { emoji(before) };
        if picture && emoji(after) {
            return true;
        }
    }
    joining(before) && joining(after)
}

/// Whether the choice between an emoji and its plain sign may stand between these: after an emoji, or in a keycap.
pub(super) fn picks(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|before| {
        emoji(before) || matches!(before, '0'..='9' | '#' | '*') && after == Some('\u{20e3}')
    })
}

fn picks_form(letter: char) -> bool {
    matches!(letter, '\u{fe0e}' | '\u{fe0f}')
}

/// Pictures, and the signs that are shown as such: Unicode's `Extended_Pictographic` and the colours of skin.
fn emoji(letter: char) -> bool {
    matches!(letter,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2934}' | '\u{2935}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
}

/// Letters and marks of scripts in which a joiner between two of them changes their shape.
fn joining(letter: char) -> bool {
    matches!(letter,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{1900}'..='\u{1c4f}' | '\u{a800}'..='\u{a82f}' | '\u{a840}'..='\u{aaff}' | '\u{abc0}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}'
        | '\u{1e900}'..='\u{1e95f}')
        && !hidden(letter)
}

/// Signs that take the vowel of the letter before them away (`Canonical_Combining_Class` 9).
fn virama(letter: char) -> bool {
    matches!(
        letter,
        '\u{94d}'
            | '\u{9cd}'
            | '\u{a4d}'
            | '\u{acd}'
            | '\u{b4d}'
            | '\u{bcd}'
            | '\u{c4d}'
            | '\u{ccd}'
            | '\u{d3b}'
            | '\u{d3c}'
            | '\u{d4d}'
            | '\u{dca}'
            | '\u{e3a}'
            | '\u{eba}'
            | '\u{f84}'
            | '\u{1039}'
            | '\u{103a}'
            | '\u{1714}'
            | '\u{1715}'
            | '\u{1734}'
            | '\u{17d2}'
            | '\u{1a60}'
            | '\u{1b44}'
            | '\u{1baa}'
            | '\u{1bab}'
            | '\u{1bf2}'
            | '\u{1bf3}'
            | '\u{a806}'
            | '\u{a82c}'
            | '\u{a8c4}'
            | '\u{a953}'
            | '\u{a9c0}'
            | '\u{aaf6}'
            | '\u{abed}'
            | '\u{11046}'
            | '\u{1107f}'
            | '\u{110b9}'
            | '\u{11133}'
            | '\u{111c0}'
            | '\u{11235}'
    )
}
