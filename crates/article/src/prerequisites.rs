//! Conditions for an installation of the rollup.

use super::lines::ArticleLine;
use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::targets::{role, slug};
use super::{Located, OpenQuestion, clauses};

/// Prerequisite that the article states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArticlePrerequisite {
    Product {
        product: String,
        service_pack: u32,
        on: Option<String>,
    },
    Item(String),
    Confirm {
        id: String,
        question: String,
    },
}

/// Prerequisites, and the open questions about them.
#[derive(Debug, Default)]
pub(super) struct Prerequisites {
    pub(super) entries: Vec<Located<ArticlePrerequisite>>,
    pub(super) open: Vec<OpenQuestion>,
}

/// Largest number of prerequisites; a text with more of them is about something else.
const MOST: usize = 200;

/// Reads every sentence about prerequisites.
pub(super) fn prerequisites(outline: &[OutlineEntry<'_>]) -> Prerequisites {
    let mut found = Prerequisites::default();
    let lines = outline
        .iter()
        .filter(|entry| entry.section == Section::Prerequisites && !entry.heading);
    for OutlineEntry { line, .. } in lines {
        found.paragraph(line);
    }
    // Outside of their section, only a sentence that names a service pack is certainly a
    // prerequisite.
    let elsewhere = outline.iter().filter(|entry| {
        !entry.heading
            && matches!(
                entry.section,
                Section::Head | Section::Summary | Section::Installation | Section::Other
            )
    });
    for OutlineEntry { line, .. } in elsewhere {
        for sentence in clauses::sentences(&line.text) {
            let lower = sentence.to_lowercase();
            let before = [
                "before you install",
                "before you apply",
                "before installing",
            ]
            .iter()
            .any(|start| lower.contains(start));
            if before && lower.contains("must") {
                found.product(sentence, line);
            }
        }
    }
    found
}

impl Prerequisites {
    fn paragraph(&mut self, line: &ArticleLine) {
        let mut rest = Vec::new();
        for sentence in clauses::sentences(&line.text) {
            let lower = sentence.to_lowercase();
            // A sentence that introduces a list requires nothing by itself; its entries do. Other
            // rollups are relations.
            let nothing = lower.starts_with("there are no")
                || lower.starts_with("no prerequisites")
                || lower.starts_with("none");
            let pointer = !numbers(sentence).is_empty() || lower.contains("for more information");
            if nothing || sentence.ends_with(':') || lower.starts_with("note ") || pointer {
                continue;
            }
            if !self.product(sentence, line) && !self.item(sentence, line) {
                rest.push(sentence);
            }
        }
        // The remaining sentences are one question, from the first requirement on: they explain
        // each other.
        let first = if line.marker.is_some() {
            Some(0)
        } else {
            rest.iter().position(|sentence| is_requirement(sentence))
        };
        if let Some(first) = first.filter(|_| !rest.is_empty() && self.entries.len() < MOST) {
            self.confirm(&rest[first..].join(" "), line);
        }
    }

    fn confirm(&mut self, text: &str, line: &ArticleLine) {
        let id = self.unique(&slug(without_opening(text), 4));
        let question = format!(
            "{} (article, line {})",
            text.trim_end_matches('.'),
            line.number
        );
        self.entries.push(Located::new(
            ArticlePrerequisite::Confirm {
                id: id.clone(),
                question,
            },
            line.number,
        ));
        // Every question is kept; only one that a check could replace is reported as open.
        let lower = text.to_lowercase();
        if ["install", "deploy", "version", "running"]
            .iter()
            .any(|word| lower.contains(word))
        {
            let message = format!(
                "the prerequisite `{id}` may be a `product` or an `item` instead of a question"
            );
            self.open.push(OpenQuestion {
                line: Some(line.number),
                message,
            });
        }
    }

    /// Takes a sentence that names an item of the console.
    fn item(&mut self, sentence: &str, line: &ArticleLine) -> bool {
        let Some(item) = item(sentence) else {
            return false;
        };
        let prerequisite = ArticlePrerequisite::Item(item.to_owned());
        self.add(prerequisite, line);
        true
    }

    /// Takes a sentence that names a product and its service pack.
    fn product(&mut self, sentence: &str, line: &ArticleLine) -> bool {
        let Some((product, service_pack)) = product(sentence) else {
            return false;
        };
        let on = sentence
            .find(" on ")
            .and_then(|at| role(&sentence[at + 1..]))
            .or_else(|| subject(sentence));
        let prerequisite = ArticlePrerequisite::Product {
            product,
            service_pack,
            on,
        };
        self.add(prerequisite, line);
        true
    }

    fn add(&mut self, prerequisite: ArticlePrerequisite, line: &ArticleLine) {
        let is_known = self.entries.iter().any(|known| known.value == prerequisite);
        if self.entries.len() < MOST && !is_known {
            self.entries.push(Located::new(prerequisite, line.number));
        }
    }

    fn unique(&self, id: &str) -> String {
        let id = if id.is_empty() { "confirm" } else { id };
        let taken = |id: &str| {
            self.entries.iter().any(
                |prerequisite| matches!(&prerequisite.value, ArticlePrerequisite::Confirm { id: known, .. } if known == id),
            )
        };
        let mut number = 1;
        let mut unique = id.to_owned();
        while taken(&unique) {
            number += 1;
            unique = format!("{id}-{number}");
        }
        unique
    }
}

/// Returns whether a sentence states a requirement.
fn is_requirement(sentence: &str) -> bool {
    const WORDS: [&str; 13] = [
        "must",
        "require",
        "need",
        "make sure",
        "verify",
        "ensure",
        "back up",
        "should",
        "do not",
        "check that",
        "confirm",
        "wait until",
        "have to",
    ];
    let lower = sentence.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// Returns a question's text without the words that every question has, which add nothing to its
/// id.
fn without_opening(text: &str) -> &str {
    const OPENINGS: [&str; 8] = [
        "make sure that you have ",
        "make sure that ",
        "make sure ",
        "verify that ",
        "ensure that ",
        "you must ",
        "you need ",
        "check that ",
    ];
    let opening = OPENINGS.iter().find(|opening| {
        text.get(..opening.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(opening))
    });
    opening.map_or(text, |opening| &text[opening.len()..])
}

/// Returns the item in `The component X must be deployed`. Only items are deployed, but anything
/// can be installed, so `installed` counts only if the sentence names the kind.
fn item(sentence: &str) -> Option<&str> {
    let text = sentence.trim_end_matches('.');
    let subject = ["must be", "must already be", "has to be"]
        .iter()
        .find_map(|must| {
            let (subject, rest) = text.split_once(must)?;
            let is = rest.trim();
            (is == "deployed" || is == "installed").then_some((subject.trim(), is == "deployed"))
        });
    let (subject, deployed) = subject?;
    let subject = subject
        .strip_prefix("The ")
        .or_else(|| subject.strip_prefix("the "))
        .unwrap_or(subject);
    const KINDS: [&str; 3] = ["component", "provider", "item"];
    let before = KINDS.iter().find_map(|kind| {
        let named = subject
            .get(..kind.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(kind));
        subject
            .get(kind.len()..)
            .filter(|_| named)?
            .strip_prefix(' ')
    });
    let behind = ["component", "item"]
        .iter()
        .find_map(|kind| subject.strip_suffix(kind)?.strip_suffix(' '));
    let name = before
        .or(behind)
        .or(Some(subject).filter(|_| deployed))?
        .trim_matches('"');
    let is_name = name.starts_with(char::is_uppercase) && name.split(' ').count() <= 8;
    (is_name
        && !name.contains([',', ':', ';'])
        && !name.contains(" and ")
        && !name.contains(" or "))
    .then_some(name)
}

/// Returns the role of the servers that a sentence is about, as in `All Gear servers must be at …`.
fn subject(sentence: &str) -> Option<String> {
    let verbs = [" must ", " need ", " require ", " have to ", " should "];
    let end = verbs.iter().filter_map(|verb| sentence.find(verb)).min()?;
    let subject = &sentence[..end];
    let servers = ["servers", "computers", "machines", "nodes"]
        .iter()
        .any(|word| subject.ends_with(word));
    servers.then(|| role(&format!("on {subject}"))).flatten()
}

/// Returns a text without the words between a product and its service pack.
fn without_joint(text: &str) -> &str {
    const JOINTS: [&str; 11] = [
        " with",
        " needs",
        " requires",
        " must have",
        " must be at",
        " has to be at",
        " at",
        " at least",
        " and",
        " plus",
        " has",
    ];
    let text = text.trim_end_matches([',', '(', ' ']);
    JOINTS
        .iter()
        .filter_map(|joint| text.strip_suffix(joint))
        .min_by_key(|text| text.len())
        .unwrap_or(text)
}

/// Returns product and service pack in `… install Product 2007 Service Pack 1 (SP1) on …`.
fn product(sentence: &str) -> Option<(String, u32)> {
    let lower = sentence.to_lowercase();
    // What must not be installed is the reverse, which a person has to write.
    if lower.len() != sentence.len() || has_word(&lower, "not") {
        return None;
    }
    let (at, pack) = ["service pack ", " sp"].iter().find_map(|mark| {
        lower.match_indices(mark).find_map(|(at, _)| {
            let digits: String = lower[at + mark.len()..]
                .chars()
                .take_while(char::is_ascii_digit)
                .take(4)
                .collect();
            digits.parse().ok().map(|pack: u32| (at, pack))
        })
    })?;
    let before = without_joint(sentence[..at].trim_end());
    const VERBS: [&str; 14] = [
        " install ",
        " installed ",
        " have ",
        " has ",
        " running ",
        " run ",
        " require ",
        " requires ",
        " apply ",
        " need ",
        " needs ",
        " with ",
        " upgrade to ",
        " be at ",
    ];
    let start = VERBS
        .iter()
        .filter_map(|verb| before.to_lowercase().rfind(verb).map(|at| at + verb.len()))
        .max()
        .unwrap_or(0);
    let mut name = before.get(start..)?.trim();
    for article in ["at least ", "either ", "the ", "The ", "a ", "an "] {
        name = name.strip_prefix(article).unwrap_or(name);
    }
    let name = name.trim_end_matches([',', '(', ' ']);
    let is_name =
        name.chars().next().is_some_and(char::is_uppercase) && name.split(' ').count() <= 8;
    is_name.then(|| (name.to_owned(), pack))
}

fn has_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;
    use crate::outline::outline;

    #[test]
    fn service_packs_are_conditions_and_the_rest_are_questions() {
        let text = "A rollup\n\nPrerequisites\n\nBefore you apply it, you must have Contoso Mail 2010 Service Pack 2 (SP2) installed on \
            the Front End servers.\nYou must be an administrator of the domain. To apply it, see KB600001.\nThere are no others.\n";
        let lines = lines(text);
        let found = prerequisites(&outline(&lines));
        let product = ArticlePrerequisite::Product {
            product: "Contoso Mail 2010".into(),
            service_pack: 2,
            on: Some("front-end".into()),
        };
        assert_eq!(found.entries[0], Located::new(product, 5));
        assert!(
            matches!(&found.entries[1].value, ArticlePrerequisite::Confirm { question, .. } if question.starts_with("You must be an administrator"))
        );
        assert_eq!(
            (found.entries.len(), found.open.len()),
            (2, 0),
            "{found:#?}"
        );
    }

    #[test]
    fn what_must_not_be_installed_is_a_question() {
        let text = "A rollup\n\nPrerequisites\n\nContoso Mail 2010 Service Pack 2 must not be installed.\n";
        let lines = lines(text);
        let found = prerequisites(&outline(&lines));
        assert!(
            matches!(&found.entries[..], [entry] if matches!(&entry.value, ArticlePrerequisite::Confirm { question, .. } if question.starts_with("Contoso Mail 2010"))),
            "{:?}",
            found.entries
        );
    }

    #[test]
    fn servers_and_products_are_read_in_any_order() {
        let product =
            |product: &str, service_pack, on: Option<&str>| ArticlePrerequisite::Product {
                product: product.to_owned(),
                service_pack,
                on: on.map(str::to_owned),
            };
        for (sentence, wanted) in [
            (
                "The wheel servers need Contoso Oil 2.4 Service Pack 1 or later.",
                product("Contoso Oil 2.4", 1, Some("wheel")),
            ),
            (
                "All Mill servers must be at Contoso OS 2003 Service Pack 2.",
                product("Contoso OS 2003", 2, Some("mill")),
            ),
            (
                "Contoso Gears needs Service Pack 3 wherever it is installed.",
                product("Contoso Gears", 3, None),
            ),
            (
                "The wheel servers must be running Contoso Base 5 with SP4.",
                product("Contoso Base 5", 4, Some("wheel")),
            ),
            (
                "All servers must be at Contoso OS 2003 SP1.",
                product("Contoso OS 2003", 1, None),
            ),
            (
                "The component Oil Namespace must be deployed.",
                ArticlePrerequisite::Item("Oil Namespace".to_owned()),
            ),
            (
                "Oil Provider must be deployed.",
                ArticlePrerequisite::Item("Oil Provider".to_owned()),
            ),
        ] {
            let lines = lines(&format!("A rollup\n\nPrerequisites\n\n{sentence}\n"));
            let found = prerequisites(&outline(&lines));
            assert_eq!(found.entries, [Located::new(wanted, 5)], "{sentence}");
        }
    }

    #[test]
    fn related_sentences_are_one_question() {
        let text = "A rollup\n\nPrerequisites\n\nDo not begin while the mill turns. Open the window and look.\n\nContoso Gears \
            must be installed.\n";
        let lines = lines(text);
        let found = prerequisites(&outline(&lines));
        let questions: Vec<_> = found
            .entries
            .iter()
            .map(|prerequisite| format!("{:?}", prerequisite.value))
            .collect();
        assert!(
            questions.len() == 2
                && questions[0].contains("the mill turns. Open the window and look (article"),
            "{questions:?}"
        );
        assert_eq!(found.open.len(), 1, "{questions:?}");
    }
}
