//! KB numbers within sentences.

use rollup_names::Kb;

/// Largest number of articles in one text; one that names more is not about a rollup.
const MOST: usize = 100;

/// Returns the numbers of articles in a text, in its order. `KB12345` is one anywhere; digits alone
/// are one only if there are six or seven of them that do not belong to a year, size or version.
pub(super) fn numbers(text: &str) -> Vec<Kb> {
    let mut found: Vec<Kb> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && found.len() < MOST {
        let digits = bytes[at..]
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
        let marked = before.ends_with("kb") || before.ends_with("kb/") || before.ends_with("help/");
        let apart = |byte: Option<&u8>| {
            byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b".,".contains(byte))
        };
        let joined = bytes
            .get(end)
            .is_some_and(|byte| byte.is_ascii_alphabetic())
            || (bytes.get(end).is_some_and(|byte| b".,".contains(byte))
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
        let alone = (6..=7).contains(&digits)
            && (at == 0 || apart(bytes.get(at - 1)) && bytes[at - 1] != b'-');
        if (marked && (5..=9).contains(&digits) || alone) && !joined {
            found.extend(
                text[at..end]
                    .parse::<Kb>()
                    .ok()
                    .filter(|kb| !found.contains(kb)),
            );
        }
        at = end;
    }
    found
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
        assert!(shown("372,736 bytes in 2008, version 4.0.123456, 123456.7, x123456").is_empty());
    }
}
