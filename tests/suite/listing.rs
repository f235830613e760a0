//! Trees compared whole: every entry below a directory with everything that is promised of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rollup::names::Digest;
use walkdir::WalkDir;

/// Every entry below a directory, by its path there; the directory itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing(BTreeMap<PathBuf, Entry>);

/// One entry, as far as it is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In words.
    pub(crate) kind: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: (u32, u32),
    /// In bytes; of files only.
    pub(crate) size: u64,
    /// Of files only.
    pub(crate) sha256: Option<Digest>,
    /// Where a link points to.
    pub(crate) target: Option<PathBuf>,
    /// Time of the last change, in nanoseconds; times of directories are no promise.
    pub(crate) modified: Option<i128>,
    /// What only a command that reads leaves as it is: the inode, and the times of everything.
    touched: Option<Touched>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Touched {
    inode: u64,
    modified: i128,
    changed: i128,
}

impl Listing {
    /// What the commands that change a deployment promise about it: all but `.rollup`.
    pub(crate) fn of(directory: &Path) -> Self {
        Self::strict(directory).of_the_deployment()
    }

    /// What the commands that only read promise: every name, byte, mode and time, `.rollup`
    /// included.
    pub(crate) fn strict(directory: &Path) -> Self {
        let entries = WalkDir::new(directory).into_iter().map(|entry| {
            let entry = entry.expect("a readable tree");
            let below = entry
                .path()
                .strip_prefix(directory)
                .expect("it lies below")
                .to_owned();
            (below, Entry::read(entry.path()))
        });
        Self(entries.collect())
    }

    /// Without what only reading commands promise.
    pub(crate) fn of_the_deployment(mut self) -> Self {
        self.0.retain(|path, _| !path.starts_with(".rollup"));
        self.0.values_mut().for_each(|entry| entry.touched = None);
        self
    }

    /// The paths of all entries that a condition holds for.
    pub(crate) fn paths(&self, is_it: impl Fn(&Path, &Entry) -> bool) -> Vec<PathBuf> {
        self.0
            .iter()
            .filter(|(path, entry)| is_it(path, entry))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The entry at a path.
    pub(crate) fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.0.get(path.as_ref())
    }

    /// Only what a condition holds for.
    pub(crate) fn only(mut self, is_it: impl Fn(&Path) -> bool) -> Self {
        self.0.retain(|path, _| is_it(path));
        self
    }

    /// Without times: what two runs on two copies have in common.
    pub(crate) fn without_times(mut self) -> Self {
        self.0.values_mut().for_each(|entry| entry.modified = None);
        self
    }

    /// Fails with every difference by name.
    #[track_caller]
    pub(crate) fn assert_same(&self, after: &Self) {
        let mut differences = Vec::new();
        for path in self
            .0
            .keys()
            .chain(after.0.keys().filter(|path| !self.0.contains_key(*path)))
        {
            let (was, is) = (self.get(path), after.get(path));
            if was != is {
                differences.push(format!("{}:\n  was {was:?}\n  is  {is:?}", path.display()));
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
        let metadata = fs::symlink_metadata(path).expect("it was just listed");
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
            touched: Some(Touched {
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
    let directory = tempfile::TempDir::new().expect("a temporary directory");
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
        ("a file gone", &|| fs::remove_file(&file).expect("removed")),
    ];
    fs::write(&file, "one").expect("written");
    for (what, change) in changes {
        let (before, strict) = (
            Listing::of(directory.path()),
            Listing::strict(directory.path()),
        );
        change();
        assert_ne!(before, Listing::of(directory.path()), "{what}");
        assert_ne!(strict, Listing::strict(directory.path()), "{what}");
    }
    let (before, strict) = (
        Listing::of(directory.path()),
        Listing::strict(directory.path()),
    );
    fs::create_dir(directory.path().join(".rollup")).expect("made");
    assert_eq!(
        before,
        Listing::of(directory.path()),
        "what rollup keeps is no part of the deployment"
    );
    assert_ne!(
        strict,
        Listing::strict(directory.path()),
        "but reading does not even make that"
    );
}
