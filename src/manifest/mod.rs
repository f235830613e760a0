//! The manifest as the author wrote it, and the facts on which other modules may rely once it is
//! checked.
//!
//! A manifest is the TOML file of one rollup. It has two shapes: the spanned table, in which every
//! mistake is found and reported with its position, and [`Manifest`], which exists only after the
//! checks. Later stages check nothing again; they only resolve names against a deployment.

mod against;
mod compare;
mod draft;
mod flow;
mod installers;
mod known;
mod lookup;
mod meaning;
mod parse;
mod pin;
mod relations;
mod services;
mod shapes;
mod steps;
mod table;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Not;

pub use compare::{ChangeKind, ManifestDifference, compare};
pub use meaning::ManifestTable;
pub use parse::{Checks, ParsedManifest, check, parse, parse_with};
pub use pin::{PinError, add_pins};
pub use relations::check_together;
pub use shapes::MANIFEST;

pub use crate::names::ServiceVerb;

use serde::Serialize;

use crate::document::Span;
use crate::names::{CaseFolded, Digest, FileName, Kb, RelPath, Requirement, Version};

/// Manifest without mistakes.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub rollup: Rollup,
    /// Conditions that must hold before anything is staged, in the document's order.
    pub prerequisites: Vec<Prerequisite>,
    /// The actions, in the document's order, which is the order of the run.
    pub steps: Vec<Step>,
    /// The file table with its pins, in the document's order.
    pub files: Vec<PayloadFile>,
    /// Span of `[payload]` in the document.
    pub payload: Span,
    /// SHA-256 of the manifest's bytes.
    pub digest: Digest,
}

/// `[rollup]` and `[article]`: identity of the rollup, and its relations to others.
#[derive(Debug, Clone, Serialize)]
pub struct Rollup {
    /// KB number, which identifies the rollup together with the revision.
    pub kb: Kb,
    /// The article's revision; `1.0` if the manifest has none.
    pub revision: Version,
    /// Title for people.
    pub title: String,
    /// Product that the deployment must have.
    pub product: String,
    /// The versions of the product that the rollup is for; never empty.
    pub product_versions: Vec<String>,
    /// Part of the product that it concerns, for people.
    pub scope: Option<String>,
    /// The day of release, `YYYY-MM-DD`.
    pub released: Option<String>,
    /// Address of the article.
    pub url: Option<String>,
    /// The day the article was last reviewed, `YYYY-MM-DD`.
    pub reviewed: Option<String>,
    /// Rollups that are completely contained in this one.
    pub includes: Vec<Kb>,
    /// Rollups that must not be applied any more.
    pub replaces: Vec<Kb>,
    /// Rollups that must be applied, maybe at a minimum revision, or included by an applied one.
    pub requires: Vec<Requirement>,
    /// Faults that it fixes, for the preview and the report.
    pub fixes: Vec<String>,
    /// Notes to the operator, for the preview and the report.
    pub notes: Vec<String>,
    /// Line of each key of `[rollup]` and `[article]` that the document has, from 1.
    #[serde(skip)]
    pub lines: KeyLines,
}

/// Lines of the keys of a table, from 1.
pub type KeyLines = BTreeMap<&'static str, u32>;

/// Condition that the deployment must meet, with its line.
#[derive(Debug, Clone, Serialize)]
pub struct Prerequisite {
    /// The line in the manifest, from 1.
    #[serde(skip)]
    pub line: u32,
    #[serde(flatten)]
    pub condition: Condition,
}

/// Condition of a prerequisite.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Condition {
    /// Product that must be installed, at least at this service pack on every server that has it;
    /// with `on`, every server of that role must have it.
    Product {
        product: String,
        /// Lowest service pack that is accepted; 0 if none is named.
        service_pack: u32,
        /// Role whose servers must all have it.
        on: Option<String>,
    },
    /// Item that must be installed on every server that can have it.
    Item {
        /// Name or alias.
        item: String,
    },
    /// Question that only a person can answer, asked before anything is staged.
    Confirm {
        /// Id for `--confirm ID`.
        id: String,
        #[serde(rename = "confirm")]
        question: String,
    },
}

/// One action on its targets.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The author's name for it; unique without regard to case.
    pub id: String,
    /// Purpose, in the author's words; the id if there is none.
    pub title: String,
    /// The line in the manifest on which the step begins, from 1.
    #[serde(skip)]
    pub line: u32,
    /// Line of each of its keys, from 1.
    #[serde(skip)]
    pub lines: KeyLines,
    #[serde(flatten)]
    pub action: Action,
}

/// Action of a step.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Action {
    /// Removes items as one batch.
    Uninstall(Selection),
    /// Installs items as one batch.
    Install(InstallTargets),
    /// Copies payload files.
    Copy {
        /// Files to copy; each is in the file table.
        files: Vec<Listed>,
        /// True if the step names no files: they are the rows that no other step copies or runs and
        /// that are not `unused`.
        #[serde(skip_serializing_if = "Not::not")]
        others: bool,
        #[serde(flatten)]
        to: CopyTarget,
    },
    /// Runs installer packages on every server of a role, outside the console.
    Run {
        /// The packages, in order.
        files: Vec<Listed>,
        #[serde(flatten)]
        on: Servers,
    },
    /// Runs procedures as one batch.
    Initialize {
        #[serde(flatten)]
        items: Selection,
        /// Parameters by procedure, as the author wrote its name; they take precedence over stored
        /// ones.
        parameters: BTreeMap<String, BTreeMap<String, String>>,
    },
    /// Changes a service on one server after another.
    Service {
        #[serde(skip)]
        verb: ServiceVerb,
        /// Name or alias.
        service: String,
        /// Servers; those of the service's own role if the step names no role.
        #[serde(flatten)]
        on: Option<Servers>,
        /// Platform of the servers, if the step has no `on`.
        #[serde(skip_serializing_if = "Option::is_none")]
        platform: Option<String>,
    },
    /// A task for a person; the run waits for it.
    Manual {
        instructions: String,
        /// Instructions to roll it back; without them the step is a point of no return.
        undo: Option<String>,
        /// True if it may be skipped.
        #[serde(skip_serializing_if = "Not::not")]
        optional: bool,
        /// Servers that are listed with the instructions.
        #[serde(flatten)]
        on: Option<Servers>,
    },
}

