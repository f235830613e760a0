//! What was found, collected until all of it is known.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Code;

/// A byte range in a document's text.
pub type Span = Range<usize>;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The document cannot be used.
    Error,
    /// It can, and somebody should look first.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One thing found at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// How much it weighs; mostly what the code's catalogue entry says.
    pub level: Level,
    /// The finding itself, a lower-case phrase that names the thing.
    pub message: String,
    /// Where it stands.
    pub span: Span,
    /// A short word at the carets.
    pub label: Option<String>,
    /// More facts.
    pub notes: Vec<String>,
    /// The way out.
    pub help: Option<String>,
}

impl Finding {
    /// A finding at the level that its code has by default.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, level: code.level(), message, span, label: None, notes: Vec::new(), help: None }
    }

    /// The finding with a way out.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help(help);
        self
    }

    /// Puts a word at the carets.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a fact.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    /// Says the way out.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Puts `did you mean …?` at the carets where a near spelling is known.
    pub fn did_you_mean(&mut self, near: Option<&str>) -> &mut Self {
        if let Some(near) = near {
            self.label = Some(format!("did you mean `{near}`?"));
        }
        self
    }

    /// Gives it another weight than its code has by default.
    pub fn level(&mut self, level: Level) -> &mut Self {
        self.level = level;
        self
    }
}

/// Everything found in one document.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
    errors: usize,
}

impl Findings {
    /// Adds a finding at its default level; the rest of it is said on what comes back.
    ///
    /// For [`Findings::errors`] it counts as what its code is; a level that is changed afterwards is seen by
    /// [`Findings::count`] and in what is shown.
    pub fn add(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Finding::new(code, span, message))
    }

    /// Adds a finding that is already made.
    pub fn push(&mut self, finding: Finding) -> &mut Finding {
        self.errors += usize::from(finding.level == Level::Error);
        self.list.push(finding);
        self.list.last_mut().expect("pushed just now")
    }

    /// How many errors were added so far, in constant time, to see whether one more came.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many findings have a level now, each counted once.
    pub fn count(&self, level: Level) -> usize {
        self.sorted().iter().filter(|finding| finding.level == level).count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Everything, by position and then by code; what was found twice stands once.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by(|a, b| key(a).cmp(&key(b)));
        list.dedup_by(|a, b| key(a) == key(b));
        list
    }

    /// Everything found, in the order it was found, to change levels by the caller's wish.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.list.iter_mut()
    }

    /// The findings themselves, in the order they were found.
    pub fn into_list(self) -> Vec<Finding> {
        self.list
    }

    /// Forgets the findings that `keep` refuses.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.list.retain(keep);
        self.errors = self.list.iter().filter(|finding| finding.level == Level::Error).count();
    }
}

fn key(finding: &Finding) -> (usize, Code, usize, &str) {
    (finding.span.start, finding.code, finding.span.end, &finding.message)
}
