//! `accept`: accepts drift, so that the records match what is on disk. Moves no installed file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cli::answers::{asked, can_be_asked};
use crate::cli::args;
use crate::cli::ending::{arrived, not_walked, told_cleared};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs::{self, Site};
use crate::cli::next::Next;
use crate::cli::recovery::all_runs;
use crate::cli::terminal::out::{self, BAD, WARN, count, styled};
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::cli::views;
use crate::cli::views::steps::step_line;
use crate::cli::views::summary;
use crate::deployment::description::{Description, Instance, ItemId};
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::deployment::tree::Tree;
use crate::document::nearest;
use crate::events::Began;
use crate::journal::{Run, RunState};
use crate::names::{Escaped, RelPath, error_chain};
use crate::plan::{self, Accepting, Expectation, Plan, accept_interest};
use crate::run::{
    self, Asked, LeftBehind, Progress as SwapProgress, RunError, Unusable, clear_the_way,
    close_in_current_state, describe_state, emptied, examine, left_by, left_empty, load_plan,
    preflight, quarantine, unusable,
};

/// Runs `rollup accept`.
pub(super) fn accept(args: &args::Accept) -> Result<Exit, Failure> {
    let site = inputs::run_site(args.deployment.deployment.as_deref())?;
    out::say(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    let chosen = match &site.description {
        Ok(description) => chosen(description, &args.items)?,
        Err(_) => None,
    };
    if !args.yes {
        can_be_asked("`--yes` accepts without asking")?;
    }
    let wait = Duration::from_secs(args.locking.lock_timeout);
    let again = site.tree.again().map_err(|error| inputs::disk(&error))?;
    let disk =
        LockedDeployment::lock(again, "accept", wait).map_err(|error| inputs::locked(&error))?;
    let unusable = unusable(&disk).map_err(|error| inputs::not_begun(&error))?;
    if !unusable.is_empty() {
        site.warn();
        return quarantine_unusable(&disk, &unusable, args);
    }
    told_cleared(&clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?);
    match all_runs(&disk)?.into_iter().find(Run::is_open) {
        Some(open) => {
            site.warn();
            close(&disk, &open, args)
        }
        None => drift(&site.described()?, disk, chosen.as_ref(), args),
    }
}

/// Returns the user who accepts, and the reason they gave.
fn said(args: &args::Accept) -> (String, String) {
    (user(), args.reason.clone())
}

/// Refuses named items: a run is closed or quarantined only as a whole.
fn without_items(args: &args::Accept, what: String, next: &Next<'_>) -> Result<(), Failure> {
    match args.items.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Usage, what)
            .now("this command changed nothing")
            .next(format!(
                "`{}`, without an item, comes first; items can be accepted after it",
                next.accept()
            ))),
    }
}

/// Quarantines the directories of runs that can be neither resumed nor undone.
fn quarantine_unusable(
    disk: &LockedDeployment,
    unusable: &[Unusable],
    args: &args::Accept,
) -> Result<Exit, Failure> {
    let directory = disk.tree().path().to_owned();
    let next = Next(&directory);
    let names: Vec<&str> = unusable.iter().map(|run| run.directory.name()).collect();
    without_items(
        args,
        format!(
            "run {} cannot be used, and must be quarantined first",
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
            Ok(plan) => show_swaps(disk.tree(), &run.directory, &plan)?,
            Err(_) => show_slots(disk.tree(), &run.directory)?,
        }
    }
    out::line(
        "each directory that is named gets another name, which is no run's; nothing in it is deleted, and no",
    );
    out::line(
        "installed file is moved. From then on no command knows what that run did: it can neither be resumed",
    );
    out::line("nor undone, and nothing is compared with it");
    asked(args.yes)?;
    for run in unusable {
        let to = quarantine(disk, run, said(args)).map_err(|error| inputs::not_begun(&error))?;
        out::line(format_args!(
            "run {} is quarantined as `{to}`",
            run.directory.name()
        ));
    }
    out::line(format_args!(
        "next: rollup status -d {}",
        out::typed(&directory)
    ));
    Ok(Exit::Ok)
}

