//! Rows of the file table.
//!
//! Each word of a row has its kind by its form, so that a row is read in any order of columns and
//! with blank cells; the head decides only what the forms leave open. A browser that drops the
//! cells leaves `a.msiNot Applicable372,73631-Mar-200818:32`. There, every split into columns is
//! tried, and a row is known only if exactly one fits.

use super::columns::FileColumn;
use super::dates::Day;
use super::lines::{ArticleLine, spaced};
use super::text::{LazyPattern, ends, is, pattern};
use super::words::{self, Size, TypedWord, Value};

/// Largest number of readings of a row; more are not worth reporting.
const MAX_READINGS: usize = 64;

/// Largest number of attempts for one row; a text that takes more is not a row.
const MAX_TRIES: usize = 10_000;

/// Largest number of attempts for all rows of an article.
pub(super) const ALL_TRIES: usize = 1_000_000;

/// Length of the longest row, in bytes.
const MAX_ROW_LENGTH: usize = 400;

/// Length of the longest name or hash in a row without anything between its columns.
const MAX_NAME_LENGTH: usize = 64;

/// Length of the longest other value in such a row, such as `30 September 2008 10:32 PM`.
const MAX_VALUE_LENGTH: usize = 26;

const NO_COLUMN: &str = "a word fits no column of the head";

/// Values that one row documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowFields {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) size: Option<u64>,
    /// True if a separator groups the thousands of the size.
    pub(super) grouped: bool,
    pub(super) day: Option<Day>,
    pub(super) time: Option<(u8, u8)>,
    pub(super) platform: Option<String>,
    /// SHA-256 that the article documents.
    pub(super) hash: Option<String>,
    /// Doubts about a row that is otherwise clear.
    pub(super) doubts: Vec<String>,
}

/// Result of reading a line below the head of a table.
#[derive(Debug)]
pub(super) enum Reading {
    /// Row, with every reading of it.
    Row(Vec<RowFields>),
    /// Line that has a file name and a number, but is not understood.
    Open(&'static str),
    NotARow,
}

/// Kinds of values, each of which a row has at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Size,
    Day,
    Time,
    Version,
    Platform,
    Hash,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Size, "the size"),
    (Kind::Day, "the day"),
    (Kind::Time, "the time"),
    (Kind::Version, "the version"),
    (Kind::Platform, "the platform"),
    (Kind::Hash, "the hash"),
];

/// Returns the kinds of values in a column; a cell of it has the first one at least.
fn kinds(column: FileColumn) -> &'static [Kind] {
    match column {
        FileColumn::Size => &[Kind::Size],
        FileColumn::Date | FileColumn::Modified => &[Kind::Day, Kind::Time],
        FileColumn::Time => &[Kind::Time],
        FileColumn::Version => &[Kind::Version],
        FileColumn::Platform => &[Kind::Platform],
        FileColumn::Hash => &[Kind::Hash],
        FileColumn::Name | FileColumn::Other => &[],
    }
}

fn kind(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::Size(_) => Kind::Size,
        Value::Day(_) => Kind::Day,
        Value::Time(_) => Kind::Time,
        Value::Version(_) => Kind::Version,
        Value::Platform(_) => Kind::Platform,
        Value::Hash(_) => Kind::Hash,
        Value::Name(_) | Value::Nothing => return None,
    })
}

/// Returns the value of a kind that a word can have.
fn value(word: &TypedWord, wanted: Kind) -> Option<&Value> {
    let mut values = word.values.iter();
    values.find(|value| kind(value) == Some(wanted))
}

impl RowFields {
    /// Returns whether the row documents something of its file.
    pub(super) fn has_values(&self) -> bool {
        self.size.is_some() || self.day.is_some() || self.version.is_some()
    }

    /// Returns whether the row only gives the hash of a file, whose values another row has.
    pub(super) fn is_pin(&self) -> bool {
        self.hash.is_some() && !self.has_values()
    }

