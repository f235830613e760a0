//! Facts of the manifest for readers of a plan, beyond its operations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prerequisites::checked;
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{Action, BoundManifest, PayloadFile, RowId, author_id};
use crate::names::{Digest, PayloadPath};

/// Facts that only people need, and that they approve with the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentedFacts {
    /// Product that the rollup is for, with the supported versions.
    pub product: Option<String>,
    /// Problems that the rollup fixes.
    pub fixes: Vec<String>,
    /// Notes for the operator.
    pub notes: Vec<String>,
    /// Prerequisites that were checked and are met.
    pub checked: Vec<CheckedPrerequisite>,
    /// Documented files of the payload, used or not.
    pub file_table: Vec<FileTableRow>,
}

/// Prerequisite that is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedPrerequisite {
    /// Condition, in words.
    pub condition: String,
    /// Findings, in words: one for every server or instance.
    pub found: Vec<String>,
}

/// Row of the file table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileTableRow {
    /// Name in the table's spelling, with its directories.
    pub name: PayloadPath,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Time of the last change, UTC, to the minute: `2008-03-31 18:32`.
    pub modified: Option<String>,
    /// Platform of the file, such as `x86`.
    pub platform: Option<String>,
    /// Version of the file.
    pub version: Option<String>,
    /// Pinned SHA-256.
    pub sha256: Option<Digest>,
    /// Ids of the steps that deploy it.
    pub steps: Vec<String>,
    /// Reason why no step deploys it, as given by the author.
    pub unused: Option<String>,
}

impl DocumentedFacts {
    /// Returns the facts for readers of a plan of this manifest.
    pub(super) fn of(bound: &BoundManifest, snapshot: &Snapshot) -> Self {
        let rollup = &bound.manifest.rollup;
        let product = format!("{} {}", rollup.product, rollup.product_versions.join(", "));
        let conditions = bound.prerequisites.iter();
        Self {
            product: Some(product.trim_end().to_owned()),
            fixes: rollup.fixes.clone(),
            notes: rollup.notes.clone(),
            checked: conditions
                .filter_map(|one| checked(one, snapshot))
                .collect(),
            file_table: file_table(bound),
        }
    }

    /// Returns whether there are none: the plan is not that of a manifest.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn file_table(bound: &BoundManifest) -> Vec<FileTableRow> {
    let mut steps: BTreeMap<RowId, Vec<String>> = BTreeMap::new();
    for step in &bound.steps {
        if let Action::Copy { files, .. }
        | Action::Run { files, .. }
        | Action::Manual { files, .. } = &step.action
        {
            for file in files {
                let steps = steps.entry(file.row).or_default();
                // A nested step is there once for each server.
                let id = author_id(&step.id);
                if !steps.iter().any(|known| known == id) {
                    steps.push(id.to_owned());
                }
            }
        }
    }
    let row = |(at, row): (usize, &PayloadFile)| FileTableRow {
        name: row.name.clone(),
        size: row.size,
        modified: row.modified.and_then(minute),
        platform: row.platform.clone(),
        version: row.version.clone(),
        sha256: row.sha256,
        steps: steps.remove(&RowId(at)).unwrap_or_default(),
        unused: row.unused.clone(),
    };
    bound.manifest.files.iter().enumerate().map(row).collect()
}

fn minute(seconds: i64) -> Option<String> {
    Some(
        jiff::Timestamp::from_second(seconds)
            .ok()?
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
    )
}
