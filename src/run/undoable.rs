//! Answer whether and why a finished run can be undone. The undo itself, and everything that speaks
//! about it, ask here.
//!
//! A run depends on nothing but the paths that it swapped, the rollups that require what it brought,
//! and the objects that it kept. In addition no undo may lead to runs of which none can be undone
//! any more: of two rollups, each might then require what only the other one provides.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::check::{moved_to, points_of_no_return, unmarked_procedures_run};
use super::executor::load_plan;
use super::measure::{bytes_of, differences_in};
use super::past::describe_run;
use super::unmanaged::ManagedPaths;
use super::walk::BackwardExceptions;
use super::{RunError, unmanaged};
use crate::deployment::applied::{AppliedRecord, AppliedRollups, Superseded};
use crate::deployment::description::Description;
use crate::deployment::records::{LONGEST_RECORD, ServiceRecord};
use crate::deployment::tree::{DiskError, FileKind, PathMetadataReader, Tree};
use crate::journal::{
    Damaged, Journal, LeftBehind, Outcome, Run, RunState, SwapState, slots_are_closed, swap_state,
};
use crate::names::{Digest, Escaped, Kb, RelPath};
use crate::phase::Phase;
use crate::plan::{Entry, EntryKind, NewEntry, Plan, Reason, ReasonKind, Swap};

/// Paths and objects that are named one by one.
const MOST_NAMED: usize = 3;

/// Everything that decides which runs of a deployment can be undone.
pub struct UndoCheck<'a> {
    tree: &'a Tree,
    runs: &'a [Run],
    /// Rollups that `deployment.toml` lists.
    listed: Vec<Kb>,
    /// Servers that are offline.
    offline: Vec<String>,
    /// Plans of the runs that are not undone, or the fault of one that cannot be read.
    plans: BTreeMap<u32, Result<RunPlan, String>>,
    /// Later runs that touch a path of a run, by its number.
    later_in_the_way: BTreeMap<u32, BTreeSet<u32>>,
    records: OnceCell<WrittenRecords>,
    permanent: OnceCell<BTreeSet<u32>>,
    in_turn: OnceCell<BTreeSet<u32>>,
}

/// Plan of a run, with its live paths for look-ups.
struct RunPlan {
    plan: Plan,
    live: BTreeSet<RelPath>,
    /// Directories above the live paths.
    above: BTreeSet<RelPath>,
}

impl RunPlan {
    fn new(plan: Plan) -> Self {
        let live: BTreeSet<RelPath> = plan.live_paths().into_iter().cloned().collect();
        let above = live.iter().flat_map(RelPath::ancestors).collect();
        Self { plan, live, above }
    }

    /// Returns whether the run touches a path, one above it or one below it.
    fn touches(&self, path: &RelPath) -> bool {
        self.live.contains(path)
            || self.above.contains(path)
            || path.ancestors().any(|above| self.live.contains(&above))
    }

    /// Returns the live paths that a later run touches, too. Service records that this run left as
    /// it had found them do not count.
    fn shared_with(&self, later: &Self) -> Vec<&RelPath> {
        let shared = self.live.iter().filter(|live| later.touches(live));
        shared
            .filter(|live| !leaves_what_it_found(&self.plan, live))
            .collect()
    }
}

/// Records of applied rollups, as the runs wrote them one after the other.
struct WrittenRecords {
    now: AppliedRollups,
    /// Records that runs wrote, by rollup, oldest first.
    written: BTreeMap<Kb, Vec<(u32, AppliedRecord)>>,
    /// Record that the first run of a rollup found.
    found: BTreeMap<Kb, AppliedRecord>,
    /// Rollups that some record requires.
    required: BTreeSet<Kb>,
}

