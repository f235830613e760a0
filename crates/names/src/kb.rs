//! Identity of a rollup: its KB number or its id, and the revision of its article.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FileName;

/// Identity of a rollup: the number of its article, written as `KB952076` and read as `952076`,
/// `kb952076` or `KB952076`; or an id, for vendors without such numbers, in which case does not
/// count.
///
/// The number of the rollup in its title ("Update Rollup 3") repeats across product lines and
/// identifies nothing.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$"))]
pub struct Kb(RollupIdentity);

#[derive(Clone, Copy)]
enum RollupIdentity {
    Number(u32),
    Id(Id),
}

/// Length of the longest id, in bytes.
const LONGEST_ID: usize = 64;

/// Text of an id, in the author's spelling.
#[derive(Clone, Copy)]
struct Id {
    bytes: [u8; LONGEST_ID],
    length: usize,
}

/// Error of a text that is not a KB number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a KB number; write it like `KB952076`")]
pub struct KbError(String);

/// Error of a text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an id: use letters, digits, `-` and `.`, at most 64, with a letter or digit at both \
     ends, and unlike a KB number"
)]
pub struct IdError(String);

impl Kb {
    /// Parses a KB number.
    pub fn number(text: &str) -> Result<Self, KbError> {
        let wrong = || KbError(text.to_owned());
        let digits = without_prefix(text).unwrap_or(text);
        let plain = !digits.is_empty() && digits.len() <= 9 && !digits.starts_with('0');
        if !plain || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong());
        }
        let number = digits.parse().map_err(|_| wrong())?;
        Ok(Self(RollupIdentity::Number(number)))
    }

    /// Parses an id.
    pub fn id(text: &str) -> Result<Self, IdError> {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
        let is_valid = bytes.len() <= LONGEST_ID
            && bytes.iter().all(is_allowed)
            && is_end(bytes.first())
            && is_end(bytes.last())
            && !is_like_a_number(text)
            && !RESERVED.iter().any(|name| name.eq_ignore_ascii_case(text))
            && FileName::parse(text).is_ok();
        if !is_valid {
            return Err(IdError(text.to_owned()));
        }
        let mut id = Id {
            bytes: [0; LONGEST_ID],
            length: bytes.len(),
        };
        id.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(RollupIdentity::Id(id)))
    }

    /// Returns the key that it has in manifests and records: `kb`, or `id`.
    pub fn key(self) -> &'static str {
        match self.0 {
            RollupIdentity::Number(_) => "kb",
            RollupIdentity::Id(_) => "id",
        }
    }
}

/// Words that name something else on the command line, or a run that accepts drift.
const RESERVED: [&str; 2] = ["last", "accept"];

fn without_prefix(text: &str) -> Option<&str> {
    let prefix = text.get(..2)?;
    prefix.eq_ignore_ascii_case("kb").then(|| &text[2..])
}

/// Returns whether a text may be a mistyped KB number: the prefix with digits or nothing behind it,
/// or digits with at most one letter.
fn is_like_a_number(text: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    match without_prefix(text) {
        Some(rest) => rest.as_bytes().first().is_none_or(is_digit),
        None => {
            let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
            letters == 0 || letters == 1 && text.as_bytes().first().is_some_and(is_digit)
        }
    }
}

impl Id {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("an id is ASCII")
    }
}

impl RollupIdentity {
    /// Returns the value that is compared: ids without regard to case, after all numbers.
    fn compared(&self) -> (u32, String) {
        match self {
            Self::Number(number) => (*number, String::new()),
            Self::Id(id) => (u32::MAX, id.as_str().to_ascii_uppercase()),
        }
    }
}

impl PartialEq for Kb {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (RollupIdentity::Number(one), RollupIdentity::Number(other)) => one == other,
            (RollupIdentity::Id(one), RollupIdentity::Id(other)) => {
                one.as_str().eq_ignore_ascii_case(other.as_str())
            }
            _ => false,
        }
    }
}

impl Eq for Kb {}

impl Ord for Kb {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compared().cmp(&other.0.compared())
    }
}

impl PartialOrd for Kb {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Kb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.compared().hash(state);
    }
}

impl FromStr for Kb {
    type Err = KbError;

    /// Parses a KB number or an id.
    fn from_str(text: &str) -> Result<Self, KbError> {
        Self::number(text).or_else(|error| Self::id(text).map_err(|_| error))
    }
}

impl fmt::Display for Kb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RollupIdentity::Number(number) => write!(f, "KB{number}"),
            RollupIdentity::Id(id) => f.write_str(id.as_str()),
        }
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
    fn an_id_is_read_in_any_case_and_is_unlike_a_number() {
        let id = |text: &str| Kb::id(text).expect("an id");
        assert_eq!(id("HMC45-RU4"), id("hmc45-ru4"));
        assert_eq!(id("acme-2024.7").to_string(), "acme-2024.7");
        assert_eq!("HMC45-RU4".parse(), Ok(id("HMC45-RU4")));
        assert!(id("7zip") < id("acme") && Kb::number("952076").expect("a number") < id("acme"));
        assert_eq!(
            (id("acme").key(), id("acme").cmp(&id("ACME"))),
            ("id", Ordering::Equal)
        );
        for text in [
            "",
            "KB",
            "kb952076x",
            "952076",
            "952076a",
            "-acme",
            "acme.",
            "a b",
            "a/b",
            "last",
            "Accept",
            "NUL",
            "com1.x",
            "é",
            &"a".repeat(65),
        ] {
            assert!(Kb::id(text).is_err(), "{text:?} was accepted");
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
