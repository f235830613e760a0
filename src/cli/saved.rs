//! Saved plans: written for a review, and read to be printed, compared or applied.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::advice::TypedCommand;
use super::args::PlanChoices;
use super::failure::Failure;
use super::job::Job;
use super::output::OutputFile;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::cli::views::plan::PlanInputs;
use crate::plan::{self, Plan, PlanFileError};

/// Largest plan that is read, in bytes. One of ten thousand instances has some tens of megabytes.
const LARGEST: u64 = 1 << 30;

/// Plan that was read from a file.
#[derive(Debug, Clone)]
pub(super) struct SavedPlan {
    pub(super) plan: Box<Plan>,
    /// Inputs of the plan. The plan in a run's directory has none: the manifest is beside it.
    made_from: Option<PlanInputs>,
}

impl SavedPlan {
    /// Reads a saved plan, or returns `None` if the file is not one, such as a manifest.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(text) = json_text(path)? else {
            return Ok(None);
        };
        let parsed = String::from_utf8(text)
            .map_err(|_| PlanFileError::NotAPlan("it is not UTF-8".to_owned()))
            .and_then(Self::parse);
        parsed.map(Some).map_err(|fault| {
            let reason = format!("`{}` cannot be used: {fault}", path.display());
            Failure::invalid(reason).next("save the plan again: `rollup plan MANIFEST --save FILE`")
        })
    }

    fn parse(text: String) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct Beside {
            made_from: Option<PlanInputs>,
        }
        let plan = Box::new(plan::parse(&text)?.without_secrets());
        match serde_json::from_str(&text) {
            Ok(Beside { made_from }) => Ok(Self { plan, made_from }),
            Err(error) => Err(PlanFileError::NotAPlan(error.to_string())),
        }
    }

    /// Returns the manifest, the payload and the choices that the plan was made from.
    pub(super) fn origin(
        &self,
        path: &Path,
    ) -> Result<(PathBuf, Option<PathBuf>, PlanChoices), Failure> {
        let Some(made_from) = &self.made_from else {
            let reason = format!("`{}` is the plan of a run", path.display());
            return Err(Failure::usage(reason)
                .next("`rollup show` prints it; apply the manifest beside it"));
        };
        let PlanInputs {
            manifest,
            payload,
            choices,
        } = made_from.clone();
        if !manifest.is_file() {
            let manifest = manifest.display();
            let reason = format!("the manifest of the plan does not exist: `{manifest}`");
            return Err(Failure::no_input(reason).next("restore the manifest, or plan again"));
        }
        Ok((manifest, payload, choices))
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
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let made_from = PlanInputs {
        manifest: job
            .typed
            .manifest
            .as_ref()
            .map(absolute)
            .unwrap_or_default(),
        payload: job.typed.payload.as_ref().map(absolute),
        choices: job.choices,
    };
    let text = views::plan::saved(plan, made_from).map_err(|error| {
        let reason = format!("the plan cannot be written: {error}");
        Failure::io(reason)
    })?;
    output.write(&format!("{}\n", text.trim_end()))?;
    let path = out::shell_quoted(path);
    out::message(format_args!("plan {digest} saved to {path}"));
    let next = TypedCommand::on(job.tree().path()).command(&format!("apply {path}"));
    out::message(format_args!("next: {next}"));
    Ok(())
}
