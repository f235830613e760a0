//! Planning: bound manifest, snapshot and payload facts in, operations out. No disk, no clock.
//!
//! The manifest asks for "the whole group, on every server"; the plan lists which ones. It states
//! exactly what will be written, and thus also the expected state at and below every live path. The
//! executor chooses nothing: it stages the new objects of the swaps and renames them in order.

mod accept;
mod actions;
mod applicability;
mod availability;
mod brought;
mod bytes;
mod compare;
mod context;
mod documented;
mod file;
mod inspect;
mod interest;
mod lagging;
mod options;
mod outage;
mod planner;
mod prerequisites;
mod refusal;
mod requirements;
mod reversibility;
mod rollup;
mod simulated_state;
mod simulated_tree;
mod steps;
mod swaps;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::applied::AppliedRecord;
use crate::deployment::parameters::Parameters;
use crate::deployment::records::State;
use crate::manifest::ComputerRestart;
use crate::names::{Digest, Hasher, Kb, PayloadPath, RelPath, Version};

pub use accept::{
    AcceptResult, AppliedByHand, Expectation, accept, accept_applied, accept_interest,
};
pub use applicability::NothingToDo;
pub use availability::RoleOutage;
pub use compare::{PlanDifference, differences, differences_of_context};
pub use context::{ConsoleGroup, ConsoleInstance, ConsoleItem, ConsoleServer, Context};
pub use documented::{CheckedPrerequisite, DocumentedFacts, FileTableRow};
pub use file::{PlanFileError, parse, parse_changed, parse_value};
pub use interest::interest;
pub use lagging::{
    Lagging, LaggingPlace, LaggingServer, copied_files, directories_of_no_instance, lagging,
};
pub use options::{Downgrade, IncludeMissing, Options, Reapply};
pub use outage::Outage;
pub use refusal::{Reason, ReasonKind, Refusal};
pub use requirements::broken_requirements;
pub use reversibility::PointOfNoReturn;
pub use rollup::{Planned, plan};
pub use steps::{SwapsByStep, may_mean};

/// Version of the format of `plan.json`.
pub const SCHEMA: u32 = 1;
/// Name of a run that accepts, in place of a KB number.
pub const ACCEPT: &str = "accept";

/// Ordered operations for one manifest, deployment and payload; a file that can be reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Version of this format.
    pub schema: u32,
    /// SHA-256 over the whole plan, without `context`; absent if no payload was given, because it
    /// is not known then what will be written.
    pub digest: Option<Digest>,
    /// Subject of the plan.
    #[serde(flatten)]
    pub subject: Subject,
    /// Name of the deployment, for people.
    pub deployment: String,
    /// SHA-256 of the meaning of `deployment.toml`: comments and layout change nothing.
    pub description: Digest,
    /// Options that change the plan.
    pub options: Options,
    /// Servers that are offline, which the run leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offline: Vec<String>,
    /// Applied rollups before and after the run, oldest first, without the superseded ones.
    pub applied: AppliedChange,
    /// Conditions that only a person can check, to be confirmed before anything is staged.
    pub confirmations: Vec<Confirmation>,
    /// Warnings that the operator should read before approving the plan.
    pub warnings: Vec<String>,
    /// Steps, in the manifest's order.
    pub steps: Vec<PlannedStep>,
    /// Items whose dependencies are unavailable during the run.
    pub outage: Vec<DependencyOutage>,
    /// Number of the instances behind those: they depend on them, directly or through others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outage_behind: usize,
    /// Servers that are unavailable at once, for each role of which some are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub role_outages: Vec<RoleOutage>,
    /// Every file that the run reads, from the payload or from the share.
    pub sources: Vec<PlanSource>,
    /// Swaps in order, numbered from 1.
    pub swaps: Vec<Swap>,
    /// Expected state after the run; absent if no payload was given.
    pub expected_state: Option<ExpectedState>,
    /// Facts of the manifest for readers; a plan that accepts drift has none.
    #[serde(default, skip_serializing_if = "DocumentedFacts::is_empty")]
    pub documented: DocumentedFacts,
    /// Rest of the console, for readers; the digest does not cover it.
    pub context: Context,
    /// SHA-256 over all of the above, which detects damage; absent if there is no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
}

/// Subject of a plan, and of the run that executes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The run applies a rollup.
    Rollup(PlannedRollup),
    /// The run accepts drift.
    Accept(Acceptance),
}

/// Drift that is accepted: entries that are not as any run left them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// Reason, as given by the person who accepts the drift.
    pub reason: String,
    /// Rollup that is recorded as applied by hand, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Kb>,
    /// Entries that are there now, sorted by path bytes.
    pub there: Vec<Entry>,
    /// Paths that are gone, sorted by path bytes.
    pub gone: Vec<RelPath>,
}

