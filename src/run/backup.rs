//! Verified copy, in another directory, of the files that a run will replace.
//!
//! Rollback uses the slots; this copy is for people, and for a disk that dies. Below `DIR/<run>`
//! every file has its path in the deployment, its modification time and its permission bits. The
//! copy is made between staging and the first rename, and gets its name only when it is complete:
//! copied, hashed on the way, synced to disk, and read back.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid};

use super::measure::{bytes_of, differences_in};
use super::stage::forget;
use super::{Event, Listener, begin_phase};
use crate::deployment::deletion::remove_path;
use crate::deployment::free_space::{FreeSpace, free};
use crate::deployment::tree::{DiskError, SYNC_ACTION, Tree, hash_and};
use crate::names::{Escaped, RelPath};
use crate::phase::Phase;
use crate::plan::{Entry, EntryKind, NewEntryKind, Plan};

/// Directory for backups.
#[derive(Debug, Clone)]
pub struct BackupTarget {
    /// Path of the directory, without links and `..`.
    directory: PathBuf,
    /// True if the directory must be made; its parent exists.
    is_missing: bool,
}

/// Complete backup.
#[derive(Debug, Clone)]
pub struct CompletedBackup {
    /// Directory of the backup.
    pub directory: PathBuf,
    /// Number of files in it.
    pub files: usize,
    /// Size of the files in bytes.
    pub bytes: u64,
    /// True if its parent directory was made for it.
    made: bool,
}

/// Space for the new objects at the time when the space for the backup is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagingSpace {
    /// Used already: the new objects are staged.
    Used,
    /// Still needed: the new objects will be staged before the backup is made.
    Needed,
}

/// Reason for a missing backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Directory for backups that cannot be made: its parent does not exist.
    #[error("there is no directory to make `{}` in", .0.display())]
    NoParent(PathBuf),
    /// Path for backups that is not a directory.
    #[error("`{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// Directory for backups inside the deployment.
    #[error("`{}` is inside the deployment", .0.display())]
    Inside(PathBuf),
    /// Existing backup of this name, or the rest of one that a crash left.
    #[error("`{}` already exists", .0.display())]
    Exists(PathBuf),
    /// File system for backups that is too small.
    #[error("`{}` is too small for the backup: {needed} {unit} are needed, {free} are free", .directory.display())]
    TooSmall {
        /// Directory for the backups.
        directory: PathBuf,
        /// Amount that is needed.
        needed: u64,
        /// Amount that is free.
        free: u64,
        /// Unit of both amounts.
        unit: &'static str,
    },
    /// File that has changed since the plan was made.
    #[error("`{path}` differs from the plan: {difference}")]
    Stale { path: String, difference: String },
    /// Copy that does not read back as it was written.
    #[error("the copy `{path}` is not as it was written: it {difference}")]
    NotAsWritten { path: String, difference: String },
    /// Request to stop.
    #[error("stopped by a signal")]
    Interrupted,
    /// Failed disk operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Failed backup of which a part cannot be removed.
    #[error("{error}; the files copied so far are still in `{}`, and cannot be removed", .directory.display())]
    NotRemoved {
        /// Reason for the missing backup.
        error: Box<BackupError>,
        /// Directory that stays.
        directory: PathBuf,
    },
}

