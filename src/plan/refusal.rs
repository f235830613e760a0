//! Why there is no plan. All reasons are told at once.

use std::fmt;

/// What kind of reason it is; the order is the order in which they decide the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonKind {
    /// The manifest, the deployment's description or a record is not valid.
    Invalid,
    /// Superseded, wrong product or version.
    NotApplicable,
    /// The plan no longer fits.
    Stale,
    /// A prerequisite or readiness check failed, or an open run is in the way.
    NotReady,
    /// Files do not match their table, pin or record.
    Mismatch,
}

/// One reason, with a way out where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Its kind.
    pub kind: ReasonKind,
    /// What is wrong, naming the culprit.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// All reasons; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In the order they were found, those of the deciding kind first.
    pub reasons: Vec<Reason>,
}

impl Reason {
    /// A reason without advice.
    pub fn new(kind: ReasonKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
        }
    }

    /// With a way out.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Refusal {
    /// Puts reasons in order; `Ok` where there are none.
    pub fn unless_empty(mut reasons: Vec<Reason>) -> Result<(), Self> {
        if reasons.is_empty() {
            return Ok(());
        }
        reasons.sort_by_key(|reason| reason.kind);
        let mut seen = std::collections::BTreeSet::new();
        reasons.retain(|reason| seen.insert(reason.message.clone()));
        Err(Self { reasons })
    }

    /// The kind that decides the exit code.
    pub fn kind(&self) -> ReasonKind {
        self.reasons
            .iter()
            .map(|reason| reason.kind)
            .min()
            .unwrap_or(ReasonKind::NotReady)
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reasons: vec![reason],
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.reasons.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&reason.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
