//! Unmanaged entries: what an operator keeps beside managed files moves along with its object.
//!
//! It moves by as few renames as possible. A directory without managed content, of the old or the
//! new object, moves whole, whatever is in it, so that the outage does not grow with it. Only where
//! its target is a directory already, or the system refuses the rename, its entries move one by one,
//! as do single files beside managed ones.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::swap::{Moved, Slot};
use super::{RunError, swap};
use crate::deployment::attributes::Attributes;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, PathMetadataReader, Tree};
use crate::names::{CaseFolded, RelPath, escaped_path, same_name};
use crate::plan::{EntryKind, NewEntryKind, Plan, Swap};

/// Managed paths of an object, below it and case-folded.
#[derive(Default)]
pub(super) struct ManagedPaths {
    files: BTreeSet<CaseFolded>,
    /// Directories of the old and the new object.
    directories: BTreeSet<CaseFolded>,
}

impl ManagedPaths {
    /// Returns those of the old object of a swap.
    pub(super) fn of_old(swap: &Swap) -> Self {
        let mut managed = Self::default();
        managed.add_directories(swap);
        let files = swap
            .old
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
        managed.files = folded(&swap.live, files.map(|entry| &entry.path)).collect();
        managed
    }

    /// Returns those of the new object of a swap.
    pub(super) fn of_new(swap: &Swap) -> Self {
        let mut managed = Self::default();
        managed.add_directories(swap);
        let files = swap
            .new
            .iter()
            .filter(|entry| matches!(entry.kind, NewEntryKind::File { .. }));
        managed.files = folded(&swap.live, files.map(|entry| &entry.path)).collect();
        managed
    }

    /// Adds the directories of both objects of a swap of the same live path.
    fn add_directories(&mut self, swap: &Swap) {
        let old = swap
            .old
            .iter()
            .filter(|entry| entry.kind == EntryKind::Directory);
        let new = swap
            .new
            .iter()
            .filter(|entry| matches!(entry.kind, NewEntryKind::Directory));
        let directories = old
            .map(|entry| &entry.path)
            .chain(new.map(|entry| &entry.path));
        self.directories.extend(folded(&swap.live, directories));
    }

    /// Returns the managed directories of all objects that a plan has at a live path.
    pub(super) fn directories_of(plan: &Plan, live: &RelPath) -> Self {
        let mut managed = Self::default();
        let swaps = plan.swaps.iter().filter(|swap| swap.live == *live);
        swaps.for_each(|swap| managed.add_directories(swap));
        managed
    }

    /// Adds the directories of others of the same live path.
    pub(super) fn add_directories_of(&mut self, other: &Self) {
        self.directories.extend(other.directories.iter().cloned());
    }

    /// Returns whether a file, or an entry in the place of one, is managed.
    pub(super) fn has_file(&self, below: &RelPath) -> bool {
        self.files.contains(&below.case_folded())
    }

    /// Returns whether a directory is managed.
    pub(super) fn has_directory(&self, below: &RelPath) -> bool {
        self.directories.contains(&below.case_folded())
    }
}

fn folded<'p>(
    live: &RelPath,
    paths: impl Iterator<Item = &'p RelPath>,
) -> impl Iterator<Item = CaseFolded> {
    paths.filter_map(|path| Some(path.below(live)?.case_folded()))
}

/// Topmost unmanaged entry of an object.
#[derive(Debug, Clone)]
pub(super) struct UnmanagedEntry {
    /// Path below the deployment.
    pub(super) path: RelPath,
    /// Path below the object.
    pub(super) below: RelPath,
    pub(super) kind: FileKind,
}

/// Topmost unmanaged entries of an object.
#[derive(Default)]
pub(super) struct UnmanagedListing {
    pub(super) movable: Vec<UnmanagedEntry>,
    /// Entries without a usable path, made printable.
    pub(super) unmovable: Vec<String>,
}

