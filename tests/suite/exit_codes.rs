//! The table of commands and exit codes in `docs/exit-codes.md`: each command ends with each of its
//! codes in some test, and with no other.
//!
//! The tests of this file run the commands against the causes that many of them share. The others are
//! met all over the suite; the comparison of the whole table needs the notes of a run of all tests.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{CommandRun, World, exit};

/// Commands that read the records of runs.
const READERS: &[&str] = &[
    "plan small.toml",
    "apply small.toml --yes",
    "stage small.toml --yes",
    "resume --yes",
    "undo --yes",
    "ack --yes",
    "status",
    "history",
    "tree",
    "verify",
    "prune --keep 0 --yes",
];

/// Commands that change a deployment, without `--yes`.
const WRITERS: &[&str] = &[
    "apply small.toml",
    "stage small.toml",
    "resume",
    "undo",
    "ack",
    "accept --reason x",
    "prune --keep 0",
];

/// Commands that read a document, with the place of its path.
const OF_DOCUMENTS: &[&str] = &[
    "plan PATH",
    "apply PATH --yes",
    "stage PATH --yes",
    "show PATH",
    "validate PATH",
    "diff PATH PATH",
    "inspect PATH",
    "pin PATH",
    "import PATH",
    "rehearse PATH --lab lab",
];

fn world() -> World {
    small_world(UPDATE_PROVIDER)
}

/// Runs `rollup` with its standard output on a full disk.
fn run_on_full_disk<'w>(world: &'w World, arguments: &str) -> CommandRun<'w> {
    let full = File::options().write(true).open("/dev/full");
    world.run_with_output(arguments, Stdio::from(full.expect("a full device")))
}

#[test]
fn every_command_refuses_an_unknown_option() {
    let world = world();
    let program = rollup::cli::command();
    for command in program.get_subcommands() {
        let arguments = format!("{} --frobnicate", command.get_name());
        world
            .run(&arguments)
            .exits_with(exit::USAGE)
            .nothing_was_touched();
    }
}

#[test]
fn a_path_that_does_not_exist_is_no_input() {
    let world = world();
    for command in OF_DOCUMENTS {
        let arguments = command.replace("PATH", "nowhere.toml");
        world.run(&arguments).exits_with(exit::NO_INPUT);
    }
    let of_deployments = READERS
        .iter()
        .chain(&["accept --reason x --yes", "report last"]);
    for command in of_deployments {
        let arguments = format!("{command} -d nowhere");
        world.run(&arguments).exits_with(exit::NO_INPUT);
    }
}

#[test]
fn a_document_with_errors_is_invalid() {
    let world =
        world().with(|world| fs::write(world.at("bad.toml"), "schema = 1\n").expect("written"));
    for command in OF_DOCUMENTS {
        let arguments = command.replace("PATH", "bad.toml");
        world.run(&arguments).exits_with(exit::INVALID);
    }
}

#[test]
fn records_of_a_later_version_are_invalid() {
    let world = world();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file(".rollup/format", "99\n");
    for command in READERS
        .iter()
        .chain(&["accept --reason x --yes", "report last"])
    {
        world
            .run(command)
            .exits_with(exit::INVALID)
            .nothing_was_touched();
    }
}

#[test]
fn lost_records_need_attention() {
    let world = world();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.rename(".rollup/runs", "elsewhere");
    for command in READERS {
        world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged();
    }
}

#[test]
fn a_command_that_writes_waits_for_no_other() {
    let world = world();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let _lock = LockedDeployment::lock(tree, "test", Duration::ZERO).expect("the lock is free");
    for command in WRITERS {
        let arguments = format!("{command} --yes");
        world.run(&arguments).exits_with(exit::LOCKED);
    }
}

#[test]
fn an_answer_of_no_changes_nothing() {
    let world = world();
    for command in ["apply small.toml", "stage small.toml"] {
        world
            .at_terminal(command, "n\n")
            .exits_with(exit::INTERRUPTED)
            .tree_is_unchanged();
    }
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    for command in ["resume", "undo", "accept --reason x"] {
        world
            .at_terminal(command, "n\n")
            .exits_with(exit::INTERRUPTED)
            .tree_is_unchanged();
    }
    world.run("undo --yes").exits_with(exit::OK);
    world
        .at_terminal("prune --keep 0", "n\n")
        .exits_with(exit::INTERRUPTED)
        .tree_is_unchanged();
}

#[test]
fn output_on_a_full_disk_is_an_error_of_the_commands_that_only_print() {
    let world = world();
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("explain").exits_with(exit::OK);
    fs::copy(world.at("KB100001/Provider.msi"), world.at("Provider.msi")).expect("copied");
    for command in [
        "plan small.toml --reapply",
        "show plan.json",
        "history",
        "report last",
        "tree",
        "validate small.toml",
        "diff small.toml small.toml",
        "inspect Provider.msi",
        "explain",
        "init manifest",
        "schema manifest",
        "completions bash",
        "man",
        "status --format json",
        "verify --format json",
        "prune --keep 0 --dry-run --format json",
    ] {
        run_on_full_disk(&world, command).exits_with(exit::IO);
    }
}