    fn take(&mut self, value: &Value, text: &str) {
        match value.clone() {
            Value::Size(Size::Bytes(bytes)) => {
                self.size = Some(bytes);
                self.grouped = text.contains([',', '.', ' ', '\'']);
            }
            Value::Size(Size::Rounded) => self.doubts.push("the size is rounded".to_owned()),
            Value::Day(day) => self.day = Some(day),
            Value::Time(time) => self.time = Some(time),
            Value::Version(version) => self.version = Some(version),
            Value::Platform(platform) => self.platform = Some(platform.to_owned()),
            Value::Hash(hash) => self.hash = Some(hash),
            Value::Name(_) | Value::Nothing => {}
        }
    }

    /// Takes the text of one cell; returns whether it fits the column.
    fn take_cell(&mut self, column: FileColumn, cell: &str) -> bool {
        let kinds = kinds(column);
        let mut left = kinds.to_vec();
        for word in words::typed(&[cell.to_owned()]) {
            let at = left.iter().position(|kind| value(&word, *kind).is_some());
            if let Some(at) = at
                && let Some(value) = value(&word, left.remove(at))
            {
                self.take(value, &word.text);
            } else if !is_zone(&word.text) {
                return false;
            }
        }
        kinds.first().is_some_and(|kind| !left.contains(kind))
    }
}

/// Reads a line by the columns of the head above it, or by the forms of its words alone.
pub(super) fn read(
    line: &ArticleLine,
    columns: Option<&[FileColumn]>,
    tries: &mut usize,
) -> Reading {
    if line.text.len() > MAX_ROW_LENGTH {
        return Reading::NotARow;
    }
    let head = columns.unwrap_or_default();
    if line.tabular
        && line.cells.len() == head.len()
        && let Some(fields) = by_cells(&line.cells, head)
    {
        return Reading::Row(vec![fields]);
    }
    let typed = by_words(&words::typed(&line.cells), columns);
    let is_doubtful = match &typed {
        Reading::Row(rows) => rows[0].doubts.iter().any(|doubt| doubt == NO_COLUMN),
        Reading::Open(_) => false,
        Reading::NotARow => true,
    };
    if !is_doubtful || line.cells.len() > 1 {
        return typed;
    }
    let readings = by_splits(&line.text, head, tries);
    match (readings.len(), &typed) {
        (0, _) | (2.., Reading::Row(_)) => typed,
        _ => Reading::Row(readings),
    }
}

/// Reads cells below each other.
pub(super) fn upright(cells: &[String], columns: &[FileColumn]) -> Option<RowFields> {
    by_cells(cells, columns).filter(|fields| fields.doubts.is_empty() && fields.has_values())
}

/// Reads the cells of a table.
fn by_cells(cells: &[String], columns: &[FileColumn]) -> Option<RowFields> {
    let mut fields = RowFields::default();
    let mut stray = None;
    let mut has_values = false;
    for (cell, column) in cells.iter().zip(columns) {
        match column {
            FileColumn::Name if !fields.name.is_empty() => return None,
            FileColumn::Name => fields.name = cell_name(cell)?.to_owned(),
            _ if words::is_nothing(cell) => {}
            FileColumn::Other if words::is_version(cell) && cell.matches('.').count() > 1 => {
                stray = Some(format!(
                    "`{cell}` looks like a version, but is in a column for other values"
                ));
            }
            FileColumn::Other => {}
            column => {
                has_values = true;
                let fits = fields.take_cell(*column, cell);
                if *column == FileColumn::Platform && !fits {
                    fields.platform = Some(cell.clone());
                } else if !fits {
                    fields.doubts.push(format!("`{cell}` is not understood"));
                }
            }
        }
    }
    if fields.version.is_none() {
        fields.doubts.extend(stray);
    }
    has_values.then_some(fields)
}

/// Returns the name of a file in a cell of its own, which may have spaces.
fn cell_name(cell: &str) -> Option<&str> {
    let last = cell.rsplit(' ').next().and_then(words::name)?;
    let is_path = cell.contains(['\\', '/']);
    Some(if is_path { last } else { cell })
}

fn is_zone(word: &str) -> bool {
    is(&word.to_lowercase(), "utc|gmt|z")
}

