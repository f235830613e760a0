//! Sections of an article, recognized by the words and the look of their headings.

use super::headings::by_words;
use super::lines::{ArticleLine, Marker};
use super::section::Section;
use super::text::{begins, ends, has, is};
use super::{clauses, columns};

/// Line, and the section that it is in.
#[derive(Debug)]
pub(super) struct OutlineEntry<'l> {
    pub(super) line: &'l ArticleLine,
    pub(super) section: Section,
    /// True if it is the heading of that section.
    pub(super) heading: bool,
}

/// Returns all lines with their sections.
pub(super) fn outline(lines: &[ArticleLine]) -> Vec<OutlineEntry<'_>> {
    let mut section = Section::Head;
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let found = heading(line, section).or_else(|| opened(line, section));
        let heading = found.is_some_and(|(_, heading)| heading);
        section = found.map_or(section, |(section, _)| section);
        // A table needs no heading: its columns identify it.
        let is_table = columns::is_head(&line.text, &line.cells);
        if !heading && is_table && section != Section::Installation {
            section = Section::Files;
        }
        entries.push(OutlineEntry {
            line,
            section,
            heading,
        });
    }
    entries
}

/// Largest indentation of a heading.
const INDENTED: usize = 16;

fn heading(line: &ArticleLine, now: Section) -> Option<(Section, bool)> {
    let is_list = matches!(line.marker, Some(Marker::Bullet | Marker::Step(_)));
    // A line indented this far continues a cell of the line above.
    if is_list || line.cells.len() > 1 || line.depth > INDENTED && !line.heading {
        return None;
    }
    let text = line.text.trim_end_matches(':').to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let is_short = line.text.chars().count() <= 80
        && (1..=9).contains(&words.len())
        && !ends(&line.text, ".|,|;");
    // "This rollup fixes the following issues:" is a sentence.
    let is_sentence = text.contains("following") || begins(&text, "this |it ");
    if !is_short || is_sentence && !line.heading {
        return None;
    }
    let is_installation = now == Section::Installation;
    let known = by_words(&words, &text).map(|known| (known, true));
    // A numbered line is a heading only if it can be nothing else, such as `3. Prerequisites`.
    if line.marker == Some(Marker::Number) && !line.heading {
        return known.filter(|_| words.len() <= 3 && !is_installation && now != Section::Fixes);
    }
    // An unknown heading is a part of the procedure, and ends every section but the installation.
    let ends_section = line.heading && !is_installation && now != Section::Head;
    known.or(ends_section.then_some((Section::Other, true)))
}

/// Words that begin the instructions of an installation.
const INSTALLS: &str = "to install |to apply |to deploy |to enable |to manually install |to use the hotfix installer|to update ";

/// Words for what is installed.
const ROLLUPS: &str = "update|updated|rollup|hotfix|hotfix:|package|fix|fix:";

const OF_THIS: &str =
    "this update|this rollup|this hotfix|this cumulative|the update rollup|the hotfix";

/// Returns the section that a sentence opens although it is not a heading.
fn opened(line: &ArticleLine, now: Section) -> Option<(Section, bool)> {
    let text = line.text.to_lowercase();
    let has_steps = has(&text, "follow these steps|following steps|these steps:");
    let is_about = has(&text, OF_THIS) || now != Section::Installation;
    if begins(&text, "to remove |to uninstall |to roll back |to back out ")
        && has(&text, ROLLUPS)
        && is_about
        && (has_steps || text.ends_with(':'))
    {
        return Some((Section::Removal, false));
    }
    let may = matches!(
        now,
        Section::Head | Section::Summary | Section::Fixes | Section::Files | Section::Other
    );
    let mut subject = text.split(", ").next().unwrap_or_default().split(' ');
    let installs = begins(&text, INSTALLS)
        && subject.any(|word| is(word, ROLLUPS))
        && !has(&text, "must have|must be running");
    let mut sentences = clauses::sentences(&line.text).into_iter().skip(1);
    let is_announced = sentences.any(|sentence| {
        let sentence = sentence.to_lowercase();
        begins(&sentence, INSTALLS) && has(&sentence, ROLLUPS) && sentence.ends_with(':')
    });
    let is_step = matches!(line.marker, Some(Marker::Step(_)));
    (may && (installs || is_announced || is_step)).then_some((Section::Installation, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;

    #[test]
    fn headings_are_recognized_by_their_words() {
        for (heading, section) in [
            ("SUMMARY", Section::Summary),
            ("List of issues that are fixed", Section::Fixes),
            ("Installation information", Section::Installation),
            ("How to install this update", Section::Installation),
            ("Installation instructions:", Section::Installation),
            ("Prerequisites", Section::Prerequisites),
            ("Before you install this update", Section::Prerequisites),
            ("Restart requirement", Section::Restart),
            ("Do I need to restart the server?", Section::Restart),
            ("Is a reboot required?", Section::Restart),
            ("Hotfix replacement information", Section::Replacement),
            ("Removal information", Section::Removal),
            ("How to uninstall this update", Section::Removal),
            ("Registry information", Section::Other),
            ("File information", Section::Files),
            ("Files in this rollup", Section::Files),
            ("APPLIES TO", Section::AppliesTo),
            ("MORE INFORMATION", Section::Other),
        ] {
            let lines = lines(&format!("Some title\n\n{heading}\n\nSome words."));
            let outline = outline(&lines);
            assert_eq!(
                (outline[1].section, outline[1].heading),
                (section, true),
                "{heading}"
            );
            assert_eq!(
                (outline[2].section, outline[2].heading),
                (section, false),
                "{heading}"
            );
        }
    }

    #[test]
    fn only_words_that_say_so_open_an_installation() {
        for (words, section) in [
            (
                "To apply this hotfix, follow these steps:",
                Section::Installation,
            ),
            (
                "To install the fix, replace wheel.dll.",
                Section::Installation,
            ),
            ("Using the Hotfix Installer:", Section::Installation),
            ("Follow these steps:", Section::Other),
            (
                "To reproduce the problem, follow these steps:",
                Section::Problem,
            ),
            ("WORKAROUND", Section::Problem),
        ] {
            let lines = lines(&format!(
                "A title\n\nMORE INFORMATION\n\n{words}\n\n1. Expand Tools, and then expand More."
            ));
            let outline = outline(&lines);
            assert_eq!(
                outline.last().map(|entry| entry.section),
                Some(section),
                "{words}"
            );
        }
    }
}
