//! Access to the files that belong beside a package.

use std::fs::OpenOptions;
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::installer::{ReadSeek, SiblingFiles};
use crate::names::{RelPath, same_name};

/// Files in the directory of a package and below it, found without regard to case. Links are not
/// followed.
pub(super) struct BesideOnDisk<'a>(pub(super) &'a Path);

impl SiblingFiles for BesideOnDisk<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let mut at = self
            .0
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        let mut is_file = false;
        for part in path.parts() {
            let Some((found, kind)) = entry(&at, part)? else {
                return Ok(None);
            };
            at = found;
            is_file = kind.is_file();
            if !is_file && !kind.is_dir() {
                return Ok(None);
            }
        }
        if !is_file {
            return Ok(None);
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(at)?;
        Ok(Some(Box::new(BufReader::new(file))))
    }
}

/// Returns the entry of a directory that has a name, without regard to case.
fn entry(directory: &Path, name: &str) -> io::Result<Option<(PathBuf, std::fs::FileType)>> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.file_name();
        if found.to_str().is_some_and(|found| same_name(found, name)) {
            return Ok(Some((entry.path(), entry.file_type()?)));
        }
    }
    Ok(None)
}
