//! Levels of findings as the caller wants them.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::document::{Code, Findings, Severity, UnknownCodeError};

/// Level that the caller wants for a kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It counts as an error.
    Deny,
    /// It counts as a warning.
    Warn,
    /// It is not reported.
    Allow,
}

/// Findings that a wish is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// One kind.
    Code(Code),
    /// Everything that is a warning otherwise.
    Warnings,
    /// Everything that is a note otherwise.
    Notes,
}

/// Wishes of one caller. One for a code wins over one for `warnings` or `notes`.
#[derive(Debug, Clone, Default)]
pub struct Levels(BTreeMap<Which, Wish>);

/// A wish that cannot be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// Two wishes about one thing.
    #[error("`{0}` is asked for in two ways; keep one")]
    Twice(String),
    /// A document with an error cannot be used, whatever the caller wants.
    #[error("{0} is an error ({title}), and an error stays one: the document cannot be used", title = .0.title())]
    Lowered(Code),
}

/// A text that names no findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; `warnings` and `notes` stand for all of a kind")]
pub struct UnknownFindingsError(UnknownCodeError);

impl FromStr for Which {
    type Err = UnknownFindingsError;

    fn from_str(text: &str) -> Result<Self, UnknownFindingsError> {
        match text.to_ascii_lowercase().as_str() {
            "warnings" => Ok(Which::Warnings),
            "notes" => Ok(Which::Notes),
            _ => text.parse().map(Which::Code).map_err(UnknownFindingsError),
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Which::Code(code) => code.fmt(f),
            Which::Warnings => f.write_str("warnings"),
            Which::Notes => f.write_str("notes"),
        }
    }
}

impl Levels {
    /// Returns the wishes, or the reason why they make no sense.
    pub fn new(wishes: impl IntoIterator<Item = (Which, Wish)>) -> Result<Self, LevelsError> {
        let mut levels = BTreeMap::new();
        for (which, wish) in wishes {
            match which {
                Which::Code(code) if code.level() == Severity::Error && wish != Wish::Deny => {
                    return Err(LevelsError::Lowered(code));
                }
                _ => {}
            }
            if levels
                .insert(which, wish)
                .is_some_and(|before| before != wish)
            {
                return Err(LevelsError::Twice(which.to_string()));
            }
        }
        Ok(Self(levels))
    }

    /// Sets the levels of findings, and removes those that are allowed.
    pub fn apply(&self, findings: &mut Findings) {
        if !self.0.is_empty() {
            findings.weigh(|code, level| self.weigh(code, level));
        }
    }

    fn weigh(&self, code: Code, level: Severity) -> Option<Severity> {
        let group = match level {
            Severity::Error => return Some(level),
            Severity::Warning => Which::Warnings,
            Severity::Note => Which::Notes,
        };
        let wish = self
            .0
            .get(&Which::Code(code))
            .or_else(|| self.0.get(&group));
        wish.map_or(Some(level), |wish| wish.level())
    }
}

impl Wish {
    fn level(self) -> Option<Severity> {
        match self {
            Wish::Deny => Some(Severity::Error),
            Wish::Warn => Some(Severity::Warning),
            Wish::Allow => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(wishes: &[(&str, Wish)]) -> Vec<String> {
        let wishes = wishes
            .iter()
            .map(|(which, wish)| (which.parse().expect("known"), *wish));
        let levels = Levels::new(wishes).expect("wishes that make sense");
        let mut findings = Findings::default();
        for code in [
            Code::NotListed,
            Code::Unused,
            Code::OddMsiSize,
            Code::Spelling,
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
        use Wish::*;
        assert_eq!(
            weighed(&[]),
            [
                "RU0201 error",
                "RU0202 warning",
                "RU0204 warning",
                "RU0205 note"
            ]
        );
        assert_eq!(
            weighed(&[("warnings", Deny), ("RU0204", Allow)]),
            ["RU0201 error", "RU0202 error", "RU0205 note"]
        );
        assert_eq!(
            weighed(&[("warnings", Deny), ("ru0202", Warn)]),
            [
                "RU0201 error",
                "RU0202 warning",
                "RU0204 error",
                "RU0205 note"
            ]
        );
        assert_eq!(
            weighed(&[("notes", Allow), ("Warnings", Allow)]),
            ["RU0201 error"]
        );
        assert_eq!(
            weighed(&[("RU0205", Deny), ("warnings", Allow)]),
            ["RU0201 error", "RU0205 error"]
        );
    }

    #[test]
    fn what_cannot_be_granted_is_said() {
        let wish = |which: &str, wish| (which.parse().expect("known"), wish);
        assert!(matches!(
            Levels::new([wish("RU0201", Wish::Allow)]),
            Err(LevelsError::Lowered(Code::NotListed))
        ));
        assert!(matches!(
            Levels::new([wish("RU0202", Wish::Allow), wish("ru0202", Wish::Deny)]),
            Err(LevelsError::Twice(_))
        ));
        assert!(Levels::new([wish("RU0202", Wish::Deny), wish("ru0202", Wish::Deny)]).is_ok());
        assert!("RU9999".parse::<Which>().is_err());
    }
}
