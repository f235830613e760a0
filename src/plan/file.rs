//! `plan.json`: a plan as a file, bound to its digest.

use serde::{Deserialize, Serialize};

use super::{
    Acceptance, AppliedChange, Context, ManualStep, OperationKind, Plan, PlanSource, PlannedRollup,
    SCHEMA, Subject, Swap, TargetState,
};
use crate::names::{Digest, Hasher, Kb, RelPath, Version};

impl Plan {
    /// Returns the canonical JSON, as it is stored in a run's directory.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan can be written as JSON");
        text.push('\n');
        text
    }

    /// Computes the digest of everything that decides what the run does. It covers neither titles
    /// nor reasons, which a later version may word differently, nor absolute paths or numbers of
    /// runs.
    pub(super) fn compute_digest(&self) -> Digest {
        #[derive(Serialize)]
        struct Digested<'a> {
            schema: u32,
            subject: DigestedSubject<'a>,
            applied: &'a AppliedChange,
            steps: Vec<DigestedStep<'a>>,
            sources: &'a [PlanSource],
            swaps: &'a [Swap],
            expected_state: Option<Digest>,
        }
        #[derive(Serialize)]
        enum DigestedSubject<'a> {
            Rollup {
                kb: Kb,
                revision: &'a Version,
                manifest: Digest,
            },
            Accept(&'a Acceptance),
        }
        #[derive(Serialize)]
        struct DigestedStep<'a> {
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
            /// Numbers of the swaps that cannot be rolled back, with the reasons.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            irreversible: Vec<(u32, &'a str)>,
        }
        let steps = self.steps.iter().map(|planned| DigestedStep {
            id: &planned.id,
            action: &planned.action,
            operations: planned
                .operations
                .iter()
                .map(|o| (o.kind, &o.at, &o.before, &o.after, o.swap))
                .collect(),
            manual: &planned.manual,
            irreversible: planned
                .operations
                .iter()
                .filter_map(|o| Some((o.swap, o.irreversible.as_deref()?)))
                .collect(),
        });
        let digested = Digested {
            schema: self.schema,
            subject: match &self.subject {
                Subject::Rollup(PlannedRollup {
                    kb,
                    revision,
                    manifest,
                    ..
                }) => DigestedSubject::Rollup {
                    kb: *kb,
                    revision,
                    manifest: *manifest,
                },
                Subject::Accept(acceptance) => DigestedSubject::Accept(acceptance),
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
        Digest::of(&serde_json::to_vec(&digested).expect("a plan can be written as JSON"))
    }
}

impl Plan {
    /// Adds the digest and the checksum to a complete plan.
    pub(super) fn bind(&mut self) {
        self.digest = Some(self.compute_digest());
        self.checksum = None;
        self.checksum = Some(self.compute_checksum());
    }

    /// Computes a digest of the whole text, with the parts for people. There must be no checksum
    /// yet.
    fn compute_checksum(&self) -> Digest {
        let mut hasher = Hasher::new();
        serde_json::to_writer(&mut hasher, self).expect("a plan can be written as JSON");
        hasher.finish()
    }
}

/// Reasons why a `plan.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file does not exist.
    #[error("it does not exist")]
    Missing,
    /// The text is not JSON of a plan.
    #[error("it is not a plan: {0}")]
    NotAPlan(String),
    /// The plan has a schema that this version does not read.
    #[error("it has schema {0}; this version of rollup reads schema {SCHEMA}")]
    UnknownSchema(u32),
    /// The digests do not match the contents.
    #[error("its digests do not match its contents: it was changed by hand or is damaged")]
    Changed,
}

/// Reads a plan from a run's directory, and checks its digests.
pub fn parse(text: &str) -> Result<Plan, PlanFileError> {
    #[derive(Deserialize)]
    struct VersionOnly {
        schema: u32,
    }
    let not_a_plan = |error: serde_json::Error| PlanFileError::NotAPlan(error.to_string());
    let VersionOnly { schema } = serde_json::from_str(text).map_err(not_a_plan)?;
    if schema != SCHEMA {
        return Err(PlanFileError::UnknownSchema(schema));
    }
    let mut plan: Plan = serde_json::from_str(text).map_err(not_a_plan)?;
    let checksum = plan.checksum.take();
    let is_intact = match checksum {
        Some(checksum) => plan.compute_checksum() == checksum,
        // Plans of earlier versions have neither a checksum nor a context.
        None => plan.context == Context::default(),
    };
    if !is_intact || plan.digest != Some(plan.compute_digest()) {
        return Err(PlanFileError::Changed);
    }
    plan.checksum = checksum;
    plan.hide_secrets_in_states();
    Ok(plan)
}
