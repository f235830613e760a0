//! Writing of a cabinet with one uncompressed block group.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::BuildError;
use super::plan::PackagePlan;
use crate::blocks::checksum;

/// Maximum number of bytes in a block.
const MAX_BLOCK_SIZE: usize = 32 * 1024;
const HEADER_SIZE: usize = 36;
const BLOCK_GROUP_SIZE: usize = 8;

/// Returns the cabinet of a package, in which the names of the files are their keys.
pub(super) fn stored_cabinet(plan: &PackagePlan<'_>) -> Result<Vec<u8>, BuildError> {
    let too_large = || BuildError::TooLarge(plan.name.clone());
    let (date, time) =
        date_and_time(plan.modified).ok_or(BuildError::Modified(plan.modified.as_second()))?;
    let mut entries = Vec::new();
    let mut content = Vec::new();
    let mut files = 0_u16;
    for file in plan.all_files() {
        entries.extend((file.bytes.len() as u32).to_le_bytes());
        entries.extend((content.len() as u32).to_le_bytes());
        const ARCHIVE: u16 = 0x20;
        for number in [0, date, time, ARCHIVE] {
            entries.extend(number.to_le_bytes());
        }
        entries.extend(file.key.bytes().chain([0]));
        content.extend_from_slice(file.bytes);
        files = files.checked_add(1).ok_or_else(too_large)?;
    }
    let count = u16::try_from(content.len().div_ceil(MAX_BLOCK_SIZE)).map_err(|_| too_large())?;
    let data_at = HEADER_SIZE + BLOCK_GROUP_SIZE + entries.len();
    let size = data_at + content.len() + 8 * usize::from(count);
    let mut cabinet = Vec::with_capacity(size);
    cabinet.extend(b"MSCF");
    // Size of the cabinet, and offset of the file entries, with reserved numbers around them.
    for number in [
        0,
        size as u32,
        0,
        (HEADER_SIZE + BLOCK_GROUP_SIZE) as u32,
        0,
    ] {
        cabinet.extend(number.to_le_bytes());
    }
    // Version 1.3, one group, the number of files; no flags, no set id, index 0 in the set.
    for number in [0x0103, 1, files, 0, 0, 0] {
        cabinet.extend(number.to_le_bytes());
    }
    cabinet.extend((data_at as u32).to_le_bytes());
    cabinet.extend(count.to_le_bytes());
    cabinet.extend([0, 0]);
    cabinet.extend(entries);
    content
        .chunks(MAX_BLOCK_SIZE)
        .for_each(|block| add_block(&mut cabinet, block));
    Ok(cabinet)
}

fn add_block(cabinet: &mut Vec<u8>, block: &[u8]) {
    let length = (block.len() as u16).to_le_bytes();
    let sizes = [length, length].concat();
    cabinet.extend((checksum(block) ^ checksum(&sizes)).to_le_bytes());
    cabinet.extend(sizes);
    cabinet.extend(block);
}

fn date_and_time(at: Timestamp) -> Option<(u16, u16)> {
    let at = at.to_zoned(TimeZone::UTC);
    let number = |part: i8| u16::try_from(part).ok();
    let year = u16::try_from(at.year() - 1980).ok()?;
    let date = year << 9 | number(at.month())? << 5 | number(at.day())?;
    let time = number(at.hour())? << 11 | number(at.minute())? << 5 | (number(at.second())? / 2);
    Some((date, time))
}