/// Returns the unmanaged entries in all objects of a run, by the live paths that they have or had.
pub(super) fn unmanaged_now(
    tree: &Tree,
    plan: &Plan,
    run: &RunDir,
) -> Result<Vec<RelPath>, DiskError> {
    let mut managed: BTreeMap<&RelPath, ManagedPaths> = BTreeMap::new();
    for swap in &plan.swaps {
        let of_path = managed.entry(&swap.live).or_default();
        for of_swap in [ManagedPaths::of_old(swap), ManagedPaths::of_new(swap)] {
            of_path.add_directories_of(&of_swap);
            of_path.files.extend(of_swap.files);
        }
    }
    let mut found = BTreeSet::new();
    let mut add = |live: &RelPath, object: &RelPath| -> Result<(), DiskError> {
        let listed = list(tree, object, &managed[live])?.movable.into_iter();
        found.extend(listed.map(|entry| live.with(&entry.below)));
        Ok(())
    };
    for live in plan.live_paths() {
        add(live, live)?;
    }
    for swap in &plan.swaps {
        add(&swap.live, &run.old_object(swap.number))?;
        add(&swap.live, &run.new_object(swap.number))?;
    }
    Ok(found.into_iter().collect())
}

/// Returns whether a path exists, whatever the case of its letters is.
pub(super) fn exists_in_any_spelling(tree: &Tree, path: &RelPath) -> Result<bool, DiskError> {
    if tree.metadata(path)?.is_some() {
        return Ok(true);
    }
    let mut at: Option<RelPath> = None;
    for part in path.parts() {
        let names = tree.entries(at.as_ref())?.into_iter();
        let mut names = names.filter_map(|(name, _)| name.into_string().ok());
        let Some(name) = names.find(|name| same_name(name, part)) else {
            return Ok(false);
        };
        let next = match &at {
            Some(at) => at.join(&name),
            None => RelPath::parse(&name),
        };
        at = Some(next.expect("a name found in a directory"));
    }
    Ok(true)
}

/// Lists the topmost unmanaged entries of an object, which has none if it is a file.
pub(super) fn list(
    tree: &Tree,
    object: &RelPath,
    managed: &ManagedPaths,
) -> Result<UnmanagedListing, DiskError> {
    let mut listing = UnmanagedListing::default();
    match tree.metadata(object)? {
        Some(metadata) if metadata.kind == FileKind::Directory => {}
        _ => return Ok(listing),
    }
    let mut left: Vec<Option<RelPath>> = vec![None];
    while let Some(directory) = left.pop() {
        let at = directory
            .as_ref()
            .map_or_else(|| object.clone(), |below| object.with(below));
        for (name, kind) in tree.entries(Some(&at))? {
            let Some((path, below)) = joined(&at, directory.as_ref(), &name) else {
                listing.unmovable.push(unmovable(&at, &name));
                continue;
            };
            if managed.has_file(&below) {
                continue;
            }
            match kind == FileKind::Directory && managed.has_directory(&below) {
                true => left.push(Some(below)),
                false => listing.movable.push(UnmanagedEntry { path, below, kind }),
            }
        }
    }
    Ok(listing)
}

/// Returns the path of a name in a directory, and the path below the object; `None` if it has no path.
fn joined(at: &RelPath, below: Option<&RelPath>, name: &OsString) -> Option<(RelPath, RelPath)> {
    let name = name.to_str()?;
    let below = match below {
        Some(below) => below.join(name),
        None => RelPath::parse(name),
    };
    Some((at.join(name).ok()?, below.ok()?))
}

fn unmovable(at: &RelPath, name: &OsString) -> String {
    escaped_path(&Path::new(at.as_str()).join(name))
}

/// Later of the two paths of an unmanaged file that has two after a power cut, in the order O, L, N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LaterName {
    Source,
    Target,
}

/// Reaction to an unmanaged entry without a free path in the other object.
pub(super) enum IfTaken<'a> {
    /// An error, before anything moves.
    Fail,
    /// It stays where it is, and its path is added.
    Stay(&'a mut Vec<String>),
}

/// Move of the unmanaged entries of one object of a slot into another.
pub(super) struct UnmanagedMove<'a> {
    pub(super) slot: &'a Slot<'a>,
    pub(super) from: RelPath,
    pub(super) to: RelPath,
    /// Managed paths of the object that they leave.
    pub(super) managed: ManagedPaths,
    /// Managed paths of the object that they go to.
    pub(super) managed_there: ManagedPaths,
    pub(super) later: LaterName,
}

/// Single rename of an unmanaged entry.
struct Rename {
    from: RelPath,
    to: RelPath,
    kind: FileKind,
}

