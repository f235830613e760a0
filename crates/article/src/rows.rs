//! Rows of the file table.
//!
//! Each word of a row has its kind by its form, so that a row is read in any order of columns and
//! with blank cells; the head decides only what the forms leave open. A browser that drops the
//! cells leaves `a.msiNot Applicable372,73631-Mar-2008`. There, every split into columns is tried,
//! and a row is known only if exactly one fits.

use super::columns::FileColumn;
use super::dates::{self, Day};
use super::lines::{ArticleLine, spaced};
use super::words::{self, NOTHING, Size, TypedWord, Value};

/// Largest number of readings of a row; more are not worth reporting.
const MAX_READINGS: usize = 64;

/// Largest number of attempts for one row; a text that takes more is not a row.
const MAX_TRIES: usize = 1_000;

/// Largest number of attempts for all rows of an article.
pub(super) const ALL_TRIES: usize = 1_000_000;

/// Length of the longest row, in bytes.
const MAX_ROW_LENGTH: usize = 400;

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

impl RowFields {
    /// Returns whether the row documents something of its file.
    pub(super) fn has_values(&self) -> bool {
        self.size.is_some() || self.day.is_some() || self.version.is_some()
    }

    /// Returns whether the row only gives the hash of a file, whose values another row has.
    pub(super) fn is_pin(&self) -> bool {
        self.hash.is_some() && !self.has_values()
    }
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
    let words = words::typed(&line.cells);
    let typed = by_words(&words, columns);
    let is_glued = match &typed {
        Reading::Row(rows) => rows[0].doubts.iter().any(|doubt| doubt == NO_COLUMN),
        Reading::Open(_) => false,
        Reading::NotARow => true,
    };
    if !is_glued {
        return typed;
    }
    let readings = by_splits(&line.text, head, tries);
    match readings.is_empty() || readings.len() > 1 && matches!(typed, Reading::Row(_)) {
        true => typed,
        false => Reading::Row(readings),
    }
}

/// Reads cells below each other.
pub(super) fn upright(cells: &[String], columns: &[FileColumn]) -> Option<RowFields> {
    by_cells(cells, columns).filter(|fields| fields.doubts.is_empty() && fields.has_values())
}

/// Reads the cells of a table.
fn by_cells(cells: &[String], columns: &[FileColumn]) -> Option<RowFields> {
    let mut fields = RowFields::default();
    let mut numbers = 0;
    for (cell, column) in cells.iter().zip(columns) {
        let is_blank = cell.is_empty() || is_nothing(cell);
        match column {
            FileColumn::Name if !fields.name.is_empty() => return None,
            FileColumn::Name => fields.name = cell_name(cell)?.to_owned(),
            _ if is_blank => {}
            FileColumn::Other => {
                let is_version = words::is_version(cell) && cell.matches('.').count() > 1;
                if is_version && fields.version.is_none() {
                    fields.doubts.push(format!(
                        "`{cell}` looks like a version, but is in a column for other values"
                    ));
                }
            }
            column => {
                numbers += 1;
                let words = words::typed(std::slice::from_ref(cell));
                if !fields.take_cell(*column, cell, &words) {
                    fields.doubts.push(format!("`{cell}` is not understood"));
                }
            }
        }
    }
    if fields.version.is_some() {
        fields
            .doubts
            .retain(|doubt| !doubt.contains("looks like a version"));
    }
    (numbers > 0).then_some(fields)
}

/// Returns the name of a file in a cell of its own, which may have spaces.
fn cell_name(cell: &str) -> Option<&str> {
    let last = cell.rsplit(' ').next().and_then(words::name)?;
    Some(if cell.contains(['\\', '/']) {
        last
    } else {
        cell
    })
}

