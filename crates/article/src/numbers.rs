//! KB numbers within sentences.

use std::ops::Range;

use rollup_names::Kb;

use super::words;

/// Largest number of articles in one text; one that names more is not about a rollup.
const MOST: usize = 100;

/// Returns the numbers of articles in a text, in its order. `KB12345` and `Q12345` are one; digits alone
/// are one only if there are six or seven of them that do not belong to a year, size or version.
pub(super) fn numbers(text: &str) -> Vec<Kb> {
    let mut found: Vec<Kb> = Vec::new();
    let mut at = 0;
    for word in text.split_inclusive(' ') {
        // A number in the name of a file is not that of an article.
        if words::name(word.trim_matches([' ', ',', ';', '(', ')'])).is_none() {
            of_word(text, at..at + word.len(), &mut found);
        }
        at += word.len();
        if found.len() >= MOST {
            break;
        }
    }
    found
}

/// Adds the numbers in a part of a text.
fn of_word(text: &str, part: Range<usize>, found: &mut Vec<Kb>) {
    let bytes = text.as_bytes();
    let mut at = part.start;
    while at < part.end {
        let digits = bytes[at..part.end]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            at += 1;
            continue;
        }
        let end = at + digits;
        let before = text[..at]
            .trim_end_matches([' ', '-', ':', '#'])
            .to_ascii_lowercase_tail();
        let is_q = (5..=7).contains(&digits)
            && at > 0
            && matches!(bytes[at - 1], b'Q' | b'q')
            && (at == 1 || !bytes[at - 2].is_ascii_alphanumeric());
        let marked = is_q
            || ["kb", "kb/", "help/"]
                .iter()
                .any(|mark| before.ends_with(mark));
        let apart = |byte: Option<&u8>| {
            byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b".,".contains(byte))
        };
        let after = bytes.get(end).copied().unwrap_or(b' ');
        let joined = after.is_ascii_alphabetic()
            || after == b'_'
            || b".,".contains(&after) && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let alone = (6..=7).contains(&digits)
            && (at == 0 || apart(bytes.get(at - 1)) && bytes[at - 1] != b'-');
        if (marked && (5..=9).contains(&digits) || alone) && !joined {
            let kb = text[at..end].parse::<Kb>().ok();
            found.extend(kb.filter(|kb| !found.contains(kb)));
        }
        at = end;
    }
}

trait Tail {
    fn to_ascii_lowercase_tail(&self) -> String;
}

impl Tail for str {
    /// Returns the last few characters in lower case. The whole text is not converted, since a line
    /// may be long and have many numbers.
    fn to_ascii_lowercase_tail(&self) -> String {
        let from = self.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
        self[from..].to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn article_numbers_are_distinguished_from_other_numbers() {
        let shown = |text: &str| {
            numbers(text)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown("948755 (http://example.com/kb/948755/ )"),
            ["KB948755"]
        );
        assert_eq!(
            shown("see KB 12345 and kb-1234567."),
            ["KB12345", "KB1234567"]
        );
        assert_eq!(shown("Q123456, (Q234567)"), ["KB123456", "KB234567"]);
        assert!(
            shown("Q123456.exe, wheels6.1-kb123456-x86.msu, Q123456_DEU.exe, SEQ123456").is_empty()
        );
        assert!(shown("372,736 bytes in 2008, version 4.0.123456, 123456.7, x123456").is_empty());
    }
}
