//! A single swap, forward and backward.
//!
//! No record says how far a swap got; the names `new` and `old` in its slot do. N is the name
//! `new`, O the name `old`, L the live path, and U the unmanaged entries in the old object (see
//! `unmanaged`).
//!
//! | had old | N | O | state | forward | back |
//! | --- | --- | --- | --- | --- | --- |
//! | yes | yes | no | not begun | L to O, U from O to N, N to L | U from N to L |
//! | yes | yes | yes | between | U from O to N, N to L | U from N to O, O to L |
//! | yes | no | yes | done | nothing | L to N, U from N to O, O to L |
//! | no | yes | - | not begun | N to L | nothing |
//! | no | no | - | done | nothing | L to N |
//!
//! After a power cut a rename may be half on disk: one file under two names. The earlier name in
//! the order O, L, N counts, and the later one is removed. That finishes a forward rename and
//! reverts a backward one, which is then done again.

use std::cell::OnceCell;
use std::io;

use cap_std::fs::Dir;

use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, PathMetadata, PathMetadataReader, Tree};
use crate::journal::{SwapState, state_of_names};
use crate::names::RelPath;
use crate::plan::{Entry, EntryKind, NewEntry, Swap};

use super::RunError;
use super::fingerprints::Fingerprints;
use super::measure::differences;
use super::unmanaged::{self, IfTaken, LaterName, ManagedPaths, UnmanagedEntry, UnmanagedMove};

/// Swap with its slot in the run's directory.
///
/// The two directories between which it moves objects are opened once: opening them for every call
/// took most of the time of a commit's renames. Each slot holds two handles, so do not collect
/// slots.
pub(super) struct Slot<'a> {
    pub(super) disk: &'a LockedDeployment,
    pub(super) swap: &'a Swap,
    run: &'a RunDir,
    /// Directory of the slot, once opened.
    slot_dir: OnceCell<Dir>,
    /// Parent directory of the live path, once opened.
    live_parent: OnceCell<Dir>,
}

/// Objects under the three names of a swap.
struct SlotObjects {
    new: Option<PathMetadata>,
    old: Option<PathMetadata>,
    live: Option<PathMetadata>,
}

/// Problem of a slot that holds neither object.
pub(super) const NEW_AND_OLD_MISSING: &str = "both the new and the old object are missing";
/// Problem of an occupied live path, to which an object should move.
pub(super) const UNEXPECTED_AT_LIVE: &str = "an unexpected file or directory is at the live path";
/// Problem of an empty live path, from which an old object should move into the slot.
pub(super) const OLD_MISSING_AT_LIVE: &str =
    "the file or directory that the plan saw at the live path is missing";
/// Problem of an empty live path, from which a new object should move back into the slot.
pub(super) const NEW_MISSING_AT_LIVE: &str =
    "the file or directory that the run installed at the live path is missing";

/// Problem of a directory that a power cut left under two names: no rename of one does that.
pub(super) const DIRECTORY_WITH_TWO_NAMES: &str = "one directory has two names";

/// Result of one step of a walk: whether anything was renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    Nothing,
    Something,
}

impl<'a> Slot<'a> {
    pub(super) fn new(disk: &'a LockedDeployment, run: &'a RunDir, swap: &'a Swap) -> Self {
        Self {
            disk,
            swap,
            run,
            slot_dir: OnceCell::new(),
            live_parent: OnceCell::new(),
        }
    }

    pub(super) fn new_path(&self) -> RelPath {
        self.run.new_object(self.swap.number)
    }

    pub(super) fn old_path(&self) -> RelPath {
        self.run.old_object(self.swap.number)
    }

    pub(super) fn metadata(&self, at: &RelPath) -> Result<Option<PathMetadata>, RunError> {
        Ok(self.disk.tree().metadata(at)?)
    }

    /// Returns the slot's directory, opened.
    fn slot_dir(&self) -> Result<&Dir, DiskError> {
        let directory = self.run.slot(self.swap.number);
        opened(&self.slot_dir, self.disk.tree(), Some(&directory))
    }

    /// Returns the parent directory of the live path, opened.
    fn live_parent(&self) -> Result<&Dir, DiskError> {
        opened(
            &self.live_parent,
            self.disk.tree(),
            self.swap.live.parent().as_ref(),
        )
    }