impl UnmanagedMove<'_> {
    /// Moves everything. Idempotent: may be repeated after a crash at any point.
    pub(super) fn run(&self, mut if_taken: IfTaken<'_>) -> Result<Moved, RunError> {
        let tree = self.slot.disk.tree();
        let listing = list(tree, &self.from, &self.managed)?;
        for path in listing.unmovable {
            match &mut if_taken {
                IfTaken::Stay(stayed) => stayed.push(path),
                IfTaken::Fail => return Err(self.slot.cannot_move(&path)),
            }
        }
        let mut renames = Vec::new();
        let mut directories: BTreeMap<RelPath, Option<RelPath>> = BTreeMap::new();
        for entry in listing.movable {
            let target = match self.managed_there.has_file(&entry.below) {
                true => None,
                false => self.target_of(&entry.below, &mut directories)?,
            };
            self.add(entry.path, target, entry.kind, &mut renames, &mut if_taken)?;
        }
        if renames.is_empty() {
            return Ok(Moved::Nothing);
        }
        self.make_parents(&renames)?;
        for rename in &renames {
            self.rename(rename)?;
        }
        Ok(Moved::Something)
    }

    /// Adds the renames that move an entry: one, unless a directory is in the place of a directory.
    fn add(
        &self,
        from: RelPath,
        to: Option<RelPath>,
        kind: FileKind,
        renames: &mut Vec<Rename>,
        if_taken: &mut IfTaken<'_>,
    ) -> Result<(), RunError> {
        let Some(to) = to else {
            return self.taken(&from, if_taken);
        };
        let Some(there) = self.slot.metadata(&to)? else {
            renames.push(Rename { from, to, kind });
            return Ok(());
        };
        if self
            .slot
            .metadata(&from)?
            .is_none_or(|here| here.identity == there.identity)
        {
            renames.push(Rename { from, to, kind });
            return Ok(());
        }
        if kind != FileKind::Directory || there.kind != FileKind::Directory {
            return self.taken(&from, if_taken);
        }
        for (name, kind) in self.slot.disk.tree().entries(Some(&from))? {
            match (from.with_name(&name), to.with_name(&name)) {
                (Some(from), Some(to)) => self.add(from, Some(to), kind, renames, if_taken)?,
                _ => match if_taken {
                    IfTaken::Stay(stayed) => stayed.push(unmovable(&from, &name)),
                    IfTaken::Fail => return Err(self.slot.cannot_move(&unmovable(&from, &name))),
                },
            }
        }
        Ok(())
    }

    fn taken(&self, from: &RelPath, if_taken: &mut IfTaken<'_>) -> Result<(), RunError> {
        match if_taken {
            IfTaken::Stay(stayed) => stayed.push(from.to_string()),
            IfTaken::Fail => {
                let path = self.slot.disk.tree().shown(Some(from));
                return Err(RunError::UnmanagedConflict { path });
            }
        }
        Ok(())
    }

    /// Returns the path that an entry will have in the other object; `None` if something else than a
    /// directory is above it. Names compare without regard to case: an existing directory keeps its
    /// spelling.
    fn target_of(
        &self,
        below: &RelPath,
        known: &mut BTreeMap<RelPath, Option<RelPath>>,
    ) -> Result<Option<RelPath>, RunError> {
        let directory = match below.parent() {
            None => Some(self.to.clone()),
            Some(parent) => match known.get(&parent) {
                Some(known) => known.clone(),
                None => {
                    let found = self.directory_of(&parent)?;
                    known.insert(parent, found.clone());
                    found
                }
            },
        };
        Ok(directory.map(|directory| directory.join(below.name()).expect("a part of a path")))
    }

    /// Returns the path of a directory in the other object, in the spelling that it has there; `None`
    /// if something else is there.
    fn directory_of(&self, below: &RelPath) -> Result<Option<RelPath>, RunError> {
        let mut at = self.to.clone();
        for part in below.parts() {
            at = self.existing_spelling(&at, part)?;
            let found = self.slot.metadata(&at)?;
            if found.is_some_and(|found| found.kind != FileKind::Directory) {
                return Ok(None);
            }
        }
        Ok(Some(at))
    }

    /// Returns the path of a name in a directory, in the spelling that exists there, if any.
    fn existing_spelling(&self, directory: &RelPath, name: &str) -> Result<RelPath, RunError> {
        let exact = directory.join(name).expect("a part of a path");
        if self.slot.metadata(&exact)?.is_some() {
            return Ok(exact);
        }
        let names = self.slot.disk.tree().names(directory)?;
        let there = names.iter().find(|(there, _)| same_name(there, name));
        Ok(there.map_or(exact, |(there, _)| {
            directory.join(there).expect("a name found in a directory")
        }))
    }

    /// Makes the parent directories below the target that are missing, with the attributes that they
    /// have below the source. A crash may have left one of them without attributes, so these are set
    /// again, except on managed directories. The directories are synced before an entry moves there,
    /// because a power cut would take the entry away with its directory.
    fn make_parents(&self, renames: &[Rename]) -> Result<(), RunError> {
        let parents = |path: &RelPath, object: &RelPath| -> Vec<RelPath> {
            path.ancestors()
                .filter(|directory| directory.below(object).is_some())
                .collect()
        };
        // The key is the directory to be made; its value is the one whose attributes it gets.
        let mut sources: BTreeMap<RelPath, RelPath> = BTreeMap::new();
        let mut last = None;
        for Rename { from, to, .. } in renames {
            if last == Some(to.parent()) {
                continue;
            }
            last = Some(to.parent());
            sources.extend(
                parents(to, &self.to)
                    .into_iter()
                    .zip(parents(from, &self.from)),
            );
        }
        let mut made = Moved::Nothing;
        for (directory, source) in sources {
            let is_managed = directory
                .below(&self.to)
                .is_some_and(|below| self.managed.has_directory(&below));
            let there = self.slot.metadata(&directory)?;
            if is_managed && there.is_some() {
                continue;
            }
            let disk = self.slot.disk;
            let wanted = Attributes::of_directory(disk.tree(), Some(&source))?;
            match there {
                None => disk.make_directory(&directory, &wanted)?,
                Some(_) => {
                    let now = Attributes::of_directory(disk.tree(), Some(&directory))?;
                    if wanted.are_carried_to(&now) {
                        continue;
                    }
                    disk.set_directory(&directory, &wanted)?;
                }
            }
            made = Moved::Something;
        }
        match made {
            Moved::Something => Ok(self.slot.disk.sync()?),
            Moved::Nothing => Ok(()),
        }
    }

    fn rename(&self, Rename { from, to, kind }: &Rename) -> Result<(), RunError> {
        let disk = self.slot.disk;
        let mut metadata = PathMetadataReader::new(disk.tree());
        // It may have been removed since it was listed; nothing is left to be moved then.
        let Some(here) = metadata.metadata(from)? else {
            return Ok(());
        };
        if let Some(there) = metadata.metadata(to)? {
            if there.identity != here.identity {
                return self.taken(from, &mut IfTaken::Fail);
            }
            if here.kind == FileKind::Directory {
                return Err(self.slot.unexpected(swap::DIRECTORY_WITH_TWO_NAMES));
            }
            // Forward the move is done again, backward it is finished.
            match self.later {
                LaterName::Target => disk.remove_file(to)?,
                LaterName::Source => return Ok(disk.remove_file(from)?),
            }
        }
        match disk.rename(from, to) {
            Err(error) if *kind == FileKind::Directory && is_refused_as_a_whole(&error) => {
                self.move_one_by_one(from, to)
            }
            renamed => Ok(renamed?),
        }
    }

    /// Moves the entries of a directory that the system does not rename as a whole: into another file
    /// system below it, or one that the user may not write.
    fn move_one_by_one(&self, from: &RelPath, to: &RelPath) -> Result<(), RunError> {
        let disk = self.slot.disk;
        disk.make_directory(to, &Attributes::of_directory(disk.tree(), Some(from))?)?;
        disk.sync()?;
        for (name, kind) in disk.tree().entries(Some(from))? {
            let (Some(from), Some(to)) = (from.with_name(&name), to.with_name(&name)) else {
                return Err(self.slot.cannot_move(&unmovable(from, &name)));
            };
            self.rename(&Rename { from, to, kind })?;
        }
        Ok(())
    }
}

fn is_refused_as_a_whole(error: &DiskError) -> bool {
    matches!(
        error.source.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::CrossesDevices
    )
}
