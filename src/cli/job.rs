//! The part that `plan`, `stage` and `apply` share: everything a plan is made from, and the path to
//! a confirmed one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::answers::confirmations;
use super::approval::{Approved, is_approved};
use super::args::{Choices, Format, Planning};
use super::ending::told_cleared;
use super::exit::{Exit, Failure};
use super::inputs::{self, Loaded, Site};
use super::next::Next;
use super::saved::Saved;
use super::typed::Typed;
use crate::cli::terminal::out;
use crate::cli::terminal::prompts;
use crate::cli::views;
use crate::cli::views::plan::Why;
use crate::deployment::fault_injection::FaultInjector;
use crate::deployment::lock::holder;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{OpenRun, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{Run, runs};
use crate::names::Digest;
use crate::payload::{Payload, PayloadFacts};
use crate::plan::{
    Downgrade, IncludeMissing, Nothing, Options, Plan, Planned, Reapply, Refusal, interest,
};
use crate::run::{self, Risk, RunError, clear_the_way, load_plan, moved, preflight, risk};

impl From<Choices> for Options {
    fn from(choices: Choices) -> Self {
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
    pub(super) loaded: Loaded,
    pub(super) site: Site,
    pub(super) options: Options,
    pub(super) typed: Typed,
    approved: Approved,
}

/// Question asked before anything is written, with its options.
pub(super) struct Asking<'a> {
    /// Command, as it is typed.
    pub(super) command: &'static str,
    /// Verb that begins the question: `Apply`.
    pub(super) verb: &'static str,
    /// Message if the answer is no: `not applied`.
    pub(super) declined: &'static str,
    pub(super) yes: bool,
    pub(super) confirm: &'a [String],
    pub(super) preview: Preview,
    /// Command that does the same again, without the prerequisites that a person has to confirm.
    pub(super) again: String,
    /// Time to wait for the lock.
    pub(super) wait: Duration,
    /// Observer of every change of the disk before it is made; only in a rehearsal.
    pub(super) injector: Option<Arc<dyn FaultInjector>>,
}

/// Display of the plan before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preview {
    Escaped,
    LeftOut,
}

/// Plan for a deployment that is locked, so that no other process changes it.
pub(super) struct Begun {
    pub(super) disk: LockedDeployment,
    /// Description of what this process does, for processes that wait for the lock.
    pub(super) doing: String,
    pub(super) payload: Option<Payload>,
    pub(super) plan: Box<Plan>,
    /// Run that is already staged with the same plan.
    pub(super) staged: Option<Run>,
}

impl Job {
    /// Reads a manifest, or a saved plan, which planning again then has to reproduce.
    pub(super) fn asked(args: &Planning) -> Result<Self, Failure> {
        let Planning {
            manifest,
            deployment,
            payload,
            choices,
        } = args;
        let (deployment, payload) = (deployment.deployment.as_deref(), payload.payload.as_deref());
        let Some(saved) = Saved::read(manifest)? else {
            return Self::open(manifest, deployment, payload, *choices);
        };
        if *choices != Choices::default() {
            return Err(Failure::new(Exit::Usage, "what a saved plan does is decided already")
                .next("leave out `--include-missing`, `--reapply` and `--allow-downgrade`, or plan anew with them"));
        }
        let (origin, recorded, choices) = saved.origin(manifest)?;
        let job = Self::open(
            &origin,
            deployment,
            Some(payload.unwrap_or(&recorded)),
            choices,
        )?;
        let approved = Approved::Saved(saved.plan);
        let typed = Typed {
            path: manifest.clone(),
            manifest_of_plan: Some(origin),
            ..job.typed
        };
        Ok(Self {
            typed,
            approved,
            ..job
        })
    }

    /// Requires that the plan has this digest.
    pub(super) fn expecting(mut self, approval: Option<&Digest>) -> Result<Self, Failure> {
        let Some(approval) = approval else {
            return Ok(self);
        };
        match &self.approved {
            // The plan has to be the saved one, so the saved one has to be the approved one.
            Approved::Saved(saved) => is_approved(saved, approval, &self.typed)?,
            _ => self.approved = Approved::Digest(*approval),
        }
        Ok(self)
    }

