//! Killing a real process at every change of the disk, and taking what it leaves both ways.
//!
//! A *point* is one change of the disk that a command is about to make. At each one the command is
//! killed twice, on a copy of the deployment each time; what it leaves is taken to its end by `resume`
//! once, and back by `undo` once. Then the whole tree has to be the one before the rollup, or the one
//! after it: nothing in between, nothing too much. Points are counted up until the command outlives
//! its number.
//!
//! | killed | on |
//! | --- | --- |
//! | `apply` | a deployment in its state before |
//! | `resume` | what `apply` leaves when it dies as soon as its commit has begun: all of it is still to do |
//! | `undo` | what `apply` leaves when it dies right before it would close its run: all of it has to go back |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::child::{Fate, Ran};
use super::copy::copy_tree;
use super::picture::{Picture, Times};
use super::{LabError, Program, Verb, disk};
use crate::deployment::tree::Tree;
use crate::journal::{Answer, Direction, Outcome, RunState, runs};
use crate::plan::Plan;

/// More copies of a deployment than this at once take more room than they save time.
const MOST_WORKERS: usize = 4;
/// How many differences of one tree are told.
const TOLD: usize = 10;
/// Exit code of an `undo` that met a step which nobody can take back.
const NEEDS_ATTENTION: i32 = 11;

/// What is killed everywhere.
#[derive(Clone, Copy)]
pub struct Crashes<'a> {
    /// The program that is started, again and again.
    pub program: &'a Program,
    /// The deployment in its state before; it is only copied.
    pub deployment: &'a Path,
    /// Where the copies are made.
    pub folder: &'a Path,
    /// What `apply` will do.
    pub plan: &'a Plan,
    /// Hears how far it is, from several threads.
    pub tell: &'a (dyn Fn(&News<'_>) + Sync),
}

/// What a rehearsal of crashes tells while it is at work.
#[derive(Debug)]
pub enum News<'a> {
    /// A command will be killed at each of so many points.
    Begun {
        /// Which command.
        verb: Verb,
        /// How many changes of the disk it makes.
        points: u64,
    },
    /// One point was tried, both ways.
    Tried,
    /// All points of one kind were tried.
    Row(&'a Row),
}

/// Where a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In `apply`, before its commit began.
    Staging,
    /// In `apply`, from there on.
    Commit,
    /// In `resume`.
    Resume,
    /// In `undo` of an unfinished run.
    Undo,
}

/// A recovery, by the command that does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `resume`
    Forward,
    /// `undo`
    Back,
}

/// The points of one kind, and what stood after their recoveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where the process was killed.
    pub place: Place,
    /// At how many points.
    pub points: u64,
    /// What stood after `resume`.
    pub resumed: Stood,
    /// What stood after `undo`.
    pub undone: Stood,
    /// How many points did not recover.
    pub failing: u64,
}

/// How often which tree stood after a recovery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stood {
    /// Exactly the one before the rollup.
    pub before: u64,
    /// Exactly the one that an undisturbed apply leaves.
    pub after: u64,
}

/// A point that did not recover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failing {
    /// Where the process was killed.
    pub place: Place,
    /// Right before which of its changes, counted from 1.
    pub point: u64,
    /// How it was to be recovered.
    pub way: Way,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// By place.
    pub rows: Vec<Row>,
    /// Every point that did not recover, in order.
    pub failing: Vec<Failing>,
    /// The folder of the first of them to be found.
    pub kept: Option<PathBuf>,
    /// Steps that nobody can take back, with the number of points at which `undo` therefore stopped behind
    /// one of them, and `resume` went on from there.
    pub stopped_behind: BTreeMap<String, u64>,
    /// How many files and folders were compared each time.
    pub entries: usize,
}

impl Report {
    /// How many points there were.
    pub fn points(&self) -> u64 {
        self.rows.iter().map(|row| row.points).sum()
    }

    /// How many of them recover both ways.
    pub fn recovering(&self) -> u64 {
        self.points() - self.rows.iter().map(|row| row.failing).sum::<u64>()
    }
}

