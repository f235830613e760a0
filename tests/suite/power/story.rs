//! What processes do one after another, while the power is on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::deployment::tree::Tree as Folder;
use rollup::journal::{RunState, runs};
use rollup::run::{Event, Listener, Question, Reply};

use super::cut::Cut;
use super::disk::{Disk, Id, is_journal};
use super::trace::{Effect, Fate, Recorder, Trace};
use crate::crash::site::Site;
use crate::crash::{Way, apply_before, recover_before};

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Apply,
    Recover(Way),
}

/// Everything that happened in one folder, up to a cut.
pub(super) struct Story {
    pub(super) trace: Trace,
    /// How much had happened when the last process began, or a change of it failed.
    pub(super) last: usize,
    /// Objects that must never be lost.
    own: BTreeMap<Id, PathBuf>,
    /// The run's journal.
    journal: Option<Id>,
    pub(super) told: String,
}

impl Story {
    /// Lets one process after another work in a folder.
    pub(super) fn of(site: &Site, folder: &Path, processes: &[(Doing, Fate)]) -> Self {
        let recorder = Recorder::new(folder);
        let own = own_objects(&recorder.now(), folder);
        let mut last = 0;
        for &(doing, fate) in processes {
            last = recorder.length();
            let mut person = Person { recorder: Some(Arc::clone(&recorder)), asked: 0 };
            let watch = recorder.process(fate);
            let ended = match doing {
                Doing::Apply => apply_before(site, folder, Some(watch), &mut person).map(Some),
                Doing::Recover(way) => recover_before(folder, way, Some(watch), &mut person),
            };
            last = last.max(recorder.failed());
            assert!(fate != Fate::Lives || ended.is_ok(), "{processes:?}: {ended:?}");
        }
        let trace = recorder.trace();
        let written = trace.events.iter().filter_map(|event| match &event.effect {
            Effect::Write { object, contents, .. } => Some((*object, contents)),
            _ => None,
        });
        let known = trace.base.objects.iter().map(|object| object.contents.as_ref()).enumerate();
        let mut files = written.chain(known.filter_map(|(id, contents)| Some((id, contents?))));
        let journal = files.find(|(_, contents)| is_journal(&contents.bytes)).map(|(id, _)| id);
        let story = Self { trace, last, own, journal, told: format!("{processes:?}") };
        story.is_on_disk_before_it_is_told();
        story
    }

    /// Whoever is asked acts outside of the deployment, on the word that everything so far has happened; and
    /// whoever hears that he was heard, or that a run is staged or at rest, never looks again.
    fn is_on_disk_before_it_is_told(&self) {
        let events = self.trace.events.iter().enumerate();
        for (at, _) in events.filter(|(_, event)| event.effect == Effect::Told) {
            let cut = Cut::new(&self.trace, at);
            assert!(cut.pending().is_empty(), "{}: told too early: {}", self.told, cut.told(&cut.extremes()[0]));
        }
    }

    /// The number of a change, as the only process of a story counts them.
    pub(super) fn number_of(&self, event: usize) -> usize {
        self.trace.events[..=event].iter().filter(|event| event.effect != Effect::Told).count()
    }

    /// Objects that must be there and are not, by where they stood before.
    pub(super) fn lost(&self, disk: &Disk) -> Vec<&PathBuf> {
        let reachable = disk.reachable();
        self.own.iter().filter(|(id, _)| !reachable.contains_key(id)).map(|(_, path)| path).collect()
    }

    /// How many records must be in the journal: all that were written before the last change of anything
    /// else of which there is a trace. But for the first, which says no more than that the folder is a run.
    pub(super) fn records_before(&self, last: Option<usize>) -> usize {
        let (Some(journal), Some(last)) = (self.journal, last) else { return 0 };
        let written = self.trace.events[..last].iter().rev().find_map(|event| match &event.effect {
            Effect::Write { object, contents, .. } if *object == journal => Some(contents),
            _ => None,
        });
        let contents = written.or(self.trace.base.objects[journal].contents.as_ref());
        let records = contents.map_or(0, |contents| contents.bytes.iter().filter(|&&byte| byte == b'\n').count());
        if records < 2 { 0 } else { records }
    }

    pub(super) fn journal(&self) -> Option<Id> {
        self.journal
    }
}

/// What stands in the deployment before; once a run has begun, also what it has set aside and is to bring.
fn own_objects(disk: &Disk, folder: &Path) -> BTreeMap<Id, PathBuf> {
    let runs = runs(&Folder::open(folder).expect("the deployment is there")).expect("the journals can be read");
    let begun = runs.iter().any(|run| matches!(run.state(), RunState::Unfinished(_)));
    let ours = |path: &Path| path.starts_with(".rollup") && !begun || path.starts_with(".rollup-new");
    disk.reachable().into_iter().filter(|(_, path)| !ours(path)).collect()
}

/// Does every manual step at once, and takes rollup at its word.
#[derive(Default)]
pub(super) struct Person {
    pub(super) asked: usize,
    pub(super) recorder: Option<Arc<Recorder>>,
}

impl Person {
    fn hears(&self, what: &str) {
        self.recorder.iter().for_each(|recorder| recorder.tell(what));
    }
}

impl Listener for Person {
    fn tell(&mut self, event: &Event<'_>) {
        if let Event::Staged | Event::Answered { .. } | Event::Closed { .. } = event {
            self.hears(&format!("{event:?}"));
        }
    }

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        self.asked += 1;
        self.hears("a question");
        Reply::Done
    }
}
