//! Crashes and failures at every change of the disk: recovery restores exactly the tree before the
//! run with `undo`, and reaches exactly the tree after it with `resume`.

mod faults;
mod kept;
mod manual;
mod procedures;
mod records;
mod several;
pub(crate) mod site;
pub(crate) mod tree;
mod two_names;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::deployment::lock::LockError;
use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, RunState, runs};
use rollup::run::{
    self, ChangedFilePolicy, Ended, Event, Listener, OnFailure, Question, Reply, RunError,
    SignedFiles, SignedStatement,
};

use site::{DeploymentCopy, Site};
use tree::Tree;

/// Listener that ignores events and answers that every manual step is done.
pub(crate) struct ConfirmingListener;

impl Listener for ConfirmingListener {
    fn report(&mut self, _: &Event) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Done
    }
}

/// Process that crashes: counts the changes, and refuses all of them from one number on.
pub(crate) struct CrashInjector {
    pub(crate) seen: Arc<AtomicUsize>,
    pub(crate) at: usize,
}

impl FaultInjector for CrashInjector {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 >= self.at {
            true => Err(io::Error::other("injected crash")),
            false => Ok(()),
        }
    }
}

/// Errors that the system may return for any change: input/output error, no space, no permission,
/// interrupted.
const ERRORS: [i32; 4] = [5, 28, 13, 4];

/// System error at one change; the number of the change selects the error.
pub(crate) struct FailureInjector {
    pub(crate) seen: Arc<AtomicUsize>,
    pub(crate) at: usize,
}

impl FaultInjector for FailureInjector {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            true => Err(io::Error::from_raw_os_error(ERRORS[self.at % ERRORS.len()])),
            false => Ok(()),
        }
    }
}

pub(crate) fn lock(deployment: &Path) -> LockedDeployment {
    let tree = Directory::open(deployment).expect("the deployment exists");
    // A process that another test starts holds every lock of this one until it runs its own
    // program.
    LockedDeployment::lock(tree, "test", Duration::from_secs(10)).expect("the lock is free")
}

/// Applies the site's manifest as the command does.
pub(crate) fn apply(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
) -> Result<Ended, RunError> {
    apply_with_listener(site, deployment, injector, &mut ConfirmingListener)
}

/// Applies the site's manifest, with a listener of the test's own.
pub(crate) fn apply_with_listener(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_interrupted_staging(&disk)?;
    let plan = site.plan(deployment);
    make_rollup_directory(&mut disk)?;
    let asked = asked(site);
    let staged = run::stage(&disk, &plan, &asked, Some(&site.payload), listener)?;
    run::commit(&disk, &plan, staged, listener)
}

/// Returns the inputs of a run with every file that a run's directory can keep.
fn asked(site: &Site) -> run::RunRequest<'_> {
    let approval = |name: &str| SignedStatement {
        statement: format!("statement of {name}\n"),
        signature: format!("signature of {name}\n"),
    };
    run::RunRequest {
        manifest: Some(&site.manifest_text),
        signed: SignedFiles {
            approvals: ["alice", "bob"].map(approval).into(),
            manifest: Some("signature of the author\n".to_owned()),
        },
        ..run::RunRequest::default()
    }
}

/// Stages the site's manifest without committing it.
fn stage(site: &Site, deployment: &Path) -> Result<(), RunError> {
    let plan = site.plan(deployment);
    let mut disk = lock(deployment);
    make_rollup_directory(&mut disk)?;
    let asked = asked(site);
    run::stage(
        &disk,
        &plan,
        &asked,
        Some(&site.payload),
        &mut ConfirmingListener,
    )
    .map(|_| ())
}

/// Returns a deployment whose apply crashed near the end of its commit.
fn interrupted(site: &Site) -> DeploymentCopy {
    let copy = site.copy();
    crash_at(site, change_count(site) - 4)(copy.path());
    copy
}

/// Recovers as `resume` and `undo` do. Returns `Ok(None)` if no run is open.
pub(crate) fn recover(
    deployment: &Path,
    direction: Direction,
    injector: Option<Arc<dyn FaultInjector>>,
) -> Result<Option<Ended>, RunError> {
    recover_with_listener(deployment, direction, injector, &mut ConfirmingListener)
}

