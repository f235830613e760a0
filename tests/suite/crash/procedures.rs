//! Crashes in the procedures of `fixtures/procedures`: every one recovers in both directions, or, behind
//! a point of no return, only forward.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollup::journal::Direction;
use rollup::run::Ended;

use super::site::Site;
use super::tree::Tree;
use super::{CrashInjector, apply, change_count, is_finished, one_of, recover, reopen};

/// Of a sample, one change in so many is tried: the procedures are many, and share most of their changes.
const OF_SAMPLED: usize = 6;

/// Returns which changes are tried: one of so many; all of them with `CRASH_ONE_OF=1`.
fn step() -> usize {
    match one_of() {
        1 => 1,
        one_of => one_of * OF_SAMPLED,
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns each procedure with its name: a manifest for the sample, or a directory with a deployment of its
/// own.
fn procedures() -> Vec<(String, Site)> {
    let sample = read(&fixtures().join("hmc40/deployment.toml"));
    let mut procedures = Vec::new();
    for entry in fs::read_dir(fixtures().join("procedures")).expect("the procedures") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let site = match path.is_dir() {
            true => Site::of(
                &read(&path.join("deployment.toml")),
                &read(&path.join("manifest.toml")),
            ),
            false => Site::of(&sample, &read(&path)),
        };
        procedures.push((name, site));
    }
    procedures.sort_by(|(one, _), (other, _)| one.cmp(other));
    procedures
}

#[test]
fn every_procedure_applies_and_rolls_back_unless_it_has_a_point_of_no_return() {
    for (name, site) in procedures() {
        let before = Tree::of(&site.directory());
        let after = site.applied();
        let copy = site.copy();
        let has_point = !site.plan(copy.path()).points_of_no_return().is_empty();
        let applied = apply(&site, copy.path(), None);
        assert!(
            matches!(applied, Ok(Ended::Applied { .. })),
            "{name}: {applied:?}"
        );
        let undone = reopen(copy.path(), None);
        match has_point {
            false => {
                assert!(
                    matches!(undone, Ok(Ended::Undone { .. })),
                    "{name}: {undone:?}"
                );
                before.assert_same(&Tree::of(copy.path()), &name);
            }
            true => {
                assert!(undone.is_err(), "{name}: {undone:?}");
                after.assert_same(&Tree::of(copy.path()), &name);
            }
        }
    }
}

#[test]
fn a_crash_at_any_change_of_any_procedure_can_be_resumed_and_undone() {
    for (name, site) in procedures() {
        let before = Tree::of(&site.directory());
        let after = site.applied();
        let has_point = !site
            .plan(&site.directory())
            .points_of_no_return()
            .is_empty();
        let changes = change_count(&site);
        for at in (1..=changes).rev().step_by(step()) {
            for direction in [Direction::Forward, Direction::Back] {
                let copy = site.copy();
                let injector = CrashInjector {
                    seen: Arc::default(),
                    at,
                };
                let crashed = apply(&site, copy.path(), Some(Arc::new(injector)));
                assert!(
                    matches!(crashed, Err(_) | Ok(Ended::Stuck { .. })),
                    "{name} at {at}"
                );
                let context = format!("{name}: crash at change {at}, then {direction:?}");
                let recovered = recover(copy.path(), direction, None);
                let expected = match &recovered {
                    Ok(Some(Ended::Applied { .. })) => &after,
                    Ok(Some(Ended::Undone { because: None })) => &before,
                    Ok(None) if is_finished(copy.path()) => &after,
                    Ok(None) => &before,
                    // Behind a point of no return, the run goes forward.
                    Ok(Some(Ended::Stuck { .. })) | Err(_)
                        if has_point && direction == Direction::Back =>
                    {
                        let finished = recover(copy.path(), Direction::Forward, None);
                        let finished = matches!(finished, Ok(Some(Ended::Applied { .. })));
                        assert!(finished, "{context}");
                        &after
                    }
                    other => panic!("{context}: {other:?}"),
                };
                expected.assert_same(&Tree::of(copy.path()), &context);
            }
        }
    }
}