/// Reads a row by the forms of its words. Without columns, a row has a size and a day, and no word
/// that is not understood.
fn by_words(words: &[TypedWord], columns: Option<&[FileColumn]>) -> Reading {
    let has = |kind| words.iter().any(|word| value(word, kind).is_some());
    let may_be = columns.is_some() && !is_sentence(words);
    let named: Vec<usize> = (0..words.len())
        .filter(|at| words[*at].name().is_some())
        .collect();
    let (name, skipped) = match (&named[..], listed_name(words)) {
        ([at], _) => (
            words[*at].name().unwrap_or_default().to_owned(),
            *at..at + 1,
        ),
        ([], Some(name)) => (name, 0..2),
        // Several rows of a listing may be beside each other.
        ([], None) if may_be && has(Kind::Size) && has(Kind::Day) => {
            return Reading::Open("has a size and a day, but no file name");
        }
        ([_, ..], _) if may_be && words.iter().any(TypedWord::is_number) => {
            return Reading::Open("has several file names");
        }
        _ => return Reading::NotARow,
    };
    let others = [&words[..skipped.start], &words[skipped.end..]].concat();
    let mut row = WordRow {
        columns: columns.unwrap_or_default(),
        free: others.iter().collect(),
        fields: RowFields {
            name,
            ..RowFields::default()
        },
        given: Vec::new(),
    };
    // Each kind gets its word: one that can be nothing else, or the only one that is left for it.
    for only_sure in [true, false] {
        for (kind, subject) in KINDS {
            row.assign(kind, subject, only_sure);
        }
    }
    let numbers = others.iter().filter(|word| word.is_number()).count();
    let is_row = match columns {
        Some(_) => numbers > 0 || row.fields.hash.is_some(),
        None => row.fields.day.is_some() && numbers > 1,
    };
    if !is_row || is_sentence(&others) {
        return Reading::NotARow;
    }
    row.finish(columns.is_some())
}

/// Name and extension in a listing, which has columns for both.
static LISTED: LazyPattern =
    LazyPattern::new(|| pattern(r"^[A-Z0-9_~$!#-]{1,8} [A-Z0-9_~$!#-]{1,3}$"));

/// Returns the name in a listing.
fn listed_name(words: &[TypedWord]) -> Option<String> {
    let [name, extension, rest @ ..] = words else {
        return None;
    };
    let has = |kind| rest.iter().any(|word| value(word, kind).is_some());
    let text = format!("{} {}", name.text, extension.text);
    let is_listed = LISTED.is_match(&text) && !name.is_number();
    (is_listed && has(Kind::Size) && has(Kind::Day)).then(|| text.replace(' ', "."))
}

/// Returns whether most words are those of a sentence.
fn is_sentence(words: &[TypedWord]) -> bool {
    let is_typed = |word: &TypedWord| !word.values.is_empty();
    if words.len() > 2 && words[..2].iter().all(is_typed) {
        return false;
    }
    let others = words.iter().filter(|word| !is_typed(word)).count();
    let is_ended = words.last().is_some_and(|word| ends(&word.text, ".|:|,"));
    others * 2 > words.len() + if is_ended { 0 } else { 4 }
}

/// Words of a row, while they get their columns.
struct WordRow<'w> {
    columns: &'w [FileColumn],
    /// Words that have no column yet.
    free: Vec<&'w TypedWord>,
    fields: RowFields,
    /// Kinds that have their word, or several.
    given: Vec<Kind>,
}

impl<'w> WordRow<'w> {
    fn assign(&mut self, kind: Kind, subject: &str, only_sure: bool) {
        // A day is one wherever it is.
        let is_sought = self.may_have(kind) || kind == Kind::Day && only_sure;
        if self.given.contains(&kind) || !is_sought {
            return;
        }
        let found = self.candidates(kind, only_sure);
        match &found[..] {
            [] => return,
            [word] => {
                let value = value(word, kind);
                value
                    .iter()
                    .for_each(|value| self.fields.take(value, &word.text));
            }
            _ => {
                let doubt = format!("several words may be {subject}");
                self.fields.doubts.push(doubt);
            }
        }
        self.given.push(kind);
        self.free
            .retain(|word| !found.iter().any(|found| std::ptr::eq(*found, *word)));
    }

    /// Returns whether the head has a column for a kind.
    fn may_have(&self, kind: Kind) -> bool {
        let has = |column: &FileColumn| kinds(*column).contains(&kind);
        let is_clear = matches!(kind, Kind::Platform | Kind::Hash);
        is_clear || self.columns.is_empty() || self.columns.iter().any(has)
    }

