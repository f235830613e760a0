//! Questions about a text. Alternatives are one string, with `|` between them.

use std::sync::LazyLock;

use regex::Regex;

/// Pattern that is compiled when it is first needed.
pub(super) type LazyPattern = LazyLock<Regex>;

/// Compiles a pattern of the source.
pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of the source is valid")
}

/// Returns whether a text contains one of the alternatives.
pub(super) fn has(text: &str, alternatives: &str) -> bool {
    alternatives.split('|').any(|part| text.contains(part))
}

/// Returns whether a text is one of the alternatives.
pub(super) fn is(text: &str, alternatives: &str) -> bool {
    alternatives.split('|').any(|part| text == part)
}

/// Returns whether a text begins with one of the alternatives.
pub(super) fn begins(text: &str, alternatives: &str) -> bool {
    behind(text, alternatives).is_some()
}

/// Returns whether a text ends with one of the alternatives.
pub(super) fn ends(text: &str, alternatives: &str) -> bool {
    alternatives.split('|').any(|part| text.ends_with(part))
}

/// Returns the text behind the first alternative that it begins with.
pub(super) fn behind<'t>(text: &'t str, alternatives: &str) -> Option<&'t str> {
    alternatives
        .split('|')
        .find_map(|part| text.strip_prefix(part))
}

/// Returns the first place of any alternative.
pub(super) fn find(text: &str, alternatives: &str) -> Option<usize> {
    let places = alternatives.split('|').filter_map(|part| text.find(part));
    places.min()
}

/// Removes each of the alternatives in turn from the beginning of a text.
pub(super) fn without_start<'t>(text: &'t str, alternatives: &str) -> &'t str {
    alternatives
        .split('|')
        .fold(text, |text, part| text.strip_prefix(part).unwrap_or(text))
}

/// Removes each of the alternatives in turn from the end of a text.
pub(super) fn without_end<'t>(text: &'t str, alternatives: &str) -> &'t str {
    alternatives
        .split('|')
        .fold(text, |text, part| text.strip_suffix(part).unwrap_or(text))
}
