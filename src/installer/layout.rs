//! Facts in the tables: the identity of the package, the files it brings, and the places of their
//! bytes.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::code_page::CodePage;
use super::database::{Database, Kind, encoded};
use super::directories::{Directories, LONGEST_PATH, checked, long};
use super::{Identity, InstallerError, PackagedFile};
use crate::names::{CaseFolded, Escaped, FileName, RelPath};

/// The tables that are read; others are of no concern.
const TABLES: [&str; 7] = [
    "Property",
    "Directory",
    "Component",
    "File",
    "Media",
    "MsiFileHash",
    "ModuleSignature",
];
/// The most bytes of all paths of a package together.
const MOST_PATH_BYTES: usize = 16 << 20;
/// The most bytes of all files together: a small package can claim, and unpack to, far too many.
const MOST_FILE_BYTES: u64 = 16 << 30;

/// A package's tables, checked.
pub(super) struct Layout {
    pub(super) identity: Identity,
    /// Sorted by path.
    pub(super) files: Vec<PackagedFile>,
    /// In the order of the table of media.
    pub(super) cabinets: Vec<Cabinet>,
}

/// A cabinet, and the files that the package takes from it.
pub(super) struct Cabinet {
    pub(super) source: Source,
    pub(super) wanted: BTreeMap<String, Wanted>,
}

/// Location of a cabinet.
pub(super) enum Source {
    /// In a stream of the package; its name as shown, and as stored.
    Embedded { name: String, stream: String },
    /// In a file beside the package.
    Beside(FileName),
}

/// One file of a cabinet that the package installs.
pub(super) struct Wanted {
    /// Index in [`Layout::files`].
    pub(super) file: usize,
    /// MD5 of the file, if the package has one.
    pub(super) md5: Option<[u8; 16]>,
}

