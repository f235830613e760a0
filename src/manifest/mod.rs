//! The manifest as the author wrote it, and the facts on which other modules may rely once it is
//! checked.
//!
//! A manifest is the TOML file of one rollup. It has three shapes, each made from the one before:
//! the spanned table as the author wrote it; [`Manifest`], which exists only after the checks; and
//! [`BoundManifest`], whose names are ids of one deployment. Later stages take the last one, and look
//! no name up again.

mod against;
mod bound;
mod compare;
mod draft;
mod flow;
mod installers;
mod lookup;
mod meaning;
mod parse;
mod pin;
mod prerequisites;
mod problems;
mod relations;
mod services;
mod shapes;
mod steps;
mod table;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Not;
use std::str::FromStr;

pub use bound::{
    Action, BoundCondition, BoundFile, BoundManifest, BoundSiteCondition, BoundStep, BoundStepId,
    BoundSubject, CopyPlace, OpaquePackage, ProcedureTarget, RoleServers, StepTarget, Within,
    author_id,
};
pub use compare::{ChangeKind, ManifestDifference, compare};
pub use meaning::ManifestTable;
pub use parse::{Checks, ParsedManifest, check, parse, parse_with};
pub use pin::{PinError, add_pins};
pub use prerequisites::{
    Condition, ConditionSubject, Prerequisite, ServicePacks, SiteCondition, WantedState,
    WantedVersion,
};
pub use problems::{Fault, InstalledProduct, Problem};
pub use relations::check_together;
pub use shapes::MANIFEST;

pub use crate::names::ServiceVerb;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::deployment::description::{GroupId, ItemId, RoleId, ServiceId};
use crate::document::{Placed, Span};
use crate::names::{CaseFolded, Digest, FileName, Kb, PayloadPath, RelPath, Requirement, Version};

/// Manifest without mistakes.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub rollup: Rollup,
    /// Conditions that must hold before anything is staged, in the document's order.
    pub prerequisites: Vec<Prerequisite>,
    /// The actions, in the document's order, which is the order of the run; nested ones follow their
    /// `each-server` step.
    pub steps: Vec<Step>,
    /// The file table with its pins, in the document's order.
    pub files: Vec<PayloadFile>,
    /// Span of `[payload]` in the document.
    pub payload: Span,
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
    /// Restart of computers that the article documents.
    pub computer_restart: Option<ComputerRestart>,
    /// Changes of the registry that the article documents, in words.
    pub registry_changes: Option<String>,
    /// Line of each key of `[rollup]` and `[article]` that the document has, from 1.
    #[serde(skip)]
    pub lines: KeyLines,
}

/// Restart of computers that an article documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ComputerRestart {
    /// No computer has to restart.
    No,
    /// Each computer has to restart.
    Required,
    /// A computer has to restart if files were in use.
    IfInUse,
}

impl ComputerRestart {
    /// Words of the language, in the order of the variants.
    pub(crate) const WORDS: [&'static str; 3] = ["no", "required", "if-in-use"];

    /// Returns the word of the language.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl FromStr for ComputerRestart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::No, Self::Required, Self::IfInUse];
        all.into_iter()
            .find(|one| one.word() == text)
            .ok_or_else(|| format!("`{text}` is not one of {}", Self::WORDS.join(", ")))
    }
}

/// Lines of the keys of a table, from 1.
pub type KeyLines = BTreeMap<&'static str, u32>;

