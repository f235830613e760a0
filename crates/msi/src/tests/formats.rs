//! Files that are not packages are named as what they are.

use super::forge::{Forge, stored};
use super::*;

fn kind(bytes: &[u8]) -> String {
    FileFormat::of(&mut Cursor::new(bytes))
        .expect("in memory")
        .to_string()
}

#[test]
fn a_file_is_known_by_its_signature() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5120\n";
    for (bytes, expected) in [
        (b"".as_slice(), "an empty file"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"PK\x05\x06rest", "a ZIP archive"),
        (b"7z\xbc\xaf\x27\x1crest", "a 7z archive"),
        (b"%PDF-1.4", "a PDF document"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><html>", "an HTML page"),
        (b"<HTML><BODY>404", "an HTML page"),
        (lfs, "a pointer of Git LFS"),
        (b"plain text", "a file of an unknown kind"),
        (b"MZ", "a program (PE)"),
        (b"MSCF and nothing", "a cabinet (.cab)"),
    ] {
        assert_eq!(kind(bytes), expected);
    }
    assert_eq!(kind(&stored(&[("a", b"1")])), "a cabinet (.cab)");
    let update = stored(&[("WSUSSCAN.cab", b"1"), ("KB1.xml", b"2")]);
    assert_eq!(kind(&update), "an update of Windows (.msu)");
}

#[test]
fn the_kind_of_a_compound_file_is_found() {
    use msi::PackageType;
    let of = |kind_of_package, more_tables| {
        let forge = Forge {
            kind: kind_of_package,
            more_tables,
            ..Forge::valid()
        };
        kind(&forge.build())
    };
    assert_eq!(
        of(PackageType::Installer, vec![]),
        "a Windows Installer package"
    );
    assert_eq!(
        of(PackageType::Installer, vec!["ModuleSignature"]),
        "a Windows Installer package"
    );
    assert_eq!(of(PackageType::Patch, vec![]), "a patch (.msp)");
    assert_eq!(of(PackageType::Transform, vec![]), "a transform (.mst)");
    let mut word = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("a compound file");
    word.create_stream("WordDocument").expect("a stream");
    assert_eq!(
        kind(word.into_inner().get_ref()),
        "a compound file of another program"
    );
}

/// Returns a program with one section, which has these resources at its beginning.
fn program(section: &str, resources: &[u8]) -> Vec<u8> {
    const ADDRESS: u32 = 0x1000;
    let mut bytes = vec![0; 0x200];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x40;
    bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
    bytes[0x46] = 1;
    bytes[0x54] = 0xe0;
    bytes[0x58..0x5a].copy_from_slice(&0x10b_u16.to_le_bytes());
    // The third directory is that of the resources.
    bytes[0x58 + 96 + 16..][..4].copy_from_slice(&ADDRESS.to_le_bytes());
    let at = 0x58 + 0xe0;
    bytes[at..at + section.len()].copy_from_slice(section.as_bytes());
    let size = resources.len() as u32;
    for (offset, word) in [(8, size), (12, ADDRESS), (16, size), (20, 0x200)] {
        bytes[at + offset..at + offset + 4].copy_from_slice(&word.to_le_bytes());
    }
    bytes.extend(resources);
    bytes
}

/// Returns a directory of resources with one resource of a type and a name; the data is at 0x100.
fn resources(kind: u32, name: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let name_at = 0x80_u32;
    let entry = |bytes: &mut Vec<u8>, name: u32, place: u32| {
        bytes.extend([0; 12]);
        bytes.extend([0, 0, 1, 0]);
        bytes.extend(name.to_le_bytes());
        bytes.extend(place.to_le_bytes());
    };
    let high = 0x8000_0000_u32;
    entry(&mut bytes, kind, high | 24);
    entry(&mut bytes, name.map_or(1, |_| high | name_at), high | 48);
    entry(&mut bytes, 1033, 72);
    bytes.extend(0x1100_u32.to_le_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.resize(name_at as usize, 0);
    if let Some(name) = name {
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    }
    bytes.resize(0x100, 0);
    bytes.extend(data);
    bytes
}

#[test]
fn product_and_version_of_a_program_come_from_its_resources() {
    let mut data = vec![0; 40];
    data.extend(0xfeef_04bd_u32.to_le_bytes());
    data.extend([0; 12]);
    for half in [2_u16, 1, 4, 3] {
        data.extend(half.to_le_bytes());
    }
    data.extend("ProductName\0".encode_utf16().flat_map(u16::to_le_bytes));
    data.resize(data.len().next_multiple_of(4), 0);
    data.extend("Example Ü\0".encode_utf16().flat_map(u16::to_le_bytes));
    let bytes = program(".rsrc", &resources(16, None, &data));
    assert_eq!(kind(&bytes), "a program (PE) `Example Ü` 1.2.3.4");
    for length in 2..bytes.len() {
        kind(&bytes[..length]);
    }
}

/// Reader that counts how often it is read.
struct CountingReader {
    bytes: Cursor<Vec<u8>>,
    reads: usize,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        self.bytes.read(buffer)
    }
}

impl Seek for CountingReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_program_whose_resources_refer_to_each_other_is_read_in_few_steps() {
    // A directory of a thousand types, all of them itself.
    let mut hostile = vec![0; 12];
    hostile.extend(1000_u32.to_le_bytes());
    for _ in 0..1000 {
        hostile.extend(10_u32.to_le_bytes());
        hostile.extend(0x8000_0000_u32.to_le_bytes());
    }
    let mut reader = CountingReader {
        bytes: Cursor::new(program(".rsrc", &hostile)),
        reads: 0,
    };
    FileFormat::of(&mut reader).expect("in memory");
    assert!(reader.reads < 10_000, "{} reads", reader.reads);
}

#[test]
fn bundles_that_contain_packages_are_named() {
    assert_eq!(
        kind(&program(".wixburn", b"")),
        "a bundle of packages (Burn)"
    );
    let express = resources(10, Some("POSTRUNPROGRAM"), b"x");
    assert_eq!(
        kind(&program(".rsrc", &express)),
        "a self-extracting cabinet (IExpress)"
    );
    let other = resources(10, Some("POSTRUNPROGRAN"), b"x");
    assert_eq!(kind(&program(".rsrc", &other)), "a program (PE)");
}
