//! Changes of a deployment, which only the process that holds its lock can make.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{OFlags, RenameFlags};
use rustix::io::Errno;

use super::attributes::{Attributes, CARRY_ACTION};
use super::deletion::{refuse_mounts, remove_tree};
use super::fault_injection::{AttachedInjector, Change, FaultInjector};
use super::lock::{FORMAT, LockError, LockOwner, acquire, check_format};
use super::open_file::OpenFile;
use super::run_dir::{ROLLUP_DIR, RollupDir, RunDir};
use super::tree::{DiskError, FileKind, FoundEntry, SYNC_ACTION, Tree, path, readable};
use crate::names::RelPath;

/// Longest journal that is read in an unfinished `.rollup`, in bytes: more than a first record.
const LONGEST_OPENING: u64 = 1 << 20;

/// Deployment whose lock this process holds.
pub struct LockedDeployment {
    tree: Tree,
    /// Handle for `syncfs`, opened before the first write: `syncfs` reports write errors since the
    /// handle was opened.
    sync: File,
    lock: File,
    injector: AttachedInjector,
}

impl LockedDeployment {
    /// Takes the lock, waiting for at most `wait`.
    pub fn lock(tree: Tree, command: &str, wait: Duration) -> Result<Self, LockError> {
        // A deadline too far in the future to be represented is not a limit.
        let deadline = Instant::now().checked_add(wait);
        loop {
            match acquire(&tree) {
                Err(LockError::Held { .. })
                    if deadline.is_none_or(|deadline| Instant::now() < deadline) =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
                Ok((lock, sync)) => {
                    let locked = Self {
                        tree,
                        sync,
                        lock,
                        injector: AttachedInjector::default(),
                    };
                    check_format(&locked.tree)?;
                    if locked.has_rollup_directory()? {
                        locked.write_owner(command);
                    }
                    return Ok(locked);
                }
            }
        }
    }

    /// Writes the description of this process to `.rollup/lock.owner`. A failed write is ignored:
    /// only the lock itself counts.
    fn write_owner(&self, command: &str) {
        let owner = toml::to_string(&LockOwner::current(command)).unwrap_or_default();
        let _ = self.overwrite(&ROLLUP_DIR.lock_owner(), owner.as_bytes());
    }

    /// Announces every change to `injector` from now on.
    pub fn with_injector(mut self, injector: Arc<dyn FaultInjector>) -> Self {
        self.injector = AttachedInjector::new(injector);
        self
    }

    /// Returns whether an injector is attached, which needs the same order of changes every time.
    pub fn has_injector(&self) -> bool {
        self.injector.is_attached()
    }

    /// Returns the tree, for reading.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns whether `.rollup` exists.
    pub fn has_rollup_directory(&self) -> Result<bool, DiskError> {
        Ok(self.tree.metadata(&ROLLUP_DIR)?.is_some())
    }

    /// Creates `.rollup` atomically, if it does not exist yet.
    pub fn create_rollup_directory(&mut self, command: &str) -> Result<(), DiskError> {
        if self.has_rollup_directory()? {
            return Ok(());
        }
        self.clear_unfinished()?;
        if let Err(error) = self.make_rollup_directory() {
            // The next command removes the rest.
            let _ = self.clear_unfinished();
            return Err(error);
        }
        self.write_owner(command);
        Ok(())
    }

    fn make_rollup_directory(&mut self) -> Result<(), DiskError> {
        let unfinished = RollupDir::unfinished();
        let attributes = self.root_attributes()?.of_new_directory();
        self.make_directory(&unfinished, &attributes)?;
        self.make_directory(&unfinished.trash(), &attributes)?;
        self.make_directory(&unfinished.runs(), &attributes)?;
        self.write(&unfinished.format(), format!("{FORMAT}\n").as_bytes(), None)?;
        let lock = self.create(&unfinished.lock())?;
        lock.file.try_lock().map_err(|e| {
            DiskError::new(
                "lock",
                self.tree.shown(Some(&unfinished)),
                io::Error::from(e),
            )
        })?;
        // Synced before it gets its name: an incomplete `.rollup` would block every later command.
        self.sync()?;
        self.rename(&unfinished, &ROLLUP_DIR)?;
        self.lock = lock.file;
        Ok(())
    }

