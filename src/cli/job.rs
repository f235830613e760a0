//! The part that `plan`, `stage` and `apply` share: reading everything that a plan is made from,
//! planning, and asking for confirmation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::answers::confirmations;
use super::approval::{ExpectedPlan, check_digest};
use super::args::{Format, PlanChoices, PlanningArgs};
use super::ending::report_cleared_runs;
use super::envelope::Envelope;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::{self, DescribedDeployment, LoadedManifest};
use super::next::NextCommands;
use super::saved::SavedPlan;
use super::state_now::take_lock;
use super::typed::PlanCommand;
use crate::cli::terminal::out;
use crate::cli::terminal::prompts;
use crate::cli::views;
use crate::cli::views::plan::Reasons;
use crate::deployment::applied::AppliedRecord;
use crate::deployment::fault_injection::FaultInjector;
use crate::deployment::lock::holder;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{OpenRun, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{Run, runs};
use crate::names::Digest;
use crate::payload::{Payload, PayloadFacts};
use crate::plan::{
    Downgrade, IncludeMissing, NothingToDo, Options, Plan, Planned, Reapply, Refusal, interest,
};
use crate::run::{
    self, Risk, RunError, changes_since_plan, clear_interrupted_staging, load_plan, preflight, risk,
};

impl From<PlanChoices> for Options {
    fn from(choices: PlanChoices) -> Self {
        Self {
            include_missing: if choices.include_missing {
                IncludeMissing::Yes
            } else {
                IncludeMissing::No
            },
            reapply: if choices.reapply {
                Reapply::Yes
            } else {
                Reapply::No
            },
            downgrade: if choices.allow_downgrade {
                Downgrade::Allow
            } else {
                Downgrade::Refuse
            },
        }
    }
}

/// Everything that a plan is made from.
pub(super) struct Job {
    pub(super) loaded: LoadedManifest,
    pub(super) site: DescribedDeployment,
    pub(super) options: Options,
    pub(super) command: PlanCommand,
    expected: ExpectedPlan,
}

/// Options for the first part of a command that writes: the lock, the plan and the prompt.
pub(super) struct BeginOptions<'a> {
    /// Command, as it is typed.
    pub(super) command: &'static str,
    /// Verb that begins the prompt: `Apply`.
    pub(super) verb: &'static str,
    /// Message if the answer is no: `not applied`.
    pub(super) declined: &'static str,
    pub(super) yes: bool,
    pub(super) confirm: &'a [String],
    pub(super) preview: Preview,
    /// Command line that does the same again, without `--confirm`.
    pub(super) retry_command: String,
    /// Time to wait for the lock.
    pub(super) wait: Duration,
    /// Fault injector of a rehearsal.
    pub(super) injector: Option<Arc<dyn FaultInjector>>,
}

/// Choice to print the plan before the prompt, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preview {
    Printed,
    Omitted,
}

/// Plan for a deployment that is locked, so that no other process changes it.
pub(super) struct LockedPlan {
    pub(super) disk: LockedDeployment,
    /// Command and rollup of this process, for processes that wait for the lock.
    pub(super) doing: String,
    pub(super) payload: Option<Payload>,
    pub(super) plan: Box<Plan>,
    /// Run that is already staged with the same plan.
    pub(super) staged: Option<Run>,
}

impl Job {
    /// Reads a manifest, or a saved plan, which planning again must then reproduce.
    pub(super) fn from_args(args: &PlanningArgs) -> anyhow::Result<Self> {
        let PlanningArgs {
            manifest,
            deployment,
            payload,
            choices,
        } = args;
        let (deployment, payload) = (deployment.deployment.as_deref(), payload.payload.as_deref());
        let Some(saved) = SavedPlan::read(manifest)? else {
            return Self::open(manifest, deployment, payload, *choices);
        };
        if *choices != PlanChoices::default() {
            return Err(
                Failure::new(Exit::Usage, "the options of a saved plan cannot be changed").next(
                    "leave out `--include-missing`, `--reapply` and `--allow-downgrade`, or plan \
                 again with them",
                ).into());
        }
        let (origin, recorded, choices) = saved.origin(manifest)?;
        let job = Self::open(
            &origin,
            deployment,
            Some(payload.unwrap_or(&recorded)),
            choices,
        )?;
        let expected = ExpectedPlan::Saved(saved.plan);
        let command = PlanCommand {
            path: manifest.clone(),
            manifest_of_plan: Some(origin),
            ..job.command
        };
        Ok(Self {
            command,
            expected,
            ..job
        })
    }

    /// Requires that the plan has this digest.
    pub(super) fn expect_digest(mut self, approved: Option<&Digest>) -> anyhow::Result<Self> {
        let Some(approved) = approved else {
            return Ok(self);
        };
        match &self.expected {
            // Planning must reproduce the saved plan, so the saved plan must be the approved one.
            ExpectedPlan::Saved(saved) => check_digest(saved, approved, &self.command)?,
            _ => self.expected = ExpectedPlan::Digest(*approved),
        }
        Ok(self)
    }

