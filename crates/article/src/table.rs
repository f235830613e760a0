//! File table of the article.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{self, FileColumn};
use super::dates::Day;
use super::lines::{ArticleLine, starts_with_file};
use super::outline::OutlineEntry;
use super::rows::{self, Reading, RowFields};
use super::section::Section;
use super::{Located, OpenQuestion, lines_text};
use rollup_names::{CaseFolded, FileName};

/// Size of a sector, in bytes. Windows Installer packages are compound files of such sectors.
const SECTOR: u64 = 512;

/// Files that the article documents.
#[derive(Debug, Default)]
pub(super) struct ArticleTable {
    pub(super) rows: Vec<Located<ArticleRow>>,
    /// Names and SHA-256 that the article documents.
    pub(super) pins: Vec<Located<(String, String)>>,
    pub(super) open: Vec<OpenQuestion>,
    /// Line of its head.
    pub(super) head: Option<u32>,
    /// True if there are rows that were not read.
    pub(super) unread: bool,
}

/// File that the article documents.
#[derive(Debug, Clone)]
pub(super) struct ArticleRow {
    pub(super) name: String,
    pub(super) size: Option<u64>,
    /// Timestamp as TOML writes it; without `Z` if the article names no time zone.
    pub(super) modified: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) version: Option<String>,
    /// Reason why one of several readings is the right one.
    pub(super) settled: Option<String>,
}

