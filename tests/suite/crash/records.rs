//! The direction of a run is in the journal, and on disk, before the first change in that
//! direction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, RunState, runs};
use rollup::names::RelPath;

use super::site::Site;
use super::{Ended, apply, interrupted, recover, reopen, stage};

/// Comparison of the journal with the direction of the run at every change of a live path.
struct JournalCheck {
    deployment: PathBuf,
    direction: Direction,
    /// Number of the rename that fails; from there on the run rolls back.
    fails_at: usize,
    renames: AtomicUsize,
    is_journal_synced: AtomicBool,
}

impl JournalCheck {
    fn new(deployment: &Path, direction: Direction) -> Self {
        let (renames, is_journal_synced) = (AtomicUsize::new(0), AtomicBool::new(true));
        Self {
            deployment: deployment.to_owned(),
            direction,
            fails_at: usize::MAX,
            renames,
            is_journal_synced,
        }
    }

    fn before_rename(&self) -> io::Result<()> {
        let number = self.renames.fetch_add(1, Ordering::SeqCst) + 1;
        self.assert_recorded(number);
        match number == self.fails_at {
            true => Err(io::Error::other("injected failure")),
            false => Ok(()),
        }
    }

    /// Asserts that the direction of the run is on disk, at this rename or before it.
    fn assert_recorded(&self, rename: usize) {
        let direction = if rename > self.fails_at {
            Direction::Back
        } else {
            self.direction
        };
        let tree = Directory::open(&self.deployment).expect("the deployment exists");
        let runs = runs(&tree).expect("the journals can be read");
        let state = runs.last().expect("a run changes it").state();
        assert_eq!(state, RunState::Unfinished(direction), "at rename {rename}");
        assert!(
            self.is_journal_synced.load(Ordering::SeqCst),
            "a change before or at rename {rename} follows a record that is not synced"
        );
    }

    /// Asserts that enough renames were compared.
    fn assert_renames(&self) {
        let renames = self.renames.load(Ordering::SeqCst);
        assert!(renames > 10, "only {renames} renames");
    }
}

impl FaultInjector for JournalCheck {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let is_live = |path: &RelPath| !path.as_str().starts_with(".rollup");
        match change {
            Change::Write(at) if at.name() == "journal" => {
                self.is_journal_synced.store(false, Ordering::SeqCst)
            }
            Change::SyncFile(at) if at.name() == "journal" => {
                self.is_journal_synced.store(true, Ordering::SeqCst)
            }
            Change::Sync => self.is_journal_synced.store(true, Ordering::SeqCst),
            Change::Rename(from, to) if is_live(from) || is_live(to) => {
                return self.before_rename();
            }
            Change::MakeDirectory(at) | Change::SetAttributes(at) | Change::Remove(at)
                if is_live(at) =>
            {
                self.assert_recorded(self.renames.load(Ordering::SeqCst) + 1);
            }
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn an_apply_is_recorded_before_its_first_rename() {
    let site = Site::new();
    let copy = site.copy();
    let injector = Arc::new(JournalCheck::new(copy.path(), Direction::Forward));
    let ended = apply(&site, copy.path(), Some(injector.clone()));
    assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
    injector.assert_renames();
}

#[test]
fn a_resume_of_a_staged_run_is_recorded_before_its_first_rename() {
    let site = Site::new();
    let copy = site.copy();
    stage(&site, copy.path()).expect("it can be staged");
    let injector = Arc::new(JournalCheck::new(copy.path(), Direction::Forward));
    let ended = recover(copy.path(), Direction::Forward, Some(injector.clone()));
    assert!(
        matches!(ended, Ok(Some(Ended::Applied { .. }))),
        "{ended:?}"
    );
    injector.assert_renames();
}

#[test]
fn a_run_that_fails_is_recorded_as_rolling_back_before_it_does() {
    let site = Site::new();
    let copy = site.copy();
    let injector = Arc::new(JournalCheck {
        fails_at: 12,
        ..JournalCheck::new(copy.path(), Direction::Forward)
    });
    let ended = apply(&site, copy.path(), Some(injector.clone()));
    assert!(
        matches!(ended, Ok(Ended::Undone { because: Some(_) })),
        "{ended:?}"
    );
    injector.assert_renames();
}

#[test]
fn an_undo_of_a_run_in_progress_is_recorded_before_its_first_rename() {
    let site = Site::new();
    let copy = interrupted(&site);
    let injector = Arc::new(JournalCheck::new(copy.path(), Direction::Back));
    let ended = recover(copy.path(), Direction::Back, Some(injector.clone()));
    assert!(
        matches!(ended, Ok(Some(Ended::Undone { because: None }))),
        "{ended:?}"
    );
    injector.assert_renames();
}

#[test]
fn a_resume_of_a_run_that_was_rolling_back_is_recorded_before_its_first_rename() {
    let site = Site::new();
    let copy = interrupted(&site);
    let fails_late = JournalCheck {
        fails_at: 20,
        ..JournalCheck::new(copy.path(), Direction::Back)
    };
    let failed = recover(copy.path(), Direction::Back, Some(Arc::new(fails_late)));
    assert!(
        matches!(failed, Ok(Some(Ended::Stuck { .. }))),
        "{failed:?}"
    );
    let injector = Arc::new(JournalCheck::new(copy.path(), Direction::Forward));
    let ended = recover(copy.path(), Direction::Forward, Some(injector.clone()));
    assert!(
        matches!(ended, Ok(Some(Ended::Applied { .. }))),
        "{ended:?}"
    );
    injector.assert_renames();
}

#[test]
fn an_undo_of_a_finished_run_is_recorded_before_its_first_rename() {
    let site = Site::new();
    let copy = site.copy();
    assert!(matches!(
        apply(&site, copy.path(), None),
        Ok(Ended::Applied { .. })
    ));
    let injector = Arc::new(JournalCheck::new(copy.path(), Direction::Back));
    let ended = reopen(copy.path(), Some(injector.clone()));
    assert!(
        matches!(ended, Ok(Ended::Undone { because: None })),
        "{ended:?}"
    );
    injector.assert_renames();
}
