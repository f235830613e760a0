//! Summary information of a package: the one number in it that says where the files are.

use std::io::{Read, Seek};

/// Name of the stream.
const STREAM: &str = "\u{5}SummaryInformation";
/// Maximum size of the stream in bytes.
const MAX_BYTES: u64 = 1 << 16;
/// Number of the property `Word Count`, whose bits describe the source.
const WORD_COUNT: u32 = 15;
/// Type of a value: a whole number of four bytes.
const VT_I4: u32 = 3;

/// Source of a package, from the bits of `Word Count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SourceKind {
    /// True if the names in the source are the short ones.
    pub(super) has_short_names: bool,
    /// True if files are in cabinets unless their row says otherwise; `None` if the package does not
    /// say it.
    pub(super) is_compressed: Option<bool>,
    /// True for an administrative image, in which no file is in a cabinet.
    pub(super) is_unpacked: bool,
}

impl SourceKind {
    /// Reads the summary. A package whose summary cannot be read says nothing.
    pub(super) fn read<R: Read + Seek>(compound: &mut cfb::CompoundFile<R>) -> Self {
        let mut bytes = Vec::new();
        let read = compound
            .open_stream(STREAM)
            .and_then(|stream| stream.take(MAX_BYTES).read_to_end(&mut bytes));
        let bits = read.ok().and_then(|_| number(&bytes, WORD_COUNT));
        bits.map_or(Self::default(), |bits| Self {
            has_short_names: bits & 1 != 0,
            is_compressed: Some(bits & 2 != 0),
            is_unpacked: bits & 4 != 0,
        })
    }
}

/// Returns a number from the first section of a property set.
fn number(bytes: &[u8], wanted: u32) -> Option<u32> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    // The header has 28 bytes, then come the identifier of the section and its offset.
    let section = word(44)? as usize;
    let count = word(section.checked_add(4)?)?;
    for property in 0..count.min(100) as usize {
        let entry = section + 8 + 8 * property;
        if word(entry)? == wanted {
            let value = section.checked_add(word(entry + 4)? as usize)?;
            return (word(value)? == VT_I4).then(|| word(value + 4))?;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_among_other_properties() {
        let mut bytes = vec![0; 44];
        let words = [48_u32, 0, 2, 2, 24, 15, 32, 30, 0, VT_I4, 6];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        assert_eq!(number(&bytes, WORD_COUNT), Some(6));
        assert_eq!(number(&bytes, 2), None, "it is a text");
        assert_eq!(number(&bytes[..70], WORD_COUNT), None);
        assert_eq!(number(&[], WORD_COUNT), None);
        bytes[44..48].fill(0xff);
        assert_eq!(number(&bytes, WORD_COUNT), None);
    }
}