    /// Removes the unfinished `.rollup` of a process that died.
    ///
    /// It is recognized by its content, since an unmanaged directory may have such a name: a
    /// directory with any other content than an unfinished `.rollup` has is left alone.
    pub fn clear_unfinished(&self) -> Result<(), DiskError> {
        for (name, kind) in self.tree.top()? {
            if kind == FileKind::Directory
                && RollupDir::is_unfinished(&name)
                && self.is_unfinished_rollup(&path(&name)).unwrap_or(false)
            {
                self.remove_tree(&path(&name))?;
            }
        }
        Ok(())
    }

    /// Returns whether a directory contains nothing but the files of an empty `.rollup` and runs
    /// that died while staging: a power cut may lose the rename to `.rollup`, but not the changes
    /// after it.
    fn is_unfinished_rollup(&self, at: &RelPath) -> Result<bool, DiskError> {
        let listing = self.tree.walk(Some(at))?;
        for FoundEntry { path, kind } in &listing.found {
            let below = path.below(at);
            let parts: Vec<&str> = below.iter().flat_map(RelPath::parts).collect();
            let is_known = match (parts.as_slice(), kind) {
                ([name], FileKind::Directory) => RollupDir::DIRECTORIES.contains(name),
                ([RollupDir::RUNS, _], FileKind::Directory) => true,
                ([RollupDir::LOCK], FileKind::File) => self
                    .tree
                    .metadata(path)?
                    .is_some_and(|metadata| metadata.size == 0),
                ([RollupDir::FORMAT], FileKind::File) => {
                    let text = self.tree.text(path, 64)?.unwrap_or_default();
                    format!("{FORMAT}\n").starts_with(&text)
                }
                ([RollupDir::LOCK_OWNER], FileKind::File) => true,
                ([RollupDir::RUNS, _, RunDir::JOURNAL], FileKind::File) => {
                    let text = self.tree.text(path, LONGEST_OPENING)?.unwrap_or_default();
                    !text.contains("staged")
                }
                ([RollupDir::RUNS, _, name], FileKind::File) if RunDir::FILES.contains(name) => {
                    true
                }
                ([RollupDir::RUNS, _, name, ..], FileKind::Directory | FileKind::File) => {
                    RunDir::DIRECTORIES.contains(name)
                }
                _ => false,
            };
            if !is_known {
                return Ok(false);
            }
        }
        Ok(listing.unreadable.is_empty())
    }

    fn announce(
        &self,
        change: Change<'_>,
        action: &'static str,
        at: &RelPath,
    ) -> Result<(), DiskError> {
        self.injector
            .announce(change, action, &self.tree.shown(Some(at)))
    }

    /// Creates a directory; its parent must exist.
    pub fn make_directory(&self, at: &RelPath, attributes: &Attributes) -> Result<(), DiskError> {
        self.announce(Change::MakeDirectory(at), "create the directory", at)?;
        let fail =
            |e: io::Error| DiskError::new("create the directory", self.tree.shown(Some(at)), e);
        let parent = self.tree.directory(at.parent().as_ref())?;
        parent.create_dir(at.name()).map_err(fail)?;
        self.set_directory(at, attributes)
    }

    /// Sets the attributes of an existing directory.
    pub fn set_directory(&self, at: &RelPath, attributes: &Attributes) -> Result<(), DiskError> {
        let parent = self.tree.directory(at.parent().as_ref())?;
        let directory = readable(&parent, at.name());
        directory
            .and_then(|directory| attributes.set(&directory, at, &self.injector))
            .map_err(|e| DiskError::new(CARRY_ACTION, self.tree.shown(Some(at)), e))
    }

    /// Creates a file that does not exist yet, for writing.
    pub fn create(&self, at: &RelPath) -> Result<OpenFile, DiskError> {
        self.announce(Change::MakeFile(at), "create", at)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .follow(FollowSymlinks::No);
        self.open(at, "create", &options)
    }