impl<'a> UndoCheck<'a> {
    /// Reads what decides about the runs. `runs` are all runs, oldest first; without a description
    /// no server counts as offline.
    pub fn new(tree: &'a Tree, runs: &'a [Run], site: Option<&Description>) -> Self {
        let is_not_undone = |run: &&Run| match run.state() {
            RunState::Unfinished(_)
            | RunState::Damaged(Damaged::Done | Damaged::Interrupted | Damaged::Pruned) => true,
            _ => run.is_done(),
        };
        let plans = runs.iter().filter(is_not_undone).map(|run| {
            let plan = load_plan(tree, &run.directory).map_err(|error| error.to_string());
            (run.number, plan.map(RunPlan::new))
        });
        let plans: BTreeMap<u32, Result<RunPlan, String>> = plans.collect();
        let offline = site.map(Description::offline_servers).unwrap_or_default();
        Self {
            tree,
            runs,
            listed: site.map(|site| site.applied.clone()).unwrap_or_default(),
            offline: offline.into_iter().map(str::to_owned).collect(),
            later_in_the_way: later_in_the_way(&plans),
            plans,
            records: OnceCell::new(),
            permanent: OnceCell::new(),
            in_turn: OnceCell::new(),
        }
    }

    /// Returns the reasons why a finished run cannot be undone; none for a run that is not finished or
    /// is undone already. Requirements of rollups are only looked at if no later run is in the way,
    /// because the records are not those yet that the undo would leave.
    ///
    /// # Errors
    ///
    /// The deployment cannot be read.
    pub fn reasons(&self, run: &Run) -> Result<Vec<Reason>, RunError> {
        if let (false, Some(fault)) = (run.is_open(), &run.fault) {
            let help = format!(
                "`rollup undo {} --from-slots` works without its journal",
                run.name()
            );
            return Ok(vec![
                Reason::new(ReasonKind::NotReady, fault.clone()).help(help),
            ]);
        }
        if !run.is_done() {
            return Ok(Vec::new());
        }
        let permanent = self.permanent_reasons(run)?;
        let Some(Ok(RunPlan { plan, .. })) = self.plans.get(&run.number) else {
            return Ok(permanent);
        };
        if is_pruned(self.tree, run)? || slots_are_closed(self.tree, &run.directory)? {
            return Ok(permanent);
        }
        let mut reasons = self.open_runs(run);
        let later = self.later_runs(run);
        // What a later run installed is not unmanaged: it counts once that run is undone.
        if later.is_empty() {
            reasons.extend(self.lost_requirements(run)?);
            let left_alone = self.paths_left_alone(run);
            reasons.extend(files_in_the_way(self.tree, run, plan, &left_alone)?);
        }
        reasons.extend(later);
        reasons.extend(permanent);
        reasons.extend(self.offline_servers(run, plan));
        Ok(reasons)
    }

    /// Returns the reasons why a finished run can never be undone, whatever happens to other runs.
    fn permanent_reasons(&self, run: &Run) -> Result<Vec<Reason>, RunError> {
        let plan = match &self.plans[&run.number] {
            Ok(own) => &own.plan,
            Err(fault) => return Ok(vec![Reason::new(ReasonKind::NotReady, fault.clone())]),
        };
        if is_pruned(self.tree, run)? {
            let message = format!("the old objects of run {} were pruned", run.name());
            let help = "`rollup history` shows which runs can still be undone";
            return Ok(vec![Reason::new(ReasonKind::NotReady, message).help(help)]);
        }
        if slots_are_closed(self.tree, &run.directory)? {
            let message = format!(
                "the old objects of run {} are closed to this user",
                run.name()
            );
            let help = "ask again as a user who may write to the deployment";
            return Ok(vec![Reason::new(ReasonKind::NotReady, message).help(help)]);
        }
        let mut reasons = points_of_no_return(self.tree, run, plan)?;
        reasons.extend(incomplete_objects(self.tree, run, plan)?);
        Ok(reasons)
    }

    /// Returns the numbers of the finished runs that can be undone now, or after later runs are.
    ///
    /// # Errors
    ///
    /// The deployment cannot be read.
    pub fn in_turn(&self) -> Result<&BTreeSet<u32>, RunError> {
        if let Some(in_turn) = self.in_turn.get() {
            return Ok(in_turn);
        }
        let in_turn = self.in_turn_without(&BTreeSet::new())?;
        Ok(self.in_turn.get_or_init(|| in_turn))
    }