/// Closes the unfinished run in its current state.
fn close(disk: &LockedDeployment, open: &Run, args: &args::Accept) -> Result<Exit, Failure> {
    let directory = disk.tree().path().to_owned();
    let next = Next(&directory);
    let what = format!("run {} is {}", open.name(), describe_state(open));
    if open.state() == RunState::Staged {
        return Err(Failure::new(Exit::NotReady, what)
            .now("there is nothing to accept of it; this command changed nothing")
            .next(format!(
                "`{}` throws it away, `{}` commits it",
                next.undo(),
                next.resume()
            )));
    }
    without_items(
        args,
        format!("{what}, and has to be closed first, as a whole"),
        &next,
    )?;
    let plan =
        load_plan(disk.tree(), &open.directory).map_err(|error| not_walked(&error, open, &next))?;
    out::line(what);
    let examined =
        examine(disk.tree(), &open.directory, &plan).map_err(|error| inputs::disk(&error))?;
    for step in &plan.steps {
        out::line(format_args!("  {}", step_line(step, &examined, open)));
    }
    show_swaps(disk.tree(), &open.directory, &plan)?;
    out::line(
        "it will be closed as it stands: no installed file is moved, its slots keep what they hold, and it",
    );
    out::line("can neither be resumed nor undone any more");
    asked(args.yes)?;
    let began = Began::of(&plan, "accept");
    let mut progress = Progress::new(
        disk.tree(),
        began,
        Wishes {
            signals: heeded()?,
            ..Wishes::default()
        },
    );
    progress.reopen(open.name());
    let closed = close_in_current_state(disk, open, &plan, said(args), &mut progress);
    let closed = closed.map_err(|error| not_walked(&error, open, &next));
    progress.end(&closed);
    closed?;
    let shown = out::typed(&directory);
    out::line(format_args!(
        "run {} is closed as it stands; no installed file was moved",
        open.name()
    ));
    out::line(format_args!(
        "next: rollup verify -d {shown}    tells what matches no record now"
    ));
    out::line(format_args!(
        "  or: {}    takes that for true, too",
        next.accept()
    ));
    Ok(Exit::Ok)
}

/// Shows which swaps are done, between and not begun, which files conflict, and which paths are
/// empty now.
fn show_swaps(tree: &Tree, run: &RelPath, plan: &Plan) -> Result<(), Failure> {
    let examined = examine(tree, run, plan).map_err(|error| inputs::disk(&error))?;
    let number = |wanted: SwapProgress| {
        examined
            .swaps
            .values()
            .filter(|&&found| found == wanted)
            .count()
    };
    out::line(format_args!(
        "  of {}: {} in place, {} between, {} not begun",
        count(plan.swaps.len(), "swap", "swaps"),
        number(SwapProgress::Done),
        number(SwapProgress::Between),
        number(SwapProgress::NotBegun),
    ));
    for swap in plan
        .swaps
        .iter()
        .filter(|swap| examined.swaps.get(&swap.number) == Some(&SwapProgress::Between))
    {
        out::line(format_args!(
            "  between: `{}` (swap {})",
            Escaped(swap.live.as_str()),
            swap.number
        ));
    }
    for trouble in &examined.troubles {
        out::line(format_args!(
            "{}: {}",
            styled(BAD, "needs attention"),
            Escaped(trouble)
        ));
    }
    for empty in emptied(tree, run, plan).map_err(|error| inputs::disk(&error))? {
        let (live, kept) = (Escaped(empty.live.as_str()), Escaped(empty.kept.as_str()));
        out::line(format_args!(
            "{}: `{live}`; what stood there is kept as `{kept}`",
            styled(WARN, "empty now")
        ));
    }
    Ok(())
}

/// Shows what the slots of a run hold whose plan cannot be read.
fn show_slots(tree: &Tree, run: &RelPath) -> Result<(), Failure> {
    let slots = run.join("slots").expect("a plain name");
    let mut all: Vec<String> = Vec::new();
    for (slot, _) in tree.names(&slots).map_err(|error| inputs::disk(&error))? {
        let directory = slots.join(&slot).expect("a name found in a directory");
        let names = tree
            .names(&directory)
            .map_err(|error| inputs::disk(&error))?;
        all.extend(
            names
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| name == "old"),
        );
    }
    let objects = count(all.len(), "object", "objects");
    out::line(format_args!(
        "  its slots keep {objects} that it set aside; where they stood, its plan does not say"
    ));
    Ok(())
}

