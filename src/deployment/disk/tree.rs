//! Reading of a directory without ever leaving it.
//!
//! Every access starts at the handle of the root and descends without following links: in one call
//! if the kernel supports it, else one component at a time.

use std::borrow::Borrow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use rustix::io::Errno;

use super::run_dir::RollupDir;
use crate::names::{Digest, Escaped, Hasher, RelPath, RelPathError, escaped_path};
use crate::phase::Phase;

/// Levels below its start that a walk looks into: managed files are never deeper.
pub const DEEPEST: usize = 128;
/// Largest number of entries that a walk accepts.
const MOST_ENTRIES: usize = 50_000_000;
/// Bytes that are read at a time when a file is hashed or copied.
const CHUNK: usize = 256 * 1024;
/// Bytes that are read at a time from a file that is small or of unknown size.
const LEAST_CHUNK: usize = 8 * 1024;

/// Action of a sync in a [`DiskError`], of everything or of one file: a failed sync means that
/// written data may be lost.
pub const SYNC_ACTION: &str = "sync";

/// Error of the disk.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", Escaped(.path))]
pub struct DiskError {
    /// Action that failed, such as `open`.
    pub action: &'static str,
    /// Path as shown to people.
    pub path: String,
    /// Error of the system.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Adds the action and the path to an error of the system.
    pub fn new(
        action: &'static str,
        path: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            action,
            path: path.into(),
            source: source.into(),
        }
    }

    /// Returns whether written data may be lost.
    pub fn is_lost_write(&self) -> bool {
        self.action == SYNC_ACTION
    }

    /// Returns whether the path does not exist.
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Directory that is opened once, such as a deployment or a payload.
#[derive(Debug)]
pub struct Tree {
    root: Dir,
    path: PathBuf,
}

/// Kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link or junction; never followed.
    Link,
    /// Anything else, named: a FIFO, a socket, a device.
    Other(&'static str),
}

/// Metadata of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathMetadata {
    pub kind: FileKind,
    /// Size in bytes, of a file.
    pub size: u64,
    /// Device and inode: two names of one file agree in them.
    pub identity: (u64, u64),
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Time of the last change of the contents: seconds since 1970, and nanoseconds.
    pub modified: (i64, i64),
}

/// Entry found by a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Path below the root of the tree.
    pub path: RelPath,
    /// Kind of the entry.
    pub kind: FileKind,
}

/// Result of a walk.
#[derive(Debug, Default)]
pub struct TreeListing {
    /// Every entry whose path is a valid [`RelPath`], sorted by path bytes within each directory.
    pub found: Vec<FoundEntry>,
    /// Directory and name of entries that are not UTF-8, escaped.
    pub unreadable: Vec<String>,
}

