//! Progress of a run: a line for each finished operation without a terminal, a bar on one, and neither
//! with `--progress none`. The signs and words of an undo are the same wherever it is described.

use std::process::Stdio;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Line of the first operation.
const FIRST: &str = "- uninstalled Provider";

#[test]
fn without_a_terminal_each_finished_operation_is_a_line() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("committing step remove")
        .prints(FIRST)
        .prints("~ replaced Provider.msi")
        .prints("+ installed Provider");
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints("- removed Provider")
        .prints("~ restored Provider.msi")
        .prints("+ restored Provider");
}

#[test]
fn progress_none_prints_the_result_only() {
    let world = small_world(UPDATE_PROVIDER);
    let arguments = format!("{APPLY_SMALL} --progress none");
    let ran = world.run(&arguments).exits_with(exit::OK);
    let ran = ran.prints("the result matches the plan");
    for progress in ["staging", "committing", "step ", FIRST] {
        assert!(!ran.stderr().contains(progress), "{}", ran.stderr());
    }
}

#[test]
fn a_terminal_has_lines_of_operations_only_with_progress_plain() {
    let arguments = format!("{APPLY_SMALL} --progress plain");
    let world = small_world(UPDATE_PROVIDER);
    world
        .copy()
        .at_terminal(&arguments, "")
        .exits_with(exit::OK)
        .prints(FIRST);
    world
        .at_terminal(APPLY_SMALL, "")
        .exits_with(exit::OK)
        .prints("committing")
        .does_not_print(FIRST);
}

#[test]
fn progress_is_an_option_before_and_after_the_command() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("--progress plain verify")
        .exits_with(exit::OK)
        .prints("everything matches");
    world
        .run("verify --progress some")
        .exits_with(exit::USAGE)
        .prints("auto, plain, none");
}

/// Returns the signs and words at the beginning of lines, in order, with `restored` as `restore`.
fn signs_and_words(text: &str) -> Vec<(String, String)> {
    let operations = text.lines().filter_map(|line| {
        let (sign, rest) = line.trim_start().split_once(' ')?;
        let word = rest.split_whitespace().next()?;
        let word = match word.strip_suffix('d') {
            Some(verb @ ("remove" | "restore")) => verb,
            _ => word,
        };
        let is_operation = ["+", "-", "~", "!"].contains(&sign);
        is_operation.then(|| (sign.to_owned(), word.to_owned()))
    });
    operations.collect()
}

#[test]
fn an_undo_has_the_same_signs_and_words_in_preview_list_and_progress() {
    let world = small_world(UPDATE_PROVIDER);
    let preview = world.run("plan small.toml --undo").exits_with(exit::OK);
    let preview = signs_and_words(preview.stdout());
    assert!(preview.len() > 2, "{preview:?}");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let undone = world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(signs_and_words(undone.stdout()), preview);
    assert_eq!(signs_and_words(undone.stderr()), preview);
}

/// Returns what a command prints in colour.
fn coloured(world: &World, arguments: &str) -> String {
    let output = world
        .command(arguments)
        .env_remove("NO_COLOR")
        .env("CLICOLOR_FORCE", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn signs_have_the_colours_of_a_diff() {
    let world = small_world(UPDATE_PROVIDER);
    let (green, red, yellow) = (
        "\u{1b}[32m+\u{1b}[0m",
        "\u{1b}[31m-\u{1b}[0m",
        "\u{1b}[33m~\u{1b}[0m",
    );
    for arguments in ["plan small.toml", APPLY_SMALL, "undo last --yes"] {
        let text = coloured(&world, arguments);
        for sign in [green, red, yellow] {
            assert!(text.contains(&format!("{sign} ")), "{arguments}: {text:?}");
        }
    }
}
