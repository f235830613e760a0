//! Trials of all points in turn: kill, recover, compare, count.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::killed_run::{ExpectedTree, KilledRun, check_no_open_run};
use super::report::{CrashPhase, CrashRow, FailedPoint, RecoveredTrees};
use super::start_state::StartState;
use super::worker::Worker;
use super::{CrashError, CrashProgress, CrashRehearsal, CrashReport, command_failed};
use crate::journal::Direction;
use crate::rehearse::child::ChildFault;
use crate::rehearse::{ChildCommand, LabError, Times, TreeSnapshot};

/// Number of differences of one tree that are reported.
const MOST_DIFFERENCES: usize = 10;
/// Exit codes of an `undo` that stops at a step that cannot be rolled back: after what is behind it,
/// or at once if nothing is.
const STOPPED_UNDO: &[i32] = &[11, 15];

/// Result of killing a process once.
enum Trial {
    /// The process was killed. `recovery` lists what differs after the recovery.
    Killed {
        killed_run: Option<KilledRun>,
        recovery: Result<ExpectedTree, Vec<String>>,
    },
    /// The process makes fewer changes than that, and succeeded.
    Finished,
}

/// Counts so far.
#[derive(Default)]
struct Tally {
    rows: BTreeMap<CrashPhase, CrashRow>,
    failing: Vec<FailedPoint>,
    kept: Option<PathBuf>,
    stopped_behind: BTreeMap<String, u64>,
    /// First point of `apply` that leaves a begun run.
    first_begun: Option<u64>,
    /// Last point of `apply` that leaves a run that can be rolled back.
    last_open: Option<u64>,
}

