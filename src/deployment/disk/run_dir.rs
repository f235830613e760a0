//! Paths of everything below `.rollup`; no other file knows how they are spelled.
//!
//! | path | contents |
//! | --- | --- |
//! | `format`, `lock`, `lock.owner` | version of the format; the lock, and the process that holds it |
//! | `trash/` | what is being deleted |
//! | `runs/0012-KB952076/` | one directory for each run |
//! | … `manifest.toml`, `plan.json` | what was requested |
//! | … `manifest.toml.sig` | the signature of the manifest, if the deployment requires one |
//! | … `approvals/1`, `1.sig` | for each approval: the statement and its signature |
//! | … `journal`, `reserve` | the records, and space for the last of them on a full disk |
//! | … `attributes` | mode, owner, hash of ACLs and extended attributes of each path written |
//! | … `events.ndjson` | the events, with their times |
//! | … `slots/3/` | for each swap: `new` before it, `old` after it; `slots.staging` while staging |
//! | … `manual/copy/` | for each manual step with files: these |
//! | … `sources/` | files of the payload that are only unpacked, while staging |
//! | … `quarantined.toml` | in a quarantined directory, the reason |

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::LazyLock;

use crate::names::RelPath;

/// Directory in which rollup keeps its own files.
pub static ROLLUP_DIR: LazyLock<RollupDir> = LazyLock::new(|| RollupDir::named(RollupDir::NAME));

/// Path of `.rollup`, which has another name while it is created.
#[derive(Debug, Clone)]
pub struct RollupDir(RelPath);

impl RollupDir {
    /// Name of the directory, in the root of a deployment.
    pub const NAME: &str = ".rollup";
    pub const FORMAT: &str = "format";
    pub const LOCK: &str = "lock";
    pub const LOCK_OWNER: &str = "lock.owner";
    pub const TRASH: &str = "trash";
    pub const RUNS: &str = "runs";
    /// Names of its files.
    pub const FILES: [&str; 3] = [Self::FORMAT, Self::LOCK, Self::LOCK_OWNER];
    /// Names of its directories.
    pub const DIRECTORIES: [&str; 2] = [Self::TRASH, Self::RUNS];
    /// Prefix of the temporary name while it is created; 16 random digits follow.
    const UNFINISHED_PREFIX: &str = ".rollup-";

    /// Returns the path with this name, which must be a plain one.
    pub(super) fn named(name: &str) -> Self {
        Self(RelPath::parse(name).expect("a plain name"))
    }

    /// Returns a random temporary name; `mkdir` refuses it if it exists.
    pub(super) fn unfinished() -> Self {
        Self::named(&format!(
            "{}{:016x}",
            Self::UNFINISHED_PREFIX,
            RandomState::new().hash_one(std::process::id())
        ))
    }

    /// Returns whether `.rollup` may have this name while it is created. This is not a proof: any
    /// directory may have such a name.
    pub fn is_unfinished(name: &str) -> bool {
        let is_random = |digits: &str| {
            digits
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        name.strip_prefix(Self::UNFINISHED_PREFIX)
            .is_some_and(|digits| digits.len() == 16 && is_random(digits))
    }

    pub fn format(&self) -> RelPath {
        below(self, Self::FORMAT)
    }

    pub fn lock(&self) -> RelPath {
        below(self, Self::LOCK)
    }

    pub fn lock_owner(&self) -> RelPath {
        below(self, Self::LOCK_OWNER)
    }

    pub fn trash(&self) -> RelPath {
        below(self, Self::TRASH)
    }

    /// Returns the path of an object in the trash.
    pub fn discarded(&self, name: impl Display) -> RelPath {
        below(&self.trash(), name)
    }

    pub fn runs(&self) -> RelPath {
        below(self, Self::RUNS)
    }

    /// Returns the directory of a run, by the name of the directory.
    pub fn run(&self, name: &str) -> RunDir {
        RunDir {
            path: below(&self.runs(), name),
            slots: RunDir::SLOTS,
        }
    }
}

impl Deref for RollupDir {
    type Target = RelPath;

    fn deref(&self) -> &RelPath {
        &self.0
    }
}

/// Path of the directory of a run.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: RelPath,
    /// Name of the directory of its slots.
    slots: &'static str,
}