    pub(super) fn open(
        manifest: &Path,
        deployment: Option<&Path>,
        payload: Option<&Path>,
        choices: Choices,
    ) -> Result<Self, Failure> {
        let site = inputs::site(deployment)?;
        let loaded = inputs::manifest(manifest, Some(&site.description))?;
        let payload = inputs::payload_directory(payload, manifest, loaded.manifest.rollup.kb)?;
        let typed = Typed {
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
            typed,
            approved: Approved::Any,
        })
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.site.tree
    }

    /// Prints the first line: the deployment and the payload that a command works on.
    pub(super) fn announce(&self) {
        let payload = match &self.typed.payload {
            Some(payload) => format!("payload {}", payload.display()),
            None => "no payload".to_owned(),
        };
        out::say(format_args!(
            "deployment {} ({}), {payload}",
            self.tree().path().display(),
            self.site.how
        ));
    }

    fn open_payload(&self) -> Result<Option<(Payload, PayloadFacts)>, Failure> {
        let Some(directory) = &self.typed.payload else {
            return Ok(None);
        };
        let payload = inputs::payload(directory)?;
        let facts = payload.facts(&self.loaded.manifest.file_table());
        Ok(Some((payload, facts)))
    }

    fn plan(&self, facts: Option<&PayloadFacts>) -> Result<(Planned, Option<OpenRun>), Failure> {
        let manifest = &self.loaded.manifest;
        let description = self.site.description.clone();
        let interest = interest(manifest, &description);
        let snapshot = Snapshot::read(self.tree(), description, &interest);
        let mut snapshot = snapshot.map_err(|error| inputs::disk(&error))?;
        snapshot.past = run::past(self.tree(), manifest.rollup.kb)
            .map_err(|error| inputs::not_begun(&error))?;
        // Staged objects occupy their space on disk already.
        if snapshot
            .past
            .open
            .as_ref()
            .is_some_and(|open| open.staged.is_some())
        {
            snapshot.free = None;
        }
        let planned = crate::plan::plan(manifest, &snapshot, facts, self.options);
        let open = snapshot.past.open;
        let planned = planned.map_err(|refusal| match &open {
            None => self.approved.refused(
                &refusal,
                refused(&refusal),
                manifest.digest,
                self.tree(),
                &self.typed,
            ),
            Some(open) => in_the_way(refused(&refusal), open, &Next(self.tree().path())),
        })?;
        if let Planned::Plan(plan) = &planned {
            self.approved.check(plan, self.tree(), &self.typed)?;
        }
        match (&planned, open) {
            (Planned::Plan(plan), Some(open))
                if open.staged.is_some() && open.staged != plan.digest =>
            {
                Err(self.another_is_staged(plan, &open))
            }
            (_, open) => Ok((planned, open)),
        }
    }

    /// Describes a run that is staged with another plan. If it is a plan of the same manifest,
    /// names what has changed since.
    fn another_is_staged(&self, plan: &Plan, open: &OpenRun) -> Failure {
        let next = Next(self.tree().path());
        let again = format!(
            "`{}` throws it away; then `{}`",
            next.undo(),
            self.typed.apply_again()
        );
        let staged = runs(self.tree())
            .ok()
            .and_then(|runs| runs.into_iter().find(|run| run.name() == open.name));
        let staged = staged.and_then(|run| load_plan(self.tree(), &run.directory).ok());
        let same_manifest = staged
            .as_ref()
            .and_then(Plan::rollup)
            .map(|rollup| rollup.manifest)
            == plan.rollup().map(|rollup| rollup.manifest);
        let moved = staged
            .filter(|_| same_manifest)
            .and_then(|plan| moved(self.tree(), &plan).ok())
            .unwrap_or_default();
        let mut failure = match moved.is_empty() {
            true => Failure::new(
                Exit::NotReady,
                format_args!("run {} lies staged with another plan", open.name),
            ),
            false => Failure::new(
                Exit::StalePlan,
                format_args!("run {} lies staged, and is stale", open.name),
            ),
        };
        failure.reasons.extend(
            moved
                .into_iter()
                .map(|what| format!("since it was staged {what}")),
        );
        failure
            .now("nothing of the deployment was changed by rollup")
            .next(again)
    }

    /// Refuses to continue without a payload: a command that writes has to know what it writes.
    pub(super) fn needs_payload(&self) -> Result<(), Failure> {
        let name = self.loaded.manifest.rollup.kb;
        match self.typed.payload {
            Some(_) => Ok(()),
            None => Err(Failure::new(
                Exit::Usage,
                format_args!(
                    "no payload was given, and no directory `{name}` lies beside the manifest"
                ),
            )
            .next("say where the rollup's files are: `--payload DIR`, or set ROLLUP_PAYLOAD")),
        }
    }

    /// Takes the lock, clears runs that died while staging, and plans. Returns `None` if there is
    /// nothing to do, after reporting that.
    pub(super) fn begin(&self, verb: &str, asking: &Asking<'_>) -> Result<Option<Begun>, Failure> {
        let doing = format!("{verb} {}", self.loaded.manifest.rollup.kb);
        // Lock before the prompt, so that what is confirmed is what runs.
        let tree = self.tree().again().map_err(|error| inputs::disk(&error))?;
        let disk = LockedDeployment::lock(tree, &doing, asking.wait)
            .map_err(|error| inputs::locked(&error))?;
        let disk = match &asking.injector {
            Some(injector) => disk.with_injector(Arc::clone(injector)),
            None => disk,
        };
        told_cleared(&clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?);
        let (payload, facts) = self.open_payload()?.unzip();
        let (plan, open) = match self.plan(facts.as_ref())? {
            (Planned::Plan(plan), open) => (plan, open),
            (Planned::Nothing(nothing), _) => {
                told_nothing(&nothing, Format::Text);
                return Ok(None);
            }
        };
        let staged = match open {
            None => None,
            Some(open) => {
                let runs = runs(disk.tree()).map_err(|fault| inputs::journal(&fault))?;
                runs.into_iter().find(|run| run.name() == open.name)
            }
        };
        Ok(Some(Begun {
            disk,
            doing,
            payload,
            plan,
            staged,
        }))
    }

    /// Shows the plan, and asks what has to be asked; returns which `confirm` prerequisites were
    /// answered.
    pub(super) fn confirm(
        &self,
        begun: &Begun,
        asking: &Asking<'_>,
    ) -> Result<Vec<String>, Failure> {
        let Begun { plan, staged, .. } = begun;
        if asking.preview == Preview::Escaped {
            out::line(views::plan::text(plan, out::width(), Why::Left));
        }
        if let Some(staged) = staged {
            out::line(format_args!(
                "run {} lies staged with this plan",
                staged.name()
            ));
        }
        let reasons = preflight(self.tree(), plan).map_err(|error| inputs::disk(&error))?;
        if !reasons.is_empty() {
            return Err(inputs::not_begun(&RunError::NotReady(reasons)));
        }
        warn_of_risk(self.tree());
        let before = staged
            .as_ref()
            .and_then(|run| run.journal.opened())
            .map(|opened| opened.confirmed.as_slice());
        let given = [asking.confirm, before.unwrap_or_default()].concat();
        let confirmed = confirmations(plan, &given, &asking.again)?;
        if !asking.yes
            && !prompts::is_yes(&prompts::ask(&format!(
                "\n{} {}? [y/N]",
                asking.verb, plan.subject
            )))
        {
            return Err(Failure::new(Exit::Interrupted, asking.declined).now("nothing has changed"));
        }
        Ok(confirmed)
    }
}

