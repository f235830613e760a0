//! Words of a file table: each has its kind by its form alone, wherever its column is.

use super::dates::{self, Day};
use super::text::{LazyPattern, pattern};

/// Value of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Name(String),
    Size(Size),
    Day(Day),
    Time((u8, u8)),
    Version(String),
    Platform(&'static str),
    /// SHA-256.
    Hash(String),
    /// Words that state that there is no value.
    Nothing,
}

/// Size of a file as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Bytes(u64),
    /// In kilobytes or megabytes, rounded.
    Rounded,
}

/// Word, or several that are one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypedWord {
    pub(super) text: String,
    /// Its possible values; none for a word of another kind.
    pub(super) values: Vec<Value>,
    /// Index of its cell.
    pub(super) cell: usize,
}

impl TypedWord {
    /// Returns the name of a file, if the word is one.
    pub(super) fn name(&self) -> Option<&str> {
        match self.values.first() {
            Some(Value::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns whether the word is a number of some kind.
    pub(super) fn is_number(&self) -> bool {
        use Value::{Day, Size, Time, Version};
        let is_number = |value: &Value| matches!(value, Size(_) | Day(_) | Time(_) | Version(_));
        self.values.iter().any(is_number)
    }
}

/// Largest number of words of a row.
const MOST: usize = 60;

/// Largest number of words of one value, such as `1st of July 2009`.
const LONGEST: usize = 4;

/// Returns the words of a row, cell by cell.
pub(super) fn typed(cells: &[String]) -> Vec<TypedWord> {
    let mut found = Vec::new();
    for (cell, text) in cells.iter().enumerate() {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut at = 0;
        while at < words.len() && found.len() < MOST {
            for count in (1..=LONGEST.min(words.len() - at)).rev() {
                let text = words[at..at + count].join(" ");
                let values = values(&text);
                if count == 1 || !values.is_empty() {
                    found.push(TypedWord { text, values, cell });
                    at += count;
                    break;
                }
            }
        }
    }
    found
}

/// Returns whether a text is a row of a file table by the words that it begins with or ends with.
pub(super) fn is_row(text: &str) -> bool {
    if text.len() > 300 {
        return false;
    }
    let words = typed(&[text.to_owned()]);
    let has = |kind: fn(&Value) -> bool| words.iter().any(|word| word.values.iter().any(kind));
    let typed = words.iter().filter(|word| !word.values.is_empty()).count();
    has(|value| matches!(value, Value::Name(_)))
        && has(|value| matches!(value, Value::Size(_) | Value::Day(_)))
        && typed * 2 > words.len()
}

/// Words that state that there is no value.
static NOTHING: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:not applicable|not available|nicht zutreffend|nicht anwendbar|n/a|none|-{1,3}|–|—)$",
    )
});

static HASH: LazyPattern = LazyPattern::new(|| pattern(r"^[[:xdigit:]]{64}$"));

/// Digits, or digits in groups of three.
static BYTES: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"(?i)^(?:0|[1-9]\d*|[1-9]\d{0,2}(?:(?:,\d{3})+|(?:\.\d{3})+|(?:'\d{3})+|(?: \d{3})+))(?: ?bytes?)?$",
    )
});

static ROUNDED: LazyPattern = LazyPattern::new(|| pattern(r"(?i)^\d[\d.,]* ?(?:kb?|mb)$"));

/// Two to five numbers joined by dots, perhaps with a letter at the end.
static VERSION: LazyPattern = LazyPattern::new(|| pattern(r"^\d{1,6}(?:\.\d{1,6}){1,4}[a-z]?$"));

/// Word with an extension; one that looks like the next word of a sentence is none.
static NAME: LazyPattern = LazyPattern::new(|| {
    pattern(
        r"^([\w~$!#%&'(){}^.+,-]+)\.([A-Za-z0-9_$~!]{1,5}|[a-z0-9_$~!][A-Za-z0-9_$~!]{5,11}|[A-Z0-9_$~!]{6,12})$",
    )
});

/// Returns the values that a word can have, or several that are one.
fn values(text: &str) -> Vec<Value> {
    if NOTHING.is_match(text) {
        return vec![Value::Nothing];
    }
    let word = bare(text);
    if HASH.is_match(word) {
        return vec![Value::Hash(word.to_lowercase())];
    }
    let mut values = Vec::new();
    if word.contains(|c: char| c.is_ascii_digit()) {
        numbers(word, &mut values);
    }
    values.extend(platform(word).map(Value::Platform));
    if values.is_empty() && !word.contains(' ') {
        values.extend(name(word).map(|name| Value::Name(name.to_owned())));
    }
    values
}

