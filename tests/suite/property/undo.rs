//! An apply and its undo restore any deployment exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use rollup::journal::Direction;
use rollup::names::{CaseFolded, Digest, RelPath};
use rollup::plan::{EntryKind, Plan, PlannedStep, Swap};
use rollup::run::Ended;
use walkdir::WalkDir;

use super::choose::cases;
use super::drive::{CommandObserver, ObservedEvent, ReadyRollup, undo_finished};
use super::hold::hold;
use super::nested::check_steps;
use super::same;
use super::stock::ROLLUPS;
use super::world::RandomDeployment;
use crate::crash::tree::Tree;

/// Identity of the object at each path.
type Identities = BTreeMap<PathBuf, Identity>;

/// Identity and attributes of a file or directory.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    inode: u64,
    /// Kind of the object, and permission bits.
    mode: u32,
    owner: (u32, u32),
}

fn identities(deployment: &Path) -> Identities {
    let is_rollup_directory =
        |entry: &walkdir::DirEntry| entry.depth() == 1 && entry.file_name() == ".rollup";
    let entries = WalkDir::new(deployment)
        .min_depth(1)
        .into_iter()
        .filter_entry(|entry| !is_rollup_directory(entry));
    let identity = |entry: walkdir::DirEntry| {
        let below = entry
            .path()
            .strip_prefix(deployment)
            .expect("it is below the deployment")
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

/// Checks that everything outside the live paths and every unmanaged file is the same object, and
/// that a new object has the permissions and the owner of the old one at its path.
fn untouched_entries_are_the_same(
    plan: &Plan,
    before: &Identities,
    after: &Identities,
) -> TestCaseResult {
    let live: Vec<CaseFolded> = plan
        .live_paths()
        .iter()
        .map(|path| path.case_folded())
        .collect();
    let unmanaged: Vec<PathBuf> = plan
        .swaps
        .iter()
        .flat_map(Swap::unmanaged)
        .map(RelPath::to_path)
        .collect();
    let is_unmanaged = |path: &PathBuf| {
        unmanaged
            .iter()
            .any(|unmanaged| path.starts_with(unmanaged))
    };
    for (path, identity) in before {
        let case_folded = CaseFolded::of(path.to_str().expect("a name in UTF-8"));
        let is_live = live.iter().any(|live| {
            case_folded == *live
                || case_folded
                    .as_str()
                    .strip_prefix(live.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        match after.get(path) {
            found if !is_live || is_unmanaged(path) => {
                prop_assert_eq!(found, Some(identity), "{:?} is another object", path)
            }
            // A file does not keep setuid and setgid with new contents.
            Some(new) if new.inode != identity.inode && new.mode & 0o170_000 == 0o100_000 => {
                prop_assert_eq!(
                    (new.mode, new.owner),
                    (identity.mode & !0o6000, identity.owner),
                    "{:?}",
                    path
                )
            }
            Some(new) => prop_assert_eq!(
                (new.mode, new.owner),
                (identity.mode, identity.owner),
                "{:?}",
                path
            ),
            None => {}
        }
    }
    Ok(())
}

/// Checks that exactly the expected state of the plan is at and below every live path, without the
/// code that the run measures it with.
fn tree_matches_the_expected_state(plan: &Plan, deployment: &Path) -> TestCaseResult {
    let expected_state = plan.expected_state.as_ref().expect("a plan with a payload");
    let expected: BTreeMap<PathBuf, &EntryKind> = expected_state
        .entries
        .iter()
        .map(|entry| (entry.path.to_path(), &entry.kind))
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
            .expect("it is below the deployment")
            .to_owned()
    };
    let is_in_unmanaged = |path: &PathBuf| {
        let mut above = path.ancestors().skip(1);
        above.any(|above| expected.get(above) == Some(&&EntryKind::Unmanaged))
    };
    let found = below.map(|entry| relative(entry.path()));
    let found: BTreeSet<PathBuf> = found.filter(|path| !is_in_unmanaged(path)).collect();
    prop_assert_eq!(found, expected.keys().cloned().collect::<BTreeSet<_>>());
    for (path, kind) in expected {
        let at = deployment.join(&path);
        match kind {
            EntryKind::Directory => prop_assert!(at.is_dir(), "{:?} is not a directory", path),
            EntryKind::File { size, sha256 } => {
                let bytes = std::fs::read(&at).expect("it can be read");
                prop_assert_eq!(
                    (bytes.len() as u64, Digest::of(&bytes)),
                    (*size, *sha256),
                    "{:?}",
                    path
                );
            }
            EntryKind::Unmanaged => {
                prop_assert!(at.symlink_metadata().is_ok(), "{:?} is gone", path)
            }
        }
    }
    Ok(())
}

/// Checks that a person was asked about each manual step, in order; and in a rollback about each
/// one with instructions, and about each step that stored packages, with the servers that have them.
fn questions_follow_the_plan(
    plan: &Plan,
    observer: &CommandObserver,
    direction: Direction,
) -> TestCaseResult {
    let manual = |step: &PlannedStep| {
        let manual = step.manual.as_ref()?;
        let is_asked = direction == Direction::Forward || manual.undo.is_some();
        is_asked.then(|| manual.servers.clone())
    };
    let packages = |step: &PlannedStep| {
        let is_asked = direction == Direction::Back && step.undo.is_some();
        let servers = step.operations.iter();
        is_asked.then(|| {
            servers
                .filter_map(|operation| operation.server.clone())
                .collect()
        })
    };
    let mut wanted: Vec<ObservedEvent> = Vec::new();
    for step in &plan.steps {
        if let Some(servers) = manual(step).or_else(|| packages(step)) {
            wanted.push(ObservedEvent::Answered {
                step: step.id.clone(),
                servers,
                direction,
            });
        }
    }
    if direction == Direction::Back {
        wanted.reverse();
    }
    let events = observer.events().iter();
    let asked = events.filter(|event| matches!(event, ObservedEvent::Answered { .. }));
    prop_assert_eq!(asked.cloned().collect::<Vec<_>>(), wanted, "the questions");
    Ok(())
}

/// State of the deployment before a rollup was applied.
struct StateBefore {
    tree: Tree,
    identities: Identities,
    drift: BTreeSet<String>,
    plan: Plan,
}

#[test]
fn apply_and_undo_leave_any_deployment_as_it_was() {
    use rollup::plan::OperationKind::*;
    let tally = hold(50, &cases(ROLLUPS), |case, payloads, tally| {
        let world = RandomDeployment::of(&case);
        let at = world.deployment();
        let rollups = ReadyRollup::all(&case, payloads)?;
        let mut stages: Vec<StateBefore> = Vec::new();
        for (number, rollup) in rollups.iter().enumerate() {
            let plan = match tally.planned(rollup.plan(at)) {
                Err(refused) if number == 0 => return Err(refused),
                Err(_) => break,
                Ok(plan) => plan,
            };
            check_steps(&case.site, &case.rollups[number], &plan)?;
            let before = StateBefore {
                tree: Tree::of(at),
                identities: identities(at),
                drift: rollup.drift(at),
                plan,
            };
            let mut observer = CommandObserver::uninterrupted();
            match rollup.apply(at, &before.plan, &mut observer) {
                Ok(Some(Ended::Applied {
                    appeared,
                    missing,
                    measured,
                })) if appeared.is_empty() => {
                    prop_assert!(missing.is_empty(), "missing: {missing:?}");
                    let expected = before
                        .plan
                        .expected_state
                        .as_ref()
                        .map(|expected_state| expected_state.digest);
                    prop_assert_eq!(Some(measured), expected, "the expected state");
                }
                other => {
                    return Err(TestCaseError::fail(format!(
                        "apply of rollup {}: {other:?}",
                        number + 1
                    )));
                }
            }
            questions_follow_the_plan(&before.plan, &observer, Direction::Forward)?;
            tree_matches_the_expected_state(&before.plan, at)?;
            untouched_entries_are_the_same(&before.plan, &before.identities, &identities(at))?;
            let drift = rollup.drift(at);
            prop_assert!(
                drift.is_subset(&before.drift),
                "new drift: {:?}",
                drift.difference(&before.drift)
            );
            stages.push(before);
        }
        for (number, (before, rollup)) in stages.into_iter().zip(&rollups).enumerate().rev() {
            let mut observer = CommandObserver::uninterrupted();
            match undo_finished(at, &mut observer) {
                Ok(Some(Ended::Undone { because: None })) => {}
                other => {
                    return Err(TestCaseError::fail(format!(
                        "undo of rollup {}: {other:?}",
                        number + 1
                    )));
                }
            }
            questions_follow_the_plan(&before.plan, &observer, Direction::Back)?;
            same(
                &before.tree,
                &Tree::of(at),
                &format!("rollup {} was undone", number + 1),
            )?;
            prop_assert!(
                before.identities == identities(at),
                "some objects are others than before"
            );
            prop_assert_eq!(
                rollup.drift(at),
                before.drift,
                "the drift is another one than before"
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
    assert!(tally.special.get() > 10, "few second rollups were undone");
    tally.assert_new_steps();
    let wanted = [
        Uninstall, Install, Replace, Copy, Run, Store, Initialize, Start, Stop, Enable, Disable,
    ];
    assert_eq!(tally.never_done(&wanted), [], "some actions were not tried");
}
