//! Unpacking of cabinets in one pass. Every file is checked against the tables and written to the
//! sink.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use md5::{Digest as _, Md5};

use super::blocks::Blocks;
use super::cabinet::{Cabinet, CabinetEntry};
use super::code_page::CodePage;
use super::layout::{self, CabinetLocation, MediaFile};
use super::{FileHashes, InstallerError, PackagedFile, ReadSeek, SiblingFiles, Sink};
use rollup_names::{Escaped, FileName};

/// Unpacker of the files that a package installs from one of its cabinets.
pub(super) struct CabinetUnpacker<'a> {
    pub(super) code_page: CodePage,
    pub(super) cabinet: &'a layout::MediaCabinet,
    pub(super) files: &'a [PackagedFile],
    pub(super) file_hashes: FileHashes,
}

impl CabinetUnpacker<'_> {
    pub(super) fn unpack<R: Read + Seek>(
        &self,
        compound: &mut cfb::CompoundFile<R>,
        siblings: &mut dyn SiblingFiles,
        sink: &mut dyn Sink,
    ) -> Result<(), InstallerError> {
        match &self.cabinet.location {
            CabinetLocation::Embedded { name, stream } => {
                let label = format!("the cabinet `{}`", Escaped(name));
                if !compound.is_stream(stream) {
                    return Err(InstallerError::damaged(
                        label,
                        "it is missing from the package",
                    ));
                }
                let stream = compound
                    .open_stream(stream)
                    .map_err(|error| InstallerError::reading(&label, error))?;
                self.unpack_cabinet(Cabinet::open(stream, label, self.code_page)?, sink)
            }
            CabinetLocation::External(name) => {
                let (label, file) = open_external(name, siblings)?;
                self.unpack_cabinet(Cabinet::open(file, label, self.code_page)?, sink)
            }
        }
    }

    fn unpack_cabinet<R: Read + Seek>(
        &self,
        mut cabinet: Cabinet<R>,
        sink: &mut dyn Sink,
    ) -> Result<(), InstallerError> {
        let entries = std::mem::take(&mut cabinet.entries);
        let mut files_by_group = self.match_files(entries, &cabinet.label)?;
        // In the order of the cabinet, so that it is read once and no block is part of two groups.
        let mut order: Vec<usize> = (0..cabinet.groups.len()).collect();
        order.sort_by_key(|number| cabinet.groups.get(*number).map(|group| group.start));
        let mut end = 0;
        for number in order {
            if let Some(files) = files_by_group.remove(&number) {
                end = unpack_group(&mut cabinet, number, files, end, sink)?;
            }
        }
        Ok(())
    }

    /// Returns the files to unpack of each group, in the order of the directory of the cabinet.
    fn match_files(
        &self,
        entries: Vec<CabinetEntry>,
        label: &str,
    ) -> Result<BTreeMap<usize, Vec<MatchedFile<'_>>>, InstallerError> {
        let layout::MediaCabinet { location, files } = self.cabinet;
        let is_embedded = matches!(location, CabinetLocation::Embedded { .. });
        let mut missing: BTreeMap<&str, &MediaFile> = files
            .iter()
            .map(|(key, file)| (key.as_str(), file))
            .collect();
        let mut groups: BTreeMap<usize, Vec<MatchedFile<'_>>> = BTreeMap::new();
        for entry in entries {
            let damaged = |reason: &str| {
                Err(InstallerError::damaged(
                    label,
                    format!("`{}` {reason}", Escaped(&entry.name)),
                ))
            };
            let Some(MediaFile { index, md5 }) = missing.remove(entry.name.as_str()) else {
                if files.contains_key(&entry.name) {
                    return damaged("is in it twice");
                }
                // An external cabinet may have files of other packages, too.
                if is_embedded {
                    return damaged("is in it, but the tables of the package do not list it");
                }
                continue;
            };
            let Some(file) = self.files.get(*index) else {
                continue;
            };
            if u64::from(entry.size) != file.size {
                let sizes = format!(
                    "has {} bytes, and {} in the table `File`",
                    entry.size, file.size
                );
                return damaged(&sizes);
            }
            let md5 = md5.filter(|_| self.file_hashes == FileHashes::Compare);
            groups
                .entry(entry.group)
                .or_default()
                .push(MatchedFile { entry, file, md5 });
        }
        match missing.keys().next() {
            None => Ok(groups),
            Some(key) => Err(InstallerError::damaged(
                label,
                format!("`{}` is not in it", Escaped(key)),
            )),
        }
    }
}

