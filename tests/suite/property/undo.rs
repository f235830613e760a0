//! Apply and undo, one after the other, leave no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rollup::names::{CaseFolded, Digest};
use rollup::plan::{Plan, What};
use rollup::run::Ended;
use walkdir::WalkDir;

use super::choose::cases;
use super::drive::{Course, Ready, undo_finished};
use super::hold::hold;
use super::same;
use super::stock::ROLLUPS;
use super::world::World;
use crate::crash::tree::Tree;

/// What stands at each path.
type Standing = BTreeMap<PathBuf, Identity>;

/// Which file or directory it is, and whose.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    inode: u64,
    /// The kind of thing, and permission bits.
    mode: u32,
    owner: (u32, u32),
}

fn standing(deployment: &Path) -> Standing {
    let ours = |entry: &walkdir::DirEntry| entry.depth() == 1 && entry.file_name() == ".rollup";
    let entries = WalkDir::new(deployment)
        .min_depth(1)
        .into_iter()
        .filter_entry(|entry| !ours(entry));
    let identity = |entry: walkdir::DirEntry| {
        let below = entry
            .path()
            .strip_prefix(deployment)
            .expect("it lies below")
            .to_owned();
        let metadata = entry.metadata().expect("it was just listed");
        let (inode, mode, owner) = (
            metadata.ino(),
            metadata.mode(),
            (metadata.uid(), metadata.gid()),
        );
        (below, Identity { inode, mode, owner })
    };
    entries
        .map(|entry| identity(entry.expect("it can be listed")))
        .collect()
}

/// Everything that stands at no live path, and every file of an operator's, is the very same;
/// everything that is new in its place has its permissions and its owner.
fn what_stays_is_the_same(plan: &Plan, before: &Standing, after: &Standing) -> TestCaseResult {
    let live: Vec<CaseFolded> = plan
        .live_paths()
        .iter()
        .map(|path| path.case_folded())
        .collect();
    let travels = |path: &PathBuf| {
        plan.swaps
            .iter()
            .any(|swap| swap.unmanaged.iter().any(|t| t.to_path() == *path))
    };
    for (path, was) in before {
        let case_folded = CaseFolded::of(path.to_str().expect("a name of ours"));
        let is_ours = live.iter().any(|live| {
            case_folded == *live
                || case_folded
                    .as_str()
                    .strip_prefix(live.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        match after.get(path) {
            found if !is_ours || travels(path) => {
                prop_assert_eq!(found, Some(was), "{:?} is another one", path)
            }
            Some(is) => prop_assert_eq!((is.mode, is.owner), (was.mode, was.owner), "{:?}", path),
            None => {}
        }
    }
    Ok(())
}

/// What the plan said would stand at and below every live path stands there, and nothing else;
/// looked at with other eyes than the run's own.
fn what_was_predicted_stands(plan: &Plan, deployment: &Path) -> TestCaseResult {
    let expected_state = plan.expected_state.as_ref().expect("a plan with a payload");
    let expected: BTreeMap<PathBuf, &What> = expected_state
        .entries
        .iter()
        .map(|entry| (entry.path.to_path(), &entry.what))
        .collect();
    let live: Vec<PathBuf> = plan
        .live_paths()
        .iter()
        .map(|path| path.to_path())
        .collect();
    let below = live
        .iter()
        .flat_map(|path| WalkDir::new(deployment.join(path)).into_iter().flatten());
    let relative = |path: &Path| {
        path.strip_prefix(deployment)
            .expect("it lies below")
            .to_owned()
    };
    let found: BTreeSet<PathBuf> = below.map(|entry| relative(entry.path())).collect();
    prop_assert_eq!(found, expected.keys().cloned().collect::<BTreeSet<_>>());
    for (path, what) in expected {
        let at = deployment.join(&path);
        match what {
            What::Directory => prop_assert!(at.is_dir(), "{:?} is no directory", path),
            What::File { size, sha256 } => {
                let bytes = std::fs::read(&at).expect("it can be read");
                prop_assert_eq!(
                    (bytes.len() as u64, Digest::of(&bytes)),
                    (*size, *sha256),
                    "{:?}",
                    path
                );
            }
            What::Unmanaged => prop_assert!(at.symlink_metadata().is_ok(), "{:?} is gone", path),
        }
    }
    Ok(())
}

/// What stood before a rollup was applied.
struct Before {
    tree: Tree,
    standing: Standing,
    drift: BTreeSet<String>,
    plan: Plan,
}

#[test]
fn apply_and_undo_leave_any_deployment_as_it_was() {
    use rollup::plan::OperationKind::*;
    let tally = hold(120, &cases(ROLLUPS), |case, payloads, tally| {
        let world = World::of(&case);
        let at = world.deployment();
        let rollups = Ready::all(&case, payloads)?;
        let mut stages: Vec<Before> = Vec::new();
        for (number, rollup) in rollups.iter().enumerate() {
            let plan = match tally.planned(rollup.plan(at)) {
                Err(refused) if number == 0 => return Err(refused),
                Err(_) => break,
                Ok(plan) => plan,
            };
            let before = Before {
                tree: Tree::of(at),
                standing: standing(at),
                drift: rollup.drift(at),
                plan,
            };
            match rollup.apply(at, &before.plan, &mut Course::free()) {
                Ok(Some(Ended::Applied { came, measured })) if came.is_empty() => {
                    let expected = before
                        .plan
                        .expected_state
                        .as_ref()
                        .map(|expected_state| expected_state.digest);
                    prop_assert_eq!(Some(measured), expected, "the preview was not true");
                }
                other => {
                    return Err(TestCaseError::fail(format!(
                        "apply of rollup {}: {other:?}",
                        number + 1
                    )));
                }
            }
            what_was_predicted_stands(&before.plan, at)?;
            what_stays_is_the_same(&before.plan, &before.standing, &standing(at))?;
            let drift = rollup.drift(at);
            prop_assert!(
                drift.is_subset(&before.drift),
                "it does not match: {:?}",
                drift.difference(&before.drift)
            );
            stages.push(before);
        }
        for (number, (before, rollup)) in stages.into_iter().zip(&rollups).enumerate().rev() {
            match undo_finished(at, &mut Course::free()) {
                Ok(Some(Ended::Undone { because: None })) => {}
                other => {
                    return Err(TestCaseError::fail(format!(
                        "undo of rollup {}: {other:?}",
                        number + 1
                    )));
                }
            }
            same(
                &before.tree,
                &Tree::of(at),
                &format!("rollup {} was taken back", number + 1),
            )?;
            prop_assert!(
                before.standing == standing(at),
                "not all of it is the same files"
            );
            prop_assert_eq!(
                rollup.drift(at),
                before.drift,
                "other things do not match than before"
            );
            let again = rollup.plan(at).map(|plan| plan.digest);
            prop_assert_eq!(
                again,
                Ok(before.plan.digest),
                "the plan is another one than before"
            );
            if number > 0 {
                tally.count_special();
            }
        }
        Ok(())
    });
    assert!(
        tally.special.get() > 30,
        "hardly any second rollup was taken back"
    );
    let wanted = [
        Uninstall, Install, Replace, Copy, Run, Initialize, Start, Stop, Restart, Enable, Disable,
    ];
    assert_eq!(tally.never_done(&wanted), [], "some actions were not tried");
}
