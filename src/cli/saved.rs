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
use super::signed::requires_approvals;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::newer::INSTALL_NEWER;
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
    /// Signature of the manifest.
    pub(super) manifest_signature: Option<String>,
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
            Failure::invalid(reason).next(match fault {
                PlanFileError::TooNew(_) => INSTALL_NEWER,
                _ => "save the plan again: `rollup plan MANIFEST --save FILE`",
            })
        })
    }

    /// Reads a plan that was changed after it was saved, with its manifest, to name the changes.
    pub(super) fn read_changed(path: &Path) -> Option<(Plan, Source)> {
        let document = PlanFile::parse(&json_text(path).ok()??).ok()?;
        let plan = plan::parse_changed(&document.plan)?;
        Some((
            plan,
            manifest_source(document.manifest_text?.as_str()?, path),
        ))
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self, PlanFileError> {
        let PlanFile {
            plan,
            manifest_text,
            manifest_signature,
        } = PlanFile::parse(text)?;
        let plan = Box::new(plan::parse_value(&plan)?);
        let manifest_signature = match manifest_signature {
            None => None,
            Some(Value::String(signature)) => Some(signature),
            Some(_) => return Err(PlanFileError::Unknown("manifest_signature".to_owned())),
        };
        let Some(manifest_text) = manifest_text else {
            return Ok(Self {
                plan,
                manifest: None,
                manifest_signature,
            });
        };
        let text = manifest_text.as_str().ok_or(PlanFileError::OtherManifest)?;
        let source = manifest_source(text, path);
        let meaning =
            manifest::parse(&source, &mut Findings::default()).map(|manifest| manifest.meaning());
        if meaning.is_none() || meaning != plan.rollup().map(|rollup| rollup.manifest) {
            return Err(PlanFileError::OtherManifest);
        }
        Ok(Self {
            plan,
            manifest: Some(source),
            manifest_signature,
        })
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

/// Contents of a saved plan: the plan, and what is kept beside it.
struct PlanFile {
    plan: Value,
    manifest_text: Option<Value>,
    manifest_signature: Option<Value>,
}

impl PlanFile {
    fn parse(text: &[u8]) -> Result<Self, PlanFileError> {
        let mut plan: Value = serde_json::from_slice(text)
            .map_err(|error| PlanFileError::NotAPlan(error.to_string()))?;
        let (mut manifest_text, mut manifest_signature) = (None, None);
        if let Some(keys) = plan.as_object_mut() {
            manifest_text = keys.remove("manifest_text");
            manifest_signature = keys.remove("manifest_signature");
            for key in PRINTED_KEYS {
                keys.remove(key);
            }
        }
        Ok(Self {
            plan,
            manifest_text,
            manifest_signature,
        })
    }
}

fn manifest_source(text: &str, path: &Path) -> Source {
    let name = format!("the manifest in {}", escaped_path(path));
    Source::from_bytes(name, text.into())
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
    file.by_ref()
        .take(64)
        .read_to_end(&mut text)
        .map_err(fail)?;
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
    let text = views::plan::saved(plan, job.loaded.source.text(), job.manifest_signature());
    output.write(&format!("{}\n", text.trim_end()))?;
    let path = out::shell_quoted(path);
    out::message(format_args!("plan {digest} saved to {path}"));
    let typed = TypedCommand {
        payload: job.typed.payload.clone(),
        ..TypedCommand::on(job.tree().path())
    };
    let next = if requires_approvals(&job.site.description) {
        format!("rollup approve {path}")
    } else {
        typed.command(&format!("apply {path}"))
    };
    out::message(format_args!("next: {next}"));
    Ok(())
}