/// Reads every row below the head of a table, and rows without a head that are clear.
pub(super) fn table(outline: &[OutlineEntry<'_>]) -> ArticleTable {
    let mut reader = TableReader {
        tries: rows::ALL_TRIES,
        ..TableReader::default()
    };
    let mut at = 0;
    while at < outline.len() {
        at += reader.take(&outline[at..]);
    }
    let names_zone = outline.iter().any(|entry| names_zone(&entry.line.text));
    reader.finish(names_zone)
}

/// Names of the time zone that a manifest uses.
const ZONES: [&str; 5] = [
    "utc",
    "gmt",
    "coordinated universal time",
    "greenwich",
    "koordinierte weltzeit",
];

fn names_zone(text: &str) -> bool {
    let lower = text.to_lowercase();
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    ZONES.iter().any(|zone| {
        let mut found = lower.match_indices(zone);
        found.any(|(at, _)| {
            apart(lower[..at].chars().next_back()) && apart(lower[at + zone.len()..].chars().next())
        })
    })
}

const NO_HEAD: &str = "looks like a row of a file table, but no line above it names the columns, such as `File name`, `Size`, `Date`";

const BELOW_HEADING: &str = "may be a row of the file table above, but a heading is between them";

#[derive(Default)]
struct TableReader {
    columns: Option<Vec<FileColumn>>,
    /// True if a heading is below the table.
    has_ended: bool,
    /// Rows, each with its line and all its readings.
    found: Vec<Located<Vec<RowFields>>>,
    /// What is open about lines, by the message.
    doubts: BTreeMap<String, Vec<u32>>,
    /// Attempts that are left to split rows.
    tries: usize,
    table: ArticleTable,
}

impl TableReader {
    /// Takes the lines at this position, and returns how many they were.
    fn take(&mut self, rest: &[OutlineEntry<'_>]) -> usize {
        let OutlineEntry {
            line,
            section,
            heading,
        } = rest[0];
        if let Some((columns, height)) = head(rest) {
            self.columns = Some(columns);
            self.has_ended = false;
            self.table.head.get_or_insert(line.number);
            return height;
        }
        if heading && section != Section::Files {
            self.has_ended = true;
            return 1;
        }
        match self.read(line, section) {
            Reading::Row(readings) => self.found.push(Located::new(readings, line.number)),
            Reading::Open(reason) => self.doubt(reason, line.number),
            Reading::NotARow => {
                if let Some((fields, height)) = self.upright_row(rest) {
                    self.found.push(Located::new(vec![fields], line.number));
                    return height;
                }
                let begins = starts_with_file(&line.text);
                let is_glued = begins
                    && line.text.len() <= 400
                    && line.text.bytes().filter(u8::is_ascii_digit).count() >= 8;
                match self.columns.is_some() && !self.has_ended {
                    true if is_glued => self.doubt(
                        "looks like a row of the file table, but does not fit its columns",
                        line.number,
                    ),
                    false if is_glued && section == Section::Files => {
                        self.doubt(NO_HEAD, line.number)
                    }
                    _ => {}
                }
            }
        }
        1
    }

    /// Reads a line. Below a heading, a line that would fit the columns of the table above may be
    /// one of its rows or not.
    fn read(&mut self, line: &ArticleLine, section: Section) -> Reading {
        if !self.has_ended {
            return rows::read(line, self.columns.as_deref(), &mut self.tries);
        }
        match rows::read(line, None, &mut self.tries) {
            Reading::NotARow if section != Section::Installation => {}
            reading => return reading,
        }
        match rows::read(line, self.columns.as_deref(), &mut self.tries) {
            Reading::Row(readings) if readings[0].has_values() => Reading::Open(BELOW_HEADING),
            _ => Reading::NotARow,
        }
    }

    /// Returns a row whose cells are below each other, and its height.
    fn upright_row(&self, rest: &[OutlineEntry<'_>]) -> Option<(RowFields, usize)> {
        let columns = self.columns.as_ref().filter(|_| !self.has_ended)?;
        if rest.len() < columns.len() || rest[0].line.cells.len() > 1 {
            return None;
        }
        let cells = rest[..columns.len()]
            .iter()
            .map(|entry| entry.line.text.clone());
        let fields = rows::upright(&cells.collect::<Vec<_>>(), columns)?;
        Some((fields, columns.len()))
    }

    fn doubt(&mut self, message: impl Into<String>, line: u32) {
        self.doubts.entry(message.into()).or_default().push(line);
    }

    /// Builds the rows. Rows with one reading come first: they decide between several readings of
    /// another row.
    fn finish(mut self, names_zone: bool) -> ArticleTable {
        let found = std::mem::take(&mut self.found);
        let sure = || {
            found
                .iter()
                .filter(|found| found.value.len() == 1)
                .map(|found| &found.value[0])
        };
        let settled = SettledForms {
            times: sure().map(date_and_time).collect(),
            grouped: groups_thousands(&found),
            month_first: month_first(sure()),
            names_zone,
        };
        for Located { value, line } in found {
            if let Err(fault) = FileName::parse(&value[0].name) {
                let message = format!("`{}` is not a file name: {fault}", short(&value[0].name));
                self.doubt(message, line);
                continue;
            }
            if let Some(hash) = value[0].hash.clone() {
                self.pin(value[0].name.clone(), hash, line);
            }
            if value[0].is_pin() {
                continue;
            }
            let (row, doubts) = settled.row(value);
            for doubt in doubts {
                self.doubt(doubt, line);
            }
            self.table.rows.push(Located::new(row, line));
        }
        self.report_repeated();
        self.report_doubts();
        self.table
    }

    /// Takes the hash of a file; two of one name are no pin.
    fn pin(&mut self, name: String, hash: String, line: u32) {
        let case_folded = CaseFolded::of(&name);
        let known = self
            .table
            .pins
            .iter()
            .find(|pin| CaseFolded::of(&pin.value.0) == case_folded);
        match known.map(|pin| pin.value.1 == hash) {
            Some(true) => {}
            Some(false) => self.doubt(
                format!("`{name}` has several hashes, and only the first is a pin"),
                line,
            ),
            None => self.table.pins.push(Located::new((name, hash), line)),
        }
    }

    /// Reports the names that several rows have: a manifest has one row for each.
    fn report_repeated(&mut self) {
        let mut by_name: BTreeMap<CaseFolded, Vec<u32>> = BTreeMap::new();
        for row in &self.table.rows {
            by_name
                .entry(CaseFolded::of(&row.value.name))
                .or_default()
                .push(row.line);
        }
        by_name.retain(|_, lines| lines.len() > 1);
        let lines: BTreeSet<u32> = by_name.into_values().flatten().collect();
        for line in lines {
            self.doubt(
                "several rows have one name, such as for other platforms, languages or service packs; keep the row of your servers",
                line,
            );
        }
    }

    /// Reports each doubt once, with all its lines.
    fn report_doubts(&mut self) {
        let known: BTreeSet<u32> = self
            .table
            .rows
            .iter()
            .map(|row| row.line)
            .chain(self.doubts.values().flatten().copied())
            .collect();
        let mut open: Vec<OpenQuestion> = Vec::new();
        for (message, lines) in std::mem::take(&mut self.doubts) {
            let name = match lines.as_slice() {
                [line] => self.table.rows.iter().find(|row| row.line == *line),
                _ => None,
            };
            let subject = name.map_or(String::new(), |row| format!("`{}`: ", row.value.name));
            let place = if lines.len() > 1 {
                format!(" ({})", ranges(&lines, &known))
            } else {
                String::new()
            };
            self.table.unread |= message == NO_HEAD;
            open.push(OpenQuestion {
                line: lines.first().copied(),
                message: format!("{subject}{message}{place}"),
            });
        }
        open.sort_by_key(|open| open.line);
        self.table.open.extend(open);
    }
}

/// Returns lines as ranges, such as `lines 4-9, lines 12-20`. A range reaches over lines that are
/// no rows.
fn ranges(lines: &[u32], known: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last))
                if known
                    .range(*last + 1..(*line).max(*last + 1))
                    .next()
                    .is_none() =>
            {
                *last = *line
            }
            _ => ranges.push((*line, *line)),
        }
    }
    let ranges: Vec<String> = ranges.into_iter().map(lines_text).collect();
    ranges.join(", ")
}

