//! Directory of a cabinet: groups of compressed blocks, and the files in them. The format calls a
//! group CFFOLDER; it is not a directory.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::InstallerError;
use super::code_page::CodePage;
use rollup_names::Escaped;

/// Maximum length of a name in a cabinet in bytes, with the zero byte at its end.
const MAX_NAME_LENGTH: usize = 256;
/// Group numbers that mean the group which another cabinet begins, goes on with, or both.
const FROM_PREVIOUS: u16 = 0xfffd;
const TO_NEXT: u16 = 0xfffe;
const FROM_PREVIOUS_TO_NEXT: u16 = 0xffff;
const HAS_PREVIOUS: u16 = 1;
const HAS_NEXT: u16 = 2;
const HAS_RESERVE: u16 = 4;
const NAME_IS_UTF8: u16 = 0x80;

/// Open cabinet, with its directory.
pub(super) struct Cabinet<R> {
    pub(super) reader: BufReader<R>,
    /// Name of the cabinet in messages.
    pub(super) label: String,
    pub(super) groups: Vec<BlockGroup>,
    pub(super) entries: Vec<CabinetEntry>,
    /// Number of reserved bytes at the start of each block.
    pub(super) block_reserve: u8,
    /// Name of the cabinet before this one in a set.
    pub(super) previous: Option<String>,
    /// Name of the cabinet after this one in a set.
    pub(super) next: Option<String>,
}

/// Run of compressed blocks.
#[derive(Clone, Copy)]
pub(super) struct BlockGroup {
    /// Offset of the first block.
    pub(super) start: u32,
    pub(super) blocks: u16,
    /// Number of the compression. It is checked only if the package installs a file of the group.
    pub(super) compression: u16,
}

/// File in a group.
pub(super) struct CabinetEntry {
    pub(super) name: String,
    pub(super) group: EntryGroup,
    /// Offset of the file in the group's unpacked bytes.
    pub(super) start: u32,
    pub(super) size: u32,
    /// Seconds since 1970, the cabinet's time read as UTC.
    pub(super) modified: Option<i64>,
}

/// Group of a file. One that spans cabinets has parts of its bytes in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryGroup {
    /// Group of this cabinet, by its number.
    Own(usize),
    /// First group, which an earlier cabinet begins.
    FromPrevious,
    /// Last group, which the next cabinet goes on with.
    ToNext,
    /// Only group, which earlier cabinets begin and later ones go on with.
    FromPreviousToNext,
}

impl EntryGroup {
    pub(super) fn is_begun_before(self) -> bool {
        matches!(self, Self::FromPrevious | Self::FromPreviousToNext)
    }

    pub(super) fn goes_on(self) -> bool {
        matches!(self, Self::ToNext | Self::FromPreviousToNext)
    }
}

struct CabinetHeader {
    files_at: u32,
    groups: u16,
    files: u16,
    group_reserve: u8,
    block_reserve: u8,
    previous: Option<Vec<u8>>,
    next: Option<Vec<u8>>,
}

impl<R: Read + Seek> Cabinet<R> {
    pub(super) fn open(
        reader: R,
        label: String,
        code_page: CodePage,
    ) -> Result<Self, InstallerError> {
        let mut reader = BufReader::new(reader);
        let io = |error| InstallerError::reading(&label, error);
        let header = read_header(&mut reader, &label)?;
        let mut groups = Vec::new();
        for _ in 0..header.groups {
            groups.push(read_group(&mut reader, header.group_reserve, &label)?);
        }
        reader
            .seek(SeekFrom::Start(u64::from(header.files_at)))
            .map_err(io)?;
        let mut entries = Vec::new();
        for _ in 0..header.files {
            entries.push(read_entry(&mut reader, code_page, groups.len(), &label)?);
        }
        let name = |bytes: Option<Vec<u8>>| bytes.map(|bytes| code_page.decode_lossy(&bytes));
        Ok(Self {
            reader,
            label,
            groups,
            entries,
            block_reserve: header.block_reserve,
            previous: name(header.previous),
            next: name(header.next),
        })
    }

    /// Returns whether an earlier cabinet begins the first group.
    pub(super) fn is_begun_before(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.group.is_begun_before())
    }

    /// Returns whether the next cabinet goes on with the last group.
    pub(super) fn goes_on(&self) -> bool {
        self.entries.iter().any(|entry| entry.group.goes_on())
    }
}

