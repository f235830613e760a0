//! Snapshot of the tree of a whole deployment, for a comparison with another one.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::copy::entries;
use super::{LabError, disk};
use crate::deployment::tree::hash;
use crate::names::{Digest, Escaped};

/// Every entry of a deployment but what rollup keeps in it, by its path; names with their spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture(BTreeMap<PathBuf, Entry>);

/// Properties of an entry that a recovery promises. The times of directories are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    what: What,
    /// Permission bits.
    mode: u32,
    /// User and group.
    owner: (u32, u32),
    /// Time of the last change, of files only.
    modified: Option<(i64, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Directory,
    File(Digest),
    Link(PathBuf),
    /// A FIFO, a socket or a device.
    Other,
}

/// Rule for comparing the times of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Times are compared: the very objects of the state before are restored.
    Compared,
    /// Times are left out: two runs of one plan write their files at different times.
    LeftOut,
}

impl Picture {
    /// Takes a snapshot of a deployment: lists everything, and reads every file.
    ///
    /// # Errors
    ///
    /// Something there cannot be read.
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
            Ok((below, Entry::of(entry.path(), &metadata)?))
        });
        Ok(Self(taken.collect::<Result<_, LabError>>()?))
    }

    /// Returns the number of files and directories in it, the deployment's own directory included.
    pub fn entries(&self) -> usize {
        self.0.len()
    }

    /// Lists everything that is not the same in another snapshot, in words.
    pub fn differences(&self, found: &Self, times: Times) -> Vec<String> {
        let mut differences = Vec::new();
        let others = found.0.keys().filter(|path| !self.0.contains_key(*path));
        for path in self.0.keys().chain(others) {
            let what = match (self.0.get(path), found.0.get(path)) {
                (Some(wanted), Some(found)) => wanted.difference(found, times),
                (Some(_), None) => Some("is gone"),
                (None, _) => Some("is too much"),
            };
            let shown = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            differences.extend(
                what.map(|what| format!("`{}` {what}", Escaped(&shown.display().to_string()))),
            );
        }
        differences
    }
}

impl Entry {
    fn of(path: &Path, metadata: &Metadata) -> Result<Self, LabError> {
        let what = match metadata.file_type() {
            kind if kind.is_dir() => What::Directory,
            kind if kind.is_file() => {
                let read = File::open(path).and_then(hash);
                What::File(read.map_err(disk("read", path))?.sha256)
            }
            kind if kind.is_symlink() => {
                What::Link(fs::read_link(path).map_err(disk("read", path))?)
            }
            _ => What::Other,
        };
        Ok(Self {
            modified: matches!(what, What::File(_))
                .then(|| (metadata.mtime(), metadata.mtime_nsec())),
            what,
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
        })
    }

    fn difference(&self, found: &Self, times: Times) -> Option<&'static str> {
        match (&self.what, &found.what) {
            (What::File(wanted), What::File(found)) if wanted != found => {
                Some("has other contents")
            }
            (What::Link(wanted), What::Link(found)) if wanted != found => Some("points elsewhere"),
            (wanted, found) if std::mem::discriminant(wanted) != std::mem::discriminant(found) => {
                Some("is of another kind")
            }
            _ if self.mode != found.mode => Some("has other permissions"),
            _ if self.owner != found.owner => Some("has another owner"),
            _ if times == Times::Compared && self.modified != found.modified => {
                Some("has another time")
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
    fn every_kind_of_change_is_seen_and_named() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        let take = || Picture::of(directory.path()).expect("a readable directory");
        fs::write(at("file"), "one").expect("written");
        fs::create_dir(at("directory")).expect("made");
        symlink("file", at("link")).expect("linked");
        let rename = |from: &str, to: &str| fs::rename(at(from), at(to)).expect("renamed");
        let changes: [(&str, &dyn Fn()); 8] = [
            ("`file` has other contents", &|| {
                fs::write(at("file"), "two").expect("written")
            }),
            ("`file` has other permissions", &|| {
                fs::set_permissions(at("file"), Permissions::from_mode(0o600)).expect("a mode");
            }),
            ("`file` is gone, `File` is too much", &|| {
                rename("file", "File")
            }),
            ("`directory` has other permissions", &|| {
                fs::set_permissions(at("directory"), Permissions::from_mode(0o700))
                    .expect("a mode");
            }),
            ("`link` points elsewhere", &|| {
                fs::remove_file(at("link"))
                    .and_then(|()| symlink("File", at("link")))
                    .expect("linked");
            }),
            ("`link` is of another kind", &|| {
                fs::remove_file(at("link"))
                    .and_then(|()| fs::create_dir(at("link")))
                    .expect("made");
            }),
            ("`directory/new` is too much", &|| {
                fs::create_dir(at("directory/new")).expect("made")
            }),
            ("`directory` is gone, `directory/new` is gone", &|| {
                fs::remove_dir_all(at("directory")).expect("removed")
            }),
        ];
        for (what, change) in changes {
            let before = take();
            change();
            assert_eq!(before.differences(&take(), Times::LeftOut).join(", "), what);
        }
    }

    #[test]
    fn the_time_of_a_file_counts_only_where_it_is_asked_for() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let file = directory.path().join("file");
        fs::write(&file, "one").expect("written");
        let before = Picture::of(directory.path()).expect("a readable directory");
        let open = File::options()
            .write(true)
            .open(&file)
            .expect("it is there");
        open.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
        let after = Picture::of(directory.path()).expect("a readable directory");
        assert!(before.differences(&after, Times::LeftOut).is_empty());
        assert_eq!(
            before.differences(&after, Times::Compared),
            ["`file` has another time"]
        );
    }

    #[test]
    fn what_rollup_keeps_is_no_part_of_the_deployment() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let before = Picture::of(directory.path()).expect("a readable directory");
        fs::create_dir(directory.path().join(".rollup")).expect("made");
        assert_eq!(
            before,
            Picture::of(directory.path()).expect("a readable directory")
        );
        // Only the name begins the same: it may be unmanaged.
        fs::create_dir(directory.path().join(".rollup-backup")).expect("made");
        assert_ne!(
            before,
            Picture::of(directory.path()).expect("a readable directory")
        );
    }
}
