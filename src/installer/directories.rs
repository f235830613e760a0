//! Directories of a package: each names its parent and itself.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::InstallerError;
use super::database::Database;
use crate::names::FileName;

/// Largest depth of a directory that is read.
const DEEPEST: usize = 100;
/// Length of the longest path that is read, in bytes.
pub(super) const LONGEST_PATH: usize = 1024;
/// The directory that an administrator chooses; everything is below it.
const TARGET: &str = "TARGETDIR";

/// The table of directories.
pub(super) struct Directories(BTreeMap<String, Directory>);

struct Directory {
    parent: Option<String>,
    /// Name that the directory adds to the path of its parent, if any.
    name: Option<String>,
}

impl Directories {
    pub(super) fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
    ) -> Result<Self, InstallerError> {
        let table = database.table(
            compound,
            "Directory",
            ["Directory", "Directory_Parent", "DefaultDir"],
        )?;
        let mut rows = BTreeMap::new();
        for row in table.rows() {
            let key = row.key(0)?;
            // A directory that is its own parent is a root, like one without a parent.
            let parent = row.text(1)?.filter(|parent| *parent != key);
            let name = added(&key, parent.is_none(), &row.text(2)?.unwrap_or_default());
            if rows.insert(key, Directory { parent, name }).is_some() {
                return Err(row.damaged("the directory is there twice"));
            }
        }
        Ok(Self(rows))
    }

    /// Returns the path of a directory below the target, empty for the target itself.
    pub(super) fn path(&self, key: &str) -> Result<String, InstallerError> {
        let mut names = Vec::new();
        let mut at = Some(key);
        for _ in 0..DEEPEST {
            let Some(key) = at.filter(|key| *key != TARGET) else {
                return joined(&names);
            };
            match self.0.get(key) {
                Some(directory) => {
                    names.extend(directory.name.as_deref());
                    at = directory.parent.as_deref();
                }
                // The system's own directories need no row.
                None => {
                    names.push(key);
                    at = None;
                }
            }
        }
        Err(InstallerError::table(
            "Directory",
            format!("`{key}` lies in itself, or deeper than {DEEPEST} directories"),
        ))
    }
}

/// Joins the names of a walk, innermost first, to a path.
fn joined(names: &[&str]) -> Result<String, InstallerError> {
    let mut path = String::new();
    for name in names.iter().rev() {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&checked(name)?);
    }
    match path.len() {
        ..=LONGEST_PATH => Ok(path),
        _ => Err(InstallerError::refused(&path, "the path is too long")),
    }
}

/// Returns the name that a row adds to the path: the target's long name, nothing for `.`.
fn added(key: &str, root: bool, default: &str) -> Option<String> {
    let (target, source) = default.split_once(':').unwrap_or((default, ""));
    // The source directory of the files is of no concern, but a path of any kind must not be cut in
    // two and taken for a name: kept whole, it is refused when a file wants to go there.
    if source.contains([':', '/', '\\']) {
        return Some(default.to_owned());
    }
    match long(target) {
        // Many tools give the system's directories no name. This one has the same name everywhere.
        "." if key == "ProgramFilesFolder" => Some("Program Files".to_owned()),
        "." => None,
        "SourceDir" if root => None,
        name => Some(name.to_owned()),
    }
}

/// Returns the long name of `short|long`.
pub(super) fn long(name: &str) -> &str {
    name.split_once('|').map_or(name, |(_short, long)| long)
}

/// Checks a name that may become a file or a directory on every system.
pub(super) fn checked(name: &str) -> Result<String, InstallerError> {
    FileName::parse(name)
        .map(String::from)
        .map_err(|fault| InstallerError::refused(name, fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(rows: &[(&str, Option<&str>, &str)]) -> Directories {
        let row = |(key, parent, default): &(&str, Option<&str>, &str)| {
            let name = added(key, parent.is_none(), default);
            (
                (*key).to_owned(),
                Directory {
                    parent: parent.map(str::to_owned),
                    name,
                },
            )
        };
        Directories(rows.iter().map(row).collect())
    }

    #[test]
    fn directories_lie_where_their_target_names_say() {
        let all = directories(&[
            ("TARGETDIR", None, "SourceDir"),
            (
                "ProgramFilesFolder",
                Some("TARGETDIR"),
                "PFiles|Program Files",
            ),
            (
                "INSTALLDIR",
                Some("ProgramFilesFolder"),
                "EXAMPL~1|Example Product:src|source",
            ),
            ("Same", Some("INSTALLDIR"), ".:elsewhere"),
            ("Below", Some("Same"), "below"),
            ("Wix", Some("ProgramFiles64Folder"), "x"),
        ]);
        let path = |key| all.path(key).expect("a path");
        assert_eq!(path("TARGETDIR"), "");
        assert_eq!(path("INSTALLDIR"), "Program Files/Example Product");
        assert_eq!(path("Same"), "Program Files/Example Product");
        assert_eq!(path("Below"), "Program Files/Example Product/below");
        assert_eq!(
            path("Wix"),
            "ProgramFiles64Folder/x",
            "a parent without a row stands for itself"
        );
        assert_eq!(path("SystemFolder"), "SystemFolder");
    }

    #[test]
    fn directories_that_lie_in_each_other_end_the_walk() {
        let all = directories(&[
            ("A", Some("B"), "a"),
            ("B", Some("A"), "."),
            ("C", Some("B"), "c"),
        ]);
        for key in ["A", "B", "C"] {
            assert!(
                matches!(all.path(key), Err(InstallerError::Damaged { .. })),
                "{key}"
            );
        }
    }

    #[test]
    fn a_directory_cannot_lead_away() {
        for name in [
            "..",
            "UP~1|..",
            "a/b",
            "a\\b",
            "C:\\x|C:\\y",
            "NUL",
            "x|con",
            "",
            "a.",
            "a|b|..",
            "..:ok",
        ] {
            let all = directories(&[("D", Some("TARGETDIR"), name)]);
            assert!(
                matches!(all.path("D"), Err(InstallerError::Unsafe { .. })),
                "{name:?} was accepted"
            );
        }
    }
}
