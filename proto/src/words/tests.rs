//! What words may be, tried with the names of real people and with letters that deceive.
//!
//! Lives here: examples of every script and trick, and any text at all.
//! Must not: know where words are shown.

use proptest::prelude::*;

use super::*;

/// Names as people have them.
const PEOPLE: [&str; 20] = [
    "علی\u{200c}رضا",
    "അനിവര\u{d4d}\u{200d}",
    "ශ\u{dca}\u{200d}රී",
    "👨\u{200d}👩\u{200d}👧 Home",
    "🏳️\u{200d}🌈 Kim",
    "❤️ 1️⃣ #\u{fe0f}\u{20e3}",
    "👩🏽\u{200d}🚒",
    "Seán O'Néill",
    "Q",
    "Nguyễn Thị Ánh",
    "Nguye\u{302}\u{303}n",
    "IŞIL",
    "ʻIolani",
    "محمد",
    "דנה",
    "王小明",
    "山田\u{3000}太郎",
    "प्रवीण",
    "क्\u{200d}ष",
    "Smith, \"Bob\"",
];

/// Letters that hide or turn, each in words that are right without it.
const TRICKS: [char; 34] = [
    '\0',
    '\u{7}',
    '\u{1b}',
    '\u{7f}',
    '\u{9b}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2064}',
    '\u{2066}',
    '\u{2069}',
    '\u{2800}',
    '\u{3164}',
    '\u{fe00}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{fff9}',
    '\u{fffc}',
    '\u{fffe}',
    '\u{1d173}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e0100}',
];

#[test]
fn names_of_real_people_stay_as_they_are() {
    for name in PEOPLE {
        assert_eq!(Words::of(name, NAME).as_str(), name);
        assert_eq!(Words::own(name, NAME).map(String::from).as_deref(), Ok(name), "{name:?}");
    }
}

#[test]
fn what_hides_or_turns_is_left_out_of_the_words_of_others() {
    for trick in TRICKS {
        for (said, seen) in [
            (format!("An{trick}a"), "Ana"),
            (format!("{trick}Ana"), "Ana"),
            (format!("Ana{trick}"), "Ana"),
            (format!("An{trick}{trick}a"), "Ana"),
        ] {
            assert_eq!(Words::of(&said, NAME).as_str(), seen, "U+{:04X} {said:?}", u32::from(trick));
            assert_eq!(Words::of(&said, NOTE).as_str(), seen, "U+{:04X} {said:?}", u32::from(trick));
        }
    }
    assert_eq!(name("\u{200b}\u{202e}", "Somebody"), "Somebody");
    assert_eq!(Words::of("❤\u{fe0f}\u{fe0f}\u{fe0f}", NAME).as_str(), "❤\u{fe0f}", "one choice each");
}

#[test]
fn words_of_our_own_are_refused_with_the_letter_that_is_not_taken() {
    for trick in TRICKS {
        let refused = Words::own(&format!("An{trick}a"), NAME);
        assert_eq!(refused, Err(Unfit::Letter { letter: trick, at: 3 }), "U+{:04X}", u32::from(trick));
    }
    let sentence = |typed: &str| Words::own(typed, NAME).unwrap_err().to_string();
    let turned = "it holds U+202E, which turns the direction of the text around it, as its letter 4";
    assert_eq!(sentence("abc\u{202e}def"), turned);
    assert_eq!(sentence("a\nb"), "it holds U+000A, a line break, as its letter 2");
    assert_eq!(sentence("a\u{200d}b"), "it holds U+200D, a joiner that joins nothing there, as its letter 2");
    assert_eq!(sentence(""), "it is empty");
    assert_eq!(sentence("  "), "it is empty");
    assert_eq!(sentence(" Ana"), "it begins or ends with a blank");
    assert_eq!(sentence(&"x".repeat(65)), "it has 65 characters, 64 are the most");
    let marked = format!("A{}", "\u{301}".repeat(20));
    assert_eq!(sentence(&marked), "its letter 1 carries more marks than can be shown");
    assert!(Words::own("two\nlines", NOTE).is_ok());
    assert!(Words::own(&"x".repeat(281), NOTE).is_err());
}

#[test]
fn words_of_words_are_the_same_also_where_joiners_meet() {
    for said in
        ["\u{d4d}\u{200c}\u{200d}\na", "ക\u{d4d}\u{200d}\r\nb", "👨\u{200d}\u{200c}👩", "و\u{200c}\u{200b}و"]
    {
        let once = Words::of(said, NOTE);
        assert_eq!(Words::of(once.as_str(), NOTE), once, "{said:?}");
    }
}

#[test]
fn lines_break_where_they_may_and_nowhere_else() {
    assert_eq!(Words::of("a\r\nb\rc\u{2028}d\u{85}e", NOTE).as_str(), "a\nb\nc\nd\ne");
    assert_eq!(Words::of("a\n\n\n\n\nb \n", NOTE).as_str(), "a\n\nb");
    assert_eq!(Words::of(" Ana\n\n (verified)\t ", NAME).as_str(), "Ana (verified)");
    assert_eq!(Words::of(" Ana\n\n  says\u{202e} hello\u{0}\t ", Form::line(40)).as_str(), "Ana says hello");
    assert_eq!(Words::of("abc efgh", Form::line(5)).as_str(), "abc…");
    assert_eq!(without_nul("/a\u{0}/b"), "/a/b");
}

#[test]
fn what_is_too_long_is_cut_between_graphemes() {
    let families = "👨\u{200d}👩\u{200d}👧".repeat(40);
    let cut = Words::of(&families, NAME);
    assert_eq!(cut.as_str(), format!("{}…", "👨\u{200d}👩\u{200d}👧".repeat(12)));
    let tower = format!("A{}na", "\u{301}".repeat(500));
    assert_eq!(Words::of(&tower, NOTE).as_str().chars().count(), 16 + 2);
    assert_eq!(Words::of(&"x".repeat(281), NOTE).as_str(), format!("{}…", "x".repeat(279)));
    assert_eq!(Words::of(&"x".repeat(280), NOTE).as_str(), "x".repeat(280));
}

proptest! {
    #[test]
    fn any_text_becomes_words_that_are_fit_for_every_medium(
        said in proptest::collection::vec(prop_oneof![any::<char>(), proptest::sample::select(TRICKS.to_vec()),
            proptest::sample::select("a1#\u{20e3}😀❤👨و\u{d4d}ക\u{301} \n\t\r\u{a0}…".chars().collect::<Vec<_>>())], 0..400)
    ) {
        let said: String = said.into_iter().collect();
        for form in [NAME, NOTE] {
            let words = Words::of(&said, form);
            let text = words.as_str();
            prop_assert!(text.len() <= form.bytes && text.chars().count() <= form.chars);
            prop_assert!(text.graphemes(true).count() <= form.chars);
            prop_assert!(!text.chars().any(|letter| letter.is_control() && !(form.lines && letter == '\n')));
            prop_assert_eq!(text.trim(), text);
            prop_assert_eq!(&Words::of(text, form), &words, "words of words are the same");
            if !words.is_empty() {
                prop_assert_eq!(Words::own(text, form), Ok(words.clone()), "what others may say, we may");
            }
        }
    }
}
