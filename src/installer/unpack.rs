//! One pass over the cabinets: every file goes to the sink, checked against the tables.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use md5::{Digest as _, Md5};

use super::cabinet::{Cabinet, CabinetEntry};
use super::code_page::CodePage;
use super::folder::Blocks;
use super::layout::{self, CabinetLocation, MediaFile};
use super::{SiblingFiles, FileHashes, InstallerError, PackagedFile, ReadSeek, Sink};
use crate::names::{Escaped, FileName};

/// One pass: the files that the package takes from one of its cabinets.
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
        beside: &mut dyn SiblingFiles,
        sink: &mut dyn Sink,
    ) -> Result<(), InstallerError> {
        match &self.cabinet.source {
            CabinetLocation::Embedded { name, stream } => {
                let label = format!("the cabinet `{}`", Escaped(name));
                if !compound.is_stream(stream) {
                    return Err(InstallerError::damaged(
                        label,
                        "the package does not hold it",
                    ));
                }
                let stream = compound
                    .open_stream(stream)
                    .map_err(|error| InstallerError::reading(&label, error))?;
                self.deliver(Cabinet::open(stream, label, self.code_page)?, sink)
            }
            CabinetLocation::External(name) => {
                let (label, file) = open_beside(name, beside)?;
                self.deliver(Cabinet::open(file, label, self.code_page)?, sink)
            }
        }
    }

    fn deliver<R: Read + Seek>(
        &self,
        mut cabinet: Cabinet<R>,
        sink: &mut dyn Sink,
    ) -> Result<(), InstallerError> {
        let entries = std::mem::take(&mut cabinet.entries);
        let mut folders = self.matched(entries, &cabinet.label)?;
        // In the order of the cabinet, so that it is read once and no block serves two folders.
        let mut order: Vec<usize> = (0..cabinet.folders.len()).collect();
        order.sort_by_key(|number| cabinet.folders.get(*number).map(|folder| folder.start));
        let mut end = 0;
        for number in order {
            if let Some(deliveries) = folders.remove(&number) {
                end = deliver_folder(&mut cabinet, number, deliveries, end, sink)?;
            }
        }
        Ok(())
    }

    /// Pairs the cabinet's files with the package's, by folder and in their order there.
    fn matched(
        &self,
        entries: Vec<CabinetEntry>,
        label: &str,
    ) -> Result<BTreeMap<usize, Vec<Delivery<'_>>>, InstallerError> {
        let layout::MediaCabinet { source, wanted } = self.cabinet;
        let embedded = matches!(source, CabinetLocation::Embedded { .. });
        let mut left: BTreeMap<&str, &MediaFile> = wanted
            .iter()
            .map(|(key, wanted)| (key.as_str(), wanted))
            .collect();
        let mut folders: BTreeMap<usize, Vec<Delivery<'_>>> = BTreeMap::new();
        for entry in entries {
            let damaged = |reason: &str| {
                Err(InstallerError::damaged(
                    label,
                    format!("`{}` {reason}", Escaped(&entry.name)),
                ))
            };
            let Some(MediaFile { file, md5 }) = left.remove(entry.name.as_str()) else {
                if wanted.contains_key(&entry.name) {
                    return damaged("is in it twice");
                }
                // A cabinet beside the package may serve other packages too.
                if embedded {
                    return damaged("is in it, but no row of the package tells where it goes");
                }
                continue;
            };
            let Some(file) = self.files.get(*file) else {
                continue;
            };
            if u64::from(entry.size) != file.size {
                let told = format!("has {} bytes, the package tells {}", entry.size, file.size);
                return damaged(&told);
            }
            let md5 = md5.filter(|_| self.file_hashes == FileHashes::Compare);
            folders
                .entry(entry.folder)
                .or_default()
                .push(Delivery { entry, file, md5 });
        }
        match left.keys().next() {
            None => Ok(folders),
            Some(key) => Err(InstallerError::damaged(
                label,
                format!("`{}` is not in it", Escaped(key)),
            )),
        }
    }
}

fn open_beside(
    name: &FileName,
    beside: &mut dyn SiblingFiles,
) -> Result<(String, Box<dyn ReadSeek>), InstallerError> {
    let label = format!("the cabinet `{}`", Escaped(name.as_str()));
    match beside.open(name) {
        Ok(Some(file)) => Ok((label, file)),
        Ok(None) => Err(InstallerError::MissingCabinet(name.clone())),
        Err(source) => Err(InstallerError::Io {
            action: format!("open {label}"),
            source,
        }),
    }
}

/// A file of the cabinet that the package installs.
struct Delivery<'a> {
    entry: CabinetEntry,
    file: &'a PackagedFile,
    md5: Option<[u8; 16]>,
}

/// Delivers the files of one folder and returns the end of its area, as far as it was read.
fn deliver_folder<R: Read + Seek>(
    cabinet: &mut Cabinet<R>,
    number: usize,
    mut deliveries: Vec<Delivery<'_>>,
    free_from: u64,
    sink: &mut dyn Sink,
) -> Result<u64, InstallerError> {
    let label = cabinet.label.as_str();
    let Some(folder) = cabinet.folders.get(number).copied() else {
        return Ok(free_from);
    };
    let start = u64::from(folder.start);
    if start < free_from {
        return Err(InstallerError::damaged(label, "two folders share blocks"));
    }
    cabinet
        .reader
        .seek(SeekFrom::Start(start))
        .map_err(|error| InstallerError::reading(label, error))?;
    let mut blocks = Blocks::new(&mut cabinet.reader, label, folder, cabinet.block_reserve)?;
    deliveries.sort_by_key(|delivery| (delivery.entry.start, delivery.entry.size));
    let mut at = 0;
    for delivery in &deliveries {
        let gap = u64::from(delivery.entry.start).checked_sub(at);
        match (gap, delivery.file.size) {
            // A file without bytes may be anywhere.
            (_, 0) => deliver_file(&mut blocks, delivery, sink)?,
            (None, _) => return Err(InstallerError::damaged(label, "two files share bytes")),
            (Some(gap), size) => {
                blocks.pass(gap, |_| Ok(()))?;
                deliver_file(&mut blocks, delivery, sink)?;
                at = u64::from(delivery.entry.start) + size;
            }
        }
    }
    Ok(start + blocks.consumed)
}

fn deliver_file<R: Read>(
    blocks: &mut Blocks<'_, R>,
    delivery: &Delivery<'_>,
    sink: &mut dyn Sink,
) -> Result<(), InstallerError> {
    let Delivery { entry, file, md5 } = delivery;
    let writing = |error| InstallerError::writing(&file.path, error);
    let mut target = sink.file(file, entry.modified).map_err(writing)?;
    let mut hash = md5.map(|_| Md5::new());
    blocks.pass(file.size, |piece| {
        if let Some(hash) = &mut hash {
            hash.update(piece);
        }
        target.write_all(piece).map_err(writing)
    })?;
    target.flush().map_err(writing)?;
    let found = hash.map(|hash| <[u8; 16]>::from(hash.finalize()));
    // Some tools give no hash, but zeros, for a file without bytes.
    match file.size == 0 || found == *md5 {
        true => Ok(()),
        false => {
            let path = Escaped(file.path.as_str()).to_string();
            Err(InstallerError::damaged(
                format!("the file `{path}`"),
                "its MD5 is not the one that the package tells",
            ))
        }
    }
}
