//! Subjects that the parts of an article have.

/// Subject of a part of the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Lines above the first heading.
    Head,
    Summary,
    /// Faults that the rollup fixes.
    Fixes,
    Prerequisites,
    Installation,
    /// Instructions to remove the rollup.
    Removal,
    Restart,
    Replacement,
    Files,
    AppliesTo,
    /// Causes, symptoms, how to reproduce them and how to work around them: a list there is never an
    /// installation.
    Problem,
    /// Anything else with a heading.
    Other,
}
