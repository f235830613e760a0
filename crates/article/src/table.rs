//! File table of the article.

use std::collections::BTreeSet;

use super::columns::{self, FileColumn};
use super::lines::{ArticleLine, starts_with_file};
use super::outline::OutlineEntry;
use super::rows::{self, RowFields};
use super::section::Section;
use super::{Located, OpenQuestion};
use rollup_names::{CaseFolded, FileName};

/// Size of a sector, in bytes. Windows Installer packages are compound files of such sectors.
const SECTOR: u64 = 512;

/// Largest number of lines below the head of a table that are not rows; then the table has ended.
const MAX_MISSES: usize = 2_000;

/// Files that the article documents.
#[derive(Debug, Default)]
pub(super) struct ArticleTable {
    pub(super) rows: Vec<Located<ArticleRow>>,
    pub(super) open: Vec<OpenQuestion>,
    /// Line of its head.
    pub(super) head: Option<u32>,
    /// True if there are rows, but no head that names their columns.
    pub(super) headless: bool,
}

/// File that the article documents.
#[derive(Debug, Clone)]
pub(super) struct ArticleRow {
    pub(super) name: String,
    pub(super) size: Option<u64>,
    /// Timestamp as TOML writes it.
    pub(super) modified: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) version: Option<String>,
    /// Values that could not be determined.
    pub(super) todo: Option<String>,
    /// Reason why one of several readings is the right one.
    pub(super) settled: Option<String>,
}