    /// Reads the metadata of one of the three names of the swap, like [`Slot::metadata`].
    fn metadata_in(
        &self,
        directory: Result<&Dir, DiskError>,
        at: &RelPath,
    ) -> Result<Option<PathMetadata>, RunError> {
        match directory {
            Ok(directory) => Ok(self.disk.tree().metadata_in(directory, at)?),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn new_metadata(&self) -> Result<Option<PathMetadata>, RunError> {
        self.metadata_in(self.slot_dir(), &self.new_path())
    }

    fn old_metadata(&self) -> Result<Option<PathMetadata>, RunError> {
        self.metadata_in(self.slot_dir(), &self.old_path())
    }

    fn live_metadata(&self) -> Result<Option<PathMetadata>, RunError> {
        self.metadata_in(self.live_parent(), &self.swap.live)
    }

    fn objects(&self) -> Result<SlotObjects, RunError> {
        Ok(SlotObjects {
            new: self.new_metadata()?,
            old: self.old_metadata()?,
            live: self.live_metadata()?,
        })
    }

    /// Moves the object at the live path into the slot.
    fn move_live_to(&self, slot: &RelPath) -> Result<(), RunError> {
        Ok(self.disk.rename_in(
            (self.live_parent()?, &self.swap.live),
            (self.slot_dir()?, slot),
        )?)
    }

    /// Moves an object from the slot to the live path, which must be free.
    fn move_to_live(&self, slot: &RelPath) -> Result<(), RunError> {
        match self.disk.rename_in(
            (self.slot_dir()?, slot),
            (self.live_parent()?, &self.swap.live),
        ) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                Err(self.unexpected(UNEXPECTED_AT_LIVE))
            }
            moved => Ok(moved?),
        }
    }

    pub(super) fn unexpected(&self, problem: &'static str) -> RunError {
        RunError::Unexpected {
            problem,
            live: self.swap.live.clone(),
            slot: self.run.slot(self.swap.number),
        }
    }

    /// Returns the state of the swap, by the two names in the slot alone.
    pub(super) fn state(&self) -> Result<SwapState, RunError> {
        self.state_of_names(
            self.new_metadata()?.is_some(),
            self.old_metadata()?.is_some(),
        )
    }

    fn state_of_names(&self, new: bool, old: bool) -> Result<SwapState, RunError> {
        match state_of_names(self.swap, new, old) {
            Some(state) => Ok(state),
            None => state_of_live(self.disk.tree(), self.swap)?
                .ok_or_else(|| self.unexpected(NEW_AND_OLD_MISSING)),
        }
    }

    /// Removes the later name of a file that has two of the three names after a power cut.
    pub(super) fn repair_names(&self) -> Result<(), RunError> {
        self.remove_later_name(self.objects()?).map(|_| ())
    }

    /// Removes the later name of a file that has two of the three names; returns the objects under
    /// the names afterwards.
    fn remove_later_name(&self, objects: SlotObjects) -> Result<SlotObjects, RunError> {
        let Some(live) = objects.live else {
            return Ok(objects);
        };
        let is_live = |metadata: Option<PathMetadata>| {
            metadata.is_some_and(|metadata| metadata.identity == live.identity)
        };
        let later = match (is_live(objects.old), is_live(objects.new)) {
            (false, false) => return Ok(objects),
            _ if live.kind != FileKind::File => {
                return Err(self.unexpected(DIRECTORY_WITH_TWO_NAMES));
            }
            (true, _) => self.swap.live.clone(),
            (false, true) => self.new_path(),
        };
        self.disk.remove_file(&later)?;
        self.objects()
    }

    /// Swaps the new object in.
    ///
    /// Idempotent: reads the state from the names, and does the rest. The object that moves into
    /// the slot must still match its fingerprints.
    pub(super) fn forward(&self, fingerprints: &Fingerprints) -> Result<Moved, RunError> {
        let before = self.objects()?;
        if self.state_of_names(before.new.is_some(), before.old.is_some())? == SwapState::Done {
            return Ok(Moved::Nothing);
        }
        let objects = self.remove_later_name(before)?;
        match self.state_of_names(objects.new.is_some(), objects.old.is_some())? {
            SwapState::NotBegun if objects.new.is_none() => {
                return Err(self.unexpected(NEW_AND_OLD_MISSING));
            }
            SwapState::NotBegun if self.swap.has_old() => {
                if objects.live.is_none() {
                    return Err(self.unexpected(OLD_MISSING_AT_LIVE));
                }
                self.move_old_out(fingerprints)?;
                self.move_unmanaged_to_new()?;
                self.move_to_live(&self.new_path())?;
            }
            SwapState::NotBegun => self.move_to_live(&self.new_path())?,
            SwapState::Between => {
                self.move_unmanaged_to_new()?;
                self.move_to_live(&self.new_path())?;
            }
            // Repairing the names finished the swap.
            SwapState::Done => {}
        }
        Ok(Moved::Something)
    }

