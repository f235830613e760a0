//! Compound file of a package, in version 3: the documented sizes are multiples of its sectors.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::time::SystemTime;

use cfb::{CompoundFile, Version};

/// Offset in the header of the number of sectors that map the others.
const MAP_COUNT_AT: usize = 44;
/// Offset in the header of the list of these sectors.
const MAP_LIST_AT: usize = 76;
const MAX_MAPS: usize = 109;
const SECTOR: usize = 512;
/// Number of sectors that one map describes.
const SECTORS_PER_MAP: usize = SECTOR / 4;

/// Copies a file that `msi` wrote in version 4 into a file of version 3, with the streams in the
/// order of their names.
pub(super) fn convert_to_version_3(database: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut from = CompoundFile::open(Cursor::new(database))?;
    let mut to = CompoundFile::create_with_version(Version::V3, Cursor::new(Vec::new()))?;
    let clsid = *from.root_entry().clsid();
    let mut paths: Vec<_> = from
        .read_root_storage()
        .map(|entry| entry.path().to_owned())
        .collect();
    paths.sort();
    for path in paths {
        let mut bytes = Vec::new();
        from.open_stream(&path)?.read_to_end(&mut bytes)?;
        to.create_stream(&path)?.write_all(&bytes)?;
    }
    to.set_storage_clsid("/", clsid)?;
    // With clock times, the bytes of every build would differ.
    to.set_created_time("/", SystemTime::UNIX_EPOCH)?;
    to.set_modified_time("/", SystemTime::UNIX_EPOCH)?;
    to.flush()?;
    let mut file = to.into_inner();
    file.seek(SeekFrom::Start(0))?;
    Ok(file.into_inner())
}

/// Returns the same file with one more sector, an empty map of sectors.
///
/// If the last map is full, a file with one more sector of data needs a map as well and grows by
/// two sectors. The map alone gives the size between. Returns `None` if the last map is not full,
/// or if the header cannot list another.
pub(super) fn with_spare_sector(file: &[u8]) -> Option<Vec<u8>> {
    let sectors = file.len() / SECTOR - 1;
    let maps = u32::from_le_bytes(file.get(MAP_COUNT_AT..MAP_COUNT_AT + 4)?.try_into().ok()?);
    if sectors != maps as usize * SECTORS_PER_MAP || maps as usize >= MAX_MAPS {
        return None;
    }
    const FREE: [u8; 4] = [0xff; 4];
    const MAP: [u8; 4] = [0xfd, 0xff, 0xff, 0xff];
    let mut longer = file.to_vec();
    longer
        .get_mut(MAP_COUNT_AT..MAP_COUNT_AT + 4)?
        .copy_from_slice(&(maps + 1).to_le_bytes());
    let at = MAP_LIST_AT + 4 * maps as usize;
    longer
        .get_mut(at..at + 4)?
        .copy_from_slice(&(sectors as u32).to_le_bytes());
    longer.extend(MAP);
    longer.extend(FREE.iter().cycle().take(SECTOR - MAP.len()));
    Some(longer)
}