    pub(super) fn open(
        manifest: &Path,
        deployment: Option<&Path>,
        payload: Option<&Path>,
        choices: PlanChoices,
    ) -> anyhow::Result<Self> {
        let site = inputs::open_described(deployment)?;
        let loaded = inputs::manifest(manifest, Some(&site.description))?;
        let payload = inputs::payload_directory(payload, manifest, loaded.manifest.rollup.kb)?;
        let command = PlanCommand {
            path: manifest.to_owned(),
            manifest_of_plan: None,
            deployment: site.tree.path().to_owned(),
            payload,
            choices,
        };
        Ok(Self {
            loaded,
            site,
            options: choices.into(),
            command,
            expected: ExpectedPlan::Any,
        })
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.site.tree
    }

    /// Prints the first line: the deployment and the payload that a command works on.
    pub(super) fn announce(&self) {
        let payload = match &self.command.payload {
            Some(payload) => format!("payload {}", payload.display()),
            None => "no payload".to_owned(),
        };
        out::message(format_args!(
            "deployment {} ({}), {payload}",
            self.tree().path().display(),
            self.site.how
        ));
    }

    fn open_payload(&self) -> anyhow::Result<Option<(Payload, PayloadFacts)>> {
        let Some(directory) = &self.command.payload else {
            return Ok(None);
        };
        let payload = inputs::payload(directory)?;
        let facts = payload.facts(&self.loaded.manifest.file_table());
        Ok(Some((payload, facts)))
    }

    fn plan(&self, facts: Option<&PayloadFacts>) -> anyhow::Result<(Planned, Option<OpenRun>)> {
        let manifest = &self.loaded.manifest;
        let description = self.site.description.clone();
        let record = AppliedRecord::path(manifest.rollup.kb);
        let is_applied = self.tree().metadata(&record);
        let is_applied = is_applied?;
        let bound = manifest.clone().bind(&description).map_err(Refusal::from)?;
        let interest = interest(&bound, &description, is_applied.is_some());
        let snapshot = Snapshot::read(self.tree(), description, &interest);
        let mut snapshot = snapshot?;
        let (past, _) = run::past(self.tree(), Some(manifest.rollup.kb))?;
        snapshot.past = past;
        // Staged objects occupy their space on disk already.
        if snapshot
            .past
            .open
            .as_ref()
            .is_some_and(|open| open.staged.is_some())
        {
            snapshot.free = None;
        }
        let planned = crate::plan::plan(&bound, &snapshot, facts, self.options);
        let open = snapshot.past.open;
        let planned = match (planned, &open) {
            (Ok(planned), _) => planned,
            (Err(refusal), None) => {
                let digest = manifest.digest;
                return Err(self
                    .expected
                    .refused(refusal, digest, self.tree(), &self.command)
                    .into());
            }
            (Err(refusal), Some(_)) => {
                let next = NextCommands(self.tree().path());
                return Err(with_open_run(refusal.into(), &next).into());
            }
        };
        if let Planned::Plan(plan) = &planned {
            self.expected.check(plan, self.tree(), &self.command)?;
        }
        match (&planned, open) {
            (Planned::Plan(plan), Some(open))
                if open.staged.is_some() && open.staged != plan.digest =>
            {
                Err(self.another_plan_is_staged(plan, &open).into())
            }
            (_, open) => Ok((planned, open)),
        }
    }

    /// Describes a run that is staged with another plan. If it is a plan of the same manifest,
    /// names every change since then.
    fn another_plan_is_staged(&self, plan: &Plan, open: &OpenRun) -> Failure {
        let staged = runs(self.tree())
            .ok()
            .and_then(|runs| runs.into_iter().find(|run| run.name() == open.name));
        let staged = staged.and_then(|run| load_plan(self.tree(), &run.directory).ok());
        let same_manifest = staged
            .as_ref()
            .and_then(Plan::rollup)
            .map(|rollup| rollup.manifest)
            == plan.rollup().map(|rollup| rollup.manifest);
        let changes = staged
            .filter(|_| same_manifest)
            .and_then(|plan| changes_since_plan(self.tree(), &plan).ok())
            .unwrap_or_default();
        let mut failure = if changes.is_empty() {
            Failure::new(
                Exit::NotReady,
                format_args!("run {} is staged with another plan", open.name),
            )
        } else {
            Failure::new(
                Exit::StalePlan,
                format_args!("run {} is staged, and is stale", open.name),
            )
        };
        for change in changes {
            failure
                .reasons
                .push(format!("since the run was staged, {change}"));
        }
        failure.next(format!(
            "`{}` discards it; then `{}`",
            NextCommands(self.tree().path()).undo(),
            self.command.apply_line()
        ))
    }

