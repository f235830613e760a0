//! Other rollups that a rollup includes, replaces and requires.

use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::{Located, OpenQuestion, clauses};
use rollup_names::Kb;

/// Relations that the article states.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) includes: Vec<Located<Kb>>,
    pub(super) replaces: Vec<Located<Kb>>,
    pub(super) requires: Vec<Located<Kb>>,
    pub(super) open: Vec<OpenQuestion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Includes,
    Replaces,
    Requires,
}

/// Largest number of relations of one kind.
const MOST: usize = 500;

/// Reads every sentence that relates this rollup to another, and the list below it.
pub(super) fn relations(outline: &[OutlineEntry<'_>], own: Option<Kb>) -> Relations {
    let mut found = Relations::default();
    // The relations whose list is open.
    let mut open = Vec::new();
    for OutlineEntry {
        line,
        section,
        heading,
    } in outline
    {
        if *heading || *section == Section::Removal {
            open.clear();
            continue;
        }
        let text = without_addresses(&line.text);
        let stated = stated_relations(&text, *section);
        // Of alternatives, none is the relation.
        if !stated.is_empty() && has_alternatives(&text) {
            let message = "this relation names alternatives; write the one that is meant";
            found.open.push(OpenQuestion {
                line: Some(line.number),
                message: message.to_owned(),
            });
            open.clear();
            continue;
        }
        if stated.is_empty() {
            // A list goes on as long as its lines begin with numbers.
            let named = if open.is_empty() {
                Vec::new()
            } else {
                numbers(&text)
            };
            let count = leading(&text, &named);
            if count == 0 {
                open.clear();
            }
            for relation in &open {
                found.add(*relation, &named[..count], line.number, own);
            }
            continue;
        }
        stated
            .iter()
            .for_each(|(relation, named)| found.add(*relation, named, line.number, own));
        let introduces = line.text.ends_with(':') || line.text.contains("following");
        let bare = stated
            .into_iter()
            .filter(|(_, named)| introduces && named.is_empty());
        open = bare.map(|(relation, _)| relation).collect();
    }
    found
}

/// Returns the relations that the sentences of a line state, each with the numbers that it names.
fn stated_relations(text: &str, section: Section) -> Vec<(Relation, Vec<Kb>)> {
    let lower = text.to_lowercase();
    let rollups = ["rollup", "update", "hotfix", "fix", "article", "kb"]
        .iter()
        .any(|word| lower.contains(word));
    if !rollups || section == Section::Files {
        return Vec::new();
    }
    let mut stated = Vec::new();
    for sentence in clauses::sentences(text) {
        let found = relations_of(sentence, section);
        // In "It includes all of X and replaces Y" each verb has its own number; in "… and replaces
        // it" the second verb shares that of the first.
        let ends = found
            .iter()
            .skip(1)
            .map(|(_, at)| *at)
            .chain([sentence.len()]);
        let spans: Vec<Vec<Kb>> = match found.len() {
            1 => vec![numbers(sentence)],
            _ => found
                .iter()
                .zip(ends)
                .map(|((_, at), end)| numbers(&sentence[*at..end]))
                .collect(),
        };
        let other = spans
            .iter()
            .find(|span| !span.is_empty())
            .cloned()
            .unwrap_or_default();
        let named = spans
            .into_iter()
            .map(|span| if span.is_empty() { other.clone() } else { span });
        stated.extend(found.iter().map(|(relation, _)| *relation).zip(named));
    }
    stated
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
                list.push(Located::new(*kb, line));
            }
        }
    }
}

const REPLACES: &[&str] = &[
    "replaces ",
    "supersedes ",
    "is a replacement for ",
    "takes the place of ",
    "replaced by this",
    "superseded by this",
];

const INCLUDES: &[&str] = &[
    "includes all",
    "includes the",
    "includes every",
    "also includes",
    "includes fixes",
    "includes update",
    "includes kb",
    "contains all",
    "contains every",
    "contains the fixes",
    "contains the changes",
    "also contains",
];

const MUST: &[&str] = &[
    "must install",
    "must be installed",
    "must first install",
    "must already",
    "must have",
    "must be in place",
    "must be present",
    "has to be in place",
    "has to be installed",
    "have to install",
    "requires ",
    "is required",
    "install the following",
    "must apply",
    "must be applied",
    "must also install",
];

/// Returns the relations that a sentence states, in its order, each with its offset.
fn relations_of(sentence: &str, section: Section) -> Vec<(Relation, usize)> {
    let lower = sentence.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let not = [
        "not replace",
        "not supersede",
        "not include",
        "not contain",
        "not require",
        "no other update",
        "replaces no",
    ];
    if has(&not) || lower.len() != sentence.len() {
        return Vec::new();
    }
    let first = |words: &[&str]| words.iter().filter_map(|word| lower.find(word)).min();
    let mut found = Vec::new();
    // In a procedure, these words are about files that are replaced and components that are
    // included.
    if section != Section::Installation {
        found.extend(first(REPLACES).map(|at| (Relation::Replaces, at)));
        found.extend(first(INCLUDES).map(|at| (Relation::Includes, at)));
        found.sort_by_key(|(_, at)| *at);
    }
    let of_this = section == Section::Prerequisites
        || has(&[
            "before you install",
            "before you apply",
            "before you start",
            "before this",
            "requires",
        ]);
    if found.is_empty() && of_this && has(MUST) && !has(&["restart"]) {
        found.push((Relation::Requires, 0));
    }
    found
}

