//! Lines that name a part of the procedure.

use super::clauses::{self, verb};
use super::commands::{self, ArticleCommand};
use super::lines::{ArticleLine, Marker};
use super::outline::OutlineEntry;
use super::text::{LazyPattern, ends, has, is, pattern};

/// Returns whether a line only names a part of the procedure.
pub(super) fn is_part(rest: &[&OutlineEntry<'_>]) -> bool {
    let line = rest[0].line;
    let next = rest.get(1).map(|entry| entry.line);
    // A line with several names is an instruction: the lines below it are done for each of them.
    let commands = commands::commands(&line.text);
    let is_for_each = |command: &ArticleCommand| matches!(command, ArticleCommand::ForEach(_));
    if commands.iter().any(is_for_each) {
        return false;
    }
    let clauses = clauses::clauses(&line.text);
    let verb = clauses.first().and_then(|clause| verb(clause));
    let works = verb.is_some_and(|(verb, _)| {
        // A title may begin with these verbs too, but has no full stop.
        is(verb, "expand|right-click|click|type|double-click")
            || is(verb, "open|select") && !is_title(line)
    });
    let below = next.and_then(|next| next.marker);
    match line.marker {
        // `Step 1:` is a part if numbered lines follow it, and an instruction of its own otherwise.
        Some(Marker::Step(_)) => {
            // In a text that lost its numbers, the title is not a sentence.
            let is_bare = || is_title(line) && next.is_some_and(|next| !is_title(next));
            let is_above = match below {
                Some(marker) => matches!(marker, Marker::Number | Marker::Letter),
                None => is_bare(),
            };
            !works && is_above || line.text.is_empty()
        }
        Some(Marker::Number) if !works => match below {
            Some(Marker::Letter) => true,
            Some(Marker::Number) => next.is_some_and(|next| next.depth > line.depth),
            _ => false,
        },
        Some(_) => false,
        None => {
            let is_named = part_name(&line.text).is_some() || below.is_some();
            line.heading || line.apart && is_title(line) && is_named
        }
    }
}

/// Part such as "Part 2 – Copy the files", "Phase B: …". "Part 2 is done by hand" is a sentence.
static PART: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"^(?i:part|phase|stage|task|procedure|section) ([0-9A-Z]{1,3})(?:$|[:.](.*)| +[-–—:](.*))",
    )
});

/// Returns the number of a part, if it has one.
pub(super) fn part_number(line: &ArticleLine) -> Option<u32> {
    match line.marker {
        Some(Marker::Step(number)) => Some(number),
        _ => PART.captures(&line.text)?[1].parse().ok(),
    }
}

/// Returns the title of a part.
pub(super) fn part_name(text: &str) -> Option<&str> {
    let found = PART.captures(text)?;
    let name = found
        .get(2)
        .or(found.get(3))
        .map_or("", |name| name.as_str());
    Some(name.trim_start_matches(['-', '–', '—', ':', ' ']))
}

/// Returns whether a line is short and not a sentence.
pub(super) fn is_title(line: &ArticleLine) -> bool {
    line.text.chars().count() <= 90
        && !ends(&line.text, ".|,|;")
        && !has(&line.text.to_lowercase(), ". |following")
}