    /// Opens an existing file for writing, without truncating it.
    pub fn reopen(&self, at: &RelPath) -> Result<OpenFile, DiskError> {
        let mut options = OpenOptions::new();
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        options
            .read(true)
            .write(true)
            .follow(FollowSymlinks::No)
            .custom_flags(nonblocking);
        self.open(at, "open", &options)
    }

    fn open(
        &self,
        at: &RelPath,
        action: &'static str,
        options: &OpenOptions,
    ) -> Result<OpenFile, DiskError> {
        let shown = self.tree.shown(Some(at));
        let parent = self.tree.directory(at.parent().as_ref())?;
        match parent.open_with(at.name(), options) {
            Ok(file) => Ok(OpenFile {
                at: at.clone(),
                shown,
                file: file.into_std(),
                injector: self.injector.clone(),
            }),
            Err(error) => Err(DiskError::new(action, shown, error)),
        }
    }

    /// Creates a file with these bytes.
    pub fn write(
        &self,
        at: &RelPath,
        bytes: &[u8],
        attributes: Option<&Attributes>,
    ) -> Result<(), DiskError> {
        let mut file = self.create(at)?;
        file.write_bytes(bytes)?;
        attributes.map_or(Ok(()), |attributes| file.finish(attributes, None))
    }

    fn overwrite(&self, at: &RelPath, bytes: &[u8]) -> io::Result<()> {
        let parent = self
            .tree
            .directory(at.parent().as_ref())
            .map_err(|e| e.source)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .follow(FollowSymlinks::No);
        parent.open_with(at.name(), &options)?.write_all(bytes)
    }

