//! File table of the article.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{self, FileColumn};
use super::dates::Day;
use super::lines::{ArticleLine, starts_with_file};
use super::outline::OutlineEntry;
use super::rows::{self, Reading, RowFields};
use super::section::Section;
use super::text::{LazyPattern, pattern};
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

/// Names of the time zone that a manifest uses.
static ZONE: LazyPattern = LazyPattern::new(|| {
    pattern(r"(?i)\b(?:utc|gmt|coordinated universal time|greenwich|koordinierte weltzeit)\b")
});

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
    let names_zone = outline.iter().any(|entry| ZONE.is_match(&entry.line.text));
    reader.finish(names_zone)
}

const NO_HEAD: &str = "looks like a row of a file table, but no line above it names the columns, such as `File name`, `Size`, `Date`";

const BELOW_HEADING: &str = "may be a row of the file table above, but a heading is between them";

const NO_FIT: &str = "looks like a row of the file table, but does not fit its columns";

const REPEATED: &str = "several rows have one name, such as for other platforms, languages or service packs; keep the row of your servers";

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
        let is_glued = starts_with_file(&line.text)
            && line.text.len() <= 400
            && line.text.bytes().filter(u8::is_ascii_digit).count() >= 8;
        match self.read(line, section) {
            Reading::Row(readings) => self.found.push(Located::new(readings, line.number)),
            Reading::Open(reason) => self.doubt(reason, line.number),
            Reading::NotARow => {
                let is_below = self.columns.is_some() && !self.has_ended;
                if let Some((fields, height)) = self.upright_row(rest).filter(|_| is_below) {
                    self.found.push(Located::new(vec![fields], line.number));
                    return height;
                } else if is_glued && is_below {
                    self.doubt(NO_FIT, line.number);
                } else if is_glued && section == Section::Files {
                    self.doubt(NO_HEAD, line.number);
                }
            }
        }
        1
    }

    /// Reads a line. Below a heading, a line that would fit the columns of the table above may be
    /// one of its rows or not.
    fn read(&mut self, line: &ArticleLine, section: Section) -> Reading {
        let columns = self.columns.as_deref();
        if !self.has_ended {
            return rows::read(line, columns, &mut self.tries);
        }
        match rows::read(line, None, &mut self.tries) {
            Reading::NotARow if section != Section::Installation => {}
            reading => return reading,
        }
        match rows::read(line, columns, &mut self.tries) {
            Reading::Row(readings) if readings[0].has_values() => Reading::Open(BELOW_HEADING),
            _ => Reading::NotARow,
        }
    }

    /// Returns a row whose cells are below each other, and its height.
    fn upright_row(&self, rest: &[OutlineEntry<'_>]) -> Option<(RowFields, usize)> {
        let columns = self.columns.as_ref()?;
        let cells: Vec<String> = rest
            .get(..columns.len())
            .filter(|rest| rest[0].line.cells.len() < 2)?
            .iter()
            .map(|entry| entry.line.text.clone())
            .collect();
        Some((rows::upright(&cells, columns)?, columns.len()))
    }

    fn doubt(&mut self, message: impl Into<String>, line: u32) {
        self.doubts.entry(message.into()).or_default().push(line);
    }

    /// Builds the rows. Rows with one reading come first: they decide between several readings of
    /// another row.
    fn finish(mut self, names_zone: bool) -> ArticleTable {
        let found = std::mem::take(&mut self.found);
        let sure: Vec<&RowFields> = found
            .iter()
            .filter(|found| found.value.len() == 1)
            .map(|found| &found.value[0])
            .collect();
        let settled = SettledForms {
            times: sure.iter().map(|row| date_and_time(row)).collect(),
            grouped: groups_thousands(&found),
            month_first: month_first(&sure),
            names_zone,
        };
        let mut lines_of: BTreeMap<CaseFolded, Vec<u32>> = BTreeMap::new();
        for Located { value, line } in found {
            let name = value[0].name.clone();
            if let Err(fault) = FileName::parse(&name) {
                let message = format!("`{}` is not a file name: {fault}", short(&name));
                self.doubt(message, line);
                continue;
            }
            if let Some(hash) = value[0].hash.clone() {
                self.pin(name.clone(), hash, line);
            }
            if value[0].is_pin() {
                continue;
            }
            let (row, doubts) = settled.row(value);
            for doubt in doubts {
                self.doubt(doubt, line);
            }
            let name = CaseFolded::of(&row.name);
            lines_of.entry(name).or_default().push(line);
            self.table.rows.push(Located::new(row, line));
        }
        // A manifest has one row for each name.
        lines_of.retain(|_, lines| lines.len() > 1);
        let repeated: BTreeSet<u32> = lines_of.into_values().flatten().collect();
        for line in repeated {
            self.doubt(REPEATED, line);
        }
        self.report_doubts();
        self.table
    }

    /// Takes the hash of a file; two of one name are no pin.
    fn pin(&mut self, name: String, hash: String, line: u32) {
        let case_folded = CaseFolded::of(&name);
        let mut pins = self.table.pins.iter();
        match pins.find(|pin| CaseFolded::of(&pin.value.0) == case_folded) {
            Some(known) if known.value.1 == hash => {}
            Some(_) => self.doubt(
                format!("`{name}` has several hashes, and only the first is a pin"),
                line,
            ),
            None => self.table.pins.push(Located::new((name, hash), line)),
        }
    }

    /// Reports each doubt once, with all its lines.
    fn report_doubts(&mut self) {
        let rows = &self.table.rows;
        let mut known: BTreeSet<u32> = rows.iter().map(|row| row.line).collect();
        known.extend(self.doubts.values().flatten());
        let mut open: Vec<OpenQuestion> = Vec::new();
        for (message, lines) in &self.doubts {
            let of_one = rows.iter().find(|row| lines[..] == [row.line]);
            let message = match of_one {
                Some(row) => format!("`{}`: {message}", row.value.name),
                None if lines.len() == 1 => message.clone(),
                None => format!("{message} ({})", ranges(lines, &known)),
            };
            open.push(OpenQuestion {
                line: lines.first().copied(),
                message,
            });
        }
        open.sort_by_key(|open| open.line);
        self.table.unread = self.doubts.contains_key(NO_HEAD);
        self.table.open = open;
    }
}

