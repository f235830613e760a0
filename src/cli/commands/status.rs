//! `status`: clean, interrupted and at which operation, or in need of attention and why.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, ReadArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{self, OpenedDeployment};
use crate::cli::next::NextCommands;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, styled};
use crate::cli::views::plan::describe_operation;
use crate::cli::views::steps::describe_step;
use crate::deployment::applied::{AppliedRollups, LackingRollup};
use crate::deployment::description::Description;
use crate::deployment::lock::{LockHolder, holder};
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::journal::{Answer, Direction, Run, RunState};
use crate::names::{Escaped, Kb, RelPath, Version, error_chain};
use crate::plan::{Operation, Plan, PlannedStep, directories_of_no_instance, lagging};
use crate::run::{
    RunExamination, SwapState, UndoAnswer, describe_run, examine, kept_bytes, load_plan, past,
    undo_answers,
};

/// Number of problems that are listed one by one.
const LISTED_PROBLEMS: usize = 5;

/// Everything that `status` reports.
struct Status {
    tree: Tree,
    /// Name of the deployment, if its description or the open run has it.
    name: Option<String>,
    /// Applied rollups; unknown only while a run is open.
    applied: Option<AppliedRollups>,
    /// Lag, and directories that belong to nothing; unknown while a run is open.
    site: Option<SiteStatus>,
    /// Newest finished run, and whether it can be undone.
    newest: Option<(String, UndoAnswer)>,
    holder: Option<LockHolder>,
    open: Option<OpenRunStatus>,
    undo_data: UndoData,
}

/// Run that is neither finished nor undone.
struct OpenRunStatus {
    run: Run,
    /// Progress of the run; absent if nothing has begun.
    progress: Option<(Plan, RunExamination)>,
    /// Problems that keep the run from continuing in either direction.
    problems: Vec<String>,
}

/// State of the deployment beside its runs.
struct SiteStatus {
    /// Lag behind applied rollups, in words.
    lagging: Vec<String>,
    /// Servers that are offline.
    offline: Vec<String>,
    /// Directories that belong to no instance and to no server.
    directories_of_no_instance: Vec<RelPath>,
}

/// Old objects that the slots of finished runs keep.
#[derive(Default, Serialize, JsonSchema)]
struct UndoData {
    /// Number of runs that keep old objects.
    runs: usize,
    /// Size of these objects.
    bytes: u64,
}

impl Status {
    /// Reads the status. An open run is reported from its own records, whatever else cannot be
    /// read.
    fn read(site: OpenedDeployment) -> anyhow::Result<Self> {
        let (applied, runs, state) = inputs::read_consistently(&site.tree, || {
            let runs = inputs::checked_runs(&site.tree)?;
            let state = match &site.description {
                Ok(description) if !runs.iter().any(is_unfinished) => {
                    Some(SiteStatus::read(&site.tree, description)?)
                }
                _ => None,
            };
            Ok((applied(&site), runs, state))
        })?;
        let is_open = runs.iter().any(Run::is_open);
        let answers = undo_answers(&site.tree, &runs, site.description.as_ref().ok())?;
        let newest = runs.iter().rev().find(|run| run.is_done());
        let newest =
            newest.and_then(|run| Some((run.name().to_owned(), answers.get(&run.number)?.clone())));
        let OpenedDeployment {
            tree, description, ..
        } = site;
        let description = unless_open(description.map_err(Into::into), is_open)?;
        let applied = unless_open(applied, is_open)?.flatten();
        let holder = holder(&tree)?;
        let undo_data = undo_data(&tree, &runs)?;
        let open = runs.into_iter().find(Run::is_open);
        let open = open
            .map(|run| OpenRunStatus::read(&tree, run, holder.is_some()))
            .transpose()?;
        let planned = || Some(open.as_ref()?.progress.as_ref()?.0.deployment.clone());
        let name = description
            .map(|description| description.name)
            .or_else(planned);
        Ok(Self {
            tree,
            name,
            applied,
            site: state,
            newest,
            holder,
            open,
            undo_data,
        })
    }

    fn exit(&self) -> Exit {
        match &self.open {
            None => Exit::Ok,
            Some(open) if !open.problems.is_empty() => Exit::NeedsAttention,
            // It died before anything was begun; the next command removes it.
            Some(open) if open.run.state() == RunState::Staging && self.holder.is_none() => {
                Exit::Ok
            }
            Some(_) => Exit::Stopped,
        }
    }
}

