//! Changes of a deployment, which only the process that holds its lock can make.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::attributes::{Attributes, CARRY_ACTION, OwnAccess};
use super::deletion::{refuse_mounts, remove_tree};
use super::fault_injection::{AttachedInjector, Change, FaultInjector, NoChange};
use super::lock::{FORMAT, LockError, LockOwner, acquire, check_rollup_directory, held};
use super::open_file::OpenFile;
use super::run_dir::{ROLLUP_DIR, RollupDir, RunDir};
use super::tree::{DiskError, FileKind, FoundEntry, SYNC_ACTION, Tree, path, readable};
use crate::names::RelPath;

/// Attempts to create `.rollup`, in case other processes clear what was made.
const MOST_ATTEMPTS: usize = 3;
/// Longest journal that is read in an unfinished `.rollup`, in bytes: more than a first record.
const LONGEST_OPENING: u64 = 1 << 20;

/// Deployment whose lock this process holds, or one without `.rollup`, in which there is nothing to lock
/// yet.
pub struct LockedDeployment {
    tree: Tree,
    /// Handle for `syncfs`, opened before the first write: `syncfs` reports write errors since the
    /// handle was opened.
    sync: File,
    lock: Option<File>,
    injector: AttachedInjector,
}

fn readable_root(tree: &Tree) -> Result<File, DiskError> {
    readable(tree.root(), ".").map_err(|error| DiskError::new("open", tree.shown(None), error))
}

impl LockedDeployment {
    /// Takes the lock, waiting for at most `wait`. If `.rollup` does not exist,
    /// [`create_rollup_directory`](Self::create_rollup_directory) takes it.
    ///
    /// # Errors
    ///
    /// Another process holds the lock, this user may not, or `.rollup` cannot be used.
    pub fn lock(tree: Tree, command: &str, wait: Duration) -> Result<Self, LockError> {
        check_rollup_directory(&tree)?;
        // A deadline too far in the future to be represented is not a limit.
        let deadline = Instant::now().checked_add(wait);
        let lock = loop {
            match acquire(&tree) {
                Err(LockError::Held { .. })
                    if deadline.is_none_or(|deadline| Instant::now() < deadline) =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                acquired => break acquired?,
            }
        };
        let locked = Self {
            sync: readable_root(&tree)?,
            tree,
            lock,
            injector: AttachedInjector::default(),
        };
        if locked.lock.is_some() {
            locked.write_owner(command);
        }
        Ok(locked)
    }

    /// Opens a deployment for the checks of a dry run: without a lock, and with every change prevented.
    pub fn for_dry_run(tree: Tree) -> Result<Self, DiskError> {
        Ok(Self {
            sync: readable_root(&tree)?,
            tree,
            lock: None,
            injector: AttachedInjector::new(Arc::new(NoChange)),
        })
    }

