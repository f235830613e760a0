//! The statement that a person signs to approve a plan.
//!
//! ```text
//! rollup approval 1
//! deployment hmc40
//! rollup KB952076 revision 4.1
//! plan 5d0c…
//! until 2026-12-31T23:59:00Z
//! ```
//!
//! The last line is `until none` for an approval without an end. There is one way to write a
//! statement, so that two that say the same have the same bytes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rollup_names::{Digest, Kb, Version};

/// First line.
const HEAD: &str = "rollup approval 1";

/// Approval of a plan, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Name of the deployment.
    pub deployment: String,
    pub rollup: Kb,
    /// Revision of the rollup's article.
    pub revision: Version,
    /// Digest of the plan.
    pub plan: Digest,
    /// Time from which on it does not count any more, in whole seconds.
    pub until: Option<Timestamp>,
}

/// Reason why a text is not a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The text does not begin like a statement.
    #[error("it does not begin with the line `{HEAD}`, as `rollup approve` writes it")]
    NotAStatement,
    /// A line is missing or has another form.
    #[error("its line {0} is not as `rollup approve` writes it")]
    Line(usize),
    /// The lines are right, and the bytes are not.
    #[error(
        "its bytes are not as `rollup approve` writes them: line ends, blanks or spellings differ"
    )]
    Spelling,
}

impl Statement {
    /// Returns whether it still counts at a time.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        writeln!(f, "deployment {}", self.deployment)?;
        writeln!(f, "rollup {} revision {}", self.rollup, self.revision)?;
        writeln!(f, "plan {}", self.plan)?;
        match self.until {
            Some(until) => writeln!(f, "until {until}"),
            None => writeln!(f, "until none"),
        }
    }
}

impl FromStr for Statement {
    type Err = StatementError;

    fn from_str(text: &str) -> Result<Self, StatementError> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(StatementError::NotAStatement);
        }
        let mut value = |number: usize, key: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(key));
            let value = line.and_then(|line| line.strip_prefix(' '));
            value.ok_or(StatementError::Line(number))
        };
        let deployment = value(2, "deployment")?.to_owned();
        let (rollup, revision) = value(3, "rollup")?
            .split_once(" revision ")
            .ok_or(StatementError::Line(3))?;
        let plan = value(4, "plan")?;
        let until = match value(5, "until")? {
            "none" => None,
            time => Some(time.parse().map_err(|_| StatementError::Line(5))?),
        };
        let statement = Self {
            deployment,
            rollup: rollup.parse().map_err(|_| StatementError::Line(3))?,
            revision: revision.parse().map_err(|_| StatementError::Line(3))?,
            plan: plan.parse().map_err(|_| StatementError::Line(4))?,
            until,
        };
        match statement.to_string() == text {
            true => Ok(statement),
            false => Err(StatementError::Spelling),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(until: Option<&str>) -> Statement {
        Statement {
            deployment: "HMC 4.0, revision 2".to_owned(),
            rollup: "KB952076".parse().expect("a KB number"),
            revision: "4.1".parse().expect("a revision"),
            plan: Digest::of(b"plan"),
            until: until.map(|until| until.parse().expect("a time")),
        }
    }

    #[test]
    fn a_statement_is_read_as_it_is_written() {
        for until in [None, Some("2026-12-31T23:59:00Z")] {
            let statement = statement(until);
            assert_eq!(statement.to_string().parse(), Ok(statement));
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        let text = statement(Some("2026-12-31T23:59:00Z")).to_string();
        let parse = |text: String| text.parse::<Statement>().expect_err("another spelling");
        assert_eq!(parse(text.replace('\n', "\r\n")), StatementError::Spelling);
        assert_eq!(parse(format!("{text}\n")), StatementError::Spelling);
        assert_eq!(parse(text.trim_end().to_owned()), StatementError::Spelling);
        assert_eq!(
            parse(text.replace(":00Z", ":00.0Z")),
            StatementError::Spelling
        );
        assert_eq!(parse(text.replace("Z", "+00:00")), StatementError::Spelling);
        assert_eq!(parse(text.replace("KB9", "kb9")), StatementError::Spelling);
        assert_eq!(
            parse(text.replace("until", "till")),
            StatementError::Line(5)
        );
        assert_eq!(
            parse(text.replace("approval 1", "approval 2")),
            StatementError::NotAStatement
        );
        assert_eq!(parse(format!(" {text}")), StatementError::NotAStatement);
        for end in 0..text.len() {
            let _ = parse(text[..end].to_owned());
        }
    }

    #[test]
    fn a_statement_counts_until_its_time() {
        let statement = statement(Some("2026-12-31T23:59:00Z"));
        let at = |time: &str| statement.is_valid_at(time.parse().expect("a time"));
        assert!(at("2026-12-31T23:59:00Z"));
        assert!(!at("2026-12-31T23:59:00.5Z"));
    }
}