/// One action on its targets, with the keys that the author wrote. Which of them a step has depends
/// on its action: a [`BoundStep`] has an action with exactly its own.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The author's name for it, unique without regard to case; empty only while a manifest is read
    /// whose author made a mistake there.
    pub id: String,
    /// Place of the id, else of the table.
    #[serde(skip)]
    span: Span,
    /// The action; `None` only while a manifest is read.
    #[serde(rename = "action")]
    verb: Option<Verb>,
    /// Purpose, in the author's words.
    pub title: Option<String>,
    /// The line in the manifest on which the step begins, from 1.
    #[serde(skip)]
    pub line: u32,
    /// Line of each of its keys, from 1.
    #[serde(skip)]
    lines: KeyLines,
    /// `items."GROUP" = [names]`: direct members.
    #[serde(
        serialize_with = "meaning::names_by_group",
        skip_serializing_if = "Vec::is_empty"
    )]
    items: Vec<GroupItems>,
    /// `groups = [...]`: everything below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Name<GroupId>>,
    /// Step that removed what this one installs again, in the spelling of that step.
    #[serde(serialize_with = "meaning::text_or_none")]
    removed_by: Option<Name<StepId>>,
    /// Files to copy or to run, or that a person needs; with `others` all rows that no other step
    /// names and that are not `unused`, each at the place of that key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<Name<RowId, PayloadPath>>,
    /// Features to install although the packages have them off, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    features: Vec<String>,
    /// Documented arguments of packages that rollup cannot open.
    arguments: Option<String>,
    /// Directory below `Programs` of such a package; named like the file if there is none.
    program: Option<FileName>,
    /// Always `true`, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Placed<bool>>,
    /// Target of a copy.
    to: Option<CopyTarget>,
    /// Parameters by procedure; they take precedence over stored ones.
    #[serde(
        serialize_with = "meaning::values_by_procedure",
        skip_serializing_if = "Vec::is_empty"
    )]
    parameters: Vec<ProcedureParameters>,
    #[serde(serialize_with = "meaning::text_or_none")]
    service: Option<Name<ServiceId>>,
    #[serde(serialize_with = "meaning::text_or_none")]
    on: Option<Name<RoleId>>,
    /// Only servers of this platform, such as `x64`.
    platform: Option<Placed<String>>,
    /// Reason why its operations cannot be rolled back.
    irreversible: Option<String>,
    instructions: Option<String>,
    undo: Option<String>,
    /// True if a manual step may be skipped.
    #[serde(skip_serializing_if = "Not::not")]
    optional: bool,
    /// Nested steps of an `each-server` step, which follow it in [`Manifest::steps`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Name<StepId>>,
    /// The `each-server` step in which it is nested.
    #[serde(skip)]
    within: Option<StepId>,
    #[serde(skip)]
    unreadable: UnreadableParts,
    /// Components that it names, one by one or by their groups; none without a deployment, or if
    /// the steps select too many.
    #[serde(skip)]
    selected: BTreeSet<ItemId>,
}

/// Position of a step in [`Manifest::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub usize);
/// Position of a row in [`Manifest::files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId(pub usize);

/// Name as the author wrote it, with its place and the object that it refers to.
#[derive(Debug, Clone, Serialize)]
pub struct Name<Id, T = String> {
    /// Name in the author's spelling.
    #[serde(rename = "name")]
    text: T,
    /// The line in the manifest, from 1.
    line: u32,
    #[serde(skip)]
    span: Span,
    /// Object of this name; `None` if there is none, or if it was not looked up.
    #[serde(skip)]
    id: Option<Id>,
}

/// Members of one group, in the author's spelling.
#[derive(Debug, Clone)]
pub struct GroupItems {
    /// The group's path or alias.
    group: Name<GroupId>,
    /// Names or aliases of direct members.
    names: Vec<Name<ItemId>>,
}

/// Parameters of one procedure.
#[derive(Debug, Clone)]
struct ProcedureParameters {
    procedure: Name<ItemId>,
    /// Values by their names, each with the place of its name.
    values: BTreeMap<String, Placed<String>>,
}

/// Action of a step, by its keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Removes items as one batch.
    Uninstall,
    /// Installs items as one batch.
    Install,
    /// Copies payload files.
    Copy,
    /// Runs installer packages on every server of a role, outside the console.
    Run,
    /// Runs procedures as one batch.
    Initialize,
    /// Changes a service on one server after another.
    Service(ServiceVerb),
    /// A task for a person; the run waits for it.
    Manual,
    /// Does nested steps on one server after another.
    EachServer,
}

impl Verb {
    const ALL: [(&str, Verb); 12] = [
        ("uninstall", Verb::Uninstall),
        ("install", Verb::Install),
        ("copy", Verb::Copy),
        ("run", Verb::Run),
        ("initialize", Verb::Initialize),
        ("start", Verb::Service(ServiceVerb::Start)),
        ("stop", Verb::Service(ServiceVerb::Stop)),
        ("restart", Verb::Service(ServiceVerb::Restart)),
        ("enable", Verb::Service(ServiceVerb::Enable)),
        ("disable", Verb::Service(ServiceVerb::Disable)),
        ("manual", Verb::Manual),
        ("each-server", Verb::EachServer),
    ];

