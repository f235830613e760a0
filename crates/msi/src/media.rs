//! Table `Media`: the cabinets of a package, and which of them contains a file.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use rollup_names::{Escaped, FileName, RelPath};

use super::InstallerError;
use super::database::{Database, StreamKind, encode_stream_name};
use super::files::{FileRow, FileRows, Storage};

/// Cabinet, and the files that the package has in it.
#[derive(Debug)]
pub(super) struct MediaCabinet {
    pub(super) location: CabinetLocation,
    /// Indices of the files, by their keys.
    pub(super) files: BTreeMap<String, usize>,
}

/// Location of a cabinet.
#[derive(Debug, Clone)]
pub(super) enum CabinetLocation {
    /// In a stream of the package: the name of the cabinet, and the encoded name of the stream.
    Embedded { name: String, stream: String },
    /// In a file in the directory of the package.
    External(RelPath),
}

impl CabinetLocation {
    pub(super) fn embedded(name: &str) -> Result<Self, InstallerError> {
        // The reader of compound files would take a name with a separator for a path.
        if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
            let reason = "it is not the name of a cabinet";
            return Err(InstallerError::unsafe_name(name, reason));
        }
        Ok(Self::Embedded {
            name: name.to_owned(),
            stream: encode_stream_name(name, StreamKind::File),
        })
    }

    pub(super) fn external(name: &str) -> Result<Self, InstallerError> {
        let refuse = |fault: String| {
            let reason =
                format!("the cabinet must be in the directory of the package, and {fault}");
            InstallerError::unsafe_name(name, reason)
        };
        let name = FileName::parse(name).map_err(|fault| refuse(fault.to_string()))?;
        let path = RelPath::parse(name.as_str()).map_err(|fault| refuse(fault.to_string()))?;
        Ok(Self::External(path))
    }

    /// Returns the name without regard to case.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Embedded { name, .. } => format!("#{name}"),
            Self::External(path) => path.case_folded().as_str().to_owned(),
        }
    }

    /// Returns the name of the cabinet in messages.
    pub(super) fn label(&self) -> String {
        let name = match self {
            Self::Embedded { name, .. } => name,
            Self::External(path) => path.as_str(),
        };
        format!("the cabinet `{}`", Escaped(name))
    }
}

/// Places of the bytes of all files.
#[derive(Debug, Default)]
pub(super) struct Media {
    /// Cabinets with files of the package, in the order of the table.
    pub(super) cabinets: Vec<MediaCabinet>,
    /// Files that are in no cabinet: their indices, and their paths in the directory of the package.
    pub(super) sources: Vec<(usize, RelPath)>,
}

impl Media {
    /// Reads the table, and places the files: the cabinet of a row contains those up to the last
    /// sequence of the row.
    pub(super) fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
        files: &FileRows<'_>,
        rows: &[FileRow],
    ) -> Result<Self, InstallerError> {
        let table = MediaTable::read(database, compound)?;
        let mut media = Self {
            cabinets: table.cabinets,
            sources: Vec::new(),
        };
        for (index, row) in rows.iter().enumerate() {
            let at = table.rows.partition_point(|(last, _)| *last < row.sequence);
            let Some((_, cabinet)) = table.rows.get(at) else {
                let path = Escaped(row.file.path.as_str());
                let reason = format!("no row has the sequence of `{path}`");
                return Err(InstallerError::damaged_table("Media", reason));
            };
            let cabinet = cabinet.map(|cabinet| &mut media.cabinets[cabinet]);
            let is_compressed = files.source.is_compressed;
            match cabinet.filter(|cabinet| is_in_cabinet(row.storage, cabinet, is_compressed)) {
                Some(cabinet) => drop(cabinet.files.insert(row.file.key.clone(), index)),
                None => media.sources.push((index, files.source_path(row)?)),
            }
        }
        media.cabinets.retain(|cabinet| !cabinet.files.is_empty());
        Ok(media)
    }
}

/// Returns whether a file is in the cabinet of its medium. If neither its row nor the package says
/// so, it is, as an embedded cabinet has no other use.
fn is_in_cabinet(storage: Storage, cabinet: &MediaCabinet, is_compressed: Option<bool>) -> bool {
    match storage {
        Storage::Cabinet => true,
        Storage::Source => false,
        Storage::Unsaid => {
            is_compressed != Some(false)
                || matches!(cabinet.location, CabinetLocation::Embedded { .. })
        }
    }
}

struct MediaTable {
    /// Last sequence and index in `cabinets` of each row, sorted; no index without a cabinet.
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
            let last_sequence = row.number(1)?.unwrap_or(0);
            rows.push((last_sequence, row.number(0)?.unwrap_or(0), row.text(2)?));
        }
        rows.sort();
        let mut media = Self {
            rows: Vec::with_capacity(rows.len()),
            cabinets: Vec::new(),
        };
        // Several rows may have the same cabinet.
        let mut known = BTreeMap::new();
        for (last_sequence, _disk, name) in rows {
            let index = match name {
                None => None,
                Some(name) => Some(media.cabinet(&mut known, &name)?),
            };
            media.rows.push((last_sequence, index));
        }
        Ok(media)
    }

    /// Returns the index of a cabinet, which is added if it is not in `known`.
    fn cabinet(
        &mut self,
        known: &mut BTreeMap<String, usize>,
        name: &str,
    ) -> Result<usize, InstallerError> {
        let location = match name.strip_prefix('#') {
            Some(inner) => CabinetLocation::embedded(inner)?,
            None => CabinetLocation::external(name)?,
        };
        let index = *known.entry(location.key()).or_insert(self.cabinets.len());
        if index == self.cabinets.len() {
            self.cabinets.push(MediaCabinet {
                location,
                files: BTreeMap::new(),
            });
        }
        Ok(index)
    }
}