    /// Returns the same if the kept objects of some runs are cleared.
    ///
    /// # Errors
    ///
    /// The deployment cannot be read.
    pub fn in_turn_without(&self, cleared: &BTreeSet<u32>) -> Result<BTreeSet<u32>, RunError> {
        let all = self.plans.keys().copied().collect();
        self.undone_in_thought(&all, cleared)
    }

    /// Undoes runs in thought, each time the newest that can be, and returns them. Those whose kept
    /// objects are cleared cannot be.
    fn undone_in_thought(
        &self,
        from: &BTreeSet<u32>,
        cleared: &BTreeSet<u32>,
    ) -> Result<BTreeSet<u32>, RunError> {
        let records = self.records()?;
        let permanent = self.permanent()?;
        let mut remaining = from.clone();
        let mut undone = BTreeSet::new();
        loop {
            let is_last = |number: &u32| {
                let in_the_way = self.later_in_the_way.get(number);
                in_the_way.is_none_or(|later| later.is_disjoint(&remaining))
            };
            let free = remaining.iter().rev().copied().find(|number| {
                !permanent.contains(number)
                    && !cleared.contains(number)
                    && is_last(number)
                    && self.lost(records, &remaining, *number).is_empty()
            });
            let Some(free) = free else {
                return Ok(undone);
            };
            remaining.remove(&free);
            undone.insert(free);
        }
    }

    /// Returns the runs that can never be undone.
    fn permanent(&self) -> Result<&BTreeSet<u32>, RunError> {
        if let Some(permanent) = self.permanent.get() {
            return Ok(permanent);
        }
        let mut permanent = BTreeSet::new();
        for run in self.runs.iter().filter(|run| run.is_done()) {
            if !self.permanent_reasons(run)?.is_empty() {
                permanent.insert(run.number);
            }
        }
        Ok(self.permanent.get_or_init(|| permanent))
    }

    /// Returns a reason for another run that is open, which has to be closed first.
    fn open_runs(&self, run: &Run) -> Vec<Reason> {
        let open = self.runs.iter().filter(|other| {
            other.number != run.number && other.is_open() && other.state() != RunState::Staging
        });
        let reasons = open.map(|open| {
            let message = format!("run {} is {}", open.name(), describe_run(open));
            let help = "`rollup status` shows the commands that finish it or roll it back";
            Reason::new(ReasonKind::NotReady, message).help(help)
        });
        reasons.collect()
    }

    /// Returns the service records that an undo of this run leaves alone: a later run touched them,
    /// and this one left the bytes that it had found.
    pub fn paths_left_alone(&self, run: &Run) -> BTreeSet<RelPath> {
        let Some(Ok(own)) = self.plans.get(&run.number) else {
            return BTreeSet::new();
        };
        let is_later = |live: &RelPath| {
            self.later(run.number)
                .any(|(_, later)| later.is_none_or(|later| later.touches(live)))
        };
        let unchanged = own.live.iter();
        let unchanged = unchanged.filter(|live| leaves_what_it_found(&own.plan, live));
        unchanged.filter(|live| is_later(live)).cloned().collect()
    }

    /// Returns what a backward walk of a run does not bring back, and what it takes away for runs
    /// that were undone before.
    pub(super) fn exceptions(&self, run: &Run, plan: &Plan) -> BackwardExceptions {
        let earlier = || self.plans.range(..run.number).map(|(_, plan)| plan);
        let is_of_another = |live: &RelPath| {
            earlier().any(|other| matches!(other, Ok(other) if other.touches(live)))
        };
        // Later runs than these found the parts as they are.
        let left: Vec<&LeftBehind> = self
            .runs
            .iter()
            .filter(|other| other.state() == RunState::Closed(Outcome::Undone))
            .filter_map(|other| other.journal.left_behind())
            .filter(|left| left.newest >= run.number)
            .collect();
        let live = plan.live_paths();
        let is_inherited = |path: &RelPath| {
            left.iter().any(|left| left.services.contains(path)) && !is_of_another(path)
        };
        let left_alone = self.paths_left_alone(run);
        let first = |path: &RelPath| plan.swaps.iter().find(|swap| swap.live == *path);
        let found_none = |path: &RelPath| first(path).is_some_and(|swap| !swap.has_old());
        let above: BTreeSet<RelPath> = live.iter().flat_map(|path| path.ancestors()).collect();
        let containers = left.iter().flat_map(|left| &left.containers);
        BackwardExceptions {
            left_empty: live
                .into_iter()
                .filter(|path| is_inherited(path) && !left_alone.contains(*path))
                .cloned()
                .collect(),
            left_services: left_alone
                .iter()
                .filter(|path| found_none(path) || is_inherited(path))
                .cloned()
                .collect(),
            inherited_containers: containers
                .filter(|container| above.contains(*container))
                .cloned()
                .collect(),
            left_alone,
        }
    }

