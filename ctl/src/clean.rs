//! Words of others on their way to a terminal: the one cleaning of this program.
//!
//! Lives here: what a terminal would obey, and what hides or turns the words beside it. The daemon has cleaned its words
//! already; a terminal does not have to believe that.
//! Must not: know a command, or a width.

/// On one line: nothing steers the terminal, makes a column, hides or turns what stands beside it.
pub fn line(text: &str) -> String {
    lines(text).replace('\n', " ")
}

/// The same with its line breaks, for a sentence that ends in a list.
pub fn lines(text: &str) -> String {
    let kept = |letter: char| if letter.is_control() && letter != '\n' { ' ' } else { letter };
    text.chars().filter(|letter| !is_hidden(*letter)).map(kept).collect()
}

/// JSON that says the same and can be looked at: what a terminal would obey or hide stands escaped. Outside of its texts JSON
/// has none of it.
pub fn json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_hidden(letter) || (letter.is_control() && !letter.is_ascii()) || letter == '\u{7f}' {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Cannot be seen, or turns the direction of the words around it. Joiners and the choice of an emoji's form stay: names of
/// real people have them.
pub fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_or_turns_the_line() {
        assert_eq!(line("a\tb\n\u{1b}[2J\u{9b}\u{202e}c\u{200b}\u{feff}"), "a b  [2J c");
        assert_eq!(lines("a\n\u{1b}b\u{2066}"), "a\n b");
        assert_eq!(line("علی\u{200c}رضا 👨\u{200d}👩\u{200d}👧"), "علی\u{200c}رضا 👨\u{200d}👩\u{200d}👧");
    }

    #[test]
    fn json_says_the_same_and_shows_what_it_hides() {
        let said = "a\u{202e}b\u{e0041}\u{9b}\u{7f}é";
        let shown = json(&serde_json::json!({"note": said}).to_string());
        assert_eq!(shown, r#"{"note":"a\u202eb\udb40\udc41\u009b\u007fé"}"#);
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read["note"], said);
    }
}
