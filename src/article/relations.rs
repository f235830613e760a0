//! Which other rollups it includes, replaces and requires.

use super::Said;
use super::numbers::numbers;
use super::outline::{Placed, Section};
use crate::names::Kb;

/// The relations that the article tells.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) includes: Vec<Said<Kb>>,
    pub(super) replaces: Vec<Said<Kb>>,
    pub(super) requires: Vec<Said<Kb>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Includes,
    Replaces,
    Requires,
}

/// A rollup has no more relations than this of one kind.
const MOST: usize = 500;

/// Reads every sentence that relates this rollup to another, and the list below it.
pub(super) fn relations(outline: &[Placed<'_>], own: Option<Kb>) -> Relations {
    let mut found = Relations::default();
    // The relation whose list is open.
    let mut open = None;
    for Placed { line, section, heading } in outline {
        if *heading || *section == Section::Removal {
            open = None;
            continue;
        }
        let named = numbers(&without_addresses(&line.text));
        match relation(&line.text, *section) {
            Some(relation) => {
                found.add(relation, &named, line.number, own);
                open = (named.is_empty() && (line.text.ends_with(':') || line.text.contains("following")))
                    .then_some(relation);
            }
            // A list goes on as long as its lines begin with numbers.
            None => match open.filter(|_| leads(&line.text, &named)) {
                Some(relation) => found.add(relation, &named[..1], line.number, own),
                None => open = None,
            },
        }
    }
    found
}

impl Relations {
    fn add(&mut self, relation: Relation, numbers: &[Kb], line: u32, own: Option<Kb>) {
        let list = match relation {
            Relation::Includes => &mut self.includes,
            Relation::Replaces => &mut self.replaces,
            Relation::Requires => &mut self.requires,
        };
        for kb in numbers.iter().filter(|kb| Some(**kb) != own) {
            if list.len() < MOST && !list.iter().any(|known| known.value == *kb) {
                list.push(Said::new(*kb, line));
            }
        }
    }
}

/// What a sentence says about other rollups.
fn relation(text: &str, section: Section) -> Option<Relation> {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["not replace", "not supersede", "not include", "not require", "no other update", "replaces no"]) {
        return None;
    }
    // In a procedure, files are replaced and components included.
    let rollups = has(&["rollup", "update", "hotfix", "fix", "article", "kb"]);
    if !rollups || section == Section::Files {
        return None;
    }
    if has(&["replaces ", "supersedes ", "is a replacement for ", "takes the place of "])
        && section != Section::Installation
    {
        return Some(Relation::Replaces);
    }
    if has(&[
        "includes all",
        "includes the",
        "includes every",
        "also includes",
        "contains all",
        "contains the fixes",
        "includes fixes",
        "includes update",
        "includes kb",
    ]) && section != Section::Installation
    {
        return Some(Relation::Includes);
    }
    let must = has(&[
        "must install",
        "must be installed",
        "must first install",
        "must already",
        "must have",
        "requires ",
        "is required",
        "install the following",
        "must apply",
        "must be applied",
        "must also install",
    ]);
    let of_this = section == Section::Prerequisites
        || has(&["before you install", "before you apply", "before this", "requires"]);
    (must && of_this && !has(&["restart"])).then_some(Relation::Requires)
}

/// Whether a line of a list is about the number that it begins with.
fn leads(text: &str, named: &[Kb]) -> bool {
    let Some(first) = named.first() else { return false };
    let digits = first.to_string()[2..].to_owned();
    let before = text.split(&digits).next().unwrap_or_default().to_lowercase();
    const LABELS: [&str; 9] = ["kb", "article", "the", "microsoft", "knowledge", "base", "update", "rollup", "hotfix"];
    before.split(|c: char| !c.is_alphanumeric()).all(|word| word.is_empty() || LABELS.contains(&word))
}

/// Without the addresses, which repeat the numbers or have others.
fn without_addresses(text: &str) -> String {
    text.split(' ').filter(|word| !word.contains("://")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::super::outline::outline;
    use super::*;

    #[test]
    fn relations_are_read_from_sentences_and_lists() {
        let text = "A rollup\n\nSUMMARY\n\nThis rollup includes all fixes from KB600001 and KB600002.\n\nPrerequisites\n\n\
            Before you install this rollup, you must install the following updates:\n- 600003 (http://example.com/kb/600003/) One\n\
            - 600004 Two\nYou need 2 GB.\n\nReplacement information\n\nThis rollup replaces the rollup that the following \
            article describes:\n600002  (http://example.com/kb/600002/ ) More\nFor more see 600009.\n";
        let lines = lines(text);
        let found = relations(&outline(&lines), None);
        let shown = |list: &[Said<Kb>]| list.iter().map(|kb| format!("{}:{}", kb.value, kb.line)).collect::<Vec<_>>();
        assert_eq!(shown(&found.includes), ["KB600001:5", "KB600002:5"]);
        assert_eq!(shown(&found.requires), ["KB600003:10", "KB600004:11"]);
        assert_eq!(shown(&found.replaces), ["KB600002:17"]);
    }

    #[test]
    fn a_rollup_that_replaces_nothing_says_so() {
        let lines = lines(
            "A rollup\n\nReplacement information\n\nThis rollup does not replace any update, such as KB600001.\n",
        );
        assert!(relations(&outline(&lines), None).replaces.is_empty());
    }
}
