//! Path of a file in a payload, as a file table gives it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CaseFolded, FileName, FileNameError, RelPath, RelPathError};

/// Length of the longest path, in UTF-16 units: far more than Windows programs accept, and less
/// than Linux does.
const MAX_LENGTH: usize = 1024;
/// Greatest number of parts: less than in a [`RelPath`], so that there is a path to the file below
/// any directory of rollup's own.
const MAX_PARTS: usize = 64;

/// Path of a file below the payload directory, its parts joined by `/`: `x64/Setup.msi`. A file
/// directly in the payload directory has one part.
///
/// Parsing is the only way to make one: every part is a file name that Windows accepts, too.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct PayloadPath(RelPath);

/// Reason why a text is not a [`PayloadPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadPathError {
    /// Parts joined as on Windows.
    #[error("a path has `/` between its parts, not `\\`")]
    Backslash,
    /// Not a path that stays in its directory.
    #[error(transparent)]
    Path(#[from] RelPathError),
    /// Part that is not a safe file name.
    #[error(transparent)]
    Part(#[from] FileNameError),
    /// Path with more parts than the limit.
    #[error("a path of a payload has at most {MAX_PARTS} parts")]
    TooDeep,
    /// Path longer than 1,024 UTF-16 units.
    #[error("a path has at most {MAX_LENGTH} characters, this one has {0}")]
    TooLong(usize),
}

impl PayloadPath {
    /// Parses a path whose parts are joined by `/`, or returns the reason why it is refused.
    pub fn parse(path: &str) -> Result<Self, PayloadPathError> {
        if path.contains('\\') {
            return Err(PayloadPathError::Backslash);
        }
        let parsed = RelPath::parse(path)?;
        for part in parsed.parts() {
            FileName::parse(part)?;
        }
        if parsed.parts().count() > MAX_PARTS {
            return Err(PayloadPathError::TooDeep);
        }
        let length = path.encode_utf16().count();
        if length > MAX_LENGTH {
            return Err(PayloadPathError::TooLong(length));
        }
        Ok(Self(parsed))
    }

    /// Returns the path as it was spelled.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the path for comparisons without regard to case.
    pub fn case_folded(&self) -> CaseFolded {
        self.0.case_folded()
    }

    /// Returns the path below the payload directory.
    pub fn as_rel_path(&self) -> &RelPath {
        &self.0
    }

    /// Returns the last part, which is the name of a copy of the file.
    pub fn file_name(&self) -> FileName {
        FileName::parse(self.0.name()).expect("every part was parsed")
    }

    /// Returns the directories that the file is in, outermost first.
    pub fn directories(&self) -> impl Iterator<Item = RelPath> + '_ {
        self.0.ancestors()
    }

    /// Returns the path of a file that is beside this one, or below its directory.
    pub fn beside(&self, below: &RelPath) -> RelPath {
        match self.0.parent() {
            Some(directory) => directory.with(below),
            None => below.clone(),
        }
    }

    /// Returns the path of the same name in the directory of another file.
    pub fn moved_beside(&self, other: &PayloadPath) -> Self {
        let name = RelPath::parse(self.0.name()).expect("every part was parsed");
        Self(other.beside(&name))
    }

    /// Returns whether the name has one of these extensions, regardless of case.
    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        self.file_name().has_extension(extensions)
    }

    /// Returns whether the name ends in `.msi`, regardless of case.
    pub fn is_msi(&self) -> bool {
        self.file_name().is_msi()
    }
}

impl fmt::Display for PayloadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for PayloadPath {
    type Error = PayloadPathError;

    fn try_from(path: String) -> Result<Self, PayloadPathError> {
        Self::parse(&path)
    }
}

impl From<PayloadPath> for String {
    fn from(path: PayloadPath) -> Self {
        path.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PayloadPath {
        PayloadPath::parse(text).expect("a path")
    }

    #[test]
    fn paths_that_leave_the_payload_or_mean_another_file_on_windows_are_refused() {
        for bad in [
            "",
            "/Setup.msi",
            "x64/",
            "x64//Setup.msi",
            "..",
            "../Setup.msi",
            "x64/../Setup.msi",
            "./Setup.msi",
            "x64\\Setup.msi",
            "C:/Setup.msi",
            "nul/Setup.msi",
            "x64/COM1.msi",
            "x64./Setup.msi",
            "x64 /Setup.msi",
            "x64/Setup.msi ",
            "x\u{7}/Setup.msi",
            "x\0/Setup.msi",
        ] {
            assert!(PayloadPath::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_length_of_a_path_and_of_each_part_is_bounded() {
        let part = "x".repeat(255);
        assert!(PayloadPath::parse(&format!("{part}/{part}/{part}/{part}/y")).is_err());
        assert!(PayloadPath::parse(&format!("{part}/{part}/{part}/{part}")).is_ok());
        assert!(PayloadPath::parse(&format!("a/{part}x")).is_err());
        let deep = vec!["a"; 65].join("/");
        assert!(PayloadPath::parse(&deep).is_err());
        assert!(PayloadPath::parse(&deep[2..]).is_ok());
    }

    #[test]
    fn a_copy_has_the_last_part_and_a_file_beside_has_the_directory() {
        let below = RelPath::parse("Data/1.cab").expect("a path");
        let setup = path("Server/x64/Setup.MSI");
        assert_eq!(setup.file_name().as_str(), "Setup.MSI");
        assert!(setup.is_msi());
        assert_eq!(setup.beside(&below).as_str(), "Server/x64/Data/1.cab");
        assert_eq!(path("Setup.msi").beside(&below), below);
        let moved = path("SETUP.msi").moved_beside(&setup);
        assert_eq!(moved.as_str(), "Server/x64/SETUP.msi");
        let directories: Vec<String> = setup.directories().map(String::from).collect();
        assert_eq!(directories, ["Server", "Server/x64"]);
        assert_eq!(
            setup.case_folded(),
            path("SERVER/X64/setup.msi").case_folded()
        );
    }
}