impl RowFields {
    /// Takes the words of one cell; returns whether they fit the column.
    fn take_cell(&mut self, column: FileColumn, cell: &str, words: &[TypedWord]) -> bool {
        let values = || words.iter().flat_map(|word| &word.values);
        match column {
            FileColumn::Version => {
                let version = words.first().filter(|word| words::is_version(&word.text));
                self.version = version.map(|word| word.text.clone());
                version.is_some() && words.len() == 1
            }
            FileColumn::Size => {
                let size = values().find_map(|value| match value {
                    Value::Size(size) => Some(*size),
                    _ => None,
                });
                size.is_some_and(|size| self.take_size(size, cell)) && words.len() == 1
            }
            FileColumn::Platform => {
                let known = words::platform(cell);
                self.platform = Some(known.unwrap_or(cell).to_owned());
                true
            }
            FileColumn::Hash => {
                let is_hash = cell.len() == 64 && cell.bytes().all(|byte| byte.is_ascii_hexdigit());
                self.hash = is_hash.then(|| cell.to_lowercase());
                is_hash
            }
            FileColumn::Name
            | FileColumn::Date
            | FileColumn::Time
            | FileColumn::Modified
            | FileColumn::Other => {
                let is_typed = |word: &TypedWord| !word.values.is_empty() || is_zone(&word.text);
                words.iter().all(is_typed) && self.take_moment(column, values())
            }
        }
    }

    /// Takes a time in its column, or a day that may have its time behind it.
    fn take_moment<'v>(
        &mut self,
        column: FileColumn,
        values: impl Iterator<Item = &'v Value> + Clone,
    ) -> bool {
        let day = values.clone().find_map(|value| match value {
            Value::Day(day) => Some(day.clone()),
            _ => None,
        });
        let mut values = values;
        let time = values.find_map(|value| match value {
            Value::Time(time) => Some(*time),
            _ => None,
        });
        let fits = match column {
            FileColumn::Time => time.is_some() && day.is_none(),
            _ => day.is_some(),
        };
        if fits {
            self.day = day.or(self.day.take());
            self.time = time.or(self.time);
        }
        fits
    }

    fn take_size(&mut self, size: Size, text: &str) -> bool {
        match size {
            Size::Bytes(bytes) => {
                self.size = Some(bytes);
                self.grouped = text.contains([',', '.', ' ', '\'']);
            }
            Size::Rounded => self.doubts.push("the size is rounded".to_owned()),
        }
        true
    }
}

fn is_zone(word: &str) -> bool {
    ["utc", "gmt", "z"]
        .iter()
        .any(|zone| word.eq_ignore_ascii_case(zone))
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

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::Size,
        Kind::Day,
        Kind::Time,
        Kind::Version,
        Kind::Platform,
        Kind::Hash,
    ];

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Size(_) => Some(Kind::Size),
            Value::Day(_) => Some(Kind::Day),
            Value::Time(_) => Some(Kind::Time),
            Value::Version(_) => Some(Kind::Version),
            Value::Platform(_) => Some(Kind::Platform),
            Value::Hash(_) => Some(Kind::Hash),
            Value::Name(_) | Value::Nothing => None,
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Kind::Size => "the size",
            Kind::Day => "the day",
            Kind::Time => "the time",
            Kind::Version => "the version",
            Kind::Platform => "the platform",
            Kind::Hash => "the hash",
        }
    }

    /// Returns whether the head has a column for it.
    fn is_in(self, columns: &[FileColumn]) -> bool {
        let has = |wanted: &[FileColumn]| columns.iter().any(|column| wanted.contains(column));
        match self {
            Kind::Size => has(&[FileColumn::Size]),
            Kind::Day => has(&[FileColumn::Date, FileColumn::Modified]),
            Kind::Time => has(&[FileColumn::Time, FileColumn::Modified, FileColumn::Date]),
            Kind::Version => has(&[FileColumn::Version]),
            Kind::Platform | Kind::Hash => true,
        }
    }
}

/// Reads a row by the forms of its words. Without columns, a row has a size and a day, and no word
/// that is not understood.
fn by_words(words: &[TypedWord], columns: Option<&[FileColumn]>) -> Reading {
    let listed = listed_name(words);
    let named: Vec<usize> = (0..words.len())
        .filter(|at| words[*at].name().is_some())
        .collect();
    let (name, skipped) = match (named.as_slice(), &listed) {
        ([at], _) => (words[*at].name().unwrap_or_default().to_owned(), vec![*at]),
        ([], Some(name)) => (name.clone(), vec![0, 1]),
        ([], None) => return without_name(words, columns),
        _ => return several_names(words, columns),
    };
    let mut row = WordRow {
        columns: columns.unwrap_or_default(),
        words: words
            .iter()
            .enumerate()
            .filter(|(at, _)| !skipped.contains(at))
            .map(|(_, word)| word)
            .collect(),
        fields: RowFields {
            name,
            ..RowFields::default()
        },
        taken: Vec::new(),
        given: Vec::new(),
    };
    row.assign();
    row.finish(columns.is_some())
}

