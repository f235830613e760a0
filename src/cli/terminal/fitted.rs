//! Lines that are longer than the screen, broken at spaces. What is within backticks stays in one piece, so
//! that it can be copied.

use super::out;
use crate::names::{STYLE_MARK, columns};

/// Breaks the lines of a text that are wider than text on the terminal is. Without a terminal they stay.
pub(super) fn to_screen(text: String) -> String {
    match out::screen() {
        Some(_) => broken(&text, out::width()),
        None => text,
    }
}

fn broken(text: &str, width: usize) -> String {
    let mut broken = String::new();
    for line in text.split_inclusive('\n') {
        if shown_columns(line.trim_end()) <= width {
            broken.push_str(line);
        } else {
            break_line(line, width, &mut broken);
        }
    }
    broken
}

/// Breaks a line; its other lines have a deeper indent.
fn break_line(line: &str, width: usize, broken: &mut String) {
    let indent = line.len() - line.trim_start_matches(' ').len() + 2;
    let mut used = 0;
    for piece in pieces(line) {
        let mut piece = piece;
        if used > indent && used + shown_columns(piece.trim_end()) > width {
            broken.push_str(&format!("\n{:indent$}", ""));
            piece = piece.trim_start_matches(' ');
            used = indent;
        }
        broken.push_str(piece);
        used += shown_columns(piece);
    }
}

/// Splits a line before each space that follows a word, unless it is within backticks.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    let (mut is_quoted, mut before) = (false, ' ');
    for (at, c) in line.char_indices() {
        is_quoted ^= c == '`';
        if c == ' ' && before != ' ' && !is_quoted {
            pieces.push(&line[from..at]);
            from = at;
        }
        before = c;
    }
    pieces.push(&line[from..]);
    pieces
}

/// Returns the columns of a text without its styles.
fn shown_columns(text: &str) -> usize {
    let mut parts = text.split(STYLE_MARK);
    let first = parts.next().map_or(0, columns);
    let after_styles = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    first + after_styles.map(columns).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::out::{BAD, styled};

    #[test]
    fn a_long_line_is_broken_at_spaces_with_an_indent() {
        assert_eq!(
            broken("  one two  three four\nshort\n", 12),
            "  one two\n    three\n    four\nshort\n"
        );
    }

    #[test]
    fn a_command_stays_in_one_piece() {
        assert_eq!(
            broken("next: `rollup undo 12 -d lab` rolls it back", 20),
            "next:\n  `rollup undo 12 -d lab`\n  rolls it back"
        );
    }

    #[test]
    fn styles_take_no_columns() {
        let text = format!("{}: {}", styled(BAD, "error"), "漢字");
        assert_eq!(shown_columns(&text), 11);
        assert_eq!(broken(&text, 11), text);
    }
}
