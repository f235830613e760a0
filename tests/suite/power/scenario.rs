//! Sequences of processes that work on one deployment, while the power is on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, RunState, runs};
use rollup::names::RelPath;
use rollup::run::{self, Ended, Event, Listener, OnFailure, Question, Reply, RunError};

use super::cut::Cut;
use super::disk::{Disk, EntryName, ObjectId, is_journal};
use super::trace::{Effect, Process, ProcessFault, Recorder, Trace};
use crate::accepting::accept_with_listener;
use crate::crash::site::Site;
use crate::crash::tree::Tree;
use crate::crash::{apply_with_listener, lock, recover_with_listener, reopen_with_listener};

/// Command of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessCommand {
    Apply,
    Recover(Direction),
    /// Undo of the finished run.
    Reopen,
    Prune,
    /// Closing of the run in progress; if there is none, acceptance of drift.
    Accept,
}

/// Trace of all processes that worked in one directory.
pub(super) struct Scenario {
    pub(super) trace: Trace,
    /// Number of events before the last process began, or before a change of it failed.
    pub(super) last: usize,
    /// Objects that must never be lost.
    must_survive: BTreeMap<ObjectId, PathBuf>,
    /// Objects in the slots of a run when `prune` began, with the name of those slots. They may be
    /// lost if the name no longer exists: slots are removed as a whole, and only those of a closed
    /// run.
    cleared: BTreeMap<ObjectId, EntryName>,
    journal: Option<ObjectId>,
    /// Deployment at the end, without a power cut.
    pub(super) end: Tree,
    pub(super) description: String,
}

impl Scenario {
    /// Runs the processes in a directory, one after another.
    pub(super) fn of(
        site: &Site,
        directory: &Path,
        processes: &[(ProcessCommand, ProcessFault)],
    ) -> Self {
        let recorder = Recorder::new(directory);
        let must_survive = objects_to_keep(&recorder.now(), directory);
        let mut cleared = BTreeMap::new();
        let mut last = 0;
        for &(command, fault) in processes {
            last = recorder.length();
            let process = recorder.process(fault);
            let mut operator = Operator {
                process: Some(Arc::clone(&process)),
                questions: 0,
            };
            let injector: Option<Arc<dyn FaultInjector>> = Some(process.clone());
            if command == ProcessCommand::Prune {
                cleared.extend(in_slots(&recorder.now()));
            }
            let ended = match command {
                ProcessCommand::Apply => {
                    apply_with_listener(site, directory, injector, &mut operator).map(Some)
                }
                ProcessCommand::Recover(direction) => {
                    recover_with_listener(directory, direction, injector, &mut operator)
                }
                ProcessCommand::Reopen => {
                    reopen_with_listener(directory, injector, &mut operator).map(Some)
                }
                ProcessCommand::Prune => prune(directory, process.clone()).map(|()| None),
                ProcessCommand::Accept => {
                    accept_with_listener(site, directory, injector, &mut operator)
                }
            };
            last = last.max(recorder.failed());
            assert!(
                fault != ProcessFault::None || ended.is_ok(),
                "{processes:?}: {ended:?}"
            );
            if let Ok(Some(Ended::Stopped(_))) = &ended {
                process.report("it stopped");
            }
        }
        let trace = recorder.trace();
        let written = trace.events.iter().filter_map(|event| match &event.effect {
            Effect::Write {
                object, contents, ..
            } => Some((*object, contents)),
            _ => None,
        });
        let known = trace
            .base
            .objects
            .iter()
            .map(|object| object.contents.as_ref())
            .enumerate();
        let mut files = written.chain(known.filter_map(|(id, contents)| Some((id, contents?))));
        let journal = files
            .find(|(_, contents)| is_journal(&contents.bytes))
            .map(|(id, _)| id);
        let scenario = Self {
            trace,
            last,
            must_survive,
            cleared,
            journal,
            end: Tree::of(directory),
            description: format!("{processes:?}"),
        };
        scenario.assert_reports_are_on_disk();
        scenario
    }

    /// Panics if something is reported before it is on disk.
    ///
    /// An operator who does a manual step acts outside of the deployment and relies on everything
    /// so far. A report that an answer is recorded, or that a run is staged, stopped or closed, is
    /// final, too.
    fn assert_reports_are_on_disk(&self) {
        let events = self.trace.events.iter().enumerate();
        for (at, _) in events.filter(|(_, event)| event.effect == Effect::Report) {
            let cut = Cut::new(&self.trace, at);
            assert!(
                cut.pending().is_empty(),
                "{}: reported too early: {}",
                self.description,
                cut.describe(&cut.extremes()[0])
            );
        }
    }