/// Why the points were not tried, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The lab could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A command fails though nothing disturbs it.
    #[error("`{line}` {ending}{}", .reasons.iter().map(|reason| format!(": {reason}")).collect::<String>())]
    FailsByItself {
        /// The command.
        line: String,
        /// How it ended.
        ending: String,
        /// What it said.
        reasons: Vec<String>,
    },
    /// A command ends well, and leaves something else than it should.
    #[error("`{line}` was not disturbed, and then {}", .wrong.join("; "))]
    Elsewhere {
        /// The command.
        line: String,
        /// What is wrong.
        wrong: Vec<String>,
    },
    /// The points cannot be told apart by their number.
    #[error("`{verb}` made {told} changes of the disk once, and {found} another time")]
    Uneven {
        /// The command.
        verb: Verb,
        /// At first.
        told: u64,
        /// When it was killed at every one of them.
        found: u64,
    },
}

/// Kills at every point, and recovers both ways.
///
/// # Errors
///
/// What kept the points from being tried. A point that does not recover is no error; the report tells it.
pub fn crash_everywhere(crashes: Crashes<'_>) -> Result<Report, CrashError> {
    let before = Picture::of(crashes.deployment)?;
    let count = thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let mut workers: Vec<Worker<'_>> = (1..=count).map(|number| Worker::new(crashes, number)).collect();
    let after = workers[0].applied()?;
    let trials = Trials { crashes, before, after, tally: Mutex::default() };
    trials.everywhere(&mut workers, Scene::Before)?;
    let (begun, open) = {
        let tally = trials.tally();
        (tally.first_begun, tally.last_open)
    };
    let scenes = [begun.map(Scene::CommitBegun), open.map(Scene::AlmostClosed)];
    for scene in scenes.into_iter().flatten() {
        trials.everywhere(&mut workers, scene)?;
    }
    workers.iter().try_for_each(Worker::clear_away)?;
    let entries = trials.before.entries();
    let tally = trials.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Tally { rows, mut failing, kept, stopped_behind, .. } = tally;
    failing.sort();
    Ok(Report { rows: rows.into_values().collect(), failing, kept, stopped_behind, entries })
}

/// What stands on the copy when the command is started that will be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// The state before, and no run; `apply` is killed.
    Before,
    /// `apply` died at this point, with its commit just begun; `resume` is killed.
    CommitBegun(u64),
    /// `apply` died at this point, with its run still open; `undo` is killed.
    AlmostClosed(u64),
}

impl Scene {
    /// The command that is killed.
    fn verb(self) -> Verb {
        match self {
            Scene::Before => Verb::Apply,
            Scene::CommitBegun(_) => Verb::Resume,
            Scene::AlmostClosed(_) => Verb::Undo,
        }
    }

    /// Where an `apply` died before.
    fn earlier_death(self) -> Option<u64> {
        match self {
            Scene::Before => None,
            Scene::CommitBegun(at) | Scene::AlmostClosed(at) => Some(at),
        }
    }

    fn place(self, left: Option<&Left>) -> Place {
        match (self, left) {
            (Scene::Before, Some(Left::NotBegun | Left::Staged)) => Place::Staging,
            (Scene::Before, _) => Place::Commit,
            (Scene::CommitBegun(_), _) => Place::Resume,
            (Scene::AlmostClosed(_), _) => Place::Undo,
        }
    }
}

/// What a dead process left, as its journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Left {
    /// No run, or one that died staging.
    NotBegun,
    /// A run that is staged whole.
    Staged,
    /// A run that is due in some direction; with a step behind which there is no way back.
    Begun { no_return: Option<String> },
    /// A run at rest: only the end of the process was left to come.
    Closed(Outcome),
}

impl Left {
    fn on(deployment: &Path, plan: &Plan) -> Result<Self, String> {
        let tree = Tree::open(deployment).map_err(|error| error.to_string())?;
        let runs = runs(&tree).map_err(|fault| fault.to_string())?;
        let Some(run) = runs.last() else { return Ok(Left::NotBegun) };
        Ok(match run.state() {
            RunState::Staging => Left::NotBegun,
            RunState::Staged => Left::Staged,
            RunState::Unfinished(Direction::Forward | Direction::Back) => {
                let fixed = |step: &&crate::plan::PlannedStep| {
                    let gate = step.gate.as_ref();
                    gate.is_some_and(|gate| gate.undo.is_none())
                        && run.journal.confirmed(&step.id) == Some(Answer::Done)
                };
                Left::Begun { no_return: plan.steps.iter().rev().find(fixed).map(|step| step.id.clone()) }
            }
            RunState::Closed(outcome) => Left::Closed(outcome),
        })
    }

