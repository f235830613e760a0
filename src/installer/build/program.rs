//! A program for Windows that does nothing, of any size.

use super::BuildError;
use super::noise::noise;
use crate::names::FileName;

/// The unit of a section in the file.
const FILE_UNIT: u32 = 512;
/// The unit of a section in memory.
const MEMORY_UNIT: u32 = 4096;
/// The headers, and a section of code.
const MIN_PROGRAM_SIZE: u64 = 2 * FILE_UNIT as u64;
/// Code that ends the program at once: `xor eax, eax; ret`.
const CODE: [u8; 3] = [0x31, 0xc0, 0xc3];
/// Offset of the newer headers, behind the old one.
const HEADERS_AT: u32 = 0x40;

/// Makes a minimal valid program (PE32, x86, console) of exactly `size` bytes.
///
/// All but the first kilobyte is noise, which depends on the name: as much as fits in a section of
/// data, and the rest behind the program, where others carry their signature.
pub fn build_program(name: &FileName, size: u64) -> Result<Vec<u8>, BuildError> {
    let refused = || BuildError::ProgramSize {
        name: name.clone(),
        wanted: size,
        smallest: MIN_PROGRAM_SIZE,
    };
    let slack = size
        .checked_sub(MIN_PROGRAM_SIZE)
        .filter(|_| size < 1 << 31)
        .ok_or_else(refused)?;
    let data = slack as u32 / FILE_UNIT * FILE_UNIT;
    let mut program = headers(data);
    program.resize(FILE_UNIT as usize, 0);
    program.extend(CODE);
    program.resize(MIN_PROGRAM_SIZE as usize, 0);
    program.extend(noise(&[name.as_str()], slack));
    Ok(program)
}

/// A section: its name, its place in memory and in the file, and its purpose.
struct PeSection {
    name: &'static [u8; 8],
    memory_size: u32,
    memory: u32,
    file_size: u32,
    file: u32,
    flags: u32,
}

fn headers(data: u32) -> Vec<u8> {
    const CODE_FLAGS: u32 = 0x6000_0020;
    const DATA_FLAGS: u32 = 0x4000_0040;
    let code = PeSection {
        name: b".text\0\0\0",
        memory_size: CODE.len() as u32,
        memory: MEMORY_UNIT,
        file_size: FILE_UNIT,
        file: FILE_UNIT,
        flags: CODE_FLAGS,
    };
    let mut sections = vec![code];
    if data > 0 {
        let (memory, file) = (2 * MEMORY_UNIT, MIN_PROGRAM_SIZE as u32);
        let name = b".rdata\0\0";
        sections.push(PeSection {
            name,
            memory_size: data,
            memory,
            file_size: data,
            file,
            flags: DATA_FLAGS,
        });
    }
    let mut bytes = Vec::from(*b"MZ");
    bytes.resize(0x3c, 0);
    bytes.extend(HEADERS_AT.to_le_bytes());
    bytes.extend(b"PE\0\0");
    file_header(&mut bytes, sections.len() as u16);
    optional_header(&mut bytes, data);
    for section in sections {
        bytes.extend(section.name);
        let PeSection {
            memory_size,
            memory,
            file_size,
            file,
            ..
        } = section;
        words(
            &mut bytes,
            &[memory_size, memory, file_size, file, 0, 0, 0, section.flags],
        );
    }
    bytes
}

fn file_header(bytes: &mut Vec<u8>, sections: u16) {
    const I386: u16 = 0x014c;
    const OPTIONAL_HEADER_SIZE: u16 = 224;
    // No relocations, executable, 32 bits.
    const FLAGS: u16 = 0x0103;
    halves(bytes, &[I386, sections]);
    // No time, which would change with every build, and no symbols.
    words(bytes, &[0, 0, 0]);
    halves(bytes, &[OPTIONAL_HEADER_SIZE, FLAGS]);
}

fn optional_header(bytes: &mut Vec<u8>, data: u32) {
    const BASE: u32 = 0x0040_0000;
    const CONSOLE: u16 = 3;
    let image = 2 * MEMORY_UNIT + data.div_ceil(MEMORY_UNIT) * MEMORY_UNIT;
    // PE32, and a zero version of the linker, since there is none.
    halves(bytes, &[0x010b, 0]);
    // Sizes of code and data, the entry point, and the offsets of code and data.
    words(
        bytes,
        &[
            FILE_UNIT,
            data,
            0,
            MEMORY_UNIT,
            MEMORY_UNIT,
            2 * MEMORY_UNIT,
        ],
    );
    words(bytes, &[BASE, MEMORY_UNIT, FILE_UNIT]);
    // Versions of the system, the program and the subsystem.
    halves(bytes, &[4, 0, 0, 0, 4, 0]);
    // The image in memory, the headers, no checksum.
    words(bytes, &[0, image, FILE_UNIT, 0]);
    halves(bytes, &[CONSOLE, 0]);
    // Stack and heap, reserved and committed; then sixteen directories, all empty.
    words(bytes, &[0x0010_0000, 0x1000, 0x0010_0000, 0x1000, 0, 16]);
    words(bytes, &[0; 32]);
}

fn halves(bytes: &mut Vec<u8>, numbers: &[u16]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn words(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Digest;

    #[test]
    fn a_program_has_exactly_the_size_asked_for() {
        let name = FileName::parse("AddMPFSchema.exe").expect("a valid name");
        for size in [1024, 1025, 1535, 1536, 4096, 79_528] {
            let program = build_program(&name, size).expect("a program");
            assert_eq!(program.len() as u64, size);
            assert_eq!(
                Digest::of(&program),
                Digest::of(&build_program(&name, size).expect("a program"))
            );
        }
        let refused = build_program(&name, 1023)
            .expect_err("too small")
            .to_string();
        assert_eq!(
            refused,
            "`AddMPFSchema.exe` cannot have 1023 bytes; a program has at least 1024 and less than 2 GiB"
        );
    }
}
