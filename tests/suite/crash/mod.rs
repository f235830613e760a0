//! Death and failure at every change of the disk: what stands afterwards is the old tree or the new
//! one, whichever way the run is taken.

mod faults;
mod manual;
mod records;
pub(crate) mod site;
pub(crate) mod tree;
mod two_names;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{RunState, runs};
use rollup::run::{self, Ended, Event, IfChanged, Listener, OnFailure, Question, Reply, RunError};

use site::{Copy, Site};
use tree::Tree;

/// Hears nothing, and does every manual step at once.
pub(crate) struct Willing;

impl Listener for Willing {
    fn tell(&mut self, _: &Event<'_>) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Done
    }
}

/// Counts changes; from the fatal one on, none gets through.
pub(crate) struct Death {
    pub(crate) seen: Arc<AtomicUsize>,
    pub(crate) at: usize,
}

impl FaultInjector for Death {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 >= self.at {
            true => Err(io::Error::other("the process is dead")),
            false => Ok(()),
        }
    }
}

/// What the system may say at any change: input/output error, no space, no permission, interrupted.
const ERRORS: [i32; 4] = [5, 28, 13, 4];

/// Lets one change fail, with one error after another, and all others through.
pub(crate) struct Fault {
    pub(crate) seen: Arc<AtomicUsize>,
    pub(crate) at: usize,
}

impl FaultInjector for Fault {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            true => Err(io::Error::from_raw_os_error(ERRORS[self.at % ERRORS.len()])),
            false => Ok(()),
        }
    }
}

pub(crate) fn lock(deployment: &Path) -> LockedDeployment {
    let tree = Directory::open(deployment).expect("the deployment is there");
    // A process that another test starts holds every lock of this one until it runs its own
    // program.
    LockedDeployment::lock(tree, "test", Duration::from_secs(10)).expect("nobody else is at work")
}

/// Applies the site's manifest as the command does.
pub(crate) fn apply(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
) -> Result<Ended, RunError> {
    apply_before(site, deployment, injector, &mut Willing)
}

/// The same, before somebody who listens.
pub(crate) fn apply_before(
    site: &Site,
    deployment: &Path,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_the_way(&disk)?;
    let plan = site.plan(deployment);
    disk.keep("test")?;
    let asked = run::Asked {
        manifest: Some(&site.manifest_text),
        confirmed: Vec::new(),
    };
    let staged = run::stage(&disk, &plan, &asked, Some(&site.payload), listener)?;
    run::commit(&disk, &plan, staged, listener)
}

/// Stages the site's manifest, and leaves the run there.
fn stage(site: &Site, deployment: &Path) -> Result<(), RunError> {
    let plan = site.plan(deployment);
    let mut disk = lock(deployment);
    disk.keep("test")?;
    let asked = run::Asked {
        manifest: Some(&site.manifest_text),
        confirmed: Vec::new(),
    };
    run::stage(&disk, &plan, &asked, Some(&site.payload), &mut Willing).map(|_| ())
}

/// A run that died near the end of its commit.
fn interrupted(site: &Site) -> Copy {
    let copy = site.copy();
    die_at(site, changes(site) - 4)(copy.path());
    copy
}

/// Which way an interrupted run is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Back,
}

/// Recovers as `resume` and `undo` do. `Ok(None)` where no run was open.
pub(crate) fn recover(
    deployment: &Path,
    way: Way,
    injector: Option<Arc<dyn FaultInjector>>,
) -> Result<Option<Ended>, RunError> {
    recover_before(deployment, way, injector, &mut Willing)
}

