//! Planning: manifest, snapshot and payload facts in, operations out. No disk, no clock.
//!
//! The manifest asks for "the whole group, on every server"; the plan lists which ones. It states
//! exactly what will be written, and thus also the expected state at and below every live path. The
//! executor chooses nothing: it stages the new objects of the swaps and renames them in order.

mod accept;
mod actions;
mod applicability;
mod bytes;
mod context;
mod file;
mod inspect;
mod options;
mod outage;
mod planner;
mod prerequisites;
mod refusal;
mod requirements;
mod resolve;
mod rollup;
mod swaps;
mod world;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::records::State;
use crate::names::{Digest, FileName, Hasher, Kb, RelPath, Version};

pub use accept::{Accepting, Expectation, accept, accept_interest};
pub use applicability::Nothing;
pub use context::{Checked, Context, Documented, Group, Installation, Item, Server};
pub use file::{PlanFileError, parse};
pub use options::{Downgrade, IncludeMissing, Options, Reapply};
pub use outage::Outage;
pub use refusal::{Reason, ReasonKind, Refusal};
pub use resolve::interest;
pub use rollup::{Planned, plan};

/// Version of the format of `plan.json`.
pub const SCHEMA: u32 = 1;
/// Name of a run that accepts, in place of a KB number.
pub const ACCEPT: &str = "accept";

/// The ordered operations for one manifest, deployment and payload; a file that can be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: u32,
    /// SHA-256 over everything that decides what the run does; absent where no payload was given,
    /// since nobody can tell then what will be written.
    pub digest: Option<Digest>,
    /// What it is a plan of.
    #[serde(flatten)]
    pub subject: Subject,
    /// The name of the deployment, for people.
    pub deployment: String,
    /// The level before and after, oldest first, those in force only.
    pub applied: AppliedChange,
    /// What only a person can check, to be confirmed before anything is staged.
    pub confirmations: Vec<Confirmation>,
    /// What the operator should see before saying yes.
    pub warnings: Vec<String>,
    /// The steps, in the manifest's order.
    pub steps: Vec<PlannedStep>,
    /// What is without something it requires, while the run is under way.
    pub outage: Vec<DependencyOutage>,
    /// Every file the run reads, from the payload or from the share.
    pub sources: Vec<Source>,
    /// The renames, in order; numbered from 1.
    pub swaps: Vec<Swap>,
    /// What stands at and below every live path when the run is over.
    pub expected_state: Option<ExpectedState>,
    /// What a reader wants to know besides; plans of earlier versions have none.
    #[serde(default)]
    pub context: Context,
    /// SHA-256 over all of the above, words included: the digest covers only what the run does.
    /// Plans of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
}

/// What a plan is of, and the run that does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A rollup is applied.
    Rollup(PlannedRollup),
    /// What lies on disk is taken for true.
    Accept(Acceptance),
}

/// What is taken for true, although no run left it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// Why, in the words of whoever accepts it.
    pub reason: String,
    /// What lies there now, sorted by path bytes.
    pub there: Vec<Entry>,
    /// What is gone, sorted by path bytes.
    pub gone: Vec<RelPath>,
}

/// The rollup of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRollup {
    /// Identity.
    pub kb: Kb,
    /// Identity.
    pub revision: Version,
    /// For people.
    pub title: String,
    /// SHA-256 of the manifest.
    pub manifest: Digest,
    /// What it includes.
    pub includes: Vec<Kb>,
    /// What it replaces.
    pub replaces: Vec<Kb>,
}

/// The rollups in force before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedChange {
    /// Before the run.
    pub before: Vec<Kb>,
    /// After it.
    pub after: Vec<Kb>,
}

/// A `confirm` prerequisite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmation {
    /// What `--confirm ID` names.
    pub id: String,
    /// The question.
    pub question: String,
}

/// An instance that stays, and what it has to do without meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DependencyOutage {
    /// The instance, as people name it.
    pub instance: String,
    /// What it requires, as people name it.
    pub without: String,
    /// The id of the step that takes it away.
    pub from: String,
    /// The id of the step that brings it back.
    pub to: String,
}

/// A step of the manifest, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// The author's id.
    pub id: String,
    /// For people.
    pub title: String,
    /// The action's keyword, such as `uninstall`.
    pub action: String,
    /// The line of the step in the manifest.
    pub line: u32,
    /// What changes, in order.
    pub operations: Vec<Operation>,
    /// What needs nothing, and why.
    pub nothing: Vec<Idle>,
    /// What the group also holds and the run leaves out, as people name it: not installed before.
    pub left_out: Vec<String>,
    /// A `manual` step: the run waits for a person.
    pub manual: Option<ManualStep>,
}

