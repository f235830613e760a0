//! Thousands of damaged packages, the same in every run: each is read or refused, and none makes
//! the program panic.

use super::forge::{
    Forge, ForgedBlockGroup, ForgedEntry, LZX_32_KIB, LzxWriter, cabinet, packed, rewrite_streams,
};
use super::*;

const RUNS: usize = 3_000;

/// Returns a package with files of every compression.
fn sample_package() -> Vec<u8> {
    let text = b"the same again and again, the same again and again, the same again and again";
    let mut forge = Forge::with_files(&[
        ("a", text),
        ("b", b"stored"),
        ("c", b"hellooooooooo"),
        ("d", b""),
    ]);
    let mut lzx = LzxWriter::begin();
    lzx.block(1, 13);
    lzx.trees();
    b"hello".iter().for_each(|byte| lzx.literal(*byte));
    lzx.repeat_eight();
    let groups = [
        ForgedBlockGroup {
            compression: LZX_32_KIB,
            blocks: vec![(lzx.finish(), 13)],
        },
        ForgedBlockGroup {
            compression: 0,
            blocks: vec![(b"stored".to_vec(), 6)],
        },
    ];
    let entry = |name, group, size| ForgedEntry {
        name,
        group,
        start: 0,
        size,
    };
    // Without checksums, so that changed blocks are unpacked.
    let mut mixed = cabinet(
        &groups,
        &[entry("f3", 0, 13), entry("f2", 1, 6), entry("f4", 1, 0)],
    );
    clear_checksums(&mut mixed);
    forge.streams = vec![
        (
            "one".into(),
            packed(cab::CompressionType::MsZip, &[&[("f1", text)]]),
        ),
        ("two".into(), mixed),
    ];
    forge.media = vec![(1, Some("#one".into())), (4, Some("#two".into()))];
    forge.build()
}

fn clear_checksums(cabinet: &mut [u8]) {
    let starts: Vec<usize> = [36, 44].map(|at| usize::from(cabinet[at])).into();
    starts
        .into_iter()
        .for_each(|at| cabinet[at..at + 4].fill(0));
}

/// Deterministic generator, so that every run has the same mutations.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let Some(at) = bytes.len().checked_sub(1).map(|last| self.below(last + 1)) else {
            return;
        };
        let rest = bytes.len() - at;
        match self.below(6) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.below(256) as u8,
            2 => bytes[at..at + rest.min(4)].fill(0xff),
            3 => bytes[at..at + rest.min(4)].fill(0),
            4 => bytes.truncate(at),
            _ => {
                let from = self.below(bytes.len());
                let length = rest.min(bytes.len() - from).min(16);
                bytes.copy_within(from..from + length, at);
            }
        }
    }
}

#[test]
fn a_damaged_package_is_read_or_refused() {
    let intact = sample_package();
    assert_eq!(
        unpack(&intact, &mut NoSiblingFiles)
            .expect("the intact package")
            .len(),
        4
    );
    let mut random = Random(952_076);
    for _ in 0..RUNS {
        let mut damaged = intact.clone();
        (0..=random.below(3)).for_each(|_| random.mutate(&mut damaged));
        let _ = contents(Cursor::new(damaged), &mut NoSiblingFiles);
    }
}

#[test]
fn damaged_tables_and_cabinets_are_read_or_refused() {
    let intact = sample_package();
    let mut random = Random(948_755);
    let mut readable = 0;
    for _ in 0..RUNS {
        // The compound file stays intact, so that the damage reaches its contents.
        let damaged_stream = random.below(12);
        let mut number = 0;
        let damaged = rewrite_streams(&intact, |_, stream| {
            if number == damaged_stream {
                (0..=random.below(3)).for_each(|_| random.mutate(stream));
            }
            number += 1;
        });
        readable += usize::from(contents(Cursor::new(damaged), &mut NoSiblingFiles).is_ok());
    }
    assert!(
        (RUNS / 20..RUNS).contains(&readable),
        "{readable} of {RUNS} are readable: the mutations damage too much or too little"
    );
}

#[test]
fn damaged_blocks_of_lzx_are_unpacked_or_refused() {
    let mut random = Random(15);
    let mut lzx = LzxWriter::begin();
    lzx.plain([1, 2, 3], b"abcd", 4);
    lzx.block(1, 13);
    lzx.trees();
    b"hello".iter().for_each(|byte| lzx.literal(*byte));
    lzx.repeat_eight();
    let intact = lzx.finish();
    for _ in 0..RUNS {
        let mut block = intact.clone();
        (0..=random.below(3)).for_each(|_| random.mutate(&mut block));
        let size = 17 + random.below(3) as u32;
        let group = ForgedBlockGroup {
            compression: LZX_32_KIB,
            blocks: vec![(block.clone(), 17), (block, 2)],
        };
        let bytes = cabinet(
            &[group],
            &[ForgedEntry {
                name: "f",
                group: 0,
                start: 0,
                size,
            }],
        );
        let cabinet = crate::cabinet::Cabinet::open(
            Cursor::new(bytes),
            "it".to_owned(),
            crate::code_page::CodePage::from_number(0),
        );
        let mut cabinets = [cabinet.expect("a valid directory")];
        let segment = crate::blocks::Segment {
            cabinet: 0,
            group: cabinets[0].groups[0],
        };
        let (mut ends, segments) = ([0], [segment]);
        let blocks = crate::blocks::Blocks::new(&mut cabinets, &mut ends, &segments);
        let mut blocks = blocks.expect("LZX");
        let _ = blocks.copy(u64::from(size), |_| Ok(()));
    }
}

/// Returns a compound file that consists of a directory of seven megabytes.
fn large_directory() -> Vec<u8> {
    const MAPS: u32 = 109;
    const SECTORS: u32 = MAPS * 128;
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut file = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    file.resize(24, 0);
    // Version 3, little-endian, sectors of 512 bytes and small sectors of 64.
    [0x3e_u16, 3, 0xfffe, 9, 6]
        .iter()
        .for_each(|half| file.extend(half.to_le_bytes()));
    file.resize(44, 0);
    // First the maps, then the directory.
    file.extend(words(&[
        MAPS,
        MAPS,
        0,
        4096,
        0xffff_fffe,
        0,
        0xffff_fffe,
        0,
    ]));
    file.extend(words(&(0..MAPS).collect::<Vec<_>>()));
    let next = (0..SECTORS).map(|sector| match sector {
        ..MAPS => 0xffff_fffd,
        _ if sector + 1 == SECTORS => 0xffff_fffe,
        _ => sector + 1,
    });
    file.extend(words(&next.collect::<Vec<_>>()));
    file.resize((SECTORS as usize + 1) * 512, 0);
    file
}

#[test]
fn a_large_directory_is_refused_before_it_is_in_memory() {
    assert_eq!(
        error_message(&large_directory()),
        "the compound file is damaged: its directory is larger than that of any package"
    );
}
