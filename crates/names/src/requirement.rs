//! Rollup that another one requires, maybe at a minimum revision.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kb, Version};

/// Rollup that must be applied, written as `KB979704` or, with a minimum revision, as
/// `KB979704 >= 4.0`. Spaces around `>=` are optional.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[0-9A-Za-z][0-9A-Za-z.-]*( >= [0-9]+(\.[0-9]+)*)?$"))]
pub struct Requirement {
    /// KB number of the required rollup.
    pub kb: Kb,
    /// Lowest revision that is accepted; any revision if there is none.
    pub revision: Option<Version>,
}

/// Error of a text that is not a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a KB number nor one with a minimum revision; write it like `KB952076` or \
     `KB952076 >= 4.0`"
)]
pub struct RequirementError(String);

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let wrong = || RequirementError(text.to_owned());
        let (kb, revision) = match text.split_once(">=") {
            Some((kb, revision)) => (
                kb.trim_end_matches(' '),
                Some(revision.trim_start_matches(' ')),
            ),
            None => (text, None),
        };
        Ok(Self {
            kb: kb.parse().map_err(|_| wrong())?,
            revision: revision.map(str::parse).transpose().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "{} >= {revision}", self.kb),
            None => self.kb.fmt(f),
        }
    }
}

impl TryFrom<String> for Requirement {
    type Error = RequirementError;

    fn try_from(text: String) -> Result<Self, RequirementError> {
        text.parse()
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(text: &str) -> Requirement {
        text.parse().expect("a requirement")
    }

    #[test]
    fn a_requirement_is_read_in_all_its_spellings() {
        for (text, shown) in [
            ("KB979704", "KB979704"),
            ("979704", "KB979704"),
            ("KB979704 >= 4.0", "KB979704 >= 4.0"),
            ("kb979704>=4.0", "KB979704 >= 4.0"),
            ("Kb979704>= 4.0", "KB979704 >= 4.0"),
            ("979704   >=4.0", "KB979704 >= 4.0"),
        ] {
            assert_eq!(requirement(text).to_string(), shown);
        }
        assert_eq!(requirement("KB1").revision, None);
    }

    #[test]
    fn another_operator_or_a_missing_part_is_refused() {
        for text in [
            "",
            "KB",
            "KB1 ",
            "KB1 4.0",
            "KB1 > 4.0",
            "KB1 = 4.0",
            "KB1 == 4.0",
            "KB1 <= 4.0",
            "KB1 => 4.0",
            "KB1 > = 4.0",
            "KB1 >== 4.0",
            "KB1 ≥ 4.0",
            "KB1 >=",
            "KB1 >= ",
            ">= 4.0",
            "KB1 >= 4.",
            "KB1 >= x",
            "KB1 >= 4.0 ",
            "KB1 >= 4.0 >= 5.0",
            " KB1 >= 4.0",
            "KB1\t>= 4.0",
        ] {
            let error = text.parse::<Requirement>().expect_err("refused");
            assert!(
                error.to_string().starts_with(&format!("`{text}`")),
                "{error}"
            );
        }
    }

    #[test]
    fn minimum_revisions_compare_number_by_number() {
        assert_eq!(requirement("KB1 >= 4"), requirement("kb1>=4.0"));
        assert_ne!(requirement("KB1"), requirement("KB1 >= 1.0"));
        let ascending = ["KB1", "KB1 >= 1.9", "KB1 >= 1.10", "KB2"].map(requirement);
        assert!(ascending.is_sorted());
    }

    #[test]
    fn a_requirement_is_a_text_in_json() {
        let json = serde_json::to_string(&requirement("kb1>=4.0")).expect("JSON");
        assert_eq!(json, "\"KB1 >= 4.0\"");
        let read: Requirement = serde_json::from_str(&json).expect("a requirement");
        assert_eq!(read, requirement("KB1 >= 4.0"));
        assert!(serde_json::from_str::<Requirement>("\"KB1 > 4.0\"").is_err());
    }
}