/// Rollup that a plan applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRollup {
    /// KB number.
    pub kb: Kb,
    /// Revision of its article.
    pub revision: Version,
    /// Title, for people.
    pub title: String,
    /// SHA-256 of the meaning of the manifest: comments, layout and line ends change nothing.
    pub manifest: Digest,
    /// Rollups that it includes.
    pub includes: Vec<Kb>,
    /// Rollups that it replaces.
    pub replaces: Vec<Kb>,
    /// Restart of computers that the article documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer_restart: Option<ComputerRestart>,
    /// Changes of the registry that the article documents, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_changes: Option<String>,
    /// Descriptions of everything that lags, if the run only catches up with a rollup that is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catch_up: Vec<String>,
}

/// Applied rollups before and after a run, without the superseded ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedChange {
    /// Rollups that are applied before the run.
    pub before: Vec<Kb>,
    /// Rollups that are applied after it.
    pub after: Vec<Kb>,
}

/// Prerequisite of the kind `confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmation {
    /// Name of the prerequisite for `--confirm`.
    pub id: String,
    /// Question to the operator.
    pub question: String,
}

/// Instance that stays installed, and a dependency of it that is unavailable during the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DependencyOutage {
    /// Name of the instance, for people.
    pub instance: String,
    /// Name of the dependency, for people.
    pub without: String,
    /// Id of the step that removes the dependency.
    pub from: String,
    /// Id of the step that installs it again.
    pub to: String,
}

/// Step of the manifest, resolved to operations; a nested one once for each server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// Id that the author gave it; of a nested step `STEP@SERVER`.
    pub id: String,
    /// Title, for people.
    pub title: String,
    /// `each-server` step in which it is nested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<WithinEachServer>,
    /// Keyword of its action, such as `uninstall`.
    pub action: String,
    /// Line of the step in the manifest.
    pub line: u32,
    /// Operations, in order.
    pub operations: Vec<Operation>,
    /// Targets that need no change, with the reasons.
    pub nothing: Vec<UnchangedTarget>,
    /// Members of the step's groups that the run leaves out because they were not installed before,
    /// as people name them.
    pub left_out: Vec<String>,
    /// Instructions of a `manual` step, at which the run waits for a person.
    pub manual: Option<ManualStep>,
    /// Documented arguments of packages that rollup cannot open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Instructions for a person to roll these packages back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

/// `each-server` step in which another one is nested, and the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithinEachServer {
    /// Id of the `each-server` step.
    pub step: String,
    /// Its title, for people.
    pub title: String,
    /// Name of the server.
    pub server: String,
}

/// Target of a step that needs no change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnchangedTarget {
    /// Name of the target, for people.
    pub target: String,
    /// Reason why it needs no change.
    pub why: String,
}

/// Manual step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManualStep {
    /// Instructions for the person who does it.
    pub instructions: String,
    /// Instructions for rolling it back; without them, the run cannot be rolled back after this
    /// step.
    pub undo: Option<String>,
    /// True if it may be skipped.
    pub optional: bool,
    /// Servers on which to do it, if the manifest names any.
    pub servers: Vec<String>,
    /// Files of the payload that the person needs; the run stages them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ManualFile>,
}

/// File that a person needs for a manual step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManualFile {
    /// Name of the file, with its directories, below the step's directory.
    pub name: PayloadPath,
    /// Position in the plan's `sources`; absent without a payload.
    pub source: Option<usize>,
    /// SHA-256 of its contents; absent without a payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

impl std::fmt::Display for ManualFile {
    /// Writes the name, with the hash if it is known.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)?;
        match &self.sha256 {
            Some(sha256) => write!(f, ", SHA-256 {sha256}"),
            None => Ok(()),
        }
    }
}

/// One change to one instance, file or service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Kind of the change.
    pub kind: OperationKind,
    /// Name of the target, for people.
    pub target: String,
    /// Server, if there is one.
    pub server: Option<String>,
    /// Path of the target below the deployment.
    pub at: RelPath,
    /// State before the operation, which a rollback restores.
    pub before: TargetState,
    /// State after the operation.
    pub after: TargetState,
    /// Number of the swap that does it.
    pub swap: u32,
    /// Line of the manifest that asks for it.
    pub line: u32,
    /// State that was found, which is the reason for the operation.
    pub seen: String,
    /// Reason why it cannot be rolled back, as given by the author of the manifest or of
    /// `deployment.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
}

