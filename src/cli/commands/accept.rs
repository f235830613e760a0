//! `accept`: accepts drift, so that the records match the disk. Moves no installed file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::cli::answers::{confirm_to_continue, require_terminal};
use crate::cli::args;
use crate::cli::ending::{applied, report_cleared_runs, report_undo};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::inputs::{self, DescribedDeployment};
use crate::cli::next::NextCommands;
use crate::cli::recovery::{all_runs, other_is_open};
use crate::cli::state_now::take_lock;
use crate::cli::terminal::out::{self, BAD, WARN, count, styled};
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::cli::views;
use crate::cli::views::steps::describe_step;
use crate::cli::views::summary;
use crate::deployment::applied::AppliedRecord;
use crate::deployment::description::{Description, Instance, ItemId};
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::document::nearest;
use crate::events::Began;
use crate::journal::{Run, RunState};
use crate::names::{Escaped, Kb, RelPath, error_chain};
use crate::plan::{self, AcceptResult, AppliedByHand, Expectation, Plan, accept_interest};
use crate::run::{
    self, LeftObjects, RunError, RunRequest, SwapState, UnusableRun, clear_interrupted_staging,
    close_in_current_state, describe_run, emptied_paths, examine, load_plan, past,
    paths_left_empty, preflight, quarantine, unusable_runs,
};

/// Runs `rollup accept`.
pub(super) fn accept(args: &args::AcceptArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    out::message(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    let chosen = match &site.description {
        Ok(description) => chosen_instances(description, &args.items)?,
        Err(_) => None,
    };
    if !args.yes {
        require_terminal("`--yes` accepts without asking")?;
    }
    let wait = Duration::from_secs(args.lock.lock_timeout);
    let again = site.tree.try_clone()?;
    let disk = take_lock(again, "accept", wait)?;
    let unusable = unusable_runs(&disk)?;
    if !unusable.is_empty() {
        site.warn();
        return quarantine_unusable(&disk, &unusable, args);
    }
    report_cleared_runs(&clear_interrupted_staging(&disk)?);
    match all_runs(&disk)?.into_iter().find(Run::is_open) {
        Some(open) if args.applied.is_some() => {
            Err(other_is_open(&open, &NextCommands(site.tree.path())).into())
        }
        Some(open) => {
            site.warn();
            close_run(&disk, &open, args)
        }
        None if args.applied.is_some() => record_applied(&site.described()?, disk, args),
        None => accept_drift(&site.described()?, disk, chosen.as_ref(), args),
    }
}

/// Returns the user who accepts, and the reason they gave.
fn user_and_reason(args: &args::AcceptArgs) -> (String, String) {
    (user(), args.reason.clone())
}

/// Refuses named items: a run is closed or quarantined only as a whole.
fn refuse_items(
    args: &args::AcceptArgs,
    reason: String,
    next: &NextCommands<'_>,
) -> anyhow::Result<()> {
    if args.items.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, reason)
        .next(format!(
            "run `{}` without items first; then accept the items",
            next.accept()
        ))
        .into())
}

/// Quarantines the directories of runs that can be neither resumed nor undone.
fn quarantine_unusable(
    disk: &LockedDeployment,
    unusable: &[UnusableRun],
    args: &args::AcceptArgs,
) -> anyhow::Result<Exit> {
    let directory = disk.tree().path().to_owned();
    let next = NextCommands(&directory);
    let names: Vec<&str> = unusable.iter().map(|run| run.directory.name()).collect();
    refuse_items(
        args,
        format!(
            "run {} cannot be used and must be quarantined first",
            names.join(", ")
        ),
        &next,
    )?;
    for run in unusable {
        out::line(format_args!(
            "{}: {}",
            styled(BAD, "unusable"),
            Escaped(&error_chain(&run.why))
        ));
        match load_plan(disk.tree(), &run.directory) {
            Ok(plan) => show_progress(disk.tree(), &run.directory, &plan)?,
            Err(_) => show_slots(disk.tree(), &run.directory)?,
        }
    }
    out::line(
        "each run named above will be quarantined: its directory gets another name, nothing in it is",
    );
    out::line(
        "deleted, and no installed file is moved. Afterwards the run can be neither resumed nor undone,",
    );
    out::line("and nothing is compared with its records");
    confirm_to_continue(args.yes)?;
    for run in unusable {
        let to = quarantine(disk, run, user_and_reason(args))?;
        out::line(format_args!(
            "run {} is quarantined as `{}`",
            run.directory.name(),
            to.as_str()
        ));
    }
    out::line(format_args!(
        "next: rollup status -d {}",
        out::shell_quoted(&directory)
    ));
    Ok(Exit::Ok)
}