/// Recovers, with a listener of the test's own.
pub(crate) fn recover_with_listener(
    deployment: &Path,
    direction: Direction,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Option<Ended>, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_interrupted_staging(&disk)?;
    let open = runs(disk.tree())?.into_iter().find(|run| run.is_open());
    let Some(open) = open else { return Ok(None) };
    match (direction, open.state()) {
        (Direction::Back, RunState::Staged) => run::discard_staged(&disk, &open).map(|()| None),
        (Direction::Back, _) => {
            run::undo(&disk, &open, ChangedFilePolicy::Refuse, listener).map(Some)
        }
        (Direction::Forward, _) => run::resume(&disk, &open, listener).map(Some),
    }
}

/// Undoes the newest run, which is finished.
fn reopen(deployment: &Path, injector: Option<Arc<dyn FaultInjector>>) -> Result<Ended, RunError> {
    reopen_with_listener(deployment, injector, &mut ConfirmingListener)
}

/// Undoes the newest run, with a listener of the test's own.
pub(crate) fn reopen_with_listener(
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    let runs = runs(disk.tree())?;
    let last = runs.last().expect("a run is finished");
    run::reopen(
        &disk,
        &runs,
        last,
        None,
        ChangedFilePolicy::Refuse,
        listener,
    )
}

/// Returns true if the only run is closed.
pub(crate) fn is_finished(deployment: &Path) -> bool {
    let tree = Directory::open(deployment).expect("the deployment exists");
    let runs = runs(&tree).expect("the journals can be read");
    runs.first().is_some_and(|run| !run.is_open())
}

/// Returns true if the only run has begun its commit and is not closed.
fn is_committing(deployment: &Path) -> bool {
    let tree = Directory::open(deployment).expect("the deployment exists");
    let runs = runs(&tree).expect("the journals can be read");
    runs.first()
        .is_some_and(|run| matches!(run.state(), RunState::Unfinished(_)))
}

/// Returns which changes a test tries: one of so many, `CRASH_ONE_OF` or 5; 1 tries all of them.
pub(crate) fn one_of() -> usize {
    std::env::var("CRASH_ONE_OF").map_or(5, |one_of| {
        one_of.parse().expect("CRASH_ONE_OF is a number")
    })
}

/// Returns a sample of the changes from `first` to `last`, which is always among them.
pub(crate) fn sample(first: usize, last: usize) -> impl Iterator<Item = usize> {
    (first..=last).rev().step_by(one_of())
}

/// Counts the changes of an apply that nothing disturbs.
pub(crate) fn change_count(site: &Site) -> usize {
    let seen = Arc::new(AtomicUsize::new(0));
    let copy = site.copy();
    let injector = CrashInjector {
        seen: Arc::clone(&seen),
        at: usize::MAX,
    };
    assert!(matches!(
        apply(site, copy.path(), Some(Arc::new(injector))),
        Ok(Ended::Applied { .. })
    ));
    seen.load(Ordering::SeqCst)
}

#[test]
fn a_crash_at_any_change_of_an_apply_can_be_resumed_and_undone() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut finished, mut rolled_back, mut not_begun) = (0, 0, 0);
    let first_rename = first_rename(&site);
    for at in sample(1, change_count(&site)) {
        // A run that crashed while staging is discarded in either direction: they take turns.
        let directions = [Direction::Forward, Direction::Back];
        let directions = if at < first_rename {
            &directions[at % 2..][..1]
        } else {
            &directions[..]
        };
        for &direction in directions {
            let copy = site.copy();
            let injector = CrashInjector {
                seen: Arc::default(),
                at,
            };
            let crashed = apply(&site, copy.path(), Some(Arc::new(injector)));
            let failed = matches!(crashed, Err(_) | Ok(Ended::Stuck { .. }));
            assert!(
                failed,
                "no error from the crash at change {at}: {crashed:?}"
            );
            let recovered = recover(copy.path(), direction, None);
            let expected = match &recovered {
                Ok(Some(Ended::Applied { .. })) if direction == Direction::Forward => {
                    finished += 1;
                    &after
                }
                Ok(Some(Ended::Undone { because: None })) if direction == Direction::Back => {
                    rolled_back += 1;
                    &before
                }
                // The record that closes the run was written, if not yet synced.
                Ok(None) if is_finished(copy.path()) => &after,
                Ok(None) => {
                    not_begun += 1;
                    &before
                }
                other => panic!("crash at change {at}, then {direction:?}: {other:?}"),
            };
            expected.assert_same(
                &Tree::of(copy.path()),
                &format!("crash at change {at}, then {direction:?}"),
            );
        }
    }
    assert!(
        [finished, rolled_back, not_begun / 2]
            .iter()
            .all(|count| count * one_of() > 20),
        "{finished} {rolled_back} {not_begun}"
    );
}