/// Returns the managed files that a run will move into its slots, as they are before it, without
/// the files that the run makes itself and replaces again.
pub fn replaced(plan: &Plan) -> Vec<Entry> {
    let mut seen: BTreeSet<&RelPath> = BTreeSet::new();
    let mut files: Vec<Entry> = Vec::new();
    for swap in &plan.swaps {
        if seen.insert(&swap.live) {
            let managed = swap
                .old
                .iter()
                .filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
            files.extend(managed.cloned());
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

impl BackupTarget {
    /// Resolves a directory and checks that it is outside the deployment. A missing one is made
    /// later.
    pub fn resolve(directory: &Path, deployment: &Tree) -> Result<Self, BackupError> {
        let unreadable =
            |e: io::Error| DiskError::new("look at", directory.display().to_string(), e);
        let target = match fs::canonicalize(directory) {
            Ok(real) if real.is_dir() => Self {
                directory: real,
                is_missing: false,
            },
            Ok(_) => return Err(BackupError::NotADirectory(directory.to_owned())),
            // A link that leads nowhere, or a path that ends in `..`.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && fs::symlink_metadata(directory).is_ok() =>
            {
                return Err(BackupError::NotADirectory(directory.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let no_parent = || BackupError::NoParent(directory.to_owned());
                let name = directory.file_name().ok_or_else(no_parent)?;
                let parent = directory
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty())
                    .unwrap_or(Path::new("."));
                let parent = fs::canonicalize(parent).map_err(|_| no_parent())?;
                Self {
                    directory: parent.join(name),
                    is_missing: true,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(BackupError::NoParent(directory.to_owned()));
            }
            Err(error) => return Err(unreadable(error).into()),
        };
        let root = metadata(deployment)?;
        // By device and inode, not by name: the deployment may be mounted elsewhere, too.
        let is_root = |above: &Path| {
            fs::metadata(above).is_ok_and(|m| (m.dev(), m.ino()) == (root.dev(), root.ino()))
        };
        match target.directory.ancestors().any(is_root) {
            true => Err(BackupError::Inside(directory.to_owned())),
            false => Ok(target),
        }
    }

    /// Returns the path of the backup of a run.
    /// Returns the directory of the backups.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn path_for_run(&self, run: &str) -> PathBuf {
        self.directory.join(run)
    }

    /// Checks that there is space for the backup of a run, and that its name is free.
    pub fn check(
        &self,
        tree: &Tree,
        plan: &Plan,
        run: &str,
        staged: StagingSpace,
    ) -> Result<(), BackupError> {
        for taken in [
            self.path_for_run(run),
            self.path_for_run(&format!("{run}.unfinished")),
        ] {
            if fs::symlink_metadata(&taken).is_ok() {
                return Err(BackupError::Exists(taken));
            }
        }
        let directory = match self.is_missing {
            true => self.directory.parent().unwrap_or(&self.directory),
            false => &self.directory,
        };
        let existing = Tree::open(directory)?;
        let Some(free) = free(&existing) else {
            return Ok(());
        };
        let (mut bytes, mut inodes) = backup_space(plan, &free);
        if staged == StagingSpace::Needed && metadata(&existing)?.dev() == metadata(tree)?.dev() {
            let staging_space = staging_space(plan, &free);
            (bytes, inodes) = (bytes + staging_space.0, inodes + staging_space.1);
        }
        let too_small = |needed, free, unit| BackupError::TooSmall {
            directory: self.directory.clone(),
            needed,
            free,
            unit,
        };
        if bytes > free.bytes {
            return Err(too_small(bytes, free.bytes, "bytes"));
        }
        // Some file systems do not count inodes.
        match free.inodes != u64::MAX && inodes > free.inodes {
            true => Err(too_small(inodes, free.inodes, "files and directories")),
            false => Ok(()),
        }
    }

    /// Copies the files that a run will replace.
    ///
    /// # Errors
    ///
    /// Any failure; the part of the backup that was made so far is removed then.
    pub fn back_up(
        &self,
        tree: &Tree,
        plan: &Plan,
        run: &str,
        listener: &mut dyn Listener,
    ) -> Result<CompletedBackup, BackupError> {
        self.check(tree, plan, run, StagingSpace::Used)?;
        let files = replaced(plan);
        let made = self.make()?;
        let unfinished = format!("{run}.unfinished");
        let mut backup = CompletedBackup {
            directory: self.directory.join(&unfinished),
            files: files.len(),
            bytes: 0,
            made,
        };
        let target_directory = self.handle().and_then(|target_directory| {
            // Only the user who runs rollup can look inside until the directories have the
            // permissions of their originals.
            let made = make_directory(&target_directory, &unfinished);
            made.map_err(|e| {
                DiskError::new(
                    "create the directory",
                    backup.directory.display().to_string(),
                    e,
                )
            })
            .map(|()| target_directory)
        });
        let target_directory = target_directory.inspect_err(|_| self.remove_if_made(made))?;
        let copied = self
            .copy(tree, &files, &target_directory, &unfinished, listener)
            .and_then(|bytes| {
                backup.bytes = bytes;
                self.rename_completed(&backup.directory, &self.path_for_run(run))
            });
        if let Err(error) = copied {
            return Err(match backup.remove() {
                Ok(()) => error,
                Err(_) => BackupError::NotRemoved {
                    error: Box::new(error),
                    directory: backup.directory,
                },
            });
        }
        let backup = CompletedBackup {
            directory: self.path_for_run(run),
            ..backup
        };
        listener.report(&Event::BackedUp {
            directory: Escaped(&backup.directory.display().to_string()).to_string(),
            files: backup.files as u64,
            bytes: backup.bytes,
        });
        Ok(backup)
    }

    /// Makes the directory if it is missing, and returns whether it was.
    fn make(&self) -> Result<bool, DiskError> {
        match fs::create_dir(&self.directory) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.failed("create the directory", error)),
        }
    }

    fn remove_if_made(&self, made: bool) {
        if made {
            // Fails if another process has made an object there, which then stays.
            let _ = fs::remove_dir(&self.directory);
        }
    }

    fn handle(&self) -> Result<Dir, DiskError> {
        Dir::open_ambient_dir(&self.directory, ambient_authority())
            .map_err(|e| self.failed("open the directory", e))
    }

    /// Copies the files into a new directory, syncs them to disk and reads them back.
    fn copy(
        &self,
        tree: &Tree,
        files: &[Entry],
        target_directory: &Dir,
        name: &str,
        listener: &mut dyn Listener,
    ) -> Result<u64, BackupError> {
        // Opened before the first write, so that the sync reports all errors since then.
        let sync_handle =
            File::open(&self.directory).map_err(|e| self.failed("open the directory", e))?;
        let copy = Tree::open(&self.directory.join(name))?;
        let directories = directories_of(files);
        for directory in &directories {
            let made = make_directory(
                &copy.directory(directory.parent().as_ref())?,
                directory.name(),
            );
            made.map_err(|e| {
                DiskError::new("create the directory", copy.shown(Some(directory)), e)
            })?;
        }
        let mut bytes = 0;
        let phase = Phase::bytes("backing up", bytes_of(files), "syncing");
        let copying = begin_phase(listener, phase);
        for entry in files {
            if listener.is_stopped() {
                return Err(BackupError::Interrupted);
            }
            bytes += copy_file(tree, entry, &copy, &copying)?;
        }
        rustix::fs::syncfs(&sync_handle).map_err(|e| self.failed(SYNC_ACTION, e.into()))?;
        drop(copying);
        let phase = Phase::bytes("reading the backup", bytes, "comparing");
        read_back(&copy, files, &begin_phase(listener, phase))?;
        let failed =
            |at: Option<&RelPath>, e| DiskError::new("set the permissions of", copy.shown(at), e);
        // The innermost first: its parent may deny access afterwards.
        for directory in directories.iter().rev() {
            if let Some(metadata) = tree.metadata(directory)? {
                set_directory(
                    &copy.directory(directory.parent().as_ref())?,
                    directory.name(),
                    (metadata.mode, metadata.owner),
                )
                .map_err(|e| failed(Some(directory), e))?;
            }
        }
        let root = metadata(tree)?;
        let attributes = (root.mode() & 0o7777, (root.uid(), root.gid()));
        set_directory(target_directory, name, attributes).map_err(|e| failed(None, e))?;
        Ok(bytes)
    }

    /// Gives the complete backup its name. Not every file system for backups can rename without
    /// replacing; at most an empty directory is lost here.
    fn rename_completed(&self, from: &Path, to: &Path) -> Result<(), BackupError> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        fs::rename(from, to)
            .map_err(|e| DiskError::new("rename", from.display().to_string(), e))?;
        let synced =
            File::open(&self.directory).and_then(|handle| Ok(rustix::fs::syncfs(&handle)?));
        synced.map_err(|e| {
            // The caller removes it under the name that it had.
            let _ = fs::rename(to, from);
            self.failed(SYNC_ACTION, e).into()
        })
    }

    fn failed(&self, action: &'static str, error: io::Error) -> DiskError {
        DiskError::new(action, self.directory.display().to_string(), error)
    }
}

impl CompletedBackup {
    /// Removes the backup, because nothing was replaced after all.
    pub fn remove(&self) -> Result<(), DiskError> {
        remove_path(&self.directory)?;
        if let (true, Some(parent)) = (self.made, self.directory.parent()) {
            // Fails if another process has made an object beside it, which then stays.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

/// Returns the bytes and inodes that a backup needs.
fn backup_space(plan: &Plan, free: &FreeSpace) -> (u64, u64) {
    let files = replaced(plan);
    let directories = directories_of(&files);
    let sizes = files.iter().map(|entry| match entry.kind {
        EntryKind::File { size, .. } => blocks(size, free),
        _ => 0,
    });
    let inodes = (files.len() + directories.len() + 2) as u64;
    (
        sizes.sum::<u64>() + (directories.len() + 2) as u64 * free.block,
        inodes,
    )
}

/// Returns the bytes and inodes that staging needs before the backup.
fn staging_space(plan: &Plan, free: &FreeSpace) -> (u64, u64) {
    let new = plan.swaps.iter().flat_map(|swap| &swap.new);
    let sizes = new.clone().map(|entry| match entry.kind {
        NewEntryKind::File { size, .. } => blocks(size, free),
        NewEntryKind::Directory => free.block,
    });
    (sizes.sum(), new.count() as u64)
}

fn blocks(size: u64, free: &FreeSpace) -> u64 {
    size.div_ceil(free.block) * free.block
}

/// Returns the parent directories of some files, outermost first.
fn directories_of(files: &[Entry]) -> BTreeSet<RelPath> {
    files
        .iter()
        .flat_map(|entry| entry.path.ancestors().collect::<Vec<_>>())
        .collect()
}

fn metadata(tree: &Tree) -> Result<Metadata, DiskError> {
    tree.root()
        .dir_metadata()
        .map_err(|e| DiskError::new("look at", tree.shown(None), e))
}

/// Makes a directory that only the user who runs rollup can read.
fn make_directory(parent: &Dir, name: &str) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(parent, name, Mode::RWXU)?)
}

/// Sets mode and owner of a directory.
fn set_directory(
    parent: &Dir,
    name: &str,
    (mode, (user, group)): (u32, (u32, u32)),
) -> io::Result<()> {
    // Only root can give directories away.
    let given = rustix::fs::chownat(
        parent,
        name,
        Some(Uid::from_raw(user)),
        Some(Gid::from_raw(group)),
        AtFlags::SYMLINK_NOFOLLOW,
    );
    let mode = if given.is_ok() { mode } else { mode & 0o1777 };
    Ok(rustix::fs::chmodat(
        parent,
        name,
        Mode::from_raw_mode(mode),
        AtFlags::empty(),
    )?)
}

/// Copies and hashes a file in one pass; refuses a file that differs from the plan.
fn copy_file(tree: &Tree, entry: &Entry, copy: &Tree, phase: &Phase) -> Result<u64, BackupError> {
    let EntryKind::File {
        size: wanted_size,
        sha256: wanted,
    } = &entry.kind
    else {
        return Ok(0);
    };
    let shown = tree.shown(Some(&entry.path));
    let stale = |difference: String| BackupError::Stale {
        path: shown.clone(),
        difference,
    };
    let mut from = match tree.file(&entry.path) {
        Err(error) if error.is_missing() => return Err(stale("it is gone".to_owned())),
        file => file?,
    };
    let target = copy.shown(Some(&entry.path));
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .follow(FollowSymlinks::No);
    let opened = copy
        .directory(entry.path.parent().as_ref())?
        .open_with(entry.path.name(), &options);
    let mut to = opened
        .map_err(|e| DiskError::new("create", target.as_str(), e))?
        .into_std();
    let facts = hash_and(
        &mut from,
        *wanted_size,
        |error| DiskError::new("read", shown.as_str(), error),
        |chunk| {
            phase.advance(chunk.len() as u64);
            to.write_all(chunk)
                .map_err(|error| DiskError::new("write", target.as_str(), error))
        },
    )?;
    if (facts.size, facts.sha256) != (*wanted_size, *wanted) {
        return Err(stale(format!(
            "SHA-256 {} with {} bytes, not {wanted}",
            facts.sha256, facts.size
        )));
    }
    keep_attributes(&from, &to).map_err(|e| DiskError::new("write", target.as_str(), e))?;
    Ok(facts.size)
}

/// Copies permission bits and modification time, and the owner if the process may give files away.
fn keep_attributes(from: &File, to: &File) -> io::Result<()> {
    let before = from.metadata()?;
    let given = rustix::fs::fchown(
        to,
        Some(Uid::from_raw(before.uid())),
        Some(Gid::from_raw(before.gid())),
    );
    // If the owner differs, drop the set-ID bits: they would act for an owner they were not meant
    // for.
    let mode = if given.is_ok() {
        before.mode() & 0o7777
    } else {
        before.mode() & 0o1777
    };
    rustix::fs::fchmod(to, Mode::from_raw_mode(mode))?;
    let time = Timespec {
        tv_sec: before.mtime(),
        tv_nsec: before.mtime_nsec(),
    };
    Ok(rustix::fs::futimens(
        to,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
    )?)
}

/// Compares every copy with the plan, read from the disk itself as far as the system allows.
fn read_back(copy: &Tree, files: &[Entry], phase: &Phase) -> Result<(), BackupError> {
    for entry in files {
        forget(&copy.file(&entry.path)?);
    }
    match differences_in(copy, files, phase)?.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(BackupError::NotAsWritten {
            path: copy.shown(Some(&found.path)),
            difference: found.description,
        }),
    }
}
