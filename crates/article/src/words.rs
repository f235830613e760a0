//! Words of a file table: each has its kind by its form alone, wherever its column is.

use super::dates::{self, Day};

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
        let is_number = |value: &Value| {
            !matches!(
                value,
                Value::Name(_) | Value::Platform(_) | Value::Hash(_) | Value::Nothing
            )
        };
        self.values.iter().any(is_number)
    }
}

/// Largest number of words of a row.
const MOST: usize = 60;

/// Returns the words of a row, cell by cell.
pub(super) fn typed(cells: &[String]) -> Vec<TypedWord> {
    let mut found = Vec::new();
    for (cell, text) in cells.iter().enumerate() {
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let mut at = 0;
        while at < words.len() && found.len() < MOST {
            let (count, values) = value(&words[at..]);
            let text = words[at..at + count].join(" ");
            found.push(TypedWord { text, values, cell });
            at += count;
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

/// Returns the value at the beginning of these words, and the number of its words.
fn value(words: &[&str]) -> (usize, Vec<Value>) {
    let second = words.get(1).copied().unwrap_or_default();
    // `October 6, 2000`, `6 October 2000`
    if let Some(date) = words.get(..3) {
        let date = date.join(" ");
        let has_month = words[..2]
            .iter()
            .any(|word| word.starts_with(|c: char| c.is_alphabetic()));
        if let Some((day, length)) = dates::day(&date).filter(|_| has_month)
            && length == date.trim_end_matches([',', ')']).len()
        {
            return (3, vec![Value::Day(day)]);
        }
    }
    for nothing in NOTHING {
        let count = nothing.split(' ').count();
        let found = words.get(..count).map(|words| words.join(" "));
        if found.is_some_and(|found| found.eq_ignore_ascii_case(nothing)) {
            return (count, vec![Value::Nothing]);
        }
    }
    let word = bare(words[0]);
    let half = format!("{word} {second}");
    if let Some((time, length)) = dates::time(&half).filter(|(_, length)| *length > word.len())
        && length == half.len()
    {
        return (2, vec![Value::Time(time)]);
    }
    if let Some(size) = in_unit(word, second) {
        return (2, vec![Value::Size(size)]);
    }
    let groups = words
        .iter()
        .skip(1)
        .take_while(|word| is_digits(word) && word.len() == 3);
    let groups = groups.count();
    if groups > 0 && is_digits(word) && word.len() <= 3 && !word.starts_with('0') {
        let size = words[..=groups].concat().parse();
        return (
            groups + 1,
            size.map(|size| Value::Size(Size::Bytes(size)))
                .into_iter()
                .collect(),
        );
    }
    (1, of_one(word))
}

/// Returns the values that one word can have.
fn of_one(word: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return vec![Value::Hash(word.to_lowercase())];
    }
    if let Some((day, _)) = dates::day(word).filter(|(_, length)| *length == word.len()) {
        values.push(Value::Day(day));
    }
    if let Some((time, _)) = dates::time(word).filter(|(_, length)| *length == word.len()) {
        values.push(Value::Time(time));
    }
    values.extend(dotted_time(word).map(Value::Time));
    values.extend(size(word).map(Value::Size));
    if is_version(word) {
        values.push(Value::Version(word.to_owned()));
    }
    values.extend(platform(word).map(Value::Platform));
    if values.is_empty() {
        values.extend(name(word).map(|name| Value::Name(name.to_owned())));
    }
    values
}

/// Returns the time in `22.36`, which may as well be a version.
fn dotted_time(word: &str) -> Option<(u8, u8)> {
    let (hour, minute) = word.split_once('.')?;
    let is_time =
        (1..=2).contains(&hour.len()) && minute.len() == 2 && is_digits(hour) && is_digits(minute);
    let time = format!("{hour}:{minute}");
    dates::time(&time).filter(|_| is_time).map(|(time, _)| time)
}

/// Removes what surrounds a word in a table.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['(', '[', '"'])
        .trim_end_matches([',', ';', ')', ']', '"', '*'])
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words that state that there is no value.
pub(super) const NOTHING: [&str; 11] = [
    "not applicable",
    "not available",
    "nicht zutreffend",
    "nicht anwendbar",
    "n/a",
    "none",
    "---",
    "--",
    "-",
    "–",
    "—",
];

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

/// Returns a size in bytes: digits, or digits in groups of three.
pub(super) fn size(word: &str) -> Option<Size> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(digits) = word
        .find(|c: char| c.is_ascii_alphabetic())
        .filter(|at| *at > 0)
    {
        return in_unit(&word[..digits], &word[digits..]);
    }
    let separator = word.chars().find(|c| matches!(c, ',' | '.' | '\''));
    let parts: Vec<&str> = word.split(separator.unwrap_or(',')).collect();
    let grouped = parts[0].len() <= 3 && parts[1..].iter().all(|part| part.len() == 3);
    if !parts.iter().all(|part| is_digits(part)) || parts.len() > 1 && !grouped {
        return None;
    }
    let leads = parts[0].starts_with('0') && (parts.len() > 1 || word.len() > 1);
    parts
        .concat()
        .parse()
        .ok()
        .filter(|_| !leads)
        .map(Size::Bytes)
}

/// Returns a size with its unit.
fn in_unit(number: &str, unit: &str) -> Option<Size> {
    let unit = bare(unit).to_ascii_lowercase();
    match unit.as_str() {
        "byte" | "bytes" => size(number),
        "k" | "kb" | "mb" => {
            let is_number = number.starts_with(|c: char| c.is_ascii_digit())
                && number
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b".,".contains(&byte));
            is_number.then_some(Size::Rounded)
        }
        _ => None,
    }
}

/// Returns whether a word is a version: two to five numbers joined by dots, perhaps with a letter
/// at the end.
pub(super) fn is_version(word: &str) -> bool {
    let numbers = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let parts: Vec<&str> = numbers.split('.').collect();
    numbers.len() + 1 >= word.len()
        && (2..=5).contains(&parts.len())
        && parts.iter().all(|part| is_digits(part) && part.len() <= 6)
}

/// Returns the name of a file: a word with an extension that has a letter; of a path, its last
/// part.
pub(super) fn name(word: &str) -> Option<&str> {
    if word.contains("://") || word.contains('@') || word.starts_with("www.") {
        return None;
    }
    let word = word
        .rsplit(['\\', '/'])
        .next()?
        .trim_end_matches(['.', ':', '?', '!', '\'']);
    let word = word.trim_start_matches('\'');
    let dot = word.rfind('.').filter(|dot| *dot > 0)?;
    let extension = &word[dot + 1..];
    let sound = |c: char| c.is_alphanumeric() || "_-~$!#%&'(){}@^.+,".contains(c);
    let is_name = (1..=12).contains(&extension.len())
        && extension.chars().all(|c| c.is_ascii_alphanumeric() || "_$~!@".contains(c))
        && (extension.contains(|c: char| c.is_ascii_alphabetic() || c == '_')
            || extension.len() == 3 && word.starts_with(|c: char| c.is_alphabetic()))
        && word.chars().all(sound)
        // Abbreviations such as `e.g` and `U.S`, and the first word of a sentence that lost its gap.
        && (dot > 1 || extension.len() > 1)
        && !(extension.starts_with(|c: char| c.is_ascii_uppercase()) && extension.chars().skip(1).any(|c| c.is_ascii_lowercase()) && extension.len() > 5);
    is_name.then_some(word)
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
