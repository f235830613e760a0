//! Directory with the files of a rollup, as unpacked from the vendor's download.
//!
//! The files are matched with the file table regardless of case, read once each, hashed on all
//! cores, and opened if they are installers. Of the directories below, only those are read that the
//! file table names.

mod compare;
mod directories;
mod listing;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rayon::prelude::*;

use crate::deployment::tree::{DiskError, FileFacts, FileKind, FoundEntry, Tree, hash};
use crate::installer::{self, Contents, FileFormat, InstallerError, ReadSeek, SiblingFiles};
use crate::manifest::{FileTable, PayloadFile};
use crate::names::{CaseFolded, PayloadPath, RelPath, Version};
use crate::phase::Phase;

pub use compare::{PayloadDifference, compare, not_utf8};
pub use listing::PayloadNames;

use directories::Directories;

/// Payload directory that was opened and listed.
pub struct Payload {
    tree: Tree,
    directories: Directories,
}

/// Facts about the files of a payload.
#[derive(Debug, Clone, Default)]
pub struct PayloadFacts {
    /// Files of the table that exist, by case-folded name.
    pub files: BTreeMap<CaseFolded, PayloadFact>,
    /// Entries without a row in the table, in the spelling on disk: of the payload directory and of
    /// those that the table names.
    pub extra: Vec<String>,
    /// Pairs of entries there that differ only in case.
    pub clashes: Vec<(String, String)>,
    /// Entries there whose names are not UTF-8, escaped.
    pub unreadable: Vec<String>,
}

/// One file of a payload.
#[derive(Debug, Clone)]
pub struct PayloadFact {
    /// Path in the payload, in the spelling on disk.
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
    /// Opens a payload directory.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let tree = Tree::open(path)?;
        let directories = Directories::of(&tree)?;
        Ok(Self { tree, directories })
    }

    /// Returns the payload directory.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the path of a file in the directory, found regardless of case; `None` if it does not
    /// exist.
    ///
    /// # Errors
    ///
    /// A parent directory that is not a directory, or that cannot be read.
    pub fn path_of(&self, name: &PayloadPath) -> Result<Option<RelPath>, DiskError> {
        let found = self.directories.find(&self.tree, name.as_rel_path())?;
        Ok(found.map(|found| found.path))
    }

    /// Reads every file of the table that exists.
    pub fn facts(&self, table: &FileTable<'_>) -> PayloadFacts {
        self.facts_in(table, &Phase::hidden())
    }

    /// Reads every file of the table that exists, as a part of a phase.
    pub fn facts_in(&self, table: &FileTable<'_>, phase: &Phase) -> PayloadFacts {
        let mut facts = PayloadFacts::default();
        let mut wanted: BTreeMap<CaseFolded, FoundEntry> = BTreeMap::new();
        let mut named: BTreeMap<CaseFolded, RelPath> = BTreeMap::new();
        for PayloadFile { name, .. } in table.rows.iter() {
            for directory in name.directories() {
                named.insert(directory.case_folded(), directory);
            }
            let case_folded = name.case_folded();
            match self.directories.find(&self.tree, name.as_rel_path()) {
                Ok(Some(found)) => drop(wanted.insert(case_folded, found)),
                Ok(None) => {}
                Err(error) => {
                    let fact = PayloadFact::unusable(name.to_string(), error.source.to_string());
                    facts.files.insert(case_folded, fact);
                }
            }
        }
        self.list_rest(&named, &wanted, &mut facts);
        let mut wanted: Vec<_> = wanted
            .into_iter()
            .map(|(name, found)| (self.size(&found), name, found))
            .collect();
        phase.expect(wanted.iter().map(|(size, ..)| size).sum());
        // The largest files come first, so that none is left to one core at the end.
        wanted.sort_by_key(|(size, ..)| Reverse(*size));
        let read =
            |(_, name, found): (u64, CaseFolded, FoundEntry)| (name, self.fact(&found, phase));
        facts
            .files
            .par_extend(wanted.into_iter().par_bridge().map(read));
        facts
    }

    /// Returns the size of a file. One whose metadata cannot be read is reported when it is read.
    fn size(&self, found: &FoundEntry) -> u64 {
        let metadata = self.tree.metadata(&found.path).ok().flatten();
        metadata.map_or(0, |metadata| metadata.size)
    }

    /// Lists what else is in the payload directory and in the directories that the table names.
    fn list_rest(
        &self,
        named: &BTreeMap<CaseFolded, RelPath>,
        wanted: &BTreeMap<CaseFolded, FoundEntry>,
        facts: &mut PayloadFacts,
    ) {
        for directory in std::iter::once(None).chain(named.values().map(Some)) {
            // One that cannot be read is a fact of each file in it.
            let Ok(Some(listing)) = self.directories.listing(&self.tree, directory) else {
                continue;
            };
            for (case_folded, found) in &listing.entries {
                if !wanted.contains_key(case_folded) && !named.contains_key(case_folded) {
                    facts.extra.push(found.path.to_string());
                }
            }
            let clashes = listing.clashes.iter();
            facts
                .clashes
                .extend(clashes.map(|(a, b)| (a.to_string(), b.to_string())));
            facts.unreadable.extend(listing.unreadable.iter().cloned());
        }
    }

    /// Reads one file. A file that cannot be read is a fact, too, and not an error.
    fn fact(&self, found: &FoundEntry, phase: &Phase) -> PayloadFact {
        let name = found.path.to_string();
        let read = match found.kind {
            FileKind::File => self
                .read(found, phase)
                .map_err(|error| error.source.to_string()),
            kind => Err(format!("it is {}, not a file", kind.with_article())),
        };
        match read {
            Ok((facts, modified, package)) => PayloadFact {
                name,
                facts: Ok(facts),
                modified,
                package,
            },
            Err(why) => PayloadFact::unusable(name, why),
        }
    }

    fn read(
        &self,
        found: &FoundEntry,
        phase: &Phase,
    ) -> Result<(FileFacts, i64, Result<Contents, PackageError>), DiskError> {
        let mut file = self.tree.file(&found.path)?;
        let fail = |source| DiskError::new("read", self.tree.shown(Some(&found.path)), source);
        let metadata = file.metadata().map_err(fail)?;
        let modified = metadata.mtime();
        phase.at_file(found.path.name(), metadata.size());
        let facts = hash(&mut file, phase).map_err(fail)?;
        file.rewind().map_err(fail)?;
        let mut reader = BufReader::new(file);
        let mut beside = BesideInPayload {
            payload: self,
            directory: found.path.parent(),
        };
        let package = match installer::contents(&mut reader, &mut beside) {
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

impl PayloadFact {
    /// Returns the fact of a file that cannot be read.
    fn unusable(name: String, why: String) -> Self {
        let package = Err(PackageError {
            is_package: false,
            why: why.clone(),
            format: None,
        });
        Self {
            name,
            facts: Err(why),
            modified: 0,
            package,
        }
    }
}

/// Files beside a package of the payload.
struct BesideInPayload<'a> {
    payload: &'a Payload,
    /// Directory of the package; `None` for the payload directory.
    directory: Option<RelPath>,
}

impl SiblingFiles for BesideInPayload<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let Payload { tree, directories } = self.payload;
        let path = match &self.directory {
            Some(directory) => directory.with(path),
            None => path.clone(),
        };
        match directories
            .find(tree, &path)
            .map_err(|error| error.source)?
        {
            None => Ok(None),
            Some(found) => {
                let file = tree.file(&found.path).map_err(|error| error.source)?;
                Ok(Some(Box::new(BufReader::new(file))))
            }
        }
    }
}
