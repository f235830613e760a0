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
mod run_summary;
mod saved;
mod table;

mod commands;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use advice::TypedCommand;
use args::{Cli, Command};
use envelope::Envelope;
use exit::Exit;
use failure::{Failure, FailureDocument, OfRun};
use terminal::{console, display, out, signals};

use crate::deployment::tree::Tree;
use crate::names::is_hidden;

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
    let parsed = command_line()
        .try_get_matches()
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Output that cannot be written is dropped, as everywhere.
            let _ = print_usage_error(&error);
            if let Some(advice) = near_misses::advice_for_usage(&error) {
                out::message(format_args!("{}: {advice}", out::styled(out::BOLD, "next")));
                console::finish();
            }
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    display::set_mode(cli.progress);
    let result = near_misses::refuse_deployment_in_place(&matches)
        .map_err(anyhow::Error::from)
        .and_then(|()| commands::run(&cli.command))
        .and_then(|exit| unless_lost(&matches, exit));
    let exit = result.unwrap_or_else(|error| report_failure(&cli.command, &matches, &error));
    console::finish();
    exit.into()
}

/// Returns the exit code of a command that succeeded, unless its output was lost.
fn unless_lost(matches: &ArgMatches, exit: Exit) -> anyhow::Result<Exit> {
    if is_for_its_output(matches, exit) && out::is_lost() {
        let reason = "the result could not be written to standard output";
        let failure = Failure::io(reason).next("free space, then the same command again");
        return Err(failure.into());
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
    if format_of(matches) == Some(OsStr::new("json")) {
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