/// Returns whether an "or" is between two numbers of a text.
fn has_alternatives(text: &str) -> bool {
    let parts = text.split(" or ");
    let numbered: Vec<bool> = parts.map(|part| !numbers(part).is_empty()).collect();
    numbered.windows(2).any(|pair| pair[0] && pair[1])
}

/// Returns how many numbers a line of a list begins with.
fn leading(text: &str, named: &[Kb]) -> usize {
    const LABELS: [&str; 10] = [
        "kb",
        "q",
        "article",
        "the",
        "microsoft",
        "knowledge",
        "base",
        "update",
        "rollup",
        "hotfix",
    ];
    let mut rest = text.to_lowercase();
    let between = |(at, kb): &(usize, &Kb)| {
        let digits = kb.to_string()[2..].to_owned();
        let Some((before, after)) = rest.split_once(&digits) else {
            return false;
        };
        let mut words = before
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        let leads = words.all(|word| LABELS.contains(&word) || *at > 0 && word == "and");
        rest = after.to_owned();
        leads
    };
    named.iter().enumerate().take_while(between).count()
}

/// Removes the addresses, which repeat the numbers or have others.
fn without_addresses(text: &str) -> String {
    text.split(' ')
        .filter(|word| !word.contains("://"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;
    use crate::outline::outline;

    #[test]
    fn relations_are_read_from_sentences_and_lists() {
        let text = "A rollup\n\nSUMMARY\n\nThis rollup includes all fixes from KB600001 and KB600002.\n\nPrerequisites\n\n\
            Before you install this rollup, you must install the following updates:\n- 600003 (http://example.com/kb/600003/) One\n\
            - 600004 Two\nYou need 2 GB.\n\nReplacement information\n\nThis rollup replaces the rollup that the following \
            article describes:\n600002  (http://example.com/kb/600002/ ) More\nFor more see 600009.\n";
        let lines = lines(text);
        let found = relations(&outline(&lines), None);
        let shown = |list: &[Located<Kb>]| {
            list.iter()
                .map(|kb| format!("{}:{}", kb.value, kb.line))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&found.includes), ["KB600001:5", "KB600002:5"]);
        assert_eq!(shown(&found.requires), ["KB600003:10", "KB600004:11"]);
        assert_eq!(shown(&found.replaces), ["KB600002:17"]);
    }

    #[test]
    fn a_sentence_may_state_two_relations() {
        let text = "A rollup\n\nSUMMARY\n\nThe rollup contains everything from Update 1 (600001), and it supersedes that one. It \
            does not contain hotfix 600005.\n\nThe update includes all of KB600002 and replaces KB600003.\n\nThe update \
            includes all changes of these updates and replaces both:\n- 600006 One\n- 600007 Two\n\nRequirements\n\nUpdate Rollup \
            4 (600004) must be in place before you start.\n";
        let lines = lines(text);
        let found = relations(&outline(&lines), None);
        let shown = |list: &[Located<Kb>]| {
            list.iter()
                .map(|kb| kb.value.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&found.includes),
            ["KB600001", "KB600002", "KB600006", "KB600007"]
        );
        assert_eq!(
            shown(&found.replaces),
            ["KB600001", "KB600003", "KB600006", "KB600007"]
        );
        assert_eq!(shown(&found.requires), ["KB600004"]);
    }

    #[test]
    fn all_numbers_of_a_line_are_taken_and_no_alternative() {
        let text = "A rollup\n\nReplacement information\n\nThis rollup replaces the following updates:\n- 600001, 600002 and KB600003\n\
            - 600004 Fix of 600005\n\nYou can replace it. This rollup replaces KB600006 or KB600007.\n";
        let lines = lines(text);
        let found = relations(&outline(&lines), None);
        let replaces: Vec<_> = found
            .replaces
            .iter()
            .map(|kb| kb.value.to_string())
            .collect();
        assert_eq!(replaces, ["KB600001", "KB600002", "KB600003", "KB600004"]);
        assert_eq!(
            found.open.iter().map(|open| open.line).collect::<Vec<_>>(),
            [Some(9)]
        );
    }

    #[test]
    fn a_negated_relation_is_not_a_relation() {
        let lines = lines(
            "A rollup\n\nReplacement information\n\nThis rollup does not replace any update, such as KB600001.\n",
        );
        assert!(relations(&outline(&lines), None).replaces.is_empty());
    }
}