/// State that all workers share.
pub(super) struct Trials<'a> {
    rehearsal: CrashRehearsal<'a>,
    before: TreeSnapshot,
    after: TreeSnapshot,
    tally: Mutex<Tally>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        rehearsal: CrashRehearsal<'a>,
        before: TreeSnapshot,
        after: TreeSnapshot,
    ) -> Self {
        Self {
            rehearsal,
            before,
            after,
            tally: Mutex::default(),
        }
    }

    /// Returns the start states that an earlier `apply` leads to, killed or finished.
    pub(super) fn later_start_states(&self) -> Vec<StartState> {
        let tally = self.tally();
        let begun = tally.first_begun.map(StartState::CommitBegun);
        let open = tally.last_open.map(StartState::AlmostClosed);
        let finished = self
            .rehearsal
            .no_return()
            .is_none()
            .then_some(StartState::Finished);
        [begun, open, finished].into_iter().flatten().collect()
    }

    pub(super) fn report(self) -> CrashReport {
        let Tally {
            rows,
            mut failing,
            kept,
            stopped_behind,
            ..
        } = self
            .tally
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        failing.sort();
        CrashReport {
            rows: rows.into_values().collect(),
            failing,
            kept,
            stopped_behind,
            no_return: self.rehearsal.no_return().map(str::to_owned),
            entries: self.before.entries(),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries all points of a start state, several at a time.
    pub(super) fn everywhere(
        &self,
        workers: &mut [Worker<'_>],
        start_state: StartState,
    ) -> Result<(), CrashError> {
        workers[0].prepare(start_state)?;
        let expected = self.run_to_end(&mut workers[0], start_state)?;
        (self.rehearsal.on_progress)(&CrashProgress::Begun {
            command: start_state.command(),
            points: expected,
        });
        let (next, end) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
        thread::scope(|threads| {
            let work = |worker| {
                let (next, end) = (&next, &end);
                threads.spawn(move || self.points(worker, start_state, next, end))
            };
            let threads: Vec<_> = workers.iter_mut().map(work).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("a worker returns its errors"))
        })?;
        let found = end.into_inner() - 1;
        if found != expected {
            return Err(CrashError::VaryingChanges {
                command: start_state.command(),
                expected,
                found,
            });
        }
        let tally = self.tally();
        let rows = tally
            .rows
            .values()
            .filter(|row| start_state.phases().contains(&row.phase));
        rows.for_each(|row| (self.rehearsal.on_progress)(&CrashProgress::PhaseTried(row)));
        Ok(())
    }

    /// Tries one point after another until the command finishes before its point: the work of one
    /// worker.
    fn points(
        &self,
        worker: &mut Worker<'_>,
        start_state: StartState,
        next: &AtomicU64,
        end: &AtomicU64,
    ) -> Result<(), CrashError> {
        loop {
            let point = next.fetch_add(1, Ordering::SeqCst);
            if (self.rehearsal.is_stopped)() {
                return Err(LabError::Interrupted.into());
            }
            if point >= end.load(Ordering::SeqCst) {
                return Ok(());
            }
            let tried = self.point(worker, start_state, point);
            if !matches!(tried, Ok(true)) {
                // The other workers stop as well, after the last point or after an error.
                end.fetch_min(point, Ordering::SeqCst);
                return tried.map(|_| ());
            }
            (self.rehearsal.on_progress)(&CrashProgress::PointTried);
        }
    }

    /// Tries one point in both directions. Returns `false` if the command finished before it.
    fn point(
        &self,
        worker: &mut Worker<'_>,
        start_state: StartState,
        point: u64,
    ) -> Result<bool, CrashError> {
        let mut recoveries = Vec::new();
        let mut phase = start_state.phase(None);
        for direction in [Direction::Forward, Direction::Back] {
            match self.trial(worker, start_state, point, direction)? {
                Trial::Finished => return Ok(false),
                Trial::Killed {
                    killed_run,
                    recovery,
                } => {
                    phase = start_state.phase(killed_run.as_ref());
                    self.record_later_points(start_state, point, killed_run.as_ref());
                    if let Err(differences) = &recovery {
                        let failing = FailedPoint {
                            phase,
                            point,
                            direction,
                            differences: differences.clone(),
                        };
                        self.keep(worker, failing)?;
                    }
                    recoveries.push((direction, recovery));
                }
            }
        }
        self.count(phase, recoveries);
        Ok(true)
    }

    fn trial(
        &self,
        worker: &mut Worker<'_>,
        start_state: StartState,
        point: u64,
        direction: Direction,
    ) -> Result<Trial, CrashError> {
        worker.set(start_state)?;
        let child = worker.run(start_state.command(), ChildFault::KillAtChange(point))?;
        if !child.was_killed() {
            return match child.code() {
                Some(0) => Ok(Trial::Finished),
                _ => Err(command_failed(child)),
            };
        }
        let killed_run = KilledRun::of(&worker.deployment(), self.rehearsal.plan);
        let recovery = match &killed_run {
            Ok(killed_run) => {
                self.recover(worker, killed_run.expected_tree(direction), direction)?
            }
            Err(reason) => Err(vec![reason.clone()]),
        };
        Ok(Trial::Killed {
            killed_run: killed_run.ok(),
            recovery,
        })
    }

    /// Recovers the run of a killed process, and compares the tree. The inner error lists the
    /// differences.
    fn recover(
        &self,
        worker: &mut Worker<'_>,
        expected_tree: ExpectedTree,
        direction: Direction,
    ) -> Result<Result<ExpectedTree, Vec<String>>, CrashError> {
        let stops = matches!(expected_tree, ExpectedTree::AfterStoppedUndo(_));
        let commands: &[(ChildCommand, &[i32])] = match direction {
            Direction::Forward => &[(ChildCommand::Resume, &[0])],
            Direction::Back if stops => &[
                (ChildCommand::Undo, STOPPED_UNDO),
                (ChildCommand::Resume, &[0]),
            ],
            Direction::Back => &[(ChildCommand::Undo, &[0])],
        };
        for (command, codes) in commands {
            let ran = worker.run(*command, ChildFault::None)?;
            if !ran.code().is_some_and(|code| codes.contains(&code)) {
                let mut differences = vec![format!("`{command}` {}", ran.ending())];
                differences.extend(ran.reasons());
                return Ok(Err(differences));
            }
        }
        let mut differences = self.compare(worker, &expected_tree)?;
        differences.extend(check_no_open_run(&worker.deployment()).err());
        Ok(if differences.is_empty() {
            Ok(expected_tree)
        } else {
            Err(differences)
        })
    }

    /// Lists the differences from the expected tree. A copy in the state before is used again.
    fn compare(
        &self,
        worker: &mut Worker<'_>,
        expected_tree: &ExpectedTree,
    ) -> Result<Vec<String>, CrashError> {
        let found = TreeSnapshot::of(&worker.deployment())?;
        let (expected, times) = match expected_tree {
            ExpectedTree::Before => (&self.before, Times::Compared),
            ExpectedTree::After | ExpectedTree::AfterStoppedUndo(_) => {
                (&self.after, Times::Ignored)
            }
        };
        let mut differences = expected.differences(&found, times);
        worker.is_before = *expected_tree == ExpectedTree::Before && differences.is_empty();
        if differences.len() > MOST_DIFFERENCES {
            let more = differences.len() - MOST_DIFFERENCES;
            differences.truncate(MOST_DIFFERENCES);
            differences.push(format!("and {more} more"));
        }
        Ok(differences)
    }

    /// Runs the command of a start state without killing it, and returns the number of its changes.
    fn run_to_end(
        &self,
        worker: &mut Worker<'_>,
        start_state: StartState,
    ) -> Result<u64, CrashError> {
        worker.set(start_state)?;
        let ran = worker.run(start_state.command(), ChildFault::CountChanges)?;
        let (Some(0), Some(changes)) = (ran.code(), ran.changes()) else {
            return Err(command_failed(ran));
        };
        let expected_tree = match start_state.command() {
            ChildCommand::Apply | ChildCommand::Resume => ExpectedTree::After,
            ChildCommand::Undo | ChildCommand::UndoLast => ExpectedTree::Before,
        };
        let differences = self.compare(worker, &expected_tree)?;
        match differences.is_empty() {
            true => Ok(changes),
            false => Err(CrashError::UnexpectedTree {
                line: ran.line,
                differences,
            }),
        }
    }

    /// Records the points of `apply` that lead to later start states.
    fn record_later_points(
        &self,
        start_state: StartState,
        point: u64,
        killed_run: Option<&KilledRun>,
    ) {
        let (StartState::Before, Some(KilledRun::Begun { no_return })) = (start_state, killed_run)
        else {
            return;
        };
        let mut tally = self.tally();
        tally.first_begun = Some(tally.first_begun.map_or(point, |first| first.min(point)));
        if no_return.is_none() {
            tally.last_open = tally.last_open.max(Some(point));
        }
    }

    fn keep(&self, worker: &mut Worker<'_>, failing: FailedPoint) -> Result<(), LabError> {
        let mut tally = self.tally();
        if tally.kept.is_none() {
            tally.kept = Some(worker.keep()?);
        }
        tally.failing.push(failing);
        Ok(())
    }

    fn count(
        &self,
        phase: CrashPhase,
        recoveries: Vec<(Direction, Result<ExpectedTree, Vec<String>>)>,
    ) {
        let mut tally = self.tally();
        let new = || CrashRow {
            phase,
            points: 0,
            resumed: RecoveredTrees::default(),
            undone: RecoveredTrees::default(),
            failing: 0,
        };
        let row = tally.rows.entry(phase).or_insert_with(new);
        row.points += 1;
        row.failing += u64::from(recoveries.iter().any(|(_, recovery)| recovery.is_err()));
        let mut stopped = None;
        for (direction, recovery) in recoveries {
            let trees = if direction == Direction::Forward {
                &mut row.resumed
            } else {
                &mut row.undone
            };
            match recovery {
                Ok(ExpectedTree::Before) => trees.before += 1,
                Ok(ExpectedTree::After) => trees.after += 1,
                Ok(ExpectedTree::AfterStoppedUndo(step)) => {
                    trees.after += 1;
                    stopped = Some(step);
                }
                Err(_) => {}
            }
        }
        if let Some(step) = stopped {
            *tally.stopped_behind.entry(step).or_default() += 1;
        }
    }
}
