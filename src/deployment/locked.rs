//! The only way to change a deployment: whoever holds its lock.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid};

use super::lock::{FORMAT, LockError, Owner, acquire, check_format};
use super::tree::{BRING_TO_DISK, DiskError, Look, Tree, path, readable};
use crate::names::RelPath;

/// The name of `.rollup` while it is made.
const UNFINISHED: &str = ".rollup-new";

/// A deployment that this process alone may change.
pub struct LockedDeployment {
    tree: Tree,
    /// Opened before the first write: a barrier reports the write errors since then.
    barrier: File,
    lock: File,
    watch: Option<Box<dyn Watch>>,
}

/// Sees every change before it is made, and may forbid it; for rehearsing failures and deaths.
pub trait Watch: Send + Sync {
    /// An error here is treated like one of the system's, and the change is not made.
    fn before(&self, change: Change<'_>) -> io::Result<()>;
}

/// One change of the disk that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A folder is made.
    MakeFolder(&'a RelPath),
    /// A file is made, or written to.
    Write(&'a RelPath),
    /// An object gets another name.
    Rename(&'a RelPath, &'a RelPath),
    /// A name is taken away.
    Remove(&'a RelPath),
    /// Everything written so far goes to disk.
    Barrier,
    /// One file goes to disk.
    Sync(&'a RelPath),
}

/// Permission bits and owner of something new, taken from something old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
}

impl Attributes {
    /// Those of the same path.
    pub fn same(look: &Look) -> Self {
        Self { mode: look.mode, owner: look.owner }
    }
}

impl LockedDeployment {
    /// Takes the lock, waiting for it as long as `wait` says.
    pub fn lock(tree: Tree, doing: &str, wait: Duration) -> Result<Self, LockError> {
        // A time too far off to be told is no limit.
        let deadline = Instant::now().checked_add(wait);
        loop {
            match acquire(&tree) {
                Err(LockError::Held { .. }) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
                Ok((lock, barrier)) => {
                    let locked = Self { tree, barrier, lock, watch: None };
                    check_format(&locked.tree)?;
                    locked.sign(doing)?;
                    return Ok(locked);
                }
            }
        }
    }

    /// Leaves word of who is at work. Never a reason to fail: the lock itself is the truth.
    fn sign(&self, doing: &str) -> Result<(), LockError> {
        if self.is_kept()? {
            let owner = toml::to_string(&Owner::current(doing)).unwrap_or_default();
            let _ = self.overwrite(&path(".rollup/lock.owner"), owner.as_bytes());
        }
        Ok(())
    }

    /// Lets every change pass by `watch` from now on.
    pub fn watched(mut self, watch: Box<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The tree, for reading.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether `.rollup` exists.
    pub fn is_kept(&self) -> Result<bool, DiskError> {
        Ok(self.tree.look(&path(".rollup"))?.is_some())
    }

    /// Makes `.rollup`, whole at once, where it is not there yet.
    pub fn keep(&mut self, doing: &str) -> Result<(), DiskError> {
        if self.is_kept()? {
            return Ok(());
        }
        let raw = path(UNFINISHED);
        self.clear_unfinished()?;
        let root = self.tree.root().dir_metadata().map_err(|e| DiskError::new("look at", self.tree.shown(None), e))?;
        let attributes = {
            use cap_std::fs::MetadataExt;
            Attributes { mode: root.mode() & 0o7777, owner: (root.uid(), root.gid()) }
        };
        self.make_folder(&raw, attributes)?;
        for name in ["trash", "runs"] {
            self.make_folder(&raw.join(name).expect("a plain name"), attributes)?;
        }
        self.write(&raw.join("format").expect("a plain name"), format!("{FORMAT}\n").as_bytes(), None)?;
        let lock = self.create(&raw.join("lock").expect("a plain name"))?;
        lock.try_lock().map_err(|e| DiskError::new("lock", self.tree.shown(Some(&raw)), io::Error::from(e)))?;
        // Whole before it has its name: half of it would keep every later command out.
        self.barrier()?;
        self.rename(&raw, &path(".rollup"))?;
        self.lock = lock;
        let owner = toml::to_string(&Owner::current(doing)).unwrap_or_default();
        let _ = self.overwrite(&path(".rollup/lock.owner"), owner.as_bytes());
        Ok(())
    }

    /// Clears away a `.rollup` that a death left half made.
    pub fn clear_unfinished(&self) -> Result<(), DiskError> {
        let raw = path(UNFINISHED);
        match self.tree.look(&raw)? {
            Some(_) => self.remove_tree(&raw),
            None => Ok(()),
        }
    }

    fn announce(&self, change: Change<'_>, action: &'static str, at: &RelPath) -> Result<(), DiskError> {
        match &self.watch {
            Some(watch) => watch.before(change).map_err(|e| DiskError::new(action, self.tree.shown(Some(at)), e)),
            None => Ok(()),
        }
    }

    /// Makes one folder; its parent is there.
    pub fn make_folder(&self, at: &RelPath, attributes: Attributes) -> Result<(), DiskError> {
        self.announce(Change::MakeFolder(at), "make the folder", at)?;
        let fail = |e: io::Error| DiskError::new("make the folder", self.tree.shown(Some(at)), e);
        let parent = self.tree.folder(at.parent().as_ref())?;
        parent.create_dir(at.name()).map_err(fail)?;
        let folder = readable(&parent, at.name()).map_err(fail)?;
        set_attributes(&folder, attributes).map_err(fail)
    }

    /// Makes a file that is not there yet, for writing.
    pub fn create(&self, at: &RelPath) -> Result<File, DiskError> {
        self.announce(Change::Write(at), "make", at)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        let parent = self.tree.folder(at.parent().as_ref())?;
        let file = parent.open_with(at.name(), &options);
        file.map(cap_std::fs::File::into_std).map_err(|e| DiskError::new("make", self.tree.shown(Some(at)), e))
    }

    /// Opens a file that is there for writing; nothing of it is lost.
    pub fn reopen(&self, at: &RelPath) -> Result<File, DiskError> {
        self.announce(Change::Write(at), "write", at)?;
        let mut options = OpenOptions::new();
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        options.read(true).write(true).follow(FollowSymlinks::No).custom_flags(nonblocking);
        let parent = self.tree.folder(at.parent().as_ref())?;
        let file = parent.open_with(at.name(), &options);
        file.map(cap_std::fs::File::into_std).map_err(|e| DiskError::new("open", self.tree.shown(Some(at)), e))
    }

    /// Makes a file with these bytes.
    pub fn write(&self, at: &RelPath, bytes: &[u8], attributes: Option<Attributes>) -> Result<(), DiskError> {
        let mut file = self.create(at)?;
        let fail = |e| DiskError::new("write", self.tree.shown(Some(at)), e);
        file.write_all(bytes).map_err(fail)?;
        match attributes {
            Some(attributes) => set_attributes(&file, attributes).map_err(fail),
            None => Ok(()),
        }
    }

    /// Writes to an open file of ours.
    pub fn append(&self, at: &RelPath, file: &mut File, bytes: &[u8]) -> Result<(), DiskError> {
        self.announce(Change::Write(at), "write", at)?;
        file.write_all(bytes).map_err(|e| DiskError::new("write", self.tree.shown(Some(at)), e))
    }

    /// Brings one file to disk.
    pub fn sync(&self, at: &RelPath, file: &File) -> Result<(), DiskError> {
        self.announce(Change::Sync(at), BRING_TO_DISK, at)?;
        file.sync_data().map_err(|e| DiskError::new(BRING_TO_DISK, self.tree.shown(Some(at)), e))
    }

    fn overwrite(&self, at: &RelPath, bytes: &[u8]) -> io::Result<()> {
        let parent = self.tree.folder(at.parent().as_ref()).map_err(|e| e.source)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).follow(FollowSymlinks::No);
        parent.open_with(at.name(), &options)?.write_all(bytes)
    }

    /// Gives an object another name; never over something that is there.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Rename(from, to), "rename", from)?;
        let source = self.tree.folder(from.parent().as_ref())?;
        let target = self.tree.folder(to.parent().as_ref())?;
        // Never a plain rename: it would replace a stranger's file without a word.
        rustix::fs::renameat_with(&source, from.name(), &target, to.name(), RenameFlags::NOREPLACE).map_err(|errno| {
            let to = self.tree.shown(Some(to));
            let error = io::Error::from(errno);
            let source = match errno {
                rustix::io::Errno::INVAL => {
                    io::Error::other("this file system cannot rename without replacing, which rollup needs")
                }
                _ => io::Error::new(error.kind(), format!("to `{to}`: {error}")),
            };
            DiskError::new("rename", self.tree.shown(Some(from)), source)
        })
    }

    /// Takes one name of a file away.
    pub fn remove_file(&self, at: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Remove(at), "remove", at)?;
        let parent = self.tree.folder(at.parent().as_ref())?;
        parent.remove_file_or_symlink(at.name()).map_err(|e| DiskError::new("remove", self.tree.shown(Some(at)), e))
    }

    /// Removes a folder of ours with everything in it.
    fn remove_tree(&self, at: &RelPath) -> Result<(), DiskError> {
        self.announce(Change::Remove(at), "remove", at)?;
        let parent = self.tree.folder(at.parent().as_ref())?;
        parent.remove_dir_all(at.name()).map_err(|e| DiskError::new("remove", self.tree.shown(Some(at)), e))
    }

    /// Throws a folder of ours away: into the trash first, so that it is gone at once or not at all.
    pub fn discard(&self, at: &RelPath) -> Result<(), DiskError> {
        let mut trash = path(".rollup/trash").join(at.name()).expect("the name of a path");
        let mut number = 1;
        while self.tree.look(&trash)?.is_some() {
            number += 1;
            trash = path(".rollup/trash").join(&format!("{}.{number}", at.name())).expect("the name of a path");
        }
        self.rename(at, &trash)?;
        self.remove_tree(&trash)
    }

    /// Clears what an earlier death left in the trash.
    pub fn empty_trash(&self) -> Result<(), DiskError> {
        for found in self.tree.walk(Some(&path(".rollup/trash")))?.found {
            if found.path.parts().count() == 3 {
                self.remove_tree(&found.path)?;
            }
        }
        Ok(())
    }

    /// Brings everything written so far to disk. Never tried again when it fails: the system tells
    /// of a lost write only once.
    pub fn barrier(&self) -> Result<(), DiskError> {
        let fail = |e: io::Error| DiskError::new(BRING_TO_DISK, self.tree.shown(None), e);
        if let Some(watch) = &self.watch {
            watch.before(Change::Barrier).map_err(fail)?;
        }
        rustix::fs::syncfs(&self.barrier).map_err(|e| fail(e.into()))
    }
}

fn set_attributes(object: impl rustix::fd::AsFd, attributes: Attributes) -> io::Result<()> {
    let (user, group) = attributes.owner;
    let now = rustix::fs::fstat(&object)?;
    let mut mode = attributes.mode;
    if (now.st_uid, now.st_gid) != (user, group) {
        match rustix::fs::fchown(&object, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
            // Only root can give files away. What somebody else runs is his, and then never with the
            // right to act as the owner it was meant for.
            Err(rustix::io::Errno::PERM) => mode &= 0o1777,
            changed => changed?,
        }
    }
    rustix::fs::fchmod(&object, Mode::from_raw_mode(mode))?;
    Ok(())
}

/// Opens the file beside a run's journal that nobody needs: never a reason to fail, so never told.
pub fn side_file(tree: &Tree, at: &RelPath) -> Option<File> {
    let mut options = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    options.append(true).create(true).follow(FollowSymlinks::No).custom_flags(nonblocking);
    let folder = tree.folder(at.parent().as_ref()).ok()?;
    let file = folder.open_with(at.name(), &options).ok()?.into_std();
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|_| file)
}

/// Gives an open file of ours its permission bits, its owner and, where one is given, its time of
/// change in seconds since 1970.
pub fn finish_file(file: &File, attributes: Attributes, modified: Option<i64>) -> io::Result<()> {
    set_attributes(file, attributes)?;
    if let Some(seconds) = modified {
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        rustix::fs::futimens(file, &Timestamps { last_access: time, last_modification: time })?;
    }
    Ok(())
}
