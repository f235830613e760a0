//! The tables of a package: a pool of texts, and one stream of columns for each table.
//!
//! A custom reader, because a damaged package must neither stop the program nor make it allocate
//! what a number in the package asks for. Whatever is read has a limit first.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::InstallerError;
use super::code_page::CodePage;
use crate::names::Escaped;

/// Largest number of texts that are read, far beyond the largest packages seen.
const MOST_TEXTS: usize = 1 << 20;
/// The most bytes of all texts together.
const MOST_TEXT_BYTES: u64 = 16 << 20;
/// The most bytes of one table.
const MOST_TABLE_BYTES: u64 = 16 << 20;
/// Largest number of rows of a table that are read.
const MOST_ROWS: usize = 100_000;
/// The most columns of a table; the format itself allows 31.
const MOST_COLUMNS: usize = 32;
/// Length of the longest text that can be a name or a property that is read, in bytes.
const LONGEST_TEXT: usize = 2048;
/// The most bytes of text that are read out of cells: many cells can name one long text.
const MOST_BYTES_READ: usize = 64 << 20;

/// Bit that marks references to texts as three bytes long.
const LONG_REFERENCES: u32 = 0x8000_0000;

type Compound<R> = cfb::CompoundFile<R>;

/// The texts and the columns of every table that may be asked for.
pub(super) struct Database {
    pool: Pool,
    columns: BTreeMap<&'static str, Vec<Column>>,
}

impl Database {
    /// Reads the texts, and the columns of the tables named here.
    pub(super) fn open<R: Read + Seek>(
        compound: &mut Compound<R>,
        tables: &[&'static str],
    ) -> Result<Self, InstallerError> {
        let pool = Pool::open(compound)?;
        let columns = columns(compound, &pool, tables)?;
        Ok(Self { pool, columns })
    }

    pub(super) fn code_page(&self) -> CodePage {
        self.pool.code_page
    }

    pub(super) fn has_table(&self, table: &str) -> bool {
        self.columns.contains_key(table)
    }

    /// Returns the named columns of a table, in the order asked for; no rows if there is no such
    /// table.
    pub(super) fn table<R: Read + Seek, const N: usize>(
        &self,
        compound: &mut Compound<R>,
        name: &'static str,
        wanted: [&str; N],
    ) -> Result<Table<'_, N>, InstallerError> {
        let empty = Table {
            name,
            pool: &self.pool,
            bytes: Vec::new(),
            rows: 0,
            cells: [(0, 0); N],
        };
        let Some(columns) = self.columns.get(name) else {
            return Ok(empty);
        };
        let Some(bytes) = stream(compound, &encoded(name, Kind::Table), MOST_TABLE_BYTES)? else {
            return Ok(empty);
        };
        let width: usize = columns.iter().map(|column| column.width).sum();
        let rows = bytes.len() / width.max(1);
        if rows * width != bytes.len() {
            return Err(InstallerError::table(name, "its last row is cut off"));
        }
        check_rows(name, rows)?;
        let mut cells = [(0, 0); N];
        for (cell, wanted) in cells.iter_mut().zip(wanted) {
            *cell = place_of(columns, rows, wanted).ok_or_else(|| {
                InstallerError::table(name, format!("it has no column `{wanted}`"))
            })?;
        }
        Ok(Table {
            bytes,
            rows,
            cells,
            ..empty
        })
    }
}

fn check_rows(table: &str, rows: usize) -> Result<(), InstallerError> {
    match rows {
        ..=MOST_ROWS => Ok(()),
        _ => Err(InstallerError::Unsupported(format!(
            "a table `{table}` of {rows} rows"
        ))),
    }
}

/// Returns the start of a column and the width of its cells: a table is stored column after column.
fn place_of(columns: &[Column], rows: usize, wanted: &str) -> Option<(usize, usize)> {
    let at = columns.iter().position(|column| column.name == wanted)?;
    let before: usize = columns.iter().take(at).map(|column| column.width).sum();
    Some((before * rows, columns.get(at)?.width))
}

/// The rows of one table, reduced to `N` columns.
pub(super) struct Table<'a, const N: usize> {
    name: &'static str,
    pool: &'a Pool,
    bytes: Vec<u8>,
    rows: usize,
    cells: [(usize, usize); N],
}

impl<'a, const N: usize> Table<'a, N> {
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_, 'a, N>> {
        (0..self.rows).map(|at| Row { table: self, at })
    }
}

/// One row of a table.
pub(super) struct Row<'t, 'a, const N: usize> {
    table: &'t Table<'a, N>,
    at: usize,
}

