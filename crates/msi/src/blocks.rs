//! Unpacking of one block group, from the first block to the last, once. A group may span the
//! cabinets of a set.

use std::io::{self, Read, Seek, SeekFrom};

use lzxd::{Lzxd, WindowSize};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::InstallerError;
use super::cabinet::{BlockGroup, Cabinet, LittleEndianFields};

/// Maximum size of an unpacked block in bytes.
const MAX_BLOCK_SIZE: usize = 32 * 1024;
/// Maximum size of the packed parts of a block together in bytes.
const MAX_PACKED_SIZE: usize = 64 * 1024;

/// Compression of the blocks of a group.
#[derive(Clone, Copy)]
enum Compression {
    Stored,
    MsZip,
    Lzx(WindowSize),
}

impl Compression {
    fn from_number(number: u16, label: &str) -> Result<Self, InstallerError> {
        match number & 0xf {
            0 => Ok(Self::Stored),
            1 => Ok(Self::MsZip),
            2 => Err(InstallerError::Unsupported(format!(
                "{label}: Quantum compression"
            ))),
            3 => match window(number >> 8 & 0x1f) {
                Some(window) => Ok(Self::Lzx(window)),
                None => Err(InstallerError::damaged(
                    label,
                    "the window size of its LZX compression is not valid",
                )),
            },
            other => Err(InstallerError::Unsupported(format!(
                "{label}: compression {other}"
            ))),
        }
    }
}

/// Returns the LZX window of a size that a cabinet may have, from 32 KiB to 2 MiB.
fn window(bits: u16) -> Option<WindowSize> {
    Some(match bits {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        21 => WindowSize::MB2,
        _ => return None,
    })
}

/// Part of a group that one cabinet of a set has.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// Index of the cabinet in the set.
    pub(super) cabinet: usize,
    pub(super) group: BlockGroup,
}

/// Reader of the unpacked bytes of a group, in order, from the cabinets that have parts of it.
pub(super) struct Blocks<'a, R> {
    cabinets: &'a mut [Cabinet<R>],
    /// Offset in each cabinet up to which it was read.
    ends: &'a mut [u64],
    segments: std::slice::Iter<'a, Segment>,
    /// Index of the cabinet that is read.
    current: usize,
    blocks_left: u16,
    unpacker: Unpacker,
    /// Bytes of the current block as they are in the cabinets.
    packed: Vec<u8>,
    /// Unpacked bytes of the current block.
    block: Vec<u8>,
    /// Number of bytes of `block` that were read.
    position: usize,
}

enum Unpacker {
    Stored,
    MsZip { history: Vec<u8> },
    Lzx(Box<Lzxd>),
}

impl<'a, R: Read + Seek> Blocks<'a, R> {
    /// Returns the blocks of a group, which has at least one segment.
    pub(super) fn new(
        cabinets: &'a mut [Cabinet<R>],
        ends: &'a mut [u64],
        segments: &'a [Segment],
    ) -> Result<Self, InstallerError> {
        let first = segments.first().expect("a group has a segment");
        let label = &cabinets[first.cabinet].label;
        let unpacker = match Compression::from_number(first.group.compression, label)? {
            Compression::Stored => Unpacker::Stored,
            Compression::MsZip => Unpacker::MsZip {
                history: Vec::new(),
            },
            Compression::Lzx(window) => Unpacker::Lzx(Box::new(Lzxd::new(window))),
        };
        let mut blocks = Self {
            cabinets,
            ends,
            segments: segments.iter(),
            current: first.cabinet,
            blocks_left: 0,
            unpacker,
            packed: Vec::new(),
            block: Vec::new(),
            position: 0,
        };
        blocks.next_segment()?;
        Ok(blocks)
    }

    /// Passes the next `length` bytes to `write`, in pieces.
    pub(super) fn copy(
        &mut self,
        mut length: u64,
        mut write: impl FnMut(&[u8]) -> Result<(), InstallerError>,
    ) -> Result<(), InstallerError> {
        while length > 0 {
            if self.position == self.block.len() {
                self.next_block()?;
            }
            let rest = self.block.get(self.position..).unwrap_or_default();
            let piece = rest
                .get(..usize::try_from(length).unwrap_or(usize::MAX))
                .unwrap_or(rest);
            write(piece)?;
            self.position += piece.len();
            length -= piece.len() as u64;
        }
        Ok(())
    }

    /// Goes to the first block of the next segment. Returns false if there is none.
    fn next_segment(&mut self) -> Result<bool, InstallerError> {
        let Some(segment) = self.segments.next() else {
            return Ok(false);
        };
        self.current = segment.cabinet;
        self.blocks_left = segment.group.blocks;
        let start = u64::from(segment.group.start);
        // The groups of a cabinet are read in their order, so that no block is part of two.
        if start < self.ends[self.current] {
            return Err(self.damaged("two block groups share blocks"));
        }
        let cabinet = &mut self.cabinets[self.current];
        let seek = cabinet.reader.seek(SeekFrom::Start(start));
        seek.map_err(|error| InstallerError::reading(&cabinet.label, error))?;
        self.ends[self.current] = start;
        Ok(true)
    }

