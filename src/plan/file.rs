//! `plan.json`: a plan as a file, bound to its digest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::{differences_of_values, value_of};
use super::{
    Context, Entry, EntryKind, ExpectedState, NewEntryKind, Plan, SCHEMA, Swap, digest_of,
};
use crate::deployment::newer::NewerFormat;
use crate::names::{Digest, Hasher, RelPath};

impl Plan {
    /// Returns the text that is stored in a run's directory.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan can be written as JSON");
        text.push('\n');
        text
    }

    /// Returns the part of the plan that people approve: everything but the rest of the console, the
    /// lines of the manifest, which comments change, and what depends on unmanaged entries, of which
    /// a run takes those that it finds.
    pub(super) fn approved(&self) -> Self {
        let mut plan = Self {
            digest: None,
            checksum: None,
            context: Context::default(),
            ..self.clone()
        };
        for step in &mut plan.steps {
            step.line = 0;
            for operation in &mut step.operations {
                operation.line = 0;
            }
        }
        for swap in &mut plan.swaps {
            swap.retain_managed();
        }
        if let Some(expected) = &mut plan.expected_state {
            retain_managed(&mut expected.entries, None);
            expected.digest = digest_of(&expected.entries);
        }
        plan
    }

    fn compute_digest(&self) -> Digest {
        canonical_digest(&self.approved())
    }

    /// Adds the digest and the checksum to a complete plan.
    pub fn bind(&mut self) {
        self.digest = Some(self.compute_digest());
        self.checksum = None;
        self.checksum = Some(canonical_digest(self));
    }
}

impl Swap {
    fn retain_managed(&mut self) {
        retain_managed(&mut self.old, Some(&self.live));
        let is_file = |kind: &NewEntryKind| matches!(kind, NewEntryKind::File { .. });
        let files = self.new.iter().filter(|entry| is_file(&entry.kind));
        let directories: BTreeSet<RelPath> = files.flat_map(|file| file.path.ancestors()).collect();
        let live = &self.live;
        self.new.retain(|entry| {
            is_file(&entry.kind) || entry.path == *live || directories.contains(&entry.path)
        });
    }
}

/// Retains the managed files, and the directories that lead to them; another directory is there for
/// its unmanaged entries only, unless it is the object itself.
fn retain_managed(entries: &mut Vec<Entry>, object: Option<&RelPath>) {
    let is_file = |kind: &EntryKind| matches!(kind, EntryKind::File { .. });
    let files = entries.iter().filter(|entry| is_file(&entry.kind));
    let directories: BTreeSet<RelPath> = files.flat_map(|file| file.path.ancestors()).collect();
    entries.retain(|entry| {
        is_file(&entry.kind) || object == Some(&entry.path) || directories.contains(&entry.path)
    });
}

/// Returns the SHA-256 of canonical JSON: without blanks, with the keys of each object sorted.
fn canonical_digest(document: &impl Serialize) -> Digest {
    let mut value = value_of(document);
    value.sort_all_objects();
    let mut hasher = Hasher::new();
    serde_json::to_writer(&mut hasher, &value).expect("a hasher takes all bytes");
    hasher.finish()
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
    /// The plan is one of a newer version of rollup.
    #[error("it {0}")]
    TooNew(NewerFormat),
    /// The plan has a key, or a spelling of a value, that this version does not write.
    #[error("`{0}` is not known to this version of rollup")]
    Unknown(String),
    /// The digests do not match the contents.
    #[error("its digests do not match its contents: it was changed by hand or is damaged")]
    Changed,
    /// The text of the manifest is not the one that the plan names.
    #[error("the manifest in it is not the one that the plan was made from")]
    OtherManifest,
}

/// Reads a plan from a run's directory, and checks its digests.
pub fn parse(text: &str) -> Result<Plan, PlanFileError> {
    parse_value(&serde_json::from_str(text).map_err(not_a_plan)?)
}

/// Reads a plan from JSON that has nothing else, and checks its digests.
pub fn parse_value(document: &Value) -> Result<Plan, PlanFileError> {
    #[derive(Deserialize)]
    struct VersionOnly {
        schema: u32,
    }
    let VersionOnly { schema } = VersionOnly::deserialize(document).map_err(not_a_plan)?;
    if schema > SCHEMA {
        return Err(PlanFileError::TooNew(NewerFormat {
            word: "schema",
            found: schema,
            known: SCHEMA,
        }));
    }
    if schema != SCHEMA {
        let fault = format!("no version of rollup writes schema {schema}");
        return Err(PlanFileError::NotAPlan(fault));
    }
    let plan = Plan::deserialize(document).map_err(not_a_plan)?;
    let understood = value_of(&plan);
    if understood != *document {
        let unknown = differences_of_values(&understood, document);
        let key = unknown.into_iter().next().map(|unknown| unknown.key);
        return Err(PlanFileError::Unknown(key.unwrap_or_default()));
    }
    let is_as_expected = |state: &ExpectedState| state.digest == digest_of(&state.entries);
    let mut bound = plan.clone();
    bound.bind();
    if bound != plan || !plan.expected_state.iter().all(is_as_expected) {
        return Err(PlanFileError::Changed);
    }
    Ok(plan)
}

/// Reads a plan whose digests do not match its contents, to find out what was changed in it. It must
/// not be used for anything else.
pub fn parse_changed(document: &Value) -> Option<Plan> {
    let is_changed = matches!(parse_value(document), Err(PlanFileError::Changed));
    Plan::deserialize(document).ok().filter(|_| is_changed)
}

fn not_a_plan(error: serde_json::Error) -> PlanFileError {
    PlanFileError::NotAPlan(error.to_string())
}
