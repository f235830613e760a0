//! Saved plans: written for a review, and read to be printed, compared or applied.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::PlanChoices;
use super::exit::Exit;
use super::failure::Failure;
use super::output::OutputFile;
use super::typed::PlanCommand;
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
        let fail = |error| {
            Failure::new(
                Exit::Io,
                format_args!("cannot read `{}`: {error}", path.display()),
            )
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(fail(error).next("make the file readable for this user"));
            }
            // A missing manifest is reported by the code that reads manifests.
            Err(_) => return Ok(None),
        };
        let mut text = Vec::new();
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(None);
        }
        let mut file = file.take(LARGEST);
        file.by_ref()
            .take(64)
            .read_to_end(&mut text)
            .map_err(fail)?;
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Ok(None);
        }
        file.read_to_end(&mut text).map_err(fail)?;
        let fault = |fault: PlanFileError| {
            Failure::new(
                Exit::Invalid,
                format_args!("`{}` cannot be used: {fault}", path.display()),
            )
            .next("save the plan again: `rollup plan MANIFEST --save FILE`")
        };
        let text = String::from_utf8(text)
            .map_err(|_| fault(PlanFileError::NotAPlan("it is not UTF-8".to_owned())))?;
        let plan = Box::new(plan::parse(&text).map_err(fault)?);
        #[derive(Deserialize)]
        struct Beside {
            made_from: Option<PlanInputs>,
        }
        let beside: Beside = serde_json::from_str(&text)
            .map_err(|error| fault(PlanFileError::NotAPlan(error.to_string())))?;
        Ok(Some(Self {
            plan,
            made_from: beside.made_from,
        }))
    }

    /// Returns the manifest, the payload and the choices that the plan was made from.
    pub(super) fn origin(&self, path: &Path) -> Result<(PathBuf, PathBuf, PlanChoices), Failure> {
        let Some(made_from) = &self.made_from else {
            return Err(Failure::new(
                Exit::Usage,
                format_args!("`{}` is the plan of a run", path.display()),
            )
            .next("`rollup show` prints it; apply the manifest beside it"));
        };
        if !made_from.manifest.is_file() {
            let manifest = made_from.manifest.display();
            return Err(Failure::new(
                Exit::NoInput,
                format_args!("the manifest of the plan does not exist: `{manifest}`"),
            )
            .next("restore the manifest, or plan again"));
        }
        Ok((
            made_from.manifest.clone(),
            made_from.payload.clone(),
            made_from.choices,
        ))
    }
}

/// Writes a plan for a review. It replaces an older file of that name atomically.
pub(super) fn save(
    command: &PlanCommand,
    plan: &Plan,
    path: &Path,
    output: &OutputFile,
) -> Result<(), Failure> {
    let Some(digest) = &plan.digest else {
        return Err(Failure::new(
            Exit::Usage,
            "a preview without a payload has no digest and cannot be saved",
        )
        .next("pass the directory of the rollup's files: `--payload DIR`"));
    };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let made_from = PlanInputs {
        manifest: absolute(&command.path),
        payload: absolute(command.payload.as_deref().unwrap_or(Path::new("."))),
        choices: command.choices,
    };
    let text = views::plan::saved(plan, made_from).map_err(|error| {
        Failure::new(
            Exit::Io,
            format_args!("the plan cannot be written: {error}"),
        )
    })?;
    output.write(&format!("{}\n", text.trim_end()))?;
    out::message(format_args!(
        "plan {digest} saved to {}",
        out::shell_quoted(path)
    ));
    out::message(format_args!(
        "next: rollup apply {} -d {}",
        out::shell_quoted(path),
        out::shell_quoted(&command.deployment)
    ));
    Ok(())
}
