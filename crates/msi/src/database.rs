//! Tables of a package: a string pool, and one stream of columns for each table.
//!
//! A custom reader, because a damaged package must neither make the program panic nor allocate as
//! much memory as a number in the package claims. Everything is limited before it is read.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::InstallerError;
use super::code_page::CodePage;
use rollup_names::Escaped;

/// Maximum number of strings, far beyond the largest known packages.
const MAX_STRINGS: usize = 1 << 20;
/// Maximum size of all strings together in bytes.
const MAX_STRING_BYTES: u64 = 16 << 20;
/// Maximum size of one table in bytes.
const MAX_TABLE_BYTES: u64 = 16 << 20;
/// Maximum number of rows of a table.
const MAX_ROWS: usize = 100_000;
/// Maximum number of columns of a table; the format itself allows 31.
const MAX_COLUMNS: usize = 32;
/// Maximum length of a string in bytes. Only names and a few properties are read.
const MAX_STRING_LENGTH: usize = 2048;
/// Maximum size of all strings read from cells in bytes: many cells can refer to one long string.
const MAX_DECODED_BYTES: usize = 64 << 20;

/// Bit of the first entry of the pool: references to strings are three bytes long.
const LONG_REFERENCES: u32 = 0x8000_0000;

type Compound<R> = cfb::CompoundFile<R>;

/// String pool, and the columns of every table that can be read.
pub(super) struct Database {
    pool: StringPool,
    columns: BTreeMap<&'static str, Vec<ColumnDefinition>>,
}

impl Database {
    /// Reads the string pool, and the definitions of the columns of these tables.
    pub(super) fn open<R: Read + Seek>(
        compound: &mut Compound<R>,
        tables: &[&'static str],
    ) -> Result<Self, InstallerError> {
        let pool = StringPool::open(compound)?;
        let columns = read_columns(compound, &pool, tables)?;
        Ok(Self { pool, columns })
    }

    pub(super) fn code_page(&self) -> CodePage {
        self.pool.code_page
    }

    pub(super) fn has_table(&self, table: &str) -> bool {
        self.columns.contains_key(table)
    }

    /// Returns a table with the named columns, in that order. A column whose name begins with `?` is
    /// empty if the table does not have it.
    ///
    /// The table has no rows if the package does not have it.
    pub(super) fn table<R: Read + Seek, const N: usize>(
        &self,
        compound: &mut Compound<R>,
        name: &'static str,
        names: [&str; N],
    ) -> Result<DatabaseTable<'_, N>, InstallerError> {
        let empty = DatabaseTable {
            name,
            pool: &self.pool,
            bytes: Vec::new(),
            rows: 0,
            cells: [(0, 0); N],
        };
        let Some(columns) = self.columns.get(name) else {
            return Ok(empty);
        };
        let Some(bytes) = read_stream(
            compound,
            &encode_stream_name(name, StreamKind::Table),
            MAX_TABLE_BYTES,
        )?
        else {
            return Ok(empty);
        };
        let width: usize = columns.iter().map(|column| column.width).sum();
        let rows = bytes.len() / width.max(1);
        if rows * width != bytes.len() {
            return Err(InstallerError::damaged_table(
                name,
                "its last row is cut off",
            ));
        }
        check_rows(name, rows)?;
        let mut cells = [(0, 0); N];
        for (cell, column) in cells.iter_mut().zip(names) {
            let column_name = column.trim_start_matches('?');
            let found = column_cells(columns, rows, column_name);
            *cell = match found {
                Some(found) => found,
                None if column.starts_with('?') => (0, 0),
                None => {
                    let reason = format!("it has no column `{column}`");
                    return Err(InstallerError::damaged_table(name, reason));
                }
            };
        }
        Ok(DatabaseTable {
            bytes,
            rows,
            cells,
            ..empty
        })
    }
}

fn check_rows(table: &str, rows: usize) -> Result<(), InstallerError> {
    match rows {
        ..=MAX_ROWS => Ok(()),
        _ => Err(InstallerError::Unsupported(format!(
            "a table `{table}` of {rows} rows"
        ))),
    }
}

/// Returns the offset of a column and the width of its cells: a table is stored column by column.
fn column_cells(columns: &[ColumnDefinition], rows: usize, name: &str) -> Option<(usize, usize)> {
    let at = columns.iter().position(|column| column.name == name)?;
    let before: usize = columns.iter().take(at).map(|column| column.width).sum();
    Some((before * rows, columns.get(at)?.width))
}

/// Rows of one table, reduced to `N` columns.
pub(super) struct DatabaseTable<'a, const N: usize> {
    name: &'static str,
    pool: &'a StringPool,
    bytes: Vec<u8>,
    rows: usize,
    /// Offset of each column, and the width of its cells.
    cells: [(usize, usize); N],
}

