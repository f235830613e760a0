//! What processes do one after another, while the power is on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{RunState, runs};
use rollup::names::RelPath;
use rollup::run::{self, Ended, Event, Listener, OnFailure, Question, Reply, RunError};

use super::cut::Cut;
use super::disk::{Disk, Id, Name, is_journal};
use super::trace::{Effect, Fate, Process, Recorder, Trace};
use crate::accepting::accept_before;
use crate::crash::site::Site;
use crate::crash::tree::Tree;
use crate::crash::{Way, apply_before, lock, recover_before, reopen_before};

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Apply,
    Recover(Way),
    /// Takes the run back that is finished.
    Reopen,
    /// Clears what finished runs keep.
    Prune,
    /// Closes an unfinished run as it stands; where there is none, takes what drifted for true.
    Accept,
}

/// Everything that happened in one directory, up to a cut.
pub(super) struct Story {
    pub(super) trace: Trace,
    /// How much had happened when the last process began, or a change of it failed.
    pub(super) last: usize,
    /// Objects that must never be lost.
    own: BTreeMap<Id, PathBuf>,
    /// What stood in the slots of a run when somebody began to clear them, with the name of those
    /// slots. It may be lost where that name is gone: the slots go as a whole, and only those of a
    /// run that is closed.
    cleared: BTreeMap<Id, Name>,
    /// The run's journal.
    journal: Option<Id>,
    /// The deployment at the end, with the power still on.
    pub(super) end: Tree,
    pub(super) told: String,
}

impl Story {
    /// Lets one process after another work in a directory.
    pub(super) fn of(site: &Site, directory: &Path, processes: &[(Doing, Fate)]) -> Self {
        let recorder = Recorder::new(directory);
        let own = own_objects(&recorder.now(), directory);
        let mut cleared = BTreeMap::new();
        let mut last = 0;
        for &(doing, fate) in processes {
            last = recorder.length();
            let process = recorder.process(fate);
            let mut person = Person {
                before: Some(Arc::clone(&process)),
                asked: 0,
            };
            let injector: Option<Arc<dyn FaultInjector>> = Some(process.clone());
            if doing == Doing::Prune {
                cleared.extend(in_slots(&recorder.now()));
            }
            let ended = match doing {
                Doing::Apply => apply_before(site, directory, injector, &mut person).map(Some),
                Doing::Recover(way) => recover_before(directory, way, injector, &mut person),
                Doing::Reopen => reopen_before(directory, injector, &mut person).map(Some),
                Doing::Prune => prune(directory, process.clone()).map(|()| None),
                Doing::Accept => accept_before(site, directory, injector, &mut person),
            };
            last = last.max(recorder.failed());
            assert!(
                fate != Fate::Lives || ended.is_ok(),
                "{processes:?}: {ended:?}"
            );
            if let Ok(Some(Ended::Stopped(_))) = &ended {
                process.tell("it stopped");
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
        let story = Self {
            trace,
            last,
            own,
            cleared,
            journal,
            end: Tree::of(directory),
            told: format!("{processes:?}"),
        };
        story.is_on_disk_before_it_is_told();
        story
    }

    /// Whoever is asked acts outside of the deployment, on the word that everything so far has
    /// happened; and whoever hears that he was heard, or that a run is staged, stopped or at rest,
    /// never looks again.
    fn is_on_disk_before_it_is_told(&self) {
        let events = self.trace.events.iter().enumerate();
        for (at, _) in events.filter(|(_, event)| event.effect == Effect::Told) {
            let cut = Cut::new(&self.trace, at);
            assert!(
                cut.pending().is_empty(),
                "{}: told too early: {}",
                self.told,
                cut.told(&cut.extremes()[0])
            );
        }
    }

    /// The number of a change, as the only process of a story counts them.
    pub(super) fn number_of(&self, event: usize) -> usize {
        self.trace.events[..=event]
            .iter()
            .filter(|event| event.effect != Effect::Told)
            .count()
    }

    /// Objects that must be there and are not, by where they stood before.
    pub(super) fn lost(&self, disk: &Disk) -> Vec<&PathBuf> {
        let reachable = disk.reachable();
        let is_cleared = |id| {
            self.cleared
                .get(id)
                .is_some_and(|slots| !disk.names.contains_key(slots))
        };
        let lost = self
            .own
            .iter()
            .filter(|(id, _)| !reachable.contains_key(id) && !is_cleared(id));
        lost.map(|(_, path)| path).collect()
    }

    /// How many records must be in the journal: all that were written before the last change of
    /// anything else of which there is a trace. But for the first, which says no more than that the
    /// directory is a run.
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

    pub(super) fn journal(&self) -> Option<Id> {
        self.journal
    }
}

/// What stands in the deployment before; once a run has begun, also what it has set aside and is to
/// bring.
fn own_objects(disk: &Disk, directory: &Path) -> BTreeMap<Id, PathBuf> {
    let runs = runs(&Directory::open(directory).expect("the deployment is there"))
        .expect("the journals can be read");
    let begun = runs
        .iter()
        .any(|run| matches!(run.state(), RunState::Unfinished(_)));
    let ours = |path: &Path| path.starts_with(".rollup") && !begun || is_half_made(path);
    disk.reachable()
        .into_iter()
        .filter(|(_, path)| !ours(path))
        .collect()
}

/// Whether a path lies in a `.rollup` that has its random name still.
fn is_half_made(path: &Path) -> bool {
    path.iter()
        .next()
        .is_some_and(|top| top.to_string_lossy().starts_with(".rollup-"))
}

/// What stands in the slots of runs, with the name of the slots.
fn in_slots(disk: &Disk) -> BTreeMap<Id, Name> {
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
    run::clear_the_way(&disk)?;
    let runs = runs(disk.tree())?;
    Ok(run::prune(&disk, &runs.iter().collect::<Vec<_>>())?)
}

/// Does every manual step at once, and takes rollup at its word.
#[derive(Default)]
pub(super) struct Person {
    pub(super) asked: usize,
    before: Option<Arc<Process>>,
}

impl Person {
    fn hears(&self, what: &str) {
        self.before.iter().for_each(|process| process.tell(what));
    }
}

impl Listener for Person {
    fn tell(&mut self, event: &Event<'_>) {
        if let Event::Staged { .. } | Event::Answered { .. } | Event::Closed { .. } = event {
            self.hears(&format!("{event:?}"));
        }
    }

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        self.asked += 1;
        self.hears("a question");
        Reply::Done
    }

    fn is_stopped(&self) -> bool {
        self.before
            .as_ref()
            .is_some_and(|process| process.is_stopped())
    }

    fn on_failure(&self) -> OnFailure {
        match self.before.as_ref().is_some_and(|process| process.stays()) {
            true => OnFailure::Stop,
            false => OnFailure::Undo,
        }
    }
}
