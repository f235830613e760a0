//! Columns of a file table, recognized by the words of its head.

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
    /// Column that has no counterpart in a manifest.
    Other,
}

/// Titles that vendors use, longer ones before those that they begin with.
const TITLES: &[(&str, FileColumn)] = &[
    ("sp requirement", FileColumn::Other),
    ("service branch", FileColumn::Other),
    ("service pack", FileColumn::Other),
    ("file hash", FileColumn::Other),
    ("sha1", FileColumn::Other),
    ("sha256", FileColumn::Other),
    ("md5", FileColumn::Other),
    ("description", FileColumn::Other),
    ("language", FileColumn::Other),
    ("location", FileColumn::Other),
    ("component", FileColumn::Other),
    ("build", FileColumn::Other),
    ("folder", FileColumn::Other),
    ("path", FileColumn::Other),
    ("notes", FileColumn::Other),
    ("date and time (utc)", FileColumn::Modified),
    ("date and time", FileColumn::Modified),
    ("date/time", FileColumn::Modified),
    ("date modified", FileColumn::Modified),
    ("last modified", FileColumn::Modified),
    ("modified", FileColumn::Modified),
    ("file size (bytes)", FileColumn::Size),
    ("file size", FileColumn::Size),
    ("size (bytes)", FileColumn::Size),
    ("size in bytes", FileColumn::Size),
    ("size", FileColumn::Size),
    ("bytes", FileColumn::Size),
    ("file name", FileColumn::Name),
    ("filename", FileColumn::Name),
    ("file version", FileColumn::Version),
    ("product version", FileColumn::Other),
    ("version", FileColumn::Version),
    ("date (utc)", FileColumn::Date),
    ("file date", FileColumn::Date),
    ("date", FileColumn::Date),
    ("time (utc)", FileColumn::Time),
    ("file time", FileColumn::Time),
    ("time", FileColumn::Time),
    ("platform", FileColumn::Platform),
    ("processor", FileColumn::Platform),
    ("architecture", FileColumn::Platform),
    ("cpu", FileColumn::Platform),
    ("file", FileColumn::Name),
    ("name", FileColumn::Name),
];

/// Returns the columns that a line names, if it is the head of a file table.
pub(super) fn head(text: &str, cells: &[String]) -> Option<Vec<FileColumn>> {
    let columns = if cells.len() >= 2 {
        cells
            .iter()
            .map(|cell| title(cell).unwrap_or(FileColumn::Other))
            .collect()
    } else {
        glued(text)?
    };
    is_table(&columns).then_some(columns)
}

/// Returns whether a line is the head of a file table.
pub(super) fn is_head(text: &str, cells: &[String]) -> bool {
    // Most lines are longer than any head, or lack the words that every head has.
    text.len() <= 300
        && text.to_lowercase().contains("name") | text.to_lowercase().contains("file")
        && head(text, cells).is_some()
}

/// Returns the column that a single title names.
pub(super) fn title(cell: &str) -> Option<FileColumn> {
    let cell = cell.trim_end_matches([':', '*']).trim().to_lowercase();
    TITLES
        .iter()
        .find(|(title, _)| *title == cell)
        .map(|(_, column)| *column)
}

/// Returns whether these are the columns of a file table: one name, and something that is
/// documented of the file.
pub(super) fn is_table(columns: &[FileColumn]) -> bool {
    let once = |column| columns.iter().filter(|found| **found == column).count();
    let single = [
        FileColumn::Name,
        FileColumn::Version,
        FileColumn::Size,
        FileColumn::Date,
        FileColumn::Time,
        FileColumn::Modified,
        FileColumn::Platform,
    ];
    once(FileColumn::Name) == 1
        && single.iter().all(|column| once(*column) <= 1)
        && [
            FileColumn::Size,
            FileColumn::Date,
            FileColumn::Modified,
            FileColumn::Version,
        ]
        .iter()
        .any(|column| once(*column) == 1)
}

/// Reads titles without anything between them, or with single spaces.
fn glued(text: &str) -> Option<Vec<FileColumn>> {
    let mut rest = text.trim().to_lowercase();
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let (title, column) = TITLES.iter().find(|(title, _)| rest.starts_with(title))?;
        columns.push(*column);
        rest = rest[title.len()..].trim_start().to_owned();
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::FileColumn::*;
    use super::*;

    #[test]
    fn heads_are_read_glued_and_by_cells() {
        let glued = "File nameFile versionFile sizeDateTimePlatform";
        assert_eq!(
            head(glued, &[glued.to_owned()]),
            Some(vec![Name, Version, Size, Date, Time, Platform])
        );
        let spaced = "Size Date File name";
        assert_eq!(
            head(spaced, &[spaced.to_owned()]),
            Some(vec![Size, Date, Name])
        );
        let cells = ["Owner", "File", "Size (bytes)", "Date and time"].map(str::to_owned);
        assert_eq!(
            head(&cells.join(" "), &cells),
            Some(vec![Other, Name, Size, Modified])
        );
        for text in ["Name", "Date Time", "File name and size", "Files"] {
            assert_eq!(head(text, &[text.to_owned()]), None, "{text}");
        }
    }
}
