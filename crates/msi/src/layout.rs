//! Facts from the tables: the identity of the package, its files, and the cabinets that contain
//! them.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::code_page::CodePage;
use super::database::{Database, StreamKind, encode_stream_name};
use super::directories::{Directories, MAX_PATH_LENGTH, checked_name, long_name};
use super::{Identity, InstallerError, PackagedFile};
use rollup_names::{CaseFolded, Escaped, FileName, RelPath};

/// Tables that are read.
const TABLES: [&str; 7] = [
    "Property",
    "Directory",
    "Component",
    "File",
    "Media",
    "MsiFileHash",
    "ModuleSignature",
];
/// Maximum size of all paths of a package together in bytes.
const MAX_PATH_BYTES: usize = 16 << 20;
/// Maximum size of all files together in bytes. A small package can unpack to far more.
const MAX_FILE_BYTES: u64 = 16 << 30;

/// Checked contents of the tables of a package.
pub(super) struct Layout {
    pub(super) identity: Identity,
    /// Sorted by path.
    pub(super) files: Vec<PackagedFile>,
    /// In the order of the table `Media`.
    pub(super) cabinets: Vec<MediaCabinet>,
}

/// Cabinet, and the files that the package installs from it.
pub(super) struct MediaCabinet {
    pub(super) location: CabinetLocation,
    /// By key.
    pub(super) files: BTreeMap<String, MediaFile>,
}

/// Location of a cabinet.
pub(super) enum CabinetLocation {
    /// In a stream of the package: the name of the cabinet, and the encoded name of the stream.
    Embedded { name: String, stream: String },
    /// In a file in the directory of the package.
    External(FileName),
}

/// File of a cabinet that the package installs.
pub(super) struct MediaFile {
    /// Index in [`Layout::files`].
    pub(super) index: usize,
    /// MD5 of the file, if the package has one.
    pub(super) md5: Option<[u8; 16]>,
}

impl Layout {
    /// Reads the tables, and returns the code page of the texts of the package, too.
    pub(super) fn read<R: Read + Seek>(
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<(Self, CodePage), InstallerError> {
        let database = Database::open(compound, &TABLES)?;
        let identity = read_identity(&database, compound)?;
        let mut rows = read_file_rows(&database, compound)?;
        rows.sort_by(|a, b| a.path.cmp(&b.path));
        check_paths(&rows)?;
        let mut hashes = read_hashes(&database, compound)?;
        let mut media = MediaTable::read(&database, compound)?;
        let mut files = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            let md5 = hashes.remove(&row.key);
            media.add_file(row.sequence, row.key, MediaFile { index, md5 }, &row.path)?;
            files.push(PackagedFile {
                path: row.path,
                size: row.size,
            });
        }
        let layout = Self {
            identity,
            files,
            cabinets: media.into_used_cabinets(),
        };
        Ok((layout, database.code_page()))
    }

    pub(super) fn external_cabinets(&self) -> Vec<FileName> {
        let external = |cabinet: &MediaCabinet| match &cabinet.location {
            CabinetLocation::External(name) => Some(name.clone()),
            CabinetLocation::Embedded { .. } => None,
        };
        self.cabinets.iter().filter_map(external).collect()
    }
}