    /// Returns the later runs that are not undone, with their plans; a plan that cannot be read may
    /// touch anything, and is `None`.
    fn later(&self, number: u32) -> impl Iterator<Item = (u32, Option<&RunPlan>)> {
        let later = self.plans.range(number + 1..);
        later.map(|(number, plan)| (*number, plan.as_ref().ok()))
    }

    fn name(&self, number: u32) -> &str {
        let run = self.runs.iter().find(|run| run.number == number);
        run.map_or("", Run::name)
    }

    /// Returns a reason for each later run that touches a path of this one, newest first.
    pub(super) fn later_runs(&self, run: &Run) -> Vec<Reason> {
        let Some(Ok(own)) = self.plans.get(&run.number) else {
            return Vec::new();
        };
        let mut reasons = Vec::new();
        for (number, later) in self.later(run.number) {
            let name = self.name(number);
            let message = match later {
                None => format!("the plan of run {name}, which is later, cannot be read"),
                Some(later) => {
                    let shared = own.shared_with(later);
                    let Some(first) = shared.first() else {
                        continue;
                    };
                    let more = match shared.len() - 1 {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    format!(
                        "run {name} is later than {} and changed `{}`{more}",
                        run.name(),
                        Escaped(first.as_str())
                    )
                }
            };
            let help = format!("undo run {name} first");
            reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
        }
        reasons.reverse();
        reasons
    }

    fn lost_requirements(&self, run: &Run) -> Result<Vec<Reason>, RunError> {
        let records = self.records()?;
        let remaining: BTreeSet<u32> = self.plans.keys().copied().collect();
        let lost = self.lost(records, &remaining, run.number);
        if !lost.is_empty() {
            let reasons = lost.into_iter().map(|(message, rollup)| {
                let by = self.newest_of(rollup);
                let help = match by {
                    Some(by) => format!("undo run {by} first"),
                    None => format!("no run that can be undone has recorded {rollup}"),
                };
                Reason::new(ReasonKind::NotReady, message).help(help)
            });
            return Ok(reasons.collect());
        }
        if records.required.is_empty() {
            return Ok(Vec::new());
        }
        let mut without = remaining.clone();
        without.remove(&run.number);
        let after = self.undone_in_thought(&without, &BTreeSet::new())?;
        let kept = self.in_turn()?.difference(&after);
        let Some(stuck) = kept.filter(|number| **number != run.number).last() else {
            return Ok(Vec::new());
        };
        let stuck = self.name(*stuck);
        let message = format!("without {}, run {stuck} could never be undone", run.name());
        let help = format!("undo run {stuck} first");
        Ok(vec![Reason::new(ReasonKind::NotReady, message).help(help)])
    }

    fn newest_of(&self, kb: Kb) -> Option<&str> {
        let mut runs = self.plans.iter().rev();
        let newest = runs.find_map(|(number, plan)| {
            let mut records = plan.as_ref().ok()?.plan.applied_records();
            records.any(|record| record.kb == kb).then_some(*number)
        });
        newest.map(|number| self.name(number))
    }

    /// Returns the requirements that undoing one of these runs loses, in words, each with the rollup
    /// that has it.
    fn lost(
        &self,
        records: &WrittenRecords,
        remaining: &BTreeSet<u32>,
        number: u32,
    ) -> Vec<(String, Kb)> {
        let Some(Ok(own)) = self.plans.get(&number) else {
            return Vec::new();
        };
        let written: Vec<AppliedRecord> = own.plan.applied_records().collect();
        let now = records.with(remaining, &self.listed);
        if records.required.is_empty() {
            return Vec::new();
        }
        let mut without = remaining.clone();
        without.remove(&number);
        let after = records.with(&without, &self.listed);
        let relations = |record: &AppliedRecord| {
            let (includes, replaces) = (record.includes.clone(), record.replaces.clone());
            (record.revision.clone(), includes, replaces)
        };
        let is_same = |record: &AppliedRecord| {
            let (now, after) = (now.record(record.kb), after.record(record.kb));
            now.map(relations) == after.map(relations)
        };
        if written.iter().all(is_same) {
            return Vec::new();
        }
        let lost = now.lost_in(&after, Superseded::Count).into_iter();
        let is_written = |kb: Kb| written.iter().any(|record| record.kb == kb);
        let providers: Vec<String> = written.iter().map(|record| record.kb.to_string()).collect();
        let providers = providers.join(", ");
        lost.map(|lacking| {
            let message = match is_written(lacking.requires.kb) {
                true => lacking.to_string(),
                false => format!("{lacking}, which would be lost with {providers}"),
            };
            (message, lacking.rollup)
        })
        .collect()
    }

    fn records(&self) -> Result<&WrittenRecords, RunError> {
        if let Some(records) = self.records.get() {
            return Ok(records);
        }
        let records = self.read_written_records()?;
        Ok(self.records.get_or_init(|| records))
    }

    fn read_written_records(&self) -> Result<WrittenRecords, RunError> {
        let (now, _) = AppliedRollups::read(self.tree, &self.listed)?;
        let mut written: BTreeMap<Kb, Vec<(u32, AppliedRecord)>> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for run in self.runs {
            let Some(Ok(RunPlan { plan, .. })) = self.plans.get(&run.number) else {
                continue;
            };
            for record in plan.applied_records() {
                let path = AppliedRecord::path(record.kb).case_folded();
                let first = plan
                    .swaps
                    .iter()
                    .find(|swap| swap.live.case_folded() == path);
                let records = written.entry(record.kb).or_default();
                if let Some(swap) = first.filter(|swap| records.is_empty() && swap.has_old()) {
                    let old = run.directory.old_object(swap.number);
                    let text = self.tree.text(&old, LONGEST_RECORD)?;
                    let before = text.and_then(|text| AppliedRecord::parse(record.kb, &text).ok());
                    found.extend(before.map(|before| (record.kb, before)));
                }
                records.push((run.number, record));
            }
        }
        let of_runs = written.values().flatten().map(|(_, record)| record);
        let all = of_runs.chain(now.records()).chain(found.values());
        let required = all.flat_map(|record| record.requires.iter().map(|r| r.kb));
        Ok(WrittenRecords {
            required: required.collect(),
            now,
            written,
            found,
        })
    }

    fn offline_servers(&self, run: &Run, plan: &Plan) -> Vec<Reason> {
        let on: BTreeSet<&str> = plan
            .operations()
            .filter_map(|operation| operation.server.as_deref())
            .collect();
        let offline = self
            .offline
            .iter()
            .filter(|name| on.iter().any(|on| crate::names::same_name(on, name)));
        let reasons = offline.map(|name| {
            let message = format!(
                "run {} changed server {}, which is offline",
                run.name(),
                Escaped(name)
            );
            let help = "undo the run when `deployment.toml` no longer says `offline = true`";
            Reason::new(ReasonKind::NotReady, message).help(help)
        });
        reasons.collect()
    }
}

impl WrittenRecords {
    /// Returns the applied rollups if only these runs had been made.
    fn with(&self, runs: &BTreeSet<u32>, listed: &[Kb]) -> AppliedRollups {
        let mut records: BTreeMap<Kb, AppliedRecord> = self
            .now
            .records()
            .map(|record| (record.kb, record.clone()))
            .collect();
        for (kb, written) in &self.written {
            let last = written.iter().rev().find(|(run, _)| runs.contains(run));
            let record = last
                .map(|(_, record)| record)
                .or_else(|| self.found.get(kb));
            match record {
                Some(record) => records.insert(*kb, record.clone()),
                None => records.remove(kb),
            };
        }
        AppliedRollups::new(records.into_values(), listed)
    }
}

/// Returns the later runs that touch a path of each run, by its number. A plan that cannot be read
/// may touch anything.
fn later_in_the_way(
    plans: &BTreeMap<u32, Result<RunPlan, String>>,
) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut in_the_way = BTreeMap::new();
    for (number, plan) in plans {
        let Ok(own) = plan else { continue };
        let later = plans.range(number + 1..);
        let later = later.filter(|(_, later)| match later {
            Ok(later) => !own.shared_with(later).is_empty(),
            Err(_) => true,
        });
        let later: BTreeSet<u32> = later.map(|(number, _)| *number).collect();
        if !later.is_empty() {
            in_the_way.insert(*number, later);
        }
    }
    in_the_way
}

