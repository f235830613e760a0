//! What was asked for outlives the process: `resume` and `undo` follow the options of the command that
//! died.

use std::fs;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Kills a command at the first change of the disk after which the status has these words.
fn left_by(command: &str, words: &str, begun: World) -> World {
    let world = begun;
    let killed = |world: &World, change: u64| {
        let ran = world
            .command(&format!("{command} --die-at-change {change}"))
            .output();
        String::from_utf8_lossy(&ran.expect("it runs").stderr).into_owned()
    };
    let counted = killed(&world.copy(), u64::MAX);
    let mut counted = counted.lines().rev();
    let count = counted.find_map(|line| line.strip_prefix("changes of the disk: ")?.parse().ok());
    for change in 1..count.expect("the changes are counted") {
        let world = world.copy();
        killed(&world, change);
        if world.run("status").stdout().contains(words) {
            return world;
        }
    }
    panic!("`{command}` never leaves a state with `{words}`")
}

#[test]
fn resume_of_a_staged_run_makes_the_backup_first() {
    let command = "apply small.toml --yes --backup-dir backup";
    let world = left_by(
        command,
        "staged and not begun",
        small_world(UPDATE_PROVIDER)
            .with(|world| fs::create_dir(world.at("backup")).expect("made")),
    );
    let before = fs::read(world.live("Share/Provider.msi")).expect("an installer");
    // Events are written beside the commit, so the command that died may have made a backup, or not.
    let _ = fs::remove_dir_all(world.at("backup/0001-KB100001"));
    // The directory of the backups is known wherever the command is typed.
    world.run("resume --yes").exits_with(exit::OK);
    let copy = world.at("backup/0001-KB100001/Share/Provider.msi");
    assert_eq!(fs::read(copy).expect("it was backed up"), before);
}

#[test]
fn resume_stops_before_the_step_that_apply_was_to_stop_before() {
    let command = "apply small.toml --yes --stop-before install";
    let world = left_by(
        command,
        "1 of 3 operations done",
        small_world(UPDATE_PROVIDER),
    );
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .prints("before step `install`, as requested");
    world.run("resume --yes").exits_with(exit::OK);
}

#[test]
fn an_undo_that_discards_changes_goes_on_to_do_so() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let applied = small_world(UPDATE_PROVIDER);
    applied.run(APPLY_SMALL).exits_with(exit::OK);
    let world = left_by(
        "undo last --yes --discard-changes",
        "unfinished, rolling back",
        applied.write_file("Share/Provider.msi", "a hotfix"),
    );
    world.run("undo --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}
