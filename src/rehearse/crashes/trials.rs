//! Trials of all points in turn: kill, recover, compare, count.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::left::{Due, Left, at_rest};
use super::report::{Failing, Place, Row, Stood};
use super::scene::Scene;
use super::worker::Worker;
use super::{CrashError, Crashes, News, Report, fails_by_itself};
use crate::journal::Direction;
use crate::rehearse::child::Fate;
use crate::rehearse::{LabError, Picture, Times, Verb};

/// Number of differences of one tree that are reported.
const TOLD: usize = 10;
/// Exit code of an `undo` that met a step that cannot be rolled back.
const NOT_READY: i32 = 15;

/// Result of killing a process once.
enum Trial {
    /// It was killed, and what it left was recovered, or not.
    Killed {
        left: Option<Left>,
        end: Result<Due, Vec<String>>,
    },
    /// It has fewer changes than that, and ended as it should.
    Outlived,
}

/// Counts so far.
#[derive(Default)]
struct Tally {
    rows: BTreeMap<Place, Row>,
    failing: Vec<Failing>,
    kept: Option<PathBuf>,
    stopped_behind: BTreeMap<String, u64>,
    /// First point of `apply` that leaves a begun run.
    first_begun: Option<u64>,
    /// Last point of `apply` that leaves a run that can be rolled back.
    last_open: Option<u64>,
}