impl<'a, const N: usize> DatabaseTable<'a, N> {
    pub(super) fn rows(&self) -> impl Iterator<Item = DatabaseRow<'_, 'a, N>> {
        (0..self.rows).map(|at| DatabaseRow { table: self, at })
    }
}

/// Row of a table.
pub(super) struct DatabaseRow<'t, 'a, const N: usize> {
    table: &'t DatabaseTable<'a, N>,
    at: usize,
}

impl<const N: usize> DatabaseRow<'_, '_, N> {
    /// Returns the text in a column, `None` if the cell is empty.
    pub(super) fn text(&self, column: usize) -> Result<Option<String>, InstallerError> {
        let Some(bytes) = self.bytes(column)? else {
            return Ok(None);
        };
        let code_page = self.table.pool.code_page;
        let text = code_page.decode(bytes).ok_or_else(|| {
            let reason = format!(
                "row {}: the text `{}` is not valid in its code page {code_page}",
                self.at + 1,
                Escaped(&code_page.decode_lossy(bytes)),
            );
            InstallerError::not_accepted(format!("the table `{}`", self.table.name), reason)
        })?;
        Ok(Some(text))
    }

    /// Returns a text that is only shown to people, with replacement characters for what is not
    /// valid in the code page; `None` if there is none.
    pub(super) fn text_for_people(&self, column: usize) -> Option<String> {
        let bytes = self.bytes(column).ok()??;
        Some(self.table.pool.code_page.decode_lossy(bytes))
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, InstallerError> {
        let (number, _) = self.cell(column)?;
        if number == 0 {
            return Ok(None);
        }
        let bytes = self.table.pool.bytes_of(number as usize);
        bytes.map(Some).map_err(|reason| self.damaged(reason))
    }

    /// Returns the text in a column that cannot be empty.
    pub(super) fn key(&self, column: usize) -> Result<String, InstallerError> {
        self.text(column)?
            .ok_or_else(|| self.damaged("a key is missing"))
    }

    /// Returns the number in a column, `None` if the cell is empty.
    pub(super) fn number(&self, column: usize) -> Result<Option<i32>, InstallerError> {
        // Numbers are stored with an inverted sign bit, so that 0 means an empty cell.
        Ok(match self.cell(column)? {
            (0, _) => None,
            (number, 2) => Some(number as i32 - 0x8000),
            (number, _) => Some((number ^ 0x8000_0000) as i32),
        })
    }

    /// Returns the error for a fault of this row.
    pub(super) fn damaged(&self, reason: impl AsRef<str>) -> InstallerError {
        InstallerError::damaged_table(
            self.table.name,
            format!("row {}: {}", self.at + 1, reason.as_ref()),
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

struct ColumnDefinition {
    name: String,
    width: usize,
}

/// Reads the table `_Columns`, whose own columns are the same in every package.
fn read_columns<R: Read + Seek>(
    compound: &mut Compound<R>,
    pool: &StringPool,
    tables: &[&'static str],
) -> Result<BTreeMap<&'static str, Vec<ColumnDefinition>>, InstallerError> {
    const NAME: &str = "_Columns";
    let Some(bytes) = read_stream(
        compound,
        &encode_stream_name(NAME, StreamKind::Table),
        MAX_TABLE_BYTES,
    )?
    else {
        return Err(InstallerError::NotAPackage(
            "it has no table `_Columns`".to_owned(),
        ));
    };
    let text = pool.reference_width;
    let rows = bytes.len() / (2 * text + 4);
    check_rows(NAME, rows)?;
    let cells = [
        (0, text),
        (rows * text, 2),
        (rows * (text + 2), text),
        (rows * (2 * text + 2), 2),
    ];
    let table = DatabaseTable {
        name: NAME,
        pool,
        bytes,
        rows,
        cells,
    };
    let mut found: BTreeMap<&'static str, BTreeMap<i32, ColumnDefinition>> = BTreeMap::new();
    for row in table.rows() {
        let table_name = row.key(0)?;
        let Some(known) = tables.iter().find(|table| **table == table_name) else {
            continue;
        };
        let number = row.number(1)?.unwrap_or(0);
        let column_type = row.number(3)?.unwrap_or(0);
        let width = cell_width(column_type, text)
            .ok_or_else(|| row.damaged("the type of the column is unknown"))?;
        let columns = found.entry(known).or_default();
        if columns
            .insert(
                number,
                ColumnDefinition {
                    name: row.key(2)?,
                    width,
                },
            )
            .is_some()
            || columns.len() > MAX_COLUMNS
        {
            return Err(row.damaged("the column is a duplicate, or one of too many"));
        }
    }
    found
        .into_iter()
        .map(|(table, columns)| Ok((table, in_order(table, columns)?)))
        .collect()
}

fn in_order(
    table: &str,
    columns: BTreeMap<i32, ColumnDefinition>,
) -> Result<Vec<ColumnDefinition>, InstallerError> {
    if columns.keys().copied().ne(1..=columns.len() as i32) {
        return Err(InstallerError::damaged_table(table, "a column is missing"));
    }
    Ok(columns.into_values().collect())
}

/// Returns the number of bytes in a cell of a column type.
fn cell_width(column_type: i32, reference_width: usize) -> Option<usize> {
    const TEXT: i32 = 0x0800;
    const BINARY: i32 = 0x0900;
    if column_type & 0x0fff == BINARY {
        return Some(2);
    }
    match (column_type & TEXT != 0, column_type & 0xff) {
        (true, _) => Some(reference_width),
        (false, 0..=2) => Some(2),
        (false, 4) => Some(4),
        _ => None,
    }
}

/// Every string of the package, once.
struct StringPool {
    code_page: CodePage,
    /// Number of bytes in a reference to a string.
    reference_width: usize,
    /// Start and end of each string in `bytes`.
    spans: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// Number of bytes that may still be decoded.
    bytes_left: Cell<usize>,
}

impl StringPool {
    fn open<R: Read + Seek>(compound: &mut Compound<R>) -> Result<Self, InstallerError> {
        let Some(pool) = read_stream(
            compound,
            &encode_stream_name("_StringPool", StreamKind::Table),
            4 * MAX_STRINGS as u64,
        )?
        else {
            return Err(InstallerError::NotAPackage(
                "the compound file has no installer database".to_owned(),
            ));
        };
        let bytes = read_stream(
            compound,
            &encode_stream_name("_StringData", StreamKind::Table),
            MAX_STRING_BYTES,
        )?
        .unwrap_or_default();
        let mut entries = pool.chunks_exact(4).map(little_endian);
        let header = entries.next().ok_or_else(|| Self::damaged("it is empty"))?;
        let number = header & !LONG_REFERENCES;
        let code_page = CodePage::from_number(number);
        let mut spans = Vec::new();
        let mut start = 0_u32;
        while let Some(entry) = entries.next() {
            let length = match (entry & 0xffff, entry >> 16) {
                // A string of 64 KiB and more has its length in an entry of its own.
                (0, 1..) => entries
                    .next()
                    .ok_or_else(|| Self::damaged("it ends too early"))?,
                (length, _) => length,
            };
            let end = start
                .checked_add(length)
                .filter(|end| *end as usize <= bytes.len());
            let end =
                end.ok_or_else(|| Self::damaged("a string ends beyond the end of the data"))?;
            spans.push((start, end));
            start = end;
        }
        let reference_width = if header & LONG_REFERENCES == 0 { 2 } else { 3 };
        Ok(Self {
            code_page,
            reference_width,
            spans,
            bytes,
            bytes_left: Cell::new(MAX_DECODED_BYTES),
        })
    }

    /// Returns the bytes of a string, by its number from 1.
    fn bytes_of(&self, number: usize) -> Result<&[u8], String> {
        let span = number.checked_sub(1).and_then(|at| self.spans.get(at));
        let bytes = span.and_then(|(start, end)| self.bytes.get(*start as usize..*end as usize));
        let bytes = bytes.ok_or_else(|| format!("the string {number} does not exist"))?;
        if bytes.len() > MAX_STRING_LENGTH {
            return Err(format!(
                "the string {number} has {} bytes, too many for a name",
                bytes.len()
            ));
        }
        let bytes_left = self
            .bytes_left
            .get()
            .checked_sub(bytes.len())
            .ok_or("the texts of the package are too long")?;
        self.bytes_left.set(bytes_left);
        Ok(bytes)
    }

    fn damaged(reason: &str) -> InstallerError {
        InstallerError::damaged("the string pool", reason)
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Contents of a stream: a table or a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamKind {
    Table,
    File,
}

/// Returns the name of a stream in the compound file, in which two of the 64 usual characters are
/// encoded as one.
pub(super) fn encode_stream_name(name: &str, kind: StreamKind) -> String {
    let mut encoded = String::new();
    if kind == StreamKind::Table {
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
fn read_stream<R: Read + Seek>(
    compound: &mut Compound<R>,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, InstallerError> {
    const COMPOUND_FILE: &str = "the compound file";
    if !compound.is_stream(name) {
        return Ok(None);
    }
    let stream = compound
        .open_stream(name)
        .map_err(|error| InstallerError::reading(COMPOUND_FILE, error))?;
    let length = stream.len();
    if length > limit {
        return Err(InstallerError::Unsupported(format!(
            "a table of {length} bytes"
        )));
    }
    // Grows with the bytes that exist, whatever length the package claims.
    let mut bytes = Vec::new();
    stream
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| InstallerError::reading(COMPOUND_FILE, error))?;
    match bytes.len() as u64 == length {
        true => Ok(Some(bytes)),
        false => Err(InstallerError::damaged(
            COMPOUND_FILE,
            "a table ends too early",
        )),
    }
}
