//! `history` is a table of the runs, newest first; what does not fit goes below a row, and `history RUN`
//! has everything. On the widest screen text is at most 100 columns wide, and 40 columns are readable.

use std::process::Stdio;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Returns a world with two runs that touch the same paths.
fn two_runs() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run(&format!("{APPLY_SMALL} --reapply"))
        .exits_with(exit::OK);
    world
}

/// Returns what a command prints on a screen of so many columns.
fn on_screen(world: &World, columns: &str, arguments: &str) -> String {
    let output = world
        .command(arguments)
        .env("COLUMNS", columns)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn runs_are_a_table_with_the_newest_first() {
    let world = two_runs();
    let text = on_screen(&world, "120", "history");
    let lines: Vec<&str> = text.lines().collect();
    let heads: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(
        heads,
        ["run", "update", "state", "started", "by", "took", "undo"]
    );
    assert!(
        lines[1].starts_with("2 ") && lines[1].ends_with("yes"),
        "{text}"
    );
    assert!(lines[2].starts_with("1 "), "{text}");
    assert!(text.contains("no: later run 2 first"), "{text}");
    assert!(
        lines[1].contains(" UTC, ") && lines[1].contains(" ago"),
        "{text}"
    );
    world
        .run("history 1")
        .prints("cannot be undone: run 0002-KB")
        .prints("is later than 0001-KB");
}

#[test]
fn a_limit_lists_the_newest_runs() {
    let world = two_runs();
    world
        .run("history --limit 1")
        .exits_with(exit::OK)
        .prints("1 of 2 runs")
        .does_not_print("later run");
    let all = world.run("history --format json").json();
    let newest = world.run("history --limit 1 --format json").json();
    assert_eq!(
        [&all["runs"][0]["number"], &all["runs"][1]["number"]],
        [2, 1]
    );
    assert_eq!(newest["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(newest["runs"][0], all["runs"][0]);
    for wrong in ["history --limit 0", "history 1 --limit 1"] {
        world.run(wrong).exits_with(exit::USAGE);
    }
}

#[test]
fn on_a_narrow_screen_the_rest_of_a_row_is_below_it() {
    let world = two_runs();
    let text = on_screen(&world, "40", "history");
    assert!(
        text.lines().all(|line| line.chars().count() <= 40),
        "{text}"
    );
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("undo no: later run 2 first"), "{text}");
}

#[test]
fn text_is_at_most_100_columns_wide() {
    let world = small_world(UPDATE_PROVIDER);
    for arguments in [
        "plan small.toml",
        "plan small.toml --undo",
        "plan small.toml --tree",
    ] {
        let [wide, normal] = [300, 100].map(|columns| {
            let ran = world.at_screen(columns, arguments).exits_with(exit::OK);
            ran.stdout().to_owned()
        });
        assert_eq!(wide, normal);
    }
}

/// Returns the names of a tree in their order, without its first line and what is beside them.
fn names(tree: &str) -> Vec<String> {
    let names = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split("  ").next());
    names.map(str::to_owned).collect()
}

#[test]
fn a_tree_has_the_order_of_the_console_everywhere() {
    let world = World::with_deployment();
    let planned = on_screen(&world, "400", "plan kb952076.toml --tree");
    let tree = names(&on_screen(&world, "400", "tree"));
    let planned = names(&planned);
    assert_eq!(tree[..planned.len()], planned);
    assert!(
        planned.contains(&"MPF Core Namespaces".to_owned()),
        "{planned:?}"
    );
}

#[test]
fn no_command_breaks_a_word_on_a_narrow_screen() {
    let world = two_runs();
    for arguments in [
        "status",
        "history",
        "history 1",
        "tree",
        "tree --by server",
        "verify",
    ] {
        let ran = world.at_screen(40, arguments).exits_with(exit::OK);
        for line in ran.stdout().lines() {
            // Only a word or a command that is too long for the screen is longer.
            let line = line.trim();
            let is_one = !line.contains(' ') || line.contains('`');
            let fits = line.chars().count() <= 40;
            assert!(fits || is_one, "`{arguments}` prints `{line}`");
        }
    }
}