fn open_external(
    name: &FileName,
    siblings: &mut dyn SiblingFiles,
) -> Result<(String, Box<dyn ReadSeek>), InstallerError> {
    let label = format!("the cabinet `{}`", Escaped(name.as_str()));
    match siblings.open(name) {
        Ok(Some(file)) => Ok((label, file)),
        Ok(None) => Err(InstallerError::MissingCabinet(name.clone())),
        Err(source) => Err(InstallerError::Io {
            action: format!("open {label}"),
            source,
        }),
    }
}

/// Entry of a cabinet, with the file of the package that is unpacked from it.
struct MatchedFile<'a> {
    entry: CabinetEntry,
    file: &'a PackagedFile,
    md5: Option<[u8; 16]>,
}

/// Unpacks the files of one group, and returns the offset in the cabinet up to which it was read.
fn unpack_group<R: Read + Seek>(
    cabinet: &mut Cabinet<R>,
    number: usize,
    mut files: Vec<MatchedFile<'_>>,
    previous_end: u64,
    sink: &mut dyn Sink,
) -> Result<u64, InstallerError> {
    let label = cabinet.label.as_str();
    let Some(group) = cabinet.groups.get(number).copied() else {
        return Ok(previous_end);
    };
    let start = u64::from(group.start);
    if start < previous_end {
        return Err(InstallerError::damaged(
            label,
            "two block groups share blocks",
        ));
    }
    cabinet
        .reader
        .seek(SeekFrom::Start(start))
        .map_err(|error| InstallerError::reading(label, error))?;
    let mut blocks = Blocks::new(&mut cabinet.reader, label, group, cabinet.block_reserve)?;
    files.sort_by_key(|file| (file.entry.start, file.entry.size));
    let mut position = 0;
    for file in &files {
        let gap = u64::from(file.entry.start).checked_sub(position);
        match (gap, file.file.size) {
            // An empty file may have any offset.
            (_, 0) => unpack_file(&mut blocks, file, sink)?,
            (None, _) => return Err(InstallerError::damaged(label, "two files share bytes")),
            (Some(gap), size) => {
                blocks.copy(gap, |_| Ok(()))?;
                unpack_file(&mut blocks, file, sink)?;
                position = u64::from(file.entry.start) + size;
            }
        }
    }
    Ok(start + blocks.consumed)
}

fn unpack_file<R: Read>(
    blocks: &mut Blocks<'_, R>,
    matched: &MatchedFile<'_>,
    sink: &mut dyn Sink,
) -> Result<(), InstallerError> {
    let MatchedFile { entry, file, md5 } = matched;
    let writing = |error| InstallerError::writing(&file.path, error);
    let mut target = sink.file(file, entry.modified).map_err(writing)?;
    let mut hash = md5.map(|_| Md5::new());
    blocks.copy(file.size, |piece| {
        if let Some(hash) = &mut hash {
            hash.update(piece);
        }
        target.write_all(piece).map_err(writing)
    })?;
    target.flush().map_err(writing)?;
    let found = hash.map(|hash| <[u8; 16]>::from(hash.finalize()));
    // Some tools write zeros and not the hash of an empty file.
    match file.size == 0 || found == *md5 {
        true => Ok(()),
        false => {
            let path = Escaped(file.path.as_str()).to_string();
            Err(InstallerError::damaged(
                format!("the file `{path}`"),
                "its MD5 does not match the table `MsiFileHash`",
            ))
        }
    }
}
