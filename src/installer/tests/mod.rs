//! Packages made here are read here; forged ones are refused, each for its reason.

mod cabinets;
mod forge;
mod mutations;
mod names;
mod packages;
mod sizes;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};

use super::*;
use crate::names::{Digest, FileName, RelPath};

fn name(name: &str) -> FileName {
    FileName::parse(name).expect("a valid name")
}

fn path(path: &str) -> RelPath {
    RelPath::parse(path).expect("a valid path")
}

/// Files that a package installs, in memory.
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
    beside: &mut dyn SiblingFiles,
) -> Result<BTreeMap<String, Vec<u8>>, InstallerError> {
    let mut unpacked = Unpacked::default();
    Installer::open(Cursor::new(package))?.unpack(beside, &mut unpacked, FileHashes::Compare)?;
    Ok(unpacked.0)
}

/// Returns the message of a refusal.
fn refusal(package: &[u8]) -> String {
    unpack(package, &mut NoSiblingFiles)
        .expect_err("a refusal")
        .to_string()
}

/// Files in memory that are beside a package.
struct Neighbours(Vec<(&'static str, Vec<u8>)>);

impl SiblingFiles for Neighbours {
    fn open(&mut self, name: &FileName) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let found = self
            .0
            .iter()
            .find(|(other, _)| crate::names::same_name(other, name.as_str()));
        Ok(found.map(|(_, bytes)| Box::new(Cursor::new(bytes.clone())) as Box<dyn ReadSeek>))
    }
}