    /// Returns the free words that can be of a kind. A word is sure if no other kind that the row
    /// can still have fits it.
    fn candidates(&self, wanted: Kind, only_sure: bool) -> Vec<&'w TypedWord> {
        let is_other = |value: &Value| {
            let other = kind(value).filter(|other| *other != wanted);
            other.is_some_and(|other| !self.given.contains(&other) && self.may_have(other))
        };
        let mut found = self.free.clone();
        found.retain(|word| {
            value(word, wanted).is_some() && !(only_sure && word.values.iter().any(is_other))
        });
        let count = |column| {
            self.columns
                .iter()
                .filter(|known| **known == column)
                .count()
        };
        // A number with a dot is a time only in the column for one.
        if wanted == Kind::Time && count(FileColumn::Time) + count(FileColumn::Modified) == 0 {
            found.retain(|word| word.text.contains(':'));
        }
        // A number with a unit or with groups is the size, if other numbers are beside it.
        let is_marked = |word: &&TypedWord| !word.text.bytes().all(|byte| byte.is_ascii_digit());
        let mut marked = found.iter().copied().filter(is_marked);
        if let (Kind::Size, Some(word), None) = (wanted, marked.next(), marked.next())
            && count(FileColumn::Size) < 2
        {
            return vec![word];
        }
        found
    }

    /// Decides about what is left of the words.
    fn finish(mut self, has_head: bool) -> Reading {
        self.free
            .retain(|word| !word.values.contains(&Value::Nothing) && !is_zone(&word.text));
        let is_complete = self.free.is_empty() && self.fields.size.is_some();
        if !has_head && !is_complete {
            return Reading::Open(
                "looks like a row of a file table, but no line above it names the columns",
            );
        }
        if !self.free.is_empty() && !self.columns.contains(&FileColumn::Other) {
            self.fields.doubts.push(NO_COLUMN.to_owned());
        }
        Reading::Row(vec![self.fields])
    }
}

/// Splits a text into columns that nothing separates, in every way.
fn by_splits(text: &str, columns: &[FileColumn], tries: &mut usize) -> Vec<RowFields> {
    let text = spaced(text);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if columns.is_empty() || digits < 3 || !text.contains('.') {
        return Vec::new();
    }
    let budget = MAX_TRIES.min(*tries);
    let mut search = Search {
        tries: budget,
        found: Vec::new(),
    };
    search.go(&text, columns, &RowFields::default());
    *tries -= budget - search.tries;
    if search.tries == 0 {
        search.found.clear();
    }
    search.found
}

struct Search {
    tries: usize,
    found: Vec<RowFields>,
}

impl Search {
    fn go(&mut self, text: &str, columns: &[FileColumn], fields: &RowFields) {
        let text = text.trim_start();
        let Some((column, columns)) = columns.split_first() else {
            if text.is_empty() && !self.found.contains(fields) {
                self.found.push(fields.clone());
            }
            return;
        };
        for (end, fields) in self.values(text, *column, fields) {
            if self.found.len() < MAX_READINGS {
                self.go(&text[end..], columns, &fields);
            }
        }
    }

    /// Returns the ends of all values of a column that begin here, each with the row so far.
    fn values(
        &mut self,
        text: &str,
        column: FileColumn,
        fields: &RowFields,
    ) -> Vec<(usize, RowFields)> {
        let mut found = Vec::new();
        if column == FileColumn::Other {
            found.push((0, fields.clone()));
        }
        let longest = match kinds(column) {
            [] | [Kind::Hash] => MAX_NAME_LENGTH,
            _ => MAX_VALUE_LENGTH,
        };
        for (at, c) in text.char_indices().take(longest.min(self.tries)) {
            self.tries -= 1;
            let end = at + c.len_utf8();
            let mut fields = fields.clone();
            if fields.take_part(column, text[..end].trim()) {
                found.push((end, fields));
            }
        }
        match column {
            // If a well-known extension can end here, no other is meant.
            FileColumn::Name if found.iter().any(|(_, row)| has_known_extension(&row.name)) => {
                found.retain(|(_, row)| has_known_extension(&row.name));
            }
            // A year of four digits is not one of two.
            FileColumn::Date | FileColumn::Time | FileColumn::Modified => {
                found.drain(..found.len().saturating_sub(1));
            }
            _ => {}
        }
        found
    }
}

