//! Choices of the operator that a plan depends on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Choices of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Options {
    /// Members of a group that were not installed before.
    pub include_missing: IncludeMissing,
    /// A rollup that is applied already.
    pub reapply: Reapply,
    /// An older version that would replace a newer one.
    pub downgrade: Downgrade,
}

/// Treatment of members of a group that were not installed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IncludeMissing {
    /// They are listed and left out.
    #[default]
    No,
    /// They are installed too, as the article literally says.
    Yes,
}

/// Treatment of a rollup that is applied already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reapply {
    /// Nothing is done.
    #[default]
    No,
    /// All its steps are done again.
    Yes,
}

/// Treatment of an older version that would replace a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Downgrade {
    /// It is refused.
    #[default]
    Refuse,
    /// It is done.
    Allow,
}