/// Returns whether a run left a service record with the bytes that it had found. No record counts
/// as one that is running and enabled.
fn leaves_what_it_found(plan: &Plan, live: &RelPath) -> bool {
    if !ServiceRecord::is_at(live) {
        return false;
    }
    let mut swaps = plan.swaps.iter().filter(|swap| swap.live == *live);
    let Some(first) = swaps.next() else {
        return false;
    };
    let last = swaps.next_back().unwrap_or(first);
    let new: Vec<Entry> = last.new.iter().map(NewEntry::entry).collect();
    let before = match first.has_old() {
        true => sha256_of(&first.old),
        false => Some(default_service()),
    };
    before.is_some() && before == sha256_of(&new)
}

fn default_service() -> Digest {
    Digest::of(ServiceRecord::default().to_toml().as_bytes())
}

/// Returns the hash of an object that is a single file.
fn sha256_of(object: &[Entry]) -> Option<Digest> {
    match object {
        [
            Entry {
                kind: EntryKind::File { sha256, .. },
                ..
            },
        ] => Some(*sha256),
        _ => None,
    }
}

/// Answer whether a finished run can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndoAnswer {
    /// True if `undo` would roll the run back.
    pub possible: bool,
    /// Reasons why not.
    pub reasons: Vec<String>,
    /// Number of the newest later run that has to be undone first, if that is what it takes.
    #[serde(skip)]
    pub later: Option<u32>,
    /// Procedures of which it restores the records; what they changed elsewhere is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_elsewhere: Vec<String>,
}