/// The same, before somebody who listens.
pub(crate) fn recover_before(
    deployment: &Path,
    way: Way,
    injector: Option<Arc<dyn FaultInjector>>,
    listener: &mut dyn Listener,
) -> Result<Option<Ended>, RunError> {
    let mut disk = lock(deployment);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_the_way(&disk)?;
    let open = runs(disk.tree())?.into_iter().find(|run| run.is_open());
    let Some(open) = open else { return Ok(None) };
    match (way, open.state()) {
        (Way::Back, RunState::Staged) => run::throw_away(&disk, &open).map(|()| None),
        (Way::Back, _) => run::undo(&disk, &open, IfChanged::Refuse, listener).map(Some),
        (Way::Forward, _) => run::resume(&disk, &open, listener).map(Some),
    }
}

/// Undoes the last run, which is finished.
fn reopen(deployment: &Path, injector: Option<Arc<dyn FaultInjector>>) -> Result<Ended, RunError> {
    reopen_before(deployment, injector, &mut Willing)
}

/// The same, before somebody who listens.
pub(crate) fn reopen_before(
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
    run::reopen(&disk, &runs, last, IfChanged::Refuse, listener)
}

/// Whether the only run is at rest.
pub(crate) fn is_finished(deployment: &Path) -> bool {
    let tree = Directory::open(deployment).expect("the deployment is there");
    let runs = runs(&tree).expect("the journals can be read");
    runs.first().is_some_and(|run| !run.is_open())
}

/// Whether a run has begun its commit and not ended it.
fn is_committing(deployment: &Path) -> bool {
    let tree = Directory::open(deployment).expect("the deployment is there");
    let runs = runs(&tree).expect("the journals can be read");
    runs.first()
        .is_some_and(|run| matches!(run.state(), RunState::Unfinished(_)))
}

/// How many changes a whole apply makes.
pub(crate) fn changes(site: &Site) -> usize {
    let seen = Arc::new(AtomicUsize::new(0));
    let copy = site.copy();
    let injector = Death {
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
fn death_at_any_change_of_an_apply_is_recovered_both_ways() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut finished, mut taken_back, mut not_begun) = (0, 0, 0);
    let first_rename = first_rename(&site);
    for at in 1..=changes(&site) {
        // While staging nothing has begun, and both ways do the same: they take turns.
        let ways = [Way::Forward, Way::Back];
        let ways = if at < first_rename {
            &ways[at % 2..][..1]
        } else {
            &ways[..]
        };
        for &way in ways {
            let copy = site.copy();
            let injector = Death {
                seen: Arc::default(),
                at,
            };
            let died = apply(&site, copy.path(), Some(Arc::new(injector)));
            let failed = matches!(died, Err(_) | Ok(Ended::Stuck { .. }));
            assert!(failed, "death at change {at} went by unnoticed: {died:?}");
            let recovered = recover(copy.path(), way, None);
            let expected = match &recovered {
                Ok(Some(Ended::Applied { .. })) if way == Way::Forward => {
                    finished += 1;
                    &after
                }
                Ok(Some(Ended::Undone { because: None })) if way == Way::Back => {
                    taken_back += 1;
                    &before
                }
                // The record that closes the run was written, if not yet synced.
                Ok(None) if is_finished(copy.path()) => &after,
                Ok(None) => {
                    not_begun += 1;
                    &before
                }
                other => panic!("death at change {at}, then {way:?}: {other:?}"),
            };
            expected.assert_same(
                &Tree::of(copy.path()),
                &format!("death at change {at}, then {way:?}"),
            );
        }
    }
    assert!(
        finished > 20 && taken_back > 20 && not_begun > 40,
        "{finished} {taken_back} {not_begun}"
    );
}

/// The number of the first change of an apply that renames something of the deployment.
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
    let _ = apply_before(site, site.copy().path(), Some(injector.clone()), &mut Stoic);
    injector.0.load(Ordering::SeqCst)
}