/// Closes the unfinished run in its current state.
fn close_run(disk: &LockedDeployment, open: &Run, args: &args::AcceptArgs) -> anyhow::Result<Exit> {
    let directory = disk.tree().path().to_owned();
    let next = NextCommands(&directory);
    if open.state() == RunState::Staged {
        let reason = format!("run {} is staged, and has nothing to accept", open.name());
        let advice = format!(
            "`{}` discards it, `{}` commits it",
            next.undo(),
            next.resume()
        );
        return Err(Failure::new(Exit::NotReady, reason).next(advice).into());
    }
    let state = format!("run {} is {}", open.name(), describe_run(open));
    refuse_items(
        args,
        format!("{state}, and must be closed first, as a whole"),
        &next,
    )?;
    let plan = load_plan(disk.tree(), &open.directory).context(OfRun(open.number))?;
    out::line(state);
    let examined = examine(disk.tree(), &open.directory, &plan)?;
    for step in &plan.steps {
        out::line(format_args!("  {}", describe_step(step, &examined, open)));
    }
    show_progress(disk.tree(), &open.directory, &plan)?;
    out::line(
        "it will be closed in its current state: no installed file is moved, and its directory keeps every",
    );
    out::line(
        "object in it. It cannot be resumed afterwards; `rollup undo RUN` rolls back what it did",
    );
    confirm_to_continue(args.yes)?;
    let began = Began::of(&plan, "accept");
    let mut progress = RunProgress::new(
        disk,
        began,
        RunOptions {
            signals: handle_signals()?,
            ..RunOptions::default()
        },
    );
    progress.reopen(open.name());
    let closed = close_in_current_state(disk, open, &plan, user_and_reason(args), &mut progress);
    let closed = closed.context(OfRun(open.number));
    progress.end(&closed);
    closed?;
    let shown = out::shell_quoted(&directory);
    out::line(format_args!(
        "run {} is closed in its current state; no installed file was moved",
        open.name()
    ));
    out::line(format_args!(
        "next: rollup verify -d {shown}    lists the drift"
    ));
    out::line(format_args!(
        "  or: {}    accepts the drift, too",
        next.accept()
    ));
    Ok(Exit::Ok)
}

/// Shows how many operations are done, between and not begun, which files conflict, and which
/// paths are empty now.
fn show_progress(tree: &Tree, run: &RunDir, plan: &Plan) -> anyhow::Result<()> {
    let examined = examine(tree, run, plan)?;
    let number = |wanted: SwapState| {
        plan.operations()
            .filter(|operation| examined.swaps.get(&operation.swap) == Some(&wanted))
            .count()
    };
    out::line(format_args!(
        "  of {}: {} done, {} between, {} not begun",
        count(plan.operations().count(), "operation", "operations"),
        number(SwapState::Done),
        number(SwapState::Between),
        number(SwapState::NotBegun),
    ));
    for swap in plan
        .swaps
        .iter()
        .filter(|swap| examined.swaps.get(&swap.number) == Some(&SwapState::Between))
    {
        let kept = run.slot(swap.number);
        out::line(format_args!(
            "  between: `{}`; its objects are in `{}`",
            Escaped(swap.live.as_str()),
            Escaped(kept.as_str())
        ));
    }
    for problem in &examined.problems {
        out::line(format_args!(
            "{}: {}",
            styled(BAD, "needs attention"),
            Escaped(problem)
        ));
    }
    for empty in emptied_paths(tree, run, plan)? {
        let (live, kept) = (Escaped(empty.live.as_str()), Escaped(empty.kept.as_str()));
        out::line(format_args!(
            "{}: `{live}`; its old object is kept as `{kept}`",
            styled(WARN, "empty now")
        ));
    }
    Ok(())
}

