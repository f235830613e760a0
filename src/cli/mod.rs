//! The command line: arguments, messages, progress, exit codes.
//!
//! Results go to standard output; messages, progress and prompts to standard error. Every failure
//! reports what is wrong, what is true now, and what to type next.

// What is typed, and how a command ends.
mod args;
mod exit;

// How results, messages and questions are shown.
mod terminal;

// Files that people name, and commands that they type next.
mod next;
mod output;
mod walk;

// What people read.
mod views;

// What several commands share.
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

use args::{Cli, Command, Format, Report, Shape};
use exit::Exit;
use terminal::{out, signals};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    signals::survive_limits();
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
            out::say("error: the result could not be written to standard output");
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
    Cli::command()
}

/// Returns the definition without environment variables that are set to an empty value: scripts
/// clear them like that.
fn command_line() -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command().mut_subcommands(|command| {
        command.mut_args(|arg| match arg.get_env().is_some_and(is_empty) {
            true => arg.env(None::<&str>),
            false => arg,
        })
    })
}

/// Returns whether a program reads the answer: it gets a document for a failure too.
fn wants_json(command: &Command) -> bool {
    let format = match command {
        Command::Validate(args) => return args.format == Report::Json && args.output.is_none(),
        Command::Plan(args) => return args.showing.is_json(),
        Command::Show(args) => return args.showing.is_json(),
        Command::Inspect(args) => args.format,
        Command::Diff(args) => args.format,
        Command::Import(args) if args.report => args.format,
        Command::Prune(args) => args.format,
        Command::History(args) => args.format,
        Command::Report(args) => return args.format == Shape::Json && args.output.is_none(),
        Command::Status(args) | Command::Tree(args) | Command::Verify(args) => args.format,
        _ => Format::Text,
    };
    format == Format::Json
}

/// Returns whether a command did all of its work on standard output: it found nothing wrong, or it
/// wrote for a program.
fn is_for_its_output(command: &Command, exit: Exit) -> bool {
    if matches!(command, Command::Validate(args) if args.format == Report::Sarif) {
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
