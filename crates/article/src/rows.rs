//! Rows of the file table, split by the values that each column can have.
//!
//! A browser that drops the cells leaves `a.msiNot Applicable372,73631-Mar-2008`. So every split
//! into columns is tried, and a row is known only if exactly one fits.

use super::columns::FileColumn;
use super::dates::{self, Day};
use super::lines::spaced;

/// Largest number of readings of a row; more are not worth reporting.
const MAX_READINGS: usize = 64;

/// Largest number of attempts for one row; a text that takes more is not a row.
const MAX_TRIES: usize = 1_000;

/// Length of the longest row, in bytes.
const MAX_ROW_LENGTH: usize = 400;

/// Values that one row documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowFields {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) size: Option<u64>,
    /// True if a separator groups the thousands of the size.
    pub(super) grouped: bool,
    pub(super) date: Option<String>,
    pub(super) time: Option<(u8, u8)>,
    pub(super) platform: Option<String>,
    /// Doubt about a value of a row that is otherwise clear, such as a day that may be two.
    pub(super) doubt: Option<String>,
}

/// Returns all readings of a row; none if it is not a row.
pub(super) fn readings(text: &str, cells: &[String], columns: &[FileColumn]) -> Vec<RowFields> {
    if cells.len() == columns.len()
        && let Some(fields) = by_cells(cells, columns)
    {
        return vec![fields];
    }
    let text = spaced(text);
    if text.len() > MAX_ROW_LENGTH {
        return Vec::new();
    }
    let mut search = Search {
        text: &text,
        columns,
        tries: MAX_TRIES,
        found: Vec::new(),
    };
    search.go(0, 0, &RowFields::default());
    if search.tries == 0 {
        Vec::new()
    } else {
        search.found
    }
}

fn by_cells(cells: &[String], columns: &[FileColumn]) -> Option<RowFields> {
    let mut fields = RowFields::default();
    for (cell, column) in cells.iter().zip(columns) {
        if is_nothing(cell) && *column != FileColumn::Name {
            continue;
        }
        let whole = endings(cell, *column)
            .into_iter()
            .rfind(|end| *end == cell.len());
        match whole {
            Some(end) => fields.take(*column, &cell[..end])?,
            // A wrong cell loses its value, but not the row.
            None if *column != FileColumn::Name => {
                fields.doubt(format!("`{cell}` is not understood"))
            }
            None => return None,
        }
    }
    if fields.version.is_none() && columns.contains(&FileColumn::Version) {
        let others = cells
            .iter()
            .zip(columns)
            .filter(|(_, column)| **column == FileColumn::Other);
        for (cell, _) in others.filter(|(cell, _)| is_version(cell)) {
            fields.doubt(format!(
                "`{cell}` looks like a version, but is in a column for other values"
            ));
        }
    }
    (!fields.name.is_empty()).then_some(fields)
}

/// Returns whether a cell is most likely a version: numbers joined by at least two dots.
fn is_version(cell: &str) -> bool {
    let mut ends = Vec::new();
    versions(cell, &mut ends);
    cell.matches('.').count() >= 2 && ends.contains(&cell.len())
}

struct Search<'t> {
    text: &'t str,
    columns: &'t [FileColumn],
    tries: usize,
    found: Vec<RowFields>,
}

impl Search<'_> {
    fn go(&mut self, at: usize, column: usize, fields: &RowFields) {
        self.tries = self.tries.saturating_sub(1);
        if self.tries == 0 || self.found.len() >= MAX_READINGS {
            return;
        }
        let rest = self.text[at..].trim_start();
        let at = self.text.len() - rest.len();
        let Some(kind) = self.columns.get(column).copied() else {
            if rest.is_empty() && !self.found.contains(fields) {
                self.found.push(fields.clone());
            }
            return;
        };
        for end in endings(rest, kind) {
            let mut fields = fields.clone();
            if fields.take(kind, rest[..end].trim()).is_some() {
                self.go(at + end, column + 1, &fields);
            }
        }
    }
}

impl RowFields {
    /// Takes the text of a column; returns nothing if it does not fit after all.
    fn take(&mut self, column: FileColumn, text: &str) -> Option<()> {
        if is_nothing(text) && column != FileColumn::Name {
            return Some(());
        }
        match column {
            FileColumn::Name => self.name = text.to_owned(),
            FileColumn::Version => self.version = Some(text.to_owned()),
            FileColumn::Size => {
                self.size = Some(size(text)?);
                self.grouped = text.contains([',', '.', ' ', '\'']);
            }
            FileColumn::Date => self.day(dates::day(text)?.0),
            FileColumn::Time => self.time = Some(dates::time(text)?.0),
            FileColumn::Modified => {
                let (day, length) = dates::day(text)?;
                self.day(day);
                let time = text[length..].trim_start_matches([' ', ',', 'T']);
                self.time = dates::time(time).map(|(time, _)| time);
            }
            FileColumn::Platform => self.platform = Some(text.to_owned()),
            FileColumn::Other => {}
        }
        Some(())
    }

