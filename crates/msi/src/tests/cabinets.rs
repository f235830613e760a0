//! Cabinets of every compression, valid and malformed.

use super::forge::{
    Forge, ForgedBlockGroup, ForgedEntry, LZX_32_KIB, LzxWriter, cabinet, cabinet_of_set, file,
    packed,
};
use super::*;

/// Returns a package with a file `f` of `size` bytes in this cabinet.
fn package(size: usize, cabinet: Vec<u8>) -> Vec<u8> {
    let mut forge = Forge::valid();
    forge.files = vec![file("f", "a.txt", size as i32, 1)];
    forge.streams = vec![("cab".into(), cabinet)];
    forge.build()
}

fn unpacked(size: usize, cabinet: Vec<u8>) -> Result<Vec<u8>, InstallerError> {
    let files = unpack(&package(size, cabinet), &mut NoSiblingFiles)?;
    Ok(files.into_values().next().expect("a file"))
}

fn one_group(compression: u16, blocks: Vec<(Vec<u8>, u16)>, size: usize) -> Vec<u8> {
    cabinet(
        &[ForgedBlockGroup {
            compression,
            blocks,
        }],
        &[ForgedEntry {
            name: "f",
            group: 0,
            start: 0,
            size: size as u32,
        }],
    )
}

fn entry(name: &'static str, group: u16, start: u32, size: u32) -> ForgedEntry {
    ForgedEntry {
        name,
        group,
        start,
        size,
    }
}

fn plain(bytes: &[u8]) -> ForgedBlockGroup {
    ForgedBlockGroup {
        compression: 0,
        blocks: vec![(bytes.to_vec(), bytes.len() as u16)],
    }
}

#[test]
fn mszip_of_several_blocks_is_read() {
    let bytes: Vec<u8> = (0..200_000_u32)
        .flat_map(|number| (number / 7).to_le_bytes())
        .collect();
    let cabinet = packed(cab::CompressionType::MsZip, &[&[("f", &bytes)]]);
    assert!(unpacked(bytes.len(), cabinet).expect("its bytes") == bytes);
}

#[test]
fn lzx_with_literals_and_matches_is_read() {
    let mut lzx = LzxWriter::begin();
    lzx.block(1, 5 + 8 + 1);
    lzx.trees();
    b"hello".iter().for_each(|byte| lzx.literal(*byte));
    lzx.repeat_eight();
    lzx.literal(255);
    let cabinet = one_group(LZX_32_KIB, vec![(lzx.finish(), 14)], 14);
    assert_eq!(
        unpacked(14, cabinet).expect("its bytes"),
        b"hellooooooooo\xff"
    );
}

#[test]
fn lzx_with_plain_bytes_in_several_blocks_is_read() {
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|number| ((number * 7) >> 3) as u8)
        .collect();
    let mut frames = bytes.chunks(32_768);
    let mut lzx = LzxWriter::begin();
    lzx.plain([1, 1, 1], frames.next().expect("a frame"), bytes.len());
    let mut blocks = vec![(lzx.finish(), 32_768)];
    blocks.extend(frames.map(|frame| (frame.to_vec(), frame.len() as u16)));
    let cabinet = one_group(LZX_32_KIB, blocks, bytes.len());
    assert!(unpacked(bytes.len(), cabinet).expect("its bytes") == bytes);
}

#[test]
fn lzx_with_offsets_beyond_the_window_does_not_panic() {
    for offset in [0, 32_767, 32_768, 65_537, u32::MAX / 2, u32::MAX] {
        let mut lzx = LzxWriter::begin();
        lzx.plain([offset; 3], b"ab", 2);
        lzx.block(1, 8);
        lzx.trees();
        lzx.repeat_eight();
        // The resulting bytes are not specified; the test is that unpacking returns.
        let _ = unpacked(10, one_group(LZX_32_KIB, vec![(lzx.finish(), 10)], 10));
    }
}

