//! Formats that a newer version of rollup wrote: they are refused before anything else is read.

use std::fmt;

/// Advice for everything that a newer version wrote.
pub const INSTALL_NEWER: &str = "install the rollup that made it, or a later one, then the same command again; \
                                 this one changes nothing there";

/// Version of a format on disk that this program does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewerFormat {
    /// Word of the format for its versions, such as `schema`.
    pub word: &'static str,
    /// Version that was found.
    pub found: u32,
    /// Latest version that this program knows.
    pub known: u32,
}

impl fmt::Display for NewerFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { word, found, known } = self;
        let tool = env!("CARGO_PKG_VERSION");
        write!(
            f,
            "has {word} {found}, made by a newer rollup; rollup {tool} understands {word} {known}"
        )
    }
}
