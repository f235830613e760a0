//! Trying what is left of a run.

use std::collections::HashSet;
use std::path::Path;

use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Answer, Outcome, Run, RunState, runs};
use rollup::run::{Ended, RunError, examine, load_plan};
use tempfile::TempDir;

use super::cut::{Cut, Random, Survivor};
use super::disk::Disk;
use super::scenario::{Person, Story};
use crate::accepting::{accept_before, drifted_site, found};
use crate::crash::site::{Copy, Site, temporary};
use crate::crash::tree::Tree;
use crate::crash::{Way, apply_before, recover_before, reopen_before};

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

/// Of the disks that were tried, one of so many is kept, to go on from there.
const KEPT: usize = 25;

/// The two trees that a run may lead to, and a place to try it.
pub(super) struct Trial {
    pub(super) site: Site,
    /// What every story begins with.
    pub(super) start: Copy,
    /// The run that is tried: all that are there at the start are finished.
    number: u32,
    before: Tree,
    after: Tree,
    scratch: TempDir,
    random: Random,
    sample: Sample,
    /// Disks that were tried already.
    tried: HashSet<u64>,
    /// Some of them.
    pub(super) kept: Vec<Disk>,
    /// Where a run had to go on, and where it had not begun or was over.
    pub(super) unfinished: usize,
    pub(super) at_rest: usize,
}

impl Trial {
    /// The rollup is to be applied.
    pub(super) fn new(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let (start, after) = (site.copy(), site.applied());
        Self::of(site, start, 1, after, sample, seed)
    }

    /// It was applied, something drifted since, and that is to be accepted.
    pub(super) fn of_drift(sample: Sample, seed: u64) -> Self {
        let site = Site::new();
        let start = drifted_site(&site);
        let accepted = Copy::of(start.path());
        let ended = accept_before(&site, accepted.path(), None, &mut Person::default());
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

    fn of(site: Site, start: Copy, number: u32, after: Tree, sample: Sample, seed: u64) -> Self {
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
            at_rest: 0,
        }
    }

    /// Both trees hold what somebody put into the deployment.
    pub(super) fn expects_more(&mut self, put: impl Fn(&Path)) {
        let (before, after) = (self.site.copy(), self.site.copy());
        let ended = apply_before(&self.site, after.path(), None, &mut Person::default());
        assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
        put(before.path());
        put(after.path());
        (self.before, self.after) = (
            Tree::of(before.path()).without_times(),
            Tree::of(after.path()).without_times(),
        );
    }

    /// Cuts the power at every change of the last process, up to so many.
    pub(super) fn cut(&mut self, story: &Story, most: usize) {
        let end = story
            .last
            .saturating_add(most)
            .min(story.trace.events.len());
        for at in story.last..=end {
            self.cut_at(story, at);
        }
    }

    /// Cuts the power wherever a change that names this may be missing.
    pub(super) fn cut_near(&mut self, story: &Story, named: &str) {
        for at in story.last..=story.trace.events.len() {
            let pending = Cut::new(&story.trace, at).pending().to_vec();
            if pending
                .iter()
                .any(|&at| story.trace.events[at].told.contains(named))
            {
                self.cut_at(story, at);
            }
        }
    }

