//! Everything that a package contains, with hashes, as a plan needs it; and a survey of a package
//! that may be unusable.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use rollup_names::{CaseFolded, Digest, Escaped, Hasher, RelPath, Version};

use super::features::{Components, UnknownFeatureError};
use super::identity::Properties;
use super::unpack::absent;
use super::{Identity, Installer, InstallerError, PackagedFile, ReadSeek, SiblingFiles, Sink};

/// Everything that a package contains.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    pub identity: Identity,
    pub components: Components,
    /// Every file, installed or not, sorted by path and then by key.
    pub files: Vec<UnpackedFile>,
    /// Files that must be in the directory of the package, in its order.
    pub beside: Vec<BesideFile>,
    /// Peculiarities that keep nothing from being installed.
    pub notes: Vec<String>,
}

/// File of a package, with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    pub file: PackagedFile,
    pub sha256: Digest,
    /// Seconds since 1970, the cabinet's time read as UTC; `None` if that is not a date.
    pub modified: Option<i64>,
}

/// Cabinet or file that belongs to a package and is a file of its own in its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideFile {
    /// Path in the directory of the package, as the package spells it.
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// Reason why it is not certain which files would be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error(transparent)]
    Feature(#[from] UnknownFeatureError),
    /// Two files with different bytes have one path, and no version decides between them.
    #[error("`{}` is two different files: {one}, and {other}", Escaped(.path.as_str()))]
    Conflict {
        path: RelPath,
        one: String,
        other: String,
    },
}

/// Facts about a package, as far as they can be read.
#[derive(Debug)]
pub struct Survey {
    pub properties: Properties,
    pub components: Components,
    /// Every file, installed or not, sorted by path and then by key.
    pub files: Vec<PackagedFile>,
    /// Hashes of the files that could be unpacked, by their keys.
    pub sha256: BTreeMap<String, Digest>,
    /// Files that must be in the directory of the package, and are not there.
    pub absent: Vec<RelPath>,
    /// Contents of the package, or the reason why it cannot be installed.
    pub contents: Result<Contents, InstallerError>,
}

/// Reads a package, and hashes every file in it.
pub fn contents<R: Read + Seek>(
    file: R,
    siblings: &mut dyn SiblingFiles,
) -> Result<Contents, InstallerError> {
    survey(file, siblings)?.contents
}

/// Reads whatever can be read of a package. The error is for a file of which nothing can be read as
/// a package.
pub fn survey<R: Read + Seek>(
    file: R,
    siblings: &mut dyn SiblingFiles,
) -> Result<Survey, InstallerError> {
    let mut installer = Installer::open_damaged(file)?;
    let absent = absent(&installer.layout.media, siblings).unwrap_or_default();
    let mut sink = HashingSink::default();
    let mut hashing_siblings = HashingSiblings {
        siblings,
        opened: Vec::new(),
    };
    let unpacked = match installer.layout.fault.take() {
        None => installer.unpack_with(&mut hashing_siblings, &mut sink, true),
        Some(fault) => Err(fault),
    };
    if unpacked.is_err() {
        sink.drop_incomplete();
    }
    let files = sink.finish();
    let layout = &installer.layout;
    let sha256 = files
        .iter()
        .map(|file| (file.file.key.clone(), file.sha256))
        .collect();
    let contents = unpacked.map(|notes| Contents {
        identity: layout
            .identity
            .clone()
            .expect("a package without a fault has an identity"),
        components: layout.components.clone(),
        files,
        beside: hashing_siblings.opened,
        notes: layout.notes.iter().cloned().chain(notes).collect(),
    });
    Ok(Survey {
        properties: layout.properties.clone(),
        components: layout.components.clone(),
        files: layout.files.clone(),
        sha256,
        absent,
        contents,
    })
}

