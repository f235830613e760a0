//! Columns of a file table, recognized by the words of its head.

use super::text::{LazyPattern, pattern};

/// Content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileColumn {
    Name,
    Version,
    Size,
    Date,
    Time,
    /// Date and time in one.
    Modified,
    Platform,
    /// SHA-256 of the file.
    Hash,
    /// Column that has no counterpart in a manifest.
    Other,
}

/// Titles that vendors use, in every language, longer ones before those that they begin with.
const TITLES: &[(&str, FileColumn)] = &[
    ("sp requirement", FileColumn::Other),
    ("service branch", FileColumn::Other),
    ("service pack", FileColumn::Other),
    ("sha256 hash", FileColumn::Hash),
    ("sha-256", FileColumn::Hash),
    ("sha256", FileColumn::Hash),
    ("file hash", FileColumn::Other),
    ("sha1", FileColumn::Other),
    ("md5", FileColumn::Other),
    ("description", FileColumn::Other),
    ("destination folder", FileColumn::Other),
    ("language", FileColumn::Other),
    ("locale", FileColumn::Other),
    ("location", FileColumn::Other),
    ("component", FileColumn::Other),
    ("build", FileColumn::Other),
    ("folder", FileColumn::Other),
    ("path", FileColumn::Other),
    ("notes", FileColumn::Other),
    ("attributes", FileColumn::Other),
    ("disk", FileColumn::Other),
    ("date and time", FileColumn::Modified),
    ("date / time", FileColumn::Modified),
    ("date/time", FileColumn::Modified),
    ("date modified", FileColumn::Modified),
    ("last modified", FileColumn::Modified),
    ("modified", FileColumn::Modified),
    ("geändert am", FileColumn::Modified),
    ("änderungsdatum", FileColumn::Modified),
    ("file size", FileColumn::Size),
    ("filesize", FileColumn::Size),
    ("size in bytes", FileColumn::Size),
    ("size", FileColumn::Size),
    ("bytes", FileColumn::Size),
    ("dateigröße", FileColumn::Size),
    ("dateigrösse", FileColumn::Size),
    ("größe", FileColumn::Size),
    ("grösse", FileColumn::Size),
    ("file name", FileColumn::Name),
    ("filename", FileColumn::Name),
    ("dateiname", FileColumn::Name),
    ("file version", FileColumn::Version),
    ("dateiversion", FileColumn::Version),
    ("product version", FileColumn::Other),
    ("version", FileColumn::Version),
    ("file date", FileColumn::Date),
    ("date", FileColumn::Date),
    ("datum", FileColumn::Date),
    ("file time", FileColumn::Time),
    ("time", FileColumn::Time),
    ("uhrzeit", FileColumn::Time),
    ("zeit", FileColumn::Time),
    ("platform", FileColumn::Platform),
    ("plattform", FileColumn::Platform),
    ("processor", FileColumn::Platform),
    ("architecture", FileColumn::Platform),
    ("architektur", FileColumn::Platform),
    ("cpu", FileColumn::Platform),
    ("file", FileColumn::Name),
    ("datei", FileColumn::Name),
    ("name", FileColumn::Name),
];

/// Signs around a title, and words that may follow it and say nothing else about the column.
static REMARKS: LazyPattern =
    LazyPattern::new(|| pattern(r"^ *(?:\((?:utc|gmt|bytes|in bytes)\)|#)? *[:*]* *"));

/// Most words of a title.
const LONGEST: usize = 5;

/// Returns the columns that a line names, if it is the head of a file table.
pub(super) fn head(text: &str, cells: &[String]) -> Option<Vec<FileColumn>> {
    // Most lines are longer than any head.
    if text.len() > 300 {
        return None;
    }
    let are_titles = cells.len() > 1 && cells.iter().all(|cell| cell.split(' ').count() <= LONGEST);
    let by_cells = are_titles.then(|| cells.iter().map(|cell| column(cell)).collect());
    let mut heads = [glued(text), by_cells].into_iter().flatten();
    heads.find(|columns: &Vec<FileColumn>| is_table(columns))
}

/// Returns whether a line is the head of a file table.
pub(super) fn is_head(text: &str, cells: &[String]) -> bool {
    head(text, cells).is_some()
}

/// Returns the column that a single title names.
pub(super) fn title(cell: &str) -> Option<FileColumn> {
    match glued(cell)?[..] {
        [column] => Some(column),
        _ => None,
    }
}

/// Returns the title at the beginning of a text in lower case, and the text behind it.
fn first_title(text: &str) -> Option<(FileColumn, &str)> {
    let mut titles = TITLES.iter();
    titles.find_map(|(title, column)| Some((*column, text.strip_prefix(title)?)))
}

/// Returns the column of a cell: the one of the first title in it that is a word.
fn column(cell: &str) -> FileColumn {
    let cell = cell.to_lowercase();
    // An empty cell of a head is a column without a title.
    let starts = cell.match_indices(' ').map(|(at, _)| at + 1);
    let mut starts = std::iter::once(0).chain(starts);
    let named = starts.find_map(|at| {
        let (column, rest) = first_title(&cell[at..])?;
        (!rest.starts_with(char::is_alphanumeric)).then_some(column)
    });
    named.unwrap_or(FileColumn::Other)
}

/// Returns whether these are the columns of a file table: a name, and something that is documented
/// of the file.
pub(super) fn is_table(columns: &[FileColumn]) -> bool {
    use FileColumn::{Name, Other, Platform};
    let is_documented = |column: &FileColumn| !matches!(column, Name | Platform | Other);
    columns.contains(&Name) && columns.iter().any(is_documented)
}

/// Reads titles without anything between them, or with single spaces.
fn glued(text: &str) -> Option<Vec<FileColumn>> {
    let text = text.trim().to_lowercase();
    let mut rest = text.as_str();
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let (column, behind) = first_title(rest)?;
        columns.push(column);
        rest = &behind[REMARKS.find(behind).map_or(0, |remark| remark.end())..];
    }
    Some(columns).filter(|columns| !columns.is_empty())
}

#[cfg(test)]
mod tests {
    use super::FileColumn::*;
    use super::*;

    #[test]
    fn heads_are_read_glued_and_by_cells() {
        for (text, wanted) in [
            (
                "File nameFile versionFile sizeDateTimePlatform",
                &[Name, Version, Size, Date, Time, Platform][..],
            ),
            ("Size Date File name", &[Size, Date, Name]),
            (
                "Datum Uhrzeit Dateiversion Dateigröße Dateiname",
                &[Date, Time, Version, Size, Name],
            ),
            (
                "Date (UTC) Version# Size (bytes) Filename",
                &[Date, Version, Size, Name],
            ),
        ] {
            assert_eq!(
                head(text, &[text.to_owned()]).as_deref(),
                Some(wanted),
                "{text}"
            );
        }
        for (cells, wanted) in [
            (
                &["Owner", "File", "Size (bytes)", "Date and time"][..],
                &[Other, Name, Size, Modified][..],
            ),
            (
                &["Item", "Filename", "Approx. File Size"],
                &[Other, Name, Size],
            ),
        ] {
            let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
            assert_eq!(
                head(&cells.join(" "), &cells).as_deref(),
                Some(wanted),
                "{cells:?}"
            );
        }
        for text in ["Name", "Date Time", "File name and size", "Files"] {
            assert_eq!(head(text, &[text.to_owned()]), None, "{text}");
        }
    }
}