/// Name whose extension the next value may follow directly, as in `msiNot` and `dllx86`. Numbers
/// before it are other cells.
static NAME: LazyPattern = LazyPattern::new(|| {
    pattern(
        r#"(?i)^(?:[^\s/\\:*?"<>|,]*[a-z][^\s/\\:*?"<>|,]* )*[^\s/\\:*?"<>|,]+\.(?:[a-z]{2,6}|7z|mp3|ps1)$"#,
    )
});

/// Extensions of files that rollups contain, longer ones before those that they begin with.
pub(super) const EXTENSIONS: [&str; 34] = [
    "msi", "msp", "msm", "mst", "dll", "exe", "cab", "zip", "xml", "xsd", "xslt", "xsl", "sql",
    "txt", "config", "cfg", "ini", "inf", "js", "vbs", "bat", "cmd", "ps1", "aspx", "asmx", "ascx",
    "asp", "html", "htm", "css", "sys", "ocx", "tlb", "chm",
];

fn has_known_extension(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    EXTENSIONS
        .iter()
        .any(|known| name.rsplit('.').next() == Some(known))
}

impl RowFields {
    /// Takes a part of a text without anything between its columns; returns whether it fits.
    fn take_part(&mut self, column: FileColumn, text: &str) -> bool {
        if column == FileColumn::Name {
            self.name = text.to_owned();
            return NAME.is_match(text);
        }
        column == FileColumn::Other
            || words::is_nothing(text)
            || !text.ends_with([',', ';']) && self.take_cell(column, text)
    }
}

#[cfg(test)]
mod tests {
    use super::FileColumn::*;
    use super::*;

    fn readings(text: &str, columns: &[FileColumn]) -> Vec<RowFields> {
        let line = ArticleLine {
            text: text.to_owned(),
            cells: vec![text.to_owned()],
            ..ArticleLine::default()
        };
        match read(&line, Some(columns), &mut 10_000) {
            Reading::Row(readings) => readings,
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_glued_row_has_one_reading() {
        const ALL: [FileColumn; 6] = [Name, Version, Size, Date, Time, Platform];
        for (text, columns, wanted) in [
            (
                "Widgets2004.msiNot Applicable372,73631-Mar-200818:32Not Applicable",
                &ALL[..],
                ("Widgets2004.msi", 372_736, None),
            ),
            (
                "Tool.exe79,52831-Mar-200818:32x86",
                &[Name, Size, Date, Time, Platform],
                ("Tool.exe", 79_528, Some("x86")),
            ),
            (
                "a.dll 6.0.1.2 1.024 2008-03-31 6:32 PM x64",
                &ALL,
                ("a.dll", 1_024, Some("x64")),
            ),
        ] {
            let found = readings(text, columns);
            assert_eq!(found.len(), 1, "{text}: {found:#?}");
            let row = &found[0];
            assert_eq!(
                (
                    row.name.as_str(),
                    row.size.unwrap_or(0),
                    row.platform.as_deref()
                ),
                wanted,
                "{text}"
            );
            assert_eq!(
                (
                    row.day.as_ref().and_then(Day::only).map(String::as_str),
                    row.time
                ),
                (Some("2008-03-31"), Some((18, 32))),
                "{text}"
            );
        }
    }

    #[test]
    fn an_ambiguous_row_has_all_its_readings() {
        let sizes: Vec<_> = readings("a.msi37273631-Mar-2008", &[Name, Size, Date])
            .into_iter()
            .map(|row| row.size)
            .collect();
        assert_eq!(sizes, [Some(372_736), Some(3_727_363)]);
        assert_eq!(
            readings("a.dll6.0.1.2372,736", &[Name, Version, Size]).len(),
            3
        );
    }

    #[test]
    fn hostile_rows_end_soon() {
        let text = format!("{}.msi{}", "a.bc".repeat(80), "1".repeat(60));
        assert!(readings(&text, &[Other, Name, Other, Version, Other, Size, Other]).is_empty());
    }
}
