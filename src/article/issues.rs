//! What the rollup mends, and what an operator should know.

use super::lines::Marker;
use super::outline::{Placed, Section};
use super::{Said, clauses};

/// Lists of texts for people.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) fixes: Vec<Said<String>>,
    pub(super) notes: Vec<Said<String>>,
}

/// The bullets below "fixes the following issues", and the remarks beside them.
pub(super) fn issues(outline: &[Placed<'_>]) -> Issues {
    let mut found = Issues::default();
    // Whether the list at hand is one of faults, and how far its entries are indented.
    let (mut listing, mut depth) = (false, 0);
    for Placed { line, section, heading } in outline {
        if *section == Section::Restart && !heading {
            found
                .notes
                .extend(clauses::sentences(&line.text).into_iter().map(|text| Said::new(text.to_owned(), line.number)));
        }
        if !matches!(section, Section::Fixes | Section::Summary | Section::Head | Section::Other) {
            continue;
        }
        if *heading {
            (listing, depth) = (*section == Section::Fixes, usize::MAX);
        } else if let Some(note) = remark(&line.text).filter(|_| *section == Section::Fixes) {
            found.notes.push(Said::new(note.to_owned(), line.number));
        } else if let Some(Marker::Bullet | Marker::Number) = line.marker {
            if !listing {
                continue;
            }
            depth = depth.min(line.depth);
            match found.fixes.last_mut().filter(|_| line.depth > depth) {
                // What stands below an entry belongs to it.
                Some(fix) => {
                    fix.value.push_str(if fix.value.ends_with(':') { " " } else { "; " });
                    fix.value.push_str(&line.text);
                }
                None => found.fixes.push(Said::new(line.text.clone(), line.number)),
            }
        } else {
            let lower = line.text.to_lowercase();
            let faults = ["issue", "problem", "fixes the", "symptom", "bug"].iter().any(|word| lower.contains(word));
            let introduces = line.text.ends_with([':', '.']) && lower.contains("following");
            listing =
                introduces && faults && !lower.contains("includes the fixes from") && !lower.contains("known issues");
            depth = usize::MAX;
        }
    }
    found
}

/// The words of a remark, such as `Note …` and `Important: …`.
pub(super) fn remark(text: &str) -> Option<&str> {
    let rest = ["Notes", "Note", "NOTE", "Important", "IMPORTANT", "Warning", "WARNING", "Caution", "Tip"]
        .iter()
        .find_map(|word| text.strip_prefix(word))?;
    let rest = rest.strip_prefix([':', ' ', '.'])?.trim_start_matches([':', ' ', '-', '–']);
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::super::outline::outline;
    use super::*;

    #[test]
    fn faults_are_listed_with_what_stands_below_them() {
        let text = "A rollup\n\nIssues that are fixed\n\nThis rollup includes the fixes from the following rollups:\n- 600001 One\n\
            It also fixes the following issues:\n- The mill stops.\n- Three wheels turn backwards:\n    - the first\n    - the last\n\
            \nNote Wheels can be chosen now.\n\nRestart information\n\nYou do not have to restart anything.\n";
        let lines = lines(text);
        let found = issues(&outline(&lines));
        let texts: Vec<_> = found.fixes.iter().map(|fix| fix.value.as_str()).collect();
        assert_eq!(texts, ["The mill stops.", "Three wheels turn backwards: the first; the last"]);
        let notes: Vec<_> = found.notes.iter().map(|note| (note.line, note.value.as_str())).collect();
        assert_eq!(notes, [(13, "Wheels can be chosen now."), (17, "You do not have to restart anything.")]);
    }
}
