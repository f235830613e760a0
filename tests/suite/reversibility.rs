//! What a plan, a run and its undo state about the rollback: points of no return by the author, and
//! procedures whose effects elsewhere are not known.

use crate::small::{APPLY_SMALL, SMALL, TOOL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const INITIALIZE: &str = r#"
[[steps]]
id = "schema"
action = "initialize"
items."Things" = ["Initialize Things"]
"#;

const IRREVERSIBLE: &str = "irreversible = \"the schema stays\"\n";

/// Makes a world whose rollup runs a procedure that cannot be rolled back, then copies a file to two
/// servers.
fn marked() -> World {
    small_world(&format!("{INITIALIZE}{IRREVERSIBLE}{TOOL}"))
}

#[test]
fn a_plan_names_each_point_of_no_return_with_its_reason() {
    let world = marked();
    let why = "step `schema` (initialize Initialize Things): the schema stays";
    for form in ["", "--format markdown", "--format html"] {
        let ran = world
            .run(&format!("plan small.toml {form}"))
            .exits_with(exit::OK);
        let (text, _) = ran.printed();
        let text = text.replace("\\`", "`").replace("&#96;", "`");
        assert!(text.contains(why), "{form}: {text}");
        ran.does_not_print("everything can be rolled back");
    }
    world
        .run("plan small.toml --undo")
        .exits_with(exit::OK)
        .prints("stop point of no return: if this was done, the rollback ends here");
    let operation = &world.plan("small.toml")["steps"][0]["operations"][0];
    assert_eq!(operation["irreversible"], "the schema stays");
}

#[test]
fn items_and_procedures_are_marked_in_the_deployment() {
    let site = SMALL
        .replace(
            "needs = [\"controller\"] }",
            "needs = [\"controller\"], irreversible = \"it writes to the directory\" }",
        )
        .replace(
            "installer = \"Provider.msi\" }",
            "installer = \"Provider.msi\", irreversible = \"it upgrades the database\" }",
        );
    let world = World::with_site(&site).manifest(
        "small",
        &small("KB100001", &format!("{INITIALIZE}{UPDATE_PROVIDER}")),
    );
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints("step `schema` (initialize Initialize Things): it writes to the directory")
        .prints("step `install` (install Provider): it upgrades the database")
        .does_not_print("step `remove` (");
}

#[test]
fn only_actions_without_instructions_to_undo_them_are_marked() {
    let world = small_world(TOOL);
    for (id, action) in [("tool", "copy"), ("by-hand", "manual")] {
        let text = format!("[[steps]]\nid = \"{id}\"\naction = \"{action}\"\n{IRREVERSIBLE}");
        std::fs::write(world.at("other.toml"), small("KB100002", &text)).expect("written");
        world
            .run("validate other.toml")
            .exits_with(exit::INVALID)
            .prints(&format!("the action `{action}` has no key `irreversible`"));
    }
}

#[test]
fn a_run_is_not_rolled_back_behind_a_point_of_no_return() {
    let world = marked();
    let ran = world
        .run("rehearse small.toml -d deployment -p KB100001 --lab lab --inject-failure 3")
        .exits_with(exit::NEEDS_ATTENTION);
    ran.prints("error: step `tool`, operation 3 of 3 (copy Tool.txt on ENG02): cannot")
        .prints("error: step `schema` (initialize Initialize Things) cannot be rolled back: the schema stays")
        .prints("now: run 0001-KB100001 is unfinished, rolling back, 1 of 3 operations done");
    let ran = world
        .run("status -d lab/deployment")
        .exits_with(exit::STOPPED);
    ran.prints(
        "point of no return: step `schema` (initialize Initialize Things): the schema stays",
    )
    .prints("next: rollup resume -d lab/deployment --yes finishes it")
    .does_not_print("rollup undo");
    world
        .run("undo -d lab/deployment --yes")
        .exits_with(exit::NOT_READY)
        .prints("is done and cannot be rolled back: the schema stays");
    world
        .run("resume -d lab/deployment --yes")
        .exits_with(exit::OK)
        .prints("it cannot be undone");
}

#[test]
fn an_undo_ends_just_behind_a_point_of_no_return() {
    let payload = TOOL.find("[payload]").expect("there is a payload");
    let (tool, payload) = TOOL.split_at(payload);
    let manual = "[[steps]]\nid = \"note\"\naction = \"manual\"\ninstructions = \"Note it.\"\n";
    let world = small_world(&format!(
        "{INITIALIZE}{IRREVERSIBLE}{tool}{manual}{payload}"
    ));
    world
        .run("apply small.toml --yes")
        .exits_with(exit::STOPPED);
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints(
            "point of no return: step `schema` (initialize Initialize Things): the schema stays",
        )
        .prints("undo -d deployment --yes")
        .prints("rolls it back to behind the point of no return");
    let ran = world.run("undo --yes").exits_with(exit::NEEDS_ATTENTION);
    ran.prints(
        "the rollback ends behind step `schema` (initialize Initialize Things): the schema stays",
    )
    .prints("remove Tool.txt on ENG01")
    .does_not_print("remove Initialize Things");
    assert!(!world.live("Servers/ENG01/Files/Tools/Tool.txt").exists());
    world
        .run("undo --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged()
        .prints("is done and cannot be rolled back: the schema stays");
    world
        .run("resume --yes --done note")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    assert!(world.live("Servers/ENG01/Files/Tools/Tool.txt").exists());
}

#[test]
fn a_run_that_stops_before_a_point_of_no_return_is_undone() {
    let world = marked();
    world
        .run("apply small.toml --yes --stop-before schema")
        .exits_with(exit::STOPPED);
    let ran = world.run("undo --yes").exits_with(exit::OK);
    ran.prints("the deployment is as it was before")
        .does_not_print("changed elsewhere");
}

#[test]
fn a_finished_run_behind_a_point_of_no_return_cannot_be_undone() {
    let world = marked();
    let why = "step `schema` (initialize Initialize Things) is done and cannot be rolled back: the schema stays";
    world.run(APPLY_SMALL).exits_with(exit::OK).prints(why);
    world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged()
        .prints(why);
    world.run("history 1").exits_with(exit::OK).prints(why);
}

#[test]
fn of_an_unmarked_procedure_only_the_record_is_claimed_to_be_restored() {
    let world = small_world(&format!("{INITIALIZE}{TOOL}"));
    let words = "only the records of procedures can be restored, not what they changed elsewhere, which \
                 rollup does not know: Initialize Things";
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints(words)
        .does_not_print("everything can be rolled back");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("history 1").exits_with(exit::OK).prints(words);
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(history["runs"][0]["undoable"], true);
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints(words);
}

#[test]
fn without_procedures_everything_can_be_rolled_back() {
    small_world(UPDATE_PROVIDER)
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("undo: everything can be rolled back");
}
