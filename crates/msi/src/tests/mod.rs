//! Packages that rollup builds can be read; malformed packages are refused with the right reason.

mod cabinets;
mod forge;
mod mutations;
mod names;
mod packages;
mod sizes;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};

use super::*;
use rollup_names::{Digest, FileName, RelPath};

fn name(name: &str) -> FileName {
    FileName::parse(name).expect("a valid name")
}

fn path(path: &str) -> RelPath {
    RelPath::parse(path).expect("a valid path")
}

/// Sink that keeps the files of a package in memory.
#[derive(Default)]
struct Unpacked(BTreeMap<String, Vec<u8>>);

impl Sink for Unpacked {
    fn file<'a>(
        &'a mut self,
        file: &PackagedFile,
        _modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        Ok(Box::new(
            self.0.entry(file.path.as_str().to_owned()).or_default(),
        ))
    }
}

fn unpack(
    package: &[u8],
    siblings: &mut dyn SiblingFiles,
) -> Result<BTreeMap<String, Vec<u8>>, InstallerError> {
    let mut unpacked = Unpacked::default();
    Installer::open(Cursor::new(package))?.unpack(siblings, &mut unpacked, FileHashes::Compare)?;
    Ok(unpacked.0)
}

/// Returns the error message for a package that cannot be unpacked.
fn error_message(package: &[u8]) -> String {
    unpack(package, &mut NoSiblingFiles)
        .expect_err("an error")
        .to_string()
}

/// Sibling files of a package in memory.
struct SiblingsInMemory(Vec<(&'static str, Vec<u8>)>);

impl SiblingFiles for SiblingsInMemory {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let found = self
            .0
            .iter()
            .find(|(other, _)| rollup_names::same_name(other, name.as_str()));
        Ok(found.map(|(_, bytes)| Box::new(Cursor::new(bytes.clone())) as Box<dyn ReadSeek>))
    }
}
