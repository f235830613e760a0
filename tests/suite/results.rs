//! With `--format json`, commands that work on runs print one document to standard output, at their end;
//! what is text otherwise goes to standard error.

use std::fs;

use serde_json::Value;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Runs a command for its document, which is all of its standard output.
#[track_caller]
fn document_of(world: &World, arguments: &str, code: i32) -> Value {
    let ran = world.run(&format!("{arguments} --format json"));
    let ran = ran.exits_with(code);
    serde_json::from_str(ran.stdout())
        .unwrap_or_else(|error| panic!("{error}\n{}", ran.description()))
}

/// Checks the document of a command that had nothing to do.
#[track_caller]
fn check_nothing(document: &Value, why: &str) {
    let keys = ["outcome", "changed", "why"].map(|key| document[key].clone());
    let expected: [Value; 3] = ["nothing".into(), false.into(), why.into()];
    assert_eq!(keys, expected, "{document}");
}

/// Checks the keys of a document: outcome, change, run, and the sentence about it.
#[track_caller]
fn check(document: &Value, outcome: &str, changed: bool, run: &str, summary: &str) {
    let keys = ["outcome", "changed", "run", "summary"].map(|key| document[key].clone());
    let expected: [Value; 4] = [outcome.into(), changed.into(), run.into(), summary.into()];
    assert_eq!(keys, expected, "{document}");
}

const RUN: &str = "0001-KB100001";

#[test]
fn apply_and_undo_print_their_run() {
    let world = small_world(UPDATE_PROVIDER);
    let applied = document_of(&world, APPLY_SMALL, exit::OK);
    let summary = "applied KB100001 as run 0001-KB100001";
    check(&applied, "ok", true, RUN, summary);
    let again = document_of(&world, APPLY_SMALL, exit::OK);
    let why = "KB100001 revision 1.0 is applied, and nothing has changed since";
    check_nothing(&again, why);
    let undone = document_of(&world, "undo last --yes", exit::OK);
    let summary = "run 0001-KB100001 is undone: the deployment is as it was before";
    check(&undone, "ok", true, RUN, summary);
    let again = document_of(&world, "undo 1 --yes", exit::OK);
    check_nothing(&again, "run 0001-KB100001 is already undone");
}

#[test]
fn a_staged_run_changes_nothing_until_it_is_resumed() {
    let world = small_world(UPDATE_PROVIDER);
    let staged = document_of(&world, "stage small.toml --yes", exit::OK);
    let summary = "staged as run 0001-KB100001; the deployment is unchanged";
    check(&staged, "ok", false, RUN, summary);
    let again = document_of(&world, "stage small.toml --yes", exit::OK);
    check_nothing(&again, "run 0001-KB100001 is already staged with this plan");
    let discarded = document_of(&world, "undo --yes", exit::OK);
    let summary = "run 0001-KB100001 is discarded; the deployment is unchanged";
    check(&discarded, "ok", false, RUN, summary);
    document_of(&world, "stage small.toml --yes", exit::OK);
    let resumed = document_of(&world, "resume --yes", exit::OK);
    check(&resumed, "ok", true, RUN, "run 0001-KB100001 is finished");
    let again = document_of(&world, "resume --yes", exit::OK);
    check_nothing(&again, "no run in progress");
}

#[test]
fn a_failure_is_one_document_too() {
    let world = small_world(UPDATE_PROVIDER);
    fs::remove_dir_all(world.at("KB100001")).expect("removed");
    let failed = document_of(&world, APPLY_SMALL, exit::USAGE);
    assert_eq!(failed["changed"], false, "{failed}");
    assert!(
        failed["reasons"].is_array() && failed["now"].is_string(),
        "{failed}"
    );
}

#[test]
fn the_text_goes_to_standard_error() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world.run(&format!("{APPLY_SMALL} --format json"));
    let ran = ran.exits_with(exit::OK);
    let line = "the result matches the plan";
    assert!(ran.stderr().contains(line), "{}", ran.description());
    assert!(!ran.stdout().contains(line), "{}", ran.description());
}

#[test]
fn a_dry_run_prints_the_plan() {
    let world = small_world(UPDATE_PROVIDER);
    let plan = document_of(&world, &format!("{APPLY_SMALL} --dry-run"), exit::OK);
    assert!(plan["digest"].is_string(), "{plan}");
    assert_eq!(plan["changed"], false, "{plan}");
    world.run("status").exits_with(exit::OK);
}