impl OpenRunStatus {
    fn read(tree: &Tree, run: Run, has_writer: bool) -> anyhow::Result<Self> {
        if !matches!(run.state(), RunState::Unfinished(_)) {
            return Ok(Self {
                run,
                progress: None,
                problems: Vec::new(),
            });
        }
        let plan = match load_plan(tree, &run.directory) {
            Ok(plan) => plan,
            Err(error) => {
                return Ok(Self {
                    run,
                    progress: None,
                    problems: vec![error_chain(&error)],
                });
            }
        };
        let mut examined = examine(tree, &run.directory, &plan)?;
        let found = std::mem::take(&mut examined.problems);
        // Between two renames of a process that is running, everything may look wrong.
        let problems = if has_writer { Vec::new() } else { found };
        Ok(Self {
            run,
            progress: Some((plan, examined)),
            problems,
        })
    }

    /// Returns the next operation: forward the first one that is not done, backward the last one
    /// that is not rolled back.
    fn next_operation(&self) -> Option<(&PlannedStep, &Operation)> {
        let (plan, examined) = self.progress.as_ref()?;
        let mut operations = plan
            .steps
            .iter()
            .flat_map(|step| step.operations.iter().map(move |o| (step, o)));
        match self.run.state() {
            RunState::Unfinished(Direction::Back) => operations.rfind(|(_, operation)| {
                examined.swaps.get(&operation.swap) != Some(&SwapState::NotBegun)
            }),
            _ => operations.find(|(_, operation)| !examined.is_done(operation.swap)),
        }
    }