    /// Refuses to continue without a payload, which every command that writes needs.
    pub(super) fn require_payload(&self) -> anyhow::Result<()> {
        if self.command.payload.is_some() {
            return Ok(());
        }
        let name = self.loaded.manifest.rollup.kb;
        Err(Failure::new(
            Exit::Usage,
            format_args!("no payload was given, and no directory `{name}` is beside the manifest"),
        )
        .next("pass the directory of the rollup's files as `--payload DIR`, or set ROLLUP_PAYLOAD")
        .into())
    }

    /// Takes the lock, clears runs that died while staging, and plans. Returns `None` if there is
    /// nothing to do, after reporting that.
    pub(super) fn begin(
        &self,
        verb: &str,
        options: &BeginOptions<'_>,
    ) -> anyhow::Result<Option<LockedPlan>> {
        let doing = format!("{verb} {}", self.loaded.manifest.rollup.kb);
        // Lock before the prompt, so that the plan that is confirmed is the one that runs.
        let tree = self.tree().try_clone()?;
        let disk = take_lock(tree, &doing, options.wait)?;
        let disk = match &options.injector {
            Some(injector) => disk.with_injector(Arc::clone(injector)),
            None => disk,
        };
        let cleared = clear_interrupted_staging(&disk)?;
        report_cleared_runs(&cleared);
        let (payload, facts) = self.open_payload()?.unzip();
        let (plan, open) = match self.plan(facts.as_ref())? {
            (Planned::Plan(plan), open) => (plan, open),
            (Planned::Nothing(nothing), _) => {
                report_nothing_to_do(&nothing, Format::Text);
                return Ok(None);
            }
        };
        let staged = match open {
            None => None,
            Some(open) => {
                let runs = runs(disk.tree())?;
                runs.into_iter().find(|run| run.name() == open.name)
            }
        };
        Ok(Some(LockedPlan {
            disk,
            doing,
            payload,
            plan,
            staged,
        }))
    }

    /// Prints the plan, and prompts; returns the `confirm` prerequisites that were answered.
    pub(super) fn confirm(
        &self,
        locked: &LockedPlan,
        options: &BeginOptions<'_>,
    ) -> anyhow::Result<Vec<String>> {
        let LockedPlan { plan, staged, .. } = locked;
        if options.preview == Preview::Printed {
            out::line(views::plan::text(plan, out::width(), Reasons::Omitted));
        }
        if let Some(staged) = staged {
            out::line(format_args!(
                "run {} is staged with this plan",
                staged.name()
            ));
        }
        let reasons = preflight(self.tree(), plan)?;
        if !reasons.is_empty() {
            return Err(RunError::NotReady(reasons).into());
        }
        warn_of_risk(self.tree());
        let before = staged
            .as_ref()
            .and_then(|run| run.journal.opened())
            .map(|opened| opened.confirmed.as_slice());
        let given = [options.confirm, before.unwrap_or_default()].concat();
        let confirmed = confirmations(plan, &given, &options.retry_command)?;
        if options.yes {
            return Ok(confirmed);
        }
        let question = format!("\n{} {}? [y/N]", options.verb, plan.subject);
        if prompts::is_yes(&prompts::ask(&question)) {
            Ok(confirmed)
        } else {
            Err(Failure::new(Exit::Interrupted, options.declined).into())
        }
    }
}

/// Adds the commands that finish the open run or roll it back to a failure.
fn with_open_run(mut failure: Failure, next: &NextCommands<'_>) -> Failure {
    failure.next.insert(0, next.finish_or_roll_back());
    failure
}

/// Plans without the lock. Reports a run that another process works on as locked, not as
/// interrupted.
pub(super) fn preview(job: &Job) -> anyhow::Result<Planned> {
    let payload = job.open_payload()?;
    let facts = payload.as_ref().map(|(_, facts)| facts);
    inputs::read_consistently(job.tree(), || match job.plan(facts) {
        Err(error)
            if Failure::of(&error, None).exit == Exit::NotReady
                && holder(job.tree()).is_ok_and(|holder| holder.is_some()) =>
        {
            Err(inputs::writer_at_work(job.tree()).into())
        }
        planned => planned.map(|(planned, _)| planned),
    })
}

pub(super) fn report_nothing_to_do(nothing: &NothingToDo, format: Format) {
    if format == Format::Json {
        Envelope::nothing(nothing).print();
        return;
    }
    out::line(format_args!("nothing to do: {}", nothing.why));
    if let Some(note) = &nothing.note {
        out::line(format_args!("note: {note}"));
    }
}

fn warn_of_risk(tree: &Tree) {
    match risk(tree) {
        Risk::None => {}
        Risk::Memory => {
            out::warn("this file system is in memory: nothing on it survives a power cut")
        }
        Risk::ProcessOnly(name) => out::warn(format_args!(
            "this file system is {name}: a run survives the death of the process, not a power cut"
        )),
        Risk::Unknown => out::warn(
            "this file system was never tested with power cuts; \
             a run survives the death of the process",
        ),
    }
}