/// Adds the numbers of all kinds that a word can be.
fn numbers(word: &str, values: &mut Vec<Value>) {
    let is_whole = |length: &usize| *length == word.len();
    if let Some((day, _)) = dates::day(word).filter(|(_, length)| is_whole(length)) {
        values.push(Value::Day(day));
    }
    if let Some((time, _)) = dates::time(word).filter(|(_, length)| is_whole(length)) {
        values.push(Value::Time(time));
    }
    values.extend(size(word).map(Value::Size));
    if is_version(word) {
        values.push(Value::Version(word.to_owned()));
    }
}

/// Removes what surrounds a word in a table.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['(', '[', '"'])
        .trim_end_matches([',', ';', ')', ']', '"', '*'])
}

/// Returns whether a cell states that there is no value.
pub(super) fn is_nothing(cell: &str) -> bool {
    cell.is_empty() || NOTHING.is_match(cell)
}

/// Names of platforms, and what a manifest calls them.
const PLATFORMS: [(&str, &str); 17] = [
    ("intel", "x86"),
    ("i386", "x86"),
    ("ix86", "x86"),
    ("x86", "x86"),
    ("32-bit", "x86"),
    ("alpha", "alpha"),
    ("axp", "alpha"),
    ("ia64", "ia64"),
    ("ia-64", "ia64"),
    ("x64", "x64"),
    ("amd64", "x64"),
    ("x86-64", "x64"),
    ("x86_64", "x64"),
    ("64-bit", "x64"),
    ("arm64", "arm64"),
    ("mips", "mips"),
    ("ppc", "ppc"),
];

/// Returns the platform that a word names.
pub(super) fn platform(word: &str) -> Option<&'static str> {
    let word = bare(word);
    let known = PLATFORMS
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name));
    known.map(|(_, platform)| *platform)
}

/// Returns a size in bytes, or in a larger unit.
fn size(word: &str) -> Option<Size> {
    if BYTES.is_match(word) {
        let digits: String = word.chars().filter(char::is_ascii_digit).collect();
        return digits.parse().ok().map(Size::Bytes);
    }
    ROUNDED.is_match(word).then_some(Size::Rounded)
}

/// Returns whether a word is a version.
pub(super) fn is_version(word: &str) -> bool {
    VERSION.is_match(word)
}

/// Returns the name of a file: a word with an extension that has a letter; of a path, its last
/// part.
pub(super) fn name(word: &str) -> Option<&str> {
    if word.contains("://") || word.contains('@') || word.starts_with("www.") {
        return None;
    }
    let word = word.rsplit(['\\', '/']).next()?;
    let word = word
        .trim_end_matches(['.', ':', '?', '!', '\''])
        .trim_start_matches('\'');
    let (_, [base, extension]) = NAME.captures(word)?.extract();
    let has_letter = extension.contains(|c: char| c.is_ascii_alphabetic() || c == '_')
        || extension.len() == 3 && base.starts_with(char::is_alphabetic);
    // Abbreviations such as `e.g` and `U.S` have one letter on either side.
    (has_letter && base.len() + extension.len() > 2).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_kinds_by_their_form() {
        let kinds = |text: &str| -> Vec<String> {
            let words = typed(&[text.to_owned()]);
            let kind = |value: &Value| match value {
                Value::Name(name) => format!("name {name}"),
                Value::Size(size) => format!("{size:?}"),
                Value::Day(_) => "day".to_owned(),
                Value::Time((hour, minute)) => format!("{hour:02}:{minute:02}"),
                Value::Version(version) => format!("version {version}"),
                Value::Platform(platform) => format!("for {platform}"),
                Value::Hash(hash) => format!("hash {hash}"),
                Value::Nothing => "nothing".to_owned(),
            };
            let word = |word: TypedWord| {
                word.values
                    .iter()
                    .map(kind)
                    .collect::<Vec<_>>()
                    .join(" or ")
            };
            words.into_iter().map(word).collect()
        };
        for (text, wanted) in [
            (
                "03/09/99 03:46p 5.1.2.30 1,024 wheel.dll (x86)",
                &[
                    "day",
                    "15:46",
                    "version 5.1.2.30",
                    "Bytes(1024)",
                    "name wheel.dll",
                    "for x86",
                ][..],
            ),
            (
                "October 6, 2000 2:40 PM 12 KB",
                &["day", "14:40", "Rounded"],
            ),
            (
                "1 024 wheel.dl_ Alpha",
                &["Bytes(1024)", "name wheel.dl_", "for alpha"],
            ),
            ("3.14MB 12539 Bytes", &["Rounded", "Bytes(12539)"]),
            ("22.36 4.0", &["22:36 or version 22.36", "version 4.0"]),
            (
                "147.010 4.10.2000",
                &[
                    "Bytes(147010) or version 147.010",
                    "day or version 4.10.2000",
                ],
            ),
            (
                r"Bin\New\wheel.manifest Not Applicable",
                &["name wheel.manifest", "nothing"],
            ),
            ("e.g. U.S. http://a.example/b.exe", &["", "", ""]),
        ] {
            assert_eq!(kinds(text), wanted, "{text}");
        }
    }
}