    /// Returns the manual step that the run waits at, with its text; backward the one to be rolled
    /// back.
    fn waiting_at(&self) -> Option<(&PlannedStep, &str)> {
        let (plan, examined) = self.progress.as_ref()?;
        let back = self.run.state() == RunState::Unfinished(Direction::Back);
        let steps: Vec<&PlannedStep> = if back {
            plan.steps.iter().rev().collect()
        } else {
            plan.steps.iter().collect()
        };
        for step in steps {
            let is_past = |operation: &Operation| match back {
                true => examined.swaps.get(&operation.swap) == Some(&SwapState::NotBegun),
                false => examined.is_done(operation.swap),
            };
            let answer = self.run.journal.confirmed(&step.id);
            match (&step.manual, back) {
                (Some(manual), true) if answer == Some(Answer::Done) => {
                    return Some((step, manual.undo.as_deref()?));
                }
                (Some(manual), false)
                    if !matches!(answer, Some(Answer::Done | Answer::Skipped)) =>
                {
                    return Some((step, &manual.instructions));
                }
                _ if !step.operations.iter().all(is_past) => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns the manual step that was done, and that cannot be rolled back.
    fn irreversible_step(&self) -> Option<&PlannedStep> {
        let (plan, _) = self.progress.as_ref()?;
        plan.steps.iter().find(|step| {
            let without = step
                .manual
                .as_ref()
                .is_some_and(|manual| manual.undo.is_none());
            without && self.run.journal.confirmed(&step.id) == Some(Answer::Done)
        })
    }
}

fn is_unfinished(run: &Run) -> bool {
    matches!(run.state(), RunState::Unfinished(_))
}

/// Returns the value read from a file of the deployment; while a run is open its faults are
/// warnings.
fn unless_open<T>(read: anyhow::Result<T>, is_open: bool) -> anyhow::Result<Option<T>> {
    match read {
        Err(error) if is_open => {
            out::warn(Failure::of(&error, None));
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Reads the applied rollups.
fn applied(site: &OpenedDeployment) -> anyhow::Result<Option<AppliedRollups>> {
    let listed = site.description.as_ref().ok();
    let listed = listed.map(|site| site.applied.as_slice());
    let (applied, faults) = AppliedRollups::read(&site.tree, listed.unwrap_or_default())?;
    match faults.into_iter().next() {
        Some((at, fault)) => Err(Failure::new(
            Exit::Invalid,
            format_args!("`{}` cannot be used: {fault}", site.tree.shown(Some(&at))),
        )
        .into()),
        None => Ok(Some(applied)),
    }
}

impl SiteStatus {
    fn read(tree: &Tree, description: &Description) -> anyhow::Result<Self> {
        let mut snapshot = Snapshot::read(tree, description.clone(), &Interest::default())?;
        let (past, _) = past(tree, None)?;
        snapshot.past = past;
        let offline = description.offline_servers().into_iter();
        Ok(Self {
            lagging: lagging(&snapshot).lines(None),
            offline: offline.map(str::to_owned).collect(),
            directories_of_no_instance: directories_of_no_instance(&snapshot),
        })
    }
}

fn undo_data(tree: &Tree, runs: &[Run]) -> anyhow::Result<UndoData> {
    let mut undo_data = UndoData::default();
    for run in runs.iter().filter(|run| !run.is_open()) {
        if let Some(bytes) = kept_bytes(tree, run)? {
            undo_data.runs += 1;
            undo_data.bytes += bytes;
        }
    }
    Ok(undo_data)
}

/// Runs `rollup status`.
pub(super) fn status(args: &ReadArgs) -> anyhow::Result<Exit> {
    let status = Status::read(inputs::open_deployment(
        args.deployment.deployment.as_deref(),
    )?)?;
    match args.format {
        Format::Json => Envelope::new(status.exit(), document(&status)).print(),
        Format::Text => text(&status),
    }
    Ok(status.exit())
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "State of a deployment")]
pub(in crate::cli) struct StatusDocument<'a> {
    /// Applied rollups that are not superseded; unknown only while a run is open.
    applied: Option<Vec<AppliedRow<'a>>>,
    superseded: Option<Vec<SupersededRow>>,
    /// Requirements of applied rollups that are not met.
    lacking: Option<Vec<LackingRollup>>,
    /// Lag behind applied rollups, in words; unknown while a run is unfinished, as are the next two.
    lagging: Option<&'a [String]>,
    /// Servers that are offline.
    offline: Option<&'a [String]>,
    /// Directories that belong to no instance and to no server.
    directories_of_no_instance: Option<&'a [RelPath]>,
    /// Newest finished run.
    newest: Option<NewestRun<'a>>,
    open: Option<OpenRow<'a>>,
    /// Id of the process that is changing the deployment.
    in_progress_by: Option<u32>,
    undo_data: &'a UndoData,
}

#[derive(Serialize, JsonSchema)]
struct AppliedRow<'a> {
    kb: Kb,
    revision: Option<&'a Version>,
}

#[derive(Serialize, JsonSchema)]
struct SupersededRow {
    kb: Kb,
    /// Rollup that includes or replaces it.
    by: Kb,
}

#[derive(Serialize, JsonSchema)]
struct NewestRun<'a> {
    run: &'a str,
    undo: &'a UndoAnswer,
}

#[derive(Serialize, JsonSchema)]
struct OpenRow<'a> {
    run: &'a str,
    /// State, in words.
    state: &'static str,
    next_operation: Option<NextOperation<'a>>,
    /// Manual step that the run waits at.
    waiting_at: Option<WaitingStep<'a>>,
    /// Conflicts that keep the run from continuing.
    problems: &'a [String],
    swaps_done: Option<usize>,
    swaps: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct NextOperation<'a> {
    step: &'a str,
    operation: &'static str,
    target: &'a str,
    server: Option<&'a str>,
    swap: u32,
}

#[derive(Serialize, JsonSchema)]
struct WaitingStep<'a> {
    step: &'a str,
    text: &'a str,
}

fn document(status: &Status) -> StatusDocument<'_> {
    let applied = status.applied.as_ref();
    let site = status.site.as_ref();
    StatusDocument {
        applied: applied.map(applied_rows),
        superseded: applied.map(superseded_rows),
        lacking: applied.map(AppliedRollups::lacking),
        lagging: site.map(|site| site.lagging.as_slice()),
        offline: site.map(|site| site.offline.as_slice()),
        directories_of_no_instance: site.map(|site| site.directories_of_no_instance.as_slice()),
        newest: status
            .newest
            .as_ref()
            .map(|(run, undo)| NewestRun { run, undo }),
        open: status.open.as_ref().map(open_row),
        in_progress_by: status.holder.as_ref().map(|holder| holder.process),
        undo_data: &status.undo_data,
    }
}

fn applied_rows(applied: &AppliedRollups) -> Vec<AppliedRow<'_>> {
    let revision = |kb| applied.record(kb)?.revision.as_ref();
    let rows = applied.in_effect().map(|kb| AppliedRow {
        kb,
        revision: revision(kb),
    });
    rows.collect()
}

