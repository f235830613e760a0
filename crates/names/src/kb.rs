//! Identity of a rollup: its KB number and the revision of its article.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of an article, written as `KB952076`; read as `952076`, `kb952076` or `KB952076`.
///
/// The number of the rollup in its title ("Update Rollup 3") repeats across product lines and
/// identifies nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^KB[0-9]+$"))]
pub struct Kb(u32);

/// Error of a text that is not a KB number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a KB number; write it like `KB952076`")]
pub struct KbError(String);

impl FromStr for Kb {
    type Err = KbError;

    fn from_str(text: &str) -> Result<Self, KbError> {
        let wrong = || KbError(text.to_owned());
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("kb") => &text[2..],
            _ => text,
        };
        let plain = !digits.is_empty() && digits.len() <= 9 && !digits.starts_with('0');
        if !plain || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong());
        }
        digits.parse().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Kb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KB{}", self.0)
    }
}

impl fmt::Debug for Kb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Kb {
    type Error = KbError;

    fn try_from(text: String) -> Result<Self, KbError> {
        text.parse()
    }
}

impl From<Kb> for String {
    fn from(kb: Kb) -> Self {
        kb.to_string()
    }
}

/// Numbers joined by dots, such as an article's revision `1.0` or a product's version `4.0.300`.
///
/// Compared number by number, and a missing number counts as zero: `1.9` comes before `1.10`, and
/// `1.0` equals `1`. Written as it was read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[0-9]+(\.[0-9]+)*$"))]
pub struct Version(String);

/// Error of a text that is not numbers joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not numbers joined by dots, such as `1.0`")]
pub struct VersionError(String);

impl Version {
    /// Returns the version as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.0
            .split('.')
            .map(|number| number.parse().unwrap_or(u64::MAX))
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| {
            (1..=10).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit())
        };
        match text.len() <= 64 && text.split('.').all(number) {
            true => Ok(Self(text.to_owned())),
            false => Err(VersionError(text.to_owned())),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = self.numbers().count().max(other.numbers().count());
        let padded = |version: &Self| {
            version
                .numbers()
                .chain(std::iter::repeat(0))
                .take(parts)
                .collect::<Vec<_>>()
        };
        padded(self).cmp(&padded(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kb_number_is_read_in_all_its_spellings() {
        for text in ["952076", "kb952076", "KB952076", "Kb952076"] {
            assert_eq!(
                text.parse::<Kb>().map(|kb| kb.to_string()),
                Ok("KB952076".to_owned())
            );
        }
        for text in [
            "",
            "KB",
            "KB 952076",
            "952076a",
            "0",
            "KB0952076",
            "12345678901",
            "é9",
        ] {
            assert!(text.parse::<Kb>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn versions_compare_number_by_number() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        assert!(version("1.9") < version("1.10"));
        assert_eq!(version("1.0"), version("1"));
        assert!("1..0".parse::<Version>().is_err());
        assert!("1.x".parse::<Version>().is_err());
    }
}
