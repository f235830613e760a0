//! Bytes that cannot be compressed and that are always the same for one seed.

/// Returns noise of a length for the texts of a seed. Longer noise begins with the shorter noise.
pub(super) fn noise(seed: &[&str], length: u64) -> Vec<u8> {
    let mut state = seed.iter().fold(0xcbf2_9ce4_8422_2325, |hash, text| {
        // FNV-1a, with a zero byte after each text so that `a`, `bc` and `ab`, `c` differ.
        text.bytes().chain([0]).fold(hash, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    });
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        bytes.extend(next(&mut state).to_le_bytes());
    }
    bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    bytes
}

/// Returns the next number of SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_depends_on_its_seed_only() {
        assert_eq!(noise(&["a.msi", "1.0"], 100), noise(&["a.msi", "1.0"], 100));
        assert_ne!(noise(&["a.msi", "1.0"], 100), noise(&["a.msi", "1.1"], 100));
        assert_ne!(noise(&["a", "bc"], 8), noise(&["ab", "c"], 8));
        assert_eq!(noise(&["a"], 13).len(), 13);
        let packed = miniz_oxide::deflate::compress_to_vec(&noise(&["a"], 65536), 9);
        assert!(packed.len() > 65536, "it shrank to {} bytes", packed.len());
    }
}
