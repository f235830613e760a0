//! `plan.json`: a plan as a file, bound to its digest.

use serde::{Deserialize, Serialize};

use super::{
    Acceptance, AppliedChange, Context, ManualStep, OperationKind, Plan, PlannedRollup, SCHEMA,
    Source, Subject, Swap, TargetState,
};
use crate::names::{Digest, Hasher, Kb, RelPath, Version};

impl Plan {
    /// Returns the canonical text, as it is in a run's directory.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a plan holds nothing that JSON cannot");
        text.push('\n');
        text
    }

    /// Returns a digest of what the run does, not how it is described: it covers neither titles nor
    /// reasons, which a later version may word differently, nor absolute paths or numbers of runs.
    pub(super) fn decided(&self) -> Digest {
        #[derive(Serialize)]
        struct Decided<'a> {
            schema: u32,
            subject: DecidedSubject<'a>,
            applied: &'a AppliedChange,
            steps: Vec<DecidedStep<'a>>,
            sources: &'a [Source],
            swaps: &'a [Swap],
            expected_state: Option<Digest>,
        }
        #[derive(Serialize)]
        enum DecidedSubject<'a> {
            Rollup {
                kb: Kb,
                revision: &'a Version,
                manifest: Digest,
            },
            Accept(&'a Acceptance),
        }
        #[derive(Serialize)]
        struct DecidedStep<'a> {
            id: &'a str,
            action: &'a str,
            operations: Vec<(
                OperationKind,
                &'a RelPath,
                &'a TargetState,
                &'a TargetState,
                u32,
            )>,
            manual: &'a Option<ManualStep>,
        }
        let steps = self.steps.iter().map(|planned| DecidedStep {
            id: &planned.id,
            action: &planned.action,
            operations: planned
                .operations
                .iter()
                .map(|o| (o.kind, &o.at, &o.before, &o.after, o.swap))
                .collect(),
            manual: &planned.manual,
        });
        let decided = Decided {
            schema: self.schema,
            subject: match &self.subject {
                Subject::Rollup(PlannedRollup {
                    kb,
                    revision,
                    manifest,
                    ..
                }) => DecidedSubject::Rollup {
                    kb: *kb,
                    revision,
                    manifest: *manifest,
                },
                Subject::Accept(acceptance) => DecidedSubject::Accept(acceptance),
            },
            applied: &self.applied,
            steps: steps.collect(),
            sources: &self.sources,
            swaps: &self.swaps,
            expected_state: self
                .expected_state
                .as_ref()
                .map(|expected_state| expected_state.digest),
        };
        Digest::of(&serde_json::to_vec(&decided).expect("a plan holds nothing that JSON cannot"))
    }
}

impl Plan {
    /// Gives a complete plan its digest and its checksum.
    pub(super) fn bind(&mut self) {
        self.digest = Some(self.decided());
        self.checksum = None;
        self.checksum = Some(self.worded());
    }

    /// Returns a digest of everything that is written, words included; to be called while there is
    /// no checksum.
    fn worded(&self) -> Digest {
        let mut hasher = Hasher::new();
        serde_json::to_writer(&mut hasher, self).expect("a plan holds nothing that JSON cannot");
        hasher.finish()
    }
}

/// Reasons why a `plan.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file does not exist.
    #[error("it is gone")]
    Gone,
    /// The text is not JSON of a plan.
    #[error("it is not a plan: {0}")]
    NotAPlan(String),
    /// Written by a later version.
    #[error("it has schema {0}; this rollup understands schema {SCHEMA}")]
    TooNew(u32),
    /// The digests do not match the contents.
    #[error("its digests do not fit its contents: it was changed by hand or damaged")]
    Changed,
}

/// Reads a plan that a run kept, and checks its digest.
pub fn parse(text: &str) -> Result<Plan, PlanFileError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let fault = |error: serde_json::Error| PlanFileError::NotAPlan(error.to_string());
    let Schema { schema } = serde_json::from_str(text).map_err(fault)?;
    if schema != SCHEMA {
        return Err(PlanFileError::TooNew(schema));
    }
    let mut plan: Plan = serde_json::from_str(text).map_err(fault)?;
    let checksum = plan.checksum.take();
    let whole = match checksum {
        Some(checksum) => plan.worded() == checksum,
        // Only earlier versions, which had no context either, left the checksum out.
        None => plan.context == Context::default(),
    };
    if !whole || plan.digest != Some(plan.decided()) {
        return Err(PlanFileError::Changed);
    }
    plan.checksum = checksum;
    Ok(plan)
}
