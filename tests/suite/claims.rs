//! Claims that every command makes, checked whenever a test runs one: the `now:` line of a failure is
//! true of the tree, the commands of the `next:` lines can be typed as they are printed, and a JSON
//! document has its schema.
//!
//! With `ROLLUP_CELLS=FILE` each command that ended is noted in the file, with its exit code;
//! `exit_codes` compares the notes with the table of all commands and codes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::Value;

use crate::schemas::printed_schema;
use crate::world::{CommandRun, World, exit};

/// Words in advice that the reader replaces, with what the tests put in their place.
const PLACEHOLDERS: [(&str, &str); 6] = [
    ("TEXT", "repaired"),
    ("MANIFEST", "no-such-manifest.toml"),
    ("SECONDS", "1"),
    ("FILE", "advice.out"),
    ("DIR", "advice"),
    ("N", "1"),
];

/// Advice that was tried before: each kind is tried once in each run of the tests.
static TRIED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Checks the `now:` line and the `next:` lines of a command that has ended.
#[track_caller]
pub(crate) fn check(run: &CommandRun<'_>) {
    let (printed, code) = run.printed();
    let lines = |label: &str| -> Vec<String> {
        let labelled = printed.lines().filter_map(|line| line.strip_prefix(label));
        labelled.map(str::to_owned).collect()
    };
    let is_usage_of_clap = printed.contains("For more information, try");
    let has_failed = printed.lines().any(|line| line.starts_with("error: ")) && !is_usage_of_clap;
    let now = lines("now: ");
    let (_, arguments) = run.world_and_arguments();
    let command = arguments.split_whitespace().next().unwrap_or_default();
    note_cell(command, code);
    check_document(run, command);
    // `validate` reports each path that it cannot read, and goes on.
    if has_failed && command != "validate" && code.is_some() {
        assert_eq!(now.len(), 1, "one `now:` line\n{}", run.description());
    }
    for now in now {
        check_now(run, command, &now);
    }
    for advice in lines("next: ").iter().chain(&lines("  or: ")) {
        for typed in commands_in(advice) {
            check_command(run, &typed, code);
        }
    }
}

/// Notes how a command ended, if a file for the notes is named.
fn note_cell(command: &str, code: Option<i32>) {
    let (Some(notes), Some(code)) = (std::env::var_os("ROLLUP_CELLS"), code) else {
        return;
    };
    let file = File::options().append(true).create(true).open(notes);
    let mut file = file.expect("a file for the notes");
    file.write_all(format!("{command} {code}\n").as_bytes())
        .expect("noted");
}

/// Compares a JSON document on standard output with the schema that the program prints for it.
#[track_caller]
fn check_document(run: &CommandRun<'_>, command: &str) {
    static VALIDATORS: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let (_, arguments) = run.world_and_arguments();
    let is_json = arguments.contains("--format json") || arguments.contains("--json");
    let is_asked = is_json && command != "schema";
    let document = serde_json::from_str::<Value>(run.stdout());
    let (true, Ok(document)) = (is_asked, document) else {
        return;
    };
    let name = match command {
        _ if document.get("reasons").is_some() => "failure",
        _ if document.get("why").is_some() => "nothing",
        "show" => "plan",
        "apply" if document.get("steps").is_some() => "plan",
        "rehearse" if document.get("rows").is_some() => "crashes",
        "apply" | "stage" | "resume" | "undo" | "accept" | "ack" | "rehearse" => "result",
        "history" if document.get("records").is_some() => "run",
        "ls" => "tree",
        "log" => "history",
        "check" => "validate",
        command => command,
    };
    let validator = {
        let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = validators.entry(name.to_owned());
        Arc::clone(known.or_insert_with(|| Arc::new(compiled(name))))
    };
    let faults: Vec<String> = validator
        .iter_errors(&document)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "not a document of `rollup schema {name}`: {}\n{}",
        faults.join("; "),
        run.description()
    );
}

fn compiled(name: &str) -> Validator {
    let schema = serde_json::from_str(&printed_schema(name)).expect("JSON");
    jsonschema::validator_for(&schema).expect("a valid schema")
}