/// Lets a recovery in the direction of `first`, of what `prepare` leaves, die at its changes, each
/// in turn (or every so many), and recovers both ways. Returns how many points there were.
fn recoveries_of_a_recovery(
    site: &Site,
    prepare: impl Fn(&Path),
    first: Way,
    every: usize,
) -> usize {
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let mut points = 0;
    let prepared = site.copy();
    prepare(prepared.path());
    for at in (1..).step_by(every) {
        let mut arrived = false;
        for second in [Way::Forward, Way::Back] {
            let copy = Copy::of(prepared.path());
            let died = recover(
                copy.path(),
                first,
                Some(Arc::new(Death {
                    seen: Arc::default(),
                    at,
                })),
            );
            arrived = matches!(
                died,
                Ok(Some(Ended::Applied { .. } | Ended::Undone { .. }) | None)
            );
            if arrived {
                break;
            }
            let told = format!("{first:?} dies at {at}, then {second:?}");
            let closed = is_finished(copy.path());
            let recovered = recover(copy.path(), second, None).expect(&told);
            let last = match (recovered, closed) {
                (Some(_), _) => second,
                // The record that closes the run was written, if not yet synced.
                (None, true) => first,
                // What had not begun was thrown away, or was on its way out already.
                (None, false) => Way::Back,
            };
            let expected = if last == Way::Forward {
                &after
            } else {
                &before
            };
            expected.assert_same(&Tree::of(copy.path()), &told);
            points += 1;
        }
        if arrived {
            break;
        }
    }
    points
}

/// Applies, and dies at a change.
fn die_at(site: &Site, at: usize) -> impl Fn(&Path) + '_ {
    move |deployment| {
        let _ = apply(
            site,
            deployment,
            Some(Arc::new(Death {
                seen: Arc::default(),
                at,
            })),
        );
    }
}

#[test]
fn death_at_any_change_of_a_resume_is_recovered_both_ways() {
    let site = Site::new();
    let points =
        recoveries_of_a_recovery(&site, die_at(&site, first_rename(&site)), Way::Forward, 1);
    assert!(points > 100, "only {points}");
}

#[test]
fn death_at_any_change_of_an_undo_is_recovered_both_ways() {
    let site = Site::new();
    let at = changes(&site) - 1;
    let points = recoveries_of_a_recovery(&site, die_at(&site, at), Way::Back, 1);
    assert!(points > 100, "only {points}");
}

#[test]
fn a_recovery_that_turns_round_is_recovered_too() {
    let site = Site::new();
    let (begin, all) = (first_rename(&site), changes(&site));
    for at in [
        begin - 1,
        begin + (all - begin) / 3,
        begin + 2 * (all - begin) / 3,
    ] {
        for way in [Way::Forward, Way::Back] {
            recoveries_of_a_recovery(&site, die_at(&site, at), way, 7);
        }
    }
}

#[test]
fn death_at_any_change_of_an_undo_of_a_finished_run_is_recovered_both_ways() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut turned, mut untouched) = (0, 0);
    let finished = site.copy();
    assert!(matches!(
        apply(&site, finished.path(), None),
        Ok(Ended::Applied { .. })
    ));
    for at in 1.. {
        let mut arrived = false;
        for way in [Way::Forward, Way::Back] {
            let copy = Copy::of(finished.path());
            let died = reopen(
                copy.path(),
                Some(Arc::new(Death {
                    seen: Arc::default(),
                    at,
                })),
            );
            arrived = matches!(died, Ok(Ended::Undone { .. }));
            if arrived {
                break;
            }
            let closed = is_finished(copy.path());
            let told = format!("undo of the finished run dies at {at}, then {way:?}");
            let expected = match (way, recover(copy.path(), way, None)) {
                (Way::Forward, Ok(Some(Ended::Applied { .. }))) => &after,
                (Way::Back, Ok(Some(Ended::Undone { .. }))) => &before,
                // Its last record was written and not synced, or its first one was not written.
                (_, Ok(None)) if closed && turned > 0 => &before,
                (_, Ok(None)) => {
                    untouched += 1;
                    &after
                }
                (_, other) => panic!("{told}: {other:?}"),
            };
            turned += usize::from(!closed);
            expected.assert_same(&Tree::of(copy.path()), &told);
        }
        if arrived {
            break;
        }
    }
    assert!(turned > 100 && untouched > 0, "{turned} {untouched}");
}

