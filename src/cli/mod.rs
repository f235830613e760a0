//! The command line: arguments, messages, progress, exit codes.
//!
//! Results go to standard output; messages, progress and prompts to standard error. Every failure
//! reports the reasons, the current state, and the commands to type next.

// Arguments, exit codes, and the description of a failure.
mod args;
mod command_groups;
mod exit;
mod failure;
mod state_now;

// Results, messages and prompts on a terminal.
mod terminal;

// Files that people name, and commands that they type next.
mod advice;
mod envelope;
mod output;
mod walk;

// Texts and pages that people read.
mod views;

// Parts that several commands share.
mod answers;
mod approval;
mod backup;
mod ending;
mod inputs;
mod job;
mod lines;
mod named;
mod near_misses;
mod recovery;
mod rehearsed;
mod result;
mod run_summary;
mod saved;
mod signed;
mod table;
mod version;

mod commands;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};

use advice::TypedCommand;
use args::{Cli, Command};
use envelope::Envelope;
use exit::Exit;
use failure::{Failure, FailureDocument, OfRun};
use terminal::choices::{self, OutputChoices};
use terminal::{console, out, signals};

use crate::deployment::tree::Tree;
use crate::names::is_hidden;

/// Format that programs read, and the option for it.
const JSON: &str = "json";

/// Prints a usage error or the requested help. What was typed may hold anything.
fn print_usage_error(error: &clap::Error) -> std::io::Result<()> {
    let text = error.render().to_string();
    if text.chars().any(|c| c != '\n' && is_hidden(c)) {
        out::message(text.trim_end());
        return Ok(());
    }
    error.print()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    signals::ignore_file_size_signal();
    let (cli, matches) = match parsed(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(error) => return end_without_command(&error).into(),
    };
    ColorChoice::from(cli.color).write_global();
    choices::set(OutputChoices {
        progress: cli.progress,
        is_quiet: cli.quiet,
        is_verbose: cli.verbose,
        has_document: is_for_a_program(&matches),
        is_without_input: cli.no_input,
    });
    let result = run(&cli.command, &matches).and_then(|exit| {
        if is_for_a_program(&matches) && !out::has_document() {
            result::print(exit)?;
        }
        unless_lost(&matches, exit)
    });
    let exit = result.unwrap_or_else(|error| report_failure(&cli.command, &matches, &error));
    console::finish();
    exit.into()
}

/// Runs the command, unless its document is a deployment.
fn run(command: &Command, matches: &ArgMatches) -> anyhow::Result<Exit> {
    near_misses::refuse_unused_verbose(matches)?;
    near_misses::refuse_deployment_in_place(matches)?;
    commands::run(command)
}

/// Parses a command line. Without a command, it is `status` where there is a deployment.
fn parsed(mut words: Vec<OsString>) -> Result<(Cli, ArgMatches), clap::Error> {
    let parse = |words: &[OsString]| {
        let matches = command_line().try_get_matches_from(words)?;
        Ok((Cli::from_arg_matches(&matches)?, matches))
    };
    match parse(&words) {
        Err(error) if lacks_command(&error) && inputs::is_deployment_known() => {
            words.push("status".into());
            parse(&words)
        }
        parsed => parsed,
    }
}

