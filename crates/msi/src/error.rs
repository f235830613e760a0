//! Errors of reading a package.

use std::io;

use rollup_names::{Escaped, FileName, RelPath};

/// Reason why a package cannot be read. The caller names the package.
#[derive(Debug, thiserror::Error)]
pub enum InstallerError {
    /// The file is not a package.
    #[error("this is not a Windows Installer package: {0}")]
    NotAPackage(&'static str),
    /// It is a package, but parts of it contradict each other or end too early.
    #[error("{label} is damaged: {reason}")]
    Damaged {
        /// Part of the package, such as ``the table `File` ``.
        label: String,
        reason: String,
    },
    /// The package may be valid, but it needs something that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A cabinet of the package is missing from the directory of the package.
    #[error("the cabinet `{}` is missing from the directory of the package", Escaped(.0.as_str()))]
    MissingCabinet(FileName),
    /// A name leads out of the target directory, or some system takes it for another name.
    #[error("`{}` cannot be unpacked: {reason}", Escaped(.name))]
    Unsafe {
        /// Name or path as the package has it.
        name: String,
        reason: String,
    },
    /// The system failed; the package is not at fault.
    #[error("cannot {action}")]
    Io { action: String, source: io::Error },
}

impl InstallerError {
    pub(super) fn damaged(label: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged {
            label: label.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn damaged_table(table: &str, reason: impl Into<String>) -> Self {
        Self::damaged(format!("the table `{table}`"), reason)
    }

    pub(super) fn unsafe_name(name: &str, reason: impl Into<String>) -> Self {
        Self::Unsafe {
            name: name.to_owned(),
            reason: Escaped(&reason.into()).to_string(),
        }
    }

    /// Returns the error for a failed read.
    ///
    /// Invalid data and an early end are damage of the package; any other error is one of the
    /// system.
    pub(super) fn reading(label: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged(label, "it ends too early"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => {
                Self::damaged(label, Escaped(&source.to_string()).to_string())
            }
            _ => Self::Io {
                action: format!("read {label}"),
                source,
            },
        }
    }

    pub(super) fn writing(path: &RelPath, source: io::Error) -> Self {
        Self::Io {
            action: format!("write `{}`", Escaped(path.as_str())),
            source,
        }
    }
}
