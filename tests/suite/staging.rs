//! The first half of a run, days before the second: nothing of the deployment changes, and the same
//! plan commits what lies staged.

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const STAGE: &str = "stage small.toml --yes";

fn staged() -> World {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world.run(STAGE).exits_with(exit::OK).tree_is_unchanged();
    ran.says("staged as run 0001-KB100001; nothing of the deployment has changed")
        .says("rollup apply small.toml -d deployment -p ./KB100001 commits it");
    world
}

#[test]
fn apply_commits_what_lies_staged() {
    let world = staged();
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched()
        .says("is staged and not begun");
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.says("run 0001-KB100001 lies staged with this plan")
        .does_not_say("staging run")
        .says("as previewed");
    assert!(!world.run_directory("0002-KB100001").exists());
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn the_result_is_that_of_a_whole_apply() {
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
fn resume_commits_it_too_and_needs_no_payload() {
    let world = staged();
    std::fs::remove_dir_all(world.at("KB100001")).expect("removed");
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn staging_the_same_twice_does_nothing() {
    let world = staged();
    world
        .run(STAGE)
        .exits_with(exit::OK)
        .says("nothing to do")
        .says("lies staged with this very plan");
    assert!(!world.run_directory("0002-KB100001").exists());
}

#[test]
fn undo_throws_it_away() {
    let world = staged();
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged()
        .says("thrown away");
    world.run("status").exits_with(exit::OK).says("at rest");
    assert!(!world.run_directory("0001-KB100001").exists());
}

#[test]
fn another_plan_is_refused_while_one_lies_staged() {
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
        ran.says("run 0001-KB100001 lies staged with another plan")
            .says("undo -d deployment` throws it away");
    }
    world.run("plan small.toml").exits_with(exit::OK);
}

#[test]
fn a_deployment_that_moved_underneath_is_named() {
    let record = "Servers/ENG01/Services/Engine.toml";
    let stop = "[[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"Engine\"\n\
                [[steps]]\nid = \"start\"\naction = \"start\"\nservice = \"Engine\"\n[payload]\nfiles = []\n";
    let world = small_world(stop);
    world.run(STAGE).exits_with(exit::OK);
    let world = world.put(
        record,
        "schema = 1\nrunning = true\nenabled = true\nstarts = 7\n",
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
    ran.says("run 0001-KB100001 lies staged, and is stale")
        .says(&format!("since it was staged `{record}` has"));
    let ran = world
        .run("resume --yes")
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
    ran.says(record).says("throws away what was staged");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn a_change_elsewhere_does_not_make_it_stale() {
    let world = staged().put("Web/Site/WEB01/files/his.txt", "his");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn what_was_confirmed_when_it_was_staged_is_not_asked_again() {
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
        .says("as previewed");
}

#[test]
fn damage_to_what_lies_staged_is_found_before_anything_changes() {
    let world = staged();
    let staged = walkdir::WalkDir::new(world.run_directory("0001-KB100001").join("slots"));
    let file = staged
        .into_iter()
        .map(|entry| entry.expect("listed"))
        .find(|entry| entry.file_name() == "Provider.dll");
    std::fs::write(file.expect("a staged file").path(), "rot").expect("written");
    let ran = world.run(APPLY_SMALL).exits_with(74).tree_is_unchanged();
    ran.says("was staged and is not what was written");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
}
