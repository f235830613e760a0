//! `plan` and `apply`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::{self, Choices, Format, Planning};
use super::exit::{Exit, Failure};
use super::inputs::{self, Loaded, Site};
use super::preview::{self, Why};
use super::progress::{ManualSteps, Progress};
use super::recover::Next;
use super::{out, recover, summary};
use crate::deployment::lock::holder;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{OpenRun, Snapshot};
use crate::deployment::tree::Tree;
use crate::deployment::watch::Watch;
use crate::payload::{Payload, PayloadFacts};
use crate::plan::{Again, Downgrade, InstallNew, Nothing, Options, Plan, Planned, Refusal, interest};
use crate::rehearse::Death;
use crate::run::{self, Asked, Ended, Risk, RunError, clear_the_way, preflight, risk};

impl From<Choices> for Options {
    fn from(choices: Choices) -> Self {
        Self {
            install_new: if choices.install_new { InstallNew::Yes } else { InstallNew::No },
            again: if choices.again { Again::Yes } else { Again::No },
            downgrade: if choices.allow_downgrade { Downgrade::Allow } else { Downgrade::Refuse },
        }
    }
}

/// Everything a plan is made from.
pub(super) struct Job {
    pub(super) loaded: Loaded,
    pub(super) site: Site,
    pub(super) payload: Option<PathBuf>,
    pub(super) options: Options,
    /// The manifest as it was typed, for the commands that messages name.
    pub(super) typed: PathBuf,
}

/// What is asked of an apply beyond its plan.
pub(super) struct Asking<'a> {
    pub(super) yes: bool,
    pub(super) confirm: &'a [String],
    pub(super) wait: Duration,
    pub(super) preview: Preview,
    pub(super) manual_steps: ManualSteps,
    /// Who sees every change of the disk before it is made: nobody, but in a rehearsal.
    pub(super) watch: Option<Arc<dyn Watch>>,
}

/// Whether the plan is shown before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preview {
    Shown,
    LeftOut,
}

impl Job {
    fn asked(args: &Planning) -> Result<Self, Failure> {
        let Planning { manifest, deployment, payload, choices } = args;
        Self::open(manifest, deployment.deployment.as_deref(), payload.payload.as_deref(), *choices)
    }

    pub(super) fn open(
        manifest: &Path,
        deployment: Option<&Path>,
        payload: Option<&Path>,
        choices: Choices,
    ) -> Result<Self, Failure> {
        let site = inputs::site(deployment)?;
        let loaded = inputs::manifest(manifest, Some(&site.description))?;
        let payload = inputs::payload_folder(payload, manifest, loaded.manifest.rollup.kb)?;
        Ok(Self { loaded, site, payload, options: choices.into(), typed: manifest.to_owned() })
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.site.tree
    }

    /// The first line: what a command works on.
    fn announce(&self) {
        let payload = match &self.payload {
            Some(payload) => format!("payload {}", payload.display()),
            None => "no payload".to_owned(),
        };
        out::say(format_args!("deployment {} ({}), {payload}", self.tree().path().display(), self.site.how));
    }

    fn open_payload(&self) -> Result<Option<(Payload, PayloadFacts)>, Failure> {
        let Some(folder) = &self.payload else { return Ok(None) };
        let payload = inputs::payload(folder)?;
        let facts = payload.facts(&self.loaded.manifest).map_err(|error| inputs::disk(&error))?;
        Ok(Some((payload, facts)))
    }

    fn plan(&self, facts: Option<&PayloadFacts>) -> Result<Planned, Failure> {
        let manifest = &self.loaded.manifest;
        let description = self.site.description.clone();
        let interest = interest(manifest, &description);
        let snapshot = Snapshot::read(self.tree(), description, &interest);
        let mut snapshot = snapshot.map_err(|error| inputs::disk(&error))?;
        snapshot.past = run::past(self.tree(), manifest.rollup.kb).map_err(|error| inputs::not_begun(&error))?;
        let planned = crate::plan::plan(manifest, &snapshot, facts, self.options);
        planned.map_err(|refusal| match &snapshot.past.open {
            None => refused(&refusal),
            Some(open) => in_the_way(refused(&refusal), open, &Next(self.tree().path())),
        })
    }

    /// The command line that does the same once more, as far as it decides the plan.
    fn apply_again(&self) -> String {
        let mut command = format!("rollup apply {} -d {}", out::typed(&self.typed), out::typed(self.tree().path()));
        if let Some(payload) = &self.payload {
            command.push_str(&format!(" -p {}", out::typed(payload)));
        }
        command
    }
}

/// All reasons, with the first one's kind as exit code.
fn refused(refusal: &Refusal) -> Failure {
    let mut failure = Failure::new(refusal.kind().into(), "");
    failure.reasons = refusal.reasons.iter().map(|reason| reason.message.clone()).collect();
    for help in refusal.reasons.iter().filter_map(|reason| reason.help.clone()) {
        if !failure.next.contains(&help) {
            failure.next.push(help);
        }
    }
    failure.now("nothing of the deployment has changed")
}

