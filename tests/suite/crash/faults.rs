//! A fault of the disk, or a change by another program, at one point of a run: the run names it,
//! and none of its records claims more than is true.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, Outcome, RunState, runs};
use rollup::names::RelPath;
use rollup::plan::{Plan, Swap};
use rollup::run;

use super::site::Site;
use super::tree::Tree;
use super::{Ended, RunError, apply, crash_at, first_rename, interrupted, lock, recover, stage};

/// A managed file that the rollup replaces.
const MANAGED: &str = "Share/Site.msi";

/// Returns the swap that replaces the managed file.
fn managed_swap(plan: &Plan) -> &Swap {
    plan.swaps
        .iter()
        .find(|swap| swap.live.as_str() == MANAGED)
        .expect("the rollup replaces it")
}

/// Returns the state of the only run.
fn state(deployment: &Path) -> RunState {
    let tree = Directory::open(deployment).expect("the deployment exists");
    runs(&tree).expect("the journals can be read")[0].state()
}

#[test]
fn a_payload_file_that_changes_after_the_plan_is_refused_while_it_is_copied() {
    struct PayloadChange(PathBuf);
    impl FaultInjector for PayloadChange {
        fn before(&self, change: Change<'_>) -> io::Result<()> {
            match change {
                Change::MakeDirectory(at) if at.name() == "0001-KB1" => {
                    let bytes = fs::read(&self.0)?;
                    fs::write(&self.0, vec![b'x'; bytes.len()])
                }
                _ => Ok(()),
            }
        }
    }
    let site = Site::new();
    let copy = site.copy();
    let file = site.directory().with_file_name("payload").join("Tool.txt");
    let failed = apply(&site, copy.path(), Some(Arc::new(PayloadChange(file))));
    let Err(RunError::Stale { path, .. }) = failed else {
        panic!("{failed:?}")
    };
    assert!(path.ends_with("payload/Tool.txt"), "{path}");
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "nothing was begun");
}

/// Change of a staged file at its sync; its run cannot be discarded.
struct StagedFileDamage {
    staged: PathBuf,
}

