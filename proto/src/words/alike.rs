//! Words compared: in one normal form, without accents, and as an eye takes them.
//!
//! Lives here: what two texts must have in common to be found by each other, or to be taken for each other.
//! Must not: be shown: what comes out of here is no text for people.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::letters::hidden;

/// As texts are compared and searched: composed and decomposed letters alike, large and small ones too.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// As one searches without the keys for it: no accents, `ł` as `l`, `ß` as `ss`.
pub fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut plain = String::new();
    for letter in folded(text).nfkd().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            'ł' => plain.push('l'),
            'ø' => plain.push('o'),
            'đ' | 'ð' => plain.push('d'),
            'ħ' => plain.push('h'),
            'ı' => plain.push('i'),
            'ŧ' => plain.push('t'),
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            letter => plain.push(letter),
        }
    }
    plain
}

/// What an eye makes of a text: two that have the same skeleton can be taken for each other. In the manner of UTS 39, with
/// the letters of other alphabets that look like Latin ones, and the digits that look like letters.
pub fn skeleton(text: &str) -> String {
    let folded: String = if text.is_ascii() {
        text.chars()
            .filter(|letter| !hidden(*letter))
            .map(|letter| looks(letter.to_ascii_lowercase()))
            .collect()
    } else {
        let seen = text.nfkd().filter(|letter| !hidden(*letter)).map(looks);
        seen.collect::<String>().to_lowercase().nfkd().map(looks).collect()
    };
    folded.split_whitespace().collect::<Vec<_>>().join(" ").replace("rn", "m").replace("vv", "w")
}

fn looks(letter: char) -> char {
    match letter {
        'а' | 'А' | 'Α' | 'α' => 'a',
        'В' | 'Β' | 'Ь' => 'b',
        'с' | 'С' | 'Ϲ' | 'ϲ' => 'c',
        'ԁ' | 'Ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'ɡ' => 'g',
        'һ' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'Ι' | 'ι' | 'ı' | 'I' | 'i' | '1' | '|' | 'l' | 'L' | 'Ӏ' | 'ӏ' => 'l',
        'ј' | 'Ј' => 'j',
        'К' | 'к' | 'Κ' | 'κ' => 'k',
        'М' | 'м' | 'Μ' => 'm',
        'Ν' => 'n',
        'о' | 'О' | 'Ο' | 'ο' | 'σ' | '0' | 'օ' => 'o',
        'р' | 'Р' | 'Ρ' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' | 'Ѕ' => 's',
        'Т' | 'т' | 'Τ' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' | 'Ѵ' => 'v',
        'ԝ' | 'Ԝ' => 'w',
        'х' | 'Х' | 'Χ' | 'χ' => 'x',
        'у' | 'У' | 'Υ' | 'γ' => 'y',
        'Ζ' => 'z',
        '’' | '‘' | 'ʼ' | '`' | '´' => '\'',
        '‐' | '‑' | '–' | '—' | '−' => '-',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_found_by_each_other() {
        assert_eq!(folded("Zo\u{eb}"), folded("ZOE\u{308}"));
        assert_ne!(folded("Zoe"), folded("Zoë"));
    }

    #[test]
    fn without_accents_what_has_them_is_found() {
        for (name, typed) in
            [("Jörg", "jorg"), ("Álvaro", "alvaro"), ("Łukasz", "lukasz"), ("Straße", "strasse")]
        {
            assert_eq!(plain(name), plain(typed), "{name}");
        }
        assert_eq!(plain("王小明"), "王小明");
    }

    #[test]
    fn names_that_an_eye_confuses_have_one_skeleton() {
        for twin in
            ["An\u{200b}a", "\u{202e}Ana", "Аnа", "ANA", "Ａｎａ", " Ana ", "A\u{200d}na", "Ana\u{fe0f}"]
        {
            assert_eq!(skeleton(twin), skeleton("Ana"), "{twin:?}");
        }
        assert_eq!(skeleton("Mi1a Bern"), skeleton("Mila Bem"));
        assert_ne!(skeleton("Ana"), skeleton("Anna"));
        assert_ne!(skeleton("Zoe"), skeleton("Zoë"), "an accent is seen");
    }
}