/// Shows how many old objects the slots of a run hold whose plan cannot be read.
fn show_slots(tree: &Tree, run: &RunDir) -> anyhow::Result<()> {
    let mut kept = 0;
    for (slot, _) in tree.names(&run.slots())? {
        let old = tree.metadata(&run.old_object(slot))?;
        kept += usize::from(old.is_some());
    }
    let objects = count(kept, "object", "objects");
    out::line(format_args!(
        "  its directory keeps {objects} that it replaced; without its plan their live paths are unknown"
    ));
    Ok(())
}

/// Accepts all drift, or that of the chosen instances.
fn accept_drift(
    site: &DescribedDeployment,
    mut disk: LockedDeployment,
    chosen: Option<&BTreeSet<Instance>>,
    args: &args::AcceptArgs,
) -> anyhow::Result<Exit> {
    let AcceptResult {
        plan,
        accepted,
        rejected,
        servers_lag,
    } = find_drift(site, &disk, chosen, &args.reason)?;
    let Some(plan) = plan else {
        return nothing_to_accept(&rejected, chosen, servers_lag);
    };
    show_drift(&plan, &accepted, &rejected);
    let differences = count(accepted.len(), "difference", "differences");
    let after = || match rejected.is_empty() {
        true => Ok(Exit::Ok),
        false => Err(not_acceptable(&rejected).into()),
    };
    run_accept(site, &mut disk, &plan, args, &differences, after)
}

/// Records a rollup that was applied by hand.
fn record_applied(
    site: &DescribedDeployment,
    mut disk: LockedDeployment,
    args: &args::AcceptArgs,
) -> anyhow::Result<Exit> {
    let named = args.applied.as_deref().unwrap_or(Path::new(""));
    let number = named.to_str().and_then(|text| text.parse::<Kb>().ok());
    let loaded = match number {
        Some(_) => None,
        None => Some(inputs::manifest(named, None)?),
    };
    let rollup = match (number, &loaded) {
        (None, Some(loaded)) => AppliedByHand::Manifest(&loaded.manifest),
        (number, _) => AppliedByHand::Number(number.expect("a number, if there is no manifest")),
    };
    let kb = match &rollup {
        AppliedByHand::Number(kb) => *kb,
        AppliedByHand::Manifest(manifest) => manifest.rollup.kb,
    };
    let interest = Interest {
        files: [AppliedRecord::path(kb)].into(),
        ..Interest::default()
    };
    let snapshot = Snapshot::read(&site.tree, site.description.clone(), &interest)?;
    if let Some((file, why)) = snapshot.faults.first() {
        let reason = format!("`{}` cannot be used: {why}", site.tree.shown(Some(file)));
        return Err(Failure::new(Exit::Invalid, reason)
            .next("repair it by hand, or restore it from a backup")
            .into());
    }
    let plan = plan::accept_applied(&snapshot, &rollup, &args.reason)?;
    let Some(plan) = plan else {
        out::line(format_args!("nothing to do: {kb} is on record as applied"));
        return Ok(Exit::Ok);
    };
    out::line(format_args!(
        "{kb} will be recorded as applied by hand; no installed file is moved or changed"
    ));
    run_accept(site, &mut disk, &plan, args, &kb.to_string(), || {
        Ok(Exit::Ok)
    })
}