impl FaultInjector for StagedFileDamage {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Sync if self.staged.exists() => fs::write(&self.staged, "rot"),
            Change::Rename(_, to) if to.as_str().starts_with(".rollup/trash/") => {
                Err(io::Error::other("refused"))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_run_whose_staged_files_read_back_differently_is_not_recorded_as_staged() {
    let site = Site::new();
    let copy = site.copy();
    let injector = StagedFileDamage {
        staged: copy
            .path()
            .join(".rollup/runs/0001-KB1/slots.staging/1/new"),
    };
    let failed = apply(&site, copy.path(), Some(Arc::new(injector)));
    assert!(
        matches!(failed, Err(RunError::NotAsWritten { .. })),
        "{failed:?}"
    );
    assert_eq!(state(copy.path()), RunState::Staging);
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "nothing was begun");
}

/// Failure of one sync; counts the changes after it.
struct FailedSync {
    at: usize,
    syncs: AtomicUsize,
    after: AtomicUsize,
}

impl FaultInjector for FailedSync {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if self.syncs.load(Ordering::SeqCst) >= self.at {
            self.after.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let is_sync = matches!(change, Change::Sync | Change::SyncFile(_));
        match is_sync && self.syncs.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }
}

#[test]
fn nothing_follows_a_sync_that_failed_in_the_commit() {
    let site = Site::new();
    let (mut discarded, mut stuck) = (0, 0);
    for at in 1.. {
        let copy = site.copy();
        let injector = Arc::new(FailedSync {
            at,
            syncs: AtomicUsize::new(0),
            after: AtomicUsize::new(0),
        });
        match apply(&site, copy.path(), Some(injector.clone())) {
            Ok(Ended::Applied { .. }) => break,
            Err(error) => {
                assert!(error.is_lost_write(), "sync {at}: {error}");
                discarded += 1;
                Tree::of(&site.directory())
                    .assert_same(&Tree::of(copy.path()), &format!("sync {at} failed"));
            }
            Ok(Ended::Stuck {
                because: None,
                error,
            }) => {
                assert!(error.is_lost_write(), "sync {at}: {error}");
                assert_eq!(
                    injector.after.load(Ordering::SeqCst),
                    0,
                    "changes after sync {at}, which failed"
                );
                stuck += 1;
            }
            Ok(other) => panic!("sync {at} failed: {other:?}"),
        }
    }
    assert!(discarded > 2 && stuck > 5, "{discarded} {stuck}");
}

/// Disk that refuses the journal from `committing` on, until the reserve is released.
struct RefusingDisk {
    run: PathBuf,
    error: io::ErrorKind,
}

impl FaultInjector for RefusingDisk {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let has_begun = || {
            fs::read_to_string(self.run.join("journal"))
                .is_ok_and(|text| text.contains("committing"))
        };
        let is_reserved =
            || fs::metadata(self.run.join("reserve")).is_ok_and(|reserve| reserve.len() > 0);
        match change {
            Change::Write(at) if at.name() == "journal" && has_begun() && is_reserved() => {
                Err(self.error.into())
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_journal_continues_on_a_full_disk_with_the_reserve() {
    let site = Site::new();
    let copy = site.copy();
    let run = copy.path().join(".rollup/runs/0001-KB1");
    let disk = RefusingDisk {
        run: run.clone(),
        error: io::ErrorKind::StorageFull,
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(disk)));
    assert!(matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
    assert_eq!(
        fs::metadata(run.join("reserve")).expect("a reserve").len(),
        0,
        "it was not released"
    );
    site.applied()
        .assert_same(&Tree::of(copy.path()), "the disk is full");
}

#[test]
fn the_reserve_is_only_for_a_full_disk() {
    let site = Site::new();
    let copy = site.copy();
    let run = copy.path().join(".rollup/runs/0001-KB1");
    let disk = RefusingDisk {
        run: run.clone(),
        error: io::ErrorKind::PermissionDenied,
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(disk)));
    assert!(!matches!(ended, Ok(Ended::Applied { .. })), "{ended:?}");
    let reserve = fs::metadata(run.join("reserve")).expect("a reserve");
    assert!(reserve.len() > 0, "it was released");
    recover(copy.path(), Direction::Forward, None).expect("it goes on");
    site.applied()
        .assert_same(&Tree::of(copy.path()), "the disk refused the journal");
}

#[test]
fn a_deployment_that_changed_since_the_staging_is_refused_before_the_commit() {
    let site = Site::new();
    let plan = site.plan(&site.directory());
    let has_parent = |path: &Path| path.parent().is_some_and(Path::is_dir);
    let mut new = plan
        .swaps
        .iter()
        .filter(|swap| !swap.has_old())
        .map(|swap| swap.live.to_path());
    let new = new
        .find(|live| has_parent(&site.directory().join(live)))
        .expect("the rollup adds a new object");
    for changed in [PathBuf::from(MANAGED), new] {
        let copy = site.copy();
        stage(&site, copy.path()).expect("it can be staged");
        fs::write(copy.path().join(&changed), "a hotfix").expect("its directory exists");
        let before = Tree::of(copy.path());
        let refused = recover(copy.path(), Direction::Forward, None);
        let Err(RunError::Stale { path, .. }) = refused else {
            panic!("{}: {refused:?}", changed.display())
        };
        assert!(Path::new(&path).ends_with(&changed), "{path}");
        assert_eq!(state(copy.path()), RunState::Staged);
        before.assert_same(&Tree::of(copy.path()), "nothing was begun");
    }
}

#[test]
fn a_damaged_old_object_stops_a_rollback_before_it_begins() {
    let site = Site::new();
    let copy = interrupted(&site);
    let plan = site.plan(&site.directory());
    let swap = managed_swap(&plan);
    let old = copy
        .path()
        .join(format!(".rollup/runs/0001-KB1/slots/{}/old", swap.number));
    fs::write(&old, vec![0; fs::read(&old).expect("a file").len()]).expect("it can be damaged");
    let before = Tree::of(copy.path());
    let refused = recover(copy.path(), Direction::Back, None);
    assert!(
        matches!(refused, Err(RunError::OldObjectChanged { .. })),
        "{refused:?}"
    );
    before.assert_same(&Tree::of(copy.path()), "nothing was moved");
}

#[test]
fn a_managed_file_that_changed_during_the_run_stops_resume_and_undo_before_they_begin() {
    let site = Site::new();
    let copy = interrupted(&site);
    fs::write(copy.path().join(MANAGED), "a hotfix").expect("it exists");
    let before = Tree::of(copy.path());
    for direction in [Direction::Forward, Direction::Back] {
        let refused = recover(copy.path(), direction, None);
        assert!(
            matches!(refused, Err(RunError::Changed(_))),
            "{direction:?}: {refused:?}"
        );
        before.assert_same(&Tree::of(copy.path()), "nothing was moved");
    }
}

#[test]
fn a_slot_that_lost_both_objects_stops_resume_and_undo_before_they_begin() {
    let site = Site::new();
    let copy = site.copy();
    crash_at(&site, first_rename(&site))(copy.path());
    let plan = site.plan(&site.directory());
    let swap = managed_swap(&plan);
    let slot = copy
        .path()
        .join(format!(".rollup/runs/0001-KB1/slots/{}", swap.number));
    fs::remove_file(slot.join("new")).expect("the swap is not begun");
    // At the live path there is neither: then no direction can go on without it.
    fs::write(copy.path().join(MANAGED), "another").expect("written");
    let before = Tree::of(copy.path());
    for direction in [Direction::Forward, Direction::Back] {
        let refused = recover(copy.path(), direction, None);
        let Err(RunError::Unexpected { live, .. }) = refused else {
            panic!("{direction:?}: {refused:?}")
        };
        assert_eq!(live.as_str(), MANAGED);
        before.assert_same(&Tree::of(copy.path()), "nothing was moved");
    }
}

/// Loss of the staged file that replaces a managed one, right before a rename that touches this path.
struct StagedFileLoss {
    staged: PathBuf,
    touched: RelPath,
    managed_was_moved: AtomicBool,
}

impl FaultInjector for StagedFileLoss {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if let Change::Rename(from, to) = change {
            if *from == self.touched || *to == self.touched {
                let _ = fs::remove_file(&self.staged);
            }
            if from.as_str() == MANAGED {
                self.managed_was_moved.store(true, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}

#[test]
fn an_object_is_not_moved_out_if_the_one_that_replaces_it_is_lost() {
    let site = Site::new();
    let copy = site.copy();
    let plan = site.plan(&site.directory());
    let swap = managed_swap(&plan);
    let injector = Arc::new(StagedFileLoss {
        staged: copy
            .path()
            .join(format!(".rollup/runs/0001-KB1/slots/{}/new", swap.number)),
        touched: plan.swaps.first().expect("the plan has swaps").live.clone(),
        managed_was_moved: AtomicBool::new(false),
    });
    let ended = apply(&site, copy.path(), Some(injector.clone()));
    let Ok(Ended::Undone {
        because: Some(RunError::Unexpected { live, .. }),
    }) = ended
    else {
        panic!("{ended:?}")
    };
    assert_eq!(live.as_str(), MANAGED);
    assert!(!injector.managed_was_moved.load(Ordering::SeqCst));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "it was rolled back");
}

/// Removal of a managed file right before a rename that touches this path.
struct RemovalBeforeRename {
    deployment: PathBuf,
    touched: RelPath,
}

impl FaultInjector for RemovalBeforeRename {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if let Change::Rename(from, to) = change
            && (*from == self.touched || *to == self.touched)
        {
            let _ = fs::remove_file(self.deployment.join(MANAGED));
        }
        Ok(())
    }
}

#[test]
fn a_live_path_that_became_empty_stops_apply_and_undo_and_is_named() {
    let site = Site::new();
    let plan = site.plan(&site.directory());
    let copy = site.copy();
    let touched = plan.swaps.first().expect("the plan has swaps").live.clone();
    let ended = apply(
        &site,
        copy.path(),
        Some(Arc::new(RemovalBeforeRename {
            deployment: copy.path().to_owned(),
            touched,
        })),
    );
    let Ok(Ended::Undone {
        because: Some(RunError::Unexpected { live, .. }),
    }) = ended
    else {
        panic!("{ended:?}")
    };
    assert_eq!(live.as_str(), MANAGED);

    let copy = interrupted(&site);
    let touched = plan
        .swaps
        .iter()
        .rfind(|swap| swap.has_old())
        .expect("one had an old object")
        .live
        .clone();
    let injector = RemovalBeforeRename {
        deployment: copy.path().to_owned(),
        touched,
    };
    let ended = recover(copy.path(), Direction::Back, Some(Arc::new(injector)));
    let Ok(Some(Ended::Stuck {
        error: RunError::Unexpected { live, .. },
        ..
    })) = ended
    else {
        panic!("{ended:?}")
    };
    assert_eq!(live.as_str(), MANAGED);
}

/// Change of a managed file right before the last rename of a walk.
struct LateChange {
    deployment: PathBuf,
    last: RelPath,
}

impl FaultInjector for LateChange {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(_, to) if *to == self.last => {
                fs::write(self.deployment.join(MANAGED), "a hotfix")
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_result_that_is_not_the_expected_state_is_rolled_back() {
    let site = Site::new();
    let copy = site.copy();
    let last = site
        .plan(copy.path())
        .swaps
        .last()
        .expect("the plan has swaps")
        .live
        .clone();
    let injector = LateChange {
        deployment: copy.path().to_owned(),
        last,
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(injector)));
    assert!(
        matches!(
            ended,
            Ok(Ended::Undone {
                because: Some(RunError::UnexpectedResult(_))
            })
        ),
        "{ended:?}"
    );
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "rolled back");
}

#[test]
fn a_rollback_that_does_not_end_in_the_state_before_needs_attention() {
    let site = Site::new();
    let copy = interrupted(&site);
    let last = site
        .plan(&site.directory())
        .swaps
        .first()
        .expect("the plan has swaps")
        .live
        .clone();
    let injector = LateChange {
        deployment: copy.path().to_owned(),
        last,
    };
    let ended = recover(copy.path(), Direction::Back, Some(Arc::new(injector)));
    assert!(
        matches!(
            ended,
            Ok(Some(Ended::Stuck {
                error: RunError::UnexpectedResult(_),
                ..
            }))
        ),
        "{ended:?}"
    );
    assert_ne!(state(copy.path()), RunState::Closed(Outcome::Undone));
}

/// Check that every rename directly follows a sync.
#[derive(Default)]
struct SyncBeforeRename {
    is_synced: AtomicBool,
    renames: AtomicUsize,
}

impl FaultInjector for SyncBeforeRename {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        if let Change::Rename(from, _) = change {
            assert!(
                self.is_synced.load(Ordering::SeqCst),
                "`{}` is renamed before a sync",
                from.as_str()
            );
            self.renames.fetch_add(1, Ordering::SeqCst);
        }
        self.is_synced
            .store(change == Change::Sync, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_damaged_run_is_synced_before_it_is_quarantined() {
    let site = Site::new();
    let copy = interrupted(&site);
    let journal = copy.path().join(".rollup/runs/0001-KB1/journal");
    let mut bytes = fs::read(&journal).expect("a journal");
    bytes[30] ^= 1;
    fs::write(&journal, bytes).expect("it can be damaged");
    let injector = Arc::new(SyncBeforeRename::default());
    let disk = lock(copy.path()).with_injector(injector.clone());
    let unusable = run::unusable_runs(disk.tree()).expect("the runs can be read");
    run::quarantine(&disk, &unusable[0], ("me".to_owned(), "damaged".to_owned()))
        .expect("it can be renamed");
    assert_eq!(injector.renames.load(Ordering::SeqCst), 1);
}
