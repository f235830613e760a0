//! Near misses on the command line: a file or directory of another kind is named as what it is, with
//! the command that takes it.

use std::fs;
use std::sync::OnceLock;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const ARTICLE: &str = include_str!("../../fixtures/articles/tessaly-billing.txt");

/// Returns a world with an applied rollup, and files of every kind.
fn world() -> World {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(|| {
        let world = small_world(UPDATE_PROVIDER).write_file("../article.txt", ARTICLE);
        for arguments in [
            "plan small.toml --save plan.json",
            "plan small.toml --format html -o plan.html",
            APPLY_SMALL,
        ] {
            world.run(arguments).exits_with(exit::OK);
        }
        fs::create_dir(world.at("many")).expect("made");
        fs::create_dir_all(world.at("site/hmc40")).expect("made");
        let description = world.live("deployment.toml");
        fs::copy(description, world.at("site/hmc40/deployment.toml")).expect("copied");
        fs::copy(world.at("small.toml"), world.at("many/small.toml")).expect("copied");
        world
    });
    world.copy()
}

/// Asserts what each command answers: its exit code, its reason, and what to type next.
#[track_caller]
fn assert_answers(cases: &[(&str, i32, &str, &str)]) {
    let world = world();
    for (arguments, code, reason, next) in cases {
        world
            .run(arguments)
            .exits_with(*code)
            .prints(reason)
            .prints(&format!("next: {next}"))
            .tree_is_unchanged();
    }
}

#[test]
fn a_file_in_place_of_a_manifest_is_named_as_what_it_is() {
    assert_answers(&[
        (
            "plan article.txt",
            exit::INVALID,
            "`article.txt` is an article; it is not a manifest",
            "`rollup import article.txt -o FILE` drafts a manifest from it",
        ),
        (
            "apply plan.html",
            exit::INVALID,
            "`plan.html` is a page that rollup made; it is not a manifest",
            "name the manifest, or a plan that `rollup plan MANIFEST",
        ),
        (
            "pin plan.json",
            exit::INVALID,
            "`plan.json` is a saved plan; it is not a manifest",
            "name the manifest that it was made from; `rollup show plan.json` prints it",
        ),
        (
            "rehearse plan.json --lab lab",
            exit::INVALID,
            "`plan.json` is a saved plan; it is not a manifest",
            "name the manifest that it was made from",
        ),
        (
            "plan KB100001/Provider.msi",
            exit::INVALID,
            "`KB100001/Provider.msi` is a compound file, such as a Windows Installer package; it is not a manifest",
            "`rollup inspect KB100001/Provider.msi` prints what is in it",
        ),
        (
            "plan deployment/applied/KB100001.toml",
            exit::INVALID,
            "`deployment/applied/KB100001.toml` is a record of rollup; it is not a manifest",
            "name the manifest of the rollup",
        ),
        (
            "plan deployment/.rollup/runs/0001-KB100001/journal",
            exit::INVALID,
            "is the journal of a run; it is not a manifest",
            "`rollup history -d deployment` prints what is recorded of the runs",
        ),
        (
            "plan deployment/.rollup/runs/0001-KB100001/events.ndjson",
            exit::INVALID,
            "is the log of a run; it is not a manifest",
            "`rollup report last -d deployment` makes a report of it",
        ),
    ]);
}

#[test]
fn validate_names_a_file_of_another_kind_by_one_finding() {
    let world = world();
    for (file, what) in [
        ("article.txt", "an article"),
        ("plan.html", "a page that rollup made"),
        ("plan.json", "a saved plan"),
        ("KB100001/Provider.msi", "a compound file"),
        ("deployment/applied/KB100001.toml", "a record of rollup"),
    ] {
        world
            .run(&format!("validate {file}"))
            .exits_with(exit::INVALID)
            .prints(&format!("error[RU0009]: the document is {what}"))
            .prints("1 file: 1 error, 0 warnings, 0 notes");
    }
    world
        .run("validate deployment")
        .exits_with(exit::OK)
        .prints("1 file: 0 errors");
}

#[test]
fn a_directory_in_place_of_a_file_is_named_as_what_it_is() {
    assert_answers(&[
        (
            "plan many",
            exit::NO_INPUT,
            "`many` is not a file",
            "name a manifest in it, such as `many/small.toml`",
        ),
        (
            "plan KB100001",
            exit::NO_INPUT,
            "`KB100001` is not a file",
            "name the manifest; `-p KB100001` names the payload",
        ),
        (
            "plan site/",
            exit::NO_INPUT,
            "`site/` is not a file",
            "name a file; `-d site/hmc40` names the deployment in it",
        ),
        (
            "pin deployment/Things",
            exit::NO_INPUT,
            "`deployment/Things` is not a file",
            "name the file",
        ),
        (
            "plan deployment",
            exit::USAGE,
            "`deployment` is the directory of a deployment",
            "`-d deployment` names it; name a manifest, too",
        ),
        (
            "undo deployment",
            exit::USAGE,
            "`deployment` is the directory of a deployment",
            "`-d deployment` names it",
        ),
        (
            "rehearse deployment",
            exit::USAGE,
            "`deployment` is the directory of a deployment",
            "`-d deployment` names it; name a manifest, too",
        ),
    ]);
}

#[test]
fn a_name_without_a_file_finds_the_file_that_is_meant() {
    assert_answers(&[
        (
            "plan small",
            exit::NO_INPUT,
            "there is no file `small`",
            "did you mean `small.toml`?",
        ),
        (
            "validate smal.toml",
            exit::NO_INPUT,
            "there is no file `smal.toml`",
            "did you mean `small.toml`?",
        ),
        (
            "plan many/Small.TOML",
            exit::NO_INPUT,
            "there is no file `many/Small.TOML`",
            "did you mean `many/small.toml`?",
        ),
        (
            "plan 12",
            exit::NO_INPUT,
            "there is no file `12`",
            "name the manifest of the rollup, which is a file; `rollup history -d deployment` lists the runs",
        ),
        (
            "plan KB100009",
            exit::NO_INPUT,
            "there is no file `KB100009`",
            "name the manifest of the rollup, which is a file; `rollup history -d deployment` lists the runs",
        ),
        (
            "plan elsewhere/x.toml",
            exit::NO_INPUT,
            "there is no file `elsewhere/x.toml`",
            "check the path",
        ),
    ]);
}

#[test]
fn a_file_in_place_of_a_run_finds_the_runs_of_its_rollup() {
    assert_answers(&[
        (
            "undo small.toml",
            exit::USAGE,
            "`small.toml` is a manifest, and this command takes a run",
            "name the run by its rollup: `KB100001`",
        ),
        (
            "report plan.json",
            exit::USAGE,
            "`plan.json` is a saved plan, and this command takes a run",
            "name the run by its rollup: `KB100001`",
        ),
        (
            "history article.txt",
            exit::USAGE,
            "`article.txt` is a file, and this command takes a run",
            "name a run by its number, its rollup, or `last`; known: 0001-KB100001",
        ),
    ]);
}

#[test]
fn a_deployment_behind_a_command_without_a_path_is_one_for_d() {
    let world = world();
    for command in ["status", "tree", "verify", "resume", "prune --keep 1"] {
        let ran = world
            .run(&format!("{command} deployment"))
            .exits_with(exit::USAGE);
        ran.prints("unexpected argument 'deployment' found")
            .prints("next: `-d deployment` names the deployment")
            .nothing_was_touched();
    }
    world
        .run("status small.toml")
        .exits_with(exit::USAGE)
        .does_not_print("next:");
}