/// Returns the number of the first change of an apply that renames something of the deployment.
fn first_rename(site: &Site) -> usize {
    struct UntilRename(AtomicUsize);
    impl FaultInjector for UntilRename {
        fn before(&self, change: Change<'_>) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            match change {
                Change::Rename(from, _) if !from.as_str().starts_with(".rollup") => {
                    Err(io::Error::other("found"))
                }
                _ => Ok(()),
            }
        }
    }
    let injector = Arc::new(UntilRename(AtomicUsize::new(0)));
    let _ = apply_with_listener(
        site,
        site.copy().path(),
        Some(injector.clone()),
        &mut StopOnFailureListener,
    );
    injector.0.load(Ordering::SeqCst)
}

/// Crashes a recovery in the direction `first`, of what `prepare` leaves, at every change (or one
/// in `every`), and recovers in both directions. Returns the number of recoveries.
fn crash_during_recovery(
    site: &Site,
    prepare: impl Fn(&Path),
    first: Direction,
    every: usize,
) -> usize {
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let mut points = 0;
    let prepared = site.copy();
    prepare(prepared.path());
    for at in (1..).step_by(every * one_of()) {
        let mut completed = false;
        for second in [Direction::Forward, Direction::Back] {
            let copy = DeploymentCopy::of(prepared.path());
            let crashed = recover(
                copy.path(),
                first,
                Some(Arc::new(CrashInjector {
                    seen: Arc::default(),
                    at,
                })),
            );
            completed = matches!(
                crashed,
                Ok(Some(Ended::Applied { .. } | Ended::Undone { .. }) | None)
            );
            if completed {
                break;
            }
            let context = format!("{first:?} crashes at {at}, then {second:?}");
            let closed = is_finished(copy.path());
            let recovered = recover(copy.path(), second, None).expect(&context);
            let last = match (recovered, closed) {
                (Some(_), _) => second,
                // The record that closes the run was written, if not yet synced.
                (None, true) => first,
                // The run had not begun its commit, and was discarded.
                (None, false) => Direction::Back,
            };
            let expected = if last == Direction::Forward {
                &after
            } else {
                &before
            };
            expected.assert_same(&Tree::of(copy.path()), &context);
            points += 1;
        }
        if completed {
            break;
        }
    }
    points
}

/// Returns a function that applies the rollup and crashes at a change.
fn crash_at(site: &Site, at: usize) -> impl Fn(&Path) + '_ {
    move |deployment| {
        let _ = apply(
            site,
            deployment,
            Some(Arc::new(CrashInjector {
                seen: Arc::default(),
                at,
            })),
        );
    }
}

#[test]
fn a_crash_at_any_change_of_a_resume_can_be_resumed_and_undone() {
    let site = Site::new();
    let points = crash_during_recovery(
        &site,
        crash_at(&site, first_rename(&site)),
        Direction::Forward,
        1,
    );
    assert!(points * one_of() > 100, "only {points}");
}

#[test]
fn a_crash_at_any_change_of_an_undo_can_be_resumed_and_undone() {
    let site = Site::new();
    let at = change_count(&site) - 1;
    let points = crash_during_recovery(&site, crash_at(&site, at), Direction::Back, 1);
    assert!(points * one_of() > 100, "only {points}");
}

#[test]
fn a_crash_of_a_recovery_in_the_other_direction_can_be_resumed_and_undone() {
    let site = Site::new();
    let (begin, all) = (first_rename(&site), change_count(&site));
    for at in [
        begin - 1,
        begin + (all - begin) / 3,
        begin + 2 * (all - begin) / 3,
    ] {
        for direction in [Direction::Forward, Direction::Back] {
            crash_during_recovery(&site, crash_at(&site, at), direction, 3);
        }
    }
}

