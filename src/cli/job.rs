//! The part that `plan`, `stage` and `apply` share: reading everything that a plan is made from,
//! planning, and asking for confirmation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::advice::TypedCommand;
use super::answers::{check_answers, confirm, confirmations};
use super::approval::{ExpectedPlan, check_digest, differences};
use super::args::{ApprovalArgs, Format, PlanChoices, PlanningArgs};
use super::ending::report_cleared_runs;
use super::envelope::Envelope;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::{self, DescribedDeployment, LoadedManifest};
use super::recovery::{FINISH_OR_ROLL_BACK, run_with_name};
use super::saved::SavedPlan;
use super::signed::{
    Authorization, GivenApprovals, SignedManifest, authorize, check_manifest, signature_of_file,
};
use super::state_now::take_lock;
use crate::cli::terminal::console;
use crate::cli::terminal::out::{self, first_few};
use crate::cli::views;
use crate::cli::views::plan::Reasons;
use crate::deployment::applied::AppliedRecord;
use crate::deployment::fault_injection::FaultInjector;
use crate::deployment::lock::{LockError, held, holder};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{OpenRun, Snapshot};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::Run;
use crate::names::{Digest, Escaped};
use crate::payload::{Payload, PayloadFacts};
use crate::phase::Phase;
use crate::plan::{
    Downgrade, IncludeMissing, NothingToDo, Options, Plan, Planned, Reapply, Reason, Refusal,
    interest,
};
use crate::run::{
    self, Preflight, Risk, RunError, clear_interrupted_staging, load_plan, preflight, risk,
    unset_secrets,
};

impl From<Options> for PlanChoices {
    fn from(options: Options) -> Self {
        Self {
            include_missing: options.include_missing == IncludeMissing::Yes,
            reapply: options.reapply == Reapply::Yes,
            allow_downgrade: options.downgrade == Downgrade::Allow,
        }
    }
}

impl From<PlanChoices> for Options {
    fn from(choices: PlanChoices) -> Self {
        let mut options = Self::default();
        if choices.include_missing {
            options.include_missing = IncludeMissing::Yes;
        }
        if choices.reapply {
            options.reapply = Reapply::Yes;
        }
        if choices.allow_downgrade {
            options.downgrade = Downgrade::Allow;
        }
        options
    }
}

/// Largest number of changes of a saved plan that are listed; the others are counted.
const MOST_CHANGES: usize = 8;

/// Everything that a plan is made from.
pub(super) struct Job {
    pub(super) loaded: LoadedManifest,
    pub(super) site: DescribedDeployment,
    pub(super) choices: PlanChoices,
    pub(super) typed: TypedCommand,
    expected: ExpectedPlan,
    /// Signature of the manifest, if the deployment requires one.
    signed: Option<SignedManifest>,
}

/// Options for the first part of a command that writes: the lock, the plan and the prompt.
pub(super) struct BeginOptions<'a> {
    /// Command, as it is typed.
    pub(super) command: &'static str,
    /// Verb that begins the prompt: `Apply`.
    pub(super) verb: &'static str,
    /// Format of the document that says that there is nothing to do.
    pub(super) format: Format,
    pub(super) yes: bool,
    pub(super) confirm: &'a [String],
    pub(super) preview: Preview,
    /// Time to wait for the lock.
    pub(super) wait: Duration,
    /// Fault injector of a rehearsal.
    pub(super) injector: Option<Arc<dyn FaultInjector>>,
    pub(super) approvals: &'a GivenApprovals,
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
    /// Signatures with which the run begins.
    pub(super) authorization: Authorization,
}

