//! Sections of an article, recognized by the words and the look of their headings.

use super::headings::by_words;
use super::lines::{ArticleLine, Marker};
use super::section::Section;

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
        if !heading && is_table_head(line) && section != Section::Installation {
            section = Section::Files;
        }
        entries.push(OutlineEntry {
            line,
            section,
            heading,
        });
    }
    place_steps_without_heading(&mut entries);
    entries
}

fn heading(line: &ArticleLine, now: Section) -> Option<(Section, bool)> {
    if matches!(line.marker, Some(Marker::Bullet | Marker::Step(_))) || line.cells.len() > 1 {
        return None;
    }
    let text = line.text.trim_end_matches(':').to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let short = line.text.chars().count() <= 80
        && words.len() <= 9
        && !line.text.ends_with(['.', ',', ';']);
    if words.is_empty() || !short {
        return None;
    }
    // "This rollup fixes the following issues:" is a sentence.
    if !line.heading
        && (text.contains("following") || text.starts_with("this ") || text.starts_with("it "))
    {
        return None;
    }
    let known = by_words(&words, &text);
    // A numbered line is a heading only if it can be nothing else, such as `3. Prerequisites`.
    if line.marker == Some(Marker::Number) && !line.heading {
        return known
            .filter(|_| words.len() <= 3 && now != Section::Installation && now != Section::Fixes)
            .map(|known| (known, true));
    }
    let inside = now == Section::Installation && known.is_none();
    match known {
        Some(known) => Some((known, true)),
        // An unknown heading is a part of the procedure, and ends every section but the
        // installation.
        None if line.heading && !inside && now != Section::Head => Some((Section::Other, true)),
        None => None,
    }
}

/// Returns the section that a sentence opens although it is not a heading.
fn opened(line: &ArticleLine, now: Section) -> Option<(Section, bool)> {
    let text = line.text.to_lowercase();
    let rollup = ["update", "rollup", "hotfix", "package", "fix"]
        .iter()
        .any(|word| text.contains(word));
    let steps = text.contains("follow these steps")
        || text.contains("following steps")
        || text.contains("these steps:");
    let removes = [
        "to remove ",
        "to uninstall ",
        "to roll back ",
        "to back out ",
    ]
    .iter()
    .any(|start| text.starts_with(start));
    let of_this = [
        "this update",
        "this rollup",
        "this hotfix",
        "this cumulative",
        "the update rollup",
        "the hotfix",
    ];
    let ends_it = of_this.iter().any(|words| text.contains(words)) || now != Section::Installation;
    if removes && rollup && ends_it && (steps || text.ends_with(':')) {
        return Some((Section::Removal, false));
    }
    let installs = ["to install ", "to apply ", "to deploy "]
        .iter()
        .any(|start| text.starts_with(start));
    if installs && rollup && (steps || text.ends_with(':')) {
        return Some((Section::Installation, false));
    }
    let numbered = matches!(line.marker, Some(Marker::Step(_)));
    (numbered && !matches!(now, Section::Removal | Section::Installation))
        .then_some((Section::Installation, false))
}

fn is_table_head(line: &ArticleLine) -> bool {
    super::columns::is_head(&line.text, &line.cells)
}

/// Puts the steps of an article without a heading above them into the installation section: they
/// begin with the first numbered command of the console.
fn place_steps_without_heading(entries: &mut [OutlineEntry<'_>]) {
    if entries
        .iter()
        .any(|entry| entry.section == Section::Installation && !entry.heading)
    {
        return;
    }
    let open = |section| {
        matches!(
            section,
            Section::Head | Section::Summary | Section::Other | Section::Installation
        )
    };
    let is_step = |entry: &OutlineEntry<'_>| {
        open(entry.section)
            && entry.line.marker == Some(Marker::Number)
            && super::commands::is_command(&entry.line.text)
    };
    let Some(first) = entries.iter().position(is_step) else {
        return;
    };
    let section = entries[first].section;
    for entry in entries[first..]
        .iter_mut()
        .take_while(|entry| entry.section == section && !entry.heading)
    {
        entry.section = Section::Installation;
    }
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
    fn steps_are_found_without_a_heading() {
        let lines = lines(
            "A title\n\nIt repairs something.\n1. Expand Tools, and then expand More.\n2. Wait.\n\nFile information\nx",
        );
        let sections: Vec<_> = outline(&lines).iter().map(|entry| entry.section).collect();
        use Section::{Files, Head, Installation};
        assert_eq!(
            sections,
            [Head, Head, Installation, Installation, Files, Files]
        );
    }
}