impl Layout {
    /// Reads the tables, and returns the code page of the package's texts too.
    pub(super) fn read<R: Read + Seek>(
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<(Self, CodePage), InstallerError> {
        let database = Database::open(compound, &TABLES)?;
        let identity = identity(&database, compound)?;
        let mut rows = file_rows(&database, compound)?;
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        check_paths(&rows)?;
        let mut hashes = hashes(&database, compound)?;
        let mut cabinets = Cabinets::read(&database, compound)?;
        let mut files = Vec::with_capacity(rows.len());
        for (file, row) in rows.into_iter().enumerate() {
            let md5 = hashes.remove(&row.key);
            cabinets.take(row.sequence, row.key, Wanted { file, md5 }, &row.path)?;
            files.push(PackagedFile {
                path: row.path,
                size: row.size,
            });
        }
        let layout = Self {
            identity,
            files,
            cabinets: cabinets.in_use(),
        };
        Ok((layout, database.code_page()))
    }

    pub(super) fn external_cabinets(&self) -> Vec<FileName> {
        let beside = |cabinet: &Cabinet| match &cabinet.source {
            Source::Beside(name) => Some(name.clone()),
            Source::Embedded { .. } => None,
        };
        self.cabinets.iter().filter_map(beside).collect()
    }
}

fn identity<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<Identity, InstallerError> {
    const TABLE: &str = "Property";
    let table = database.table(compound, TABLE, ["Property", "Value"])?;
    let mut found = BTreeMap::new();
    for row in table.rows() {
        let name = row.key(0)?;
        let known = [
            "ProductName",
            "ProductVersion",
            "ProductCode",
            "UpgradeCode",
            "Manufacturer",
        ];
        if known.contains(&name.as_str())
            && let Some(value) = row.text(1)?
        {
            found.insert(name, value);
        }
    }
    if database.has_table("ModuleSignature") && !found.contains_key("ProductCode") {
        return Err(InstallerError::Unsupported(
            "a merge module, which is part of other packages,".to_owned(),
        ));
    }
    let mut take = |name: &str| found.remove(name).filter(|value| !value.trim().is_empty());
    let (upgrade_code, manufacturer) = (take("UpgradeCode"), take("Manufacturer"));
    let mut required = |name: &str| {
        take(name)
            .ok_or_else(|| InstallerError::table(TABLE, format!("it does not tell the `{name}`")))
    };
    let (product, version, product_code) = (
        required("ProductName")?,
        required("ProductVersion")?,
        required("ProductCode")?,
    );
    let version = version.parse().map_err(|error| {
        InstallerError::table(
            TABLE,
            format!("its `ProductVersion`: {}", Escaped(&format!("{error}"))),
        )
    })?;
    for code in upgrade_code.iter().chain([&product_code]) {
        check_guid(code).ok_or_else(|| {
            InstallerError::table(TABLE, format!("`{}` is no GUID", Escaped(code)))
        })?;
    }
    Ok(Identity {
        product,
        version,
        product_code,
        upgrade_code,
        manufacturer,
    })
}

fn check_guid(code: &str) -> Option<()> {
    let inner = code.strip_prefix('{')?.strip_suffix('}')?;
    (inner.len() == 36 && uuid::Uuid::try_parse(inner).is_ok()).then_some(())
}

/// A row of the table of files, with the path its component gives it.
struct FileRow {
    key: String,
    path: RelPath,
    size: u64,
    sequence: i32,
}

fn file_rows<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<Vec<FileRow>, InstallerError> {
    let components = components(database, compound)?;
    let directories = Directories::read(database, compound)?;
    let columns = [
        "File",
        "Component_",
        "FileName",
        "FileSize",
        "Attributes",
        "Sequence",
    ];
    let table = database.table(compound, "File", columns)?;
    let mut rows = Vec::new();
    let (mut path_bytes, mut file_bytes) = (0, 0);
    for row in table.rows() {
        let (key, component, name) = (row.key(0)?, row.key(1)?, row.key(2)?);
        let directory = components
            .get(&component)
            .ok_or_else(|| row.damaged("its component is missing"))?;
        let path = below(&directories.path(directory)?, long(&name))?;
        let size = row.number(3)?.and_then(|size| u64::try_from(size).ok());
        let size =
            size.ok_or_else(|| row.damaged("the size of the file is missing or below zero"))?;
        const NOT_COMPRESSED: i32 = 0x2000;
        if row.number(4)?.unwrap_or(0) & NOT_COMPRESSED != 0 {
            return Err(outside(&path));
        }
        let sequence = row
            .number(5)?
            .ok_or_else(|| row.damaged("the sequence of the file is missing"))?;
        (path_bytes, file_bytes) = (path_bytes + path.as_str().len(), file_bytes + size);
        if path_bytes > MOST_PATH_BYTES || file_bytes > MOST_FILE_BYTES {
            return Err(InstallerError::Unsupported(
                "a package with so many files".to_owned(),
            ));
        }
        rows.push(FileRow {
            key,
            path,
            size,
            sequence,
        });
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    match rows
        .windows(2)
        .find(|pair| matches!(pair, [a, b] if a.key == b.key))
    {
        Some([twice, _]) => Err(InstallerError::table(
            "File",
            format!("`{}` is there twice", Escaped(&twice.key)),
        )),
        _ => Ok(rows),
    }
}

fn outside(path: &RelPath) -> InstallerError {
    InstallerError::Unsupported(format!(
        "a file that is in no cabinet (`{}`)",
        Escaped(path.as_str())
    ))
}

fn below(directory: &str, name: &str) -> Result<RelPath, InstallerError> {
    let name = checked(name)?;
    let path = if directory.is_empty() {
        name
    } else {
        format!("{directory}/{name}")
    };
    if path.len() > LONGEST_PATH {
        return Err(InstallerError::refused(&path, "the path is too long"));
    }
    RelPath::parse(&path).map_err(|fault| InstallerError::refused(&path, fault.to_string()))
}

/// Returns the directory of each component.
fn components<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<BTreeMap<String, String>, InstallerError> {
    let table = database.table(compound, "Component", ["Component", "Directory_"])?;
    let mut components = BTreeMap::new();
    for row in table.rows() {
        if components.insert(row.key(0)?, row.key(1)?).is_some() {
            return Err(row.damaged("the component is there twice"));
        }
    }
    Ok(components)
}

/// Refuses two names in one directory that are equal, or equal but for case.
///
/// The rows are sorted, but comparing neighbours is not enough: `a/x` and `A/y` need not be
/// neighbours.
fn check_paths(rows: &[FileRow]) -> Result<(), InstallerError> {
    struct Entry<'a> {
        number: usize,
        spelling: &'a str,
        file: bool,
    }
    let mut entries: BTreeMap<(usize, CaseFolded), Entry<'_>> = BTreeMap::new();
    for row in rows {
        let mut directory = 0;
        let last = row.path.parts().count() - 1;
        for (depth, part) in row.path.parts().enumerate() {
            let number = entries.len() + 1;
            let file = depth == last;
            let refuse = |why: String| Err(InstallerError::refused(row.path.as_str(), why));
            let Some(other) = entries.get(&(directory, CaseFolded::of(part))) else {
                entries.insert(
                    (directory, CaseFolded::of(part)),
                    Entry {
                        number,
                        spelling: part,
                        file,
                    },
                );
                directory = number;
                continue;
            };
            match (other.spelling == part, other.file, file) {
                (true, false, false) => directory = other.number,
                (true, true, true) => {
                    return refuse("two files of the package have this path".to_owned());
                }
                (true, ..) => {
                    return refuse(format!(
                        "`{}` is both a file and a directory",
                        Escaped(part)
                    ));
                }
                (false, ..) => {
                    let (one, two) = (Escaped(other.spelling), Escaped(part));
                    return refuse(format!("`{one}` and `{two}` differ only in case"));
                }
            }
        }
    }
    Ok(())
}

/// Returns the MD5 of the files for which the package has a hash.
fn hashes<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<BTreeMap<String, [u8; 16]>, InstallerError> {
    let columns = ["File_", "HashPart1", "HashPart2", "HashPart3", "HashPart4"];
    let table = database.table(compound, "MsiFileHash", columns)?;
    let mut hashes = BTreeMap::new();
    for row in table.rows() {
        let mut hash = [0; 16];
        for (bytes, part) in hash.as_chunks_mut().0.iter_mut().zip(1..) {
            // The smallest number of all and an empty cell are stored alike.
            *bytes = row.number(part)?.unwrap_or(i32::MIN).to_le_bytes();
        }
        hashes.insert(row.key(0)?, hash);
    }
    Ok(hashes)
}

/// The table of media: each row takes the files up to its last sequence.
struct Cabinets {
    /// By last sequence: the index in `all`, `None` for files in no cabinet.
    media: Vec<(i32, Option<usize>)>,
    all: Vec<Cabinet>,
}

impl Cabinets {
    fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<Self, InstallerError> {
        let table = database.table(compound, "Media", ["DiskId", "LastSequence", "Cabinet"])?;
        let mut rows = Vec::new();
        for row in table.rows() {
            rows.push((
                row.number(1)?.unwrap_or(0),
                row.number(0)?.unwrap_or(0),
                row.text(2)?,
            ));
        }
        rows.sort();
        let mut cabinets = Self {
            media: Vec::with_capacity(rows.len()),
            all: Vec::new(),
        };
        // One cabinet may serve several rows.
        let mut known = BTreeMap::new();
        for (last, _disk, cabinet) in rows {
            let at = match cabinet {
                None => None,
                Some(name) => Some(cabinets.number(&mut known, name)?),
            };
            cabinets.media.push((last, at));
        }
        Ok(cabinets)
    }