fn superseded_rows(applied: &AppliedRollups) -> Vec<SupersededRow> {
    let rows = applied.all().filter_map(|kb| {
        let by = applied.superseded_by(kb)?;
        Some(SupersededRow { kb, by })
    });
    rows.collect()
}

fn open_row(open: &OpenRunStatus) -> OpenRow<'_> {
    let progress = open.progress.as_ref();
    let next = open.next_operation();
    OpenRow {
        run: open.run.name(),
        state: describe_run(&open.run),
        next_operation: next.map(|(step, operation)| NextOperation {
            step: &step.id,
            operation: operation.kind.word(),
            target: &operation.target,
            server: operation.server.as_deref(),
            swap: operation.swap,
        }),
        waiting_at: open.waiting_at().map(|(step, text)| WaitingStep {
            step: &step.id,
            text,
        }),
        problems: &open.problems,
        swaps_done: progress.map(|(_, examined)| examined.done()),
        swaps: progress.map(|(plan, _)| plan.swaps.len()),
    }
}

fn text(status: &Status) {
    let shown = status.tree.path().display();
    match &status.name {
        Some(name) => out::line(format_args!(
            "deployment {} in {shown}",
            styled(BOLD, Escaped(name))
        )),
        None => out::line(format_args!("deployment in {shown}")),
    }
    status.applied.iter().for_each(applied_lines);
    let next = NextCommands(status.tree.path());
    if let Some(site) = &status.site {
        site_lines(site, &next);
    }
    if let (Some((run, undo)), None) = (&status.newest, &status.open) {
        let answer = match undo.possible {
            true => format!("`{}` rolls it back", next.undo_named(run)),
            false => format!("cannot be undone: {}", Escaped(&undo.why_not())),
        };
        out::line(format_args!("newest run: {run}; {answer}"));
    }
    if status.undo_data.runs > 0 {
        let bytes = out::number(status.undo_data.bytes);
        let runs = count(status.undo_data.runs, "run", "runs");
        out::line(format_args!(
            "undo data: {bytes} bytes of {runs}; `{}` clears it",
            next.prune()
        ));
    }
    if let Some(holder) = &status.holder {
        out::line(format_args!(
            "{}: {holder} is changing the deployment",
            styled(WARN, "in progress")
        ));
    }
    match (&status.open, &status.holder) {
        (Some(open), holder) => open_lines(open, &next, holder.is_some()),
        (None, None) => out::line(format_args!(
            "{}: no run in progress",
            styled(GOOD, "clean")
        )),
        (None, Some(_)) => out::line("no run is open"),
    }
}

fn applied_lines(applied: &AppliedRollups) {
    if applied.all().next().is_none() {
        out::line("no rollup is applied");
    }
    for kb in applied.all() {
        let record = applied.record(kb);
        let revision = record
            .and_then(|record| record.revision.as_ref())
            .map(|revision| format!(" revision {revision}"))
            .unwrap_or_default();
        let origin = match record {
            None => " (listed in `deployment.toml`)",
            Some(record) if record.by_hand => " (by hand)",
            Some(_) => "",
        };
        match applied.superseded_by(kb) {
            None => out::line(format_args!("applied: {kb}{revision}{origin}")),
            Some(by) => out::line(styled(
                DIM,
                format_args!("superseded: {kb}{revision}{origin}, by {by}"),
            )),
        }
    }
    for lacking in applied.lacking() {
        out::line(format_args!(
            "{}: {lacking}, which is neither applied nor included",
            styled(WARN, "requires")
        ));
    }
}

fn site_lines(site: &SiteStatus, next: &NextCommands<'_>) {
    for lagging in &site.lagging {
        out::line(format_args!("{}: {lagging}", styled(WARN, "lagging")));
    }
    if !site.lagging.is_empty() {
        out::line(
            next.complete(
                "  `rollup apply` with the manifest of the rollup brings up only what lags",
            ),
        );
    }
    for server in &site.offline {
        out::line(format_args!(
            "{}: server {}; runs leave it out",
            styled(WARN, "offline"),
            Escaped(server)
        ));
    }
    for directory in &site.directories_of_no_instance {
        out::line(format_args!(
            "{}: `{}` belongs to no server or instance of `deployment.toml`",
            styled(WARN, "directory"),
            Escaped(directory.as_str())
        ));
    }
}

