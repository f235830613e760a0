//! Crashes of runs in a deployment that has the records of several rollups.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rollup::deployment::applied::AppliedRecord;
use rollup::deployment::describe;
use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree as Directory;
use rollup::document::{Findings, Source};
use rollup::journal::{Direction, runs};
use rollup::manifest;
use rollup::payload::Payload;
use rollup::plan::{Options, Planned, interest, plan};
use rollup::run::{self, ChangedFilePolicy, Ended, RunError};

use super::site::DeploymentCopy;
use super::tree::Tree;
use super::{ConfirmingListener, CrashInjector, lock, make_rollup_directory, one_of, recover};
use crate::depending::tool;
use crate::small::SMALL;
use crate::world::{World, exit};

type Injector = Option<Arc<dyn FaultInjector>>;

/// Applies a rollup of a world to a copy of its deployment, as the command does.
fn apply(world: &World, kb: &str, at: &Path, injector: Injector) -> Result<Ended, RunError> {
    let read = |name: &str, text: &str| Source::new(name, text);
    let (site, text) = (
        std::fs::read_to_string(at.join("deployment.toml")).expect("a description"),
        std::fs::read_to_string(world.at(&format!("{kb}.toml"))).expect("a manifest"),
    );
    let mut findings = Findings::default();
    let description =
        describe::parse(&read("deployment.toml", &site), &mut findings).expect("a valid one");
    let manifest = manifest::parse(&read(kb, &text), &mut findings).expect("a valid one");
    let payload = Payload::open(&world.at(kb)).expect("a payload");
    let mut disk = lock(at);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    run::clear_interrupted_staging(&disk)?;
    let tree = Directory::open(at).expect("the deployment exists");
    let record = tree.metadata(&AppliedRecord::path(manifest.rollup.kb));
    let is_applied = record.expect("it can be read").is_some();
    let bound = manifest.clone().bind(&description).expect("known names");
    let interest = interest(&bound, &description, is_applied);
    let mut snapshot = Snapshot::read(&tree, description, &interest).expect("it can be read");
    (snapshot.past, _) = run::past(&tree, Some(manifest.rollup.kb))?;
    let facts = payload.facts(&manifest.file_table());
    let Ok(Planned::Plan(plan)) = plan(&bound, &snapshot, Some(&facts), Options::default()) else {
        panic!("there is something to do");
    };
    make_rollup_directory(&mut disk)?;
    let asked = run::RunRequest {
        manifest: Some(&text),
        confirmed: Vec::new(),
        ..run::RunRequest::default()
    };
    let listener = &mut ConfirmingListener;
    let staged = run::stage(&disk, &plan, &asked, Some(&payload), listener)?;
    run::commit(&disk, &plan, staged, listener)
}

/// Undoes a finished run.
fn undo(number: u32, at: &Path, injector: Injector) -> Result<Ended, RunError> {
    let mut disk = lock(at);
    if let Some(injector) = injector {
        disk = disk.with_injector(injector);
    }
    let runs = runs(disk.tree())?;
    let run = runs.iter().find(|run| run.number == number);
    let (run, policy) = (run.expect("it is finished"), ChangedFilePolicy::Refuse);
    run::reopen(&disk, &runs, run, None, policy, &mut ConfirmingListener)
}

