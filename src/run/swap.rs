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
use crate::deployment::own_file::Attributes;
use crate::deployment::tree::{DiskError, FileKind, PathMetadata, PathMetadataReader, Tree};
use crate::names::{CaseFolded, RelPath, same_name};
use crate::plan::{NewWhat, Swap, What};

use super::RunError;
use super::witness::Witness;

/// Swap with its slot in the run's directory.
///
/// The two directories between which it moves everything are opened once: opening them for every
/// look took most of the time of a commit's renames. Each slot holds two handles, so do not collect
/// slots.
pub(super) struct Slot<'a> {
    pub(super) disk: &'a LockedDeployment,
    pub(super) swap: &'a Swap,
    directory: RelPath,
    /// Directory of the slot.
    own: OnceCell<Dir>,
    /// Parent directory of the live path.
    around: OnceCell<Dir>,
}

/// Objects under the three names of a swap.
struct Stand {
    new: Option<PathMetadata>,
    old: Option<PathMetadata>,
    live: Option<PathMetadata>,
}

/// Progress of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The old object is at the live path, if there was one.
    NotBegun,
    /// The old object is in the slot, the new one is not in place.
    Between,
    /// The new object is at the live path.
    Done,
}

/// Error for a slot that holds neither object.
pub(super) const BOTH_GONE: &str = "both the new and the old object are gone";
/// Error for an occupied live path, to which a new object should move.
pub(super) const TAKEN: &str = "something that the plan did not see stands at the live path";
/// Error for an empty live path, from which an old object should move into the slot.
pub(super) const NOTHING_THERE: &str =
    "nothing stands at the live path, where the plan saw something";
/// Error for an empty live path, from which a new object should move back into the slot.
pub(super) const OURS_GONE: &str = "what the run put at the live path is gone";

/// Returns how far a swap got, by the names in its slot alone; `None` if both objects are gone.
pub(super) fn progress(
    tree: &Tree,
    slot: &RelPath,
    swap: &Swap,
) -> Result<Option<Progress>, DiskError> {
    let mut metadata = PathMetadataReader::new(tree);
    let mut there = |name: &str| {
        metadata
            .metadata(&slot.join(name).expect("a plain name"))
            .map(|metadata| metadata.is_some())
    };
    Ok(told_by(swap, there("new")?, there("old")?))
}

/// Returns the progress if it is known already which names exist.
fn told_by(swap: &Swap, new: bool, old: bool) -> Option<Progress> {
    match (swap.has_old(), new, old) {
        (true, true, false) | (false, true, _) => Some(Progress::NotBegun),
        (true, true, true) => Some(Progress::Between),
        (true, false, true) | (false, false, _) => Some(Progress::Done),
        (true, false, false) => None,
    }
}

/// Result of a walk over one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    Nothing,
    Something,
}

/// Returns the directory of a swap's slot.
pub(super) fn slot_directory(run: &RelPath, number: u32) -> RelPath {
    run.join(&format!("slots/{number}")).expect("plain names")
}

impl<'a> Slot<'a> {
    pub(super) fn new(disk: &'a LockedDeployment, run: &RelPath, swap: &'a Swap) -> Self {
        let directory = slot_directory(run, swap.number);
        Self {
            disk,
            swap,
            directory,
            own: OnceCell::new(),
            around: OnceCell::new(),
        }
    }

    pub(super) fn new_path(&self) -> RelPath {
        self.directory.join("new").expect("a plain name")
    }

    pub(super) fn old_path(&self) -> RelPath {
        self.directory.join("old").expect("a plain name")
    }

    fn metadata(&self, at: &RelPath) -> Result<Option<PathMetadata>, RunError> {
        Ok(self.disk.tree().metadata(at)?)
    }

    /// Returns the slot's directory, opened.
    fn own(&self) -> Result<&Dir, DiskError> {
        opened(&self.own, self.disk.tree(), Some(&self.directory))
    }

