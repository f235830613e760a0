//! Findings of a document, collected until all of them are known.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::codes::Code;
use super::nearest::MeantName;
use super::severity::Severity;
use crate::names::Escaped;

/// A byte range in a document's text.
pub type Span = Range<usize>;

/// Mistake or remark at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Kind of finding.
    pub code: Code,
    /// Severity; usually the default of its code.
    pub level: Severity,
    /// Message: a lower-case phrase that names the subject.
    pub message: String,
    /// Position in the document.
    pub span: Span,
    /// Short text at the carets.
    pub label: Option<String>,
    /// More facts.
    pub notes: Vec<String>,
    /// Advice on how to fix it.
    pub help: Option<String>,
    /// Text that should be at this place.
    pub(super) suggestion: Option<Suggestion>,
    /// Line of the comment that allows it.
    pub allowed_by: Option<u32>,
}

/// Text that should be at the place of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Suggestion {
    /// Name that the author probably meant, without quotes.
    Name(MeantName),
    /// Only text that can be meant, as it is in a document.
    Text(String),
}

impl Finding {
    /// Returns a finding with the default severity of its code.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let message = bounded(message.into());
        Self {
            code,
            level: code.level(),
            message,
            span,
            label: None,
            notes: Vec::new(),
            help: None,
            suggestion: None,
            allowed_by: None,
        }
    }

    /// Returns the finding with advice on how to fix it.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help(help);
        self
    }

    /// Returns the finding as plain text, for output formats without drawings.
    pub fn plain_text(&self) -> String {
        let mut lines = vec![self.message.clone()];
        lines.extend(self.label.clone());
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.extend(self.help.iter().map(|help| format!("help: {help}")));
        let lines = lines.iter().map(|line| Escaped(line).to_string());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Sets the text at the carets.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(bounded(label.into()));
        self
    }

    /// Adds a fact.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(bounded(note.into()));
        self
    }

    /// Sets the advice on how to fix it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(bounded(help.into()));
        self
    }

    /// Sets `did you mean …?` as the text at the carets if a similar name is known.
    pub fn did_you_mean(&mut self, near: Option<impl Into<MeantName>>) -> &mut Self {
        if let Some(near) = near.map(Into::into) {
            self.label = Some(format!("did you mean `{}`?", near.name));
            self.suggestion = Some(Suggestion::Name(near));
        }
        self
    }

    /// Sets the only text that can be meant at this place, as it is in a document.
    pub fn only_rewritten(&mut self, text: impl Into<String>) -> &mut Self {
        self.suggestion = Some(Suggestion::Text(text.into()));
        self
    }

    /// Sets a severity other than the default of its code.
    pub fn level(&mut self, level: Severity) -> &mut Self {
        self.level = level;
        self
    }
}

/// All findings of one document.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
    errors: usize,
    /// The last finding that was not kept.
    dropped: Option<Finding>,
}

/// Number of findings that are kept. A document with more has the same mistake everywhere, and the
/// list would take more memory than the document.
const KEPT: usize = 10_000;