    fn day(&mut self, day: Day) {
        match day {
            Day::Known(day) => self.date = Some(day),
            Day::Either(one, other) => self.doubt(format!("the day may be {one} or {other}")),
        }
    }

    fn doubt(&mut self, message: String) {
        match &mut self.doubt {
            Some(doubt) => *doubt = format!("{doubt}; {message}"),
            None => self.doubt = Some(message),
        }
    }
}

/// Returns the offsets at which a value of the column that begins here can end.
fn endings(text: &str, column: FileColumn) -> Vec<usize> {
    if column == FileColumn::Name {
        return names(text);
    }
    let mut ends: Vec<usize> = nothing(text).into_iter().collect();
    match column {
        FileColumn::Version => versions(text, &mut ends),
        FileColumn::Size => sizes(text, &mut ends),
        FileColumn::Date => days(text, &mut ends),
        FileColumn::Time => ends.extend(time(text)),
        FileColumn::Modified => {
            let mut dates = Vec::new();
            days(text, &mut dates);
            for end in dates {
                let gap = text[end..].len() - text[end..].trim_start_matches([' ', ',', 'T']).len();
                ends.extend(time(&text[end + gap..]).map(|length| end + gap + length));
                ends.push(end);
            }
        }
        FileColumn::Platform => platforms(text, &mut ends),
        FileColumn::Other => ends.extend(
            text.char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .chain([0]),
        ),
        FileColumn::Name => {}
    }
    ends
}

const NOTHING: [&str; 8] = [
    "not applicable",
    "not available",
    "n/a",
    "none",
    "--",
    "-",
    "–",
    "—",
];

/// Returns whether a cell states that there is no value.
fn is_nothing(cell: &str) -> bool {
    cell.is_empty() || NOTHING.contains(&cell.to_lowercase().as_str())
}

/// Returns the length of the words at the beginning that state so.
fn nothing(text: &str) -> Option<usize> {
    NOTHING
        .iter()
        .find(|word| {
            text.get(..word.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(word))
        })
        .map(|word| word.len())
}

/// Returns the ends of names with an extension of letters: after a dot, two to six of them.
fn names(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    for (dot, _) in text.match_indices('.').filter(|(dot, _)| *dot > 0) {
        let letters = text[dot + 1..]
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        // The next value may follow an extension directly, as in `msiNot` and `dllx86`, so each
        // length counts.
        ends.extend((2..=letters.min(6)).map(|length| dot + 1 + length));
        let known = ["7z", "mp3", "ps1"]
            .iter()
            .find(|known| text[dot + 1..].to_ascii_lowercase().starts_with(**known));
        ends.extend(known.map(|known| dot + 1 + known.len()));
    }
    let named = |end: &usize| {
        !text[..*end].contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', ','])
            && !text[..*end].contains("  ")
    };
    ends.retain(named);
    // If a well-known extension can end here, no other is meant.
    let known = |end: &usize| {
        let name = &text[..*end];
        name.rfind('.')
            .is_some_and(|dot| EXTENSIONS.contains(&name[dot + 1..].to_ascii_lowercase().as_str()))
    };
    if ends.iter().any(known) {
        ends.retain(known);
    }
    ends
}

const EXTENSIONS: [&str; 34] = [
    "msi", "msp", "msm", "mst", "dll", "exe", "cab", "zip", "xml", "xsd", "xsl", "xslt", "sql",
    "txt", "config", "cfg", "ini", "inf", "js", "vbs", "bat", "cmd", "ps1", "aspx", "asmx", "ascx",
    "asp", "htm", "html", "css", "sys", "ocx", "tlb", "chm",
];

/// Adds the ends of two to four numbers joined by dots, at every possible length, since a size may
/// follow.
fn versions(text: &str, ends: &mut Vec<usize>) {
    let mut parts = 1;
    let mut before = None;
    for (at, c) in text.char_indices().take(30) {
        match c {
            '0'..='9' if parts >= 2 => ends.push(at + 1),
            '0'..='9' => {}
            '.' if before.is_some_and(|c: char| c.is_ascii_digit()) && parts < 4 => parts += 1,
            _ => break,
        }
        before = Some(c);
    }
}

