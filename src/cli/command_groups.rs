//! The groups of commands in `rollup --help`.
//!
//! clap lists all subcommands in one block. The groups are part of the help template instead, which
//! is generated from the names, aliases and descriptions of the commands themselves.

use std::fmt::Write;

use clap::Command;

/// Headings with their commands, in the order in which `--help` lists them.
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "Plan and apply",
        &["plan", "show", "approve", "stage", "apply"],
    ),
    ("Recover", &["status", "resume", "undo", "accept", "ack"]),
    ("Inspect", &["tree", "verify", "history", "report"]),
    (
        "Author",
        &[
            "init", "import", "validate", "pin", "diff", "inspect", "schema", "explain",
        ],
    ),
    ("Try", &["rehearse"]),
    ("Housekeeping", &["prune", "completions", "man"]),
];

/// Makes the help of the program list its commands in groups.
pub(super) fn group_commands(program: Command) -> Command {
    let template = help_template(&program);
    program.help_template(template)
}

/// Returns clap's own template, with the groups in place of its list of subcommands.
fn help_template(program: &Command) -> String {
    let header = program.get_styles().get_header();
    let mut template =
        String::from("{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n");
    for (heading, names) in GROUPS {
        let _ = writeln!(template, "{header}{heading}:{header:#}");
        for command in names
            .iter()
            .filter_map(|name| program.find_subcommand(name))
        {
            let _ = writeln!(template, "{}", line(program, command));
        }
        template.push('\n');
    }
    let _ = write!(
        template,
        "{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    template
}

/// Returns the line of a command, formatted as clap does it.
fn line(program: &Command, command: &Command) -> String {
    let literal = program.get_styles().get_literal();
    let name = command.get_name();
    let width = program
        .get_subcommands()
        .map(|command| command.get_name().len())
        .max()
        .unwrap_or_default();
    let padding = width.saturating_sub(name.len());
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut line = format!("  {literal}{name}{literal:#}{:padding$}  {about}", "");
    for alias in command.get_visible_aliases() {
        let _ = write!(line, " [alias: {alias}]");
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let program = Cli::command();
        let mut commands: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        commands.sort_unstable();
        assert_eq!(grouped, commands);
    }

    #[test]
    fn the_groups_have_the_description_and_the_alias_of_a_command() {
        let template = help_template(&Cli::command());
        let text = anstream::adapter::strip_str(&template).to_string();
        let undo = text
            .lines()
            .find(|line| line.starts_with("  undo "))
            .expect("a line for `undo`");
        assert_eq!(
            undo,
            "  undo         Roll back the open run, or a finished one [alias: rollback]"
        );
        // A brace would be read as a part of the template.
        assert_eq!(text.matches('{').count(), 6);
    }
}
