//! Directories of a package. Each row has the key of its parent and the name of the directory.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::InstallerError;
use super::database::Database;
use rollup_names::FileName;

/// Maximum depth of a directory.
const MAX_DEPTH: usize = 100;
/// Maximum length of a path in bytes.
pub(super) const MAX_PATH_LENGTH: usize = 1024;
/// Key of the directory that an administrator chooses, which contains everything.
const TARGET_DIRECTORY: &str = "TARGETDIR";

/// Rows of the table `Directory`, by key.
pub(super) struct Directories(BTreeMap<String, DirectoryRow>);

struct DirectoryRow {
    parent: Option<String>,
    /// Name in the path, `None` if the path is the same as that of the parent.
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
            let name = name_in_path(&key, parent.is_none(), &row.text(2)?.unwrap_or_default());
            if rows.insert(key, DirectoryRow { parent, name }).is_some() {
                return Err(row.damaged("the directory is a duplicate"));
            }
        }
        Ok(Self(rows))
    }

    /// Returns the path of a directory below the target, empty for the target itself.
    pub(super) fn path(&self, key: &str) -> Result<String, InstallerError> {
        let mut names = Vec::new();
        let mut at = Some(key);
        for _ in 0..MAX_DEPTH {
            let Some(key) = at.filter(|key| *key != TARGET_DIRECTORY) else {
                return join(&names);
            };
            match self.0.get(key) {
                Some(directory) => {
                    names.extend(directory.name.as_deref());
                    at = directory.parent.as_deref();
                }
                // System directories need no row.
                None => {
                    names.push(key);
                    at = None;
                }
            }
        }
        Err(InstallerError::damaged_table(
            "Directory",
            format!("`{key}` is below itself, or deeper than {MAX_DEPTH} directories"),
        ))
    }
}

/// Joins names, the innermost first, to a path.
fn join(names: &[&str]) -> Result<String, InstallerError> {
    let mut path = String::new();
    for name in names.iter().rev() {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&checked_name(name)?);
    }
    match path.len() {
        ..=MAX_PATH_LENGTH => Ok(path),
        _ => Err(InstallerError::unsafe_name(&path, "the path is too long")),
    }
}

/// Returns the name that a row adds to the path: the long name of the target, nothing for `.`.
fn name_in_path(key: &str, root: bool, default: &str) -> Option<String> {
    let (target, source) = default.split_once(':').unwrap_or((default, ""));
    // The source directory is not used, but a path such as `C:\x` must not be split into names. It
    // is kept as one name, which is refused if a file is installed below it.
    if source.contains([':', '/', '\\']) {
        return Some(default.to_owned());
    }
    match long_name(target) {
        // Many tools give system directories no name. This one has the same name on every system.
        "." if key == "ProgramFilesFolder" => Some("Program Files".to_owned()),
        "." => None,
        "SourceDir" if root => None,
        name => Some(name.to_owned()),
    }
}

/// Returns the long name of `short|long`.
pub(super) fn long_name(name: &str) -> &str {
    name.split_once('|').map_or(name, |(_short, long)| long)
}

/// Returns the name if it is valid for a file or a directory on every system.
pub(super) fn checked_name(name: &str) -> Result<String, InstallerError> {
    FileName::parse(name)
        .map(String::from)
        .map_err(|fault| InstallerError::unsafe_name(name, fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(rows: &[(&str, Option<&str>, &str)]) -> Directories {
        let row = |(key, parent, default): &(&str, Option<&str>, &str)| {
            let name = name_in_path(key, parent.is_none(), default);
            (
                (*key).to_owned(),
                DirectoryRow {
                    parent: parent.map(str::to_owned),
                    name,
                },
            )
        };
        Directories(rows.iter().map(row).collect())
    }

    #[test]
    fn paths_consist_of_the_target_names() {
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
            "the key of a parent without a row is its name"
        );
        assert_eq!(path("SystemFolder"), "SystemFolder");
    }

    #[test]
    fn a_cycle_of_directories_is_damage() {
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
    fn a_directory_cannot_lead_out_of_the_target() {
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