#[test]
fn a_crash_at_any_change_of_an_undo_of_a_finished_run_can_be_resumed_and_undone() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut turned, mut untouched) = (0, 0);
    let finished = site.copy();
    assert!(matches!(
        apply(&site, finished.path(), None),
        Ok(Ended::Applied { .. })
    ));
    for at in (1..).step_by(one_of()) {
        let mut completed = false;
        for direction in [Direction::Forward, Direction::Back] {
            let copy = DeploymentCopy::of(finished.path());
            let crashed = reopen(
                copy.path(),
                Some(Arc::new(CrashInjector {
                    seen: Arc::default(),
                    at,
                })),
            );
            completed = matches!(crashed, Ok(Ended::Undone { .. }));
            if completed {
                break;
            }
            let closed = is_finished(copy.path());
            let context = format!("undo of the finished run crashes at {at}, then {direction:?}");
            let expected = match (direction, recover(copy.path(), direction, None)) {
                (Direction::Forward, Ok(Some(Ended::Applied { .. }))) => &after,
                (Direction::Back, Ok(Some(Ended::Undone { .. }))) => &before,
                // Its last record was written and not synced, or its first one was not written.
                (_, Ok(None)) if closed && turned > 0 => &before,
                (_, Ok(None)) => {
                    untouched += 1;
                    &after
                }
                (_, other) => panic!("{context}: {other:?}"),
            };
            turned += usize::from(!closed);
            expected.assert_same(&Tree::of(copy.path()), &context);
        }
        if completed {
            break;
        }
    }
    assert!(
        turned * one_of() > 100 && untouched > 0,
        "{turned} {untouched}"
    );
}

#[test]
fn a_failure_of_any_change_loses_nothing() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut undone, mut refused) = (0, 0);
    for at in sample(1, change_count(&site)) {
        let copy = site.copy();
        let injector = FailureInjector {
            seen: Arc::default(),
            at,
        };
        let context = format!("failure of change {at}");
        match apply(&site, copy.path(), Some(Arc::new(injector))) {
            Err(_) => {
                refused += 1;
                before.assert_same(&Tree::of(copy.path()), &context);
            }
            Ok(Ended::Undone { because: Some(_) }) => {
                undone += 1;
                before.assert_same(&Tree::of(copy.path()), &context);
            }
            // Cleaning up after the run may fail without harm.
            Ok(Ended::Applied { .. }) => after.assert_same(&Tree::of(copy.path()), &context),
            // The record that closes the run was written; it is unknown if it is on disk.
            Ok(Ended::Stuck { error, .. }) if is_finished(copy.path()) => {
                assert!(error.is_lost_write(), "{context}: {error}");
                after.assert_same(&Tree::of(copy.path()), &context);
            }
            // After a sync that failed nothing more is done; nothing is lost either.
            Ok(Ended::Stuck { error, .. }) => {
                assert!(error.is_lost_write(), "{context}: {error}");
                assert!(
                    matches!(
                        recover(copy.path(), Direction::Back, None),
                        Ok(Some(Ended::Undone { .. }))
                    ),
                    "{context}"
                );
                before.assert_same(&Tree::of(copy.path()), &context);
            }
            Ok(other) => panic!("{context}: {other:?}"),
        }
        // No failure damages a journal.
        let tree = Directory::open(copy.path()).expect("the deployment exists");
        runs(&tree).expect(&context);
    }
    assert!(
        undone * one_of() > 20 && refused * one_of() > 40,
        "{undone} {refused}"
    );
}

#[test]
fn an_unexpected_file_at_a_live_path_is_never_replaced() {
    let site = Site::new();
    let all = change_count(&site);
    let live = site
        .plan(&site.directory())
        .live_paths()
        .into_iter()
        .cloned()
        .collect::<Vec<_>>();
    let mut conflicts = 0;
    for at in sample(all / 2, all) {
        let copy = site.copy();
        let _ = apply(
            &site,
            copy.path(),
            Some(Arc::new(CrashInjector {
                seen: Arc::default(),
                at,
            })),
        );
        // A crash may leave a live path empty, between the old object and the new one.
        let had_object = live
            .iter()
            .filter(|path| site.directory().join(path.to_path()).exists());
        let Some(empty) = had_object
            .map(|path| copy.path().join(path.to_path()))
            .find(|path| !path.exists())
        else {
            continue;
        };
        std::fs::write(&empty, "unexpected").expect("its directory exists");
        for direction in [Direction::Forward, Direction::Back] {
            let recovered = recover(copy.path(), direction, None);
            let refused = matches!(
                &recovered,
                Ok(Some(Ended::Stuck {
                    error: RunError::Unexpected { .. },
                    ..
                }))
            );
            assert!(refused, "crash at {at}, {direction:?}: {recovered:?}");
            assert_eq!(
                std::fs::read_to_string(&empty).expect("it still exists"),
                "unexpected"
            );
        }
        // Without it, the rollback continues.
        std::fs::remove_file(&empty).expect("it can be removed");
        let recovered = recover(copy.path(), Direction::Back, None);
        assert!(
            matches!(recovered, Ok(Some(Ended::Undone { .. }))),
            "crash at {at}: {recovered:?}"
        );
        Tree::of(&site.directory())
            .assert_same(&Tree::of(copy.path()), "the unexpected file is removed");
        conflicts += 1;
    }
    assert!(conflicts * one_of() > 10, "only {conflicts} conflicts");
}

