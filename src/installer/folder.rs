//! Unpacking one folder of a cabinet, from its first block to its last, once.

use std::io::{self, Read};

use lzxd::{Lzxd, WindowSize};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::InstallerError;
use super::cabinet::{Fields, Folder};

/// The most bytes that a block unpacks to.
const LARGEST_BLOCK: usize = 32 * 1024;

/// Compression of the blocks of a folder.
#[derive(Clone, Copy)]
enum Compression {
    Stored,
    MsZip,
    Lzx(WindowSize),
}

impl Compression {
    fn from_kind(kind: u16, place: &str) -> Result<Self, InstallerError> {
        match kind & 0xf {
            0 => Ok(Self::Stored),
            1 => Ok(Self::MsZip),
            2 => Err(InstallerError::Unsupported(format!(
                "{place}: Quantum compression"
            ))),
            3 => match window(kind >> 8 & 0x1f) {
                Some(window) => Ok(Self::Lzx(window)),
                None => Err(InstallerError::damaged(
                    place,
                    "the window of its LZX compression has no valid size",
                )),
            },
            other => Err(InstallerError::Unsupported(format!(
                "{place}: compression {other}"
            ))),
        }
    }
}

/// Returns the window of a size that a cabinet may have, from 32 KiB to 2 MiB.
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

/// The unpacked bytes of a folder, in order.
pub(super) struct Blocks<'a, R> {
    reader: &'a mut R,
    place: &'a str,
    reserve: u8,
    left: u16,
    unpacker: Unpacker,
    /// The block as it is in the cabinet.
    packed: Vec<u8>,
    /// Unpacked bytes of the block, and the number of them that were taken.
    block: Vec<u8>,
    taken: usize,
    /// Number of bytes of the cabinet that were read.
    pub(super) consumed: u64,
}

enum Unpacker {
    Stored,
    MsZip { history: Vec<u8> },
    Lzx(Box<Lzxd>),
}

impl<'a, R: Read> Blocks<'a, R> {
    /// Returns the blocks of a folder; the reader must be at the first.
    pub(super) fn new(
        reader: &'a mut R,
        place: &'a str,
        folder: Folder,
        reserve: u8,
    ) -> Result<Self, InstallerError> {
        let unpacker = match Compression::from_kind(folder.kind, place)? {
            Compression::Stored => Unpacker::Stored,
            Compression::MsZip => Unpacker::MsZip {
                history: Vec::new(),
            },
            Compression::Lzx(window) => Unpacker::Lzx(Box::new(Lzxd::new(window))),
        };
        let (packed, block) = (Vec::new(), Vec::new());
        Ok(Self {
            reader,
            place,
            reserve,
            left: folder.blocks,
            unpacker,
            packed,
            block,
            taken: 0,
            consumed: 0,
        })
    }

    /// Gives the next `length` bytes to `take`, in pieces.
    pub(super) fn pass(
        &mut self,
        mut length: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), InstallerError>,
    ) -> Result<(), InstallerError> {
        while length > 0 {
            if self.taken == self.block.len() {
                self.next_block()?;
            }
            let rest = self.block.get(self.taken..).unwrap_or_default();
            let piece = rest
                .get(..usize::try_from(length).unwrap_or(usize::MAX))
                .unwrap_or(rest);
            take(piece)?;
            self.taken += piece.len();
            length -= piece.len() as u64;
        }
        Ok(())
    }

    fn next_block(&mut self) -> Result<(), InstallerError> {
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.damaged("a folder ends before its files do")),
        };
        let size = self
            .read_block()
            .map_err(|error| InstallerError::reading(self.place, error))?;
        let (expected, size) = (size.checksum, usize::from(size.unpacked));
        if expected != 0 && expected != self.checksum(size) {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        match size {
            // A block that unpacks to nothing goes on in the next cabinet.
            0 => {
                return Err(InstallerError::Unsupported(format!(
                    "{}: a cabinet set that spans files",
                    self.place
                )));
            }
            1..=LARGEST_BLOCK => {}
            _ => return Err(self.damaged("a block is too large")),
        }
        let packed = self
            .packed
            .get(usize::from(self.reserve)..)
            .unwrap_or_default();
        self.taken = 0;
        unpack(&mut self.unpacker, packed, size, &mut self.block).map_err(|what| self.damaged(what))
    }

    fn read_block(&mut self) -> io::Result<Sizes> {
        let mut head = Fields::<8>::read(self.reader)?;
        let sizes = Sizes {
            checksum: head.u32(),
            packed: head.u16(),
            unpacked: head.u16(),
        };
        // Two bytes of length, so at most 64 KiB whatever their value.
        self.packed
            .resize(usize::from(self.reserve) + usize::from(sizes.packed), 0);
        self.reader.read_exact(&mut self.packed)?;
        self.consumed += 8 + self.packed.len() as u64;
        Ok(sizes)
    }

    /// Returns the checksum over the block's data, then its sizes and what is reserved.
    fn checksum(&self, unpacked: usize) -> u32 {
        let (reserved, data) = self
            .packed
            .split_at_checked(usize::from(self.reserve))
            .unwrap_or_default();
        let mut head = Vec::from((data.len() as u16).to_le_bytes());
        head.extend((unpacked as u16).to_le_bytes());
        head.extend(reserved);
        checksum(&head) ^ checksum(data)
    }

    fn damaged(&self, what: &str) -> InstallerError {
        InstallerError::damaged(self.place, what)
    }
}

struct Sizes {
    checksum: u32,
    packed: u16,
    unpacked: u16,
}

/// Returns the checksum, four bytes at a time, the lowest first; those left over have the highest
/// first.
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
            block.extend_from_slice(unpacked.map_err(|_| "a block of LZX makes no sense")?);
        }
    }
    match block.len() == size {
        true => Ok(()),
        false => Err("a block unpacks to another size than it says"),
    }
}

/// Unpacks a block of MSZIP, a deflate stream of its own that may refer to the blocks before it.
fn inflate(
    history: &mut Vec<u8>,
    packed: &[u8],
    size: usize,
    block: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let deflated = packed
        .strip_prefix(b"CK")
        .ok_or("a block does not begin like MSZIP")?;
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
        return Err("a block of MSZIP makes no sense");
    }
    block.extend_from_slice(history.get(start..).unwrap_or_default());
    let surplus = history.len().saturating_sub(LARGEST_BLOCK);
    history.drain(..surplus);
    Ok(())
}
