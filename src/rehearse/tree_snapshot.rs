//! Snapshot of the tree of a whole deployment, for a comparison with another one.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::copy::entries;
use super::{LabError, disk};
use crate::deployment::tree::hash;
use crate::names::{Digest, Escaped};
use crate::phase::Phase;

/// Every entry of a deployment except `.rollup`, by its path in its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSnapshot(BTreeMap<PathBuf, TreeEntry>);

/// Properties of an entry that a recovery restores. The times of directories are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TreeEntry {
    kind: TreeEntryKind,
    /// Permission bits.
    mode: u32,
    /// User and group.
    owner: (u32, u32),
    /// Time of the last change, of files only.
    modified: Option<(i64, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TreeEntryKind {
    Directory,
    File(Digest),
    Link(PathBuf),
    /// A FIFO, a socket or a device.
    Other,
}

/// Rule for comparing the times of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Times are compared, because a rollback restores the original objects.
    Compared,
    /// Times are ignored, because two runs of one plan write their files at different times.
    Ignored,
}

impl TreeSnapshot {
    /// Takes a snapshot of a deployment: lists everything, and hashes every file.
    ///
    /// # Errors
    ///
    /// An entry that cannot be read.
    pub fn of(deployment: &Path) -> Result<Self, LabError> {
        let taken = entries(deployment).map(|entry| {
            let entry = entry?;
            let below = entry
                .path()
                .strip_prefix(deployment)
                .unwrap_or(entry.path())
                .to_owned();
            let metadata = entry
                .metadata()
                .map_err(|error| disk("look at", entry.path())(error.into()))?;
            Ok((below, TreeEntry::of(entry.path(), &metadata)?))
        });
        Ok(Self(taken.collect::<Result<_, LabError>>()?))
    }

    /// Returns the number of files and directories, including the deployment's own directory.
    pub fn entries(&self) -> usize {
        self.0.len()
    }

    /// Describes everything that differs in another snapshot, such as "`a` is missing".
    pub fn differences(&self, found: &Self, times: Times) -> Vec<String> {
        let mut differences = Vec::new();
        let unexpected = found.0.keys().filter(|path| !self.0.contains_key(*path));
        for path in self.0.keys().chain(unexpected) {
            let difference = match (self.0.get(path), found.0.get(path)) {
                (Some(expected), Some(found)) => expected.difference(found, times),
                (Some(_), None) => Some("is missing"),
                (None, _) => Some("is unexpected"),
            };
            let shown = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            differences.extend(difference.map(|difference| {
                format!("`{}` {difference}", Escaped(&shown.display().to_string()))
            }));
        }
        differences
    }
}

impl TreeEntry {
    fn of(path: &Path, metadata: &Metadata) -> Result<Self, LabError> {
        let kind = match metadata.file_type() {
            file_type if file_type.is_dir() => TreeEntryKind::Directory,
            file_type if file_type.is_file() => {
                let read = File::open(path).and_then(|file| hash(file, &Phase::hidden()));
                TreeEntryKind::File(read.map_err(disk("read", path))?.sha256)
            }
            file_type if file_type.is_symlink() => {
                TreeEntryKind::Link(fs::read_link(path).map_err(disk("read", path))?)
            }
            _ => TreeEntryKind::Other,
        };
        Ok(Self {
            modified: matches!(kind, TreeEntryKind::File(_))
                .then(|| (metadata.mtime(), metadata.mtime_nsec())),
            kind,
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
        })
    }

    fn difference(&self, found: &Self, times: Times) -> Option<&'static str> {
        use std::mem::discriminant;
        match (&self.kind, &found.kind) {
            (TreeEntryKind::File(expected), TreeEntryKind::File(found)) if expected != found => {
                Some("has different contents")
            }
            (TreeEntryKind::Link(expected), TreeEntryKind::Link(found)) if expected != found => {
                Some("has a different link target")
            }
            (expected, found) if discriminant(expected) != discriminant(found) => {
                Some("is of a different kind")
            }
            _ if self.mode != found.mode => Some("has different permissions"),
            _ if self.owner != found.owner => Some("has a different owner"),
            _ if times == Times::Compared && self.modified != found.modified => {
                Some("has a different time")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn every_kind_of_change_is_found_and_named() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        let take = || TreeSnapshot::of(directory.path()).expect("a readable directory");
        fs::write(at("file"), "one").expect("written");
        fs::create_dir(at("directory")).expect("made");
        symlink("file", at("link")).expect("linked");
        let rename = |from: &str, to: &str| fs::rename(at(from), at(to)).expect("renamed");
        let changes: [(&str, &dyn Fn()); 8] = [
            ("`file` has different contents", &|| {
                fs::write(at("file"), "two").expect("written")
            }),
            ("`file` has different permissions", &|| {
                fs::set_permissions(at("file"), Permissions::from_mode(0o600)).expect("a mode");
            }),
            ("`file` is missing, `File` is unexpected", &|| {
                rename("file", "File")
            }),
            ("`directory` has different permissions", &|| {
                fs::set_permissions(at("directory"), Permissions::from_mode(0o700))
                    .expect("a mode");
            }),
            ("`link` has a different link target", &|| {
                fs::remove_file(at("link"))
                    .and_then(|()| symlink("File", at("link")))
                    .expect("linked");
            }),
            ("`link` is of a different kind", &|| {
                fs::remove_file(at("link"))
                    .and_then(|()| fs::create_dir(at("link")))
                    .expect("made");
            }),
            ("`directory/new` is unexpected", &|| {
                fs::create_dir(at("directory/new")).expect("made")
            }),
            (
                "`directory` is missing, `directory/new` is missing",
                &|| fs::remove_dir_all(at("directory")).expect("removed"),
            ),
        ];
        for (expected, change) in changes {
            let before = take();
            change();
            assert_eq!(
                before.differences(&take(), Times::Ignored).join(", "),
                expected
            );
        }
    }

    #[test]
    fn the_time_of_a_file_is_compared_only_on_request() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let file = directory.path().join("file");
        fs::write(&file, "one").expect("written");
        let before = TreeSnapshot::of(directory.path()).expect("a readable directory");
        let open = File::options().write(true).open(&file).expect("a file");
        open.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
        let after = TreeSnapshot::of(directory.path()).expect("a readable directory");
        assert!(before.differences(&after, Times::Ignored).is_empty());
        assert_eq!(
            before.differences(&after, Times::Compared),
            ["`file` has a different time"]
        );
    }

    #[test]
    fn the_rollup_directory_is_not_part_of_a_snapshot() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let before = TreeSnapshot::of(directory.path()).expect("a readable directory");
        fs::create_dir(directory.path().join(".rollup")).expect("made");
        assert_eq!(
            before,
            TreeSnapshot::of(directory.path()).expect("a readable directory")
        );
        // Only the beginning of the name is the same: it may be unmanaged.
        fs::create_dir(directory.path().join(".rollup-backup")).expect("made");
        assert_ne!(
            before,
            TreeSnapshot::of(directory.path()).expect("a readable directory")
        );
    }
}
