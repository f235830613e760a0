//! Options that every command has, what a program reads of commands that write, and dry runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::temporary::temporary;
use crate::transcripts::program;
use crate::world::{World, exit};

fn world() -> World {
    small_world(UPDATE_PROVIDER)
}

/// Returns a world with a run that stopped before its last step.
fn stopped() -> World {
    let world = world();
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    world
}

#[test]
fn a_command_that_writes_prints_one_document_about_its_run() {
    let world = world();
    let state = |arguments: &str| {
        let ran = world.run(arguments).exits_with(exit::OK);
        let document = ran.json();
        assert_eq!(document["outcome"], "ok", "{document}");
        (
            document["run"]["run"].as_str().map(str::to_owned),
            document["run"]["state"].as_str().map(str::to_owned),
            document["changed"].as_bool(),
        )
    };
    let of = |state: &str, changed| {
        let name = "0001-KB100001".to_owned();
        (Some(name), Some(state.to_owned()), Some(changed))
    };
    assert_eq!(state("stage small.toml --yes --json"), of("staged", false));
    assert_eq!(state("resume --yes --json"), of("applied", true));
    assert_eq!(state("undo last --yes --json"), of("undone", true));
    let ran = world.run("undo 1 --yes --json").exits_with(exit::OK);
    let document = ran.json();
    assert_eq!(
        (&document["outcome"], &document["changed"]),
        (&"nothing".into(), &false.into())
    );
    assert!(document["run"].is_null(), "{document}");
    assert!(ran.stderr().contains("already undone"), "{}", ran.stderr());
}

#[test]
fn what_people_read_goes_to_standard_error_beside_a_document() {
    let world = world();
    let ran = world
        .run(&format!("{APPLY_SMALL} --json"))
        .exits_with(exit::OK);
    assert_eq!(ran.json()["run"]["state"], "applied");
    assert!(
        ran.stderr().contains("the result matches the plan"),
        "{}",
        ran.stderr()
    );
    let again = world
        .run(&format!("{APPLY_SMALL} --json"))
        .exits_with(exit::OK);
    assert!(again.json()["why"].is_string(), "{}", again.stdout());
}

#[test]
fn a_failure_of_a_command_that_writes_is_a_document() {
    let world = world();
    fs::remove_file(world.at("KB100001/Provider.msi")).expect("removed");
    let ran = world
        .run(&format!("{APPLY_SMALL} --json"))
        .exits_with(exit::MISMATCH);
    let document = ran.json();
    assert_eq!(document["outcome"], "mismatch");
    assert_eq!(document["now"], "this command changed nothing");
}

#[test]
fn an_accept_and_an_acknowledgement_print_documents() {
    let world = world();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file("Share/Provider.msi", "changed by hand");
    let preview = world
        .run("accept --reason x --dry-run --json")
        .exits_with(exit::OK);
    assert!(preview.json()["run"].is_null(), "{}", preview.stdout());
    preview.nothing_was_touched();
    let accepted = world
        .run("accept --reason x --yes --json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(accepted["run"]["number"], 2, "{accepted}");
    let nothing = world
        .run("accept --reason x -n --json")
        .exits_with(exit::OK);
    assert_eq!(nothing.json()["outcome"], "nothing");
    let nothing = world.run("ack --yes --json").exits_with(exit::OK);
    assert_eq!(nothing.json()["outcome"], "nothing");
}

#[test]
fn a_rehearsal_prints_the_document_of_its_last_run() {
    let world = world();
    let ran = world
        .run("rehearse small.toml -d deployment --lab lab --json")
        .exits_with(exit::OK);
    let document = ran.json();
    assert_eq!(document["run"]["state"], "applied", "{document}");
    let deployment = document["deployment"].as_str().expect("a path");
    assert!(deployment.ends_with("lab/deployment"), "{deployment}");
}

#[test]
fn dry_runs_of_a_recovery_print_what_it_would_do() {
    let world = stopped();
    for (command, preview) in [
        ("resume --dry-run", "it will be finished:"),
        ("undo -n", "it will be rolled back:"),
        (
            "accept --reason x -n",
            "it will be closed in its current state",
        ),
    ] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("run 0001-KB100001 is unfinished")
            .prints(preview)
            .prints("this was a dry run: nothing was changed")
            .nothing_was_touched();
        let document = world
            .run(&format!("{command} --json"))
            .exits_with(exit::OK)
            .json();
        assert_eq!(document["run"]["run"], "0001-KB100001", "{document}");
        assert_eq!(document["changed"], false, "{document}");
    }
    world.run("undo --yes").exits_with(exit::OK);
    for command in ["resume -n", "undo -n", "undo 1 -n"] {
        let ran = world.run(&format!("{command} --json")).exits_with(exit::OK);
        assert_eq!(ran.json()["outcome"], "nothing");
        ran.nothing_was_touched();
    }
}

