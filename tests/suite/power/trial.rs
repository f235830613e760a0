//! Recovery of a run on every disk that a power cut can leave.

use std::collections::HashSet;
use std::path::Path;

use rollup::deployment::snapshot::{Interest, Snapshot};
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Answer, Direction, Outcome, Run, RunState, runs};
use rollup::plan::{AppliedByHand, PlannedStep, accept_applied};
use rollup::run::{self, Ended, RunError, examine, load_plan};
use tempfile::TempDir;

use super::cut::{Cut, Random, Survivor};
use super::disk::Disk;
use super::scenario::{Operator, Scenario};
use crate::accepting::{accept_with_listener, drifted_site, found};
use crate::crash::site::{DeploymentCopy, Site};
use crate::crash::tree::Tree;
use crate::crash::{apply_with_listener, lock, recover_with_listener, reopen_with_listener};
use crate::temporary::temporary;

/// Amount of disks that are tried of a scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Number of pending changes up to which a cut is tried with all extremes.
    pub(super) few: usize,
    /// One of so many cuts with more pending changes is tried with all extremes, too.
    pub(super) every: usize,
    /// Number of random survivors of each cut.
    pub(super) random: usize,
    /// One of so many survivors is tried.
    pub(super) one_of: usize,
    /// Recovery of each disk in both directions; otherwise the directions take turns.
    pub(super) both_directions: bool,
}

/// One of so many tried disks is kept, for scenarios that begin with it.
const KEPT: usize = 25;

/// The two trees that a run may result in, and a directory to try it in.
pub(super) struct Trial {
    pub(super) site: Site,
    /// Deployment that every scenario begins with.
    pub(super) start: DeploymentCopy,
    /// Number of the run that is tried: all earlier ones are finished at the start.
    number: u32,
    before: Tree,
    after: Tree,
    scratch: TempDir,
    random: Random,
    sample: Sample,
    /// Fingerprints of the tried disks.
    tried: HashSet<u64>,
    /// Some of them.
    pub(super) kept: Vec<Disk>,
    /// Number of recoveries of a run in progress.
    pub(super) unfinished: usize,
    /// Number of recoveries without a run in progress.
    pub(super) clean: usize,
}

impl Trial {
    /// Begins before the rollup is applied.
    pub(super) fn new(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let (start, after) = (site.copy(), site.applied());
        Self::of(site, start, 1, after, sample, seed)
    }

    /// Begins after the rollup is applied, with drift to accept.
    pub(super) fn of_drift(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let start = drifted_site(&site);
        let accepted = DeploymentCopy::of(start.path());
        let ended = accept_with_listener(&site, accepted.path(), None, &mut Operator::default());
        assert!(
            matches!(ended, Ok(Some(Ended::Applied { .. }))),
            "{ended:?}"
        );
        Self::of(
            site,
            start,
            2,
            Tree::of(accepted.path()).without_times(),
            sample,
            seed,
        )
    }

    /// Begins before the rollup is applied, in a deployment with the record of another one.
    pub(super) fn beside_another_record(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let start = site.copy();
        let tree = Directory::open(start.path()).expect("the deployment exists");
        let snapshot = Snapshot::read(&tree, site.description.clone(), &Interest::default());
        let rollup = AppliedByHand::Number("KB77".parse().expect("a number"));
        let plan = accept_applied(&snapshot.expect("it can be read"), &rollup, "a test");
        let plan = plan.expect("it fits").expect("it is not on record");
        let mut disk = lock(start.path());
        disk.create_rollup_directory("test").expect("it is made");
        let asked = run::RunRequest {
            manifest: None,
            confirmed: Vec::new(),
            ..run::RunRequest::default()
        };
        let listener = &mut Operator::default();
        let staged = run::stage(&disk, &plan, &asked, None, listener).expect("it is staged");
        let ended = run::commit(&disk, &plan, staged, listener);
        assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
        drop(disk);
        let applied = DeploymentCopy::of(start.path());
        let ended = apply_with_listener(&site, applied.path(), None, listener);
        assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
        let after = Tree::of(applied.path()).without_times();
        Self::of(site, start, 2, after, sample, seed)
    }

