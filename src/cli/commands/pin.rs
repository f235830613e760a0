//! `pin`: pins the SHA-256 of every payload file in the manifest.

use anyhow::bail;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, PinArgs};
use crate::cli::envelope::{Envelope, show};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::result::report_dry_run;
use crate::cli::terminal::out::{self, count, count_of};
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
    let pinned =
        manifest::add_pins(text, &pins).map_err(|error| Failure::caused(Exit::Invalid, &error))?;
    let name = path.display();
    let document = PinDocument {
        manifest: name.to_string(),
        files: pins.iter().map(PinnedFile::of).collect(),
    };
    if pinned == text {
        let files = count_of(pins.len(), "file is", "files are");
        out::line(format_args!("nothing to do: {files} pinned already"));
        if args.format == Format::Json {
            Envelope::nothing(document).print();
        }
        return Ok(Exit::Ok);
    }
    // The file may have been changed while the payload was read.
    if inputs::source(path)?.text() != text {
        let reason = format!("`{name}` was changed while the payload was read");
        bail!(Failure::new(Exit::StalePlan, reason).next("run the same command again"));
    }
    let files = count(pins.len(), "file");
    if args.dry_run.dry_run {
        for PinnedFile { name, sha256 } in &document.files {
            out::line(format_args!("{sha256}  {name}"));
        }
        out::line(format_args!("would pin {files} in {name}"));
        report_dry_run();
    } else {
        output.write(&pinned)?;
        out::line(format_args!("pinned {files} in {name}"));
    }
    show(args.format, Exit::Ok, document, |_| {});
    Ok(Exit::Ok)
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Pins of a manifest")]
pub(in crate::cli) struct PinDocument<'a> {
    manifest: String,
    /// Files that are pinned, with `--dry-run` those that would be, in the order of the file table.
    files: Vec<PinnedFile<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct PinnedFile<'a> {
    name: &'a PayloadPath,
    sha256: Digest,
}

impl<'a> PinnedFile<'a> {
    fn of((name, sha256): &'a (PayloadPath, Digest)) -> Self {
        Self {
            name,
            sha256: *sha256,
        }
    }
}

/// Returns pins only for files that match name, size and product of the table; reports all reasons
/// at once.
fn pins(
    manifest: &Manifest,
    description: Option<&Description>,
    facts: &PayloadFacts,
) -> Result<Vec<(PayloadPath, Digest)>, Failure> {
    let mut reasons: Vec<String> = Vec::new();
    let mut helps: Vec<String> = Vec::new();
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
            _ => {
                reasons.push(difference.message);
                helps.extend(difference.help.map(str::to_owned));
            }
        }
    }
    reasons.sort();
    reasons.dedup();
    if reasons.is_empty() {
        return Ok(pins);
    }
    let failure = Failure::because(Exit::Mismatch, reasons);
    Err(helps.into_iter().fold(failure, Failure::next))
}
