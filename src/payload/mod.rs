//! Directory with the files of a rollup, as unpacked from the vendor's download.
//!
//! The files are matched with the file table regardless of case, read once each, hashed on all
//! cores, and opened if they are installers.

mod compare;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rayon::prelude::*;

use crate::deployment::tree::{DiskError, FileFacts, FileKind, FoundEntry, Tree, hash};
use crate::installer::{self, Contents, FileFormat, InstallerError, ReadSeek, SiblingFiles};
use crate::manifest::FileTable;
use crate::names::{CaseFolded, FileName, RelPath, Version};

pub use compare::{PayloadDifference, compare};

/// Payload directory that was opened and listed.
pub struct Payload {
    tree: Tree,
    files: BTreeMap<CaseFolded, FoundEntry>,
    clashes: Vec<(RelPath, RelPath)>,
}

/// Facts about the files of a payload.
#[derive(Debug, Clone, Default)]
pub struct PayloadFacts {
    /// Files of the table that exist, by case-folded name.
    pub files: BTreeMap<CaseFolded, PayloadFact>,
    /// Entries without a row in the table, in the spelling on disk.
    pub extra: Vec<String>,
    /// Pairs of entries that differ only in case.
    pub clashes: Vec<(String, String)>,
}

/// One file of a payload.
#[derive(Debug, Clone)]
pub struct PayloadFact {
    /// Name in the spelling on disk.
    pub name: String,
    /// Size and hash, or the reason why it cannot be read as a file.
    pub facts: Result<FileFacts, String>,
    /// Time of the last change, in seconds since 1970.
    pub modified: i64,
    /// Contents of the installer, or the reason why nothing can be installed from the file.
    pub package: Result<Contents, PackageError>,
}

/// Reason why nothing can be installed from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageError {
    /// True for an installer, which is damaged, unsafe or of an unsupported kind.
    pub is_package: bool,
    /// Reason as text.
    pub why: String,
    /// Format of the file; none if it cannot be read.
    pub format: Option<FileFormat>,
}

impl PackageError {
    /// Returns advice that fits the format of the file.
    pub fn help(&self) -> &'static str {
        let format = self.format.as_ref();
        format.map_or("replace it by the file", FileFormat::help)
    }
}

impl PayloadFact {
    /// Returns the version in the resources of a program, if it consists of numbers.
    pub fn program_version(&self) -> Option<Version> {
        let Some(FileFormat::WindowsProgram(program)) = &self.package.as_ref().err()?.format else {
            return None;
        };
        let version = program.version.as_deref()?.split_whitespace().next()?;
        version.parse().ok()
    }
}

impl Payload {
    /// Opens a payload directory. Its files must not be in subdirectories.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let tree = Tree::open(path)?;
        let mut files: BTreeMap<CaseFolded, FoundEntry> = BTreeMap::new();
        let mut clashes = Vec::new();
        for (name, kind) in tree.top()? {
            let Ok(path) = RelPath::parse(&name) else {
                continue;
            };
            match files.get(&path.case_folded()) {
                Some(first) => clashes.push((first.path.clone(), path)),
                None => {
                    files.insert(path.case_folded(), FoundEntry { path, kind });
                }
            }
        }
        Ok(Self {
            tree,
            files,
            clashes,
        })
    }

    /// Returns the payload directory.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the path of a file in the directory, found regardless of case.
    pub fn path_of(&self, name: &FileName) -> Option<&RelPath> {
        self.files.get(&name.case_folded()).map(|found| &found.path)
    }

    /// Reads every file of the table that exists.
    pub fn facts(&self, table: &FileTable<'_>) -> PayloadFacts {
        let rows: BTreeSet<CaseFolded> = table
            .rows
            .iter()
            .map(|row| row.name.case_folded())
            .collect();
        let mut wanted: Vec<_> = self
            .files
            .iter()
            .filter(|(name, _)| rows.contains(name))
            .collect();
        // The largest files come first, so that none is left to one core at the end. One whose
        // metadata cannot be read is reported when it is read.
        let size = |found: &FoundEntry| {
            self.tree
                .metadata(&found.path)
                .ok()
                .flatten()
                .map_or(0, |metadata| metadata.size)
        };
        wanted.sort_by_cached_key(|(_, found)| Reverse(size(found)));
        let read = |(name, found): (&CaseFolded, &FoundEntry)| (name.clone(), self.fact(found));
        let files = wanted.into_iter().par_bridge().map(read).collect();
        let extra = self.files.iter().filter(|(name, _)| !rows.contains(name));
        let both = |(a, b): &(RelPath, RelPath)| (a.to_string(), b.to_string());
        PayloadFacts {
            files,
            extra: extra.map(|(_, found)| found.path.to_string()).collect(),
            clashes: self.clashes.iter().map(both).collect(),
        }
    }

    /// Reads one file. A file that cannot be read is a fact, too, and not an error.
    fn fact(&self, found: &FoundEntry) -> PayloadFact {
        let name = found.path.to_string();
        let read = match found.kind {
            FileKind::File => self.read(found).map_err(|error| error.source.to_string()),
            kind => Err(format!("it is {}, not a file", kind.with_article())),
        };
        match read {
            Ok((facts, modified, package)) => PayloadFact {
                name,
                facts: Ok(facts),
                modified,
                package,
            },
            Err(why) => {
                let package = Err(PackageError {
                    is_package: false,
                    why: why.clone(),
                    format: None,
                });
                PayloadFact {
                    name,
                    facts: Err(why),
                    modified: 0,
                    package,
                }
            }
        }
    }

    fn read(
        &self,
        found: &FoundEntry,
    ) -> Result<(FileFacts, i64, Result<Contents, PackageError>), DiskError> {
        let mut file = self.tree.file(&found.path)?;
        let fail = |source| DiskError::new("read", self.tree.shown(Some(&found.path)), source);
        let modified = file.metadata().map_err(fail)?.mtime();
        let facts = hash(&mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        let mut reader = BufReader::new(file);
        let package = match installer::contents(&mut reader, &mut BesideInPayload(self)) {
            Ok(contents) => Ok(contents),
            Err(error) => {
                let is_package = !matches!(error, InstallerError::NotAPackage(_));
                let why = match error {
                    InstallerError::NotAPackage(why) => why,
                    other => other.to_string(),
                };
                let format = Some(FileFormat::of(&mut reader).map_err(fail)?);
                Err(PackageError {
                    is_package,
                    why,
                    format,
                })
            }
        };
        Ok((facts, modified, package))
    }
}

/// Files beside a package of the payload.
struct BesideInPayload<'a>(&'a Payload);

impl SiblingFiles for BesideInPayload<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        match self.0.files.get(&path.case_folded()) {
            None => Ok(None),
            Some(found) => {
                let file = self
                    .0
                    .tree
                    .file(&found.path)
                    .map_err(|error| error.source)?;
                Ok(Some(Box::new(BufReader::new(file))))
            }
        }
    }
}
