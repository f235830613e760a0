//! Columns of a file table, recognized by the words of its head.

/// Content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
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
const TITLES: &[(&str, Column)] = &[
    ("sp requirement", Column::Other),
    ("service branch", Column::Other),
    ("service pack", Column::Other),
    ("file hash", Column::Other),
    ("sha1", Column::Other),
    ("sha256", Column::Other),
    ("md5", Column::Other),
    ("description", Column::Other),
    ("language", Column::Other),
    ("location", Column::Other),
    ("component", Column::Other),
    ("build", Column::Other),
    ("folder", Column::Other),
    ("path", Column::Other),
    ("notes", Column::Other),
    ("date and time (utc)", Column::Modified),
    ("date and time", Column::Modified),
    ("date/time", Column::Modified),
    ("date modified", Column::Modified),
    ("last modified", Column::Modified),
    ("modified", Column::Modified),
    ("file size (bytes)", Column::Size),
    ("file size", Column::Size),
    ("size (bytes)", Column::Size),
    ("size in bytes", Column::Size),
    ("size", Column::Size),
    ("bytes", Column::Size),
    ("file name", Column::Name),
    ("filename", Column::Name),
    ("file version", Column::Version),
    ("product version", Column::Other),
    ("version", Column::Version),
    ("date (utc)", Column::Date),
    ("file date", Column::Date),
    ("date", Column::Date),
    ("time (utc)", Column::Time),
    ("file time", Column::Time),
    ("time", Column::Time),
    ("platform", Column::Platform),
    ("processor", Column::Platform),
    ("architecture", Column::Platform),
    ("cpu", Column::Platform),
    ("file", Column::Name),
    ("name", Column::Name),
];

/// Returns the columns that a line names, if it is the head of a file table.
pub(super) fn head(text: &str, cells: &[String]) -> Option<Vec<Column>> {
    let columns = if cells.len() >= 2 {
        cells
            .iter()
            .map(|cell| title(cell).unwrap_or(Column::Other))
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
pub(super) fn title(cell: &str) -> Option<Column> {
    let cell = cell.trim_end_matches([':', '*']).trim().to_lowercase();
    TITLES
        .iter()
        .find(|(title, _)| *title == cell)
        .map(|(_, column)| *column)
}

/// Returns whether these are the columns of a file table: one name, and something that is
/// documented of the file.
pub(super) fn is_table(columns: &[Column]) -> bool {
    let once = |column| columns.iter().filter(|found| **found == column).count();
    let single = [
        Column::Name,
        Column::Version,
        Column::Size,
        Column::Date,
        Column::Time,
        Column::Modified,
        Column::Platform,
    ];
    once(Column::Name) == 1
        && single.iter().all(|column| once(*column) <= 1)
        && [
            Column::Size,
            Column::Date,
            Column::Modified,
            Column::Version,
        ]
        .iter()
        .any(|column| once(*column) == 1)
}

/// Reads titles without anything between them, or with single spaces.
fn glued(text: &str) -> Option<Vec<Column>> {
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
    use super::Column::*;
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