    /// Renames an object; never replaces an existing one.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), DiskError> {
        let source = self.tree.directory(from.parent().as_ref())?;
        let target = self.tree.directory(to.parent().as_ref())?;
        self.rename_in((&source, from), (&target, to))
    }

    /// Renames an object like [`rename`](Self::rename), with the parent directories of both paths
    /// open already.
    pub fn rename_in(
        &self,
        (source, from): (&Dir, &RelPath),
        (target, to): (&Dir, &RelPath),
    ) -> Result<(), DiskError> {
        self.announce(Change::Rename(from, to), "rename", from)?;
        // Never a plain rename, which would silently replace an unexpected file.
        rustix::fs::renameat_with(
            source,
            from.name(),
            target,
            to.name(),
            RenameFlags::NOREPLACE,
        )
        .map_err(|errno| {
            let to = self.tree.shown(Some(to));
            let error = io::Error::from(errno);
            let source = match errno {
                rustix::io::Errno::INVAL => io::Error::other(
                    "this file system cannot rename without replacing, which rollup needs",
                ),
                _ => io::Error::new(error.kind(), format!("to `{to}`: {error}")),
            };
            DiskError::new("rename", self.tree.shown(Some(from)), source)
        })
    }

    /// Returns whether the file system would rename a directory elsewhere: overlayfs may not, if the
    /// directory comes from a lower layer. Nothing moves, because `occupied` is a directory that is not
    /// empty.
    pub fn can_move(&self, at: &RelPath, occupied: &RelPath) -> Result<bool, DiskError> {
        let from = self.tree.directory(at.parent().as_ref())?;
        let to = self.tree.directory(occupied.parent().as_ref())?;
        match rustix::fs::renameat(&from, at.name(), &to, occupied.name()) {
            Err(Errno::XDEV) => Ok(false),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(true),
            Ok(()) => Err(io::Error::other(
                "it replaced a directory that is not empty",
            )),
            Err(error) => Err(error.into()),
        }
        .map_err(|e| DiskError::new("rename", self.tree.shown(Some(at)), e))
    }

    /// Exchanges two objects in one directory: each name always has one of them.
    pub fn exchange(&self, one: &RelPath, other: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Rename(one, other), "exchange", one)?;
        let directory = self.tree.directory(one.parent().as_ref())?;
        let (from, to) = (one.name(), other.name());
        rustix::fs::renameat_with(&directory, from, &directory, to, RenameFlags::EXCHANGE)
            .map_err(|e| DiskError::new("exchange", self.tree.shown(Some(one)), e))
    }

    /// Removes one name of a file.
    pub fn remove_file(&self, at: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Remove(at), "remove", at)?;
        let parent = self.tree.directory(at.parent().as_ref())?;
        parent
            .remove_file_or_symlink(at.name())
            .map_err(|e| DiskError::new("remove", self.tree.shown(Some(at)), e))
    }

    /// Removes a directory unless it holds something.
    pub fn remove_empty_directory(&self, at: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Remove(at), "remove", at)?;
        let parent = self.tree.directory(at.parent().as_ref())?;
        match parent.remove_dir(at.name()) {
            // Another process put something there since it was looked at.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed.map_err(|e| DiskError::new("remove", self.tree.shown(Some(at)), e)),
        }
    }

    /// Returns the attributes of the deployment's root.
    pub fn root_attributes(&self) -> Result<Attributes, DiskError> {
        Attributes::of_directory(&self.tree, None)
    }

    /// Removes a managed directory with everything in it, whatever the names in it are.
    pub fn remove_tree(&self, at: &RelPath) -> Result<(), DiskError> {
        let parent = self.tree.directory(at.parent().as_ref())?;
        let before_each = || self.injector.before(Change::Remove(at));
        remove_tree(
            &parent,
            at.name().as_ref(),
            Path::new(&self.tree.shown(Some(at))),
            &before_each,
        )
    }

    /// Removes a managed directory atomically: first moves it into the trash, and syncs this rename
    /// before anything in it is removed.
    pub fn discard(&self, at: &RelPath) -> Result<(), DiskError> {
        refuse_mounts(&self.tree, at)?;
        let trash = self.move_to_trash(at)?;
        self.remove_tree(&trash)
    }

    /// Moves a managed directory into the trash, syncs the rename, and returns its new path.
    pub fn move_to_trash(&self, at: &RelPath) -> Result<RelPath, DiskError> {
        let mut trash = ROLLUP_DIR.discarded(at.name());
        let mut number = 1;
        while self.tree.metadata(&trash)?.is_some() {
            number += 1;
            trash = ROLLUP_DIR.discarded(format_args!("{}.{number}", at.name()));
        }
        self.rename(at, &trash)?;
        self.sync()?;
        Ok(trash)
    }

    /// Removes everything from the trash, where a process that died may have left it. An entry that
    /// cannot be removed does not prevent the removal of the others.
    pub fn empty_trash(&self) -> Result<(), DiskError> {
        let entries = self.tree.names(&ROLLUP_DIR.trash())?;
        if !entries.is_empty() {
            self.sync()?;
        }
        let mut failed = None;
        for (name, kind) in entries {
            let at = ROLLUP_DIR.discarded(name);
            let removed = match kind {
                FileKind::Directory => self.remove_tree(&at),
                _ => self.remove_file(&at),
            };
            failed = failed.or(removed.err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Syncs everything written so far to disk. A failed sync is never repeated: the system reports
    /// a lost write only once.
    pub fn sync(&self) -> Result<(), DiskError> {
        let fail = |e: io::Error| DiskError::new(SYNC_ACTION, self.tree.shown(None), e);
        self.injector.before(Change::Sync).map_err(fail)?;
        rustix::fs::syncfs(&self.sync).map_err(|e| fail(e.into()))
    }
}

/// Opens the optional file beside a run's journal. A failure is ignored and not reported, because
/// no command depends on the file.
pub fn side_file(tree: &Tree, at: &RelPath) -> Option<File> {
    let mut options = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    options
        .append(true)
        .create(true)
        .follow(FollowSymlinks::No)
        .custom_flags(nonblocking);
    let directory = tree.directory(at.parent().as_ref()).ok()?;
    let file = directory.open_with(at.name(), &options).ok()?.into_std();
    file.metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|_| file)
}