/// Decides about a line with several names: it may be two columns of rows, or a sentence.
fn several_names(words: &[TypedWord], columns: Option<&[FileColumn]>) -> Reading {
    let numbers = words.iter().filter(|word| word.is_number()).count();
    match columns.is_some() && numbers > 0 && !is_sentence(words) {
        true => Reading::Open("has several file names"),
        false => Reading::NotARow,
    }
}

/// Decides about a line without a file name: several rows of a listing may be beside each other.
fn without_name(words: &[TypedWord], columns: Option<&[FileColumn]>) -> Reading {
    let has = |kind| {
        words.iter().any(|word| {
            word.values
                .iter()
                .any(|value| Kind::of(value) == Some(kind))
        })
    };
    match columns.is_some() && has(Kind::Size) && has(Kind::Day) && !is_sentence(words) {
        true => Reading::Open("has a size and a day, but no file name"),
        false => Reading::NotARow,
    }
}

/// Returns the name in a listing, which has its extension in a column of its own.
fn listed_name(words: &[TypedWord]) -> Option<String> {
    let [name, extension, rest @ ..] = words else {
        return None;
    };
    let is_part = |word: &TypedWord, most| {
        let sound = |byte: u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_~$!#-".contains(&byte)
        };
        (1..=most).contains(&word.text.len()) && word.text.bytes().all(sound)
    };
    let has = |kind| {
        rest.iter().any(|word| {
            word.values
                .iter()
                .any(|value| Kind::of(value) == Some(kind))
        })
    };
    let is_listed = is_part(name, 8) && is_part(extension, 3) && !name.is_number();
    (is_listed && has(Kind::Size) && has(Kind::Day))
        .then(|| format!("{}.{}", name.text, extension.text))
}

/// Returns whether most words are those of a sentence.
fn is_sentence(words: &[TypedWord]) -> bool {
    let is_typed = |word: &TypedWord| !word.values.is_empty();
    if words.len() > 2 && words[..2].iter().all(is_typed) {
        return false;
    }
    let others = words.iter().filter(|word| !is_typed(word)).count();
    let ends = words
        .last()
        .is_some_and(|word| word.text.ends_with(['.', ':', ',']));
    others * 2 > words.len() + usize::from(!ends) * 4
}

/// Words of a row, while they get their columns.
struct WordRow<'w> {
    columns: &'w [FileColumn],
    words: Vec<&'w TypedWord>,
    fields: RowFields,
    /// Indexes of the words that have a column.
    taken: Vec<usize>,
    /// Kinds that have their word, or several.
    given: Vec<Kind>,
}