    fn of(
        site: Site,
        start: DeploymentCopy,
        number: u32,
        after: Tree,
        sample: Sample,
        seed: u64,
    ) -> Self {
        let before = Tree::of(start.path());
        let (random, scratch) = (Random::new(seed), temporary());
        let (tried, kept) = (HashSet::new(), Vec::new());
        Self {
            site,
            start,
            number,
            before,
            after,
            scratch,
            random,
            sample,
            tried,
            kept,
            unfinished: 0,
            clean: 0,
        }
    }

    /// Adds unmanaged files to both expected trees.
    pub(super) fn expect_unmanaged(&mut self, add: impl Fn(&Path)) {
        let (before, after) = (self.site.copy(), self.site.copy());
        let ended = apply_with_listener(&self.site, after.path(), None, &mut Operator::default());
        assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
        add(before.path());
        add(after.path());
        (self.before, self.after) = (
            Tree::of(before.path()).without_times(),
            Tree::of(after.path()).without_times(),
        );
    }

    /// Cuts the power at every change of the last process, at most at so many.
    pub(super) fn cut(&mut self, scenario: &Scenario, most: usize) {
        let end = scenario
            .last
            .saturating_add(most)
            .min(scenario.trace.events.len());
        for at in scenario.last..=end {
            self.cut_at(scenario, at);
        }
    }

    /// Cuts the power at every change while a change whose description contains a text is pending.
    pub(super) fn cut_near(&mut self, scenario: &Scenario, named: &str) {
        for at in scenario.last..=scenario.trace.events.len() {
            let pending = Cut::new(&scenario.trace, at).pending().to_vec();
            if pending
                .iter()
                .any(|&at| scenario.trace.events[at].description.contains(named))
            {
                self.cut_at(scenario, at);
            }
        }
    }

    fn cut_at(&mut self, scenario: &Scenario, at: usize) {
        let cut = Cut::new(&scenario.trace, at);
        for survivor in self.survivors(&cut, at) {
            self.try_survivor(scenario, &cut, &survivor);
        }
    }

    fn survivors(&mut self, cut: &Cut<'_>, at: usize) -> Vec<Survivor> {
        let few = cut.pending().len() <= self.sample.few;
        let mut survivors = if few || at.is_multiple_of(self.sample.every) {
            cut.extremes()
        } else {
            Vec::new()
        };
        survivors.extend((0..self.sample.random).map(|_| cut.random(&mut self.random)));
        let first = at % self.sample.one_of;
        survivors
            .into_iter()
            .skip(first)
            .step_by(self.sample.one_of)
            .collect()
    }

    /// Recovers a survivor, unless an equal disk was tried before.
    fn try_survivor(&mut self, scenario: &Scenario, cut: &Cut<'_>, survivor: &Survivor) {
        let disk = cut.disk(survivor);
        let context = || format!("{}: {}", scenario.description, cut.describe(survivor));
        let lost = scenario.lost(&disk);
        assert!(lost.is_empty(), "{}: lost {lost:?}", context());
        if !self.tried.insert(disk.fingerprint()) {
            return;
        }
        let all = [Direction::Forward, Direction::Back];
        let directions = if self.sample.both_directions {
            &all[..]
        } else {
            &all[self.tried.len() % 2..][..1]
        };
        for &direction in directions {
            let at = self.scratch.path().join("survivor");
            disk.write(&at);
            let records = scenario.records_before(cut.last_but_of(survivor, scenario.journal()));
            self.try_recovery(
                &at,
                direction,
                (records, &scenario.end),
                &format!("{}, then {direction:?}", context()),
            );
            std::fs::remove_dir_all(&at).expect("the test owns it");
        }
        if self.tried.len().is_multiple_of(KEPT) {
            self.kept.push(disk);
        }
    }

