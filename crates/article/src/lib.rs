//! Import of a vendor's support article as the draft of a manifest.
//!
//! Vendors write such articles by hand, people save them in any form, and a misread line removes
//! the wrong component in the maintenance window. So nothing here guesses silently: every value has
//! the number of its line, an unknown value is a `TODO` in the draft, and every line of the
//! installation section has a result. The stages, in reading order: bytes become text, text
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
mod markdown;
mod mentions;
mod mht;
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
mod text;
mod walk;
mod words;

pub use decode::MAX_ARTICLE_BYTES;
pub use mentions::{ArticleMentions, FileMention, ServiceMention, mentions};

use std::sync::LazyLock;

use html::SavedPage;
use regex::Regex;
use text::pattern;

use rollup_names::Kb;
use schemars::JsonSchema;
use serde::Serialize;

/// Value, and the line of the article that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    /// Counted from 1.
    pub(crate) line: u32,
}

impl<T> Located<T> {
    fn new(value: impl Into<T>, line: u32) -> Self {
        let value = value.into();
        Self { value, line }
    }
}

/// Returns a range of lines, such as `lines 4-9`.
fn lines_text((first, last): (u32, u32)) -> String {
    match first == last {
        true => format!("line {first}"),
        false => format!("lines {first}-{last}"),
    }
}

/// Result of an import.
#[derive(Debug, Clone)]
pub struct ImportedArticle {
    /// Text of the manifest. It is always TOML; with a `TODO` in a required value it is not a valid
    /// manifest yet.
    pub draft: String,
    /// Decisions that are left, in the order of the draft.
    pub open: Vec<OpenQuestion>,
    /// Every line of the installation section.
    pub installation: Vec<InstallationLine>,
    pub found: ImportSummary,
    /// For each line of the draft, the line of the article that it comes from.
    origins: Vec<Option<u32>>,
}

impl ImportedArticle {
    /// Returns the line of the article that a line of the draft comes from; both from 1.
    pub fn article_line(&self, draft_line: u32) -> Option<u32> {
        let at = usize::try_from(draft_line).ok()?.checked_sub(1)?;
        self.origins.get(at).copied().flatten()
    }

    /// Returns every line of the draft that comes from the article: its number, its text, and the
    /// line it comes from.
    pub fn values(&self) -> impl Iterator<Item = DraftValue<'_>> {
        let lines = self.draft.lines().zip(&self.origins).zip(1..);
        lines.filter_map(|((text, line), draft_line)| {
            line.map(|line| DraftValue {
                draft_line,
                text: text.trim(),
                line,
            })
        })
    }
}

/// Summary of the facts that were found in an article.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct ImportSummary {
    /// KB number, if the article gives its own.
    pub kb: Option<String>,
    /// Number of steps of the manifest.
    pub steps: usize,
    /// Number of manual steps among them.
    pub manual: usize,
    /// Number of rows of the file table.
    pub files: usize,
    pub prerequisites: usize,
    pub fixes: usize,
}

/// Line of the draft, and the line of the article that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DraftValue<'i> {
    /// Line of the draft, from 1.
    pub draft_line: u32,
    /// Text of that line: a key with its value, a name of a list, or a row of the file table.
    pub text: &'i str,
    /// Line of the article, from 1.
    pub line: u32,
}

/// Decision that a person makes before the draft is a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpenQuestion {
    /// Line of the article that it is about, from 1; none if the article does not mention it at
    /// all.
    pub line: Option<u32>,
    pub message: String,
}

impl OpenQuestion {
    fn new(line: u32, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            message: message.into(),
        }
    }
}

/// Line of the installation section, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstallationLine {
    /// Counted from 1.
    pub line: u32,
    /// Text of the line, without its marker.
    pub text: String,
    #[serde(flatten)]
    pub result: LineResult,
}

