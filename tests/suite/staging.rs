//! `stage` prepares a run days before its commit: nothing of the deployment changes, and an apply
//! of the same plan commits the staged run.

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const STAGE: &str = "stage small.toml --yes";

fn staged() -> World {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world.run(STAGE).exits_with(exit::OK).tree_is_unchanged();
    ran.prints("staged as run 0001-KB100001; the deployment is unchanged")
        .prints("rollup resume -d deployment --yes commits it");
    world
}

#[test]
fn apply_commits_a_staged_run() {
    let world = staged();
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched()
        .prints("is staged and not begun");
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.prints("run 0001-KB100001 is staged with this plan")
        .does_not_print("staging run")
        .prints("the result matches the plan");
    assert!(!world.run_directory("0002-KB100001").exists());
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn the_result_is_the_same_as_without_staging_first() {
    let whole = small_world(UPDATE_PROVIDER);
    let whole = whole
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .after()
        .without_times();
    let halves = staged();
    whole.assert_same(
        &halves
            .run(APPLY_SMALL)
            .exits_with(exit::OK)
            .after()
            .without_times(),
    );
}

#[test]
fn resume_commits_a_staged_run_without_the_payload() {
    let world = staged();
    std::fs::remove_dir_all(world.at("KB100001")).expect("removed");
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn staging_the_same_plan_twice_does_nothing() {
    let world = staged();
    world
        .run(STAGE)
        .exits_with(exit::OK)
        .prints("nothing to do")
        .prints("is already staged with this plan");
    assert!(!world.run_directory("0002-KB100001").exists());
}

#[test]
fn undo_discards_a_staged_run() {
    let world = staged();
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged()
        .prints("run 0001-KB100001 is discarded");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
    assert!(!world.run_directory("0001-KB100001").exists());
}

#[test]
fn another_plan_is_refused_while_a_run_is_staged() {
    let world = staged().manifest("other", &small("KB100002", UPDATE_PROVIDER));
    for command in [
        "apply other.toml --yes",
        "stage other.toml --yes",
        "plan other.toml",
    ] {
        let ran = world
            .run(command)
            .exits_with(exit::NOT_READY)
            .tree_is_unchanged();
        ran.prints("run 0001-KB100001 is staged with another plan")
            .prints("undo -d deployment --yes` discards it");
    }
    world.run("plan small.toml").exits_with(exit::OK);
}

#[test]
fn advice_keeps_the_options_that_change_the_plan() {
    let world = staged().manifest("other", &small("KB100002", UPDATE_PROVIDER));
    let options = "--include-missing --allow-downgrade";
    let ran = world
        .run(&format!("apply other.toml --yes {options}"))
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints(&format!(
        "then `rollup apply other.toml -d deployment {options} --yes`"
    ));
}

#[test]
fn a_staged_run_is_stale_after_a_change_of_its_live_paths() {
    let record = "Servers/ENG01/Services/Engine.toml";
    let stop = "[[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"Engine\"\n\
                [[steps]]\nid = \"start\"\naction = \"start\"\nservice = \"Engine\"\n[payload]\nfiles = []\n";
    let world = small_world(stop);
    world.run(STAGE).exits_with(exit::OK);
    let world = world.write_file(
        record,
        "schema = 1\nrunning = true\nenabled = true\n# touched\n",
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
    ran.prints("run 0001-KB100001 is staged, and is stale")
        .prints(&format!("since the run was staged, `{record}` has"));
    let ran = world
        .run("resume --yes")
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
    ran.prints(record).prints("discards the staged run");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_change_elsewhere_does_not_make_a_staged_run_stale() {
    let world = staged().write_file("Web/Site/WEB01/files/notes.txt", "unmanaged");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_prerequisite_confirmed_for_the_staging_is_not_asked_again() {
    let question = "[[prerequisites]]\nconfirm = \"Is there a backup?\"\nid = \"backup\"\n";
    let world = small_world(&format!("{question}{UPDATE_PROVIDER}"));
    world
        .run(STAGE)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    world
        .run("stage small.toml --yes --confirm backup")
        .exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn damage_to_a_staged_file_is_found_before_anything_changes() {
    let world = staged();
    let staged = walkdir::WalkDir::new(world.run_directory("0001-KB100001").join("slots"));
    let file = staged
        .into_iter()
        .map(|entry| entry.expect("listed"))
        .find(|entry| entry.file_name() == "Provider.dll");
    std::fs::write(file.expect("a staged file").path(), "rot").expect("written");
    let ran = world.run(APPLY_SMALL).exits_with(74).tree_is_unchanged();
    ran.prints("is not as it was written");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
}
