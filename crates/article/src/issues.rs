//! Faults that the rollup fixes, and notes for the operator.

use super::lines::{ArticleLine, Marker};
use super::outline::OutlineEntry;
use super::section::Section;
use super::{Located, OpenQuestion, clauses};

/// Lists of texts for people.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) fixes: Vec<Located<String>>,
    pub(super) notes: Vec<Located<String>>,
    pub(super) open: Vec<OpenQuestion>,
}

/// Reads the bullets below "fixes the following issues", and the remarks beside them.
pub(super) fn issues(outline: &[OutlineEntry<'_>]) -> Issues {
    let mut reader = IssueReader::default();
    for (at, entry) in outline.iter().enumerate() {
        match entry.section {
            Section::Restart if !entry.heading => {
                let sentences = clauses::sentences(&entry.line.text).into_iter();
                let notes = sentences.map(|text| Located::new(text.to_owned(), entry.line.number));
                reader.found.notes.extend(notes);
            }
            Section::Removal if !entry.heading => {
                let note = cannot_be_removed(&entry.line.text);
                let note = note.map(|text| Located::new(text.to_owned(), entry.line.number));
                reader.found.notes.extend(note);
            }
            Section::Fixes | Section::Summary | Section::Head | Section::Other => {
                reader.read(entry, &outline[at + 1..]);
            }
            _ => {}
        }
    }
    reader.found
}

/// Reader of the sections that may list faults.
#[derive(Default)]
struct IssueReader {
    found: Issues,
    /// True while the current list is one of faults.
    listing: bool,
    /// Indentation of the entries of the list.
    depth: usize,
    /// True if the current section has lost its bullets, so that each line is an entry.
    bare: bool,
}

impl IssueReader {
    fn read(&mut self, entry: &OutlineEntry<'_>, below: &[OutlineEntry<'_>]) {
        let line = entry.line;
        let is_fixes = entry.section == Section::Fixes;
        if entry.heading {
            (self.listing, self.depth) = (is_fixes, usize::MAX);
            self.bare = is_fixes && has_no_bullets(below);
        } else if let Some(note) = remark(&line.text).filter(|_| is_fixes) {
            // A tip is about the page or the product, and not about the rollup.
            if !line.text.to_lowercase().starts_with("tip") {
                let note = Located::new(note.to_owned(), line.number);
                self.found.notes.push(note);
            }
        } else if self.bare && is_fixes && !introduces(&line.text) && line.cells.len() == 1 {
            let fix = Located::new(line.text.clone(), line.number);
            self.found.fixes.push(fix);
        } else if let Some(Marker::Bullet | Marker::Number) = line.marker {
            if self.listing {
                self.list_entry(line);
            }
        } else {
            self.listing = introduces_faults(&line.text);
            self.depth = usize::MAX;
            let is_unmarked =
                |below: &OutlineEntry<'_>| !below.heading && below.line.marker.is_none();
            if is_fixes
                && self.listing
                && line.text.ends_with(':')
                && below.first().is_some_and(is_unmarked)
            {
                let message = "the list below has lost its bullets, so `fixes` lacks its entries";
                self.found.open.push(OpenQuestion {
                    line: Some(line.number),
                    message: message.to_owned(),
                });
            }
        }
    }

    fn list_entry(&mut self, line: &ArticleLine) {
        self.depth = self.depth.min(line.depth);
        let is_below = line.depth > self.depth;
        match self.found.fixes.last_mut().filter(|_| is_below) {
            // Lines below an entry belong to it.
            Some(fix) => {
                let ends = fix.value.ends_with([':', '.', '!', '?']);
                fix.value.push_str(if ends { " " } else { "; " });
                fix.value.push_str(&line.text);
            }
            None => {
                let fix = Located::new(line.text.clone(), line.number);
                self.found.fixes.push(fix);
            }
        }
    }
}

/// Returns whether a line introduces a list of faults that the rollup fixes.
fn introduces_faults(text: &str) -> bool {
    let lower = text.to_lowercase();
    let names_faults = ["issue", "problem", "fixes the", "symptom", "bug"]
        .iter()
        .any(|word| lower.contains(word));
    text.ends_with([':', '.'])
        && lower.contains("following")
        && names_faults
        && !lower.contains("includes the fixes from")
        && !lower.contains("known issues")
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