    fn of(keyword: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == keyword)
            .map(|(_, verb)| verb)
    }

    /// Returns the keyword of the language, such as `uninstall`.
    pub fn keyword(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, verb)| *verb == self)
            .map_or("", |(keyword, _)| keyword)
    }
}

impl Serialize for Verb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.keyword())
    }
}

/// Target of a `copy` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyTarget {
    /// The installer share.
    Share,
    /// A directory below `Files/` of every server of a role; `None` is `Files` itself (`to = "."`).
    #[serde(untagged)]
    #[serde(serialize_with = "meaning::directory_or_dot")]
    Servers(Option<RelPath>),
}

/// Parts of a step that could not be read. A check reports nothing that these parts could refute.
#[derive(Debug, Clone, Default)]
struct UnreadableParts {
    /// Items, groups or `removed_by`, or their servers.
    targets: bool,
    /// Name of a file.
    files: bool,
    /// Service, or its servers.
    service: bool,
    undo: bool,
}

/// One row of the file table, with its pin.
#[derive(Debug, Clone, Serialize)]
pub struct PayloadFile {
    /// The name in the table's spelling, with its directories; unique without regard to case.
    pub name: PayloadPath,
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
    /// Case-folded names of the files that steps copy or run, or that a person needs.
    pub deployed: BTreeSet<CaseFolded>,
    /// Case-folded names of the packages that steps run and rollup unpacks, with the features that they
    /// ask for.
    pub run: BTreeMap<CaseFolded, BTreeSet<String>>,
    /// Case-folded names of those that rollup cannot open.
    pub opaque: BTreeSet<CaseFolded>,
    /// Case-folded names that steps copy files to in the share, from where items are installed, with
    /// the case-folded names of their rows.
    pub shared: BTreeMap<CaseFolded, CaseFolded>,
}

impl Manifest {
    /// Returns the ids of the questions that only a person can answer.
    pub fn confirm_ids(&self) -> Vec<&str> {
        let mut ids = Vec::new();
        for prerequisite in &self.prerequisites {
            if let Condition::Confirm { id, .. } = &prerequisite.condition {
                ids.push(id.value.as_str());
            }
        }
        ids
    }

    /// Returns the file table, with its use by the steps.
    pub fn file_table(&self) -> FileTable<'_> {
        FileTable::new(
            Cow::Borrowed(&self.files),
            self.payload.clone(),
            &self.steps,
        )
    }
}

impl<'m> FileTable<'m> {
    fn new(rows: Cow<'m, [PayloadFile]>, span: Span, steps: &[Step]) -> Self {
        let mut table = Self {
            rows,
            span,
            deployed: BTreeSet::new(),
            run: BTreeMap::new(),
            opaque: BTreeSet::new(),
            shared: BTreeMap::new(),
        };
        for step in steps {
            for file in &step.files {
                table.add_use(step, &file.text);
            }
        }
        table
    }

    fn add_use(&mut self, step: &Step, file: &PayloadPath) {
        let name = file.case_folded();
        if step.to == Some(CopyTarget::Share) {
            let in_share = file.file_name().case_folded();
            self.shared.insert(in_share, name.clone());
        }
        match step.verb {
            Some(Verb::Run) if file.has_extension(shapes::OPAQUE) => {
                self.opaque.insert(name.clone());
            }
            Some(Verb::Run) => {
                self.run
                    .entry(name.clone())
                    .or_default()
                    .extend(step.features.iter().cloned());
            }
            Some(Verb::Copy | Verb::Manual) => {}
            _ => return,
        }
        self.deployed.insert(name);
    }

    /// Returns the case-folded name of the row that an item with this installer is installed from:
    /// the file that is copied to the share under the name, else the one that has it.
    pub fn row_of_installer(&self, installer: &FileName) -> CaseFolded {
        let installer = installer.case_folded();
        self.shared.get(&installer).cloned().unwrap_or(installer)
    }
}
