//! After a power cut a rename may be half on disk: one file has both names. Recovery removes the
//! later name and continues from there, in either direction.

use std::fs::hard_link;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::journal::Direction;
use rollup::plan::Plan;

use super::site::Site;
use super::tree::Tree;
use super::{
    CrashInjector, Ended, apply, change_count, first_rename, is_committing, one_of, recover, sample,
};

/// Paths of one swap on disk.
struct SwapPaths {
    live: PathBuf,
    new: PathBuf,
    old: PathBuf,
    had_old: bool,
    unmanaged: Vec<PathBuf>,
}

fn swap_paths(deployment: &Path, plan: &Plan) -> Vec<SwapPaths> {
    let slots = deployment.join(".rollup/runs/0001-KB1/slots");
    let swaps = plan.swaps.iter().map(|swap| SwapPaths {
        live: deployment.join(swap.live.to_path()),
        new: slots.join(format!("{}/new", swap.number)),
        old: slots.join(format!("{}/old", swap.number)),
        had_old: swap.has_old(),
        unmanaged: swap
            .unmanaged()
            .filter_map(|path| Some(path.below(&swap.live)?.to_path()))
            .collect(),
    });
    swaps.collect()
}

/// Returns every rename that could be half on disk in this state: the earlier and the later name.
/// Only the first unfinished swap can be half done.
fn half_renames(swap_paths: &[SwapPaths]) -> Vec<(PathBuf, PathBuf)> {
    let mut renames = Vec::new();
    for swap in swap_paths.iter().filter(|swap| swap.new.exists()).take(1) {
        let (new, old, live) = (swap.new.exists(), swap.old.exists(), swap.live.exists());
        match (swap.had_old, new, old, live) {
            // Between: the live object was just moved to `old`, or the new one moves in next.
            (true, true, true, false) => {
                renames.push((swap.old.clone(), swap.live.clone()));
                renames.push((swap.new.clone(), swap.live.clone()));
                for unmanaged in &swap.unmanaged {
                    let (in_old, in_new) = (swap.old.join(unmanaged), swap.new.join(unmanaged));
                    let (from, to) = if in_old.exists() {
                        (in_old, in_new)
                    } else {
                        (in_new, in_old)
                    };
                    renames.push((from, to));
                }
            }
            (false, true, false, false) => renames.push((swap.new.clone(), swap.live.clone())),
            _ => {}
        }
    }
    // Only files can have two names, and only in a directory that exists.
    renames.retain(|(from, to)| from.is_file() && to.parent().is_some_and(Path::is_dir));
    renames
}

#[test]
fn a_file_under_two_names_is_repaired_by_resume_and_undo() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let plan = site.plan(&site.directory());
    let mut repaired = 0;
    for at in sample(first_rename(&site), change_count(&site)) {
        let crash = || {
            let copy = site.copy();
            let _ = apply(
                &site,
                copy.path(),
                Some(Arc::new(CrashInjector {
                    seen: Arc::default(),
                    at,
                })),
            );
            copy
        };
        let first = crash();
        if !is_committing(first.path()) {
            continue;
        }
        for half in 0..half_renames(&swap_paths(first.path(), &plan)).len() {
            for direction in [Direction::Forward, Direction::Back] {
                let copy = crash();
                let (from, to) = half_renames(&swap_paths(copy.path(), &plan)).swap_remove(half);
                hard_link(&from, &to).expect("both directories exist");
                let context = format!(
                    "crash at {at}, {} is also {}, then {direction:?}",
                    from.display(),
                    to.display()
                );
                let recovered = recover(copy.path(), direction, None);
                let expected = match (direction, &recovered) {
                    (Direction::Forward, Ok(Some(Ended::Applied { .. }))) => &after,
                    (Direction::Back, Ok(Some(Ended::Undone { because: None }))) => &before,
                    _ => panic!("{context}: {recovered:?}"),
                };
                expected.assert_same(&Tree::of(copy.path()), &context);
                repaired += 1;
            }
        }
    }
    assert!(repaired * one_of() > 30, "only {repaired} were repaired");
}
