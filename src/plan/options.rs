//! Choices of the operator that a plan depends on.

/// Choices of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    pub include_missing: IncludeMissing,
    pub reapply: Reapply,
    pub downgrade: Downgrade,
}

/// Treatment of members of a group that were not installed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeMissing {
    /// They are listed and left out.
    #[default]
    No,
    /// They are installed too, as the article literally says.
    Yes,
}

/// Treatment of a rollup that is applied already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reapply {
    /// Nothing is done.
    #[default]
    No,
    /// All its steps are done again.
    Yes,
}

/// Treatment of an older version that would replace a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Downgrade {
    /// It is refused.
    #[default]
    Refuse,
    /// It is done.
    Allow,
}