/// Kinds of operations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Removes an item.
    Uninstall,
    /// Installs an item.
    Install,
    /// Replaces an installed item or an existing file.
    Replace,
    /// Copies a file to a path where there was none.
    Copy,
    /// Installs a package outside the console.
    Run,
    /// Stores a package that rollup cannot open, outside the console.
    Store,
    /// Runs a procedure.
    Initialize,
    /// Starts a service.
    Start,
    /// Stops a service.
    Stop,
    /// Permits a service to be started.
    Enable,
    /// Forbids a service to be started.
    Disable,
    /// Updates a record to the state on disk.
    Accept,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl std::fmt::Display for Subject {
    /// Writes the name that the directories of its runs contain.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Rollup(rollup) => rollup.kb.fmt(f),
            Subject::Accept(_) => f.write_str(ACCEPT),
        }
    }
}

/// Words for a kind of operation: its own, its sign in a preview, and those of its rollback.
type KindWords = (OperationKind, &'static str, char, (char, &'static str));

const KIND_WORDS: [KindWords; 12] = [
    (OperationKind::Uninstall, "uninstall", '-', ('+', "restore")),
    (OperationKind::Install, "install", '+', ('-', "remove")),
    (OperationKind::Replace, "replace", '~', ('~', "restore")),
    (OperationKind::Copy, "copy", '>', ('-', "remove")),
    (OperationKind::Run, "run", '+', ('-', "remove")),
    (OperationKind::Store, "store", '+', ('-', "remove")),
    (
        OperationKind::Initialize,
        "initialize",
        '*',
        ('*', "restore"),
    ),
    (OperationKind::Start, "start", '!', ('!', "restore")),
    (OperationKind::Stop, "stop", '!', ('!', "restore")),
    (OperationKind::Enable, "enable", '!', ('!', "restore")),
    (OperationKind::Disable, "disable", '!', ('!', "restore")),
    (OperationKind::Accept, "accept", '~', ('~', "restore")),
];

impl OperationKind {
    /// Returns the word for it, as in the plan's JSON.
    pub fn word(self) -> &'static str {
        KIND_WORDS[self as usize].1
    }

    /// Returns the sign that precedes it in a preview.
    pub fn sign(self) -> char {
        KIND_WORDS[self as usize].2
    }

    /// Returns the sign and the word of its rollback.
    pub fn inverse(self) -> (char, &'static str) {
        KIND_WORDS[self as usize].3
    }
}

/// State of an operation's target, before or after the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum TargetState {
    /// The target does not exist.
    Nothing,
    /// An item or program.
    Item {
        /// State in its record.
        state: State,
        /// Product version, if anything is installed.
        version: Option<Version>,
        /// SHA-256 of the installer, if anything is installed.
        installer: Option<Digest>,
    },
    /// A procedure.
    Procedure {
        /// State in its record.
        state: State,
        /// Parameters that it was run with.
        parameters: Parameters,
    },
    /// A file.
    File {
        /// Size in bytes.
        size: u64,
        /// SHA-256 of its contents.
        sha256: Digest,
    },
    /// A service.
    Service {
        /// True if it runs.
        running: bool,
        /// True if it may be started.
        enabled: bool,
    },
    /// The state is known only if there is a payload.
    Unknown,
}

/// File that the run reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSource {
    /// Location of the file.
    #[serde(flatten)]
    pub at: SourceLocation,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of its contents; a file with other contents is refused.
    pub sha256: Digest,
    /// Cabinets and files that belong beside an installer, by position in the plan's `sources`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<usize>,
}

/// Location of a file that the run reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum SourceLocation {
    /// The payload.
    Payload {
        /// Name of the file in the file table, with its directories.
        name: PayloadPath,
    },
    /// The share, as it was before the run.
    Share {
        /// Path of the file below the deployment.
        path: RelPath,
    },
}

/// Exchange of the object at a live path: the new object moves in, the old one into the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swap {
    /// Number in the order of the run, from 1; also the name of its slot.
    pub number: u32,
    /// Id of its step; `null` for the record of the applied rollups, which is the last swap.
    pub step: Option<String>,
    /// Live path, below the deployment.
    pub live: RelPath,
    /// Entries of the old object, the object itself first; empty if there is none.
    pub old: Vec<Entry>,
    /// Entries of the new object, the object itself first. They include the parent directories of
    /// the unmanaged entries of the old one.
    pub new: Vec<NewEntry>,
}

impl Swap {
    /// Returns whether the live path has an object before the swap.
    pub fn has_old(&self) -> bool {
        !self.old.is_empty()
    }

    /// Returns the topmost unmanaged files and directories of the old object, which move along.
    pub fn unmanaged(&self) -> impl Iterator<Item = &RelPath> {
        let unmanaged = |entry: &&Entry| entry.kind == EntryKind::Unmanaged;
        self.old.iter().filter(unmanaged).map(|entry| &entry.path)
    }

    /// Returns the bytes of the new object, which are staged.
    pub fn new_bytes(&self) -> u64 {
        let size = |entry: &NewEntry| match entry.kind {
            NewEntryKind::File { size, .. } => size,
            NewEntryKind::Directory => 0,
        };
        self.new.iter().map(size).sum()
    }