fn lacks_command(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Prints the help, the version or a usage error, and returns the exit code.
fn end_without_command(error: &clap::Error) -> Exit {
    if error.kind() == ErrorKind::DisplayVersion {
        let is_verbose = std::env::args_os().any(|word| word == "--verbose" || word == "-v");
        let version: fn() -> String = if is_verbose {
            version::verbose
        } else {
            version::short
        };
        out::line(version());
        return Exit::Ok;
    }
    // Output that cannot be written is dropped, as everywhere.
    let _ = print_usage_error(error);
    if let Some(advice) = near_misses::advice_for_usage(error) {
        out::urgent(format_args!("{}: {advice}", out::styled(out::BOLD, "next")));
        console::finish();
    }
    match error.kind() {
        ErrorKind::DisplayHelp => Exit::Ok,
        _ => Exit::Usage,
    }
}

/// Returns the exit code of a command that succeeded, unless its output was lost.
fn unless_lost(matches: &ArgMatches, exit: Exit) -> anyhow::Result<Exit> {
    if is_for_its_output(matches, exit) && out::is_lost() {
        let reason = "the result could not be written to standard output";
        return Err(Failure::io(reason)
            .next("free space, then the same command again")
            .into());
    }
    Ok(exit)
}

/// Prints an error with the current state and what to type next, and returns its exit code.
fn report_failure(command: &Command, matches: &ArgMatches, error: &anyhow::Error) -> Exit {
    let tree = state_now::locked_tree().or_else(|| deployment_of(matches));
    let mut failure = Failure::of(error, tree.as_ref());
    let typed = TypedCommand::of(matches, tree.as_ref().map(Tree::path));
    for next in &mut failure.next {
        *next = typed.complete(next);
    }
    let state = match command {
        Command::Rehearse(args) => commands::state_of_lab(args),
        _ => {
            let run = error.downcast_ref().map(|OfRun(number)| *number);
            state_now::state_now(tree.as_ref(), run)
        }
    };
    out::fail(&failure, Some(&state.text));
    if is_for_a_program(matches) {
        let content = FailureDocument {
            reasons: &failure.reasons,
            now: &state.text,
            next: &failure.next,
        };
        Envelope::of_failure(failure.exit, state.changed, content).print();
    }
    failure.exit
}

/// Opens the deployment that a command works on, if it takes one and there is one.
fn deployment_of(matches: &ArgMatches) -> Option<Tree> {
    let (_, matches) = matches.subcommand()?;
    let given = matches.try_get_one::<PathBuf>("deployment").ok()?;
    let deployment = inputs::open_deployment(given.map(PathBuf::as_path));
    deployment.ok().map(|deployment| deployment.tree)
}

/// Returns the definition of the command line: its commands, options and help texts.
pub fn command() -> clap::Command {
    command_groups::group_commands(Cli::command())
        .mut_subcommands(|command| without_unused_verbose(with_json(command)))
}

/// Hides `--verbose` in the help of a command that refuses it.
fn without_unused_verbose(command: clap::Command) -> clap::Command {
    if !near_misses::WITHOUT_VERBOSE.contains(&command.get_name()) {
        return command;
    }
    let verbose = Arg::new("verbose").long("verbose").short('v');
    command.arg(verbose.action(ArgAction::SetTrue).hide(true))
}

/// Adds `--json` to a command that prints JSON.
fn with_json(command: clap::Command) -> clap::Command {
    let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
    if !has("format") {
        return command;
    }
    let json = Arg::new(JSON)
        .long(JSON)
        .action(ArgAction::SetTrue)
        .conflicts_with("format")
        .help("Print one JSON document, like `--format json`");
    let json = if has("report") {
        json.requires("report")
    } else {
        json
    };
    let format = |format: Arg| format.default_value_if(JSON, ArgPredicate::IsPresent, JSON);
    command.mut_arg("format", format).arg(json)
}

/// Returns the definition without the environment variables that are empty: scripts unset a
/// variable by clearing it.
fn command_line() -> clap::Command {
    command().mut_subcommands(|command| {
        command.mut_args(|arg| {
            if arg.get_env().is_some_and(is_empty) {
                arg.env(None::<&str>)
            } else {
                arg
            }
        })
    })
}

fn is_empty(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// Returns whether the command prints a JSON document.
fn is_for_a_program(matches: &ArgMatches) -> bool {
    format_of(matches) == Some(OsStr::new(JSON))
}

/// Returns the value of `--format`, if the command has that option.
fn format_of(matches: &ArgMatches) -> Option<&OsStr> {
    let (_, matches) = matches.subcommand()?;
    matches.try_get_raw("format").ok()??.next()
}

/// Returns whether losing the output is an error: a program reads it, or the command succeeded and
/// did nothing but print.
fn is_for_its_output(matches: &ArgMatches, exit: Exit) -> bool {
    // Their exit code is their result, too.
    let has_code = matches!(matches.subcommand_name(), Some("status" | "verify"));
    let for_a_program = ["json", "sarif"].map(OsStr::new).map(Some);
    let only_prints = !state_now::has_locked() && !state_now::has_written();
    for_a_program.contains(&format_of(matches))
        || !has_code && only_prints && matches!(exit, Exit::Ok | Exit::Changes)
}