/// Change of a file by another program, right before a rename moves the file to `old`.
struct ChangeBeforeRename {
    deployment: std::path::PathBuf,
    file: &'static str,
}

impl FaultInjector for ChangeBeforeRename {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(from, _) if from.as_str() == self.file => {
                std::fs::write(self.deployment.join(self.file), "a hotfix")
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_file_that_changes_right_before_its_rename_fails_the_step_and_is_kept() {
    let site = Site::new();
    let copy = site.copy();
    let injector = ChangeBeforeRename {
        deployment: copy.path().to_owned(),
        file: "Share/Site.msi",
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(injector)));
    let Ok(Ended::Undone {
        because: Some(RunError::Stale { path, .. }),
    }) = ended
    else {
        panic!("{ended:?}")
    };
    assert!(path.ends_with("Share/Site.msi"), "{path}");
    let file = copy.path().join("Share/Site.msi");
    assert_eq!(
        std::fs::read_to_string(&file).expect("it exists"),
        "a hotfix"
    );
    // Except for the hotfix, everything is as before.
    std::fs::copy(site.directory().join("Share/Site.msi"), &file).expect("it can be replaced");
    let expected = Tree::of(&site.directory()).without_times();
    expected.assert_same(&Tree::of(copy.path()), "everything else is rolled back");
}

#[test]
fn a_rollback_never_replaces_an_unmanaged_file() {
    let site = Site::new();
    let copy = site.copy();
    let at = change_count(&site) - 2;
    let _ = apply(
        &site,
        copy.path(),
        Some(Arc::new(CrashInjector {
            seen: Arc::default(),
            at,
        })),
    );
    assert!(is_committing(copy.path()));
    let unmanaged = "Group/Provider/files/Program Files/Provider/Documentation/Known issues.txt";
    std::fs::write(copy.path().join(unmanaged), "unmanaged")
        .expect("the new version does not have this file");
    let before = Tree::of(copy.path());
    let refused = recover(copy.path(), Direction::Back, None);
    let Err(RunError::UnmanagedConflict { path }) = refused else {
        panic!("{refused:?}")
    };
    assert!(path.ends_with(unmanaged), "{path}");
    before.assert_same(&Tree::of(copy.path()), "nothing was moved");
    std::fs::remove_file(copy.path().join(unmanaged)).expect("it can be removed");
    assert!(matches!(
        recover(copy.path(), Direction::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "undone");
}

/// Unmanaged file at the path of a new one, written right before the install renames the directory.
struct FileBeforeInstall {
    deployment: std::path::PathBuf,
    renames: AtomicUsize,
}

const NEW_FILE: &str = "Group/Provider/files/Program Files/Provider/Provider.dll";

impl FaultInjector for FileBeforeInstall {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        // The first rename of the directory is the uninstall's, the second one the install's.
        let is_rename =
            matches!(change, Change::Rename(from, _) if from.as_str() == "Group/Provider");
        match is_rename && self.renames.fetch_add(1, Ordering::SeqCst) == 1 {
            true => std::fs::write(self.deployment.join(NEW_FILE), "unmanaged"),
            false => Ok(()),
        }
    }
}

#[test]
fn an_unmanaged_file_at_the_path_of_a_new_one_stops_the_run_and_is_named() {
    let site = Site::new();
    let copy = site.copy();
    let injector = FileBeforeInstall {
        deployment: copy.path().to_owned(),
        renames: AtomicUsize::new(0),
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(injector)));
    let Ok(Ended::Stuck {
        because: Some(RunError::UnmanagedConflict { .. }),
        error: RunError::UnmanagedConflict { path },
    }) = ended
    else {
        panic!("{ended:?}");
    };
    assert!(
        path.ends_with("Program Files/Provider/Provider.dll"),
        "{path}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("it is at the path in the message"),
        "unmanaged"
    );
    std::fs::remove_file(&path).expect("it can be removed");
    assert!(matches!(
        recover(copy.path(), Direction::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "undone");
}

/// Listener that stops the run after a number of operations, and confirms every manual step.
struct StoppingListener {
    after: usize,
    done: usize,
}

impl Listener for StoppingListener {
    fn report(&mut self, event: &Event) {
        if let Event::Swapped { operations, .. } = event {
            self.done += operations.len();
        }
    }

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Done
    }

    fn is_stopped(&self) -> bool {
        self.done >= self.after
    }
}

#[test]
fn a_stopped_run_finishes_the_current_swap_and_can_be_resumed_and_undone() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let operations = site.plan(&site.directory()).operations().count();
    for at in 1..operations {
        for direction in [Direction::Forward, Direction::Back] {
            let copy = site.copy();
            let mut listener = StoppingListener { after: at, done: 0 };
            let ended = apply_with_listener(&site, copy.path(), None, &mut listener);
            assert!(
                matches!(ended, Ok(Ended::Stopped(RunError::Interrupted))),
                "after {at}: {ended:?}"
            );
            assert!(
                listener.done >= at && listener.done < operations,
                "after {at}: {} were done",
                listener.done
            );
            let context = format!("stopped after {at}, then {direction:?}");
            match (direction, recover(copy.path(), direction, None)) {
                (Direction::Forward, Ok(Some(Ended::Applied { .. }))) => {
                    after.assert_same(&Tree::of(copy.path()), &context)
                }
                (Direction::Back, Ok(Some(Ended::Undone { .. }))) => {
                    before.assert_same(&Tree::of(copy.path()), &context)
                }
                (_, other) => panic!("{context}: {other:?}"),
            }
        }
    }
}

/// Listener that leaves a failing run open, and confirms every manual step.
struct StopOnFailureListener;

impl Listener for StopOnFailureListener {
    fn report(&mut self, _: &Event) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Done
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::Stop
    }
}