    fn cut_at(&mut self, story: &Story, at: usize) {
        let cut = Cut::new(&story.trace, at);
        for survivor in self.survivors(&cut, at) {
            self.survives(story, &cut, &survivor);
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

    /// Looks at what survives of a cut, and recovers it, unless one like it was tried before.
    fn survives(&mut self, story: &Story, cut: &Cut<'_>, survivor: &Survivor) {
        let disk = cut.disk(survivor);
        let told = || format!("{}: {}", story.told, cut.told(survivor));
        let lost = story.lost(&disk);
        assert!(lost.is_empty(), "{}: lost {lost:?}", told());
        if !self.tried.insert(disk.likeness()) {
            return;
        }
        let both = [Way::Forward, Way::Back];
        let ways = if self.sample.both_ways {
            &both[..]
        } else {
            &both[self.tried.len() % 2..][..1]
        };
        for &way in ways {
            let at = self.scratch.path().join("survivor");
            disk.write(&at);
            let records = story.records_before(cut.last_but_of(survivor, story.journal()));
            self.recovers(
                &at,
                way,
                (records, &story.end),
                &format!("{}, then {way:?}", told()),
            );
            std::fs::remove_dir_all(&at).expect("it is ours");
        }
        if self.tried.len().is_multiple_of(KEPT) {
            self.kept.push(disk);
        }
    }

    fn recovers(
        &mut self,
        at: &Path,
        way: Way,
        (records, as_it_stood): (usize, &Tree),
        told: &str,
    ) {
        let tree = Directory::open(at).expect("the deployment is there");
        let runs = runs(&tree).expect(told);
        let run = runs.iter().find(|run| run.number == self.number);
        if let Some(run) = run {
            let found = run.journal.entries.len();
            assert!(
                found >= records,
                "{told}: of {records} records {found} are there"
            );
        }
        let state = run.map_or(RunState::Staging, |run| run.state());
        if let (Some(run), RunState::Unfinished(_)) = (run, state) {
            let plan = load_plan(&tree, &run.directory).expect(told);
            let examined = examine(&tree, &run.directory, &plan).expect(told);
            assert!(
                examined.troubles.is_empty(),
                "{told}: `status` tells {:?}",
                examined.troubles
            );
        }
        let mut person = Person::default();
        let ended = recover_before(at, way, None, &mut person);
        let expected = match (state, way, &ended) {
            (RunState::Staging, _, Ok(None)) | (RunState::Staged, Way::Back, Ok(None)) => {
                &self.before
            }
            (RunState::Closed(Outcome::Applied), _, Ok(None)) => &self.after,
            (RunState::Closed(Outcome::Undone), _, Ok(None)) => &self.before,
            (RunState::Closed(Outcome::Accepted), _, Ok(None)) => as_it_stood,
            (
                RunState::Staged | RunState::Unfinished(_),
                Way::Forward,
                Ok(Some(Ended::Applied { .. })),
            ) => &self.after,
            (RunState::Unfinished(_), Way::Back, Ok(Some(Ended::Undone { because: None }))) => {
                &self.before
            }
            _ => panic!("{told}: {state:?} led to {ended:?}"),
        };
        expected.assert_same(&Tree::of(at), told);
        self.reads_as(at, expected, told);
        let answer = run.and_then(|run| run.journal.confirmed("by-hand"));
        if way == Way::Forward && answer == Some(Answer::Done) {
            assert_eq!(person.asked, 0, "{told}: asked again");
        }
        let trash = std::fs::read_dir(at.join(".rollup/trash")).map_or(0, Iterator::count);
        assert_eq!(trash, 0, "{told}: the trash is not cleared");
        assert!(
            !has_half_made(at),
            "{told}: a half made `.rollup` is not cleared"
        );
        if state == RunState::Closed(Outcome::Applied) && way == Way::Back {
            self.goes_back_when_asked(at, run.expect("it is closed"), told);
        }
        match state {
            RunState::Unfinished(_) => self.unfinished += 1,
            _ => self.at_rest += 1,
        }
    }

    /// What drifted is taken for true, or it is drift as before.
    fn reads_as(&self, at: &Path, expected: &Tree, told: &str) {
        if std::ptr::eq(expected, &self.before) && self.number > 1 {
            let before = found(self.start.path(), &self.site).taken;
            assert_eq!(
                found(at, &self.site).taken,
                before,
                "{told}: not the drift before"
            );
        } else if self.number > 1 {
            assert!(
                found(at, &self.site).taken.is_empty(),
                "{told}: it still drifted"
            );
        }
    }

    /// A finished run can be taken back as long as its slots are there, and they are there whole or
    /// not at all.
    fn goes_back_when_asked(&self, at: &Path, run: &Run, told: &str) {
        let slots = run.directory.join("slots").expect("a plain name");
        let are_slots_there = at.join(slots.to_path()).exists();
        match (
            are_slots_there,
            reopen_before(at, None, &mut Person::default()),
        ) {
            (true, Ok(Ended::Undone { because: None })) => {
                self.before.assert_same(&Tree::of(at), told)
            }
            (false, Err(RunError::NotReady(_))) => {}
            (_, other) => panic!("{told}, then back: {other:?}"),
        }
    }
}

/// Whether a `.rollup` that has its random name still is at the top of a deployment.
fn has_half_made(at: &Path) -> bool {
    let names = std::fs::read_dir(at)
        .expect("a deployment")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .into_iter()
        .any(|name| name.to_string_lossy().starts_with(".rollup-"))
}
