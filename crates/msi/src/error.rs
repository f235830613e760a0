//! Errors of reading a package.

use std::io;

use rollup_names::{Escaped, RelPath};

/// Reason why a package cannot be read or installed from. The caller names the package.
#[derive(Debug, thiserror::Error)]
pub enum InstallerError {
    /// The file is not a package; the text says what it is.
    #[error("this is not a Windows Installer package: {0}")]
    NotAPackage(String),
    /// Windows Installer would refuse it, too: parts of it contradict each other or end too early.
    #[error("{label} is damaged: {reason}")]
    Damaged {
        /// Part of the package, such as ``the table `File` ``.
        label: String,
        reason: String,
    },
    /// The package may be valid, but it needs something that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Windows Installer may install it, but the result is not certain enough to install it here.
    #[error("{label} is not accepted: {reason}")]
    NotAccepted {
        /// Part of the package, such as ``the file `d/one.dll` ``.
        label: String,
        reason: String,
    },
    /// Files that must be beside the package are not there.
    #[error("{} missing from the directory of the package", missing(.0))]
    Missing(Vec<RelPath>),
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

/// Returns the names of the missing files, with the verb.
fn missing(files: &[RelPath]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| format!("`{}`", Escaped(file.as_str())))
        .collect();
    let verb = if files.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

impl InstallerError {
    pub(crate) fn damaged(label: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged {
            label: label.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged_table(table: &str, reason: impl Into<String>) -> Self {
        Self::damaged(format!("the table `{table}`"), reason)
    }

    pub(crate) fn not_accepted(label: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::NotAccepted {
            label: label.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn unsafe_name(name: &str, reason: impl Into<String>) -> Self {
        Self::Unsafe {
            name: name.to_owned(),
            reason: Escaped(&reason.into()).to_string(),
        }
    }

    /// Returns the error for a failed read.
    ///
    /// Invalid data and an early end are damage of the package; any other error is one of the
    /// system.
    pub(crate) fn reading(label: &str, source: io::Error) -> Self {
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

    pub(crate) fn writing(path: &RelPath, source: io::Error) -> Self {
        Self::Io {
            action: format!("write `{}`", Escaped(path.as_str())),
            source,
        }
    }
}
