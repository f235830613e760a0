//! What must be so before the rollup is installed.

use super::lines::Line;
use super::numbers::numbers;
use super::outline::{Placed, Section};
use super::targets::{role, slug};
use super::{Open, Said, clauses};

/// One prerequisite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Product { product: String, service_pack: u32, on: Option<String> },
    Confirm { id: String, question: String },
}

/// The prerequisites, and what is left to decide about them.
#[derive(Debug, Default)]
pub(super) struct Prerequisites {
    pub(super) asked: Vec<Said<Asked>>,
    pub(super) open: Vec<Open>,
}

/// A text with more of them asks for something else.
const MOST: usize = 200;

/// Reads every sentence about prerequisites.
pub(super) fn prerequisites(outline: &[Placed<'_>]) -> Prerequisites {
    let mut found = Prerequisites::default();
    let lines = outline.iter().filter(|placed| placed.section == Section::Prerequisites && !placed.heading);
    for Placed { line, .. } in lines {
        for sentence in clauses::sentences(&line.text) {
            found.sentence(sentence, line);
        }
    }
    // Outside of their section, only what names a service pack is one beyond doubt.
    let elsewhere = outline.iter().filter(|placed| {
        !placed.heading
            && matches!(placed.section, Section::Head | Section::Summary | Section::Installation | Section::Other)
    });
    for Placed { line, .. } in elsewhere {
        for sentence in clauses::sentences(&line.text) {
            let lower = sentence.to_lowercase();
            let before = ["before you install", "before you apply", "before installing"]
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
    fn sentence(&mut self, sentence: &str, line: &Line) {
        let lower = sentence.to_lowercase();
        // A sentence that introduces a list says nothing by itself; its entries do. Other rollups are relations.
        let nothing =
            lower.starts_with("there are no") || lower.starts_with("no prerequisites") || lower.starts_with("none");
        if nothing || sentence.ends_with(':') || lower.starts_with("note ") || self.product(sentence, line) {
            return;
        }
        if !numbers(sentence).is_empty() || lower.contains("for more information") {
            return;
        }
        let listed = line.marker.is_some();
        let asks = ["must", "require", "need", "make sure", "verify", "ensure", "back up", "should"]
            .iter()
            .any(|word| lower.contains(word));
        if !(listed || asks) || self.asked.len() >= MOST {
            return;
        }
        let id = self.unique(&slug(sentence, 4));
        let question = format!("{} (article, line {})", sentence.trim_end_matches('.'), line.number);
        self.asked.push(Said::new(Asked::Confirm { id: id.clone(), question }, line.number));
        let what = format!("whether the prerequisite `{id}` can be a `product` or an `item` instead of a question");
        self.open.push(Open { line: Some(line.number), what });
    }

    /// Takes a sentence that names a product and its service pack.
    fn product(&mut self, sentence: &str, line: &Line) -> bool {
        let Some((product, service_pack)) = product(sentence) else { return false };
        let on = sentence.find(" on ").and_then(|at| role(&sentence[at + 1..]));
        let asked = Asked::Product { product, service_pack, on };
        if self.asked.len() < MOST && !self.asked.iter().any(|known| known.value == asked) {
            self.asked.push(Said::new(asked, line.number));
        }
        true
    }

    fn unique(&self, id: &str) -> String {
        let id = if id.is_empty() { "confirm" } else { id };
        let taken = |id: &str| {
            self.asked.iter().any(|asked| matches!(&asked.value, Asked::Confirm { id: known, .. } if known == id))
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

/// `… install Product 2007 Service Pack 1 (SP1) on …`.
fn product(sentence: &str) -> Option<(String, u32)> {
    let lower = sentence.to_lowercase();
    if lower.len() != sentence.len() {
        return None;
    }
    let (at, pack) = ["service pack ", " sp"].iter().find_map(|mark| {
        lower.match_indices(mark).find_map(|(at, _)| {
            let digits: String = lower[at + mark.len()..].chars().take_while(char::is_ascii_digit).take(4).collect();
            digits.parse().ok().map(|pack: u32| (at, pack))
        })
    })?;
    let before = sentence[..at].trim_end();
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
    let start =
        VERBS.iter().filter_map(|verb| before.to_lowercase().rfind(verb).map(|at| at + verb.len())).max().unwrap_or(0);
    let mut name = before.get(start..)?.trim();
    for article in ["at least ", "either ", "the ", "The ", "a ", "an "] {
        name = name.strip_prefix(article).unwrap_or(name);
    }
    let name = name.trim_end_matches([',', '(', ' ']);
    let is_name = name.chars().next().is_some_and(char::is_uppercase) && name.split(' ').count() <= 8;
    is_name.then(|| (name.to_owned(), pack))
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::super::outline::outline;
    use super::*;

    #[test]
    fn service_packs_are_conditions_and_the_rest_is_asked() {
        let text = "A rollup\n\nPrerequisites\n\nBefore you apply it, you must have Contoso Mail 2010 Service Pack 2 (SP2) installed on \
            the Front End servers.\nYou must be an administrator of the domain. To apply it, see KB600001.\nThere are no others.\n";
        let lines = lines(text);
        let found = prerequisites(&outline(&lines));
        let product =
            Asked::Product { product: "Contoso Mail 2010".into(), service_pack: 2, on: Some("front-end".into()) };
        assert_eq!(found.asked[0], Said::new(product, 5));
        assert!(
            matches!(&found.asked[1].value, Asked::Confirm { question, .. } if question.starts_with("You must be an administrator"))
        );
        assert_eq!((found.asked.len(), found.open.len()), (2, 1), "{found:#?}");
    }
}