/// Returns lines as ranges, such as `lines 4-9, lines 12-20`. A range reaches over lines that are
/// no rows.
fn ranges(lines: &[u32], known: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        let between = |last: u32| known.range(last + 1..(*line).max(last + 1));
        match ranges.last_mut() {
            Some((_, last)) if between(*last).next().is_none() => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let ranges: Vec<String> = ranges.into_iter().map(lines_text).collect();
    ranges.join(", ")
}

/// Returns the columns of a head, and its height. Its cells may be below each other; a row cannot
/// begin with a title, so all titles belong to the head.
fn head(rest: &[OutlineEntry<'_>]) -> Option<(Vec<FileColumn>, usize)> {
    let line = rest[0].line;
    if let Some(columns) = columns::head(&line.text, &line.cells) {
        return Some((columns, 1));
    }
    let titles = rest.iter().take(10);
    let titles: Vec<FileColumn> = titles
        .map_while(|entry| columns::title(&entry.line.text))
        .collect();
    let height = titles.len();
    (height > 2 && columns::is_table(&titles)).then_some((titles, height))
}

/// Returns whether the days of digits alone have their month first, as some row shows; nothing if
/// no row does, or if they contradict each other.
fn month_first(rows: &[&RowFields]) -> Option<bool> {
    let days = rows.iter().filter_map(|row| row.day.as_ref());
    let orders = days.map(|day| (day.month_first.is_some(), day.day_first.is_some()));
    let orders: BTreeSet<(bool, bool)> = orders.collect();
    match (
        orders.contains(&(true, false)),
        orders.contains(&(false, true)),
    ) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

type DateAndTime = (Option<String>, Option<(u8, u8)>);

fn date_and_time(fields: &RowFields) -> DateAndTime {
    (only_day(fields), fields.time)
}

fn only_day(fields: &RowFields) -> Option<String> {
    fields.day.as_ref().and_then(Day::only).cloned()
}

/// Returns whether the table writes all its thousands in groups: some row has only grouped
/// readings, and none has only ungrouped ones.
fn groups_thousands(found: &[Located<Vec<RowFields>>]) -> bool {
    let has_row = |grouped: bool| {
        let is_large = |reading: &RowFields| reading.size.is_some_and(|size| size >= 1_000);
        let mut rows = found.iter().map(|row| row.value.iter());
        rows.any(|mut row| row.all(|reading| is_large(reading) && reading.grouped == grouped))
    };
    has_row(true) && !has_row(false)
}

/// Returns whether a package has a size that packages have.
fn has_whole_sectors(reading: &RowFields) -> bool {
    !reading.name.to_ascii_lowercase().ends_with(".msi")
        || reading.size.is_none_or(|size| size % SECTOR == 0)
}

/// Forms that all rows of the article have in common.
struct SettledForms {
    times: BTreeSet<DateAndTime>,
    grouped: bool,
    month_first: Option<bool>,
    names_zone: bool,
}

/// Value on which readings may disagree: its subject, its text, and how it is left out.
type Disputed = (
    &'static str,
    fn(&RowFields) -> Option<String>,
    fn(&mut RowFields),
);

const DISPUTED: [Disputed; 4] = [
    (
        "the size",
        |row| row.size.map(|size| size.to_string()),
        |row| row.size = None,
    ),
    (
        "the version",
        |row| row.version.clone(),
        |row| row.version = None,
    ),
    ("the day", only_day, |row| row.day = None),
    ("the name", |row| Some(row.name.clone()), |_| {}),
];

impl SettledForms {
    /// Makes one row from all its readings, with what is open about it.
    fn row(&self, mut readings: Vec<RowFields>) -> (ArticleRow, Vec<String>) {
        let settled = self.narrow(&mut readings).filter(|_| readings.len() == 1);
        let mut fields = readings[0].clone();
        let mut doubts = std::mem::take(&mut fields.doubts);
        if readings.len() == 1 && !has_whole_sectors(&fields) {
            doubts.push(
                "the size is not in whole sectors of 512 bytes, but that of every package is"
                    .to_owned(),
            );
        }
        for (subject, value, leave_out) in DISPUTED {
            let values = readings.iter().map(value);
            let values = values.map(|value| value.unwrap_or_else(|| "none".to_owned()));
            let values: BTreeSet<String> = values.collect();
            if values.len() > 1 {
                let values: Vec<String> = values.into_iter().take(8).collect();
                doubts.push(format!("{subject} may be {}", values.join(" or ")));
                leave_out(&mut fields);
            }
        }
        let row = ArticleRow {
            modified: self.modified(&fields, &mut doubts),
            name: fields.name,
            size: fields.size,
            platform: fields.platform,
            version: fields.version,
            settled: settled.map(str::to_owned),
        };
        (row, doubts)
    }

    /// Leaves out readings that do not fit the other rows, if some fit and some do not. Returns the
    /// last reason.
    fn narrow(&self, readings: &mut Vec<RowFields>) -> Option<&'static str> {
        let mut settled = None;
        let mut keep = |why, fits: &dyn Fn(&RowFields) -> bool| {
            let fitting = readings.iter().filter(|reading| fits(reading)).count();
            if (1..readings.len()).contains(&fitting) {
                readings.retain(|reading| fits(reading));
                settled = Some(why);
            }
        };
        keep(
            "only one reading of this row gives the package a size in whole sectors of 512 bytes",
            &has_whole_sectors,
        );
        keep(
            "only one reading of this row groups its thousands as other rows do",
            &|row| !self.grouped || row.grouped || row.size.is_none_or(|size| size < 1_000),
        );
        keep(
            "only one reading of this row has a time that other rows have, too",
            &|row| self.times.contains(&date_and_time(row)),
        );
        settled
    }

    /// Returns the time of a row as TOML writes it, and adds what is open about it.
    fn modified(&self, fields: &RowFields, doubts: &mut Vec<String>) -> Option<String> {
        let day = fields.day.as_ref()?;
        let day = match self.month_first {
            _ if day.only().is_some() => day.only(),
            Some(true) => day.month_first.as_ref(),
            Some(false) => day.day_first.as_ref(),
            None => None,
        };
        let (doubt, modified) = match (day, fields.time, self.names_zone) {
            (None, _, _) => (
                "no row shows if the month or the day comes first in the dates, so `modified` is left out",
                None,
            ),
            (Some(day), None, _) => (
                "the article does not document the time; complete `modified`, or remove it",
                Some(day.clone()),
            ),
            (Some(day), Some((hour, minute)), true) => {
                return Some(format!("{day}T{hour:02}:{minute:02}:00Z"));
            }
            (Some(day), Some((hour, minute)), false) => (
                "the article does not name the zone of the times; convert `modified` to UTC with a `Z` at its end, or remove it",
                Some(format!("{day}T{hour:02}:{minute:02}:00")),
            ),
        };
        doubts.push(doubt.to_owned());
        modified
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
