//! Reading of installer packages, and building of those of a rehearsal.
//!
//! A plan must know which files an installer would install before anything changes, and a run
//! installs exactly those, so packages are read here and never executed. A package is a compound
//! file with the tables of a database and, inside it or beside it, cabinets with the files. It
//! comes from a third party: every name in it is checked before it becomes a path, every count and
//! length has a limit before it is trusted, and memory stays small whatever the package claims.

mod blocks;
mod build;
mod cabinet;
mod code_page;
mod contents;
mod database;
mod directories;
mod error;
mod layout;
mod read_limit;
#[cfg(test)]
mod tests;
mod unpack;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rollup_names::{FileName, RelPath, Version};

pub use build::{BuildError, Recipe, build_package, build_program};
pub use contents::{Contents, ExternalCabinet, UnpackedFile, contents};
pub use error::InstallerError;

/// Size of the largest package that Windows Installer accepts, in bytes.
const MAX_PACKAGE_SIZE: u64 = 2 << 30;

/// Package whose tables are read and checked, and whose files are not unpacked yet.
pub struct Installer<R> {
    compound: cfb::CompoundFile<read_limit::LimitedReader<R>>,
    code_page: code_page::CodePage,
    layout: layout::Layout,
    external_cabinets: Vec<FileName>,
}

/// Identity of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Name of the product: never empty, otherwise any text that the vendor chose.
    pub product: String,
    pub version: Version,
    /// GUID of this version of the product, in braces.
    pub product_code: String,
    /// GUID that all versions of the product share, in braces.
    pub upgrade_code: Option<String>,
    pub manufacturer: Option<String>,
}

/// File that a package installs, as its tables describe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagedFile {
    /// Path below the target directory.
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
}

/// Reader that can seek.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// Access to the files in the directory of the package.
pub trait SiblingFiles {
    /// Opens a file by its name, compared without regard to case; `None` if it does not exist.
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>>;
}

/// Absence of sibling files, for a package that is in memory or inspected alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSiblingFiles;

impl SiblingFiles for NoSiblingFiles {
    fn open(&mut self, _name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        Ok(None)
    }
}

/// Use of the MD5 hashes that a package may have for its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHashes {
    /// Compares every file with its hash.
    Compare,
    /// Ignores the hashes: the same package, identified by its own hash, was compared before.
    Ignore,
}

/// Receiver of the files of a package.
pub trait Sink {
    /// Begins a file, and returns the writer for its bytes, which is flushed at their end.
    ///
    /// `modified` is in seconds since 1970, the cabinet's time read as UTC; `None` if that is not a
    /// date. The written files are valid only if the whole package is unpacked without an error: a
    /// wrong hash is found at the end of a file.
    fn file<'a>(
        &'a mut self,
        file: &PackagedFile,
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>>;
}

impl<R> fmt::Debug for Installer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installer")
            .field("identity", &self.layout.identity)
            .finish_non_exhaustive()
    }
}

impl<R: Read + Seek> Installer<R> {
    /// Reads the tables of a package and checks every name in them.
    pub fn open(mut file: R) -> Result<Self, InstallerError> {
        let length = check_signature(&mut file)?;
        let (file, read_limit) = read_limit::LimitedReader::new(file, length);
        let mut compound = cfb::CompoundFile::open(file)
            .map_err(|error| InstallerError::reading("the compound file", error))?;
        read_limit.remove();
        check_package_kind(&compound)?;
        let (layout, code_page) = layout::Layout::read(&mut compound)?;
        let external_cabinets = layout.external_cabinets();
        Ok(Self {
            compound,
            code_page,
            layout,
            external_cabinets,
        })
    }

    /// Returns the identity of the package.
    pub fn identity(&self) -> &Identity {
        &self.layout.identity
    }

    /// Returns the files that the package installs, sorted by the bytes of their paths.
    pub fn files(&self) -> &[PackagedFile] {
        &self.layout.files
    }

    /// Returns the cabinets that must be in the directory of the package.
    pub fn external_cabinets(&self) -> &[FileName] {
        &self.external_cabinets
    }

    /// Unpacks every file, in the order of the cabinets, in one pass over each.
    pub fn unpack(
        &mut self,
        siblings: &mut dyn SiblingFiles,
        sink: &mut dyn Sink,
        file_hashes: FileHashes,
    ) -> Result<(), InstallerError> {
        for cabinet in &self.layout.cabinets {
            let unpacker = unpack::CabinetUnpacker {
                code_page: self.code_page,
                cabinet,
                files: &self.layout.files,
                file_hashes,
            };
            unpacker.unpack(&mut self.compound, siblings, sink)?;
        }
        Ok(())
    }
}

/// Checks that a file begins like a compound file and is not too large, and returns its length.
fn check_signature<R: Read + Seek>(file: &mut R) -> Result<u64, InstallerError> {
    const COMPOUND_FILE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    let system = |source| InstallerError::Io {
        action: "read the package".to_owned(),
        source,
    };
    let length = file.seek(SeekFrom::End(0)).map_err(system)?;
    file.seek(SeekFrom::Start(0)).map_err(system)?;
    let mut start = Vec::new();
    file.take(8).read_to_end(&mut start).map_err(system)?;
    file.seek(SeekFrom::Start(0)).map_err(system)?;
    if start != COMPOUND_FILE {
        return Err(InstallerError::NotAPackage("it is not a compound file"));
    }
    match length {
        ..=MAX_PACKAGE_SIZE => Ok(length),
        _ => Err(InstallerError::Unsupported(
            "a package above 2 GiB".to_owned(),
        )),
    }
}

/// Checks that the compound file has the class id of an installer package.
fn check_package_kind<R>(compound: &cfb::CompoundFile<R>) -> Result<(), InstallerError> {
    const PACKAGE: u128 = 0x000c1084_0000_0000_c000_000000000046;
    const TRANSFORM: u128 = 0x000c1082_0000_0000_c000_000000000046;
    const PATCH: u128 = 0x000c1086_0000_0000_c000_000000000046;
    let unsupported = |kind: &str| Err(InstallerError::Unsupported(kind.to_owned()));
    match compound.root_entry().clsid().as_u128() {
        PACKAGE => Ok(()),
        TRANSFORM => unsupported("a transform, which only changes another package,"),
        PATCH => unsupported("a patch, which only changes what another package installed,"),
        _ => Err(InstallerError::NotAPackage(
            "it is a compound file of another type",
        )),
    }
}
