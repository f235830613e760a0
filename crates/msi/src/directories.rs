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

/// System directories that have a name of their own here, by their keys. Those of 32 and 64 bits are
/// different ones.
const NAMED_SYSTEM_DIRECTORIES: [(&str, &str); 7] = [
    ("ProgramFilesFolder", "Program Files"),
    ("CommonFilesFolder", "Program Files/Common Files"),
    ("WindowsFolder", "Windows"),
    ("SystemFolder", "Windows/System32"),
    ("ProgramFiles64Folder", "Program Files (64-bit)"),
    ("CommonFiles64Folder", "Program Files (64-bit)/Common Files"),
    ("System64Folder", "Windows/System64"),
];

/// System directories that are named by their keys.
const OTHER_SYSTEM_DIRECTORIES: [&str; 21] = [
    "AdminToolsFolder",
    "AppDataFolder",
    "CommonAppDataFolder",
    "DesktopFolder",
    "FavoritesFolder",
    "FontsFolder",
    "LocalAppDataFolder",
    "MyPicturesFolder",
    "NetHoodFolder",
    "PersonalFolder",
    "PrintHoodFolder",
    "ProgramMenuFolder",
    "RecentFolder",
    "SendToFolder",
    "StartMenuFolder",
    "StartupFolder",
    "System16Folder",
    "TempFolder",
    "TemplateFolder",
    "WindowsVolume",
    "GlobalAssemblyCache",
];

/// Rows of the table `Directory`, by key.
#[derive(Default)]
pub(super) struct Directories {
    rows: BTreeMap<String, DirectoryRow>,
    /// True if the source has the short names.
    has_short_names: bool,
}

struct DirectoryRow {
    parent: Option<String>,
    /// `target:source`, or one name for both.
    default: String,
}

/// Side of a package: where its files are installed, or where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Target,
    Source,
}

impl Directories {
    pub(super) fn read<R: Read + Seek>(
        database: &Database,
        compound: &mut cfb::CompoundFile<R>,
        has_short_names: bool,
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
            let default = row.text(2)?.unwrap_or_default();
            if rows.insert(key, DirectoryRow { parent, default }).is_some() {
                return Err(row.damaged("the directory is a duplicate"));
            }
        }
        Ok(Self {
            rows,
            has_short_names,
        })
    }

    /// Returns the path of a directory below the target or in the directory of the package; empty
    /// for the top itself.
    ///
    /// A system directory is known by its key, whatever its row says.
    pub(super) fn path(&self, key: &str, side: Side) -> Result<String, InstallerError> {
        let mut names = Vec::new();
        let mut at = Some(key);
        for _ in 0..MAX_DEPTH {
            let Some(key) = at.filter(|key| *key != TARGET_DIRECTORY) else {
                return join(&names);
            };
            if side == Side::Target
                && let Some(path) = system_directory(key)
            {
                names.extend(path.rsplit('/'));
                return join(&names);
            }
            match self.rows.get(key) {
                Some(row) => {
                    names.extend(self.name(row, side));
                    at = row.parent.as_deref();
                }
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

    /// Returns the name that a row adds to the path: nothing for `.`.
    fn name<'r>(&self, row: &'r DirectoryRow, side: Side) -> Option<&'r str> {
        let (target, source) = row
            .default
            .split_once(':')
            .unwrap_or((&row.default, &row.default));
        // A path such as `C:\x` must not be split into names. It is kept as one name, which is refused
        // if a file is installed below it.
        if row.default.contains(':') && source.contains([':', '/', '\\']) {
            return Some(&row.default);
        }
        let name = match side {
            Side::Target => long_name(target),
            Side::Source if self.has_short_names => short_name(source),
            Side::Source => long_name(source),
        };
        match name {
            "." => None,
            "SourceDir" if row.parent.is_none() => None,
            name => Some(name),
        }
    }

    /// Returns the name of a file in the directory of the package.
    pub(super) fn source_name<'n>(&self, name: &'n str) -> &'n str {
        if self.has_short_names {
            short_name(name)
        } else {
            long_name(name)
        }
    }
}