impl<const N: usize> Row<'_, '_, N> {
    /// Returns the text of a column, `None` if the cell is empty.
    pub(super) fn text(&self, column: usize) -> Result<Option<String>, InstallerError> {
        let (number, _) = self.cell(column)?;
        match number {
            0 => Ok(None),
            _ => self
                .table
                .pool
                .text(number as usize)
                .map(Some)
                .map_err(|what| self.damaged(what)),
        }
    }

    /// Returns the text of a column that cannot be empty.
    pub(super) fn key(&self, column: usize) -> Result<String, InstallerError> {
        self.text(column)?
            .ok_or_else(|| self.damaged("a key is missing"))
    }

    /// Returns the number of a column, `None` if the cell is empty.
    pub(super) fn number(&self, column: usize) -> Result<Option<i32>, InstallerError> {
        // Numbers are stored with their sign bit inverted, so that 0 is left for an empty cell.
        Ok(match self.cell(column)? {
            (0, _) => None,
            (number, 2) => Some(number as i32 - 0x8000),
            (number, _) => Some((number ^ 0x8000_0000) as i32),
        })
    }

    /// Returns the error for a fault of this row.
    pub(super) fn damaged(&self, what: impl AsRef<str>) -> InstallerError {
        InstallerError::table(
            self.table.name,
            format!("row {}: {}", self.at + 1, what.as_ref()),
        )
    }

    fn cell(&self, column: usize) -> Result<(u32, usize), InstallerError> {
        let (start, width) = self.table.cells.get(column).copied().unwrap_or_default();
        let from = start + self.at * width;
        match self.table.bytes.get(from..from + width) {
            Some(bytes) => Ok((little_endian(bytes), width)),
            None => Err(self.damaged("it is cut off")),
        }
    }
}

struct Column {
    name: String,
    width: usize,
}

/// Reads the table of columns, whose own columns are the same in every package.
fn columns<R: Read + Seek>(
    compound: &mut Compound<R>,
    pool: &Pool,
    tables: &[&'static str],
) -> Result<BTreeMap<&'static str, Vec<Column>>, InstallerError> {
    const NAME: &str = "_Columns";
    let Some(bytes) = stream(compound, &encoded(NAME, Kind::Table), MOST_TABLE_BYTES)? else {
        return Err(InstallerError::NotAPackage("it has no table of columns"));
    };
    let text = pool.reference;
    let rows = bytes.len() / (2 * text + 4);
    check_rows(NAME, rows)?;
    let cells = [
        (0, text),
        (rows * text, 2),
        (rows * (text + 2), text),
        (rows * (2 * text + 2), 2),
    ];
    let table = Table {
        name: NAME,
        pool,
        bytes,
        rows,
        cells,
    };
    let mut found: BTreeMap<&'static str, BTreeMap<i32, Column>> = BTreeMap::new();
    for row in table.rows() {
        let of = row.key(0)?;
        let Some(known) = tables.iter().find(|table| **table == of) else {
            continue;
        };
        let number = row.number(1)?.unwrap_or(0);
        let kind = row.number(3)?.unwrap_or(0);
        let width =
            width(kind, text).ok_or_else(|| row.damaged("the kind of its column is unknown"))?;
        let columns = found.entry(known).or_default();
        if columns
            .insert(
                number,
                Column {
                    name: row.key(2)?,
                    width,
                },
            )
            .is_some()
            || columns.len() > MOST_COLUMNS
        {
            return Err(row.damaged("a column is there twice"));
        }
    }
    found
        .into_iter()
        .map(|(table, columns)| Ok((table, in_order(table, columns)?)))
        .collect()
}

fn in_order(table: &str, columns: BTreeMap<i32, Column>) -> Result<Vec<Column>, InstallerError> {
    if columns.keys().copied().ne(1..=columns.len() as i32) {
        return Err(InstallerError::table(table, "a column is missing"));
    }
    Ok(columns.into_values().collect())
}

/// Returns the number of bytes in a cell, by the kind of its column.
fn width(kind: i32, reference: usize) -> Option<usize> {
    const TEXT: i32 = 0x0800;
    const BINARY: i32 = 0x0900;
    if kind & 0x0fff == BINARY {
        return Some(2);
    }
    match (kind & TEXT != 0, kind & 0xff) {
        (true, _) => Some(reference),
        (false, 0..=2) => Some(2),
        (false, 4) => Some(4),
        _ => None,
    }
}

/// Every text of the package, once.
struct Pool {
    code_page: CodePage,
    /// Number of bytes in a reference to a text.
    reference: usize,
    /// Start and end of each text.
    spans: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// Number of bytes of text that may still be read out.
    left: Cell<usize>,
}