    /// Swaps the old object back in. Idempotent, like [`Slot::forward`].
    pub(super) fn back(&self) -> Result<Moved, RunError> {
        // Needed even if nothing has begun: a file may still have two names.
        let objects = self.remove_later_name(self.objects()?)?;
        match self.state_of_names(objects.new.is_some(), objects.old.is_some())? {
            SwapState::NotBegun => return self.move_unmanaged_to_live(),
            SwapState::Between => {}
            // As before the swap; its new object is lost.
            SwapState::Done if objects.live.is_none() && !self.swap.has_old() => {
                return Ok(Moved::Nothing);
            }
            SwapState::Done if objects.live.is_none() => {
                return Err(self.unexpected(NEW_MISSING_AT_LIVE));
            }
            SwapState::Done if self.swap.has_old() && objects.old.is_none() => {
                return Err(self.unexpected(NEW_AND_OLD_MISSING));
            }
            SwapState::Done => self.move_live_to(&self.new_path())?,
        }
        if self.swap.has_old() {
            self.move_unmanaged_to_old()?;
            self.move_to_live(&self.old_path())?;
        }
        Ok(Moved::Something)
    }

    /// Takes the new object out of the live path, and leaves the old one in the slot. Idempotent,
    /// like [`Slot::back`].
    pub(super) fn back_to_between(&self) -> Result<Moved, RunError> {
        let objects = self.remove_later_name(self.objects()?)?;
        match self.state_of_names(objects.new.is_some(), objects.old.is_some())? {
            SwapState::NotBegun | SwapState::Between => return Ok(Moved::Nothing),
            SwapState::Done if objects.live.is_none() => {
                return Err(self.unexpected(NEW_MISSING_AT_LIVE));
            }
            SwapState::Done => self.move_live_to(&self.new_path())?,
        }
        Ok(Moved::Something)
    }

    /// Moves L to O, and back to L if it no longer matches its fingerprints. In O it can no longer
    /// be reached by its live path, so the object that is compared is the one that is kept.
    fn move_old_out(&self, fingerprints: &Fingerprints) -> Result<(), RunError> {
        self.move_live_to(&self.old_path())?;
        if let Some((path, difference)) = self.first_changed(fingerprints)? {
            self.move_to_live(&self.old_path())?;
            return Err(RunError::Stale {
                path: self.disk.tree().shown(Some(&path)),
                difference: difference.to_owned(),
            });
        }
        Ok(())
    }

