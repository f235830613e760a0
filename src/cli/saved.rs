//! Saved plans: written for a review, and read to be printed, compared or applied.
//!
//! A saved plan has the text of its manifest, and no path: it can be used from any directory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde_json::Value;

use super::advice::TypedCommand;
use super::failure::Failure;
use super::job::Job;
use super::near_misses;
use super::output::OutputFile;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::document::{Findings, Source};
use crate::manifest;
use crate::names::escaped_path;
use crate::plan::{self, Plan, PlanFileError};
use crate::validation::OtherDocument;

/// Largest plan that is read, in bytes. One of ten thousand instances has some tens of megabytes.
const LARGEST: u64 = 1 << 30;

/// Keys that a command adds to a plan that it prints.
const PRINTED_KEYS: [&str; 3] = ["outcome", "exit_code", "changed"];

/// Plan that was read from a file.
#[derive(Debug, Clone)]
pub(super) struct SavedPlan {
    pub(super) plan: Box<Plan>,
    /// Manifest that the plan was made from. The plan in a run's directory has none: the manifest is
    /// beside it.
    manifest: Option<Source>,
}

impl SavedPlan {
    /// Reads a saved plan, or returns `None` if the file is not one, such as a manifest.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(text) = json_text(path)? else {
            return Ok(None);
        };
        Self::parse(&text, path).map(Some).map_err(|fault| {
            let source = Source::from_bytes(escaped_path(path), text);
            if let Some(OtherDocument::Events) = OtherDocument::of(&source) {
                return near_misses::not_a_manifest(source.name(), OtherDocument::Events);
            }
            let reason = format!("`{}` cannot be used: {fault}", path.display());
            Failure::invalid(reason).next("save the plan again: `rollup plan MANIFEST --save FILE`")
        })
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self, PlanFileError> {
        let not_a_plan = |error: serde_json::Error| PlanFileError::NotAPlan(error.to_string());
        let mut document: Value = serde_json::from_slice(text).map_err(not_a_plan)?;
        let mut manifest_text = None;
        if let Some(keys) = document.as_object_mut() {
            manifest_text = keys.remove("manifest_text");
            for key in PRINTED_KEYS {
                keys.remove(key);
            }
        }
        let plan = Box::new(plan::parse_value(&document)?);
        let Some(manifest_text) = manifest_text else {
            let manifest = None;
            return Ok(Self { plan, manifest });
        };
        let text = manifest_text.as_str().ok_or(PlanFileError::OtherManifest)?;
        let name = format!("the manifest in {}", escaped_path(path));
        let source = Source::from_bytes(name, text.into());
        let parsed = manifest::parse(&source, &mut Findings::default());
        let meaning = parsed.map(|manifest| manifest.meaning());
        if meaning.is_none() || meaning != plan.rollup().map(|rollup| rollup.manifest) {
            return Err(PlanFileError::OtherManifest);
        }
        let manifest = Some(source);
        Ok(Self { plan, manifest })
    }

    /// Returns the manifest that the plan was made from.
    ///
    /// # Errors
    ///
    /// The plan is not a saved one.
    pub(super) fn manifest(&self, path: &Path) -> Result<&Source, Failure> {
        self.manifest.as_ref().ok_or_else(|| {
            let reason = format!("`{}` has no text of a manifest", path.display());
            Failure::usage(reason).next(
                "`rollup show` prints it; a plan that `rollup plan MANIFEST --save FILE` wrote can \
                 be applied",
            )
        })
    }
}

/// Reads a file that begins like a JSON object, and nothing of any other file.
fn json_text(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let fail = |error| {
        let reason = format!("cannot read `{}`: {error}", path.display());
        Failure::io(reason)
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(fail(error).next("make the file readable for this user"));
        }
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => file,
        // A missing manifest is reported by the code that reads manifests.
        _ => return Ok(None),
    };
    let mut file = file.take(LARGEST);
    let mut text = Vec::new();
    let head = file.by_ref().take(64).read_to_end(&mut text);
    head.map_err(fail)?;
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    file.read_to_end(&mut text).map_err(fail)?;
    Ok(Some(text))
}

/// Writes a plan for a review. It replaces an older file of that name atomically.
pub(super) fn save(
    job: &Job,
    plan: &Plan,
    path: &Path,
    output: &OutputFile,
) -> Result<(), Failure> {
    let Some(digest) = &plan.digest else {
        let reason = "a preview without a payload has no digest and cannot be saved";
        return Err(Failure::usage(reason)
            .next("pass the directory of the rollup's files: `--payload DIR`"));
    };
    let text = views::plan::saved(plan, job.loaded.source.text());
    output.write(&format!("{}\n", text.trim_end()))?;
    let path = out::shell_quoted(path);
    out::message(format_args!("plan {digest} saved to {path}"));
    let typed = TypedCommand {
        payload: job.typed.payload.clone(),
        ..TypedCommand::on(job.tree().path())
    };
    let next = typed.command(&format!("apply {path}"));
    out::message(format_args!("next: {next}"));
    Ok(())
}
