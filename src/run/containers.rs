//! Containers: the directories that only hold objects, such as `applied`, groups and the
//! directories of servers.
//!
//! They are no live paths, because the objects of other runs are in them, too. A run makes the
//! missing ones after `committing`, which lists them, and its rollback removes those of the list
//! that are empty then.

use std::collections::BTreeSet;

use super::RunError;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::open_file::Attributes;
use crate::deployment::tree::FileKind;
use crate::journal::{Outcome, RunState, runs};
use crate::names::RelPath;
use crate::plan::Plan;

/// Returns the containers that a run makes and its rollback removes, parents first: those of its
/// live paths that are missing, and those that an earlier run made and that hold something now. Of
/// two runs in one container, the one that is undone last leaves it empty.
pub(super) fn containers_of(
    disk: &LockedDeployment,
    plan: &Plan,
) -> Result<Vec<RelPath>, RunError> {
    let needed: BTreeSet<RelPath> = plan
        .live_paths()
        .into_iter()
        .flat_map(RelPath::ancestors)
        .collect();
    let runs = runs(disk.tree())?;
    let earlier = runs
        .iter()
        .filter(|run| run.state() == RunState::Closed(Outcome::Applied));
    let made: BTreeSet<&RelPath> = earlier.flat_map(|run| run.journal.containers()).collect();
    let mut listed = Vec::new();
    for container in needed {
        let is_listed = match disk.tree().metadata(&container)? {
            None => true,
            Some(_) => made.contains(&container) && !is_empty(disk, &container)?,
        };
        if is_listed {
            listed.push(container);
        }
    }
    Ok(listed)
}

/// Makes the missing containers of a run's list, with mode and owner of their parents, and syncs
/// once, so that a power cut takes none away from under an object. Idempotent: one that a crash left
/// without its attributes gets them now.
pub(super) fn make_containers(
    disk: &LockedDeployment,
    containers: &[RelPath],
) -> Result<(), RunError> {
    let mut is_changed = false;
    for container in containers {
        let parent = match container.parent() {
            Some(parent) => disk.tree().metadata(&parent)?,
            None => None,
        };
        let wanted = match parent {
            Some(parent) => Attributes::of(&parent),
            None => disk.root_attributes()?,
        };
        match disk.tree().metadata(container)? {
            None => disk.make_directory(container, wanted)?,
            Some(found) if found.kind != FileKind::Directory => continue,
            Some(found) if Attributes::of(&found) != wanted && is_empty(disk, container)? => {
                disk.set_directory(container, wanted)?;
            }
            Some(_) => continue,
        }
        is_changed = true;
    }
    match is_changed {
        true => Ok(disk.sync()?),
        false => Ok(()),
    }
}

/// Removes the containers of a run's list that are empty, and syncs if there was one.
pub(super) fn remove_empty_containers(
    disk: &LockedDeployment,
    containers: &[RelPath],
) -> Result<(), RunError> {
    let mut is_changed = false;
    for container in containers.iter().rev() {
        let found = disk.tree().metadata(container)?;
        if found.is_some_and(|found| found.kind == FileKind::Directory)
            && is_empty(disk, container)?
        {
            disk.remove_empty_directory(container)?;
            is_changed = true;
        }
    }
    match is_changed {
        true => Ok(disk.sync()?),
        false => Ok(()),
    }
}

fn is_empty(disk: &LockedDeployment, container: &RelPath) -> Result<bool, RunError> {
    Ok(disk.tree().is_empty(container)?)
}