#[track_caller]
fn check_now(run: &CommandRun<'_>, command: &str, now: &str) {
    let is_same = *run.before() == run.after();
    if now.starts_with("this command changed nothing") {
        assert!(is_same, "the tree has changed\n{}", run.description());
    }
    if now.contains("the deployment is as it was before the run") && command == "apply" {
        assert!(is_same, "the tree is not as before\n{}", run.description());
    }
    let (_, arguments) = run.world_and_arguments();
    let is_of_world = !arguments.contains("-d ") || arguments.contains("-d deployment");
    if now.contains("is unfinished") && is_of_world && command != "rehearse" {
        let (world, _) = run.world_and_arguments();
        let status = status_of(world);
        assert!(
            status >= exit::STOPPED,
            "the rank of `rollup status` is {status}\n{}",
            run.description()
        );
    }
}

/// Returns the commands of a line of advice: between backticks, or the whole line.
fn commands_in(advice: &str) -> Vec<String> {
    let program = rollup::cli::command();
    let quoted = advice.split('`').skip(1).step_by(2);
    let whole = advice.split("    ").next().into_iter();
    let is_command = |typed: &&str| {
        let verb = typed
            .strip_prefix("rollup ")
            .and_then(|rest| rest.split(' ').next());
        verb.is_some_and(|verb| program.find_subcommand(verb).is_some()) && !typed.contains('`')
    };
    let commands = quoted.chain(whole).map(str::trim).filter(is_command);
    commands.map(str::to_owned).collect()
}

/// Runs advice in a copy of the world: it is neither bad usage nor invalid, and leaves the deployment
/// in no worse state.
#[track_caller]
fn check_command(run: &CommandRun<'_>, advice: &str, code: Option<i32>) {
    let (world, arguments) = run.world_and_arguments();
    let verb = arguments.split_whitespace().next().unwrap_or_default();
    let asks = ["apply", "stage", "resume", "undo", "accept", "prune"];
    let first = advice.split(' ').nth(1).unwrap_or_default();
    let asks = asks.contains(&first) && !advice.split(' ').any(|word| word == "--yes");
    assert!(
        !asks || run.is_at_terminal(),
        "`{advice}` prompts without a terminal\n{}",
        run.description()
    );
    let kind: String = advice
        .split_whitespace()
        .filter(|word| !word.contains(['/', '.', '=']) && !word.starts_with(char::is_numeric))
        .collect::<Vec<_>>()
        .join(" ");
    let kind = format!("{verb} {code:?}: {kind}");
    let is_new = TRIED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(kind);
    if !is_new {
        return;
    }
    let copy = world.copy();
    let replaced = |word: &str| {
        let placeholder = PLACEHOLDERS
            .iter()
            .find(|(placeholder, _)| *placeholder == word);
        placeholder.map_or(word, |(_, value)| value).to_owned()
    };
    let path = |world: &World| world.at("").display().to_string();
    let advice = advice.replace(&path(world), &path(&copy));
    let words: Vec<String> = advice.split(' ').skip(1).map(replaced).collect();
    let mut typed = words.join(" ");
    if asks {
        typed.push_str(" --yes");
    }
    let before = status_of(&copy);
    let output = copy.command(&typed).stdin(Stdio::null()).output();
    let output = output.expect("the program runs");
    let ended = output.status.code();
    let wrong = [exit::FAILED, exit::USAGE, exit::INVALID, exit::PANICKED];
    // Advice that begins with a repair, which is not made here, may fail as before.
    let is_invalid = ended == Some(exit::INVALID);
    // These two report what is wrong with a document.
    let reports = ["validate", "status"].contains(&first);
    let as_before = is_invalid && (code == ended || reports);
    assert!(
        as_before || ended.is_some_and(|code| !wrong.contains(&code)),
        "advice: `{typed}` exits with {ended:?}: {}\n{}",
        String::from_utf8_lossy(&output.stderr),
        run.description()
    );
    let after = status_of(&copy);
    // A staged run is open, as it was asked for; a run that waits for a person is, too.
    let is_asked = first == "stage" || ended == Some(exit::STOPPED);
    assert!(
        after <= before || is_asked,
        "advice: `{typed}` raises the rank of `status` from {before} to {after}\n{}",
        run.description()
    );
}

/// Returns how `rollup status` exits, as a rank: 12 if a run is open, or may be since something cannot be
/// read, 13 if it needs attention, else 0.
fn status_of(world: &World) -> i32 {
    let output = world.command("status").stdin(Stdio::null()).output();
    let code = output.expect("the program runs").status.code();
    match code {
        Some(exit::NEEDS_ATTENTION) => exit::STOPPED + 1,
        Some(exit::STOPPED | exit::INVALID) => exit::STOPPED,
        _ => exit::OK,
    }
}
