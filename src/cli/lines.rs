//! Lines that several commands print.

use std::fmt::Display;

use anstyle::Style;

use super::terminal::out::{self, WARN, styled};
use crate::names::{Escaped, RelPath, columns};

/// Prints a text after a label in a style.
pub(super) fn labelled(style: Style, label: &str, text: impl Display) {
    out::line(format_args!("{}: {text}", styled(style, label)));
}

/// Prints the directories that belong to nothing.
pub(super) fn print_directories_of_no_instance(directories: &[RelPath]) {
    for directory in directories {
        let directory = Escaped(directory.as_str());
        let text = format!("`{directory}` belongs to no server or instance of `deployment.toml`");
        labelled(WARN, "directory", text);
    }
}

/// Formats a path and a text about it, which begin in a column. The path stays in one piece; a text
/// that does not fit beside it goes on the next line, with an indent.
pub(super) fn path_line(path: &RelPath, text: &str, column: usize, indent: usize) -> String {
    let path = format!("`{}`", Escaped(path.as_str()));
    let length = column + columns(&path) + 1 + columns(text);
    if length <= out::width() {
        return format!("{path} {text}");
    }
    format!("{path}\n{:indent$}{text}", "")
}