/// Accepts all drift, or that of the chosen instances.
fn drift(
    site: &Site,
    mut disk: LockedDeployment,
    chosen: Option<&BTreeSet<Instance>>,
    args: &args::Accept,
) -> Result<Exit, Failure> {
    let Accepting { plan, taken, left } = found(site, &disk, chosen, &args.reason)?;
    let Some(plan) = plan else {
        return nothing(&left, chosen);
    };
    show(&plan, &taken, &left);
    let reasons = preflight(&site.tree, &plan).map_err(|error| inputs::disk(&error))?;
    if !reasons.is_empty() {
        return Err(inputs::not_begun(&RunError::NotReady(reasons)));
    }
    asked(args.yes)?;
    disk.keep("accept").map_err(|error| inputs::disk(&error))?;
    let began = Began::of(&plan, "accept");
    let mut progress = Progress::new(
        &site.tree,
        began,
        Wishes {
            signals: heeded()?,
            ..Wishes::default()
        },
    );
    let nothing_else = Asked {
        manifest: None,
        confirmed: Vec::new(),
    };
    let staged = run::stage(&disk, &plan, &nothing_else, None, &mut progress);
    let ended = staged.and_then(|staged| run::commit(&disk, &plan, staged, &mut progress));
    let next = Next(site.tree.path());
    let result = ended
        .map_err(|error| inputs::not_begun(&error))
        .and_then(|ended| arrived(ended, &next));
    let is_done = result.is_ok();
    let result = result.and_then(|_| match left.is_empty() {
        true => Ok(Exit::Ok),
        false => Err(not_acceptable(&left).now("all else was accepted")),
    });
    progress.end(&result);
    if !is_done {
        return result;
    }
    let run = progress.run.clone().unwrap_or_default();
    let differences = count(taken.len(), "difference is", "differences are");
    out::line(format_args!(
        "accepted as run {run}: {differences} taken for true"
    ));
    summary::lines(&plan)
        .iter()
        .for_each(|line| out::line(format_args!("  {line}")));
    out::line(format_args!("`{} last` takes it back", next.undo()));
    result
}

fn found(
    site: &Site,
    disk: &LockedDeployment,
    chosen: Option<&BTreeSet<Instance>>,
    reason: &str,
) -> Result<Accepting, Failure> {
    let tree = &site.tree;
    let runs = all_runs(disk)?;
    let LeftBehind { there, gone } =
        left_by(tree, &runs).map_err(|error| inputs::not_begun(&error))?;
    let empty = left_empty(tree, &runs).map_err(|error| inputs::disk(&error))?;
    let expectation = Expectation {
        there: there
            .into_iter()
            .map(|(path, left)| (path, left.what))
            .collect(),
        gone,
        emptied: empty.into_iter().map(|(_, empty)| empty.live).collect(),
    };
    let read = |interest: &Interest| {
        Snapshot::read(tree, site.description.clone(), interest)
            .map_err(|error| inputs::disk(&error))
    };
    // The records determine which files have to be hashed.
    let interest = accept_interest(&read(&Interest::default())?, &expectation, chosen);
    let snapshot = read(&interest)?;
    let accepting = plan::accept(&snapshot, &expectation, chosen, reason);
    accepting.map_err(|refusal| inputs::not_begun(&RunError::NotReady(refusal.reasons)))
}

fn nothing(
    left: &BTreeMap<RelPath, String>,
    chosen: Option<&BTreeSet<Instance>>,
) -> Result<Exit, Failure> {
    if !left.is_empty() {
        return Err(not_acceptable(left).now("nothing has changed"));
    }
    let what = match chosen {
        None => "everything matches its records",
        Some(_) => "what is named matches its records",
    };
    out::line(format_args!("nothing to do: {what}"));
    Ok(Exit::Ok)
}