/// Crashes a command at every change, and recovers in both directions. `direction` is the one of
/// the command. Returns the number of recoveries.
fn crash_everywhere(
    start: &Path,
    direction: Direction,
    command: &dyn Fn(&Path, Injector) -> Result<Ended, RunError>,
) -> usize {
    let began = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_secs() as i64;
    let before = Tree::of(start).without_times_since(began);
    let undisturbed = DeploymentCopy::of(start);
    let ended = command(undisturbed.path(), None);
    assert!(
        matches!(
            ended,
            Ok(Ended::Applied { .. } | Ended::Undone { because: None })
        ),
        "{ended:?}"
    );
    let after = Tree::of(undisturbed.path()).without_times_since(began);
    let mut recovered = 0;
    for at in (1..).step_by(one_of()) {
        for second in [Direction::Forward, Direction::Back] {
            let copy = DeploymentCopy::of(start);
            let injector = CrashInjector {
                seen: Arc::default(),
                at,
            };
            let crashed = command(copy.path(), Some(Arc::new(injector)));
            if matches!(crashed, Ok(Ended::Applied { .. } | Ended::Undone { .. })) {
                return recovered;
            }
            let context = format!("crash at {at}, then {second:?}");
            let ended = recover(copy.path(), second, None);
            let found = Tree::of(copy.path()).without_times_since(began);
            let expected = match &ended {
                Ok(Some(Ended::Applied { .. } | Ended::Undone { because: None })) => {
                    recovered += 1;
                    match second == direction {
                        true => &after,
                        false => &before,
                    }
                }
                // Nothing was begun, or the record that closes the run was written.
                Ok(None) if before.differences(&found).is_empty() => &before,
                Ok(None) => &after,
                other => panic!("{context}: {other:?}"),
            };
            expected.assert_same(&found, &context);
        }
    }
    unreachable!("a command has an end")
}

/// Returns a world without service records, in which two independent rollups are applied that
/// restart the same service.
fn two_applied() -> World {
    let world = World::with_site(SMALL).remove("Servers");
    ["KB100001", "KB100002"].iter().fold(world, |world, kb| {
        let world = world.manifest(kb, &tool(kb, ""));
        world
            .run(&format!("apply {kb}.toml --yes"))
            .exits_with(exit::OK);
        world
    })
}

#[test]
fn an_undo_beneath_a_later_run_can_crash_at_any_change() {
    let world = two_applied();
    let points = crash_everywhere(&world.deployment(), Direction::Back, &|at, injector| {
        undo(1, at, injector)
    });
    assert!(points * one_of() >= 10, "only {points}");
}

#[test]
fn an_undo_of_the_last_run_that_needs_a_container_can_crash_at_any_change() {
    let world = two_applied();
    world.run("undo 1 --yes").exits_with(exit::OK);
    let points = crash_everywhere(&world.deployment(), Direction::Back, &|at, injector| {
        undo(2, at, injector)
    });
    assert!(points * one_of() > 30, "only {points}");
}

#[test]
fn an_apply_beside_other_records_and_a_catch_up_can_crash_at_any_change() {
    let relations = "requires = [\"KB100001\"]\nincludes = [\"KB100002\"]";
    let world = two_applied().manifest("KB100003", &tool("KB100003", relations));
    let points = crash_everywhere(&world.deployment(), Direction::Forward, &|at, injector| {
        apply(&world, "KB100003", at, injector)
    });
    assert!(points * one_of() > 30, "only {points}");
    let world = world.remove("Servers/ENG02/Files/Tools");
    let points = crash_everywhere(&world.deployment(), Direction::Forward, &|at, injector| {
        apply(&world, "KB100001", at, injector)
    });
    assert!(points * one_of() > 20, "only {points}");
}

#[test]
fn a_container_that_a_crash_left_half_made_gets_the_mode_of_its_parent() {
    let world = World::with_site(SMALL)
        .manifest("KB100001", &tool("KB100001", ""))
        .remove("Servers");
    let private = std::fs::Permissions::from_mode(0o750);
    std::fs::set_permissions(world.deployment(), private).expect("the test owns it");
    let points = crash_everywhere(&world.deployment(), Direction::Forward, &|at, injector| {
        apply(&world, "KB100001", at, injector)
    });
    assert!(points * one_of() > 20, "only {points}");
    world.run("apply KB100001.toml --yes").exits_with(exit::OK);
    let made = world.live("Servers/ENG01/Files/Tools");
    let mode = std::fs::metadata(made)
        .expect("it is made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o750);
}