    /// The tree that has to stand after a recovery.
    fn due(&self, way: Way) -> Due {
        match (self, way) {
            (Left::NotBegun, _) | (Left::Staged, Way::Back) | (Left::Closed(Outcome::Undone), _) => Due::Before,
            (Left::Begun { no_return: None }, Way::Back) => Due::Before,
            (Left::Begun { no_return: Some(step) }, Way::Back) => Due::AfterStoppingBehind(step.clone()),
            (Left::Staged | Left::Begun { .. }, Way::Forward)
            | (Left::Closed(Outcome::Applied | Outcome::Accepted), _) => Due::After,
        }
    }
}

/// What has to stand after a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    Before,
    After,
    /// `undo` has to stop behind this step, and then `resume` has to reach the state after.
    AfterStoppingBehind(String),
}

/// What came of killing a process once.
enum Trial {
    /// It was killed, and what it left was recovered, or not.
    Killed { left: Option<Left>, end: Result<Due, Vec<String>> },
    /// It has fewer changes than that, and ended as it should.
    Outlived,
}

#[derive(Default)]
struct Tally {
    rows: BTreeMap<Place, Row>,
    failing: Vec<Failing>,
    kept: Option<PathBuf>,
    stopped_behind: BTreeMap<String, u64>,
    /// The first point of `apply` that leaves a begun run.
    first_begun: Option<u64>,
    /// The last point of `apply` that leaves a run which can be taken back.
    last_open: Option<u64>,
}

struct Trials<'a> {
    crashes: Crashes<'a>,
    before: Picture,
    after: Picture,
    tally: Mutex<Tally>,
}