    fn try_recovery(
        &mut self,
        at: &Path,
        direction: Direction,
        (records, state_at_end): (usize, &Tree),
        context: &str,
    ) {
        let tree = Directory::open(at).expect("the deployment exists");
        let runs = runs(&tree).expect(context);
        let run = runs.iter().find(|run| run.number == self.number);
        if let Some(run) = run {
            let found = run.journal.entries.len();
            assert!(
                found >= records,
                "{context}: {found} of {records} records are in the journal"
            );
        }
        let state = run.map_or(RunState::Staging, |run| run.state());
        if let (Some(run), RunState::Unfinished(_)) = (run, state) {
            let plan = load_plan(&tree, &run.directory).expect(context);
            let examined = examine(&tree, &run.directory, &plan).expect(context);
            assert!(
                examined.problems.is_empty(),
                "{context}: `status` reports {:?}",
                examined.problems
            );
        }
        let mut operator = Operator::default();
        let ended = recover_with_listener(at, direction, None, &mut operator);
        let expected = match (state, direction, &ended) {
            (RunState::Staging, _, Ok(None)) | (RunState::Staged, Direction::Back, Ok(None)) => {
                &self.before
            }
            (RunState::Closed(Outcome::Applied), _, Ok(None)) => &self.after,
            (RunState::Closed(Outcome::Undone), _, Ok(None)) => &self.before,
            (RunState::Closed(Outcome::Accepted), _, Ok(None)) => state_at_end,
            (
                RunState::Staged | RunState::Unfinished(_),
                Direction::Forward,
                Ok(Some(Ended::Applied { .. })),
            ) => &self.after,
            (
                RunState::Unfinished(_),
                Direction::Back,
                Ok(Some(Ended::Undone { because: None })),
            ) => &self.before,
            _ => panic!("{context}: {state:?} led to {ended:?}"),
        };
        expected.assert_same(&Tree::of(at), context);
        self.assert_drift(at, expected, context);
        if let (Some(run), Direction::Forward, RunState::Unfinished(_)) = (run, direction, state) {
            let plan = load_plan(&tree, &run.directory).expect(context);
            let is_open =
                |step: &&PlannedStep| match (run.journal.confirmed(&step.id), &step.manual) {
                    (answer, Some(_)) => answer != Some(Answer::Done),
                    (answer, None) => answer == Some(Answer::RolledBack),
                };
            let open = plan.steps.iter().filter(is_open).count();
            assert_eq!(
                operator.questions, open,
                "{context}: asked again, or not at all"
            );
        }
        let trash = std::fs::read_dir(at.join(".rollup/trash")).map_or(0, Iterator::count);
        assert_eq!(trash, 0, "{context}: the trash is not cleared");
        assert!(
            !has_incomplete_rollup_directory(at),
            "{context}: an incomplete `.rollup` is not cleared"
        );
        if state == RunState::Closed(Outcome::Applied) && direction == Direction::Back {
            self.assert_can_be_undone(at, run.expect("it is closed"), context);
        }
        match state {
            RunState::Unfinished(_) => self.unfinished += 1,
            _ => self.clean += 1,
        }
    }

    /// Panics unless the drift is accepted, or the same as before.
    fn assert_drift(&self, at: &Path, expected: &Tree, context: &str) {
        if std::ptr::eq(expected, &self.before) && self.number > 1 {
            let before = found(self.start.path(), &self.site).accepted;
            assert_eq!(
                found(at, &self.site).accepted,
                before,
                "{context}: not the drift before"
            );
        } else if self.number > 1 {
            assert!(
                found(at, &self.site).accepted.is_empty(),
                "{context}: it still drifted"
            );
        }
    }

    /// Panics unless a finished run can be undone as long as its slots exist, which exist
    /// completely or not at all.
    fn assert_can_be_undone(&self, at: &Path, run: &Run, context: &str) {
        let slots = run.directory.join("slots").expect("a plain name");
        let has_slots = at.join(slots.to_path()).exists();
        match (
            has_slots,
            reopen_with_listener(at, None, &mut Operator::default()),
        ) {
            (true, Ok(Ended::Undone { because: None })) => {
                self.before.assert_same(&Tree::of(at), context)
            }
            (false, Err(RunError::NotReady(_))) => {}
            (_, other) => panic!("{context}, then undo: {other:?}"),
        }
    }
}

/// Returns true if the deployment has a `.rollup` that still has its random name.
fn has_incomplete_rollup_directory(at: &Path) -> bool {
    let names = std::fs::read_dir(at)
        .expect("a deployment")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .into_iter()
        .any(|name| name.to_string_lossy().starts_with(".rollup-"))
}