impl UndoAnswer {
    /// Returns the reasons in one line.
    pub fn why_not(&self) -> String {
        self.reasons.join("; ")
    }
}

/// Answers for every finished run that is not undone whether it can be undone, by its number. `runs`
/// are all runs, oldest first; without a description no server counts as offline.
///
/// # Errors
///
/// The deployment cannot be read.
pub fn undo_answers(
    tree: &Tree,
    runs: &[Run],
    site: Option<&Description>,
) -> Result<BTreeMap<u32, UndoAnswer>, RunError> {
    let check = UndoCheck::new(tree, runs, site);
    let mut answers = BTreeMap::new();
    let is_in_effect =
        |run: &&Run| run.is_done() || run.state() == RunState::Damaged(Damaged::Done);
    for run in runs.iter().filter(is_in_effect) {
        let reasons = check.reasons(run)?.into_iter();
        let reasons: Vec<String> = reasons.map(|reason| reason.message).collect();
        let possible = reasons.is_empty();
        let plan = check
            .plans
            .get(&run.number)
            .and_then(|plan| plan.as_ref().ok());
        let unknown_elsewhere = match plan {
            Some(own) if possible => unmarked_procedures_run(tree, run, &own.plan)?,
            _ => Vec::new(),
        };
        let later = match check.later_in_the_way.get(&run.number) {
            Some(later) if !possible && !check.permanent()?.contains(&run.number) => later.last(),
            _ => None,
        };
        let answer = UndoAnswer {
            possible,
            reasons,
            later: later.copied(),
            unknown_elsewhere,
        };
        answers.insert(run.number, answer);
    }
    Ok(answers)
}