#[test]
fn a_failure_of_any_change_loses_nothing() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let (mut undone, mut refused) = (0, 0);
    for at in 1..=changes(&site) {
        let copy = site.copy();
        let injector = Fault {
            seen: Arc::default(),
            at,
        };
        let told = format!("failure of change {at}");
        match apply(&site, copy.path(), Some(Arc::new(injector))) {
            Err(_) => {
                refused += 1;
                before.assert_same(&Tree::of(copy.path()), &told);
            }
            Ok(Ended::Undone { because: Some(_) }) => {
                undone += 1;
                before.assert_same(&Tree::of(copy.path()), &told);
            }
            // Clearing away what is not needed any more may fail without harm.
            Ok(Ended::Applied { .. }) => after.assert_same(&Tree::of(copy.path()), &told),
            // The record that closes the run was written, and nobody can tell whether it is on
            // disk.
            Ok(Ended::Stuck { error, .. }) if is_finished(copy.path()) => {
                assert!(error.is_lost_write(), "{told}: {error}");
                after.assert_same(&Tree::of(copy.path()), &told);
            }
            // After a sync that failed nothing more is done; nothing is lost either.
            Ok(Ended::Stuck { error, .. }) => {
                assert!(error.is_lost_write(), "{told}: {error}");
                assert!(
                    matches!(
                        recover(copy.path(), Way::Back, None),
                        Ok(Some(Ended::Undone { .. }))
                    ),
                    "{told}"
                );
                before.assert_same(&Tree::of(copy.path()), &told);
            }
            Ok(other) => panic!("{told}: {other:?}"),
        }
        // A failure leaves no journal behind that nobody can read.
        let tree = Directory::open(copy.path()).expect("the deployment is there");
        runs(&tree).expect(&told);
    }
    assert!(undone > 20 && refused > 40, "{undone} {refused}");
}

#[test]
fn a_stranger_at_a_live_path_is_never_replaced() {
    let site = Site::new();
    let all = changes(&site);
    let live = site
        .plan(&site.directory())
        .live_paths()
        .into_iter()
        .cloned()
        .collect::<Vec<_>>();
    let mut met = 0;
    for at in all / 2..=all {
        let copy = site.copy();
        let _ = apply(
            &site,
            copy.path(),
            Some(Arc::new(Death {
                seen: Arc::default(),
                at,
            })),
        );
        // A dead run may have left a live path empty, between the old object and the new one.
        let there = |path: &std::path::PathBuf| path.exists();
        let was = live
            .iter()
            .filter(|path| there(&site.directory().join(path.to_path())));
        let Some(gone) = was
            .map(|path| copy.path().join(path.to_path()))
            .find(|path| !there(path))
        else {
            continue;
        };
        std::fs::write(&gone, "mine").expect("its directory is there");
        for way in [Way::Forward, Way::Back] {
            let told = recover(copy.path(), way, None);
            let refused = matches!(
                &told,
                Ok(Some(Ended::Stuck {
                    error: RunError::Unexpected { .. },
                    ..
                }))
            );
            assert!(refused, "death at {at}, {way:?}: {told:?}");
            assert_eq!(
                std::fs::read_to_string(&gone).expect("it is still there"),
                "mine"
            );
        }
        // Once it is moved away, the run goes on.
        std::fs::remove_file(&gone).expect("it can be moved away");
        let told = recover(copy.path(), Way::Back, None);
        assert!(
            matches!(told, Ok(Some(Ended::Undone { .. }))),
            "death at {at}: {told:?}"
        );
        Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "the stranger is gone");
        met += 1;
    }
    assert!(met > 10, "only {met} strangers were met");
}