/// Asks, then stages and commits the plan of an accept. `accepted` is what it accepts, and `after`
/// the result of the command if the run is finished.
fn run_accept(
    site: &DescribedDeployment,
    disk: &mut LockedDeployment,
    plan: &Plan,
    args: &args::AcceptArgs,
    accepted: &str,
    after: impl FnOnce() -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let reasons = preflight(&site.tree, plan)?;
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons).into());
    }
    confirm_to_continue(args.yes)?;
    disk.create_rollup_directory("accept")?;
    let began = Began::of(plan, "accept");
    let mut progress = RunProgress::new(
        disk,
        began,
        RunOptions {
            signals: handle_signals()?,
            ..RunOptions::default()
        },
    );
    let nothing_else = RunRequest {
        manifest: None,
        confirmed: Vec::new(),
    };
    let staged = run::stage(disk, plan, &nothing_else, None, &mut progress);
    let ended = staged.and_then(|staged| run::commit(disk, plan, staged, &mut progress));
    let result = ended.map_err(anyhow::Error::from).and_then(applied);
    let is_done = result.is_ok();
    let result = result.and_then(|_| after());
    progress.end(&result);
    if !is_done {
        return result;
    }
    let run = progress.run.clone().unwrap_or_default();
    out::line(format_args!("accepted as run {run}: {accepted}"));
    summary::lines(plan)
        .iter()
        .for_each(|line| out::line(format_args!("  {line}")));
    report_undo(&site.tree, Some(&site.description), &run);
    result
}

/// Reads the deployment, and finds the drift that can be accepted and the drift that cannot.
fn find_drift(
    site: &DescribedDeployment,
    disk: &LockedDeployment,
    chosen: Option<&BTreeSet<Instance>>,
    reason: &str,
) -> anyhow::Result<AcceptResult> {
    let tree = &site.tree;
    let runs = all_runs(disk)?;
    let (past, LeftObjects { there, gone }) = past(tree, None)?;
    let empty = paths_left_empty(tree, &runs)?;
    let expectation = Expectation {
        there: there
            .into_iter()
            .map(|(path, left)| (path, left.kind))
            .collect(),
        gone,
        emptied: empty.into_iter().map(|(_, empty)| empty.live).collect(),
    };
    let read = |interest: &Interest| Snapshot::read(tree, site.description.clone(), interest);
    // The records determine which files have to be hashed.
    let interest = accept_interest(&read(&Interest::default())?, &expectation, chosen);
    let mut snapshot = read(&interest)?;
    snapshot.past = past;
    let accepting = plan::accept(&snapshot, &expectation, chosen, reason);
    accepting.map_err(|refusal| RunError::NotReady(refusal.reasons).into())
}

fn nothing_to_accept(
    rejected: &BTreeMap<RelPath, String>,
    chosen: Option<&BTreeSet<Instance>>,
    lags: bool,
) -> anyhow::Result<Exit> {
    if !rejected.is_empty() {
        return Err(not_acceptable(rejected).into());
    }
    if lags {
        out::line(
            "a server that lags cannot be accepted: `rollup apply` with the manifest of the rollup brings it up",
        );
    }
    let why = match chosen {
        None => "everything matches its records",
        Some(_) => "the named items match their records",
    };
    out::line(format_args!("nothing to do: {why}"));
    Ok(Exit::Ok)
}

fn show_drift(
    plan: &Plan,
    accepted: &BTreeMap<RelPath, String>,
    rejected: &BTreeMap<RelPath, String>,
) {
    let width = out::width();
    let entry = |path: &RelPath, difference: &str| {
        let path = format!("  `{}`", Escaped(path.as_str()));
        // A path stays in one piece; its description goes on the next line if the line would be too
        // long.
        let gap = if path.chars().count() + 1 + difference.chars().count() <= width {
            " "
        } else {
            "\n    "
        };
        format!("{path}{gap}{difference}")
    };
    out::line("drift to accept:");
    accepted
        .iter()
        .for_each(|(path, difference)| out::line(entry(path, difference)));
    if plan.operations().next().is_some() {
        out::line("records to rewrite:");
        let groups = plan
            .steps
            .iter()
            .flat_map(|step| views::plan::group_operations(&step.operations));
        groups.for_each(|group| out::line(format_args!("  {}", group.target())));
    }
    if !rejected.is_empty() {
        out::line(format_args!(
            "{}, and stays as it is:",
            styled(WARN, "cannot be accepted")
        ));
        rejected
            .iter()
            .for_each(|(path, difference)| out::line(entry(path, difference)));
    }
    out::line("no installed file is moved or changed");
}