    /// Returns the bytes of the old object, which the run keeps.
    pub fn old_bytes(&self) -> u64 {
        self.old.iter().map(Entry::bytes).sum()
    }
}

/// File or directory at or below a live path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Path below the deployment.
    pub path: RelPath,
    /// Kind of the entry.
    #[serde(flatten)]
    pub kind: EntryKind,
}

impl Entry {
    /// Returns the size of a managed file in bytes; 0 for anything else.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            EntryKind::File { size, .. } => size,
            EntryKind::Directory | EntryKind::Unmanaged => 0,
        }
    }
}

/// Kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A managed file.
    File {
        /// Size in bytes.
        size: u64,
        /// SHA-256 of its contents.
        sha256: Digest,
    },
    /// An unmanaged file, or an unmanaged directory with everything in it; known by name only.
    Unmanaged,
}

/// Entry of a new object, with the origin of its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewEntry {
    /// Path below the deployment that it will have.
    pub path: RelPath,
    /// Kind of the entry.
    #[serde(flatten)]
    pub kind: NewEntryKind,
}

/// Kinds of entries of a new object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NewEntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Size in bytes.
        size: u64,
        /// SHA-256 of its contents.
        sha256: Digest,
        /// Origin of its contents.
        #[serde(flatten)]
        origin: Origin,
    },
}

/// Origin of the contents of a new file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The text itself.
    Text(String),
    /// A source as a whole, by position in the plan's `sources`.
    Source(usize),
    /// A file in a package.
    Member(PackageMember),
}

/// File in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageMember {
    /// Package, by position in the plan's `sources`.
    pub source: usize,
    /// Key of the file in the package.
    pub key: String,
}

impl NewEntry {
    /// Returns the entry without its origin.
    pub fn entry(&self) -> Entry {
        let kind = match self.kind {
            NewEntryKind::Directory => EntryKind::Directory,
            NewEntryKind::File { size, sha256, .. } => EntryKind::File { size, sha256 },
        };
        Entry {
            path: self.path.clone(),
            kind,
        }
    }
}

/// Entries at and below every live path after the run, with their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedState {
    /// Digest of the entries.
    pub digest: Digest,
    /// Entries, sorted by path bytes.
    pub entries: Vec<Entry>,
}

/// Returns SHA-256 over one line for every managed entry, in the order given: path, kind, size and
/// SHA-256, separated by NUL bytes, which no path contains.
pub fn digest_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Digest {
    let mut hasher = Hasher::new();
    for Entry { path, kind } in entries {
        let line = match kind {
            EntryKind::Directory => format!("{path}\0directory\0\0\n"),
            EntryKind::File { size, sha256 } => format!("{path}\0file\0{size}\0{sha256}\n"),
            EntryKind::Unmanaged => continue,
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

    /// Returns the records of applied rollups that the run writes, in order.
    pub fn applied_records(&self) -> impl Iterator<Item = AppliedRecord> + '_ {
        self.swaps.iter().filter_map(|swap| {
            let kb = AppliedRecord::rollup_at(&swap.live)?;
            let text = swap.new.iter().find_map(|entry| match &entry.kind {
                NewEntryKind::File {
                    origin: Origin::Text(text),
                    ..
                } => Some(text),
                _ => None,
            })?;
            AppliedRecord::parse(kb, text).ok()
        })
    }

    /// Returns all live paths, each once, sorted.
    pub fn live_paths(&self) -> Vec<&RelPath> {
        let mut paths: Vec<_> = self.swaps.iter().map(|swap| &swap.live).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Returns the bytes that the run stages.
    pub fn new_bytes(&self) -> u64 {
        self.swaps.iter().map(Swap::new_bytes).sum()
    }

    /// Returns the bytes of the old objects, which the run keeps.
    pub fn old_bytes(&self) -> u64 {
        self.swaps.iter().map(Swap::old_bytes).sum()
    }

    /// Returns the operations of all steps, in order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().flat_map(|step| &step.operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> Entry {
        Entry {
            path: RelPath::parse(path).expect("a valid path"),
            kind,
        }
    }

    #[test]
    fn the_words_of_a_kind_are_at_its_position() {
        for (at, (kind, word, ..)) in KIND_WORDS.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(serde_json::json!(kind), word);
        }
    }

    #[test]
    fn the_digest_covers_names_kinds_sizes_and_contents() {
        let file = |size, bytes: &[u8]| EntryKind::File {
            size,
            sha256: Digest::of(bytes),
        };
        let entries = [
            entry("a", EntryKind::Directory),
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
        let unmanaged = [entry("a", EntryKind::Unmanaged)];
        assert_eq!(
            digest_of(&unmanaged),
            digest_of([]),
            "only managed entries count"
        );
    }
}
