//! Faults of a package.

use std::io;

use crate::names::{Escaped, FileName, RelPath};

/// Reason why a package cannot be read. The caller names the package.
#[derive(Debug, thiserror::Error)]
pub enum InstallerError {
    /// The file is not a package.
    #[error("this is no Windows Installer package: {0}")]
    NotAPackage(&'static str),
    /// It is a package, but its parts contradict each other or end too early.
    #[error("{place} is damaged: {what}")]
    Damaged {
        /// The part of the package, such as ``the table `File` ``.
        place: String,
        /// Fault of that part.
        what: String,
    },
    /// It may be in order, but it needs something that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A cabinet that belongs to the package is not beside it.
    #[error("the cabinet `{}` does not lie beside it", Escaped(.0.as_str()))]
    MissingCabinet(FileName),
    /// A name that could leave the target directory, or that some system would take for another.
    #[error("`{}` must not be laid down: {why}", Escaped(.name))]
    Unsafe {
        /// The name or path as the package has it.
        name: String,
        /// Reason why it is refused.
        why: String,
    },
    /// The system failed, not the package.
    #[error("cannot {doing}")]
    Io {
        /// Action that failed.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl InstallerError {
    pub(super) fn damaged(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged {
            place: place.into(),
            what: what.into(),
        }
    }

    pub(super) fn table(table: &str, what: impl Into<String>) -> Self {
        Self::damaged(format!("the table `{table}`"), what)
    }

    pub(super) fn refused(name: &str, why: impl Into<String>) -> Self {
        Self::Unsafe {
            name: name.to_owned(),
            why: Escaped(&why.into()).to_string(),
        }
    }

    /// Returns the error of a failed read: a part that contradicts itself or ends too early is the
    /// package's fault, anything else the system's.
    pub(super) fn reading(place: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged(place, "it ends too early"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => {
                Self::damaged(place, Escaped(&source.to_string()).to_string())
            }
            _ => Self::Io {
                doing: format!("read {place}"),
                source,
            },
        }
    }

    pub(super) fn writing(path: &RelPath, source: io::Error) -> Self {
        Self::Io {
            doing: format!("write `{}`", Escaped(path.as_str())),
            source,
        }
    }
}