/// State that all workers share.
pub(super) struct Trials<'a> {
    crashes: Crashes<'a>,
    before: Picture,
    after: Picture,
    tally: Mutex<Tally>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(crashes: Crashes<'a>, before: Picture, after: Picture) -> Self {
        Self {
            crashes,
            before,
            after,
            tally: Mutex::default(),
        }
    }

    /// Returns the scenes that begin after an `apply` that died or finished.
    pub(super) fn later_scenes(&self) -> Vec<Scene> {
        let tally = self.tally();
        let begun = tally.first_begun.map(Scene::CommitBegun);
        let open = tally.last_open.map(Scene::AlmostClosed);
        let finished = self
            .crashes
            .no_return()
            .is_none()
            .then_some(Scene::Finished);
        [begun, open, finished].into_iter().flatten().collect()
    }

    pub(super) fn report(self) -> Report {
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
        Report {
            rows: rows.into_values().collect(),
            failing,
            kept,
            stopped_behind,
            no_return: self.crashes.no_return().map(str::to_owned),
            entries: self.before.entries(),
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries all points of a scene, several at a time.
    pub(super) fn everywhere(
        &self,
        workers: &mut [Worker<'_>],
        scene: Scene,
    ) -> Result<(), CrashError> {
        workers[0].prepare(scene)?;
        let told = self.undisturbed(&mut workers[0], scene)?;
        (self.crashes.tell)(&News::Begun {
            verb: scene.verb(),
            points: told,
        });
        let (next, end) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
        thread::scope(|threads| {
            let work = |worker| {
                let (next, end) = (&next, &end);
                threads.spawn(move || self.points(worker, scene, next, end))
            };
            let threads: Vec<_> = workers.iter_mut().map(work).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("a worker returns its errors"))
        })?;
        let found = end.into_inner() - 1;
        if found != told {
            return Err(CrashError::Uneven {
                verb: scene.verb(),
                told,
                found,
            });
        }
        let tally = self.tally();
        let rows = tally
            .rows
            .values()
            .filter(|row| scene.places().contains(&row.place));
        rows.for_each(|row| (self.crashes.tell)(&News::Row(row)));
        Ok(())
    }

    /// Tries the next point, again and again, until one is outlived: the work of one worker.
    fn points(
        &self,
        worker: &mut Worker<'_>,
        scene: Scene,
        next: &AtomicU64,
        end: &AtomicU64,
    ) -> Result<(), CrashError> {
        loop {
            let point = next.fetch_add(1, Ordering::SeqCst);
            if (self.crashes.is_stopped)() {
                return Err(LabError::Interrupted.into());
            }
            if point >= end.load(Ordering::SeqCst) {
                return Ok(());
            }
            let tried = self.point(worker, scene, point);
            if !matches!(tried, Ok(true)) {
                // The other workers stop as well, because of the end or of an error.
                end.fetch_min(point, Ordering::SeqCst);
                return tried.map(|_| ());
            }
            (self.crashes.tell)(&News::Tried);
        }
    }

    /// Tries one point in both directions. Returns `false` if the process outlived it.
    fn point(&self, worker: &mut Worker<'_>, scene: Scene, point: u64) -> Result<bool, CrashError> {
        let mut ends = Vec::new();
        let mut place = scene.place(None);
        for way in [Direction::Forward, Direction::Back] {
            match self.trial(worker, scene, point, way)? {
                Trial::Outlived => return Ok(false),
                Trial::Killed { left, end } => {
                    place = scene.place(left.as_ref());
                    self.remember(scene, point, left.as_ref());
                    if let Err(wrong) = &end {
                        let failing = Failing {
                            place,
                            point,
                            way,
                            wrong: wrong.clone(),
                        };
                        self.keep(worker, failing)?;
                    }
                    ends.push((way, end));
                }
            }
        }
        self.count(place, ends);
        Ok(true)
    }

    fn trial(
        &self,
        worker: &mut Worker<'_>,
        scene: Scene,
        point: u64,
        way: Direction,
    ) -> Result<Trial, CrashError> {
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
        Ok(Trial::Killed {
            left: left.ok(),
            end,
        })
    }

    /// Recovers what a dead process left, and compares. The inner error lists what is wrong.
    fn recovered(
        &self,
        worker: &mut Worker<'_>,
        due: Due,
        way: Direction,
    ) -> Result<Result<Due, Vec<String>>, CrashError> {
        let stops = matches!(due, Due::AfterStoppingBehind(_));
        let verbs: &[(Verb, i32)] = match way {
            Direction::Forward => &[(Verb::Resume, 0)],
            Direction::Back if stops => &[(Verb::Undo, NOT_READY), (Verb::Resume, 0)],
            Direction::Back => &[(Verb::Undo, 0)],
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
        wrong.extend(at_rest(&worker.deployment()).err());
        Ok(if wrong.is_empty() {
            Ok(due)
        } else {
            Err(wrong)
        })
    }

    /// Lists everything that is not as expected. A copy that is as before is used again.
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
        let (Some(0), Some(changes)) = (ran.code(), ran.changes()) else {
            return Err(fails_by_itself(ran));
        };
        let due = match scene.verb() {
            Verb::Apply | Verb::Resume => Due::After,
            Verb::Undo | Verb::UndoLast => Due::Before,
        };
        let wrong = self.compare(worker, &due)?;
        match wrong.is_empty() {
            true => Ok(changes),
            false => Err(CrashError::Elsewhere {
                line: ran.line,
                wrong,
            }),
        }
    }

    /// Remembers the points of `apply` from which later scenes begin.
    fn remember(&self, scene: Scene, point: u64, left: Option<&Left>) {
        let (Scene::Before, Some(Left::Begun { no_return })) = (scene, left) else {
            return;
        };
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

    fn count(&self, place: Place, ends: Vec<(Direction, Result<Due, Vec<String>>)>) {
        let mut tally = self.tally();
        let new = || Row {
            place,
            points: 0,
            resumed: Stood::default(),
            undone: Stood::default(),
            failing: 0,
        };
        let row = tally.rows.entry(place).or_insert_with(new);
        row.points += 1;
        row.failing += u64::from(ends.iter().any(|(_, end)| end.is_err()));
        let mut stopped = None;
        for (way, end) in ends {
            let stood = if way == Direction::Forward {
                &mut row.resumed
            } else {
                &mut row.undone
            };
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