    /// Returns the number of a change, as the only process of a scenario counts them.
    pub(super) fn number_of(&self, event: usize) -> usize {
        self.trace.events[..=event]
            .iter()
            .filter(|event| event.effect != Effect::Report)
            .count()
    }

    /// Returns the earlier paths of objects that must survive and are lost.
    pub(super) fn lost(&self, disk: &Disk) -> Vec<&PathBuf> {
        let reachable = disk.reachable();
        let is_cleared = |id| {
            self.cleared
                .get(id)
                .is_some_and(|slots| !disk.names.contains_key(slots))
        };
        let lost = self
            .must_survive
            .iter()
            .filter(|(id, _)| !reachable.contains_key(id) && !is_cleared(id));
        lost.map(|(_, path)| path).collect()
    }

    /// Returns how many records the journal must have: all that were written before the last change
    /// of anything else that is on disk. The first one alone does not count: it only proves that
    /// the directory is a run.
    pub(super) fn records_before(&self, last: Option<usize>) -> usize {
        let (Some(journal), Some(last)) = (self.journal, last) else {
            return 0;
        };
        let written =
            self.trace.events[..last]
                .iter()
                .rev()
                .find_map(|event| match &event.effect {
                    Effect::Write {
                        object, contents, ..
                    } if *object == journal => Some(contents),
                    _ => None,
                });
        let contents = written.or(self.trace.base.objects[journal].contents.as_ref());
        let records = contents.map_or(0, |contents| {
            contents.bytes.iter().filter(|&&byte| byte == b'\n').count()
        });
        if records < 2 { 0 } else { records }
    }

    pub(super) fn journal(&self) -> Option<ObjectId> {
        self.journal
    }
}

/// Returns the objects of the deployment before, but for the containers that runs made, which a
/// rollback removes; if a run has begun its commit, also its old and new objects.
fn objects_to_keep(disk: &Disk, directory: &Path) -> BTreeMap<ObjectId, PathBuf> {
    let runs = runs(&Directory::open(directory).expect("the deployment exists"))
        .expect("the journals can be read");
    let is_committing = runs
        .iter()
        .any(|run| matches!(run.state(), RunState::Unfinished(_)));
    let made: BTreeSet<PathBuf> = runs
        .iter()
        .flat_map(|run| run.journal.containers())
        .map(|container| container.to_path().to_owned())
        .collect();
    let may_be_lost = |path: &Path| {
        path.starts_with(".rollup") && !is_committing
            || is_incomplete_rollup_directory(path)
            || made.contains(path)
    };
    disk.reachable()
        .into_iter()
        .filter(|(_, path)| !may_be_lost(path))
        .collect()
}

/// Returns true for a path in a `.rollup` that still has its random name.
fn is_incomplete_rollup_directory(path: &Path) -> bool {
    path.iter()
        .next()
        .is_some_and(|top| top.to_string_lossy().starts_with(".rollup-"))
}

/// Returns the objects in the slots of runs, with the name of the slots.
fn in_slots(disk: &Disk) -> BTreeMap<ObjectId, EntryName> {
    let found = disk.reachable().into_iter().filter_map(|(id, path)| {
        let slots: PathBuf = path.iter().take(4).collect();
        let slots = slots
            .to_str()
            .filter(|at| at.starts_with(".rollup/runs/") && at.ends_with("/slots"))?;
        Some((
            id,
            disk.name(&RelPath::parse(slots).expect("a path of the disk")),
        ))
    });
    found.collect()
}

fn prune(directory: &Path, injector: Arc<dyn FaultInjector>) -> Result<(), RunError> {
    let disk = lock(directory).with_injector(injector);
    run::clear_interrupted_staging(&disk)?;
    let runs = runs(disk.tree())?;
    Ok(run::prune(&disk, &runs.iter().collect::<Vec<_>>())?)
}

/// Listener that confirms every manual step, and records what the operator relies on.
#[derive(Default)]
pub(super) struct Operator {
    pub(super) questions: usize,
    process: Option<Arc<Process>>,
}

impl Operator {
    fn record(&self, report: &str) {
        self.process
            .iter()
            .for_each(|process| process.report(report));
    }
}

impl Listener for Operator {
    fn report(&mut self, event: &Event) {
        if let Event::Staged { .. } | Event::Answered { .. } | Event::Closed { .. } = event {
            self.record(&format!("{event:?}"));
        }
    }

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        self.questions += 1;
        self.record("a question");
        Reply::Done
    }

    fn is_stopped(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.is_stopped())
    }

    fn on_failure(&self) -> OnFailure {
        let stops = self
            .process
            .as_ref()
            .is_some_and(|process| process.stops_on_failure());
        match stops {
            true => OnFailure::Stop,
            false => OnFailure::Undo,
        }
    }
}