#[test]
fn an_unsupported_compression_is_an_error() {
    let message = |compression| {
        unpacked(1, one_group(compression, vec![(vec![1], 1)], 1))
            .expect_err("an error")
            .to_string()
    };
    assert_eq!(
        message(2),
        "the cabinet `cab`: Quantum compression is not supported"
    );
    assert_eq!(
        message(7),
        "the cabinet `cab`: compression 7 is not supported"
    );
    assert_eq!(
        message(3),
        "the cabinet `cab` is damaged: the window size of its LZX compression is not valid"
    );
    let continued = one_group(0, vec![(vec![1], 0)], 1);
    assert_eq!(
        unpacked(1, continued).expect_err("an error").to_string(),
        "the cabinet `cab` is damaged: a block ends before its bytes do"
    );
    let lonely = entry("f", 0xfffe, 0, 1);
    assert_eq!(
        unpacked(1, cabinet(&[plain(b"1")], &[lonely]))
            .expect_err("an error")
            .to_string(),
        "the cabinet `cab` is damaged: it is part of a set, and does not name the next part"
    );
}

/// Returns a package with the files `a` and `b` in the set of the cabinets `1.cab` to `3.cab`, and
/// the set: the file `a` is in all three, and its second block is in two of them.
fn set() -> (Forge, Vec<(&'static str, Vec<u8>)>) {
    let a: Vec<u8> = (0..70_000_u32).map(|number| (number / 3) as u8).collect();
    let mut frames = a.chunks(32_768);
    let mut next = || frames.next().expect("a frame").to_vec();
    let (one, two, three) = (next(), next(), next());
    let mut last = three.clone();
    last.extend(b"end");
    let group = |blocks| ForgedBlockGroup {
        compression: 0,
        blocks,
    };
    let size = a.len() as u32;
    let first = cabinet_of_set(
        &[group(vec![(one, 32_768), (two[..1000].to_vec(), 0)])],
        &[entry("f1", 0xfffe, 0, size)],
        [None, Some("2.cab")],
    );
    let second = cabinet_of_set(
        &[group(vec![(two[1000..].to_vec(), 32_768)])],
        &[entry("f1", 0xffff, 0, size)],
        [Some("1.cab"), Some("3.cab")],
    );
    let third = cabinet_of_set(
        &[
            group(vec![(last.clone(), last.len() as u16)]),
            plain(b"apart"),
        ],
        &[
            entry("f1", 0xfffd, 0, size),
            entry("f2", 0, size, 3),
            entry("f3", 1, 0, 5),
        ],
        [Some("2.cab"), None],
    );
    let forge = Forge::with_files(&[("a", &a), ("b", b"end"), ("c", b"apart")]);
    let cabinets = vec![("1.cab", first), ("2.cab", second), ("3.cab", third)];
    (forge, cabinets)
}

#[test]
fn a_file_that_spans_a_set_of_cabinets_is_read() {
    let (mut forge, cabinets) = set();
    let expected = unpack(&forge.build(), &mut NoSiblingFiles).expect("one cabinet");
    // The tables may name all cabinets of the set, or only one.
    let medium = |last, name: &str| (last, Some(name.to_owned()));
    for media in [
        vec![medium(1, "1.cab"), medium(2, "2.cab"), medium(3, "3.cab")],
        vec![medium(1, "1.cab"), medium(3, "3.cab")],
        vec![medium(3, "1.cab")],
        vec![medium(3, "3.cab")],
    ] {
        forge.media = media;
        let mut siblings = SiblingsInMemory(cabinets.clone());
        assert!(unpack(&forge.build(), &mut siblings).expect("the set") == expected);
    }
    // The same in streams of the package.
    forge.media = vec![(3, Some("#1.cab".into()))];
    forge.streams = cabinets
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
        .collect();
    assert!(unpack(&forge.build(), &mut NoSiblingFiles).expect("the set") == expected);
}

#[test]
fn an_incomplete_or_circular_set_is_refused() {
    let (mut forge, mut cabinets) = set();
    forge.media = vec![(3, Some("1.cab".into()))];
    let message = |forge: &Forge, cabinets: &[(&'static str, Vec<u8>)]| {
        unpack(&forge.build(), &mut SiblingsInMemory(cabinets.to_vec()))
            .expect_err("an error")
            .to_string()
    };
    let third = cabinets.pop().expect("three cabinets");
    assert_eq!(
        message(&forge, &cabinets),
        "`3.cab` is missing from the directory of the package"
    );
    cabinets.push((third.0, cabinets[0].1.clone()));
    assert_eq!(
        message(&forge, &cabinets),
        "the cabinet `3.cab` is damaged: it is part of a set in which `2.cab` is twice"
    );
    let mut short = third.1;
    short.truncate(short.len() - 10);
    cabinets[2].1 = short;
    assert!(message(&forge, &cabinets).contains("`3.cab` is damaged: it ends too early"));
    cabinets[1].1 = b"nothing".to_vec();
    assert!(message(&forge, &cabinets).contains("`2.cab` is damaged"));
}

#[test]
fn entries_with_one_place_are_one_content() {
    let forge = |entries: &[ForgedEntry]| {
        let mut forge = Forge::with_files(&[("a", b"12"), ("b", b"12"), ("c", b"34")]);
        forge.streams = vec![("cab".into(), cabinet(&[plain(b"1234")], entries))];
        unpack(&forge.build(), &mut NoSiblingFiles).map_err(|error| error.to_string())
    };
    let files = forge(&[
        entry("f1", 0, 0, 2),
        entry("f2", 0, 0, 2),
        entry("f3", 0, 2, 2),
        entry("f3", 0, 2, 2),
    ]);
    let files: Vec<_> = files.expect("three files").into_values().collect();
    assert_eq!(files, [b"12", b"12", b"34"]);
    let partial = forge(&[
        entry("f1", 0, 0, 2),
        entry("f2", 0, 1, 2),
        entry("f3", 0, 2, 2),
    ]);
    assert!(
        partial
            .expect_err("damage")
            .ends_with("two files share bytes")
    );
}

#[test]
fn the_compression_of_an_unused_block_group_is_not_checked() {
    let quantum = ForgedBlockGroup {
        compression: 2,
        blocks: vec![(vec![1], 1)],
    };
    let shared = cabinet(
        &[quantum, plain(b"hello")],
        &[entry("other", 0, 0, 1), entry("f", 1, 0, 5)],
    );
    let mut forge = Forge::valid();
    forge.media = vec![(1, Some("shared.cab".into()))];
    let files = unpack(
        &forge.build(),
        &mut SiblingsInMemory(vec![("shared.cab", shared)]),
    )
    .expect("its file");
    assert_eq!(files.into_values().collect::<Vec<_>>(), [b"hello"]);
}

#[test]
fn malformed_blocks_are_damage() {
    let message = |compression, block: Vec<u8>, unpacked_size, size| {
        unpacked(
            size,
            one_group(compression, vec![(block, unpacked_size)], size),
        )
        .expect_err("damage")
        .to_string()
    };
    assert!(
        message(0, vec![1, 2], 1, 1)
            .ends_with("the unpacked size of a block differs from the size in its header")
    );
    assert!(message(0, vec![1; 40_000], 40_000, 40_000).ends_with("a block is too large"));
    assert!(message(0, vec![1], 1, 2).ends_with("a block group ends before its files do"));
    assert!(
        message(1, b"CX\x03\x00".to_vec(), 1, 1)
            .ends_with("a block does not begin with the signature of MSZIP")
    );
    assert!(message(1, b"CK\xff\xff".to_vec(), 1, 1).ends_with("a block of MSZIP is malformed"));
    // One block that unpacks to more bytes than its header has.
    let long = [
        b"CK".to_vec(),
        miniz_oxide::deflate::compress_to_vec(&[0; 30_000], 9),
    ]
    .concat();
    assert!(message(1, long, 100, 100).ends_with("a block of MSZIP is malformed"));
    assert!(message(LZX_32_KIB, vec![0xff; 40], 100, 100).ends_with("a block of LZX is malformed"));
}

#[test]
fn a_changed_bit_is_found_by_the_checksum() {
    let mut cabinet = one_group(0, vec![(b"hello".to_vec(), 5)], 5);
    let last = cabinet.last_mut().expect("a byte");
    *last ^= 1;
    assert!(
        unpacked(5, cabinet.clone())
            .expect_err("damage")
            .to_string()
            .ends_with("the checksum of a block is wrong")
    );
    // A checksum of zero means that there is none.
    let at = cabinet.len() - 5 - 8;
    cabinet[at..at + 4].fill(0);
    assert_eq!(unpacked(5, cabinet).expect("unchecked bytes"), b"helln");
}

#[test]
fn reserved_bytes_are_skipped() {
    let mut bytes = one_group(0, vec![(b"hello".to_vec(), 5)], 5);
    let sum_at = bytes.len() - 5 - 8;
    // Three bytes in the header, two in each group, one in each block.
    bytes.splice(sum_at + 8..sum_at + 8, [9]);
    bytes[sum_at..sum_at + 4].fill(0);
    bytes.splice(44..44, [9; 2]);
    bytes.splice(36..36, [3, 0, 2, 1, 9, 9, 9]);
    bytes[30] = 4;
    bytes[16] += 9;
    bytes[43] += 9;
    assert_eq!(unpacked(5, bytes).expect("its bytes"), b"hello");
}

#[test]
fn files_and_block_groups_that_share_bytes_are_refused() {
    let mut forge = Forge::with_files(&[("a", b"12"), ("b", b"34")]);
    let mut unpack_with = |cabinet: Vec<u8>| {
        forge.streams = vec![("cab".into(), cabinet)];
        unpack(&forge.build(), &mut NoSiblingFiles).map_err(|error| error.to_string())
    };
    let overlapping = cabinet(
        &[plain(b"123")],
        &[entry("f1", 0, 0, 2), entry("f2", 0, 1, 2)],
    );
    assert!(
        unpack_with(overlapping)
            .expect_err("damage")
            .ends_with("two files share bytes")
    );
    let mut shared = cabinet(
        &[plain(b"12"), plain(b"12")],
        &[entry("f1", 0, 0, 2), entry("f2", 1, 0, 2)],
    );
    let first: [u8; 4] = shared[36..40].try_into().expect("four bytes");
    shared[44..48].copy_from_slice(&first);
    assert!(
        unpack_with(shared)
            .expect_err("damage")
            .ends_with("two block groups share blocks")
    );
    // Files out of order and with a gap between them are valid.
    let gap = cabinet(
        &[plain(b"34..12")],
        &[entry("f1", 0, 4, 2), entry("f2", 0, 0, 2)],
    );
    assert_eq!(
        unpack_with(gap)
            .expect("both")
            .into_values()
            .collect::<Vec<_>>(),
        [b"12", b"34"]
    );
    let duplicate = cabinet(
        &[plain(b"1234")],
        &[entry("f1", 0, 0, 2), entry("f1", 0, 2, 2)],
    );
    assert!(
        unpack_with(duplicate)
            .expect_err("damage")
            .ends_with("`f1` is in it twice")
    );
}

#[test]
fn a_block_group_is_read_only_to_the_end_of_its_last_file() {
    let blocks = vec![(b"hello".to_vec(), 5), (vec![1], 7)];
    assert_eq!(
        unpacked(5, one_group(0, blocks, 5)).expect("its bytes"),
        b"hello"
    );
}

#[test]
fn a_truncated_cabinet_is_damage() {
    let complete = one_group(0, vec![(b"hello".to_vec(), 5)], 5);
    for length in [0, 3, 20, 40, 50, 60, complete.len() - 1] {
        let message = unpacked(5, complete[..length].to_vec())
            .expect_err("damage")
            .to_string();
        assert!(
            message.ends_with("it ends too early"),
            "{length} bytes: {message}"
        );
    }
    let mut many_files = complete;
    many_files[26..30].fill(0xff);
    assert!(matches!(
        unpacked(5, many_files),
        Err(InstallerError::Damaged { .. } | InstallerError::Unsupported(_))
    ));
}
