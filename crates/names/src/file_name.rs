//! Name of an entry of a directory, as a manifest, an installer or a vendor gives it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CaseFolded;

/// Length of the longest name that NTFS stores, in UTF-16 units.
const MAX_NAME_LENGTH: usize = 255;

/// Name of one file or directory that Windows accepts too, regardless of the system that runs this
/// program.
///
/// Parsing is the only way to make one: never empty, no separator, no `.` or `..`, no device
/// name, no trailing dot or space, none of the characters that Windows refuses.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// Reason why a text is not a [`FileName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileNameError {
    /// Empty text.
    #[error("a name cannot be empty")]
    Empty,
    /// `.` or `..`.
    #[error("`{0}` is not a name: it leads to another directory")]
    Dots(String),
    /// Separator, as in a path instead of a name.
    #[error("a name cannot contain the path separator `{0}`")]
    Separator(char),
    /// Character that Windows refuses in names, such as a control character.
    #[error("Windows refuses the character `{}` in a name", .0.escape_default())]
    Character(char),
    /// Device name such as `NUL` or `COM1.txt`.
    #[error("`{0}` is the name of a device on Windows")]
    Device(String),
    /// Trailing dot or space, which Windows silently drops.
    #[error("Windows drops a dot or a space at the end of a name")]
    Trailing,
    /// Name longer than 255 UTF-16 units.
    #[error("a name has at most 255 characters, this one has {0}")]
    TooLong(usize),
}

impl FileName {
    /// Parses a name, or returns the reason why it is refused.
    pub fn parse(name: &str) -> Result<Self, FileNameError> {
        match fault(name) {
            None => Ok(Self(name.to_owned())),
            Some(fault) => Err(fault),
        }
    }

    /// Returns the name as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name for comparisons without regard to case.
    pub fn case_folded(&self) -> CaseFolded {
        CaseFolded::of(&self.0)
    }

    /// Returns whether the name ends in `.msi`, regardless of case.
    pub fn is_msi(&self) -> bool {
        self.has_extension(&["msi"])
    }

    /// Returns whether the name has one of these extensions, regardless of case.
    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        let Some((stem, extension)) = self.0.rsplit_once('.') else {
            return false;
        };
        let is_one = |one: &&str| extension.eq_ignore_ascii_case(one);
        !stem.is_empty() && extensions.iter().any(is_one)
    }
}

fn fault(name: &str) -> Option<FileNameError> {
    if name.is_empty() {
        return Some(FileNameError::Empty);
    }
    if name == "." || name == ".." {
        return Some(FileNameError::Dots(name.to_owned()));
    }
    for c in name.chars() {
        match c {
            '/' | '\\' => return Some(FileNameError::Separator(c)),
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => return Some(FileNameError::Character(c)),
            c if c.is_control() => return Some(FileNameError::Character(c)),
            _ => {}
        }
    }
    if name.ends_with(['.', ' ']) {
        return Some(FileNameError::Trailing);
    }
    if is_device(name) {
        return Some(FileNameError::Device(name.to_owned()));
    }
    let length = name.encode_utf16().count();
    (length > MAX_NAME_LENGTH).then_some(FileNameError::TooLong(length))
}

/// Returns whether a name is that of a device. Device names count with any extension and with
/// spaces before it: `nul.txt`, `COM1 .log`.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end_matches(' ')
        .to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => match stem
            .strip_prefix("COM")
            .or_else(|| stem.strip_prefix("LPT"))
        {
            Some(digit) => {
                let mut digits = digit.chars();
                matches!(
                    (digits.next(), digits.next()),
                    (Some('0'..='9' | '¹' | '²' | '³'), None)
                )
            }
            None => false,
        },
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FileName {
    type Error = FileNameError;

    fn try_from(name: String) -> Result<Self, FileNameError> {
        match fault(&name) {
            None => Ok(Self(name)),
            Some(fault) => Err(fault),
        }
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_another_meaning_on_windows_or_in_a_path_are_refused() {
        for bad in [
            "", ".", "..", "a/b", "a\\b", "nul", "NUL.txt", "com1", "LPT9.log", "a.", "a ", "a:b",
            "a\u{7}b", "con .x",
        ] {
            assert!(FileName::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(FileName::parse(&"x".repeat(256)).is_err());
    }

    #[test]
    fn ordinary_names_pass() {
        for good in [
            "Exchange2007Provider.msi",
            "COM10",
            "console",
            ".hidden",
            "Über uns.dll",
            "nullable.txt",
        ] {
            assert!(FileName::parse(good).is_ok(), "{good:?} was refused");
        }
    }
}