/// An open run decides what is true now, and what comes first.
fn in_the_way(failure: Failure, open: &OpenRun, next: &Next<'_>) -> Failure {
    let mut failure = failure.now(format!("this command changed nothing; run {} is {}", open.name, open.standing));
    let first = format!("`{}` takes the open run to its end, `{}` takes it back", next.resume(), next.undo());
    failure.next.insert(0, first);
    failure
}

/// `rollup plan`.
pub(super) fn plan(args: &args::Plan) -> Result<Exit, Failure> {
    let job = Job::asked(&args.planning)?;
    job.announce();
    match preview_of(&job)? {
        Planned::Nothing(nothing) => told_nothing(&nothing, args.format),
        Planned::Plan(plan) => match args.format {
            Format::Json => out::line(format_args!("{:#}", as_document(&plan))),
            Format::Text => {
                let why = if args.why { Why::Told } else { Why::Left };
                out::line(preview::text(&plan, out::width(), why));
            }
        },
    }
    Ok(Exit::Ok)
}

/// The plan with what every document says of the command that made it.
fn as_document(plan: &Plan) -> serde_json::Value {
    let mut document = serde_json::json!(plan);
    document["outcome"] = Exit::Ok.name().into();
    document["exit_code"] = (Exit::Ok as u8).into();
    document["changed"] = false.into();
    document
}

/// Plans without a lock. A run that somebody is working on is told as such, not as left behind.
pub(super) fn preview_of(job: &Job) -> Result<Planned, Failure> {
    let payload = job.open_payload()?;
    let facts = payload.as_ref().map(|(_, facts)| facts);
    inputs::quietly(job.tree(), || match job.plan(facts) {
        Err(failure) if failure.exit == Exit::NotReady && holder(job.tree()).is_ok_and(|holder| holder.is_some()) => {
            Err(inputs::busy(job.tree()))
        }
        planned => planned,
    })
}

pub(super) fn told_nothing(nothing: &Nothing, format: Format) {
    if format == Format::Json {
        let document = serde_json::json!({
            "schema": 1, "outcome": "nothing", "exit_code": 0, "changed": false,
            "why": nothing.why, "note": nothing.note });
        out::line(format_args!("{document:#}"));
        return;
    }
    out::line(format_args!("nothing to do: {}", nothing.why));
    if let Some(note) = &nothing.note {
        out::line(format_args!("note: {note}"));
    }
}

/// `rollup apply`.
pub(super) fn apply(args: &args::Apply) -> Result<Exit, Failure> {
    let job = Job::asked(&args.planning)?;
    if job.payload.is_none() {
        let name = job.loaded.manifest.rollup.kb;
        return Err(Failure::new(
            Exit::Usage,
            format_args!("no payload was given, and no folder `{name}` lies beside the manifest"),
        )
        .next("say where the rollup's files are: `--payload DIR`, or set ROLLUP_PAYLOAD"));
    }
    job.announce();
    if args.dry_run {
        return dry_run(&job);
    }
    if !args.yes && !out::can_ask() {
        return Err(Failure::new(Exit::Usage, "nobody can be asked here: there is no terminal")
            .now("nothing was begun")
            .next("`--yes` applies without asking; `--dry-run` only shows the plan"));
    }
    let wait = Duration::from_secs(args.locking.lock_timeout);
    let asking = Asking {
        yes: args.yes,
        confirm: &args.confirm,
        wait,
        preview: Preview::Shown,
        manual_steps: args.rehearsing.into(),
        watch: args.rehearsing.die_at_change.map(|change| Arc::new(Death::at(change)) as Arc<dyn Watch>),
    };
    run_job(&job, asking)
}

fn dry_run(job: &Job) -> Result<Exit, Failure> {
    match preview_of(job)? {
        Planned::Nothing(nothing) => told_nothing(&nothing, Format::Text),
        Planned::Plan(plan) => {
            out::line(preview::text(&plan, out::width(), Why::Left));
            let reasons = preflight(job.tree(), &plan).map_err(|error| inputs::disk(&error))?;
            for reason in reasons {
                out::warn(format_args!("an apply would be refused now: {}", reason.message));
            }
            out::say("this was a dry run: nothing was touched");
        }
    }
    Ok(Exit::Ok)
}