/// Size and SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl Tree {
    /// Opens a directory of the machine.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let root = Dir::open_ambient_dir(path, cap_std::ambient_authority()).map_err(|source| {
            DiskError::new("open the directory", path.display().to_string(), source)
        })?;
        Ok(Self {
            root,
            path: path.to_owned(),
        })
    }

    /// Returns the path of the directory, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the handle of the directory itself.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// Returns another handle on the same directory.
    pub fn try_clone(&self) -> Result<Self, DiskError> {
        let root = self
            .root
            .try_clone()
            .map_err(|e| DiskError::new("open", self.shown(None), e))?;
        Ok(Self {
            root,
            path: self.path.clone(),
        })
    }

    /// Returns a path in this tree as shown to people.
    pub fn shown(&self, path: Option<&RelPath>) -> String {
        match path {
            None => self.path.display().to_string(),
            Some(path) => self.path.join(path.to_path()).display().to_string(),
        }
    }

    /// Opens a directory below the root, or the root itself.
    pub fn directory(&self, path: Option<&RelPath>) -> Result<Dir, DiskError> {
        let fail = |source| DiskError::new("open the directory", self.shown(path), source);
        let Some(path) = path else {
            return self.root.try_clone().map_err(fail);
        };
        match beneath(&self.root, path) {
            Ok(directory) => return Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(fail(error)),
            // The kernel, or a sandbox around it, may not support the call. After any other error,
            // opening one component at a time finds the component that cannot be opened.
            Err(_) => {}
        }
        let mut parts = path.parts();
        let first = parts.next().unwrap_or_default();
        let mut directory = self.root.open_dir_nofollow(first).map_err(fail)?;
        for part in parts {
            directory = directory.open_dir_nofollow(part).map_err(fail)?;
        }
        Ok(directory)
    }

    /// Reads the metadata of a path; `None` if nothing exists there. Links are not followed.
    pub fn metadata(&self, path: &RelPath) -> Result<Option<PathMetadata>, DiskError> {
        match self.directory(path.parent().as_ref()) {
            Ok(directory) => self.metadata_in(&directory, path),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the metadata of a path whose parent directory is open already.
    pub fn metadata_in(
        &self,
        directory: &Dir,
        path: &RelPath,
    ) -> Result<Option<PathMetadata>, DiskError> {
        match directory.symlink_metadata(path.name()) {
            Ok(metadata) => Ok(Some(path_metadata(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new("look at", self.shown(Some(path)), error)),
        }
    }

    /// Opens a regular file for reading; anything else is refused without blocking on it.
    pub fn file(&self, path: &RelPath) -> Result<File, DiskError> {
        let fail = |source| DiskError::new("open", self.shown(Some(path)), source);
        let directory = self.directory(path.parent().as_ref())?;
        let mut options = OpenOptions::new();
        options
            .read(true)
            .follow(FollowSymlinks::No)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = directory.open_with(path.name(), &options).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        match path_metadata(&metadata).kind {
            FileKind::File => Ok(file.into_std()),
            kind => Err(fail(io::Error::other(format!(
                "it is {}, not a file",
                kind.with_article()
            )))),
        }
    }

    /// Reads a text of at most `limit` bytes; `None` if the file does not exist.
    pub fn text(&self, path: &RelPath, limit: u64) -> Result<Option<String>, DiskError> {
        let fail = |source| DiskError::new("read", self.shown(Some(path)), source);
        let file = match self.file(path) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(fail(io::Error::other(format!(
                "it is longer than {limit} bytes"
            ))));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| fail(io::Error::other("it is not UTF-8 text")))
    }

    /// Hashes a file.
    pub fn facts(&self, path: &RelPath) -> Result<FileFacts, DiskError> {
        self.facts_in(path, &Phase::hidden())
    }

    /// Hashes a file as a part of a phase.
    pub fn facts_in(&self, path: &RelPath, phase: &Phase) -> Result<FileFacts, DiskError> {
        hash(self.file(path)?, phase)
            .map_err(|source| DiskError::new("read", self.shown(Some(path)), source))
    }

    /// Lists the names directly in a directory, sorted; one that does not exist has none. Names
    /// that are not UTF-8 are left out: no managed object has one.
    pub fn names(&self, at: &RelPath) -> Result<Vec<(String, FileKind)>, DiskError> {
        self.names_in(Some(at))
    }

    /// Lists the names directly in the root, sorted.
    pub fn top(&self) -> Result<Vec<(String, FileKind)>, DiskError> {
        self.names_in(None)
    }

    /// Returns whether a directory holds nothing, not even a name that is not UTF-8.
    pub fn is_empty(&self, at: &RelPath) -> Result<bool, DiskError> {
        let fail = |source| DiskError::new("list", self.shown(Some(at)), source);
        let mut entries = self.directory(Some(at))?.entries().map_err(fail)?;
        Ok(entries.next().is_none())
    }

    fn names_in(&self, at: Option<&RelPath>) -> Result<Vec<(String, FileKind)>, DiskError> {
        let entries = self.entries(at)?.into_iter();
        Ok(entries
            .filter_map(|(name, kind)| Some((name.into_string().ok()?, kind)))
            .collect())
    }

    /// Lists the names directly in a directory, or in the root, sorted, whatever they are; a directory
    /// that does not exist has none.
    pub fn entries(&self, at: Option<&RelPath>) -> Result<Vec<(OsString, FileKind)>, DiskError> {
        let fail = |source| DiskError::new("list", self.shown(at), source);
        match self.directory(at) {
            Ok(directory) => entries_in(&readable(&directory, ".").map_err(fail)?).map_err(fail),
            Err(error) if error.is_missing() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Lists everything below a directory (or the root), names only, down to [`DEEPEST`] levels.
    /// `.rollup` at the root is left out, and nothing else with that name. A directory that does not
    /// exist has no entries.
    pub fn walk(&self, below: Option<&RelPath>) -> Result<TreeListing, DiskError> {
        let mut listing = TreeListing::default();
        let start = match self.directory(below) {
            Ok(directory) => directory,
            Err(error) if error.is_missing() => return Ok(listing),
            Err(error) => return Err(error),
        };
        let fail = |source| DiskError::new("list", self.shown(below), source);
        let start = readable(&start, ".").map_err(fail)?;
        let path = below.map(RelPath::to_path).unwrap_or_default();
        self.walk_in(&start, &path, 0, &mut listing)?;
        Ok(listing)
    }

    /// Lists everything below an open directory, `depth` levels below the first one.
    fn walk_in(
        &self,
        directory: &File,
        path: &Path,
        depth: usize,
        listing: &mut TreeListing,
    ) -> Result<(), DiskError> {
        let shown = |path: &Path| escaped_path(&self.path.join(path));
        let entries = entries_in(directory).map_err(|e| DiskError::new("list", shown(path), e))?;
        for (name, kind) in entries {
            if path.as_os_str().is_empty() && name == RollupDir::NAME {
                continue;
            }
            let path = path.join(&name);
            self.add_entry(listing, &path, kind)?;
            if kind != FileKind::Directory || depth + 1 == DEEPEST {
                continue;
            }
            match readable(directory, &name) {
                Ok(below) => self.walk_in(&below, &path, depth + 1, listing)?,
                // Another process removed or replaced it since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(DiskError::new("list", shown(&path), error)),
            }
        }
        Ok(())
    }

    fn add_entry(
        &self,
        listing: &mut TreeListing,
        path: &Path,
        kind: FileKind,
    ) -> Result<(), DiskError> {
        if listing.found.len() >= MOST_ENTRIES {
            let too_many = io::Error::other(format!("more than {MOST_ENTRIES} entries"));
            return Err(DiskError::new("list", self.shown(None), too_many));
        }
        match path.to_str().map(RelPath::parse) {
            Some(Ok(path)) => listing.found.push(FoundEntry { path, kind }),
            Some(Err(RelPathError::TooDeep)) => {}
            _ => listing.unreadable.push(escaped_path(path)),
        }
        Ok(())
    }
}

/// Reader of the metadata of one path after another. The directory of the last one stays open, so
/// that sorted paths open each directory once.
pub struct PathMetadataReader<'t> {
    tree: &'t Tree,
    last: Option<(Option<RelPath>, Dir)>,
}

impl<'t> PathMetadataReader<'t> {
    /// Creates a reader that has no directory open yet.
    pub fn new(tree: &'t Tree) -> Self {
        Self { tree, last: None }
    }

    /// Reads the metadata of a path, like [`Tree::metadata`].
    pub fn metadata(&mut self, path: &RelPath) -> Result<Option<PathMetadata>, DiskError> {
        let parent = path.parent();
        match &self.last {
            Some((last, directory)) if *last == parent => {
                return self.tree.metadata_in(directory, path);
            }
            _ => {}
        }
        let directory = match self.tree.directory(parent.as_ref()) {
            Ok(directory) => directory,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let (_, directory) = self.last.insert((parent, directory));
        self.tree.metadata_in(directory, path)
    }
}

impl FileKind {
    /// Returns the kind with its article, for messages.
    pub fn with_article(self) -> &'static str {
        match self {
            FileKind::Directory => "a directory",
            FileKind::File => "a file",
            FileKind::Link => "a symbolic link",
            FileKind::Other(name) => name,
        }
    }
}

/// Opens a directory below another one in a single call, which refuses links in every component and
/// never leaves `root`. A deployment is as deep as its console: with one call for each component,
/// these calls were most of the work of a run.
#[cfg(target_os = "linux")]
fn beneath(root: &Dir, path: &RelPath) -> io::Result<Dir> {
    use rustix::fs::{ResolveFlags, openat2};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(Dir::from_std_file(
        openat2(root, path.as_str(), flags, Mode::empty(), resolve)?.into(),
    ))
}

#[cfg(not(target_os = "linux"))]
fn beneath(_root: &Dir, _path: &RelPath) -> io::Result<Dir> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns a path that is known to be well-formed, such as `.rollup/trash`.
pub fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("a path written in the source")
}

/// Returns a buffer for a file of about this size: large for a large one, and small for a small
/// one, so that no memory is cleared for nothing.
fn chunk_for(size: u64) -> Vec<u8> {
    vec![
        0;
        usize::try_from(size)
            .unwrap_or(CHUNK)
            .clamp(LEAST_CHUNK, CHUNK)
    ]
}

/// Returns size and SHA-256 of the part of a file that has not been read yet, as a part of a phase.
pub fn hash(mut file: impl Borrow<File> + Read, phase: &Phase) -> io::Result<FileFacts> {
    let length = file.borrow().metadata()?.len();
    let count = |chunk: &[u8]| {
        phase.advance(chunk.len() as u64);
        Ok(())
    };
    hash_and(&mut file, length, |error| error, count)
}

/// Hashes the rest of a file, of about `length` bytes, and passes each chunk on, such as to a copy.
/// Returns size and SHA-256.
///
/// # Errors
///
/// `cannot_read` of a failed read, or the first error of `pass_on`.
pub fn hash_and<E>(
    file: &mut impl Read,
    length: u64,
    cannot_read: impl Fn(io::Error) -> E,
    mut pass_on: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<FileFacts, E> {
    let mut hasher = Hasher::new();
    let mut chunk = chunk_for(length);
    let mut size = 0;
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot_read(error)),
        };
        hasher.update(read);
        pass_on(read)?;
        size += read.len() as u64;
    }
    Ok(FileFacts {
        size,
        sha256: hasher.finish(),
    })
}