#[test]
fn a_rollup_for_another_product_is_not_applicable() {
    let world = world().edit(
        "small.toml",
        "product_versions = [\"1.0\"]",
        "product_versions = [\"2.0\"]",
    );
    for command in [
        "plan small.toml",
        "apply small.toml --yes",
        "stage small.toml --yes",
    ] {
        world
            .run(command)
            .exits_with(exit::NOT_APPLICABLE)
            .nothing_was_touched();
    }
}

#[test]
fn a_payload_without_its_files_is_a_mismatch() {
    let world = world();
    fs::remove_file(world.at("KB100001/Provider.msi")).expect("removed");
    for command in [
        "plan small.toml",
        "apply small.toml --yes",
        "stage small.toml --yes",
        "pin small.toml",
    ] {
        world
            .run(command)
            .exits_with(exit::MISMATCH)
            .tree_is_unchanged();
    }
}

#[test]
fn a_saved_plan_of_another_state_is_stale() {
    let world = world();
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let world = world.write_file("Share/Provider.msi", "changed");
    for command in [
        "plan plan.json",
        "apply plan.json --yes",
        "stage plan.json --yes",
    ] {
        world
            .run(command)
            .exits_with(exit::STALE_PLAN)
            .tree_is_unchanged();
    }
}

#[test]
fn an_open_run_is_in_the_way() {
    let world = world().manifest("other", &crate::small::small("KB100002", UPDATE_PROVIDER));
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    for command in [
        "plan other.toml",
        "apply other.toml --yes",
        "stage other.toml --yes",
        "undo last --yes",
        "accept --applied KB100002 --reason x --yes",
        "rehearse other.toml -d deployment --lab lab",
    ] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .tree_is_unchanged();
    }
}

/// Commands, each with an exit code.
type Cells = BTreeSet<(String, i32)>;

/// Returns the commands and codes of the page, and those of which it says that no test of the program ends so.
fn cells_of_page() -> (Cells, Cells) {
    let page = include_str!("../../docs/exit-codes.md");
    let (_, table) = page
        .split_once("## Commands by code\n")
        .expect("the table of commands");
    let (table, _) = table.split_once("\n## ").unwrap_or((table, ""));
    let program = rollup::cli::command();
    let all: Vec<&str> = program
        .get_subcommands()
        .map(|command| command.get_name())
        .collect();
    let (mut met, mut not_met) = (BTreeSet::new(), BTreeSet::new());
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let mut columns = row.split('|').map(str::trim).skip(1);
        let Some(Ok(code)) = columns.next().map(str::parse::<i32>) else {
            continue;
        };
        let commands = columns.next().expect("the commands");
        for word in commands.split(", ") {
            let name = word.trim_matches(['`', '*']);
            let named: &[&str] = if name == "all" { &all } else { &[name] };
            for name in named.iter().filter(|name| **name != "none") {
                assert!(all.contains(name), "`{name}` is not a command");
                let cells = if word.ends_with('*') {
                    &mut not_met
                } else {
                    &mut met
                };
                cells.insert(((*name).to_owned(), code));
            }
        }
    }
    (met, not_met)
}

#[test]
fn the_table_has_every_code_and_every_command() {
    let (met, not_met) = cells_of_page();
    let cells = met.union(&not_met);
    let codes: BTreeSet<i32> = cells.map(|(_, code)| *code).collect();
    assert!(codes.contains(&exit::OK) && codes.contains(&exit::INTERRUPTED) && codes.len() > 13);
    assert!(met.is_disjoint(&not_met));
}

#[test]
#[ignore = "needs ROLLUP_CELLS, the notes of a run of all other tests"]
fn each_command_ends_with_its_codes_and_no_other() {
    let notes = std::env::var_os("ROLLUP_CELLS").expect("ROLLUP_CELLS names the notes");
    let notes = fs::read_to_string(notes).expect("notes");
    let program = rollup::cli::command();
    let noted: Cells = notes
        .lines()
        .filter_map(|line| {
            let (command, code) = line.split_once(' ')?;
            let command = program.find_subcommand(command)?.get_name().to_owned();
            Some((command, code.parse().ok()?))
        })
        .collect();
    let (met, not_met) = cells_of_page();
    let missing: Vec<_> = met.difference(&noted).collect();
    let all: Cells = met.union(&not_met).cloned().collect();
    let unexpected: Vec<_> = noted.difference(&all).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "in the table, and met by no test: {missing:?}; met, and not in the table: {unexpected:?}"
    );
}
