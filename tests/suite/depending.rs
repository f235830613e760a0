//! Which runs can be undone, by the records of rollups and by what later runs touched.

use std::collections::BTreeSet;
use std::path::Path;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

/// Returns a rollup that copies a file of its own to the engines and restarts a service there.
pub(crate) fn tool(kb: &str, relations: &str) -> String {
    let steps = format!(
        "{relations}\n\
         [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"engine\"\nfiles = [\"{kb}.txt\"]\n\
         [[steps]]\nid = \"restart\"\naction = \"restart\"\nservice = \"Engine\"\n\
         [payload]\nfiles = [{{ name = \"{kb}.txt\" }}]\n"
    );
    small(kb, &steps)
}

/// Returns a world with these rollups applied one after the other, and the tree before the first.
fn applied(rollups: &[(&str, &str)]) -> (World, Listing) {
    let world = World::with_site(SMALL);
    let before = Listing::of(&world.deployment());
    let world = rollups.iter().fold(world, |world, (kb, relations)| {
        let world = world.manifest(kb, &tool(kb, relations));
        world
            .run(&format!("apply {kb}.toml --yes"))
            .exits_with(exit::OK);
        world
    });
    (world, before)
}

/// Returns what `history` says of each run, oldest first.
fn undoable(world: &World) -> Vec<bool> {
    let document = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    let runs = document["runs"].as_array().expect("runs").iter();
    runs.rev()
        .map(|run| run["undoable"].as_bool().expect("an answer"))
        .collect()
}

fn undo(world: &World, run: &str) {
    world
        .run(&format!("undo {run} --yes"))
        .exits_with(exit::OK)
        .prints("the deployment is as it was before");
}

#[test]
fn independent_rollups_are_undone_in_any_order() {
    for order in [["1", "2"], ["2", "1"]] {
        let (world, before) = applied(&[("KB100001", ""), ("KB100002", "")]);
        assert_eq!(undoable(&world), [true, true]);
        undo(&world, order[0]);
        world.run("verify").exits_with(exit::OK);
        undo(&world, order[1]);
        // No record, no service record and no directory that the runs made is left. A service record
        // that stayed for the other run has other times.
        before
            .without_times()
            .assert_same(&Listing::of(&world.deployment()).without_times());
    }
}

