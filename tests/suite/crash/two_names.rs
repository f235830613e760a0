//! After a power cut a rename may be half on disk: one file stands under both names. The earlier
//! name counts, and the walk goes on from there, either way.

use std::fs::hard_link;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::plan::Plan;

use super::site::Site;
use super::tree::Tree;
use super::{Death, Ended, Way, apply, changes, first_rename, is_committing, recover};

/// The places of one swap on disk.
struct Places {
    live: PathBuf,
    new: PathBuf,
    old: PathBuf,
    had_old: bool,
    unmanaged: Vec<PathBuf>,
}

fn places(deployment: &Path, plan: &Plan) -> Vec<Places> {
    let slots = deployment.join(".rollup/runs/0001-KB1/slots");
    let swaps = plan.swaps.iter().map(|swap| Places {
        live: deployment.join(swap.live.to_path()),
        new: slots.join(format!("{}/new", swap.number)),
        old: slots.join(format!("{}/old", swap.number)),
        had_old: swap.has_old(),
        unmanaged: swap
            .unmanaged
            .iter()
            .filter_map(|path| Some(path.below(&swap.live)?.to_path()))
            .collect(),
    });
    swaps.collect()
}

/// Every rename that could be half on disk in this state: the name it comes from, and the one it
/// goes to. Only the first unfinished swap can be half done.
fn half_renames(places: &[Places]) -> Vec<(PathBuf, PathBuf)> {
    let mut renames = Vec::new();
    for place in places.iter().filter(|place| place.new.exists()).take(1) {
        let (new, old, live) = (place.new.exists(), place.old.exists(), place.live.exists());
        match (place.had_old, new, old, live) {
            // Between: the live object has just been set aside, or the new one is about to come in.
            (true, true, true, false) => {
                renames.push((place.old.clone(), place.live.clone()));
                renames.push((place.new.clone(), place.live.clone()));
                for unmanaged in &place.unmanaged {
                    let (here, there) = (place.old.join(unmanaged), place.new.join(unmanaged));
                    let (from, to) = if here.exists() {
                        (here, there)
                    } else {
                        (there, here)
                    };
                    renames.push((from, to));
                }
            }
            (false, true, false, false) => renames.push((place.new.clone(), place.live.clone())),
            _ => {}
        }
    }
    // Only files can stand under two names; and only in a directory that is there.
    renames.retain(|(from, to)| from.is_file() && to.parent().is_some_and(Path::is_dir));
    renames
}

#[test]
fn a_file_under_two_names_is_mended_both_ways() {
    let site = Site::new();
    let before = Tree::of(&site.directory());
    let after = site.applied();
    let plan = site.plan(&site.directory());
    let mut mended = 0;
    for at in first_rename(&site)..=changes(&site) {
        let die = || {
            let copy = site.copy();
            let _ = apply(
                &site,
                copy.path(),
                Some(Arc::new(Death {
                    seen: Arc::default(),
                    at,
                })),
            );
            copy
        };
        let first = die();
        if !is_committing(first.path()) {
            continue;
        }
        for half in 0..half_renames(&places(first.path(), &plan)).len() {
            for way in [Way::Forward, Way::Back] {
                let copy = die();
                let (from, to) = half_renames(&places(copy.path(), &plan)).swap_remove(half);
                hard_link(&from, &to).expect("both directories are there");
                let told = format!(
                    "death at {at}, {} also stands as {}, then {way:?}",
                    from.display(),
                    to.display()
                );
                let recovered = recover(copy.path(), way, None);
                let expected = match (way, &recovered) {
                    (Way::Forward, Ok(Some(Ended::Applied { .. }))) => &after,
                    (Way::Back, Ok(Some(Ended::Undone { because: None }))) => &before,
                    _ => panic!("{told}: {recovered:?}"),
                };
                expected.assert_same(&Tree::of(copy.path()), &told);
                mended += 1;
            }
        }
    }
    assert!(mended > 30, "only {mended} were mended");
}
