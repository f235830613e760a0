//! Verdict at the beginning of a page: the result in one sentence, and what has to be known with it.

/// Severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(super) fn is_bad(self) -> bool {
        self == Tone::Bad
    }

    /// Returns the CSS class of a notice.
    pub(super) fn notice(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Warn => "loud",
            Tone::Bad => "bad",
        }
    }
}

/// Verdict on a plan or a run. Its texts are not escaped.
pub(super) struct Verdict {
    pub(super) tone: Tone,
    /// Sentence without an end.
    pub(super) headline: String,
    /// Sentences to read with it, the most severe first.
    pub(super) points: Vec<String>,
}