/// Reads every row below the head of a table.
pub(super) fn table(outline: &[OutlineEntry<'_>]) -> ArticleTable {
    let mut reader = TableReader::default();
    let mut at = 0;
    while at < outline.len() {
        at += reader.take(&outline[at..]);
    }
    reader.finish()
}

#[derive(Default)]
struct TableReader {
    columns: Option<Vec<FileColumn>>,
    /// Rows, each with its line and all its readings.
    found: Vec<Located<Vec<RowFields>>>,
    /// Number of lines that did not fit the columns.
    misses: usize,
    /// Lines of rows without a head above them.
    headless: Vec<u32>,
    table: ArticleTable,
}

impl TableReader {
    /// Takes the lines at this position, and returns how many they were.
    fn take(&mut self, rest: &[OutlineEntry<'_>]) -> usize {
        let OutlineEntry { line, section, .. } = rest[0];
        if let Some(columns) = columns::is_head(&line.text, &line.cells)
            .then(|| columns::head(&line.text, &line.cells))
        {
            self.begin(columns, line.number);
            return 1;
        }
        if let Some((columns, height)) = upright_head(rest) {
            self.begin(Some(columns), line.number);
            return height;
        }
        let Some(columns) = self.columns.clone() else {
            if section == Section::Files && (looks_like_row(line) || is_glued(line))
                || is_dated_row(line)
            {
                self.headless.push(line.number);
            }
            return 1;
        };
        let readings = rows::readings(&line.text, &line.cells, &columns);
        if !readings.is_empty() {
            self.found.push(Located::new(readings, line.number));
            return 1;
        }
        if let Some((readings, height)) = upright_row(rest, &columns) {
            self.found.push(Located::new(readings, line.number));
            return height;
        }
        self.misses += 1;
        if self.misses == MAX_MISSES {
            self.report_line(
                line,
                "is the last line that was read as a row: too many lines do not fit the columns",
            );
            self.columns = None;
        }
        match looks_like_row(line) {
            true => self.report_line(
                line,
                "looks like a row of the file table, but does not fit its columns",
            ),
            // The table ends with its section.
            false if section != Section::Files => self.columns = None,
            false => {}
        }
        1
    }

    fn begin(&mut self, columns: Option<Vec<FileColumn>>, line: u32) {
        self.columns = columns;
        self.table.head.get_or_insert(line);
    }

    fn report_line(&mut self, line: &ArticleLine, predicate: &str) {
        let message = format!("`{}` {predicate}", short(&line.text));
        self.table.open.push(OpenQuestion {
            line: Some(line.number),
            message,
        });
    }

    /// Reports rows without a head: one line is missing, so one question covers all rows below it.
    fn report_headless(&mut self) {
        let (Some(first), Some(last)) = (self.headless.first(), self.headless.last()) else {
            return;
        };
        let message = format!(
            "the file table has no line that names its columns, so its rows were not read (lines {first}-{last}): add \
             one above them, such as `File name`, `Size`, `Date`"
        );
        self.table.open.push(OpenQuestion {
            line: Some(*first),
            message,
        });
        self.table.headless = true;
    }

    /// Builds the rows. Rows with one reading come first: they decide between several readings of
    /// another row.
    fn finish(mut self) -> ArticleTable {
        self.report_headless();
        let sure = self.found.iter().filter(|found| found.value.len() == 1);
        let known_times: BTreeSet<_> = sure.map(|found| date_and_time(&found.value[0])).collect();
        let grouped = groups_thousands(&self.found);
        let mut seen = BTreeSet::new();
        for Located {
            value: readings,
            line,
        } in std::mem::take(&mut self.found)
        {
            let row = row(readings, &known_times, grouped);
            if let Err(fault) = FileName::parse(&row.name) {
                let message = format!("`{}` is not a file name: {fault}", short(&row.name));
                self.table.open.push(OpenQuestion {
                    line: Some(line),
                    message,
                });
                continue;
            }
            if !seen.insert(CaseFolded::of(&row.name)) {
                let message = format!(
                    "the file table lists `{}` twice; only its first row was used",
                    row.name
                );
                self.table.open.push(OpenQuestion {
                    line: Some(line),
                    message,
                });
                continue;
            }
            self.table.rows.push(Located::new(row, line));
        }
        self.table
    }
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

/// Returns a row whose cells are below each other, and its height.
fn upright_row(
    rest: &[OutlineEntry<'_>],
    columns: &[FileColumn],
) -> Option<(Vec<RowFields>, usize)> {
    if rest.len() < columns.len() || rest[0].line.cells.len() > 1 {
        return None;
    }
    let cells: Vec<String> = rest[..columns.len()]
        .iter()
        .map(|entry| entry.line.text.clone())
        .collect();
    let readings = rows::readings("", &cells, columns);
    let sound = readings.first().is_some_and(|fields| {
        fields.doubt.is_none() && (fields.size.is_some() || fields.date.is_some())
    });
    sound.then_some((readings, columns.len()))
}

fn looks_like_row(line: &ArticleLine) -> bool {
    starts_with_file(&line.text)
        && line.text.len() <= 400
        && super::dates::day_in(&line.text).is_some()
        || starts_with_file(&line.text) && line.cells.len() >= 3
}

/// Returns whether a line is certainly a row, also below a heading in another language.
fn is_dated_row(line: &ArticleLine) -> bool {
    line.cells.len() >= 4 && looks_like_row(line) && super::dates::day_in(&line.text).is_some()
}

/// Returns whether a line begins with a file name and has the digits of a size and a day, with or
/// without separators.
fn is_glued(line: &ArticleLine) -> bool {
    starts_with_file(&line.text)
        && line.text.len() <= 400
        && line.text.bytes().filter(u8::is_ascii_digit).count() >= 8
}

type DateAndTime = (Option<String>, Option<(u8, u8)>);

fn date_and_time(fields: &RowFields) -> DateAndTime {
    (fields.date.clone(), fields.time)
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

/// Makes one row from all its readings.
fn row(readings: Vec<RowFields>, known_times: &BTreeSet<DateAndTime>, grouped: bool) -> ArticleRow {
    let mut readings = Readings {
        left: readings,
        settled: None,
    };
    readings.narrow(
        "only one reading of this row gives the package a size in whole sectors of 512 bytes",
        has_whole_sectors,
    );
    if grouped {
        readings.narrow(
            "only one reading of this row groups its thousands as other rows do",
            |reading| reading.grouped || reading.size.is_none_or(|size| size < 1_000),
        );
    }
    readings.narrow(
        "only one reading of this row has a time that other rows have, too",
        |reading| known_times.contains(&date_and_time(reading)),
    );
    if readings.left.len() > 1 {
        readings.settled = None;
    }
    let mut fields = readings.left[0].clone();
    let mut todo: Vec<String> = fields.doubt.take().into_iter().collect();
    if readings.left.len() == 1 && !has_whole_sectors(&fields) {
        let odd = "the size is not in whole sectors of 512 bytes, but that of every package is";
        todo.push(odd.to_owned());
    }
    let size = |reading: &RowFields| reading.size.map(|size| size.to_string());
    if let Some(open) = readings.disagreement("the size", size) {
        fields.size = None;
        todo.push(open);
    }
    if let Some(open) = readings.disagreement("the version", |reading| reading.version.clone()) {
        fields.version = None;
        todo.push(open);
    }
    if let Some(open) = readings.disagreement("the day", |reading| reading.date.clone()) {
        fields.date = None;
        todo.push(open);
    }
    todo.extend(readings.disagreement("the name", |reading| Some(reading.name.clone())));
    let modified = match (&fields.date, fields.time) {
        (Some(day), Some((hour, minute))) => Some(format!("{day}T{hour:02}:{minute:02}:00Z")),
        (Some(day), None) => {
            todo.push(format!("the article does not document the time of {day}"));
            None
        }
        _ => None,
    };
    ArticleRow {
        name: fields.name,
        size: fields.size,
        modified,
        platform: fields.platform,
        version: fields.version,
        todo: (!todo.is_empty()).then(|| todo.join("; ")),
        settled: readings.settled,
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

    #[test]
    fn an_ambiguous_size_is_settled_by_the_sector_size_or_left_open() {
        let table = read(
            "File nameFile sizeDateTime\na.msi37273631-Mar-200818:32\nb.dll1231-Mar-200818:32\nc.dll1,02431-Mar-200818:32\n",
        );
        assert_eq!(table.rows[0].value.size, Some(372_736));
        assert!(table.rows[0].value.settled.is_some());
        assert_eq!(
            (
                table.rows[1].value.size,
                table.rows[1].value.settled.is_some()
            ),
            (Some(12), true)
        );
        let table = read("File nameFile size Date\nb.dll1231-Mar-2008\n");
        assert_eq!(table.rows[0].value.size, None);
        assert!(
            table.rows[0]
                .value
                .todo
                .as_deref()
                .is_some_and(|todo| todo.contains("12 or 123")),
            "{table:?}"
        );
    }

    #[test]
    fn a_table_that_groups_thousands_does_so_in_every_row() {
        let table = read(
            "File nameFile sizeDateTime\na.cmd61211-Jun-200908:00\nb.xml18,73317-Jun-200910:31\n",
        );
        let row = &table.rows[0].value;
        assert_eq!(
            (row.size, row.modified.as_deref()),
            (Some(612), Some("2009-06-11T08:00:00Z")),
            "{row:?}"
        );
        let table = read(
            "File nameFile sizeDateTime\na.cmd61211-Jun-200908:00\nb.xml1873327-Jun-200910:31\n",
        );
        assert_eq!(table.rows[0].value.size, None);
    }

    #[test]
    fn an_impossible_package_size_is_kept_and_reported() {
        let table = read("File name\tSize\tDate\tTime\na.msi\t402,433\t2010-09-14\t07:45\n");
        let row = &table.rows[0].value;
        assert_eq!(row.size, Some(402_433));
        assert!(
            row.todo
                .as_deref()
                .is_some_and(|todo| todo.contains("sectors")),
            "{row:?}"
        );
    }

    #[test]
    fn tables_are_read_in_any_layout() {
        for text in [
            "Size\tOwner\tFile name\tDate\tTime\n1,024\tme\ta.msi\t2008-03-31\t18:32\n",
            "File name   Size    Date         Time\na.msi       1 024   31-Mar-2008  18:32\n",
            "File name\nSize\nDate\nTime\na.msi\n1.024\n31-Mar-2008\n18:32\n",
        ] {
            let table = read(text);
            let row = &table
                .rows
                .first()
                .unwrap_or_else(|| panic!("no row in {text}: {table:?}"))
                .value;
            assert_eq!(
                (row.name.as_str(), row.size),
                ("a.msi", Some(1024)),
                "{text}"
            );
            assert_eq!(
                row.modified.as_deref(),
                Some("2008-03-31T18:32:00Z"),
                "{text}"
            );
        }
    }

    #[test]
    fn rows_without_a_head_are_one_question() {
        let table = read(
            "A rollup\n\nFile information\n\na.msi51231-Mar-200818:32\nb.dll1,02431-Mar-200818:32\n",
        );
        assert!(table.rows.is_empty() && table.headless, "{table:?}");
        assert_eq!(table.open.len(), 1, "{table:?}");
        assert!(table.open[0].message.contains("lines 5-6"), "{table:?}");
    }

    #[test]
    fn a_version_in_another_column_is_reported() {
        let table =
            read("File name\tFile version\tSP requirement\tSize\na.msi\tNone\t5.2.2198.17\t512\n");
        let row = &table.rows[0].value;
        assert_eq!(row.version, None);
        assert!(
            row.todo
                .as_deref()
                .is_some_and(|todo| todo.contains("`5.2.2198.17` looks like a version")),
            "{row:?}"
        );
    }

    #[test]
    fn no_row_is_dropped_silently() {
        let table = read(
            "File name\tSize\tDate\na.msi\t512\nb.msi\t1,024\t31-Mar-2008\tx\ty\nB.MSI\t512\t31-Mar-2008\nb.MSI\t512\t31-Mar-2008\n",
        );
        let lines: Vec<_> = table.open.iter().map(|open| open.line).collect();
        assert!(
            lines.contains(&Some(3)) && lines.contains(&Some(5)),
            "{table:#?}"
        );
    }
}