/// Differences between the state after the rollback of a run and the state before the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftByRollback {
    /// Directories that the run had made, which are not empty.
    pub containers: Vec<RelPath>,
    /// Unmanaged entries that are not in their place.
    pub missing: Vec<RelPath>,
    /// Unmanaged entries that appeared since the run began its commit, and stay.
    pub appeared: Vec<RelPath>,
}

impl LeftByRollback {
    /// Returns whether everything is as it was before the run.
    pub fn is_nothing(&self) -> bool {
        self.containers.is_empty() && self.missing.is_empty() && self.appeared.is_empty()
    }
}

/// Returns what the rollback of a run left different from the state before.
pub fn left_by_rollback(tree: &Tree, runs: &[Run], run: &Run) -> LeftByRollback {
    let missing = run.journal.missing().to_vec();
    LeftByRollback {
        containers: containers_left(tree, runs, run),
        appeared: appeared_and_stayed(&run.journal, &missing),
        missing,
    }
}

/// Returns the unmanaged entries that appeared since a run began its commit and are not missing.
pub(super) fn appeared_and_stayed(journal: &Journal, missing: &[RelPath]) -> Vec<RelPath> {
    let appeared = journal.appeared().into_iter();
    let stayed = appeared.filter(|entry| !missing.contains(entry));
    stayed.cloned().collect()
}

/// Returns the directories that the rollback of a run left and that no other run uses: something is
/// in them that no run put there. Of several below each other, the deepest.
fn containers_left(tree: &Tree, runs: &[Run], run: &Run) -> Vec<RelPath> {
    let check = UndoCheck::new(tree, runs, None);
    let in_use: BTreeSet<&RelPath> = check
        .plans
        .values()
        .filter_map(|plan| plan.as_ref().ok())
        .flat_map(|plan| &plan.above)
        .collect();
    let mut left: Vec<RelPath> = Vec::new();
    let containers = run.journal.left_behind().map(|left| &left.containers);
    for container in containers.into_iter().flatten() {
        if !in_use.contains(container) {
            left.retain(|above| container.below(above).is_none());
            left.push(container.clone());
        }
    }
    left
}

/// Hashes the objects that a finished run keeps, and returns how they differ from those that it moved
/// there; `None` if they were pruned.
///
/// # Errors
///
/// The deployment or the plan of the run cannot be read.
pub fn kept_object_faults(
    tree: &Tree,
    run: &Run,
    phase: &Phase,
) -> Result<Option<Vec<String>>, RunError> {
    if is_pruned(tree, run)? {
        return Ok(None);
    }
    let plan = load_plan(tree, &run.directory)?;
    let kept = kept_entries(tree, run, &plan)?;
    phase.expect(bytes_of(&kept));
    let found = differences_in(tree, &kept, phase)?;
    Ok(Some(found.iter().map(ToString::to_string).collect()))
}

/// Returns the managed entries of the old objects in the slots of a run, with their paths there.
fn kept_entries(tree: &Tree, run: &Run, plan: &Plan) -> Result<Vec<Entry>, DiskError> {
    let mut kept = Vec::new();
    for swap in plan.swaps.iter().filter(|swap| swap.has_old()) {
        if swap_state(tree, &run.directory, swap)? == Some(SwapState::NotBegun) {
            continue;
        }
        let managed = swap.old.iter();
        let managed = managed.filter(|entry| entry.kind != EntryKind::Unmanaged);
        let managed: Vec<Entry> = managed.cloned().collect();
        kept.extend(moved_to(
            &managed,
            &swap.live,
            &run.directory.old_object(swap.number),
        ));
    }
    Ok(kept)
}

fn is_pruned(tree: &Tree, run: &Run) -> Result<bool, DiskError> {
    Ok(tree.metadata(&run.directory.slots())?.is_none())
}

