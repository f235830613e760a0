//! Fuzz target that reads any bytes as an installer package, whose files beside it are the same
//! bytes, and as a file of any kind.
//!
//! From the repository's root, with `cargo install cargo-fuzz` and the stable toolchain:
//!
//! ```text
//! cargo run -- rehearse manifests/kb952076.toml --prepare --lab lab && mkdir -p fuzz/corpus/packages
//! RUSTC_BOOTSTRAP=1 cargo fuzz run packages fuzz/corpus/packages lab/payload -- -max_len=300000
//! ```

#![no_main]

use std::io::{self, Cursor};

use rollup::installer::{FileFormat, ReadSeek, SiblingFiles, survey};
use rollup::names::RelPath;

/// Directory in which every file has the same bytes.
struct SameBytes<'a>(&'a [u8]);

impl SiblingFiles for SameBytes<'_> {
    fn open(&mut self, _path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        Ok(Some(Box::new(Cursor::new(self.0.to_vec()))))
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let kind = FileFormat::of(&mut Cursor::new(bytes)).expect("in memory");
    let _ = (kind.to_string(), kind.help());
    if let Ok(survey) = survey(Cursor::new(bytes), &mut SameBytes(bytes))
        && let Ok(contents) = survey.contents
    {
        // What is installed is part of what the package has.
        let installed = contents.installed(&[]).unwrap_or_default();
        assert!(installed.len() <= contents.files.len());
        assert!(installed.is_sorted_by(|a, b| a.file.path < b.file.path));
    }
});
