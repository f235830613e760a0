//! `pin`: pins the SHA-256 of every payload file in the manifest.

use crate::cli::args::PinArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::terminal::out::{self, count};
use crate::deployment::description::Description;
use crate::document::{Code, Severity};
use crate::manifest::{self, Manifest};
use crate::names::{Digest, FileName};
use crate::payload::{PayloadFacts, compare};

/// Runs `rollup pin`.
pub(super) fn pin(args: &PinArgs) -> anyhow::Result<Exit> {
    let description = match &args.deployment {
        Some(path) => Some(inputs::open_described(Some(path))?.description),
        None => None,
    };
    let loaded = inputs::manifest(&args.manifest, description.as_ref())?;
    let output = OutputFile::new(&args.manifest, &[], IfExists::Replace)?;
    let kb = loaded.manifest.rollup.kb;
    let Some(directory) =
        inputs::payload_directory(args.payload.payload.as_deref(), &args.manifest, kb)?
    else {
        return Err(Failure::new(
            Exit::Usage,
            format_args!(
                "no payload was given, and there is no directory `{kb}` beside the manifest"
            ),
        )
        .next("name the directory of the rollup's files: `--payload DIR`")
        .into());
    };
    out::message(format_args!("payload {}", directory.display()));
    let facts = inputs::payload(&directory)?.facts(&loaded.manifest.file_table());
    let mut unpinned = loaded.manifest.clone();
    unpinned.files.iter_mut().for_each(|row| row.sha256 = None);
    let pins = pins(&unpinned, description.as_ref(), &facts)?;
    let text = loaded.source.text();
    let pinned =
        manifest::add_pins(text, &pins).map_err(|error| Failure::caused(Exit::Invalid, &error))?;
    if pinned == text {
        out::line(format_args!(
            "nothing to do: {} pinned already",
            count(pins.len(), "file is", "files are")
        ));
        return Ok(Exit::Ok);
    }
    // The file may have been changed while the payload was read.
    if inputs::source(&args.manifest)?.text() != text {
        return Err(Failure::new(
            Exit::StalePlan,
            format_args!(
                "`{}` was changed while the payload was read",
                args.manifest.display()
            ),
        )
        .next("run the same command again")
        .into());
    }
    output.write(&pinned)?;
    out::line(format_args!(
        "pinned {} in {}",
        count(pins.len(), "file", "files"),
        args.manifest.display()
    ));
    Ok(Exit::Ok)
}

/// Returns pins only for files that match name, size and product of the table; reports all reasons
/// at once.
fn pins(
    manifest: &Manifest,
    description: Option<&Description>,
    facts: &PayloadFacts,
) -> Result<Vec<(FileName, Digest)>, Failure> {
    let mut reasons: Vec<String> = Vec::new();
    let mut pins = Vec::new();
    for row in &manifest.files {
        match facts
            .files
            .get(&row.name.case_folded())
            .map(|fact| &fact.facts)
        {
            Some(Ok(found)) => pins.push((row.name.clone(), found.sha256)),
            Some(Err(fault)) => reasons.push(format!("`{}` cannot be pinned: {fault}", row.name)),
            None => reasons.push(format!("`{}` is missing from the payload", row.name)),
        }
    }
    for difference in compare(&manifest.file_table(), description, facts) {
        match difference.code {
            // Every row is pinned, so every file has to exist; missing ones are reported above.
            Code::MissingFile | Code::NotAFile | Code::ExtraFile => {}
            Code::WrongDate => out::warn(&difference.message),
            // An installer that is only copied need not be readable.
            Code::NotAnInstaller | Code::UnusableInstaller
                if difference.level == Severity::Warning =>
            {
                out::warn(&difference.message);
            }
            _ => reasons.push(difference.message),
        }
    }
    reasons.sort();
    reasons.dedup();
    if reasons.is_empty() {
        return Ok(pins);
    }
    Err(Failure::because(Exit::Mismatch, reasons))
}
