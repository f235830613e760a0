//! Trying what is left of a run.

use std::collections::HashSet;
use std::path::Path;

use rollup::deployment::tree::Tree as Folder;
use rollup::journal::{Answer, Outcome, RunState, runs};
use rollup::run::Ended;
use tempfile::TempDir;

use super::cut::{Cut, Random, Survivor};
use super::disk::Disk;
use super::story::{Person, Story};
use crate::crash::site::{Site, temporary};
use crate::crash::tree::Tree;
use crate::crash::{Way, recover_before};

/// How much is tried of a story.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Cuts with at most so many changes pending are tried with all extremes.
    pub(super) few: usize,
    /// Of the others, one of so many is.
    pub(super) every: usize,
    /// Random survivors of each cut.
    pub(super) random: usize,
    /// Of all these, one of so many.
    pub(super) one_of: usize,
    /// Whether each is recovered both ways, or one way and the next one the other.
    pub(super) both_ways: bool,
}

/// The two trees that a run may lead to, and a place to try it.
pub(super) struct Trial {
    pub(super) site: Site,
    before: Tree,
    after: Tree,
    scratch: TempDir,
    random: Random,
    sample: Sample,
    /// Disks that were tried already.
    tried: HashSet<u64>,
    /// Where a run had to go on, and where it had not begun or was over.
    pub(super) unfinished: usize,
    pub(super) at_rest: usize,
}

impl Trial {
    pub(super) fn new(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let (before, after) = (Tree::of(&site.folder()), site.applied());
        let (random, tried) = (Random::new(seed), HashSet::new());
        Self { site, before, after, scratch: temporary(), random, sample, tried, unfinished: 0, at_rest: 0 }
    }

    /// Cuts the power at every change of the last process, up to so many. Returns the disks that were tried.
    pub(super) fn cut(&mut self, story: &Story, most: usize) -> Vec<Disk> {
        let end = story.last.saturating_add(most).min(story.trace.events.len());
        let mut tried = Vec::new();
        for at in story.last..=end {
            let cut = Cut::new(&story.trace, at);
            let survivors = self.survivors(&cut, at);
            tried.extend(survivors.iter().filter_map(|survivor| self.survives(story, &cut, survivor)));
        }
        tried
    }

    /// The disks that could be left, not tried.
    pub(super) fn imagine(&mut self, story: &Story) -> Vec<Disk> {
        let mut disks = Vec::new();
        for at in story.last..=story.trace.events.len() {
            let cut = Cut::new(&story.trace, at);
            disks.extend(self.survivors(&cut, at).iter().map(|survivor| cut.disk(survivor)));
        }
        let mut met = HashSet::new();
        disks.retain(|disk| met.insert(disk.likeness()));
        disks
    }

    fn survivors(&mut self, cut: &Cut<'_>, at: usize) -> Vec<Survivor> {
        let few = cut.pending().len() <= self.sample.few;
        let mut survivors = if few || at.is_multiple_of(self.sample.every) { cut.extremes() } else { Vec::new() };
        survivors.extend((0..self.sample.random).map(|_| cut.random(&mut self.random)));
        let first = at % self.sample.one_of;
        survivors.into_iter().skip(first).step_by(self.sample.one_of).collect()
    }

    /// Looks at what survives of a cut, and recovers it, unless one like it was tried before.
    fn survives(&mut self, story: &Story, cut: &Cut<'_>, survivor: &Survivor) -> Option<Disk> {
        let disk = cut.disk(survivor);
        let told = || format!("{}: {}", story.told, cut.told(survivor));
        let lost = story.lost(&disk);
        assert!(lost.is_empty(), "{}: lost {lost:?}", told());
        if !self.tried.insert(disk.likeness()) {
            return None;
        }
        let both = [Way::Forward, Way::Back];
        let ways = if self.sample.both_ways { &both[..] } else { &both[self.tried.len() % 2..][..1] };
        for &way in ways {
            let at = self.scratch.path().join("survivor");
            disk.write(&at);
            let records = story.records_before(cut.last_but_of(survivor, story.journal()));
            self.recovers(&at, way, records, &format!("{}, then {way:?}", told()));
            std::fs::remove_dir_all(&at).expect("it is ours");
        }
        Some(disk)
    }

    fn recovers(&mut self, at: &Path, way: Way, records: usize, told: &str) {
        let runs = runs(&Folder::open(at).expect("the deployment is there")).expect(told);
        let run = runs.first();
        if let Some(run) = run {
            let found = run.journal.entries.len();
            assert!(found >= records, "{told}: of {records} records {found} are there");
        }
        let state = run.map_or(RunState::Staging, |run| run.state());
        let mut person = Person::default();
        let ended = recover_before(at, way, None, &mut person);
        let expected = match (state, way, &ended) {
            (RunState::Staging, _, Ok(None)) | (RunState::Staged, Way::Back, Ok(None)) => &self.before,
            (RunState::Closed(Outcome::Applied), _, Ok(None)) => &self.after,
            (RunState::Closed(Outcome::Undone), _, Ok(None)) => &self.before,
            (RunState::Staged | RunState::Unfinished(_), Way::Forward, Ok(Some(Ended::Applied { came, .. })))
                if came.is_empty() =>
            {
                &self.after
            }
            (RunState::Unfinished(_), Way::Back, Ok(Some(Ended::Undone { because: None }))) => &self.before,
            _ => panic!("{told}: {state:?} led to {ended:?}"),
        };
        expected.assert_same(&Tree::of(at), told);
        let answer = run.and_then(|run| run.journal.confirmed("by-hand"));
        if way == Way::Forward && answer == Some(Answer::Done) {
            assert_eq!(person.asked, 0, "{told}: asked again");
        }
        for ours in [".rollup-new", ".rollup/trash"] {
            let left = std::fs::read_dir(at.join(ours)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{told}: `{ours}` is not cleared");
        }
        match state {
            RunState::Unfinished(_) => self.unfinished += 1,
            _ => self.at_rest += 1,
        }
    }
}
