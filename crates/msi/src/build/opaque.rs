//! Builder of patches and of updates of Windows that change nothing, of any size.

use std::io::{self, Cursor, Write};

use cfb::{CompoundFile, Version};
use rollup_names::FileName;
use uuid::Uuid;

use super::noise::noise;
use super::{BuildError, compound, of_size};
use crate::format::PATCH_CLASS;

/// Begin of a cabinet.
const CABINET: &[u8] = b"MSCF";

/// Builds a patch (`.msp`) of exactly `size` bytes, a multiple of 512, with one stream of noise.
pub fn build_patch(name: &FileName, size: u64) -> Result<Vec<u8>, BuildError> {
    of_size(name, size, |length| {
        patch(&noise(&[name.as_str()], length)).map_err(|source| BuildError::Write {
            name: name.clone(),
            source,
        })
    })
}

/// Builds the begin of a cabinet (`.msu`) of exactly `size` bytes, followed by noise.
pub fn build_update(name: &FileName, size: u64) -> Vec<u8> {
    let mut update = CABINET.to_vec();
    update.extend(noise(&[name.as_str()], size));
    update.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    update
}

fn patch(noise: &[u8]) -> io::Result<Vec<u8>> {
    let mut file = CompoundFile::create_with_version(Version::V4, Cursor::new(Vec::new()))?;
    file.create_stream("/Noise")?.write_all(noise)?;
    file.set_storage_clsid("/", Uuid::from_u128(PATCH_CLASS))?;
    file.flush()?;
    compound::convert_to_version_3(file.into_inner().into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileFormat;

    fn format(bytes: &[u8]) -> FileFormat {
        FileFormat::of(&mut Cursor::new(bytes)).expect("readable")
    }

    #[test]
    fn built_files_have_their_size_and_the_format_of_their_name() {
        let name = FileName::parse("kb1.msp").expect("a name");
        for size in [65_536, 66_048, 1 << 20] {
            let patch = build_patch(&name, size).expect("a patch");
            assert_eq!(patch.len() as u64, size);
            assert_eq!(format(&patch), FileFormat::Patch);
        }
        assert!(build_patch(&name, 65_537).is_err());
        let update = build_update(&name, 1000);
        assert_eq!(update.len(), 1000);
        assert_eq!(format(&update), FileFormat::Cabinet);
    }
}
