//! `completions`: scripts that complete commands and options in a shell.

use clap::Command;
use clap_complete::generate;

use crate::cli::args::CompletionsArgs;
use crate::cli::exit::Exit;
use crate::cli::terminal::out;

/// Runs `rollup completions`.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut command = crate::cli::command();
    command.build();
    let mut script = Vec::new();
    generate(args.shell, &mut shown(&command), "rollup", &mut script);
    out::document(String::from_utf8(script)?.trim_end());
    Ok(Exit::Ok)
}

/// Returns the part of a command that its help shows; `generate` would complete hidden options, too.
fn shown(command: &Command) -> Command {
    let arguments = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let subcommands = command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set());
    Command::new(command.get_name().to_owned())
        .version(command.get_version().unwrap_or_default().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .visible_aliases(command.get_visible_aliases().map(str::to_owned))
        .args(arguments.map(|argument| argument.clone().global(false)))
        .subcommands(subcommands.map(shown))
}