#[test]
fn a_dry_run_ends_as_the_command_would() {
    let world = world();
    world.run("stage small.toml --yes").exits_with(exit::OK);
    world
        .run("undo -n")
        .exits_with(exit::OK)
        .prints("it will be discarded")
        .nothing_was_touched();
    world
        .run("resume -n")
        .exits_with(exit::OK)
        .nothing_was_touched();
    world.run("undo --yes").exits_with(exit::OK);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file("Share/Provider.msi", "changed by hand");
    let real = world.copy().run("undo last --yes").printed().1;
    world
        .run("undo last -n")
        .exits_with(real.expect("an exit code"))
        .nothing_was_touched();
    world.run("undo -n --from-slots").exits_with(exit::USAGE);
    world
        .run("undo last -n --discard-changes")
        .exits_with(exit::OK)
        .nothing_was_touched();
}

#[test]
fn a_dry_run_of_pin_prints_the_pins() {
    let world = World::with_deployment().without_pins();
    let before = fs::read_to_string(world.at("kb952076.toml")).expect("a manifest");
    let ran = world.run("pin kb952076.toml -n").exits_with(exit::OK);
    ran.prints("would pin 21 files in kb952076.toml")
        .prints("fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504")
        .prints("this was a dry run");
    assert_eq!(
        fs::read_to_string(world.at("kb952076.toml")).expect("a manifest"),
        before
    );
    let document = world
        .run("pin kb952076.toml --json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(document["files"].as_array().map(Vec::len), Some(21));
    let again = world
        .run("pin kb952076.toml --json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(again["outcome"], "nothing");
}

#[test]
fn json_is_an_option_of_commands_with_a_format_only() {
    let world = world();
    let document = world.run("status --json").exits_with(exit::OK).json();
    assert_eq!(document["outcome"], "ok");
    world
        .run("status --json --format text")
        .exits_with(exit::USAGE);
    world.run("schema plan --json").exits_with(exit::USAGE);
    let preview = world.run("apply small.toml -n --json").exits_with(exit::OK);
    assert!(preview.json()["digest"].is_string(), "{}", preview.stdout());
    preview.nothing_was_touched();
}

#[test]
fn quiet_prints_results_warnings_and_errors_only() {
    let world = world();
    let ran = world.run(&format!("{APPLY_SMALL} -q")).exits_with(exit::OK);
    // Warnings stay, such as that of a file system in memory.
    let messages = ran.stderr().lines();
    let others: Vec<&str> = messages
        .filter(|line| !line.starts_with("warning: "))
        .collect();
    assert_eq!(others, Vec::<&str>::new());
    ran.prints("the result matches the plan");
    let ran = world.run("undo 1 --yes -q --json").exits_with(exit::OK);
    assert_eq!(ran.stderr(), "");
    world
        .run("apply nowhere.toml -q")
        .exits_with(exit::NO_INPUT)
        .prints("error: ")
        .prints("next: ");
    world.run("status -q -v").exits_with(exit::USAGE);
}

#[test]
fn verbose_prints_reasons_and_every_operation() {
    let world = world();
    let reason = "the manifest uninstalls it";
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .does_not_print(reason);
    let why = world.run("plan small.toml --why").exits_with(exit::OK);
    let verbose = world.run("plan small.toml -v").exits_with(exit::OK);
    assert_eq!(why.stdout(), verbose.stdout());
    world
        .at_terminal(&format!("{APPLY_SMALL} -v"), "")
        .exits_with(exit::OK)
        .prints("- uninstalled Provider");
}

#[test]
fn no_input_asks_nothing_at_a_terminal() {
    let world = world();
    world
        .at_terminal("apply small.toml --no-input", "y\n")
        .exits_with(exit::USAGE)
        .prints("cannot prompt: `--no-input` was given")
        .prints("--yes` does it without asking")
        .tree_is_unchanged();
}

#[test]
fn color_is_chosen_on_the_command_line() {
    let world = world();
    let colored = world
        .run("plan small.toml --color always")
        .exits_with(exit::OK);
    assert!(colored.stdout().contains('\u{1b}'));
    let plain = world
        .run("plan small.toml --color never")
        .exits_with(exit::OK);
    assert!(!plain.stdout().contains('\u{1b}'));
    world
        .run("plan small.toml --color sometimes")
        .exits_with(exit::USAGE);
}

#[test]
fn the_program_alone_is_status_where_there_is_a_deployment() {
    let world = world();
    let alone = world.run("").exits_with(exit::OK);
    let status = world.run("status").exits_with(exit::OK);
    assert_eq!(alone.stdout(), status.stdout());
    let elsewhere = temporary();
    let output = program(elsewhere.path())
        .env_remove("ROLLUP_DEPLOYMENT")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(exit::USAGE));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: rollup"));
}

#[test]
fn the_version_has_what_a_report_of_a_defect_needs() {
    let world = world();
    let short = world.run("--version").exits_with(exit::OK);
    assert_eq!(
        short.stdout(),
        format!("rollup {}\n", env!("CARGO_PKG_VERSION"))
    );
    for arguments in ["--version --verbose", "-v -V"] {
        let verbose = world.run(arguments).exits_with(exit::OK);
        let heads: Vec<_> = verbose
            .stdout()
            .lines()
            .map(|line| line.split([':', ' ']).next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(heads, ["rollup", "commit", "target", "formats"]);
    }
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let world = world();
    for (shell, words) in [
        ("bash", "complete -F _rollup"),
        ("zsh", "#compdef rollup"),
        ("fish", "complete -c rollup"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        world
            .run(&format!("completions {shell}"))
            .exits_with(exit::OK)
            .prints(words)
            .prints("rehearse")
            .nothing_was_touched();
    }
    world
        .run("completions cmd")
        .exits_with(exit::USAGE)
        .prints("fish");
}

#[test]
fn bash_completes_commands_and_options() {
    let world = world();
    let script = world.run("completions bash").exits_with(exit::OK);
    let complete = |words: &str, at: usize| {
        let ask = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD={at}; _rollup rollup \"${{COMP_WORDS[{at}]}}\" \
             \"${{COMP_WORDS[{at}-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.stdout()
        );
        let output = Command::new("bash")
            .args(["-c", &ask])
            .output()
            .expect("bash");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(complete("rollup reh", 1), "rehearse\n");
    assert_eq!(complete("rollup apply --dry", 2), "--dry-run\n");
    assert_eq!(complete("rollup plan --format ht", 3), "html\n");
    assert_eq!(complete("rollup apply --ver", 2), "--verbose\n--version\n");
}

#[test]
fn hidden_options_are_not_completed() {
    let world = world();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        world
            .run(&format!("completions {shell}"))
            .exits_with(exit::OK)
            .prints("dry-run")
            .does_not_print("die-at-change")
            .does_not_print("manual-steps-done");
    }
}

#[test]
fn verbose_is_refused_where_it_prints_nothing_more() {
    let world = world();
    for arguments in ["explain 12 -v", "-v explain 12", "status --verbose"] {
        world
            .run(arguments)
            .exits_with(exit::USAGE)
            .prints("has nothing more to print for `--verbose`")
            .nothing_was_touched();
    }
    world
        .run("explain --help")
        .exits_with(exit::OK)
        .does_not_print("--verbose");
}

#[test]
fn man_writes_a_page_for_each_command() {
    let world = world();
    world.run("man").exits_with(exit::OK).prints(".TH rollup 1");
    let pages = world.at("pages");
    world
        .run("man pages")
        .exits_with(exit::NO_INPUT)
        .prints("mkdir -p pages");
    fs::create_dir(&pages).expect("made");
    world
        .run("man pages")
        .exits_with(exit::OK)
        .prints("pages to pages");
    let program = rollup::cli::command();
    for command in program.get_subcommands() {
        let page = pages.join(format!("rollup-{}.1", command.get_name()));
        let page = fs::read_to_string(page).expect("a page");
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    // Pages of a deployment's directory would be unmanaged files there.
    world
        .run("man deployment")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    fs::set_permissions(pages.join("rollup.1"), fs::Permissions::from_mode(0o644)).expect("set");
    world.run("man pages").exits_with(exit::OK);
}
