//! Containers: the directories that only hold objects, such as `applied`, groups and the
//! directories of servers.
//!
//! They are no live paths, because the objects of other runs are in them, too. A run makes the
//! missing ones after `committing`, which lists them. A rollback removes those that are empty; the
//! others stay for later runs, and the undo of the last of these removes them.

use std::collections::BTreeSet;

use super::RunError;
use crate::deployment::attributes::Attributes;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::FileKind;
use crate::names::RelPath;
use crate::plan::Plan;

/// Returns the containers of a plan's live paths that are missing, parents first.
pub(super) fn missing_containers(
    disk: &LockedDeployment,
    plan: &Plan,
) -> Result<Vec<RelPath>, RunError> {
    let needed: BTreeSet<RelPath> = plan
        .live_paths()
        .into_iter()
        .flat_map(RelPath::ancestors)
        .collect();
    let mut missing = Vec::new();
    for container in needed {
        if disk.tree().metadata(&container)?.is_none() {
            missing.push(container);
        }
    }
    Ok(missing)
}

/// Makes the missing containers of a run's list, with the attributes of their parents, and syncs
/// once, so that a power cut takes none away from under an object. Idempotent: one that a crash left
/// without its attributes gets them now.
pub(super) fn make_containers(
    disk: &LockedDeployment,
    containers: &BTreeSet<RelPath>,
) -> Result<(), RunError> {
    let mut is_changed = false;
    for container in containers {
        let parent = Attributes::of_directory(disk.tree(), container.parent().as_ref())?;
        let wanted = parent.of_new_directory();
        match disk.tree().metadata(container)? {
            None => disk.make_directory(container, &wanted)?,
            Some(found) if found.kind != FileKind::Directory => continue,
            Some(_) => {
                let now = Attributes::of_directory(disk.tree(), Some(container))?;
                if wanted.are_carried_to(&now) || !is_empty(disk, container)? {
                    continue;
                }
                disk.set_directory(container, &wanted)?;
            }
        }
        is_changed = true;
    }
    match is_changed {
        true => Ok(disk.sync()?),
        false => Ok(()),
    }
}

/// Removes those of the containers that are empty, syncs if there was one, and returns the others that
/// exist.
pub(super) fn remove_empty_containers(
    disk: &LockedDeployment,
    containers: BTreeSet<RelPath>,
) -> Result<BTreeSet<RelPath>, RunError> {
    let mut stay = BTreeSet::new();
    let mut is_changed = false;
    // Sorted by path, a directory comes before those in it.
    for container in containers.into_iter().rev() {
        let found = disk.tree().metadata(&container)?;
        let is_directory = found.is_some_and(|found| found.kind == FileKind::Directory);
        if is_directory && is_empty(disk, &container)? {
            disk.remove_empty_directory(&container)?;
            is_changed = true;
        } else if is_directory {
            stay.insert(container);
        }
    }
    if is_changed {
        disk.sync()?;
    }
    Ok(stay)
}

fn is_empty(disk: &LockedDeployment, container: &RelPath) -> Result<bool, RunError> {
    Ok(disk.tree().is_empty(container)?)
}
