//! Lines that name a part of the procedure.

use super::clauses::{self, verb};
use super::commands::{self, ArticleCommand};
use super::lines::{ArticleLine, Marker};
use super::outline::OutlineEntry;

/// Returns whether a line only names a part of the procedure.
pub(super) fn is_part(rest: &[&OutlineEntry<'_>]) -> bool {
    let line = rest[0].line;
    let next = rest.get(1).map(|entry| entry.line);
    // A line with several names is an instruction: the lines below it are done for each of them.
    if commands::commands(&line.text)
        .iter()
        .any(|command| matches!(command, ArticleCommand::ForEach(_)))
    {
        return false;
    }
    let works = clauses::clauses(&line.text).first().is_some_and(|clause| {
        let navigates = ["expand", "right-click", "click", "type", "double-click"];
        // A title may begin with these verbs too, but has no full stop.
        let may = ["open", "select"];
        verb(clause).is_some_and(|(verb, _)| {
            navigates.contains(&verb) || may.contains(&verb) && !is_title(line)
        })
    });
    match line.marker {
        // `Step 1:` is a part if numbered lines follow it, and an instruction of its own otherwise.
        Some(Marker::Step(_)) => {
            // In a text that lost its numbers, the title is not a sentence.
            let begins = |next: &ArticleLine| match next.marker {
                Some(Marker::Number | Marker::Letter) => true,
                Some(_) => false,
                None => is_title(line) && !is_title(next),
            };
            !works && next.is_some_and(begins) || line.text.is_empty()
        }
        Some(Marker::Number) => {
            !works
                && next.is_some_and(|next| {
                    next.marker == Some(Marker::Letter)
                        || next.marker == Some(Marker::Number) && next.depth > line.depth
                })
        }
        Some(_) => false,
        None => {
            let titles = line.apart && is_title(line);
            line.heading
                || titles
                    && (part_name(&line.text).is_some()
                        || next.is_some_and(|next| next.marker.is_some()))
        }
    }
}

/// Returns the number of a part, if it has one.
pub(super) fn part_number(line: &ArticleLine) -> Option<u32> {
    if let Some(Marker::Step(number)) = line.marker {
        return Some(number);
    }
    part_name(&line.text)?;
    line.text.split([' ', ':', '.']).nth(1)?.parse().ok()
}

/// Returns the title in "Part 2 – Copy the files", "Phase B: …".
pub(super) fn part_name(text: &str) -> Option<&str> {
    let (word, rest) = text.split_once(' ')?;
    let part = ["part", "phase", "stage", "task", "procedure", "section"];
    part.iter().find(|part| word.eq_ignore_ascii_case(part))?;
    let (label, name) = rest.split_once([' ', ':', '.']).unwrap_or((rest, ""));
    let labels = label.len() <= 3
        && label
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let name = name.trim_start();
    // "Part 2 is done by hand" is a sentence.
    let parted = label.len() < rest.len() && !rest[label.len()..].starts_with(' ');
    let dashed = name.strip_prefix(['-', '–', '—', ':']);
    (labels && !label.is_empty() && (parted || name.is_empty() || dashed.is_some()))
        .then(|| dashed.unwrap_or(name).trim_start())
}

/// Returns whether a line is short and not a sentence.
pub(super) fn is_title(line: &ArticleLine) -> bool {
    line.text.chars().count() <= 90
        && !line.text.ends_with(['.', ',', ';'])
        && !line.text.contains(". ")
        && !line.text.to_lowercase().contains("following")
}
