//! The command line: arguments, messages, progress, exit codes.
//!
//! Results go to standard output; messages, progress and prompts to standard error. Every failure
//! reports the reasons, the current state, and the commands to type next.

// Arguments and exit codes.
mod args;
mod command_groups;
mod exit;

// Results, messages and prompts on a terminal.
mod terminal;

// Files that people name, and commands that they type next.
mod next;
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
mod named;
mod recovery;
mod saved;
mod typed;

mod commands;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command, Format, OutputFormat, ReportFormat};
use exit::Exit;
use terminal::{out, signals};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    signals::ignore_file_size_signal();
    let parsed = command_line()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Output that cannot be written is dropped, as everywhere.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    match commands::run(&cli.command) {
        // The output is the whole purpose of such a command, so losing it is an error.
        Ok(exit)
            if (is_for_its_output(&cli.command, exit) || wants_json(&cli.command))
                && out::is_lost() =>
        {
            out::message("error: the result could not be written to standard output");
            Exit::Io.into()
        }
        Ok(exit) => exit.into(),
        Err(failure) => {
            out::fail(&failure);
            if wants_json(&cli.command) {
                out::line(format_args!("{:#}", failure.json()));
            }
            failure.exit.into()
        }
    }
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

/// Returns whether the result goes to standard output as JSON, as then does a failure.
fn wants_json(command: &Command) -> bool {
    let format = match command {
        Command::Validate(args) => {
            return args.format == ReportFormat::Json && args.output.is_none();
        }
        Command::Plan(args) => return args.view.is_json(),
        Command::Show(args) => return args.view.is_json(),
        Command::Inspect(args) => args.format,
        Command::Diff(args) => args.format,
        Command::Import(args) if args.report => args.format,
        Command::Prune(args) => args.format,
        Command::History(args) => args.format,
        Command::Report(args) => return args.format == OutputFormat::Json && args.output.is_none(),
        Command::Status(args) | Command::Tree(args) => args.format,
        Command::Verify(args) => args.format,
        _ => Format::Text,
    };
    format == Format::Json
}

/// Returns whether the output is all that a command is for: it only prints, and found no fault, or
/// it prints for a program.
fn is_for_its_output(command: &Command, exit: Exit) -> bool {
    if matches!(command, Command::Validate(args) if args.format == ReportFormat::Sarif) {
        return true;
    }
    let prints = matches!(
        command,
        Command::Validate(_)
            | Command::Explain(_)
            | Command::Schema(_)
            | Command::Plan(_)
            | Command::Show(_)
            | Command::History(_)
            | Command::Report(_)
            | Command::Tree(_)
            | Command::Inspect(_)
            | Command::Diff(_)
            | Command::Import(_)
    );
    prints && matches!(exit, Exit::Ok | Exit::Changes)
}
