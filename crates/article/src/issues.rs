//! Faults that the rollup fixes, and notes for the operator.

use super::lines::{ArticleLine, Marker};
use super::outline::OutlineEntry;
use super::section::Section;
use super::text::{LazyPattern, begins, ends, has, pattern};
use super::{Located, OpenQuestion, clauses};

/// Lists of texts for people.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) fixes: Vec<Located<String>>,
    pub(super) notes: Vec<Located<String>>,
    pub(super) open: Vec<OpenQuestion>,
}

/// Sentence that excludes a removal of the installed rollup.
static STAYS: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)(?:cannot (?:be )?|can not be |not possible to )(?:remove|uninstall|roll back|rolled back)",
    )
});

/// Reads the bullets below "fixes the following issues", and the remarks beside them.
pub(super) fn issues(outline: &[OutlineEntry<'_>]) -> Issues {
    let mut reader = IssueReader::default();
    for (at, entry) in outline.iter().enumerate() {
        match entry.section {
            Section::Restart | Section::Removal if !entry.heading => {
                let is_restart = entry.section == Section::Restart;
                for sentence in clauses::sentences(&entry.line.text) {
                    if is_restart || STAYS.is_match(sentence) {
                        reader.note(sentence, entry.line);
                    }
                }
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
    fn note(&mut self, text: &str, line: &ArticleLine) {
        let note = Located::new(text, line.number);
        self.found.notes.push(note);
    }

    fn read(&mut self, entry: &OutlineEntry<'_>, below: &[OutlineEntry<'_>]) {
        let line = entry.line;
        let lower = line.text.to_lowercase();
        let is_fixes = entry.section == Section::Fixes;
        if entry.heading {
            (self.listing, self.depth) = (is_fixes, usize::MAX);
            self.bare = is_fixes && has_no_bullets(below);
        } else if let Some(note) = remark(&line.text).filter(|_| is_fixes) {
            // A tip is about the page or the product, and not about the rollup.
            if !lower.starts_with("tip") {
                self.note(note, line);
            }
        } else if self.bare && is_fixes && !introduces(&lower) && line.cells.len() == 1 {
            self.list_entry(line, 0);
        } else if let Some(Marker::Bullet | Marker::Number) = line.marker {
            if self.listing {
                self.depth = self.depth.min(line.depth);
                self.list_entry(line, line.depth - self.depth);
            }
        } else {
            // A line that introduces a list of faults that the rollup fixes.
            self.listing = ends(&lower, ":|.")
                && lower.contains("following")
                && has(&lower, "issue|problem|fixes the|symptom|bug")
                && !has(&lower, "includes the fixes from|known issues");
            self.depth = usize::MAX;
            let next = below.first().filter(|next| !next.heading);
            let has_marker = next.is_none_or(|next| next.line.marker.is_some());
            if is_fixes && self.listing && lower.ends_with(':') && !has_marker {
                let message = "the list below has lost its bullets, so `fixes` lacks its entries";
                self.found
                    .open
                    .push(OpenQuestion::new(line.number, message));
            }
        }
    }

    /// Adds an entry of a list. Lines below an entry belong to it.
    fn list_entry(&mut self, line: &ArticleLine, depth: usize) {
        match self.found.fixes.last_mut() {
            Some(fix) if depth > 0 => {
                let ends = fix.value.ends_with([':', '.', '!', '?']);
                fix.value.push_str(if ends { " " } else { "; " });
                fix.value.push_str(&line.text);
            }
            _ => {
                let fix = Located::new(&line.text, line.number);
                self.found.fixes.push(fix);
            }
        }
    }
}

/// Returns whether the section below a heading is a list that lost its bullets: there are none, and
/// every line is a sentence.
fn has_no_bullets(below: &[OutlineEntry<'_>]) -> bool {
    let mut entries = below
        .iter()
        .take_while(|entry| !entry.heading && entry.section == Section::Fixes);
    entries.all(|entry| entry.line.marker.is_none() && ends(&entry.line.text, ".|:|!|?|)|\""))
}

/// Returns whether a line only introduces a list, or describes the rollup.
fn introduces(lower: &str) -> bool {
    lower.ends_with(':')
        || lower.contains("following")
        || begins(
            lower,
            "this |the update|the rollup|the hotfix|update rollup|for more|these ",
        )
}

static REMARK: LazyPattern = LazyPattern::new(|| {
    pattern(r"^(?:Notes?|NOTE|Important|IMPORTANT|Warning|WARNING|Caution|Tip)[: .][: –-]*(.+)$")
});

/// Returns the words of a remark, such as `Note …` and `Important: …`.
pub(super) fn remark(text: &str) -> Option<&str> {
    let found = REMARK.captures(text)?.get(1)?;
    Some(found.as_str())
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