fn show(plan: &Plan, taken: &BTreeMap<RelPath, String>, left: &BTreeMap<RelPath, String>) {
    let width = out::width();
    let told = |path: &RelPath, what: &str| {
        let path = format!("  `{}`", Escaped(path.as_str()));
        // A path stays in one piece; its description goes on the next line if the line would be too
        // long.
        let gap = if path.chars().count() + 1 + what.chars().count() <= width {
            " "
        } else {
            "\n    "
        };
        format!("{path}{gap}{what}")
    };
    out::line("taken for true as it lies there:");
    taken
        .iter()
        .for_each(|(path, what)| out::line(told(path, what)));
    if plan.operations().next().is_some() {
        out::line("records that are written anew for it:");
        let groups = plan
            .steps
            .iter()
            .flat_map(|step| views::plan::grouped(&step.operations));
        groups.for_each(|group| out::line(format_args!("  {}", views::plan::target(&group))));
    }
    if !left.is_empty() {
        out::line(format_args!(
            "{} as it is, for nobody can take it for true:",
            styled(WARN, "left")
        ));
        left.iter()
            .for_each(|(path, what)| out::line(told(path, what)));
    }
    out::line("no installed file is moved or changed");
}

/// Lists the paths that have to be fixed by hand.
fn not_acceptable(left: &BTreeMap<RelPath, String>) -> Failure {
    let mut failure = Failure::new(Exit::Mismatch, "");
    failure.reasons = left
        .iter()
        .map(|(path, what)| format!("`{path}` {what}: that cannot be taken for true"))
        .collect();
    failure.next("mend what is named by hand, or put it back from a backup")
}

/// Returns the named instances, or `None` if none is named. Reports all mistakes at once.
fn chosen(site: &Description, named: &[String]) -> Result<Option<BTreeSet<Instance>>, Failure> {
    if named.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    let mut failure = Failure::new(Exit::Usage, "").now("nothing was begun");
    failure.reasons.clear();
    for name in named {
        match instances(site, name) {
            Ok(instances) => chosen.extend(instances),
            Err(Unknown { what, help }) => {
                failure.reasons.push(what);
                failure.next.push(help);
            }
        }
    }
    match failure.reasons.is_empty() {
        true => Ok(Some(chosen)),
        false => Err(failure),
    }
}

/// Name that no item has, with help.
struct Unknown {
    what: String,
    help: String,
}

/// Returns the instances that a name refers to: all of them, or those on the server after an `@`.
fn instances(site: &Description, named: &str) -> Result<Vec<Instance>, Unknown> {
    // A name may itself contain an `@`.
    let (name, server) = match (items(site, named), named.rsplit_once('@')) {
        (None, Some((name, server))) => (name, Some(server)),
        _ => (named, None),
    };
    let Some(items) = items(site, name) else {
        return Err(unknown(site, name));
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
        (_, true) => "it is on no server of its own: leave `@` and what follows it out".to_owned(),
        (Some(near), _) => format!("did you mean `{name}@{near}`?"),
        (None, _) => format!("it is on {}", on.join(", ")),
    };
    Err(Unknown {
        what: format!("`{}` is not on `{}`", Escaped(name), Escaped(server)),
        help,
    })
}

/// Returns an item by name, alias or path, or every item below a group.
fn items(site: &Description, name: &str) -> Option<Vec<ItemId>> {
    let by_path = || {
        let (group, name) = name.rsplit_once('/')?;
        let item = site.item(name)?;
        (site.group(group) == Some(site.items[item.0].group)).then_some(item)
    };
    let item = site.item(name).or_else(by_path).map(|item| vec![item]);
    item.or_else(|| Some(site.items_below(site.group(name)?)))
}

fn unknown(site: &Description, name: &str) -> Unknown {
    let last = name.rsplit('/').next().unwrap_or(name);
    let near = site.nearest_item(last).or_else(|| site.nearest_group(name));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`rollup tree` lists the names of the console".to_owned(),
    };
    Unknown {
        what: format!("`deployment.toml` lists no item `{}`", Escaped(name)),
        help,
    }
}