#[test]
fn a_failing_run_that_is_left_open_can_be_resumed_and_undone() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let mut stopped = 0;
    for at in sample(first_rename(&site) - 2, change_count(&site)) {
        for direction in [Direction::Forward, Direction::Back] {
            let copy = site.copy();
            let injector = FailureInjector {
                seen: Arc::default(),
                at,
            };
            let ended = apply_with_listener(
                &site,
                copy.path(),
                Some(Arc::new(injector)),
                &mut StopOnFailureListener,
            );
            if !matches!(ended, Ok(Ended::Stopped(RunError::Disk(_)))) {
                // It failed before the commit, or in a sync: `stop` makes no difference there.
                assert!(
                    !matches!(ended, Ok(Ended::Undone { .. })),
                    "failure of change {at}: {ended:?}"
                );
                break;
            }
            stopped += 1;
            let context = format!("failure of change {at}, then {direction:?}");
            match (direction, recover(copy.path(), direction, None)) {
                (Direction::Forward, Ok(Some(Ended::Applied { .. }))) => {
                    after.assert_same(&Tree::of(copy.path()), &context)
                }
                (Direction::Back, Ok(Some(Ended::Undone { .. }))) => {
                    before.assert_same(&Tree::of(copy.path()), &context)
                }
                (_, other) => panic!("{context}: {other:?}"),
            }
        }
    }
    assert!(stopped * one_of() > 40, "only {stopped}");
}

/// Unexpected file at a live path, written after the check and right before the rename to it.
struct FileBeforeRename {
    deployment: std::path::PathBuf,
}

const REPLACED_FILE: &str = "Share/Site.msi";

impl FaultInjector for FileBeforeRename {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(from, to) if to.as_str() == REPLACED_FILE && from.name() == "new" => {
                std::fs::write(self.deployment.join(REPLACED_FILE), "unexpected")
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn an_unexpected_file_made_right_before_a_rename_is_never_replaced() {
    let site = Site::new();
    let copy = site.copy();
    let injector = FileBeforeRename {
        deployment: copy.path().to_owned(),
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(injector)));
    assert!(
        matches!(
            ended,
            Ok(Ended::Stuck {
                because: Some(RunError::Unexpected { .. }),
                ..
            })
        ),
        "{ended:?}"
    );
    assert_eq!(
        std::fs::read_to_string(copy.path().join(REPLACED_FILE)).expect("it still exists"),
        "unexpected"
    );
    std::fs::remove_file(copy.path().join(REPLACED_FILE)).expect("it can be removed");
    assert!(matches!(
        recover(copy.path(), Direction::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory())
        .assert_same(&Tree::of(copy.path()), "the unexpected file is removed");
}

/// Makes `.rollup`, as the commands do before they stage.
pub(crate) fn make_rollup_directory(disk: &mut LockedDeployment) -> Result<(), RunError> {
    disk.create_rollup_directory("test")
        .map_err(|error| match error {
            LockError::Disk(error) => error.into(),
            error => panic!("{error}"),
        })
}
