//! A single swap, forward and backward.
//!
//! No record says how far a swap got; the names `new` and `old` in its slot do. N is the name
//! `new`, O the name `old`, L the live path, and U the unmanaged files in the old object.
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
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use cap_std::fs::Dir;

use crate::deployment::locked::LockedDeployment;
use crate::deployment::open_file::Attributes;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, PathMetadata, PathMetadataReader, Tree};
use crate::names::{CaseFolded, RelPath, same_name};
use crate::plan::{EntryKind, NewEntryKind, Swap};

use super::RunError;
use super::fingerprints::Fingerprints;

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

/// State of a swap, by the names in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapState {
    /// The old object is at the live path, if there is one.
    NotBegun,
    /// The old object and the new object are both in the slot.
    Between,
    /// The new object is at the live path.
    Done,
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

/// Returns the state of a swap, by the names in its slot alone; `None` if both objects are missing.
pub(super) fn swap_state(
    tree: &Tree,
    run: &RunDir,
    swap: &Swap,
) -> Result<Option<SwapState>, DiskError> {
    let mut metadata = PathMetadataReader::new(tree);
    let new = metadata.metadata(&run.new_object(swap.number))?;
    let old = metadata.metadata(&run.old_object(swap.number))?;
    Ok(state_of_names(swap, new.is_some(), old.is_some()))
}