fn read_identity<R: Read + Seek>(
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
            .ok_or_else(|| InstallerError::damaged_table(TABLE, format!("it has no `{name}`")))
    };
    let (product, version, product_code) = (
        required("ProductName")?,
        required("ProductVersion")?,
        required("ProductCode")?,
    );
    let version = version.parse().map_err(|error| {
        InstallerError::damaged_table(
            TABLE,
            format!("its `ProductVersion`: {}", Escaped(&format!("{error}"))),
        )
    })?;
    for code in upgrade_code.iter().chain([&product_code]) {
        check_guid(code).ok_or_else(|| {
            InstallerError::damaged_table(TABLE, format!("`{}` is not a GUID", Escaped(code)))
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

/// Row of the table `File`, with the path that follows from its component.
struct FileRow {
    key: String,
    path: RelPath,
    size: u64,
    sequence: i32,
}

fn read_file_rows<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<Vec<FileRow>, InstallerError> {
    let components = read_components(database, compound)?;
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
        let path = file_path(&directories.path(directory)?, long_name(&name))?;
        let size = row.number(3)?.and_then(|size| u64::try_from(size).ok());
        let size =
            size.ok_or_else(|| row.damaged("the size of the file is missing or negative"))?;
        const NOT_COMPRESSED: i32 = 0x2000;
        if row.number(4)?.unwrap_or(0) & NOT_COMPRESSED != 0 {
            return Err(not_in_cabinet(&path));
        }
        let sequence = row
            .number(5)?
            .ok_or_else(|| row.damaged("the sequence of the file is missing"))?;
        (path_bytes, file_bytes) = (path_bytes + path.as_str().len(), file_bytes + size);
        if path_bytes > MAX_PATH_BYTES || file_bytes > MAX_FILE_BYTES {
            return Err(InstallerError::Unsupported(
                "a package with so many or so large files".to_owned(),
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
        Some([duplicate, _]) => Err(InstallerError::damaged_table(
            "File",
            format!("`{}` is a duplicate", Escaped(&duplicate.key)),
        )),
        _ => Ok(rows),
    }
}

fn not_in_cabinet(path: &RelPath) -> InstallerError {
    InstallerError::Unsupported(format!(
        "a file that is in no cabinet (`{}`)",
        Escaped(path.as_str())
    ))
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

/// Returns the key of the directory of each component.
fn read_components<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<BTreeMap<String, String>, InstallerError> {
    let table = database.table(compound, "Component", ["Component", "Directory_"])?;
    let mut components = BTreeMap::new();
    for row in table.rows() {
        if components.insert(row.key(0)?, row.key(1)?).is_some() {
            return Err(row.damaged("the component is a duplicate"));
        }
    }
    Ok(components)
}

/// Refuses two names in one directory that are equal or differ only in case.
///
/// The rows are sorted, but it is not enough to compare adjacent rows: `a/x` and `A/y` need not be
/// adjacent.
fn check_paths(rows: &[FileRow]) -> Result<(), InstallerError> {
    struct DirectoryEntry<'a> {
        number: usize,
        spelling: &'a str,
        is_file: bool,
    }
    let mut entries: BTreeMap<(usize, CaseFolded), DirectoryEntry<'_>> = BTreeMap::new();
    for row in rows {
        let mut directory = 0;
        let last = row.path.parts().count() - 1;
        for (depth, part) in row.path.parts().enumerate() {
            let number = entries.len() + 1;
            let is_file = depth == last;
            let refuse =
                |reason: String| Err(InstallerError::unsafe_name(row.path.as_str(), reason));
            let Some(other) = entries.get(&(directory, CaseFolded::of(part))) else {
                entries.insert(
                    (directory, CaseFolded::of(part)),
                    DirectoryEntry {
                        number,
                        spelling: part,
                        is_file,
                    },
                );
                directory = number;
                continue;
            };
            match (other.spelling == part, other.is_file, is_file) {
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

/// Returns the MD5 of each file that has one, by the key of the file.
fn read_hashes<R: Read + Seek>(
    database: &Database,
    compound: &mut cfb::CompoundFile<R>,
) -> Result<BTreeMap<String, [u8; 16]>, InstallerError> {
    let columns = ["File_", "HashPart1", "HashPart2", "HashPart3", "HashPart4"];
    let table = database.table(compound, "MsiFileHash", columns)?;
    let mut hashes = BTreeMap::new();
    for row in table.rows() {
        let mut hash = [0; 16];
        for (bytes, part) in hash.as_chunks_mut().0.iter_mut().zip(1..) {
            // The smallest number and an empty cell are stored as the same bytes.
            *bytes = row.number(part)?.unwrap_or(i32::MIN).to_le_bytes();
        }
        hashes.insert(row.key(0)?, hash);
    }
    Ok(hashes)
}

/// Table `Media`. The cabinet of a row contains the files up to the last sequence of the row.
struct MediaTable {
    /// Last sequence and index in `cabinets` of each row, sorted; no index for files outside of
    /// cabinets.
    rows: Vec<(i32, Option<usize>)>,
    cabinets: Vec<MediaCabinet>,
}

impl MediaTable {
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
        let mut media = Self {
            rows: Vec::with_capacity(rows.len()),
            cabinets: Vec::new(),
        };
        // Several rows may have the same cabinet.
        let mut known = BTreeMap::new();
        for (last_sequence, _disk, cabinet) in rows {
            let index = match cabinet {
                None => None,
                Some(name) => Some(media.cabinet_index(&mut known, name)?),
            };
            media.rows.push((last_sequence, index));
        }
        Ok(media)
    }

    /// Returns the index of a cabinet, which is added if it is not in `known`.
    fn cabinet_index(
        &mut self,
        known: &mut BTreeMap<String, usize>,
        name: String,
    ) -> Result<usize, InstallerError> {
        let location = match name.strip_prefix('#') {
            Some(inner) => CabinetLocation::Embedded {
                name: inner.to_owned(),
                stream: cabinet_stream(inner)?,
            },
            None => CabinetLocation::External(FileName::parse(&name).map_err(|fault| {
                InstallerError::unsafe_name(
                    &name,
                    format!("the cabinet must be in the directory of the package, and {fault}"),
                )
            })?),
        };
        let key = match &location {
            CabinetLocation::Embedded { .. } => name,
            CabinetLocation::External(name) => name.case_folded().as_str().to_owned(),
        };
        Ok(*known.entry(key).or_insert_with(|| {
            self.cabinets.push(MediaCabinet {
                location,
                files: BTreeMap::new(),
            });
            self.cabinets.len() - 1
        }))
    }

    /// Adds a file to the cabinet of its sequence.
    fn add_file(
        &mut self,
        sequence: i32,
        key: String,
        file: MediaFile,
        path: &RelPath,
    ) -> Result<(), InstallerError> {
        let row = self.rows.partition_point(|(last, _)| *last < sequence);
        let Some((_, cabinet)) = self.rows.get(row) else {
            return Err(InstallerError::damaged_table(
                "Media",
                format!("no row has the sequence of `{}`", Escaped(path.as_str())),
            ));
        };
        let cabinet = cabinet
            .and_then(|index| self.cabinets.get_mut(index))
            .ok_or_else(|| not_in_cabinet(path))?;
        cabinet.files.insert(key, file);
        Ok(())
    }

    /// Returns the cabinets from which files are installed.
    fn into_used_cabinets(self) -> Vec<MediaCabinet> {
        self.cabinets
            .into_iter()
            .filter(|cabinet| !cabinet.files.is_empty())
            .collect()
    }
}

/// Returns the encoded name of the stream of an embedded cabinet.
///
/// A name with a separator is refused: the reader of compound files would take it for a path.
fn cabinet_stream(name: &str) -> Result<String, InstallerError> {
    match name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
        false => Ok(encode_stream_name(name, StreamKind::File)),
        true => Err(InstallerError::unsafe_name(
            name,
            "it is not the name of a cabinet",
        )),
    }
}