/// Something a step names that is already as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Idle {
    /// What, as people name it.
    pub target: String,
    /// Why nothing is done.
    pub why: String,
}

/// What a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManualStep {
    /// The instructions.
    pub instructions: String,
    /// How it is taken back; without it there is no way back behind this step.
    pub undo: Option<String>,
    /// Whether it may be skipped.
    pub optional: bool,
    /// Where, as far as the manifest says.
    pub servers: Vec<String>,
}

/// One concrete change to one instance, file or service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// What is done.
    pub kind: OperationKind,
    /// To what, as people name it.
    pub target: String,
    /// The server, where there is one.
    pub server: Option<String>,
    /// Where it stands on disk.
    pub at: RelPath,
    /// What it replaces; going back, this stands again.
    pub before: TargetState,
    /// What stands afterwards.
    pub after: TargetState,
    /// The swap that does it.
    pub swap: u32,
    /// The line of the manifest it comes from.
    pub line: u32,
    /// The state that was seen, which is why it is done.
    pub seen: String,
}

/// The kinds of operations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// An item goes.
    Uninstall,
    /// An item comes.
    Install,
    /// An installed item, or an existing file, gives way to another one.
    Replace,
    /// A file comes where none was.
    Copy,
    /// A package is installed outside the console.
    Run,
    /// A procedure runs.
    Initialize,
    /// A service starts.
    Start,
    /// A service stops.
    Stop,
    /// A service stops and starts, in one change of its file.
    Restart,
    /// A service may be started from now on.
    Enable,
    /// A service may not be started from now on.
    Disable,
    /// A record is written anew from what lies on disk.
    Accept,
}

impl std::fmt::Display for Subject {
    /// Writes the name that the directories of its runs have.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Rollup(rollup) => rollup.kb.fmt(f),
            Subject::Accept(_) => f.write_str(ACCEPT),
        }
    }
}

impl OperationKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            OperationKind::Uninstall => "uninstall",
            OperationKind::Install => "install",
            OperationKind::Replace => "replace",
            OperationKind::Copy => "copy",
            OperationKind::Run => "run",
            OperationKind::Initialize => "initialize",
            OperationKind::Start => "start",
            OperationKind::Stop => "stop",
            OperationKind::Restart => "restart",
            OperationKind::Enable => "enable",
            OperationKind::Disable => "disable",
            OperationKind::Accept => "accept",
        }
    }

    /// Returns the sign before it in a preview.
    pub fn sign(self) -> char {
        match self {
            OperationKind::Uninstall => '-',
            OperationKind::Install | OperationKind::Run => '+',
            OperationKind::Replace | OperationKind::Accept => '~',
            OperationKind::Copy => '>',
            OperationKind::Initialize => '*',
            _ => '!',
        }
    }
}

/// One side of an operation: what stands before it, or after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum TargetState {
    /// Nothing.
    Nothing,
    /// An item or program.
    Item {
        /// Its state.
        state: State,
        /// What is installed, where something is: product version and the installer's hash.
        version: Option<Version>,
        /// SHA-256 of the installer.
        installer: Option<Digest>,
    },
    /// A procedure.
    Procedure {
        /// Its state.
        state: State,
        /// What it was given.
        parameters: BTreeMap<String, String>,
    },
    /// A file.
    File {
        /// In bytes.
        size: u64,
        /// Its SHA-256.
        sha256: Digest,
    },
    /// A service.
    Service {
        /// Whether it runs.
        running: bool,
        /// Whether it may be started.
        enabled: bool,
        /// How often it was started.
        starts: u64,
    },
    /// Known only once there is a payload.
    Unknown,
}

/// A file that the run reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Where it is.
    #[serde(flatten)]
    pub at: SourceAt,
    /// In bytes.
    pub size: u64,
    /// Its SHA-256; a file that has another one is refused.
    pub sha256: Digest,
    /// The cabinets that lie beside an installer, by position in [`Plan::sources`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<usize>,
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum SourceAt {
    /// In the payload, by its name in the file table.
    Payload {
        /// The name.
        name: FileName,
    },
    /// In the share, as it was before the run.
    Share {
        /// Its path in the deployment.
        path: RelPath,
    },
}

/// Puts a new object at a live path and sets the old one aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swap {
    /// From 1, in the order of the run; also the name of its slot.
    pub number: u32,
    /// The id of its step; `None` for the level, which is the last one.
    pub step: Option<String>,
    /// The path below the deployment at which it happens.
    pub live: RelPath,
    /// What stands there before, itself first; empty where nothing does.
    pub old: Vec<Entry>,
    /// What is staged, itself first. The parents of its travellers are among it.
    pub new: Vec<NewEntry>,
    /// The operator's files that move along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<RelPath>,
}

impl Swap {
    /// Returns whether something is at the live path before.
    pub fn has_old(&self) -> bool {
        !self.old.is_empty()
    }

