//! Everything that a package installs, with hashes, as a plan needs it.

use std::io::{self, Read, Seek, SeekFrom, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    FileHashes, Identity, Installer, InstallerError, PackagedFile, ReadSeek, SiblingFiles, Sink,
};
use rollup_names::{Digest, FileName, Hasher, RelPath};

/// Everything that a package installs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contents {
    pub identity: Identity,
    /// Files, sorted by the bytes of their paths.
    pub files: Vec<UnpackedFile>,
    /// Cabinets that must be in the directory of the package, in its order.
    pub external_cabinets: Vec<ExternalCabinet>,
}

/// File that a package installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnpackedFile {
    /// Path below the target directory.
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
    pub sha256: Digest,
    /// Seconds since 1970, the cabinet's time read as UTC; `None` if that is not a date.
    pub modified: Option<i64>,
}

/// Cabinet that belongs to a package and is a file of its own in the same directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalCabinet {
    /// Name as the package spells it.
    pub name: FileName,
    /// Size in bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// Reads a package, and hashes every file that it installs.
pub fn contents<R: Read + Seek>(
    file: R,
    siblings: &mut dyn SiblingFiles,
) -> Result<Contents, InstallerError> {
    let mut installer = Installer::open(file)?;
    let mut sink = HashingSink::default();
    let mut hashing_siblings = HashingSiblings {
        siblings,
        opened: Vec::new(),
    };
    installer.unpack(&mut hashing_siblings, &mut sink, FileHashes::Compare)?;
    let external_cabinets = hashing_siblings.opened;
    let mut files = sink.finish();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Contents {
        identity: installer.identity().clone(),
        files,
        external_cabinets,
    })
}

/// Sink that keeps only the hashes of the files.
#[derive(Default)]
struct HashingSink {
    files: Vec<UnpackedFile>,
    current: Option<(PackagedFile, Option<i64>, Hasher)>,
}

impl HashingSink {
    fn finish(mut self) -> Vec<UnpackedFile> {
        self.complete();
        self.files
    }

    /// Completes the current file, when the next one begins or none is left.
    fn complete(&mut self) {
        if let Some((PackagedFile { path, size }, modified, hasher)) = self.current.take() {
            self.files.push(UnpackedFile {
                path,
                size,
                sha256: hasher.finish(),
                modified,
            });
        }
    }
}

impl Sink for HashingSink {
    fn file<'a>(
        &'a mut self,
        file: &PackagedFile,
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        self.complete();
        let (_, _, hasher) = self.current.insert((file.clone(), modified, Hasher::new()));
        Ok(Box::new(HashWriter(hasher)))
    }
}

struct HashWriter<'a>(&'a mut Hasher);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Access to the sibling files that hashes each one before it is read.
struct HashingSiblings<'a> {
    siblings: &'a mut dyn SiblingFiles,
    opened: Vec<ExternalCabinet>,
}

impl SiblingFiles for HashingSiblings<'_> {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let Some(mut file) = self.siblings.open(name)? else {
            return Ok(None);
        };
        let mut hasher = Hasher::new();
        let size = io::copy(&mut file, &mut HashWriter(&mut hasher))?;
        self.opened.push(ExternalCabinet {
            name: name.clone(),
            size,
            sha256: hasher.finish(),
        });
        file.seek(SeekFrom::Start(0))?;
        Ok(Some(file))
    }
}
