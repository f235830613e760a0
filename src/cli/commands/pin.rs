//! `pin`: pins the SHA-256 of every payload file in the manifest.

use anyhow::bail;

use crate::cli::args::PinArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::terminal::out::{self, count};
use crate::deployment::description::Description;
use crate::document::{Code, Severity};
use crate::manifest::{self, Manifest};
use crate::names::{Digest, PayloadPath};
use crate::payload::{Payload, PayloadFacts, compare, not_utf8};

/// Runs `rollup pin`.
pub(super) fn pin(args: &PinArgs) -> anyhow::Result<Exit> {
    let path = args.manifest.as_path();
    let description = match &args.deployment {
        Some(path) => Some(inputs::open_described(Some(path))?.description),
        None => None,
    };
    let loaded = inputs::manifest(path, description.as_ref())?;
    let output = OutputFile::new(path, &[], IfExists::Replace)?;
    let kb = loaded.manifest.rollup.kb;
    let directory = inputs::payload_directory(args.payload.payload.as_deref(), path, kb)?;
    let Some(directory) = directory else {
        bail!(inputs::no_payload(kb, "manifest"));
    };
    out::message(format_args!("payload {}", directory.display()));
    let payload = Payload::open(&directory)?;
    let facts = payload.facts_in(&loaded.manifest.file_table(), &inputs::hashing_payload());
    let mut unpinned = loaded.manifest;
    for row in &mut unpinned.files {
        row.sha256 = None;
    }
    let pins = pins(&unpinned, description.as_ref(), &facts)?;
    let text = loaded.source.text();
    let pinned = manifest::add_pins(text, &pins);
    let pinned = pinned.map_err(|error| Failure::caused(Exit::Invalid, &error))?;
    if pinned == text {
        let files = count(pins.len(), "file is", "files are");
        out::line(format_args!("nothing to do: {files} pinned already"));
        return Ok(Exit::Ok);
    }
    let name = path.display();
    // The file may have been changed while the payload was read.
    if inputs::source(path)?.text() != text {
        let reason = format!("`{name}` was changed while the payload was read");
        bail!(Failure::new(Exit::StalePlan, reason).next("run the same command again"));
    }
    output.write(&pinned)?;
    let files = count(pins.len(), "file", "files");
    out::line(format_args!("pinned {files} in {name}"));
    Ok(Exit::Ok)
}

/// Returns pins only for files that match name, size and product of the table; reports all reasons
/// at once.
fn pins(
    manifest: &Manifest,
    description: Option<&Description>,
    facts: &PayloadFacts,
) -> Result<Vec<(PayloadPath, Digest)>, Failure> {
    let mut reasons: Vec<String> = Vec::new();
    let mut pins = Vec::new();
    for row in &manifest.files {
        let name = &row.name;
        let found = facts.files.get(&name.case_folded());
        match found.map(|found| &found.facts) {
            Some(Ok(found)) => pins.push((name.clone(), found.sha256)),
            Some(Err(fault)) => reasons.push(format!("`{name}` cannot be pinned: {fault}")),
            None => reasons.push(format!("`{name}` is missing from the payload")),
        }
    }
    for name in &facts.unreadable {
        reasons.push(not_utf8(name));
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
