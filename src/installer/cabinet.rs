//! Directory of a cabinet: folders, each a run of compressed blocks, and files in them.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::InstallerError;
use super::code_page::CodePage;
use crate::names::Escaped;

/// The most bytes of a name in a cabinet, its end mark included.
const LONGEST_NAME: usize = 256;
/// Larger folder numbers mean a folder that began, or goes on, in another cabinet.
const SPANNING: u16 = 0xfffd;
const HAS_PREVIOUS: u16 = 1;
const HAS_NEXT: u16 = 2;
const HAS_RESERVE: u16 = 4;
const NAME_IS_UTF8: u16 = 0x80;

/// The directory of a cabinet.
pub(super) struct Cabinet<R> {
    pub(super) reader: BufReader<R>,
    /// Name of the cabinet in messages.
    pub(super) place: String,
    pub(super) folders: Vec<Folder>,
    pub(super) entries: Vec<Entry>,
    /// Number of bytes at the start of each block that are ignored.
    pub(super) block_reserve: u8,
}

/// A run of compressed blocks.
#[derive(Clone, Copy)]
pub(super) struct Folder {
    /// Offset of its first block.
    pub(super) start: u32,
    pub(super) blocks: u16,
    /// The number of its compression, which matters only if a file is wanted from it.
    pub(super) kind: u16,
}

/// A file in a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) folder: usize,
    /// Offset of the file in the folder's unpacked bytes.
    pub(super) start: u32,
    pub(super) size: u32,
    /// Seconds since 1970, the cabinet's time read as UTC.
    pub(super) modified: Option<i64>,
}

struct Counts {
    files_at: u32,
    folders: u16,
    files: u16,
    folder_reserve: u8,
    block_reserve: u8,
}

impl<R: Read + Seek> Cabinet<R> {
    pub(super) fn open(
        reader: R,
        place: String,
        code_page: CodePage,
    ) -> Result<Self, InstallerError> {
        let mut reader = BufReader::new(reader);
        let io = |error| InstallerError::reading(&place, error);
        let counts = header(&mut reader, &place)?;
        let mut folders = Vec::new();
        for _ in 0..counts.folders {
            folders.push(folder(&mut reader, counts.folder_reserve, &place)?);
        }
        reader
            .seek(SeekFrom::Start(u64::from(counts.files_at)))
            .map_err(io)?;
        let mut entries = Vec::new();
        for _ in 0..counts.files {
            entries.push(entry(&mut reader, code_page, folders.len(), &place)?);
        }
        Ok(Self {
            reader,
            place,
            folders,
            entries,
            block_reserve: counts.block_reserve,
        })
    }
}

fn header<R: Read>(reader: &mut R, place: &str) -> Result<Counts, InstallerError> {
    let io = |error| InstallerError::reading(place, error);
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(io)?;
    if &magic != b"MSCF" {
        return Err(InstallerError::damaged(
            place,
            "it does not begin like a cabinet",
        ));
    }
    let mut fixed = Fields::<32>::read(reader).map_err(io)?;
    fixed.skip(12);
    let files_at = fixed.u32();
    fixed.skip(4);
    let version = fixed.u16();
    if version >> 8 != 1 {
        return Err(InstallerError::Unsupported(format!(
            "{place}: version {} of cabinets",
            version >> 8
        )));
    }
    let (folders, files, flags) = (fixed.u16(), fixed.u16(), fixed.u16());
    let mut counts = Counts {
        files_at,
        folders,
        files,
        folder_reserve: 0,
        block_reserve: 0,
    };
    if flags & HAS_RESERVE != 0 {
        let mut reserve = Fields::<4>::read(reader).map_err(io)?;
        skip(reader, u64::from(reserve.u16())).map_err(io)?;
        (counts.folder_reserve, counts.block_reserve) = (reserve.u8(), reserve.u8());
    }
    for flag in [HAS_PREVIOUS, HAS_NEXT] {
        if flags & flag != 0 {
            // The names of the neighbours and of their disks.
            text(reader, place)?;
            text(reader, place)?;
        }
    }
    Ok(counts)
}

fn folder<R: Read>(reader: &mut R, reserve: u8, place: &str) -> Result<Folder, InstallerError> {
    let io = |error| InstallerError::reading(place, error);
    let mut fixed = Fields::<8>::read(reader).map_err(io)?;
    let (start, blocks, kind) = (fixed.u32(), fixed.u16(), fixed.u16());
    skip(reader, u64::from(reserve)).map_err(io)?;
    Ok(Folder {
        start,
        blocks,
        kind,
    })
}

fn entry<R: Read>(
    reader: &mut R,
    code_page: CodePage,
    folders: usize,
    place: &str,
) -> Result<Entry, InstallerError> {
    let mut fixed =
        Fields::<16>::read(reader).map_err(|error| InstallerError::reading(place, error))?;
    let (size, start, folder) = (fixed.u32(), fixed.u32(), fixed.u16());
    let (date, time, attributes) = (fixed.u16(), fixed.u16(), fixed.u16());
    let bytes = text(reader, place)?;
    let name = match attributes & NAME_IS_UTF8 {
        0 => code_page.decode_for_showing(&bytes),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    };
    if folder >= SPANNING {
        return Err(InstallerError::Unsupported(format!(
            "{place}: a cabinet set that spans files"
        )));
    }
    if usize::from(folder) >= folders {
        return Err(InstallerError::damaged(
            place,
            format!("`{}` lies in no folder", Escaped(&name)),
        ));
    }
    Ok(Entry {
        name,
        folder: usize::from(folder),
        start,
        size,
        modified: seconds(date, time),
    })
}

/// Returns the seconds since 1970, or `None` if the cabinet has no date that exists.
fn seconds(date: u16, time: u16) -> Option<i64> {
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
fn text<R: Read>(reader: &mut R, place: &str) -> Result<Vec<u8>, InstallerError> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        reader
            .read_exact(&mut byte)
            .map_err(|error| InstallerError::reading(place, error))?;
        match byte {
            [0] => return Ok(bytes),
            [byte] => bytes.push(byte),
        }
        if bytes.len() >= LONGEST_NAME {
            return Err(InstallerError::damaged(place, "a name in it does not end"));
        }
    }
}

fn skip<R: Read>(reader: &mut R, length: u64) -> io::Result<()> {
    match io::copy(&mut reader.take(length), &mut io::sink())? == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Numbers of a fixed part, lowest byte first.
pub(super) struct Fields<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Fields<N> {
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
            seconds(28 << 9 | 3 << 5 | 31, 18 << 11 | 32 << 5),
            Some(1_206_988_320)
        );
        assert_eq!(seconds(0, 0), None);
        assert_eq!(seconds(u16::MAX, u16::MAX), None);
    }
}