#[test]
fn an_empty_directory_that_was_there_before_a_run_stays() {
    let (world, _) = applied(&[("KB100001", "")]);
    let world = world
        .remove("Servers/ENG01/Files/Tools/KB100001.txt")
        .manifest("KB100002", &tool("KB100002", ""));
    world
        .run("accept --yes --reason 'not wanted'")
        .exits_with(exit::OK);
    let before = Listing::of(&world.deployment());
    world.run("apply KB100002.toml --yes").exits_with(exit::OK);
    undo(&world, "3");
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_service_record_that_both_runs_restarted_comes_back_with_the_last_undo() {
    let text = "schema = 1\nrunning = true\nenabled = true\n";
    let record = "Servers/ENG01/Services/Engine.toml";
    for (found, is_conflict) in [
        (Some(text), false),
        (
            Some("# by hand\nschema = 1\nrunning = true\nenabled = true\n"),
            true,
        ),
        (Some("schema = 1\nrunning = false\nenabled = true\n"), true),
        (None, false),
    ] {
        let world = World::with_site(SMALL)
            .manifest("KB100001", &tool("KB100001", ""))
            .manifest("KB100002", &tool("KB100002", ""))
            .remove("Servers/ENG01/Services");
        let world = match found {
            Some(text) => world.write_file(record, text),
            None => world,
        };
        let before = Listing::of(&world.deployment());
        world.run("apply KB100001.toml --yes").exits_with(exit::OK);
        world.run("apply KB100002.toml --yes").exits_with(exit::OK);
        assert_eq!(undoable(&world), [!is_conflict, true]);
        if is_conflict {
            world
                .run("undo 1 --yes")
                .exits_with(exit::NOT_READY)
                .prints(record)
                .tree_is_unchanged();
            undo(&world, "2");
            undo(&world, "1");
        } else {
            undo(&world, "1");
            assert_eq!(world.read(record), text);
            undo(&world, "2");
        }
        before
            .without_times()
            .assert_same(&Listing::of(&world.deployment()).without_times());
    }
}

#[test]
fn a_rollup_that_another_one_requires_is_undone_after_it() {
    let (world, before) = applied(&[("KB100001", ""), ("KB100002", "requires = [\"KB100001\"]")]);
    assert_eq!(undoable(&world), [false, true]);
    let ran = world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints("KB100002 requires KB100001")
        .prints("undo run 0002-KB100002 first");
    for command in ["history 1", "report 1"] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("KB100002 requires KB100001");
    }
    undo(&world, "2");
    undo(&world, "1");
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_requirement_that_another_rollup_meets_too_is_not_lost() {
    let (world, _) = applied(&[
        ("KB100001", ""),
        ("KB100002", "requires = [\"KB100001\"]"),
        ("KB100003", "includes = [\"KB100001\"]"),
    ]);
    // The newest run is needed by none as long as the first one is there, and the reverse.
    assert_eq!(undoable(&world), [true, true, true]);
    undo(&world, "1");
    assert_eq!(undoable(&world), [false, true, false]);
    let ran = world.run("undo 3 --yes").exits_with(exit::NOT_READY);
    ran.prints("KB100002 requires KB100001, which would be lost with KB100003");
}

#[test]
fn inclusion_is_transitive_over_the_records_and_its_loss_is_refused() {
    let (world, _) = applied(&[
        ("KB100002", "includes = [\"KB100001\"]"),
        ("KB100003", "includes = [\"KB100002\"]"),
        ("KB100004", "requires = [\"KB100001\"]"),
    ]);
    // Without the first record it is not known that the second rollup includes KB100001.
    let ran = world.run("undo 1 --yes").exits_with(exit::NOT_READY);
    ran.prints("KB100004 requires KB100001");
}

#[test]
fn no_undo_leads_to_runs_of_which_none_can_be_undone() {
    let (world, before) = applied(&[
        ("KB100001", ""),
        ("KB100002", "requires = [\"KB100001\"]"),
        (
            "KB100003",
            "includes = [\"KB100001\"]\nrequires = [\"KB100002\"]",
        ),
    ]);
    // Afterwards each of the other two would require what only the other one provides.
    assert_eq!(undoable(&world), [false, false, true]);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("without 0001-KB100001, run 0003-KB100003 could never be undone")
        .tree_is_unchanged();
    ["3", "2", "1"].iter().for_each(|run| undo(&world, run));
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_rollup_does_not_replace_what_another_one_requires() {
    let (world, _) = applied(&[("KB100001", ""), ("KB100002", "requires = [\"KB100001\"]")]);
    let world = world
        .manifest("third", &tool("KB100003", "replaces = [\"KB100001\"]"))
        .manifest(
            "fourth",
            &tool(
                "KB100004",
                "replaces = [\"KB100001\"]\nincludes = [\"KB100001\"]",
            ),
        );
    world
        .run("plan third.toml")
        .exits_with(exit::NOT_READY)
        .prints("KB100002 requires KB100001, and KB100003 replaces it");
    world.run("apply fourth.toml --yes").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("superseded: KB100001");
}

#[test]
fn a_requirement_can_name_a_revision() {
    let (world, _) = applied(&[("KB100001", "")]);
    let wants = |kb: &str, least: &str| tool(kb, &format!("requires = [\"KB100001 >= {least}\"]"));
    let world = world
        .manifest("second", &wants("KB100002", "1.1"))
        .manifest("third", &wants("KB100003", "1.0"));
    world
        .run("plan second.toml")
        .exits_with(exit::NOT_READY)
        .prints("KB100001 >= 1.1 is required, and KB100001 is applied in revision 1.0");
    world.run("plan third.toml").exits_with(exit::OK);
    // A record without a revision, and one that is listed only, could be any.
    let listed = "share = \"Share\"\napplied = [\"KB100009\"]";
    let world = world
        .edit("deployment/deployment.toml", "share = \"Share\"", listed)
        .manifest(
            "fourth",
            &tool("KB100004", "requires = [\"KB100009 >= 1.0\"]"),
        );
    world
        .run("plan fourth.toml")
        .exits_with(exit::NOT_READY)
        .prints("`deployment.toml` lists KB100009 without its revision");
}

#[test]
fn a_rollup_that_was_applied_by_hand_is_recorded_and_can_be_undone() {
    let (world, _) = applied(&[]);
    let world = world
        .manifest("needy", &tool("KB100002", "requires = [\"KB100001\"]"))
        .manifest("newer", &tool("KB100001", "[article]\nrevision = \"2.0\""));
    let before = Listing::of(&world.deployment());
    world.run("plan needy.toml").exits_with(exit::NOT_READY);
    let accept = "accept --applied KB100001 --yes --reason 'in May'";
    let ran = world.run(accept).exits_with(exit::OK);
    ran.prints("accepted as run 0001-accept: KB100001");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("applied: KB100001 (by hand)");
    world
        .run(accept)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world.run("apply needy.toml --yes").exits_with(exit::OK);
    assert_eq!(undoable(&world), [false, true]);
    // A manifest adds the revision, and is newer than a record without one.
    world
        .run("accept --applied newer.toml --yes --reason 'it was this one'")
        .exits_with(exit::OK);
    let record = world.read("applied/KB100001.toml");
    assert!(
        record.contains("revision = \"2.0\"") && record.contains("by_hand = true"),
        "{record}"
    );
    world
        .run("accept --applied newer.toml --yes --reason again")
        .exits_with(exit::OK)
        .prints("nothing to do");
    ["3", "2", "1"].iter().for_each(|run| undo(&world, run));
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_rollup_by_hand_that_breaks_a_requirement_is_not_recorded() {
    let (world, _) = applied(&[("KB100001", ""), ("KB100002", "requires = [\"KB100001\"]")]);
    let world = world.manifest("third", &tool("KB100003", "replaces = [\"KB100001\"]"));
    world
        .run("accept --applied third.toml --yes --reason x")
        .exits_with(exit::NOT_READY)
        .prints("KB100002 requires KB100001, and KB100003 replaces it")
        .tree_is_unchanged();
    world
        .run("accept Provider --applied KB100003 --yes --reason x")
        .exits_with(exit::USAGE);
    world
        .run("accept --applied none.toml --yes --reason x")
        .exits_with(exit::NO_INPUT)
        .tree_is_unchanged();
}

#[test]
fn kept_objects_are_looked_at_before_a_run_is_said_to_be_undoable() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let old = ".rollup/runs/0001-KB100001/slots/1/old/state.toml";
    let size = world.read(old).len();
    // Another size is seen by name, other contents only by their hash.
    let changed = world.copy().write_file(old, "x".repeat(size - 1));
    assert_eq!(undoable(&changed), [false]);
    changed
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("has another size")
        .tree_is_unchanged();
    world
        .run("verify --undo")
        .exits_with(exit::OK)
        .prints("the kept objects of 1 run are as they were moved there");
    let world = world.write_file(old, "x".repeat(size));
    assert_eq!(undoable(&world), [true]);
    world.run("verify").exits_with(exit::OK);
    world
        .run("verify --undo")
        .exits_with(exit::MISMATCH)
        .prints("slots/1/old/state.toml` has other contents");
}

#[test]
fn a_record_that_cannot_be_read_stops_a_plan_and_no_recovery() {
    for text in [
        "not TOML",
        "schema = 1\nkb = \"KB100009\"\n",
        "schema = 9\n",
    ] {
        let (world, _) = applied(&[("KB100001", "")]);
        let world = world
            .manifest("second", &tool("KB100002", ""))
            .write_file("applied/KB100001.toml", text);
        world
            .run("plan second.toml")
            .exits_with(exit::INVALID)
            .prints("applied/KB100001.toml` cannot be used");
        world.run("verify").exits_with(exit::MISMATCH);
        world.run("history").exits_with(exit::OK);
        world.run("undo 1 --yes").exits_with(exit::MISMATCH);
        world
            .run("undo 1 --yes --discard-changes")
            .exits_with(exit::OK);
        assert!(!world.live("applied").exists());
    }
    // Other files beside the records are none of rollup's business.
    let (world, _) = applied(&[("KB100001", "")]);
    let world = world.write_file("applied/notes.txt", "by hand");
    world.run("verify").exits_with(exit::OK);
    let ran = world.run("undo 1 --yes").exits_with(exit::OK);
    ran.prints("`applied` stays, which the run had made: it is not empty");
    assert!(Path::new(&world.live("applied/notes.txt")).exists());
}

#[test]
fn an_undo_does_not_bring_back_a_relation_that_breaks_a_requirement() {
    let (world, _) = applied(&[("KB100001", "replaces = [\"KB100002\"]")]);
    let newer = tool("KB100001", "[article]\nrevision = \"2.0\"");
    let world = world.manifest("newer", &newer);
    world.run("apply newer.toml --yes").exits_with(exit::OK);
    let world = [("KB100002", ""), ("KB100003", "requires = [\"KB100002\"]")]
        .iter()
        .fold(world, |world, (kb, relations)| {
            let world = world.manifest(kb, &tool(kb, relations));
            world
                .run(&format!("apply {kb}.toml --yes"))
                .exits_with(exit::OK);
            world
        });
    world
        .run("undo 2 --yes")
        .exits_with(exit::NOT_READY)
        .prints("KB100003 requires KB100002")
        .tree_is_unchanged();
    assert_eq!(undoable(&world), [false, false, false, true]);
}

#[test]
fn prune_announces_every_run_that_loses_its_way_back() {
    let (world, _) = applied(&[
        ("KB100001", ""),
        ("KB100002", "requires = [\"KB100001\"]"),
        ("KB100003", "includes = [\"KB100001\"]"),
    ]);
    undo(&world, "1");
    let document = world
        .run("prune --keep 1 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        document["no_longer_undoable"],
        serde_json::json!(["0002-KB100002", "0003-KB100003"])
    );
    assert_eq!(document["still_undoable"], serde_json::json!([]));
}

#[test]
fn an_irreversible_run_counts_when_the_way_back_of_others_is_looked_at() {
    let manual = "requires = [\"KB100001\"]\n[[steps]]\nid = \"hand\"\naction = \"manual\"\ninstructions = \"x\"\n\
                  [payload]\nfiles = []\n";
    let (world, _) = applied(&[("KB100001", "")]);
    let world = world
        .manifest("second", &small("KB100002", manual))
        .manifest("KB100003", &tool("KB100003", "includes = [\"KB100001\"]"));
    world
        .run("apply second.toml --yes")
        .exits_with(exit::STOPPED);
    world.run("resume --done hand --yes").exits_with(exit::OK);
    world.run("apply KB100003.toml --yes").exits_with(exit::OK);
    assert_eq!(undoable(&world), [false, false, true]);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("without 0001-KB100001, run 0003-KB100003 could never be undone");
}

#[test]
fn no_run_is_said_to_be_undoable_while_another_one_is_open() {
    let (world, _) = applied(&[("KB100001", "")]);
    let world = world.manifest("KB100002", &tool("KB100002", ""));
    world
        .run("apply KB100002.toml --yes --stop-before restart")
        .exits_with(exit::STOPPED);
    assert!(!undoable(&world)[0]);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("run 0002-KB100002 is unfinished");
}

#[test]
fn many_revisions_of_a_rollup_are_looked_at_quickly() {
    let (world, _) = applied(&[]);
    let world = (1..=18).fold(world, |world, revision| {
        let relations = format!("requires = []\n[article]\nrevision = \"{revision}.0\"");
        let name = format!("r{revision}");
        let world = world.manifest(&name, &tool("KB100001", &relations));
        world
            .run(&format!("apply {name}.toml --yes"))
            .exits_with(exit::OK);
        world
    });
    let document = world
        .run("prune --keep 1 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        document["no_longer_undoable"].as_array().map(Vec::len),
        Some(17)
    );
}

/// Undoes the remaining runs of a world in every order that is allowed, and adds the sets of runs
/// that were seen. Each refused undo names the run that it depends on, and each end is the tree
/// before the first run.
fn undo_in_every_order(
    world: &World,
    remaining: &BTreeSet<usize>,
    before: &Listing,
    seen: &mut BTreeSet<BTreeSet<usize>>,
) {
    if !seen.insert(remaining.clone()) {
        return;
    }
    if remaining.is_empty() {
        let after = Listing::of(&world.deployment());
        return before.assert_same(&after.without_times());
    }
    let answers = undoable(world);
    assert!(
        remaining.iter().any(|run| answers[run - 1]),
        "none of {remaining:?} can be undone"
    );
    for &run in remaining {
        let copy = world.copy();
        let ran = copy.run(&format!("undo {run} --yes"));
        if answers[run - 1] {
            ran.exits_with(exit::OK)
                .prints("the deployment is as it was before");
            copy.run("verify --undo").exits_with(exit::OK);
            let mut remaining = remaining.clone();
            remaining.remove(&run);
            undo_in_every_order(&copy, &remaining, before, seen);
        } else {
            let ran = ran.exits_with(exit::NOT_READY).tree_is_unchanged();
            let later = remaining.iter().filter(|other| **other != run);
            let named = later.map(|other| format!("undo run {other:04}-KB"));
            assert!(
                named.into_iter().any(|name| ran.output_contains(&name)),
                "run {run} of {remaining:?}: {}",
                ran.stderr()
            );
        }
    }
}

#[test]
fn five_rollups_of_two_product_lines_are_undone_in_every_order_that_is_allowed() {
    let update = |kb: &str, relations: &str| small(kb, &format!("{relations}\n{UPDATE_PROVIDER}"));
    for is_without_services in [false, true] {
        let world = World::with_site(SMALL);
        let world = match is_without_services {
            true => world.remove("Servers"),
            false => world,
        };
        let before = Listing::of(&world.deployment()).without_times();
        let rollups = [
            ("KB100001", tool("KB100001", "")),
            ("KB200001", update("KB200001", "")),
            ("KB100002", tool("KB100002", "requires = [\"KB100001\"]")),
            ("KB200002", update("KB200002", "requires = [\"KB200001\"]")),
            (
                "KB100003",
                tool(
                    "KB100003",
                    "includes = [\"KB100001\"]\nrequires = [\"KB200001\"]",
                ),
            ),
        ];
        let world = rollups.into_iter().fold(world, |world, (kb, manifest)| {
            let world = world.manifest(kb, &manifest);
            world
                .run(&format!("apply {kb}.toml --yes"))
                .exits_with(exit::OK);
            world
        });
        let mut seen = BTreeSet::new();
        undo_in_every_order(&world, &(1..=5).collect(), &before, &mut seen);
        assert!(seen.len() > 8, "only {} states: {seen:?}", seen.len());
    }
}