fn read_header<R: Read>(reader: &mut R, label: &str) -> Result<CabinetHeader, InstallerError> {
    let io = |error| InstallerError::reading(label, error);
    let mut signature = [0; 4];
    reader.read_exact(&mut signature).map_err(io)?;
    if &signature != b"MSCF" {
        return Err(InstallerError::damaged(
            label,
            "it does not begin with the signature of a cabinet",
        ));
    }
    let mut fields = LittleEndianFields::<32>::read(reader).map_err(io)?;
    fields.skip(12);
    let files_at = fields.u32();
    fields.skip(4);
    let version = fields.u16();
    if version >> 8 != 1 {
        return Err(InstallerError::Unsupported(format!(
            "{label}: version {} of cabinets",
            version >> 8
        )));
    }
    let (groups, files, flags) = (fields.u16(), fields.u16(), fields.u16());
    let mut header = CabinetHeader {
        files_at,
        groups,
        files,
        group_reserve: 0,
        block_reserve: 0,
        previous: None,
        next: None,
    };
    if flags & HAS_RESERVE != 0 {
        let mut reserve = LittleEndianFields::<4>::read(reader).map_err(io)?;
        skip(reader, u64::from(reserve.u16())).map_err(io)?;
        (header.group_reserve, header.block_reserve) = (reserve.u8(), reserve.u8());
    }
    let adjacent = [
        (HAS_PREVIOUS, &mut header.previous),
        (HAS_NEXT, &mut header.next),
    ];
    for (flag, name) in adjacent {
        if flags & flag != 0 {
            *name = Some(read_text(reader, label)?);
            // The name of its disk.
            read_text(reader, label)?;
        }
    }
    Ok(header)
}

fn read_group<R: Read>(
    reader: &mut R,
    reserve: u8,
    label: &str,
) -> Result<BlockGroup, InstallerError> {
    let io = |error| InstallerError::reading(label, error);
    let mut fields = LittleEndianFields::<8>::read(reader).map_err(io)?;
    let (start, blocks, compression) = (fields.u32(), fields.u16(), fields.u16());
    skip(reader, u64::from(reserve)).map_err(io)?;
    Ok(BlockGroup {
        start,
        blocks,
        compression,
    })
}

fn read_entry<R: Read>(
    reader: &mut R,
    code_page: CodePage,
    groups: usize,
    label: &str,
) -> Result<CabinetEntry, InstallerError> {
    let mut fields = LittleEndianFields::<16>::read(reader)
        .map_err(|error| InstallerError::reading(label, error))?;
    let (size, start, group) = (fields.u32(), fields.u32(), fields.u16());
    let (date, time, attributes) = (fields.u16(), fields.u16(), fields.u16());
    let bytes = read_text(reader, label)?;
    let name = match attributes & NAME_IS_UTF8 {
        0 => code_page.decode_lossy(&bytes),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let group = match group {
        FROM_PREVIOUS => EntryGroup::FromPrevious,
        TO_NEXT => EntryGroup::ToNext,
        FROM_PREVIOUS_TO_NEXT => EntryGroup::FromPreviousToNext,
        own => EntryGroup::Own(usize::from(own)),
    };
    let exists = match group {
        EntryGroup::Own(number) => number < groups,
        _ => groups > 0,
    };
    if !exists {
        let reason = format!("the block group of `{}` does not exist", Escaped(&name));
        return Err(InstallerError::damaged(label, reason));
    }
    Ok(CabinetEntry {
        name,
        group,
        start,
        size,
        modified: unix_seconds(date, time),
    })
}

/// Returns the seconds since 1970, or `None` if date and time are not valid.
fn unix_seconds(date: u16, time: u16) -> Option<i64> {
    let part = |bits: u16, shift: u16, mask: u16| i8::try_from(bits >> shift & mask).ok();
    let year = 1980 + i16::try_from(date >> 9).ok()?;
    let (month, day) = (part(date, 5, 0xf)?, part(date, 0, 0x1f)?);
    let (hour, minute, second) = (
        part(time, 11, 0x1f)?,
        part(time, 5, 0x3f)?,
        part(time, 0, 0x1f)? * 2,
    );
    let at = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

/// Reads a text that ends with a zero byte.
fn read_text<R: Read>(reader: &mut R, label: &str) -> Result<Vec<u8>, InstallerError> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        reader
            .read_exact(&mut byte)
            .map_err(|error| InstallerError::reading(label, error))?;
        match byte {
            [0] => return Ok(bytes),
            [byte] => bytes.push(byte),
        }
        if bytes.len() >= MAX_NAME_LENGTH {
            return Err(InstallerError::damaged(label, "a name in it is too long"));
        }
    }
}

fn skip<R: Read>(reader: &mut R, length: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(length), &mut io::sink())? == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Little-endian numbers of a structure of fixed size.
pub(super) struct LittleEndianFields<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> LittleEndianFields<N> {
    pub(super) fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = [0; N];
        reader.read_exact(&mut bytes)?;
        Ok(Self { bytes, at: 0 })
    }

    fn skip(&mut self, length: usize) {
        self.at += length;
    }

    pub(super) fn u32(&mut self) -> u32 {
        self.number(4)
    }

    pub(super) fn u16(&mut self) -> u16 {
        self.number(2) as u16
    }

    fn u8(&mut self) -> u8 {
        self.number(1) as u8
    }

    fn number(&mut self, width: usize) -> u32 {
        let bytes = self.bytes.iter().skip(self.at).take(width);
        self.at += width;
        bytes
            .rev()
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_utc() {
        // 2008-03-31 18:32:00
        assert_eq!(
            unix_seconds(28 << 9 | 3 << 5 | 31, 18 << 11 | 32 << 5),
            Some(1_206_988_320)
        );
        assert_eq!(unix_seconds(0, 0), None);
        assert_eq!(unix_seconds(u16::MAX, u16::MAX), None);
    }
}
