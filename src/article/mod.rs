//! A vendor's support article, and the manifest draft that its text comes to.
//!
//! Vendors write such articles by hand, people save them as they can, and what stands in them
//! decides what is removed at night. So nothing here guesses silently: every value knows the line
//! that it came from, what could not be known is a `TODO` in the draft, and every line of the
//! installation section is accounted for. The stages, in reading order: bytes become text, text
//! becomes numbered lines, lines get sections, sections give facts, numbered steps become steps of
//! a manifest, and all of it becomes the draft.
//!
//! What is known here is the grammar of these articles and of the console that they talk about, and
//! no product.

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
mod issues;
mod lines;
mod listing;
mod numbers;
mod outline;
mod parts;
mod prerequisites;
mod relations;
mod rows;
mod steps;
mod table;
mod targets;
mod telling;
mod walk;

pub use decode::LARGEST;

use serde::Serialize;

/// A value, and the line of the article that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    /// From 1.
    pub(crate) line: u32,
}

impl<T> Said<T> {
    fn new(value: T, line: u32) -> Self {
        Self { value, line }
    }
}

/// What became of an article.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The manifest's text. It always is TOML; with a `TODO` in a required value it is no valid
    /// manifest yet.
    pub draft: String,
    /// What is left to decide, in the order of the draft.
    pub open: Vec<Open>,
    /// Every line of the installation section, with what became of it.
    pub accounted: Vec<Accounted>,
    /// How much was found.
    pub found: Found,
    /// For each line of the draft the line of the article that it comes from.
    origins: Vec<Option<u32>>,
}

impl Imported {
    /// The line of the article that a line of the draft comes from; both from 1.
    pub fn article_line(&self, draft_line: u32) -> Option<u32> {
        let at = usize::try_from(draft_line).ok()?.checked_sub(1)?;
        self.origins.get(at).copied().flatten()
    }

    /// Every line of the draft that comes from the article: its number, its text, and the line it
    /// comes from.
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

/// How much of an article was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// The KB number, if the article tells its own.
    pub kb: Option<String>,
    /// Steps of the manifest.
    pub steps: usize,
    /// Of those, the ones that are left to a person.
    pub manual: usize,
    /// Rows of the file table.
    pub files: usize,
    /// Prerequisites.
    pub prerequisites: usize,
    /// Faults that the rollup mends.
    pub fixes: usize,
}

/// A line of the draft, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Value<'i> {
    /// In the draft, from 1.
    pub draft_line: u32,
    /// What stands there: a key with its value, a name of a list, a row of the file table.
    pub text: &'i str,
    /// The line of the article, from 1.
    pub line: u32,
}

/// Something that a person has to decide before the draft is a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    /// The line of the article it is about, from 1; none where the article does not say it at all.
    pub line: Option<u32>,
    /// What to decide.
    pub what: String,
}

/// A line of the installation section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accounted {
    /// From 1.
    pub line: u32,
    /// What stands there, without its marker.
    pub text: String,
    /// What became of it.
    #[serde(flatten)]
    pub became: Became,
}

/// What became of a line of the installation section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "became")]
pub enum Became {
    /// It names a part of the procedure.
    Heading,
    /// Steps came from it.
    Understood {
        /// Their ids.
        steps: Vec<String>,
    },
    /// It needs no step.
    Needless {
        /// Why.
        why: String,
    },
    /// It was not understood, and is kept as a manual step.
    Manual {
        /// Its id.
        step: String,
    },
}

/// Why a text is no article that could be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoArticle {
    /// Larger than any article.
    #[error("it has more than {} MB, and no article is that long", LARGEST >> 20)]
    TooLarge,
    /// Not a text.
    #[error(
        "it is not a text: byte 0x{byte:02X} at offset {at} stands in none that was saved from a browser"
    )]
    Binary {
        /// The byte that stands in no text.
        byte: u8,
        /// Where, from 0.
        at: usize,
    },
    /// A text, and not an article about an update rollup.
    #[error(
        "it is no article about an update rollup: it has no KB number, no installation steps and no file table"
    )]
    NothingFound,
}

/// Reads an article as it was saved, and writes a manifest draft from it.
pub fn import(bytes: &[u8]) -> Result<Imported, NoArticle> {
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
        return Err(NoArticle::NothingFound);
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