/// Lists the paths that have to be fixed by hand.
fn not_acceptable(rejected: &BTreeMap<RelPath, String>) -> Failure {
    let reasons = rejected
        .iter()
        .map(|(path, difference)| format!("`{path}` {difference}: this cannot be accepted"));
    Failure::because(Exit::Mismatch, reasons.collect())
        .next("fix these paths by hand, or restore them from a backup")
}

/// Returns the named instances, or `None` if none is named. Reports all mistakes at once.
fn chosen_instances(
    site: &Description,
    named: &[String],
) -> Result<Option<BTreeSet<Instance>>, Failure> {
    if named.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    let mut failure: Option<Failure> = None;
    for name in named {
        match instances_named(site, name) {
            Ok(instances) => chosen.extend(instances),
            Err(more) => {
                failure = Some(match failure.take() {
                    Some(failure) => failure.and(more),
                    None => more,
                });
            }
        }
    }
    match failure {
        None => Ok(Some(chosen)),
        Some(failure) => Err(failure),
    }
}

/// Returns the instances that a name refers to: all of them, or those on the server after an `@`.
fn instances_named(site: &Description, named: &str) -> Result<Vec<Instance>, Failure> {
    // A name may itself contain an `@`.
    let (name, server) = match (items_named(site, named), named.rsplit_once('@')) {
        (None, Some((name, server))) => (name, Some(server)),
        _ => (named, None),
    };
    let Some(items) = items_named(site, name) else {
        return Err(unknown_item(site, name));
    };
    let all: Vec<Instance> = items
        .into_iter()
        .flat_map(|item| site.instances(item))
        .collect();
    let Some(server) = server else { return Ok(all) };
    let here =
        |instance: &Instance| instance.server.is_some() && instance.server == site.server(server);
    let found: Vec<Instance> = all.iter().copied().filter(here).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let on: BTreeSet<_> = all.iter().filter_map(|instance| instance.server).collect();
    let on: Vec<&str> = on
        .into_iter()
        .map(|server| site.servers[server.0].name.as_str())
        .collect();
    let help = match (nearest(server, on.iter().copied()), on.is_empty()) {
        (_, true) => format!("it is not bound to a server: write `{name}`"),
        (Some(near), _) => format!("did you mean `{name}@{near}`?"),
        (None, _) => format!("it is on {}", on.join(", ")),
    };
    let reason = format!("`{}` is not on `{}`", Escaped(name), Escaped(server));
    Err(Failure::new(Exit::Usage, reason).next(help))
}

/// Returns an item by name, alias or path, or every item below a group.
fn items_named(site: &Description, name: &str) -> Option<Vec<ItemId>> {
    let by_path = || {
        let (group, name) = name.rsplit_once('/')?;
        let item = site.item(name)?;
        (site.group(group) == Some(site.items[item.0].group)).then_some(item)
    };
    let item = site.item(name).or_else(by_path).map(|item| vec![item]);
    item.or_else(|| Some(site.items_below(site.group(name)?)))
}

fn unknown_item(site: &Description, name: &str) -> Failure {
    let last = name.rsplit('/').next().unwrap_or(name);
    let near = site.nearest_item(last).or_else(|| site.nearest_group(name));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`rollup tree` lists the names of the console".to_owned(),
    };
    let reason = format!("`deployment.toml` lists no item `{}`", Escaped(name));
    Failure::new(Exit::Usage, reason).next(help)
}