impl Findings {
    /// Adds a finding with its default severity; the caller completes it through the returned
    /// reference.
    ///
    /// [`Findings::errors`] counts it by the default severity of its code; a severity that is
    /// changed afterwards appears in [`Findings::counts`] and in the output.
    pub fn add(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Finding::new(code, span, message))
    }

    /// Adds a finished finding. In place of all findings beyond ten thousand there is one, as severe
    /// as they are.
    pub fn push(&mut self, finding: Finding) -> &mut Finding {
        self.errors += usize::from(finding.level == Severity::Error);
        if self.list.len() < KEPT {
            self.list.push(finding);
            return self.list.last_mut().expect("the finding just pushed");
        }
        if self.list.len() == KEPT {
            let end = usize::MAX..usize::MAX;
            let message = "only ten thousand findings are listed, and the document has more";
            let mut more = Finding::new(Code::TooLarge, end, message)
                .with_help("correct these, and validate the document again");
            more.level(Severity::Note);
            self.list.push(more);
        }
        let more = &mut self.list[KEPT];
        more.level = more.level.min(finding.level);
        self.dropped.insert(finding)
    }

    /// Returns the number of errors so far, in constant time, so that a caller can check if another
    /// one was added.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Returns the current numbers of errors, warnings and notes, without duplicates.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for finding in self.sorted() {
            counts[finding.level as usize] += 1;
        }
        counts
    }

    /// Returns whether there are no findings, except those that a comment allows.
    pub fn is_empty(&self) -> bool {
        self.list.iter().all(|finding| finding.allowed_by.is_some())
    }

    /// Returns all findings without duplicates, sorted by position and then by code, except those
    /// that a comment allows.
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut list = self.sorted_with_allowed();
        list.retain(|finding| finding.allowed_by.is_none());
        list
    }

    /// Returns all findings as [`Findings::sorted`] does, and those that a comment allows.
    pub fn sorted_with_allowed(&self) -> Vec<&Finding> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by(|a, b| key(a).cmp(&key(b)));
        list.dedup_by(|a, b| key(a) == key(b));
        list
    }

    /// Returns all findings, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.list.iter_mut()
    }

    /// Lets no comment allow the findings of these kinds.
    pub fn forbid_to_allow(&mut self, is_forbidden: impl Fn(Code) -> bool) {
        for finding in &mut self.list {
            finding.allowed_by = finding.allowed_by.filter(|_| !is_forbidden(finding.code));
        }
    }

    /// Changes the severity of findings, and removes those for which `level` returns `None`; except
    /// of those that a comment allows.
    pub fn set_levels(&mut self, level: impl Fn(Code, Severity) -> Option<Severity>) {
        self.list.retain_mut(|finding| {
            if finding.allowed_by.is_some() {
                return true;
            }
            let chosen = level(finding.code, finding.level);
            finding.level = chosen.unwrap_or(finding.level);
            chosen.is_some()
        });
        self.count_errors();
    }

    /// Adds the findings of another pass over the same document.
    pub fn append(&mut self, others: Findings) {
        for finding in others.list {
            self.push(finding);
        }
    }

    /// Turns findings of this kind into notes of other findings at the same place, which they
    /// explain.
    pub fn explain_by(&mut self, code: Code) {
        let mut explanations: HashMap<Span, String> = HashMap::new();
        for finding in self.list.iter().filter(|finding| finding.code == code) {
            explanations.insert(finding.span.clone(), finding.message.clone());
        }
        let mut explained = HashSet::new();
        for finding in &mut self.list {
            if finding.code != code
                && let Some(message) = explanations.get(&finding.span)
            {
                finding.notes.push(message.clone());
                explained.insert(finding.span.clone());
            }
        }
        self.retain(|finding| finding.code != code || !explained.contains(&finding.span));
    }

    /// Removes the findings that `keep` refuses.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.list.retain(keep);
        self.count_errors();
    }

    fn count_errors(&mut self) {
        let levels = self.list.iter().map(|finding| finding.level);
        self.errors = levels.filter(|level| *level == Severity::Error).count();
    }
}

/// Length of the longest message that is not truncated, in bytes. Longer ones come from hostile
/// documents.
const LONGEST: usize = 4_000;

/// Truncates a text that contains a very long name of the document.
fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// Truncates a name that many findings repeat in their messages: their number may grow with the
/// length of the name.
pub(crate) fn brief(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST / 10)]
}

fn key(finding: &Finding) -> (usize, Code, usize, &str) {
    (
        finding.span.start,
        finding.code,
        finding.span.end,
        &finding.message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finding_counts_for_all_beyond_a_limit() {
        let mut findings = Findings::default();
        for at in 0..KEPT {
            findings.add(Code::UnusedFile, at..at, "x");
        }
        assert_eq!(findings.counts(), [0, KEPT, 0]);
        findings.add(Code::UnusedFile, 0..0, "y");
        assert_eq!(
            (findings.errors(), findings.counts()),
            (0, [0, KEPT + 1, 0])
        );
        findings.add(Code::MissingKey, 0..0, "z").help("not kept");
        findings.add(Code::UnusedFile, 0..0, "y");
        assert_eq!((findings.errors(), findings.counts()), (1, [1, KEPT, 0]));
        let last = findings.sorted()[KEPT];
        assert_eq!((last.code, last.level), (Code::TooLarge, Severity::Error));
        let mut whole = Findings::default();
        whole.append(findings.clone());
        assert_eq!(
            (whole.errors(), whole.counts()),
            (findings.errors(), findings.counts())
        );
        findings.set_levels(|code, level| (code != Code::UnusedFile).then_some(level));
        assert_eq!((findings.errors(), findings.counts()), (1, [1, 0, 0]));
    }
}
