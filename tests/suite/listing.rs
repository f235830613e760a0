//! Listings of directory trees, which the tests compare whole: every entry with everything that
//! the program promises about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rollup::names::Digest;
use walkdir::WalkDir;

use crate::temporary::temporary;

/// Entries of a directory tree by relative path; the directory itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing(BTreeMap<PathBuf, Entry>);

/// One file, directory or other object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: (u32, u32),
    /// Size of a file in bytes; 0 for other kinds.
    pub(crate) size: u64,
    /// Hash of a file.
    pub(crate) sha256: Option<Digest>,
    /// Target of a symbolic link.
    pub(crate) target: Option<PathBuf>,
    /// Time of the last change, in nanoseconds; times of directories are not promised.
    pub(crate) modified: Option<i128>,
    /// Inode and times, which only a command that reads leaves unchanged.
    strict_metadata: Option<StrictMetadata>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct StrictMetadata {
    inode: u64,
    modified: i128,
    changed: i128,
}

impl Listing {
    /// Lists everything that a command promises which changes a deployment: all but `.rollup`.
    pub(crate) fn of(directory: &Path) -> Self {
        Self::strict(directory).without_rollup_directory()
    }

    /// Lists everything that a command promises which only reads: every name, byte, mode and time,
    /// including `.rollup`.
    pub(crate) fn strict(directory: &Path) -> Self {
        let entries = WalkDir::new(directory).into_iter().map(|entry| {
            let entry = entry.expect("a readable tree");
            let below = entry
                .path()
                .strip_prefix(directory)
                .expect("a path below")
                .to_owned();
            (below, Entry::read(entry.path()))
        });
        Self(entries.collect())
    }

    /// Removes `.rollup`, inodes and times of directories.
    pub(crate) fn without_rollup_directory(mut self) -> Self {
        self.0.retain(|path, _| !path.starts_with(".rollup"));
        self.0
            .values_mut()
            .for_each(|entry| entry.strict_metadata = None);
        self
    }

    /// Returns the paths of the entries that meet a condition.
    pub(crate) fn paths(&self, condition: impl Fn(&Path, &Entry) -> bool) -> Vec<PathBuf> {
        self.0
            .iter()
            .filter(|(path, entry)| condition(path, entry))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Returns the entry at a path.
    pub(crate) fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.0.get(path.as_ref())
    }

    /// Keeps only the entries whose path meets a condition.
    pub(crate) fn only(mut self, condition: impl Fn(&Path) -> bool) -> Self {
        self.0.retain(|path, _| condition(path));
        self
    }

    /// Removes all times, in which two runs on two copies differ.
    pub(crate) fn without_times(mut self) -> Self {
        self.0.values_mut().for_each(|entry| entry.modified = None);
        self
    }

    /// Asserts that two listings are equal, and panics with every difference.
    #[track_caller]
    pub(crate) fn assert_same(&self, after: &Self) {
        let mut differences = Vec::new();
        for path in self
            .0
            .keys()
            .chain(after.0.keys().filter(|path| !self.0.contains_key(*path)))
        {
            let (old, new) = (self.get(path), after.get(path));
            if old != new {
                differences.push(format!(
                    "{}:\n  before {old:?}\n  after  {new:?}",
                    path.display()
                ));
            }
        }
        assert!(
            differences.is_empty(),
            "{} differences\n{}",
            differences.len(),
            differences.join("\n")
        );
    }
}

impl Entry {
    fn read(path: &Path) -> Self {
        let metadata = fs::symlink_metadata(path).expect("metadata");
        let kind = metadata.file_type();
        let modified =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let changed =
            i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        Self {
            kind: match () {
                () if kind.is_dir() => "directory",
                () if kind.is_file() => "file",
                () if kind.is_symlink() => "link",
                () if kind.is_fifo() => "fifo",
                () if kind.is_socket() => "socket",
                () => "device",
            },
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            size: if kind.is_file() { metadata.len() } else { 0 },
            sha256: kind
                .is_file()
                .then(|| Digest::of(&fs::read(path).expect("a readable file"))),
            target: kind
                .is_symlink()
                .then(|| fs::read_link(path).expect("a link")),
            modified: (!kind.is_dir()).then_some(modified),
            strict_metadata: Some(StrictMetadata {
                inode: metadata.ino(),
                modified,
                changed,
            }),
        }
    }
}

#[test]
fn a_listing_sees_every_kind_of_change() {
    use std::os::unix::fs::PermissionsExt;
    let directory = temporary();
    let file = directory.path().join("file");
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let changes: [(&str, &dyn Fn()); 6] = [
        ("another byte", &|| {
            fs::write(&file, "two").expect("written")
        }),
        ("another time", &|| crate::world::set_modified(&file, epoch)),
        ("another mode", &|| {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode")
        }),
        ("a new directory", &|| {
            fs::create_dir(directory.path().join("new")).expect("made")
        }),
        ("a new link", &|| {
            std::os::unix::fs::symlink("file", directory.path().join("link")).expect("linked")
        }),
        ("a removed file", &|| {
            fs::remove_file(&file).expect("removed")
        }),
    ];
    fs::write(&file, "one").expect("written");
    for (change_name, change) in changes {
        let (before, strict) = (
            Listing::of(directory.path()),
            Listing::strict(directory.path()),
        );
        change();
        assert_ne!(before, Listing::of(directory.path()), "{change_name}");
        assert_ne!(strict, Listing::strict(directory.path()), "{change_name}");
    }
    let (before, strict) = (
        Listing::of(directory.path()),
        Listing::strict(directory.path()),
    );
    fs::create_dir(directory.path().join(".rollup")).expect("made");
    assert_eq!(
        before,
        Listing::of(directory.path()),
        "`.rollup` is not part of the deployment"
    );
    assert_ne!(
        strict,
        Listing::strict(directory.path()),
        "the strict listing has `.rollup`"
    );
}
