//! Levels of findings that the caller chooses.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::document::{Code, Findings, Severity, UnknownCodeError};

/// Level that the caller chooses for findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LintLevel {
    /// Reported as an error.
    Deny,
    /// Reported as a warning.
    Warn,
    /// Not reported.
    Allow,
}

/// Selection of the findings to which a level applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSelector {
    Code(Code),
    /// All findings that are warnings by default.
    Warnings,
    /// All findings that are notes by default.
    Notes,
}

/// Levels that a caller chooses. A level for a code takes precedence over one for `warnings` or
/// `notes`.
#[derive(Debug, Clone, Default)]
pub struct LintLevels(BTreeMap<FindingSelector, LintLevel>);

/// Level that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LintLevelsError {
    /// Two levels for the same findings.
    #[error("`{0}` has two levels; keep one")]
    Twice(String),
    /// Lower level for an error, which always makes a document unusable.
    #[error("{0} is an error ({title}), and its level cannot be lowered: the document cannot be used", title = .0.title())]
    Lowered(Code),
}

/// Error of a text that selects no findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; `warnings` and `notes` select all warnings or notes")]
pub struct UnknownFindingsError(UnknownCodeError);

impl FromStr for FindingSelector {
    type Err = UnknownFindingsError;

    fn from_str(text: &str) -> Result<Self, UnknownFindingsError> {
        match text.to_ascii_lowercase().as_str() {
            "warnings" => Ok(FindingSelector::Warnings),
            "notes" => Ok(FindingSelector::Notes),
            _ => text
                .parse()
                .map(FindingSelector::Code)
                .map_err(UnknownFindingsError),
        }
    }
}

impl std::fmt::Display for FindingSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FindingSelector::Code(code) => code.fmt(f),
            FindingSelector::Warnings => f.write_str("warnings"),
            FindingSelector::Notes => f.write_str("notes"),
        }
    }
}

impl LintLevels {
    /// Returns the levels, or an error if they contradict each other or the level of an error.
    pub fn new(
        lint_levels: impl IntoIterator<Item = (FindingSelector, LintLevel)>,
    ) -> Result<Self, LintLevelsError> {
        let mut by_selector = BTreeMap::new();
        for (selector, lint_level) in lint_levels {
            if let FindingSelector::Code(code) = selector
                && code.level() == Severity::Error
                && lint_level != LintLevel::Deny
            {
                return Err(LintLevelsError::Lowered(code));
            }
            let before = by_selector.insert(selector, lint_level);
            if before.is_some_and(|before| before != lint_level) {
                return Err(LintLevelsError::Twice(selector.to_string()));
            }
        }
        Ok(Self(by_selector))
    }

    /// Sets the levels of findings, and removes the allowed ones. No comment of the document allows
    /// what is denied by its code.
    pub fn apply(&self, findings: &mut Findings) {
        if !self.0.is_empty() {
            findings.forbid_to_allow(|code| self.denies(code));
            findings.set_levels(|code, level| self.level_of(code, level));
        }
    }

    fn denies(&self, code: Code) -> bool {
        self.0.get(&FindingSelector::Code(code)) == Some(&LintLevel::Deny)
    }

    fn level_of(&self, code: Code, level: Severity) -> Option<Severity> {
        let group = match level {
            Severity::Error => return Some(level),
            Severity::Warning => FindingSelector::Warnings,
            Severity::Note => FindingSelector::Notes,
        };
        let lint_level = self
            .0
            .get(&FindingSelector::Code(code))
            .or_else(|| self.0.get(&group));
        lint_level.map_or(Some(level), |lint_level| lint_level.severity())
    }
}

impl LintLevel {
    fn severity(self) -> Option<Severity> {
        match self {
            LintLevel::Deny => Some(Severity::Error),
            LintLevel::Warn => Some(Severity::Warning),
            LintLevel::Allow => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels_with(lint_levels: &[(&str, LintLevel)]) -> Vec<String> {
        let lint_levels = lint_levels
            .iter()
            .map(|(selector, lint_level)| (selector.parse().expect("known"), *lint_level));
        let levels = LintLevels::new(lint_levels).expect("no contradiction");
        let mut findings = Findings::default();
        for code in [
            Code::NotListed,
            Code::UnusedFile,
            Code::UnlikelyMsiSize,
            Code::CaseDiffers,
        ] {
            findings.add(code, 0..0, "x");
        }
        levels.apply(&mut findings);
        findings
            .sorted()
            .iter()
            .map(|finding| format!("{} {}", finding.code, finding.level))
            .collect()
    }

    #[test]
    fn a_code_wins_over_its_group() {
        use LintLevel::*;
        assert_eq!(
            levels_with(&[]),
            [
                "RU0201 error",
                "RU0202 warning",
                "RU0204 warning",
                "RU0205 note"
            ]
        );
        assert_eq!(
            levels_with(&[("warnings", Deny), ("RU0204", Allow)]),
            ["RU0201 error", "RU0202 error", "RU0205 note"]
        );
        assert_eq!(
            levels_with(&[("warnings", Deny), ("ru0202", Warn)]),
            [
                "RU0201 error",
                "RU0202 warning",
                "RU0204 error",
                "RU0205 note"
            ]
        );
        assert_eq!(
            levels_with(&[("notes", Allow), ("Warnings", Allow)]),
            ["RU0201 error"]
        );
        assert_eq!(
            levels_with(&[("RU0205", Deny), ("warnings", Allow)]),
            ["RU0201 error", "RU0205 error"]
        );
    }

    #[test]
    fn contradicting_levels_are_refused() {
        let pair = |selector: &str, lint_level| (selector.parse().expect("known"), lint_level);
        assert!(matches!(
            LintLevels::new([pair("RU0201", LintLevel::Allow)]),
            Err(LintLevelsError::Lowered(Code::NotListed))
        ));
        assert!(matches!(
            LintLevels::new([
                pair("RU0202", LintLevel::Allow),
                pair("ru0202", LintLevel::Deny)
            ]),
            Err(LintLevelsError::Twice(_))
        ));
        assert!(
            LintLevels::new([
                pair("RU0202", LintLevel::Deny),
                pair("ru0202", LintLevel::Deny)
            ])
            .is_ok()
        );
        assert!("RU9999".parse::<FindingSelector>().is_err());
    }
}