fn path_metadata(metadata: &cap_std::fs::Metadata) -> PathMetadata {
    PathMetadata {
        kind: kind_of(metadata.mode()),
        size: metadata.len(),
        identity: (metadata.dev(), metadata.ino()),
        mode: metadata.mode() & 0o7777,
        owner: (metadata.uid(), metadata.gid()),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    }
}

fn kind_of(mode: u32) -> FileKind {
    FileType::from_raw_mode(mode).into()
}

impl From<FileType> for FileKind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => FileKind::Directory,
            FileType::RegularFile => FileKind::File,
            FileType::Symlink => FileKind::Link,
            FileType::Fifo => FileKind::Other("a FIFO"),
            FileType::Socket => FileKind::Other("a socket"),
            _ => FileKind::Other("a device"),
        }
    }
}

/// Returns the names in an open directory, sorted, with their kinds.
pub(super) fn entries_in(directory: impl AsFd) -> io::Result<Vec<(OsString, FileKind)>> {
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say it in the listing.
            FileType::Unknown => match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => FileType::from_raw_mode(found.st_mode),
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            },
            kind => kind,
        };
        entries.push((OsStr::from_bytes(name.to_bytes()).to_owned(), kind.into()));
    }
    entries.sort();
    Ok(entries)
}

/// Opens a directory so that it can be locked, synced and changed, which is not possible with the
/// handles of `cap-std`: on Linux they are mere paths.
pub(super) fn readable(parent: impl AsFd, name: impl rustix::path::Arg) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(
        parent,
        name,
        flags,
        Mode::empty(),
    )?))
}