impl WordRow<'_> {
    /// Gives each kind its word: one that can be nothing else, or the only one that is left for it.
    fn assign(&mut self) {
        for only_sure in [true, false] {
            for kind in Kind::ALL {
                self.assign_kind(kind, only_sure);
            }
        }
    }

    fn assign_kind(&mut self, kind: Kind, only_sure: bool) {
        // A day is one wherever it is.
        let is_sought =
            self.columns.is_empty() || kind.is_in(self.columns) || kind == Kind::Day && only_sure;
        if self.given.contains(&kind) || !is_sought {
            return;
        }
        let found: Vec<(usize, Value)> = self.candidates(kind, only_sure);
        if !found.is_empty() {
            self.given.push(kind);
        }
        match found.as_slice() {
            [] => {}
            [(at, value)] => {
                self.taken.push(*at);
                self.take(value.clone(), *at);
            }
            several => {
                self.taken.extend(several.iter().map(|(at, _)| *at));
                self.fields
                    .doubts
                    .push(format!("several words may be {}", kind.subject()));
            }
        }
    }

    /// Returns the free words that can be of a kind. A word is sure if no other kind that the row
    /// can still have fits it.
    fn candidates(&self, kind: Kind, only_sure: bool) -> Vec<(usize, Value)> {
        let free = (0..self.words.len()).filter(|at| !self.taken.contains(at));
        let mut found: Vec<(usize, Value)> = Vec::new();
        for at in free {
            let values = &self.words[at].values;
            let other = |value: &Value| {
                let other = Kind::of(value);
                other.is_some_and(|other| {
                    other != kind
                        && !self.given.contains(&other)
                        && (self.columns.is_empty() || other.is_in(self.columns))
                })
            };
            // A number with a dot is a time only in the column for one.
            let has_clock = [FileColumn::Time, FileColumn::Modified]
                .iter()
                .any(|column| self.columns.contains(column));
            if kind == Kind::Time && !has_clock && !self.words[at].text.contains(':') {
                continue;
            }
            if only_sure && values.iter().any(other) {
                continue;
            }
            let value = values.iter().find(|value| Kind::of(value) == Some(kind));
            found.extend(value.map(|value| (at, value.clone())));
        }
        // A number with a unit or with groups is the size, if other numbers are beside it.
        if kind == Kind::Size && found.len() > 1 {
            let is_plain = |(at, _): &&(usize, Value)| {
                self.words[*at]
                    .text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
            };
            let marked: Vec<_> = found
                .iter()
                .filter(|found| !is_plain(found))
                .cloned()
                .collect();
            let sizes = self
                .columns
                .iter()
                .filter(|column| **column == FileColumn::Size)
                .count();
            if marked.len() == 1 && sizes < 2 {
                return marked;
            }
        }
        found
    }

    fn take(&mut self, value: Value, at: usize) {
        let text = self.words[at].text.as_str();
        match value {
            Value::Size(size) => {
                self.fields.take_size(size, text);
            }
            Value::Day(day) => self.fields.day = Some(day),
            Value::Time(time) => self.fields.time = Some(time),
            Value::Version(version) => self.fields.version = Some(version),
            Value::Platform(platform) => self.fields.platform = Some(platform.to_owned()),
            Value::Hash(hash) => self.fields.hash = Some(hash),
            Value::Name(_) | Value::Nothing => {}
        }
    }

    /// Decides what the words are, and what is left of them.
    fn finish(mut self, has_head: bool) -> Reading {
        let is_left = |at: &usize| {
            !self.taken.contains(at)
                && !self.words[*at].values.contains(&Value::Nothing)
                && !is_zone(&self.words[*at].text)
        };
        let left: Vec<&TypedWord> = (0..self.words.len())
            .filter(is_left)
            .map(|at| self.words[at])
            .collect();
        let numbers = self.words.iter().filter(|word| word.is_number()).count();
        let is_row = match has_head {
            true => numbers > 0,
            false => self.fields.day.is_some() && numbers > 1,
        };
        let words: Vec<TypedWord> = self.words.iter().map(|word| (*word).clone()).collect();
        if !is_row || is_sentence(&words) {
            return Reading::NotARow;
        }
        let has_others = self.columns.contains(&FileColumn::Other);
        let unread: Vec<&TypedWord> = left
            .into_iter()
            .filter(|word| !has_others || word.is_number() && word.values.len() == 1)
            .collect();
        let is_complete = unread.is_empty() && self.fields.size.is_some();
        if !has_head && !is_complete {
            return Reading::Open(
                "looks like a row of a file table, but no line above it names the columns",
            );
        }
        if !unread.is_empty() && !has_others {
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
    let mut search = Search {
        text: &text,
        columns,
        tries: MAX_TRIES.min(*tries),
        found: Vec::new(),
    };
    let before = search.tries;
    search.go(0, 0, &RowFields::default());
    *tries -= before - search.tries;
    match search.tries {
        0 => Vec::new(),
        _ => search.found,
    }
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
        if column == FileColumn::Name {
            self.name = text.to_owned();
            return Some(());
        }
        let words = words::typed(&[text.to_owned()]);
        let fits =
            is_nothing(text) || column == FileColumn::Other || self.take_cell(column, text, &words);
        fits.then_some(())
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
        FileColumn::Hash => {
            let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
            ends.extend((digits >= 64).then_some(64));
        }
        FileColumn::Name => {}
    }
    ends
}

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

/// Extensions of files that rollups contain.
pub(super) const EXTENSIONS: [&str; 34] = [
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