    fn number(
        &mut self,
        known: &mut BTreeMap<String, usize>,
        name: String,
    ) -> Result<usize, InstallerError> {
        let source = match name.strip_prefix('#') {
            Some(inner) => Source::Embedded {
                name: inner.to_owned(),
                stream: stream_name(inner)?,
            },
            None => Source::Beside(FileName::parse(&name).map_err(|fault| {
                InstallerError::refused(
                    &name,
                    format!("a cabinet lies beside the package, and {fault}"),
                )
            })?),
        };
        let key = match &source {
            Source::Embedded { .. } => name,
            Source::Beside(name) => name.case_folded().as_str().to_owned(),
        };
        Ok(*known.entry(key).or_insert_with(|| {
            self.all.push(Cabinet {
                source,
                wanted: BTreeMap::new(),
            });
            self.all.len() - 1
        }))
    }

    fn take(
        &mut self,
        sequence: i32,
        key: String,
        wanted: Wanted,
        path: &RelPath,
    ) -> Result<(), InstallerError> {
        let row = self.media.partition_point(|(last, _)| *last < sequence);
        let Some((_, cabinet)) = self.media.get(row) else {
            return Err(InstallerError::table(
                "Media",
                format!("no row holds `{}`", Escaped(path.as_str())),
            ));
        };
        let cabinet = cabinet
            .and_then(|at| self.all.get_mut(at))
            .ok_or_else(|| outside(path))?;
        cabinet.wanted.insert(key, wanted);
        Ok(())
    }

    /// Returns the cabinets that files come from.
    fn in_use(self) -> Vec<Cabinet> {
        self.all
            .into_iter()
            .filter(|cabinet| !cabinet.wanted.is_empty())
            .collect()
    }
}

/// Returns the name of a stream of the root; a separator would lead the reader of compound files
/// elsewhere.
fn stream_name(name: &str) -> Result<String, InstallerError> {
    match name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
        false => Ok(encoded(name, Kind::File)),
        true => Err(InstallerError::refused(name, "it is no name of a cabinet")),
    }
}