    fn next_block(&mut self) -> Result<(), InstallerError> {
        self.packed.clear();
        let mut size = self.read_block()?;
        // A block with an unpacked size of zero goes on in the next cabinet.
        while size == 0 {
            if self.blocks_left > 0 || !self.next_segment()? {
                return Err(self.damaged("a block ends before its bytes do"));
            }
            size = self.read_block()?;
        }
        if size > MAX_BLOCK_SIZE || self.packed.len() > MAX_PACKED_SIZE {
            return Err(self.damaged("a block is too large"));
        }
        self.position = 0;
        unpack(&mut self.unpacker, &self.packed, size, &mut self.block)
            .map_err(|reason| self.damaged(reason))
    }

    /// Appends the bytes of the next block to `packed`, and returns its unpacked size.
    fn read_block(&mut self) -> Result<usize, InstallerError> {
        while self.blocks_left == 0 {
            if !self.next_segment()? {
                return Err(self.damaged("a block group ends before its files do"));
            }
        }
        self.blocks_left -= 1;
        let cabinet = &mut self.cabinets[self.current];
        let read = RawBlock::read(&mut cabinet.reader, cabinet.block_reserve);
        let raw = read.map_err(|error| InstallerError::reading(&cabinet.label, error))?;
        if !raw.is_intact() {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        self.ends[self.current] += 8 + raw.bytes.len() as u64;
        self.packed.extend(raw.data());
        if self.packed.len() > MAX_PACKED_SIZE {
            return Err(self.damaged("a block is too large"));
        }
        Ok(usize::from(raw.unpacked_size))
    }

    fn damaged(&self, reason: &str) -> InstallerError {
        InstallerError::damaged(&self.cabinets[self.current].label, reason)
    }
}

/// Block as it is in a cabinet.
struct RawBlock {
    checksum: u32,
    unpacked_size: u16,
    /// Number of reserved bytes before the data.
    reserve: usize,
    /// Reserved bytes and data.
    bytes: Vec<u8>,
}

impl RawBlock {
    fn read<R: Read>(reader: &mut R, reserve: u8) -> io::Result<Self> {
        let mut fields = LittleEndianFields::<8>::read(reader)?;
        let (checksum, packed_size) = (fields.u32(), fields.u16());
        let reserve = usize::from(reserve);
        // The size is a number of 16 bits: at most 64 KiB are allocated.
        let mut bytes = vec![0; reserve + usize::from(packed_size)];
        let unpacked_size = fields.u16();
        reader.read_exact(&mut bytes)?;
        Ok(Self {
            checksum,
            unpacked_size,
            reserve,
            bytes,
        })
    }

    fn data(&self) -> &[u8] {
        self.bytes.get(self.reserve..).unwrap_or_default()
    }

    /// Returns whether the checksum over the data of the block, its sizes and its reserved bytes is
    /// right. Zero means that there is none.
    fn is_intact(&self) -> bool {
        let mut header = Vec::from((self.data().len() as u16).to_le_bytes());
        header.extend(self.unpacked_size.to_le_bytes());
        header.extend(&self.bytes[..self.reserve]);
        self.checksum == 0 || self.checksum == checksum(&header) ^ checksum(self.data())
    }
}

/// Returns the checksum of a block: the exclusive or of its little-endian 32-bit words; the bytes
/// after the last whole word are one big-endian word.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks();
    let rest = rest.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    words
        .iter()
        .fold(rest, |sum, word| sum ^ u32::from_le_bytes(*word))
}

/// Unpacks one block of exactly `size` bytes into `block`.
fn unpack(
    unpacker: &mut Unpacker,
    packed: &[u8],
    size: usize,
    block: &mut Vec<u8>,
) -> Result<(), &'static str> {
    block.clear();
    match unpacker {
        Unpacker::Stored => block.extend_from_slice(packed),
        Unpacker::MsZip { history } => inflate(history, packed, size, block)?,
        Unpacker::Lzx(lzx) => {
            let unpacked = lzx.decompress_next(packed, size);
            block.extend_from_slice(unpacked.map_err(|_| "a block of LZX is malformed")?);
        }
    }
    match block.len() == size {
        true => Ok(()),
        false => Err("the unpacked size of a block differs from the size in its header"),
    }
}

/// Unpacks a block of MSZIP: a deflate stream that may refer to the bytes of earlier blocks.
fn inflate(
    history: &mut Vec<u8>,
    packed: &[u8],
    size: usize,
    block: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let deflated = packed
        .strip_prefix(b"CK")
        .ok_or("a block does not begin with the signature of MSZIP")?;
    let start = history.len();
    history.resize(start + size, 0);
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _read, written) = decompress(
        &mut DecompressorOxide::new(),
        deflated,
        history,
        start,
        flags,
    );
    if status != TINFLStatus::Done || written != size {
        return Err("a block of MSZIP is malformed");
    }
    block.extend_from_slice(history.get(start..).unwrap_or_default());
    let surplus = history.len().saturating_sub(MAX_BLOCK_SIZE);
    history.drain(..surplus);
    Ok(())
}
