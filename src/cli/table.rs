//! Tables of a width that people can read: what does not fit beside the first columns goes below the row.

use anstyle::Style;

use super::terminal::out::{DIM, styled, wrapped};
use crate::names::{columns, padded};

/// Space between two columns.
const GAP: usize = 2;
/// Indent of what is below a row.
const BELOW: &str = "    ";

/// Row of a table.
pub(super) struct TableRow<const N: usize> {
    /// Escaped texts, by column; an empty one is not repeated below the row.
    pub(super) cells: [String; N],
    /// Style of the row's first columns, by column.
    pub(super) styles: [Style; N],
    /// Escaped texts below the row.
    pub(super) below: Vec<String>,
}

/// Formats a table, no wider than `width` as far as words allow it.
pub(super) fn table<const N: usize>(
    heads: [&str; N],
    rows: &[TableRow<N>],
    width: usize,
) -> Vec<String> {
    let mut widths = heads.map(columns);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(&row.cells) {
            *widest = columns(cell).max(*widest);
        }
    }
    let mut used = 0;
    let fitting = widths.iter().take_while(|&&column| {
        used += column + GAP;
        used <= width + GAP
    });
    let fitting = fitting.count().max(1);
    let line = |cells: &[String], styles: &[Style]| {
        let mut line = String::new();
        for (at, (cell, style)) in cells.iter().zip(styles).take(fitting).enumerate() {
            let gap = if at + 1 < fitting { GAP } else { 0 };
            let text = padded(cell, widths[at] + gap);
            line.push_str(&if cell.is_empty() {
                text
            } else {
                text.replacen(cell, &styled(*style, cell), 1)
            });
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(&heads.map(str::to_owned), &[DIM; N])];
    for row in rows {
        lines.push(line(&row.cells, &row.styles));
        let hidden: Vec<String> = heads
            .iter()
            .zip(&row.cells)
            .skip(fitting)
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(head, cell)| format!("{head} {cell}"))
            .collect();
        for text in [&hidden.join("; ")].into_iter().chain(&row.below) {
            if !text.is_empty() {
                let text = wrapped(text, width, BELOW);
                lines.push(format!("{BELOW}{text}"));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3], below: &[&str]) -> TableRow<3> {
        TableRow {
            cells: cells.map(str::to_owned),
            styles: [Style::new(); 3],
            below: below.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    /// Returns a table without its styles.
    fn plain(width: usize) -> Vec<String> {
        let rows = [
            row(["2", "漢字", "yes"], &["accept drift: a hotfix"]),
            row(["1", "KB952076", ""], &[]),
        ];
        let lines = table(["run", "update", "undo"], &rows, width).join("\n");
        let text = lines.replace(crate::names::STYLE_MARK, "");
        let text = anstream::adapter::strip_str(&text).to_string();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_contents() {
        assert_eq!(
            plain(40),
            [
                "run  update    undo",
                "2    漢字      yes",
                "    accept drift: a hotfix",
                "1    KB952076",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_goes_below_the_row() {
        assert_eq!(
            plain(18),
            [
                "run  update",
                "2    漢字",
                "    undo yes",
                "    accept drift:",
                "    a hotfix",
                "1    KB952076",
            ]
        );
    }
}
