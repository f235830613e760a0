//! Packages that rollup builds can be read; malformed packages are refused with the right reason.

mod cabinets;
mod forge;
mod formats;

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

/// Sink that keeps the files of a package in memory: the paths of each content, and its bytes.
#[derive(Default)]
struct Unpacked(Vec<(Vec<String>, Vec<u8>)>);

impl Sink for Unpacked {
    fn file<'a>(
        &'a mut self,
        files: &[&PackagedFile],
        _modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        let paths = files.iter().map(|file| file.path.as_str().to_owned());
        self.0.push((paths.collect(), Vec::new()));
        Ok(Box::new(&mut self.0.last_mut().expect("pushed just now").1))
    }
}

fn unpack(
    package: &[u8],
    siblings: &mut dyn SiblingFiles,
) -> Result<BTreeMap<String, Vec<u8>>, InstallerError> {
    let mut unpacked = Unpacked::default();
    Installer::open(Cursor::new(package))?.unpack(siblings, &mut unpacked)?;
    let files = unpacked
        .0
        .into_iter()
        .flat_map(|(paths, bytes)| paths.into_iter().map(move |path| (path, bytes.clone())));
    Ok(files.collect())
}

/// Returns the paths of the files that a package installs with these features.
fn installed(package: &[u8], features: &[&str]) -> Vec<String> {
    let contents = contents(Cursor::new(package), &mut NoSiblingFiles).expect("its contents");
    let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
    let files = contents.installed(&features).expect("no contradiction");
    files
        .iter()
        .map(|file| file.file.path.to_string())
        .collect()
}

/// Returns the error message for a package that cannot be unpacked.
fn error_message(package: &[u8]) -> String {
    unpack(package, &mut NoSiblingFiles)
        .expect_err("an error")
        .to_string()
}

/// Returns the peculiarities of a package that can be installed.
fn notes(package: &[u8]) -> Vec<String> {
    contents(Cursor::new(package), &mut NoSiblingFiles)
        .expect("its contents")
        .notes
}

/// Sibling files of a package in memory.
struct SiblingsInMemory(Vec<(&'static str, Vec<u8>)>);

impl SiblingFiles for SiblingsInMemory {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let found = self
            .0
            .iter()
            .find(|(other, _)| rollup_names::same_name(other, path.as_str()));
        Ok(found.map(|(_, bytes)| Box::new(Cursor::new(bytes.clone())) as Box<dyn ReadSeek>))
    }
}
