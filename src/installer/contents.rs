//! Everything that a package installs, with hashes: the facts that a plan needs about it.

use std::io::{self, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

use super::{
    Beside, FileHashes, Identity, Installer, InstallerError, PackagedFile, ReadSeek, Sink,
};
use crate::names::{Digest, FileName, Hasher, RelPath};

/// Everything that a package installs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// Identity of the package.
    pub identity: Identity,
    /// Its files, sorted by the bytes of their paths.
    pub files: Vec<UnpackedFile>,
    /// The cabinets that must be beside it, in the package's order.
    pub external_cabinets: Vec<ExternalCabinet>,
}

/// One file that a package installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpackedFile {
    /// Path below the target directory.
    pub path: RelPath,
    /// Its size in bytes.
    pub size: u64,
    /// The hash of its bytes.
    pub sha256: Digest,
    /// Seconds since 1970, the cabinet's time read as UTC; `None` if that is not a date.
    pub modified: Option<i64>,
}

/// One cabinet that is beside a package and belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalCabinet {
    /// Its name as the package spells it.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// The hash of its bytes.
    pub sha256: Digest,
}

/// Reads a package and unpacks it into hashes.
pub fn contents<R: Read + Seek>(
    file: R,
    beside: &mut dyn Beside,
) -> Result<Contents, InstallerError> {
    let mut installer = Installer::open(file)?;
    let mut hashing = Hashing::default();
    let mut witness = Witness {
        beside,
        seen: Vec::new(),
    };
    installer.unpack(&mut witness, &mut hashing, FileHashes::Compare)?;
    let external_cabinets = witness.seen;
    let mut files = hashing.finish();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Contents {
        identity: installer.identity().clone(),
        files,
        external_cabinets,
    })
}

/// A sink that keeps hashes only.
#[derive(Default)]
struct Hashing {
    done: Vec<UnpackedFile>,
    current: Option<(PackagedFile, Option<i64>, Hasher)>,
}

impl Hashing {
    fn finish(mut self) -> Vec<UnpackedFile> {
        self.complete();
        self.done
    }

    /// Completes the current file, once the next one begins.
    fn complete(&mut self) {
        if let Some((PackagedFile { path, size }, modified, hasher)) = self.current.take() {
            self.done.push(UnpackedFile {
                path,
                size,
                sha256: hasher.finish(),
                modified,
            });
        }
    }
}

impl Sink for Hashing {
    fn file<'a>(
        &'a mut self,
        file: &PackagedFile,
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        self.complete();
        let (_, _, hasher) = self.current.insert((file.clone(), modified, Hasher::new()));
        Ok(Box::new(Hashed(hasher)))
    }
}

struct Hashed<'a>(&'a mut Hasher);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Access to the cabinets beside the package that hashes each one before it is read.
struct Witness<'a> {
    beside: &'a mut dyn Beside,
    seen: Vec<ExternalCabinet>,
}

impl Beside for Witness<'_> {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let Some(mut file) = self.beside.open(name)? else {
            return Ok(None);
        };
        let mut hasher = Hasher::new();
        let size = io::copy(&mut file, &mut Hashed(&mut hasher))?;
        self.seen.push(ExternalCabinet {
            name: name.clone(),
            size,
            sha256: hasher.finish(),
        });
        file.seek(SeekFrom::Start(0))?;
        Ok(Some(file))
    }
}
