//! Unpacking of one block group of a cabinet, from the first block to the last, once.

use std::io::{self, Read};

use lzxd::{Lzxd, WindowSize};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::InstallerError;
use super::cabinet::{BlockGroup, LittleEndianFields};

/// Maximum size of an unpacked block in bytes.
const MAX_BLOCK_SIZE: usize = 32 * 1024;

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

/// Reader of the unpacked bytes of a group, in order.
pub(super) struct Blocks<'a, R> {
    reader: &'a mut R,
    label: &'a str,
    reserve: u8,
    blocks_left: u16,
    unpacker: Unpacker,
    /// Bytes of the current block as they are in the cabinet.
    packed: Vec<u8>,
    /// Unpacked bytes of the current block.
    block: Vec<u8>,
    /// Number of bytes of `block` that were read.
    position: usize,
    /// Number of bytes of the cabinet that were read.
    pub(super) consumed: u64,
}

enum Unpacker {
    Stored,
    MsZip { history: Vec<u8> },
    Lzx(Box<Lzxd>),
}

impl<'a, R: Read> Blocks<'a, R> {
    /// Returns the blocks of a group; the reader must be at the first.
    pub(super) fn new(
        reader: &'a mut R,
        label: &'a str,
        group: BlockGroup,
        reserve: u8,
    ) -> Result<Self, InstallerError> {
        let unpacker = match Compression::from_number(group.compression, label)? {
            Compression::Stored => Unpacker::Stored,
            Compression::MsZip => Unpacker::MsZip {
                history: Vec::new(),
            },
            Compression::Lzx(window) => Unpacker::Lzx(Box::new(Lzxd::new(window))),
        };
        let (packed, block) = (Vec::new(), Vec::new());
        Ok(Self {
            reader,
            label,
            reserve,
            blocks_left: group.blocks,
            unpacker,
            packed,
            block,
            position: 0,
            consumed: 0,
        })
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

    fn next_block(&mut self) -> Result<(), InstallerError> {
        self.blocks_left = match self.blocks_left.checked_sub(1) {
            Some(blocks_left) => blocks_left,
            None => return Err(self.damaged("a block group ends before its files do")),
        };
        let header = self
            .read_block()
            .map_err(|error| InstallerError::reading(self.label, error))?;
        let (expected, size) = (header.checksum, usize::from(header.unpacked_size));
        if expected != 0 && expected != self.checksum(size) {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        match size {
            // A block with an unpacked size of zero continues in the next cabinet.
            0 => {
                return Err(InstallerError::Unsupported(format!(
                    "{}: a cabinet set that spans files",
                    self.label
                )));
            }
            1..=MAX_BLOCK_SIZE => {}
            _ => return Err(self.damaged("a block is too large")),
        }
        let packed = self
            .packed
            .get(usize::from(self.reserve)..)
            .unwrap_or_default();
        self.position = 0;
        unpack(&mut self.unpacker, packed, size, &mut self.block)
            .map_err(|reason| self.damaged(reason))
    }

    fn read_block(&mut self) -> io::Result<BlockHeader> {
        let mut fields = LittleEndianFields::<8>::read(self.reader)?;
        let header = BlockHeader {
            checksum: fields.u32(),
            packed_size: fields.u16(),
            unpacked_size: fields.u16(),
        };
        // The size is a number of 16 bits: at most 64 KiB are allocated.
        self.packed.resize(
            usize::from(self.reserve) + usize::from(header.packed_size),
            0,
        );
        self.reader.read_exact(&mut self.packed)?;
        self.consumed += 8 + self.packed.len() as u64;
        Ok(header)
    }

    /// Returns the checksum over the data of the block, its sizes and its reserved bytes.
    fn checksum(&self, unpacked_size: usize) -> u32 {
        let (reserved, data) = self
            .packed
            .split_at_checked(usize::from(self.reserve))
            .unwrap_or_default();
        let mut header = Vec::from((data.len() as u16).to_le_bytes());
        header.extend((unpacked_size as u16).to_le_bytes());
        header.extend(reserved);
        checksum(&header) ^ checksum(data)
    }

    fn damaged(&self, reason: &str) -> InstallerError {
        InstallerError::damaged(self.label, reason)
    }
}

struct BlockHeader {
    checksum: u32,
    packed_size: u16,
    unpacked_size: u16,
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
