//! Import of a vendor's support article as the draft of a manifest.
//!
//! Vendors write such articles by hand, people save them in whatever form they can, and their text
//! decides what is removed at night. So nothing here guesses silently: every value knows the line
//! that it comes from, an unknown value is a `TODO` in the draft, and every line of the
//! installation section is accounted for. The stages, in reading order: bytes become text, text
//! becomes numbered lines, lines get sections, sections give facts, numbered steps become steps of
//! a manifest, and all of it becomes the draft.
//!
//! The code knows the grammar of these articles and of the console that they describe, and no
//! product.

mod clauses;
mod columns;
mod commands;
mod console;
mod dates;
mod decode;
mod draft;
mod effects;
mod headings;
mod html;
mod identity;
mod instructions;
mod issues;
mod lines;
mod listing;
mod numbers;
mod outline;
mod parts;
mod prerequisites;
mod relations;
mod rows;
mod section;
mod steps;
mod table;
mod targets;
mod walk;

pub use decode::LARGEST;

use serde::Serialize;

/// Value, and the line of the article that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    /// Counted from 1.
    pub(crate) line: u32,
}

impl<T> Said<T> {
    fn new(value: T, line: u32) -> Self {
        Self { value, line }
    }
}

/// Result of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Text of the manifest. It is always TOML; with a `TODO` in a required value it is not a valid
    /// manifest yet.
    pub draft: String,
    /// Decisions that are left, in the order of the draft.
    pub open: Vec<Open>,
    /// Every line of the installation section, with its outcome.
    pub accounted: Vec<Accounted>,
    /// Summary of what was found.
    pub found: Found,
    /// For each line of the draft, the line of the article that it comes from.
    origins: Vec<Option<u32>>,
}

impl Imported {
    /// Returns the line of the article that a line of the draft comes from; both from 1.
    pub fn article_line(&self, draft_line: u32) -> Option<u32> {
        let at = usize::try_from(draft_line).ok()?.checked_sub(1)?;
        self.origins.get(at).copied().flatten()
    }

    /// Returns every line of the draft that comes from the article: its number, its text, and the
    /// line it comes from.
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        let lines = self.draft.lines().zip(&self.origins).zip(1..);
        lines.filter_map(|((text, line), draft_line)| {
            line.map(|line| Value {
                draft_line,
                text: text.trim(),
                line,
            })
        })
    }
}

/// Summary of what was found in an article.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// KB number, if the article gives its own.
    pub kb: Option<String>,
    /// Number of steps of the manifest.
    pub steps: usize,
    /// Number of manual steps among them.
    pub manual: usize,
    /// Number of rows of the file table.
    pub files: usize,
    /// Number of prerequisites.
    pub prerequisites: usize,
    /// Number of faults that the rollup fixes.
    pub fixes: usize,
}

/// Line of the draft, and the line of the article that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Value<'i> {
    /// Line of the draft, from 1.
    pub draft_line: u32,
    /// Text of that line: a key with its value, a name of a list, or a row of the file table.
    pub text: &'i str,
    /// Line of the article, from 1.
    pub line: u32,
}

/// Decision that a person has to make before the draft is a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Line of the article that it is about, from 1; none if the article does not mention it at
    /// all.
    pub line: Option<u32>,
    /// Description of the decision.
    pub what: String,
}

/// Line of the installation section, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accounted {
    /// Counted from 1.
    pub line: u32,
    /// Text of the line, without its marker.
    pub text: String,
    /// Outcome of the line.
    #[serde(flatten)]
    pub became: Became,
}

/// Outcome of a line of the installation section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "became")]
pub enum Became {
    /// Name of a part of the procedure.
    Heading,
    /// Source of steps.
    Understood {
        /// Ids of the steps.
        steps: Vec<String>,
    },
    /// Line that needs no step.
    Needless {
        /// Reason why it needs none.
        why: String,
    },
    /// Line that was not understood, and is kept as a manual step.
    Manual {
        /// Id of the step.
        step: String,
    },
}

/// Reason why a text is not an article that can be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArticleError {
    /// Larger than any article.
    #[error("it has more than {} MB, and no article is that long", LARGEST >> 20)]
    TooLarge,
    /// Not a text.
    #[error(
        "it is not a text: byte 0x{byte:02X} at offset {at} stands in none that was saved from a browser"
    )]
    Binary {
        /// Byte that no text contains.
        byte: u8,
        /// Offset of the byte, from 0.
        at: usize,
    },
    /// Text that is not an article about an update rollup.
    #[error(
        "it is no article about an update rollup: it has no KB number, no installation steps and no file table"
    )]
    NothingFound,
}

/// Reads an article as it was saved, and writes a manifest draft from it.
pub fn import(bytes: &[u8]) -> Result<Imported, ArticleError> {
    let text = decode::decode(bytes)?;
    let (lines, breaks_off) = match html::is_html(&text) {
        true => {
            let page = html::page(&text);
            (page.lines, page.breaks_off)
        }
        false => (lines::lines(&text), None),
    };
    let outline = outline::outline(&lines);
    let table = table::table(&outline);
    let identity = identity::identity(&outline);
    let own = identity.kb.as_ref().map(|kb| kb.value);
    let relations = relations::relations(&outline, own);
    let asked = prerequisites::prerequisites(&outline);
    let issues = issues::issues(&outline);
    let walked = walk::walk(&outline);
    if identity.kb.is_none() && walked.steps.is_empty() && table.rows.is_empty() {
        return Err(ArticleError::NothingFound);
    }
    Ok(draft::write(draft::Parts {
        breaks_off,
        identity,
        relations,
        asked,
        issues,
        walked,
        table,
    }))
}

#[cfg(test)]
mod tests;
