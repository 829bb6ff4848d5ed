//! A QR code for a terminal.
//!
//! Lives here: its picture in half blocks, two rows of it in a line, dark on light whatever the terminal's own colours are.
//! Must not: know what it says.

use qrcode::{Color, EcLevel, QrCode};

/// The light border that a camera needs, in modules.
const BORDER: usize = 4;
/// Black on white, of the part of the palette that no theme changes.
const INK: &str = "\u{1b}[38;5;16;48;5;231m";
const BACK: &str = "\u{1b}[0m";

/// The lines that draw it; none if it would hold too much.
pub(crate) fn drawn(text: &str) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (side, modules) = (code.width(), code.to_colors());
    let dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(BORDER), y.checked_sub(BORDER));
        let inside = x.zip(y).filter(|(x, y)| *x < side && *y < side);
        inside.is_some_and(|(x, y)| modules.get(y * side + x) == Some(&Color::Dark))
    };
    let whole = side + 2 * BORDER;
    let line = |y: usize| {
        let block = |x: usize| match (dark(x, y), dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        format!("{INK}{}{BACK}", (0..whole).map(block).collect::<String>())
    };
    Some((0..whole).step_by(2).map(line).collect())
}

/// Whether a terminal shows it as it is meant, and the person has not switched colours off (<https://no-color.org>).
pub(crate) fn is_wanted() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !unwanted && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_beside_a_shell_of_eighty_columns_and_every_line_ends_its_colours() {
        let lines =
            drawn("ahoy:pair?code=47113-champion-february&relay=relay.longer-example.org:8443").unwrap();
        assert!(lines.len() <= 24, "{}", lines.len());
        for line in &lines {
            let shown = line.strip_prefix(INK).and_then(|line| line.strip_suffix(BACK)).unwrap();
            assert_eq!(shown.chars().count(), lines.len() * 2 - 1, "a square, with a border on all sides");
            assert!(shown.starts_with("    ") && shown.ends_with("    "));
        }
        assert_eq!(drawn(&"x".repeat(5_000)), None);
    }
}