impl Pool {
    fn open<R: Read + Seek>(compound: &mut Compound<R>) -> Result<Self, InstallerError> {
        let Some(pool) = stream(
            compound,
            &encoded("_StringPool", Kind::Table),
            4 * MOST_TEXTS as u64,
        )?
        else {
            return Err(InstallerError::NotAPackage(
                "the compound file holds no installer database",
            ));
        };
        let bytes = stream(
            compound,
            &encoded("_StringData", Kind::Table),
            MOST_TEXT_BYTES,
        )?
        .unwrap_or_default();
        let mut entries = pool.chunks_exact(4).map(little_endian);
        let head = entries.next().ok_or_else(|| Self::damaged("it is empty"))?;
        let number = head & !LONG_REFERENCES;
        let code_page = CodePage::from_number(number)
            .ok_or_else(|| InstallerError::Unsupported(format!("the code page {number}")))?;
        let mut spans = Vec::new();
        let mut start = 0_u32;
        while let Some(entry) = entries.next() {
            let length = match (entry & 0xffff, entry >> 16) {
                // A text of 64 KiB and more has its length in an entry of its own.
                (0, 1..) => entries
                    .next()
                    .ok_or_else(|| Self::damaged("it ends too early"))?,
                (length, _) => length,
            };
            let end = start
                .checked_add(length)
                .filter(|end| *end as usize <= bytes.len());
            let end =
                end.ok_or_else(|| Self::damaged("a text ends behind the end of all texts"))?;
            spans.push((start, end));
            start = end;
        }
        let reference = if head & LONG_REFERENCES == 0 { 2 } else { 3 };
        Ok(Self {
            code_page,
            reference,
            spans,
            bytes,
            left: Cell::new(MOST_BYTES_READ),
        })
    }

    /// Returns the text of a number, which counts from 1.
    fn text(&self, number: usize) -> Result<String, String> {
        let span = number.checked_sub(1).and_then(|at| self.spans.get(at));
        let bytes = span.and_then(|(start, end)| self.bytes.get(*start as usize..*end as usize));
        let bytes = bytes.ok_or_else(|| format!("there is no text {number}"))?;
        if bytes.len() > LONGEST_TEXT {
            return Err(format!(
                "the text {number} has {} bytes, too many for a name",
                bytes.len()
            ));
        }
        let left = self
            .left
            .get()
            .checked_sub(bytes.len())
            .ok_or("there is more text than in any package")?;
        self.left.set(left);
        let shown = || self.code_page.decode_for_showing(bytes);
        self.code_page.decode(bytes).ok_or_else(|| {
            format!(
                "the code page of the package has no such text as `{}`",
                Escaped(&shown())
            )
        })
    }

    fn damaged(what: &str) -> InstallerError {
        InstallerError::damaged("the table of texts", what)
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Content of a stream: a table or a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    File,
}

/// Returns the name of a stream in the compound file: two characters of the common sixty-four
/// become one.
pub(super) fn encoded(name: &str, kind: Kind) -> String {
    let mut encoded = String::new();
    if kind == Kind::Table {
        encoded.push('\u{4840}');
    }
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let pair = digit(c).map(|low| (low, rest.peek().copied().and_then(digit)));
        let packed = match pair {
            Some((low, Some(high))) => {
                rest.next();
                char::from_u32(0x3800 + (high << 6) + low)
            }
            Some((low, None)) => char::from_u32(0x4800 + low),
            None => Some(c),
        };
        encoded.extend(packed);
    }
    encoded
}

fn digit(c: char) -> Option<u32> {
    Some(match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        'A'..='Z' => u32::from(c) - u32::from('A') + 10,
        'a'..='z' => u32::from(c) - u32::from('a') + 36,
        '.' => 62,
        '_' => 63,
        _ => return None,
    })
}

/// Reads all bytes of a stream, if it exists.
fn stream<R: Read + Seek>(
    compound: &mut Compound<R>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, InstallerError> {
    const PLACE: &str = "the compound file";
    if !compound.is_stream(name) {
        return Ok(None);
    }
    let stream = compound
        .open_stream(name)
        .map_err(|error| InstallerError::reading(PLACE, error))?;
    let length = stream.len();
    if length > limit {
        return Err(InstallerError::Unsupported(format!(
            "a table of {length} bytes"
        )));
    }
    // Grows with what is really there, whatever length the package claims.
    let mut bytes = Vec::new();
    stream
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| InstallerError::reading(PLACE, error))?;
    match bytes.len() as u64 == length {
        true => Ok(Some(bytes)),
        false => Err(InstallerError::damaged(PLACE, "a table ends too early")),
    }
}