    /// Returns the first managed entry in O that no longer matches its fingerprint, with the
    /// difference.
    fn first_changed(
        &self,
        fingerprints: &Fingerprints,
    ) -> Result<Option<(RelPath, &'static str)>, RunError> {
        let seen = fingerprints
            .get(&self.swap.number)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let (old, mut metadata) = (self.old_path(), PathMetadataReader::new(self.disk.tree()));
        for (at, entry) in self
            .swap
            .old
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.kind != EntryKind::Unmanaged)
        {
            let now = match entry.path.below(&self.swap.live) {
                Some(below) => metadata.metadata(&old.with(&below))?,
                None => self.old_metadata()?,
            };
            let Some(now) = now else {
                return Ok(Some((entry.path.clone(), "it is gone")));
            };
            let same = match entry.kind {
                EntryKind::Directory => now.kind == FileKind::Directory,
                EntryKind::File { size, .. } => {
                    let seen = seen.get(at).copied().flatten();
                    now.kind == FileKind::File
                        && now.size == size
                        && seen.is_none_or(|seen| seen == (now.identity, now.modified))
                }
                EntryKind::Unmanaged => true,
            };
            if !same {
                return Ok(Some((entry.path.clone(), "it was changed during the run")));
            }
        }
        Ok(None)
    }

    /// Moves the unmanaged entries from O into N.
    fn move_unmanaged_to_new(&self) -> Result<Moved, RunError> {
        let swap = self.swap;
        self.unmanaged_move(
            (self.old_path(), ManagedPaths::of_old(swap)),
            (self.new_path(), ManagedPaths::of_new(swap)),
            LaterName::Target,
        )
        .run(IfTaken::Fail)
    }

    /// Moves the unmanaged entries from N back into O.
    fn move_unmanaged_to_old(&self) -> Result<Moved, RunError> {
        self.move_unmanaged_out_of_new(self.old_path())
    }

    /// Moves the unmanaged entries from N back to L, if a power cut kept their move into N, but not
    /// the rename of L to O before it.
    fn move_unmanaged_to_live(&self) -> Result<Moved, RunError> {
        match self.swap.has_old() {
            true => self.move_unmanaged_out_of_new(self.swap.live.clone()),
            false => Ok(Moved::Nothing),
        }
    }

    fn move_unmanaged_out_of_new(&self, old: RelPath) -> Result<Moved, RunError> {
        let swap = self.swap;
        self.unmanaged_move(
            (self.new_path(), ManagedPaths::of_new(swap)),
            (old, ManagedPaths::of_old(swap)),
            LaterName::Source,
        )
        .run(IfTaken::Fail)
    }

    fn unmanaged_move(
        &self,
        (from, managed): (RelPath, ManagedPaths),
        (to, managed_there): (RelPath, ManagedPaths),
        later: LaterName,
    ) -> UnmanagedMove<'_> {
        UnmanagedMove {
            slot: self,
            from,
            to,
            managed,
            managed_there,
            later,
        }
    }

    /// Moves to L what a process still wrote into the old object after the new one was in place. An
    /// entry without a free path there stays in O, and is returned.
    pub(super) fn move_late_unmanaged(&self) -> Result<(Moved, Vec<String>), RunError> {
        let mut stayed = Vec::new();
        let moved = self
            .unmanaged_move(
                (self.old_path(), ManagedPaths::of_old(self.swap)),
                (self.swap.live.clone(), ManagedPaths::of_new(self.swap)),
                LaterName::Target,
            )
            .run(IfTaken::Stay(&mut stayed))?;
        Ok((moved, stayed))
    }

    /// Returns the unmanaged entries in the new object while it is in the slot.
    pub(super) fn unmanaged_in_new(&self) -> Result<Vec<String>, RunError> {
        let managed = ManagedPaths::of_new(self.swap);
        let listing = unmanaged::list(self.disk.tree(), &self.new_path(), &managed)?;
        let movable = listing
            .movable
            .into_iter()
            .map(|entry| entry.path.to_string());
        Ok(movable.chain(listing.unmovable).collect())
    }

    /// Returns the unmanaged entries in the object that this swap has moved to L, or is about to;
    /// `directories` are managed in some object of the live path.
    ///
    /// # Errors
    ///
    /// An entry without a usable path, so that none is silently left behind.
    pub(super) fn unmanaged_in_live(
        &self,
        directories: &ManagedPaths,
    ) -> Result<Vec<UnmanagedEntry>, RunError> {
        let object = match self.state()? {
            SwapState::Done => self.swap.live.clone(),
            SwapState::NotBegun | SwapState::Between => self.new_path(),
        };
        let mut managed = ManagedPaths::of_new(self.swap);
        managed.add_directories_of(directories);
        self.movable(&object, &managed)
    }

    /// Checks that every unmanaged entry in the old object can be moved along, unless the swap is
    /// done.
    pub(super) fn check_unmanaged_can_move(&self) -> Result<(), RunError> {
        let object = match self.state()? {
            SwapState::NotBegun => self.swap.live.clone(),
            SwapState::Between => self.old_path(),
            SwapState::Done => return Ok(()),
        };
        self.movable(&object, &ManagedPaths::of_old(self.swap))
            .map(drop)
    }

    fn movable(
        &self,
        object: &RelPath,
        managed: &ManagedPaths,
    ) -> Result<Vec<UnmanagedEntry>, RunError> {
        let listing = unmanaged::list(self.disk.tree(), object, managed)?;
        match listing.unmovable.first() {
            None => Ok(listing.movable),
            Some(path) => Err(self.cannot_move(path)),
        }
    }

    pub(super) fn cannot_move(&self, path: &str) -> RunError {
        let path = self.disk.tree().path().join(path).display().to_string();
        RunError::CannotMove { path }
    }
}

/// Returns the state of a swap that lost both objects, by the object at the live path: a direction
/// that needs neither goes on. `None` if it is another object.
pub(super) fn state_of_live(tree: &Tree, swap: &Swap) -> Result<Option<SwapState>, DiskError> {
    let managed = |entry: &&Entry| entry.kind != EntryKind::Unmanaged;
    let old: Vec<Entry> = swap.old.iter().filter(managed).cloned().collect();
    if differences(tree, &old)?.is_empty() {
        return Ok(Some(SwapState::NotBegun));
    }
    let new: Vec<Entry> = swap.new.iter().map(NewEntry::entry).collect();
    let is_new = differences(tree, &new)?.is_empty();
    Ok(is_new.then_some(SwapState::Done))
}

/// Opens a directory on first use.
fn opened<'d>(
    cell: &'d OnceCell<Dir>,
    tree: &Tree,
    path: Option<&RelPath>,
) -> Result<&'d Dir, DiskError> {
    match cell.get() {
        Some(directory) => Ok(directory),
        None => tree
            .directory(path)
            .map(|directory| cell.get_or_init(|| directory)),
    }
}
