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
mod features;
mod files;
mod format;
mod identity;
mod layout;
mod media;
mod program;
mod read_limit;
mod set;
mod summary;
#[cfg(test)]
mod tests;
mod unpack;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use rollup_names::RelPath;

pub use build::{BuildError, Recipe, build_package, build_patch, build_program, build_update};
pub use contents::{BesideFile, Contents, SelectionError, Survey, UnpackedFile, contents, survey};
pub use error::InstallerError;
pub use features::{Component, Components, Feature, UnknownFeatureError};
pub use files::PackagedFile;
pub use format::FileFormat;
pub use identity::{Identity, Properties};
pub use program::WindowsProgram;

/// Size of the largest package that Windows Installer accepts, in bytes.
const MAX_PACKAGE_SIZE: u64 = 2 << 30;

/// Package whose tables are read and checked, and whose files are not unpacked yet.
pub struct Installer<R> {
    compound: cfb::CompoundFile<read_limit::LimitedReader<R>>,
    layout: layout::Layout,
}

/// Reader that can seek.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// Access to the files in the directory of the package and below it.
pub trait SiblingFiles {
    /// Opens a file by its path, compared without regard to case; `None` if it does not exist.
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>>;

    /// Returns whether a file exists.
    fn exists(&mut self, path: &RelPath) -> io::Result<bool> {
        Ok(self.open(path)?.is_some())
    }
}

/// Absence of sibling files, for a package that is in memory or inspected alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSiblingFiles;

impl SiblingFiles for NoSiblingFiles {
    fn open(&mut self, _path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        Ok(None)
    }
}

/// Receiver of the files of a package.
pub trait Sink {
    /// Begins one content, of one or more files, and returns the writer for its bytes, which is
    /// flushed at their end.
    ///
    /// `modified` is in seconds since 1970, the cabinet's time read as UTC; `None` if that is not a
    /// date. The written files are valid only if the whole package is unpacked without an error.
    fn file<'a>(
        &'a mut self,
        files: &[&PackagedFile],
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>>;
}

impl<R> fmt::Debug for Installer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installer")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

impl<R: Read + Seek> Installer<R> {
    /// Reads the tables of a package and checks every name in them.
    pub fn open(file: R) -> Result<Self, InstallerError> {
        let mut installer = Self::open_damaged(file)?;
        match installer.layout.fault.take() {
            None => Ok(installer),
            Some(fault) => Err(fault),
        }
    }

    /// Reads the tables of a package as far as they can be read.
    fn open_damaged(mut file: R) -> Result<Self, InstallerError> {
        let length = check_signature(&mut file)?;
        let (file, read_limit) = read_limit::LimitedReader::new(file, length);
        let mut compound = cfb::CompoundFile::open(file)
            .map_err(|error| InstallerError::reading("the compound file", error))?;
        read_limit.remove();
        let format = FileFormat::of_compound(&compound);
        if format != FileFormat::Package {
            return Err(not_a_package(&format));
        }
        let layout = layout::Layout::read(&mut compound)?;
        Ok(Self { compound, layout })
    }

    /// Unpacks every file, installed or not, in the order of the cabinets, in one pass over each.
    pub fn unpack(
        &mut self,
        siblings: &mut dyn SiblingFiles,
        sink: &mut dyn Sink,
    ) -> Result<(), InstallerError> {
        self.unpack_with(siblings, sink, false).map(drop)
    }

    /// Unpacks every file, maybe compares it with its MD5 in the package, and returns peculiarities
    /// that keep nothing from being installed.
    fn unpack_with(
        &mut self,
        siblings: &mut dyn SiblingFiles,
        sink: &mut dyn Sink,
        compares_hashes: bool,
    ) -> Result<Vec<String>, InstallerError> {
        let mut unpacker = unpack::PackageUnpacker {
            layout: &self.layout,
            siblings,
            sink,
            compares_hashes,
            notes: Vec::new(),
        };
        unpacker.unpack(&mut self.compound)?;
        Ok(unpacker.notes)
    }
}

/// Checks that a file begins like a package and is not too large, and returns its length.
fn check_signature<R: Read + Seek>(file: &mut R) -> Result<u64, InstallerError> {
    let system = |source| InstallerError::Io {
        action: "read the package".to_owned(),
        source,
    };
    let format = FileFormat::of_signature(file).map_err(system)?;
    if format != FileFormat::OtherCompound {
        return Err(not_a_package(&format));
    }
    let length = file.seek(SeekFrom::End(0)).map_err(system)?;
    file.seek(SeekFrom::Start(0)).map_err(system)?;
    if length > MAX_PACKAGE_SIZE {
        let what = "a package above 2 GiB".to_owned();
        return Err(InstallerError::Unsupported(what));
    }
    Ok(length)
}

/// Returns the error for a file of another format: those for Windows Installer are not supported.
fn not_a_package(format: &FileFormat) -> InstallerError {
    match format {
        FileFormat::MergeModule | FileFormat::Patch | FileFormat::Transform => {
            InstallerError::Unsupported(format.to_string())
        }
        other => InstallerError::NotAPackage(format!("it is {other}")),
    }
}
