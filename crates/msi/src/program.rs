//! Programs for Windows: product and version from the resources, and the kinds of bundles that
//! contain packages.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

/// Facts about a program for Windows (a PE file).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowsProgram {
    /// Name of the product, from the version resource.
    pub product: Option<String>,
    /// Version of the product, from the version resource.
    pub version: Option<String>,
    /// Kind of bundle, with its article, if it is one that contains packages.
    pub bundle: Option<&'static str>,
}

/// Maximum number of sections, and of entries of a directory of resources, that are read.
const MAX_ENTRIES: u16 = 1000;
/// Maximum size of a version resource in bytes.
const MAX_VERSION_BYTES: u32 = 64 << 10;
/// Types of resources.
const RCDATA: u32 = 10;
const VERSION: u32 = 16;
/// Bit of a resource entry: it is a directory; or its name is a text and not a number.
const HIGH_BIT: u32 = 0x8000_0000;

/// Reads the facts about a program. One that is damaged has none.
pub(super) fn program<R: Read + Seek>(file: &mut R) -> io::Result<WindowsProgram> {
    let mut reader = ProgramReader { file };
    match reader.read() {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        read => Ok(read.ok().flatten().unwrap_or_default()),
    }
}

struct ProgramReader<'f, R> {
    file: &'f mut R,
}

/// Section of a program: where its bytes are in memory and in the file.
struct ProgramSection {
    name: [u8; 8],
    address: u32,
    size: u32,
    offset: u32,
}

impl<R: Read + Seek> ProgramReader<'_, R> {
    fn read(&mut self) -> io::Result<Option<WindowsProgram>> {
        let header = self.u32(0x3c)?;
        let at = u64::from(header);
        if &self.bytes::<4>(at)? != b"PE\0\0" {
            return Ok(None);
        }
        let sections = self.u16(at + 6)?.min(MAX_ENTRIES);
        let optional = self.u16(at + 20)?;
        // The directories of 64-bit programs begin sixteen bytes later.
        let directories = match self.u16(at + 24)? {
            0x20b => 112,
            _ => 96,
        };
        let resources = self.u32(at + 24 + directories + 16)?;
        let mut found = Vec::new();
        for number in 0..u64::from(sections) {
            let at = at + 24 + u64::from(optional) + 40 * number;
            found.push(ProgramSection {
                name: self.bytes(at)?,
                size: self.u32(at + 16)?.max(self.u32(at + 8)?),
                address: self.u32(at + 12)?,
                offset: self.u32(at + 20)?,
            });
        }
        let mut program = WindowsProgram::default();
        if found
            .iter()
            .any(|section| section.name.starts_with(b".wixburn"))
        {
            program.bundle = Some("a bundle of packages (Burn)");
        }
        if let Some(root) = offset(&found, resources) {
            self.read_resources(root, &found, &mut program)?;
        }
        Ok(Some(program))
    }

    fn read_resources(
        &mut self,
        root: u64,
        sections: &[ProgramSection],
        program: &mut WindowsProgram,
    ) -> io::Result<()> {
        // Each type has one directory; a program with more of them is read no further.
        let mut types = BTreeSet::new();
        for (kind, at) in self.entries(root, root)? {
            match kind {
                _ if !types.insert(kind) => {}
                RCDATA => {
                    for (name, _) in self.entries(root, at)? {
                        if self.is_named(root, name, "POSTRUNPROGRAM")? {
                            program.bundle = Some("a self-extracting cabinet (IExpress)");
                        }
                    }
                }
                VERSION => {
                    let Some((_, languages)) = self.entries(root, at)?.into_iter().next() else {
                        continue;
                    };
                    if let Some((_, entry)) = self.entries(root, languages)?.into_iter().next() {
                        self.read_version(entry, sections, program)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the entries of a directory of resources: name or number, and place in the file.
    fn entries(&mut self, root: u64, at: u64) -> io::Result<Vec<(u32, u64)>> {
        let count = self.u16(at + 12)?.saturating_add(self.u16(at + 14)?);
        let mut entries = Vec::new();
        for number in 0..u64::from(count.min(MAX_ENTRIES)) {
            let name = self.u32(at + 16 + 8 * number)?;
            let place = self.u32(at + 20 + 8 * number)? & !HIGH_BIT;
            entries.push((name, root + u64::from(place)));
        }
        Ok(entries)
    }

    fn is_named(&mut self, root: u64, name: u32, expected: &str) -> io::Result<bool> {
        if name & HIGH_BIT == 0 {
            return Ok(false);
        }
        let at = root + u64::from(name & !HIGH_BIT);
        if usize::from(self.u16(at)?) != expected.len() {
            return Ok(false);
        }
        for (number, letter) in expected.encode_utf16().enumerate() {
            if self.u16(at + 2 + 2 * number as u64)? != letter {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_version(
        &mut self,
        entry: u64,
        sections: &[ProgramSection],
        program: &mut WindowsProgram,
    ) -> io::Result<()> {
        let (address, size) = (self.u32(entry)?, self.u32(entry + 4)?);
        let Some(at) = offset(sections, address) else {
            return Ok(());
        };
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        let size = u64::from(size.min(MAX_VERSION_BYTES));
        self.file.by_ref().take(size).read_to_end(&mut bytes)?;
        program.version = fixed_version(&bytes);
        program.product = text(&bytes, "ProductName");
        Ok(())
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self, at: u64) -> io::Result<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u16(&mut self, at: u64) -> io::Result<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }
}

/// Returns the place in the file of an address in memory.
fn offset(sections: &[ProgramSection], address: u32) -> Option<u64> {
    let section = sections.iter().find(|section| {
        address
            .checked_sub(section.address)
            .is_some_and(|below| below < section.size)
    })?;
    Some(u64::from(address - section.address) + u64::from(section.offset))
}

/// Returns the version of the product from the block of numbers in a version resource.
fn fixed_version(bytes: &[u8]) -> Option<String> {
    const SIGNATURE: [u8; 4] = 0xfeef_04bd_u32.to_le_bytes();
    let at = bytes.windows(4).position(|window| window == SIGNATURE)?;
    let half = |number: usize| {
        let at = at + 16 + 2 * number;
        let half = bytes.get(at..at + 2)?;
        Some(u16::from_le_bytes([half[0], half[1]]))
    };
    let numbers = [half(1)?, half(0)?, half(3)?, half(2)?];
    let text = numbers.map(|number| number.to_string()).join(".");
    (text != "0.0.0.0").then_some(text)
}

/// Returns a text of a version resource. It follows its key, from a place that is a multiple of four.
fn text(bytes: &[u8], key: &str) -> Option<String> {
    let utf16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let key = [utf16(key), vec![0; 2]].concat();
    let at = bytes.windows(key.len()).position(|window| window == key)?;
    let start = (at + key.len()).next_multiple_of(4);
    let letters = bytes.get(start..)?.as_chunks::<2>().0.iter();
    let letters = letters.map(|pair| u16::from_le_bytes(*pair));
    let text: Vec<u16> = letters.take_while(|letter| *letter != 0).collect();
    let text = String::from_utf16_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