/// Adds the ends of digits in groups of three or without groups, at every possible length.
fn sizes(text: &str, ends: &mut Vec<usize>) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count().min(15);
    ends.extend(1..=digits);
    for separator in [',', '.', ' ', '\''] {
        for first in 1..=digits.min(3) {
            let mut end = first;
            while text[end..].starts_with(separator)
                && text[end + 1..]
                    .bytes()
                    .take(3)
                    .filter(u8::is_ascii_digit)
                    .count()
                    == 3
            {
                end += 4;
                ends.push(end);
            }
        }
    }
    let words: Vec<usize> = ends
        .iter()
        .filter_map(|end| {
            let rest = text[*end..].trim_start();
            rest.get(..5)
                .filter(|word| word.eq_ignore_ascii_case("bytes"))
                .map(|word| text.len() - rest.len() + word.len())
        })
        .collect();
    ends.extend(words);
}

fn size(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (!digits.starts_with('0') || digits == "0")
        .then(|| digits.parse().ok())
        .flatten()
}

/// Adds the end of the day at the beginning.
fn days(text: &str, ends: &mut Vec<usize>) {
    ends.extend(dates::day(text).map(|(_, length)| length));
}

fn time(text: &str) -> Option<usize> {
    let (_, length) = dates::time(text)?;
    let rest = &text[length..];
    let zone = rest
        .trim_start()
        .get(..3)
        .filter(|zone| ["utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()));
    Some(zone.map_or(length, |zone| {
        text.len() - rest.trim_start().len() + zone.len()
    }))
}

fn platforms(text: &str, ends: &mut Vec<usize>) {
    for known in [
        "x86", "x64", "x86-64", "x86_64", "ia64", "ia-64", "i386", "amd64", "arm64", "32-bit",
        "64-bit", "any",
    ] {
        if text
            .get(..known.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(known))
        {
            ends.push(known.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FileColumn::*;
    use super::*;

    const ALL: [FileColumn; 6] = [Name, Version, Size, Date, Time, Platform];

    fn one(text: &str, columns: &[FileColumn]) -> RowFields {
        let readings = readings(text, &[text.to_owned()], columns);
        assert_eq!(readings.len(), 1, "{text}: {readings:#?}");
        readings.into_iter().next().expect("there is one")
    }

    #[test]
    fn a_glued_row_has_one_reading() {
        let row = one(
            "Widgets2004.msiNot Applicable372,73631-Mar-200818:32Not Applicable",
            &ALL,
        );
        assert_eq!(
            (row.name.as_str(), row.size, row.time),
            ("Widgets2004.msi", Some(372_736), Some((18, 32)))
        );
        assert_eq!(
            (row.date.as_deref(), row.platform),
            (Some("2008-03-31"), None)
        );
        let row = one(
            "Tool.exe79,52831-Mar-200818:32x86",
            &[Name, Size, Date, Time, Platform],
        );
        assert_eq!(
            (row.size, row.platform.as_deref()),
            (Some(79_528), Some("x86"))
        );
        let row = one("a.dll 6.0.1.2 1.024 2008-03-31 6:32 PM x64", &ALL);
        assert_eq!(
            (row.version.as_deref(), row.size, row.time),
            (Some("6.0.1.2"), Some(1024), Some((18, 32)))
        );
    }

    #[test]
    fn an_ambiguous_row_has_all_its_readings() {
        let sizes = |text: &str, columns| -> Vec<_> {
            readings(text, &[text.to_owned()], columns)
                .into_iter()
                .map(|reading| reading.size)
                .collect()
        };
        assert_eq!(
            sizes("a.msi37273631-Mar-2008", &[Name, Size, Date]),
            [Some(372_736), Some(3_727_363)]
        );
        assert_eq!(
            sizes("a.dll6.0.1.2372,736", &[Name, Version, Size]).len(),
            3
        );
    }

    #[test]
    fn cells_are_read_by_their_columns() {
        let cells = ["x", "b.msi", "1 024", "04/03/2008", "n/a"].map(str::to_owned);
        let row = &readings("", &cells, &[Other, Name, Size, Modified, Platform])[0];
        assert_eq!((row.name.as_str(), row.size), ("b.msi", Some(1024)));
        assert!(
            row.doubt
                .as_deref()
                .is_some_and(|doubt| doubt.contains("2008-03-04")),
            "{row:?}"
        );
    }

    #[test]
    fn hostile_rows_end_soon() {
        let text = format!("{}.msi{}", "a.bc".repeat(80), "1".repeat(60));
        assert!(
            readings(
                &text,
                &[],
                &[Other, Name, Other, Version, Other, Size, Other]
            )
            .is_empty()
        );
    }
}