/// Result of a line of the installation section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum LineResult {
    /// Name of a part of the procedure.
    Heading,
    /// Source of steps.
    Understood {
        /// Ids of the steps.
        steps: Vec<String>,
    },
    /// Line that needs no step.
    Needless {
        /// Reason, for a person.
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
    #[error("it has more than {} MB, and no article is that large", MAX_ARTICLE_BYTES >> 20)]
    TooLarge,
    /// Not a text.
    #[error(
        "it is not a text: byte 0x{byte:02X} at offset {at} occurs in no text that a browser saves"
    )]
    Binary {
        /// Byte that no text contains.
        byte: u8,
        /// Offset of the byte, from 0.
        at: usize,
    },
    /// File of another program, which has the text in a form of its own.
    #[error("it is {0}")]
    OtherFormat(&'static str),
    /// Document that rollup reads or writes itself.
    #[error("it is {0}, not an article")]
    OtherDocument(&'static str),
    /// Text that is not an article about an update rollup.
    #[error(
        "it is not an article about an update rollup: it has no installation steps and no file table"
    )]
    NothingFound,
}

/// Reads an article as it was saved, and writes a manifest draft from it.
///
/// # Errors
///
/// Fails if the bytes are not such an article.
pub fn import(bytes: &[u8]) -> Result<ImportedArticle, ArticleError> {
    import_as(bytes, None)
}

/// Reads the lines of an article, whatever it was saved as.
fn read(bytes: &[u8]) -> Result<SavedPage, ArticleError> {
    let text = decode::decode(bytes)?;
    refuse_documents(&text)?;
    if html::is_html(&text) {
        return Ok(html::read(&text));
    }
    let lines = match markdown::is_markdown(&text) {
        true => markdown::lines(&text),
        false => lines::lines(&text),
    };
    Ok(SavedPage {
        lines,
        unclosed_at: None,
    })
}

/// Beginnings and lines of documents that rollup reads or writes itself.
static DOCUMENTS: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
    [
        (
            r"(?ms)^schema = 1\s*$.*^\[(?:rollup|payload|\[steps\])\]\s*$",
            "a manifest",
        ),
        (r"(?m)^schema = 1\s*$", "a document of rollup"),
        (r#"(?s)\A\s*\{.*"schema""#, "a JSON document"),
        (
            r#"(?s)\A\s*<.*<meta name="generator" content="rollup"#,
            "a page that rollup wrote",
        ),
    ]
    .map(|(form, name)| (pattern(form), name))
});

/// Refuses documents that rollup reads or writes itself: what they say comes from no vendor.
fn refuse_documents(text: &str) -> Result<(), ArticleError> {
    let mut documents = DOCUMENTS.iter();
    match documents.find(|(form, _)| form.is_match(text)) {
        Some((_, name)) => Err(ArticleError::OtherDocument(name)),
        None => Ok(()),
    }
}

/// Reads an article like [`import`]; a given number decides which article it is.
///
/// # Errors
///
/// Fails if the bytes are not such an article.
pub fn import_as(bytes: &[u8], kb: Option<Kb>) -> Result<ImportedArticle, ArticleError> {
    let SavedPage { lines, unclosed_at } = read(bytes)?;
    let outline = outline::outline(&lines);
    let table = table::table(&outline);
    let identity = identity::identity(&outline, kb);
    let own = identity.kb.as_ref().map(|kb| kb.value);
    let relations = relations::relations(&outline, own);
    let prerequisites = prerequisites::prerequisites(&outline);
    let issues = issues::issues(&outline);
    let walked = walk::walk(&outline);
    if walked.steps.is_empty() && table.rows.is_empty() && table.open.is_empty() {
        return Err(ArticleError::NothingFound);
    }
    Ok(draft::write_draft(draft::ArticleFacts {
        unclosed_at,
        identity,
        relations,
        prerequisites,
        issues,
        walked,
        table,
    }))
}

#[cfg(test)]
mod tests;