impl Job {
    /// Reads a manifest, or a saved plan, which planning again must then reproduce.
    pub(super) fn from_args(args: &PlanningArgs) -> anyhow::Result<Self> {
        let path = args.manifest.as_path();
        let (deployment, payload) = (args.deployment.path(), args.payload.payload.as_deref());
        let saved = SavedPlan::read(path).map_err(|failure| with_changes(failure, args))?;
        let Some(saved) = saved else {
            let mut job = Self::open(path, deployment, payload, args.choices)?;
            job.check_signature(|| signature_of_file(path))?;
            return Ok(job);
        };
        if args.choices != PlanChoices::default() {
            bail!(
                Failure::usage("the options of a saved plan cannot be changed").next(
                    "leave out `--include-missing`, `--reapply` and `--allow-downgrade`, or plan \
                     again with them",
                )
            );
        }
        let source = saved.manifest(path)?.clone();
        let choices = PlanChoices::from(saved.plan.options);
        let site = inputs::open_described(deployment)?;
        let loaded =
            inputs::parse_manifest(source, Some(&site.description)).map_err(|failure| {
                let next = Vec::new();
                Failure { next, ..failure }.next("`rollup plan --save FILE` plans again")
            })?;
        let mut job = Self::of(path, site, loaded, payload, choices)?;
        job.typed.saved_plan = job.typed.manifest.take();
        job.expected = ExpectedPlan::Saved(saved.plan);
        job.check_signature(|| Ok(saved.manifest_signature))?;
        Ok(job)
    }

    /// Checks the signature of the manifest, if the deployment requires one.
    fn check_signature(
        &mut self,
        signature: impl FnOnce() -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        let document = self
            .typed
            .manifest
            .as_ref()
            .or(self.typed.saved_plan.as_ref())
            .map(PathBuf::as_path)
            .unwrap_or(Path::new(""));
        let (site, text) = (&self.site.description, self.loaded.source.text());
        self.signed = check_manifest(self.tree(), site, document, text, signature)?;
        Ok(())
    }

    /// Returns the signature of the manifest, if the deployment requires one.
    pub(super) fn manifest_signature(&self) -> Option<&str> {
        self.signed.as_ref().map(|signed| signed.signature.as_str())
    }

