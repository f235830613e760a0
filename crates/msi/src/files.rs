//! Files of a package, from the table `File`: where each is installed, and where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use rollup_names::{CaseFolded, Escaped, RelPath};

use super::InstallerError;
use super::database::{Database, DatabaseRow};
use super::directories::{Directories, MAX_PATH_LENGTH, Side, checked_name, long_name};
use super::features::Component;
use super::summary::SourceKind;

/// Maximum size of all paths of a package together in bytes.
const MAX_PATH_BYTES: usize = 16 << 20;
/// Maximum size of all files together in bytes. A small package can unpack to far more.
const MAX_FILE_BYTES: u64 = 16 << 30;

/// Bit of a row: the file is not in a cabinet.
const NOT_COMPRESSED: i32 = 0x2000;
/// Bit of a row: the file is in a cabinet.
const COMPRESSED: i32 = 0x4000;

/// File of a package, as its tables describe it. Two may have the same path, of which at most one is
/// installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagedFile {
    /// Key of its row.
    pub key: String,
    /// Path below the target directory.
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
    /// Version that the row has; sometimes the key of another file.
    pub version: Option<String>,
    /// Index of its component in [`super::Components::components`].
    pub component: usize,
}

/// Row of the table `File`.
pub(super) struct FileRow {
    pub(super) file: PackagedFile,
    pub(super) sequence: i32,
    pub(super) storage: Storage,
    /// Name as the row has it: `short|long`, or one name for both.
    name: String,
}

/// Statement of a row on where the bytes of the file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Cabinet,
    Source,
    /// The medium decides.
    Unsaid,
}

/// Reader of the rows.
pub(super) struct FileRows<'a> {
    pub(super) components: &'a [Component],
    pub(super) directories: &'a Directories,
    pub(super) source: SourceKind,
}

impl FileRows<'_> {
    /// Reads the rows, sorted by path and then by key. A row that cannot be used is left out, and
    /// its fault becomes the first one unless there is one.
    pub(super) fn read<R: Read + Seek>(
        &self,
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
        first: &mut Option<InstallerError>,
    ) -> Result<Vec<FileRow>, InstallerError> {
        let columns = [
            "File",
            "Component_",
            "FileName",
            "FileSize",
            "?Version",
            "Attributes",
            "Sequence",
        ];
        let table = database.table(compound, "File", columns)?;
        let mut rows = Vec::new();
        let mut keys = BTreeSet::new();
        let (mut path_bytes, mut file_bytes) = (0, 0);
        for row in table.rows() {
            let read = match self.row(&row) {
                Ok(read) => read,
                Err(fault) => {
                    first.get_or_insert(fault);
                    continue;
                }
            };
            if !keys.insert(read.file.key.clone()) {
                let duplicate = format!("`{}` is a duplicate", Escaped(&read.file.key));
                return Err(InstallerError::damaged_table("File", duplicate));
            }
            path_bytes += read.file.path.as_str().len();
            file_bytes += read.file.size;
            if path_bytes > MAX_PATH_BYTES || file_bytes > MAX_FILE_BYTES {
                let what = "a package with so many or so large files";
                return Err(InstallerError::Unsupported(what.to_owned()));
            }
            rows.push(read);
        }
        unify_directories(&mut rows)?;
        rows.sort_by(|a, b| (&a.file.path, &a.file.key).cmp(&(&b.file.path, &b.file.key)));
        Ok(rows)
    }

    fn row<const N: usize>(&self, row: &DatabaseRow<'_, '_, N>) -> Result<FileRow, InstallerError> {
        let (key, component, name) = (row.key(0)?, row.key(1)?, row.key(2)?);
        let component = self
            .components
            .binary_search_by(|known| known.name.cmp(&component))
            .map_err(|_| row.damaged("its component is missing"))?;
        let directory = &self.components[component].directory;
        let target = self.directories.path(directory, Side::Target)?;
        let path = file_path(&target, long_name(&name))?;
        let size = row.number(3)?.and_then(|size| u64::try_from(size).ok());
        let size =
            size.ok_or_else(|| row.damaged("the size of the file is missing or negative"))?;
        let attributes = row.number(5)?.unwrap_or(0);
        let sequence = row.number(6)?;
        let sequence =
            sequence.ok_or_else(|| row.damaged("the sequence of the file is missing"))?;
        Ok(FileRow {
            file: PackagedFile {
                key,
                path,
                size,
                version: row.text(4)?,
                component,
            },
            sequence,
            storage: self.storage(attributes),
            name,
        })
    }

    fn storage(&self, attributes: i32) -> Storage {
        if self.source.is_unpacked || attributes & NOT_COMPRESSED != 0 {
            Storage::Source
        } else if attributes & COMPRESSED != 0 {
            Storage::Cabinet
        } else {
            Storage::Unsaid
        }
    }

    /// Returns the path in the directory of the package of a file that is in no cabinet.
    pub(super) fn source_path(&self, row: &FileRow) -> Result<RelPath, InstallerError> {
        let directory = &self.components[row.file.component].directory;
        let directory = self.directories.path(directory, Side::Source)?;
        file_path(&directory, self.directories.source_name(&row.name))
    }
}

fn file_path(directory: &str, name: &str) -> Result<RelPath, InstallerError> {
    let name = checked_name(name)?;
    let path = if directory.is_empty() {
        name
    } else {
        format!("{directory}/{name}")
    };
    if path.len() > MAX_PATH_LENGTH {
        return Err(InstallerError::unsafe_name(&path, "the path is too long"));
    }
    RelPath::parse(&path).map_err(|fault| InstallerError::unsafe_name(&path, fault.to_string()))
}

/// Gives directories that differ only in case the spelling of the first path, as Windows takes them
/// for one. Refuses a name that is both a file and a directory.
///
/// The rows are sorted, but it is not enough to compare adjacent rows: `a/x` and `A/y` need not be
/// adjacent.
fn unify_directories(rows: &mut [FileRow]) -> Result<(), InstallerError> {
    rows.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    let mut entries = PathEntries::default();
    for row in rows {
        let mut directory = 0;
        let mut spelling = String::new();
        for part in row
            .file
            .path
            .parts()
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .iter()
            .rev()
        {
            let entry = entries.enter(directory, part, false);
            if entry.is_file {
                return Err(file_and_directory(&row.file.path, part));
            }
            directory = entry.number;
            spelling.push_str(&entry.spelling);
            spelling.push('/');
        }
        let name = row.file.path.name();
        if !entries.enter(directory, name, true).is_file {
            return Err(file_and_directory(&row.file.path, name));
        }
        spelling.push_str(name);
        if spelling != row.file.path.as_str() {
            row.file.path = RelPath::parse(&spelling).expect("the parts of a path");
        }
    }
    Ok(())
}

fn file_and_directory(path: &RelPath, name: &str) -> InstallerError {
    let reason = format!("`{}` is both a file and a directory", Escaped(name));
    InstallerError::unsafe_name(path.as_str(), reason)
}

/// Files and directories, each by the number of its directory and its name without regard to case.
#[derive(Default)]
struct PathEntries(BTreeMap<(usize, CaseFolded), PathEntry>);

struct PathEntry {
    number: usize,
    spelling: String,
    is_file: bool,
}

impl PathEntries {
    /// Returns the entry of this name, which is added if it does not exist.
    fn enter(&mut self, directory: usize, name: &str, is_file: bool) -> &PathEntry {
        let number = self.0.len() + 1;
        let key = (directory, CaseFolded::of(name));
        self.0.entry(key).or_insert_with(|| PathEntry {
            number,
            spelling: name.to_owned(),
            is_file,
        })
    }
}