/// Returns reasons for objects that a finished run kept and that are missing, of another kind or
/// size, and for new objects that are unexpected in its slots. Reads no contents.
fn incomplete_objects(tree: &Tree, run: &Run, plan: &Plan) -> Result<Vec<Reason>, DiskError> {
    let mut metadata = PathMetadataReader::new(tree);
    let mut faults: Vec<(RelPath, &str, &str)> = Vec::new();
    for entry in kept_entries(tree, run, plan)? {
        let found = metadata.metadata(&entry.path)?;
        let fault = match (&entry.kind, found) {
            (_, None) => "is missing",
            (EntryKind::Directory, Some(found)) if found.kind != FileKind::Directory => {
                "is not a directory"
            }
            (EntryKind::File { .. }, Some(found)) if found.kind != FileKind::File => {
                "is not a file"
            }
            (EntryKind::File { size, .. }, Some(found)) if found.size != *size => {
                "has another size"
            }
            _ => continue,
        };
        faults.push((entry.path, fault, "restore it from a backup"));
    }
    if run.state() == RunState::Closed(Outcome::Applied) {
        for swap in &plan.swaps {
            let new = run.directory.new_object(swap.number);
            if metadata.metadata(&new)?.is_some() {
                faults.push((
                    new,
                    "is unexpected: the run did not leave it there",
                    "move it elsewhere first",
                ));
            }
        }
    }
    let more = faults.len().saturating_sub(MOST_NAMED);
    let named = faults.into_iter().take(MOST_NAMED);
    let mut reasons: Vec<Reason> = named
        .map(|(path, fault, help)| {
            let path = tree.shown(Some(&path));
            let message = format!(
                "the kept objects of run {} are incomplete: `{}` {fault}",
                run.name(),
                Escaped(&path)
            );
            Reason::new(ReasonKind::NotReady, message).help(help)
        })
        .collect();
    if more > 0 {
        let message = format!("and {more} more kept objects are incomplete");
        reasons.push(Reason::new(ReasonKind::NotReady, message));
    }
    Ok(reasons)
}

/// Returns a reason for each unmanaged file that would have no directory after the undo, or that is
/// at a path to which it restores a managed one.
fn files_in_the_way(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
    left_alone: &BTreeSet<RelPath>,
) -> Result<Vec<Reason>, RunError> {
    let mut reasons = Vec::new();
    for (swap, file) in unmanaged_in_objects(tree, run, plan, left_alone)? {
        let of_path = || plan.swaps.iter().filter(|other| other.live == swap.live);
        let shown = tree.shown(Some(&file));
        let shown = Escaped(&shown);
        let is_restored = of_path().flat_map(|swap| &swap.old).any(|entry| {
            entry.kind != EntryKind::Unmanaged && entry.path.case_folded() == file.case_folded()
        });
        let message = if is_restored {
            format!(
                "the unmanaged `{shown}` is at a path to which the undo restores a file or directory"
            )
        } else if !of_path().next().is_some_and(Swap::has_old) {
            format!(
                "the unmanaged `{shown}` is in a directory that the run made and the undo removes"
            )
        } else {
            continue;
        };
        let help = "move it elsewhere first";
        reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
    }
    Ok(reasons)
}

/// Returns the topmost unmanaged entries in the objects that a run installed, each with the last swap
/// of its live path.
pub(super) fn unmanaged_in_objects<'p>(
    tree: &Tree,
    run: &Run,
    plan: &'p Plan,
    left_alone: &BTreeSet<RelPath>,
) -> Result<Vec<(&'p Swap, RelPath)>, RunError> {
    let last: BTreeMap<&RelPath, &Swap> =
        plan.swaps.iter().map(|swap| (&swap.live, swap)).collect();
    let mut unmanaged = Vec::new();
    for (live, swap) in last {
        let is_done = swap_state(tree, &run.directory, swap)? == Some(SwapState::Done);
        if !is_done || left_alone.contains(live) {
            continue;
        }
        let mut managed = ManagedPaths::of_new(swap);
        managed.add_directories_of(&ManagedPaths::directories_of(plan, live));
        let found = unmanaged::list(tree, live, &managed)?.movable;
        unmanaged.extend(found.into_iter().map(|entry| (swap, entry.path)));
    }
    Ok(unmanaged)
}
