//! Unpacking in one pass over each cabinet. Every file is checked against the tables and written to
//! the sink.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, Write};

use md5::{Digest as _, Md5};
use rollup_names::{Escaped, RelPath};

use super::blocks::Blocks;
use super::cabinet::CabinetEntry;
use super::layout::Layout;
use super::media::{CabinetLocation, Media};
use super::set::{CabinetOpener, CabinetSet, open_sibling};
use super::{InstallerError, PackagedFile, SiblingFiles, Sink};

/// Unpacker of the files of a package.
pub(super) struct PackageUnpacker<'a> {
    pub(super) layout: &'a Layout,
    pub(super) siblings: &'a mut dyn SiblingFiles,
    pub(super) sink: &'a mut dyn Sink,
    /// True if files are compared with the MD5 hashes of the package.
    pub(super) compares_hashes: bool,
    /// Peculiarities that were found so far.
    pub(super) notes: Vec<String>,
}

impl PackageUnpacker<'_> {
    /// Unpacks every file of the package, in the order of the cabinets.
    pub(super) fn unpack<R: Read + Seek>(
        &mut self,
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<(), InstallerError> {
        let absent = absent(&self.layout.media, self.siblings)?;
        if !absent.is_empty() {
            return Err(InstallerError::Missing(absent));
        }
        let mut done = BTreeSet::new();
        let layout = self.layout;
        for cabinet in &layout.media.cabinets {
            if done.contains(&cabinet.location.key()) {
                continue;
            }
            let mut opener = CabinetOpener {
                compound,
                siblings: self.siblings,
                code_page: layout.code_page,
            };
            let set = opener.open_set(&cabinet.location)?;
            done.extend(set.keys.iter().cloned());
            self.unpack_set(set)?;
        }
        for (index, path) in &layout.media.sources {
            self.copy_source(*index, path)?;
        }
        Ok(())
    }

    fn unpack_set(&mut self, mut set: CabinetSet<'_>) -> Result<(), InstallerError> {
        let mut files_of_group = self.match_files(&mut set)?;
        let mut order: Vec<usize> = files_of_group.keys().copied().collect();
        // In the order of the cabinets, so that each is read once.
        order.sort_by_key(|group| {
            let first = set.groups[*group][0];
            (first.cabinet, first.group.start)
        });
        let mut ends = vec![0; set.cabinets.len()];
        for group in order {
            let mut files = files_of_group.remove(&group).unwrap_or_default();
            files.sort_by_key(|file| (file.entry.start, file.entry.size));
            let label = set.cabinets[set.groups[group][0].cabinet].label.clone();
            let blocks = Blocks::new(&mut set.cabinets, &mut ends, &set.groups[group])?;
            self.unpack_group(blocks, &files, &label)?;
        }
        Ok(())
    }

    /// Returns the files to unpack of each group.
    fn match_files(
        &mut self,
        set: &mut CabinetSet<'_>,
    ) -> Result<BTreeMap<usize, Vec<MatchedFile>>, InstallerError> {
        let cabinets = self.layout.media.cabinets.iter();
        let own = cabinets.filter(|cabinet| set.keys.contains(&cabinet.location.key()));
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        let mut is_embedded = false;
        for cabinet in own {
            is_embedded |= matches!(cabinet.location, CabinetLocation::Embedded { .. });
            missing.extend(
                cabinet
                    .files
                    .iter()
                    .map(|(key, index)| (key.as_str(), *index)),
            );
        }
        let label = set.cabinets[0].label.clone();
        let damaged = |name: &str, reason: &str| {
            InstallerError::damaged(&label, format!("`{}` {reason}", Escaped(name)))
        };
        let mut found: BTreeMap<&str, (usize, u32, u32)> = BTreeMap::new();
        let mut groups: BTreeMap<usize, Vec<MatchedFile>> = BTreeMap::new();
        for (group, entry) in std::mem::take(&mut set.entries) {
            let place = (group, entry.start, entry.size);
            if let Some((key, index)) = missing.remove_entry(entry.name.as_str()) {
                let size = self.layout.files[index].size;
                if u64::from(entry.size) != size {
                    let sizes = format!("has {} bytes, and {size} in the table `File`", entry.size);
                    return Err(damaged(key, &sizes));
                }
                found.insert(key, place);
                let matched = MatchedFile { entry, index };
                groups.entry(group).or_default().push(matched);
            } else if let Some(first) = found.get(entry.name.as_str()) {
                if *first != place {
                    return Err(damaged(&entry.name, "is in it twice"));
                }
            } else if is_embedded {
                // An external cabinet may have files of other packages, too.
                self.note(format!(
                    "{label} has `{}`, which the table `File` does not list",
                    Escaped(&entry.name)
                ));
            }
        }
        match missing.keys().next() {
            None => Ok(groups),
            Some(key) => Err(damaged(key, "is not in it")),
        }
    }

    /// Unpacks the files of one group, which are in their order. Files with the same place are one
    /// content.
    fn unpack_group<R: Read + Seek>(
        &mut self,
        mut blocks: Blocks<'_, R>,
        files: &[MatchedFile],
        label: &str,
    ) -> Result<(), InstallerError> {
        let is_same = |a: &MatchedFile, b: &MatchedFile| {
            (a.entry.start, a.entry.size) == (b.entry.start, b.entry.size)
        };
        let mut position = 0;
        for same in files.chunk_by(is_same) {
            let entry = &same[0].entry;
            let (start, size) = (u64::from(entry.start), u64::from(entry.size));
            // An empty file may have any offset.
            if size > 0 {
                let Some(gap) = start.checked_sub(position) else {
                    return Err(InstallerError::damaged(label, "two files share bytes"));
                };
                blocks.copy(gap, |_| Ok(()))?;
                position = start + size;
            }
            let modified = entry.modified;
            let indices: Vec<usize> = same.iter().map(|file| file.index).collect();
            self.write(&indices, modified, |write| blocks.copy(size, write))?;
        }
        Ok(())
    }

    /// Copies a file that is in no cabinet from the directory of the package.
    fn copy_source(&mut self, index: usize, path: &RelPath) -> Result<(), InstallerError> {
        let size = self.layout.files[index].size;
        let label = format!("the file `{}`", Escaped(path.as_str()));
        let mut file = open_sibling(self.siblings, path, &label)?;
        let mut copied = 0;
        let mut buffer = vec![0; 64 << 10];
        self.write(&[index], None, |write| {
            loop {
                let read = file.read(&mut buffer);
                let read = read.map_err(|error| InstallerError::reading(&label, error))?;
                copied += read as u64;
                if copied > size || read == 0 && copied < size {
                    let reason = format!("its size is not {size} bytes, as in the table `File`");
                    return Err(InstallerError::not_accepted(&label, reason));
                }
                if read == 0 {
                    return Ok(());
                }
                write(&buffer[..read])?;
            }
        })
    }

    /// Writes one content to the sink as one or more files, and compares it with their MD5. `copy`
    /// passes the bytes on.
    fn write(
        &mut self,
        indices: &[usize],
        modified: Option<i64>,
        copy: impl FnOnce(
            &mut dyn FnMut(&[u8]) -> Result<(), InstallerError>,
        ) -> Result<(), InstallerError>,
    ) -> Result<(), InstallerError> {
        let layout = self.layout;
        let files: Vec<&PackagedFile> = indices.iter().map(|index| &layout.files[*index]).collect();
        let writing = |error| InstallerError::writing(&files[0].path, error);
        let has_hash = files
            .iter()
            .any(|file| layout.hashes.contains_key(&file.key));
        // Some tools write zeros and not the hash of an empty file.
        let is_hashed = self.compares_hashes && files[0].size > 0 && has_hash;
        let mut hash = is_hashed.then(Md5::new);
        let mut target = self.sink.file(&files, modified).map_err(writing)?;
        copy(&mut |piece| {
            if let Some(hash) = &mut hash {
                hash.update(piece);
            }
            target.write_all(piece).map_err(writing)
        })?;
        target.flush().map_err(writing)?;
        drop(target);
        let hash = hash.map(|hash| <[u8; 16]>::from(hash.finalize()));
        for file in files {
            let expected = layout.hashes.get(&file.key);
            if let (Some(expected), Some(hash)) = (expected, &hash)
                && expected != hash
            {
                self.note(format!(
                    "the MD5 of `{}` is not that in the table `MsiFileHash`",
                    Escaped(file.path.as_str())
                ));
            }
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        match self.notes.len() {
            ..MAX_NOTES => self.notes.push(note),
            MAX_NOTES => self.notes.push("more of its files are unusual".to_owned()),
            _ => {}
        }
    }
}

/// Number of peculiarities that are named.
const MAX_NOTES: usize = 20;

/// Returns the files that must be in the directory of the package and are not there.
pub(super) fn absent(
    media: &Media,
    siblings: &mut dyn SiblingFiles,
) -> Result<Vec<RelPath>, InstallerError> {
    let cabinets = media.cabinets.iter();
    let cabinets = cabinets.filter_map(|cabinet| match &cabinet.location {
        CabinetLocation::External(path) => Some(path),
        CabinetLocation::Embedded { .. } => None,
    });
    let sources = media.sources.iter().map(|(_, path)| path);
    let mut absent = Vec::new();
    for path in cabinets.chain(sources) {
        let exists = siblings.exists(path).map_err(|source| InstallerError::Io {
            action: format!("open `{}`", Escaped(path.as_str())),
            source,
        })?;
        if !exists {
            absent.push(path.clone());
        }
    }
    Ok(absent)
}

/// Entry of a cabinet, with the index of the file that is unpacked from it.
struct MatchedFile {
    entry: CabinetEntry,
    index: usize,
}