impl Action {
    /// Returns the keyword of the language, such as `uninstall`.
    pub fn keyword(&self) -> &'static str {
        match self {
            Action::Uninstall(_) => "uninstall",
            Action::Install(_) => "install",
            Action::Copy { .. } => "copy",
            Action::Run { .. } => "run",
            Action::Initialize { .. } => "initialize",
            Action::Service { verb, .. } => verb.keyword(),
            Action::Manual { .. } => "manual",
        }
    }
}

/// Servers chosen by role, maybe limited to a platform.
#[derive(Debug, Clone, Serialize)]
pub struct Servers {
    /// Name or alias.
    #[serde(rename = "on")]
    pub role: String,
    /// Only servers of this platform, such as `x64`.
    pub platform: Option<String>,
}

/// Items chosen by name below a group, or whole groups.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Selection {
    /// `items."GROUP" = [names]`: direct members.
    #[serde(serialize_with = "meaning::names_by_group")]
    pub items: Vec<GroupItems>,
    /// `groups = [...]`: everything below.
    pub groups: Vec<Listed>,
    /// Servers whose instances are selected, if the step has `on`.
    #[serde(flatten)]
    pub on: Option<Servers>,
    /// Platform of the servers whose instances are selected, if the step has no `on`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// Members of one group, in the author's spelling.
#[derive(Debug, Clone)]
pub struct GroupItems {
    /// The group's path or alias, as the author wrote it.
    pub group: Listed,
    /// Names or aliases of direct members.
    pub names: Vec<Listed>,
}

/// Name in a list, with its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Name as the author spelled it.
    pub name: String,
    /// The line in the manifest, from 1.
    pub line: u32,
}

/// Targets of an `install` step.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum InstallTargets {
    /// Named items and groups.
    Chosen(Selection),
    /// Exactly the instances that an earlier step removed, where they were.
    RemovedBy {
        /// The id of that step, in the spelling of that step.
        #[serde(rename = "removed_by")]
        step: String,
        /// The line of the key.
        #[serde(skip)]
        line: u32,
    },
}

/// Target of a `copy` step.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum CopyTarget {
    /// The installer share.
    Share,
    /// A directory below `Files/` of every server of a role.
    #[serde(untagged)]
    Servers {
        /// Servers to copy to.
        #[serde(flatten)]
        on: Servers,
        /// Directory below `Files`; `None` is `Files` itself (`to = "."`).
        #[serde(rename = "to", serialize_with = "meaning::directory_or_dot")]
        directory: Option<RelPath>,
    },
}

/// One row of the file table, with its pin.
#[derive(Debug, Clone, Serialize)]
pub struct PayloadFile {
    /// The name in the table's spelling; unique without regard to case.
    pub name: FileName,
    /// Size in bytes, if documented.
    pub size: Option<u64>,
    /// Time of the last change, UTC, to the minute, in seconds since 1970, if documented.
    pub modified: Option<i64>,
    /// Platform, such as `x86`, if documented.
    pub platform: Option<String>,
    /// The file's version, if documented.
    pub version: Option<String>,
    /// Reason why no step deploys it.
    pub unused: Option<String>,
    /// The pinned SHA-256.
    pub sha256: Option<Digest>,
    /// The line of the row, from 1.
    #[serde(skip)]
    pub line: u32,
    /// Span of its name in the document.
    #[serde(skip)]
    pub span: Span,
}

/// File table and its use by the steps, with which a payload is compared. For a manifest with
/// errors, as far as it could be read.
#[derive(Debug, Clone)]
pub struct FileTable<'m> {
    /// Rows, in the document's order.
    pub rows: Cow<'m, [PayloadFile]>,
    /// Span of the table in the document.
    pub span: Span,
    /// Case-folded names of the files that steps copy or run.
    pub deployed: BTreeSet<CaseFolded>,
    /// Case-folded names of the files that steps run.
    pub run: BTreeSet<CaseFolded>,
}

impl Manifest {
    /// Returns all rows by their case-folded names.
    pub fn rows(&self) -> BTreeMap<CaseFolded, &PayloadFile> {
        self.files
            .iter()
            .map(|row| (row.name.case_folded(), row))
            .collect()
    }

    /// Returns the file table, with its use by the steps.
    pub fn file_table(&self) -> FileTable<'_> {
        let (mut deployed, mut run) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.steps {
            let (Action::Copy { files, .. } | Action::Run { files, .. }) = &step.action else {
                continue;
            };
            let names = files.iter().map(|file| CaseFolded::of(&file.name));
            if let Action::Run { .. } = step.action {
                run.extend(names.clone());
            }
            deployed.extend(names);
        }
        FileTable {
            rows: Cow::Borrowed(&self.files),
            span: self.payload.clone(),
            deployed,
            run,
        }
    }
}