    /// Returns the parent directory of the live path, opened.
    fn around(&self) -> Result<&Dir, DiskError> {
        opened(
            &self.around,
            self.disk.tree(),
            self.swap.live.parent().as_ref(),
        )
    }

    /// Looks at one of the three names of the swap, like [`Slot::metadata`].
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
        self.metadata_in(self.own(), &self.new_path())
    }

    fn old_metadata(&self) -> Result<Option<PathMetadata>, RunError> {
        self.metadata_in(self.own(), &self.old_path())
    }

    fn live_metadata(&self) -> Result<Option<PathMetadata>, RunError> {
        self.metadata_in(self.around(), &self.swap.live)
    }

    fn stand(&self) -> Result<Stand, RunError> {
        Ok(Stand {
            new: self.new_metadata()?,
            old: self.old_metadata()?,
            live: self.live_metadata()?,
        })
    }

    /// Moves the object at the live path into the slot.
    fn take(&self, slot: &RelPath) -> Result<(), RunError> {
        Ok(self
            .disk
            .rename_in((self.around()?, &self.swap.live), (self.own()?, slot))?)
    }

    /// Moves an object from the slot to the live path, which must be free.
    fn bring(&self, slot: &RelPath) -> Result<(), RunError> {
        match self
            .disk
            .rename_in((self.own()?, slot), (self.around()?, &self.swap.live))
        {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                Err(self.unexpected(TAKEN))
            }
            moved => Ok(moved?),
        }
    }

    fn unexpected(&self, what: &'static str) -> RunError {
        RunError::Unexpected {
            what,
            live: self.swap.live.clone(),
            slot: self.directory.clone(),
        }
    }

    /// Returns how far the swap got, by the two names alone.
    pub(super) fn progress(&self) -> Result<Progress, RunError> {
        self.told_by(
            self.new_metadata()?.is_some(),
            self.old_metadata()?.is_some(),
        )
    }

    fn told_by(&self, new: bool, old: bool) -> Result<Progress, RunError> {
        told_by(self.swap, new, old).ok_or_else(|| self.unexpected(BOTH_GONE))
    }

    /// Removes the later name of a file that a power cut left under two names.
    pub(super) fn mend_names(&self) -> Result<(), RunError> {
        self.mended(self.stand()?).map(|_| ())
    }

    /// Removes the later name of a file that has two of the three names; returns the objects under
    /// the names afterwards.
    fn mended(&self, stand: Stand) -> Result<Stand, RunError> {
        let Some(live) = stand.live else {
            return Ok(stand);
        };
        let is_live = |metadata: Option<PathMetadata>| {
            metadata.is_some_and(|metadata| metadata.identity == live.identity)
        };
        let later = match (is_live(stand.old), is_live(stand.new)) {
            (false, false) => return Ok(stand),
            _ if live.kind != FileKind::File => {
                return Err(self.unexpected("one directory stands under two names"));
            }
            (true, _) => self.swap.live.clone(),
            (false, true) => self.new_path(),
        };
        self.disk.remove_file(&later)?;
        self.stand()
    }

    /// Swaps the new object in.
    ///
    /// Idempotent: looks at what the names hold, and does what is left. The object that moves into
    /// the slot must still be what the witness saw.
    pub(super) fn forward(&self, witness: &Witness) -> Result<Moved, RunError> {
        let before = self.stand()?;
        if self.told_by(before.new.is_some(), before.old.is_some())? == Progress::Done {
            return Ok(Moved::Nothing);
        }
        let stand = self.mended(before)?;
        match self.told_by(stand.new.is_some(), stand.old.is_some())? {
            Progress::NotBegun if self.swap.has_old() => {
                if stand.live.is_none() {
                    return Err(self.unexpected(NOTHING_THERE));
                }
                self.move_old_out(witness)?;
                self.travel()?;
                self.bring(&self.new_path())?;
            }
            Progress::NotBegun => self.bring(&self.new_path())?,
            Progress::Between => {
                self.travel()?;
                self.bring(&self.new_path())?;
            }
            // Repairing the names finished the swap.
            Progress::Done => {}
        }
        Ok(Moved::Something)
    }

    /// Swaps the old object back in. Idempotent, like [`Slot::forward`].
    pub(super) fn back(&self) -> Result<Moved, RunError> {
        // Needed even if nothing has begun: a file may still have two names.
        let stand = self.mended(self.stand()?)?;
        match self.told_by(stand.new.is_some(), stand.old.is_some())? {
            Progress::NotBegun => return self.return_unmanaged(),
            Progress::Between => {}
            Progress::Done if stand.live.is_none() => return Err(self.unexpected(OURS_GONE)),
            Progress::Done => self.take(&self.new_path())?,
        }
        if self.swap.has_old() {
            self.travel_back()?;
            self.bring(&self.old_path())?;
        }
        Ok(Moved::Something)
    }

    /// Moves L to O, and back to L if it is not what was seen there. In O it can no longer be
    /// reached by its live path, so what is compared now is what is kept.
    fn move_old_out(&self, witness: &Witness) -> Result<(), RunError> {
        self.take(&self.old_path())?;
        if let Some((path, what)) = self.changed(witness)? {
            self.bring(&self.old_path())?;
            return Err(RunError::Stale {
                path: self.disk.tree().shown(Some(&path)),
                what: what.to_owned(),
            });
        }
        Ok(())
    }

    /// Returns the first managed entry that is no longer what was seen at the live path.
    fn changed(&self, witness: &Witness) -> Result<Option<(RelPath, &'static str)>, RunError> {
        let seen = witness
            .get(&self.swap.number)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let (old, mut metadata) = (self.old_path(), PathMetadataReader::new(self.disk.tree()));
        for (at, entry) in self
            .swap
            .old
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.what != What::Unmanaged)
        {
            let now = match entry.path.below(&self.swap.live) {
                Some(below) => metadata.metadata(&old.with(&below))?,
                None => self.old_metadata()?,
            };
            let Some(now) = now else {
                return Ok(Some((entry.path.clone(), "it is gone")));
            };
            let same = match entry.what {
                What::Directory => now.kind == FileKind::Directory,
                What::File { size, .. } => {
                    let seen = seen.get(at).copied().flatten();
                    now.kind == FileKind::File
                        && now.size == size
                        && seen.is_none_or(|seen| seen == (now.identity, now.modified))
                }
                What::Unmanaged => true,
            };
            if !same {
                return Ok(Some((
                    entry.path.clone(),
                    "it was changed while the run was under way",
                )));
            }
        }
        Ok(None)
    }

    /// Returns the managed files in the old object, by their path below it.
    fn old_files(&self) -> Places {
        let ours = self
            .swap
            .old
            .iter()
            .filter(|entry| matches!(entry.what, What::File { .. }));
        self.places(ours.map(|entry| &entry.path))
    }

    /// Returns the managed files in the new object, by their path below it.
    fn new_files(&self) -> Places {
        let ours = self
            .swap
            .new
            .iter()
            .filter(|entry| matches!(entry.what, NewWhat::File { .. }));
        self.places(ours.map(|entry| &entry.path))
    }

    fn places<'p>(&self, paths: impl Iterator<Item = &'p RelPath>) -> Places {
        paths
            .filter_map(|path| path.below(&self.swap.live))
            .map(|below| below.case_folded())
            .collect()
    }

    /// Moves the unmanaged files from O into N.
    fn travel(&self) -> Result<Moved, RunError> {
        let (old, new) = (
            (self.old_path(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        self.move_unexpected(&old, &new, Later::Target)
    }

    /// Moves the unmanaged files from N back into O.
    fn travel_back(&self) -> Result<Moved, RunError> {
        let (old, new) = (
            (self.old_path(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        self.move_unexpected(&new, &old, Later::Source)
    }

    /// Moves the unmanaged files from N back to L, if a power cut kept their move into N, but not
    /// the rename of L to O before it.
    fn return_unmanaged(&self) -> Result<Moved, RunError> {
        let (live, new) = (
            (self.swap.live.clone(), self.old_files()),
            (self.new_path(), self.new_files()),
        );
        match self.swap.has_old() {
            true => self.move_unexpected(&new, &live, Later::Source),
            false => Ok(Moved::Nothing),
        }
    }

    /// Moves to L the files that a process still wrote into the old object after the new one was in
    /// place. A file without a free path there stays where it is, and is returned.
    pub(super) fn move_late_unmanaged(&self) -> Result<(Moved, Vec<String>), RunError> {
        let UnexpectedEntries {
            placed,
            pathless: mut stayed,
        } = self.list_unexpected(&self.old_path(), &self.old_files())?;
        let mut late = Vec::new();
        let (live, ours) = (&self.swap.live, self.new_files());
        for (from, below) in placed {
            let Some(to) = self.place(&below, live, &ours)? else {
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
    pub(super) fn unexpected_in_new(&self) -> Result<Vec<String>, RunError> {
        let UnexpectedEntries { placed, pathless } =
            self.list_unexpected(&self.new_path(), &self.new_files())?;
        Ok(placed
            .into_iter()
            .map(|(at, _)| at.to_string())
            .chain(pathless)
            .collect())
    }

    /// Returns the unmanaged files in the object that this swap has put in place, or is about to.
    pub(super) fn unexpected_in_live(&self) -> Result<Vec<(RelPath, RelPath)>, RunError> {
        let object = match self.progress()? {
            Progress::Done => self.swap.live.clone(),
            Progress::NotBegun | Progress::Between => self.new_path(),
        };
        self.unexpected_entries(&object, &self.new_files())
    }

    /// Checks that the old object holds no file that could not be moved along, unless the swap is
    /// done.
    pub(super) fn can_travel(&self) -> Result<(), RunError> {
        let object = match self.progress()? {
            Progress::NotBegun => self.swap.live.clone(),
            Progress::Between => self.old_path(),
            Progress::Done => return Ok(()),
        };
        self.unexpected_entries(&object, &self.old_files())
            .map(|_| ())
    }

    /// Returns the unmanaged files in a managed object: their path, and their path below the
    /// object. A file without a usable path is an error, so that none is silently left behind.
    fn unexpected_entries(
        &self,
        object: &RelPath,
        ours: &Places,
    ) -> Result<Vec<(RelPath, RelPath)>, RunError> {
        let UnexpectedEntries { placed, pathless } = self.list_unexpected(object, ours)?;
        match pathless.into_iter().next() {
            None => Ok(placed),
            Some(at) => Err(RunError::Pathless {
                path: self.disk.tree().path().join(at).display().to_string(),
            }),
        }
    }

    fn list_unexpected(
        &self,
        object: &RelPath,
        ours: &Places,
    ) -> Result<UnexpectedEntries, RunError> {
        match self.metadata(object)? {
            Some(metadata) if metadata.kind == FileKind::Directory => {}
            _ => return Ok(UnexpectedEntries::default()),
        }
        let listing = self.disk.tree().walk(Some(object))?;
        let files = listing
            .found
            .into_iter()
            .filter(|found| found.kind != FileKind::Directory);
        let placed =
            files.filter_map(|found| found.path.below(object).map(|below| (found.path, below)));
        let placed = placed
            .filter(|(_, below)| !ours.contains(&below.case_folded()))
            .collect();
        Ok(UnexpectedEntries {
            placed,
            pathless: listing.unreadable,
        })
    }

    /// Moves the unmanaged files of one object into the other; each object comes with its managed
    /// files.
    fn move_unexpected(
        &self,
        (from, ours): &(RelPath, Places),
        (to, theirs): &(RelPath, Places),
        later: Later,
    ) -> Result<Moved, RunError> {
        let in_the_way = |source: &RelPath| RunError::InTheWay {
            path: self.disk.tree().shown(Some(source)),
        };
        let mut moves = Vec::new();
        for (source, below) in self.unexpected_entries(from, ours)? {
            match self.place(&below, to, theirs)? {
                Some(target) => moves.push((source, target)),
                None => return Err(in_the_way(&source)),
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
                    Later::Target => self.disk.remove_file(&target)?,
                    Later::Source => {
                        self.disk.remove_file(&source)?;
                        continue;
                    }
                },
                (_, Some(_)) => return Err(in_the_way(&source)),
                _ => {}
            }
            self.disk.rename(&source, &target)?;
        }
        Ok(moved)
    }

    /// Returns the path of an unmanaged file below an object that has these managed files; `None`
    /// if the path is taken. Names compare without regard to case: an existing directory keeps its
    /// spelling, and no file is placed beside a managed one that differs from it only in case.
    fn place(
        &self,
        below: &RelPath,
        object: &RelPath,
        ours: &Places,
    ) -> Result<Option<RelPath>, RunError> {
        if ours.contains(&below.case_folded()) {
            return Ok(None);
        }
        let mut place = object.clone();
        for directory in below.ancestors() {
            place = self.spelled(&place, directory.name())?;
            if self
                .metadata(&place)?
                .is_some_and(|metadata| metadata.kind != FileKind::Directory)
            {
                return Ok(None);
            }
        }
        Ok(Some(
            place.join(below.name()).expect("the last part of a path"),
        ))
    }

    /// Returns a name in a directory, in the spelling that exists there, if one does.
    fn spelled(&self, directory: &RelPath, name: &str) -> Result<RelPath, RunError> {
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

    /// Makes the unmanaged parent directories of the files again on the other side, with the mode
    /// and the owner that they have here. A crash may have left one of them without mode and owner,
    /// so these are set again, except on managed directories. The directories are on disk before a
    /// file moves there, which would be lost with its directory.
    fn make_parents(
        &self,
        moves: &[(RelPath, RelPath)],
        from: &RelPath,
        to: &RelPath,
    ) -> Result<(), RunError> {
        let ours = self.our_directories();
        let way = |path: &RelPath, object: &RelPath| -> Vec<RelPath> {
            path.ancestors()
                .filter(|directory| directory.below(object).is_some())
                .collect()
        };
        // By the directory to be made, the one whose attributes it takes.
        let pairs = moves
            .iter()
            .flat_map(|(source, target)| way(target, to).into_iter().zip(way(source, from)));
        let ways: BTreeMap<RelPath, RelPath> = pairs.collect();
        let mut made = Moved::Nothing;
        for (directory, his) in ways {
            let his = self
                .metadata(&his)?
                .ok_or_else(|| self.unexpected("a directory is gone"))?;
            let wanted = Attributes::same(&his);
            let is_ours = directory
                .below(to)
                .is_some_and(|below| ours.contains(&below.case_folded()));
            match self.metadata(&directory)? {
                None => self.disk.make_directory(&directory, wanted)?,
                Some(metadata) if !is_ours && Attributes::same(&metadata) != wanted => {
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
    fn our_directories(&self) -> Places {
        let old = self
            .swap
            .old
            .iter()
            .filter(|entry| entry.what == What::Directory)
            .map(|entry| &entry.path);
        let new = self
            .swap
            .new
            .iter()
            .filter(|entry| matches!(entry.what, NewWhat::Directory))
            .map(|entry| &entry.path);
        self.places(old.chain(new))
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
struct UnexpectedEntries {
    /// Paths of the files, each with its path below the object.
    placed: Vec<(RelPath, RelPath)>,
    /// Files without a usable path, made printable.
    pathless: Vec<String>,
}

/// Paths below an object, case-folded.
type Places = BTreeSet<CaseFolded>;

/// Later one of the two paths of an unmanaged file.
#[derive(Clone, Copy)]
enum Later {
    Source,
    Target,
}
