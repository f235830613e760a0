//! Reasons to refuse a plan. All of them are reported at once.

use std::fmt;

use crate::manifest::{Fault, Problem};

/// Kinds of reasons, in the order in which they determine the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonKind {
    /// The manifest, the deployment's description or a record is not valid.
    Invalid,
    /// The rollup is superseded, or is for another product or version.
    NotApplicable,
    /// The plan no longer matches the deployment.
    Stale,
    /// A prerequisite or readiness check failed, or there is an open run.
    NotReady,
    /// Files do not match their table, pin or record.
    Mismatch,
}

/// Reason to refuse a plan, with advice if there is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    pub kind: ReasonKind,
    /// Description of the fault, with the name of the object at fault.
    pub message: String,
    /// Advice on how to fix it.
    pub help: Option<String>,
}

/// All reasons to refuse a plan; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reasons sorted by kind, those that determine the exit code first.
    pub reasons: Vec<Reason>,
}

impl Reason {
    /// Creates a reason without advice.
    pub fn new(kind: ReasonKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
        }
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<&Fault> for Reason {
    fn from(fault: &Fault) -> Self {
        let kind = match fault {
            Fault::OtherProduct { .. }
            | Fault::OtherVersion { .. }
            | Fault::UnlistedItem { .. } => ReasonKind::NotApplicable,
            Fault::NoProduct { .. }
            | Fault::NotRemovable { .. }
            | Fault::HoldsNotRemovable { .. }
            | Fault::MissingParameters { .. } => ReasonKind::NotReady,
            _ => ReasonKind::Invalid,
        };
        Self {
            kind,
            message: fault.to_string(),
            help: fault.help().map(str::to_owned),
        }
    }
}

impl From<Vec<Problem>> for Refusal {
    fn from(problems: Vec<Problem>) -> Self {
        let reasons = problems.iter().map(|problem| {
            let reason = Reason::from(&problem.fault);
            let message = format!("line {} of the manifest: {}", problem.line, reason.message);
            Reason { message, ..reason }
        });
        Self {
            reasons: reasons.collect(),
        }
    }
}

impl Refusal {
    /// Sorts the reasons and drops duplicates; `Ok` if there are none.
    pub fn unless_empty(mut reasons: Vec<Reason>) -> Result<(), Self> {
        if reasons.is_empty() {
            return Ok(());
        }
        reasons.sort_by_key(|reason| reason.kind);
        let mut seen = std::collections::BTreeSet::new();
        reasons.retain(|reason| seen.insert(reason.message.clone()));
        Err(Self { reasons })
    }

    /// Returns the kind that determines the exit code.
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