impl Contents {
    /// Returns the files that are installed with these features in addition to those that are on by
    /// default, sorted by path.
    ///
    /// Of two files with one path, one is installed: either if they are equal, else the one with the
    /// higher version. A file with a version wins over one without.
    pub fn installed(&self, features: &[String]) -> Result<Vec<&UnpackedFile>, SelectionError> {
        let selected = self.components.selected(features)?;
        let mut by_path: BTreeMap<CaseFolded, &UnpackedFile> = BTreeMap::new();
        for file in self
            .files
            .iter()
            .filter(|file| selected[file.file.component])
        {
            let key = file.file.path.case_folded();
            let winner = match by_path.get(&key) {
                None => file,
                Some(known) => self.winner(known, file)?,
            };
            by_path.insert(key, winner);
        }
        let mut installed: Vec<_> = by_path.into_values().collect();
        installed.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        Ok(installed)
    }

    fn winner<'f>(
        &self,
        one: &'f UnpackedFile,
        other: &'f UnpackedFile,
    ) -> Result<&'f UnpackedFile, SelectionError> {
        if one.sha256 == other.sha256 {
            return Ok(one);
        }
        let version = |file: &UnpackedFile| match &file.file.version {
            None => Some(None),
            Some(text) => text.parse::<Version>().ok().map(Some),
        };
        match (version(one), version(other)) {
            (Some(a), Some(b)) if a > b => Ok(one),
            (Some(a), Some(b)) if a < b => Ok(other),
            _ => Err(SelectionError::Conflict {
                path: one.file.path.clone(),
                one: self.describe_row(one),
                other: self.describe_row(other),
            }),
        }
    }

    /// Describes the row of a file: its key, component, condition and version.
    fn describe_row(&self, file: &UnpackedFile) -> String {
        let component = &self.components.components[file.file.component];
        let mut row = format!(
            "`{}` of the component `{}`",
            Escaped(&file.file.key),
            Escaped(&component.name)
        );
        if let Some(condition) = &component.condition {
            row += &format!(" with the condition `{}`", Escaped(condition));
        }
        if let Some(version) = &file.file.version {
            row += &format!(" in version {}", Escaped(version));
        }
        row
    }
}

/// Sink that keeps only the hashes of the files.
#[derive(Default)]
struct HashingSink {
    files: Vec<UnpackedFile>,
    current: Option<(Vec<PackagedFile>, Option<i64>, Hasher)>,
}

impl HashingSink {
    fn finish(mut self) -> Vec<UnpackedFile> {
        self.complete();
        self.files
            .sort_by(|a, b| (&a.file.path, &a.file.key).cmp(&(&b.file.path, &b.file.key)));
        self.files
    }

    /// Drops the current content, whose bytes are not known to be complete.
    fn drop_incomplete(&mut self) {
        self.current = None;
    }

    /// Completes the current content, when the next one begins or none is left.
    fn complete(&mut self) {
        let Some((files, modified, hasher)) = self.current.take() else {
            return;
        };
        let sha256 = hasher.finish();
        self.files
            .extend(files.into_iter().map(|file| UnpackedFile {
                file,
                sha256,
                modified,
            }));
    }
}

impl Sink for HashingSink {
    fn file<'a>(
        &'a mut self,
        files: &[&PackagedFile],
        modified: Option<i64>,
    ) -> io::Result<Box<dyn Write + 'a>> {
        self.complete();
        let files = files.iter().map(|file| (*file).clone()).collect();
        let (_, _, hasher) = self.current.insert((files, modified, Hasher::new()));
        Ok(Box::new(HashWriter(hasher)))
    }
}

struct HashWriter<'a>(&'a mut Hasher);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Access to the sibling files that hashes each one before it is read.
struct HashingSiblings<'a> {
    siblings: &'a mut dyn SiblingFiles,
    opened: Vec<BesideFile>,
}

impl SiblingFiles for HashingSiblings<'_> {
    fn open(&mut self, path: &RelPath) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let Some(mut file) = self.siblings.open(path)? else {
            return Ok(None);
        };
        let mut hasher = Hasher::new();
        let size = io::copy(&mut file, &mut HashWriter(&mut hasher))?;
        self.opened.push(BesideFile {
            path: path.clone(),
            size,
            sha256: hasher.finish(),
        });
        file.seek(SeekFrom::Start(0))?;
        Ok(Some(file))
    }

    fn exists(&mut self, path: &RelPath) -> io::Result<bool> {
        self.siblings.exists(path)
    }
}
