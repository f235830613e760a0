//! KB numbers within sentences.

use rollup_names::Kb;

use super::text::{LazyPattern, pattern};
use super::words;

/// Largest number of articles in one text; one that names more is not about a rollup.
const MOST: usize = 100;

/// Digits behind letters that say so, or at the beginning of a word.
static NUMBER: LazyPattern =
    LazyPattern::new(|| pattern(r"(?i)(?:(kb[ :#-]*/?|help/)|(\bq)|^|[^\w.,-])(\d+)"));

/// Sign behind digits that are a part of something else, such as a size or a version.
static JOINED: LazyPattern = LazyPattern::new(|| pattern(r"^(?:[A-Za-z_]|[.,]\d)"));

/// Returns the numbers of articles in a text, in its order. `KB12345` and `Q12345` are one; digits alone
/// are one only if there are six or seven of them that do not belong to a year, size or version.
pub(super) fn numbers(text: &str) -> Vec<Kb> {
    // A number in the name of a file is not that of an article.
    let is_word = |word: &&str| words::name(word.trim_matches([',', ';', '(', ')'])).is_none();
    let text = text.split(' ').filter(is_word).collect::<Vec<_>>();
    let text = text.join(" ");
    let mut found: Vec<Kb> = Vec::new();
    for number in NUMBER.captures_iter(&text) {
        let fits = matches!(
            (number.get(1), number.get(2), number[3].len()),
            (Some(_), _, 5..=9) | (_, Some(_), 5..=7) | (None, None, 6..=7)
        );
        let end = number.get_match().end();
        if !fits || JOINED.is_match(&text[end..]) {
            continue;
        }
        let kb = number[3].parse().ok();
        found.extend(kb.filter(|kb| !found.contains(kb)));
        if found.len() >= MOST {
            break;
        }
    }
    found
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