/// Somebody who writes to a file at the moment it is set aside.
struct Meddler {
    deployment: std::path::PathBuf,
    file: &'static str,
}

impl FaultInjector for Meddler {
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
fn what_changes_at_the_last_moment_fails_its_step_and_is_kept() {
    let site = Site::new();
    let copy = site.copy();
    let meddler = Meddler {
        deployment: copy.path().to_owned(),
        file: "Share/Site.msi",
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(meddler)));
    let Ok(Ended::Undone {
        because: Some(RunError::Stale { path, .. }),
    }) = ended
    else {
        panic!("{ended:?}")
    };
    assert!(path.ends_with("Share/Site.msi"), "{path}");
    let file = copy.path().join("Share/Site.msi");
    assert_eq!(
        std::fs::read_to_string(&file).expect("it is there"),
        "a hotfix"
    );
    // But for the hotfix everything is as it was.
    std::fs::copy(site.directory().join("Share/Site.msi"), &file).expect("it can be put back");
    let expected = Tree::of(&site.directory()).without_times();
    expected.assert_same(&Tree::of(copy.path()), "everything else is put back");
}

#[test]
fn going_back_never_stands_in_place_of_an_operators_file() {
    let site = Site::new();
    let copy = site.copy();
    let at = changes(&site) - 2;
    let _ = apply(
        &site,
        copy.path(),
        Some(Arc::new(Death {
            seen: Arc::default(),
            at,
        })),
    );
    assert!(is_committing(copy.path()));
    let his = "Group/Provider/files/Program Files/Provider/Documentation/Known issues.txt";
    std::fs::write(copy.path().join(his), "his").expect("the new version does not bring this file");
    let before = Tree::of(copy.path());
    let refused = recover(copy.path(), Way::Back, None);
    let Err(RunError::InTheWay { path }) = refused else {
        panic!("{refused:?}")
    };
    assert!(path.ends_with(his), "{path}");
    before.assert_same(&Tree::of(copy.path()), "nothing was moved");
    std::fs::remove_file(copy.path().join(his)).expect("he moves it away");
    assert!(matches!(
        recover(copy.path(), Way::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "undone");
}

/// Somebody who puts a file where the next installer brings one, just before it does.
struct Intruder {
    deployment: std::path::PathBuf,
    met: AtomicUsize,
}

const INTRUDED: &str = "Group/Provider/files/Program Files/Provider/Provider.dll";

impl FaultInjector for Intruder {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        // The first time the directory is set aside by the uninstall, the second time by the
        // install.
        let quarantine =
            matches!(change, Change::Rename(from, _) if from.as_str() == "Group/Provider");
        match quarantine && self.met.fetch_add(1, Ordering::SeqCst) == 1 {
            true => std::fs::write(self.deployment.join(INTRUDED), "his"),
            false => Ok(()),
        }
    }
}

#[test]
fn a_file_that_comes_where_the_installer_brings_one_stops_the_run_and_is_named() {
    let site = Site::new();
    let copy = site.copy();
    let injector = Intruder {
        deployment: copy.path().to_owned(),
        met: AtomicUsize::new(0),
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(injector)));
    let Ok(Ended::Stuck {
        because: Some(RunError::InTheWay { .. }),
        error: RunError::InTheWay { path },
    }) = ended
    else {
        panic!("{ended:?}");
    };
    assert!(
        path.ends_with("Program Files/Provider/Provider.dll"),
        "{path}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("it is where the message says"),
        "his"
    );
    std::fs::remove_file(&path).expect("it can be moved away");
    assert!(matches!(
        recover(copy.path(), Way::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "undone");
}

/// Wants the run to stop after so many operations; otherwise willing.
struct Impatient {
    after: usize,
    done: usize,
}

impl Listener for Impatient {
    fn tell(&mut self, event: &Event<'_>) {
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
fn a_run_that_is_to_stop_finishes_the_swap_at_hand_and_goes_on_either_way() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let operations = site.plan(&site.directory()).operations().count();
    for at in 1..operations {
        for way in [Way::Forward, Way::Back] {
            let copy = site.copy();
            let mut impatient = Impatient { after: at, done: 0 };
            let ended = apply_before(&site, copy.path(), None, &mut impatient);
            assert!(
                matches!(ended, Ok(Ended::Stopped(RunError::Interrupted))),
                "after {at}: {ended:?}"
            );
            assert!(
                impatient.done >= at && impatient.done < operations,
                "after {at}: {} were done",
                impatient.done
            );
            let told = format!("stopped after {at}, then {way:?}");
            match (way, recover(copy.path(), way, None)) {
                (Way::Forward, Ok(Some(Ended::Applied { .. }))) => {
                    after.assert_same(&Tree::of(copy.path()), &told)
                }
                (Way::Back, Ok(Some(Ended::Undone { .. }))) => {
                    before.assert_same(&Tree::of(copy.path()), &told)
                }
                (_, other) => panic!("{told}: {other:?}"),
            }
        }
    }
}

/// Leaves a failing run where it is.
struct Stoic;

impl Listener for Stoic {
    fn tell(&mut self, _: &Event<'_>) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Done
    }

    fn on_failure(&self) -> OnFailure {
        OnFailure::Stop
    }
}

#[test]
fn a_failing_run_may_be_left_where_it_is_and_goes_on_either_way() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let mut stopped = 0;
    for at in first_rename(&site) - 2..=changes(&site) {
        for way in [Way::Forward, Way::Back] {
            let copy = site.copy();
            let injector = Fault {
                seen: Arc::default(),
                at,
            };
            let ended = apply_before(&site, copy.path(), Some(Arc::new(injector)), &mut Stoic);
            if !matches!(ended, Ok(Ended::Stopped(RunError::Disk(_)))) {
                // It failed before the commit, or in a sync, as without `stop`.
                assert!(
                    !matches!(ended, Ok(Ended::Undone { .. })),
                    "failure of change {at}: {ended:?}"
                );
                break;
            }
            stopped += 1;
            let told = format!("failure of change {at}, then {way:?}");
            match (way, recover(copy.path(), way, None)) {
                (Way::Forward, Ok(Some(Ended::Applied { .. }))) => {
                    after.assert_same(&Tree::of(copy.path()), &told)
                }
                (Way::Back, Ok(Some(Ended::Undone { .. }))) => {
                    before.assert_same(&Tree::of(copy.path()), &told)
                }
                (_, other) => panic!("{told}: {other:?}"),
            }
        }
    }
    assert!(stopped > 40, "only {stopped}");
}

/// Somebody who puts a file in place after it was looked at, and right before a rename gets there.
struct Squatter {
    deployment: std::path::PathBuf,
}

const SQUATTED: &str = "Share/Site.msi";

impl FaultInjector for Squatter {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(from, to) if to.as_str() == SQUATTED && from.name() == "new" => {
                std::fs::write(self.deployment.join(SQUATTED), "mine")
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_stranger_that_comes_right_before_a_rename_is_never_replaced() {
    let site = Site::new();
    let copy = site.copy();
    let squatter = Squatter {
        deployment: copy.path().to_owned(),
    };
    let ended = apply(&site, copy.path(), Some(Arc::new(squatter)));
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
        std::fs::read_to_string(copy.path().join(SQUATTED)).expect("it is still there"),
        "mine"
    );
    std::fs::remove_file(copy.path().join(SQUATTED)).expect("it can be moved away");
    assert!(matches!(
        recover(copy.path(), Way::Back, None),
        Ok(Some(Ended::Undone { .. }))
    ));
    Tree::of(&site.directory()).assert_same(&Tree::of(copy.path()), "the stranger is gone");
}