impl Trials<'_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries all points of a scene, several at a time.
    fn everywhere(&self, workers: &mut [Worker<'_>], scene: Scene) -> Result<(), CrashError> {
        let told = self.undisturbed(&mut workers[0], scene)?;
        (self.crashes.tell)(&News::Begun { verb: scene.verb(), points: told });
        let (next, end) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
        thread::scope(|threads| {
            let work = |worker| {
                let (next, end) = (&next, &end);
                threads.spawn(move || self.points(worker, scene, next, end))
            };
            let threads: Vec<_> = workers.iter_mut().map(work).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a worker returns its errors"))
        })?;
        let found = end.into_inner() - 1;
        if found != told {
            return Err(CrashError::Uneven { verb: scene.verb(), told, found });
        }
        let tally = self.tally();
        let rows = tally.rows.values().filter(|row| match scene {
            Scene::Before => matches!(row.place, Place::Staging | Place::Commit),
            _ => row.place == scene.place(None),
        });
        rows.for_each(|row| (self.crashes.tell)(&News::Row(row)));
        Ok(())
    }

    /// What one worker does: the next point, until one is outlived.
    fn points(
        &self,
        worker: &mut Worker<'_>,
        scene: Scene,
        next: &AtomicU64,
        end: &AtomicU64,
    ) -> Result<(), CrashError> {
        loop {
            let point = next.fetch_add(1, Ordering::SeqCst);
            if point >= end.load(Ordering::SeqCst) {
                return Ok(());
            }
            let tried = self.point(worker, scene, point);
            if !matches!(tried, Ok(true)) {
                // Nobody has to go on, be it for the end or for an error.
                end.fetch_min(point, Ordering::SeqCst);
                return tried.map(|_| ());
            }
            (self.crashes.tell)(&News::Tried);
        }
    }

    /// Tries one point both ways. `false` where the process outlived it.
    fn point(&self, worker: &mut Worker<'_>, scene: Scene, point: u64) -> Result<bool, CrashError> {
        let mut ends = Vec::new();
        let mut place = scene.place(None);
        for way in [Way::Forward, Way::Back] {
            match self.trial(worker, scene, point, way)? {
                Trial::Outlived => return Ok(false),
                Trial::Killed { left, end } => {
                    place = scene.place(left.as_ref());
                    self.remember(scene, point, left.as_ref());
                    if let Err(wrong) = &end {
                        let failing = Failing { place, point, way, wrong: wrong.clone() };
                        self.keep(worker, failing)?;
                    }
                    ends.push((way, end));
                }
            }
        }
        self.count(place, ends);
        Ok(true)
    }

    fn trial(&self, worker: &mut Worker<'_>, scene: Scene, point: u64, way: Way) -> Result<Trial, CrashError> {
        worker.set(scene)?;
        let dying = worker.run(scene.verb(), Fate::DiesAt(point))?;
        if !dying.was_killed() {
            return match dying.code() {
                Some(0) => Ok(Trial::Outlived),
                _ => Err(fails_by_itself(dying)),
            };
        }
        let left = Left::on(&worker.deployment(), self.crashes.plan);
        let end = match &left {
            Ok(left) => self.recovered(worker, left.due(way), way)?,
            Err(wrong) => Err(vec![wrong.clone()]),
        };
        Ok(Trial::Killed { left: left.ok(), end })
    }

    /// Recovers what a dead process left, and compares. The inner error tells what is wrong.
    fn recovered(&self, worker: &mut Worker<'_>, due: Due, way: Way) -> Result<Result<Due, Vec<String>>, CrashError> {
        let stops = matches!(due, Due::AfterStoppingBehind(_));
        let verbs: &[(Verb, i32)] = match way {
            Way::Forward => &[(Verb::Resume, 0)],
            Way::Back if stops => &[(Verb::Undo, NEEDS_ATTENTION), (Verb::Resume, 0)],
            Way::Back => &[(Verb::Undo, 0)],
        };
        for (verb, code) in verbs {
            let ran = worker.run(*verb, Fate::Lives)?;
            if ran.code() != Some(*code) {
                let mut wrong = vec![format!("`{verb}` {}", ran.ending())];
                wrong.extend(ran.reasons());
                return Ok(Err(wrong));
            }
        }
        let mut wrong = self.compare(worker, &due)?;
        if let Ok(left @ (Left::Staged | Left::Begun { .. })) = Left::on(&worker.deployment(), self.crashes.plan) {
            wrong.insert(0, format!("a run is still open: {left:?}"));
        }
        Ok(if wrong.is_empty() { Ok(due) } else { Err(wrong) })
    }

    /// Everything that is not as it should be. A copy that is as before serves once more.
    fn compare(&self, worker: &mut Worker<'_>, due: &Due) -> Result<Vec<String>, CrashError> {
        let found = Picture::of(&worker.deployment())?;
        let (wanted, times) = match due {
            Due::Before => (&self.before, Times::Compared),
            Due::After | Due::AfterStoppingBehind(_) => (&self.after, Times::LeftOut),
        };
        let mut wrong = wanted.differences(&found, times);
        worker.is_before = *due == Due::Before && wrong.is_empty();
        if wrong.len() > TOLD {
            let more = wrong.len() - TOLD;
            wrong.truncate(TOLD);
            wrong.push(format!("and {more} more"));
        }
        Ok(wrong)
    }

    /// Runs the command of a scene without killing it, and returns how many changes it makes.
    fn undisturbed(&self, worker: &mut Worker<'_>, scene: Scene) -> Result<u64, CrashError> {
        worker.set(scene)?;
        let ran = worker.run(scene.verb(), Fate::Counts)?;
        let (Some(0), Some(changes)) = (ran.code(), ran.changes()) else { return Err(fails_by_itself(ran)) };
        let due = if scene.verb() == Verb::Undo { Due::Before } else { Due::After };
        let wrong = self.compare(worker, &due)?;
        match wrong.is_empty() {
            true => Ok(changes),
            false => Err(CrashError::Elsewhere { line: ran.line, wrong }),
        }
    }

    /// Later scenes begin where an `apply` died.
    fn remember(&self, scene: Scene, point: u64, left: Option<&Left>) {
        let (Scene::Before, Some(Left::Begun { no_return })) = (scene, left) else { return };
        let mut tally = self.tally();
        tally.first_begun = Some(tally.first_begun.map_or(point, |first| first.min(point)));
        if no_return.is_none() {
            tally.last_open = tally.last_open.max(Some(point));
        }
    }

    fn keep(&self, worker: &mut Worker<'_>, failing: Failing) -> Result<(), LabError> {
        let mut tally = self.tally();
        if tally.kept.is_none() {
            tally.kept = Some(worker.keep()?);
        }
        tally.failing.push(failing);
        Ok(())
    }

    fn count(&self, place: Place, ends: Vec<(Way, Result<Due, Vec<String>>)>) {
        let mut tally = self.tally();
        let new = || Row { place, points: 0, resumed: Stood::default(), undone: Stood::default(), failing: 0 };
        let row = tally.rows.entry(place).or_insert_with(new);
        row.points += 1;
        row.failing += u64::from(ends.iter().any(|(_, end)| end.is_err()));
        let mut stopped = None;
        for (way, end) in ends {
            let stood = if way == Way::Forward { &mut row.resumed } else { &mut row.undone };
            match end {
                Ok(Due::Before) => stood.before += 1,
                Ok(Due::After) => stood.after += 1,
                Ok(Due::AfterStoppingBehind(step)) => {
                    stood.after += 1;
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

/// One copy of the deployment, and the processes that work on it one after another.
struct Worker<'a> {
    crashes: Crashes<'a>,
    folder: PathBuf,
    /// The copy is in the state before, but for what rollup keeps in it.
    is_before: bool,
    /// What was done since the last copy was ready.
    said: Vec<Ran>,
}

impl<'a> Worker<'a> {
    fn new(crashes: Crashes<'a>, number: usize) -> Self {
        let folder = crashes.folder.join(format!("worker-{number}"));
        Self { crashes, folder, is_before: false, said: Vec::new() }
    }

    fn deployment(&self) -> PathBuf {
        self.folder.join("deployment")
    }

    /// Runs one command, and keeps what it said.
    fn run(&mut self, verb: Verb, fate: Fate) -> Result<Ran, LabError> {
        let ran = self.crashes.program.run(verb, &self.deployment(), fate)?;
        self.said.push(ran.clone());
        Ok(ran)
    }

    /// The tree that an undisturbed apply leaves.
    fn applied(&mut self) -> Result<Picture, CrashError> {
        self.set(Scene::Before)?;
        let ran = self.run(Verb::Apply, Fate::Lives)?;
        match ran.code() {
            Some(0) => Ok(Picture::of(&self.deployment())?),
            _ => Err(fails_by_itself(ran)),
        }
    }

    /// Sets a scene: a copy in the state before, and on it what was done before.
    fn set(&mut self, scene: Scene) -> Result<(), CrashError> {
        let deployment = self.deployment();
        match self.is_before {
            true => remove(&deployment.join(".rollup"))?,
            false => {
                remove(&deployment)?;
                fs::create_dir_all(&self.folder).map_err(disk("make the folder", &self.folder))?;
                copy_tree(self.crashes.deployment, &deployment)?;
            }
        }
        self.is_before = false;
        self.said.clear();
        if let Some(point) = scene.earlier_death() {
            let ran = self.run(Verb::Apply, Fate::DiesAt(point))?;
            if !ran.was_killed() {
                return Err(fails_by_itself(ran));
            }
        }
        Ok(())
    }

    /// Keeps the copy as it is under a name that tells, with what was done there.
    fn keep(&mut self) -> Result<PathBuf, LabError> {
        let kept = self.crashes.folder.join("first-failure");
        fs::rename(&self.folder, &kept).map_err(disk("rename", &self.folder))?;
        self.is_before = false;
        let told = kept.join("what-happened.txt");
        let text: String = self.said.iter().map(|ran| format!("{ran}\n")).collect();
        fs::write(&told, text).map_err(disk("write", &told))?;
        Ok(kept)
    }

    fn clear_away(&self) -> Result<(), LabError> {
        remove(&self.folder)
    }
}

fn remove(folder: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk("remove", folder)(error)),
        _ => Ok(()),
    }
}

fn fails_by_itself(ran: Ran) -> CrashError {
    CrashError::FailsByItself { ending: ran.ending(), reasons: ran.reasons(), line: ran.line }
}
