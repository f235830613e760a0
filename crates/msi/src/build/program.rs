//! Builder of programs for Windows that do nothing, of any size.

use super::BuildError;
use super::noise::noise;
use rollup_names::FileName;

/// Alignment of a section in the file.
const FILE_ALIGNMENT: u32 = 512;
/// Alignment of a section in memory.
const SECTION_ALIGNMENT: u32 = 4096;
/// Size of the headers and the section of code.
const MIN_PROGRAM_SIZE: u64 = 2 * FILE_ALIGNMENT as u64;
/// Size of `MZ`, by which a program is known.
const SIGNATURE_SIZE: u64 = 2;
/// Code that ends the program at once: `xor eax, eax; ret`.
const CODE: [u8; 3] = [0x31, 0xc0, 0xc3];
/// Offset of the PE headers, after the DOS header.
const PE_HEADERS_AT: u32 = 0x40;

/// Builds a minimal valid program (PE32, x86, console) of exactly `size` bytes, or below a kilobyte
/// only its begin.
///
/// All but the first kilobyte is noise, which depends on the name: as many whole units as fit in a
/// section of data, and the rest after the sections, where signed programs have their signature.
pub fn build_program(name: &FileName, size: u64) -> Result<Vec<u8>, BuildError> {
    let size_error = || BuildError::ProgramSize {
        name: name.clone(),
        requested: size,
        smallest: SIGNATURE_SIZE,
    };
    if !(SIGNATURE_SIZE..1 << 31).contains(&size) {
        return Err(size_error());
    }
    let noise_length = size.saturating_sub(MIN_PROGRAM_SIZE);
    let data_size = noise_length as u32 / FILE_ALIGNMENT * FILE_ALIGNMENT;
    let mut program = headers(data_size);
    program.resize(FILE_ALIGNMENT as usize, 0);
    program.extend(CODE);
    program.resize(MIN_PROGRAM_SIZE as usize, 0);
    program.extend(noise(&[name.as_str()], noise_length));
    // Longer than `size` only below a kilobyte.
    program.truncate(size as usize);
    Ok(program)
}

/// Section of a program.
struct PeSection {
    name: &'static [u8; 8],
    virtual_size: u32,
    virtual_address: u32,
    file_size: u32,
    file_offset: u32,
    flags: u32,
}

fn headers(data_size: u32) -> Vec<u8> {
    const CODE_FLAGS: u32 = 0x6000_0020;
    const DATA_FLAGS: u32 = 0x4000_0040;
    let code = PeSection {
        name: b".text\0\0\0",
        virtual_size: CODE.len() as u32,
        virtual_address: SECTION_ALIGNMENT,
        file_size: FILE_ALIGNMENT,
        file_offset: FILE_ALIGNMENT,
        flags: CODE_FLAGS,
    };
    let mut sections = vec![code];
    if data_size > 0 {
        sections.push(PeSection {
            name: b".rdata\0\0",
            virtual_size: data_size,
            virtual_address: 2 * SECTION_ALIGNMENT,
            file_size: data_size,
            file_offset: MIN_PROGRAM_SIZE as u32,
            flags: DATA_FLAGS,
        });
    }
    let mut bytes = Vec::from(*b"MZ");
    bytes.resize(0x3c, 0);
    bytes.extend(PE_HEADERS_AT.to_le_bytes());
    bytes.extend(b"PE\0\0");
    file_header(&mut bytes, sections.len() as u16);
    optional_header(&mut bytes, data_size);
    for section in sections {
        bytes.extend(section.name);
        push_u32(
            &mut bytes,
            &[
                section.virtual_size,
                section.virtual_address,
                section.file_size,
                section.file_offset,
                0,
                0,
                0,
                section.flags,
            ],
        );
    }
    bytes
}

fn file_header(bytes: &mut Vec<u8>, sections: u16) {
    const I386: u16 = 0x014c;
    const OPTIONAL_HEADER_SIZE: u16 = 224;
    // No relocations, executable, 32 bits.
    const FLAGS: u16 = 0x0103;
    push_u16(bytes, &[I386, sections]);
    // No symbols, and no time, which would differ in every build.
    push_u32(bytes, &[0, 0, 0]);
    push_u16(bytes, &[OPTIONAL_HEADER_SIZE, FLAGS]);
}

fn optional_header(bytes: &mut Vec<u8>, data_size: u32) {
    const BASE: u32 = 0x0040_0000;
    const CONSOLE: u16 = 3;
    let data_units = data_size.div_ceil(SECTION_ALIGNMENT);
    let image_size = (2 + data_units) * SECTION_ALIGNMENT;
    // PE32, and version 0 of the linker.
    push_u16(bytes, &[0x010b, 0]);
    // Sizes of code and data, the entry point, and the offsets of code and data.
    push_u32(
        bytes,
        &[
            FILE_ALIGNMENT,
            data_size,
            0,
            SECTION_ALIGNMENT,
            SECTION_ALIGNMENT,
            2 * SECTION_ALIGNMENT,
        ],
    );
    push_u32(bytes, &[BASE, SECTION_ALIGNMENT, FILE_ALIGNMENT]);
    // Versions of the system, the program and the subsystem.
    push_u16(bytes, &[4, 0, 0, 0, 4, 0]);
    // Size of the image in memory, size of the headers, no checksum.
    push_u32(bytes, &[0, image_size, FILE_ALIGNMENT, 0]);
    push_u16(bytes, &[CONSOLE, 0]);
    // Stack and heap, reserved and committed; sixteen data directories, all empty.
    push_u32(bytes, &[0x0010_0000, 0x1000, 0x0010_0000, 0x1000, 0, 16]);
    push_u32(bytes, &[0; 32]);
}

fn push_u16(bytes: &mut Vec<u8>, numbers: &[u16]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn push_u32(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollup_names::Digest;

    #[test]
    fn a_program_has_exactly_the_size_asked_for() {
        let name = FileName::parse("AddMPFSchema.exe").expect("a valid name");
        for size in [2, 7, 1023, 1024, 1025, 1535, 1536, 4096, 79_528] {
            let program = build_program(&name, size).expect("a program");
            assert_eq!(program.len() as u64, size);
            assert_eq!(
                Digest::of(&program),
                Digest::of(&build_program(&name, size).expect("a program"))
            );
        }
        let refused = build_program(&name, 1).expect_err("too small").to_string();
        assert_eq!(
            refused,
            "`AddMPFSchema.exe` cannot have 1 bytes; a program has at least 2 and less than 2 GiB"
        );
    }
}