/// Returns the path of a system directory. Merged modules append a dot and their GUID to the key.
fn system_directory(key: &str) -> Option<&str> {
    let key = key.split_once('.').map_or(key, |(key, _module)| key);
    let named = NAMED_SYSTEM_DIRECTORIES
        .iter()
        .find(|(known, _)| *known == key);
    match named {
        Some((_, path)) => Some(path),
        None => OTHER_SYSTEM_DIRECTORIES.contains(&key).then_some(key),
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

/// Returns the long name of `short|long`.
pub(super) fn long_name(name: &str) -> &str {
    name.split_once('|').map_or(name, |(_short, long)| long)
}

fn short_name(name: &str) -> &str {
    name.split_once('|').map_or(name, |(short, _long)| short)
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
            let row = DirectoryRow {
                parent: parent.map(str::to_owned),
                default: (*default).to_owned(),
            };
            ((*key).to_owned(), row)
        };
        Directories {
            rows: rows.iter().map(row).collect(),
            has_short_names: false,
        }
    }

    #[test]
    fn paths_consist_of_the_names_of_one_side() {
        let mut all = directories(&[
            ("TARGETDIR", None, "SourceDir"),
            ("ProgramFilesFolder", Some("TARGETDIR"), ".:PFiles|Programs"),
            (
                "INSTALLDIR",
                Some("ProgramFilesFolder"),
                "EXAMPL~1|Example Product:src|source",
            ),
            ("Same", Some("INSTALLDIR"), ".:elsewhere"),
            ("Below", Some("Same"), "below"),
            ("Unlisted", Some("Other"), "x"),
        ]);
        let path = |key| all.path(key, Side::Target).expect("a path");
        assert_eq!(path("TARGETDIR"), "");
        assert_eq!(path("INSTALLDIR"), "Program Files/Example Product");
        assert_eq!(path("Same"), "Program Files/Example Product");
        assert_eq!(path("Below"), "Program Files/Example Product/below");
        assert_eq!(
            path("Unlisted"),
            "Other/x",
            "the key of a parent without a row is its name"
        );
        let source = |all: &Directories| all.path("Below", Side::Source).expect("a path");
        assert_eq!(source(&all), "Programs/source/elsewhere/below");
        all.has_short_names = true;
        assert_eq!(source(&all), "PFiles/src/elsewhere/below");
    }

    #[test]
    fn a_system_directory_is_known_by_its_key() {
        let all = directories(&[
            ("TARGETDIR", None, "SourceDir"),
            ("SystemFolder", Some("TARGETDIR"), "."),
            ("System64Folder", Some("TARGETDIR"), "."),
            ("WindowsFolder", Some("TARGETDIR"), "WinRoot"),
            ("CommonFiles64Folder", Some("ProgramFiles64Folder"), "x"),
            ("FontsFolder", Some("WindowsFolder"), "fonts"),
            ("SystemFolder.0123_ABCD", Some("TARGETDIR"), "."),
            ("Below", Some("SystemFolder.0123_ABCD"), "below"),
        ]);
        let path = |key| all.path(key, Side::Target).expect("a path");
        assert_eq!(path("SystemFolder"), "Windows/System32");
        assert_eq!(path("System64Folder"), "Windows/System64");
        assert_eq!(path("WindowsFolder"), "Windows");
        assert_eq!(
            path("CommonFiles64Folder"),
            "Program Files (64-bit)/Common Files"
        );
        assert_eq!(path("FontsFolder"), "FontsFolder");
        assert_eq!(path("Below"), "Windows/System32/below");
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
                matches!(
                    all.path(key, Side::Target),
                    Err(InstallerError::Damaged { .. })
                ),
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
                matches!(
                    all.path("D", Side::Target),
                    Err(InstallerError::Unsafe { .. })
                ),
                "{name:?} was accepted"
            );
        }
    }
}
