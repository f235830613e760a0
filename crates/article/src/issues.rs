//! Faults that the rollup fixes, and notes for the operator.

use super::lines::Marker;
use super::outline::OutlineEntry;
use super::section::Section;
use super::{Located, clauses};

/// Lists of texts for people.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) fixes: Vec<Located<String>>,
    pub(super) notes: Vec<Located<String>>,
}

/// Reads the bullets below "fixes the following issues", and the remarks beside them.
pub(super) fn issues(outline: &[OutlineEntry<'_>]) -> Issues {
    let mut found = Issues::default();
    // True while the current list is one of faults, and the indentation of its entries.
    let (mut listing, mut depth) = (false, 0);
    // True if the current section has lost its bullets, so that each line is an entry.
    let mut bare = false;
    for (
        at,
        OutlineEntry {
            line,
            section,
            heading,
        },
    ) in outline.iter().enumerate()
    {
        if *section == Section::Restart && !heading {
            found.notes.extend(
                clauses::sentences(&line.text)
                    .into_iter()
                    .map(|text| Located::new(text.to_owned(), line.number)),
            );
        }
        if *section == Section::Removal && !heading {
            found.notes.extend(
                cannot_be_removed(&line.text)
                    .map(|text| Located::new(text.to_owned(), line.number)),
            );
        }
        if !matches!(
            section,
            Section::Fixes | Section::Summary | Section::Head | Section::Other
        ) {
            continue;
        }
        if *heading {
            (listing, depth) = (*section == Section::Fixes, usize::MAX);
            bare = listing && has_no_bullets(&outline[at + 1..]);
        } else if let Some(note) = remark(&line.text).filter(|_| *section == Section::Fixes) {
            // A tip is about the page or the product, and not about the rollup.
            if !line.text.to_lowercase().starts_with("tip") {
                found.notes.push(Located::new(note.to_owned(), line.number));
            }
        } else if bare
            && *section == Section::Fixes
            && !introduces(&line.text)
            && line.cells.len() == 1
        {
            found
                .fixes
                .push(Located::new(line.text.clone(), line.number));
        } else if let Some(Marker::Bullet | Marker::Number) = line.marker {
            if !listing {
                continue;
            }
            depth = depth.min(line.depth);
            match found.fixes.last_mut().filter(|_| line.depth > depth) {
                // Lines below an entry belong to it.
                Some(fix) => {
                    fix.value
                        .push_str(if fix.value.ends_with([':', '.', '!', '?']) {
                            " "
                        } else {
                            "; "
                        });
                    fix.value.push_str(&line.text);
                }
                None => found
                    .fixes
                    .push(Located::new(line.text.clone(), line.number)),
            }
        } else {
            let lower = line.text.to_lowercase();
            let faults = ["issue", "problem", "fixes the", "symptom", "bug"]
                .iter()
                .any(|word| lower.contains(word));
            let introduces = line.text.ends_with([':', '.']) && lower.contains("following");
            listing = introduces
                && faults
                && !lower.contains("includes the fixes from")
                && !lower.contains("known issues");
            depth = usize::MAX;
        }
    }
    found
}

/// Returns whether the section below a heading is a list that lost its bullets: there are none, and
/// every line is a sentence.
fn has_no_bullets(below: &[OutlineEntry<'_>]) -> bool {
    let lines = || {
        below
            .iter()
            .take_while(|entry| !entry.heading && entry.section == Section::Fixes)
            .map(|entry| entry.line)
    };
    lines().all(|line| line.marker.is_none() && line.text.ends_with(['.', ':', '!', '?', ')', '"']))
}

/// Returns whether a line only introduces a list, or describes the rollup.
fn introduces(text: &str) -> bool {
    let lower = text.to_lowercase();
    let about = [
        "this ",
        "the update",
        "the rollup",
        "the hotfix",
        "update rollup",
        "for more",
        "these ",
    ];
    text.ends_with(':')
        || lower.contains("following")
        || about.iter().any(|start| lower.starts_with(start))
}

/// Returns the sentences that exclude a removal of the installed rollup.
fn cannot_be_removed(text: &str) -> impl Iterator<Item = &str> {
    clauses::sentences(text).into_iter().filter(|sentence| {
        let lower = sentence.to_lowercase();
        let never = ["cannot be ", "can not be ", "cannot ", "not possible to "];
        let removal = ["remove", "uninstall", "roll back", "rolled back"];
        never.iter().any(|never| {
            removal
                .iter()
                .any(|removal| lower.contains(&format!("{never}{removal}")))
        })
    })
}

/// Returns the words of a remark, such as `Note …` and `Important: …`.
pub(super) fn remark(text: &str) -> Option<&str> {
    let rest = [
        "Notes",
        "Note",
        "NOTE",
        "Important",
        "IMPORTANT",
        "Warning",
        "WARNING",
        "Caution",
        "Tip",
    ]
    .iter()
    .find_map(|word| text.strip_prefix(word))?;
    let rest = rest
        .strip_prefix([':', ' ', '.'])?
        .trim_start_matches([':', ' ', '-', '–']);
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;
    use crate::outline::outline;

    #[test]
    fn faults_are_listed_with_the_lines_below_them() {
        let text = "A rollup\n\nIssues that are fixed\n\nThis rollup includes the fixes from the following rollups:\n- 600001 One\n\
            It also fixes the following issues:\n- The mill stops.\n- Three wheels turn backwards:\n    - the first\n    - the last\n\
            \nNote Wheels can be chosen now.\n\nRestart information\n\nYou do not have to restart anything.\n";
        let lines = lines(text);
        let found = issues(&outline(&lines));
        let texts: Vec<_> = found.fixes.iter().map(|fix| fix.value.as_str()).collect();
        assert_eq!(
            texts,
            [
                "The mill stops.",
                "Three wheels turn backwards: the first; the last"
            ]
        );
        let notes: Vec<_> = found
            .notes
            .iter()
            .map(|note| (note.line, note.value.as_str()))
            .collect();
        assert_eq!(
            notes,
            [
                (13, "Wheels can be chosen now."),
                (17, "You do not have to restart anything.")
            ]
        );
    }

    #[test]
    fn lists_that_lost_their_bullets_or_their_indentation_are_lists() {
        let text = "A rollup\n\nProblems that have been corrected\nThis rollup corrects these problems:\nThe mill stops.\nWheels \
            turn backwards.\nTip: Read our letter.\n\nRemoval information\n\nThe rollup cannot be removed. Ask us.\n";
        let lines_of_text = lines(text);
        let found = issues(&outline(&lines_of_text));
        let texts: Vec<_> = found.fixes.iter().map(|fix| fix.value.as_str()).collect();
        assert_eq!(texts, ["The mill stops.", "Wheels turn backwards."]);
        let notes: Vec<_> = found.notes.iter().map(|note| note.value.as_str()).collect();
        assert_eq!(notes, ["The rollup cannot be removed."]);
        let text =
            "A rollup\n\nFixed issues\n\n·   Wheels turn:\no   one\no   two\n·   The mill stops.\n";
        let lines = lines(text);
        let texts: Vec<_> = issues(&outline(&lines))
            .fixes
            .into_iter()
            .map(|fix| fix.value)
            .collect();
        assert_eq!(texts, ["Wheels turn: one; two", "The mill stops."]);
    }
}
