//! Promises that hold for every deployment and every manifest, tried on random ones.

mod choose;
mod drive;
mod hold;
mod mend;
mod model;
mod names;
mod stock;
mod world;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rollup::journal::{Outcome, Record, RunState};
use rollup::names::Folded;
use rollup::plan::Plan;
use rollup::run::{Ended, RunError};
use walkdir::WalkDir;

use crate::crash::tree::Tree;
use choose::cases;
use drive::{Doom, Ready, Way, all_runs, recover, tear_last_record, undo_finished};
use hold::hold;
use model::Case;
use world::World;

/// Compares two trees; what is told first says when.
fn same(wanted: &Tree, found: &Tree, told: &str) -> TestCaseResult {
    let differences = wanted.differences(found);
    prop_assert!(differences.is_empty(), "{told}: {differences:#?}");
    Ok(())
}

/// Fails with a message.
fn fail<T>(message: String) -> Result<T, TestCaseError> {
    Err(TestCaseError::fail(message))
}

/// Which file or folder each path is.
fn identities(deployment: &Path) -> BTreeMap<PathBuf, u64> {
    let ours = |entry: &walkdir::DirEntry| entry.depth() == 1 && entry.file_name() == ".rollup";
    let entries = WalkDir::new(deployment).min_depth(1).into_iter().filter_entry(|entry| !ours(entry));
    let identity = |entry: walkdir::DirEntry| {
        let below = entry.path().strip_prefix(deployment).expect("it lies below").to_owned();
        (below, entry.metadata().expect("it was just listed").ino())
    };
    entries.map(|entry| identity(entry.expect("it can be listed"))).collect()
}

/// Now, less what the clock of a file system may lag behind.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("it is not so late") - 2
}