    /// Returns the bytes of the new object, which are staged.
    pub fn new_bytes(&self) -> u64 {
        let size = |entry: &NewEntry| match entry.what {
            NewWhat::File { size, .. } => size,
            NewWhat::Directory => 0,
        };
        self.new.iter().map(size).sum()
    }

    /// Returns the bytes of the old object, which the run keeps.
    pub fn old_bytes(&self) -> u64 {
        let size = |entry: &Entry| match entry.what {
            What::File { size, .. } => size,
            What::Directory | What::Unmanaged => 0,
        };
        self.old.iter().map(size).sum()
    }
}

/// Something on disk at or below a live path, by its path below the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Where.
    pub path: RelPath,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A directory.
    Directory,
    /// A file of ours.
    File {
        /// In bytes.
        size: u64,
        /// Its SHA-256.
        sha256: Digest,
    },
    /// An operator's file: known by name only.
    Unmanaged,
}

/// An entry of a new object, with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewEntry {
    /// Where it will stand.
    pub path: RelPath,
    /// What it will be.
    #[serde(flatten)]
    pub what: NewWhat,
}

/// What an entry of a new object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NewWhat {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// In bytes.
        size: u64,
        /// Its SHA-256.
        sha256: Digest,
        /// Where its bytes come from.
        #[serde(flatten)]
        origin: Origin,
    },
}

/// Where the bytes of a new file come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// They are these.
    Text(String),
    /// A whole source, by position in [`Plan::sources`].
    Source(usize),
    /// A file in a package.
    Member(Member),
}

/// A file in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The package, by position in [`Plan::sources`].
    pub source: usize,
    /// The file's path in the package.
    pub path: RelPath,
}

impl NewEntry {
    /// Returns the entry without its origin.
    pub fn entry(&self) -> Entry {
        let what = match self.what {
            NewWhat::Directory => What::Directory,
            NewWhat::File { size, sha256, .. } => What::File { size, sha256 },
        };
        Entry {
            path: self.path.clone(),
            what,
        }
    }
}

/// What stands at and below every live path when the run is over, and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedState {
    /// [`digest_of`] the entries.
    pub digest: Digest,
    /// Sorted by path bytes.
    pub entries: Vec<Entry>,
}

/// Returns SHA-256 over one line for every entry, in the order given: path, kind, size and SHA-256,
/// separated by NUL bytes, which no path contains. An unmanaged file counts by name only.
pub fn digest_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Digest {
    let mut hasher = Hasher::new();
    for Entry { path, what } in entries {
        let line = match what {
            What::Directory => format!("{path}\0directory\0\0\n"),
            What::File { size, sha256 } => format!("{path}\0file\0{size}\0{sha256}\n"),
            What::Unmanaged => format!("{path}\0traveller\0\0\n"),
        };
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}

impl Plan {
    /// Returns the rollup, if it is a plan of one.
    pub fn rollup(&self) -> Option<&PlannedRollup> {
        match &self.subject {
            Subject::Rollup(rollup) => Some(rollup),
            Subject::Accept(_) => None,
        }
    }

    /// Returns all live paths, each once, sorted.
    pub fn live_paths(&self) -> Vec<&RelPath> {
        let mut paths: Vec<_> = self.swaps.iter().map(|swap| &swap.live).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Returns the swaps of one step.
    pub fn swaps_of<'a>(
        &'a self,
        step: Option<&'a str>,
    ) -> impl DoubleEndedIterator<Item = &'a Swap> {
        self.swaps
            .iter()
            .filter(move |swap| swap.step.as_deref() == step)
    }

    /// Returns the operations of all steps, in order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().flat_map(|step| &step.operations)
    }

    /// Returns the first step after which the run cannot be rolled back, if there is one.
    pub fn point_of_no_return(&self) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| {
            step.manual
                .as_ref()
                .is_some_and(|manual| manual.undo.is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, what: What) -> Entry {
        Entry {
            path: RelPath::parse(path).expect("a valid path"),
            what,
        }
    }

    #[test]
    fn the_digest_covers_names_kinds_sizes_and_contents() {
        let file = |size, bytes: &[u8]| What::File {
            size,
            sha256: Digest::of(bytes),
        };
        let entries = [
            entry("a", What::Directory),
            entry("a", What::Unmanaged),
            entry("a", file(1, b"x")),
            entry("a", file(2, b"x")),
            entry("a", file(1, b"y")),
            entry("b", file(1, b"x")),
        ];
        let digests: std::collections::BTreeSet<_> =
            entries.iter().map(|entry| digest_of([entry])).collect();
        assert_eq!(
            digests.len(),
            entries.len(),
            "two different entries have one digest"
        );
    }
}