/// Describes a refusal with all its reasons, and the first one's kind as exit code.
fn refused(refusal: &Refusal) -> Failure {
    let mut failure = Failure::new(refusal.kind().into(), "");
    failure.reasons = refusal
        .reasons
        .iter()
        .map(|reason| reason.message.clone())
        .collect();
    for help in refusal
        .reasons
        .iter()
        .filter_map(|reason| reason.help.clone())
    {
        if !failure.next.contains(&help) {
            failure.next.push(help);
        }
    }
    failure.now("nothing of the deployment has changed")
}

/// Adds the state of the open run to a failure, and the commands that finish it or roll it back
/// first.
fn in_the_way(failure: Failure, open: &OpenRun, next: &Next<'_>) -> Failure {
    let mut failure = failure.now(format!(
        "this command changed nothing; run {} is {}",
        open.name, open.state
    ));
    let first = format!(
        "`{}` takes the open run to its end, `{}` takes it back",
        next.resume(),
        next.undo()
    );
    failure.next.insert(0, first);
    failure
}

/// Plans without a lock. Reports a run that a process is working on as locked, not as left behind.
pub(super) fn preview_of(job: &Job) -> Result<Planned, Failure> {
    let payload = job.open_payload()?;
    let facts = payload.as_ref().map(|(_, facts)| facts);
    inputs::quietly(job.tree(), || match job.plan(facts) {
        Err(failure)
            if failure.exit == Exit::NotReady
                && holder(job.tree()).is_ok_and(|holder| holder.is_some()) =>
        {
            Err(inputs::busy(job.tree()))
        }
        planned => planned.map(|(planned, _)| planned),
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

fn warn_of_risk(tree: &Tree) {
    match risk(tree) {
        Risk::None => {}
        Risk::Memory => {
            out::warn("this file system is in memory: nothing on it outlives a power cut")
        }
        Risk::ProcessOnly(name) => out::warn(format_args!(
            "this file system is {name}: the death of the process is covered, a power cut is not"
        )),
        Risk::Unknown => out::warn(
            "nobody has tried a power cut on this file system; the death of the process is covered",
        ),
    }
}