/// Everything that stands at no live path, and every file of an operator's, is the very same.
fn nothing_else_is_touched(
    plan: &Plan,
    before: &BTreeMap<PathBuf, u64>,
    after: &BTreeMap<PathBuf, u64>,
) -> TestCaseResult {
    let live: Vec<Folded> = plan.live_paths().iter().map(|path| path.folded()).collect();
    let travels = |path: &PathBuf| plan.swaps.iter().any(|swap| swap.travellers.iter().any(|t| t.to_path() == *path));
    for (path, identity) in before {
        let folded = Folded::of(path.to_str().expect("a name of ours"));
        let is_ours = live.iter().any(|live| {
            folded == *live || folded.as_str().strip_prefix(live.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        if !is_ours || travels(path) {
            prop_assert_eq!(after.get(path), Some(identity), "{:?} is another file", path);
        }
    }
    Ok(())
}

#[test]
fn apply_and_undo_leave_any_deployment_as_it_was() {
    let tally = hold(200, &cases(stock::ROLLUPS), |case, payloads, tally| {
        let world = World::of(&case);
        let at = world.deployment();
        let mut steps: Vec<(Tree, BTreeMap<PathBuf, u64>)> = Vec::new();
        for (number, rollup) in Ready::all(&case, payloads)?.into_iter().enumerate() {
            let plan = match tally.planned(rollup.plan(at)) {
                Err(refused) if number == 0 => return Err(refused),
                Err(_) => break,
                Ok(plan) => plan,
            };
            let (tree, before) = (Tree::of(at), identities(at));
            match rollup.apply(at, &plan, None) {
                Ok(Ended::Applied { came, .. }) if came.is_empty() => {}
                other => return fail(format!("apply of rollup {}: {other:?}", number + 1)),
            }
            nothing_else_is_touched(&plan, &before, &identities(at))?;
            steps.push((tree, before));
        }
        for (number, (tree, before)) in steps.into_iter().enumerate().rev() {
            match undo_finished(at, None) {
                Ok(Some(Ended::Undone { because: None })) => {}
                other => return fail(format!("undo of rollup {}: {other:?}", number + 1)),
            }
            same(&tree, &Tree::of(at), &format!("rollup {} was taken back", number + 1))?;
            prop_assert!(before == identities(at), "not all of it is the same files");
            if number > 0 {
                tally.count_special();
            }
        }
        Ok(())
    });
    assert!(tally.special.get() > 0, "no second rollup was taken back");
}

/// What a case comes to when nothing disturbs it.
struct Undisturbed {
    began: i64,
    plan: Plan,
    before: Tree,
    after: Tree,
    /// The changes that staged the run, and all of them.
    staging: usize,
    changes: usize,
}

impl Undisturbed {
    fn of(case: &Case, rollup: &Ready<'_>, tally: &hold::Tally) -> Result<Self, TestCaseError> {
        let world = World::of(case);
        let at = world.deployment();
        let plan = tally.planned(rollup.plan(at))?;
        let (began, before) = (now(), Tree::of(at));
        let never = Doom::never();
        match rollup.apply(at, &plan, Some(&never)) {
            Ok(Ended::Applied { .. }) => {}
            other => return fail(format!("apply: {other:?}")),
        }
        let after = Tree::of(at).without_times_since(began);
        Ok(Self { began, plan, before, after, staging: never.staging(), changes: never.changes() })
    }

    fn doom(&self, Moment { commits, at }: Moment) -> Doom {
        let (first, last) = if commits { (self.staging, self.changes) } else { (0, self.staging) };
        Doom::at(1 + first + (last - first) * usize::from(at) / 65_536)
    }

    /// The tree is the one before, or the one after but for the times of what the run wrote.
    fn stands(&self, at: &Path, way: Way, told: &str) -> TestCaseResult {
        match way {
            Way::Back => same(&self.before, &Tree::of(at), told),
            Way::Forward => same(&self.after, &Tree::of(at).without_times_since(self.began), told),
        }
    }
}

/// Which tree stands where no run is open; `None` where one is.
fn rests(at: &Path) -> Option<Way> {
    let runs = all_runs(at);
    if runs.iter().any(|run| run.is_open()) {
        return None;
    }
    match runs.last().map(|run| run.state()) {
        Some(RunState::Closed(Outcome::Applied)) => Some(Way::Forward),
        _ => Some(Way::Back),
    }
}

/// Which of its changes an apply dies at: so many 65,536ths of those that stage it, or commit it.
#[derive(Debug, Clone, Copy)]
struct Moment {
    commits: bool,
    at: u16,
}

fn moments() -> impl Strategy<Value = Moment> {
    (prop::bool::weighted(0.8), any::<u16>()).prop_map(|(commits, at)| Moment { commits, at })
}

/// How an apply is interrupted and recovered.
#[derive(Debug, Clone)]
struct Blow {
    at: Moment,
    /// How many bytes of the last record of its journal get to disk, where not all do.
    torn: Option<u16>,
    way: Way,
}

fn blows() -> impl Strategy<Value = Blow> {
    let way = select(vec![Way::Forward, Way::Back]);
    (moments(), proptest::option::of(0_u16..500), way).prop_map(|(at, torn, way)| Blow { at, torn, way })
}

/// Whether a run that is said to be staged has begun its renames all the same.
fn lost_its_beginning(at: &Path, whole: Option<&Record>) -> bool {
    let runs = all_runs(at);
    let Some(run) = runs.last() else { return false };
    if run.state() != RunState::Staged || whole != Some(&Record::Committing) {
        return false;
    }
    let slots = at.join(run.folder.to_path()).join("slots");
    let slots = std::fs::read_dir(slots).expect("a staged run has slots").map(|slot| slot.expect("listed").path());
    slots.into_iter().any(|slot| slot.join("old").exists() || !slot.join("new").exists())
}

fn is_recovered(
    undisturbed: &Undisturbed,
    rollup: &Ready<'_>,
    case: &Case,
    blow: &Blow,
) -> Result<bool, TestCaseError> {
    let world = World::of(case);
    let at = world.deployment();
    let doom = undisturbed.doom(blow.at);
    let died = rollup.apply(at, &undisturbed.plan, Some(&doom));
    prop_assert!(matches!(died, Err(_) | Ok(Ended::Stuck { .. })), "nobody noticed the death: {died:?}");
    if let Some(run) = all_runs(at).last()
        && let Some(stay) = blow.torn
    {
        let whole = run.journal.last().cloned();
        tear_last_record(at, run, usize::from(stay));
        if lost_its_beginning(at, whole.as_ref()) {
            let stood = Tree::of(at);
            let refused = recover(at, blow.way, None);
            prop_assert!(matches!(refused, Err(RunError::Journal(_))), "the journal lost a record: {refused:?}");
            same(&stood, &Tree::of(at), "nothing is touched where the journal is damaged")?;
            return Ok(false);
        }
    }
    let stands = match (blow.way, recover(at, blow.way, None)) {
        (Way::Forward, Ok(Some(Ended::Applied { .. }))) => Way::Forward,
        (Way::Back, Ok(Some(Ended::Undone { because: None }))) => Way::Back,
        // There was nothing to recover: it was not begun, or it is finished.
        (_, Ok(None)) => rests(at).expect("no run is open"),
        (_, other) => return fail(format!("{blow:?}: {other:?}")),
    };
    undisturbed.stands(at, stands, &format!("{blow:?}"))?;
    prop_assert_eq!(rests(at), Some(stands), "the journal says otherwise");
    let trash = std::fs::read_dir(at.join(".rollup/trash")).into_iter().flatten().count();
    prop_assert!(trash == 0 && !at.join(".rollup-new").exists(), "something was not cleared away");
    for way in [Way::Forward, Way::Back] {
        prop_assert!(matches!(recover(at, way, None), Ok(None)), "there is something to recover still");
    }
    undisturbed.stands(at, stands, "recovered once more")?;
    Ok(true)
}

#[test]
fn any_death_of_any_apply_is_recovered_whatever_is_left_of_the_last_record() {
    let tally = hold(100, &(cases(1), vec(blows(), 1..=4)), |(case, blows), payloads, tally| {
        let rollup = &Ready::all(&case, payloads)?[0];
        let undisturbed = Undisturbed::of(&case, rollup, tally)?;
        for blow in blows {
            if !is_recovered(&undisturbed, rollup, &case, &blow)? {
                tally.count_special();
            }
        }
        Ok(())
    });
    assert!(tally.special.get() > 0, "no journal lost the record that begins the renames");
}

/// One command of an alternation: which way, and at which of its changes it is killed.
type Command = (Way, Option<usize>);

/// Takes the run one way, whatever stands: begins it, resumes it, or takes it back.
fn command(rollup: &Ready<'_>, at: &Path, way: Way, doom: &Doom) -> Result<Option<Ended>, RunError> {
    match (rests(at), way) {
        (None, _) => recover(at, way, Some(doom.watch())),
        (Some(Way::Back), Way::Forward) => {
            let plan = rollup.plan(at).expect("it could be planned before");
            rollup.apply(at, &plan, Some(doom)).map(Some)
        }
        (Some(Way::Forward), Way::Back) => undo_finished(at, Some(doom)),
        (Some(_), _) => Ok(None),
    }
}

/// How often it was killed.
fn ends_where_the_last_one_says(
    undisturbed: &Undisturbed,
    rollup: &Ready<'_>,
    case: &Case,
    first: Moment,
    commands: &[Command],
) -> Result<usize, TestCaseError> {
    let world = World::of(case);
    let at = world.deployment();
    let died = command(rollup, at, Way::Forward, &undisturbed.doom(first));
    prop_assert!(matches!(died, Err(_) | Ok(Some(Ended::Stuck { .. }))), "nobody noticed the death: {died:?}");
    let mut killed = 1;
    for (number, &(way, kill)) in commands.iter().enumerate() {
        let doom = kill.map_or_else(Doom::never, Doom::at);
        let told = format!("command {number}");
        match command(rollup, at, way, &doom) {
            Ok(Some(Ended::Applied { .. })) if way == Way::Forward => undisturbed.stands(at, way, &told)?,
            Ok(Some(Ended::Undone { because: None })) if way == Way::Back => undisturbed.stands(at, way, &told)?,
            // There was nothing to do, or only something to clear away.
            Ok(None) => {}
            Err(_) | Ok(Some(Ended::Stuck { .. })) if doom.came() => killed += 1,
            other => return fail(format!("{told}: {other:?}")),
        }
        if let Some(stands) = rests(at) {
            undisturbed.stands(at, stands, &told)?;
        }
    }
    let (last, _) = commands.last().expect("there is a last one");
    prop_assert_eq!(rests(at), Some(*last), "it ended elsewhere");
    Ok(killed)
}

#[test]
fn resume_and_undo_in_any_alternation_end_where_the_last_one_says() {
    let way = || select(vec![Way::Forward, Way::Back]);
    let commands = vec((way(), proptest::option::weighted(0.9, 1_usize..30)), 1..=6);
    let tally = hold(120, &(cases(1), moments(), commands, way()), |(case, first, commands, last), payloads, tally| {
        let rollup = &Ready::all(&case, payloads)?[0];
        let undisturbed = Undisturbed::of(&case, rollup, tally)?;
        let mut commands: Vec<Command> = commands;
        // The first of them may only clear away what died while it was staged.
        commands.extend([(last, None), (last, None)]);
        if ends_where_the_last_one_says(&undisturbed, rollup, &case, first, &commands)? > 2 {
            tally.count_special();
        }
        Ok(())
    });
    assert!(tally.special.get() > 30, "hardly any was killed more than twice");
}
