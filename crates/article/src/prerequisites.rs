//! Conditions for an installation of the rollup.

use super::lines::ArticleLine;
use super::numbers::numbers;
use super::outline::OutlineEntry;
use super::section::Section;
use super::targets::{role, slug};
use super::text::{LazyPattern, begins, ends, has, pattern, without_start};
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
    let mut elsewhere = Vec::new();
    for entry in outline.iter().filter(|entry| !entry.heading) {
        match entry.section {
            Section::Prerequisites => found.paragraph(entry.line),
            Section::Head | Section::Summary | Section::Installation | Section::Other => {
                elsewhere.push(entry.line);
            }
            _ => {}
        }
    }
    // Outside of their section, only a sentence that names a service pack is certainly a
    // prerequisite.
    for line in elsewhere {
        for sentence in clauses::sentences(&line.text) {
            let lower = sentence.to_lowercase();
            if has(
                &lower,
                "before you install|before you apply|before installing",
            ) && lower.contains("must")
                && let Some(product) = product(sentence)
            {
                found.add(product, line);
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
            let says_nothing = begins(&lower, "there are no|no prerequisites|none|note ")
                || lower.ends_with(':')
                || lower.contains("for more information");
            if says_nothing || !numbers(sentence).is_empty() {
                continue;
            }
            match product(sentence).or_else(|| item(sentence)) {
                Some(prerequisite) => self.add(prerequisite, line),
                None => rest.push(sentence),
            }
        }
        // The remaining sentences are one question, from the first requirement on: they explain
        // each other.
        let is_first = |sentence: &&str| line.marker.is_some() || is_requirement(sentence);
        if let Some(first) = rest.iter().position(is_first)
            && self.entries.len() < MOST
        {
            self.confirm(&rest[first..].join(" "), line);
        }
    }

    fn confirm(&mut self, text: &str, line: &ArticleLine) {
        let rest = OPENING.replace(text, "");
        let id = self.unique(&slug(&rest, 4));
        // Every question is kept; only one that a check could replace is reported as open.
        if has(&text.to_lowercase(), "install|deploy|version|running") {
            let message = format!(
                "the prerequisite `{id}` may be a `product` or an `item` instead of a question"
            );
            self.open.push(OpenQuestion::new(line.number, message));
        }
        let text = text.trim_end_matches('.');
        let question = format!("{text} (article, line {})", line.number);
        let confirm = ArticlePrerequisite::Confirm { id, question };
        self.entries.push(Located::new(confirm, line.number));
    }

    fn unique(&self, id: &str) -> String {
        let id = if id.is_empty() { "confirm" } else { id };
        let is_taken = |wanted: &String| {
            let is_same = |known: &Located<ArticlePrerequisite>| matches!(&known.value, ArticlePrerequisite::Confirm { id, .. } if id == wanted);
            self.entries.iter().any(is_same)
        };
        let numbered = (2..).map(|number| format!("{id}-{number}"));
        let mut ids = std::iter::once(id.to_owned()).chain(numbered);
        ids.find(|id| !is_taken(id)).unwrap_or_default()
    }

    fn add(&mut self, prerequisite: ArticlePrerequisite, line: &ArticleLine) {
        let is_known = self.entries.iter().any(|known| known.value == prerequisite);
        if self.entries.len() < MOST && !is_known {
            self.entries.push(Located::new(prerequisite, line.number));
        }
    }
}

/// Returns whether a sentence states a requirement.
fn is_requirement(sentence: &str) -> bool {
    let words = "must|require|need|make sure|verify|ensure|back up|should|do not|check that|confirm|wait until|have to";
    has(&sentence.to_lowercase(), words)
}

/// Words that every question has, which add nothing to its id.
static OPENING: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:make sure that you have|make sure that|make sure|verify that|ensure that|you must|you need|check that) ",
    )
});

/// Item in `The component X must be deployed`.
static ITEM: LazyPattern = LazyPattern::new(|| {
    pattern(
        r#"^(?i:the )?(?:((?i)component|provider|item) )?"?([[:upper:]][^,:;]*?)"?(?: (component|item))? (?:must be|must already be|has to be) (?:(deployed)|installed)\.?$"#,
    )
});

/// Returns the item that a sentence names. Only items are deployed, but anything can be installed,
/// so `installed` counts only if the sentence names the kind.
fn item(sentence: &str) -> Option<ArticlePrerequisite> {
    let found = ITEM.captures(sentence)?;
    let is_item = [1, 3, 4].iter().any(|part| found.get(*part).is_some());
    let name = found[2].to_owned();
    let is_one = name.split(' ').count() <= 8 && !has(&name, " and | or ");
    (is_item && is_one).then_some(ArticlePrerequisite::Item(name))
}

/// Product and service pack in `… install Product 2007 Service Pack 1 (SP1) on …`.
static PACK: LazyPattern = LazyPattern::new(|| pattern(r"(?i)(?:service pack | sp)(\d{1,4})"));

/// Words between a product and its service pack.
static JOINT: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?: with| needs| requires| must have| must be at| has to be at| at| at least| and| plus| has)$",
    )
});

/// Words before a product.
static REQUIRES: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^.* (?:install|installed|have|has|running|run|requires?|apply|needs?|with|upgrade to|be at) ",
    )
});

/// What must not be installed is the reverse, which a person has to write.
static NOT: LazyPattern = LazyPattern::new(|| pattern(r"(?i)\bnot\b"));

/// Servers that a sentence is about, as in `All Gear servers must be at …`.
static SUBJECT: LazyPattern =
    LazyPattern::new(|| pattern(r"^(.*?) (?:must|need|require|have to|should) "));

/// Returns the product that a sentence names, with its service pack.
fn product(sentence: &str) -> Option<ArticlePrerequisite> {
    let found = PACK
        .captures(sentence)
        .filter(|_| !NOT.is_match(sentence))?;
    let service_pack = found[1].parse().ok()?;
    let before = sentence[..found.get_match().start()].trim_end_matches([',', '(', ' ']);
    let before = JOINT
        .find(before)
        .map_or(before, |joint| &before[..joint.start()]);
    let start = REQUIRES.find(before).map_or(0, |verb| verb.end());
    let name = without_start(before[start..].trim(), "at least |either |the |The |a |an ");
    let product = name.trim_end_matches([',', '(', ' ']).to_owned();
    if !product.starts_with(char::is_uppercase) || product.split(' ').count() > 8 {
        return None;
    }
    let on = sentence.find(" on ").and_then(|at| role(&sentence[at..]));
    let on = on.or_else(|| {
        let subject = SUBJECT.captures(sentence)?;
        let is_about = ends(&subject[1], "servers|computers|machines|nodes");
        role(&format!("on {}", &subject[1])).filter(|_| is_about)
    });
    Some(ArticlePrerequisite::Product {
        product,
        service_pack,
        on,
    })
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