/// Returns the state of a swap, given which of the two names exist.
fn state_of_names(swap: &Swap, new: bool, old: bool) -> Option<SwapState> {
    match (swap.has_old(), new, old) {
        (true, true, false) | (false, true, _) => Some(SwapState::NotBegun),
        (true, true, true) => Some(SwapState::Between),
        (true, false, true) | (false, false, _) => Some(SwapState::Done),
        (true, false, false) => None,
    }
}

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

    fn metadata(&self, at: &RelPath) -> Result<Option<PathMetadata>, RunError> {
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

    fn unexpected(&self, problem: &'static str) -> RunError {
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
        state_of_names(self.swap, new, old).ok_or_else(|| self.unexpected(NEW_AND_OLD_MISSING))
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
                return Err(self.unexpected("one directory has two names"));
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
            SwapState::Done if objects.live.is_none() => {
                return Err(self.unexpected(NEW_MISSING_AT_LIVE));
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

    /// Returns the managed files in the old object, by their path below it.
    fn old_files(&self) -> FoldedPaths {
        let managed = self
            .swap
            .old
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
        self.folded_paths(managed.map(|entry| &entry.path))
    }

    /// Returns the managed files in the new object, by their path below it.
    fn new_files(&self) -> FoldedPaths {
        let managed = self
            .swap
            .new
            .iter()
            .filter(|entry| matches!(entry.kind, NewEntryKind::File { .. }));
        self.folded_paths(managed.map(|entry| &entry.path))
    }

    fn folded_paths<'p>(&self, paths: impl Iterator<Item = &'p RelPath>) -> FoldedPaths {
        paths
            .filter_map(|path| path.below(&self.swap.live))
            .map(|below| below.case_folded())
            .collect()
    }

    /// Moves the unmanaged files from O into N.
    fn move_unmanaged_to_new(&self) -> Result<Moved, RunError> {
        let (old, new) = (
            (self.old_path(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        self.move_unmanaged(&old, &new, LaterName::Target)
    }

    /// Moves the unmanaged files from N back into O.
    fn move_unmanaged_to_old(&self) -> Result<Moved, RunError> {
        let (old, new) = (
            (self.old_path(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        self.move_unmanaged(&new, &old, LaterName::Source)
    }

    /// Moves the unmanaged files from N back to L, if a power cut kept their move into N, but not
    /// the rename of L to O before it.
    fn move_unmanaged_to_live(&self) -> Result<Moved, RunError> {
        let (live, new) = (
            (self.swap.live.clone(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        match self.swap.has_old() {
            true => self.move_unmanaged(&new, &live, LaterName::Source),
            false => Ok(Moved::Nothing),
        }
    }

    /// Moves to L the files that a process still wrote into the old object after the new one was in
    /// place. A file without a free path there stays in O, and is returned.
    pub(super) fn move_late_unmanaged(&self) -> Result<(Moved, Vec<String>), RunError> {
        let UnmanagedListing {
            movable,
            unmovable: mut stayed,
        } = self.list_unmanaged(&self.old_path(), &self.old_files())?;
        let mut late = Vec::new();
        let (live, managed) = (&self.swap.live, self.new_files());
        for (from, below) in movable {
            let Some(to) = self.target_of(&below, live, &managed)? else {
                stayed.push(from.to_string());
                continue;
            };
            match (self.metadata(&from)?, self.metadata(&to)?) {
                (Some(here), Some(there)) if here.identity != there.identity => {
                    stayed.push(from.to_string())
                }
                _ => late.push((from, to)),
            }
        }
        self.make_parents(&late, &self.old_path(), live)?;
        let moved = if late.is_empty() {
            Moved::Nothing
        } else {
            Moved::Something
        };
        for (from, to) in late {
            if self.metadata(&to)?.is_some() {
                // One file under two names: remove the later one, then repeat the move.
                self.disk.remove_file(&to)?;
            }
            self.disk.rename(&from, &to)?;
        }
        Ok((moved, stayed))
    }

    /// Returns the unmanaged files in the new object while it is in the slot.
    pub(super) fn unmanaged_in_new(&self) -> Result<Vec<String>, RunError> {
        let UnmanagedListing { movable, unmovable } =
            self.list_unmanaged(&self.new_path(), &self.new_files())?;
        Ok(movable
            .into_iter()
            .map(|(at, _)| at.to_string())
            .chain(unmovable)
            .collect())
    }

    /// Returns the unmanaged files in the object that this swap has moved to L, or is about to.
    pub(super) fn unmanaged_in_live(&self) -> Result<Vec<(RelPath, RelPath)>, RunError> {
        let object = match self.state()? {
            SwapState::Done => self.swap.live.clone(),
            SwapState::NotBegun | SwapState::Between => self.new_path(),
        };
        self.unmanaged_files(&object, &self.new_files())
    }

    /// Checks that every unmanaged file in the old object can be moved along, unless the swap is
    /// done.
    pub(super) fn check_unmanaged_can_move(&self) -> Result<(), RunError> {
        let object = match self.state()? {
            SwapState::NotBegun => self.swap.live.clone(),
            SwapState::Between => self.old_path(),
            SwapState::Done => return Ok(()),
        };
        self.unmanaged_files(&object, &self.old_files()).map(|_| ())
    }

    /// Returns the unmanaged files in a managed object: their path, and their path below the
    /// object. A file without a usable path is an error, so that none is silently left behind.
    fn unmanaged_files(
        &self,
        object: &RelPath,
        managed: &FoldedPaths,
    ) -> Result<Vec<(RelPath, RelPath)>, RunError> {
        let UnmanagedListing { movable, unmovable } = self.list_unmanaged(object, managed)?;
        match unmovable.into_iter().next() {
            None => Ok(movable),
            Some(at) => Err(RunError::CannotMove {
                path: self.disk.tree().path().join(at).display().to_string(),
            }),
        }
    }

    fn list_unmanaged(
        &self,
        object: &RelPath,
        managed: &FoldedPaths,
    ) -> Result<UnmanagedListing, RunError> {
        match self.metadata(object)? {
            Some(metadata) if metadata.kind == FileKind::Directory => {}
            _ => return Ok(UnmanagedListing::default()),
        }
        let listing = self.disk.tree().walk(Some(object))?;
        let files = listing
            .found
            .into_iter()
            .filter(|found| found.kind != FileKind::Directory);
        let movable =
            files.filter_map(|found| found.path.below(object).map(|below| (found.path, below)));
        let movable = movable
            .filter(|(_, below)| !managed.contains(&below.case_folded()))
            .collect();
        Ok(UnmanagedListing {
            movable,
            unmovable: listing.unreadable,
        })
    }

    /// Moves the unmanaged files of one object into the other; each object comes with its managed
    /// files.
    fn move_unmanaged(
        &self,
        (from, managed): &(RelPath, FoldedPaths),
        (to, managed_in_target): &(RelPath, FoldedPaths),
        later: LaterName,
    ) -> Result<Moved, RunError> {
        let conflict = |source: &RelPath| RunError::UnmanagedConflict {
            path: self.disk.tree().shown(Some(source)),
        };
        let mut moves = Vec::new();
        for (source, below) in self.unmanaged_files(from, managed)? {
            match self.target_of(&below, to, managed_in_target)? {
                Some(target) => moves.push((source, target)),
                None => return Err(conflict(&source)),
            }
        }
        let moved = if moves.is_empty() {
            Moved::Nothing
        } else {
            Moved::Something
        };
        self.make_parents(&moves, from, to)?;
        for (source, target) in moves {
            let (here, there) = (self.metadata(&source)?, self.metadata(&target)?);
            match (here, there) {
                (Some(here), Some(there)) if here.identity == there.identity => match later {
                    // Of O and N, N is the later one: forward the move is done again, backward it
                    // is finished.
                    LaterName::Target => self.disk.remove_file(&target)?,
                    LaterName::Source => {
                        self.disk.remove_file(&source)?;
                        continue;
                    }
                },
                (_, Some(_)) => return Err(conflict(&source)),
                _ => {}
            }
            self.disk.rename(&source, &target)?;
        }
        Ok(moved)
    }

    /// Returns the target path of an unmanaged file below an object that has these managed files;
    /// `None` if the path is taken. Names compare without regard to case: an existing directory
    /// keeps its spelling, and no file goes beside a managed one that differs from it only in case.
    fn target_of(
        &self,
        below: &RelPath,
        object: &RelPath,
        managed: &FoldedPaths,
    ) -> Result<Option<RelPath>, RunError> {
        if managed.contains(&below.case_folded()) {
            return Ok(None);
        }
        let mut target = object.clone();
        for directory in below.ancestors() {
            target = self.existing_spelling(&target, directory.name())?;
            if self
                .metadata(&target)?
                .is_some_and(|metadata| metadata.kind != FileKind::Directory)
            {
                return Ok(None);
            }
        }
        Ok(Some(
            target.join(below.name()).expect("the last part of a path"),
        ))
    }

    /// Returns the path of a name in a directory, in the spelling that exists there, if any.
    fn existing_spelling(&self, directory: &RelPath, name: &str) -> Result<RelPath, RunError> {
        let exact = directory.join(name).expect("a part of a path");
        if self.metadata(&exact)?.is_some() {
            return Ok(exact);
        }
        let names = self.disk.tree().names(directory)?;
        let there = names.iter().find(|(there, _)| same_name(there, name));
        Ok(there.map_or(exact, |(there, _)| {
            directory.join(there).expect("a name found in a directory")
        }))
    }

    /// Makes the unmanaged parent directories of the files below the target, with the mode and the
    /// owner that they have below the source. A crash may have left one of them without mode and
    /// owner, so these are set again, except on managed directories. The directories are synced
    /// before a file moves there, because a power cut would take the file away with its directory.
    fn make_parents(
        &self,
        moves: &[(RelPath, RelPath)],
        from: &RelPath,
        to: &RelPath,
    ) -> Result<(), RunError> {
        let managed = self.managed_directories();
        let parents = |path: &RelPath, object: &RelPath| -> Vec<RelPath> {
            path.ancestors()
                .filter(|directory| directory.below(object).is_some())
                .collect()
        };
        // The key is the directory to be made; its value is the one whose attributes it gets.
        let pairs = moves.iter().flat_map(|(source, target)| {
            parents(target, to).into_iter().zip(parents(source, from))
        });
        let sources: BTreeMap<RelPath, RelPath> = pairs.collect();
        let mut made = Moved::Nothing;
        for (directory, source) in sources {
            let source = self
                .metadata(&source)?
                .ok_or_else(|| self.unexpected("a directory is missing"))?;
            let wanted = Attributes::of(&source);
            let is_managed = directory
                .below(to)
                .is_some_and(|below| managed.contains(&below.case_folded()));
            match self.metadata(&directory)? {
                None => self.disk.make_directory(&directory, wanted)?,
                Some(metadata) if !is_managed && Attributes::of(&metadata) != wanted => {
                    self.disk.set_directory(&directory, wanted)?
                }
                Some(_) => continue,
            }
            made = Moved::Something;
        }
        match made {
            Moved::Something => Ok(self.disk.sync()?),
            Moved::Nothing => Ok(()),
        }
    }

    /// Returns the managed directories in the new and the old object, by their path below it.
    fn managed_directories(&self) -> FoldedPaths {
        let old = self
            .swap
            .old
            .iter()
            .filter(|entry| entry.kind == EntryKind::Directory)
            .map(|entry| &entry.path);
        let new = self
            .swap
            .new
            .iter()
            .filter(|entry| matches!(entry.kind, NewEntryKind::Directory))
            .map(|entry| &entry.path);
        self.folded_paths(old.chain(new))
    }
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

/// Unmanaged files in an object.
#[derive(Default)]
struct UnmanagedListing {
    /// Paths of the files, each with its path below the object.
    movable: Vec<(RelPath, RelPath)>,
    /// Files without a usable path, made printable.
    unmovable: Vec<String>,
}

/// Paths below an object, case-folded.
type FoldedPaths = BTreeSet<CaseFolded>;

/// Later of the two paths of an unmanaged file, in the order O, L, N.
#[derive(Clone, Copy)]
enum LaterName {
    Source,
    Target,
}
