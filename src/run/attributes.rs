//! Attributes of the paths that a run wrote, which its directory keeps for later comparisons.
//!
//! The file `attributes` has one line of JSON for each path: `path`, `mode` in octal digits, `user`,
//! `group` and, if there are any, the SHA-256 of ACLs and extended attributes; `container` marks the
//! directories that the run makes for its objects. It is written while staging, from what the staged objects have; an accept run writes what the accepted paths have.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::measure::Difference;
use super::past::LeftObjects;
use crate::deployment::attributes::Attributes;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::{Digest, RelPath};

/// Size in bytes of the largest file of attributes that is read.
const LONGEST: u64 = 1 << 30;

/// Attributes of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAttributes {
    mode: String,
    user: u32,
    group: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended: Option<Digest>,
    /// True for a container, which the run makes when it begins its commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    container: bool,
}

/// Attributes of the paths that a run wrote.
pub(super) type AttributesByPath = BTreeMap<RelPath, RecordedAttributes>;

#[derive(Serialize, Deserialize)]
struct Line {
    path: RelPath,
    #[serde(flatten)]
    attributes: RecordedAttributes,
}

impl RecordedAttributes {
    pub(super) fn of(attributes: &Attributes) -> Self {
        Self {
            extended: attributes.extended_digest(),
            ..Self::of_mode(attributes.mode, attributes.owner)
        }
    }

    fn of_mode(mode: u32, (user, group): (u32, u32)) -> Self {
        let mode = format!("{mode:04o}");
        Self {
            mode,
            user,
            group,
            extended: None,
            container: false,
        }
    }

    /// Returns those of a container that the run makes.
    pub(super) fn of_container(attributes: &Attributes) -> Self {
        Self {
            container: true,
            ..Self::of(attributes)
        }
    }

    /// Returns how mode or owner differ now, as the predicate of a sentence about the path.
    fn difference_of_mode(&self, now: &Self) -> Option<String> {
        if (self.user, self.group) != (now.user, now.group) {
            let text = format!(
                "belongs to user {} and group {}, not to user {} and group {}",
                now.user, now.group, self.user, self.group
            );
            return Some(text);
        }
        (self.mode != now.mode).then(|| format!("has mode {}, not {}", now.mode, self.mode))
    }

    /// Returns how anything differs now.
    fn difference(&self, now: &Self) -> Option<String> {
        let other = self.extended != now.extended;
        let of_extended =
            || other.then(|| "has another ACL or other extended attributes".to_owned());
        self.difference_of_mode(now).or_else(of_extended)
    }
}

/// Reads the attributes of an object as they would be recorded; `None` if it is neither a file nor a
/// directory.
pub(super) fn recorded_now(
    tree: &Tree,
    path: &RelPath,
) -> Result<Option<RecordedAttributes>, DiskError> {
    let now = match tree.metadata(path)?.map(|metadata| metadata.kind) {
        Some(FileKind::File) => Attributes::of_file(tree, path)?,
        Some(FileKind::Directory) => Attributes::of_directory(tree, Some(path))?,
        _ => return Ok(None),
    };
    Ok(Some(RecordedAttributes::of(&now)))
}

/// Writes the attributes of the paths that a run writes.
pub(super) fn write(
    disk: &LockedDeployment,
    run: &RunDir,
    attributes: AttributesByPath,
) -> Result<(), DiskError> {
    let lines = attributes.into_iter().map(|(path, attributes)| {
        let line = Line { path, attributes };
        serde_json::to_string(&line).expect("texts and numbers") + "\n"
    });
    let text: String = lines.collect();
    disk.write_own(&run.attributes(), text.as_bytes())
}

/// Reads the attributes of the paths that a run wrote; none if the file does not exist.
///
/// # Errors
///
/// The file cannot be read, or a line of it is damaged.
pub(super) fn read(tree: &Tree, run: &RunDir) -> Result<AttributesByPath, DiskError> {
    let at = run.attributes();
    let text = tree.text(&at, LONGEST)?.unwrap_or_default();
    let lines = text.lines().map(|line| {
        let line: Line = serde_json::from_str(line)?;
        Ok((line.path, line.attributes))
    });
    let read: Result<_, serde_json::Error> = lines.collect();
    read.map_err(|error| DiskError::new("read", tree.shown(Some(&at)), error))
}

/// Returns the containers that a run was to make when it was staged.
pub(super) fn containers(tree: &Tree, run: &RunDir) -> Result<Vec<RelPath>, DiskError> {
    let recorded = read(tree, run)?.into_iter();
    Ok(recorded
        .filter(|(_, recorded)| recorded.container)
        .map(|(path, _)| path)
        .collect())
}

/// Returns the differences from what a run recorded of the objects that it put to their places.
pub(super) fn differences(
    tree: &Tree,
    recorded: &AttributesByPath,
) -> Result<Vec<Difference>, DiskError> {
    let objects = recorded
        .par_iter()
        .filter(|(_, recorded)| !recorded.container);
    let compared = objects.filter_map(|(path, recorded)| {
        let now = match recorded_now(tree, path) {
            Ok(now) => now?,
            Err(error) => return Some(Err(error)),
        };
        let description = recorded.difference(&now)?;
        Some(Ok(Difference {
            path: path.clone(),
            description,
        }))
    });
    compared.collect()
}

/// Returns the differences of objects from those that carried their attributes over before: without
/// setuid and setgid of files, and without an owner that only root can give.
pub(super) fn differences_from_old(
    tree: &Tree,
    staged: &AttributesByPath,
) -> Result<Vec<Difference>, DiskError> {
    let is_root = rustix::process::geteuid().is_root();
    let mut differences = Vec::new();
    for (path, staged) in staged {
        let now = match tree.metadata(path)?.map(|metadata| metadata.kind) {
            Some(FileKind::File) => Attributes::of_file(tree, path)?.carried_by_file(),
            Some(FileKind::Directory) => Attributes::of_directory(tree, Some(path))?,
            _ => continue,
        };
        let mut now = RecordedAttributes::of(&now);
        if !is_root {
            (now.user, now.group) = (staged.user, staged.group);
        }
        let description = staged.difference(&now);
        differences.extend(description.map(|description| Difference {
            path: path.clone(),
            description,
        }));
    }
    Ok(differences)
}

/// Returns the paths at which mode or owner differ from those that the newest run that wrote them
/// recorded.
///
/// # Errors
///
/// The deployment cannot be read.
pub fn attribute_drift(tree: &Tree, left: &LeftObjects) -> Result<Vec<Difference>, DiskError> {
    let compared = left.there.par_iter().filter_map(|(path, left)| {
        let recorded = left.attributes.as_ref()?;
        let found = match tree.metadata(path) {
            Ok(found) => found?,
            Err(error) => return Some(Err(error)),
        };
        let is_same_kind = matches!(found.kind, FileKind::File | FileKind::Directory);
        let now = RecordedAttributes::of_mode(found.mode, found.owner);
        let description = recorded.difference_of_mode(&now).filter(|_| is_same_kind)?;
        Some(Ok(Difference {
            path: path.clone(),
            description,
        }))
    });
    compared.collect()
}
