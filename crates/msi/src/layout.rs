//! Facts from the tables: the identity of the package, its features, its files, and the places of
//! their bytes.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::code_page::CodePage;
use super::database::Database;
use super::directories::Directories;
use super::features::Components;
use super::files::{FileRows, PackagedFile};
use super::identity::Properties;
use super::media::Media;
use super::summary::SourceKind;
use super::{Identity, InstallerError};

/// Tables that are read.
const TABLES: [&str; 11] = [
    "Property",
    "Directory",
    "Component",
    "Condition",
    "DuplicateFile",
    "Feature",
    "FeatureComponents",
    "File",
    "Media",
    "MsiFileHash",
    "ModuleSignature",
];

/// Contents of the tables of a package, as far as they can be read.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) code_page: CodePage,
    pub(super) properties: Properties,
    /// `None` if a property is missing or not valid, which is a fault.
    pub(super) identity: Option<Identity>,
    pub(super) components: Components,
    /// Sorted by path, then by key.
    pub(super) files: Vec<PackagedFile>,
    pub(super) media: Media,
    /// MD5 of each file that has one, by the key of the file.
    pub(super) hashes: BTreeMap<String, [u8; 16]>,
    /// First reason why the package cannot be installed.
    pub(super) fault: Option<InstallerError>,
    /// Peculiarities that keep nothing from being installed.
    pub(super) notes: Vec<String>,
}

impl Layout {
    /// Reads the tables. A table that cannot be read is empty, and its fault recorded; the error is
    /// for a package of which nothing can be read.
    pub(super) fn read<R: Read + Seek>(
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<Self, InstallerError> {
        let database = Database::open(compound, &TABLES)?;
        let mut fault = None;
        let mut notes = Vec::new();
        let properties = or_default(Properties::read(&database, compound), &mut fault);
        if database.has_table("ModuleSignature") && properties.product_code.is_none() {
            let module = "a merge module, which is part of other packages,";
            fault.get_or_insert(InstallerError::Unsupported(module.to_owned()));
        }
        let identity = or_default(properties.identity(&mut notes).map(Some), &mut fault);
        let level = properties.install_level();
        let components = Components::read(&database, compound, level);
        let components = or_default(components, &mut fault);
        let source = SourceKind::read(compound);
        let directories = Directories::read(&database, compound, source.has_short_names);
        let directories = or_default(directories, &mut fault);
        let files = FileRows {
            components: &components.components,
            directories: &directories,
            source,
        };
        let rows = files.read(&database, compound, &mut fault);
        let rows = or_default(rows, &mut fault);
        let media = Media::read(&database, compound, &files, &rows);
        let duplicates = database
            .table(compound, "DuplicateFile", [])?
            .rows()
            .count();
        if duplicates > 0 {
            notes.push(format!(
                "Windows Installer would also make {duplicates} copies of its files (table `DuplicateFile`), which are not made here"
            ));
        }
        Ok(Self {
            code_page: database.code_page(),
            properties,
            identity,
            components,
            media: or_default(media, &mut fault),
            files: rows.into_iter().map(|row| row.file).collect(),
            hashes: or_default(read_hashes(&database, compound), &mut fault),
            fault,
            notes,
        })
    }
}

/// Returns a value, or records the fault and returns an empty one.
fn or_default<T: Default>(
    read: Result<T, InstallerError>,
    first: &mut Option<InstallerError>,
) -> T {
    read.unwrap_or_else(|fault| {
        first.get_or_insert(fault);
        T::default()
    })
}

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