impl RunDir {
    pub const JOURNAL: &str = "journal";
    const RESERVE: &str = "reserve";
    const MANIFEST: &str = "manifest.toml";
    const MANIFEST_SIGNATURE: &str = "manifest.toml.sig";
    const PLAN: &str = "plan.json";
    const ATTRIBUTES: &str = "attributes";
    pub const EVENTS: &str = "events.ndjson";
    pub const SLOTS: &str = "slots";
    /// Name of the slots while staging.
    pub const SLOTS_STAGING: &str = "slots.staging";
    pub const SOURCES: &str = "sources";
    pub const MANUAL: &str = "manual";
    pub const APPROVALS: &str = "approvals";
    /// Name of the new object in a slot.
    pub const NEW: &str = "new";
    /// Name of the old object in a slot.
    const OLD: &str = "old";
    /// Suffix that the name of the directory gets when it is quarantined.
    pub const QUARANTINED: &str = ".quarantined";
    /// Names of the files that staging makes.
    pub const FILES: [&str; 7] = [
        Self::JOURNAL,
        Self::RESERVE,
        Self::MANIFEST,
        Self::MANIFEST_SIGNATURE,
        Self::PLAN,
        Self::ATTRIBUTES,
        Self::EVENTS,
    ];
    /// Names of the directories that staging makes.
    pub const DIRECTORIES: [&str; 4] = [
        Self::SLOTS_STAGING,
        Self::SOURCES,
        Self::MANUAL,
        Self::APPROVALS,
    ];

    /// Returns the directory of the same run while staging: its slots have another name.
    pub fn staging(&self) -> Self {
        Self {
            path: self.path.clone(),
            slots: Self::SLOTS_STAGING,
        }
    }

    /// Returns the directory of the same run after staging.
    pub fn staged(&self) -> Self {
        Self {
            path: self.path.clone(),
            slots: Self::SLOTS,
        }
    }

    pub fn journal(&self) -> RelPath {
        below(self, Self::JOURNAL)
    }

    pub fn reserve(&self) -> RelPath {
        below(self, Self::RESERVE)
    }

    pub fn manifest(&self) -> RelPath {
        below(self, Self::MANIFEST)
    }

    /// Returns the path of the signature of the manifest.
    pub fn manifest_signature(&self) -> RelPath {
        below(self, Self::MANIFEST_SIGNATURE)
    }

    /// Returns the directory of the approvals.
    pub fn approvals(&self) -> RelPath {
        below(self, Self::APPROVALS)
    }

    /// Returns the path of the statement of an approval, by its number from 1.
    pub fn approval(&self, number: usize) -> RelPath {
        below(&self.approvals(), number)
    }

    /// Returns the path of the signature of an approval, by its number from 1.
    pub fn approval_signature(&self, number: usize) -> RelPath {
        below(&self.approvals(), format_args!("{number}.sig"))
    }

    pub fn plan(&self) -> RelPath {
        below(self, Self::PLAN)
    }

    pub fn attributes(&self) -> RelPath {
        below(self, Self::ATTRIBUTES)
    }

    pub fn events(&self) -> RelPath {
        below(self, Self::EVENTS)
    }

    pub fn slots(&self) -> RelPath {
        below(self, self.slots)
    }

    /// Returns the directory of the slot of a swap, by its number.
    pub fn slot(&self, swap: impl Display) -> RelPath {
        below(&self.slots(), swap)
    }

    /// Returns the path of the new object of a swap, before it is moved to the live path.
    pub fn new_object(&self, swap: impl Display) -> RelPath {
        below(&self.slot(swap), Self::NEW)
    }

    /// Returns the path of the old object of a swap, after it was moved from the live path.
    pub fn old_object(&self, swap: impl Display) -> RelPath {
        below(&self.slot(swap), Self::OLD)
    }

    /// Returns whether a path is that of the new object of a swap, in any run.
    pub fn is_new_object(path: &RelPath, swap: u32) -> bool {
        path.as_str()
            .ends_with(&format!("/{}/{swap}/{}", Self::SLOTS, Self::NEW))
    }

    /// Returns whether a path below the slots of a run is in an old object.
    pub fn is_in_old_object(path: &RelPath) -> bool {
        path.parts().nth(5) == Some(Self::OLD)
    }

    pub fn sources(&self) -> RelPath {
        below(self, Self::SOURCES)
    }

    /// Returns the path of a file that is only unpacked, by its index in the plan.
    pub fn source(&self, index: usize) -> RelPath {
        below(&self.sources(), index)
    }

    /// Returns the path of a new journal, and of the damaged one that it replaced.
    pub fn new_journal(&self) -> RelPath {
        below(self, "journal.new")
    }

    /// Returns the path at which a damaged journal is kept, by its number.
    pub fn damaged_journal(&self, number: u32) -> RelPath {
        below(self, format_args!("journal.damaged.{number}"))
    }

    /// Returns the directory of the files of manual steps.
    pub fn manual(&self) -> RelPath {
        below(self, Self::MANUAL)
    }

    /// Returns the directory of the files of a manual step, by its id.
    pub fn manual_step(&self, step: &str) -> RelPath {
        below(&self.manual(), step)
    }

    /// Returns the path of the note in the directory, if it is quarantined.
    pub fn quarantine_note(&self) -> RelPath {
        below(self, "quarantined.toml")
    }
}

impl Deref for RunDir {
    type Target = RelPath;

    fn deref(&self) -> &RelPath {
        &self.path
    }
}

fn below(directory: &RelPath, name: impl Display) -> RelPath {
    directory
        .join(&name.to_string())
        .expect("the name of a file or directory")
}
