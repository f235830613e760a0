//! `--fix`: corrections are written into the documents that the command line names.

use super::gather::Gathered;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::OutputFile;
use crate::deployment::description::Description;
use crate::validation::{Corrected, Correction, LintLevels, ValidationContext, corrected};

/// Corrects the documents of a command, and writes each that has corrections, atomically. Every file
/// is checked before the first one is written.
///
/// # Errors
///
/// A document is standard input or in a deployment: 64. A file cannot be written, or was changed in
/// the meantime: 74; those before it are corrected.
pub(super) fn fix(
    gathered: &mut Gathered,
    deployment: Option<&Description>,
    levels: &LintLevels,
) -> Result<Vec<Correction>, Failure> {
    if gathered.read_standard_input {
        return Err(Failure::usage("standard input cannot be corrected")
            .next("name the file in place of `-`"));
    }
    let against = ValidationContext {
        deployment,
        ..ValidationContext::default()
    };
    let mut changed: Vec<(usize, OutputFile, Corrected)> = Vec::new();
    for (at, document) in gathered.documents.iter().enumerate() {
        let Some(path) = &document.path else { continue };
        let corrected = corrected(&document.source, document.kind, &against, levels);
        if !corrected.corrections.is_empty() {
            changed.push((at, OutputFile::in_place(path)?, corrected));
        }
    }
    let mut corrections = Vec::new();
    for (at, output, corrected) in changed {
        let document = &mut gathered.documents[at];
        if let Some(path) = &document.path
            && inputs::source(path)?.text() != document.source.text()
        {
            let reason = format!("`{}` was changed while it was checked", path.display());
            return Err(Failure::io(reason).next("run the same command again"));
        }
        output.write(corrected.source.text())?;
        document.source = corrected.source;
        corrections.extend(corrected.corrections);
    }
    Ok(corrections)
}
