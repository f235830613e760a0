//! Cabinets of every kind, well made and not.

use super::forge::{Forge, ForgedEntry, ForgedFolder, LZX_32_KIB, Lzx, cabinet, file, packed};
use super::*;

/// Returns a package whose file `f` of `size` bytes is in this cabinet.
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

fn one_folder(kind: u16, blocks: Vec<(Vec<u8>, u16)>, size: usize) -> Vec<u8> {
    cabinet(
        &[ForgedFolder { kind, blocks }],
        &[ForgedEntry {
            name: "f",
            folder: 0,
            start: 0,
            size: size as u32,
        }],
    )
}

fn plain(bytes: &[u8]) -> ForgedFolder {
    ForgedFolder {
        kind: 0,
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
    let mut lzx = Lzx::begin();
    lzx.block(1, 5 + 8 + 1);
    lzx.trees();
    b"hello".iter().for_each(|byte| lzx.literal(*byte));
    lzx.eight_again();
    lzx.literal(255);
    let cabinet = one_folder(LZX_32_KIB, vec![(lzx.finish(), 14)], 14);
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
    let mut lzx = Lzx::begin();
    lzx.plain([1, 1, 1], frames.next().expect("a frame"), bytes.len());
    let mut blocks = vec![(lzx.finish(), 32_768)];
    blocks.extend(frames.map(|frame| (frame.to_vec(), frame.len() as u16)));
    let cabinet = one_folder(LZX_32_KIB, blocks, bytes.len());
    assert!(unpacked(bytes.len(), cabinet).expect("its bytes") == bytes);
}

#[test]
fn lzx_with_offsets_beyond_the_window_is_no_harm() {
    for offset in [0, 32_767, 32_768, 65_537, u32::MAX / 2, u32::MAX] {
        let mut lzx = Lzx::begin();
        lzx.plain([offset; 3], b"ab", 2);
        lzx.block(1, 8);
        lzx.trees();
        lzx.eight_again();
        // The resulting bytes are not specified; the test is that there is a result.
        let _ = unpacked(10, one_folder(LZX_32_KIB, vec![(lzx.finish(), 10)], 10));
    }
}

#[test]
fn what_we_cannot_unpack_is_said() {
    let told = |kind| {
        unpacked(1, one_folder(kind, vec![(vec![1], 1)], 1))
            .expect_err("a refusal")
            .to_string()
    };
    assert_eq!(
        told(2),
        "the cabinet `cab`: Quantum compression is not supported"
    );
    assert_eq!(told(7), "the cabinet `cab`: compression 7 is not supported");
    assert_eq!(
        told(3),
        "the cabinet `cab` is damaged: the window of its LZX compression has no valid size"
    );
    let set = "the cabinet `cab`: a cabinet set that spans files is not supported";
    for folder in [0xfffd, 0xfffe, 0xffff] {
        let entries = [ForgedEntry {
            name: "f",
            folder,
            start: 0,
            size: 1,
        }];
        assert_eq!(
            unpacked(1, cabinet(&[plain(b"1")], &entries))
                .expect_err("a refusal")
                .to_string(),
            set
        );
    }
    let goes_on = one_folder(0, vec![(vec![1], 0)], 1);
    assert_eq!(
        unpacked(1, goes_on).expect_err("a refusal").to_string(),
        set
    );
}

#[test]
fn a_folder_that_nobody_needs_may_be_of_any_kind() {
    let quantum = ForgedFolder {
        kind: 2,
        blocks: vec![(vec![1], 1)],
    };
    let entry = |name, folder, size| ForgedEntry {
        name,
        folder,
        start: 0,
        size,
    };
    let shared = cabinet(
        &[quantum, plain(b"hello")],
        &[entry("other", 0, 1), entry("f", 1, 5)],
    );
    let mut forge = Forge::valid();
    forge.media = vec![(1, Some("shared.cab".into()))];
    let files = unpack(
        &forge.build(),
        &mut Neighbours(vec![("shared.cab", shared)]),
    )
    .expect("its file");
    assert_eq!(files.into_values().collect::<Vec<_>>(), [b"hello"]);
}

#[test]
fn blocks_that_make_no_sense_are_damage() {
    let told = |kind, block: Vec<u8>, unpacks_to, size| {
        unpacked(size, one_folder(kind, vec![(block, unpacks_to)], size))
            .expect_err("damage")
            .to_string()
    };
    assert!(told(0, vec![1, 2], 1, 1).ends_with("a block unpacks to another size than it says"));
    assert!(told(0, vec![1; 40_000], 40_000, 40_000).ends_with("a block is too large"));
    assert!(told(0, vec![1], 1, 2).ends_with("a folder ends before its files do"));
    assert!(told(1, b"CX\x03\x00".to_vec(), 1, 1).ends_with("a block does not begin like MSZIP"));
    assert!(told(1, b"CK\xff\xff".to_vec(), 1, 1).ends_with("a block of MSZIP makes no sense"));
    // One block that unpacks to more than its stated size.
    let long = [
        b"CK".to_vec(),
        miniz_oxide::deflate::compress_to_vec(&[0; 30_000], 9),
    ]
    .concat();
    assert!(told(1, long, 100, 100).ends_with("a block of MSZIP makes no sense"));
    assert!(told(LZX_32_KIB, vec![0xff; 40], 100, 100).ends_with("a block of LZX makes no sense"));
}

#[test]
fn a_changed_bit_shows_in_the_checksum() {
    let mut cabinet = one_folder(0, vec![(b"hello".to_vec(), 5)], 5);
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
fn reserved_bytes_are_passed_over() {
    let mut bytes = one_folder(0, vec![(b"hello".to_vec(), 5)], 5);
    let sum_at = bytes.len() - 5 - 8;
    // Three bytes in the header, two in each folder, one in each block.
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
fn files_and_folders_that_share_bytes_are_refused() {
    let entry = |name, folder, start, size| ForgedEntry {
        name,
        folder,
        start,
        size,
    };
    let mut forge = Forge::with_files(&[("a", b"12"), ("b", b"34")]);
    let mut told = |cabinet: Vec<u8>| {
        forge.streams = vec![("cab".into(), cabinet)];
        unpack(&forge.build(), &mut NoSiblingFiles).map_err(|error| error.to_string())
    };
    let overlapping = cabinet(
        &[plain(b"123")],
        &[entry("f1", 0, 0, 2), entry("f2", 0, 1, 2)],
    );
    assert!(
        told(overlapping)
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
        told(shared)
            .expect_err("damage")
            .ends_with("two folders share blocks")
    );
    // Out of order and with a gap is in order.
    let gap = cabinet(
        &[plain(b"34..12")],
        &[entry("f1", 0, 4, 2), entry("f2", 0, 0, 2)],
    );
    assert_eq!(
        told(gap).expect("both").into_values().collect::<Vec<_>>(),
        [b"12", b"34"]
    );
    let twice = cabinet(
        &[plain(b"1234")],
        &[entry("f1", 0, 0, 2), entry("f1", 0, 2, 2)],
    );
    assert!(
        told(twice)
            .expect_err("damage")
            .ends_with("`f1` is in it twice")
    );
}

#[test]
fn a_folder_with_one_file_is_read_no_further_than_the_file() {
    let blocks = vec![(b"hello".to_vec(), 5), (vec![1], 7)];
    assert_eq!(
        unpacked(5, one_folder(0, blocks, 5)).expect("its bytes"),
        b"hello"
    );
}

#[test]
fn a_cabinet_that_claims_more_than_there_is_ends_too_early() {
    let whole = one_folder(0, vec![(b"hello".to_vec(), 5)], 5);
    for length in [0, 3, 20, 40, 50, 60, whole.len() - 1] {
        let told = unpacked(5, whole[..length].to_vec())
            .expect_err("damage")
            .to_string();
        assert!(
            told.ends_with("it ends too early"),
            "{length} bytes: {told}"
        );
    }
    let mut many = whole;
    many[26..30].fill(0xff);
    assert!(matches!(
        unpacked(5, many),
        Err(InstallerError::Damaged { .. } | InstallerError::Unsupported(_))
    ));
}