/// Locks, plans, asks, stages and commits.
pub(super) fn run_job(job: &Job, mut asking: Asking<'_>) -> Result<Exit, Failure> {
    let doing = format!("apply {}", job.loaded.manifest.rollup.kb);
    // Before the prompt, so that what is confirmed is what runs.
    let tree = job.tree().again().map_err(|error| inputs::disk(&error))?;
    let mut disk = LockedDeployment::lock(tree, &doing, asking.wait).map_err(|error| inputs::locked(&error))?;
    if let Some(watch) = asking.watch.take() {
        disk = disk.watched(watch);
    }
    recover::told_cleared(&clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?);
    let payload = job.open_payload()?;
    let plan = match job.plan(payload.as_ref().map(|(_, facts)| facts))? {
        Planned::Plan(plan) => plan,
        Planned::Nothing(nothing) => {
            told_nothing(&nothing, Format::Text);
            return Ok(Exit::Ok);
        }
    };
    if asking.preview == Preview::Shown {
        out::line(preview::text(&plan, out::width(), Why::Left));
    }
    ready(job, &plan, asking.manual_steps)?;
    warn_of_risk(job.tree());
    let confirmed = confirmations(job, &plan, asking.confirm)?;
    if !asking.yes && !out::is_yes(&out::ask(&format!("\nApply {}? [y/N]", plan.rollup.kb))) {
        return Err(Failure::new(Exit::Interrupted, "not applied").now("nothing has changed"));
    }
    disk.keep(&doing).map_err(|error| inputs::disk(&error))?;
    let mut progress = Progress::new(job.tree(), Some(&plan), &[], asking.manual_steps);
    let asked = Asked { manifest: job.loaded.source.text(), confirmed };
    let payload = payload.as_ref().map(|(payload, _)| payload);
    let begun = Instant::now();
    let staged = run::stage(&disk, &plan, &asked, payload, &mut progress);
    let ended = staged.and_then(|staged| run::commit(&disk, &plan, staged, &mut progress));
    conclude(job, &plan, ended, progress, begun)
}

/// What must hold before anything is written, all reasons at once.
fn ready(job: &Job, plan: &Plan, manual_steps: ManualSteps) -> Result<(), Failure> {
    let reasons = preflight(job.tree(), plan).map_err(|error| inputs::disk(&error))?;
    if !reasons.is_empty() {
        return Err(inputs::not_begun(&RunError::NotReady(reasons)));
    }
    let waits: Vec<_> =
        plan.steps.iter().filter(|step| step.gate.as_ref().is_some_and(|gate| !gate.optional)).collect();
    let answered = manual_steps == ManualSteps::Done || out::can_ask();
    if let (Some(step), false) = (waits.first(), answered) {
        let reason = format!("step `{}` is done by hand, and there is no terminal to ask at", step.id);
        return Err(Failure::new(Exit::NotReady, reason)
            .now("nothing was begun")
            .next("run `rollup apply` at a terminal"));
    }
    Ok(())
}

/// `confirm` prerequisites: answered by `--confirm ID`, else asked; `--yes` never answers them.
pub(super) fn confirmations(job: &Job, plan: &Plan, given: &[String]) -> Result<Vec<String>, Failure> {
    let mut confirmed = Vec::new();
    let mut missing = Vec::new();
    for asked in &plan.confirmations {
        let named = given.iter().any(|id| id.eq_ignore_ascii_case(&asked.id));
        if named || out::can_ask() && out::is_yes(&out::ask(&format!("{} [y/N]", crate::names::Shown(&asked.question))))
        {
            confirmed.push(asked.id.clone());
        } else {
            missing.push(asked);
        }
    }
    if missing.is_empty() {
        return Ok(confirmed);
    }
    let mut failure = Failure::new(Exit::NotReady, "").now("nothing was begun");
    failure.reasons =
        missing.iter().map(|asked| format!("`{}` is not confirmed: {}", asked.id, asked.question)).collect();
    let flags: Vec<_> = missing.iter().map(|asked| format!("--confirm {}", asked.id)).collect();
    Err(failure.next(format!("when it is so: `{} {}`", job.apply_again(), flags.join(" "))))
}

fn warn_of_risk(tree: &Tree) {
    match risk(tree) {
        Risk::None => {}
        Risk::Memory => out::warn("this file system is in memory: nothing on it outlives a power cut"),
        Risk::ProcessOnly(name) => out::warn(format_args!(
            "this file system is {name}: the death of the process is covered, a power cut is not"
        )),
        Risk::Unknown => {
            out::warn("nobody has tried a power cut on this file system; the death of the process is covered")
        }
    }
}

/// Tells how a run ended, and chooses the exit code.
fn conclude(
    job: &Job,
    plan: &Plan,
    ended: Result<Ended, RunError>,
    mut progress: Progress,
    begun: Instant,
) -> Result<Exit, Failure> {
    let committed = progress.committing.map(|at| at.elapsed());
    let staging = progress.committing.map_or(begun.elapsed(), |at| at.duration_since(begun));
    let result = ended.map_err(|error| inputs::not_begun(&error));
    let result = result.and_then(|ended| recover::arrived(ended, &Next(job.tree().path())));
    progress.end(result.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Ok));
    result.map(|(measured, came)| {
        let run = progress.run.clone().unwrap_or_default();
        out::line(format_args!("\napplied {} as run {run}:", plan.rollup.kb));
        summary::lines(plan).iter().for_each(|line| out::line(format_args!("  {line}")));
        let commit = committed.unwrap_or_default();
        out::line(format_args!("staged in {}, committed in {}", duration(staging), duration(commit)));
        recover::told_compared(plan, measured, &came);
        Exit::Ok
    })
}

pub(super) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        0..=9_999 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}
