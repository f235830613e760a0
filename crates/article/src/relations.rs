//! Other rollups that a rollup includes, replaces and requires.

use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::text::{LazyPattern, find, has, pattern};
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
        // Addresses repeat the numbers or have others.
        let words = line.text.split(' ').filter(|word| !word.contains("://"));
        let text = words.collect::<Vec<_>>().join(" ");
        let stated = stated_relations(&text, *section);
        if stated.is_empty() {
            // A list goes on as long as its lines begin with numbers.
            let named = match open.is_empty() {
                true => Vec::new(),
                false => leading(&text),
            };
            if named.is_empty() {
                open.clear();
            }
            for relation in &open {
                found.add(*relation, &named, line.number, own);
            }
            continue;
        }
        open.clear();
        // Of alternatives, none is the relation.
        let parts = text.split(" or ").map(|part| !numbers(part).is_empty());
        if parts
            .collect::<Vec<_>>()
            .windows(2)
            .any(|pair| pair == [true, true])
        {
            let message = "this relation names alternatives; write the one that is meant";
            found.open.push(OpenQuestion::new(line.number, message));
            continue;
        }
        let introduces = line.text.ends_with(':') || line.text.contains("following");
        for (relation, named) in stated {
            found.add(relation, &named, line.number, own);
            if introduces && named.is_empty() {
                open.push(relation);
            }
        }
    }
    found
}

/// Returns the relations that the sentences of a line state, each with the numbers that it names.
fn stated_relations(text: &str, section: Section) -> Vec<(Relation, Vec<Kb>)> {
    let mut stated = Vec::new();
    if section == Section::Files
        || !has(&text.to_lowercase(), "rollup|update|hotfix|fix|article|kb")
    {
        return stated;
    }
    for sentence in clauses::sentences(text) {
        // In "It includes all of X and replaces Y" each verb has its own number; in "… and replaces
        // it" the second verb shares that of the first.
        let found = relations_of(sentence, section);
        let mut spans = Vec::new();
        for (at, (_, start)) in found.iter().enumerate() {
            let end = found.get(at + 1).map_or(sentence.len(), |(_, next)| *next);
            let start = if found.len() == 1 { 0 } else { *start };
            spans.push(numbers(&sentence[start..end]));
        }
        let shared = spans.iter().find(|span| !span.is_empty()).cloned();
        for ((relation, _), span) in found.into_iter().zip(spans) {
            let shared = shared.clone().filter(|_| span.is_empty());
            stated.push((relation, shared.unwrap_or(span)));
        }
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

const REPLACES: &str = "replaces |supersedes |is a replacement for |takes the place of |replaced by this|superseded by this";

const INCLUDES: &str = "includes all|includes the|includes every|also includes|includes fixes|includes update|includes kb|\
    contains all|contains every|contains the fixes|contains the changes|also contains";

const MUST: &str = "must install|must be installed|must first install|must already|must have|must be in place|\
    must be present|has to be in place|has to be installed|have to install|requires |is required|\
    install the following|must apply|must be applied|must also install";

const NOT: &str =
    "not replace|not supersede|not include|not contain|not require|no other update|replaces no";

const BEFORE: &str = "before you install|before you apply|before you start|before this|requires";

/// Returns the relations that a sentence states, in its order, each with its offset.
fn relations_of(sentence: &str, section: Section) -> Vec<(Relation, usize)> {
    let lower = sentence.to_lowercase();
    let mut found = Vec::new();
    if has(&lower, NOT) || lower.len() != sentence.len() {
        return found;
    }
    // In a procedure, these words are about files that are replaced and components that are
    // included.
    if section != Section::Installation {
        found.extend(find(&lower, REPLACES).map(|at| (Relation::Replaces, at)));
        found.extend(find(&lower, INCLUDES).map(|at| (Relation::Includes, at)));
        found.sort_by_key(|(_, at)| *at);
    }
    let is_before = section == Section::Prerequisites || has(&lower, BEFORE);
    if found.is_empty() && is_before && has(&lower, MUST) && !lower.contains("restart") {
        found.push((Relation::Requires, 0));
    }
    found
}

/// Numbers that a line of a list begins with, and words for their kind.
static LEADING: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:\W|\b(?:kb|q|article|the|microsoft|knowledge|base|update|rollup|hotfix|and)\b|(?:kb|q)?\d{5,9}\b)*",
    )
});

/// Returns the numbers that a line of a list begins with.
fn leading(text: &str) -> Vec<Kb> {
    LEADING
        .find(text)
        .map_or(Vec::new(), |found| numbers(found.as_str()))
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