    /// Requires that the plan has this digest.
    pub(super) fn expect_digest(mut self, approved: Option<&Digest>) -> anyhow::Result<Self> {
        match (approved, &self.expected) {
            (None, _) => {}
            // Planning must reproduce the saved plan, so the saved plan must be the approved one.
            (Some(approved), ExpectedPlan::Saved(saved)) => check_digest(saved, approved)?,
            (Some(approved), _) => self.expected = ExpectedPlan::Digest(*approved),
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
        Self::of(manifest, site, loaded, payload, choices)
    }

    /// Finds the payload of a manifest, which is read from a document.
    fn of(
        document: &Path,
        site: DescribedDeployment,
        loaded: LoadedManifest,
        payload: Option<&Path>,
        choices: PlanChoices,
    ) -> anyhow::Result<Self> {
        let payload = inputs::payload_directory(payload, document, loaded.manifest.rollup.kb)?;
        let typed = TypedCommand {
            manifest: Some(document.to_owned()),
            saved_plan: None,
            deployment: Some(site.tree.path().to_owned()),
            payload,
            options: choices.flags(),
        };
        Ok(Self {
            loaded,
            site,
            choices,
            typed,
            expected: ExpectedPlan::Any,
            signed: None,
        })
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.site.tree
    }

    /// Returns the paths that the command reads, which no output may replace.
    pub(super) fn reads(&self) -> Vec<&Path> {
        let typed = &self.typed;
        let files = [&typed.manifest, &typed.saved_plan, &typed.payload]
            .into_iter()
            .flatten()
            .map(|path| path.as_path());
        files.chain([self.tree().path()]).collect()
    }

    /// Prints the first line: the deployment and the payload that a command works on.
    pub(super) fn announce(&self) {
        let payload = match &self.typed.payload {
            Some(payload) => format!("payload {}", payload.display()),
            None => "no payload".to_owned(),
        };
        let deployment = self.tree().path().display();
        let how = self.site.how;
        out::message(format_args!("deployment {deployment} ({how}), {payload}"));
    }

    fn open_payload(&self) -> anyhow::Result<(Option<Payload>, Option<PayloadFacts>)> {
        let table = self.loaded.manifest.file_table();
        let Some(directory) = &self.typed.payload else {
            // A rollup that deploys no file needs no payload.
            let facts = table.deployed.is_empty().then(PayloadFacts::default);
            return Ok((None, facts));
        };
        let payload = Payload::open(directory)?;
        let facts = payload.facts_in(&table, &inputs::hashing_payload());
        if facts.files.is_empty() && !table.deployed.is_empty() {
            inputs::refuse_parent_of_payload(directory, &self.loaded.manifest)?;
        }
        Ok((Some(payload), Some(facts)))
    }

    fn plan(&self, facts: Option<&PayloadFacts>) -> anyhow::Result<(Planned, Option<OpenRun>)> {
        let (manifest, tree) = (&self.loaded.manifest, self.tree());
        let _reading = console::phase(Phase::unmeasured("reading the deployment"));
        let kb = manifest.rollup.kb;
        let description = self.site.description.clone();
        let is_applied = tree.metadata(&AppliedRecord::path(kb))?.is_some();
        let bound = manifest.clone().bind(&description).map_err(Refusal::from)?;
        let interest = interest(&bound, &description, is_applied);
        let mut snapshot = Snapshot::read(tree, description, &interest)?;
        (snapshot.past, _) = run::past(tree, Some(kb))?;
        let open = snapshot.past.open.as_ref();
        // Staged objects occupy their space on disk already.
        if open.is_some_and(|open| open.staged.is_some()) {
            snapshot.free = None;
        }
        let planned = crate::plan::plan(&bound, &snapshot, facts, self.choices.into());
        let open = snapshot.past.open;
        let planned = match (planned, &open) {
            (Ok(planned), _) => planned,
            (Err(refusal), None) => {
                let description = self.site.description.meaning();
                bail!(self.expected.refused(refusal, description, tree));
            }
            (Err(refusal), Some(_)) => {
                let mut failure = Failure::from(&refusal);
                failure.next.insert(0, FINISH_OR_ROLL_BACK.to_owned());
                bail!(failure);
            }
        };
        if let Planned::Plan(plan) = &planned {
            self.expected.check(plan, tree)?;
            if let Some(open) = &open
                && open.staged.is_some()
                && open.staged != plan.digest
            {
                bail!(self.another_plan_is_staged(plan, open));
            }
        }
        Ok((planned, open))
    }

    /// Describes a run that is staged with another plan. If it is a plan of the same manifest,
    /// names every change since then.
    fn another_plan_is_staged(&self, plan: &Plan, open: &OpenRun) -> Failure {
        let changes = self
            .changes_since_staged(plan, &open.name)
            .unwrap_or_default();
        let name = &open.name;
        let mut failure = if changes.is_empty() {
            Failure::not_ready(format!("run {name} is staged with another plan"))
        } else {
            Failure::new(
                Exit::StalePlan,
                format!("run {name} is staged, and is stale"),
            )
        };
        failure.reasons.extend(changes);
        failure.next("`rollup undo` discards it; then `rollup apply`")
    }

    fn changes_since_staged(&self, plan: &Plan, name: &str) -> Option<Vec<String>> {
        let run = run_with_name(self.tree(), name).ok()??;
        let staged = load_plan(self.tree(), &run.directory).ok()?;
        let is_same =
            staged.rollup()?.manifest == plan.rollup()?.manifest && staged.options == plan.options;
        is_same.then(|| differences(&staged, plan, self.tree(), "the run was staged"))
    }

    /// Checks the answers to `confirm` prerequisites that the command line gives.
    pub(super) fn check_confirmed(&self, given: &[String]) -> Result<(), Failure> {
        let ids = self.loaded.manifest.confirm_ids();
        check_answers(given, &ids, "--confirm", "`confirm` prerequisite")
    }

    /// Refuses to continue without a payload, unless the rollup deploys no file.
    pub(super) fn require_payload(&self) -> Result<(), Failure> {
        match self.typed.payload {
            Some(_) => Ok(()),
            None if self.loaded.manifest.file_table().deployed.is_empty() => Ok(()),
            None => {
                let document = match self.typed.saved_plan {
                    Some(_) => "saved plan",
                    None => "manifest",
                };
                Err(inputs::no_payload(self.loaded.manifest.rollup.kb, document))
            }
        }
    }

    /// Takes the lock, clears runs that died while staging, and plans. Returns `None` if there is
    /// nothing to do, after reporting that.
    pub(super) fn begin(&self, options: &BeginOptions<'_>) -> anyhow::Result<Option<LockedPlan>> {
        let verb = options.verb.to_lowercase();
        let doing = format!("{verb} {}", self.loaded.manifest.rollup.kb);
        // Lock before the prompt, so that the plan that is confirmed is the one that runs.
        let mut disk = take_lock(self.tree().try_clone()?, &doing, options.wait)?;
        if let Some(injector) = &options.injector {
            disk = disk.with_injector(Arc::clone(injector));
        }
        report_cleared_runs(&clear_interrupted_staging(&disk)?);
        let (payload, facts) = self.open_payload()?;
        let (plan, open) = match self.plan(facts.as_ref())? {
            (Planned::Plan(plan), open) => {
                self.expected.report_notes(&plan);
                (plan, open)
            }
            (Planned::Nothing(nothing), _) => {
                report_nothing_to_do(&nothing, options.format);
                return Ok(None);
            }
        };
        let staged = match open {
            None => None,
            Some(open) => run_with_name(disk.tree(), &open.name)?,
        };
        let authorization = self.authorize(&plan, options.approvals, staged.as_ref())?;
        Ok(Some(LockedPlan {
            disk,
            doing,
            payload,
            plan,
            staged,
            authorization,
        }))
    }

    /// Reads the approvals that the command line names.
    pub(super) fn read_approvals(&self, args: &ApprovalArgs) -> Result<GivenApprovals, Failure> {
        let saved_plan = self.typed.saved_plan.as_deref();
        GivenApprovals::read(args, &self.site.description, saved_plan)
    }

    /// Checks the approvals of the plan.
    pub(super) fn authorize(
        &self,
        plan: &Plan,
        given: &GivenApprovals,
        staged: Option<&Run>,
    ) -> anyhow::Result<Authorization> {
        let site = &self.site.description;
        let mut authorization = authorize(self.tree(), site, plan, given, staged)?;
        if let Some(signed) = &self.signed {
            authorization.signatures.manifest = Some(signed.signer.clone());
            authorization.signed.manifest = Some(signed.signature.clone());
        }
        Ok(authorization)
    }

    /// Checks that a run of the plan can begin: the deployment, and the rights and secrets of this
    /// process.
    pub(super) fn preflight(&self, plan: &Plan) -> Result<Preflight, DiskError> {
        let mut found = preflight(self.tree(), plan)?;
        let unset = unset_secrets(self.tree(), &self.site.description, plan);
        found.caller.extend(unset);
        Ok(found)
    }

    /// Prints the plan, prompts, and creates `.rollup` if it does not exist; returns the `confirm`
    /// prerequisites that were answered. If another process was faster, plans again after it; returns `None`
    /// if there is nothing to do then.
    pub(super) fn confirm(
        &self,
        locked: &mut LockedPlan,
        options: &BeginOptions<'_>,
    ) -> anyhow::Result<Option<Vec<String>>> {
        let LockedPlan {
            disk,
            doing,
            plan,
            staged,
            ..
        } = locked;
        if options.preview == Preview::Printed {
            out::line(views::plan::text(plan, Reasons::chosen()));
        }
        let mut given = options.confirm.to_vec();
        if let Some(staged) = staged {
            let name = staged.name();
            out::line(format_args!("run {name} is staged with this plan"));
            let opened = staged.journal.opened();
            given.extend(opened.iter().flat_map(|opened| opened.confirmed.clone()));
        }
        // The secrets of a staged run were read when it was staged.
        let found = match staged {
            Some(_) => preflight(self.tree(), plan)?,
            None => self.preflight(plan)?,
        };
        refuse(found.all())?;
        warn_of_risk(self.tree());
        let confirmed = confirmations(plan, &given)?;
        if !options.yes {
            out::line(views::plan::prompt_summary(plan));
        }
        let path = self.tree().path().display().to_string();
        let question = format!(
            "{} {} to {} in {}",
            options.verb,
            plan.subject,
            Escaped(&plan.deployment),
            Escaped(&path)
        );
        confirm(&question, options.yes)?;
        // A refusal leaves no trace. No other process has begun the first run if this one makes `.rollup`.
        match disk.create_rollup_directory(doing) {
            Err(LockError::Held { .. }) => {
                let Some(again) = self.begin(options)? else {
                    return Ok(None);
                };
                *locked = again;
                return self.confirm(locked, options);
            }
            created => created?,
        }
        Ok(Some(confirmed))
    }
}

/// Adds to the refusal of a saved plan what was changed in it, as far as a plan that is made now shows
/// it.
fn with_changes(mut failure: Failure, args: &PlanningArgs) -> Failure {
    let changes = changes_in_file(args)
        .unwrap_or_default()
        .into_iter()
        .map(|change| format!("compared with a plan that is made from it now, {change}"));
    failure.reasons.extend(first_few(changes, MOST_CHANGES));
    failure
}

/// Returns the differences between a saved plan that was changed by hand and one that is made now.
fn changes_in_file(args: &PlanningArgs) -> Option<Vec<String>> {
    let path = args.manifest.as_path();
    let (saved, source) = SavedPlan::read_changed(path)?;
    let site = inputs::open_described(args.deployment.path()).ok()?;
    let loaded = inputs::parse_manifest(source, Some(&site.description)).ok()?;
    let choices = PlanChoices::from(saved.options);
    let payload = args.payload.payload.as_deref();
    let job = Job::of(path, site, loaded, payload, choices).ok()?;
    let Planned::Plan(plan) = preview(&job).ok()? else {
        return None;
    };
    Some(
        crate::plan::differences(&saved, &plan)
            .iter()
            .map(ToString::to_string)
            .collect(),
    )
}

/// Refuses to begin if the preflight found anything.
pub(super) fn refuse(reasons: Vec<Reason>) -> Result<(), RunError> {
    if reasons.is_empty() {
        Ok(())
    } else {
        Err(RunError::NotReady(reasons))
    }
}

/// Plans without the lock. Reports a run that another process works on as locked, not as
/// interrupted.
pub(super) fn preview(job: &Job) -> anyhow::Result<Planned> {
    let (_payload, facts) = job.open_payload()?;
    let planned = inputs::read_consistently(job.tree(), || match job.plan(facts.as_ref()) {
        Err(error)
            if Failure::of(&error, None).exit == Exit::NotReady
                && holder(job.tree()).is_ok_and(|holder| holder.is_some()) =>
        {
            bail!(held(job.tree()))
        }
        planned => planned.map(|(planned, _)| planned),
    })?;
    if let Planned::Plan(plan) = &planned {
        job.expected.report_notes(plan);
    }
    Ok(planned)
}

/// Plans as [`preview`] does; returns `None` if there is nothing to do, after reporting that.
pub(super) fn preview_or_report(job: &Job, format: Format) -> anyhow::Result<Option<Box<Plan>>> {
    Ok(match preview(job)? {
        Planned::Plan(plan) => Some(plan),
        Planned::Nothing(nothing) => {
            report_nothing_to_do(&nothing, format);
            None
        }
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

/// Warns of a file system on which a run may not survive a power cut.
pub(super) fn warn_of_risk(tree: &Tree) {
    match risk(tree) {
        Risk::None => {}
        Risk::Memory => {
            out::warn("this file system is in memory: nothing on it survives a power cut")
        }
        Risk::ProcessOnly(name) => out::warn(format_args!(
            "this file system is {name}: a run survives the death of the process, not a power cut"
        )),
        Risk::Unknown | Risk::Overlay => out::warn(
            "this file system was never tested with power cuts; \
             a run survives the death of the process",
        ),
    }
}
