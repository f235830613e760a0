//! Saved plans: written for a review, shown again, and compared when they are applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::{self, Choices};
use super::exit::{Exit, Failure};
use super::job::Job;
use super::output::OutputFile;
use crate::cli::preview::{self, MadeFrom};
use crate::cli::terminal::out::{self, typed};
use crate::deployment::tree::Tree;
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::{
    self, Operation, OperationKind, Plan, PlanFileError, Refusal, Source, SourceAt, TargetState,
};
use crate::run::moved;

/// Largest plan that is read, in bytes. One of ten thousand instances has some tens of megabytes.
const LARGEST: u64 = 1 << 30;

/// Largest number of different operations that are listed; more are counted.
const NAMED: usize = 8;

/// Plan that was read from a file.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) plan: Box<Plan>,
    /// Origin of the plan. The plan in a run's directory has none: the manifest is beside it.
    made_from: Option<MadeFrom>,
}

impl Saved {
    /// Reads a saved plan, or returns `None` if the file is something else, as a manifest is.
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
                return Err(fail(error)
                    .now("nothing was begun")
                    .next("let whoever runs this read it"));
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
            .now("nothing was begun")
            .next("save the plan anew: `rollup plan MANIFEST --save FILE`")
        };
        let text = String::from_utf8(text)
            .map_err(|_| fault(PlanFileError::NotAPlan("it is not UTF-8".to_owned())))?;
        let plan = Box::new(plan::parse(&text).map_err(fault)?);
        #[derive(Deserialize)]
        struct Beside {
            made_from: Option<MadeFrom>,
        }
        let beside: Beside = serde_json::from_str(&text)
            .map_err(|error| fault(PlanFileError::NotAPlan(error.to_string())))?;
        Ok(Some(Self {
            plan,
            made_from: beside.made_from,
        }))
    }

    /// Returns the manifest, the payload and the choices that the plan was made from.
    pub(super) fn origin(&self, path: &Path) -> Result<(PathBuf, PathBuf, Choices), Failure> {
        let Some(made_from) = &self.made_from else {
            return Err(Failure::new(
                Exit::Usage,
                format_args!("`{}` is the plan of a run", path.display()),
            )
            .next("`rollup show` shows it; the manifest beside it can be applied"));
        };
        if !made_from.manifest.is_file() {
            let manifest = made_from.manifest.display();
            return Err(Failure::new(
                Exit::NoInput,
                format_args!("the manifest of the plan is gone: `{manifest}`"),
            )
            .now("nothing was begun")
            .next("put it back there, or plan anew"));
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
    job: &Job,
    plan: &Plan,
    path: &Path,
    output: &OutputFile,
) -> Result<(), Failure> {
    let Some(digest) = &plan.digest else {
        return Err(Failure::new(
            Exit::Usage,
            "a preview without a payload has no digest and cannot be saved",
        )
        .next("say where the rollup's files are: `--payload DIR`"));
    };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let made_from = MadeFrom {
        manifest: absolute(&job.typed),
        payload: absolute(job.payload.as_deref().unwrap_or(Path::new("."))),
        choices: job.choices,
    };
    let text = preview::saved(plan, made_from).map_err(|error| {
        Failure::new(
            Exit::Io,
            format_args!("the plan cannot be written: {error}"),
        )
    })?;
    output.write(&format!("{}\n", text.trim_end()))?;
    out::say(format_args!("plan {digest} is saved in {}", typed(path)));
    Ok(())
}

/// Runs `rollup show`.
pub(super) fn show(args: &args::Show) -> Result<Exit, Failure> {
    preview::sensible(&args.showing)?;
    let output = OutputFile::of(args.showing.output.as_deref(), &[&args.plan])?;
    if !args.plan.is_file() {
        let what = if args.plan.exists() {
            "is no file"
        } else {
            "is not there"
        };
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("`{}` {what}", args.plan.display()),
        )
        .next(
            "name a file that `rollup plan MANIFEST --save FILE` wrote, or the plan.json of a run",
        ));
    }
    let Some(saved) = Saved::read(&args.plan)? else {
        return Err(Failure::new(
            Exit::Invalid,
            format_args!("`{}` is no saved plan", args.plan.display()),
        )
        .next("`rollup plan MANIFEST --save FILE` saves one"));
    };
    if saved.plan.checksum.is_none() {
        out::warn(
            "an earlier version made the plan: its digest covers what it does, and not the words it is told in",
        );
    }
    preview::show(&saved.plan, &args.showing, Exit::Ok, output.as_ref())?;
    Ok(Exit::Ok)
}

/// Condition that a plan has to meet to be run.
#[derive(Debug, Clone, Default)]
pub(super) enum Approved {
    /// Any plan.
    #[default]
    Any,
    /// The plan with this digest.
    Digest(Digest),
    /// The plan that was saved.
    Saved(Box<Plan>),
}

impl Approved {
    /// Refuses any plan but the approved one.
    pub(super) fn check(&self, plan: &Plan, job: &Job) -> Result<(), Failure> {
        match self {
            Approved::Any => Ok(()),
            Approved::Digest(approval) => is_approved(plan, approval, job),
            Approved::Saved(saved) if saved.deployment != plan.deployment => {
                let (saved_for, here) = (Escaped(&saved.deployment), Escaped(&plan.deployment));
                Err(stale(
                    saved,
                    vec![format!(
                        "it is a plan for `{saved_for}`, and this is `{here}`"
                    )],
                    job,
                ))
            }
            Approved::Saved(saved) if plan.digest == saved.digest => Ok(()),
            Approved::Saved(saved) => {
                let mut reasons = touched(saved, job.tree());
                reasons.extend(decided_otherwise(saved, plan));
                Err(stale(saved, reasons, job))
            }
        }
    }