/// Returns the columns of a head, and its height.
fn head(rest: &[OutlineEntry<'_>]) -> Option<(Vec<FileColumn>, usize)> {
    let line = rest[0].line;
    if columns::is_head(&line.text, &line.cells) {
        return Some((columns::head(&line.text, &line.cells)?, 1));
    }
    upright_head(rest)
}

/// Returns a head whose cells are below each other, and its height.
fn upright_head(rest: &[OutlineEntry<'_>]) -> Option<(Vec<FileColumn>, usize)> {
    let titles = rest
        .iter()
        .take(10)
        .map_while(|entry| columns::title(&entry.line.text));
    let mut titles: Vec<FileColumn> = titles.collect();
    if titles.len() < 3 || !columns::is_table(&titles) {
        return None;
    }
    // A row cannot begin with a title, so all of these belong to the head.
    titles.truncate(10);
    let height = titles.len();
    Some((titles, height))
}

/// Returns whether the days of digits alone have their month first, as some row shows; nothing if
/// no row does, or if they contradict each other.
fn month_first<'r>(rows: impl Iterator<Item = &'r RowFields>) -> Option<bool> {
    let shown = rows.filter_map(|row| match row.day.as_ref()? {
        Day {
            month_first: Some(_),
            day_first: None,
        } => Some(true),
        Day {
            month_first: None,
            day_first: Some(_),
        } => Some(false),
        _ => None,
    });
    let shown: BTreeSet<bool> = shown.collect();
    shown.first().copied().filter(|_| shown.len() == 1)
}

type DateAndTime = (Option<String>, Option<(u8, u8)>);

fn date_and_time(fields: &RowFields) -> DateAndTime {
    (
        fields.day.as_ref().and_then(Day::only).cloned(),
        fields.time,
    )
}

/// Returns whether the table writes all its thousands in groups: some row has only grouped
/// readings, and none has only ungrouped ones.
fn groups_thousands(found: &[Located<Vec<RowFields>>]) -> bool {
    let large = |reading: &RowFields| reading.size.is_some_and(|size| size >= 1_000);
    let each =
        |fits: &dyn Fn(&RowFields) -> bool| found.iter().any(|row| row.value.iter().all(fits));
    each(&|reading| large(reading) && reading.grouped)
        && !each(&|reading| large(reading) && !reading.grouped)
}

/// Returns whether a package has a size that packages have.
fn has_whole_sectors(reading: &RowFields) -> bool {
    !reading.name.to_ascii_lowercase().ends_with(".msi")
        || reading.size.is_none_or(|size| size % SECTOR == 0)
}

/// Readings of one row.
struct Readings {
    left: Vec<RowFields>,
    /// Reason why the other readings were left out.
    settled: Option<String>,
}

impl Readings {
    /// Keeps the readings that fit, if some fit and some do not.
    fn narrow(&mut self, why: &str, fits: impl Fn(&RowFields) -> bool) {
        let fitting = self.left.iter().filter(|reading| fits(reading)).count();
        if (1..self.left.len()).contains(&fitting) {
            self.left.retain(|reading| fits(reading));
            self.settled = Some(why.to_owned());
        }
    }

    /// Returns what is open about a value on which the readings disagree.
    fn disagreement(
        &self,
        subject: &str,
        value: impl Fn(&RowFields) -> Option<String>,
    ) -> Option<String> {
        let values = self.left.iter().map(value);
        let candidates: BTreeSet<String> = values
            .map(|value| value.unwrap_or_else(|| "none".to_owned()))
            .collect();
        if candidates.len() < 2 {
            return None;
        }
        let candidates: Vec<String> = candidates.into_iter().take(8).collect();
        Some(format!("{subject} may be {}", candidates.join(" or ")))
    }
}

/// Forms that all rows of the article have in common.
struct SettledForms {
    times: BTreeSet<DateAndTime>,
    grouped: bool,
    month_first: Option<bool>,
    names_zone: bool,
}

impl SettledForms {
    /// Makes one row from all its readings, with what is open about it.
    fn row(&self, readings: Vec<RowFields>) -> (ArticleRow, Vec<String>) {
        let readings = self.narrowed(readings);
        let mut fields = readings.left[0].clone();
        let mut doubts = std::mem::take(&mut fields.doubts);
        if readings.left.len() == 1 && !has_whole_sectors(&fields) {
            doubts.push(
                "the size is not in whole sectors of 512 bytes, but that of every package is"
                    .to_owned(),
            );
        }
        let mut disagree = |subject: &str, value: &dyn Fn(&RowFields) -> Option<String>| {
            let open = readings.disagreement(subject, value);
            let is_open = open.is_some();
            doubts.extend(open);
            is_open
        };
        if disagree("the size", &|reading| {
            reading.size.map(|size| size.to_string())
        }) {
            fields.size = None;
        }
        if disagree("the version", &|reading| reading.version.clone()) {
            fields.version = None;
        }
        if disagree("the day", &|reading| {
            reading.day.as_ref().and_then(Day::only).cloned()
        }) {
            fields.day = None;
        }
        disagree("the name", &|reading| Some(reading.name.clone()));
        let row = ArticleRow {
            modified: self.modified(&fields, &mut doubts),
            name: fields.name,
            size: fields.size,
            platform: fields.platform,
            version: fields.version,
            settled: readings.settled,
        };
        (row, doubts)
    }

    /// Leaves out readings that do not fit the other rows.
    fn narrowed(&self, readings: Vec<RowFields>) -> Readings {
        let mut readings = Readings {
            left: readings,
            settled: None,
        };
        readings.narrow(
            "only one reading of this row gives the package a size in whole sectors of 512 bytes",
            has_whole_sectors,
        );
        if self.grouped {
            readings.narrow(
                "only one reading of this row groups its thousands as other rows do",
                |reading| reading.grouped || reading.size.is_none_or(|size| size < 1_000),
            );
        }
        readings.narrow(
            "only one reading of this row has a time that other rows have, too",
            |reading| self.times.contains(&date_and_time(reading)),
        );
        if readings.left.len() > 1 {
            readings.settled = None;
        }
        readings
    }

    /// Returns the time of a row as TOML writes it, and adds what is open about it.
    fn modified(&self, fields: &RowFields, doubts: &mut Vec<String>) -> Option<String> {
        let day = fields.day.as_ref()?;
        let chosen = match self.month_first {
            _ if day.only().is_some() => day.only(),
            Some(true) => day.month_first.as_ref(),
            Some(false) => day.day_first.as_ref(),
            None => None,
        };
        let Some(day) = chosen else {
            doubts.push("no row shows if the month or the day comes first in the dates, so `modified` is left out".to_owned());
            return None;
        };
        let zone = if self.names_zone { "Z" } else { "" };
        let Some((hour, minute)) = fields.time else {
            doubts.push(
                "the article does not document the time; complete `modified`, or remove it"
                    .to_owned(),
            );
            return Some(day.clone());
        };
        if !self.names_zone {
            doubts.push("the article does not name the zone of the times; convert `modified` to UTC with a `Z` at its end, or remove it".to_owned());
        }
        Some(format!("{day}T{hour:02}:{minute:02}:00{zone}"))
    }
}

/// Returns a line, shortened for a message.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::lines;
    use crate::outline::outline;

    fn read(text: &str) -> ArticleTable {
        table(&outline(&lines(text)))
    }

    /// Reads a table whose text names the zone of its times.
    fn read_utc(text: &str) -> ArticleTable {
        read(&format!("All times are UTC.\n\n{text}"))
    }

    fn messages(table: &ArticleTable) -> Vec<&str> {
        table
            .open
            .iter()
            .map(|open| open.message.as_str())
            .collect()
    }

    #[test]
    fn an_ambiguous_size_is_settled_by_the_sector_size_or_left_open() {
        let table = read_utc(
            "File nameFile sizeDateTime\na.msi37273631-Mar-200818:32\nb.dll1231-Mar-200818:32\nc.dll1,02431-Mar-200818:32\n",
        );
        let sizes: Vec<_> = table
            .rows
            .iter()
            .map(|row| (row.value.size, row.value.settled.is_some()))
            .collect();
        assert_eq!(
            sizes,
            [
                (Some(372_736), true),
                (Some(12), true),
                (Some(1_024), false)
            ]
        );
        let table = read("File nameFile size Date\nb.dll1231-Mar-2008\n");
        assert_eq!(table.rows[0].value.size, None);
        assert!(
            messages(&table)
                .iter()
                .any(|message| message.contains("12 or 123")),
            "{table:?}"
        );
    }

    #[test]
    fn a_table_that_groups_thousands_does_so_in_every_row() {
        let table = read_utc(
            "File nameFile sizeDateTime\na.cmd61211-Jun-200908:00\nb.xml18,73317-Jun-200910:31\n",
        );
        let row = &table.rows[0].value;
        let found = (row.size, row.modified.as_deref());
        assert_eq!(found, (Some(612), Some("2009-06-11T08:00:00Z")), "{row:?}");
        let table = read(
            "File nameFile sizeDateTime\na.cmd61211-Jun-200908:00\nb.xml1873327-Jun-200910:31\n",
        );
        assert_eq!(table.rows[0].value.size, None);
    }

    #[test]
    fn an_impossible_package_size_is_kept_and_reported() {
        let table = read_utc("File name\tSize\tDate\tTime\na.msi\t402,433\t2010-09-14\t07:45\n");
        assert_eq!(table.rows[0].value.size, Some(402_433));
        assert!(messages(&table)[0].contains("sectors"), "{table:?}");
    }

    #[test]
    fn tables_are_read_in_any_layout() {
        for text in [
            "Size\tOwner\tFile name\tDate\tTime\n1,024\tme\ta.msi\t2008-03-31\t18:32\n",
            "File name   Size    Date         Time\na.msi       1 024   31-Mar-2008  18:32\n",
            "File name\nSize\nDate\nTime\na.msi\n1.024\n31-Mar-2008\n18:32\n",
            "Date Time Version Size File name\n--------\n03/31/08 06:32p          1,024 a.msi\n",
            "+----------+-------+\n| File | Size | Date/Time |\n+----+-----+\n| a.msi | 1024 bytes | 31 March 2008 6:32 PM |\n",
            "| File name | Size | Modified |\n|:---|---:|---|\n| a.msi | 1'024 | 2008-03-31 18:32 |\n",
            "Name;Size;Date;Time\n\"a.msi\";1024;31.03.2008;18:32\n",
            "Dateiname  Dateigröße  Datum  Uhrzeit  Plattform\na.msi  1.024  31.03.2008  18:32  Nicht zutreffend\n",
            "In no table: nothing.\n\n  31-Mar-2008  18:32  1,024  a.msi\n",
        ] {
            let table = read_utc(text);
            let row = table
                .rows
                .first()
                .unwrap_or_else(|| panic!("no row in {text}: {table:?}"));
            let row = (
                row.value.name.as_str(),
                row.value.size,
                row.value.modified.as_deref(),
            );
            assert_eq!(
                row,
                ("a.msi", Some(1024), Some("2008-03-31T18:32:00Z")),
                "{text}"
            );
            assert!(table.open.is_empty(), "{text}: {table:?}");
        }
    }

    #[test]
    fn blank_cells_and_several_rows_of_one_name_are_kept() {
        let table = read(
            "Date      Time   Version   Size    File name  Platform\n\
             ---------------------------------------------------\n\
             11/16/99  11:03p 2.0.13.77 233,312 Wheel.dll  I386\n\
             02/04/00  5:19PM           367,800 Oil.exe    Intel\n\
             \nGerman version:\n\
             11/17/99  11:03p 2.0.13.77 233,313 Wheel.dll  (Alpha)\n\
             02/04/00  5:19PM                67 Oil.ini\n",
        );
        let rows: Vec<_> = table
            .rows
            .iter()
            .map(|row| {
                let row = &row.value;
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                format!(
                    "{} {:?} {} {} {}",
                    row.name,
                    row.size,
                    text(&row.modified),
                    text(&row.version),
                    text(&row.platform)
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                "Wheel.dll Some(233312) 1999-11-16T23:03:00 2.0.13.77 x86",
                "Oil.exe Some(367800) 2000-02-04T17:19:00  x86",
                "Wheel.dll Some(233313) 1999-11-17T23:03:00 2.0.13.77 alpha",
                "Oil.ini Some(67) 2000-02-04T17:19:00  ",
            ]
        );
        let messages = messages(&table);
        assert!(
            messages[0].starts_with("several rows have one name")
                && messages[0].ends_with("(line 3, line 7)"),
            "{messages:?}"
        );
        assert!(
            messages[1].contains("zone of the times") && messages[1].ends_with("(lines 3-8)"),
            "{messages:?}"
        );
    }

    #[test]
    fn a_day_of_digits_is_open_unless_a_row_shows_its_order() {
        let table = read_utc("File name  Size  Date  Time\na.dll  1,024  03/04/2008  18:32\n");
        assert_eq!(table.rows[0].value.modified, None);
        assert!(
            messages(&table)[0].contains("the month or the day comes first"),
            "{table:?}"
        );
        let table = read_utc(
            "File name  Size  Date  Time\na.dll  1,024  03/04/2008  18:32\nb.dll  1  13/04/2008  18:32\n",
        );
        assert_eq!(
            table.rows[0].value.modified.as_deref(),
            Some("2008-04-03T18:32:00Z")
        );
    }

    #[test]
    fn rounded_sizes_and_words_without_a_column_are_open() {
        let table = read_utc(
            "Date  Time  Size  File name\n2008-03-31  18:32  12 KB  a.dll\n2008-03-31  18:32  12  b.dll  Polish\n",
        );
        assert_eq!(table.rows[0].value.size, None);
        assert_eq!(
            messages(&table),
            [
                "`a.dll`: the size is rounded",
                "`b.dll`: a word fits no column of the head"
            ]
        );
    }

    #[test]
    fn documented_hashes_are_pins() {
        let (one, two) = ("0a".repeat(32), "1B".repeat(32));
        let text = format!(
            "File name\tSize\tSHA256 hash\na.dll\t12\t{one}\n\nFile hash information\n\nFile name  SHA1  SHA256\n\
             a.dll  {}  {one}\nb.dll  {}  {two}\n",
            "2c".repeat(20),
            "3d".repeat(20)
        );
        let table = read(&text);
        let pins: Vec<_> = table
            .pins
            .iter()
            .map(|pin| (pin.value.0.as_str(), pin.value.1.clone()))
            .collect();
        assert_eq!(pins, [("a.dll", one), ("b.dll", two.to_lowercase())]);
        assert_eq!((table.rows.len(), table.open.len()), (1, 0), "{table:?}");
    }

    #[test]
    fn rows_without_a_head_are_one_question() {
        let table = read(
            "A rollup\n\nFile information\n\na.msi51231-Mar-200818:32\nb.dll1,02431-Mar-200818:32\n",
        );
        assert!(table.rows.is_empty() && table.unread, "{table:?}");
        assert_eq!(table.open.len(), 1, "{table:?}");
        assert!(table.open[0].message.contains("lines 5-6"), "{table:?}");
    }

    #[test]
    fn a_version_in_another_column_is_reported() {
        let table =
            read("File name\tFile version\tSP requirement\tSize\na.msi\tNone\t5.2.2198.17\t512\n");
        assert_eq!(table.rows[0].value.version, None);
        assert!(
            messages(&table)[0].contains("`5.2.2198.17` looks like a version"),
            "{table:?}"
        );
    }

    #[test]
    fn a_row_below_a_heading_is_open_if_only_the_head_makes_it_one() {
        let table = read(
            "File name  Size\n--------\na.dll      12\n\nSTATUS\n======\n\nb.dll      1,024\nIt is fixed in b.dll.\n",
        );
        let lines: Vec<_> = table.open.iter().map(|open| open.line).collect();
        assert_eq!(
            (table.rows.len(), lines.as_slice()),
            (1, &[Some(8)][..]),
            "{table:#?}"
        );
    }

    #[test]
    fn sentences_below_a_table_are_no_rows() {
        let table = read_utc(
            "Date  Time  Size  File name\n2008-03-31  18:32  12  a.dll\n\nThe b.dll file of 31 March 2008 is not a part of it.\n",
        );
        assert_eq!((table.rows.len(), table.open.len()), (1, 0), "{table:?}");
    }

    #[test]
    fn no_row_is_dropped_silently() {
        let table =
            read("File name\tSize\tDate\na.msi\t512\nb.msi b.dll\t1,024\t31-Mar-2008\tx\ty\n");
        let lines: Vec<_> = table.open.iter().map(|open| open.line).collect();
        assert_eq!(
            (table.rows.len(), lines.as_slice()),
            (1, &[Some(3)][..]),
            "{table:#?}"
        );
    }
}