/// Prints the progress of an open run, and the commands that continue it.
fn open_lines(open: &OpenRunStatus, next: &NextCommands<'_>, has_writer: bool) {
    let waiting_at = open.waiting_at();
    let is_interrupted = matches!(open.run.state(), RunState::Unfinished(_)) && !has_writer;
    let label = if is_interrupted && waiting_at.is_none() {
        "interrupted"
    } else {
        "open"
    };
    let label = styled(WARN, label);
    let state = describe_run(&open.run);
    out::line(format_args!("{label}: run {} is {state}", open.run.name()));
    progress_lines(open);
    if has_writer {
        return problem_lines(&open.problems);
    }
    if let Some((step, text)) = waiting_at {
        let id = styled(BOLD, &step.id);
        out::line(format_args!("waiting for manual step {id}:"));
        for line in text.lines() {
            out::line(format_args!("  {}", Escaped(line)));
        }
    }
    problem_lines(&open.problems);
    next_lines(open, next);
}

/// Prints how far each step of an open run is, and the next operation.
fn progress_lines(open: &OpenRunStatus) {
    let Some((plan, examined)) = &open.progress else {
        return;
    };
    for step in &plan.steps {
        let step = describe_step(step, examined, &open.run);
        out::line(format_args!("  {step}"));
    }
    let all = plan.operations().count();
    if let Some((step, operation)) = open.next_operation() {
        let before = plan.operations().position(|one| one.swap == operation.swap);
        let at = out::number(before.unwrap_or_default() as u64 + 1);
        out::line(format_args!(
            "  at operation {at} of {}: {} (step {})",
            out::number(all as u64),
            describe_operation(operation),
            step.id
        ));
    }
    let is_done = |operation: &&Operation| examined.is_done(operation.swap);
    let done = plan.operations().filter(is_done).count();
    let done = out::number(done as u64);
    let operations = count(all, "operation", "operations");
    out::line(format_args!("  {done} of {operations} done"));
}

fn problem_lines(problems: &[String]) {
    for problem in problems.iter().take(LISTED_PROBLEMS) {
        let label = styled(BAD, "needs attention");
        out::line(format_args!("{label}: {}", Escaped(problem)));
    }
    if let Some(more @ 1..) = problems.len().checked_sub(LISTED_PROBLEMS) {
        out::line(format_args!("and {more} more problems"));
    }
}

/// Prints the commands that continue an open run, the one for its direction first.
fn next_lines(open: &OpenRunStatus, next: &NextCommands<'_>) {
    let mut commands = Vec::new();
    if !open.problems.is_empty() && open.progress.is_some() {
        out::line("next: fix the problems above first; then");
    }
    match open.run.state() {
        RunState::Unfinished(_) if open.progress.is_none() => {
            commands.push("recover the run by hand: `rollup explain recovery`".to_owned());
            commands.push(format!("{}    quarantines the run", next.accept()));
        }
        RunState::Staging => {
            let undo = next.undo();
            commands.push(format!("{undo}    removes it, and so does the next apply"));
        }
        state => commands.extend(ways_on(open, state, next)),
    }
    for (at, command) in commands.iter().enumerate() {
        let label = if at == 0 { "next" } else { "  or" };
        out::line(format_args!("{label}: {command}"));
    }
}

/// Returns the commands that finish an open run, roll it back or close it.
fn ways_on(open: &OpenRunStatus, state: RunState, next: &NextCommands<'_>) -> Vec<String> {
    let is_back = state == RunState::Unfinished(Direction::Back);
    let (mut resume, mut undo) = (next.resume(), next.undo());
    if let Some((step, _)) = open.waiting_at() {
        let command = if is_back { &mut undo } else { &mut resume };
        command.push_str(&format!(" --done {}", step.id));
    }
    let mut ways = vec![format!("{resume}    finishes it")];
    match open.irreversible_step() {
        Some(step) => out::line(format_args!(
            "the manual step `{}` is done and cannot be rolled back",
            step.id
        )),
        None if state == RunState::Staged => ways.push(format!("{undo}      discards it")),
        None => ways.push(format!("{undo}      rolls it back")),
    }
    if is_back {
        ways.reverse();
    }
    if !open.problems.is_empty() {
        let accept = next.accept();
        ways.push(format!("{accept}    closes the run in its current state"));
    }
    ways
}