    /// Reports the refusal of a saved plan as a stale plan if what it depends on has changed.
    pub(super) fn refused(&self, refusal: &Refusal, failure: Failure, job: &Job) -> Failure {
        let Approved::Saved(saved) = self else {
            return failure;
        };
        let mut reasons = touched(saved, job.tree());
        if saved.rollup().map(|rollup| rollup.manifest) != Some(job.loaded.manifest.digest) {
            reasons.insert(0, "the manifest was changed since".to_owned());
        }
        if reasons.is_empty() {
            return failure;
        }
        reasons.extend(refusal.reasons.iter().map(|reason| reason.message.clone()));
        let mut stale = stale(saved, reasons, job);
        stale.next.extend(failure.next);
        stale
    }
}

/// Refuses a plan that is not the approved one.
pub(super) fn is_approved(plan: &Plan, approval: &Digest, job: &Job) -> Result<(), Failure> {
    if plan.digest.as_ref() == Some(approval) {
        return Ok(());
    }
    let digest = plan
        .digest
        .as_ref()
        .map_or("without a digest".to_owned(), ToString::to_string);
    let reason = format!("the plan is {digest} now, and {approval} was approved");
    Err(Failure::new(Exit::StalePlan, reason)
        .now("nothing of the deployment has changed")
        .next(format!(
            "`{}` shows what it would do now",
            job.again("plan")
        )))
}

fn stale(saved: &Plan, mut reasons: Vec<String>, job: &Job) -> Failure {
    let digest = saved.digest.as_ref().map(Digest::short).unwrap_or_default();
    let mut failure = Failure::new(
        Exit::StalePlan,
        format_args!("the saved plan {digest} is stale"),
    );
    if reasons.is_empty() {
        reasons.push("planning again gives another plan".to_owned());
    }
    failure.reasons.append(&mut reasons);
    let mut now = job.again_with(&job.typed_manifest(), "plan");
    now.push_str(" --save FILE");
    failure
        .now("nothing of the deployment has changed")
        .next(format!("`{now}` makes a plan of what is true now"))
}

/// Describes what the plan touches and has changed since the plan saw it.
fn touched(saved: &Plan, tree: &Tree) -> Vec<String> {
    moved(tree, saved)
        .unwrap_or_default()
        .into_iter()
        .map(|what| format!("since it was saved, {what}"))
        .collect()
}

/// Describes what else decides a plan and is different: the manifest, the payload, unmanaged files,
/// the applied rollups, and the operations.
fn decided_otherwise(saved: &Plan, now: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if saved.rollup().map(|rollup| rollup.manifest) != now.rollup().map(|rollup| rollup.manifest) {
        reasons.push("the manifest was changed since".to_owned());
    }
    let sources: BTreeMap<&SourceAt, &Source> = now
        .sources
        .iter()
        .map(|source| (&source.at, source))
        .collect();
    for source in &saved.sources {
        let SourceAt::Payload { name } = &source.at else {
            continue;
        };
        let other = sources.get(&source.at);
        if other.is_some_and(|other| other.sha256 != source.sha256) {
            reasons.push(format!("`{name}` in the payload is another file than then"));
        }
    }
    let unmanaged = |plan: &Plan| -> BTreeSet<RelPath> {
        plan.swaps
            .iter()
            .flat_map(|swap| swap.unmanaged.iter().cloned())
            .collect()
    };
    let (then, today) = (unmanaged(saved), unmanaged(now));
    reasons.extend(
        today
            .difference(&then)
            .map(|path| format!("`{path}` is an operator's file that came since")),
    );
    reasons.extend(
        then.difference(&today)
            .map(|path| format!("`{path}`, an operator's file, is gone since")),
    );
    if saved.applied.before != now.applied.before {
        let shown = |applied: &[crate::names::Kb]| match applied {
            [] => "nothing".to_owned(),
            applied => applied
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        reasons.push(format!(
            "in force was {}, and now is {}",
            shown(&saved.applied.before),
            shown(&now.applied.before)
        ));
    }
    let named = |operation: &Operation| {
        let on = operation
            .server
            .as_ref()
            .map(|server| format!(" on {server}"))
            .unwrap_or_default();
        format!(
            "{} `{}`{on}",
            operation.kind.word(),
            Escaped(&operation.target)
        )
    };
    let then: BTreeMap<(OperationKind, &RelPath), &TargetState> = saved
        .operations()
        .map(|one| ((one.kind, &one.at), &one.after))
        .collect();
    let other = now.operations().filter_map(|one| {
        let after = then
            .get(&(one.kind, &one.at))
            .filter(|after| ***after != one.after)?;
        Some(format!(
            "{}: then {}, now {}",
            named(one),
            preview::side(after),
            preview::side(&one.after)
        ))
    });
    let other: Vec<String> = other.collect();
    reasons.extend(bounded(other));
    let before: BTreeSet<String> = saved.operations().map(named).collect();
    let after: BTreeSet<String> = now.operations().map(named).collect();
    reasons.extend(some(
        after.difference(&before),
        "is to be done now and was not",
    ));
    reasons.extend(some(
        before.difference(&after),
        "was to be done and is not any more",
    ));
    reasons
}

fn some<'a>(operations: impl Iterator<Item = &'a String>, what: &str) -> Vec<String> {
    bounded(
        operations
            .map(|operation| format!("{operation} {what}"))
            .collect(),
    )
}

/// Returns the first few, and how many more there are.
fn bounded(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}