    /// Writes the description of this process to `.rollup/lock.owner`. A failed write is ignored:
    /// only the lock itself counts.
    fn write_owner(&self, command: &str) {
        let owner = toml::to_string(&LockOwner::current(command)).unwrap_or_default();
        let at = ROLLUP_DIR.lock_owner();
        let file = match self.reopen(&at) {
            Ok(file) => file.file,
            Err(_) => match make_own_file(
                &self.tree,
                &at,
                OwnAccess::Shared,
                &AttachedInjector::default(),
            ) {
                Ok(file) => file,
                Err(_) => return,
            },
        };
        let _ = file
            .set_len(0)
            .and_then(|()| (&file).write_all(owner.as_bytes()));
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

    /// Creates `.rollup` atomically, locked, if it does not exist yet.
    ///
    /// # Errors
    ///
    /// Another process created it first, or the disk fails.
    pub fn create_rollup_directory(&mut self, command: &str) -> Result<(), LockError> {
        if self.lock.is_some() {
            return Ok(());
        }
        for attempt in 1.. {
            let unfinished = RollupDir::unfinished();
            let error = match self.make_rollup_directory(&unfinished) {
                Ok(lock) => {
                    self.lock = Some(lock);
                    break;
                }
                Err(error) => error,
            };
            // What cannot be removed now is removed by a later command.
            let _ = self.remove_tree(&unfinished);
            if self.has_rollup_directory()? {
                return Err(held(&self.tree));
            }
            // Another process may have cleared it before it was locked.
            if !error.is_missing() || attempt == MOST_ATTEMPTS {
                return Err(error.into());
            }
        }
        self.write_owner(command);
        Ok(())
    }

    /// Returns the lock of the new `.rollup`.
    fn make_rollup_directory(&self, unfinished: &RollupDir) -> Result<File, DiskError> {
        self.make_own_directory(unfinished, OwnAccess::Shared)?;
        // The lock is first: what is locked is not cleared as the rest of a process that died.
        let lock = self.create_own(&unfinished.lock(), OwnAccess::Writers)?;
        lock.file
            .try_lock()
            .map_err(|e| DiskError::new("lock", self.tree.shown(Some(unfinished)), e))?;
        self.make_own_directory(&unfinished.trash(), OwnAccess::Writers)?;
        self.make_own_directory(&unfinished.runs(), OwnAccess::Shared)?;
        self.write_own(&unfinished.format(), format!("{FORMAT}\n").as_bytes())?;
        // Synced before it gets its name: an incomplete `.rollup` would block every later command.
        self.sync()?;
        self.rename(unfinished, &ROLLUP_DIR)?;
        Ok(lock.file)
    }

    /// Removes the unfinished `.rollup` of a process that died. One that a process is creating is locked.
    ///
    /// It is recognized by its content, since an unmanaged directory may have such a name: a
    /// directory with any other content than an unfinished `.rollup` has is left alone.
    pub fn clear_unfinished(&self) -> Result<(), DiskError> {
        for (name, kind) in self.tree.top()? {
            if kind == FileKind::Directory
                && RollupDir::is_unfinished(&name)
                && self.is_unfinished_rollup(&path(&name)).unwrap_or(false)
            {
                let lock = self.tree.file(&RollupDir::named(&name).lock());
                if lock.is_ok_and(|lock| lock.try_lock().is_err()) {
                    continue;
                }
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

    /// Creates a directory of rollup's own, which is closed to others at every moment.
    pub fn make_own_directory(&self, at: &RelPath, access: OwnAccess) -> Result<(), DiskError> {
        self.announce(Change::MakeDirectory(at), "create the directory", at)?;
        let parent = self.tree.directory(at.parent().as_ref())?;
        rustix::fs::mkdirat(&parent, at.name(), Mode::RWXU)
            .map_err(|e| DiskError::new("create the directory", self.tree.shown(Some(at)), e))?;
        let attributes = self.root_attributes()?.of_own_directory(access);
        self.set_directory(at, &attributes)
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
        attributes: &Attributes,
    ) -> Result<(), DiskError> {
        let mut file = self.create(at)?;
        file.write_bytes(bytes)?;
        file.finish(attributes, None)
    }

    /// Creates a file of rollup's own, for writing. It is closed to others at every moment.
    pub fn create_own(&self, at: &RelPath, access: OwnAccess) -> Result<OpenFile, DiskError> {
        self.announce(Change::MakeFile(at), "create", at)?;
        Ok(OpenFile {
            at: at.clone(),
            shown: self.tree.shown(Some(at)),
            file: make_own_file(&self.tree, at, access, &self.injector)?,
            injector: self.injector.clone(),
        })
    }

    /// Creates a file of rollup's own with these bytes, which all may read who may read the deployment.
    pub fn write_own(&self, at: &RelPath, bytes: &[u8]) -> Result<(), DiskError> {
        self.create_own(at, OwnAccess::Shared)?.write_bytes(bytes)
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

/// Creates a file of rollup's own, which only this user can open until it has its attributes.
pub(super) fn make_own_file(
    tree: &Tree,
    at: &RelPath,
    access: OwnAccess,
    injector: &AttachedInjector,
) -> Result<File, DiskError> {
    let fail = |e: io::Error| DiskError::new("create", tree.shown(Some(at)), e);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .follow(FollowSymlinks::No);
    let directory = tree.directory(at.parent().as_ref())?;
    let file = directory.open_with(at.name(), &options).map_err(fail)?;
    let file = file.into_std();
    let attributes = Attributes::of_directory(tree, None)?.of_own_file(access);
    attributes.set(&file, at, injector).map_err(fail)?;
    Ok(file)
}

/// Opens the optional file beside a run's journal, to add to it. A failure is ignored and not reported,
/// because no command depends on the file.
pub fn side_file(tree: &Tree, at: &RelPath) -> Option<File> {
    if tree.metadata(at).ok()?.is_none() {
        make_own_file(tree, at, OwnAccess::Shared, &AttachedInjector::default()).ok()?;
    }
    let mut options = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    options
        .append(true)
        .follow(FollowSymlinks::No)
        .custom_flags(nonblocking);
    let directory = tree.directory(at.parent().as_ref()).ok()?;
    let file = directory.open_with(at.name(), &options).ok()?.into_std();
    file.metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|_| file)
}
